"""Concurrent identical requests that are coalesced into one upstream request; and the effects of error_prefix and path blocks."""
import gzip
import http.client
import re
import time

import pytest

from lib.behaviour import Gate, drop, reply
from lib.daemon import upstream
from lib.promise import own_error, works
from lib.store import cache_status, counts, stored
from lib.wire import background, eventually, parallel

LONG = '60s'


# -------------------------------------------------------------------------------------------------- coalescing

def crowd(d, gate, count, path='/ex/q', headers=()):
    """Sends `count` requests while the gate holds back the first response, then opens the gate. Returns all responses."""
    asked = [background(lambda: d.get(path, headers, timeout=20)) for _ in range(count)]
    eventually(lambda: d.upstream()['requests']['active'] == count)
    eventually(lambda: gate.waiting >= 1)
    gate.release()
    return [a.result(20) for a in asked]


@pytest.mark.parametrize('framing', ['length', 'chunked'])
def test_many_share_one_request(daemon, origin, framing):
    d = daemon(upstream('ex', origin, coalesce='yes'))
    gate = Gate(reply(body=b'shared' * 1000, framing=framing, pieces=5, gap=0.01))
    origin.on('/q', gate)
    got = crowd(d, gate, 20)
    assert {r.body for r in got} == {b'shared' * 1000} and len(origin.paths()) == 1
    assert sum('collapsed' in cache_status(r) for r in got) == 19
    assert counts(d) == {'misses': 1, 'collapsed': 19}
    assert d.upstream()['requests']['succeeded'] == 20


def test_other_requests_are_not_shared(daemon, origin):
    d = daemon(upstream('ex', origin, coalesce='yes'))
    gate = origin.default = Gate()
    asks = [('GET', '/ex/a', []), ('GET', '/ex/a?x', []), ('HEAD', '/ex/a', []), ('GET', '/ex/a', [('API-Key', 'k')]),
            ('GET', '/ex/a', [('Accept-Encoding', 'gzip')]), ('GET', '/ex/a', [('Cache-Control', 'no-cache')])]
    asked = [background(lambda a=a: d.request(*a, timeout=20)) for a in asks]
    eventually(lambda: gate.waiting == len(asks))
    gate.release()
    assert all(a.result().status == 200 for a in asked)


@pytest.mark.parametrize('status', [404, 500, 503])
def test_a_failure_is_shared_too(daemon, origin, status):
    """An error status is shared as well, so that a failing origin does not get all the requests at once."""
    d = daemon(upstream('ex', origin, coalesce='yes'))
    gate = Gate(reply(status, b'no'))
    origin.on('/q', gate)
    assert {r.status for r in crowd(d, gate, 10)} == {status} and len(origin.paths()) == 1


def test_our_own_errors_are_shared(daemon, origin):
    d = daemon(upstream('ex', origin, coalesce='yes', retries=0))
    gate = Gate(drop('reset'))
    origin.on('/q', gate)
    for r in crowd(d, gate, 10):
        own_error(r, 502, 'connection_terminated', 'yes')
    assert len(origin.paths()) == 1 and d.upstream()['requests']['failed'] == 10


def test_who_leads_may_leave(daemon, origin):
    d = daemon(upstream('ex', origin, coalesce='yes', fresh=LONG))
    gate = Gate(reply(body=b'for the rest'))
    origin.on('/q', gate)
    leader = d.client()
    leader.send(b'GET /ex/q HTTP/1.1\r\nHost: localhost\r\n\r\n')
    eventually(lambda: gate.waiting == 1)
    rest = [background(lambda: d.get('/ex/q', timeout=20)) for _ in range(5)]
    eventually(lambda: d.upstream()['requests']['active'] == 6)
    leader.abort()
    eventually(lambda: d.upstream()['requests']['active'] == 5)
    gate.release()
    assert {r.result().body for r in rest} == {b'for the rest'} and len(origin.paths()) == 1
    assert stored(d)['entries'] == 1


def test_when_all_leave_the_request_is_given_up(daemon, origin):
    d = daemon(upstream('ex', origin, coalesce='yes', fresh=LONG))
    gate = Gate()
    origin.on('/q', gate)
    clients = [d.client() for _ in range(3)]
    for c in clients:
        c.send(b'GET /ex/q HTTP/1.1\r\nHost: localhost\r\n\r\n')
    eventually(lambda: d.upstream()['requests']['active'] == 3)
    for c in clients:
        c.abort()
    eventually(lambda: d.upstream()['requests']['active'] == 0)
    eventually(lambda: d.connections()['active'] == 0)
    gate.release()
    works(d, '/ex/other')


def test_a_leader_in_a_hurry_does_not_spoil_it(daemon, origin):
    """If the leader's deadline expires, only the leader gets an error; the upstream request continues for the followers."""
    d = daemon(upstream('ex', origin, coalesce='yes'))
    gate = Gate(reply(body=b'late'))
    origin.on('/q', gate)
    hurried = background(lambda: d.get('/ex/q', [('Trunkline-Timeout', '2s')]))
    eventually(lambda: gate.waiting == 1)
    patient = background(lambda: d.get('/ex/q', timeout=20))
    own_error(hurried.result(), 504, 'http_response_timeout', 'yes')
    gate.release()
    assert patient.result().body == b'late' and len(origin.paths()) == 1


def test_a_follower_in_a_hurry(daemon, origin):
    d = daemon(upstream('ex', origin, coalesce='yes'))
    gate = Gate(reply(body=b'late'))
    origin.on('/q', gate)
    patient = background(lambda: d.get('/ex/q', timeout=20))
    eventually(lambda: gate.waiting == 1)
    r = d.get('/ex/q', [('Trunkline-Timeout', '300ms')])
    own_error(r, 504, 'http_response_timeout', 'yes')
    assert '300ms' in r.text
    gate.release()
    assert patient.result().body == b'late'


@pytest.mark.parametrize('headers', [[('Set-Cookie', 'a=b')], [('Cache-Control', 'private')], [('Vary', '*')]])
def test_what_may_not_be_shared_releases_the_rest(daemon, origin, headers):
    """If the response must not be shared, each follower sends a request of its own."""
    d = daemon(upstream('ex', origin, coalesce='yes'))
    count = iter(range(1, 100))
    gate = Gate(reply(body=lambda _: b'%d' % next(count), headers=headers))
    origin.on('/q', gate)
    got = crowd(d, gate, 8)
    assert sorted(int(r.body) for r in got) == list(range(1, 9)) and len(origin.paths()) == 8
    assert counts(d) == {'misses': 8}


def test_who_does_not_fit_vary_is_released(daemon, origin):
    d = daemon(upstream('ex', origin, coalesce='yes'))
    gate = Gate(reply(body=lambda r: (r.get('accept-language') or 'none').encode(), headers=[('Vary', 'Accept-Language')]))
    origin.on('/q', gate)
    asked = []
    for language in ('de', 'de', 'en'):  # one after the other, because the language of the first request decides
        asked.append(background(lambda n=language: d.get('/ex/q', [('Accept-Language', n)], timeout=20)))
        eventually(lambda: d.upstream()['requests']['active'] == len(asked) and gate.waiting == 1)
    gate.release()
    assert [a.result().body for a in asked] == [b'de', b'de', b'en']
    assert len(origin.paths()) == 2


def test_what_outgrows_the_bound_releases_the_rest(daemon, origin):
    body = b'0123456789' * 20000
    d = daemon(upstream('ex', origin, coalesce='yes', cache_max_object='64k'))
    gate = Gate(reply(body=body, framing='chunked', pieces=20))
    origin.on('/q', gate)
    assert {r.body for r in crowd(d, gate, 5)} == {body} and len(origin.paths()) == 5


def test_a_slow_follower_paces_nobody(daemon, origin):
    body = b'x' * 900000
    d = daemon(upstream('ex', origin, coalesce='yes'))
    gate = Gate(reply(body=body))
    origin.on('/q', gate)
    slow = d.client(timeout=20)
    slow.send(b'GET /ex/q HTTP/1.1\r\nHost: localhost\r\n\r\n')
    eventually(lambda: gate.waiting == 1)
    rest = [background(lambda: d.get('/ex/q', timeout=20)) for _ in range(3)]
    eventually(lambda: d.upstream()['requests']['active'] == 4)
    gate.release()
    assert {len(r.result().body) for r in rest} == {len(body)}
    assert slow.response().body == body and len(origin.paths()) == 1
    slow.close()


def test_the_stampede_of_ten_bots(daemon, origin):
    """10 bots with 20 requests a second each and fresh = 100ms: at most 10 upstream requests a second, and no old quotes."""
    d = daemon(upstream('ex', origin, fresh='100ms', coalesce='yes'))
    origin.on('/q', reply(body=lambda _: b'%.6f' % time.monotonic()))
    began = time.monotonic()
    end = began + 2
    ages, faults = [], []

    def bot(_):
        c = http.client.HTTPConnection('127.0.0.1', d.port, timeout=5)
        while time.monotonic() < end:
            c.request('GET', '/ex/q')
            r = c.getresponse()
            made = float(r.read())
            ages.append(time.monotonic() - made)
            if r.status != 200:
                faults.append(r.status)
            time.sleep(0.05)
        c.close()
    parallel(10, bot)
    times = [r.time for r in origin.requests]
    assert not faults and len(ages) > len(times)
    for count, t in enumerate(times, 1):        # requests may arrive late and close together, but by any time never too many
        assert count <= (t - began) / 0.1 + 1
    assert sorted(ages)[len(ages) // 2] < 1


# ----------------------------------------------------------------------------------------------- error_prefix

KRAKEN = '{"error":["E'


def kraken(d, origin, headers=()):
    origin.on('/q', reply(body=b'{"error":[],"result":1}'))
    return d.get('/ex/q', headers)


@pytest.mark.parametrize('coding', ['identity', 'gzip', 'br'])
@pytest.mark.parametrize('framing', ['length', 'chunked', 'close'])
def test_an_error_of_200(daemon, origin, coding, framing):
    """A 200 whose body begins with an error_prefix is not stored, counts as failed, and is replaced by the stale response if there
    is one. This holds for each content coding."""
    d = daemon(upstream('ex', origin, fresh='0', stale_if_error=LONG, error_prefix=[KRAKEN, '{"errors']))
    accept = [('Accept-Encoding', coding)]
    body = b'{"error":["EService:Unavailable"]}'
    if coding == 'gzip':
        body = gzip.compress(body)
    elif coding == 'br':
        body = BROTLI_ERROR
    origin.on('/fails', reply(body=body, framing=framing, pieces=3, headers=[('Content-Encoding', coding)]))
    r = d.get('/ex/fails', accept)
    assert r.status == 200 and r.body == body
    assert stored(d)['entries'] == 0 and d.upstream()['requests']['failed'] == 1
    good = kraken(d, origin, accept)
    assert 'stored' in cache_status(good) and stored(d)['entries'] == 1
    origin.on('/q', reply(body=body, framing=framing, pieces=3, headers=[('Content-Encoding', coding)]))
    old = d.get('/ex/q', accept)
    assert old.body == good.body and cache_status(old) == {'fwd': 'stale', 'fwd-status': '200'}


# {"error":["EService:Unavailable"]} as a stored block of brotli (RFC 7932 9.2), because Python has no encoder here.
BROTLI_ERROR = b'\x8f\x10\x80{"error":["EService:Unavailable"]}\x03'


def test_in_a_coding_unknown_to_us_nothing_is_stored(daemon, origin):
    d = daemon(upstream('ex', origin, fresh=LONG, error_prefix=[KRAKEN]))
    origin.on('/q', reply(body=b'??', headers=[('Content-Encoding', 'zstd')]))
    assert d.get('/ex/q').body == b'??' and stored(d)['entries'] == 0


@pytest.mark.parametrize('body', [b'', b'{', b'{"error":[', b'{"error":["', b'{"error":["W', b'x'])
def test_what_only_looks_like_it(daemon, origin, body):
    d = daemon(upstream('ex', origin, error_prefix=[KRAKEN]))
    origin.on('/q', reply(body=body))
    assert d.get('/ex/q').body == body
    assert d.upstream()['requests']['failed'] == 0


def test_an_order_refused_with_200_counts_failed(daemon, origin):
    """The outcome is known, so the order counts as failed but not as unknown. The client gets the response unchanged."""
    d = daemon(upstream('ex', origin, stale_if_error=LONG, error_prefix=[KRAKEN]))
    origin.on('/order', reply(body=b'{"error":["EOrder:x"]}'))
    assert d.request('POST', '/ex/order', body=b'x').body == b'{"error":["EOrder:x"]}'
    r = d.upstream()['requests']
    assert (r['failed'], r['unknown'], r['succeeded']) == (1, 0, 0)


# ------------------------------------------------------------------------------------------------- path blocks

def test_paths_have_rules_of_their_own(daemon, origin):
    block = upstream('ex', origin, fresh=LONG).rstrip('}\n') + '\n' + \
        '  path "/time" { fresh = 0 }\n  path "/t" { coalesce = yes }\n}\n'
    d = daemon(block)
    count = iter(range(1, 100))
    origin.default = reply(body=lambda _: b'%d' % next(count))
    assert d.get('/ex/q').body == d.get('/ex/q').body
    assert d.get('/ex/time').body != d.get('/ex/time').body
    assert d.get('/ex/tim').body == d.get('/ex/tim').body
    assert d.get('/ex/time/2').get('cache-status') is None
    shown = d.cli('config').stdout
    assert re.search(r'path "/time" \{[^}]*fresh = 0\s+stale_if_error = 0\s+coalesce = no', shown), shown


@pytest.mark.parametrize('headers', [[('Set-Cookie', 'cf=1')], [('Cache-Control', 'private')], [('Vary', '*')]], ids=str)
def test_what_could_not_be_shared_is_not_waited_for(daemon, origin, headers):
    """Waiting for a response that cannot be shared would only delay the followers. So all requests are sent at once until a
    shareable response has been seen."""
    d = daemon(upstream('ex', origin, coalesce=True))
    origin.on('/q', reply(headers=headers))
    works(d, '/ex/q')
    for shareable in (False, True):
        gate = Gate(reply(headers=[] if shareable else headers))
        origin.on('/q', gate)
        calls = [background(lambda: d.get('/ex/q', timeout=20)) for _ in range(4)]
        eventually(lambda: gate.waiting == 4)
        gate.release()
        assert [c.result(20).status for c in calls] == [200] * 4
    gate = Gate()
    origin.on('/q', gate)
    calls = [background(lambda: d.get('/ex/q', timeout=20)) for _ in range(4)]
    eventually(lambda: gate.waiting == 1 and d.upstream()['requests']['active'] == 4)
    assert gate.waiting == 1
    gate.release()
    assert [c.result(20).status for c in calls] == [200] * 4
