"""How an origin answers a request. A behaviour is a coroutine function that takes an Exchange; the functions here return behaviours."""
import asyncio
import threading


def reply(status=200, body=None, headers=(), *, delay=0, **how):
    """A well-formed response; its body is the request target unless `body` is given. `how`: framing (length, chunked,
    close), pieces, gap, trailers, early=[(103, headers)], close (False, 'announced', 'silent')."""
    async def behave(x):
        await x.read_body()
        if delay:
            await x.pause(delay)
        content = x.req.target.encode('latin-1') if body is None else body(x.req) if callable(body) else body
        await x.respond(status, [*headers, ('X-Line', str(x.line.number))], content, **how)
    return behave


def raw(*pieces, then='keep', gap=0, delay=0):
    """Reads the request and writes exactly these bytes, then keeps the connection open, closes it or resets it."""
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
    """Ends the connection without sending any response byte, once the whole request has been read or after `after` body bytes."""
    async def behave(x):
        if after is None:
            await x.read_body()
        else:
            while len(x.line.buffer) < after:
                await x.line.more()
        await finish(x, how)
    return behave


def hang():
    """Never answers; runs until the daemon closes the connection or resets the stream (`ended` stays None)."""
    async def behave(x):
        await x.read_body()
        while True:
            await x.pause(3600)
    return behave


def deaf():
    """Stops reading for good: neither reads the body nor answers. (On HTTP/2 this affects the whole connection.)"""
    async def behave(x):
        async def nothing():
            await asyncio.sleep(3600)
        x.line.recv = nothing
        await asyncio.sleep(3600)
    return behave


def flood(piece, count=1 << 30, first=b''):
    """Writes `piece` repeatedly (`count` times, practically for ever) until the daemon closes the connection."""
    async def behave(x):
        await x.read_body()
        await x.line.send(first)
        for _ in range(count):
            await x.line.send(piece)
    return behave


class Gate:
    """A behaviour that holds its requests until the test calls release(), and then answers each as `then` does."""

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
