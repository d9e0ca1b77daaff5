"""Proxies for `exits`: real ones from Debian (microsocks, tinyproxy), and scripted ones that misbehave."""
import shutil
import socket
import subprocess
import threading
import time

import pytest

from . import wire
from .ports import free_port

CONNECTED = b'HTTP/1.1 200 Connection established\r\n\r\n'


def _wait_for(port, process):
    end = time.monotonic() + wire.LONG
    while time.monotonic() < end:
        assert process.poll() is None, f'{process.args[0]} exited {process.returncode}'
        try:
            socket.create_connection(('127.0.0.1', port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise AssertionError(f'{process.args[0]} does not listen')


class Real:
    """A proxy of Debian's as a process. `port` is where it listens."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def socks(source, user=None, password=None):
    if not shutil.which('microsocks'):
        pytest.skip('microsocks is missing')
    port = free_port()
    login = ['-u', user, '-P', password] if user else []
    p = Real(['microsocks', '-i', '127.0.0.1', '-p', str(port), '-b', source, *login])
    p.port = port
    _wait_for(port, p.process)
    return p


def tiny(folder, source, user=None, password=None):
    if not shutil.which('tinyproxy'):
        pytest.skip('tinyproxy is missing')
    port = free_port()
    login = f'BasicAuth {user} {password}\n' if user else ''
    conf = folder / f'tinyproxy-{port}.conf'
    conf.write_text(f'Port {port}\nListen 127.0.0.1\nBind {source}\nTimeout 600\nMaxClients 100\nAllow 127.0.0.1\n{login}')
    p = Real(['tinyproxy', '-d', '-c', str(conf)])
    p.port = port
    _wait_for(port, p.process)
    return p


class Scripted:
    """Accepts connections, and hands each to `behave(conn)` in a thread of its own, with what it has received in `asked`."""

    def __init__(self, behave):
        self.port = free_port()
        self.behave, self.asked, self.count = behave, [], 0
        self._open, self._stopped = [], False
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(('127.0.0.1', self.port))
        self.sock.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            self.count += 1
            self._open.append(conn)
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn):
        try:
            self.behave(self, conn)
        except OSError:
            pass
        finally:
            conn.close()

    def read_head(self, conn):
        head = b''
        while b'\r\n\r\n' not in head:
            piece = conn.recv(4096)
            if not piece:
                raise OSError('closed')
            head += piece
        self.asked.append(head)
        return head

    def stop(self):
        self._stopped = True
        self.sock.close()
        for conn in self._open:
            conn.close()


def says(*pieces, then='close', gap=0):
    """After CONNECT's head: these bytes, then close, reset, or silence."""
    def behave(proxy, conn):
        proxy.read_head(conn)
        for n, piece in enumerate(pieces):
            if n and gap:
                time.sleep(gap)
            conn.sendall(piece)
        if then == 'silence':
            _drain(conn)
        elif then == 'close':
            conn.shutdown(socket.SHUT_WR)
            conn.recv(65536)
    return behave


def socks_says(*answers, then='close'):
    """After each of the client's messages, the next of these bytes; after the last, close or silence."""
    def behave(proxy, conn):
        for answer in answers:
            proxy.asked.append(conn.recv(4096))
            conn.sendall(answer)
        if then == 'silence':
            _drain(conn)
        else:
            conn.shutdown(socket.SHUT_WR)
            conn.recv(65536)
    return behave


def relays(origin, early=False):
    """A CONNECT proxy to that origin. `early`: the origin's first bytes are waited for, and sent in one write with the 200."""
    def behave(proxy, conn):
        proxy.read_head(conn)
        host, _, port = origin.address.rpartition(':')
        up = socket.create_connection((host.strip('[]'), int(port)))
        first = up.recv(65536) if early else b''
        conn.sendall(CONNECTED + first)
        pump = threading.Thread(target=_pump, args=(up, conn), daemon=True)
        pump.start()
        _pump(conn, up)
        pump.join()
        up.close()
    return behave


def _drain(conn):
    while conn.recv(65536):
        pass


def _pump(a, b):
    try:
        while piece := a.recv(65536):
            b.sendall(piece)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        pass
