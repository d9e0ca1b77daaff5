"""A scripted origin: it records every connection and request, and answers as the test specifies.

    with Origin() as o:
        o.on('/slow', reply(delay=0.3))          # one behaviour for all requests
        o.on('/flaky', drop('reset'), reply())   # a queue: each request takes the next one, and the last is repeated
        ...
        assert [r.target for r in o.requests] == ['/slow']

HTTP/1.1 is written by hand so that it can misbehave; HTTP/2 (chosen by ALPN, or h2c=True) is in h2_origin.py. Connections and
requests are recorded in the order in which they arrive; the origin never removes a record."""
import asyncio
import itertools
import re
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field

from . import certs
from .behaviour import reply
from .h2_origin import Session
from .line import Gone, Line, Malformed, loop, run
from .ports import free_port


@dataclass
class Request:
    conn: int
    method: str
    target: str                 # exactly as received (latin-1)
    headers: list               # (name, value) in the order received, names as received
    version: str
    time: float
    body: bytes = b''
    trailers: list = field(default_factory=list)
    complete: bool = False      # the whole body has arrived
    ended: float = None         # when its behaviour had finished
    stream: int = 0             # HTTP/2
    reset: int = None           # the error code with which the daemon reset the stream
    refused: bool = False       # the daemon was told that this request was not processed

    def all(self, name):
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def get(self, name, default=None):
        return next(iter(self.all(name)), default)


class Exchange:
    """One request on an HTTP/1.1 connection, and the ways to answer it."""

    def __init__(self, line, req):
        self.line, self.req, self.last = line, req, False

    async def read_body(self):
        req = self.req
        if req.complete:
            return
        if 'chunked' in (req.get('transfer-encoding') or '').lower():
            while True:
                size = int((await self._until(b'\r\n')).split(b';')[0], 16)
                if size == 0:
                    break
                await self._exactly(size)
                if await self._until(b'\r\n'):
                    raise Malformed('chunk is longer than its size says')
            while field_line := await self._until(b'\r\n'):
                req.trailers.append(tuple(s.strip() for s in field_line.decode('latin-1').split(':', 1)))
        else:
            await self._exactly(int(req.get('content-length') or 0))
        req.complete = True

    async def _exactly(self, size):
        while size:
            if not self.line.buffer:
                await self.line.more()
            piece = bytes(self.line.buffer[:size])
            del self.line.buffer[:size]
            self.req.body += piece
            size -= len(piece)

    async def _until(self, mark):
        while (at := self.line.buffer.find(mark)) < 0:
            await self.line.more()
        found = bytes(self.line.buffer[:at])
        del self.line.buffer[:at + len(mark)]
        return found

    async def respond(self, status, headers, body, framing='length', pieces=1, gap=0, trailers=(), early=(), close=False):
        send = self.line.send
        for code, extra in early:
            await send(head(code, extra))
        bare = self.req.method == 'HEAD' or status in (204, 304)
        headers = list(headers)
        if status != 204 and status >= 200:
            headers += {'length': [('Content-Length', str(len(body)))], 'chunked': [('Transfer-Encoding', 'chunked')],
                        'close': []}[framing] if not (status == 304) else []
        if trailers:
            headers.append(('Trailer', ', '.join(n for n, _ in trailers)))
        if close == 'announced':
            headers.append(('Connection', 'close'))
        self.last = bool(close) or framing == 'close'
        start = head(status, headers)
        if bare:
            return await send(start)
        step = max(1, -(-len(body) // pieces))
        parts = [body[i:i + step] for i in range(0, len(body), step)]
        if framing == 'chunked':
            parts = [b'%x\r\n%b\r\n' % (len(p), p) for p in parts]
            parts.append(b'0\r\n' + b''.join(f'{n}: {v}\r\n'.encode() for n, v in trailers) + b'\r\n')
        if not gap and len(body) < 1 << 20:
            return await send(start + b''.join(parts))
        await send(start)
        for n, part in enumerate(parts):
            if gap and n:
                await self.line.pause(gap)
            await send(part)

    async def pause(self, seconds):
        await self.line.pause(seconds)


def head(status, headers=()):
    reason = {100: 'Continue', 101: 'Switching Protocols', 103: 'Early Hints', 200: 'OK', 404: 'Not Found'}.get(status, 'Status')
    return b'HTTP/1.1 %d %b\r\n' % (status, reason.encode()) + b''.join(
        f'{n}: {v}\r\n'.encode('latin-1') for n, v in headers) + b'\r\n'


async def next_request(line):
    """Reads the next request head from a connection. The parser is strict: the daemon must send exactly well-formed requests."""
    while (at := line.buffer.find(b'\r\n\r\n')) < 0:
        await line.more()
    raw = bytes(line.buffer[:at])
    del line.buffer[:at + 4]
    start, *fields = raw.split(b'\r\n')
    if re.search(rb'[\r\n\0]', b''.join([start, *fields])):
        raise Malformed(f'bare CR, LF or NUL in {raw!r}')
    if not (m := re.fullmatch(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^ ]+) (HTTP/1\.[01])", start)):
        raise Malformed(f'request line {start!r}')
    headers = []
    for f in fields:
        if not (h := re.fullmatch(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*", f, re.S)):
            raise Malformed(f'header line {f!r}')
        headers.append((h[1].decode(), h[2].decode('latin-1')))
    method, target, version = (g.decode('latin-1') for g in m.groups())
    req = Request(line.number, method, target, headers, version, time.monotonic())
    lengths, codings = req.all('content-length'), req.all('transfer-encoding')
    if len(lengths) > 1 or lengths and codings or lengths and not lengths[0].isdigit() \
            or codings and [c.lower() for c in codings] != ['chunked'] or len(req.all('host')) != 1:
        raise Malformed(f'ambiguous framing or Host in {raw!r}')
    return req


async def serve_h1(line):
    origin = line.origin
    while line.open:
        idle = origin.idle_close
        if origin.at_head:
            size, how = origin.at_head
            while len(line.buffer) < size:
                await line.more()
            return line.reset() if how == 'reset' else await line.close(notify=how == 'close')
        req = await (asyncio.wait_for(next_request(line), idle) if idle else next_request(line))
        line.requests += 1
        origin.requests.append(req)
        x = Exchange(line, req)
        req.complete = not (req.all('transfer-encoding') or int(req.get('content-length') or 0))
        if '100-continue' in (req.get('expect') or '').lower() and origin.answer_expect:
            await line.send(head(100))
        await origin.pick(req)(x)
        req.ended = time.monotonic()
        if x.last:
            await line.close()


# ----------------------------------------------------------------------------------------------- origin

class Origin:
    """A listening origin. `greet` is what happens between accept and handshake: None, seconds of silence, an Event to wait for,
    'stall', 'reset', 'close', 'garbage', 'plain'; or, once a ClientHello has been read, 'hello-stall', 'hello-reset' or
    'hello-close'. The bytes `first` are written as soon as a connection is established, before any request. `at_head`, a pair
    (bytes, how), ends a connection once that many bytes of a request head have been read. Idle connections are closed after
    `idle_close` seconds. `faults` lists the protocol errors of the daemon (and exceptions in behaviours)."""

    def __init__(self, cert='good', alpn=('http/1.1',), tls=True, greet=None, first=b'', idle_close=None,
                 address='127.0.0.1', port=None, max_streams=100, h2c=False, **context):
        self.context = certs.server_context(cert, alpn, **context) if tls else None
        if self.context:
            self.context.sni_callback = lambda obj, name, ctx: setattr(obj, 'sni', name)
        self.greet, self.first, self.at_head, self.idle_close = greet, first, None, idle_close
        self.answer_expect, self.max_streams, self.h2c = True, max_streams, h2c
        self.lines, self.requests, self.faults = [], [], []
        self.scripts, self.default, self._count, self._tasks = {}, reply(), itertools.count(1), set()
        self.sock = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.port = port or free_port(address)
        self.sock.bind((address, self.port))
        self.address = f'[{address}]:{self.port}' if ':' in address else f'{address}:{self.port}'

    def __enter__(self):
        self.sock.listen(512)
        self.sock.setblocking(False)
        self._task = asyncio.run_coroutine_threadsafe(self._accept(), loop())
        return self

    def __exit__(self, *_):
        if self.sock.fileno() >= 0:
            self._task.cancel()
            run(self._shut())

    async def _shut(self):
        loop().remove_reader(self.sock)
        self.sock.close()
        for line in self.lines:
            line.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def on(self, path, *behaviours):
        self.scripts[path] = list(behaviours)

    def pick(self, req):
        queue = self.scripts.get(req.target.split('?')[0])
        return self.default if not queue else queue.pop(0) if len(queue) > 1 else queue[0]

    def paths(self):
        return [r.target for r in self.requests]

    def sightings(self, marker):
        """How many times these bytes were received, over all connections (for HTTP/1.1)."""
        return sum(bytes(line.seen).count(marker) for line in self.lines)

    @property
    def open(self):
        return [line for line in self.lines if line.open and line.ready]

    def hang_up(self, how='close', only=None):
        """Ends the open connections from this side: close (close_notify and FIN), cut (FIN only), reset."""
        async def act():
            for line in self.lines:
                if line.open and (only is None or line.number == only):
                    line.reset() if how == 'reset' else await line.close(notify=how == 'close')
        run(act())

    def blurt(self, data):
        """Writes unsolicited bytes on every open connection."""
        async def act():
            for line in self.open:
                await line.send(data)
        run(act())

    async def _accept(self):
        while True:
            sock, peer = await loop().sock_accept(self.sock)
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line = Line(self, sock, next(self._count), peer[1])
            line.source = peer[0]
            self.lines.append(line)
            self.spawn(self._serve(line), line)

    def spawn(self, coroutine, line=None):
        task = asyncio.ensure_future(self.guard(coroutine, line))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: coroutine.close())     # in case the task was cancelled before it started
        return task

    async def guard(self, coroutine, line=None):
        try:
            await coroutine
        except (Gone, asyncio.TimeoutError, asyncio.CancelledError, ssl.SSLError, OSError):
            pass
        except Exception as e:      # Malformed, or a bug in this file: either must fail the test
            self.faults.append(e)
        finally:
            if line:
                await line.close()

    async def _serve(self, line):
        greet = self.greet
        if greet == 'stall':
            await asyncio.sleep(3600)
        elif greet and str(greet).startswith('hello-'):
            await loop().sock_recv(line.sock, 65536)
            if greet == 'hello-stall':
                await asyncio.sleep(3600)
            return line.reset() if greet == 'hello-reset' else None
        elif greet == 'reset':
            return line.reset()
        elif greet == 'close':
            return
        elif greet in ('garbage', 'plain'):
            await line.send(b'\x00garbage' * 8 if greet == 'garbage' else head(400))
            return
        elif isinstance(greet, threading.Event):
            while not greet.is_set():
                await asyncio.sleep(0.005)
        elif greet:
            await asyncio.sleep(greet)
        if self.context:
            await line.handshake(self.context)
        line.ready = time.monotonic()
        if self.first:
            await line.send(self.first)
        await (Session(line).serve() if line.alpn == 'h2' or self.h2c else serve_h1(line))
