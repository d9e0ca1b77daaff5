"""Ways out: source addresses, CONNECT proxies and SOCKS5, each with a pool and a budget of its own."""
import re

import pytest

from lib import proxies
from lib.behaviour import Gate, reply
from lib.daemon import cli, upstream
from lib.promise import own_error
from lib.wire import compose, eventually, parallel

A, B = '127.0.0.2', '127.0.0.3'
KEYS = [[('X-MBX-APIKEY', f'key-{n}')] for n in range(12)]


@pytest.fixture
def proxy():
    """proxy(behave) starts a scripted proxy, proxy(real) keeps a real one; all are stopped at the end."""
    started = []

    def start(what):
        p = what if isinstance(what, proxies.Real) else proxies.Scripted(what)
        started.append(p)
        return p
    yield start
    for p in started:
        p.stop()


def sources(origin, only=lambda r: True):
    of = {line.number: line.source for line in origin.lines}
    return [of[r.conn] for r in origin.requests if only(r)]


def exits_of(d, name='ex'):
    return {e['name']: e for e in d.upstream(name)['exits']}


# ------------------------------------------------------------------------------------------- source addresses

@pytest.mark.parametrize('secure', [True, False])
def test_source_addresses_in_turn(daemon, origins, secure):
    origin = origins() if secure else origins(tls=False)
    d = daemon(upstream('ex', origin, exits=[A, B]))
    for n in range(8):
        assert d.get(f'/ex/{n}').status == 200
    assert sorted(sources(origin)) == [A] * 4 + [B] * 4
    u = d.upstream()
    assert [e['name'] for e in u['exits']] == [A, B]
    assert u['connections']['opened'] == 2 == sum(e['connections']['opened'] for e in u['exits'])
    assert u['connections']['max'] == 32 and u['state'] == 'up' and u['breaker'] == 'closed'
    assert all(e['state'] == 'up' and e['breaker'] == 'closed' and e['learned_idle_ms'] is None for e in u['exits'])


def test_caps_and_floor_are_per_exit(daemon, origin):
    d = daemon(upstream('ex', origin, exits=[A, B], min_idle=2, max_connections=3, max_idle=3))
    eventually(lambda: d.connections()['idle'] == 4)
    eventually(lambda: sorted(line.source for line in origin.lines) == [A, A, B, B])
    gate = Gate()
    origin.on('/held', gate)
    busy = [d.client().send(compose('GET', f'/ex/held?{n}')) for n in range(10)]
    eventually(lambda: d.connections()['active'] == 6)
    eventually(lambda: d.upstream()['queue']['waiting'] == 4)
    gate.release()
    assert [c.response().status for c in busy] == [200] * 10
    assert d.connections()['opened'] == 6


def test_a_credential_keeps_its_exit(daemon, origin):
    """Over requests, methods and restarts; both exits are used; an exit that goes moves only its own credentials."""
    block = upstream('ex', origin, exits=[A, B])

    def exit_of(d):
        for n, key in enumerate(KEYS):
            assert d.get(f'/ex/account?{n}', key).status == 200
            assert d.request('POST', f'/ex/order?{n}', key, body=b'x').status == 200
        found = {}
        for n in range(len(KEYS)):
            used = set(sources(origin, lambda r, n=n: r.target in (f'/account?{n}', f'/order?{n}')))
            assert len(used) == 1, used
            found[n] = used.pop()
        return found
    first = exit_of(daemon(block))
    assert set(first.values()) == {A, B}
    assert exit_of(daemon(upstream('ex', origin, exits=[B, A]))) == first


def test_an_address_that_is_not_ours(daemon, origin):
    """An error of the dial, not of the start; public requests go by the other, a credential of that exit fails, unsent."""
    d = daemon(upstream('ex', origin, exits=['192.0.2.77', A], order_wait='2s'))
    for n in range(4):
        assert d.get(f'/ex/{n}').status == 200
    assert set(sources(origin)) == {A}
    answers = [d.request('POST', '/ex/order', key, body=b'x') for key in KEYS]
    failed = [r for r in answers if r.status != 200]
    assert failed and len(failed) < len(KEYS)
    for r in failed:
        body = own_error(r, (502, 503), ('connection_refused', 'destination_unavailable'), 'no')
        assert body['detail'].startswith('exit 192.0.2.77: ')
    assert len(origin.requests) == 4 + len(KEYS) - len(failed)
    assert "not one of this machine's" in d.stderr


def test_family_of_the_source_decides(daemon, origins):
    origin = origins()
    d = daemon(upstream('ex', origin, exits=['::1']))
    body = own_error(d.get('/ex/x'), 502, 'connection_refused', 'no')
    assert body['detail'] == 'exit ::1: the origin has no IPv6 address'


# --------------------------------------------------------------------------------------------------- real proxies

@pytest.mark.parametrize('http2', ['never', 'auto'])
def test_real_proxies(daemon, origins, proxy, tmp_path, http2):
    """TLS end to end through microsocks and tinyproxy, with logins; h2 too; each comes from where its proxy binds."""
    origin = origins(alpn=('h2', 'http/1.1'))
    s = proxy(proxies.socks(A, 'geheimer', 'se:cret'))
    t = proxy(proxies.tiny(tmp_path, B, 'geheimer', 'secret'))
    d = daemon(upstream('ex', origin, http2=http2, exits=[f'socks5h://geheimer:se%3Acret@127.0.0.1:{s.port}',
                                                           f'http://geheimer:secret@127.0.0.1:{t.port}']), access_log='stderr')
    for n in range(6):
        assert d.get(f'/ex/{n}').status == 200
    assert set(sources(origin)) == {A, B}
    names = [f'socks5://***@127.0.0.1:{s.port}', f'http://***@127.0.0.1:{t.port}']
    assert [e['name'] for e in d.upstream()['exits']] == names
    metrics = d.get('/metrics').text
    eventually(lambda: all(f'exit={name}' in d.stderr for name in names))
    for name in names:
        assert f'trunkline_connections_opened_total{{upstream="ex",exit="{name}"}} 1' in metrics
    everything = d.stderr + metrics + d.get('/stats').text + d.get('/').text
    assert 'se:cret' not in everything and 'se%3Acret' not in everything and 'geheimer' not in everything
    if http2 == 'auto':
        assert d.connections()['http2'] == 2
    config = cli('config', '-c', str(d.conf_path)).stdout
    assert 'se%3Acret' in config and 'geheimer:secret' in config


def test_plain_origin_through_proxies(daemon, origins, proxy, tmp_path):
    origin = origins(tls=False)
    s, t = proxy(proxies.socks(A)), proxy(proxies.tiny(tmp_path, B))
    d = daemon(upstream('ex', origin, exits=[f'socks5://127.0.0.1:{s.port}', f'http://127.0.0.1:{t.port}']))
    for n in range(4):
        assert d.get(f'/ex/{n}').status == 200
    assert set(sources(origin)) == {A, B}


def test_names_are_resolved_at_the_proxy(daemon, origin, proxy):
    """Without connect_to the proxy gets the name; trunkline resolves nothing."""
    p = proxy(proxies.says(b'HTTP/1.1 502 Bad Gateway\r\n\r\n'))
    q = proxy(proxies.socks_says(b'\x05\x00', b'\x05\x04\x00'))
    d = daemon(upstream('ex', None, host='nowhere.invalid', exits=[f'http://127.0.0.1:{p.port}', f'socks5://127.0.0.1:{q.port}']))
    own_error(d.get('/ex/x'), 502, 'connection_refused', 'no')
    assert p.asked[0].startswith(b'CONNECT nowhere.invalid:443 HTTP/1.1\r\nHost: nowhere.invalid:443\r\n')
    assert b'\x0fnowhere.invalid\x01\xbb' in b''.join(q.asked)


# ------------------------------------------------------------------------------------------- proxies that misbehave

HTTP = {
    'refuses': (proxies.says(b'HTTP/1.1 403 Forbidden\r\nX: y\r\n\r\n'), 502, 'connection_refused', 'answered 403'),
    'no_route': (proxies.says(b'HTTP/1.1 503 Oh\r\n\r\n'), 502, 'connection_refused', 'answered 503'),
    'late_itself': (proxies.says(b'HTTP/1.1 504 Late\r\n\r\n'), 504, 'connection_timeout', 'answered 504'),
    'login': (proxies.says(b'HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm="secret-realm"\r\n\r\n'), 502,
              'proxy_configuration_error', 'refused the login'),
    'garbage': (proxies.says(b'SSH-2.0-OpenSSH\r\n'), 502, 'http_protocol_error', 'not HTTP/1.1'),
    'endless': (proxies.says(b'HTTP/1.1 200 OK\r\n' + b'X: y\r\n' * 4000), 502, 'http_protocol_error', '16 KiB'),
    'half': (proxies.says(b'HTTP/1.1 200 Conn'), 502, 'connection_terminated', 'before it answered'),
    'nothing': (proxies.says(), 502, 'connection_terminated', 'before it answered'),
    'silent': (proxies.says(then='silence'), 504, 'connection_timeout', 'within 300ms'),
    'trickles': (proxies.says(*[b'HTTP/1.1 200 OK\r\nX: '[n:n + 1] for n in range(20)], then='silence', gap=0.05), 504,
                 'connection_timeout', 'within 300ms'),
    'drops_after_200': (proxies.says(proxies.CONNECTED), 502, ('connection_terminated', 'tls_protocol_error'), ''),
}
SOCKS = {
    'garbage': ((b'HTTP/1.1 400 Bad\r\n\r\n',), 'close', 502, 'http_protocol_error', 'not SOCKS5'),
    'no_method': ((b'\x05\xff',), 'close', 502, 'proxy_configuration_error', 'login'),
    'wrong_login': ((b'\x05\x02', b'\x01\x01'), 'close', 502, 'proxy_configuration_error', 'refused the login'),
    'closes_first': ((), 'close', 502, 'connection_terminated', 'before it answered'),
    'half': ((b'\x05\x00', b'\x05\x00\x00\x01\x7f'), 'close', 502, 'connection_terminated', 'before it answered'),
    'silent': ((b'\x05\x00',), 'silence', 504, 'connection_timeout', 'within 300ms'),
    'bad_type': ((b'\x05\x00', b'\x05\x00\x00\x09'), 'close', 502, 'http_protocol_error', 'not SOCKS5'),
    **{f'reply_{n}': ((b'\x05\x00', bytes([5, n, 0, 1, 0, 0, 0, 0, 0, 0])), 'close',
                      504 if n == 6 else 502, 'connection_timeout' if n == 6 else 'connection_refused', word)
       for n, word in enumerate(['', 'failed', 'rules', 'network', 'host', 'refused', 'in time', 'CONNECT', 'address', 'code 9'])
       if n},
}


def patience(words):
    """A short time only for what is to be late: on a busy machine anything can be."""
    return {'connect_timeout': '300ms'} if words == 'within 300ms' else {}


def check_failure(d, p, name, status, error, words):
    body = own_error(d.request('POST', '/ex/order', body=b'x'), status, error, 'no')
    assert body['detail'].startswith(f'exit {name}: ') and words in body['detail'], body
    assert 'secret' not in d.stderr + str(body)
    assert p.count >= 1


@pytest.mark.parametrize('case', HTTP)
def test_connect_that_fails(daemon, origin, proxy, case):
    behave, status, error, words = HTTP[case]
    p = proxy(behave)
    d = daemon(upstream('ex', origin, exits=[f'http://secret:secret@127.0.0.1:{p.port}'], **patience(words)))
    check_failure(d, p, f'http://***@127.0.0.1:{p.port}', status, error, words)
    assert p.asked[0].startswith(f'CONNECT {origin.address} HTTP/1.1\r\n'.encode())
    assert b'Proxy-Authorization: Basic c2VjcmV0OnNlY3JldA==\r\n' in p.asked[0]
    assert not origin.requests


@pytest.mark.parametrize('case', SOCKS)
def test_socks_that_fails(daemon, origin, proxy, case):
    answers, then, status, error, words = SOCKS[case]
    p = proxy(proxies.socks_says(*answers, then=then))
    d = daemon(upstream('ex', origin, exits=[f'socks5://secret:secret@127.0.0.1:{p.port}'], **patience(words)))
    check_failure(d, p, f'socks5://***@127.0.0.1:{p.port}', status, error, words)
    assert not origin.requests


def test_proxy_that_is_not_there(daemon, origin, proxy):
    port = proxies.free_port()
    d = daemon(upstream('ex', origin, exits=[f'http://127.0.0.1:{port}']))
    body = own_error(d.request('POST', '/ex/order', body=b'x'), 502, 'connection_refused', 'no')
    assert body['detail'].startswith(f'exit http://127.0.0.1:{port}: ')


def test_what_comes_with_the_200_is_the_tunnels(daemon, origins, proxy):
    """An h2 origin speaks first: its SETTINGS come in one packet with the proxy's 200."""
    origin = origins(tls=False, h2c=True)
    p = proxy(proxies.relays(origin, early=True))
    d = daemon(upstream('ex', origin, http2='always', exits=[f'http://127.0.0.1:{p.port}']))
    assert [d.get(f'/ex/{n}').status for n in range(3)] == [200] * 3
    assert p.count == 1


def test_certificates_are_the_origins(daemon, origin, proxy):
    """What the proxy sends in the place of the origin's TLS is no connection; the verified name is that of url."""
    p = proxy(proxies.relays(origin))
    d = daemon(upstream('ex', origin, tls_name='other.test', exits=[f'http://127.0.0.1:{p.port}']))
    body = own_error(d.get('/ex/x'), 502, 'tls_certificate_error', 'no')
    assert body['detail'].startswith('exit ')
    assert not origin.requests


# ---------------------------------------------------------------------------------------------- down, held, full

def test_dead_exit_takes_nothing_with_it(daemon, origin, proxy):
    """No public request fails while one of two exits is dead, and when it is back it is used again."""
    port = proxies.free_port()
    d = daemon(upstream('ex', origin, exits=[f'http://127.0.0.1:{port}', A], breaker_min='100ms', breaker_max='200ms'))
    assert {a.status for a in parallel(30, lambda n: d.get(f'/ex/{n}'))} == {200}
    assert set(sources(origin)) == {A}
    assert len({r.target for r in origin.requests}) == len(origin.requests) == 30
    u = d.upstream()
    assert u['state'] == 'up' and u['requests']['errors'] == {}
    name = f'http://127.0.0.1:{port}'
    eventually(lambda: d.get('/ex/again').status == 200 and exits_of(d)[name]['state'] == 'open')


def test_banned_exit_gets_nothing_more(daemon, origin):
    """An exit that was answered 418 gets nothing more, neither new requests nor those that wait; no public request fails."""
    async def behave(x):
        await x.read_body()
        if x.line.source == A and len(sources(origin)) > 6:
            return await x.respond(418, [('Retry-After', '60')], b'banned')
        await x.respond(200, [], b'ok')
    origin.on('/', behave)
    d = daemon(upstream('ex', origin, exits=[A, B], max_connections=1, queue_timeout='30s', total_timeout='30s'))
    answers = parallel(60, lambda n: d.get('/ex/', timeout=60))
    statuses = [a.status for a in answers]
    assert statuses.count(418) == 1 and statuses.count(200) == 59, statuses
    order = sources(origin)
    last = max(n for n, s in enumerate(order) if s == A)
    assert order[last + 1:] and set(order[last + 1:]) == {B}
    u = d.upstream()
    assert u['state'] == 'up' and exits_of(d)[A]['state'] == 'held' and exits_of(d)[B]['state'] == 'up'
    assert exits_of(d)[A]['limits']['held_ms'] > 0
    held = [d.request('POST', '/ex/order', key, body=b'x') for key in KEYS]
    assert {r.status for r in held} == {200, 429}
    for r in held:
        if r.status == 429:
            assert own_error(r, 429, 'http_request_denied', 'no')['detail'].startswith(f'exit {A}: ')
    assert A not in sources(origin)[last + 1:]
    assert d.verb('resume').status == 204
    assert {d.get('/ex/again').status for _ in range(4)} <= {200, 418} and A in sources(origin)[last + 1:]


def test_public_hold_of_one_exit(daemon, origin):
    """A 429 to a public request holds the public ones of that exit alone."""
    async def behave(x):
        await x.read_body()
        await x.respond(429 if x.line.source == A and x.req.target == '/' else 200, [('Retry-After', '60')], b'')
    origin.on('/', behave)
    d = daemon(upstream('ex', origin, exits=[A, B]))
    statuses = [d.get('/ex/').status for _ in range(10)]
    assert statuses.count(429) == 1
    before = len(origin.requests)
    assert {d.request('POST', '/ex/order', key, body=b'x').status for key in KEYS} == {200}
    assert set(sources(origin)[before:]) == {A, B}


def test_rate_is_per_exit_and_goes_where_tokens_are(daemon, origin):
    d = daemon(upstream('ex', origin, exits=[A, B], rate='4/1h', burst=4, total_timeout='2s'))
    answers = [d.get(f'/ex/{n}').status for n in range(9)]
    assert answers == [200] * 8 + [429]
    assert sorted(sources(origin)) == [A] * 4 + [B] * 4


def test_least_weight_share(daemon, origin):
    async def behave(x):
        await x.read_body()
        await x.respond(200, [('X-Used', '300' if x.line.source == A else '10')], b'')
    origin.on('/', behave)
    d = daemon(upstream('ex', origin, exits=[A, B], weight_header='X-Used', weight_limit=1000))
    for _ in range(8):
        assert d.get('/ex/').status == 200
    if d.upstream()['limits']['weight_used'] == 310:    # not over the turn of a minute
        assert sources(origin).count(A) == 1


# ------------------------------------------------------------------------------------ tunnels, upgrades, doctor, reload

def test_tunnels_and_upgrades_use_exits(daemon, origin, proxy):
    async def switch(x):
        await x.line.send(b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhi')
        await x.pause(3600)
    origin.on('/ws', switch)
    p = proxy(proxies.relays(origin))
    d = daemon(upstream('ex', origin, exits=[f'http://127.0.0.1:{p.port}']), connect_ports=[443])
    with d.client() as c:
        c.send(compose('GET', '/ex/ws', [('Upgrade', 'websocket'), ('Connection', 'Upgrade'), ('Sec-WebSocket-Key', 'x'),
                                         ('Sec-WebSocket-Version', '13')]))
        c._until(b'hi')
    assert p.count == 1
    with d.client() as c:
        assert c.send(b'CONNECT exchange.test:443 HTTP/1.1\r\nHost: exchange.test:443\r\n\r\n').head().status == 200
    eventually(lambda: p.count == 2)


def test_doctor_looks_through_exits(daemon, origin, proxy):
    p = proxy(proxies.relays(origin))
    port = proxies.free_port()
    d = daemon(upstream('ex', origin, exits=[f'http://u:geheim@127.0.0.1:{p.port}', f'http://127.0.0.1:{port}']))
    r = cli('doctor', '-c', str(d.conf_path))
    assert r.returncode == 1
    assert re.search(rf'^ex  https://exchange.test  exit http://\*\*\*@127.0.0.1:{p.port}  well$', r.stdout, re.M), r.stdout
    assert re.search(rf'^ex  https://exchange.test  exit http://127.0.0.1:{port}  not well$', r.stdout, re.M), r.stdout
    assert 'geheim' not in r.stdout + r.stderr


def test_reload_changes_exits(daemon, origin):
    """A request that waits on an exit that goes, goes by another; nothing is sent twice; counters do not fall."""
    gate = Gate()
    origin.on('/held', gate)
    d = daemon(upstream('ex', origin, exits=[A], max_connections=1, queue_timeout='30s', total_timeout='60s'))
    first = d.client().send(compose('GET', '/ex/held'))
    eventually(lambda: len(origin.requests) == 1)
    waits = [d.client().send(compose('GET', f'/ex/{n}')) for n in range(3)]
    eventually(lambda: d.upstream()['queue']['waiting'] == 3)
    d.reload(upstream('ex', origin, exits=[B], max_connections=1, queue_timeout='30s', total_timeout='60s'))
    assert [c.response().status for c in waits] == [200] * 3
    assert sources(origin)[1:] == [B] * 3
    assert d.connections()['opened'] == 2
    gate.release()
    assert first.response().status == 200
    eventually(lambda: len(exits_of(d)) == 1 and d.connections()['open'] == 1)
    assert d.connections()['opened'] == 2


def test_check_names_file_and_line(tmp_path):
    conf = tmp_path / 'bad.conf'
    conf.write_text('upstream a {\nurl = "https://a"\nexits = {"127.0.0.2",\n"https://u:geheim@h:1", "127.0.0.2"}\n}\n')
    r = cli('check', '-c', str(conf))
    assert r.returncode == 78 and f'{conf}:4: exits: ' in r.stderr and 'twice' in r.stderr
    assert 'geheim' not in r.stderr


def test_table_of_stats_lists_exits(daemon, origin):
    d = daemon(upstream('ex', origin, exits=[A, B], min_idle=1))
    eventually(lambda: d.connections()['idle'] == 2)
    r = d.cli('stats')
    assert f'exit: ex: {A} up: 1 open, 1 idle, 0 busy, 0 waiting, 1 opened, 0 failed' in r.stdout, r.stdout


def test_a_ban_of_one_exit_outlives_a_restart(daemon, origin, tmp_path):
    async def behave(x):
        await x.read_body()
        await x.respond(418 if x.line.source == A else 200, [('Retry-After', '600')], b'')
    origin.on('/', behave)
    how = {'state': str(tmp_path / 'state.json')}
    d = daemon(upstream('ex', origin, exits=[A, B]), **how)
    assert [d.get('/ex/').status for _ in range(4)].count(418) == 1
    d.stop()
    before = len(origin.requests)
    d = daemon(upstream('ex', origin, exits=[A, B]), **how)
    assert exits_of(d)[A]['state'] == 'held' and exits_of(d)[B]['state'] == 'up'
    assert {d.get('/ex/').status for _ in range(4)} == {200}
    assert set(sources(origin)[before:]) == {B}
