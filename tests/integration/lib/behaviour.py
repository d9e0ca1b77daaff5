"""How an origin answers a request. A behaviour is a coroutine function of an Exchange; what stands here makes them."""
import asyncio
import threading


def reply(status=200, body=None, headers=(), *, delay=0, **how):
    """A proper answer; the body is the target's own bytes unless given. `how`: framing (length, chunked,
    close), pieces, gap, trailers, early=[(103, headers)], close (False, 'announced', 'silent')."""
    async def behave(x):
        await x.read_body()
        if delay:
            await x.pause(delay)
        content = x.req.target.encode('latin-1') if body is None else body(x.req) if callable(body) else body
        await x.respond(status, [*headers, ('X-Line', str(x.line.number))], content, **how)
    return behave


def raw(*pieces, then='keep', gap=0, delay=0):
    """Reads the request, then writes exactly these bytes; then keeps, closes or resets the line."""
    async def behave(x):
        await x.read_body()
        if delay:
            await x.pause(delay)
        for n, piece in enumerate(pieces):
            if n and gap:
                await x.pause(gap)
            await x.line.send(piece)
        await finish(x, then)
    return behave


async def finish(x, then):
    if then == 'close':
        await x.line.close()
    elif then == 'cut':
        await x.line.close(notify=False)
    elif then == 'reset':
        x.line.reset()


def drop(how='reset', *, after=None):
    """Ends the line without one response byte: once the whole request was read, or after `after` body bytes."""
    async def behave(x):
        if after is None:
            await x.read_body()
        else:
            while len(x.line.buffer) < after:
                await x.line.more()
        await finish(x, how)
    return behave


def hang():
    """Never answers; stays until the daemon leaves (`ended` stays None)."""
    async def behave(x):
        await x.read_body()
        while True:
            await x.pause(3600)
    return behave


def deaf():
    """Stops reading: neither body nor answer, ever. (On HTTP/2 that is all the line.)"""
    async def behave(x):
        async def nothing():
            await asyncio.sleep(3600)
        x.line.recv = nothing
        await asyncio.sleep(3600)
    return behave


def flood(piece, count=1 << 30, first=b''):
    """Writes `piece` over and over until the daemon leaves."""
    async def behave(x):
        await x.read_body()
        await x.line.send(first)
        for _ in range(count):
            await x.line.send(piece)
    return behave


class Gate:
    """A behaviour that holds its requests until the test says release()."""

    def __init__(self, then=None):
        self.then, self.waiting, self._open = then or reply(), 0, threading.Event()

    async def __call__(self, x):
        await x.read_body()
        self.waiting += 1
        while not self._open.is_set():
            await x.pause(0.005)
        self.waiting -= 1
        await self.then(x)

    def release(self):
        self._open.set()
