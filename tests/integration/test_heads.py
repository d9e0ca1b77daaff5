"""Which fields of response heads are forwarded to the client, which end at the proxy, and which only trunkline may set."""
import pytest

from lib.behaviour import raw, reply
from lib.daemon import upstream
from lib.promise import works

ENDS = {'close': b'Connection: close', 'old': b'Keep-Alive: timeout=1', 'upgrade': b'Upgrade: h2c\r\nConnection: Upgrade',
        'named': b'Connection: X-Hop\r\nX-Hop: 1', 'length': b'Content-Length: 5', 'chunked': b'Transfer-Encoding: chunked',
        'both': b'Transfer-Encoding: chunked\r\nContent-Length: 5', 'coded': b'Transfer-Encoding: gzip', 'te': b'TE: gzip',
        'trailer': b'Trailer: X-Sum', 'proxy': b'Proxy-Authenticate: Basic'}


@pytest.mark.parametrize('kind', ENDS)
@pytest.mark.parametrize('method', ['GET', 'POST', 'HEAD'])
def test_interim_answers_bring_nothing_that_ends_at_the_proxy(ex, origin, kind, method):
    """Connection and framing fields in a 1xx are dropped. They are not an error, and the upstream connection is reused."""
    early = b'HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n' + ENDS[kind] + b'\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n'
    origin.on('/x', raw(early + b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n' + (b'' if method == 'HEAD' else b'hi')))
    with ex.client() as c:
        for _ in range(2):
            r = c.request(method, '/ex/x', body=b'x' if method == 'POST' else b'')
            assert r.status == 200 and r.body == (b'' if method == 'HEAD' else b'hi')
            assert [(e.status, [n.lower() for n, _ in e.headers if n.lower() != 'via']) for e in r.early] == [(103, ['link']), (102, [])]
        assert c.get('/ex/y').text == '/y'
    assert len(origin.lines) == 1


SAID = 'trunkline; error=connection_refused; details="sent=no, really", edge.test; error=connection_timeout; details="a, trunkline"'


@pytest.mark.parametrize('alpn', [('http/1.1',), ('h2', 'http/1.1')], ids=['h1', 'h2'])
def test_nobody_else_speaks_in_our_name(daemon, origins, alpn):
    """Members named trunkline in Proxy-Status and Cache-Status, and Trunkline-* fields, are removed from an origin's response, in
    trailers too."""
    origin = origins(alpn=alpn)
    d = daemon(upstream('ex', origin))
    lies = [('Proxy-Status', SAID), ('Proxy-Status', '"trunkline"; error=dns_error'), ('Cache-Status', 'Trunkline; hit'),
            ('Trunkline-Sent', 'no'), ('Trunkline-Request', '7'), ('Trunkline-Duplicate', 'yes')]
    origin.on('/order', reply(503, body=b'sorry', headers=lies, framing='chunked', trailers=lies[1:]))
    r = d.request('POST', '/ex/order', [('TE', 'trailers')], b'x')
    assert r.status == 503 and r.all('proxy-status') == ['edge.test; error=connection_timeout; details="a, trunkline"']
    ours = [(n, v) for n, v in r.headers if n.lower().startswith('trunkline-') or n.lower() == 'cache-status']
    assert [n for n, v in ours if v != '7'] == ['Trunkline-Request'] and len(ours) == 1 and r.trailers == []


def test_an_upgrade_does_not_speak_in_our_name(ex, origin):
    """They are removed from the head of a 101 as well."""
    origin.on('/ws', raw(b'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nTrunkline-Sent: no\r\n'
                         b'Proxy-Status: trunkline; error=dns_error\r\nSec-WebSocket-Accept: x\r\n\r\n'))
    with ex.client() as c:
        r = c.request('GET', '/ex/ws', [('Connection', 'Upgrade'), ('Upgrade', 'websocket'), ('Sec-WebSocket-Version', '13'),
                                        ('Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==')])
        assert r.status == 101 and r.get('sec-websocket-accept') == 'x' and r.get('upgrade') == 'websocket'
        assert not r.all('trunkline-sent') and not r.all('proxy-status')
    works(ex)


def test_clients_are_told_how_long_they_are_kept(daemon, origin):
    """Keep-Alive tells clients the idle timeout, so that they close first. It is not sent if the connection is going to be closed,
    or if the timeout is less than a second."""
    d = daemon(upstream('ex', origin), client_idle_timeout='20900ms')
    origin.on('/cut', reply(body=b'x', framing='chunked'))
    with d.client() as c:
        for target in ('/ex/a', '/healthz', '/nobody/x'):
            r = c.get(target)
            assert (r.all('keep-alive'), r.all('connection')) == (['timeout=20'], ['keep-alive']), target
        c.send(b'GET /ex/a HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n')
        r = c.response()
        assert r.keeps and r.all('keep-alive') == ['timeout=20']
        r = c.get('/ex/a', [('Connection', 'close')])
        assert r.all('connection') == ['close'] and not r.all('keep-alive')
    r = d.raw('GET /ex/cut HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n')
    assert not r.keeps and not r.all('keep-alive')
    brief = daemon(upstream('ex', origin), client_idle_timeout='900ms')
    r = brief.get('/ex/a')
    assert r.keeps and not r.all('keep-alive') and not r.all('connection')
