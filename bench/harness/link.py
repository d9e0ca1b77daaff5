"""What a user sees of a distant exchange: the same requests over a link of 50 ms, by new TLS connections, by kept ones and through
trunkline. Two network namespaces, one for scripts and trunkline and one for the exchange, with harness/delay.py between them.

A script is curl, and what it reports is the time of each request from its start to the last byte. Names are not looked up, so that
nothing but the link takes time."""
import contextlib
import os
import pathlib
import statistics
import subprocess

from .clients import percentile
from .origin import NAME, Origin
from .system import OTHER_CPU, PROXY_CPU, Failure, Process, free_port, program, until

ROUND_TRIP_MS = 50
NEAR, FAR, DEVICE = '10.91.0.1', '10.91.0.2', 'line'

TRUNKLINE = '''
listen = {{"127.0.0.1:{port}"}}
log_level = "warn"
upstream exchange {{
    url = "https://{name}:{to}"
    connect_to = "{far}:{to}"
    ca_file = "{ca}"
    http2 = {http2}
    min_idle = {min_idle}
}}
'''

# key: what the script does, the proxy's protocol to the exchange, may a connection be kept?
WAYS = {
    'new': ('a new TLS connection per request', None, False),
    'kept': ('kept-alive client', None, True),
    'trunkline-h1': ('trunkline, HTTP/1.1 to the exchange', 'h1', True),
    'trunkline-h2': ('trunkline, HTTP/2 to the exchange', 'h2', True),
}


def run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        raise Failure(f'{" ".join(argv)}: {done.stderr.strip()}')
    return done.stdout


@contextlib.contextmanager
def namespaces(folder, round_trip=ROUND_TRIP_MS):
    """The commands that run a program near and far."""
    if os.geteuid():
        raise Failure('the link needs root, for network namespaces')
    ip, names = program('ip', 'iproute2'), [f'bench-{side}-{os.getpid()}' for side in ('near', 'far')]
    link = None
    try:
        for name, address in zip(names, (NEAR, FAR)):
            run(ip, 'netns', 'add', name)
            for command in ('link set lo up', f'tuntap add dev {DEVICE} mode tun', f'addr add {address}/24 dev {DEVICE}', f'link set {DEVICE} up'):
                run(ip, '-n', name, *command.split())
        link = Process(['/usr/bin/python3', pathlib.Path(__file__).with_name('delay.py'), names[0], DEVICE, names[1], DEVICE,
                        round_trip / 2], folder / 'delay.log', OTHER_CPU)
        near, far = ([ip, 'netns', 'exec', name] for name in names)
        yield near, far
    finally:
        if link:
            link.stop()
        for name in names:
            subprocess.run([ip, 'netns', 'del', name], capture_output=True)


class Scripts:
    """Runs curl where the scripts are, in one of the WAYS, and returns the ms of each request."""

    def __init__(self, near, origin, way, port):
        _, upstream, self.keeps = WAYS[way]
        to = origin.h2 if upstream == 'h2' else origin.h1
        self.url = f'http://127.0.0.1:{port}/exchange/ticker' if upstream else f'https://{NAME}:{to}/ticker'
        self.argv = [*near, 'taskset', '-c', str(OTHER_CPU), program('curl'), '-sf', '--http1.1', '-w', '%{time_total}\n']
        if not upstream:
            self.argv += ['--cacert', str(origin.ca), '--resolve', f'{NAME}:{to}:{FAR}']
            self.argv += [] if self.keeps else ['-H', 'Connection: close']

    def start(self, requests=1):
        argv = self.argv + [self.url] * requests + ['-o', '/dev/null'] * requests
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(self, script):
        out, error = script.communicate(timeout=120)
        if script.returncode:
            raise Failure(f'a script ended with {script.returncode}: {error.strip()}')
        return [float(row) * 1000 for row in out.split()]

    def one(self, requests):
        return self.finish(self.start(requests))

    def in_turn(self, scripts):
        return [ms for _ in range(scripts) for ms in self.one(1)]

    def at_once(self, scripts):
        started = [self.start() for _ in range(scripts)]
        return [ms for script in started for ms in self.finish(script)]


@contextlib.contextmanager
def proxy(binary, near, origin, upstream, folder):
    """A trunkline beside the scripts, with its idle connections open."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    (folder / 'trunkline.conf').write_text(TRUNKLINE.format(
        port=port, name=NAME, to=origin.h2 if upstream == 'h2' else origin.h1, far=FAR, ca=origin.ca, min_idle=2,
        http2='always' if upstream == 'h2' else 'never'))
    process = Process([os.path.abspath(binary), '-c', folder / 'trunkline.conf'], folder / 'out', PROXY_CPU, near)
    try:
        until('trunkline', lambda: process.running() and origin.counts()['open'] >= 2)
        yield port
    finally:
        process.stop()


def figures(times):
    return {'median': statistics.median(times), 'worst': max(times), 'p99': percentile(times, 0.99)}


def measure(binary, work, requests, scripts, tell):
    """One row for each way and pattern: ms per request, and the connections that the exchange accepted for it."""
    found = []
    with namespaces(work) as (near, far), Origin(work, 'exchange', FAR, far) as origin:
        for way, (_, upstream, _) in WAYS.items():
            with proxy(binary, near, origin, upstream, work / way) if upstream else contextlib.nullcontext() as port:
                does = Scripts(near, origin, way, port)
                until('the first request over the link', lambda: does.start().wait() == 0)
                for pattern, work_of in (('one', lambda: does.one(requests)), ('in_turn', lambda: does.in_turn(scripts)),
                                         ('at_once', lambda: does.at_once(scripts))):
                    before = origin.counts()['accepted']
                    times = work_of()
                    row = {'way': way, 'pattern': pattern, 'first': times[0], 'connections': origin.counts()['accepted'] - before} | figures(times)
                    found.append(row)
                    tell(f'{way:14} {pattern:8} {row["median"]:.1f} ms a request (the first {row["first"]:.1f}, the worst {row["worst"]:.1f}), '
                         f'{row["connections"]} connections')
    return found
