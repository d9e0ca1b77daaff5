"""The interface to a service manager: socket activation, readiness, status and watchdog."""
import signal
import socket
import sys
import time

import pytest

from lib import wire
from lib.daemon import free_port, upstream
from lib.promise import works
from lib.wire import eventually, refuses

ACTIVATE = """
import os, socket, sys
places = [a.rpartition(':') for a in sys.argv[1].split(',')]
made = [socket.create_server((a, int(p)), family=socket.AF_INET) if p.isdigit() else socket.socket(socket.AF_UNIX) for a, _, p in places]
for n, (s, (_, _, path)) in enumerate(zip(made, places)):
    if s.family == socket.AF_UNIX:
        s.bind(path)
        s.listen()
    os.dup2(s.fileno(), 100 + n)
for n in range(len(made)):
    os.dup2(100 + n, 3 + n)
os.environ.update(LISTEN_FDS=str(len(made)), LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_socket_activation(daemon, origin, tmp_path):
    """Inherited sockets replace those of `listen`: TCP and unix sockets, and those of an upstream. A reload does not close them."""
    first, own, other = free_port(), free_port(), free_port()
    given = f'127.0.0.1:{first},127.0.0.1:{own},unix:{tmp_path}/s'
    d = daemon(upstream('ex', origin, listen=[f'127.0.0.1:{own}']), listen=[f'127.0.0.1:{first}', f'127.0.0.1:{other}'],
               wrap=[sys.executable, '-c', ACTIVATE, given])
    works(d)
    assert wire.Client(('127.0.0.1', own), 5).get('/own').text == '/own'
    assert wire.Client(f'{tmp_path}/s', 5).get('/ex/x').text == '/x'
    assert refuses(('127.0.0.1', other))
    assert f'127.0.0.1:{other} is not opened' in d.stderr and f'127.0.0.1:{first} is not opened' not in d.stderr
    d.reload(listen=[f'127.0.0.1:{other}'])
    eventually(lambda: 'reloaded' in d.stderr)
    assert refuses(('127.0.0.1', other)) and wire.Client(('127.0.0.1', first), 5).get('/ex/x').status == 200
    assert d.stop() == 0 and (tmp_path / 's').exists(), 'the socket is its maker\'s'


def test_a_given_socket_for_all_the_world(daemon, origin):
    """`listen` would reject such an address. As an inherited socket without allow_clients, it accepts clients of this machine only,
    and a warning says so."""
    port = free_port()
    wrap = [sys.executable, '-c', ACTIVATE, f'0.0.0.0:{port}']
    d = daemon(upstream('ex', origin), listen=[f'127.0.0.1:{port}'], wrap=wrap)
    works(d)
    assert f'warn 0.0.0.0:{port}: serves this machine only' in d.stderr and 'not opened' not in d.stderr
    d.reload(listen=[f'127.0.0.1:{port}'], allow_clients=['10.0.0.0/8'])
    eventually(lambda: 'reloaded' in d.stderr)
    assert d.stderr.count('serves this machine only') == 1


@pytest.fixture
def manager(tmp_path):
    """The service manager's end of $NOTIFY_SOCKET; .heard contains each message as a dict."""
    class Manager(socket.socket):
        heard = []

        def listen_on(self, path):
            self.bind(path)
            self.setblocking(False)
            self.env = {'NOTIFY_SOCKET': path}
            return self

        def __call__(self, key):
            try:
                while True:
                    self.heard.append(dict(li.split('=', 1) for li in self.recv(4096).decode().splitlines()))
            except BlockingIOError:
                return [m[key] for m in self.heard if key in m]
    with Manager(socket.AF_UNIX, socket.SOCK_DGRAM) as m:
        yield m.listen_on(str(tmp_path / 'notify'))


def test_what_the_service_manager_hears(daemon, origin, manager):
    """READY is sent once min_idle connections are open, then a status with pools and requests, RELOADING and READY for a reload,
    and STOPPING with drain_timeout."""
    d = daemon(upstream('ex', origin, min_idle=2), upstream('off', origin, host='kraken.test'), env=manager.env)
    eventually(lambda: manager('READY'))
    assert d.connections()['idle'] >= 2 and not manager('WATCHDOG')     # the origin may notice the second connection a little later
    works(d)
    assert d.verb('pause', 'off').status == 204
    d.kill(signal.SIGHUP)
    eventually(lambda: len(manager('READY')) == 2)
    told = [m for m in manager.heard if 'RELOADING' in m or 'READY' in m]
    assert list(told[1]) == ['RELOADING', 'MONOTONIC_USEC'] and abs(int(told[1]['MONOTONIC_USEC']) / 1e6 - time.monotonic()) < 60
    status = manager('STATUS')[-1]
    assert status == '1 of 2 upstreams up (off paused); 2 lines, 0 busy, 0 waiting; 1 requests, 0 active, 0 failed', status
    assert d.stop() == 0
    assert manager('STOPPING') == ['1'] and int(manager('EXTEND_TIMEOUT_USEC')[0]) == 40_000_000
    assert manager('STATUS')[-1].startswith('draining; ')


def test_the_watchdog_is_fed_while_the_loop_turns(daemon, origin, manager):
    """A watchdog message is sent twice per period, but not by a process that hangs."""
    d = daemon(upstream('ex', origin), env={**manager.env, 'WATCHDOG_USEC': '400000'})
    began, already = time.monotonic(), len(manager('WATCHDOG'))
    eventually(lambda: len(manager('WATCHDOG')) >= already + 6)
    assert time.monotonic() - began > 0.5
    d.kill(signal.SIGSTOP)
    fed = len(manager('WATCHDOG'))
    time.sleep(0.6)
    assert len(manager('WATCHDOG')) <= fed + 1
    d.kill(signal.SIGCONT)
    eventually(lambda: len(manager('WATCHDOG')) > fed + 2)


def test_a_start_that_fails_tells_its_status(daemon, manager):
    """`systemctl status` shows the first configuration error."""
    d = daemon('nonsense = 1\n', env=manager.env, wait=False)
    assert d.wait() == 78
    assert manager('STATUS') == [f"{d.conf_path}:2: unknown directive 'nonsense'"] and not manager('READY')
