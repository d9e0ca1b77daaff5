"""Processes of a benchmark: started on one CPU, measured from /proc, and stopped."""
import contextlib
import os
import pathlib
import platform
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

PROXY_CPU, OTHER_CPU = (sorted(os.sched_getaffinity(0)) * 2)[:2]    # the proxy alone on the first, everything else on the second
TICKS = os.sysconf('SC_CLK_TCK')


given, giving = set(), threading.Lock()     # ports of free_port()


class Failure(Exception):
    """What a user must know, instead of a traceback."""


def settle():
    """A termination signal raises SystemExit, so that what was started is stopped; and no client uses a proxy of the environment."""
    def end(*_):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)       # once is enough
        sys.exit(143)
    signal.signal(signal.SIGTERM, end)
    for name in [name for name in os.environ if name.lower().endswith('_proxy')]:
        del os.environ[name]


def program(name, package=None):
    found = shutil.which(name, path=f'{os.environ.get("PATH", "")}:/usr/sbin:/sbin')
    if not found:
        raise Failure(f'{name} is missing (Debian: apt install {package or name})')
    return found


def free_port():
    """A port that nothing listens on, each once. It is below those that the kernel gives to clients, and drawn, so that programs that
    start at the same time do not get the same."""
    while True:
        port = 20000 + random.SystemRandom().randrange(12000)
        with contextlib.suppress(OSError), socket.socket() as s, giving:
            if port not in given:
                s.bind(('', port))
                given.add(port)
                return port


def until(what, condition, seconds=30):
    end, last = time.monotonic() + seconds, ''
    while time.monotonic() < end:
        try:
            found = condition()
            if found:
                return found
        except OSError as why:
            last = f' ({why})'
        time.sleep(0.02)
    raise Failure(f'{what}: not within {seconds} s{last}')


class Process:
    """A program that runs until stop(), on one CPU or on any (None); its output goes to `log`."""

    def __init__(self, argv, log, cpu, inside=(), nice=0):
        self.name, self.log = pathlib.Path(argv[0]).name, pathlib.Path(log)
        with open(log, 'wb') as out:
            place = ['taskset', '-c', str(cpu)] if cpu is not None else []
            self.popen = subprocess.Popen([*inside, 'nice', '-n', str(nice), *place, *map(str, argv)],
                                          stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self.pid = self.popen.pid

    def running(self):
        if self.popen.poll() is not None:
            last = self.log.read_text(errors='replace').strip().splitlines()[-1:] or ['no message']
            raise Failure(f'{self.name} ended with {self.popen.returncode}: {last[0]}')
        return True

    @contextlib.contextmanager
    def or_stopped(self):
        """Stops it if the block fails."""
        try:
            yield
        except BaseException:
            self.stop()
            raise

    def cpu(self):
        """Seconds of CPU of all its threads so far."""
        tasks = pathlib.Path(f'/proc/{self.pid}/task').iterdir()
        return sum(int((task / 'schedstat').read_text().split()[0]) for task in tasks) / 1e9

    def kernel_share(self, since=(0, 0)):
        """The share of its CPU that was the kernel's, and the values for the next call."""
        fields = pathlib.Path(f'/proc/{self.pid}/stat').read_text().rsplit(')', 1)[1].split()
        user, kernel = int(fields[11]), int(fields[12])
        used = user - since[0] + kernel - since[1]
        return (kernel - since[1]) / used if used else None, (user, kernel)

    def resident(self):
        """Bytes of memory."""
        return 1024 * int(re.search(r'VmRSS:\s+(\d+)', pathlib.Path(f'/proc/{self.pid}/status').read_text()).group(1))

    def stop(self, how=signal.SIGTERM):
        self.popen.send_signal(how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(5)
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()


def pinned(cpu, *argv):
    return ['taskset', '-c', str(cpu), *map(str, argv)]


def steal():
    """Seconds that the hypervisor has kept the two CPUs from this machine so far."""
    rows = {row.split()[0]: row.split() for row in pathlib.Path('/proc/stat').read_text().splitlines() if row.startswith('cpu')}
    return sum(int(rows[f'cpu{cpu}'][8]) for cpu in {PROXY_CPU, OTHER_CPU}) / TICKS


def description():
    """The machine, in a sentence."""
    found = re.search(r'model name\s*: (.*)', pathlib.Path('/proc/cpuinfo').read_text())
    return f'{found.group(1) if found else platform.machine()}, {os.cpu_count()} CPUs, Linux {platform.release().split("-")[0]}'
