"""The HTTP/2 side of a scripted origin, based on the h2 library. The behaviours of behaviour.py work here too."""
import asyncio
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
from hyperframe.frame import GoAwayFrame

from .line import Gone, Malformed

Code = h2.errors.ErrorCodes
Setting = h2.settings.SettingCodes


class Connection(h2.connection.H2Connection):
    """Turns off the limit on streams of the h2 library; Session counts them itself. Streams beyond the limit that the client
    opened before it read our SETTINGS are refused, and are not a fault."""

    @property
    def open_inbound_streams(self):
        super().open_inbound_streams
        return 0


class Stream:
    """One request on an HTTP/2 connection; has the same interface as Exchange."""

    def __init__(self, session, req):
        self.session, self.line, self.req = session, session.line, req
        self.ended, self.window = asyncio.Event(), asyncio.Event()

    async def read_body(self):
        await self.ended.wait()

    async def pause(self, seconds):
        await asyncio.sleep(seconds)
        if self.req.reset is not None or not self.line.open:
            raise Gone

    async def respond(self, status, headers, body, framing='length', pieces=1, gap=0, trailers=(), early=(), close=False):
        h, sid = self.session.h2, self.req.stream
        for code, extra in early:
            h.send_headers(sid, [(':status', str(code)), *((n.lower(), v) for n, v in extra)])
        bare = self.req.method == 'HEAD' or status in (204, 304)
        fields = [(':status', str(status)), *((n.lower(), v) for n, v in headers)]
        if framing == 'length' and status not in (204, 304):
            fields.append(('content-length', str(len(body))))
        h.send_headers(sid, fields, end_stream=bare)
        if not bare:
            step = max(1, -(-len(body) // pieces))
            for at in range(0, len(body), step):
                if gap and at:
                    await self.pause(gap)
                await self.data(memoryview(body)[at:at + step])
            if trailers:
                h.send_headers(sid, [(n.lower(), v) for n, v in trailers], end_stream=True)
            else:
                h.end_stream(sid)
        self.session.live.discard(sid)
        await self.session.flush()
        if close:
            await self.line.close()

    async def data(self, body):
        h, sid = self.session.h2, self.req.stream
        while len(body):
            room = min(h.local_flow_control_window(sid), h.max_outbound_frame_size, len(body))
            if room <= 0:
                self.window.clear()
                await self.window.wait()
                if self.req.reset is not None or not self.line.open:
                    raise Gone
                continue
            h.send_data(sid, bytes(body[:room]))
            body = body[room:]
            await self.session.flush()
            await asyncio.sleep(0)      # let the other streams send

    async def reset(self, code):
        self.session.live.discard(self.req.stream)
        self.session.h2.reset_stream(self.req.stream, error_code=code)
        await self.session.flush()


class Session:
    def __init__(self, line):
        self.line, self.origin, self.streams, self.live, self.settled = line, line.origin, {}, set(), False
        self.tasks, self.last = {}, 1 << 31
        self.h2 = Connection(h2.config.H2Configuration(client_side=False, header_encoding='latin-1'))
        line.session = self

    async def flush(self):
        if data := self.h2.data_to_send():
            await self.line.send(data)

    async def goaway(self, last):
        """Sends GOAWAY with the last stream `last`; streams with higher numbers are not processed."""
        undone = [s for sid, s in self.streams.items() if sid > last and s.req.ended is None]
        for s in undone:
            s.req.refused = True
        self.last = min(last, self.last)
        await self.flush()
        await self.line.send(GoAwayFrame(0, last_stream_id=last, error_code=0).serialize())
        for s in undone:
            if task := self.tasks.get(s.req.stream):        # none, if an earlier GOAWAY refused it already
                task.cancel()

    async def serve(self):
        self.h2.local_settings = h2.settings.Settings(client=False, initial_values={
            Setting.MAX_CONCURRENT_STREAMS: self.origin.max_streams, Setting.MAX_HEADER_LIST_SIZE: 65536})
        self.h2.initiate_connection()
        await self.flush()
        try:
            while data := await self.line.recv():
                try:
                    events = self.h2.receive_data(data)
                except h2.exceptions.ProtocolError as e:
                    raise Malformed(f'HTTP/2: {e!r}') from e
                for event in events:
                    await self.handle(event)
                await self.flush()
        finally:
            for s in self.streams.values():
                s.ended.set(), s.window.set()
            for t in self.tasks.values():
                t.cancel()

    async def handle(self, e):
        stream = self.streams.get(getattr(e, 'stream_id', None))
        if isinstance(e, h2.events.RequestReceived):
            await self.begin(e)
        elif isinstance(e, h2.events.SettingsAcknowledged):
            self.settled = True
        elif isinstance(e, h2.events.DataReceived):
            stream.req.body += e.data
            self.h2.acknowledge_received_data(e.flow_controlled_length, e.stream_id)
        elif isinstance(e, h2.events.TrailersReceived):
            stream.req.trailers = list(e.headers)
        elif isinstance(e, h2.events.StreamEnded):
            stream.req.complete = True
            stream.ended.set()
        elif isinstance(e, h2.events.StreamReset):
            self.live.discard(e.stream_id)
            stream.req.reset = e.error_code
            stream.ended.set(), stream.window.set()
        elif isinstance(e, (h2.events.WindowUpdated, h2.events.RemoteSettingsChanged)):
            for sid in self.live:
                self.streams[sid].window.set()
        elif isinstance(e, h2.events.ConnectionTerminated):
            self.line.farewell = e.error_code

    async def begin(self, e):
        from .origin import Request
        if len(self.live) >= self.origin.max_streams:
            if self.settled:
                self.origin.faults.append(Malformed(f'stream {e.stream_id} beyond MAX_CONCURRENT_STREAMS'))
            return self.h2.reset_stream(e.stream_id, error_code=Code.REFUSED_STREAM)
        fields = dict(e.headers)
        req = Request(self.line.number, fields.get(':method'), fields.get(':path'), list(e.headers), 'HTTP/2',
                      time.monotonic(), stream=e.stream_id)
        s = self.streams[e.stream_id] = Stream(self, req)
        self.live.add(e.stream_id)
        self.line.requests += 1
        self.origin.requests.append(req)
        if e.stream_id > self.last:     # it was in flight when we sent GOAWAY
            req.refused = True
            return
        self.tasks[e.stream_id] = self.origin.spawn(self.answer(self.origin.pick(req), s))

    async def answer(self, behaviour, s):
        try:
            await behaviour(s)
            s.req.ended = time.monotonic()
        except (h2.exceptions.ProtocolError, KeyError):
            pass                # the stream was reset meanwhile, which has been recorded already
        finally:
            self.live.discard(s.req.stream)


def h2_reset(code=Code.REFUSED_STREAM, *, after=None, wait_body=False):
    """Sends RST_STREAM: at once, after reading the whole request (`wait_body`), or after a response head and `after` body bytes."""
    async def behave(s):
        if wait_body:
            await s.read_body()
        if after is not None:
            s.session.h2.send_headers(s.req.stream, [(':status', '200')])
            await s.data(b'x' * after)
        await s.reset(code)
    return behave


def h2_goaway(below=0):
    """Sends GOAWAY, after answering the request. With `below`, the request is not answered, and GOAWAY marks it and the
    `below` - 1 streams before it as not processed."""
    async def behave(s):
        if not below:
            await s.read_body()
            await s.respond(200, [('X-Line', str(s.line.number))], b'bye')
        await s.session.goaway(max(0, s.req.stream - 2 * below))
    return behave
