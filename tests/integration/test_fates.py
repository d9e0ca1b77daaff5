"""Orders of unknown fate: which orders these are, the single warning for each, and where they are counted."""
import signal
import socket

import pytest

from lib.behaviour import Gate, drop, hang, raw, reply
from lib.daemon import PATIENCE, upstream
from lib.promise import UNSAFE, own_error, works
from lib.wire import compose, eventually, refuses

KEY = [('API-Key', 'k'), ('Trunkline-Client', 'grid1')]
TARGET = '/ex/order?symbol=BTC&signature=5ec4e7'


def warnings(d):
    return [li for li in d.stderr.splitlines() if 'unknown fate' in li]


@pytest.mark.parametrize('how', [{}, {'log_level': 'error', 'slow_log': 0}, {'access_log': 'stderr', 'slow_log': '1ms'}], ids=['defaults', 'quiet', 'all'])
@pytest.mark.parametrize('method', UNSAFE)
def test_each_is_one_warning(daemon, origin, method, how):
    """Exactly one warning for each order, whatever else is logged: for errors and timeouts reported by trunkline, and for 5xx and 408
    from the origin."""
    d = daemon(upstream('ex', origin, response_timeout='1500ms'), **how)
    works(d)
    ends = [(drop('reset'), 'error=connection_terminated status=502'), (hang(), 'error=http_response_timeout status=504'),
            (reply(500), 'error=- status=500'), (reply(524), 'error=- status=524'), (reply(408), 'error=- status=408')]
    for n, (behaviour, said) in enumerate(ends, 1):
        origin.on('/order', behaviour)
        with d.client() as c:
            peer = '127.0.0.1:%d' % c.sock.getsockname()[1]
            c.request(method, TARGET, KEY, b'x')
        eventually(lambda n=n: len(warnings(d)) == n)
        line = warnings(d)[-1]
        for word in ('warn upstream ex', f'method={method} ', f'client={peer} ', 'bot=grid1 ', said, 'sent=yes', '/order?symbol=BTC&signature='):
            assert word in line, f'{word} is not in {line}'
        assert '5ec4e7' not in d.stderr
    about = [li for li in d.stderr.splitlines() if '/order' in li and 'time=' not in li]
    assert len(about) == len(ends), about
    assert d.upstream()['requests']['unknown'] == len(ends)


def test_what_is_known_is_not_warned_of(daemon, origin):
    """No warning for an order that was not sent, was refused by the exchange or succeeded; and none for a GET, whatever its outcome."""
    d = daemon(upstream('ex', origin, retries=0), upstream('gone', '127.0.0.1:1', host='gone.test'))
    works(d)
    own_error(d.request('POST', '/gone/order', KEY, b'x'), 502, 'connection_refused', 'no')
    for status in (200, 400, 404, 429):
        origin.on('/order', reply(status))
        assert d.request('POST', TARGET, KEY, b'x').status == status
    for behaviour in (drop('reset'), reply(503), reply(408)):
        origin.on('/q', behaviour)
        d.get('/ex/q')
    assert not warnings(d) and d.upstream()['requests']['unknown'] == 0


def test_a_client_that_left_and_was_never_answered(daemon, origin):
    """The order was sent and its client disconnected before a response came, so its fate is unknown."""
    d = daemon(upstream('ex', origin, response_timeout='1500ms'))
    works(d)
    origin.on('/order', hang())
    with d.client() as c:
        c.send(compose('POST', TARGET, KEY, b'x'))
        eventually(lambda: any('/order' in p for p in origin.paths()))
    eventually(lambda: warnings(d))
    assert len(warnings(d)) == 1 and 'sent=yes' in warnings(d)[0]


def test_stats_tell_how_many(daemon, origin):
    d = daemon(upstream('ex', origin))
    works(d)
    assert 'unknown' not in d.cli('stats').stdout
    origin.on('/order', drop('reset'))
    for _ in range(2):
        d.request('POST', TARGET, KEY, b'x')
    out = d.cli('stats').stdout
    assert '2 orders of unknown fate\n' in out and 'warning: ex: 2 orders of unknown fate' in out, out


# ------------------------------------------------------------------ complete and truncated responses to orders

H2 = ('h2', 'http/1.1')
HEAD = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n'
CUT = {'length': HEAD + b'Content-Length: 100\r\n\r\n{"orderId":1', 'chunked': HEAD + b'Transfer-Encoding: chunked\r\n\r\nc\r\n{"orderId":1\r\n',
       'close': HEAD + b'\r\n{"orderId":1', 'head only': HEAD + b'Content-Length: 5\r\n\r\n'}


@pytest.mark.parametrize('version', ['1.1', '1.0'])
@pytest.mark.parametrize('framing, then', [(f, t) for f in CUT for t in ('cut', 'reset', 'close') if (f, t) != ('close', 'close')])
def test_an_answer_that_is_cut_off_is_an_error(daemon, origin, framing, then, version):
    """However the body is framed, however the connection ends, and whichever version of HTTP the client uses."""
    d = daemon(upstream('ex', origin))
    works(d)
    origin.on('/order', raw(CUT[framing], then=then))
    with d.client() as c:
        c.send(compose('POST', '/ex/order', KEY, b'x').replace(b'HTTP/1.1', b'HTTP/' + version.encode()))
        own_error(c.response('POST'), 502, 'http_response_incomplete', 'yes')
    u = d.upstream()['requests']
    assert (u['unknown'], u['failed'], origin.paths().count('/order')) == (1, 1, 1)
    assert len(warnings(d)) == 1 and 'http_response_incomplete' in warnings(d)[0]


def test_so_it_is_over_http2(daemon, origins):
    """The same for a response that RST_STREAM cuts off; a complete response is delivered."""
    origin = origins(alpn=H2)

    async def breaks(s):
        s.session.h2.send_headers(s.req.stream, [(':status', '200'), ('content-type', 'application/json')])
        await s.data(b'{"orderId":1')
        await s.reset(0)

    d = daemon(upstream('ex', origin))
    origin.on('/order', breaks)
    own_error(d.request('POST', '/ex/order', KEY, b'x'), 502, ('http_response_incomplete', 'http_protocol_error'), 'yes')
    r = d.request('POST', '/ex/next', KEY, b'x')
    assert r.status == 200 and r.text == '/next' and d.upstream()['requests']['unknown'] == 1


@pytest.mark.parametrize('stream', ['silent', 'slow'])
def test_its_clocks_run_while_it_is_held(daemon, origin, stream):
    """While a response to an order is held back until it is complete, body_timeout and total_timeout still apply."""
    how = {'body_timeout': '300ms'} if stream == 'silent' else {'total_timeout': '800ms', 'body_timeout': '5s'}
    d = daemon(upstream('ex', origin, **how))
    works(d)
    pieces = 2 if stream == 'silent' else 40
    origin.on('/order', reply(body=b'x' * 1000, pieces=pieces, gap=3 / pieces * 2))
    error = 'connection_read_timeout' if stream == 'silent' else 'http_response_timeout'
    own_error(d.request('POST', '/ex/order', KEY, b'x'), 504, error, 'yes')
    assert len(warnings(d)) == 1


@pytest.mark.parametrize('framing', ['length', 'chunked', 'close'])
@pytest.mark.parametrize('size', [0, 1, 65_536, 65_537, 1_000_000])
def test_whatever_is_whole_comes_through(daemon, origin, framing, size):
    d = daemon(upstream('ex', origin))
    body = bytes(range(250)) * (size // 250 + 1)
    origin.on('/order', reply(body=body[:size], framing=framing, pieces=min(size, 20) or 1))
    with d.client(10) as c:
        for _ in range(2):
            r = c.request('POST', '/ex/order', KEY, b'x')
            assert r.status == 200 and r.body == body[:size]


def test_what_streams_is_not_held_back(daemon, origin):
    """Event streams and responses larger than 64 KiB are passed on as they arrive, and so is any response to a GET."""
    d = daemon(upstream('ex', origin))
    gates = []

    def gated(first, headers):
        gate = Gate()
        gates.append(gate)

        async def behave(x):
            await x.read_body()
            await x.line.send(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n' + headers + b'\r\n' + b'%x\r\n%b\r\n' % (len(first), first))
            while not gate._open.is_set():
                await x.pause(0.01)
            await x.line.send(b'0\r\n\r\n')
        return behave
    origin.on('/events', gated(b'data: 1\n\n', b'Content-Type: text/event-stream; charset=utf-8\r\n'))
    origin.on('/large', gated(b'y' * 70_000, b''))
    origin.on('/get', gated(b'y', b''))
    for n, (method, path) in enumerate([('POST', '/events'), ('POST', '/large'), ('GET', '/get')]):
        with d.client(10) as c:
            c.send(compose(method, '/ex' + path, KEY, b'x' if method == 'POST' else b''))
            assert c.head()     # the head arrives although the response is not complete
            gates[n].release()


def test_known_refusals_are_no_doubt(daemon, origin):
    """A 5xx or 408 whose body says that the order was not executed counts as failed, but not as unknown."""
    d = daemon(upstream('ex', origin, known_refusals=['{"code":-1008', 'Service Unavailable.']))
    works(d)
    for status, body, unknown in [(503, b'{"code":-1008,"msg":"throttled"}', 0), (503, b'Service Unavailable.', 0), (408, b'{"code":-1008}', 0),
                                  (503, b'{"code":-1007}', 1), (503, b'', 1), (500, b'{"code":', 1)]:
        before = d.upstream()['requests']['unknown']
        origin.on('/order', reply(status, body))
        r = d.request('POST', '/ex/order', KEY, b'x')
        assert (r.status, r.body) == (status, body)
        assert d.upstream()['requests']['unknown'] - before == unknown, body
        assert len(warnings(d)) == before + unknown
    assert d.upstream()['requests']['failed'] == 5


# ------------------------------------------------------------------------------------- clients that disconnect

def send_and_leave(d, target, how='abort', method='POST', seen=None):
    c = d.client()
    c.send(compose(method, '/ex' + target, KEY, b'x' if method == 'POST' else b''))
    eventually(seen)
    if how == 'half':
        c.sock.shutdown(socket.SHUT_WR)
    else:
        c.abort() if how == 'abort' else c.close()
    return c


@pytest.mark.parametrize('alpn', [('http/1.1',), H2], ids=['h1', 'h2'])
@pytest.mark.parametrize('how', ['abort', 'close', 'half'])
def test_an_order_is_followed(daemon, origins, tmp_path, how, alpn):
    """The response to an order is awaited after its client has disconnected: the outcome is logged, nothing is unknown, and the
    upstream connection is reused."""
    log = tmp_path / 'access.log'
    origin = origins(alpn=alpn)
    d = daemon(upstream('ex', origin, max_connections=1), access_log=str(log))
    works(d)
    gate = Gate(reply(201, b'done'))
    origin.on('/order', gate)
    c = send_and_leave(d, '/order', how, seen=lambda: gate.waiting == 1)
    eventually(lambda: d.stats()['clients']['open'] <= 1)
    gate.release()
    eventually(lambda: d.upstream()['requests']['active'] == 0 and d.connections()['active'] == 0)
    assert works(d, '/ex/next').get('x-line') == '1' and len(origin.lines) == 1
    u = d.upstream()
    assert (u['requests']['unknown'], u['requests']['failed'], u['connections']['drained']) == (0, 0, 1)
    line = eventually(lambda: [li for li in log.read_text().splitlines() if '/order' in li])
    assert len(line) == 1 and all(w in line[0] for w in ('left=yes', 'status=201', 'sent=yes', 'bytes=4', 'bot=grid1')), line
    assert 'left=' not in ''.join(li for li in log.read_text().splitlines() if '/order' not in li)
    assert not warnings(d)
    c.close()


def test_the_line_of_a_get_lives_on(daemon, origin):
    """A response to a GET is read to the end as well, also if it is a coalesced one and all its clients have disconnected."""
    for n, settings in enumerate([{}, {'coalesce': True}], 1):
        d = daemon(upstream('ex', origin, max_connections=1, **settings))
        line = works(d).get('x-line')
        gate = Gate()
        origin.on(f'/q{n}', gate)
        c = d.client()
        c.send(compose('GET', f'/ex/q{n}'))
        eventually(lambda g=gate: g.waiting == 1)
        c.abort()
        eventually(lambda d=d: d.stats()['clients']['open'] <= 1)
        gate.release()
        eventually(lambda d=d: d.connections()['active'] == 0)
        assert works(d, '/ex/next').get('x-line') == line
        assert d.connections()['drained'] == 1 and d.connections()['closed']['error'] == 0


def test_a_drain_waits_for_those_that_are_followed(daemon, origin, tmp_path):
    """A drain waits for orders whose clients have disconnected. If a second SIGTERM ends it early, they are settled and logged."""
    for name, released in (('first', True), ('second', False)):
        log = tmp_path / name
        d = daemon(upstream('ex', origin), access_log=str(log))
        works(d)
        gate = Gate()
        origin.on(f'/{name}', gate)
        send_and_leave(d, f'/{name}', seen=lambda g=gate: g.waiting == 1)
        eventually(lambda d=d: d.stats()['clients']['open'] <= 1)
        d.kill(signal.SIGTERM)
        eventually(lambda d=d: refuses(d.where))
        assert d.alive()
        gate.release() if released else d.kill(signal.SIGTERM)
        assert d.wait(10 * PATIENCE) == 0
        line = [li for li in log.read_text().splitlines() if name in li]
        wanted = 'status=200' if released else 'error=destination_unavailable'
        assert len(line) == 1 and 'left=yes' in line[0] and wanted in line[0], line
        assert len(warnings(d)) == (not released)
