"""Runs a daemon on free loopback ports with its own configuration, and always reaps it."""
import functools
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

from . import certs, wire
from .ports import free_port

HERE = pathlib.Path(__file__).resolve().parent


@functools.cache
def binary():
    """The binary to test: $TRUNKLINE_BIN, else the build in the source tree, else the plain build of scripts/test."""
    tree = HERE.parents[2]
    given = os.environ.get('TRUNKLINE_BIN')
    places = [pathlib.Path(given)] if given else [tree / 'trunkline', tree / 'build/plain/trunkline']
    found = [p for p in places if p.is_file() and os.access(p, os.X_OK)]
    assert found, f'no binary to test at {", ".join(map(str, places))}'
    return str(found[0])


@functools.cache
def sanitized():
    """True for a build with AddressSanitizer: its memory figures are meaningless and everything takes longer."""
    return b'__asan_init' in pathlib.Path(binary()).read_bytes()


PATIENCE = 4 if sanitized() else 1      # factor by which time limits are extended


def cli(*args, timeout=wire.LONG, **kw):
    """Runs `trunkline ARGS` until it exits. Returns a CompletedProcess with text output."""
    try:
        return subprocess.run([binary(), *map(str, args)], capture_output=True, text=True, timeout=timeout, **kw)
    except subprocess.TimeoutExpired:
        raise AssertionError(f'`trunkline {" ".join(map(str, args))}` still runs after {timeout}s') from None


# ------------------------------------------------------------------------------------------ configuration

def value(v):
    """A Python value in the configuration's syntax."""
    if isinstance(v, bool):
        return 'yes' if v else 'no'
    if isinstance(v, (list, tuple, set)):
        return '{' + ', '.join(value(i) for i in v) + '}'
    if isinstance(v, int):
        return str(v)
    return v if re.fullmatch(r'[a-z0-9]+', v) else '"%s"' % v.replace('\\', '\\\\').replace('"', '\\"')


def directives(indent='', **settings):
    return ''.join(f'{indent}{name} = {value(v)}\n' for name, v in settings.items() if v is not None)


def upstream(name='ex', origin=None, host='exchange.test', **settings):
    """An `upstream` block for https://HOST that connects to `origin` (an Origin or IP:PORT). If that is None, HOST is resolved.
    Orders may wait longer than the default of one second, in which a busy machine may not even have connected; a test of the
    default sets order_wait=None."""
    address = getattr(origin, 'address', origin)
    secure = getattr(origin, 'context', True) is not None
    base = {'url': f'{"https" if secure else "http"}://{host}', 'connect_to': address, 'ca_file': certs.CA if secure else None,
            'order_wait': '30s'}
    return f'upstream {name} {{\n' + directives('    ', **{**base, **settings}) + '}\n'


# ----------------------------------------------------------------------------------------------- running

class Stats(dict):
    """An object of /stats; a missing key is a failed assertion, not a KeyError."""

    def __missing__(self, key):
        raise AssertionError(f'/stats lacks {key!r} (has {sorted(self)})')


# Passes the sockets with these descriptors on as a service manager does: from descriptor 3 on.
HAND_OVER = """
import os, sys
given = [os.dup2(int(n), 100 + i) for i, n in enumerate(sys.argv[1].split(','))]
for i, n in enumerate(given):
    os.dup2(n, 3 + i)
os.closerange(3 + len(given), 1000)
os.environ.update(LISTEN_FDS=str(len(given)), LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


class Daemon:
    """A running trunkline. `blocks` are texts that upstream() returned, `settings` are global directives, `defaults` is a dict
    with the directives of the `defaults` block. A FakeDns in `names` becomes its only resolver, and `hosts` is added to its
    /etc/hosts (both by means of a private mount namespace). Listening sockets in `given` are handed over to it (socket activation)."""

    def __init__(self, *blocks, folder, defaults=None, names=None, hosts=None, env=None, wrap=(), args=(), wait=True, given=(), **settings):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.conf_path = self.folder / 'trunkline.conf'
        self.blocks, self.defaults, self.settings = blocks, defaults, {'listen': [f'127.0.0.1:{self.port}'], **settings}
        self.write()
        self.log_path = self.folder / 'stderr'
        given = [s.fileno() for s in given]
        hand_over = [sys.executable, '-c', HAND_OVER, ','.join(map(str, given))] if given else []
        command = [*wrap, *hand_over, binary(), '-c', str(self.conf_path), *args]
        if names or hosts:
            command = self._namespace(names, hosts) + command
        self.reaped, self.code = False, None
        with open(self.log_path, 'wb') as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder,
                                            pass_fds=given, env={**os.environ, **(env or {})})
        self.pid = self.process.pid
        if wait:
            self.wait_ready()

    def _namespace(self, names, hosts):
        (self.folder / 'hosts').write_text('127.0.0.1 localhost\n' + (hosts or ''))
        (self.folder / 'resolv.conf').write_text(f'nameserver {names.address if names else "127.0.0.1"}\noptions attempts:1\n')
        script = 'mount --bind "$0/hosts" /etc/hosts && mount --bind "$0/resolv.conf" /etc/resolv.conf && exec "$@"'
        return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, str(self.folder)]

    def write(self, text=None):
        default = f'defaults {{\n{directives("    ", **self.defaults)}}}\n' if self.defaults else ''
        new = self.conf_path.with_suffix('.new')        # replaced atomically, because a reload may be reading it
        new.write_text(text if text is not None else directives(**self.settings) + default + ''.join(self.blocks))
        new.replace(self.conf_path)

    def wait_ready(self, timeout=wire.LONG):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            assert self.process.poll() is None, f'the daemon exited {self.process.returncode} at start: {self.stderr[-2000:]}'
            try:
                if wire.Client(self.where, timeout=1).get('/healthz').status == 200:
                    return
            except wire.WireError:
                pass
            time.sleep(0.01)
        raise AssertionError(f'no 200 from /healthz within {timeout}s: {self.stderr[-2000:]}')

    @property
    def where(self):
        """Where its first listener is: a unix path or an (address, port) pair."""
        first = self.settings['listen'][0]
        if first.startswith('unix:'):
            return first[5:]
        address, _, port = first.rpartition(':')
        return address.strip('[]'), int(port)

    @property
    def stderr(self):
        return self.log_path.read_text(errors='replace')

    # -- requests and commands to it

    def client(self, timeout=wire.LONG, **kw):
        return wire.Client(self.where, timeout, **kw)

    def request(self, method, target, headers=(), body=b'', timeout=wire.LONG, **kw):
        """Sends one request on a new client connection."""
        with self.client(timeout) as c:
            return c.request(method, target, headers, body, **kw)

    def get(self, target, headers=(), **kw):
        return self.request('GET', target, headers, **kw)

    def raw(self, data, method='GET', timeout=wire.LONG):
        with self.client(timeout) as c:
            return c.send(data).response(method)

    def stats(self):
        r = self.get('/stats')
        assert r.status == 200, f'/stats gave {r.status}'
        return r.json(object_hook=Stats)

    def upstream(self, name='ex'):
        found = [u for u in self.stats()['upstreams'] if u['name'] == name]
        assert found, f'no upstream {name!r} in /stats'
        return found[0]

    def connections(self, name='ex'):
        return self.upstream(name)['connections']

    def verb(self, verb, name='ex'):
        return self.request('POST', f'/upstreams/{name}/{verb}')

    def cli(self, *args, **kw):
        return cli(*args, '-c', self.conf_path, **kw)

    @property
    def url(self):
        return f'http://127.0.0.1:{self.port}'

    # -- reloading and ending it

    def kill(self, number):
        os.kill(self.pid, number)

    def reload(self, *blocks, text=None, **settings):
        """Writes new upstream blocks and settings (or a whole configuration text) and sends SIGHUP. Tests poll for the effect."""
        if text is None:
            self.blocks, self.settings = blocks or self.blocks, {**self.settings, **settings}
        self.write(text)
        self.kill(signal.SIGHUP)

    def stop(self, number=signal.SIGTERM, timeout=wire.LONG):
        """Sends a signal that ends it and waits. Returns the exit code."""
        if self.process.poll() is None:
            self.kill(number)
        return self.wait(timeout)

    def wait(self, timeout=wire.LONG):
        try:
            self.code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f'still running after {timeout}s: {self.stderr[-1000:]}') from None
        return self.code

    def reap(self):
        """Called at the end of a test. In any state, two SIGTERMs must end the daemon at once and cleanly; otherwise the test fails."""
        if self.reaped:
            return
        self.reaped = True
        ended = self.process.poll()
        try:
            code = ended if ended is not None else self._hasten()
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        complaint = re.search(r'(AddressSanitizer|LeakSanitizer|UndefinedBehavior|runtime error|CHECK|Assertion .* failed).*',
                              self.stderr)
        assert not complaint, f'the daemon complained: {complaint[0]}'
        assert code >= 0 and code != 134, f'the daemon died by signal {-code}: {self.process.args}'
        assert ended is not None or code == 0, f'the daemon exited {code} on two SIGTERMs: {self.stderr[-1000:]}'

    def _hasten(self):
        self.kill(signal.SIGTERM)
        try:
            return self.process.wait(0.2)
        except subprocess.TimeoutExpired:
            pass
        self.kill(signal.SIGTERM)
        return self.wait()

    def rss_kib(self):
        return int(re.search(r'VmRSS:\s+(\d+)', pathlib.Path(f'/proc/{self.pid}/status').read_text())[1])

    def fds(self):
        return len(os.listdir(f'/proc/{self.pid}/fd'))

    def alive(self):
        return self.process.poll() is None
