"""Origins that fail, at every point of the handshake, the request and the response, and with every kind of framing. The client
gets the right error or a truncated response, the connection is not reused, and the next request is not affected."""
import os
import signal
import time

import pytest

from lib.behaviour import Gate, deaf, drop, finish, flood, hang, raw, reply
from lib.daemon import upstream
from lib.line import loop
from lib.ports import daemons_end
from lib.promise import no_answer_mixup, own_error, works
from lib.wire import Closed, WireError, background, compose, eventually

HOWS = ['close', 'cut', 'reset']


def unharmed(d, origin):
    """The connection of the fault is not reused, and later requests get the right responses. Returns the upstream's object in /stats."""
    lines = len(origin.lines)
    no_answer_mixup(d, count=3)
    assert len(origin.lines) == lines + 1, 'the line of the fault was used again, or more than one was needed'
    u = d.upstream()
    c = u['connections']
    assert (c['open'], c['idle'], u['requests']['active']) == (1, 1, 0), c
    return u


def short(d, target='/ex/x', method='GET'):
    """The client gets a head with 200, and its connection is closed before the end of the body. Returns the unparsed rest of what
    was received."""
    with d.client() as c:
        c.send(compose(method, target))
        with pytest.raises(Closed) as e:
            c.response(method)
        assert c.head_seen and c.head_seen.status == 200
        return e.value.got


# --------------------------------------------------------------------------------------------- the handshake

@pytest.mark.parametrize('greet, errors', [
    ('reset', ('connection_refused', 'connection_terminated', 'tls_protocol_error')), ('close', ('connection_terminated', 'tls_protocol_error')),
    ('garbage', 'tls_protocol_error'), ('plain', 'tls_protocol_error'),
    ('hello-reset', ('connection_terminated', 'tls_protocol_error')),
    ('hello-close', ('connection_terminated', 'tls_protocol_error'))])
def test_handshakes_that_fail(ex, origin, greet, errors):
    """Failures before and after the ClientHello give 502 with sent=no, for an order too. Later requests succeed."""
    origin.greet = greet
    own_error(ex.request('POST', '/ex/x', body=b'x'), 502, errors, 'no')
    origin.greet = None
    u = unharmed(ex, origin)
    assert u['connections']['failed'] >= 1 and u['requests']['unknown'] == 0 and not [r for r in origin.requests if r.method == 'POST']


@pytest.mark.parametrize('greet', ['stall', 'hello-stall'])
def test_handshakes_that_stall(daemon, origin, greet):
    """tls_timeout ends the handshake: 504 connection_timeout."""
    origin.greet = greet
    d = daemon(upstream('ex', origin, tls_timeout='1500ms'))
    own_error(d.get('/ex/x'), 504, 'connection_timeout', 'no')
    origin.greet = None
    unharmed(d, origin)


@pytest.mark.parametrize('tls', [True, False])
def test_an_answer_before_the_request(daemon, origins, tls):
    """A connection on which the origin sends bytes before any request is closed and never used. New ones are not opened in a busy
    loop."""
    origin = origins(tls=tls, first=b'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON')
    d = daemon(upstream('ex', origin, min_idle=1))
    eventually(lambda: d.connections()['closed']['peer'] >= 2)
    time.sleep(0.5)             # time in which a busy loop would open many more
    c = d.connections()
    assert c['closed']['peer'] <= c['opened'] <= 12
    origin.first = b''
    eventually(lambda: d.connections()['idle'] == 1 and not any(li.open for li in origin.lines[:-1]))
    no_answer_mixup(d)


# ------------------------------------------------------------------------------------------------ the request

@pytest.mark.parametrize('how', HOWS)
@pytest.mark.parametrize('size', [1, 30])
def test_lines_that_end_within_the_head(ex, origin, size, how):
    """The origin ends the connection before it has read the whole head: 502, and the error says that the order may have been sent."""
    origin.at_head = (size, how)
    own_error(ex.request('POST', '/ex/x', body=b'x'), 502, 'connection_terminated', ('yes', 'partial'))
    origin.at_head = None
    unharmed(ex, origin)


@pytest.mark.parametrize('how', HOWS)
@pytest.mark.parametrize('after', [0, 1000, 200_000])
def test_lines_that_end_within_the_body(ex, origin, after, how):
    """The connection ends during an upload that is too large to be kept for another attempt."""
    origin.on('/x', drop(how, after=after))
    own_error(ex.request('POST', '/ex/x', body=b'x' * 400_000), 502, 'connection_terminated', ('yes', 'partial'))
    unharmed(ex, origin)


def test_an_origin_that_stops_reading(daemon, origin):
    """The origin stops reading, so that only its socket buffers fill up: total_timeout ends the upload, and `sent` is partial."""
    d = daemon(upstream('ex', origin, total_timeout='1s'))
    origin.on('/x', deaf())
    own_error(d.request('POST', '/ex/x', body=b'x' * 20_000_000, timeout=20), 504, 'http_response_timeout', 'partial')
    unharmed(d, origin)


# ---------------------------------------------------------------------------------- the response, at each byte

CHUNKED = (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n', b'5;e=1\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 11\r\n\r\n')
LENGTH = (b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n', b'hello world')


@pytest.mark.parametrize('how', HOWS)
@pytest.mark.parametrize('head, body', [CHUNKED, LENGTH], ids=['chunked', 'length'])
def test_answers_that_break_off(ex, origin, head, body, how):
    """A response cut off at each byte: an error within the head, a truncated response within the body, and a success at the end."""
    whole = head + body
    for at in range(len(whole) + 1):
        origin.on('/x', raw(whole[:at], then=how))
        if at < len(head):
            nothing = at == 0
            errors = 'connection_terminated' if nothing else 'http_response_incomplete'
            r = own_error(ex.get('/ex/x'), 502, ('connection_terminated', errors) if how == 'reset' else errors, 'yes')
            assert r['upstream'] == 'ex'
        elif at < len(whole):
            got = short(ex)
            assert got in b'5\r\nhello\r\n6\r\n world\r\n0\r\n' or b'hello world'.startswith(got), f'{at}: {got!r}'
        else:
            assert ex.get('/ex/x').body == b'hello world'
            eventually(lambda: ex.connections()['open'] == 0)
    assert len(origin.lines) == len(whole) + 1
    u = unharmed(ex, origin)
    assert (u['requests']['failed'], u['requests']['retried']) == (len(whole), 0)
    assert u['requests']['succeeded'] == 4 and u['requests']['total'] == len(whole) + 4


@pytest.mark.parametrize('at', [0, 9, len(CHUNKED[0]) - 1, len(CHUNKED[0]), len(CHUNKED[0]) + 9, -3])
def test_answers_that_stall(daemon, origin, at):
    """A response that stalls within the head gives 504; within the body or the trailers, the client gets a truncated response."""
    d = daemon(upstream('ex', origin, response_timeout='1500ms', body_timeout='900ms'))
    whole = b''.join(CHUNKED)

    async def behave(x):
        await x.line.send(whole[:at])
        await hang()(x)
    origin.on('/x', behave)
    if 0 <= at < len(CHUNKED[0]):
        own_error(d.get('/ex/x'), 504, 'http_response_timeout', 'yes')
    else:
        short(d)
        assert d.upstream()['requests']['errors'] == {'connection_read_timeout': 1}
    unharmed(d, origin)


@pytest.mark.parametrize('start, error', [(b'', ('tls_protocol_error', 'connection_terminated')),
                                          (b'HTTP/1.1 200', ('tls_protocol_error', 'connection_terminated',
                                                                     'http_response_incomplete')),
                                          (LENGTH[0] + b'hel', None)])
def test_garbage_in_the_tls_stream(ex, origin, start, error):
    """Bytes that are not a valid TLS record of the session: only what was decrypted before them may be delivered."""
    async def behave(x):
        await x.line.send(start)
        await loop().sock_sendall(x.line.sock, b'\x17\x03\x03\x00\x20' + b'garbage!' * 4)
        await x.pause(1)
    origin.on('/x', behave)
    if error:
        own_error(ex.get('/ex/x'), 502, error, 'yes')
    else:
        assert short(ex) in (b'', b'h', b'he', b'hel')
    unharmed(ex, origin)


# ----------------------------------------------------------------------------------- responses framed by close

@pytest.mark.parametrize('tls, how, whole', [(True, 'close', True), (True, 'cut', False), (True, 'reset', False),
                                             (False, 'close', True), (False, 'reset', False)])
@pytest.mark.parametrize('version', [b'1.0', b'1.1'])
def test_close_delimited_answers(daemon, origins, tls, how, whole, version):
    """Over TLS only close_notify marks the end of the response (RFC 9112 9.8); without it the response is incomplete."""
    origin = origins(tls=tls)
    d = daemon(upstream('ex', origin))
    origin.on('/x', raw(b'HTTP/%b 200 OK\r\nX-A: 1\r\n\r\n' % version, b'to the end', then=how))
    with d.client() as c:
        c.send(compose('GET', '/ex/x'))
        if whole:
            assert c.response().body == b'to the end'
        else:
            with pytest.raises(Closed) as e:
                c.response()
            assert c.head_seen and c.head_seen.status == 200 and b'0\r\n\r\n' not in e.value.got
    u = unharmed(d, origin)
    assert (u['requests']['succeeded'], u['requests']['failed']) == ((4, 0) if whole else (3, 1))
    assert u['connections']['closed']['response' if whole else 'error'] == 1


def test_a_reset_read_together_with_the_body(daemon, origins):
    """Head, body and RST have all arrived when the daemon reads: it must not take the hang-up for the end of the body."""
    origin = origins(tls=False)
    d = daemon(upstream('ex', origin))
    gate = Gate(raw(b'HTTP/1.1 200 OK\r\n\r\n', b'to the end', then='reset'))
    origin.on('/x', gate)
    with d.client() as c:
        c.send(compose('GET', '/ex/x'))
        eventually(lambda: gate.waiting == 1)
        os.kill(d.pid, signal.SIGSTOP)
        try:
            gate.release()
            eventually(lambda: not origin.lines[0].open and daemons_end(origin.lines[0])[0] == 'gone')
        finally:
            os.kill(d.pid, signal.SIGCONT)
        with pytest.raises(Closed) as e:
            c.response()
        assert b'0\r\n\r\n' not in e.value.got
    assert unharmed(d, origin)['requests']['failed'] == 1


# -------------------------------------------------------------------------------------------------- bad framing

OK = b'HTTP/1.1 200 OK\r\n'
BAD_HEADS = {
    'TE and CL': OK + b'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    'CL and TE': OK + b'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    'two CL': OK + b'Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!',
    'CL list': OK + b'Content-Length: 5, 6\r\n\r\nhello!',
    'CL negative': OK + b'Content-Length: -5\r\n\r\nhello',
    'CL plus': OK + b'Content-Length: +5\r\n\r\nhello',
    'CL hex': OK + b'Content-Length: 0x5\r\n\r\nhello',
    'CL empty': OK + b'Content-Length: \r\n\r\nhello',
    'CL space': OK + b'Content-Length: 5 5\r\n\r\nhello',
    'CL overflow': OK + b'Content-Length: 18446744073709551621\r\n\r\nhello',
    'TE gzip': OK + b'Transfer-Encoding: gzip\r\n\r\nhello',
    'TE gzip, chunked': OK + b'Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    'TE chunked twice': OK + b'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    'TE chunked, identity': OK + b'Transfer-Encoding: chunked, identity\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    'TE in 1.0': b'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    'obs-fold': OK + b'X-A: 1\r\n b\r\nContent-Length: 5\r\n\r\nhello',
    'space before colon': OK + b'Content-Length : 5\r\n\r\nhello',
    'no colon': OK + b'Content-Length 5\r\n\r\nhello',
    'empty name': OK + b': 5\r\nContent-Length: 5\r\n\r\nhello',
    'NUL in a value': OK + b'X-A: a\0b\r\nContent-Length: 5\r\n\r\nhello',
    'bare CR in a value': OK + b'X-A: a\rb\r\nContent-Length: 5\r\n\r\nhello',
    'bare LF': b'HTTP/1.1 200 OK\nContent-Length: 5\n\nhello',
    'HTTP/0.9': b'<html>hello</html>',
    'HTTP/0.9 status': b'HTTP/0.9 200 OK\r\nContent-Length: 5\r\n\r\nhello',
    'HTTP/2.0': b'HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello',
    'ICY': b'ICY 200 OK\r\nContent-Length: 5\r\n\r\nhello',
    'status 20': b'HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello',
    'status 2000': b'HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\nhello',
    'status 099': b'HTTP/1.1 099 OK\r\nContent-Length: 5\r\n\r\nhello',
    'status abc': b'HTTP/1.1 abc OK\r\nContent-Length: 5\r\n\r\nhello',
    '101 unasked': b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
    'bare 101': b'HTTP/1.1 101 Switching Protocols\r\n\r\n',
    '17 interim answers': b'HTTP/1.1 102 Processing\r\n\r\n' * 17 + OK + b'Content-Length: 5\r\n\r\nhello',
}


@pytest.mark.parametrize('then', ['keep', 'close'])
@pytest.mark.parametrize('name', BAD_HEADS)
def test_bad_heads(ex, origin, name, then):
    """http_protocol_error, whatever the origin does next; no part of the response is relayed."""
    origin.on('/x', raw(BAD_HEADS[name], then=then))
    with ex.client() as c:
        r = c.send(compose('POST', '/ex/x', body=b'x')).response('POST')
        own_error(r, 502, 'http_protocol_error', 'yes')
    eventually(lambda: not origin.lines[0].open)
    u = unharmed(ex, origin)
    assert u['requests']['errors'] == {'http_protocol_error': 1} and u['connections']['closed']['error'] == 1
    assert u['requests']['status']['2xx'] == 3 and u['requests']['retried'] == 0


def test_sixteen_interim_answers_pass(ex, origin):
    """The control for the case above with 17: the client gets all 16 interim responses."""
    origin.on('/x', raw(b'HTTP/1.1 102 Processing\r\n\r\n' * 16 + OK + b'Content-Length: 5\r\n\r\nhello'))
    r = ex.get('/ex/x')
    assert (r.status, r.body, [e.status for e in r.early]) == (200, b'hello', [102] * 16)
    assert works(ex).get('x-line') == '1'


BAD_CHUNKS = {
    'size is no number': b'g\r\nhello\r\n0\r\n\r\n', 'size is negative': b'-5\r\nhello\r\n0\r\n\r\n', 'size has 0x': b'0x5\r\nhello\r\n0\r\n\r\n',
    'size overflows': b'fffffffffffffffff\r\nhello', 'size is empty': b'\r\nhello\r\n0\r\n\r\n', 'size is too small': b'3\r\nhello\r\n0\r\n\r\n',
    'bare LF': b'5\nhello\n0\n\n', 'bare CR in an extension': b'5;a\rb\r\nhello\r\n0\r\n\r\n', 'no last chunk': b'5\r\nhello\r\n',
    'obs-fold in a trailer': b'5\r\nhello\r\n0\r\nX-A: 1\r\n b\r\n\r\n', 'a bad trailer': b'5\r\nhello\r\n0\r\nX A: 1\r\n\r\n'}


@pytest.mark.parametrize('name', BAD_CHUNKS)
def test_bad_chunks(ex, origin, name):
    """The head has been sent to the client already, so its connection is closed without a last chunk."""
    gate = Gate(raw(BAD_CHUNKS[name], then='close'))

    async def behave(x):
        await x.line.send(OK + b'Transfer-Encoding: chunked\r\n\r\n')
        await gate(x)
    origin.on('/x', behave)
    with ex.client() as c, pytest.raises(Closed) as e:
        c.send(compose('GET', '/ex/x'))
        assert c.head().status == 200
        gate.release()
        while True:
            c.more()
    assert not e.value.got.endswith(b'0\r\n\r\n')
    u = unharmed(ex, origin)
    assert u['requests']['failed'] == 1 and u['connections']['closed']['error'] == 1


@pytest.mark.parametrize('size, error', [(20_000, None), (40_000, 'http_response_header_section_size'),
                                         (4_000_000, 'http_response_header_section_size')])
@pytest.mark.parametrize('where', ['one field', 'many fields', 'reason'])
def test_large_heads(ex, origin, size, error, where):
    """max_header_size (32k) also limits response heads."""
    filler = {'one field': b'X-A: %b\r\n' % (b'a' * size), 'many fields': b'X-A: aaaaaa\r\n' * (size // 13), 'reason': b''}[where]
    reason = b'x' * size if where == 'reason' else b'OK'
    origin.on('/x', raw(b'HTTP/1.1 200 %b\r\n%bContent-Length: 5\r\n\r\nhello' % (reason, filler)))
    if not error:
        assert ex.get('/ex/x').body == b'hello' and works(ex).get('x-line') == '1'
        return
    own_error(ex.get('/ex/x'), 502, error, 'yes')
    unharmed(ex, origin)


def test_endless_heads_cost_little(ex, origin):
    """Endless heads, interim responses and trailers are all cut off."""
    origin.on('/head', flood(b'X-A: %b\r\n' % (b'a' * 8000), first=OK))
    origin.on('/interim', flood(b'HTTP/1.1 102 Processing\r\nX: %b\r\n\r\n' % (b'a' * 8000)))
    own_error(ex.get('/ex/head'), 502, 'http_response_header_section_size', 'yes')
    own_error(ex.get('/ex/interim'), 502, ('http_protocol_error', 'http_response_header_section_size'), 'yes')
    origin.on('/trailer', flood(b'X-A: %b\r\n' % (b'a' * 8000), first=OK + b'Transfer-Encoding: chunked\r\n\r\n0\r\n'))
    short(ex, '/ex/trailer')
    eventually(lambda: not origin.open)


# --------------------------------------------------------------------------------- responses with excess bytes

TOO_MUCH = {
    'after the length': ('GET', OK + b'Content-Length: 5\r\n\r\nhello' + b'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON', b'hello'),
    'after the last chunk': ('GET', OK + b'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nPOISON', b'hello'),
    '204 with a body': ('GET', b'HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\nPOISON', b''),
    '304 with a body': ('GET', b'HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\nPOISON', b''),
    'HEAD with a body': ('HEAD', OK + b'Content-Length: 6\r\n\r\nPOISON', b''),
    'HEAD with chunks': ('HEAD', OK + b'Transfer-Encoding: chunked\r\n\r\n6\r\nPOISON\r\n0\r\n\r\n', b''),
    'after nothing': ('GET', OK + b'Content-Length: 0\r\n\r\nPOISON', b''),
    'a CRLF': ('GET', OK + b'Content-Length: 5\r\n\r\nhello\r\n', b'hello'),
}


@pytest.mark.parametrize('gap', [0, 0.05])
@pytest.mark.parametrize('name', TOO_MUCH)
def test_bytes_after_the_answer(ex, origin, name, gap):
    """The response is delivered, the bytes after it are discarded, and the connection is not reused."""
    method, bytes_, body = TOO_MUCH[name]
    cut = max(bytes_.rfind(b'POISON'), 0) or len(bytes_) - 2
    origin.on('/x', raw(bytes_[:cut], bytes_[cut:], gap=gap))
    with ex.client() as c:
        r = c.request(method, '/ex/x')
        assert r.status in (200, 204, 304) and r.body == body
        eventually(lambda: origin.lines[0].closed_by == 'daemon')
        after = c.request('POST', '/ex/after', body=b'x')
        assert (after.status, after.text) == (200, '/after')
    u = unharmed_on(ex, origin, lines=2)
    assert u['requests']['failed'] == 0 and u['connections']['closed']['peer'] + u['connections']['closed']['response'] == 1


def unharmed_on(d, origin, lines):
    no_answer_mixup(d, count=3)
    assert len(origin.lines) == lines and origin.lines[0].requests == 1
    return d.upstream()


@pytest.mark.parametrize('method, answer', [
    ('HEAD', OK + b'Content-Length: 500\r\n\r\n'), ('HEAD', OK + b'Transfer-Encoding: chunked\r\n\r\n'), ('HEAD', OK + b'X: 1\r\n\r\n'),
    ('GET', b'HTTP/1.1 204 No Content\r\n\r\n'), ('GET', b'HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n'),
    ('GET', b'HTTP/1.1 304 Not Modified\r\n\r\n')])
def test_answers_without_a_body_keep_their_line(ex, origin, method, answer):
    """Content-Length and Transfer-Encoding in such a head do not announce a body, so the connection is reused."""
    origin.on('/x', raw(answer))
    with ex.client() as c:
        for _ in range(3):
            r = c.request(method, '/ex/x')
            assert r.status in (200, 204, 304) and r.body == b''
        assert c.get('/ex/y').text == '/y'
    assert len(origin.lines) == 1


@pytest.mark.parametrize('said', [b'Connection: close', b'Connection: Keep-Alive, CLOSE', b'Proxy-Connection: close'])
def test_a_reset_right_after_a_whole_answer(ex, origin, said):
    """A complete response is delivered as such, however the connection ends afterwards."""
    for how in HOWS:
        origin.on('/x', raw(OK + said + b'\r\nContent-Length: 5\r\n\r\nhello', then=how))
        assert ex.get('/ex/x').body == b'hello'
        eventually(lambda: ex.connections()['open'] == 0)
    assert ex.upstream()['requests']['failed'] == 0


def test_many_faults_leave_nothing_behind(ex, origin):
    """After 200 malformed responses, no descriptor is left open, the pool is empty, and the next request succeeds."""
    works(ex)
    origin.hang_up()
    eventually(lambda: ex.connections()['open'] == 0)
    before = ex.fds()
    heads = list(BAD_HEADS.values())
    for n in range(200):
        origin.on('/x', raw(heads[n % len(heads)], then=('keep', 'close', 'reset')[n % 3]))
        try:
            ex.get('/ex/x')
        except WireError:
            pass
    eventually(lambda: ex.connections()['open'] == 0)
    eventually(lambda: ex.fds() <= before + 1)
    works(ex)
    assert ex.upstream()['requests']['active'] == 0


def test_close_announced_in_an_answer_to_an_upload(ex, origin):
    """The origin answers during the upload and closes: the response is delivered, and the connection is not reused."""
    async def early(x):
        await x.line.send(b'HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig')
        await x.pause(0.1)
        await finish(x, 'close')
    origin.on('/x', early)
    r = ex.request('POST', '/ex/x', body=b'x' * 3_000_000)
    assert (r.status, r.body) == (413, b'big')
    origin.on('/x', reply())
    unharmed(ex, origin)


def test_long_polls_have_timeouts_of_their_own(daemon, origin):
    """The timeouts in a path block apply to its paths only; other paths have those of the upstream."""
    block = upstream('ex', origin, response_timeout='300ms', total_timeout='30s', body_timeout='300ms').rstrip('}\n')
    d = daemon(block + '\n    path "/poll" {\n        response_timeout = 20s\n        body_timeout = 20s\n    }\n}\n')
    gates = {path: Gate() for path in ('/poll', '/quote')}
    for path, gate in gates.items():
        origin.on(path, gate)
    poll = background(lambda: d.get('/ex/poll', timeout=20))
    own_error(d.get('/ex/quote'), 504, 'http_response_timeout', 'yes')
    gates['/poll'].release()
    assert poll.result(20).status == 200
