"""A connection that a scripted origin has accepted, and the asyncio loop that all origins of a process share."""
import asyncio
import socket
import ssl
import struct
import threading
import time

SEEN_MAX = 1 << 20          # raw bytes kept per connection, so that tests can check whether a marker ever arrived
_loop = None


def loop():
    global _loop
    if _loop is None:
        _loop = asyncio.new_event_loop()
        threading.Thread(target=_loop.run_forever, daemon=True, name='origins').start()
    return _loop


def run(coroutine, timeout=30):
    return asyncio.run_coroutine_threadsafe(coroutine, loop()).result(timeout)


class Malformed(Exception):
    """The daemon sent bytes that are not a well-formed HTTP/1.1 request."""


class Gone(Exception):
    """The connection has been closed, by either side."""


class Line:
    """An accepted connection. TLS runs over memory BIOs, so that the connection can be broken off after any byte."""

    def __init__(self, origin, sock, number, peer):
        self.origin, self.sock, self.number, self.peer = origin, sock, number, peer     # `peer`: the daemon's port
        self.alpn = self.sni = self.tls = self.session = self.farewell = None
        self.resumed = self.notified = False
        self.opened, self.ready, self.closed, self.closed_by = time.monotonic(), None, None, None
        self.requests, self.written, self.seen = 0, 0, bytearray()
        self.buffer = bytearray()           # plaintext read and not yet parsed
        self.obj = None
        self._in, self._out, self._lock = ssl.MemoryBIO(), ssl.MemoryBIO(), asyncio.Lock()

    def __repr__(self):
        return f'<line {self.number} {self.alpn} closed_by={self.closed_by} notified={self.notified}>'

    @property
    def open(self):
        return self.closed is None

    async def handshake(self, context):
        self.obj = context.wrap_bio(self._in, self._out, server_side=True)
        await self._tls(self.obj.do_handshake)
        self.alpn, self.tls = self.obj.selected_alpn_protocol(), self.obj.version()
        self.sni, self.resumed = getattr(self.obj, 'sni', None), self.obj.session_reused

    async def _tls(self, operation, *args):
        while True:
            try:
                result = operation(*args)
            except ssl.SSLWantReadError:
                await self._flush()
                data = await loop().sock_recv(self.sock, 65536)
                self._in.write(data) if data else self._in.write_eof()
                continue
            except ssl.SSLError:
                await self._flush()
                raise
            await self._flush()
            return result

    async def _flush(self):
        async with self._lock:
            while data := self._out.read():
                await loop().sock_sendall(self.sock, data)

    async def recv(self):
        """Returns some plaintext, or b'' once the daemon has closed the connection (`notified` tells whether it sent close_notify)."""
        try:
            data = await (self._tls(self.obj.read, 65536) if self.obj else loop().sock_recv(self.sock, 65536))
            self.notified = self.notified or (self.obj is not None and not data)
        except (ssl.SSLError, OSError):
            data = b''
        if not data:
            self.mark('daemon')
        self.seen += data[:SEEN_MAX - len(self.seen)]
        return data

    async def more(self):
        if not (data := await self.recv()):
            raise Gone
        self.buffer += data

    async def pause(self, seconds):
        """Waits; raises Gone if the daemon closes the connection meanwhile."""
        end = time.monotonic() + seconds
        try:
            while (left := end - time.monotonic()) > 0:
                await asyncio.wait_for(self.more(), left)
        except asyncio.TimeoutError:
            pass

    async def send(self, data):
        if not self.open:
            raise Gone
        try:
            for at in range(0, len(data), 65536):
                piece = data[at:at + 65536]
                await (self._tls(self.obj.write, piece) if self.obj else loop().sock_sendall(self.sock, piece))
                self.written += len(piece)
        except (ssl.SSLError, OSError):
            self.mark('daemon')
            raise Gone from None

    def mark(self, who):
        if self.closed is None:
            self.closed, self.closed_by = time.monotonic(), who

    async def close(self, notify=True):
        """Closes the connection in order: close_notify (unless `notify` is false), then FIN."""
        if self.sock.fileno() < 0:
            return
        self.mark('origin')
        try:
            if self.obj and notify:
                try:
                    self.obj.unwrap()
                except ssl.SSLError:
                    pass
                await asyncio.wait_for(self._flush(), 1)
            self.sock.shutdown(socket.SHUT_WR)
            while await asyncio.wait_for(loop().sock_recv(self.sock, 65536), 0.2):
                pass
        except (OSError, asyncio.TimeoutError):
            pass
        self._drop()

    def reset(self):
        """Closes the connection with RST; unread and unsent data is lost."""
        self.mark('origin')
        if self.sock.fileno() >= 0:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self._drop()

    def _drop(self):
        if self.sock.fileno() >= 0:
            loop().remove_reader(self.sock)
            loop().remove_writer(self.sock)
            self.sock.close()
