"""Where the time of the hop goes: a profile of trunkline by what it does, and clients on TCP beside clients on the Unix socket.

perf samples the daemon's CPU with the kernel's call chains. A sample in the kernel belongs to the system call it is in, one outside to
the library or to the folder of our sources that its function is from. The shares of the samples times the CPU of a request give µs."""
import collections
import pathlib
import re
import shutil
import signal
import subprocess

from .clients import h2load, wrk
from .system import OTHER_CPU, pinned, program, until

SAMPLES_PER_SECOND = 4000

# The rows of the table, in order.
GROUPS = ('kernel: write, up to the receiver\'s socket', 'kernel: read', 'kernel: epoll', 'kernel: the rest', 'TLS: mbedTLS, libgcrypt',
          'HTTP: llhttp, nghttp2', 'libuv', 'C library', 'ours: streams, TLS, loop (net)', 'ours: HTTP (http, protocol)', 'ours: clients (front)',
          'ours: pool and limits (upstream, budget)', 'ours: requests (proxy, cache)', 'ours: the rest')

CALLS = (('write', 0), ('send', 0), ('read', 1), ('recv', 1), ('epoll', 2))
LIBRARIES = (('libmbed', 4), ('libgcrypt', 4), ('libllhttp', 5), ('libnghttp2', 5), ('libuv', 6), ('libc.', 7), ('ld-linux', 7), ('vdso', 7))
ROOMS = {'net': 8, 'http': 9, 'protocol': 9, 'front': 10, 'upstream': 11, 'budget': 11, 'proxy': 12, 'cache': 12}


def rooms_of(binary):
    """The folder of src that each function is from, by the debug information."""
    out = subprocess.run(['nm', '-l', '--defined-only', binary], capture_output=True, text=True).stdout
    return {name: room for name, room in re.findall(r'^\S+ [tT] (\S+)\t.*/src/(\w+)/', out, re.M)}


def group(chain, rooms):
    """The row that a sample belongs to; `chain` is its (function, object) pairs, innermost first."""
    if 'kernel' in chain[0][1]:
        for function, _ in chain:
            found = re.match(r'(?:__x64_sys_|ksys_|__sys_)(\w+)', function)
            if found:
                return next((row for word, row in CALLS if word in found.group(1)), 3)
        return 3
    function, file = chain[0]
    for word, row in LIBRARIES:
        if word in pathlib.Path(file).name:
            return row
    return ROOMS.get(rooms.get(re.sub(r'\.(part|constprop|isra|cold)\b.*', '', function), rooms.get(function)), 13)


def read_samples(data, rooms):
    out = subprocess.run([program('perf', 'linux-perf'), 'script', '-i', data, '-F', 'ip,sym,dso'], capture_output=True, text=True).stdout
    counts = collections.Counter()
    for block in re.split(r'\n\s*\n', out):
        chain = re.findall(r'^\s*[0-9a-f]+ (\S+).*\((\S+)\)$', block, re.M)
        if chain:
            counts[group(chain, rooms)] += 1
    return counts


def profile(peer, origin, load, seconds, folder):
    """µs of CPU per request in each of GROUPS; None if perf had no samples."""
    data = folder / 'perf.data'
    data.unlink(missing_ok=True)
    with peer.start(folder / peer.name, origin) as running:
        url = f'http://127.0.0.1:{running.port}'
        wrk(url, load.path, load.clients, 1)
        before = running.process.cpu()
        plain = wrk(url, load.path, load.clients, seconds)      # perf itself takes time, so the CPU is of a run without it
        cpu = (running.process.cpu() - before) * 1e6 / max(1, plain['requests'])
        sampler = subprocess.Popen(pinned(OTHER_CPU, program('perf', 'linux-perf'), 'record', '-q', '-g', '-e', 'cpu-clock', '-F', SAMPLES_PER_SECOND,
                                          '-o', data, '-p', running.process.pid), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        until('perf', lambda: data.exists() and data.stat().st_size)
        wrk(url, load.path, load.clients, seconds)
        sampler.send_signal(signal.SIGINT)
        sampler.communicate()
    counts = read_samples(data, rooms_of(peer.binary))
    if not counts:
        return None
    return {'peer': peer.name, 'load': load.text, 'cpu': cpu, 'samples': sum(counts.values()),
            'each': [cpu * counts[row] / sum(counts.values()) for row in range(len(GROUPS))]}


def profiles(peers, origin, loads, seconds, folder, tell):
    if not shutil.which('perf'):
        tell('left out: the profile of the hop, because perf is missing (Debian: apt install linux-perf)')
        return []
    found = []
    for peer in (p for p in peers if p.ours and p.only is None):
        for load in loads:
            row = profile(peer, origin, load, seconds, folder)
            tell(f'{peer.name:14} {load.text:12} {row["samples"] if row else "no"} samples')
            found += [row] if row else []
    return found


def sockets(peers, origin, loads, requests, rounds, folder, tell):
    """The same requests by clients on TCP and on the Unix socket."""
    found = []
    for peer in (p for p in peers if p.ours and p.only is None):
        for number in range(rounds):
            for load in loads:
                with peer.start(folder / peer.name, origin) as running:
                    for kind, path in (('tcp', None), ('unix', running.socket)):
                        count = requests if load.clients == 1 else 4 * requests
                        h2load(f'http://127.0.0.1:{running.port}', load.path, load.clients, count // 4, folder, path)
                        before = running.process.cpu()
                        row = h2load(f'http://127.0.0.1:{running.port}', load.path, load.clients, count, folder, path)
                        row |= {'round': number, 'peer': peer.name, 'load': load.text, 'kind': kind,
                                'cpu': (running.process.cpu() - before) * 1e6 / count}
                        found.append(row)
                        tell(f'{peer.name:14} {load.text:12} {kind:5} p50 {row["p50"]:.0f} µs  cpu {row["cpu"]:.1f} µs')
    return found
