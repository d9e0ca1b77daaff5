"""The freeze: from its 204 on no order leaves, whatever it waits for, and every cancel and read passes."""
import re
import threading
import time

import pytest

from lib import certs
from lib.behaviour import Gate, reply
from lib.daemon import cli, upstream
from lib.h2_origin import h2_reset
from lib.promise import own_error, works
from lib.wire import background, compose, eventually

LISTS = {'order_paths': ['POST /order', 'GET /buy'], 'cancel_paths': ['POST /cancel'], 'read_paths': ['POST /read', 'GET /ws']}
BOT = ('Trunkline-Client', 'grid1')


def say(d, verb, name='ex', bot=None):
    path = f'/upstreams/{name}/{verb}' if name else f'/upstreams/{verb}'
    r = d.request('POST', path + (f'?bot={bot}' if bot else ''))
    assert r.status == 204, r.body
    return r


def freeze(d, *args, **kw):
    return say(d, 'freeze', *args, **kw)


def order(d, target='/ex/order', headers=(), body=b'{"side":"buy"}', method='POST'):
    return d.request(method, target, headers, body)


def frozen(r):
    """The answer to an order that was stopped."""
    own_error(r, 503, 'destination_unavailable', 'no')
    assert r.text.splitlines()[1] == 'frozen', r.text
    return True


def under_way(d, state):
    return [r for r in d.get('/requests').json()['requests'] if r['state'] == state]


# ----------------------------------------------------------------------------------------------- what passes

@pytest.mark.parametrize('method,target,passes', [
    ('POST', '/order', False), ('POST', '/order?x=/read', False), ('POST', '/ORDER', False), ('POST', '/orders/list', False),
    ('POST', '/unheard-of', False), ('PUT', '/read', False), ('PATCH', '/x', False), ('GET', '/buy', False),
    ('POST', '/read/../order', False), ('POST', '/%6frder', False), ('POST', '/r%65ad', False), ('POST', '//read', False),
    ('GET', '/%62uy', False), ('GET', '//buy', False), ('PURGE', '/read', False),
    ('POST', '/cancel', True), ('POST', '/cancel-all', True), ('POST', '/read', True), ('DELETE', '/order/1', True),
    ('DELETE', '/any%2Fthing', True), ('GET', '/order', True), ('GET', '/x', True), ('OPTIONS', '/order', True),
])
def test_what_passes(daemon, origin, method, target, passes):
    """By the lists and by the method, whatever the spelling of the path; after unfreeze everything passes."""
    d = daemon(upstream('ex', origin, **LISTS))
    freeze(d)
    r = order(d, '/ex' + target, method=method)
    assert r.status == 200 if passes else frozen(r)
    assert origin.paths() == ([target] if passes else [])
    say(d, 'unfreeze')
    assert order(d, '/ex' + target, method=method).status == 200


def test_an_order_by_get_is_not_shared(daemon, origin):
    """Nor is it answered from the store, not even when it is refused."""
    d = daemon(upstream('ex', origin, fresh='10m', stale_if_error='10m', coalesce=True, **LISTS))
    assert [d.get(f'/ex{path}').status for path in ('/buy', '/buy', '/x', '/x')] == [200] * 4
    assert origin.paths() == ['/buy', '/buy', '/x']
    freeze(d)
    assert frozen(d.get('/ex/buy')) and d.get('/ex/x').status == 200


def test_without_lists(daemon, origin):
    """Each POST, PUT and PATCH is stopped; DELETE cancels, GET reads."""
    d = daemon(upstream('ex', origin))
    freeze(d)
    assert all(frozen(order(d, method=m)) for m in ('POST', 'PUT', 'PATCH'))
    assert all(order(d, method=m).status == 200 for m in ('DELETE', 'GET', 'HEAD', 'OPTIONS'))


@pytest.mark.parametrize('form', ['http://exchange.test/order', '/https://exchange.test/order',
                                  '/https%3A%2F%2Fexchange.test%2Forder', '/?url=https%3A%2F%2Fexchange.test%2Forder'])
def test_every_form_of_target(daemon, origin, form):
    d = daemon(upstream('ex', origin, **LISTS))
    freeze(d)
    assert frozen(order(d, form)) and not origin.requests


# ----------------------------------------------------------------------------------------------- what waits

def waits(d, state, target='/ex/order', headers=(), count=1):
    """Orders that wait in that state."""
    asked = [background(lambda: order(d, target, headers)) for _ in range(count)]
    eventually(lambda: len(under_way(d, state)) >= count)
    return asked


def test_queued(daemon, origin):
    """Orders that wait for a connection are refused at once; one that was sent goes on."""
    gate = Gate()
    origin.on('/order', gate)
    d = daemon(upstream('ex', origin, max_connections=1, order_wait='60s', total_timeout='60s', queue_timeout='60s', **LISTS))
    sent = background(lambda: order(d))
    eventually(lambda: gate.waiting)
    waiting = waits(d, 'queued', count=3)
    read = background(lambda: d.get('/ex/x'))
    eventually(lambda: len(under_way(d, 'queued')) == 4)
    freeze(d)
    assert all(frozen(w.result()) for w in waiting)
    gate.release()
    assert sent.result().status == 200 and read.result().status == 200
    assert origin.paths() == ['/order', '/x']


@pytest.mark.parametrize('settings,first', [({'serialize_by': 'X-Key'}, [('X-Key', 'k')]),
                                            ({'rate': '3/30s', 'burst': 1}, ())])
def test_gated(daemon, origin, settings, first):
    """Likewise for those behind another one with the same key, and those that the rate delays."""
    gate = Gate()
    origin.on('/order', gate)
    d = daemon(upstream('ex', origin, order_wait='60s', total_timeout='60s', serialize_timeout='60s', **settings, **LISTS))
    sent = background(lambda: order(d, headers=first))
    eventually(lambda: gate.waiting)
    waiting = waits(d, 'gated', headers=first, count=3)
    freeze(d)
    assert all(frozen(w.result()) for w in waiting)
    gate.release()
    assert sent.result().status == 200 and origin.paths() == ['/order']


def test_paused(daemon, origin):
    """Likewise in a pause, which lasts; the state shows that it is frozen."""
    d = daemon(upstream('ex', origin, order_wait='60s', total_timeout='60s', **LISTS))
    say(d, 'pause')
    waiting = waits(d, 'queued', count=2)
    freeze(d)
    assert all(frozen(w.result()) for w in waiting)
    assert d.upstream()['state'] == 'frozen'
    say(d, 'unfreeze')
    assert d.upstream()['state'] == 'paused'
    say(d, 'resume')
    assert order(d).status == 200 and origin.paths() == ['/order']


def test_connecting(daemon, origins):
    """Likewise while a connection is being opened for them, which a read then gets."""
    ready = threading.Event()
    origin = origins(greet=ready)
    d = daemon(upstream('ex', origin, max_connections=1, order_wait='60s', total_timeout='60s', **LISTS))
    waiting = waits(d, 'connecting')
    freeze(d)
    assert frozen(waiting[0].result())
    read = background(lambda: d.get('/ex/x'))
    ready.set()
    assert read.result().status == 200 and origin.paths() == ['/x']


def test_body_on_its_way(daemon, origin):
    """One whose body is still coming is refused; one that begins later is not even invited to send its body."""
    d = daemon(upstream('ex', origin, **LISTS))
    whole = compose('POST', '/ex/order', body=b'0123456789')
    with d.client() as c:
        c.send(whole[:-4])
        eventually(lambda: under_way(d, 'reading'))
        freeze(d)
        assert frozen(c.response('POST'))
    with d.client() as c:
        c.send(compose('POST', '/ex/order', [('Expect', '100-continue'), ('Content-Length', '10')]))
        r = c.response('POST')
        assert frozen(r) and not r.early
    assert not origin.requests


def test_streams_full(daemon, origins):
    """Likewise for those that wait for a stream of HTTP/2."""
    gate = Gate()
    origin = origins(alpn=('h2',), max_streams=1)
    origin.on('/order', gate)
    d = daemon(upstream('ex', origin, max_connections=1, order_wait='60s', total_timeout='60s', **LISTS))
    sent = background(lambda: order(d))
    eventually(lambda: gate.waiting)
    waiting = waits(d, 'queued', count=2)
    freeze(d)
    assert all(frozen(w.result()) for w in waiting)
    gate.release()
    assert sent.result().status == 200 and order(d, '/ex/cancel').status == 200
    assert origin.paths() == ['/order', '/cancel']


def test_a_replay_is_a_new_leaving(daemon, origins):
    """An order that the origin refused unprocessed is not sent again once its upstream is frozen."""
    gate = Gate(h2_reset())
    origin = origins(alpn=('h2',))
    origin.on('/order', gate, reply())
    d = daemon(upstream('ex', origin, **LISTS))
    asked = background(lambda: order(d))
    eventually(lambda: gate.waiting)
    freeze(d)
    gate.release()
    assert frozen(asked.result()) and origin.paths() == ['/order']
    assert d.upstream()['requests']['unknown'] == 0


def test_copies(daemon, origin):
    """A copy of an order that was sent gets that one's answer, since it is not sent itself; what nobody sent before is refused, and so
    are the copies of one that was refused while it waited."""
    gate, key = Gate(), [('API-Key', 'k')]
    origin.on('/order', gate)
    d = daemon(upstream('ex', origin, max_connections=1, dedupe='10m', order_wait='60s', total_timeout='60s', queue_timeout='60s', **LISTS))
    sent = background(lambda: order(d, headers=key))
    eventually(lambda: gate.waiting)
    copy = waits(d, 'duplicate', headers=key)
    first = waits(d, 'queued', headers=key, target='/ex/order?n=2')
    eventually(lambda: len(under_way(d, 'duplicate')) == 1)
    copies = [background(lambda: order(d, '/ex/order?n=2', key)) for _ in range(3)]
    eventually(lambda: len(under_way(d, 'duplicate')) == 4)
    freeze(d)
    assert all(frozen(w.result()) for w in first + copies)
    late = waits(d, 'duplicate', headers=key)
    gate.release()
    for one in [sent, *copy, *late]:
        assert one.result().status == 200
    assert order(d, headers=key).status == 200 and frozen(order(d, '/ex/order?n=3', key))
    assert origin.paths() == ['/order']


# ----------------------------------------------------------------------------------------------- whom it is for

def test_one_of_two(daemon, origins):
    one, two = origins(), origins()
    d = daemon(upstream('one', one), upstream('two', two, host='two.test', tls_name='exchange.test'))
    freeze(d, 'one')
    assert frozen(order(d, '/one/order')) and order(d, '/two/order').status == 200
    freeze(d, None)
    assert frozen(order(d, '/two/order'))
    say(d, 'unfreeze', 'two')
    assert order(d, '/two/order').status == 200 and frozen(order(d, '/one/order'))
    say(d, 'unfreeze', None)
    assert order(d, '/one/order').status == 200
    assert d.request('POST', '/upstreams/three/freeze').status == 404
    assert d.request('POST', '/upstreams/three/unfreeze').status == 404


def test_a_bot(daemon, origins):
    """A bot is frozen at one upstream or at all, by the name that it gives, however many bots there are."""
    one, two = origins(), origins()
    d = daemon(upstream('one', one), upstream('two', two, host='two.test', tls_name='exchange.test'))
    for n in range(70):
        d.get('/one/x', [('Trunkline-Client', f'other{n}')])
    freeze(d, 'one', bot='grid1')
    assert frozen(order(d, '/one/order', [BOT]))
    assert d.request('DELETE', '/one/order', [BOT]).status == 200
    for headers in ([], [('Trunkline-Client', 'grid')], [('Trunkline-Client', 'other69')]):
        assert order(d, '/one/order', headers).status == 200, headers
    assert order(d, '/two/order', [BOT]).status == 200
    s = d.stats()
    assert s['frozen_bots'] == ['grid1'] and d.upstream('one')['frozen_bots'] == ['grid1'] and d.upstream('two')['frozen_bots'] == []
    assert d.upstream('one')['state'] == 'up' and d.upstream('one')['frozen'] is None
    freeze(d, None, bot='grid1')
    assert frozen(order(d, '/two/order', [BOT]))
    say(d, 'unfreeze', 'two', bot='grid1')
    assert order(d, '/two/order', [BOT]).status == 200 and frozen(order(d, '/one/order', [BOT]))
    say(d, 'unfreeze', None)
    assert frozen(order(d, '/one/order', [BOT]))        # as an upstream is unfrozen, a bot is not
    say(d, 'unfreeze', None, bot='grid1')
    assert order(d, '/one/order', [BOT]).status == 200


def test_unlisted_hosts(daemon, origin):
    """All means all: hosts without a block too, also those that are asked first later. They can be unfrozen one by one."""
    host = origin.address
    d = daemon(upstream('ex', origin, host='127.0.0.1', url=f'https://127.0.0.1:{origin.port}'), unlisted='allow')
    freeze(d, None)
    r = order(d, '/https://unheard-of.test/order')
    own_error(r, 503, 'destination_unavailable', 'no')
    assert r.text.splitlines()[1] == 'frozen', (r.text, host)
    name = [u['name'] for u in d.stats()['upstreams'] if not u['listed']][0]
    say(d, 'unfreeze', name)
    assert order(d, '/https://unheard-of.test/order').status == 502
    out = d.cli('freeze', name)
    assert out.returncode == 0 and 'frozen' in out.stdout, out
    own_error(order(d, '/https://unheard-of.test/order'), 503, 'destination_unavailable', 'no')


def test_wrong_calls(daemon, origin):
    """A query that is not understood never widens what a verb is for."""
    d = daemon(upstream('ex', origin))
    for path in ('/upstreams/ex/freeze?bots=a', '/upstreams/ex/unfreeze?bot=', '/upstreams/ex/unfreeze?bot=a%20b', '/upstreams/ex/pause?bot=a',
                 '/upstreams/unfreeze?x'):
        assert d.request('POST', path).status == 400, path
    assert d.upstream()['state'] == 'up'
    for args in (['freeze'], ['unfreeze'], ['freeze', 'ex', '--all'], ['freeze', 'a/b'], ['pause', 'ex', '--bot', 'x'], ['freeze', 'ex', '--bot']):
        out = d.cli(*args)
        assert out.returncode == 64 and len(out.stderr.splitlines()) == 1, (args, out)
    out = d.cli('freeze', 'nosuch')
    assert out.returncode == 69 and 'no upstream of that name' in out.stderr, out


# ----------------------------------------------------------------------------------------------- where it shows

def test_command_line_and_pages(daemon, origin):
    """The command prints the state, the log says who did it, /stats since when, /metrics has it; `trunkline stats` shows it."""
    d = daemon(upstream('ex', origin, **LISTS))
    out = d.cli('freeze', 'ex')
    assert out.returncode == 0 and re.search(r'^ex: frozen\b', out.stdout, re.M) and not out.stderr, out
    u = d.upstream()
    assert u['state'] == 'frozen' and u['frozen']['by'].startswith('127.0.0.1:')
    assert isinstance(u['frozen']['since'], int) and abs(u['frozen']['since'] - time.time()) < 60   # as all times of /stats
    assert re.search(r'upstream ex: frozen by 127\.0\.0\.1:\d+', d.stderr), d.stderr
    assert 'trunkline_upstream_state{upstream="ex",state="frozen"} 1' in d.get('/metrics').text
    assert re.search(r'^ex\b.*\bfrozen\b', d.cli('stats').stdout, re.M)
    out = d.cli('unfreeze', '--all')
    assert out.returncode == 0 and re.search(r'^ex: up\b', out.stdout, re.M), out
    assert re.search(r'all upstreams: unfrozen by 127\.0\.0\.1:\d+', d.stderr), d.stderr
    out = d.cli('freeze', '--bot', 'grid1')
    assert out.returncode == 0 and 'grid1' in out.stdout and d.stats()['frozen_bots'] == ['grid1'], out
    assert re.search(r'all upstreams: bot grid1 frozen by 127', d.stderr)
    assert 'trunkline_frozen_bots{upstream="ex"} 1' in d.get('/metrics').text
    assert d.cli('unfreeze', '--bot', 'grid1').returncode == 0 and d.stats()['frozen_bots'] == []


def test_who_may(daemon, origin):
    """Only POST, and no page of another site."""
    d = daemon(upstream('ex', origin))
    assert d.get('/upstreams/ex/freeze').status == 405
    assert d.request('POST', '/upstreams/ex/unfreeze', [('Sec-Fetch-Site', 'cross-site')]).status == 403


# ----------------------------------------------------------------------------------------------- tunnels

def test_tunnels(daemon, origin):
    """What an open tunnel carries cannot be judged: the freeze tells how many there are. New ones and upgrades are refused, but for
    paths that read_paths names."""
    d = daemon(upstream('ex', origin, **LISTS))
    connect = 'CONNECT exchange.test:443 HTTP/1.1\r\nHost: exchange.test:443\r\n\r\n'
    upgrade = [('Upgrade', 'websocket'), ('Connection', 'Upgrade'), ('Sec-WebSocket-Key', 'AAAAAAAAAAAAAAAAAAAAAA=='),
               ('Sec-WebSocket-Version', '13')]
    with d.client() as c, d.client() as silent:
        assert c.send(connect).response('CONNECT').status == 200
        assert silent.send(connect).response('CONNECT').status == 200
        c.sock = certs.client_context().wrap_socket(c.sock, server_hostname='exchange.test')
        r = freeze(d)
        assert r.get('Trunkline-Open-Tunnels') == '1'
        assert re.search(r'warn upstream ex: 1 open CONNECT tunnels and upgraded connections go on', d.stderr), d.stderr
        out = d.cli('freeze', 'ex')
        assert out.returncode == 0 and re.search(r'ex: warning: 1 open CONNECT tunnels', out.stderr), out
        assert frozen(d.raw(connect, 'CONNECT'))
        assert frozen(d.get('/ex/stream', upgrade))
        with pytest.raises(OSError):        # it had not sent anything yet, so it is a new one
            certs.client_context().wrap_socket(silent.sock, server_hostname='exchange.test')
        assert d.get('/ex/ws', upgrade).status == 200 and origin.paths() == ['/ws']
        assert c.request('GET', '/inside', host='exchange.test').status == 200
        say(d, 'unfreeze')
        assert d.get('/ex/stream', upgrade).status == 200


def test_plain_http_inside_connect(daemon, origin):
    """What comes as plain HTTP inside CONNECT to port 80 is judged like any request."""
    d = daemon(upstream('ex', origin, **LISTS))
    freeze(d)
    with d.client() as c:
        assert c.send('CONNECT exchange.test:80 HTTP/1.1\r\nHost: exchange.test\r\n\r\n').response('CONNECT').status == 200
        assert frozen(c.request('POST', '/order', body=b'x', host='exchange.test'))
        assert c.request('POST', '/cancel', body=b'x', host='exchange.test').status == 200
    assert origin.paths() == ['/cancel']


# ----------------------------------------------------------------------------------------------- how long

def test_reloads(daemon, origin, origins):
    """A freeze is by name: it outlives a reload, and an upstream that was gone in between is still frozen."""
    other = upstream('two', origins(), host='two.test')
    d = daemon(upstream('ex', origin), other)
    freeze(d)
    d.reload(upstream('ex', origin, retries=1), other)
    eventually(lambda: d.stderr.count('reloaded') or 'reload' in d.stderr)
    assert frozen(order(d))
    d.reload(other)
    eventually(lambda: 'ex' not in [u['name'] for u in d.stats()['upstreams'] if u['listed']])
    d.reload(upstream('ex', origin), other)
    eventually(lambda: 'ex' in [u['name'] for u in d.stats()['upstreams']])
    assert frozen(order(d)) and d.upstream()['state'] == 'frozen'
    say(d, 'unfreeze')
    works(d)
    assert order(d).status == 200


@pytest.mark.parametrize('end', ['stop', 'kill'])
def test_restarts(daemon, origin, tmp_path, end):
    """From the 204 on it is in the state file: it outlives a restart, and a kill at that moment."""
    settings = {'state': str(tmp_path / 'state.json')}
    d = daemon(upstream('ex', origin), **settings)
    freeze(d)
    freeze(d, None, bot='grid1')
    if end == 'stop':
        assert d.stop() == 0
    else:
        d.process.kill()
        d.process.wait()
        d.reaped = True
    d = daemon(upstream('ex', origin), **settings)
    assert frozen(order(d)) and d.upstream()['state'] == 'frozen' and d.stats()['frozen_bots'] == ['grid1']
    say(d, 'unfreeze')
    assert order(d).status == 200 and frozen(order(d, headers=[BOT]))


# ----------------------------------------------------------------------------------------------- freeze_on_unknown

def test_freeze_on_unknown(daemon, origin):
    """The third order of unknown fate within the time freezes the upstream; reads and known outcomes do not count."""
    origin.default = reply(503)
    d = daemon(upstream('ex', origin, freeze_on_unknown='3/10m', known_refusals=['busy'], **LISTS))
    origin.on('/cancel', reply(503, body=b'busy'))
    for _ in range(4):
        assert d.request('POST', '/ex/read', body=b'x').status == 503
        assert d.request('POST', '/ex/cancel', body=b'x').status == 503
        assert d.request('POST', '/ex/unheard-of', body=b'x').status == 503
    assert d.upstream()['state'] == 'up' and d.upstream()['requests']['unknown'] == 0
    assert all(order(d).status == 503 and d.upstream()['state'] == 'up' for _ in range(2))
    assert order(d).status == 503 and d.upstream()['state'] == 'frozen'
    assert frozen(order(d))
    assert d.upstream()['frozen']['by'] == 'freeze_on_unknown (3/10m)'
    assert re.search(r'warn upstream ex: frozen by freeze_on_unknown \(3/10m\)', d.stderr), d.stderr
    say(d, 'unfreeze')
    assert order(d).status == 503 and d.upstream()['state'] == 'up'        # counted anew


def test_freeze_on_unknown_in_the_configuration():
    """0 is never; a wrong rate is an error with its line."""
    out = cli('config', '-c', '/dev/stdin', input='upstream ex {\nurl = "https://ex.test"\nfreeze_on_unknown = 0\n}\n')
    assert out.returncode == 0 and re.search(r'freeze_on_unknown = "0"', out.stdout), out
    out = cli('check', '-c', '/dev/stdin', input='upstream ex {\nurl = "https://ex.test"\nfreeze_on_unknown = "3"\n}\n')
    assert out.returncode == 78 and ':3: ' in out.stderr and 'COUNT/DURATION' in out.stderr, out
    out = cli('check', '-c', '/dev/stdin', input='upstream ex {\nurl = "https://ex.test"\norder_paths = {"post /x"}\n}\n')
    assert out.returncode == 78 and ':3: ' in out.stderr and 'method' in out.stderr, out
