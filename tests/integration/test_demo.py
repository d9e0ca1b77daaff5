"""scripts/demo: what it shows, over a distance too, and that nothing is left of it, however it ends."""
import contextlib
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import time

import pytest

from lib.daemon import binary
from lib.demo import TREE
from lib.wire import LONG, eventually

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.geteuid() != 0, reason='only root can make namespaces')]
# In a network of its own, where port 8642 is free.
ALONE = ['/usr/bin/unshare', '--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh']


def environment(folder, **env):
    return {**os.environ, 'TRUNKLINE_BIN': binary(), 'TMPDIR': str(folder), **env}


def processes(folder):
    """The command lines of the processes that know the folder."""
    found = []
    for place in pathlib.Path('/proc').glob('[0-9]*/cmdline'):
        with contextlib.suppress(OSError):
            words = place.read_bytes().split(b'\0')
            if any(bytes(folder) in word for word in words):
                found.append(words)
    return found


def gone(folder, files=()):
    """No process and no file of a demo is left."""
    eventually(lambda: not processes(folder))
    eventually(lambda: [p.name for p in folder.iterdir()] == list(files))


def test_over_a_distance(tmp_path):
    """It says what makes the distance; a new connection costs three round trips or so, a kept one of trunkline's one; the feed flows;
    and neither process nor file nor network device is left."""
    folder = tmp_path / 'tmp'
    folder.mkdir()
    done = subprocess.run([*ALONE[:4], 'ip link set lo up; "$@"; code=$?; ip -o link >&2; exit $code', 'sh', TREE / 'scripts/demo', '--rtt', '50ms'],
                          capture_output=True, text=True, timeout=100, env=environment(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r'^The exchanges are 50 ms away \(round trip\), by (netem|a relay between TUN devices: this kernel has no netem)\.$', done.stdout, re.M)
    medians = dict(re.findall(r'^  (new TLS per request|trunkline, keep-alive) +1 +([\d.]+)', done.stdout, re.M))
    assert float(medians['new TLS per request']) > 100 and 50 <= float(medians['trunkline, keep-alive']) < float(medians['new TLS per request'])
    assert len(re.findall(r'^  {"u": \d+, "s": "BTCUSDT"', done.stdout, re.M)) == 3
    assert done.stdout.endswith('nothing is left of it.\n') and 'scripts/demo --keep' in done.stdout
    assert re.findall(r'^\d+: (\w+)', done.stderr, re.M) == ['lo'], done.stderr
    gone(folder)


class Terminal:
    """A demo on a terminal of its own; `seen` is what it has written."""

    def __init__(self, folder, *args, **env):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execvpe(ALONE[0], [*ALONE, str(TREE / 'scripts/demo'), *args], environment(folder, **env))
        self.seen = ''

    def until(self, pattern):
        end = time.monotonic() + 2 * LONG
        while not (found := re.search(pattern, self.seen, re.M)):
            assert time.monotonic() < end, f'no {pattern!r} in {self.seen}'
            if select.select([self.master], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):      # EIO: it has ended
                    self.seen += os.read(self.master, 65536).decode().replace('\r', '')
        return found

    def ended(self):
        return os.waitstatus_to_exitcode(eventually(lambda: [s for p, s in [os.waitpid(self.pid, os.WNOHANG)] if p])[0])

    def close(self):
        if self.master is not None:
            os.close(self.master)
            self.master = None


@pytest.fixture
def terminal(tmp_path):
    started = []

    def start(*args, **env):
        started.append(Terminal(tmp_path, *args, **env))
        return started[-1]
    yield start
    for t in started:
        t.close()
        with contextlib.suppress(OSError):
            os.killpg(t.pid, signal.SIGKILL)


def inside(t, *command):
    """Runs a command in the network of the demo."""
    return subprocess.run(['nsenter', '-t', str(t.pid), '-n', *command], capture_output=True, text=True, timeout=LONG).stdout


def test_what_to_try(terminal, tmp_path):
    """With --keep, the commands that it names work: dashboard, top, pause, freeze, a feed, an exchange that fails. Ctrl-C ends it with
    success."""
    t = terminal('--keep')
    t.until('^The configuration and the log are in ')
    here = t.until(r'^  (http://127\.0\.0\.1:\d+)/      the dashboard')[1]
    assert '<title>' in inside(t, 'curl', '-s', f'{here}/')
    assert 'upstreams: 3' in inside(t, binary(), 'top', 'upstreams', '--once', '--url', here)
    for verb, state in (('pause', 'paused'), ('resume', 'up'), ('freeze', 'frozen'), ('unfreeze', 'up')):
        assert f'binance: {state}' in inside(t, binary(), verb, 'binance', '--url', here)
    assert '"s": "BTCUSDT"' in inside(t, str(TREE / t.until(r'^  (scripts/demo-feed) http')[1]), f'{here}/binance/ws/btcusdt@bookTicker', '1')
    subprocess.run(['sh', '-c', t.until("^  (echo 'coinbase 503' >\\S+)      makes an exchange fail")[1]], check=True)
    assert '\n503' in inside(t, 'curl', '-s', '-w', '\\n%{http_code}', f'{here}/coinbase/products/BTC-USD/ticker?z=1')
    os.write(t.master, b'\x03')
    t.until('nothing is left of it')
    assert t.ended() == 0
    gone(tmp_path)


@pytest.mark.parametrize('how', ['Ctrl-C', 'the terminal is closed', 'SIGKILL'])
def test_an_end_in_the_middle(terminal, tmp_path, how):
    """Nothing is left of it, but for its folder after SIGKILL. Without a link, the exchanges themselves take their time."""
    (tmp_path / 'bin').mkdir()
    (tmp_path / 'bin/unshare').write_text('#!/bin/sh\nexit 1\n')
    (tmp_path / 'bin/unshare').chmod(0o755)
    t = terminal('--rtt', '20', PATH=f'{tmp_path}/bin:{os.environ["PATH"]}') if how == 'Ctrl-C' else terminal('--rtt', '20')
    t.until('^The exchanges are 20 ms away .*by delays in the exchanges' if how == 'Ctrl-C' else '^The exchanges are 20 ms away')
    t.until('^  own port ')
    if how == 'Ctrl-C':
        os.write(t.master, b'\x03')
    elif how == 'SIGKILL':
        os.kill(t.pid, signal.SIGKILL)
    else:
        t.close()
    code = t.ended()
    assert code in {'Ctrl-C': [130, -2], 'SIGKILL': [-9]}.get(how, [129, 141, 1, -1])
    if how == 'SIGKILL':
        eventually(lambda: not processes(tmp_path))
    else:
        gone(tmp_path, ['bin'])


def test_wrong_arguments():
    for args in (['--rtt'], ['--rtt', 'far'], ['--nonsense']):
        done = subprocess.run([TREE / 'scripts/demo', *args], capture_output=True, text=True)
        assert done.returncode == 64 and len(done.stderr.splitlines()) == 1 and not done.stdout
