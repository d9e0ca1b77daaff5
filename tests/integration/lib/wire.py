"""Raw-socket clients: they send exactly the given bytes, read exactly one response and check its syntax strictly."""
import concurrent.futures
import inspect
import json
import re
import socket
import struct
import threading
import time
from dataclasses import dataclass, field


LONG = 30       # how long, in seconds, an expected event may take on a busy machine; only a failing test waits this long


class WireError(AssertionError):
    """The response is not well-formed HTTP/1.1. An AssertionError, because the daemon is at fault."""


class Closed(WireError):
    """The daemon closed the connection before the response was complete; `got` is what had been received and not yet parsed."""

    def __init__(self, got):
        super().__init__(f'connection closed; got {bytes(got[:300])!r} ({len(got)} bytes)')
        self.got = bytes(got)


class Slow(WireError):
    """No (further) data arrived in time."""


def source_of(probe):
    try:
        return inspect.getsource(probe).strip().split('lambda: ')[-1]
    except (OSError, TypeError):
        return repr(probe)


def eventually(probe, timeout=LONG, every=0.01):
    """Polls until probe() is true and returns its value. On a timeout it fails and shows the last value."""
    end = time.monotonic() + timeout
    while True:
        value = probe()
        if value:
            return value
        assert time.monotonic() < end, f'not true within {timeout}s: {source_of(probe)} → {value!r}'
        time.sleep(every)


def at_rest(probe, quiet=0.3, timeout=LONG):
    """Waits until the value of probe() has not changed for `quiet` seconds, and returns it. The seconds are counted in naps, which
    take longer when the machine is busy, as does whatever may still change the value."""
    end, value, naps = time.monotonic() + timeout, probe(), 0
    while naps * 0.02 < quiet:
        assert time.monotonic() < end, f'still moves after {timeout}s: {source_of(probe)} → {value!r}'
        time.sleep(0.02)
        naps += 1
        if (now := probe()) != value:
            value, naps = now, 0
    return value


@dataclass
class Response:
    version: str
    status: int
    headers: list
    reason: str = ''
    body: bytes = b''
    trailers: list = field(default_factory=list)
    early: list = field(default_factory=list)       # the preceding 1xx responses
    framing: str = 'none'                           # none, length, chunked, close
    raw_head: bytes = b''
    took: float = 0.0

    def all(self, name):
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def get(self, name, default=None):
        return next(iter(self.all(name)), default)

    def number(self, name):
        found = self.get(name)
        assert found is not None and found.isdigit(), f'{name} is {found!r}, not a number of seconds'
        return int(found)

    @property
    def text(self):
        return self.body.decode('utf-8', 'replace')

    def json(self, **kw):
        try:
            return json.loads(self.body, **kw)
        except ValueError:
            raise WireError(f'not JSON: status {self.status}, body {self.body[:200]!r}') from None

    @property
    def keeps(self):
        tokens = ','.join(self.all('connection')).lower().replace(' ', '').split(',')
        return self.framing != 'close' and ('keep-alive' in tokens if self.version == 'HTTP/1.0' else 'close' not in tokens)


TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"


def parse_head(raw):
    start, *fields = raw.split(b'\r\n')
    m = re.fullmatch(rb'(HTTP/1\.[01]) (\d{3})(?: ([^\r\n\0]*))?', start)
    if not m:
        raise WireError(f'status line {start[:200]!r}')
    headers = []
    for f in fields:
        h = re.fullmatch(rb'(' + TOKEN + rb'):[ \t]*([^\r\n\0]*?)[ \t]*', f)
        if not h:
            raise WireError(f'header line {f[:200]!r}')
        headers.append((h[1].decode(), h[2].decode('latin-1')))
    return Response(m[1].decode(), int(m[2]), headers, (m[3] or b'').decode('latin-1'), raw_head=raw)


class Client:
    """One client connection. `where` is a port, an (address, port) pair, or a unix path."""

    def __init__(self, where, timeout=LONG, rcvbuf=None):
        if isinstance(where, str):
            self.sock = socket.socket(socket.AF_UNIX)
        else:
            where = where if isinstance(where, tuple) else ('127.0.0.1', where)
            self.sock = socket.socket(socket.AF_INET6 if ':' in where[0] else socket.AF_INET)
            if rcvbuf:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(timeout)
        try:
            self.sock.connect(where)
        except OSError as e:
            raise WireError(f'cannot connect to {where}: {e}') from None
        if self.sock.family != socket.AF_UNIX:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer, self.timeout, self.ended, self.head_seen = bytearray(), timeout, False, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def abort(self):
        """Closes the connection with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.sock.close()

    def send(self, data, gap=0, step=1):
        """Sends the data at once, or, with `gap`, `step` bytes every `gap` seconds."""
        data = data if isinstance(data, bytes) else data.encode('latin-1')
        try:
            if not gap:
                self.sock.sendall(data)
            for at in range(0, len(data) if gap else 0, step):
                self.sock.sendall(data[at:at + step])
                time.sleep(gap)
        except OSError as e:
            self.send_error = e         # not raised here: the response, if there is one, is more informative than EPIPE
        return self

    def more(self):
        try:
            data = self.sock.recv(65536)
        except socket.timeout:
            raise Slow(f'nothing more within {self.sock.gettimeout():.1f}s; got {bytes(self.buffer[:300])!r}') from None
        except OSError:
            data = b''
        if not data:
            self.ended = True
            raise Closed(self.buffer)
        self.buffer += data

    def _until(self, mark):
        while (at := self.buffer.find(mark)) < 0:
            self.more()
        found = bytes(self.buffer[:at])
        del self.buffer[:at + len(mark)]
        return found

    def _exactly(self, size):
        while len(self.buffer) < size:
            self.more()
        found = bytes(self.buffer[:size])
        del self.buffer[:size]
        return found

    def head(self):
        return parse_head(self._until(b'\r\n\r\n'))

    def response(self, method='GET', timeout=None):
        """Reads exactly one final response; preceding 1xx responses are collected in .early."""
        self.sock.settimeout(timeout or self.timeout)
        began, early = time.monotonic(), []
        while (r := self.head()).status < 200 and r.status != 101:
            early.append(r)
        r.early = early
        self.head_seen = r      # for tests that expect the body to be incomplete
        lengths, codings = r.all('content-length'), [c.lower() for c in r.all('transfer-encoding')]
        if len(lengths) > 1 or lengths and codings or lengths and not re.fullmatch(r'\d+', lengths[0]) or codings not in ([], ['chunked']):
            raise WireError(f'ambiguous framing in {r.raw_head!r}')
        if r.status in (204, 304, 101) or method == 'HEAD' or method == 'CONNECT' and r.status < 300:
            pass
        elif codings:
            r.framing = 'chunked'
            while True:
                line = self._until(b'\r\n')
                if not re.fullmatch(rb'[0-9A-Fa-f]{1,8}', line):
                    raise WireError(f'chunk size {line[:80]!r}')
                if not (size := int(line, 16)):
                    break
                r.body += self._exactly(size)
                if self._exactly(2) != b'\r\n':
                    raise WireError('no CRLF after chunk')
            while line := self._until(b'\r\n'):
                n, _, v = line.decode('latin-1').partition(':')
                r.trailers.append((n, v.strip()))
        elif lengths:
            r.framing = 'length'
            r.body = self._exactly(int(lengths[0]))
        else:
            r.framing = 'close'
            try:
                while True:
                    self.more()
            except Closed:
                r.body = bytes(self.buffer)
                self.buffer.clear()
        r.took = time.monotonic() - began
        return r

    def eof(self, timeout=LONG):
        """True if the daemon closes the connection without sending anything more, False on a timeout."""
        self.sock.settimeout(timeout)
        try:
            self.more()
        except Closed:
            return not self.buffer
        except Slow:
            return False
        raise WireError(f'unexpected bytes instead of the end: {bytes(self.buffer[:200])!r}')

    def request(self, method, target, headers=(), body=b'', host=None, **kw):
        """Sends a well-formed request on this connection and returns the response."""
        began = time.monotonic()
        self.send(compose(method, target, headers, body, host or self.host_header()))
        r = self.response(method, **kw)
        r.took = time.monotonic() - began
        return r

    def get(self, target, headers=(), **kw):
        return self.request('GET', target, headers, **kw)

    def host_header(self):
        return 'localhost' if self.sock.family == socket.AF_UNIX else 'localhost:%d' % self.sock.getpeername()[1]


def compose(method, target, headers=(), body=b'', host='localhost'):
    headers = list(headers)
    if not any(n.lower() == 'host' for n, _ in headers) and host != '':
        headers.insert(0, ('Host', host))
    if body and not any(n.lower() in ('content-length', 'transfer-encoding') for n, _ in headers):
        headers.append(('Content-Length', str(len(body))))
    return (f'{method} {target} HTTP/1.1\r\n' + ''.join(f'{n}: {v}\r\n' for n, v in headers) + '\r\n').encode('latin-1') + body


def chunked(*pieces):
    return b''.join(b'%x\r\n%b\r\n' % (len(p), p) for p in pieces) + b'0\r\n\r\n'


def parallel(count, work):
    """Runs work(0) … work(count-1) concurrently. Returns their results in order, or raises the first failure."""
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return [f.result() for f in [pool.submit(work, n) for n in range(count)]]


class Call(concurrent.futures.Future):
    def result(self, timeout=LONG):
        return super().result(timeout)


def background(work):
    """Runs work() in a thread; .result() of the returned Call waits for its result."""
    call = Call()

    def run():
        try:
            call.set_result(work())
        except BaseException as e:
            call.set_exception(e)
    threading.Thread(target=run, daemon=True).start()
    return call


def refuses(where):
    """True if connections to this address are refused."""
    try:
        Client(where, timeout=1).close()
        return False
    except WireError:
        return True
