"""Requests and responses that two implementations might read differently, each with another message hidden behind it."""
PATH = b'@PATH@'            # replaced by the path of the case
HIDDEN = b'GET @HIDDEN@ HTTP/1.1\r\nHost: localhost\r\n\r\n'
HOST = b'Host: localhost'
EMPTY, HELLO = b'0\r\n\r\n', b'5\r\nhello\r\n0\r\n\r\n'

LENGTHS = [b'5', b'+5', b'-5', b' 5', b'5 ', b'\t5', b'05', b'0005', b'0x5', b'5,5', b'5, 5', b'5,6', b'5,', b',5', b'5;', b'5;q=1', b'5.0', b'5e0', b'5 5',
           b'5\x0b', b'\x0c5', b'5\x00', b'"5"', b"'5'", b'five', b'', b' ', b'5\xa0', b'\xef\xbc\x95', b'%35', b'5\x7f', b'4294967301',
           b'18446744073709551621', b'9223372036854775808', b'99999999999999999999999999', b'-0', b'+0', b'00', b'1_0', b'0b101', b'5\r', b'5\n', b'\r5']
CODINGS = [b'chunked', b'Chunked', b'CHUNKED', b'chunked ', b'\tchunked', b'chunked\t', b'\x0bchunked', b'chunked\x0b', b'chunked\x0c', b'chunked\x00',
           b'\x00chunked', b'chunked\r', b'\rchunked', b'chunked\n', b'"chunked"', b"'chunked'", b'chunked,', b',chunked', b'chunked, chunked',
           b'chunked, identity', b'identity, chunked', b'identity', b'gzip', b'gzip, chunked', b'chunked, gzip', b'chunked;q=1', b'chunked;', b'xchunked',
           b'chunkedx', b'chunked x', b'chunk', b'chun ked', b'chunked\x7f', b'chunked\xa0', b'\xc2\xa0chunked', b'\xe2\x84\xaahunked', b'cow', b'', b' ', b',',
           b'cow, chunked', b'chunked, cow', b'chunked=1', b'(chunked)', b'chunked\x1f', b'0', b'deflate']
SPELLINGS = [b'%s', b'%s ', b' %s', b'\t%s', b'%s\t', b'%s\x0b', b'%s\x00', b'\x00%s', b'\xef\xbb\xbf%s', b'%s\xa0', b'X: a\n%s', b'X: a\r%s', b'X: a\r\r%s',
             b'X: a\x00\r\n%s', b'X: a\r\n %s', b'X: a\r\n\t%s', b'X-%s', b'%s:', b':%s', b'%s\\', b'"%s"', b'%s\r', b'%s\r\n', b'X: \r\n\r %s', b'%s;', b'(%s)']
CHUNKS = [b'5\r\nhello\r\n0\r\n\r\n', b'05\r\nhello\r\n0\r\n\r\n', b'5 \r\nhello\r\n0\r\n\r\n', b' 5\r\nhello\r\n0\r\n\r\n', b'5\t\r\nhello\r\n0\r\n\r\n', b'0x5\r\nhello\r\n0\r\n\r\n',
          b'+5\r\nhello\r\n0\r\n\r\n', b'-5\r\nhello\r\n0\r\n\r\n', b'5;a\r\nhello\r\n0\r\n\r\n', b'5;a="\r\n"\r\nhello\r\n0\r\n\r\n', b'5;\nhello\r\n0\r\n\r\n', b'5;a\rb\r\nhello\r\n0\r\n\r\n',
          b'5\nhello\r\n0\r\n\r\n', b'5\rhello\r\n0\r\n\r\n', b'5\r\nhello\n0\r\n\r\n', b'5\r\nhello\r0\r\n\r\n', b'5\r\nhello0\r\n\r\n', b'5\r\nhello\r\n0\r\n', b'5\r\nhello\r\n0\n\n',
          b'5\r\nhello\r\n0\r\n\n', b'5\r\nhello\r\n00\r\n\r\n', b'5\r\nhello\r\n0;x\r\n\r\n', b'5\r\nhello\r\n-0\r\n\r\n', b'5\r\nhello\r\n0 \r\n\r\n', b'5\r\nhello\r\n\r\n0\r\n\r\n',
          b'5\r\nhello\r\n;0\r\n\r\n', b'10000000000000005\r\nhello\r\n0\r\n\r\n', b'100000005\r\nhello\r\n0\r\n\r\n', b'\xb5\r\nhello\r\n0\r\n\r\n', b'5\x00\r\nhello\r\n0\r\n\r\n', b'g\r\n\r\n0\r\n\r\n',
          b'\r\n5\r\nhello\r\n0\r\n\r\n', b'5_0\r\nhello\r\n0\r\n\r\n', b'5,5\r\nhello\r\n0\r\n\r\n', b'A\r\nhelloworld\r\n0\r\n\r\n', b'a\r\nhelloworld\r\n0\r\n\r\n']
TRAILERS = [b'X: a', b'Content-Length: 5', b'Transfer-Encoding: chunked', b'Host: b', b'X : a', b' X: a', b'X: a\r\n b', b'X', b': a', b'X: a\rY: b', b'X: \x00', b'Connection: close',
            b'X: a\nY: b', b'\x00: a', b'GET @HIDDEN@ HTTP/1.1', b'Set-Cookie: a']
STARTS = [b'POST @PATH@ HTTP/1.0', b'POST @PATH@ HTTP/1.2', b'POST @PATH@ HTTP/2.0', b'POST @PATH@ HTTP/0.9', b'POST @PATH@', b'POST  @PATH@ HTTP/1.1', b'POST @PATH@  HTTP/1.1',
          b'POST\t@PATH@ HTTP/1.1', b'POST @PATH@\tHTTP/1.1', b' POST @PATH@ HTTP/1.1', b'POST @PATH@ HTTP/1.1 ', b'POST @PATH@ http/1.1', b'POST @PATH@ HTTP/1.1x', b'POST @PATH@ HTTP/1,1',
          b'POST @PATH@ HTTP/11', b'POST @PATH@ HTTP/1.01', b'post @PATH@ HTTP/1.1', b'POST @PATH@#x HTTP/1.1', b'POST @PATH@?a b HTTP/1.1', b'POST @PATH@\x0b HTTP/1.1', b'POST @PATH@\x00 HTTP/1.1',
          b'POST @PATH@\xff HTTP/1.1', b'PO ST @PATH@ HTTP/1.1', b'POST: @PATH@ HTTP/1.1', b'\r\nPOST @PATH@ HTTP/1.1', b'\nPOST @PATH@ HTTP/1.1', b'\r\n\r\nPOST @PATH@ HTTP/1.1', b'GET @PATH@ HTTP/1.1',
          b'HEAD @PATH@ HTTP/1.1', b'OPTIONS @PATH@ HTTP/1.1', b'TRACE @PATH@ HTTP/1.1', b'DELETE @PATH@ HTTP/1.1', b'CONNECT @PATH@ HTTP/1.1', b'FROB @PATH@ HTTP/1.1', b'OPTIONS * HTTP/1.1',
          b'POST http://ex.test@PATH@ HTTP/1.1', b'POST http://ex.test:80@PATH@ HTTP/1.1', b'POST http://other.test@PATH@ HTTP/1.1', b'POST //@PATH@ HTTP/1.1', b'POST @PATH@/../x HTTP/1.1',
          b'POST @PATH@/%2e%2e/x HTTP/1.1', b'POST @PATH@%0d%0aX:%20y HTTP/1.1', b'POST @PATH@\\x HTTP/1.1', b'POST @PATH@;x HTTP/1.1', b'POST @PATH@%00 HTTP/1.1', b'POST @PATH@//x HTTP/1.1']
HOSTS = [b'', b'Host:', b'Host: localhost\r\nHost: b', b'Host: localhost, b', b'Host : localhost', b'Host: localhost\r\n x', b'Host: a@localhost', b'Host: localhost:99999', b'Host: localhost/x',
         b'Host: localhost\x00', b'hOST: localhost', b' Host: localhost', b'Host: local host', b'Host: localhost\r', b'Host: \tlocalhost\t']
OTHERS = [b'Connection: Content-Length', b'Connection: Transfer-Encoding', b'Connection: Host', b'Connection: close, Content-Length', b'Connection: X\x00', b'Proxy-Connection: keep-alive',
          b'TE: trailers', b'TE: chunked', b'Trailer: Content-Length', b'Upgrade: h2c', b'Upgrade: websocket\r\nConnection: Upgrade', b'HTTP2-Settings: AAMAAABkAAQAAP__\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings',
          b'Expect: 100-continue', b'Expect: 100-Continue', b'Expect: x', b'Expect: 100-continue, x', b'Expect:', b'Keep-Alive: timeout=5', b'Content_Length: 4', b'Transfer_Encoding: chunked',
          b'Max-Forwards: 0', b'X: ' + b'b' * 9000, b':path: @HIDDEN@', b':method: GET', b'X-HTTP-Method-Override: GET', b'X: a%0d%0ab: c', b'X:', b'X: \xff', b'Cookie: a\r\nCookie: b', b'Via: 1.1 a\x0b',
          b'Content-Encoding: gzip', b'Range: bytes=0-0', b'Sec-WebSocket-Key: x', b'Te: gzip, trailers', b'Forwarded: for=1']
LINE_ENDS = [b'\n', b'\r', b'\n\r', b'\r\r\n', b'\r\n\n', b'\x0b', b'\x0c', b'\x85', b' \r\n', b'\t\r\n', b'\x00\r\n', b'\r\x00\n']
FOLDS = [b'\r\n ', b'\r\n\t', b'\n ', b'\r ', b'\r\n\r\n ', b'\r\n \r\n']


def message(start, fields, body=b'', end=b'\r\n'):
    return end.join([start, *fields, b'', b'']) + body


def post(*fields, body=b'', start=b'POST @PATH@ HTTP/1.1', host=HOST):
    return message(start, [*([host] if host else []), *fields], body + HIDDEN)


def length_cases():
    for v in LENGTHS:
        yield f'length {v!r}', post(b'Content-Length: ' + v, body=b'hello')
        yield f'length {v!r} of a GET', post(b'Content-Length: ' + v, body=b'hello', start=b'GET @PATH@ HTTP/1.1')
        yield f'length 5 and {v!r}', post(b'Content-Length: 5', b'content-length: ' + v, body=b'hello')
    for n in SPELLINGS:
        for name in (b'Content-Length', b'Transfer-Encoding'):
            value, body = (b'5', b'hello') if name[:1] == b'C' else (b'chunked', EMPTY)
            for length in (None, b'4', b'5'):
                more = [b'Content-Length: ' + length] if length else []
                yield f'name {n % name!r} with {length}', post(n % name + b': ' + value, *more, body=body)


def coding_cases():
    for v in CODINGS:
        for length in (None, b'0', b'4', b'5'):
            more = [b'Content-Length: ' + length] if length else []
            yield f'coding {v!r}, {length}', post(b'Transfer-Encoding: ' + v, *more, body=EMPTY)
            yield f'{length}, coding {v!r}', post(*more, b'Transfer-Encoding: ' + v, body=EMPTY)
        yield f'coding {v!r} and chunked', post(b'Transfer-Encoding: ' + v, b'Transfer-Encoding: chunked', body=EMPTY)
        yield f'coding {v!r} of 1.0', post(b'Transfer-Encoding: ' + v, body=EMPTY, start=b'POST @PATH@ HTTP/1.0')
        yield f'coding {v!r} of a GET', post(b'Transfer-Encoding: ' + v, body=EMPTY, start=b'GET @PATH@ HTTP/1.1')


def body_cases():
    for c in CHUNKS:
        yield f'chunks {c!r}', post(b'Transfer-Encoding: chunked', body=c)
    for t in TRAILERS:
        yield f'trailer {t!r}', post(b'Transfer-Encoding: chunked', body=b'5\r\nhello\r\n0\r\n' + t + b'\r\n\r\n')
    for o in OTHERS:
        yield f'{o[:60]!r} with a length', post(o, b'Content-Length: 5', body=b'hello')
        yield f'{o[:60]!r} with chunks', post(o, b'Transfer-Encoding: chunked', body=HELLO)
        yield f'{o[:60]!r} of a GET', post(o, start=b'GET @PATH@ HTTP/1.1')


def head_cases():
    for s in STARTS:
        yield f'start {s!r}', post(b'Content-Length: 5', body=b'hello', start=s)
        yield f'start {s!r} without body', post(start=s)
        yield f'start {s!r} with chunks', post(b'Transfer-Encoding: chunked', body=HELLO, start=s)
    for h in HOSTS:
        yield f'host {h!r}', post(b'Content-Length: 5', body=b'hello', host=h)
    lines = [b'POST @PATH@ HTTP/1.1', HOST, b'Content-Length: 5', b'']
    for e in LINE_ENDS:
        yield f'all lines end in {e!r}', message(lines[0], lines[1:3], b'hello' + HIDDEN, e)
        for at in range(4):
            yield f'line {at} ends in {e!r}', b''.join(row + (e if i == at else b'\r\n') for i, row in enumerate(lines)) + b'hello' + HIDDEN
    for f in FOLDS:
        yield f'fold {f!r}', post(b'X: a' + f + b'b', b'Content-Length: 5', body=b'hello')
        yield f'fold {f!r} of the length', post(b'Content-Length:' + f + b'5', body=b'hello')
        yield f'fold {f!r} of the coding', post(b'Transfer-Encoding:' + f + b'chunked', body=HELLO)


# Where each byte is put: into a message that is right without it.
PLACES = {
    'in front': b'@BYTE@POST @PATH@ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello',
    'in the target': b'POST @PATH@@BYTE@x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello',
    'behind the version': b'POST @PATH@ HTTP/1.1@BYTE@\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello',
    'in a name': b'POST @PATH@ HTTP/1.1\r\nHost: localhost\r\nX@BYTE@Y: a\r\nContent-Length: 5\r\n\r\nhello',
    'behind a name': b'POST @PATH@ HTTP/1.1\r\nHost: localhost\r\nContent-Length@BYTE@: 5\r\n\r\nhello',
    'in front of a name': b'POST @PATH@ HTTP/1.1\r\nHost: localhost\r\n@BYTE@Content-Length: 5\r\n\r\nhello',
    'in a value': b'POST @PATH@ HTTP/1.1\r\nHost: localhost\r\nX: a@BYTE@b\r\nContent-Length: 5\r\n\r\nhello',
    'in front of a length': b'POST @PATH@ HTTP/1.1\r\nHost: localhost\r\nContent-Length:@BYTE@5\r\n\r\nhello',
    'behind a length': b'POST @PATH@ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5@BYTE@\r\n\r\nhello',
    'behind a coding': b'POST @PATH@ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked@BYTE@\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    'behind a chunk size': b'POST @PATH@ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5@BYTE@\r\nhello\r\n0\r\n\r\n',
    'behind a chunk': b'POST @PATH@ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello@BYTE@\r\n0\r\n\r\n',
    'in a trailer': b'POST @PATH@ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX@BYTE@: a\r\n\r\n',
    'at the end of the head': b'POST @PATH@ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n@BYTE@\r\nhello',
}


def byte_cases():
    for where, text in PLACES.items():
        for b in range(256):
            yield f'byte 0x{b:02x} {where}', text.replace(b'@BYTE@', bytes([b])) + HIDDEN


def requests():
    """[(name, bytes)]"""
    return [case for part in (length_cases, coding_cases, body_cases, head_cases, byte_cases) for case in part()]


# ------------------------------------------------------------------------------------------------------------------ responses

EVIL = b'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Hidden: yes\r\n\r\nevil'


def answer(*fields, body=b'', start=b'HTTP/1.1 200 OK'):
    return message(start, fields, body + EVIL)


RESPONSE_STARTS = [b'HTTP/1.0 200 OK', b'HTTP/1.1 200', b'HTTP/1.1  200 OK', b'HTTP/1.1 200 ', b'HTTP/1.1 0200 OK', b'HTTP/1.1 20 OK', b'HTTP/1.1 2000 OK', b'HTTP/1.1 999 X', b'HTTP/1.1 099 X', b'HTTP/2 200 OK',
                   b'HTTP/1.2 200 OK', b'http/1.1 200 OK', b'HTTP/1.1\t200 OK', b' HTTP/1.1 200 OK', b'ICY 200 OK', b'HTTP/1.1 200 O\x00K', b'HTTP/1.1 200 O\rK', b'HTTP/1.1 -200 OK', b'HTTP/1.1 200OK',
                   b'HTTP/1.1 204 No', b'HTTP/1.1 304 Not', b'HTTP/1.1 205 Reset', b'HTTP/1.1 404 No', b'HTTP/1.1 500 No', b'HTTP/1.1 101 Switching', b'HTTP/1.1 206 Part', b'\r\nHTTP/1.1 200 OK', b'HTTP/1.1 200 \xff']
INTERIM = [b'HTTP/1.1 100 Continue\r\n\r\n', b'HTTP/1.1 103 Early\r\nLink: a\r\n\r\n', b'HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n', b'HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n',
           b'HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n', b'HTTP/1.1 102 X\r\n\r\n' * 3, b'HTTP/1.1 100 Continue\r\n\r\n' * 20, b'HTTP/1.0 100 Continue\r\n\r\n', b'HTTP/1.1 199 X\r\n\r\n']


def response_cases():
    for v in LENGTHS:
        yield f'length {v!r}', answer(b'Content-Length: ' + v, body=b'hello')
        yield f'length 5 and {v!r}', answer(b'Content-Length: 5', b'content-length: ' + v, body=b'hello')
    for v in CODINGS:
        for length in (None, b'0', b'5'):
            more = [b'Content-Length: ' + length] if length else []
            yield f'coding {v!r}, {length}', answer(b'Transfer-Encoding: ' + v, *more, body=EMPTY)
            yield f'{length}, coding {v!r}', answer(*more, b'Transfer-Encoding: ' + v, body=HELLO)
        yield f'coding {v!r} and chunked', answer(b'Transfer-Encoding: ' + v, b'Transfer-Encoding: chunked', body=HELLO)
    for n in SPELLINGS:
        for name, value, body in ((b'Content-Length', b'5', b'hello'), (b'Transfer-Encoding', b'chunked', HELLO)):
            for more in ([], [b'Content-Length: 5'], [b'Content-Length: 0']):
                yield f'name {n % name!r} with {more}', answer(n % name + b': ' + value, *more, body=body)
    for c in CHUNKS:
        yield f'chunks {c!r}', answer(b'Transfer-Encoding: chunked', body=c)
    for t in TRAILERS:
        yield f'trailer {t!r}', answer(b'Transfer-Encoding: chunked', body=b'5\r\nhello\r\n0\r\n' + t + b'\r\n\r\n')
    for o in OTHERS:
        yield f'{o[:60]!r}', answer(o, b'Content-Length: 5', body=b'hello')
        yield f'{o[:60]!r} with chunks', answer(o, b'Transfer-Encoding: chunked', body=HELLO)
    for s in RESPONSE_STARTS:
        yield f'start {s!r}', answer(b'Content-Length: 5', body=b'hello', start=s)
        yield f'start {s!r} with chunks', answer(b'Transfer-Encoding: chunked', body=HELLO, start=s)
        yield f'start {s!r} without length', answer(start=s)
    for i in INTERIM:
        yield f'interim {i[:60]!r}', i + answer(b'Content-Length: 5', body=b'hello')
    lines = [b'HTTP/1.1 200 OK', b'X: y', b'Content-Length: 5', b'']
    for e in LINE_ENDS:
        for at in range(4):
            yield f'line {at} ends in {e!r}', b''.join(row + (e if i == at else b'\r\n') for i, row in enumerate(lines)) + b'hello' + EVIL
    for f in FOLDS:
        yield f'fold {f!r} of the length', answer(b'Content-Length:' + f + b'5', body=b'hello')
        yield f'fold {f!r} of the coding', answer(b'Transfer-Encoding:' + f + b'chunked', body=HELLO)
    for b in range(256):
        c = bytes([b])
        yield f'byte 0x{b:02x} behind a length', answer(b'Content-Length: 5' + c, body=b'hello')
        yield f'byte 0x{b:02x} behind a name', answer(b'Content-Length' + c + b': 5', body=b'hello')
        yield f'byte 0x{b:02x} behind a coding', answer(b'Transfer-Encoding: chunked' + c, body=HELLO)
        yield f'byte 0x{b:02x} in a value', answer(b'X: a' + c + b'b', b'Content-Length: 5', body=b'hello')
        yield f'byte 0x{b:02x} behind a chunk size', answer(b'Transfer-Encoding: chunked', body=b'5' + c + b'\r\nhello\r\n0\r\n\r\n')
        yield f'byte 0x{b:02x} at the end of the head', answer(b'Content-Length: 5', body=b'hello').replace(b'\r\n\r\n', b'\r\n' + c + b'\r\n', 1)


def responses():
    """[(name, bytes, method)]; each with GET, and those about lengths with HEAD and POST too."""
    cases = list(response_cases())
    return [(n, raw, b'GET') for n, raw in cases] + [(f'{n} to HEAD', raw, b'HEAD') for n, raw in cases if not n.startswith('byte')]
