"""Ambiguous or malformed requests, which two implementations might interpret differently, are refused with the right status and the
connection is closed. Neither they nor what follows on the connection are executed."""
import pytest

from lib.daemon import upstream
from lib.promise import no_answer_mixup, own_error, refused, settle, works
from lib.wire import WireError, compose, eventually

EVIL = b'GET /ex/evil HTTP/1.1\r\nHost: localhost\r\n\r\n'


def untouched(d, origin):
    """Checks that nothing was executed, that the origin received none of it, and that the daemon still works."""
    assert not origin.requests, f'the origin got {origin.requests}'
    works(d)
    no_answer_mixup(d, 2)
    assert not origin.sightings(b'evil')


def head(*fields, start=b'POST /ex/x HTTP/1.1', host=b'Host: localhost'):
    return b'\r\n'.join([start, *([host] if host else []), *fields, b'', b''])


# ------------------------------------------------------------------------------------------- ambiguous lengths

AMBIGUOUS = {
    'TE and CL': (head(b'Transfer-Encoding: chunked', b'Content-Length: 4') + b'0\r\n\r\n', 400),
    'CL and TE': (head(b'Content-Length: 4', b'Transfer-Encoding: chunked') + b'0\r\n\r\n', 400),
    'CL 0 and TE': (head(b'Content-Length: 0', b'Transfer-Encoding: chunked') + b'0\r\n\r\n', 400),
    'TE empty and CL': (head(b'Transfer-Encoding:', b'Content-Length: 4') + b'abcd', (400, 501)),
    'TE identity and CL': (head(b'Transfer-Encoding: identity', b'Content-Length: 4') + b'abcd', (400, 501)),
    'TE in 1.0': (head(b'Transfer-Encoding: chunked', start=b'POST /ex/x HTTP/1.0') + b'0\r\n\r\n', 400),
    'TE in 1.0 with CL': (head(b'Transfer-Encoding: chunked', b'Content-Length: 5', start=b'POST /ex/x HTTP/1.0') + b'0\r\n\r\n', 400),
    'two CL': (head(b'Content-Length: 4', b'Content-Length: 5') + b'abcde', 400),
    'two CL alike': (head(b'Content-Length: 4', b'Content-Length: 4') + b'abcd', 400),
    'CL in another case': (head(b'Content-Length: 4', b'CONTENT-LENGTH: 5') + b'abcde', 400),
    **{f'CL {v!r}': (head(b'Content-Length: ' + v) + b'abcd', 400) for v in
       [b'+4', b'-4', b'4 4', b'4,4', b'4, 5', b'0x4', b'4;', b'4.0', b'1e1', b'', b'four', b'4\x0b', b'"4"', b'18446744073709551620',
        b'99999999999999999999999', b'4\x00', b'\xb2']},
    **{f'TE {v!r}': (head(b'Transfer-Encoding: ' + v) + b'0\r\n\r\n', (400, 501)) for v in
       [b'gzip, chunked', b'chunked, gzip', b'gzip', b'identity', b'chunked, chunked', b'chunked, identity', b'xchunked', b'chunkedx', b'chunked;q=1',
        b'"chunked"', b'chunked\x0b', b'\x0bchunked', b'chunked\x00', b'cow', b'', b',', b'chunked,,gzip', b'chun ked']},
    'TE twice': (head(b'Transfer-Encoding: chunked', b'Transfer-Encoding: chunked') + b'0\r\n\r\n', (400, 501)),
    'TE twice, one odd': (head(b'Transfer-Encoding: chunked', b'Transfer-Encoding: cow') + b'0\r\n\r\n', (400, 501)),
    'TE behind a space': (head(b'Transfer-Encoding : chunked') + b'0\r\n\r\n', 400),
    'TE folded': (head(b'Transfer-Encoding:', b' chunked') + b'0\r\n\r\n', (400, 501)),
    'TE behind a fold': (head(b'X-A: 1', b' Transfer-Encoding: chunked', b'Content-Length: 4') + b'abcd', 400),
    'TE behind a bare LF': (b'POST /ex/x HTTP/1.1\r\nHost: localhost\r\nX: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400),
    'TE behind a bare CR': (head(b'X: a\rTransfer-Encoding: chunked') + b'0\r\n\r\n', 400),
}


@pytest.mark.parametrize('name', AMBIGUOUS)
def test_ambiguous_lengths(ex, origin, name):
    """400, or 501 for an unsupported coding; the request that follows is not executed."""
    raw, status = AMBIGUOUS[name]
    r = refused(ex, raw + EVIL, status if isinstance(status, tuple) else (status,))
    own_error(r, r.status, 'http_request_error', 'no')
    untouched(ex, origin)


# ------------------------------------------------------------------------------------------- malformed heads

HEADS = {
    'bare CR in a value': (head(b'X-A: a\rb'), 400),
    'bare CR for CRLF': (b'GET /ex/x HTTP/1.1\rHost: localhost\r\r', (400, 408)),
    'CR CR LF': (head(b'X-A: a\r'), 400),
    'bare LF': (b'GET /ex/x HTTP/1.1\nHost: localhost\n\n', 400),
    'bare LF after the start': (b'GET /ex/x HTTP/1.1\nHost: localhost\r\n\r\n', 400),
    'bare LF at the end': (b'GET /ex/x HTTP/1.1\r\nHost: localhost\r\n\n', 400),
    'NUL in a value': (head(b'X-A: a\0b'), 400),
    'NUL in a name': (head(b'X\0A: b'), 400),
    'NUL in the target': (head(start=b'GET /ex/\0x HTTP/1.1'), 400),
    'obs-fold': (head(b'X-A: 1', b' b'), 400),
    'obs-fold by tab': (head(b'X-A: 1', b'\tb'), 400),
    'fold of the first field': (b'GET /ex/x HTTP/1.1\r\n X-A: 1\r\nHost: localhost\r\n\r\n', 400),
    'space before colon': (head(b'X-A : 1'), 400),
    'tab before colon': (head(b'X-A\t: 1'), 400),
    'space in a name': (head(b'X A: 1'), 400),
    'empty name': (head(b': 1'), 400),
    'no colon': (head(b'X-A'), 400),
    'a name of non-ASCII': (head(b'X-\xc3\xa4: 1'), 400),
    'a name in parentheses': (head(b'X(A): 1'), 400),
    'DEL in a value': (head(b'X-A: \x7f'), 400),
    'ESC in a value': (head(b'X-A: \x1b[0m'), 400),
    'tab for a space': (head(start=b'GET\t/ex/x\tHTTP/1.1'), 400),
    'space in the target': (head(start=b'GET /ex/x y HTTP/1.1'), 400),
    'space behind the version': (head(start=b'GET /ex/x HTTP/1.1 '), 400),
    'control in the target': (head(start=b'GET /ex/\x1bx HTTP/1.1'), 400),
    'no target': (head(start=b'GET HTTP/1.1'), 400),
    'relative target': (head(start=b'GET ex/x HTTP/1.1'), 400),
    'lower-case method': (head(start=b'get /ex/x HTTP/1.1'), (400, 501)),
    'unknown method': (head(start=b'FROB /ex/x HTTP/1.1'), (400, 501)),
    'method with a colon': (head(start=b'GET: /ex/x HTTP/1.1'), (400, 501)),
    'HTTP/0.9': (b'GET /ex/x\r\n\r\n', (400, 505)),
    'HTTP/0.9 in words': (head(start=b'GET /ex/x HTTP/0.9'), 505),
    'HTTP/2.0': (head(start=b'GET /ex/x HTTP/2.0'), 505),
    'HTTP/1.2': (head(start=b'GET /ex/x HTTP/1.2'), (400, 505)),
    'HTTP/3.0': (head(start=b'GET /ex/x HTTP/3.0'), (400, 505)),
    'HTTP/1.10': (head(start=b'GET /ex/x HTTP/1.10'), (400, 505)),
    'HTTP/01.1': (head(start=b'GET /ex/x HTTP/01.1'), (400, 505)),
    'http/1.1': (head(start=b'GET /ex/x http/1.1'), 400),
    'RTSP': (head(start=b'GET /ex/x RTSP/1.0'), (400, 505)),
    'h2 preface': (b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', (400, 501, 505)),
    'TLS on the plain port': (b'\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03' + b'a' * 32, 400),
    'SSH': (b'SSH-2.0-OpenSSH_9.2\r\n', (400, 501)),
    'no Host': (head(start=b'GET /ex/x HTTP/1.1', host=None), 400),
    'two Hosts': (head(b'Host: api.binance.com', start=b'GET /ex/x HTTP/1.1'), 400),
    'two Hosts alike': (head(b'Host: localhost', start=b'GET /ex/x HTTP/1.1'), 400),
    'two Hosts, absolute': (head(b'Host: a', start=b'GET http://exchange.test/x HTTP/1.1'), 400),
}


@pytest.mark.parametrize('name', HEADS)
def test_broken_heads(ex, origin, name):
    """Each gets the right status, and nothing after it is executed."""
    raw, status = HEADS[name]
    r = refused(ex, raw + EVIL, status if isinstance(status, tuple) else (status,))
    own_error(r, r.status, ('http_request_error', 'http_request_denied', 'destination_ip_prohibited'), 'no')
    untouched(ex, origin)


TARGETS = {
    'fragment': (head(start=b'GET /ex/x#y HTTP/1.1'), 400),
    'asterisk with GET': (head(start=b'GET * HTTP/1.1'), 400),
    'userinfo in the target': (head(start=b'GET http://a@exchange.test/x HTTP/1.1'), 400),
    'userinfo in the prefix': (head(start=b'GET /https://a:b@exchange.test/x HTTP/1.1'), 400),
    'userinfo in the parameter': (head(start=b'GET /?url=https%3A%2F%2Fa%40exchange.test%2Fx HTTP/1.1'), 400),
    'a host of percents': (head(start=b'GET http://exchange%2etest/x HTTP/1.1'), 400),
    'a number for a host': (head(start=b'GET http://2130706433/x HTTP/1.1'), (400, 403)),
    'an octal address': (head(start=b'GET http://0177.0.0.1/x HTTP/1.1'), (400, 403)),
    'an empty authority': (head(start=b'GET http:///x HTTP/1.1'), 400),
    'port 0': (head(start=b'GET http://exchange.test:0/x HTTP/1.1'), 400),
    'port 65536': (head(start=b'GET http://exchange.test:65536/x HTTP/1.1'), 400),
    'Host is a list': (head(start=b'GET /ex/x HTTP/1.1', host=b'Host: localhost, localhost'), (400, 403)),
    'Host with userinfo': (head(start=b'GET /ex/x HTTP/1.1', host=b'Host: a@localhost'), 400),
    'Host with a path': (head(start=b'GET /ex/x HTTP/1.1', host=b'Host: localhost/x'), 400),
    'Host with a bad port': (head(start=b'GET /ex/x HTTP/1.1', host=b'Host: localhost:99999'), 400),
    'Host with a space': (head(start=b'GET /ex/x HTTP/1.1', host=b'Host: local host'), 400),
}


@pytest.mark.parametrize('name', TARGETS)
def test_targets_and_hosts_that_are_none(ex, origin, name):
    """These are framed correctly: the connection may stay open, and what follows is a separate request."""
    raw, status = TARGETS[name]
    with ex.client() as c:
        r = c.send(raw).response()
        own_error(r, status, ('http_request_error', 'http_request_denied', 'destination_ip_prohibited'), 'no')
        assert not origin.requests
        assert c.get('/ex/y').text == '/y' if r.keeps else c.eof()


@pytest.mark.parametrize('name', ['bare CR in a value', 'obs-fold', 'two CL', 'TE and CL', 'no Host', 'HTTP/2.0'])
def test_byte_by_byte_it_is_the_same(ex, origin, name):
    """The result is the same if the request arrives byte by byte."""
    raw, status = {**HEADS, **AMBIGUOUS}[name]
    with ex.client() as c:
        r = c.send(raw, gap=0.0005).response()
        assert r.status == status and not r.keeps
    untouched(ex, origin)


@pytest.mark.parametrize('name', ['no Host', 'HTTP/2.0', 'two CL', 'space before colon', 'obs-fold'])
def test_a_good_request_before_a_bad_one(ex, origin, name):
    """The good request gets its response, then the bad one is refused, and a third is not executed."""
    raw = {**HEADS, **AMBIGUOUS}[name][0]
    with ex.client() as c:
        c.send(compose('GET', '/ex/good') + raw + EVIL)
        assert c.response().text == '/good'
        assert c.response().status in (400, 505)
        assert b'HTTP/1.1 2' not in settle(c)
    assert origin.paths() == ['/good']


# ------------------------------------------------------------------------------------------- malformed chunks

CHUNKS = {
    'size is no number': b'g\r\nabcde\r\n0\r\n\r\n', 'size is negative': b'-5\r\nabcde\r\n0\r\n\r\n', 'size has a plus': b'+5\r\nabcde\r\n0\r\n\r\n',
    'size has 0x': b'0x5\r\nabcde\r\n0\r\n\r\n', 'size behind a space': b' 5\r\nabcde\r\n0\r\n\r\n', 'size before a space': b'5 \r\nabcde\r\n0\r\n\r\n',
    'size of 17 digits': b'11111111111111115\r\nabcde\r\n0\r\n\r\n', 'size wraps': b'10000000000000005\r\nabcde\r\n0\r\n\r\n',
    'size is empty': b'\r\nabcde\r\n0\r\n\r\n', 'size is only an extension': b';a=b\r\nabcde\r\n0\r\n\r\n',
    'data is longer': b'3\r\nabcde\r\n0\r\n\r\n', 'no CRLF behind data': b'5\r\nabcde0\r\n\r\n', 'LF behind data': b'5\r\nabcde\n0\r\n\r\n',
    'LF behind the size': b'5\nabcde\r\n0\r\n\r\n', 'CR alone behind the size': b'5\rabcde\r\n0\r\n\r\n', 'LF in an extension': b'5;a\nb\r\nabcde\r\n0\r\n\r\n',
    'CR in an extension': b'5;a\rb\r\nabcde\r\n0\r\n\r\n', 'NUL in an extension': b'5;a\0b\r\nabcde\r\n0\r\n\r\n',
    'fold in a trailer': b'5\r\nabcde\r\n0\r\nX-A: 1\r\n b\r\n\r\n', 'space in a trailer name': b'5\r\nabcde\r\n0\r\nX A: 1\r\n\r\n',
    'CR in a trailer': b'5\r\nabcde\r\n0\r\nX-A: 1\rb\r\n\r\n', 'NUL in a trailer': b'5\r\nabcde\r\n0\r\nX-A: \0\r\n\r\n',
    'LF at the very end': b'5\r\nabcde\r\n0\r\n\n',
}


@pytest.mark.parametrize('name', CHUNKS)
def test_bad_chunks(ex, origin, name):
    """Refused, and the connection is closed. The origin may have received the head, but not a complete request, and nothing that
    follows."""
    r = refused(ex, head(b'Transfer-Encoding: chunked') + CHUNKS[name] + EVIL, (400,))
    own_error(r, 400, 'http_request_error')
    eventually(lambda: ex.connections()['active'] == 0)
    assert not any(q.complete for q in origin.requests) and '/evil' not in origin.paths()
    works(ex)


def test_chunk_extensions_are_taken_off(ex, origin):
    """Chunk extensions are hop-by-hop, so they are not forwarded."""
    with ex.client() as c:
        r = c.send(head(b'Transfer-Encoding: chunked') + b'5;a=b;c="d\t"\r\nabcde\r\n0;last\r\n\r\n').response()
    assert r.status == 200 and origin.requests[0].body == b'abcde' and not origin.sightings(b'a=b')


def test_endless_chunk_extensions(daemon, origin):
    """Endless chunk extensions are neither buffered nor forwarded. The client is limited by client_body_timeout, or refused."""
    d = daemon(upstream('ex', origin), client_body_timeout='500ms')
    works(d)
    before = d.rss_kib()
    with d.client() as c:
        c.send(head(b'Transfer-Encoding: chunked') + b'5;')
        for _ in range(100):
            c.send(b'a' * 65536)
        settle(c)
    assert d.rss_kib() - before < 4096 and not origin.sightings(b'aaaa')
    works(d)


def test_trailers_cannot_say_for_whom_it_is(ex, origin):
    """Trailer fields for routing, credentials and connection handling are dropped; other fields are forwarded."""
    raw = head(b'Transfer-Encoding: chunked') + b'5\r\nabcde\r\n0\r\nHost: evil.test\r\nAuthorization: x\r\nConnection: close\r\nX-Sum: 5\r\n\r\n'
    with ex.client() as c:
        assert c.send(raw).response().status == 200
        assert c.get('/ex/next').text == '/next'
    assert origin.requests[0].trailers == [('X-Sum', '5')] and len(origin.lines) == 1


@pytest.mark.parametrize('trailer', [b'Content-Length: 50', b'Transfer-Encoding: gzip', b'Transfer-Encoding: chunked'])
def test_trailers_cannot_say_how_long_it_is(ex, origin, trailer):
    """Trailer fields for framing cause a refusal or are dropped; they are never forwarded or used."""
    with ex.client() as c:
        r = c.send(head(b'Transfer-Encoding: chunked') + b'5\r\nabcde\r\n0\r\n' + trailer + b'\r\n\r\n').response()
        assert r.status == 400 and not r.keeps or c.get('/ex/next').text == '/next'
    assert not any(q.trailers for q in origin.requests)
    works(ex)


# ----------------------------------------------------------------------------------- what remains one request

def test_a_body_that_looks_like_requests(ex, origin):
    """A body that contains requests remains a body, in either framing, even if Connection lists framing fields."""
    body = EVIL * 3
    with ex.client() as c:
        for headers in ([('Content-Length', len(body))], [('Content-Length', len(body)), ('Connection', 'Content-Length')],
                        [('Content-Length', len(body)), ('Connection', 'Host, X-A'), ('X-A', '1')]):
            assert c.request('POST', '/ex/x', headers, body).status == 200
        assert c.send(head(b'Transfer-Encoding: Chunked') + b'%X\r\n%b\r\n0\r\n\r\n' % (len(body), body)).response().status == 200
        assert c.send(head(b'Transfer-Encoding: chunked', b'Connection: Transfer-Encoding') + b'%x\r\n%b\r\n0\r\n\r\n' % (len(body), body)) \
            .response().status == 200
    assert [r.body for r in origin.requests] == [body] * 5 and {r.get('host') for r in origin.requests} == {'exchange.test'}


def test_a_get_with_a_body(ex, origin):
    """A GET may have a body; the next request starts after it."""
    with ex.client() as c:
        assert c.request('GET', '/ex/x', body=EVIL).status == 200
        assert c.get('/ex/next').text == '/next'
    assert origin.paths() == ['/x', '/next'] and origin.requests[0].body == EVIL


def test_a_refused_request_with_a_body(ex, origin):
    """If a request is refused with 404, 403 or 405, its body is not parsed as requests."""
    for target, headers, status in (('/nobody/x', [], 404), ('/ex/x', [('Sec-Fetch-Site', 'cross-site')], 403), ('/stats', [], 405)):
        with ex.client() as c:
            c.send(compose('POST', target, headers, EVIL) + compose('GET', '/ex/next'))
            assert c.response('POST').status == status
            try:
                assert c.response().text == '/next'
            except WireError:
                pass            # closing the connection is fine too
    assert set(origin.paths()) <= {'/next'}


@pytest.mark.parametrize('size, status', [(15_000, 200), (17_000, 414), (3_000_000, 414)])
def test_long_targets(ex, origin, size, status):
    """Targets longer than max_uri_size (16k) get 414."""
    assert ex.get('/ex/' + 'a' * size).status == status
    works(ex)


@pytest.mark.parametrize('fields, status', [(1, 200), (2000, 200), (5000, 431), (200_000, 431)])
def test_many_fields(ex, origin, fields, status):
    """Heads larger than max_header_size (32k) get 431, however many fields they consist of."""
    raw = head(*[b'X-A: b'] * fields, start=b'GET /ex/x HTTP/1.1')
    with ex.client() as c:
        assert c.send(raw).response().status == status
    works(ex)
