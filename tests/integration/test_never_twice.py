"""The order-safety promise: a request is sent at most once if any byte of it may have left, and the reported `sent` is true."""
import os
import random
import signal

import pytest

from lib.behaviour import Gate, drop, finish, raw, reply
from lib.daemon import upstream
from lib.line import loop, run
from lib.ports import connection, daemons_end
from lib.promise import error_body, own_error, works
from lib.wire import background, chunked, compose, eventually, parallel

HOWS = ['close', 'cut', 'reset']
SAFE = ['GET', 'HEAD', 'OPTIONS', 'TRACE']
UNSAFE = ['POST', 'PUT', 'PATCH', 'DELETE']


def order(n, size=0, method='POST'):
    """An order with a marker at its beginning and one at its end, so that each partial and each complete copy can be counted."""
    body = b'<%d:' % n + b'x' * size + b':%d>' % n
    return compose(method, f'/ex/order?{n}', [], body)


def is_true(origin, n, sent):
    """Checks that order n was sent at most once and that `sent` says what happened to it."""
    whole = origin.sightings(b':%d>' % n)
    begun = origin.sightings(b'/order?%d ' % n)
    assert begun <= 1 and whole <= 1, f'order {n} was seen {begun} times'
    if sent == 'no':
        assert not begun, f'order {n} was seen, yet sent=no'
    if whole:
        assert sent == 'yes', f'order {n} was seen whole, yet sent={sent}'


def once_per_line(how, after):
    """Answers the first request of a connection, and closes the connection upon any further request."""
    good, bad = reply(), drop(how, after=after)

    async def behave(x):
        await (good if x.line.requests == 1 else bad)(x)
    return behave


@pytest.mark.parametrize('how', HOWS)
@pytest.mark.parametrize('after, size', [(0, 10), (20_000, 50_000), (None, 10)], ids=['before', 'inside', 'after'])
def test_an_origin_that_closes_reused_lines(ex, origin, how, after, size):
    """In total 1,008 POSTs over all nine variants: each is seen at most once, and each client gets a response with a true `sent`."""
    origin.default = once_per_line(how, after)

    def client(which):
        answers = []
        with ex.client(timeout=20) as c:
            for n in range(which * 28, which * 28 + 28):
                answers.append((n, c.send(order(n, size)).response('POST')))
        return answers
    verdicts = []
    for n, r in (pair for answers in parallel(4, client) for pair in answers):
        if r.status == 200:
            is_true(origin, n, 'yes')
        else:
            verdicts.append(own_error(r, 502, 'connection_terminated')['sent'])
            is_true(origin, n, verdicts[-1])
    assert len(verdicts) >= 20, 'hardly any line was reused: this tested nothing'
    requests = ex.upstream()['requests']
    assert requests['total'] == 112 and requests['failed'] == len(verdicts)
    assert requests['unknown'] == sum(v != 'no' for v in verdicts)


def moody(seed):
    """Each request gets a random outcome."""
    fate = random.Random(seed)
    fates = [reply(), reply(), reply(delay=0.005), reply(close='announced'), reply(framing='chunked', pieces=3), reply(500),
             *(drop(how, after=after) for how in HOWS for after in (None, 0, 100)),
             raw(b'HTTP/1.1 103 Early Hints\r\n\r\n', then='reset'), raw(b'HTTP/1.1 2', then='close'), raw(b'nonsense\r\n\r\n'),
             raw(b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', then='reset')]

    async def behave(x):
        await fate.choice(fates)(x)
    return behave


@pytest.mark.limit(120)
def test_a_thousand_orders_and_a_moody_origin(ex, origin):
    """Eight concurrent clients, whatever happens to the connections: no order is sent twice, each gets a response, and the counters
    add up."""
    origin.default = moody(7)

    def client(which):
        answers = []
        for n in range(which * 125, which * 125 + 125):
            with ex.client(timeout=20) as c:
                answers.append((n, c.send(order(n, 400)).response('POST')))
        return answers
    unknown = 0
    for n, r in (pair for answers in parallel(8, client) for pair in answers):
        if r.get('proxy-status'):
            sent = error_body(r)['sent']
            unknown += sent != 'no'
        else:
            sent = 'yes'
            unknown += r.status == 500
        is_true(origin, n, sent)
    requests = ex.upstream()['requests']
    assert requests['total'] == 1000 and requests['active'] == 0
    assert requests['succeeded'] + requests['failed'] == 1000 and requests['unknown'] == unknown
    assert sum(requests['errors'].values()) + requests['status']['2xx'] + origin_500s(origin, requests) == 1000
    c = ex.connections()
    assert c['open'] == c['idle'] + c['active'] + c['connecting'] and c['opened'] == c['idle'] + c['active'] + sum(c['closed'].values())


def origin_500s(_, requests):
    """Number of 5xx responses from the origin. trunkline's own errors, which are all 502 here, are not included."""
    return requests['status']['5xx'] - sum(requests['errors'].values())


# --------------------------------------------------------------------------------------- what may be retried

def dying(origin, count, how='reset', behaviour=None):
    """Each connection answers its first request; the next `count` requests on a reused connection close it."""
    left = [count]
    bad, good = behaviour or drop(how), reply()

    async def behave(x):
        if x.line.requests > 1 and left[0] and x.req.target != '/warm':
            left[0] -= 1
            await bad(x)
        else:
            await good(x)
    origin.default = behave


def warm(d, origin, count):
    """Opens `count` connections and makes them idle at the same time."""
    gate = Gate()
    origin.on('/warm', gate)
    waiting = [background(lambda: d.get('/ex/warm', timeout=20)) for _ in range(count)]
    eventually(lambda: gate.waiting == count)
    gate.release()
    assert all(w.result(20).status == 200 for w in waiting)
    eventually(lambda: d.connections()['idle'] == count)


def seen(origin, target='/x'):
    return origin.paths().count(target)


@pytest.mark.parametrize('how', HOWS)
@pytest.mark.parametrize('method', SAFE)
def test_a_safe_request_is_sent_again(ex, origin, method, how):
    """A request without credentials on a reused connection is retried if no response byte was received; the client does not notice."""
    dying(origin, 1, how)
    warm(ex, origin, 1)
    r = ex.request(method, '/ex/x')
    assert r.status == 200 and seen(origin) == 2
    requests = ex.upstream()['requests']
    assert (requests['retried'], requests['failed'], requests['succeeded'], requests['total']) == (1, 0, 2, 2)


@pytest.mark.parametrize('method', UNSAFE)
def test_an_order_is_not_sent_again(ex, origin, method):
    """An order is not retried, even without a body."""
    dying(origin, 1)
    warm(ex, origin, 2)
    own_error(ex.request(method, '/ex/x'), 502, 'connection_terminated', 'yes')
    assert seen(origin) == 1 and ex.upstream()['requests']['retried'] == 0
    assert ex.upstream()['requests']['unknown'] == 1


CREDENTIALS = [('/ex/x', [('X-MBX-APIKEY', 'k')]), ('/ex/x?signature=00', []), ('/ex/x', [('Authorization', 'Basic eDp5')]),
               ('/ex/x', [('x-my-token', 't')])]


@pytest.mark.parametrize('target, headers', CREDENTIALS)
def test_a_private_get_is_not_sent_again(ex, origin, target, headers):
    """A GET with credentials is not retried, because some exchanges accept orders by signed GET."""
    dying(origin, 1)
    warm(ex, origin, 2)
    own_error(ex.get(target, headers), 502, 'connection_terminated', 'yes')
    assert len(origin.requests) == 3 and ex.upstream()['requests']['retried'] == 0


def test_retry_private(daemon, origin):
    """With retry_private = yes, a GET with credentials is retried too."""
    d = daemon(upstream('ex', origin, retry_private=True))
    dying(origin, 1)
    warm(d, origin, 1)
    assert d.get('/ex/x', [('X-MBX-APIKEY', 'k')]).status == 200
    assert seen(origin) == 2 and d.upstream()['requests']['retried'] == 1


@pytest.mark.parametrize('retries', [0, 1, 2])
def test_retries_are_counted(daemon, origin, retries):
    """A request is retried up to `retries` times; then the client gets the error."""
    d = daemon(upstream('ex', origin, retries=retries))
    dying(origin, 99)
    warm(d, origin, 6)
    own_error(d.get('/ex/x'), 502, 'connection_terminated', 'yes')
    assert seen(origin) == retries + 1 and d.upstream()['requests']['retried'] == retries


def test_not_on_a_fresh_line(ex, origin):
    """A request that fails on a fresh connection is not retried, because the next connection would probably fail as well."""
    origin.on('/x', drop('close'))
    own_error(ex.get('/ex/x'), 502, 'connection_terminated', 'yes')
    assert seen(origin) == 1 and ex.upstream()['requests']['retried'] == 0


@pytest.mark.parametrize('start, error', [
    (b'H', 'http_response_incomplete'), (b'HTTP/1.1 200 OK\r\n', 'http_response_incomplete'),
    (b'HTTP/1.1 103 Early Hints\r\n\r\n', 'http_response_incomplete'), (b'garbage\r\n\r\n', 'http_protocol_error')])
def test_not_after_a_response_byte(ex, origin, start, error):
    """No retry after any response byte, not even one of an interim response: the origin has started to process the request."""
    dying(origin, 1, behaviour=raw(start, then='close'))
    warm(ex, origin, 2)
    own_error(ex.get('/ex/x'), 502, error, 'yes')
    assert seen(origin) == 1 and ex.upstream()['requests']['retried'] == 0


def test_a_body_too_long_to_keep_is_not_replayed(ex, origin):
    """A request of more than 64 KiB is not kept, so it cannot be retried."""
    dying(origin, 1)
    warm(ex, origin, 2)
    own_error(ex.request('GET', '/ex/x', body=b'x' * 70_000), 502, 'connection_terminated')
    assert seen(origin) == 1


def test_a_kept_body_is_replayed_whole(ex, origin):
    """A retry sends the same body, in either framing."""
    dying(origin, 1)
    warm(ex, origin, 1)
    body = bytes(range(256)) * 200
    with ex.client() as c:
        r = c.send(compose('GET', '/ex/x', [('Transfer-Encoding', 'chunked')]) + chunked(body)).response()
    assert r.status == 200 and seen(origin) == 2
    assert [q.body for q in origin.requests if q.target == '/x'] == [body, body]


def test_a_streamed_order_that_breaks_is_partial(ex, origin):
    """The origin resets the connection during a long upload: the client gets sent=partial."""
    origin.on('/order', drop('reset', after=50_000))
    with ex.client() as c:
        c.send(compose('POST', '/ex/order', [('Content-Length', '300000')]) + b'x' * 100_000)
        own_error(c.response('POST'), 502, 'connection_terminated', 'partial')
    assert len(origin.requests) == 1 and not origin.requests[0].complete


# ------------------------------------------------------------------- connections that the origin has closed

def arrives(d, c, request):
    """The client sends a request while the daemon is stopped, so that it waits in the receive buffer."""
    c.send(request)
    eventually(lambda: connection(d.port, c.sock.getsockname()[1])[1] > 0)


def has_ended(origin):
    """Waits until the FIN or the reset of each connection has arrived at the daemon's end."""
    eventually(lambda: not any(daemons_end(line)[0] == 'established' for line in origin.lines))


@pytest.mark.parametrize('how', HOWS)
@pytest.mark.parametrize('who', ['origin first', 'client first'])
@pytest.mark.slow
def test_an_order_does_not_go_out_on_a_line_that_has_ended(ex, origin, who, how):
    """The origin's FIN or reset has arrived, but the daemon has not read it yet when the order arrives. The order is sent on a
    fresh connection."""
    for n in range(6):
        works(ex)
        with ex.client() as c:
            c.get('/healthz')                # makes the daemon accept the connection
            os.kill(ex.pid, signal.SIGSTOP)
            try:
                if who == 'client first':
                    arrives(ex, c, order(n))
                origin.hang_up(how)
                has_ended(origin)
                if who == 'origin first':
                    arrives(ex, c, order(n))
            finally:
                os.kill(ex.pid, signal.SIGCONT)
            r = c.response('POST')
        assert r.status == 200, f'order {n} was lost: {r.body!r}'
        is_true(origin, n, 'yes')
    assert ex.upstream()['requests']['failed'] == 0


def test_what_never_left_is_said_not_to_have(daemon, origins):
    """If a connection was closed before the request was written, the client gets sent=no, or the request is sent on another
    connection, which does not count against `retries`."""
    origin = origins(tls=False)
    d = daemon(upstream('ex', origin, retries=0))
    for n in range(6):
        works(d)
        with d.client() as c:
            c.get('/healthz')
            os.kill(d.pid, signal.SIGSTOP)
            try:
                arrives(d, c, compose('GET', f'/ex/order?{n}'))
                origin.hang_up('reset')
                has_ended(origin)
            finally:
                os.kill(d.pid, signal.SIGCONT)
            r = c.response()
        if r.status != 200:
            own_error(r, 502, 'connection_terminated', 'no')
        is_true(origin, n, 'no' if r.status != 200 else 'yes')


@pytest.mark.parametrize('method', ['POST', 'GET'])
def test_stray_bytes_are_nobodys_answer(ex, origin, method):
    """A response that arrived before the request was sent is not used as its response."""
    for n in range(6):
        works(ex)
        with ex.client() as c:
            c.get('/healthz')
            os.kill(ex.pid, signal.SIGSTOP)
            try:
                arrives(ex, c, order(n) if method == 'POST' else compose('GET', f'/ex/order?{n}'))
                origin.blurt(b'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON')
                eventually(lambda: any(daemons_end(line)[1] > 0 for line in origin.lines))
            finally:
                os.kill(ex.pid, signal.SIGCONT)
            r = c.response(method)
        assert r.status == 200 and r.text == f'/order?{n}'


async def _late(x):
    await x.read_body()
    await x.pause(0.2)
    await finish(x, 'reset')


STRAY = b'HTTP/1.1 408 Request Timeout\r\nContent-Length: 5\r\n\r\nstray'


def say_part(line, data, share):
    """Sends a TLS record that contains `data`, except for its last bytes, and returns these."""
    async def say():
        line.obj.write(data)
        record = line._out.read()
        cut = max(1, int(len(record) * share))
        await loop().sock_sendall(line.sock, record[:cut])
        return record[cut:]
    return run(say())


@pytest.mark.parametrize('share', [0, 0.05, 0.99], ids=['a byte', 'a head', 'nearly all'])
@pytest.mark.parametrize('used', [True, False], ids=['used', 'fresh'])
def test_part_of_a_tls_record_on_an_idle_line_is_unread_bytes(daemon, origin, used, share):
    """A partly received record on an idle connection would be taken for the response to the next request, so no order is sent on
    such a connection."""
    d = daemon(upstream('ex', origin, min_idle=1))
    eventually(lambda: d.connections()['idle'] == 1 and origin.lines[0].ready)
    if used:
        works(d)
    line = origin.lines[0]
    rest = say_part(line, STRAY, share)

    async def the_rest_comes(x):
        await x.read_body()
        await (loop().sock_sendall(line.sock, rest) if x.line is line else x.respond(200, [], b'ok'))
    origin.on('/order', the_rest_comes)
    r = d.request('POST', '/ex/order', body=b'x')
    assert (r.status, r.body) == (200, b'ok') and seen(origin, '/order') == 1


def test_part_of_a_tls_record_on_an_http2_line_delays_no_order(daemon, origins):
    """On HTTP/2 the rest of the record may contain harmless frames. If it does not arrive, another connection is opened."""
    origin = origins(alpn=('h2', 'http/1.1'))
    d = daemon(upstream('ex', origin))
    works(d)
    line = origin.lines[0]

    async def ping():
        line.session.h2.ping(b'12345678')
        return line.session.h2.data_to_send()
    say_part(line, run(ping()), 0.5)
    r = d.request('POST', '/ex/order', body=b'x')
    assert r.status == 200 and seen(origin, '/order') == 1


def test_a_client_that_leaves_takes_nothing_along(daemon, origin):
    """If its client disconnects, a waiting order is dropped and counted as abandoned. An order that was already sent is never sent
    again."""
    d = daemon(upstream('ex', origin, max_connections=1))
    gate = Gate()
    origin.on('/hold', gate)
    first = background(lambda: d.get('/ex/hold', timeout=20))
    eventually(lambda: gate.waiting == 1)
    for n in range(5):
        c = d.client()
        c.send(order(n))
        eventually(lambda: d.upstream()['queue']['waiting'] == 1)
        c.close() if n % 2 else c.abort()
        eventually(lambda: d.upstream()['queue']['waiting'] == 0)
    gate.release()
    assert first.result().status == 200
    works(d)
    assert not any(origin.sightings(b'/order?%d ' % n) for n in range(5))
    assert d.upstream()['requests']['abandoned'] == 5
    origin.on('/order', _late)
    with d.client() as c:
        c.send(order(9))
        eventually(lambda: '/order?9' in origin.paths())
    eventually(lambda: d.connections()['active'] == 0)
    works(d)
    is_true(origin, 9, 'yes')
