"""The daemon of the soak: its sockets, which outlive it, its disk, its name server, and one life after another."""
import itertools
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

from clients import Heard
from exchange import Exchange, Log
from lib import certs
from lib.daemon import Daemon, Stats, cli, upstream
from lib.dns import FakeDns
from lib.wire import Client, WireError, eventually

DESCRIPTORS = 220
DISK = 512 << 20        # bytes; what the journal and the access log of half an hour take, and more
HOST1, HOST2 = 'h1.exchange.test', 'h2.exchange.test'


class Field:
    """Everything that a soak consists of. Needs namespaces of its own (see run)."""

    def __init__(self, folder, seed, rate):
        self.folder, self.seed, self.rate = pathlib.Path(folder), seed, rate
        self.disk = self.folder / 'disk'
        self.disk.mkdir(parents=True)
        subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={DISK}', 'tmpfs', self.disk], check=True)
        self.journal, self.access_log = self.disk / 'orders.journal', self.disk / 'access.log'
        self.log, self.heard = Log(), Heard()
        self.going, self.over, self.changing = threading.Event(), threading.Event(), threading.Lock()
        self.h1 = Exchange(self.log, seed, ('http/1.1',)).__enter__()
        self.h2 = Exchange(self.log, seed + 1, ('h2',)).__enter__()
        self.names = FakeDns({HOST1: ['127.0.0.1'], HOST2: ['127.0.0.1']}, ttl=1).__enter__()
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=512)
        self.where, self.tunnel_to = self.listener.getsockname(), (HOST1, self.h1.port)
        self.oldest_quote = 0.2 + 20 + 10       # fresh, stale_if_error, and what it may take to hear it
        self.lives, self.reloads, self.full, self.ended = [], itertools.count(), [], []
        self.complaints, self.kills = [], []

    # -- configuration

    def blocks(self, n=0):
        """Those of the n-th reload: what changes is the pool of `h1`, an upstream that comes and goes, and how the journal is written."""
        common = dict(order_wait=None, response_timeout='1s', total_timeout='2500ms', breaker_max='1s', idle_timeout='4s', max_age='1m', order_ids=['id'])
        named = [upstream('h1', None, f'{HOST1}:{self.h1.port}', ca_file=certs.CA, max_connections=6, max_idle=4 + n % 2, min_idle=1, **common),
                 upstream('h2', None, f'{HOST2}:{self.h2.port}', ca_file=certs.CA, max_connections=3, http2='always', **common),
                 upstream('copies', f'127.0.0.1:{self.h1.port}', 'copies.exchange.test', ca_file=certs.CA, dedupe='2m', **common),
                 upstream('quotes', f'127.0.0.1:{self.h1.port}', 'quotes.exchange.test', ca_file=certs.CA, fresh='200ms', stale_if_error='20s',
                          coalesce=True, **common)]
        if n % 4 == 1:
            named.append(upstream('passing', f'127.0.0.1:{self.h1.port}', 'passing.exchange.test', ca_file=certs.CA, min_idle=1))
        return named

    def reload(self):
        """The next configuration; every seventh is one that must be refused."""
        n = next(self.reloads)
        with self.changing:
            if not self.daemon.alive():
                return
            if n % 7 == 3:
                self.daemon.reload(text='nonsense = 1\n')
            else:
                self.daemon.reload(*self.blocks(n), order_journal_sync=n % 5 == 0)

    # -- lives

    def start(self):
        """Begins another life of the daemon, behind the same sockets."""
        self.daemon = Daemon(*self.blocks(), folder=self.folder / f'life{len(self.lives) + 1}', names=self.names, given=[self.listener],
                             wrap=['prlimit', f'--nofile={DESCRIPTORS}'], listen=['%s:%d' % self.where],
                             order_journal=str(self.journal), access_log=str(self.access_log), access_log_format='json',
                             state=str(self.folder / 'state.json'), client_header_timeout='2s', drain_timeout='3s', dns_max_ttl='1s',
                             cache_size='1m')
        self.lives.append(self.daemon)
        self.life_began = time.time()

    def restart(self, number):
        """Ends the daemon under load and begins the next one; the clients connect meanwhile."""
        with self.changing:
            began, code = time.monotonic(), self.daemon.stop(number, timeout=60)
            self.daemon.reaped = number == signal.SIGKILL
            if number == signal.SIGKILL:
                self.kills.append((began, time.monotonic()))
            self.judge_end(number, code, time.monotonic() - began)
            self.start()

    def judge_end(self, number, code, took):
        if number == signal.SIGTERM and code != 0:
            self.complaints.append(f'exit status {code} after SIGTERM')
        if number == signal.SIGTERM and took > 3 + 5:
            self.complaints.append(f'it took {took:.1f} s to end')
        self.ended.append(took)
        for line in self.daemon.stderr.splitlines():
            if re.search(r'AddressSanitizer|LeakSanitizer|runtime error|CHECK|Assertion .* failed', line):
                self.complaints.append(line[:300])

    def was_killed(self, told):
        """Was the daemon killed while this request was under way?"""
        return any(began <= told.ended and told.began <= ended + 1 for began, ended in self.kills)

    def finish(self):
        with self.changing:
            began, code = time.monotonic(), self.daemon.stop(signal.SIGTERM, timeout=60)
            self.judge_end(signal.SIGTERM, code, time.monotonic() - began)

    def abandon(self):
        """After an exception: nothing is left running."""
        self.over.set()
        for d in self.lives:
            if d.alive():
                d.process.kill()
                d.process.wait()

    def close(self):
        self.h1.__exit__()
        self.h2.__exit__()
        self.names.__exit__()
        self.listener.close()
        subprocess.run(['umount', '-l', self.disk], check=False)

    # -- looking at it

    def page(self, path):
        """A page of the daemon, or None if it has no descriptor for one more client, or is being restarted."""
        try:
            with Client(self.where, 20) as c:
                r = c.get(path)
            return r if r.status == 200 else None
        except WireError:
            return None

    def stats(self):
        r = self.page('/stats')
        return r and r.json(object_hook=Stats)

    def sure_stats(self):
        return eventually(self.stats)

    def fds(self):
        return len(os.listdir(f'/proc/{self.daemon.pid}/fd'))

    def rss_kib(self):
        return self.daemon.rss_kib()

    def cpu_s(self):
        fields = pathlib.Path(f'/proc/{self.daemon.pid}/stat').read_text().rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    # -- what is on the disk

    def journals(self):
        return sorted(self.disk.glob('orders.journal*'), key=lambda f: f.stat().st_mtime)

    def orders(self, *options):
        """What `trunkline orders` says of all journals, and its complaints."""
        out = cli('orders', '--json', *options, *self.journals(), timeout=120)
        return [json.loads(line) for line in out.stdout.splitlines()], out

    def access_lines(self):
        """(the lines, those that could not be read)"""
        lines, broken = [], []
        for text in self.access_log.read_text(errors='replace').splitlines():
            try:
                lines.append(json.loads(text))
            except ValueError:
                broken.append(text)
        return lines, broken
