"""What may have reached the exchange is reported once per request, for all its attempts together. And connections that swallow
requests, or lead to the wrong server, are no longer used."""
import asyncio
import socket

import pytest

from lib.behaviour import hang, reply
from lib.daemon import upstream
from lib.h2_origin import Code, Setting, h2_goaway, h2_reset
from lib.line import loop, run
from lib.promise import error_body, own_error, works
from lib.wire import at_rest, background, compose, eventually

H2 = ('h2', 'http/1.1')
BOTH = pytest.mark.parametrize('alpn', [('http/1.1',), H2], ids=['http/1.1', 'h2'])


def seen(origin, target):
    return origin.paths().count(target)


def silence(line):
    """From now on the origin still reads from this connection but no longer sends anything on it."""
    async def nothing(_):
        pass
    line.send = nothing


def stop_reading(line):
    """Makes the origin stop reading from this connection. Returns a function that lets it continue."""
    go_on, recv = asyncio.Event(), line.recv

    async def wait():
        await go_on.wait()
        return await recv()
    line.recv = wait
    return lambda: loop().call_soon_threadsafe(go_on.set)


def read_then_gone(origin):
    """The origin reads the request, resets the connection and stops listening, so that further connections are refused."""
    async def behave(x):
        await x.read_body()
        loop().remove_reader(origin.sock)
        origin.sock.close()
        x.line.reset()
    return behave


# ----------------------------------------------------------------------------------------- the value of `sent`

def test_orders_in_the_queue_of_a_living_line(daemon, origins):
    """The origin reads nothing for a while, so that orders wait in trunkline's own send queue, and then continues. An order that
    timed out meanwhile and was reported with sent=no must not arrive."""
    origin = origins(alpn=H2, max_streams=1000)
    origin.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    d = daemon(upstream('ex', origin, max_connections=1, max_streams=1000))
    works(d)
    read_on = stop_reading(origin.lines[0])
    clients = {n: d.client(timeout=20) for n in range(200)}
    for n, c in clients.items():    # request heads are not subject to HTTP/2 flow control
        c.send(compose('POST', f'/ex/order?n={n}', [('Trunkline-Timeout', '1500ms'), ('X-Pad', f'{n}-' * 8000)], b''))
    answers = {n: c.response() for n, c in clients.items()}
    for c in clients.values():
        c.close()
    read_on()
    eventually(lambda: len(origin.requests) > 1)
    at_rest(lambda: len(origin.requests))
    told = {n: error_body(r)['sent'] for n, r in answers.items() if r.status != 200}     # the first orders may have been read and answered
    lied = [n for n, sent in told.items() if sent == 'no' and seen(origin, f'/order?n={n}')]
    assert not lied, f'{len(lied)} of {len(told)} orders were told sent=no and then arrived'
    assert 'no' in told.values() and any(seen(origin, f'/order?n={n}') for n in told), 'nothing waited, or all of it'


@pytest.mark.parametrize('headers', [[('X-MBX-APIKEY', 'k')], []], ids=['private', 'public'])
def test_the_verdict_is_of_all_tries(daemon, origin, headers):
    """The origin read the first attempt and refused the connection for the second: the error says sent=yes, and the request was not
    sent twice."""
    d = daemon(upstream('ex', origin, retry_private=True))
    works(d)
    origin.on('/x', read_then_gone(origin))
    own_error(d.get('/ex/x', headers), 502, 'connection_refused', 'yes')
    u = d.upstream()['requests']
    assert seen(origin, '/x') == 1
    assert (u['failed'], u['abandoned'], u['retried']) == (1, 0, 0)


def test_what_the_origin_vouches_for_does_not_count(daemon, origins):
    """GOAWAY says that the request was not processed, and the connection for the next attempt is refused: the error says
    sent=no."""
    origin = origins(alpn=H2)
    d = daemon(upstream('ex', origin))
    works(d)

    async def away(x):
        loop().remove_reader(origin.sock)
        origin.sock.close()
        await h2_goaway(below=1)(x)
    origin.on('/x', away)
    own_error(d.request('POST', '/ex/x', body=b'x'), 502, 'connection_refused', 'no')
    u = d.upstream()['requests']
    assert (u['unknown'], u['retried']) == (0, 0)


# --------------------------------------------------------------------------- connections that swallow requests

@BOTH
def test_a_dead_line_costs_one_order(daemon, origins, alpn):
    """After one order has timed out on a connection, no further order is sent on it."""
    origin = origins(alpn=alpn)
    d = daemon(upstream('ex', origin, response_timeout='1500ms', order_wait='9s'))
    works(d)
    silence(origin.lines[0])
    own_error(d.request('POST', '/ex/order?n=1', body=b'x'), 504, 'http_response_timeout', 'yes')
    for n in range(2, 6):
        assert d.request('POST', f'/ex/order?n={n}', body=b'x').status == 200
    assert [seen(origin, f'/order?n={n}') for n in range(1, 6)] == [1] * 5
    assert d.upstream()['requests']['unknown'] == 1


def test_a_dead_line_at_the_cap(daemon, origins):
    """At max_connections, an order waits until the dead connection is given up, even longer than queue_timeout, and is then sent on
    a new connection."""
    origin = origins(alpn=H2)
    d = daemon(upstream('ex', origin, response_timeout='1500ms', max_connections=1, queue_timeout='500ms', order_wait='9s'))
    works(d)
    silence(origin.lines[0])
    own_error(d.request('POST', '/ex/order?n=1', body=b'x'), 504, 'http_response_timeout', 'yes')
    assert d.request('POST', '/ex/order?n=2', body=b'x').status == 200
    assert [r.conn for r in origin.requests if r.target == '/order?n=2'] == [2]


def test_a_slow_answer_does_not_cost_the_line(daemon, origins):
    """A response times out, but the connection turns out to be alive. It is kept, and no other is opened."""
    origin = origins(alpn=H2)
    d = daemon(upstream('ex', origin, response_timeout='1500ms', max_connections=1))
    works(d)
    origin.on('/slow', hang())
    own_error(d.request('POST', '/ex/slow', body=b'x'), 504, 'http_response_timeout', 'yes')
    assert d.get('/ex/y').status == 200
    assert len(origin.lines) == 1 and d.connections()['opened'] == 1


# -------------------------------------------------------------------------------------- refusals by the origin

@pytest.mark.parametrize('method', ['GET', 'POST', 'DELETE'])
def test_an_origin_that_wants_http1(daemon, origins, method):
    """HTTP_1_1_REQUIRED: the refused request is sent again over HTTP/1.1, and later requests use HTTP/1.1 as well."""
    origin = origins(alpn=H2)
    d = daemon(upstream('ex', origin))
    works(d)

    async def old_only(x):
        await (h2_reset(Code.HTTP_1_1_REQUIRED, wait_body=True) if x.req.version == 'HTTP/2' else reply(body=lambda q: bytes(q.body)))(x)
    origin.on('/old', old_only)
    r = d.request(method, '/ex/old', body=b'qty=1')
    assert r.status == 200 and r.body == b'qty=1'
    assert d.get('/ex/y').status == 200
    assert [q.version for q in origin.requests][1:] == ['HTTP/2', 'HTTP/1.1', 'HTTP/1.1']
    eventually(lambda: [line.alpn for line in origin.open] == ['http/1.1'])
    u = d.upstream()['requests']
    assert (u['retried'], u['failed'], u['unknown']) == (1, 0, 0)
    assert 'HTTP_1_1_REQUIRED' in d.stderr


def test_a_limit_of_no_streams(daemon, origins):
    """MAX_CONCURRENT_STREAMS 0: all requests wait for the one connection and are sent once the limit is raised."""
    origin = origins(alpn=H2, max_streams=0)
    d = daemon(upstream('ex', origin, min_idle=1))
    eventually(lambda: any(line.session and line.session.settled for line in origin.open))
    calls = [background(lambda: d.get('/ex/quote')) for _ in range(5)]
    eventually(lambda: d.upstream()['queue']['waiting'] == 5)
    assert len(origin.lines) == 1
    origin.max_streams = 10

    async def tell():
        for line in origin.open:
            line.session.h2.update_settings({Setting.MAX_CONCURRENT_STREAMS: 10})
            await line.session.flush()
    run(tell())
    assert [c.result().status for c in calls] == [200] * 5
    assert d.upstream()['requests']['retried'] == 0


@BOTH
@pytest.mark.parametrize('method', ['GET', 'POST'])
def test_a_misdirected_request(daemon, origins, alpn, method):
    """After a 421 the request is sent once more, on a new connection, even if max_connections is 1. The second response goes to
    the client, whatever its status."""
    origin = origins(alpn=alpn)
    d = daemon(upstream('ex', origin, max_connections=1, retries=3))
    works(d)
    origin.on('/x', reply(421), reply(body=lambda q: bytes(q.body)))
    r = d.request(method, '/ex/x', body=b'qty=1')
    assert r.status == 200 and r.body == b'qty=1'
    assert [q.conn for q in origin.requests if q.target == '/x'] == [1, 2]
    origin.on('/y', reply(421))
    assert d.request(method, '/ex/y', body=b'x').status == 421
    assert [q.conn for q in origin.requests if q.target == '/y'] == [2, 3]
    eventually(lambda: len(origin.open) == 0)
    u = d.upstream()['requests']
    assert (u['retried'], u['unknown']) == (2, 0)
