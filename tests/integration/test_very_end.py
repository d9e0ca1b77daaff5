"""The end of a drain: drain_timeout has expired, or a second stop signal has arrived. Every request gets a response before the
daemon exits, whatever its state: a client whose connection is closed without a response would send its request again, to the next
daemon."""
import pathlib
import signal
import socket

import pytest

from lib.behaviour import Gate, flood, hang
from lib.daemon import PATIENCE, upstream
from lib.promise import own_error, works
from lib.wire import background, chunked, compose, eventually, refuses

KEY = [('API-Key', 'k')]


def end(d, how='twice'):
    """Ends the drain early: by a second signal, or with 'late' by drain_timeout, which the test has set to 500ms."""
    d.kill(signal.SIGTERM)
    eventually(lambda: refuses(d.where))
    if how == 'twice':
        d.kill(signal.SIGTERM)


def told(c, sent, method='POST'):
    r = c.response(method)
    own_error(r, 503, 'destination_unavailable', sent)
    assert not r.keeps and c.eof()
    c.close()


def active(d, n):
    eventually(lambda: d.stats()['requests']['active'] == n)


@pytest.mark.parametrize('how', ['twice', 'late'])
def test_whoever_waits_is_told_that_nothing_was_sent(daemon, origin, how):
    """503 with sent=no for requests that wait for a connection, at the rate limit or for serialize_by, and for requests whose body
    (small, chunked or large) or head is incomplete."""
    late = {'drain_timeout': '500ms'} if how == 'late' else {}
    other = upstream('gated', '127.0.0.1:1', host='gated.test', rate='1/10s', total_timeout='20s')
    d = daemon(upstream('ex', origin, max_connections=1, serialize_by='API-Key', order_wait='20s', total_timeout='20s', queue_timeout='20s', serialize_timeout='20s'),
               other, **late)
    gate = Gate()
    origin.on('/hold', gate)
    hold = d.client()
    hold.send(compose('POST', '/ex/hold', KEY, b'x'))
    eventually(lambda: gate.waiting == 1)
    d.get('/gated/first')
    waiting = {name: d.client() for name in ('turn', 'line', 'gated', 'gathering', 'chunked', 'large')}
    waiting['turn'].send(compose('POST', '/ex/turn', KEY, b'x'))
    waiting['line'].send(compose('GET', '/ex/line'))
    waiting['gated'].send(compose('GET', '/gated/x'))
    waiting['gathering'].send(compose('POST', '/ex/gathering', [('Content-Length', '9')]) + b'abc')
    waiting['chunked'].send(compose('POST', '/ex/chunked', [('Transfer-Encoding', 'chunked')]) + chunked(b'abc')[:-5])
    waiting['large'].send(compose('POST', '/ex/large', [('Content-Length', '1000000')]) + b'z' * 300_000)
    active(d, 7)
    partial = d.client()
    partial.send('POST /ex/order HTTP/1.1\r\nHost: loc')
    eventually(lambda: d.stats()['clients']['open'] >= 8)
    end(d, how)
    for c in (*waiting.values(), partial):
        told(c, 'no')
    told(hold, 'yes')
    assert d.wait(10 * PATIENCE) == 0
    assert origin.paths() == ['/hold']


def test_it_is_told_what_was_sent_and_the_log_has_it(daemon, origin, tmp_path):
    """A request that was sent, and a response that is cut off in the middle. Each has its line in the access log."""
    log = tmp_path / 'access.log'
    d = daemon(upstream('ex', origin), access_log=str(log))
    origin.on('/order', hang())
    origin.on('/down', flood(b'y' * 65536, first=b'HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n'))
    order, down = d.client(), d.client()
    order.send(compose('POST', '/ex/order', KEY, b'x'))
    eventually(lambda: '/order' in origin.paths())
    down.send(compose('GET', '/ex/down'))
    down.head()
    active(d, 2)
    end(d)
    told(order, 'yes')
    eventually(lambda: not d.alive(), 10 * PATIENCE)
    lines = log.read_text().splitlines()
    assert len(lines) == 2, lines
    for line in lines:
        assert 'error=destination_unavailable' in line and 'sent=yes' in line
        assert ('status=503' in line) == ('/order' in line)


def test_followers_of_a_shared_request(daemon, origin):
    """All requests that share a response get the error, each with the `sent` of the request that was sent."""
    d = daemon(upstream('ex', origin, coalesce='yes'))
    gate = Gate()
    origin.on('/q', gate)
    crowd = [d.client() for _ in range(5)]
    for c in crowd:
        c.send(compose('GET', '/ex/q'))
    active(d, 5)
    eventually(lambda: gate.waiting == 1)
    end(d)
    for c in crowd:
        told(c, 'yes', 'GET')
    assert d.wait(10 * PATIENCE) == 0


def test_a_connect_that_is_still_dialling(daemon):
    """A CONNECT whose connection to the origin is not yet established gets a response too. The origin's backlog is full, so that
    the TCP handshake does not complete."""
    with socket.socket() as full:
        full.bind(('127.0.0.1', 0))
        full.listen(0)
        address = '%s:%d' % full.getsockname()
        fill = [socket.socket() for _ in range(3)]
        for s in fill:
            s.setblocking(False)
            s.connect_ex(full.getsockname())
        d = daemon(upstream('ex', address, connect_timeout='30s', total_timeout='30s'))
        with d.client() as c:
            c.send('CONNECT exchange.test:443 HTTP/1.1\r\nHost: exchange.test:443\r\n\r\n')
            eventually(lambda: len(syn_sent(full.getsockname()[1])) > 1)
            end(d)
            told(c, 'no', 'CONNECT')
        assert d.wait(10 * PATIENCE) == 0
        for s in fill:
            s.close()


def syn_sent(port):
    """Connections to that port that are in state SYN_SENT."""
    lines = pathlib.Path('/proc/net/tcp').read_text().splitlines()[1:]
    return [li for li in lines if li.split()[2].endswith(':%04X' % port) and li.split()[3] == '02']


def test_what_was_sent_ahead_is_answered_or_its_client_is_told_to_close(daemon, origin):
    """With pipelined requests, the first response says that it is the last."""
    d = daemon(upstream('ex', origin))
    origin.on('/order', hang())
    with d.client() as c:
        c.send(compose('POST', '/ex/order', KEY, b'x') + compose('POST', '/ex/next', KEY, b'x'))
        eventually(lambda: '/order' in origin.paths())
        end(d)
        told(c, 'yes')
    assert d.wait(10 * PATIENCE) == 0
    assert origin.paths() == ['/order']


def test_a_third_signal_waits_for_nobody(daemon, origin):
    """A third signal ends the daemon even if a client keeps its connection open after its response."""
    d = daemon(upstream('ex', origin))
    origin.on('/order', hang())
    with d.client() as c:
        c.send(compose('POST', '/ex/order', KEY, b'x'))
        eventually(lambda: '/order' in origin.paths())
        end(d)
        assert c.response('POST').status == 503
        d.kill(signal.SIGTERM)
        assert d.wait(10 * PATIENCE) == 0


def test_resume_works_while_it_drains(daemon, origin):
    """Requests that wait in a pause can be resumed; other verbs are refused."""
    d = daemon(upstream('ex', origin), drain_timeout='20s')
    works(d)
    assert d.verb('pause').status == 204
    call = background(lambda: d.get('/ex/waiting', timeout=20))
    active(d, 1)
    admin, other = d.client(), d.client()
    admin.send('POST /upstreams/ex/resume HTTP/1.1\r\nHost: localhost\r\n')
    other.send('POST /upstreams/ex/pause HTTP/1.1\r\nHost: localhost\r\n')
    eventually(lambda: d.stats()['clients']['open'] >= 3)
    d.kill(signal.SIGTERM)
    eventually(lambda: refuses(d.where))
    assert other.send('\r\n').response('POST').status == 503
    assert admin.send('\r\n').response('POST').status == 204
    assert call.result(10 * PATIENCE).status == 200
    for c in (admin, other):
        c.close()
    assert d.wait(10 * PATIENCE) == 0
    eventually(lambda: not origin.open)
