"""The exchange of the soak: an origin over HTTP/1.1 and one over HTTP/2, which misbehave as told, and what they saw of each order."""
import asyncio
import collections
import hashlib
import random
import re
import time

from lib.behaviour import drop, hang, raw, reply
from lib.h2_origin import h2_reset
from lib.line import loop, run
from lib.origin import Origin

ID = re.compile(r'[?&]id=(o\d+)')
SIGHTED = re.compile(rb'[?&]id=(o\d+)')
SWITCHING = b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'
PIECE = b'0123456789abcdef' * 64


class Log:
    """What came in, by the order's id: every request that bore it, and every id in the bytes of a connection."""

    def __init__(self):
        self.read, self.sighted, self.requests, self.connections = collections.defaultdict(list), set(), 0, 0

    def note(self, req):
        self.requests += 1
        if (m := ID.search(req.target)):
            req.answered = None
            self.read[m[1]].append(req)

    def acted(self, order):
        """The requests with this order that the exchange has not vouched for."""
        return [r for r in self.read.get(order, ()) if not r.refused]


class Requests:
    """Takes the place of Origin.requests, which keeps every request for ever."""

    def __init__(self, log):
        self.log = log

    def append(self, req):
        self.log.note(req)


class Exchange(Origin):
    """`mood` says how it behaves: None, or the name of a fault."""

    def __init__(self, log, seed, alpn):
        super().__init__(alpn=alpn, address='0.0.0.0', max_streams=20)
        self.log, self.mood, self.whims, self.good = log, None, random.Random(seed), self.context
        self.requests = Requests(log)

    def __enter__(self):
        super().__enter__()
        self._forgetting = asyncio.run_coroutine_threadsafe(self._forget(), loop())
        return self

    def __exit__(self, *_):
        self._forgetting.cancel()
        self.note_sightings(self.lines)
        super().__exit__()

    async def _forget(self):
        """Closed connections, so that memory stays bounded."""
        while True:
            await asyncio.sleep(1)
            gone = [line for line in self.lines if not line.open]
            self.note_sightings(gone)
            self.lines[:] = [line for line in self.lines if line.open]
            self.log.connections += len(gone)

    def note_sightings(self, lines):
        for line in lines:
            self.log.sighted.update(m.decode() for m in SIGHTED.findall(line.seen))
            line.seen.clear()

    def pick(self, req):
        r, path = self.whims.random(), req.target.split('?')[0]
        if self.mood and r < 0.5 and path != '/inside':     # nothing bounds what is in a tunnel
            return self.moody(req)
        if path == '/ws':
            return echo
        if path == '/stream':
            return stream(200, self.whims.choice([0, 0.01, 0.03]))
        if path == '/quote':
            return quote(200, self.whims.choice([0, 0, 0.005]))
        if path == '/order':
            return self.order(r)
        return reply()

    def order(self, r):
        if r > 0.99:
            return drop(self.whims.choice(['reset', 'close', 'cut']))
        return taken(500 if r > 0.98 else 200, self.whims.choice([0, 0, 0.002, 0.01, 0.05]))

    def moody(self, req):
        is_h2 = req.version == 'HTTP/2'
        if self.mood == 'resets':
            return self.whims.choice([h2_reset(2, wait_body=True), h2_reset(8), drop('reset')] if is_h2 else
                                     [drop('reset'), drop('reset', after=1), drop('cut'),
                                      raw(b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab', then='reset'), raw(b'HTTP/1.1 2', then='cut')])
        if self.mood == 'stalls':
            return hang() if self.whims.random() < 0.5 else self.answer(req, 200, 0.4)
        if self.mood == 'refusals' and is_h2:
            return refuse
        return self.answer(req, self.whims.choice([500, 502, 503]), 0)

    def answer(self, req, status, delay):
        if req.target.startswith('/quote'):
            return quote(status, delay)
        if req.target == '/stream':
            return stream(status, 0.01)
        return taken(status, delay) if ID.search(req.target) else reply(status, delay=delay)

    def swap(self, context):
        """The certificate of new connections. The old connections end."""
        self.context = context
        context.sni_callback = self.good.sni_callback
        self.hang_up('close')

    def goaway(self):
        """On every connection at once; what is not answered yet is not processed, or (one time in two) all of it is."""
        async def act():
            for line in list(self.open):
                session = getattr(line, 'session', None)
                if session and line.open:
                    newest = max(session.streams, default=0)
                    await self.guard(session.goaway(self.whims.choice([newest, max(0, newest - 2)])))
        run(act())


def taken(status, delay):
    """Takes an order, and answers with its id and the digest of its body."""
    async def behave(x):
        await x.read_body()
        if delay:
            await x.pause(delay)
        digest, x.req.body = hashlib.sha256(x.req.body).hexdigest(), b''
        await x.respond(status, [], f'taken {ID.search(x.req.target)[1]} {digest}'.encode())
        x.req.answered = status
    return behave


def stream(status, gap):
    return reply(status, PIECE * 10, framing='chunked', pieces=10, gap=gap)


def quote(status, delay):
    return reply(status, lambda req: f'{req.target} {time.monotonic()}'.encode(), delay=delay)


async def refuse(s):
    s.req.refused = True
    await s.reset(7)


async def echo(x):
    """A WebSocket, more or less: it sends everything back."""
    if x.req.version == 'HTTP/2':
        return await x.respond(426, [], b'')
    await x.line.send(SWITCHING)
    while True:
        if x.line.buffer:
            data = bytes(x.line.buffer)
            x.line.buffer.clear()
            await x.line.send(data)
        await x.line.more()
