"""trunkline stats --watch: a page that is refreshed in place on a terminal, plain blocks of text otherwise."""
import contextlib
import fcntl
import http.server
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time

import pytest

from lib.behaviour import Gate
from lib.daemon import binary, cli, free_port, upstream
from lib.wire import LONG, background, eventually

ENTER, LEAVE = '\x1b[?1049h\x1b[?25l', '\x1b[?25h\x1b[?1049l'
ESCAPE = re.compile(r'\x1b\[[?0-9;]*[A-Za-z]')


class Terminal:
    """`stats --watch` on a terminal of 80 columns and `rows` rows; `seen` is all its output."""

    def __init__(self, daemon, rows=24, **env):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', rows, 80, 0, 0))
        self.slave, self.seen, self.mode = slave, '', termios.tcgetattr(slave)
        clean = {k: v for k, v in os.environ.items() if k != 'NO_COLOR'}
        self.process = subprocess.Popen([binary(), 'stats', '--watch', '--url', f'http://127.0.0.1:{daemon.port}'], stdin=slave, stdout=slave,
                                        stderr=slave, start_new_session=True, env={**clean, 'TERM': 'xterm', **env},
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def pump(self, wait=0.1):
        if select.select([self.master], [], [], wait)[0]:
            self.seen += os.read(self.master, 65536).decode(errors='replace')

    def until(self, pattern, timeout=LONG):
        end = time.monotonic() + timeout
        while not re.search(pattern, self.seen, re.S):
            assert time.monotonic() < end, f'no {pattern!r} in {self.seen!r}'
            self.pump()

    def ended(self, timeout=LONG):
        code = self.process.wait(timeout)
        self.pump()
        assert self.seen.endswith(LEAVE), self.seen[-100:]
        assert termios.tcgetattr(self.slave) == self.mode
        return code

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@contextlib.contextmanager
def terminal(*args, **how):
    t = Terminal(*args, **how)
    try:
        yield t
    finally:
        t.close()


@contextlib.contextmanager
def traffic(daemon):
    over = threading.Event()

    def ask():
        with daemon.client() as c:
            while not over.wait(0.01):
                assert c.get('/ex/').status == 200
    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_page_with_rates(origin, daemon):
    """Refreshed in place without clearing the screen, with rates while there is traffic, at most 80 columns wide. ^C restores the
    terminal; exit status 0."""
    d = daemon(upstream('ex', origin))
    with terminal(d) as t:
        with traffic(d):
            t.until(r'(\x1b\[H.*){2}\x1b\[H[^H]*ex +up +\d+ +\d+ +\d+ +\d+ +(?!0\.0)\d+(\.\d)? +0\.0 ')
        assert t.seen.startswith(ENTER) and '\x1b[2J' not in t.seen and '\x1b[1mupstream' in t.seen
        assert all(len(line) <= 80 for line in ESCAPE.sub('', t.seen.replace('\x1b[H', '\r\n')).split('\r\n'))
        os.write(t.master, b'\x03')
        assert t.ended() == 0


@pytest.mark.parametrize('how', ['SIGTERM', 'q', 'end of input'])
def test_other_ends(origin, daemon, how):
    """Each restores the terminal."""
    with terminal(daemon(upstream('ex', origin))) as t:
        t.until('ex +up')
        if how == 'SIGTERM':
            t.process.send_signal(signal.SIGTERM)
        else:
            os.write(t.master, b'q' if how == 'q' else b'\x04')
        assert t.ended() == 0


def test_the_daemon_goes_and_comes(origin, daemon):
    """The page says that the daemon is gone, and continues when it is back."""
    d = daemon(upstream('ex', origin))
    with terminal(d) as t:
        t.until('ex +up')
        d.stop()
        t.until('the daemon is gone: Connection refused')
        again = daemon(upstream('ex', origin), listen=[f'127.0.0.1:{d.port}'])
        t.until(f'gone.*pid {again.pid}.*ex +up')


def test_a_small_terminal(origin, daemon):
    """Says how many rows did not fit, is redrawn at once after a resize, and respects NO_COLOR."""
    with terminal(daemon(*[upstream(f'ex{i}', origin, host=f'h{i}.test') for i in range(6)]), rows=6, NO_COLOR='1') as t:
        t.until('ex0.*ex1.*… 4 more')
        assert 'ex2' not in t.seen and '\x1b[1m' not in t.seen
        fcntl.ioctl(t.slave, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
        t.until('more.*ex5')


def test_plain_blocks(origin, daemon):
    """If the output is not a terminal: no escape sequences, one block per interval."""
    d = daemon(upstream('ex', origin))
    process = subprocess.Popen([binary(), 'stats', '--watch', '--url', f'http://127.0.0.1:{d.port}'], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, text=True)
    with process:
        lines = [process.stdout.readline() for _ in range(10)]
        process.terminate()
    assert process.returncode == 0
    assert not any('\x1b' in line for line in lines)
    assert lines[4] == lines[9] == '\n' and lines[0].startswith('trunkline ') and lines[5].startswith('trunkline ')
    assert re.match(r'ex +up .* - +- ', lines[3]) and re.match(r'ex +up .* 0\.0 +0\.0 ', lines[8]), lines


def test_not_with_json():
    assert cli('stats', '--watch', '--json').returncode == 64


@pytest.mark.parametrize('args', [['stats', '--watch'], ['requests', '--watch'], ['top'], ['top', 'upstreams', '--once']])
def test_nothing_to_watch_is_an_error(args):
    """If no daemon answers the first request, the command ends at once: one plain line on stderr, and nothing else."""
    r = cli(*args, '--url', f'127.0.0.1:{free_port()}')
    assert r.returncode == 69 and not r.stdout and re.fullmatch(r'trunkline: http://127.0.0.1:\d+: Connection refused\n', r.stderr), r


def test_nothing_to_watch_leaves_the_terminal_alone():
    """Likewise on a terminal, whose screen is not taken."""
    class Nobody:
        port = free_port()
    with terminal(Nobody) as t:
        assert t.process.wait(LONG) == 69
        t.until('Connection refused')
        assert '\x1b' not in t.seen and termios.tcgetattr(t.slave) == t.mode


def test_the_wrong_server_is_an_error():
    """A server that is no trunkline is an error too."""
    with http.server.HTTPServer(('127.0.0.1', 0), http.server.BaseHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        r = cli('top', '--url', f'127.0.0.1:{server.server_port}')
        thread.join()
    assert r.returncode == 69 and 'answered with status 501' in r.stderr, r


def test_hints_name_the_cure(daemon, origin):
    """A request that waits for the only connection until queue_timeout: `stats` says what is too small. A pause: what ends it."""
    d = daemon(upstream('ex', origin, max_connections=1, queue_timeout='100ms'))
    gate = Gate()
    origin.on('/held', gate)
    call = background(lambda: d.get('/ex/held'))
    eventually(lambda: d.connections()['active'])
    assert d.get('/ex/other').status == 503
    gate.release()
    call.result()
    assert re.search(r'^hint: ex: queue waits \(p99 [0-9.]+ ms, 1 gave up\): max_connections = 1 is too small$', d.cli('stats').stdout, re.M)
    d.verb('pause')
    assert 'hint: ex: further requests wait until: trunkline resume ex\n' in d.cli('stats').stdout
