"""trunkline as a service under a real systemd: enable, requests, reload, restart, crash, hang and stop."""
import os
import pathlib
import re
import shutil
import signal
import time
from collections import Counter

import pytest

from lib import certs, wire
from lib.behaviour import Gate
from lib.daemon import upstream
from lib.origin import Origin
from lib.wire import background, compose, eventually, refuses
from service import CONF, WHERE, Load, run, systemctl

UNITS = ('/lib/systemd/system/trunkline.service', '/lib/systemd/system/trunkline.socket')


def test_units_are_sound_and_hardened():
    """`systemd-analyze verify` prints nothing, the exposure level is at most 1.5, and what the documents refer to is installed."""
    out = run('systemd-analyze', 'verify', *UNITS)
    assert not out.stdout and not out.stderr, out
    out = run('systemd-analyze', 'security', '--no-pager', 'trunkline.service')
    run(str(pathlib.Path(__file__).parents[2] / 'scripts/lint-installed'), '/')
    assert float(re.search(r'exposure level.*: ([\d.]+)', out.stdout)[1]) <= 1.5, out.stdout


def test_it_serves(service):
    """The service can be enabled, serves TCP and unix sockets, shows pools and requests in `systemctl status`, and has no
    privileges beyond those of its unit."""
    systemctl('enable', '--now', 'trunkline.socket', 'trunkline.service')
    assert systemctl('is-enabled', 'trunkline.socket', 'trunkline.service').stdout.split() == ['enabled', 'enabled']
    assert service.get('/ex/x').text == '/x'
    assert wire.Client('/run/trunkline.sock', 5).get('/ex/y').text == '/y'
    assert service.show('ActiveState') == 'active' and service.show('NRestarts') == '0'
    eventually(lambda: '1 of 1 upstreams up; 1 lines' in service.show('StatusText') and '2 requests' in service.show('StatusText'), 15)
    status = open(f'/proc/{service.pid}/status').read()
    assert re.search(r'^CapEff:\s+0+$', status, re.M) and re.search(r'^NoNewPrivs:\s+1$', status, re.M)
    assert int(re.search(r'^Uid:\s+(\d+)', status, re.M)[1]) > 1000, 'it runs as a dynamic user'
    assert 'error' not in service.journal() and 'sandbox' not in service.journal()


def without_loss(service, origin, act, times):
    """Calls `act` several times under 500 requests per second: no request fails and no order is sent twice."""
    service.start()
    with Load() as load:
        time.sleep(0.5)
        for _ in range(times):
            act()
            time.sleep(0.4)
    assert not load.failures, (len(load.failures), load.sent, load.failures[:5])
    seen = Counter(r.target for r in origin.requests if r.method == 'POST')
    assert load.sent > 100 and sorted(seen) == sorted(load.orders) and set(seen.values()) == {1}
    print(f'{load.sent} requests')


def test_reload_under_load(service, origin):
    """systemctl reload loses no request."""
    pid = []
    without_loss(service, origin, lambda: (pid.append(service.pid), systemctl('reload', 'trunkline')), 4)
    assert len(set(pid)) == 1 and service.journal().count('reloaded /etc') >= 4


def test_restart_under_load(service, origin):
    """systemctl restart loses no request: systemd keeps the listening sockets, and the daemon answers the requests it has received."""
    pid = []
    without_loss(service, origin, lambda: (pid.append(service.pid), systemctl('restart', 'trunkline')), 3)
    assert len(set(pid)) == 3


def test_stop_answers_what_is_under_way(service, origin):
    """systemctl stop waits for the request in progress, and no longer."""
    service.start('trunkline.service')
    gate = Gate()
    origin.on('/order', gate)
    with wire.Client(WHERE, 20) as c:
        c.send(compose('POST', '/ex/order', body=b'x'))
        eventually(lambda: gate.waiting == 1)
        stopped = background(lambda: systemctl('stop', 'trunkline'))
        eventually(lambda: refuses(WHERE))
        assert 'draining' in service.show('StatusText') and service.show('ActiveState') == 'deactivating'
        gate.release()
        assert c.response('POST').text == '/order'
    stopped.result(20)
    assert service.show('Result') == 'success' and service.show('ExecMainStatus') == '0'


def test_a_second_sigterm_hastens(service, origin):
    """`systemctl kill` during a drain ends the service at once and with success."""
    service.start('trunkline.service')
    gate = Gate()
    origin.on('/hold', gate)
    with wire.Client(WHERE, 20) as c:
        c.send(compose('GET', '/ex/hold'))
        eventually(lambda: gate.waiting == 1)
        systemctl('stop', '--no-block', 'trunkline')
        eventually(lambda: refuses(WHERE))
        systemctl('kill', '-s', 'TERM', 'trunkline')
        eventually(lambda: service.show('ActiveState') == 'inactive')
    assert service.show('Result') == 'success'


def test_killed_it_is_back(service):
    """After kill -9, new connections wait in the socket's backlog for about a second."""
    service.start()
    pid, began = service.pid, time.monotonic()
    os.kill(pid, signal.SIGKILL)
    assert service.get('/ex/x').text == '/x'
    took = time.monotonic() - began
    assert service.pid != pid and service.show('NRestarts') == '1' and took < 5, took
    print(f'back after {took:.2f}s')


def test_hung_it_is_restarted(service):
    """After kill -STOP, the watchdog is not fed any more, so systemd restarts the service."""
    service.drop_in('[Service]\nWatchdogSec=1\n')
    service.start()
    pid = service.pid
    time.sleep(2.5)
    assert service.pid == pid, 'the watchdog is fed while the loop turns'
    os.kill(pid, signal.SIGSTOP)
    assert service.get('/ex/x').text == '/x'
    assert service.pid != pid and service.show('NRestarts') == '1'
    assert not run('coredumpctl', 'list', check=False).stdout if shutil.which('coredumpctl') else True


def test_a_bad_file_at_reload(service):
    """The reload fails, the journal contains file and line, and the old configuration remains in use."""
    service.start()
    pid = service.pid
    service.write(service.block + '\nnonsense = 1\n')
    assert systemctl('reload', 'trunkline', check=False).returncode != 0
    assert service.get('/ex/x').text == '/x' and service.pid == pid
    line = len(service.block.splitlines()) + 2
    assert f"{CONF}:{line}: unknown directive 'nonsense'" in service.journal()
    os.kill(pid, signal.SIGHUP)         # without the check by ExecReload: the daemon itself refuses the file
    eventually(lambda: 'the old configuration keeps running' in service.journal())
    assert service.get('/ex/x').text == '/x'


def test_a_bad_file_at_start(service):
    """`systemctl status` shows the error, and the service is not restarted."""
    service.write('listen = {"127.0.0.1:8642"}\nmax_clients = many\n')
    assert systemctl('start', 'trunkline.service', check=False).returncode != 0
    out = systemctl('status', 'trunkline.service', check=False).stdout
    assert re.search(rf'Status: "{CONF}:2: .+"', out), out
    assert service.show('NRestarts') == '0' and service.show('ExecMainStatus') == '78'


def test_an_address_in_use(service):
    """One clear line and exit status 69."""
    service.start('trunkline.socket')
    out = run('/usr/bin/trunkline', '-c', str(CONF), check=False)
    assert out.returncode == 69 and 'listen 127.0.0.1:8642: address already in use' in out.stderr.splitlines()[-1]


def credentials_work():
    """True if LoadCredential= works with a dynamic user here; in some containers it does not."""
    return run('systemd-run', '-q', '--wait', '--pipe', '-p', 'DynamicUser=yes', '-p', 'LoadCredential=x:/etc/passwd', 'sh', '-c',
               'cat $CREDENTIALS_DIRECTORY/x', check=False).returncode == 0


@pytest.mark.parametrize('way', ['credential', 'group'])
def test_a_client_key_that_not_everybody_reads(service, way):
    """The key is passed by LoadCredential=, or can be read by a supplementary group of the service."""
    if way == 'credential' and not credentials_work():
        pytest.skip('LoadCredential= does not work in this sandbox')
    cert, key = CONF.with_name('client.crt'), CONF.with_name('client.key')
    with Origin(client_ca=certs.CA) as o:
        for to in (cert, key):
            shutil.copy(certs.FOLDER / f'good{to.suffix}', to)
        cert.chmod(0o644)
        key.chmod(0o600 if way == 'credential' else 0o640)
        shutil.chown(key, 'root', 'games')
        key_file = '${CREDENTIALS_DIRECTORY}/client.key' if way == 'credential' else key
        service.write(upstream('ex', o, ca_file=str(service.ca), cert_file=str(cert)).replace('}', f'    key_file = "{key_file}"\n}}'))
        service.drop_in('[Service]\n' + (f'LoadCredential=client.key:{key}\n' if way == 'credential' else 'SupplementaryGroups=games\n'))
        service.start()
        assert service.get('/ex/x').text == '/x'
        if way == 'credential':
            check_and_reload(service)


def check_and_reload(service):
    """systemctl reload checks the file with the service's credentials, and refuses a bad one; by hand, $CREDENTIALS_DIRECTORY names them."""
    good = CONF.read_text()
    service.write('max_clients = 77\n' + good)
    assert systemctl('reload', 'trunkline.service', check=False).returncode == 0, service.journal()
    reloaded = eventually(lambda: [r for r in [service.get('/stats').json()['reload']] if r['at']])[0]
    assert reloaded['succeeded'] and service.get('/ex/y').text == '/y'
    service.write(good.replace('client.key', 'other.key'))
    assert systemctl('reload', 'trunkline.service', check=False).returncode != 0
    assert service.get('/ex/z').text == '/z'
    service.write(good)
    assert run('/usr/bin/trunkline', 'check', check=False).returncode == 78
    run('env', 'CREDENTIALS_DIRECTORY=/run/credentials/trunkline.service', '/usr/bin/trunkline', 'check')


def test_logs_and_journal_have_a_place(service):
    """The folder of the order journal and the access log is the service's own, and no other user can read it."""
    logs = pathlib.Path('/var/log/trunkline')
    service.write(f'order_journal = "{logs}/orders.journal"\naccess_log = "{logs}/access.log"\n' + service.block)
    service.start()
    with wire.Client(WHERE, 20.0) as c:
        assert c.request('POST', '/ex/order', body=b'x').status == 200
    uid = pathlib.Path(f'/proc/{service.pid}').stat().st_uid
    assert uid != 0 and [p.stat().st_uid for p in (logs, *logs.iterdir())] == [uid] * 3
    assert oct(logs.stat().st_mode & 0o777) == '0o750' and {oct(p.stat().st_mode & 0o777) for p in logs.iterdir()} == {'0o600'}
    assert '1 order' in run('/usr/bin/trunkline', 'orders').stdout


def test_listen_of_the_configuration(service):
    """Without the socket unit, `listen` applies, also to a path in the runtime directory, which is removed with the service."""
    service.write('listen = {"127.0.0.1:8642", "unix:/run/trunkline/s"}\naccess_log = "/var/log/trunkline/access.log"\n' + service.block)
    service.start('trunkline.service')
    assert service.get('/ex/x').text == '/x' and wire.Client('/run/trunkline/s', 5).get('/ex/y').text == '/y'
    eventually(lambda: '/y' in open('/var/log/trunkline/access.log').read())
    systemctl('stop', 'trunkline')
    assert refuses(WHERE) and not os.path.exists('/run/trunkline/s')
