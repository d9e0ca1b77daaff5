"""The pool's guarantees in numbers, the circuit breaker, and the addresses that trunkline may connect to."""
import threading
import time

import pytest

from lib.behaviour import Gate, drop, reply
from lib.daemon import free_port, upstream
from lib.dns import FakeDns
from lib.promise import own_error, works
from lib.wire import Client, background, compose, eventually, parallel


# ------------------------------------------------------------------------------------- numbers of connections

@pytest.mark.parametrize('minimum', [0, 3])
def test_a_hundred_over_five(daemon, origin, minimum):
    """100 concurrent requests with max_connections = 5 open exactly 5 connections, whether the pool is cold or warm."""
    d = daemon(upstream('ex', origin, max_connections=5, min_idle=minimum))
    gate = Gate()
    origin.default = gate
    clients = [d.client() for _ in range(100)]
    for n, c in enumerate(clients):
        c.send(compose('GET', f'/ex/{n}'))
    eventually(lambda: gate.waiting == 5)
    eventually(lambda: d.upstream()['queue']['waiting'] == 95)
    gate.release()
    assert [c.response().text for c in clients] == [f'/{n}' for n in range(100)]
    c = d.connections()
    assert len(origin.lines) == 5 and (c['opened'], c['handshakes'], c['reused']) == (5, 5, 95)
    assert d.upstream()['queue']['waiting'] == 0


def test_clients_that_leave_at_once_cost_no_connection(daemon, origin):
    """256 clients over 64 connections, which all leave in the middle of their requests, three times: exactly 64 are ever opened."""
    d = daemon(upstream('ex', origin, max_connections=64, max_idle=64))
    for n in range(3):
        gate = origin.default = Gate()
        clients = [d.client() for _ in range(256)]
        for c in clients:
            c.send(compose('GET', '/ex/q'))
        eventually(lambda g=gate: g.waiting == 64)
        eventually(lambda: d.upstream()['queue']['waiting'] == 192)
        for c in clients:
            c.abort()
        eventually(lambda: d.stats()['clients']['open'] <= 1)
        gate.release()
        eventually(lambda: d.connections()['active'] == 0)
        c, r = d.connections(), d.upstream()['requests']
        assert (c['opened'], len(origin.lines), c['drained'], r['abandoned']) == (64, 64, 64 * (n + 1), 192 * (n + 1))
        assert sum(c['closed'].values()) == 0


@pytest.mark.parametrize('tls', [True, False])
def test_a_thousand_in_a_row(daemon, origins, tls):
    """1,000 sequential requests, including orders, share one connection, whether they come on one client connection or on a new one
    each."""
    origin = origins(tls=tls)
    d = daemon(upstream('ex', origin))
    with d.client() as c:
        for n in range(500):
            assert c.request('POST' if n % 5 == 0 else 'GET', f'/ex/{n}', body=b'x' * (n % 5 == 0)).text == f'/{n}'
    for n in range(500):
        assert d.get(f'/ex/{n}').text == f'/{n}'
    c = d.connections()
    assert len(origin.lines) == 1 and (c['opened'], c['reused'], c['handshakes']) == (1, 999, int(tls))


def test_the_floor_holds_under_load(daemon, origin):
    """min_idle connections exist before, during and after load, and never more than max_connections."""
    d = daemon(upstream('ex', origin, min_idle=4, max_connections=6, max_idle=4))
    eventually(lambda: len(origin.open) == 4)
    parallel(20, lambda n: d.get(f'/ex/{n}', timeout=20))
    eventually(lambda: len(origin.open) == 4)
    for line in origin.open[:2]:
        origin.hang_up('cut', only=line.number)
    eventually(lambda: len(origin.open) == 4)
    c = d.connections()
    assert c['open'] == 4 and c['opened'] == len(origin.lines) == c['open'] + sum(c['closed'].values())


def test_an_origin_that_closes_every_line_at_once(daemon, origin):
    """With min_idle and an origin that closes every connection, the daemon does not spin: it reconnects more and more slowly, and
    has its connections when the origin keeps them."""
    d = daemon(upstream('ex', origin, min_idle=2))
    eventually(lambda: len(origin.open) == 2)
    end, told = time.monotonic() + 1.5, 0
    while time.monotonic() < end:
        origin.hang_up('reset')
        told += 1
        time.sleep(0.01)
    assert len(origin.lines) <= 40, f'{len(origin.lines)} lines in 1.5 s'
    eventually(lambda: len(origin.open) == 2)
    works(d)


@pytest.mark.parametrize('hint', ['timeout=2', 'max=9, timeout=3', 'timeout=90'])
def test_the_origins_word_on_idle_lines(daemon, origin, hint):
    """A connection stays idle at most as long as its origin's Keep-Alive field says, minus one second, and never longer than
    idle_timeout."""
    origin.default = reply(headers=[('Keep-Alive', hint), ('Connection', 'keep-alive')])
    d = daemon(upstream('ex', origin, idle_timeout='4s' if '90' in hint else '60s'))
    r = works(d)
    assert r.get('Keep-Alive') != hint, 'it is of that connection alone'
    answered, line = time.monotonic(), origin.lines[0]
    eventually(lambda: not line.open)
    rests = {'timeout=2': 1, 'max=9, timeout=3': 2}.get(hint, 4)
    assert line.closed_by == 'daemon' and time.monotonic() - answered > rests - 0.3
    assert d.connections()['closed']['idle_timeout'] == 1


@pytest.mark.parametrize('how', ['close', 'reset', 'max_age', 'idle_timeout', 'refused tls'])
@pytest.mark.slow
def test_a_pool_without_requests_is_quiet(daemon, origin, how):
    """However its connections end, a pool without requests opens about one connection per second to restore min_idle."""
    short = {how: '300ms'} if how in ('max_age', 'idle_timeout') else {}
    d = daemon(upstream('ex', origin, min_idle=6, max_connections=8, **short))
    eventually(lambda: d.connections()['opened'] >= 6)
    if how == 'refused tls':
        origin.greet = 'reset'
    opened, began = len(origin.lines), time.monotonic()
    while time.monotonic() < began + 3:
        if not short:
            origin.hang_up('reset' if how == 'refused tls' else how)
        time.sleep(0.02)
    assert len(origin.lines) - opened <= 1 + (time.monotonic() - began) + 6 * bool(short)
    assert d.upstream()['learned_idle_ms'] is None


@pytest.mark.slow
def test_an_idle_limit_is_told_once(daemon, origins):
    """Three closes at the same idle time are taken as the origin's limit: the log says so once, and from then on trunkline closes first."""
    origin = origins(idle_close=2.3)
    d = daemon(upstream('ex', origin))
    for n in range(12):         # on a busy machine it may take a while until three are alike
        works(d)
        line = origin.lines[-1]
        eventually(lambda: not line.open)
        if line.closed_by == 'daemon':
            break
    assert n >= 3 and line.closed_by == 'daemon' and 2000 <= d.upstream()['learned_idle_ms'] <= 5000
    works(d)
    eventually(lambda: not origin.open)
    assert len([x for x in d.stderr.splitlines() if 'closes connections that are idle' in x]) == 1


# ------------------------------------------------------------------------------------------------- a cold start

def test_orders_at_a_cold_start(daemon, origins):
    """Before ALPN is known, quotes wait for the first connection, while each order opens its own."""
    origin = origins(alpn=('h2', 'http/1.1'), greet=0.4)
    gate = Gate()
    origin.default = gate
    d = daemon(upstream('ex', origin, order_wait='30s'))
    calls = [background(lambda n=n: d.request('POST' if n % 2 else 'GET', f'/ex/{n}', body=b'x' * (n % 2))) for n in range(10)]
    eventually(lambda: gate.waiting == 10)
    gate.release()
    assert [c.result().status for c in calls] == [200] * 10
    opened = d.connections()['opened']      # 6; more if an order finds a connection busy with what the origin has just sent
    assert 5 <= opened < 10, f'{opened} connections\n{d.stderr}'


# ---------------------------------------------------------------------------------------------------- breaker

def test_the_circuit_opens_and_closes(daemon, origins):
    """Five refused connections open the circuit. Then requests get 503 with Retry-After and no connection is attempted, until a
    probe after the delay succeeds and closes the circuit."""
    port = free_port()
    d = daemon(upstream('ex', f'127.0.0.1:{port}', breaker_min='1s', breaker_max='1s'))
    for n in range(5):
        began = time.monotonic()        # the circuit opens after this and stays open for a second
        own_error(d.request('POST', f'/ex/{n}', body=b'x'), 502, 'connection_refused', 'no')
    for n in range(20):
        u, r = d.upstream(), d.get('/ex/x')
        if time.monotonic() - began > 0.8:
            break
        assert u['breaker'] == 'open' and u['state'] == 'open' and u['connections']['failed'] == 5
        own_error(r, 503, 'destination_unavailable', 'no')
        assert r.number('retry-after') in (1, 2)
    origin = origins(port=port)
    eventually(lambda: d.get('/ex/y').status == 200, every=0.05)
    assert time.monotonic() - began >= 0.8
    assert d.upstream()['breaker'] == 'closed' and d.upstream()['state'] == 'up' and len(origin.lines) == 1


def test_one_probe_at_a_time(daemon, origin):
    """While the circuit is half open, one connection is attempted and other requests are refused. The delay doubles if the attempt
    fails."""
    origin.greet = 'reset'
    d = daemon(upstream('ex', origin, breaker_failures=2, breaker_min='300ms', breaker_max='5s', tls_timeout='30s', total_timeout='60s'))
    for _ in range(2):
        assert d.get('/ex/x').status == 502
    origin.greet = threading.Event()            # a slow handshake that succeeds
    before, calls = len(origin.lines), []

    def probed():
        calls.append(background(lambda: d.get('/ex/x')))
        return len(origin.lines) > before
    eventually(probed, every=0.1)
    refused = [d.get('/ex/x').status for _ in range(10)]
    assert refused == [503] * 10 and len(origin.lines) == before + 1, 'more than one probe at once'
    origin.greet.set()
    statuses = [c.result().status for c in calls]
    assert 200 in statuses and set(statuses) <= {200, 503}, statuses
    eventually(lambda: d.upstream()['breaker'] == 'closed')


def test_the_circuit_guards_dialling_only(daemon, origin):
    """While the circuit is open, existing connections are still used."""
    d = daemon(upstream('ex', origin, breaker_failures=1, breaker_min='20s', breaker_max='20s', max_connections=4))
    works(d)
    gate = Gate()
    origin.on('/hold', gate)
    held = background(lambda: d.get('/ex/hold', timeout=30))
    eventually(lambda: gate.waiting == 1)
    origin.greet = 'close'
    calls = [background(lambda: d.get('/ex/x', timeout=30)) for _ in range(3)]
    eventually(lambda: d.upstream()['breaker'] == 'open')
    gate.release()
    assert held.result().status == 200
    assert {c.result().status for c in calls} <= {200, 502, 503}
    for n in range(5):
        assert d.get(f'/ex/{n}').text == f'/{n}'
    assert d.upstream()['breaker'] == 'open' and [li.number for li in origin.open] == [1]


def test_answers_do_not_open_the_circuit(ex, origin):
    """Responses with status 500, broken responses and closed connections do not count as failures to connect."""
    origin.on('/500', reply(500))
    origin.on('/drop', drop('close'))
    for _ in range(10):
        assert ex.get('/ex/500').status == 500 and ex.request('POST', '/ex/drop').status == 502
    assert ex.upstream()['breaker'] == 'closed'
    works(ex)


# ------------------------------------------------------------------------------ which addresses to connect to

def test_the_hosts_file(daemon, origins):
    """The hosts file has priority over name servers."""
    origin = origins(address='127.0.0.31')
    with FakeDns({'exchange.test': ['127.0.0.32']}) as names:
        d = daemon(upstream('ex', None, host=f'exchange.test:{origin.port}'), names=names, hosts='127.0.0.31 exchange.test\n')
        works(d)
        assert len(origin.requests) == 1 and not names.queries('exchange.test')


@pytest.mark.parametrize('bad', ['refused', 'silent'])
def test_happy_eyeballs(daemon, origins, bad):
    """Addresses of both families are tried, and a bad one does not delay the next (RFC 8305)."""
    origin = origins(address='127.0.0.33')
    hosts = f'{"::1" if bad == "refused" else "100::1"} exchange.test\n127.0.0.33 exchange.test\n'
    d = daemon(upstream('ex', None, host=f'exchange.test:{origin.port}', connect_timeout='60s', total_timeout='60s'), hosts=hosts)
    works(d)
    assert len(origin.requests) == 1


def test_ipv6(daemon, origins):
    """IPv6 for an origin, a listener and a literal address."""
    origin = origins(address='::1')
    port = free_port('::1')
    daemon(upstream('ex', None, host=f'localhost:{origin.port}'), upstream('six', origin, host='kraken.test'),
           listen=[f'[::1]:{port}'], hosts='::1 localhost\n')
    with Client(('::1', port)) as c:
        assert c.request('GET', '/ex/a', host=f'[::1]:{port}').text == '/a'
        assert c.request('GET', '/six/b', host=f'[::1]:{port}').text == '/b'
        own_error(c.request('GET', 'http://[::1]:8443/x', host='a'), 403, 'destination_ip_prohibited', 'no')
    assert [li.sni for li in origin.lines] == ['localhost', 'kraken.test']


@pytest.mark.slow
@pytest.mark.parametrize('fault', ['SERVFAIL', None], ids=['servfail', 'silence'])
def test_name_servers_that_fail_do_not_take_the_exchange_away(daemon, origins, fault):
    """The last known addresses are used beyond their TTL, also for orders. The log says so once, and once more when the name
    servers answer again."""
    origin = origins()
    with FakeDns({'exchange.test': ['127.0.0.1']}, ttl=1) as names:
        d = daemon(upstream('ex', None, host=f'exchange.test:{origin.port}', max_requests=1), names=names, dns_max_ttl='1s')
        works(d)
        names.names['exchange.test'] = fault
        said = lambda: [li for li in d.stderr.splitlines() if 'exchange.test' in li and ' dns: ' in li]
        end = time.monotonic() + 30
        while not said():
            assert d.request('POST', '/ex/order', body=b'x').status == 200 and time.monotonic() < end
            time.sleep(0.1)
        for _ in range(5):
            assert d.request('POST', '/ex/order', body=b'x').status == 200
        assert len(said()) == 1 and 'stay in use' in said()[0]
        names.names['exchange.test'] = ['127.0.0.1']
        eventually(lambda: works(d) and len(said()) == 2, 40, every=0.1)
        assert 'answer again' in said()[1]


PRIVATE = ['127.0.0.1', '127.9.9.9', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0',
           '224.0.0.1', '255.255.255.255']


@pytest.mark.parametrize('address', PRIVATE)
def test_unlisted_names_of_private_addresses(daemon, address):
    """403 destination_ip_prohibited, decided by the resolved address; in particular for the cloud metadata address."""
    with FakeDns({'evil.test': [address]}) as names:
        d = daemon(upstream('ex', '127.0.0.1:9'), names=names)
        for target in ('http://evil.test/x', '/https://evil.test/x', '/?url=https%3A%2F%2Fevil.test%2Fx'):
            own_error(d.get(target), 403, 'destination_ip_prohibited', 'no')


@pytest.mark.parametrize('host', ['127.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '[fe80::1]', '[fc00::1]', '[::]', '10.1.2.3', '169.254.169.254',
                                  '[::ffff:10.0.0.1]', '[64:ff9b::7f00:1]', '[ff02::1]'])
def test_unlisted_private_literals(daemon, host):
    """The same for literal addresses."""
    d = daemon(upstream('ex', '127.0.0.1:9'))
    own_error(d.get(f'http://{host}:8443/x'), 403, 'destination_ip_prohibited', 'no')


def test_a_host_that_was_never_reached_is_not_up(daemon, origin):
    """Such a host is not `up` in /stats and /metrics, whether its name does not exist or its address is prohibited. For an upstream
    of the configuration, the circuit decides."""
    with FakeDns({'private.test': ['10.0.0.1']}) as names:
        d = daemon(upstream('ex', origin), upstream('gone', '127.0.0.1:1', host='gone.test'), names=names)
        works(d)
        for target, status in (('http://nosuch.test/x', 502), ('http://private.test/x', 403), ('/gone/x', 502)):
            assert d.get(target).status == status
        states = {u['name']: u['state'] for u in d.stats()['upstreams']}
        assert states == {'ex': 'up', 'gone': 'up', 'nosuch.test': 'open', 'private.test': 'open'}
        assert 'trunkline_upstream_state{upstream="nosuch.test",state="up"} 0' in d.get('/metrics').text


def test_mixed_answers_of_a_name(daemon, origins):
    """If a name resolves to a private address among others, the private one is never connected to."""
    origin = origins(address='127.0.0.34')
    with FakeDns({'evil.test': ['127.0.0.34', '192.0.2.1']}) as names:
        d = daemon(upstream('ex', '127.0.0.1:9'), names=names, defaults={'connect_timeout': '400ms', 'total_timeout': '1s'})
        r = d.get(f'http://evil.test:{origin.port}/x')
        own_error(r, (403, 502, 504), ('destination_ip_prohibited', 'connection_timeout', 'connection_refused', 'connection_terminated',
                                       'http_response_timeout'), 'no')
        assert not origin.lines


def test_listed_names_may_go_anywhere(daemon, origins):
    """Upstreams of the configuration may have any address."""
    origin = origins(address='127.0.0.35')
    with FakeDns({'exchange.test': ['127.0.0.35']}) as names:
        d = daemon(upstream('ex', None, host=f'exchange.test:{origin.port}'), names=names)
        assert works(d).status == 200 and d.get(f'http://exchange.test:{origin.port}/x').text == '/x'


def test_unlisted_deny(daemon, origin):
    """unlisted = deny: 403 http_request_denied for all other hosts, without a DNS query."""
    with FakeDns({'other.test': ['192.0.2.1']}) as names:
        d = daemon(upstream('ex', origin), names=names, unlisted='deny')
        for target in ('http://other.test/x', '/https://other.test/x', 'https://192.0.2.1/x', '/wss://other.test/x'):
            own_error(d.get(target), 403, 'http_request_denied', 'no')
        assert not names.asked
        assert d.get('http://exchange.test/x').text == '/x'


# ------------------------------------------------------------------------------------------------------ loops

@pytest.mark.parametrize('target', ['http://127.0.0.1:{port}/stats', '/http://127.0.0.1:{port}/x', '/https://localhost:{port}/x'])
def test_loops_by_address(daemon, origin, target):
    """A request for trunkline's own listener gets 502 proxy_loop_detected, or 403 because the address is private."""
    d = daemon(upstream('ex', origin))
    own_error(d.get(target.format(port=d.port)), (502, 403), ('proxy_loop_detected', 'destination_ip_prohibited'), 'no')


def test_loops_through_a_block(daemon):
    """An upstream that is trunkline itself is detected by its address or by Via, after at most one round."""
    port = free_port()
    d = daemon(f'upstream ex {{\n    url = "http://exchange.test"\n    connect_to = "127.0.0.1:{port}"\n}}\n', listen=[f'127.0.0.1:{port}'])
    r = d.get('/ex/x')
    assert r.status in (502, 403), r.body
    assert d.upstream()['requests']['total'] <= 2


def test_loops_by_via(ex, origin):
    """trunkline's own Via is a loop; that of another proxy is accepted."""
    own_error(ex.get('/ex/x', [('Via', '1.1 squid, 1.1 trunkline')]), 502, 'proxy_loop_detected', 'no')
    assert ex.get('/ex/y', [('Via', '1.1 squid')]).text == '/y'
    assert origin.requests[0].get('via').startswith('1.1 squid') and origin.paths() == ['/y']


# ----------------------------------------------------------------------------------------------- unix sockets

def test_unix_both_ways(daemon, origins, tmp_path):
    """A unix listener, and an upstream with a unix socket. The check of the Host field does not apply there."""
    import socket
    import threading
    path = tmp_path / 'o.sock'
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    seen = []

    def serve():
        while True:
            try:
                s, _ = server.accept()
            except OSError:
                return
            while data := s.recv(65536):
                seen.append(data)
                s.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi')
    threading.Thread(target=serve, daemon=True).start()
    d = daemon(f'upstream ex {{\n    url = "http://exchange.test"\n    connect_to = "unix:{path}"\n}}\n', listen=[f'unix:{tmp_path}/t.sock'])
    for n in range(3):
        assert d.get('/ex/x').body == b'hi'
    with d.client() as c:
        assert c.request('GET', '/y', host='exchange.test').body == b'hi'
    own_error(d.get('/nobody/x'), 404, 'http_request_error', 'no')
    assert len(seen) == 4 and b'\r\nHost: exchange.test\r\n' in seen[0] and d.connections()['opened'] == 1
    d.stop()
    server.close()
    assert not (tmp_path / 't.sock').exists(), 'its socket is left behind'
