"""The same with an origin that speaks HTTP/2: what trunkline makes of ambiguous requests over HTTP/1.1 there, and what it relays of
ambiguous responses. The origin here reads frames to the letter of RFC 9113, and writes whatever it is told to."""
import collections
import concurrent.futures
import re
import ssl

import hpack
import hyperframe.frame as frame

import ambiguous
import differential
import neighbours
import reader
from lib import certs
from lib.daemon import Daemon, upstream
from lib.ports import free_port

PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
VALUE = re.compile(rb'(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?')
OF_CONNECTIONS = {b'connection', b'proxy-connection', b'keep-alive', b'transfer-encoding', b'upgrade', b'host'}


class Request:
    def __init__(self, fields):
        self.fields, self.body, self.trailers = fields, b'', []

    def one(self, name):
        found = [v for n, v in self.fields if n == name]
        if len(found) != 1:
            raise reader.Ambiguous(f'{name}: {found}')
        return found[0]

    @property
    def told(self):
        return reader.told(self.one(b':method'), self.one(b':path'), self.body)

    def form(self):
        """What of it may matter to a reader."""
        return re.sub(rb'\d{5}', b'00000', repr((self.fields, self.body, self.trailers)).encode())


def check_fields(fields):
    for name, value in fields:
        if not NAME.fullmatch(name.lstrip(b':')) or not VALUE.fullmatch(value):
            raise reader.Ambiguous(f'field {name[:40]!r}: {value[:40]!r}')
        if name in OF_CONNECTIONS or name == b'te' and value != b'trailers':
            raise reader.Ambiguous(f'{name!r} in HTTP/2')


def check(request):
    """RFC 9113 8.1.1, 8.2 and 8.3, and no Host beside :authority."""
    check_fields([*request.fields, *request.trailers])
    names = [n for n, _ in request.fields]
    pseudo = [n for n in names if n.startswith(b':')]
    if names[:len(pseudo)] != pseudo or any(n.startswith(b':') for n, _ in request.trailers):
        raise reader.Ambiguous(f'pseudo fields behind others: {names}')
    if sorted(pseudo) != [b':authority', b':method', b':path', b':scheme']:
        raise reader.Ambiguous(f'pseudo fields {pseudo}')
    lengths = [v for n, v in request.fields if n == b'content-length']
    if len(lengths) > 1 or lengths and (not reader.LENGTH.fullmatch(lengths[0]) or int(lengths[0]) != len(request.body)):
        raise reader.Ambiguous(f'content-length {lengths} of {len(request.body)} bytes')


class Origin(differential.Server):
    """An HTTP/2 origin. answer(request) gives the frames of the answer, without their stream: ('fields', fields, ends) or
    ('data', bytes, ends)."""

    def __init__(self, answer):
        self.answer = answer
        self.context = certs.server_context('good', ('h2',))
        super().__init__(self.serve_line)

    def serve_line(self, sock):
        try:
            with self.context.wrap_socket(sock, server_side=True) as s:
                Line(s, self.answer).run()
        except ssl.SSLError:
            pass


class Line:
    """One connection."""

    def __init__(self, sock, answer):
        self.sock, self.answer, self.data = sock, answer, b''
        self.reads, self.writes, self.open, self.block = hpack.Decoder(), hpack.Encoder(), {}, None

    def exactly(self, size):
        while len(self.data) < size:
            piece = self.sock.recv(65536)
            if not piece:
                raise ConnectionResetError
            self.data += piece
        found, self.data = self.data[:size], self.data[size:]
        return found

    def run(self):
        if self.exactly(len(PREFACE)) != PREFACE:
            return
        self.sock.sendall(frame.SettingsFrame(0).serialize())
        while True:
            f, size = frame.Frame.parse_frame_header(memoryview(self.exactly(9)))
            f.parse_body(memoryview(self.exactly(size)))
            self.take(f)

    def take(self, f):
        if isinstance(f, frame.SettingsFrame) and 'ACK' not in f.flags:
            self.sock.sendall(frame.SettingsFrame(0, flags=['ACK']).serialize())
        elif isinstance(f, frame.PingFrame) and 'ACK' not in f.flags:
            self.sock.sendall(frame.PingFrame(0, f.opaque_data, flags=['ACK']).serialize())
        elif isinstance(f, frame.HeadersFrame):
            self.block = [f.data, 'END_STREAM' in f.flags]
            self.end_block(f)
        elif isinstance(f, frame.ContinuationFrame):
            self.block[0] += f.data
            self.end_block(f)
        elif isinstance(f, frame.DataFrame) and f.stream_id in self.open:
            self.open[f.stream_id].body += f.data
            self.end(f.stream_id, 'END_STREAM' in f.flags)
            if f.data:
                self.sock.sendall(frame.WindowUpdateFrame(0, window_increment=len(f.data)).serialize())
        elif isinstance(f, frame.RstStreamFrame):
            self.open.pop(f.stream_id, None)

    def end_block(self, f):
        if 'END_HEADERS' not in f.flags:
            return
        fields = [(bytes(n), bytes(v)) for n, v in self.reads.decode(self.block[0], raw=True)]
        if f.stream_id in self.open:
            self.open[f.stream_id].trailers = fields
        else:
            self.open[f.stream_id] = Request(fields)
            if not self.block[1] and (b'expect', b'100-continue') in [(n, v.lower()) for n, v in fields]:
                self.say(f.stream_id, 'fields', [(b':status', b'100')], False)
        self.end(f.stream_id, self.block[1])

    def end(self, stream, ends):
        if not ends:
            return
        for piece in self.answer(self.open.pop(stream)):
            self.say(stream, *piece)

    def say(self, stream, kind, what, ends):
        if kind == 'fields':
            f = frame.HeadersFrame(stream, self.writes.encode([hpack.NeverIndexedHeaderTuple(*x) for x in what], huffman=False), flags=['END_HEADERS'])
        else:
            f = frame.DataFrame(stream, what)
        if ends:
            f.flags.add('END_STREAM')
        self.sock.sendall(f.serialize())


# ------------------------------------------------------------------------------------------------------------------- requests

class StrictOrigin(Origin):
    """Answers with what it was asked. Keeps each request, and what was ambiguous."""

    def __init__(self):
        self.requests, self.alarms = [], []
        super().__init__(self.told)

    def told(self, request):
        try:
            check(request)
            told = request.told
        except reader.Ambiguous as why:
            self.alarms.append((str(why), request.fields))
            return
        self.requests.append(request)
        yield 'fields', [(b':status', b'200'), (b'content-length', b'0'), (b'x-told', told)], True


def daemon_for(port, folder):
    block = upstream('ex', f'127.0.0.1:{port}', ca_file=certs.CA, http2='always', max_connections=differential.WORKERS)
    return Daemon(block, folder=folder, client_body_timeout='500ms', client_header_timeout='500ms')


def asked(port, cases, folder):
    """What the clients of the cases [(number, bytes)] got from the origin at this port: {number: what it was told}."""
    daemon = daemon_for(port, folder)
    try:
        with concurrent.futures.ThreadPoolExecutor(differential.WORKERS) as pool:
            got = pool.map(lambda c: (c[0], differential.told_in(differential.exchange(daemon, *c)[0])), cases)
        assert daemon.alive(), daemon.stderr[-2000:]
        return dict(got)
    finally:
        daemon.reap()


def forwarded(cases, folder, report):
    """What trunkline forwards of the cases [(number, name, bytes)]: {number: what the origin was asked}, of each form once."""
    origin = StrictOrigin()
    try:
        got = asked(origin.port, [(n, raw) for n, _, raw in cases], folder)
    finally:
        origin.stop()
    for why, fields in origin.alarms:
        report.fault('forwarded over HTTP/2', why, fields)
    seen, forms = collections.defaultdict(list), collections.defaultdict(list)
    for r in origin.requests:
        tag = re.search(rb'(?:/t|hidden)(\d{5})', r.one(b':path'))
        number = int(tag[1]) if tag else -1
        seen[number].append(r.told)
        forms[number].append(r.form())
    for number, name, _ in cases:
        if [t for t in got[number] if t not in seen[number]]:
            report.fault(name, 'the client was answered for', got[number], 'but forwarded was', seen[number])
    first = {}
    for number, form in forms.items():
        if number >= 0:
            first.setdefault(tuple(form), number)
    report.counts.update(cases=len(cases), forwarded=len(origin.requests), forms=len(first))
    return {number: seen[number] for number in first.values()}


def judge_neighbour(neighbour, cases, seen, folder, report):
    """The neighbour, as the origin itself, may refuse a request, but see no other than the strict one did."""
    got = asked(neighbour.port, [(n, raw) for n, _, raw in cases if n in seen], folder)
    names = {n: name for n, name, _ in cases}
    for number, told in got.items():
        rest = list(seen[number])
        for t in told:
            while rest and rest[0] != t:
                rest.pop(0)
            if not rest:
                report.fault(names[number], neighbour.name, 'reads', t, 'for', seen[number])
                break
            rest.pop(0)
        report.counts[f'{neighbour.name}: {"refused or cut" if rest else "read alike"}'] += 1


def requests(folder, every=1, first=0, with_go=True):
    report = differential.Report()
    cases = [(i, name, raw) for i, (name, raw) in enumerate(ambiguous.requests())][first::every]
    cases = [c for c in cases if b'Upgrade: websocket' not in c[2]]       # which takes HTTP/1.1
    seen = forwarded(cases, f'{folder}/strict', report)
    behind = differential.StrictOrigin()
    found = [n for n in (neighbours.nginx(behind.port, free_port(), h2=True), neighbours.haproxy(behind.port, free_port(), h2=True),
                         neighbours.node(h2=True), neighbours.go(h2=True) if with_go else None) if n]
    try:
        for n in found:
            judge_neighbour(n, cases, seen, f'{folder}/{n.name}', report)
    finally:
        for n in found:
            n.stop()
        behind.stop()
    for why, data in behind.alarms:
        report.fault('a proxy forwarded', why, data)
    return report


# ------------------------------------------------------------------------------------------------------------------ responses

OK = (b':status', b'200')
STATUSES = [b'200', b'0200', b'2000', b'20', b' 200', b'200 ', b'200 OK', b'2\r\n00', b'+200', b'', b'99', b'099', b'600', b'999', b'101', b'100', b'199', b'204', b'205', b'304',
            b'206', b'404', b'500', b'2x0', b'200\r\nX: y', b'\xb2\xb0\xb0', b'200\x00']
EVIL = ambiguous.EVIL


def answered(*fields, body=b'hello', trailers=(), before=()):
    """The frames of an answer."""
    frames = [('fields', list(f), False) for f in before]
    frames.append(('fields', list(fields), not body and not trailers))
    if body:
        frames.append(('data', body, not trailers))
    if trailers:
        frames.append(('fields', list(trailers), True))
    return frames


def field_of(text):
    """A line "Name: value" as it would stand in a block, in lower case and as it is."""
    name, _, value = text.partition(b':')
    return [(name.lower(), value.strip(b' ')), (name, value)]


def field_cases():
    for v in ambiguous.LENGTHS:
        yield f'length {v!r}', answered(OK, (b'content-length', v))
        yield f'length 5 and {v!r}', answered(OK, (b'content-length', b'5'), (b'content-length', v))
    for size in (0, 4, 6, 500):
        for body in (b'', b'hello', b'hello' + EVIL):
            yield f'length {size} of {len(body)} bytes', answered(OK, (b'content-length', b'%d' % size), body=body)
    for v in ambiguous.CODINGS:
        yield f'coding {v!r}', answered(OK, (b'transfer-encoding', v), body=b'0\r\n\r\n' + EVIL)
        yield f'coding {v!r} and a length', answered(OK, (b'transfer-encoding', v), (b'content-length', b'5'))
    for n in ambiguous.SPELLINGS:
        for name, value in ((b'content-length', b'5'), (b'transfer-encoding', b'chunked'), (b':status', b'204')):
            yield f'name {n % name!r}', answered(OK, (n % name, value))
    for o in ambiguous.OTHERS:
        for f in field_of(o):
            yield f'field {f!r:.60}', answered(OK, f)
    for s in STATUSES:
        yield f'status {s!r}', answered((b':status', s))
        yield f'status {s!r} without body', answered((b':status', s), body=b'')
        yield f'status 200 and {s!r}', answered(OK, (b':status', s))


def block_cases():
    yield 'no status', answered((b'x', b'y'))
    yield 'a status behind a field', answered((b'x', b'y'), OK)
    yield 'a path', answered(OK, (b':path', b'/'))
    yield 'an empty block', answered()
    for t in ambiguous.TRAILERS:
        for f in field_of(t):
            yield f'trailer {f!r}', answered(OK, trailers=[f])
            yield f'trailer {f!r} without body', answered(OK, body=b'', trailers=[f])
    yield 'a status in trailers', answered(OK, trailers=[(b':status', b'200')])
    for f in ((b'content-length', b'5'), (b'transfer-encoding', b'chunked'), (b'connection', b'close'), (b'link', b'a\r\nb: c'), (b'upgrade', b'x')):
        for s in (b'100', b'103', b'101', b'199'):
            yield f'interim {s!r} with {f!r}', answered(OK, before=[[(b':status', s), f]])
    yield 'twenty interim answers', answered(OK, before=[[(b':status', b'102')]] * 20)
    yield 'two answers', answered(OK, before=[[OK]])
    yield 'an answer in the body', answered(OK, body=EVIL)
    yield 'an answer in a value', answered(OK, (b'x', b'a\r\n\r\n' + EVIL))
    yield 'an answer in a name', answered(OK, (b'x: a\r\n\r\n' + EVIL, b'b'))


def byte_cases():
    for b in range(256):
        c = bytes([b])
        yield f'byte 0x{b:02x} behind a length', answered(OK, (b'content-length', b'5' + c))
        yield f'byte 0x{b:02x} in front of a length', answered(OK, (b'content-length', c + b'5'))
        yield f'byte 0x{b:02x} behind a name', answered(OK, (b'content-length' + c, b'5'))
        yield f'byte 0x{b:02x} in front of a name', answered(OK, (c + b'content-length', b'5'))
        yield f'byte 0x{b:02x} in a value', answered(OK, (b'x', b'a' + c + b'b'))
        yield f'byte 0x{b:02x} behind a value', answered(OK, (b'x', b'a' + c))
        yield f'byte 0x{b:02x} behind a status', answered((b':status', b'200' + c))
        yield f'byte 0x{b:02x} in a trailer', answered(OK, trailers=[(b'x' + c, b'a')])


def response_cases():
    """[(name, frames, method)]"""
    cases = [*field_cases(), *block_cases()]
    return [(n, frames, b'GET') for n, frames in (*cases, *byte_cases())] + [(f'{n} to HEAD', frames, b'HEAD') for n, frames in cases]


class Answers(Origin):
    """Answers /e<i> with the i-th frames, and anything else honestly."""

    def __init__(self, cases):
        self.cases = cases
        super().__init__(self.frames)

    def frames(self, request):
        path = request.one(b':path')
        m = re.fullmatch(rb'/e(\d+)', path)
        return self.cases[int(m[1])] if m else answered(OK, body=b'honest ' + path)


def responses(folder, every=1, first=0, with_go=True):
    """What is relayed over HTTP/1.1 is judged as that of an HTTP/1.1 origin."""
    cases = response_cases()[first::every]
    origins = [Answers([c[1] for c in cases]) for _ in range(differential.LINES)]
    blocks = [upstream(f'w{i}', f'127.0.0.1:{o.port}', host=f'w{i}.exchange.test', ca_file=certs.CA, http2='always', max_connections=1, retries=0,
                       response_timeout='1s', body_timeout='1s', breaker_failures=100000) for i, o in enumerate(origins)]
    return differential.responses_of(origins, blocks, cases, folder, with_go)
