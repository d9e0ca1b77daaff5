"""Stored responses: fresh ones, and stale ones when the origin fails."""
import json
import threading
import time

import pytest

from lib.behaviour import Gate, drop, raw, reply
from lib.daemon import upstream
from lib.promise import own_error, works
from lib.store import cache_status, counts, numbered, stored
from lib.wire import background, eventually

LONG = '60s'


# ------------------------------------------------------------------------------------------------------- fresh

def test_fresh_is_served_without_the_origin(daemon, origin):
    d = daemon(upstream('ex', origin, fresh=LONG))
    numbered(origin)
    first, second = d.get('/ex/q'), d.get('/ex/q')
    assert (first.body, second.body) == (b'1', b'1')
    assert cache_status(first) == {'fwd': 'miss', 'stored': True} and first.number('age') == 0
    hit = cache_status(second)
    assert hit['hit'] is True and 50 <= int(hit['ttl']) <= 60 and second.number('age') <= 9
    assert second.get('content-type') == first.get('content-type')
    assert origin.paths() == ['/q']
    assert counts(d) == {'hits': 1, 'misses': 1}
    assert stored(d)['entries'] == 1 and stored(d)['bytes'] > 1
    r = d.upstream()['requests']
    assert r['succeeded'] == 2 and r['status']['2xx'] == 2


def test_nothing_is_stored_unless_asked_for(daemon, origin):
    d = daemon(upstream('ex', origin))
    numbered(origin, headers=[('Cache-Control', 'max-age=1000')])
    assert [d.get('/ex/q').body for _ in range(2)] == [b'1', b'2']
    assert d.get('/ex/q').get('cache-status') is None
    assert counts(d) == {} and stored(d) == {'entries': 0, 'bytes': 0}


def test_it_is_fresh_no_longer_than_it_should(daemon, origin):
    d = daemon(upstream('ex', origin, fresh='300ms'))
    numbered(origin)
    assert d.get('/ex/q').body == b'1'
    time.sleep(0.4)
    assert d.get('/ex/q').body == b'2'


def test_the_origins_age_counts(daemon, origin):
    """A response that is already 100 s old at the origin's own cache is not fresh for 60 s; its Age is passed on."""
    d = daemon(upstream('ex', origin, fresh=LONG, stale_if_error='300s'))
    numbered(origin, headers=[('Age', '100')])
    first = d.get('/ex/q')
    assert first.all('age') == ['100']
    assert d.get('/ex/q').body == b'2'
    origin.on('/q', reply(503))
    old = d.get('/ex/q')
    assert old.body == b'2' and 100 <= old.number('age') <= 120


@pytest.mark.parametrize('said', ['no-store', 'no-cache', 'max-age=0', 'no-cache, no-store, must-revalidate'])
def test_the_operator_overrides_the_origin(daemon, origin, said):
    d = daemon(upstream('ex', origin, fresh=LONG))
    numbered(origin, headers=[('Cache-Control', said), ('Expires', '0'), ('Pragma', 'no-cache')])
    assert [d.get('/ex/q').body for _ in range(2)] == [b'1', b'1']


@pytest.mark.parametrize('headers', [[('Set-Cookie', 'a=b')], [('Cache-Control', 'max-age=5, Private')],
                                     [('Cache-Control', 'private="x"')], [('Vary', 'Accept, *')]])
def test_private_answers_are_never_stored(daemon, origin, headers):
    d = daemon(upstream('ex', origin, fresh=LONG, stale_if_error=LONG))
    numbered(origin, headers=headers)
    first, second = d.get('/ex/q'), d.get('/ex/q')
    assert (first.body, second.body) == (b'1', b'2') and 'stored' not in cache_status(first)
    assert stored(d)['entries'] == 0


@pytest.mark.parametrize('status', [201, 204, 206, 301, 404, 410, 500])
def test_only_200_and_203_are_stored(daemon, origin, status):
    d = daemon(upstream('ex', origin, fresh=LONG))
    origin.on('/q', reply(status, b'' if status == 204 else b'x'))
    origin.on('/other', reply(203, b'x'))
    assert [d.get('/ex/q').status for _ in range(2)] == [status] * 2
    assert len(origin.paths()) == 2 and stored(d)['entries'] == 0
    assert [d.get('/ex/other').status for _ in range(2)] == [203] * 2
    assert stored(d)['entries'] == 1


@pytest.mark.parametrize('headers', [
    [('Cache-Control', 'no-cache')], [('Pragma', 'no-cache')], [('Cache-Control', 'max-age=0')],
    [('Cache-Control', 'x, min-fresh=3600')], [('Cache-Control', 'no-store')]])
def test_a_client_may_opt_out_of_fresh(daemon, origin, headers):
    d = daemon(upstream('ex', origin, fresh=LONG))
    numbered(origin)
    assert d.get('/ex/q').body == b'1'
    assert d.get('/ex/q', headers).body == b'2'
    replaced = b'1' if headers[0][1] == 'no-store' else b'2'
    assert d.get('/ex/q').body == replaced


def test_only_if_cached(daemon, origin):
    d = daemon(upstream('ex', origin, fresh=LONG))
    numbered(origin)
    r = d.get('/ex/q', [('Cache-Control', 'only-if-cached')])
    assert r.status == 504 and r.get('trunkline-sent') == 'no' and origin.paths() == []
    works(d, '/ex/q')
    assert d.get('/ex/q', [('Cache-Control', 'only-if-cached')]).body == b'1'


def test_head_is_answered_from_a_stored_get(daemon, origin):
    d = daemon(upstream('ex', origin, fresh=LONG))
    numbered(origin)
    d.get('/ex/q')
    r = d.request('HEAD', '/ex/q')
    assert r.status == 200 and r.body == b'' and r.number('content-length') == 1
    assert cache_status(r)['hit'] is True and len(origin.paths()) == 1
    d.request('HEAD', '/ex/other')
    assert d.get('/ex/other').body == b'/other'     # the response to HEAD has no body that could be stored


def test_varying_answers(daemon, origin):
    """Responses vary by Accept-Encoding and by the fields that Vary lists, and by no others."""
    d = daemon(upstream('ex', origin, fresh=LONG))
    numbered(origin, headers=[('Vary', 'Accept-Language')])
    plain, german = [], [('Accept-Language', 'de')]
    assert d.get('/ex/q', plain).body == b'1'
    assert d.get('/ex/q', german).body == b'2'
    assert d.get('/ex/q', [('Accept-Encoding', 'gzip')]).body == b'3'
    assert d.get('/ex/q', [('User-Agent', 'x')]).body == b'1'
    assert d.get('/ex/q', german).body == b'2'
    assert d.get('/ex/q?x').body == b'4'
    assert stored(d)['entries'] == 4


def test_conditional_requests(daemon, origin):
    d = daemon(upstream('ex', origin, fresh=LONG))
    numbered(origin, headers=[('ETag', '"v1"'), ('Last-Modified', 'Wed, 25 Nov 2026 10:00:00 GMT')])
    d.get('/ex/q')
    for headers in ([('If-None-Match', '"v0", W/"v1"')], [('If-Modified-Since', 'Wed, 25 Nov 2026 10:00:00 GMT')]):
        r = d.get('/ex/q', headers)
        assert r.status == 304 and r.body == b'' and r.get('etag') == '"v1"', r.status
    assert d.get('/ex/q', [('If-None-Match', '"v2"')]).status == 200
    assert len(origin.paths()) == 1


def test_a_successful_order_drops_what_lies_there(daemon, origin):
    d = daemon(upstream('ex', origin, fresh=LONG))
    numbered(origin)
    d.get('/ex/q'), d.get('/ex/other')
    assert d.request('POST', '/ex/q', body=b'x').body == b'2'
    assert d.get('/ex/q').body == b'3'
    assert len([p for p in origin.paths() if p == '/other']) == 1 and d.get('/ex/other').body == b'/other'


def test_a_changed_configuration_drops_all(daemon, origin):
    d = daemon(upstream('ex', origin, fresh=LONG))
    numbered(origin)
    d.get('/ex/q')
    d.reload()
    eventually(lambda: 'reloaded' in d.stderr)
    assert d.get('/ex/q').body == b'1'
    d.reload(upstream('ex', origin, fresh=LONG, retries=1))
    eventually(lambda: stored(d)['entries'] == 0)
    assert d.get('/ex/q').body == b'2'


# --------------------------------------------------------------------------------------------------- private

KEY = 's3cr3t-of-one-bot'


@pytest.mark.parametrize('path, headers', [
    ('/q', [('X-MBX-APIKEY', KEY)]), ('/q', [('Authorization', KEY)]), ('/q', [('Cookie', KEY)]),
    ('/q?signature=' + KEY, []), ('/q?a=1&%73ignature=' + KEY, []), ('/q', [('X-Whatever', KEY)]),
    ('/q', [('Range', 'bytes=0-1')]), ('/q', [('X-Forwarded-For', KEY)])])
def test_private_requests_have_no_part_in_it(daemon, origin, path, headers):
    """Private requests are neither stored, nor answered from the store, nor coalesced, and the store contains none of their data."""
    d = daemon(upstream('ex', origin, fresh=LONG, stale_if_error=LONG, coalesce='yes'))
    numbered(origin)
    if path == '/q':
        assert d.get('/ex/q').body == b'1'
    before = stored(d)
    gate = Gate(reply(body=lambda r: b'private'))
    origin.on('/q', gate)
    asked = [background(lambda: d.get('/ex' + path, headers)) for _ in range(3)]
    eventually(lambda: gate.waiting == 3)
    gate.release()
    for r in (a.result() for a in asked):
        assert r.body == b'private' and r.get('cache-status') is None and r.get('age') is None
    assert stored(d) == before
    origin.on('/q', reply(503, b'down'))
    assert d.get('/ex' + path, headers).body == b'down'
    assert KEY not in d.stderr


def test_shareable_headers_can_be_more(daemon, origin):
    d = daemon(upstream('ex', origin, fresh=LONG, shareable_headers=['Host', 'CB-*']))
    numbered(origin)
    assert [d.get('/ex/q', [('cb-version', '1')]).body for _ in range(2)] == [b'1', b'1']
    assert [d.get('/ex/q', [('Accept', '*/*')]).body for _ in range(2)] == [b'2', b'3']


# ----------------------------------------------------------------------------------------------------- bounds

def test_the_bound_of_the_store_is_exact(daemon, origin):
    d = daemon(upstream('ex', origin, fresh=LONG), cache_size='64k')
    origin.default = reply(body=b'x' * 3000)
    for n in range(30):
        assert len(d.get(f'/ex/{n}').body) == 3000
        assert stored(d)['bytes'] <= 65536
    few = stored(d)['entries']
    assert 3 <= few <= 20
    asked = len(origin.paths())
    assert cache_status(d.get('/ex/29'))['hit'] and len(origin.paths()) == asked
    assert 'hit' not in cache_status(d.get('/ex/0'))            # least recently used, evicted long ago


def test_the_one_used_last_stays(daemon, origin):
    d = daemon(upstream('ex', origin, fresh=LONG), cache_size='64k')
    origin.default = reply(body=b'x' * 3000)
    for n in range(30):
        d.get(f'/ex/{n}')
        assert n == 0 or cache_status(d.get('/ex/0'))['hit']


@pytest.mark.parametrize('framing', ['length', 'chunked', 'close'])
def test_what_is_too_large_passes_untouched(daemon, origin, framing):
    body = bytes(range(256)) * 2000
    d = daemon(upstream('ex', origin, fresh=LONG, coalesce='yes', cache_max_object='100k'))
    origin.on('/big', reply(body=body, framing=framing, pieces=20))
    assert d.get('/ex/big').body == body and d.get('/ex/big').body == body
    assert stored(d)['entries'] == 0 and len(origin.paths()) == 2
    origin.on('/small', reply(body=body[:90000], framing=framing, pieces=20))
    assert d.get('/ex/small').body == body[:90000] and d.get('/ex/small').body == body[:90000]
    assert stored(d)['entries'] == 1


def test_streaming_is_not_delayed_by_storing(daemon, origin):
    """The client receives the first half before the origin has sent the second."""
    d = daemon(upstream('ex', origin, fresh=LONG, coalesce='yes'))
    go = threading.Event()

    async def behave(x):
        await x.read_body()
        await x.line.send(b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst')
        while not go.is_set():
            await x.pause(0.01)
        await x.line.send(b'later')
    origin.on('/slow', behave)
    with d.client() as c:
        c.send(b'GET /ex/slow HTTP/1.1\r\nHost: localhost\r\n\r\n')
        got = b''
        while b'first' not in got:
            got += c.sock.recv(4096)
        follower = background(lambda: d.get('/ex/slow'))
        eventually(lambda: d.upstream()['requests']['active'] == 2)
        go.set()
        while b'later' not in got:
            got += c.sock.recv(4096)
    assert follower.result().body == b'firstlater'
    assert len(origin.paths()) == 1 and d.get('/ex/slow').body == b'firstlater'


@pytest.mark.parametrize('framing', ['length', 'chunked', 'close'])
def test_a_cut_answer_is_not_stored(daemon, origin, framing):
    d = daemon(upstream('ex', origin, fresh=LONG))
    start = {'length': b'Content-Length: 10\r\n\r\nhalf', 'chunked': b'Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n',
             'close': b'\r\nhalf'}[framing]
    origin.on('/q', raw(b'HTTP/1.1 200 OK\r\n' + start, then='cut'))
    with d.client() as c:
        with pytest.raises(Exception):
            c.send(b'GET /ex/q HTTP/1.1\r\nHost: localhost\r\n\r\n').response()
    assert stored(d)['entries'] == 0 and d.upstream()['requests']['failed'] == 1


# ------------------------------------------------------------------------------------------------------ stale

FAILURES = [reply(500), reply(502), reply(503), reply(504), reply(429), reply(418), drop('reset'), drop('close'),
            raw(b'garbage\r\n\r\n', then='close'), raw(b'HTTP/1.1 200 OK\r\nContent-', then='close')]


@pytest.mark.parametrize('failure', FAILURES)
def test_the_last_good_answer_when_the_origin_fails(daemon, origin, failure):
    d = daemon(upstream('ex', origin, stale_if_error=LONG, retries=0, hold_status=[]))
    numbered(origin)
    assert d.get('/ex/q').body == b'1' and d.get('/ex/q').body == b'2'
    origin.on('/q', failure)
    r = d.get('/ex/q')
    assert r.status == 200 and r.body == b'2'
    status = cache_status(r)
    assert status['fwd'] == 'stale' and ('fwd-status' in status or 'detail' in status), status
    assert counts(d) == {'misses': 2, 'stale': 1}
    assert d.upstream()['requests']['succeeded'] == 3
    numbered(origin)
    assert cache_status(d.get('/ex/q'))['fwd'] == 'miss'


@pytest.mark.parametrize('status', [501, 505, 507, 520, 525, 530, 599])
def test_stale_stands_in_for_any_5xx(daemon, origin, status):
    """A CDN in front of the exchange may respond with a status code of its own."""
    d = daemon(upstream('ex', origin, stale_if_error=LONG))
    origin.on('/q', reply(), reply(status))
    works(d, '/ex/q')
    assert cache_status(works(d, '/ex/q')) == {'fwd': 'stale', 'fwd-status': str(status)}


def test_stale_tells_the_origins_status(daemon, origin):
    d = daemon(upstream('ex', origin, stale_if_error=LONG))
    works(d, '/ex/q')
    origin.on('/q', reply(503))
    assert cache_status(d.get('/ex/q')) == {'fwd': 'stale', 'fwd-status': '503'}


@pytest.mark.parametrize('headers', [[('Cache-Control', 'no-cache')], [('Cache-Control', 'stale-if-error=0')],
                                     [('Pragma', 'no-cache')], [('Authorization', 'x')]])
def test_a_client_may_opt_out_of_stale(daemon, origin, headers):
    d = daemon(upstream('ex', origin, stale_if_error=LONG))
    works(d, '/ex/q')
    origin.on('/q', reply(503, b'down'))
    r = d.get('/ex/q', headers)
    assert r.status == 503 and r.body == b'down'


def test_honest_after_its_time(daemon, origins):
    """If the origin is down, stale responses with a correct Age are served until fresh + stale_if_error; after that, the client
    gets the actual error."""
    o = origins()
    d = daemon(upstream('ex', o, fresh='100ms', stale_if_error='2500ms', breaker_failures=1, breaker_min='60s', breaker_max='60s'))
    began = time.monotonic()
    works(d, '/ex/q')
    stored_by = time.monotonic()
    o.__exit__()
    time.sleep(0.2)                     # no longer fresh
    while True:
        before, r, after = time.monotonic(), d.get('/ex/q'), time.monotonic()
        if after - began > 2.5:         # stale_if_error may have ended during the request
            break
        assert r.status == 200 and cache_status(r)['fwd'] == 'stale'
        # the daemon's clock has whole milliseconds, so the age that it computes can be one too long
        assert int(before - stored_by) <= r.number('age') <= int(after - began + 0.001)
        time.sleep(0.05)
    time.sleep(max(0, stored_by + 2.7 - time.monotonic()))
    assert d.upstream()['breaker'] == 'open'
    own_error(d.get('/ex/q'), (502, 503), ('connection_refused', 'destination_unavailable'), 'no')


def test_a_hold_is_answered_from_the_store(daemon, origin):
    """After a 429 with Retry-After, stored responses are served at once, other requests are refused, and nothing is sent to the origin."""
    d = daemon(upstream('ex', origin, stale_if_error=LONG))
    works(d, '/ex/q')
    origin.on('/banned', reply(429, headers=[('Retry-After', '60')]))
    assert d.get('/ex/banned').status == 429
    before = len(origin.paths())
    for _ in range(20):
        r = d.get('/ex/q')
        assert r.status == 200 and cache_status(r)['fwd'] == 'stale'
    own_error(d.get('/ex/more'), 429, 'http_request_denied', 'no')
    assert len(origin.paths()) == before


def test_the_hold_is_waited_out(daemon, origin):
    """A request without a stored response waits until the hold ends, if its timeout allows."""
    d = daemon(upstream('ex', origin, stale_if_error=LONG))
    origin.on('/banned', reply(429, headers=[('Retry-After', '2')]))
    began = time.monotonic()
    assert d.get('/ex/banned').status == 429 and d.get('/ex/other').status == 200
    assert origin.requests[-1].time - began >= 1.9


def test_who_waits_when_the_hold_comes_gets_the_old_answer(daemon, origin):
    d = daemon(upstream('ex', origin, stale_if_error=LONG, rate='2/4s', burst=2, total_timeout='30s'))
    works(d, '/ex/q')
    gate = Gate(reply(418, headers=[('Retry-After', '3')]))
    origin.on('/banned', gate)
    banned = background(lambda: d.get('/ex/banned'))
    eventually(lambda: gate.waiting == 1)
    waits = background(lambda: d.get('/ex/q', timeout=20))
    eventually(lambda: d.upstream()['limits']['rate_held'] == 1)
    gate.release()
    assert banned.result().status == 418
    assert cache_status(waits.result())['fwd'] == 'stale'


def test_the_rate_is_no_failure(daemon, origin):
    """With on_limit = refuse, a request over the rate gets 429, although a stale response is available."""
    d = daemon(upstream('ex', origin, stale_if_error=LONG, rate='1/1m', on_limit='refuse'))
    works(d, '/ex/q')
    own_error(d.get('/ex/q'), 429, 'http_request_denied', 'no')


def test_a_draining_upstream_says_so(daemon, origin):
    d = daemon(upstream('ex', origin, fresh=LONG, stale_if_error=LONG))
    works(d, '/ex/q')
    d.verb('drain')
    own_error(d.get('/ex/q'), 503, 'destination_unavailable', 'no')


# ------------------------------------------------------------------------------------------------------ logging

def test_the_access_log_says_where_it_came_from(daemon, origin, tmp_path):
    log = tmp_path / 'access.log'
    block = upstream('ex', origin, fresh=LONG, stale_if_error=LONG).rstrip('}\n') + '\n    path "/old" { fresh = 0 }\n}\n'
    d = daemon(block, access_log=str(log), access_log_format='json')
    works(d, '/ex/q'), works(d, '/ex/q'), works(d, '/ex/old')
    origin.default = reply(503)
    d.get('/ex/old')
    d.request('POST', '/ex/old', body=b'x')

    def lines():
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    eventually(lambda: len([x for x in lines() if x['upstream'] == 'ex']) == 5)
    seen = [(x['cache'], x['sent'], x['status']) for x in lines() if x['upstream'] == 'ex']
    assert seen == [('miss', 'yes', 200), ('hit', 'no', 200), ('miss', 'yes', 200), ('stale', 'yes', 200), (None, 'yes', 503)]
