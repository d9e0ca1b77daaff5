"""System calls per request."""
import pathlib
import re
import signal
import subprocess

from .clients import h2load
from .system import OTHER_CPU, pinned, program, until


def traced(running, work):
    """System calls of the proxy during work(): how many of each."""
    tracer = subprocess.Popen(pinned(OTHER_CPU, program('strace'), '-c', '-f', '-p', running.process.pid), stderr=subprocess.PIPE, text=True)
    until('strace', lambda: 'TracerPid:\t0' not in pathlib.Path(f'/proc/{running.process.pid}/status').read_text())
    work()
    tracer.send_signal(signal.SIGINT)
    out = tracer.communicate()[1]
    rows = re.findall(r'^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$', out, re.M)
    return {name: int(count) for count, name in rows if name != 'total'}


def measure(peers, origin, loads, requests, folder, tell):
    """System calls per request: those of 3N requests without those of N, so that connecting does not count."""
    found = []
    for peer in (p for p in peers if p.only is None):
        for load in loads:
            with peer.start(folder / peer.name, origin) as running:
                url = f'http://127.0.0.1:{running.port}'
                count = requests if load.clients > 2 else max(20, requests // 10)
                h2load(url, load.path, load.clients, count, running.folder)
                few, many = (traced(running, lambda n=n: h2load(url, load.path, load.clients, n, running.folder)) for n in (count, 3 * count))
            each = {name: (many[name] - few.get(name, 0)) / (2 * count) for name in many}
            found.append({'peer': peer.name, 'load': load.text, 'calls': sum(each.values()), 'each': {k: v for k, v in each.items() if v > 0.005}})
            tell(f'{peer.name:14} {load.text:12} {found[-1]["calls"]:.2f} system calls a request')
    return found
