"""Several bots share one budget: rate, weight, Retry-After, and one request at a time per key."""
import gzip
import re
import time

import pytest

from lib.behaviour import Gate, raw, reply
from lib.daemon import upstream
from lib.promise import own_error, works
from lib.wire import background, compose, eventually, parallel

KEY = [('API-Key', 'k3y-of-one')]
OTHER = [('API-Key', 'k3y-of-two')]


def times(origin):
    return [r.time for r in origin.requests]


# ------------------------------------------------------------------------------------------------------- rate

def test_rate_is_kept_over_all_clients(daemon, origin):
    """However many requests arrive at once, the origin never gets more than burst and rate allow, and all are answered."""
    d = daemon(upstream('ex', origin, rate='20/1s', burst=5, total_timeout='60s'))
    began = time.monotonic()
    answers = parallel(25, lambda n: d.get(f'/ex/{n}', timeout=30))
    assert {a.status for a in answers} == {200}
    for count, t in enumerate(times(origin), 1):        # requests may arrive late and close together, but by any time never too many
        assert count <= 5 + 20 * (t - began) + 1, f'{count} within {t - began:.2f} s'
    limits = d.upstream()['limits']
    assert limits['rate_held'] >= 15 and limits['rate_refused'] == 0


def test_refuse_answers_at_once(daemon, origin):
    """on_limit = refuse: a request over the limit gets 429 with Retry-After and does not reach the origin."""
    d = daemon(upstream('ex', origin, rate='2/1m', on_limit='refuse'))
    works(d), works(d)
    r = d.get('/ex/third')
    own_error(r, 429, 'http_request_denied', 'no')
    assert 1 <= r.number('retry-after') <= 30
    assert '/third' not in origin.paths()
    assert d.upstream()['limits']['rate_refused'] == 1


def test_what_cannot_be_in_time_is_refused_at_once(daemon, origin):
    """The next token is available in 30 s, but the request times out in 9 s, so it is refused without waiting."""
    d = daemon(upstream('ex', origin, rate='2/1m'))
    works(d), works(d)
    r = d.get('/ex/late')
    own_error(r, 429, 'http_request_denied', 'no')
    assert r.took < 8 and '/late' not in origin.paths()


def test_orders_go_ahead_of_quotes(daemon, origin):
    """Quotes wait for the rate limit; an order that arrives after them is sent before them."""
    d = daemon(upstream('ex', origin, rate='1/2s', burst=1, total_timeout='60s', order_wait='60s'))
    works(d)
    quotes = [d.client().send(compose('GET', f'/ex/quote{n}')) for n in range(5)]
    eventually(lambda: d.upstream()['limits']['rate_held'] >= 5)
    assert d.request('POST', '/ex/order', body=b'x').status == 200
    assert origin.paths()[-1] == '/order' and d.upstream()['requests']['active'] > 0
    for q in quotes:
        q.close()


# -------------------------------------------------------------------------------------------------- Retry-After

@pytest.mark.parametrize('status, headers, scope', [(418, [], 'credential'), (418, KEY, 'credential'), (429, [], 'ip')])
def test_the_upstream_is_left_alone(daemon, origin, status, headers, scope):
    """After a 418, or a 429 where limits apply per IP address, no request reaches the origin until Retry-After has passed, not even
    an order."""
    d = daemon(upstream('ex', origin, limit_scope=scope))
    origin.on('/banned', reply(status, headers=[('Retry-After', '60')]))
    assert d.get('/ex/banned', headers).status == status
    u = d.upstream()
    assert u['state'] == 'held' and 0 < u['limits']['held_ms'] <= 60_000
    order = d.request('POST', '/ex/order', body=b'x')
    own_error(order, 429, 'http_request_denied', 'no')
    assert 1 <= order.number('retry-after') <= 60
    own_error(d.get('/ex/quote'), 429, 'http_request_denied', 'no')
    assert origin.paths() == ['/banned']


def test_a_short_hold_is_waited_out(daemon, origin):
    """A request with enough time left waits until the hold ends and is then sent."""
    d = daemon(upstream('ex', origin))
    origin.on('/banned', reply(418, headers=[('Retry-After', '2')]))
    began = time.monotonic()
    assert d.get('/ex/banned').status == 418 and d.get('/ex/quote').status == 200
    assert origin.paths() == ['/banned', '/quote'] and origin.requests[-1].time - began >= 1.9
    assert d.upstream()['state'] == 'up'


def test_a_private_429_holds_its_key_alone(daemon, origin):
    """Only requests with the credential that got the 429 are held; those with another credential, and public ones, are not."""
    d = daemon(upstream('ex', origin))
    origin.on('/banned', reply(429, headers=[('Retry-After', '60')]))
    assert d.get('/ex/banned', KEY).status == 429
    works(d, '/ex/public'), works(d, '/ex/other', headers=OTHER)
    own_error(d.get('/ex/mine', KEY), 429, 'http_request_denied', 'no')
    assert origin.paths() == ['/banned', '/public', '/other']


def test_a_public_429_holds_public_requests_alone(daemon, origin):
    """Orders, cancels and private requests are sent, and so is an order without a credential; a quote waits."""
    d = daemon(upstream('ex', origin))
    origin.on('/banned', reply(429, headers=[('Retry-After', '60')]))
    assert d.get('/ex/banned').status == 429 and d.upstream()['state'] == 'held'
    for method, headers in [('POST', KEY), ('DELETE', KEY), ('GET', KEY), ('POST', [])]:
        assert d.request(method, '/ex/mine', headers, b'' if method == 'GET' else b'x').status == 200
    own_error(d.get('/ex/quote', [('Trunkline-Timeout', '300ms')]), 429, 'http_request_denied', 'no')
    assert '/quote' not in origin.paths()


def test_a_hold_is_told_and_ended(daemon, origin):
    """/stats shows the cause of each hold, which requests it holds and the time left, but never the key. The log has the time that
    Retry-After asked for and the shorter one that is applied. `resume` ends a hold."""
    d = daemon(upstream('ex', origin))
    origin.on('/banned', reply(429, headers=[('Retry-After', '7300')]))
    origin.on('/mine', reply(429, headers=[('Retry-After', '5')]))
    assert d.get('/ex/banned?signature=s3cret', [('Trunkline-Client', 'grid1')]).status == 429
    assert d.get('/ex/banned').status == 429
    assert d.get('/ex/mine', KEY).status == 429
    held = {h['held']: h for h in d.upstream()['limits']['holds']}
    assert len(d.upstream()['limits']['holds']) == 3 and 'k3y' not in d.get('/stats').text
    assert {**held['public'], 'left_ms': 0} == {'status': 429, 'bot': None, 'path': '/banned', 'held': 'public', 'left_ms': 0}
    bot = d.upstream()['limits']['holds'][1]
    assert bot['bot'] == 'grid1' and bot['path'] == '/banned' and bot['held'] == 'credential'
    assert 3_500_000 < held['public']['left_ms'] <= 3_600_000 and d.upstream()['limits']['held_ms'] <= 3_600_000
    eventually(lambda: any('7300s' in line and '1h' in line and 'grid1' in line for line in d.stderr.splitlines()))
    shown = d.cli('stats').stdout
    assert re.search(r'^held: ex: public requests for .*, because of 429 to - at /banned', shown, re.M) and 'to grid1' in shown, shown
    assert d.verb('resume').status == 204
    u = d.upstream()
    assert u['state'] == 'up' and u['limits']['holds'] == [] and u['limits']['held_ms'] == 0
    works(d, '/ex/quote'), works(d, '/ex/private', headers=KEY)


def test_who_waits_goes_when_the_hold_is_ended(daemon, origin):
    d = daemon(upstream('ex', origin, total_timeout='60s', order_wait='60s'))
    origin.on('/banned', reply(418, headers=[('Retry-After', '50')]))
    assert d.get('/ex/banned').status == 418
    calls = [background(lambda m=m: d.request(m, '/ex/wait', timeout=30)) for m in ('GET', 'POST')]
    eventually(lambda: d.upstream()['limits']['rate_held'] == 2)
    assert d.verb('resume').status == 204
    assert [c.result().status for c in calls] == [200, 200]


@pytest.mark.parametrize('headers', [[], [('Retry-After', '')], [('Retry-After', '5, 60')], [('Retry-After', '5'), ('Retry-After', '60')],
                                     [('Retry-After', '-1')], [('Retry-After', '1e9')]], ids=str)
def test_without_a_time_holds_grow(daemon, origin, headers):
    """Without a usable Retry-After, a hold lasts hold_default, doubled for each further 429 up to hold_max."""
    d = daemon(upstream('ex', origin, hold_default='400ms', hold_max='1s', total_timeout='30s'))
    origin.default = reply(429, headers=headers)
    for longest in (400, 800, 1000, 1000):
        assert d.get('/ex/q').status == 429
        held = d.upstream()['limits']['held_ms']
        over = 1000 * (time.monotonic() - origin.requests[-1].time)     # how much of the hold has passed, at most
        assert longest - over - 50 <= held <= longest


@pytest.mark.parametrize('value', ['0', 'Sun, 06 Nov 1994 08:49:37 GMT'])
def test_retry_after_now_holds_nobody(daemon, origin, value):
    d = daemon(upstream('ex', origin))
    origin.on('/banned', reply(429, headers=[('Retry-After', value)]))
    assert d.get('/ex/banned').status == 429 and d.upstream()['limits']['holds'] == []


BANS = {'plain': lambda b: (b, []), 'gzip': lambda b: (gzip.compress(b), [('Content-Encoding', 'gzip')])}


@pytest.mark.parametrize('coding', BANS)
@pytest.mark.parametrize('status, retry', [(418, None), (418, '5'), (418, '3000'), (429, None), (403, '0')])
def test_a_ban_is_read_from_the_body(daemon, origin, status, retry, coding):
    """The end of the ban in the body takes precedence over Retry-After, whichever is longer. The client gets the response unchanged."""
    d = daemon(upstream('ex', origin, preset='binance'))
    said, more = BANS[coding](b'{"code":-1003,"msg":"IP banned until %d. Please use the websocket."}' % int((time.time() + 90) * 1000))
    origin.on('/api/v3/ping', reply(status, said, more + ([('Retry-After', retry)] if retry else [])))
    r = d.get('/ex/api/v3/ping')
    assert r.status == status and r.body == said
    limits = d.upstream()['limits']
    assert 60_000 < limits['held_ms'] <= 90_000 and limits['holds'][0]['held'] == 'all'


def test_a_ban_whose_body_never_ends_is_a_ban(daemon, origin):
    """If the body is truncated, Retry-After in the head applies."""
    d = daemon(upstream('ex', origin, preset='binance'))
    origin.on('/api/v3/ping', raw(b'HTTP/1.1 418 Teapot\r\nRetry-After: 50\r\nContent-Length: 100\r\n\r\n{"code":', then='reset'))
    with d.client() as c:
        c.send(compose('GET', '/ex/api/v3/ping'))
        eventually(lambda: 40_000 < d.upstream()['limits']['held_ms'] <= 50_000)


FIELDS = {'signature first': lambda n: [('API-Sign', f's{n}'), *KEY], 'cookie first': lambda n: [('Cookie', f'cf={n}'), *KEY],
          'another key first': lambda n: [('Idempotency-Key', f'{n}'), *KEY], 'websocket': lambda n: [('Sec-WebSocket-Key', f'{n}'), *KEY],
          'token': lambda n: [('Authorization', f'Bearer eyJraWQiOiJrIn0.{"e30" + n * "x"}.{n}')]}


@pytest.mark.parametrize('how', FIELDS)
def test_a_key_is_one_key_whatever_stands_beside_it(daemon, origin, how):
    """Header fields that differ in every request (signatures, cookies, nonces) are not taken for the credential."""
    d = daemon(upstream('ex', origin))
    origin.on('/banned', reply(429, headers=[('Retry-After', '30')]))
    assert d.get('/ex/banned', FIELDS[how](1)).status == 429
    own_error(d.get('/ex/mine', [*FIELDS[how](2), ('Trunkline-Timeout', '300ms')]), 429, 'http_request_denied', 'no')
    works(d, '/ex/other', headers=OTHER), works(d, '/ex/public')


def test_retry_after_can_be_switched_off(daemon, origin):
    d = daemon(upstream('ex', origin, retry_after=False))
    origin.on('/banned', reply(418, headers=[('Retry-After', '30')]))
    assert d.get('/ex/banned').status == 418
    works(d)
    assert d.upstream()['state'] == 'up'


# ------------------------------------------------------------------------------------------------------- weight

def test_weight_is_learned_and_kept(daemon, origins):
    """Public requests are held from 80 % of the weight limit, private ones from 90 %, orders never."""
    while not within_a_minute(lambda: weigh(daemon, origins())):        # a hold lasts until the end of the minute
        pass


def within_a_minute(work):
    """Calls work(), which must run within one minute of the clock. Returns False if it failed but the minute ended meanwhile or was
    about to end, because the failure then means nothing. Otherwise a failure is raised."""
    began = time.time() // 60
    try:
        work()
    except AssertionError:
        if time.time() // 60 == began and time.time() % 60 < 58:
            raise
        return False
    return True


def weigh(daemon, origin):
    d = daemon(upstream('ex', origin, weight_header='X-MBX-USED-WEIGHT-1M', weight_limit=6000))
    origin.on('/a', reply(headers=[('X-MBX-USED-WEIGHT-1M', '4799')]), reply(headers=[('X-MBX-USED-WEIGHT-1M', '4800')]))
    origin.on('/b', reply(headers=[('X-MBX-USED-WEIGHT-1M', '5400')]))
    assert d.upstream()['limits']['weight_used'] is None
    works(d, '/ex/a'), works(d, '/ex/a')
    assert d.upstream()['limits']['weight_used'] == 4800
    own_error(d.get('/ex/a', [('Trunkline-Timeout', '500ms')]), 429, 'http_request_denied', 'no')
    works(d, '/ex/b', headers=KEY)
    own_error(d.get('/ex/b', [*KEY, ('Trunkline-Timeout', '500ms')]), 429, 'http_request_denied', 'no')
    assert d.request('POST', '/ex/order', KEY, b'x').status == 200
    assert origin.paths() == ['/a', '/a', '/b', '/order']


# ------------------------------------------------------------------------------------------------- serialize_by

def test_one_at_a_time_and_in_order(daemon, origin):
    """Requests with the same key never overlap and keep their order, although each is sent on its own client connection."""
    d = daemon(upstream('ex', origin, serialize_by='API-Key', order_wait='30s', serialize_timeout='30s', total_timeout='60s'))
    running, most = [0], [0]

    async def behave(x):
        await x.read_body()
        running[0] += 1
        most[0] = max(most[0], running[0])
        await x.pause(0.03)
        running[0] -= 1
        await reply()(x)
    origin.default = behave
    clients = [d.client(30) for _ in range(10)]
    for n, c in enumerate(clients):
        c.send(compose('POST', f'/ex/nonce{n}', KEY, b'x'))
        eventually(lambda: d.upstream()['requests']['active'] == n + 1 or len(origin.requests) > n)
    assert [c.response('POST').status for c in clients] == [200] * 10
    assert origin.paths() == [f'/nonce{n}' for n in range(10)] and most[0] == 1


def test_others_are_not_held_up(daemon, origin):
    """Requests with another key, or without one, do not wait."""
    d = daemon(upstream('ex', origin, serialize_by='API-Key'))
    gate = Gate()
    origin.on('/slow', gate)
    slow = background(lambda: d.request('POST', '/ex/slow', KEY, b'x'))
    eventually(lambda: gate.waiting == 1)
    works(d, '/ex/other', headers=OTHER), works(d, '/ex/public')
    gate.release()
    assert slow.result().status == 200


def test_nobody_waits_for_ever(daemon, origin):
    """A request that waits longer than serialize_timeout gets 429 and is not sent. A client that disconnects while waiting gives
    up its place."""
    d = daemon(upstream('ex', origin, serialize_by='API-Key', serialize_timeout='400ms', order_wait='30s'))
    gate = Gate()
    origin.on('/slow', gate)
    slow = background(lambda: d.request('POST', '/ex/slow', KEY, b'x'))
    eventually(lambda: gate.waiting == 1)
    gone = d.client()
    gone.send(compose('POST', '/ex/gone', KEY, b'x'))
    eventually(lambda: d.upstream()['requests']['active'] == 2)
    gone.abort()
    eventually(lambda: d.upstream()['requests']['active'] == 1)
    r = d.request('POST', '/ex/late', KEY, b'x')
    own_error(r, 429, 'http_request_denied', 'no')
    assert 0.2 <= r.took < 20
    gate.release()
    assert slow.result().status == 200
    works(d, '/ex/after', headers=KEY)
    assert origin.paths() == ['/slow', '/after'] and d.upstream()['requests']['abandoned'] == 1


def test_keys_are_in_no_log(daemon, origin):
    d = daemon(upstream('ex', origin, serialize_by='API-Key', rate='2/1m', on_limit='refuse'), log_level='debug', access_log='stderr')
    origin.on('/banned', reply(429, headers=[('Retry-After', '2')]))
    for _ in range(3):
        d.get('/ex/banned', KEY)
    eventually(lambda: 'banned' in d.stderr)
    assert 'k3y-of-one' not in d.stderr and 'k3y-of-one' not in d.get('/stats').text
