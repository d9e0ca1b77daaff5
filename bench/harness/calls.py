"""System calls per request: counted by perf at the kernel's tracepoints where there are any, else by strace, which slows the proxy down
and so changes what depends on time."""
import pathlib
import re
import shutil
import signal
import subprocess

from .clients import h2load
from .system import OTHER_CPU, pinned, program, until

EVERY = 'raw_syscalls:sys_enter'
NAMED = ('read', 'readv', 'recvfrom', 'recvmsg', 'write', 'writev', 'sendto', 'sendmsg', 'epoll_wait', 'epoll_pwait', 'epoll_ctl', 'getsockopt',
         'setsockopt', 'clock_gettime', 'madvise', 'accept4', 'close')
EVENTS = ','.join([EVERY, *(f'syscalls:sys_enter_{name}' for name in NAMED)])


def has_tracepoints():
    if not shutil.which('perf'):
        return False
    return subprocess.run(['perf', 'stat', '-e', EVENTS, 'true'], capture_output=True).returncode == 0


def by_perf(running, load, count):
    """System calls of the proxy during so many requests: how many of each; those without a name are 'other'."""
    out = running.folder / 'perf.csv'
    load(count, ('perf', 'stat', '-x', ',', '-o', out, '-e', EVENTS, '-p', running.process.pid, '--'))
    found = {name.rpartition('sys_enter')[2].lstrip('_'): int(number)
             for number, name in re.findall(r'^(\d+),[^,]*,(\S+?sys_enter\w*),', out.read_text(), re.M)}
    return found | {'other': found.pop('') - sum(found.values())}


def by_strace(running, load, count):
    tracer = subprocess.Popen(pinned(OTHER_CPU, program('strace'), '-c', '-f', '-p', running.process.pid), stderr=subprocess.PIPE, text=True)
    until('strace', lambda: 'TracerPid:\t0' not in pathlib.Path(f'/proc/{running.process.pid}/status').read_text())
    load(count)
    tracer.send_signal(signal.SIGINT)
    rows = re.findall(r'^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$', tracer.communicate()[1], re.M)
    return {name: int(number) for number, name in rows if name != 'total'}


def once(counted, running, ask, count):
    few, many = counted(running, ask, count), counted(running, ask, 3 * count)
    return {name: (many[name] - few.get(name, 0)) / (2 * count) for name in many}


def measure(peers, origin, loads, requests, rounds, folder, tell):
    """Those of 3N requests without those of N, so that connecting does not count. Of the rounds the median one counts: how often a proxy
    looks for events depends on how fast the others are."""
    found, counted = [], by_perf if has_tracepoints() else by_strace
    for peer in (p for p in peers if p.only is None):
        for load in loads:
            with peer.start(folder / peer.name, origin) as running:
                def ask(count, around=()):
                    h2load(f'http://127.0.0.1:{running.port}', load.path, load.clients, count, running.folder, around=around)
                count = requests if load.clients > 2 else max(20, requests // 10)
                ask(count)
                each = [once(counted, running, ask, count) for _ in range(rounds)]
            each = sorted(each, key=lambda found: sum(found.values()))[rounds // 2]
            row = {'peer': peer.name, 'load': load.text, 'calls': sum(each.values()), 'each': {k: v for k, v in each.items() if v > 0.005}}
            found.append(row)
            tell(f'{peer.name:14} {load.text:12} {row["calls"]:.2f} system calls a request')
    return found
