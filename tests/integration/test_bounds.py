"""Contract 9: limits on the resources that thousands of clients and requests may use."""
import socket
import time

import pytest

from lib import wire
from lib.behaviour import Gate, reply
from lib.daemon import PATIENCE, sanitized, upstream
from lib.promise import own_error, works
from lib.wire import WireError, background, compose, eventually, parallel

memory_counts = pytest.mark.skipif(sanitized(), reason="a sanitizer's memory says nothing about the daemon's")


def burst(d, count, clients=4):
    """Sends `count` requests of mixed kinds, pipelined, from a few concurrent clients."""
    kinds = [compose('GET', '/ex/a'), compose('POST', '/ex/b', body=b'x' * 2000), compose('HEAD', '/ex/c'), compose('GET', '/nobody/x'),
             compose('POST', '/ex/d', [('Transfer-Encoding', 'chunked')]) + wire.chunked(b'abc', b'd' * 500)]
    methods = ['GET', 'POST', 'HEAD', 'GET', 'POST']

    def client(_):
        with d.client() as c:
            for _ in range(count // clients // 20):
                c.send(b''.join(kinds) * 4)
                for n in range(20):
                    assert c.response(methods[n % 5]).status in (200, 404)
    parallel(clients, client)


@pytest.mark.limit(120)
@pytest.mark.slow
def test_ten_thousand_requests_leave_nothing_behind(ex, origin):
    """Afterwards no more descriptors are open than before, and memory has grown by no more than a little fragmentation."""
    async def plain(x):
        await x.read_body()
        await x.line.send(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % (0 if x.req.method == 'HEAD' else 5) + (
            b'' if x.req.method == 'HEAD' else b'hello'))
        origin.requests.clear()         # the records of 10,000 requests are not needed
    origin.default = plain
    burst(ex, 2000)
    eventually(lambda: ex.connections()['active'] == 0)
    ex.stats()
    rss, fds = ex.rss_kib(), ex.fds()
    burst(ex, 10_000)
    ex.stats()
    eventually(lambda: ex.fds() <= fds)
    assert ex.upstream()['requests']['total'] == 12_000 * 4 // 5 and len(origin.lines) <= 4
    if not sanitized():
        assert ex.rss_kib() - rss < 1024, f'{rss} KiB before, {ex.rss_kib()} KiB after'


@pytest.mark.limit(120)
@pytest.mark.slow
def test_a_thousand_connections_leave_nothing_behind(daemon, origin):
    """The same, for many upstream and client connections that are opened and closed."""
    d = daemon(upstream('ex', origin, max_requests=1))

    def client(_):
        for n in range(100):
            works(d, timeout=20)
    parallel(4, client)
    eventually(lambda: d.connections()['open'] == 0)
    rss, fds = d.rss_kib(), d.fds()
    parallel(4, client)
    eventually(lambda: d.connections()['open'] == 0)
    eventually(lambda: d.fds() <= fds)
    assert d.connections()['opened'] == 800
    if not sanitized():
        assert d.rss_kib() - rss < 1024, f'{rss} KiB before, {d.rss_kib()} KiB after'


def crowd(d, count):
    clients = []
    for _ in range(count):
        s = socket.socket()
        s.connect(d.where)
        clients.append(s)
    return clients


@memory_counts
@pytest.mark.limit(120)
def test_idle_clients_are_cheap(daemon, origin):
    """4,096 idle clients use less than 8 KiB each, whether or not they have sent a request, and another client is still served."""
    d = daemon(upstream('ex', origin), max_clients=5000)
    works(d)
    before = d.rss_kib()
    clients = crowd(d, 4096)
    eventually(lambda: d.stats()['clients']['open'] >= 4096, 20)
    fresh = (d.rss_kib() - before) / 4096
    for at in range(0, 2048, 128):
        for s in clients[at:at + 128]:
            s.sendall(compose('GET', '/ex/x'))
        for s in clients[at:at + 128]:
            s.settimeout(20)
            assert s.recv(4096).startswith(b'HTTP/1.1 200')
    used = (d.rss_kib() - before) / 4096
    assert fresh < 8 and used < 8, f'{fresh:.1f} KiB each, {used:.1f} KiB once half of them had asked'
    with d.client() as c:
        assert c.get('/ex/y').status == 200
    for s in clients:
        s.close()
    eventually(lambda: d.stats()['clients']['open'] <= 2, 20)


def test_clients_beyond_max_clients(daemon, origin):
    """Clients beyond the limit get 503 and are disconnected. Connected clients are not affected, and a place that becomes free
    can be used again."""
    d = daemon(upstream('ex', origin), max_clients=10)
    inside = [d.client() for _ in range(10)]
    for c in inside:
        assert c.get('/ex/x').status == 200
    for n in range(30):
        with d.client() as c:
            r = own_error(c.send(compose('GET', '/ex/y')).response(), 503, 'connection_limit_reached', 'no')
            assert r['upstream'] in ('', '-', 'ex') and c.eof()
    assert all(c.get('/ex/x').status == 200 for c in inside)
    inside.pop().close()

    def place():
        try:
            return d.get('/ex/z').status == 200
        except WireError:
            return False
    eventually(place)
    assert d.stats()['clients']['rejected'] >= 30
    assert '/y' not in origin.paths()


def test_silent_clients_do_not_hold_a_place_for_good(daemon, origin):
    """client_header_timeout and client_idle_timeout free their places. A client that has sent part of a request gets 408; one that
    has sent nothing is disconnected without a response."""
    d = daemon(upstream('ex', origin), max_clients=20, client_header_timeout='300ms')
    began = [d.client().send(b'GET /ex/x HTTP/1.1\r\nHost') for _ in range(19)]
    assert all(c.response().status == 408 for c in began)
    works(d)
    d = daemon(upstream('ex', origin), max_clients=20, client_header_timeout='300ms', client_idle_timeout='300ms')
    idle = [d.client() for _ in range(19)]
    assert all(c.eof() for c in idle)
    works(d)


def test_a_crowd_behind_few_lines(daemon, origin):
    """400 concurrent requests over two connections are served, and none is lost."""
    d = daemon(upstream('ex', origin, max_connections=2, queue_timeout='30s', total_timeout='30s'))
    gate = Gate()
    origin.on('/hold', gate)
    held = [background(lambda: d.get('/ex/hold', timeout=30)) for _ in range(2)]
    eventually(lambda: gate.waiting == 2)
    clients = [d.client(30 * PATIENCE) for _ in range(400)]
    for n, c in enumerate(clients):
        c.send(compose('GET', f'/ex/{n}'))
    eventually(lambda: d.upstream()['queue']['waiting'] == 400)
    gate.release()
    assert [c.response().text for c in clients] == [f'/{n}' for n in range(400)]
    assert all(h.result().status == 200 for h in held) and len(origin.lines) == 2


@pytest.mark.slow
def test_many_hosts_without_a_block(daemon):
    """Requests for 3,000 hosts without an upstream block: the memory that their entries use is bounded, and the daemon keeps working."""
    d = daemon(upstream('ex', '127.0.0.1:9'), hosts=''.join(f'127.0.0.1 h{n}.test\n' for n in range(3000)))
    before = d.rss_kib()
    with d.client(20) as c:
        for n in range(3000):
            own_error(c.get(f'http://h{n}.test/x'), (403, 503), ('destination_ip_prohibited', 'connection_limit_reached'), 'no')
    if not sanitized():
        assert d.rss_kib() - before < 64 * 1024
    assert d.get('/healthz').status == 200


def test_heads_that_trickle_in(daemon, origin):
    """500 clients send their request heads one byte at a time; other clients are not delayed by them."""
    d = daemon(upstream('ex', origin), client_header_timeout='60s')
    clients = crowd(d, 500)
    head, worst = compose('GET', '/ex/never', [('X-Padding', 'x' * 100)]), 0
    with d.client() as c:
        for n in range(10):
            for s in clients:
                s.send(head[n:n + 1])
            worst = max(worst, c.get('/ex/x').took)
    for s in clients:
        s.close()
    assert worst < 20 and set(origin.paths()) == {'/x'}


@pytest.mark.parametrize('alpn', [('http/1.1',), ('h2',)], ids=lambda a: a[0])
@pytest.mark.parametrize('method', ['GET', 'POST'])
def test_readers_that_take_nothing_give_way(daemon, origins, alpn, method):
    """Clients that read nothing occupy every connection. A waiting request still gets one before queue_timeout (an order: before
    order_wait) expires."""
    o = origins(alpn=alpn, max_streams=2)
    o.on('/big', reply(body=b'x' * (16 << 20)))
    d = daemon(upstream('ex', o, max_connections=2, max_streams=2, order_wait='4s', queue_timeout='8s'))
    stuck = [d.client(30, rcvbuf=8192).send(compose('GET', '/ex/big')) for _ in range(2 if alpn[0] == 'http/1.1' else 4)]
    eventually(lambda: all(c.head() for c in stuck))
    r = d.request(method, '/ex/honest', body=b'x' if method == 'POST' else b'')
    assert r.status == 200, f'{r.status} after {r.took:.1f}s: {r.text[:150]}'
    for c in stuck:
        c.close()


def test_readers_that_take_a_little_stay(daemon, origins):
    """A client that keeps reading, however slowly, keeps its connection even while other requests wait."""
    o = origins(tls=False)
    size = 2 << 20
    o.on('/big', reply(body=b'x' * size))
    d = daemon(upstream('ex', o, max_connections=1, queue_timeout='30s', total_timeout='30s'))
    with d.client(30, rcvbuf=8192) as c:
        c.send(compose('GET', '/ex/big'))
        call = background(lambda: d.get('/ex/honest', timeout=30))
        eventually(lambda: d.upstream()['queue']['waiting'] == 1)
        c.head()
        left, end = size, time.monotonic() + 3
        while time.monotonic() < end:
            left -= len(c._exactly(4096))
            time.sleep(0.02)
        assert d.upstream()['queue']['waiting'] == 1
        assert len(c._exactly(left)) == left and call.result(30).status == 200


@pytest.mark.parametrize('method', ['GET', 'POST'])
def test_a_crowd_of_stuck_clients(daemon, origins, method):
    """64 clients never send their request bodies and 64 never read their responses. Requests that arrive after them are served
    before queue_timeout expires."""
    o = origins(tls=False)
    o.on('/big', reply(body=b'x' * (3 << 20)))
    d = daemon(upstream('ex', o, order_wait='5s', queue_timeout=f'{4 + PATIENCE}s'))
    crowd = [d.client(30).send('POST /ex/never HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n') for _ in range(64)]
    crowd += [d.client(30, rcvbuf=8192).send(compose('GET', '/ex/big')) for _ in range(64)]
    eventually(lambda: d.upstream()['requests']['active'] == 128)
    for n in range(20):
        r = d.request(method, f'/ex/{n}', body=b'x' if method == 'POST' else b'', timeout=20)
        assert r.status == 200, f'{n}: {r.status} after {r.took:.1f}s: {r.text[:150]}'
    assert '/never' not in o.paths()
    for c in crowd:
        c.close()
