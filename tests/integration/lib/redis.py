"""A Redis server of the test's own, on a unix socket and a loopback port, and servers that only pretend to be one."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from .ports import free_port
from .wire import eventually


def encode(*words):
    """A command in RESP."""
    parts = [w if isinstance(w, bytes) else str(w).encode() for w in words]
    return b'*%d\r\n' % len(parts) + b''.join(b'$%d\r\n%s\r\n' % (len(p), p) for p in parts)


def decode(stream):
    """The next reply from a file object; an error reply is returned as an Exception."""
    line = stream.readline()
    if not line.endswith(b'\r\n'):
        raise EOFError(line)
    kind, rest = line[:1], line[1:-2]
    if kind == b'-':
        return RuntimeError(rest.decode())
    if kind == b':':
        return int(rest)
    if kind == b'+':
        return rest.decode()
    if kind == b'$':
        return None if rest == b'-1' else stream.read(int(rest) + 2)[:-2].decode(errors='replace')
    return [decode(stream) for _ in range(int(rest))]


class Redis:
    """A redis-server (or the program in $TRUNKLINE_REDIS) with an empty database."""

    def __init__(self, folder, *options, tls=None):
        self.program = os.environ.get('TRUNKLINE_REDIS') or shutil.which('redis-server') or shutil.which('valkey-server')
        if not self.program:
            pytest.skip('redis-server is not installed (Debian: redis-server)')
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.socket, self.port, self.options, self.process = self.folder / 'redis.sock', free_port(), options, None
        if tls:
            self.options += ('--tls-port', str(self.port), '--port', '0', '--tls-cert-file', tls[0], '--tls-key-file', tls[1],
                             '--tls-auth-clients', 'no')
        else:
            self.options += ('--port', str(self.port))
        self.start()

    @property
    def url(self):
        return f'redis://127.0.0.1:{self.port}'

    def start(self):
        log = open(self.folder / 'log', 'ab')
        with log:
            self.process = subprocess.Popen([self.program, '--bind', '127.0.0.1', '--unixsocket', str(self.socket), '--save', '',
                                             '--dir', str(self.folder), '--daemonize', 'no', *self.options], stdout=log, stderr=log)
        eventually(self.answers)

    def answers(self):
        assert self.process.poll() is None, (self.folder / 'log').read_text()[-2000:]
        try:
            return self('PING') is not None
        except OSError:
            return False

    def __call__(self, *words):
        """Runs one command and returns its reply."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(str(self.socket))
            s.sendall(encode(*words))
            with s.makefile('rb') as f:
                return decode(f)

    def calls(self):
        """How many scripts it has run."""
        stats = self('INFO', 'commandstats')
        return sum(int(line.split('calls=')[1].split(',')[0]) for line in stats.splitlines() if line.startswith('cmdstat_eval'))

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.thaw()
            self.process.kill()
            self.process.wait()

    def restart(self):
        """Begins again, empty."""
        self.stop()
        self.start()


class Pretender:
    """Accepts connections and answers each command by what `answer(words)` returns, bytes; None: not at all."""

    def __init__(self, answer):
        self.answer, self.commands = answer, []
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.url = f'redis://127.0.0.1:{self.listener.getsockname()[1]}'
        self.open = True
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while self.open:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(s,), daemon=True).start()

    def talk(self, s):
        with s, s.makefile('rb') as f:
            try:
                while self.open:
                    words = decode(f)
                    self.commands.append((time.monotonic(), words))
                    reply = self.answer(words)
                    if reply is not None:
                        s.sendall(reply)
            except (OSError, EOFError):
                pass

    def close(self):
        self.open = False
        self.listener.close()
