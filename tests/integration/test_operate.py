"""Operating: the command line, configuration errors, reload, drain, log files."""
import os
import pathlib
import pwd
import re
import signal
import subprocess
import tempfile
import threading
import time

import pytest

from lib import certs, wire
from lib.behaviour import Gate, flood, reply
from lib.daemon import binary, cli, free_port, upstream
from lib.promise import own_error, works
from lib.wire import Closed, WireError, background, compose, eventually, refuses


# ----------------------------------------------------------------------------------------------- command line

def test_version_and_help():
    """--version names the libraries; --help is usage; each command has its own."""
    out = cli('--version')
    assert out.returncode == 0 and re.match(r'trunkline \d+\.\d+', out.stdout)
    for library in ('libuv', 'llhttp', 'c-ares'):
        assert library in out.stdout.lower(), out.stdout
    assert 'mbed' in out.stdout.lower()
    for args in (['--help'], ['check', '--help'], ['config', '--help'], ['stats', '--help']):
        out = cli(*args)
        assert out.returncode == 0 and 'sage' in out.stdout and not out.stderr, args


@pytest.mark.parametrize('args', [['--nonsense'], ['nonsense'], ['check', '--nonsense'], ['-c'], ['stats', '--url']])
def test_wrong_usage(args):
    """One line on stderr, exit 64."""
    out = cli(*args)
    assert out.returncode == 64 and not out.stdout and len(out.stderr.strip().splitlines()) == 1, out


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


REFUSED = {     # what the text alone does not show: the start's exit code, the line, and words
    'log without a folder': ('\naccess_log = "HERE/none/log"\n', 69, 2, 'access_log = '), 'log that is a folder': ('access_log = "HERE"\n', 69, 1, 'access_log = '),
    'no address of ours': ('allow_clients = {"0.0.0.0/0"}\nlisten = {"127.0.0.1:PORT",\n"203.0.113.77:PORT"}\n', 69, 3, 'listen 203.0.113.77:'),
    'no IPv6 address of ours': ('allow_clients = {"::/0"}\nlisten = {"[2001:db8::77]:PORT"}\n', 69, 2, 'listen [2001:db8::77]:'),
    'one in another': ('allow_clients = {"0.0.0.0/0"}\nlisten = {"0.0.0.0:PORT"}\nupstream a {\nurl = "http://a.test"\nlisten = {"127.0.0.1:PORT"}\n}\n', 78, 5,
                       '127.0.0.1:PORT is listened on already'),
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
    """Both in the same words, once, with the directive and where it stands; check leaves nothing behind."""
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
    """Its addresses and files are in use, which is fine, and it notices nothing."""
    d = daemon(upstream('ex', origin, listen=[f'unix:{tmp_path}/own']), listen=[f'127.0.0.1:{free_port()}', f'unix:{tmp_path}/s'], access_log=str(tmp_path / 'log'))
    works(d)
    before = d.stats()['clients']['accepted']
    out = d.cli('check')
    assert (out.returncode, out.stdout, out.stderr) == (0, f'{d.conf_path}: ok\n', '')
    assert d.stats()['clients']['accepted'] == before + 1


def test_check_and_config(tmp_path):
    """`ok` on stdout; the effective configuration reads back to the same."""
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
    """${NAME} that is not set is an error of file and line, for check, config, the start and a reload; with a value, or one for want of it, none."""
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
    """Each error found is told."""
    file = tmp_path / 'bad.conf'
    file.write_text('drain_timeout = 5x\nmax_clients = -1\n')
    assert len(re.findall(r':\d+: ', cli('check', '-c', file).stderr)) == 2


def test_stats_command(ex, origin, tmp_path):
    """A table for people, --json for programs; one clear line when nobody is there."""
    works(ex)
    out = ex.cli('stats')
    assert out.returncode == 0 and re.search(r'^ex\b', out.stdout, re.M), out.stdout
    import json
    out = cli('stats', '--json', '--url', ex.url)
    assert json.loads(out.stdout)['upstreams'][0]['requests']['total'] == 1
    out = cli('stats', '--url', f'http://127.0.0.1:{free_port()}')
    assert out.returncode not in (0, 64) and len(out.stderr.strip().splitlines()) == 1 and not out.stdout


def test_settings_without_effect(daemon, origin):
    """A limit that lacks what it is measured by is warned of."""
    d = daemon(upstream('ex', origin, weight_limit=10, burst=3), upstream('two', origin, host='two.test', weight_limit=10, weight_header='X-W'))
    eventually(lambda: 'ready' in d.stderr)
    assert re.findall(r'^\S+Z warn upstream (\w+): (\w+) without', d.stderr, re.M) == [('ex', 'weight_limit'), ('ex', 'burst')], d.stderr


def test_closed_standard_descriptors(daemon, origin):
    """No socket becomes the place where the log goes: requests are served, and SIGTERM ends it with 0."""
    d = daemon(upstream('ex', origin), log_level='debug', wrap=['sh', '-c', 'exec "$@" <&- >&- 2>&-', 'sh'])
    works(d)
    assert d.stop() == 0
    out = subprocess.run(['sh', '-c', 'exec "$@" >&-', 'sh', binary(), 'check', '-c', d.conf_path], capture_output=True, text=True)
    assert out.returncode == 74 and 'cannot write' in out.stderr


def test_a_second_daemon_on_the_port(ex, daemon):
    """Exits 69 with one clear line; the first is not disturbed."""
    d = daemon(listen=[f'127.0.0.1:{ex.port}'], wait=False)
    assert d.wait() == 69
    lines = d.stderr.strip().splitlines()
    assert len([line for line in lines if 'in use' in line]) == 1 and str(ex.port) in lines[-1]
    works(ex)


TIMED = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warn|info|debug) \S')


def test_log_lines_bear_the_time(daemon, origin):
    """All of them, from the start to the end, -v too, and those of a start that failed; in the journal its priority stands there."""
    d = daemon(upstream('ex', origin, weight_limit=9), args=['-v'])
    works(d)
    assert d.stop() == 0
    failed = daemon(max_clients='many', wait=False)
    assert failed.wait() == 78
    for which, least in ((d, 10), (failed, 1)):
        lines = which.stderr.splitlines()
        assert len(lines) >= least and all(TIMED.match(line) for line in lines), which.stderr
    script = 'JOURNAL_STREAM=$(stat -Lc %d:%i /dev/stderr) exec "$@"'
    d = daemon(upstream('ex', origin), wrap=['sh', '-c', script, 'sh'])
    assert d.stop() == 0 and all(re.match(r'<\d>\w+ \S', line) for line in d.stderr.splitlines()), d.stderr


# ----------------------------------------------------------------------------------------------------- reload

@pytest.mark.parametrize('text, line', [('nonsense = 1\n', 1), ('listen = {"127.0.0.1:%d"}\nupstream ex {\n    url = "ftp://x"\n}\n', 3), ('}\n', None)])
def test_a_bad_file_is_refused_whole(ex, origin, text, line):
    """FILE:LINE stands in the log, the old configuration keeps serving on its old lines."""
    works(ex)
    ex.reload(text=text % ex.port if '%d' in text else text)
    where = re.escape(str(ex.conf_path)) + (f':{line}: ' if line else r':\d+: ')
    eventually(lambda: re.search(where, ex.stderr))
    works(ex)
    assert len(origin.lines) == 1 and ex.upstream()['origin'] == 'https://exchange.test:443'
    ex.reload(upstream('ex', origin), upstream('other', origin, host='kraken.test'))
    eventually(lambda: ex.get('/other/x').status == 200)


def test_reload_as_a_command(daemon, origin, tmp_path):
    """It waits for the outcome: in force at its return, or the errors with file and line, and the old configuration stays."""
    url = f'http://127.0.0.1:{free_port()}'
    d = daemon(upstream('ex', origin), listen=[url[7:], f'unix:{tmp_path}/s'])
    for where in (url, f'unix:{tmp_path}/s'):
        d.write(d.conf_path.read_text().replace('upstream ex', 'upstream ex2') if where == url else None)
        done = cli('reload', '--url', where)
        assert (done.returncode, done.stdout, done.stderr) == (0, 'reloaded\n', ''), done
        assert d.get('/ex2/x').status == (200 if where == url else 404)
    d.write(d.conf_path.read_text() + 'max_clients = many\naccess_log = "/nowhere/at/all/log"\n')
    done, line = cli('reload', '--url', url), len(d.conf_path.read_text().splitlines()) - 1
    assert done.returncode == 78 and not done.stdout and f'{d.conf_path}:{line}: max_clients = many: ' in done.stderr, done
    again = d.cli('reload')     # the address is found in a file that is refused
    assert (again.returncode, again.stderr) == (78, done.stderr) and d.stderr.count('reload refused') == 2
    with d.client() as c:
        r = c.request('POST', '/reload')
        assert r.status == 409 and r.text == done.stderr and r.all('content-type')[0].startswith('text/plain') and r.keeps, r
        assert c.get('/ex/x').status == 200
    assert 'reload refused: the old configuration keeps running' in d.stderr
    own_error(d.get('/reload'), 405, 'http_request_error', 'no')
    own_error(d.request('POST', '/reload', [('Origin', 'http://evil.test')]), 403, 'http_request_denied', 'no')


def test_many_reloads_at_once(daemon, origin):
    """Each is told of the file as it was after it asked."""
    d = daemon(upstream('ex', origin))
    good, bad = d.conf_path.read_text(), 'max_clients = many\n'
    for _ in range(5):
        d.write(good)
        calls = [background(lambda: d.request('POST', '/reload').status) for _ in range(10)]
        assert [c.result(20) for c in calls] == [204] * 10
        d.write(bad)
        calls = [background(lambda: d.request('POST', '/reload').status) for _ in range(10)]
        assert [c.result(20) for c in calls] == [409] * 10
    works(d)


def test_reload_keeps_what_did_not_change(daemon, origins):
    """Unchanged pools keep lines and counters, changed ones get new lines, removed ones are 404, added ones serve."""
    kept, changed, gone, new = (origins() for _ in range(4))
    d = daemon(upstream('kept', kept), upstream('changed', changed, host='kraken.test'), upstream('gone', gone, host='a.exchange.test'))
    for name in ('kept', 'changed', 'gone'):
        works(d, f'/{name}/x')
    before = d.upstream('kept')
    d.reload(upstream('kept', kept), upstream('changed', changed, host='kraken.test', tls_min='1.3', max_connections=3),
             upstream('new', new, host='b.exchange.test'))
    eventually(lambda: d.get('/new/x').status == 200)
    eventually(lambda: not gone.open)
    assert gone.lines[0].notified
    for _ in range(3):
        works(d, '/kept/y'), works(d, '/changed/y')
    after = d.upstream('kept')
    assert len(kept.lines) == 1 and after['connections']['opened'] == before['connections']['opened'] == 1
    assert after['requests']['total'] == before['requests']['total'] + 3
    assert len(changed.lines) == 2 and not changed.lines[0].open
    r = d.get('/gone/x')
    assert own_error(r, 404, 'http_request_error', 'no') and 'kept' in r.text and 'new' in r.text
    assert [u['name'] for u in d.stats()['upstreams'] if u['listed']] == ['kept', 'changed', 'new']


def test_limits_that_change_keep_the_lines(daemon, origin):
    """What says nothing on how a line is made does not end it, or only politely."""
    d = daemon(upstream('ex', origin, response_timeout='8s'))
    works(d)
    d.reload(upstream('ex', origin, response_timeout='300ms'))
    eventually(lambda: 'reloaded' in d.stderr)
    origin.on('/hold', Gate())
    r = d.get('/ex/hold')
    assert own_error(r, 504, 'http_response_timeout', 'yes') and '300ms' in r.text, r.text
    assert len(origin.lines) == 1
    works(d)


def test_requests_under_way_keep_their_configuration(daemon, origin):
    """A request begun before the reload ends as it began, though its upstream is gone."""
    d = daemon(upstream('ex', origin))
    gate = Gate()
    origin.on('/hold', gate)
    held = background(lambda: d.get('/ex/hold', timeout=20))
    eventually(lambda: gate.waiting == 1)
    d.reload(upstream('other', origin, host='kraken.test'))
    eventually(lambda: d.get('/other/x').status == 200)
    assert d.get('/ex/x').status == 404
    gate.release()
    assert held.result().text == '/hold'
    eventually(lambda: not origin.lines[0].open)


def test_listeners_come_and_go(daemon, origin):
    """Of trunkline and of upstreams; clients of an old listener keep their connection."""
    one, two, three = free_port(), free_port(), free_port()
    d = daemon(upstream('ex', origin, listen=[f'127.0.0.1:{two}']))
    old = wire.Client(two)
    assert old.get('/a').text == '/a'
    d.reload(upstream('ex', origin, listen=[f'127.0.0.1:{three}']), listen=[f'127.0.0.1:{d.port}', f'127.0.0.1:{one}'])
    eventually(lambda: not refuses(three) and not refuses(one))
    eventually(lambda: refuses(two))
    assert wire.Client(three).get('/b').text == '/b' and wire.Client(one).get('/ex/c').text == '/c'
    assert old.get('/d').text == '/d'
    works(d)


def test_no_request_is_lost_by_reloads(daemon, origin):
    """Four clients at full speed, orders among it, while the file is reloaded twenty times."""
    d = daemon(upstream('ex', origin))
    done, bad, count = threading.Event(), [], [0] * 4

    def client(which):
        with d.client() as c:
            while not done.is_set():
                n = count[which] = count[which] + 1
                try:
                    r = c.request('POST' if n % 2 else 'GET', f'/ex/{which}-{n}', body=b'x' * (n % 2))
                    if r.text != f'/{which}-{n}':
                        bad.append(r)
                except WireError as e:
                    bad.append(e)
                    return
    clients = [background(lambda which=which: client(which)) for which in range(4)]
    for n in range(20):
        d.reload(upstream('ex', origin, max_connections=4 + n % 3, tls_min='1.3' if n % 2 else '1.2'),
                 *([upstream('other', origin, host='kraken.test')] if n % 4 == 0 else []))
        seen = list(count)
        eventually(lambda: bad or all(now > then for now, then in zip(count, seen)))
    done.set()
    for c in clients:
        c.result()
    assert not bad, bad[:3]
    assert d.upstream()['requests']['failed'] == 0 and d.upstream()['requests']['total'] == sum(count)


# ------------------------------------------------------------------------------------------------------ drain

def test_drain(daemon, origin):
    """SIGTERM: what is under way completes, idle lines go with close_notify, new connections are refused, exit 0."""
    d = daemon(upstream('ex', origin, min_idle=2))
    eventually(lambda: len(origin.open) == 2)
    gate = Gate()
    origin.on('/hold', gate)
    idle, busy = d.client(), d.client(20)
    assert idle.get('/ex/x').status == 200
    busy.send(compose('POST', '/ex/hold', body=b'x'))
    eventually(lambda: gate.waiting == 1)
    d.kill(signal.SIGTERM)
    eventually(lambda: refuses(d.where))
    assert idle.eof(), 'an idle client is kept'
    eventually(lambda: len(origin.open) == 1)
    assert all(li.notified for li in origin.lines if not li.open)
    assert d.alive()
    gate.release()
    r = busy.response('POST')
    assert r.text == '/hold' and not r.keeps and busy.eof()
    assert d.wait() == 0
    eventually(lambda: not origin.open)
    assert all(li.notified for li in origin.lines), 'a line was closed without close_notify'


def test_drain_says_so_on_open_connections(daemon, origin):
    """A pipelined /healthz behind a held request gives 503 draining."""
    d = daemon(upstream('ex', origin))
    gate = Gate()
    origin.on('/hold', gate)
    with d.client(20) as c:
        c.send(compose('GET', '/ex/hold'))
        eventually(lambda: gate.waiting == 1)
        d.kill(signal.SIGTERM)
        eventually(lambda: refuses(d.where))
        gate.release()
        assert c.response().status == 200
    assert d.wait() == 0


def test_drain_timeout(daemon, origin):
    """Bounds it; the exit is clean all the same."""
    d = daemon(upstream('ex', origin), drain_timeout='400ms')
    gate = Gate()
    origin.on('/hold', gate)
    with d.client(20) as c:
        c.send(compose('GET', '/ex/hold'))
        eventually(lambda: gate.waiting == 1)
        began = time.monotonic()
        assert d.stop() == 0 and 0.3 < time.monotonic() - began < 20     # 30 s are the default


def test_a_second_sigterm_hastens(daemon, origin):
    """In the middle of transfers of all kinds."""
    d = daemon(upstream('ex', origin))
    origin.on('/down', flood(b'y' * 65536, first=b'HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n'))
    gate = Gate()
    origin.on('/hold', gate)
    down, held, up = d.client(), d.client(), d.client(0.5)
    down.send(compose('GET', '/ex/down'))
    held.send(compose('GET', '/ex/hold'))
    up.send(compose('POST', '/ex/up', [('Content-Length', '99999999')]) + b'z' * 1_000_000)
    eventually(lambda: d.connections()['active'] == 3)
    d.kill(signal.SIGTERM)
    eventually(lambda: refuses(d.where))
    assert d.alive()
    began = time.monotonic()
    assert d.stop() == 0 and time.monotonic() - began < 20          # 30 s are the default of drain_timeout


def test_sigint_is_sigterm(ex, origin):
    """Control-C."""
    works(ex)
    assert ex.stop(signal.SIGINT) == 0
    eventually(lambda: not origin.open)
    assert origin.lines[0].notified


def test_a_download_survives_the_drain(daemon, origin):
    """A body that takes its time is not cut by SIGTERM."""
    d = daemon(upstream('ex', origin))
    origin.on('/x', reply(body=b'y' * 10_000, pieces=10, gap=0.05))
    with d.client(20) as c:
        c.send(compose('GET', '/ex/x'))
        c.head()
        d.kill(signal.SIGTERM)
        got = len(c.buffer)
        try:
            while True:
                c.buffer.clear()
                c.more()
                got += len(c.buffer)
        except Closed:
            pass
        assert got == 10_000
    assert d.wait() == 0


# ------------------------------------------------------------------------------------------------------- logs

@pytest.mark.parametrize('reason', ['sigusr1', 'reload'])
def test_the_access_log_is_reopened(daemon, origin, tmp_path, reason):
    """After a rotation nothing is lost: every request is in one of the two files, once."""
    log = tmp_path / 'access.log'
    d = daemon(upstream('ex', origin), access_log=str(log))
    for n in range(20):
        works(d, f'/ex/n{n}-')
        if n == 10:
            os.rename(log, tmp_path / 'access.log.1')
            d.kill(signal.SIGUSR1 if reason == 'sigusr1' else signal.SIGHUP)
    eventually(log.exists)
    works(d, '/ex/last')
    eventually(lambda: '/last' in log.read_text())
    both = (tmp_path / 'access.log.1').read_text() + log.read_text()
    assert all(both.count(f'/n{n}-') == 1 for n in range(20)) and both.count('\n') == 21


def test_an_access_log_that_cannot_be_written(daemon, origin, tmp_path):
    """Is told at the start, or in the log; requests do not suffer."""
    d = daemon(upstream('ex', origin), access_log=str(tmp_path / 'no' / 'folder' / 'log'), wait=False)
    eventually(lambda: not d.alive() or not refuses(d.where))
    if d.alive():
        works(d)
    assert re.search(r'\.conf:\d+: access_log = .*/log: No such file', d.stderr), d.stderr


def test_log_levels(daemon, origin):
    """error is silent on a good day; debug tells of each request; a secret is in neither."""
    for level, most in (('error', 0), ('debug', 100_000)):
        d = daemon(upstream('ex', origin), log_level=level)
        d.get('/ex/x?signature=GEHEIM', [('X-MBX-APIKEY', 'GEHEIM'), ('Authorization', 'Bearer GEHEIM')])
        d.stop()
        assert len(d.stderr) <= most and 'GEHEIM' not in d.stderr, d.stderr[:500]
    assert 'ex' in d.stderr


def test_pause_keeps_a_request_waiting_on_few_lines(daemon, origin):
    """What comes while paused waits, opens no more lines than it needs, and goes on with resume."""
    d = daemon(upstream('ex', origin))
    works(d)
    assert d.verb('pause').status == 204 and d.upstream()['state'] == 'paused'
    own_error(d.get('/ex/late', [('Trunkline-Timeout', '300ms')]), 503, 'destination_unavailable', 'no')
    calls = [background(lambda n=n: d.get(f'/ex/{n}')) for n in range(3)]
    eventually(lambda: d.upstream()['queue']['waiting'] == 3)
    time.sleep(0.2)
    assert d.connections()['open'] <= 3 and '/late' not in origin.paths()
    assert d.verb('resume').status == 204
    assert all(c.result().status == 200 for c in calls) and d.connections()['opened'] <= 3


def test_verbs_as_commands(daemon, origin, tmp_path):
    """The four verbs over TCP, a unix socket and -c; the answer names what became of it; what is refused is one line and 69."""
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
    """The peer's address, its user on a unix socket, the dashboard, a signal: for every verb, of one upstream or all, reload and drain too."""
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
    """The user who connected, of a socket that others may use."""
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
    """What etc/completion.bash offers at the end of a line."""
    words = line.split(' ')
    script = ('source "$0"; COMP_LINE=$1 COMP_POINT=${#1}; shift; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); compopt() { :; }; _trunkline; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    completion = pathlib.Path(__file__).parents[2] / 'etc/completion.bash'
    return subprocess.run(['bash', '-c', script, completion, line, *words], capture_output=True, text=True, timeout=20).stdout.split()


def test_completion_offers_the_names(daemon, origin, tmp_path):
    """The running daemon's upstreams, by --url or -c; those of the file where none runs; --all beside them."""
    d = daemon(upstream('ex', origin), upstream('two', origin, host='two.test'))
    file, exe = tmp_path / 'other.conf', binary()
    file.write_text(f'listen = {{"127.0.0.1:{free_port()}"}}\nupstream quiet {{ url = "https://a.test" }}\n')
    assert completions(f'{exe} ') == [*'check config stats pause resume reconnect drain reload doctor ca -c -v --help --version'.split()]
    for verb in ('pause', 'resume', 'reconnect', 'drain'):
        assert completions(f'{exe} {verb} --url {d.url} ') == ['ex', 'two', '--all', '-c', '--url', '--help']
    assert completions(f'{exe} pause --url={d.url} t') == completions(f'{exe} pause -c {d.conf_path} t') == ['two']
    assert completions(f'{exe} pause -c {file} q') == completions(f'{exe} doctor -c {file} q') == ['quiet']
    assert completions(f'{exe} stats --url {d.url} ') == ['-c', '--url', '--json', '--watch', '--help']


def test_drain_of_all_ends_the_daemon(daemon, origin):
    """As SIGTERM: what is under way completes, exit 0; the verbs are refused meanwhile."""
    d = daemon(upstream('ex', origin))
    gate = Gate()
    origin.on('/hold', gate)
    busy, kept = d.client(20), d.client(20)
    busy.send(compose('POST', '/ex/hold', body=b'x'))
    kept.send(compose('GET', '/ex/hold') + compose('POST', '/upstreams/ex/pause'))
    eventually(lambda: gate.waiting == 2)
    out = d.cli('drain', '--all')
    assert out.returncode == 0 and 'drains' in out.stdout, out
    eventually(lambda: refuses(d.where))
    assert d.alive()
    gate.release()
    assert busy.response('POST').text == '/hold' and not kept.response().keeps
    assert d.wait() == 0
    assert cli('pause', '--all', '--url', d.url).returncode == 69


def test_a_drain_answers_clients_between_two_requests(daemon, origin):
    """A kept connection whose next request comes right after SIGTERM gets its answer, then closes: none is lost."""
    d = daemon(upstream('ex', origin))
    clients = [d.client(10) for _ in range(20)]
    for c in clients:
        assert c.get('/ex/x').status == 200
    d.kill(signal.SIGTERM)
    eventually(lambda: refuses(d.where))
    for c in clients:
        c.send(compose('POST', '/ex/order', body=b'x'))
    for c in clients:
        r = c.response('POST')
        assert r.status == 200 and not r.keeps and c.eof()
    assert d.wait() == 0


def test_drain_and_reconnect_of_an_upstream(daemon, origin):
    """drain answers new requests 503 until resume; reconnect replaces the lines."""
    d = daemon(upstream('ex', origin))
    works(d)
    assert d.verb('drain').status == 204 and d.upstream()['state'] == 'draining'
    own_error(d.get('/ex/a'), 503, 'destination_unavailable', 'no')
    assert d.connections()['closed']['drain'] == 1
    assert d.verb('resume').status == 204
    works(d)
    assert d.verb('reconnect').status == 204
    works(d)
    c = d.connections()
    assert c['closed']['reconnect'] == 1 and c['opened'] == 3
