"""The command line with configuration files and running daemons: check, verbs, the log of who used them, and completion."""
import os
import pathlib
import pwd
import re
import signal
import subprocess
import tempfile

import pytest

from lib import certs, wire
from lib.daemon import binary, cli, free_port, upstream
from lib.promise import own_error, works
from lib.wire import background, eventually


GOOD = 'listen = {"127.0.0.1:18641"}\nupstream ex {\n    url = "https://exchange.test"\n    max_connections = 5\n}\n'
BAD = {
    'unknown directive': ('listen = {"127.0.0.1:1"}\nnonsense = 1\n', 2), 'unknown in a block': (GOOD.replace('max_connections', 'max_nonsense'), 4),
    'bad duration': ('drain_timeout = 5x\n', 1), 'bad size': ('max_clients = 5\n\ncache_size = 1q\n', 3), 'bad address': ('listen = {"localhost"}\n', 1),
    'bad url': (GOOD.replace('https://exchange.test', 'ftp://exchange.test'), 3), 'url with a path': (GOOD.replace('.test"', '.test/x"'), 3),
    'no url': ('upstream ex {\n}\n', 1), 'twice by name': (GOOD + GOOD.split('\n', 1)[1].replace('exchange.test', 'other.test'), 6),
    'twice by origin': (GOOD + GOOD.split('\n', 1)[1].replace('upstream ex', 'upstream ey'), None), 'reserved name': (GOOD.replace('ex {', 'stats {'), 2),
    'bad name': (GOOD.replace('ex {', 'EX {'), 2), 'a syntax error': ('listen = \n\n}\n', None), 'open to all': ('listen = {"0.0.0.0:1"}\n', 1),
    'long unix path': ('listen = {"unix:/%s"}\n' % ('x' * 120), 1), 'connect_to a name': (GOOD.replace('max_connections = 5', 'connect_to = "a.test:1"'), 4),
    'missing ca_file': (GOOD.replace('max_connections = 5', 'ca_file = "/nowhere.pem"'), None),
}


@pytest.mark.parametrize('name', BAD)
def test_bad_configurations(tmp_path, name):
    """check and the daemon both name FILE:LINE on stderr and exit 78; nothing starts."""
    text, line = BAD[name]
    file = tmp_path / 'bad.conf'
    file.write_text(text)
    for args in (['check', '-c', file], ['-c', file], ['config', '-c', file]):
        out = cli(*args)
        assert out.returncode == 78, f'{args}: {out}'
        assert re.search(re.escape(str(file)) + (f':{line}: .+' if line else r':\d+: .+'), out.stderr), out.stderr


REFUSED = {     # errors that the text alone does not show: text, exit code of the start, line, beginning of the message
    'log without a folder': ('\naccess_log = "HERE/none/log"\n', 69, 2, 'access_log = '), 'log that is a folder': ('access_log = "HERE"\n', 69, 1, 'access_log = '),
    'no address of ours': ('allow_clients = {"0.0.0.0/0"}\nlisten = {"127.0.0.1:PORT",\n"203.0.113.77:PORT"}\n', 69, 3, 'listen 203.0.113.77:'),
    'no IPv6 address of ours': ('allow_clients = {"::/0"}\nlisten = {"[2001:db8::77]:PORT"}\n', 69, 2, 'listen [2001:db8::77]:'),
    'one in another': ('allow_clients = {"0.0.0.0/0"}\nlisten = {"0.0.0.0:PORT"}\nupstream a {\nurl = "http://a.test"\nlisten = {"127.0.0.1:PORT"}\n}\n', 78, 5,
                       '127.0.0.1:PORT is already listened on'),
    'socket without a folder': ('listen = {"127.0.0.1:PORT", "unix:HERE/none/s"}\n', 69, 1, 'listen unix:'),
    'socket that is a file': ('listen = {"127.0.0.1:PORT"}\nupstream a {\nurl = "http://a.test"\nlisten = {"unix:HERE/file"}\n}\n', 69, 4, 'listen unix:'),
    'nowhere': ('listen = {}\n', 69, None, 'listen'),
    'no certificate': ('upstream a {\nurl = "https://a.test"\n\nca_file = "HERE/file"\n}\n', 78, 4, 'ca_file '),
    'no certificate for any': ('upstream a {\nurl = "https://a.test"\n}\ndefaults {\n\nca_file = "HERE/file"\n}\n', 78, 6, 'ca_file '),
    'no key': ('upstream a {\nurl = "https://a.test"\nkey_file = "HERE/file"\ncert_file = "CERT"\n}\n', 78, 3, 'key_file '),
    'no client certificate': ('defaults {\ncert_file = "HERE/file"\n}\n', 78, 2, 'cert_file '),
    'no CA': ('ca_key = "HERE/file"\n\nca_cert = "CERT"\n', 78, 3, 'ca_cert '), 'no file': ('\nca_key = "HERE/none"\nca_cert = "CERT"\n', 78, 2, 'ca_key = '),
}


@pytest.mark.parametrize('name', REFUSED)
def test_check_refuses_what_the_start_refuses(tmp_path, name):
    """Both report the error once, in the same words, with the directive and its position; check leaves no files behind."""
    text, code, line, words = REFUSED[name]
    (tmp_path / 'file').write_text('neither a key nor a certificate\n')
    file, port = tmp_path / 'bad.conf', str(free_port())
    if 'listen' not in text:
        text += 'listen = {"127.0.0.1:PORT"}\n'
    file.write_text(text.replace('HERE', str(tmp_path)).replace('PORT', port).replace('CERT', str(certs.CA)))
    before = sorted(p.name for p in tmp_path.iterdir())
    checked, started = cli('check', '-c', file), cli('-c', file)
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    error = f'{file}:{line}: {words}' if line else f'{file}: {words}'
    assert (checked.returncode, checked.stdout, checked.stderr.count('\n')) == (78, '', 1) and checked.stderr.startswith(error.replace('PORT', port)), checked
    assert started.returncode == code and f'error configuration: {checked.stderr}' in started.stderr, started


def test_check_beside_a_running_daemon(daemon, origin, tmp_path):
    """check accepts addresses and files that the running daemon uses, and does not connect to that daemon."""
    d = daemon(upstream('ex', origin, listen=[f'unix:{tmp_path}/own']), listen=[f'127.0.0.1:{free_port()}', f'unix:{tmp_path}/s'], access_log=str(tmp_path / 'log'))
    works(d)
    before = d.stats()['clients']['accepted']
    out = d.cli('check')
    assert (out.returncode, out.stdout, out.stderr) == (0, f'{d.conf_path}: ok\n', '')
    assert d.stats()['clients']['accepted'] == before + 1


def test_check_and_config(tmp_path):
    """check prints `ok` on stdout; the output of config is a configuration for which config prints the same again."""
    file, again = tmp_path / 'good.conf', tmp_path / 'again.conf'
    file.write_text(GOOD + 'defaults {\n    idle_timeout = 90s\n}\nupstream two {\n    url = "https://two.test"\n    credential_params = {"a\\${b}c", "d\\\\e"}\n}\n')
    out = cli('check', '-c', file)
    assert (out.returncode, out.stdout.strip(), out.stderr) == (0, f'{file}: ok', '')
    first = cli('config', '-c', file)
    assert first.returncode == 0 and 'max_connections = 5' in first.stdout
    again.write_text(first.stdout)
    second = cli('config', '-c', again)
    assert second.returncode == 0 and second.stdout == first.stdout
    assert cli('check', '-c', tmp_path / 'missing').returncode == 78


def test_unset_names(tmp_path, daemon):
    """An unset ${NAME} is an error with file and line for check, config, doctor, the start and a reload. It is no error if NAME is
    set or the reference has a default (${NAME:-…})."""
    file = tmp_path / 'a.conf'
    file.write_text('# ${NOT_SET_ANYWHERE}\nlog_level = "${SET_LEVEL}"\naccess_log = "${NOT_SET_ANYWHERE:-off}"\nallow_hosts = {"${NOT_SET_ANYWHERE}"}\n')
    env = {**os.environ, 'SET_LEVEL': 'warn'}
    for args in (['check', '-c', file], ['-c', file], ['config', '-c', file], ['doctor', '-c', file]):
        out = cli(*args, env=env)
        assert out.returncode == 78 and f'{file}:4: ${{NOT_SET_ANYWHERE}} is not set' in out.stderr and f'{file}:2:' not in out.stderr, out
    env['NOT_SET_ANYWHERE'] = 'a.test'
    out = cli('check', '-c', file, env={**env, 'NOT_SET_ANYWHERE': 'a.test', 'X': ''})
    assert out.returncode == 78 and 'access_log = a.test' in out.stderr and ':4:' not in out.stderr, out
    d = daemon()
    d.write(d.conf_path.read_text() + 'ca_cert = "${NOT_SET_ANYWHERE}"\n')
    assert 'NOT_SET_ANYWHERE} is not set' in d.cli('reload').stderr


def test_several_errors_at_once(tmp_path):
    """check reports every error it finds, not only the first."""
    file = tmp_path / 'bad.conf'
    file.write_text('drain_timeout = 5x\nmax_clients = -1\n')
    assert len(re.findall(r':\d+: ', cli('check', '-c', file).stderr)) == 2


def test_verbs_as_commands(daemon, origin, tmp_path):
    """The four verbs, with -c and over a unix socket: the output shows the new state; a refusal prints one line and exits with 69."""
    d = daemon(upstream('ex', origin), upstream('two', origin, host='two.test'), listen=[f'unix:{tmp_path}/s', f'127.0.0.1:{free_port()}'])
    works(d)
    out = d.cli('pause', 'ex')
    assert (out.returncode, out.stdout, out.stderr) == (0, 'ex: paused, 0 active, 0 waiting, 1 lines open\n', '')
    assert d.upstream()['state'] == 'paused' and d.upstream('two')['state'] == 'up'
    waits = background(lambda: d.get('/ex/late'))
    eventually(lambda: d.upstream()['queue']['waiting'] == 1)
    assert cli('resume', '--all', '--url', f'unix:{tmp_path}/s').stdout.startswith('ex: up, ')
    assert waits.result().status == 200
    assert cli('pause', '--all', '--url', f'unix:{tmp_path}/s').stdout.splitlines()[1].startswith('two: paused, ')
    assert d.cli('resume', '--all').returncode == 0
    opened = d.connections()['opened']
    assert d.cli('reconnect', 'ex').returncode == 0
    works(d)
    assert d.connections()['opened'] == opened + 1
    assert 'ex: draining, ' in d.cli('drain', 'ex').stdout
    own_error(d.get('/ex/x'), 503, 'destination_unavailable', 'no')
    out = d.cli('resume', 'nosuch')
    assert out.returncode == 69 and not out.stdout and out.stderr.count('\n') == 1 and 'no upstream of that name' in out.stderr


def says(d, *words):
    """Waits for one log line that has all these words."""
    eventually(lambda: [line for line in d.stderr.splitlines() if all(w in line for w in words)])


def test_who_did_it_is_logged(daemon, origin, tmp_path):
    """The log names the source of each command (peer address, user of a unix socket, dashboard or signal), for every verb on one
    upstream or on all, and for reload and drain."""
    tmp_path.chmod(0o755)
    d = daemon(upstream('ex', origin), listen=[f'127.0.0.1:{free_port()}', f'unix:{tmp_path}/s'])
    for verb, past in (('pause', 'paused'), ('resume', 'resumed'), ('reconnect', 'reconnected'), ('drain', 'drained')):
        with d.client() as c:
            assert c.request('POST', f'/upstreams/ex/{verb}').status == 204
            says(d, f'info upstream ex: {past} by 127.0.0.1:{c.sock.getsockname()[1]}')
    assert cli('resume', '--all', '--url', f'unix:{tmp_path}/s').returncode == 0
    me = pwd.getpwuid(os.getuid()).pw_name
    says(d, f'info all upstreams: resumed by uid {os.getuid()} ({me}) on {tmp_path}/s')
    assert d.request('POST', '/upstreams/ex/pause', [('Sec-Fetch-Site', 'same-origin')]).status == 204
    says(d, 'upstream ex: paused by the dashboard (127.0.0.1:')
    assert d.cli('reload').returncode == 0
    says(d, 'daemon: reload asked for by 127.0.0.1:')
    d.kill(signal.SIGHUP)
    says(d, 'daemon: reload asked for by SIGHUP')
    assert d.cli('drain', '--all').returncode == 0
    says(d, 'daemon: drain asked for by 127.0.0.1:')
    assert d.wait() == 0
    d = daemon(upstream('ex', origin))
    assert d.stop() == 0
    says(d, 'daemon: drain asked for by SIGTERM')


@pytest.mark.skipif(os.getuid() != 0, reason='only root can be somebody else')
def test_another_user_is_named(daemon, origin):
    """On a unix socket that other users may use, the log names the user who connected."""
    nobody = pwd.getpwnam('nobody')
    with tempfile.TemporaryDirectory() as folder:
        d = daemon(upstream('ex', origin), listen=[f'127.0.0.1:{free_port()}', f'unix:{folder}/s'])
        os.chmod(folder, 0o755), os.chmod(f'{folder}/s', 0o666)
        os.seteuid(nobody.pw_uid)
        try:
            c = wire.Client(f'{folder}/s')
        finally:
            os.seteuid(0)
        assert c.request('POST', '/upstreams/ex/pause').status == 204
        says(d, f'upstream ex: paused by uid {nobody.pw_uid} (nobody) on {folder}/s')
        c.close()


def completions(line):
    """The completions that etc/completion.bash offers at the end of a command line."""
    words = line.split(' ')
    script = ('source "$0"; COMP_LINE=$1 COMP_POINT=${#1}; shift; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); compopt() { :; }; _trunkline; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    completion = pathlib.Path(__file__).parents[2] / 'etc/completion.bash'
    return subprocess.run(['bash', '-c', script, completion, line, *words], capture_output=True, text=True, timeout=20).stdout.split()


def test_completion_offers_the_names(daemon, origin, tmp_path):
    """Completion offers the upstreams of the running daemon (found by --url or -c), or those of the file if no daemon is running,
    and --all."""
    d = daemon(upstream('ex', origin), upstream('two', origin, host='two.test'))
    file, exe = tmp_path / 'other.conf', binary()
    file.write_text(f'listen = {{"127.0.0.1:{free_port()}"}}\nupstream quiet {{ url = "https://a.test" }}\n')
    assert completions(f'{exe} ') == [*('check config help stats top requests orders pause resume reconnect drain freeze unfreeze reload doctor ca '
                                        '-c -v --help --version').split()]
    for verb in ('pause', 'resume', 'reconnect', 'drain'):
        assert completions(f'{exe} {verb} --url {d.url} ') == ['ex', 'two', '--all', '-c', '--url', '--help']
    for verb in ('freeze', 'unfreeze'):
        assert completions(f'{exe} {verb} --url {d.url} ') == ['ex', 'two', '--all', '--bot', '-c', '--url', '--help']
    assert completions(f'{exe} pause --url={d.url} t') == completions(f'{exe} pause -c {d.conf_path} t') == ['two']
    assert completions(f'{exe} pause -c {file} q') == completions(f'{exe} doctor -c {file} q') == ['quiet']
    assert completions(f'{exe} stats --url {d.url} ') == ['-c', '--url', '--json', '--watch', '--rare', '--all', '--help']
    assert completions(f'{exe} requests --url {d.url} ') == ['-c', '--url', '--upstream', '--json', '--watch', '--help']
    assert completions(f'{exe} requests --url {d.url} --upstream ') == ['ex', 'two']
    file.write_text(file.read_text() + 'bot grid1 { weight_share = 10% }\n')
    d.get('/ex/', headers=[('Trunkline-Client', 'seen-7')])
    assert completions(f'{exe} freeze --url {d.url} --bot ') == ['seen-7'] and completions(f'{exe} freeze -c {file} --bot g') == ['grid1']
    assert completions(f'{exe} help max_con') == ['max_connections'] and completions(f'{exe} help rel') == ['reload']
