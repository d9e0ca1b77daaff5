"""Strict readers of HTTP/1.1 messages (RFC 9112 to the letter): whatever two implementations might read differently is refused."""
import hashlib
import re

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
FIELD = re.compile(rb'(' + TOKEN + rb'): ?((?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)')
REQUEST = re.compile(rb'(' + TOKEN + rb') ([\x21-\x7e]+) HTTP/1\.1')
RESPONSE = re.compile(rb'HTTP/1\.1 ([1-5][0-9][0-9]) [\t\x20-\x7e\x80-\xff]*')
LENGTH = re.compile(rb'0|[1-9][0-9]{0,17}')


class Ambiguous(Exception):
    """The bytes are no message, or one that may be read in two ways."""


class Incomplete(Exception):
    """More bytes are needed."""


class Message:
    """One message: `start` (the match of its first line), fields [(name, value)], body, trailers, and its bytes `raw`."""

    def __init__(self, start, fields):
        self.start, self.fields, self.body, self.trailers, self.raw = start, fields, b'', [], b''

    def all(self, name):
        return [v for n, v in self.fields if n.lower() == name]

    @property
    def told(self):
        """A request in the words that the origins answer with."""
        return told(self.start[1], self.start[2], self.body)


def told(method, target, body):
    return b'%s %s %d %s' % (method, target, len(body), hashlib.sha1(body).hexdigest().encode())


def until(data, mark, at):
    end = data.find(mark, at)
    if end < 0:
        raise Incomplete
    return data[at:end], end + len(mark)


def fields_of(lines):
    found = []
    for line in lines:
        m = FIELD.fullmatch(line)
        if not m:
            raise Ambiguous(f'field {line[:80]!r}')
        found.append((m[1], m[2]))
    return found


def head_of(data, at, first):
    head, at = until(data, b'\r\n\r\n', at)
    start, *lines = head.split(b'\r\n')
    m = first.fullmatch(start)
    if not m:
        raise Ambiguous(f'start {start[:80]!r}')
    return Message(m, fields_of(lines)), at


def framing(message):
    """('length', n), ('chunked', 0) or (None, 0)."""
    te, cl = message.all(b'transfer-encoding'), message.all(b'content-length')
    if len(te) + len(cl) > 1:
        raise Ambiguous(f'several lengths: {te} {cl}')
    if te:
        if te[0].lower() != b'chunked':
            raise Ambiguous(f'Transfer-Encoding {te[0]!r}')
        return 'chunked', 0
    if cl:
        if not LENGTH.fullmatch(cl[0]):
            raise Ambiguous(f'Content-Length {cl[0]!r}')
        return 'length', int(cl[0])
    return None, 0


def chunks(data, at, message):
    body = []
    while True:
        line, at = until(data, b'\r\n', at)
        if not re.fullmatch(rb'[0-9a-fA-F]{1,15}', line):
            raise Ambiguous(f'chunk size {line[:40]!r}')
        size = int(line, 16)
        if size == 0:
            break
        if len(data) < at + size + 2:
            raise Incomplete
        if data[at + size:at + size + 2] != b'\r\n':
            raise Ambiguous('no CRLF behind a chunk')
        body.append(data[at:at + size])
        at += size + 2
    lines = []
    while True:
        line, at = until(data, b'\r\n', at)
        if not line:
            break
        lines.append(line)
    message.body, message.trailers = b''.join(body), fields_of(lines)
    return at


def exactly(data, at, size, message):
    if len(data) < at + size:
        raise Incomplete
    message.body = data[at:at + size]
    return at + size


def request(data, at=0):
    """(message, offset behind it)."""
    message, end = head_of(data, at, REQUEST)
    if len(message.all(b'host')) != 1:
        raise Ambiguous(f'Host {message.all(b"host")}')
    how, size = framing(message)
    end = chunks(data, end, message) if how == 'chunked' else exactly(data, end, size, message)
    message.raw = data[at:end]
    return message, end


def response(data, method, at=0, closed=False):
    """(the final response, offset behind it); the interim ones before it are skipped. `closed`: nothing follows `data`."""
    begin = at
    while True:
        message, end = head_of(data, at, RESPONSE)
        status = int(message.start[1])
        if status >= 200 or status == 101:
            break
        if framing(message)[0]:
            raise Ambiguous(f'a length in a {status}')
        at = end
    how, size = framing(message)
    if method == b'HEAD' or status in (101, 204, 304):
        if how and status in (101, 204):
            raise Ambiguous(f'a length in a {status}')
    elif how == 'chunked':
        end = chunks(data, end, message)
    elif how:
        end = exactly(data, end, size, message)
    elif closed:
        end = exactly(data, end, len(data) - end, message)
    else:
        raise Incomplete
    message.raw = data[begin:end]
    return message, end
