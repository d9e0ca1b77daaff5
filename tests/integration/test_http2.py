"""HTTP/2 to the origin: no order is sent twice there either, which requests share a connection, and how connections end."""
import random
import re

import pytest

from lib import certs
from lib.behaviour import Gate, drop, hang, reply
from lib.daemon import PATIENCE, upstream
from lib.h2_origin import Code, h2_goaway, h2_reset
from lib.line import run
from lib.promise import error_body, own_error, works
from lib.wire import Closed, background, compose, eventually, parallel, refuses

H2 = ('h2', 'http/1.1')


@pytest.fixture
def origin(origins):
    """An origin that offers h2. A test that did not use h2 fails, because it would have proved nothing."""
    o = origins(alpn=H2)
    yield o
    assert any(line.alpn == 'h2' for line in o.lines), 'no HTTP/2 was spoken'


def order(n, size=0):
    """An order with a unique marker at the beginning and the end of its body."""
    return compose('POST', f'/ex/order?{n}', [], b'<%d:' % n + b'x' * size + b':%d>' % n)


def seen(origin, n):
    """(how many times order n arrived, not counting refused streams; whether its whole body arrived)"""
    found = [r for r in origin.requests if r.target == f'/order?{n}' and not r.refused]
    return len(found), any(b':%d>' % n in r.body for r in found)


# ---------------------------------------------------------------------------------------------- never twice

def moody(seed):
    """A behaviour that treats each request in one of many ways, chosen at random. Requests that HTTP/2 guarantees
    were not processed are marked as refused."""
    fate = random.Random(seed)

    async def refuse(x):
        x.req.refused = True
        await h2_reset()(x)
    fates = [reply(), reply(), reply(delay=0.005), reply(framing='none', pieces=3), reply(500),
             *(drop(how) for how in ('close', 'cut', 'reset')),
             *(h2_reset(code, wait_body=True) for code in (Code.INTERNAL_ERROR, Code.CANCEL, Code.NO_ERROR)),
             h2_reset(Code.INTERNAL_ERROR), h2_reset(Code.REFUSED_STREAM, after=100), h2_reset(Code.CANCEL, after=0),
             refuse, h2_goaway(below=1), h2_goaway()]

    async def behave(x):
        await fate.choice(fates)(x)
    return behave


@pytest.mark.parametrize('cap', [16, 2])
def test_orders_and_a_moody_origin(daemon, origin, cap):
    """Eight concurrent clients, with and without enough connections for all: no order is sent twice, `sent` is true, and the
    counters agree."""
    d = daemon(upstream('ex', origin, max_connections=cap))
    origin.default = moody(cap)

    def client(which):
        answers = []
        for n in range(which * 60, which * 60 + 60):
            with d.client(timeout=20) as c:
                try:
                    answers.append((n, c.send(order(n, 400)).response('POST')))
                except Closed:
                    answers.append((n, None))
        return answers
    unknown = no = 0
    for n, r in (pair for answers in parallel(8, client) for pair in answers):
        times, whole = seen(origin, n)
        assert times <= 1, f'order {n} was taken {times} times'
        if r is not None and r.get('proxy-status'):
            sent = error_body(r)['sent']
            unknown += sent != 'no'
            no += sent == 'no'
            assert sent != 'no' or not times, f'order {n} was taken, yet sent=no'
            assert sent == 'yes' or not whole, f'order {n} was seen whole, yet sent={sent}'
        else:
            unknown += r is None or r.status == 500
    requests = d.upstream()['requests']
    assert requests['total'] == 480 and requests['active'] == 0 and requests['retried'] > 0
    assert requests['succeeded'] + requests['failed'] == 480 and requests['unknown'] == unknown
    c = d.connections()
    assert c['streams'] == 0 and c['streams_peak'] > 0
    assert c['open'] == c['idle'] + c['active'] + c['connecting'] and c['opened'] == c['idle'] + c['active'] + sum(c['closed'].values())


def test_a_refused_order_goes_out_again(daemon, origin):
    """REFUSED_STREAM and GOAWAY guarantee that a request was not processed: even a POST is sent again, and counted as retried."""
    d = daemon(upstream('ex', origin))
    origin.on('/a', h2_reset(wait_body=True), reply())
    origin.on('/b', h2_goaway(below=1), reply())
    for n, path in enumerate(['/a', '/b'], 1):
        r = d.request('POST', '/ex' + path, body=b'order')
        assert r.status == 200 and [q.body for q in origin.requests if q.target == path][-1] == b'order'
        assert d.upstream()['requests']['retried'] == n
    assert d.upstream()['requests']['unknown'] == 0


@pytest.mark.parametrize('retries', [0, 1])
def test_refusals_count_against_retries(daemon, origin, retries):
    """When `retries` is used up: 502 with sent=no, which is true because every attempt was refused."""
    d = daemon(upstream('ex', origin, retries=retries))
    origin.default = h2_reset()
    own_error(d.request('POST', '/ex/x', body=b'x'), 502, 'connection_terminated', 'no')
    assert origin.paths().count('/x') == retries + 1
    requests = d.upstream()['requests']
    assert (requests['retried'], requests['unknown']) == (retries, 0)


def test_a_refused_body_too_long_to_keep(daemon, origin):
    """A body of more than 64 KiB is not kept for another attempt."""
    d = daemon(upstream('ex', origin))
    origin.on('/x', h2_reset(wait_body=True), reply())
    own_error(d.request('POST', '/ex/x', body=b'x' * 70_000), 502, 'connection_terminated', 'no')
    assert origin.paths().count('/x') == 1


def test_an_order_is_not_sent_again_for_other_resets(daemon, origin):
    """INTERNAL_ERROR does not tell whether the request was processed, so an order is not sent again. A GET on a reused connection
    may be."""
    d = daemon(upstream('ex', origin))
    works(d)
    origin.on('/x', h2_reset(Code.INTERNAL_ERROR, wait_body=True), reply())
    own_error(d.request('POST', '/ex/x', body=b'x'), 502, 'connection_terminated', 'yes')
    origin.on('/y', h2_reset(Code.INTERNAL_ERROR, wait_body=True), reply())
    assert d.get('/ex/y').status == 200
    assert (origin.paths().count('/x'), origin.paths().count('/y')) == (1, 2)


# ------------------------------------------------------------------------------------------ shared connections

@pytest.mark.parametrize('lines', [1, 2])
def test_goaway_in_the_middle(daemon, origin, lines):
    """Ten orders share the available connections. On one of these, GOAWAY declares all but the first unprocessed: all are answered."""
    d = daemon(upstream('ex', origin, max_connections=lines))
    works(d)
    gate = Gate()
    origin.default = gate
    calls = [background(lambda n=n: d.request('POST', f'/ex/{n}', body=b'x')) for n in range(10)]
    eventually(lambda: gate.waiting == 10)
    on = [[r.stream for r in origin.requests if r.conn == line.number and r.target != '/control'] for line in origin.lines]
    ids, line = max(zip(on, origin.lines), key=lambda pair: len(pair[0]))
    assert len(ids) >= 10 / lines and len(origin.lines) <= lines
    run(line.session.goaway(min(ids)))
    gate.release()
    assert [c.result().text for c in calls] == [f'/{n}' for n in range(10)]
    assert d.upstream()['requests']['retried'] == len(ids) - 1
    eventually(lambda: line.closed_by == 'daemon')


def test_orders_ride_alone(daemon, origin):
    """Each order has a connection without other streams, while GETs share one."""
    d = daemon(upstream('ex', origin))
    gate = Gate()
    origin.default = gate
    gets = [background(lambda n=n: d.get(f'/ex/get{n}', timeout=20)) for n in range(20)]
    eventually(lambda: gate.waiting == 20)
    orders = [background(lambda n=n: d.request('POST', f'/ex/order{n}', body=b'x', timeout=20)) for n in range(3)]
    eventually(lambda: gate.waiting == 23)
    assert sorted(line.requests for line in origin.lines) == [1, 1, 1, 20]
    c = d.connections()
    assert (c['streams'], c['streams_peak'], c['active'], c['http2'], c['http1']) == (23, 23, 4, 4, 0)
    gate.release()
    assert {r.result(20).status for r in gets + orders} == {200}


async def talkative(x):
    """Answers, and then sends frames that are unread when the next order comes."""
    await reply()(x)
    x.session.h2.ping(b'answered')
    x.session.h2.increment_flow_control_window(1)
    await x.session.flush()


def test_orders_one_after_the_other_keep_their_connections(daemon, origin):
    """Sixteen clients that send order after order use sixteen connections, also if the origin sends frames behind its answers, and
    if all clients leave at once while their orders are under way."""
    d = daemon(upstream('ex', origin, max_connections=64))
    for n in range(3):
        origin.default = talkative

        def orders():
            with d.client() as c:
                for i in range(20):
                    assert c.request('POST', f'/ex/{i}', body=b'x').text == f'/{i}'
        for call in [background(orders) for _ in range(16)]:
            call.result(60)
        gate = origin.default = Gate()
        clients = [d.client() for _ in range(16)]
        for c in clients:
            c.send(compose('POST', '/ex/last', (), b'x'))
        eventually(lambda g=gate: g.waiting == 16)
        for c in clients:
            c.abort()
        eventually(lambda: d.stats()['clients']['open'] <= 1)
        gate.release()
        eventually(lambda: d.connections()['active'] == 0)
        c = d.connections()
        assert (c['opened'], len(origin.lines), c['drained']) == (16, 16, 16 * (n + 1))
        assert sum(c['closed'].values()) == 0


def test_two_hundred_at_once(daemon, origins):
    """200 requests are at the origin at the same time over one HTTP/2 connection; with HTTP/1.1 it is 16, on 16 connections."""
    for alpn, lines, together in ((H2, 1, 200), (('http/1.1',), 16, 16)):
        origin = origins(alpn=alpn, max_streams=250)
        d = daemon(upstream('ex', origin, max_streams=250))
        works(d)
        gate = origin.default = Gate()
        calls = [background(lambda n=n: d.get(f'/ex/{n}')) for n in range(200)]
        eventually(lambda: gate.waiting == together)
        gate.release()
        assert {c.result().status for c in calls} == {200}
        assert len(origin.lines) == d.connections()['opened'] == lines


def test_settings_that_change(daemon, origin):
    """The origin lowers its stream limit on an open connection; the new limit is never exceeded (the origin records that as a fault)."""
    d = daemon(upstream('ex', origin, max_connections=1))
    works(d)
    session = origin.lines[0].session

    async def lower():
        origin.max_streams, session.settled = 4, False
        session.h2.update_settings({3: 4})
        await session.flush()
    run(lower())
    eventually(lambda: session.settled)
    origin.default = reply(delay=0.01)
    assert {r.status for r in parallel(40, lambda n: d.get(f'/ex/{n}', timeout=20))} == {200}
    assert len(origin.lines) == 1


def test_prior_knowledge(daemon, origins):
    """http2 = always with http:// uses HTTP/2 from the first byte."""
    origin = origins(tls=False, h2c=True)
    d = daemon(upstream('ex', origin, http2='always'))
    assert works(d).status == 200 and origin.requests[0].version == 'HTTP/2'
    assert dict(origin.requests[0].headers)[':scheme'] == 'http'
    assert d.request('POST', '/ex/x', body=b'x').text == '/x'


def test_a_slow_client_beside_fast_ones(daemon, origin):
    """On a shared connection, a client that does not read its body delays its own stream only."""
    d = daemon(upstream('ex', origin, max_connections=1))
    origin.on('/big', reply(body=b'x' * (64 << 20)))
    works(d)
    with d.client(timeout=20, rcvbuf=65536) as c:
        c.send(compose('GET', '/ex/big'))
        c.head()
        before = d.rss_kib()
        for n in range(200):
            works(d, f'/ex/{n}')
        assert PATIENCE > 1 or d.rss_kib() - before < 8192
        assert origin.lines[0].written < 32 << 20 and len(origin.lines) == 1


# -------------------------------------------------------------------------------------- the end of connections

def test_drain_says_goaway(daemon, origin):
    """SIGTERM: requests in progress are completed, and the connection ends with GOAWAY(NO_ERROR)."""
    d = daemon(upstream('ex', origin))
    gate = Gate()
    origin.on('/slow', gate)
    works(d)
    slow = background(lambda: d.get('/ex/slow', timeout=20))
    eventually(lambda: gate.waiting == 1)
    d.kill(15)
    eventually(lambda: refuses(d.where))
    gate.release()
    assert slow.result(20).status == 200 and d.wait(20) == 0
    eventually(lambda: not origin.open)         # the origin has then read everything that the daemon sent
    assert [line.farewell for line in origin.lines] == [0]


def test_a_deadline_resets_its_stream_alone(daemon, origin):
    """response_timeout: the stream ends with RST_STREAM(CANCEL), and the connection is still used."""
    d = daemon(upstream('ex', origin, response_timeout='1500ms'))
    works(d)
    origin.on('/slow', hang())
    own_error(d.get('/ex/slow'), 504, 'http_response_timeout', 'yes')
    eventually(lambda: origin.requests[-1].reset == Code.CANCEL)
    works(d)
    assert len(origin.lines) == 1


def test_http2_comes_and_goes_with_a_reload(daemon, origin):
    """A reload that changes http2 replaces the connections."""
    d = daemon(upstream('ex', origin))
    works(d)
    d.reload(upstream('ex', origin, http2='never'))
    eventually(lambda: works(d) and origin.requests[-1].version == 'HTTP/1.1')
    assert d.connections()['http1'] == 1
    assert re.search('http2 = "?never', d.cli('config').stdout) and certs.CA in d.cli('config').stdout
