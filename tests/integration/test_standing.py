"""Since when an upstream is in its state and why, and what /stats and /metrics tell of certificate, addresses and process."""
import os
import re
import time

import pytest

from lib.behaviour import reply
from lib.daemon import upstream
from lib.promise import works
from lib.wire import eventually


def within(since, began):
    """The state changed between `began` and now, in whole seconds."""
    return int(began) <= since <= time.time()


def test_states_with_their_time_and_reason(daemon, origin):
    """Each change of the state sets since and reason."""
    began = time.time()
    d = daemon(upstream('ex', origin))
    u = d.upstream()
    assert (u['state'], u['reason']) == ('up', 'it is up since the start') and within(u['since'], began)
    for verb, state, reason in [('pause', 'paused', 'an operator paused it'), ('drain', 'draining', 'an operator drained it'),
                                ('resume', 'up', 'an operator resumed it'), ('freeze', 'frozen', 'frozen by 127.0.0.1'),
                                ('unfreeze', 'up', 'a freeze ended')]:
        began = time.time()
        assert d.verb(verb).status == 204
        u = d.upstream()
        assert u['state'] == state and u['reason'].startswith(reason) and within(u['since'], began), (verb, u['state'], u['reason'])
        assert f'trunkline_upstream_state_changed_timestamp_seconds{{upstream="ex",state="{state}",reason="' in d.get('/metrics').text


def test_a_hold_and_its_end(daemon, origin):
    """The reason names the response that caused the hold; since is kept while it is prolonged, and is its end when it is over."""
    d = daemon(upstream('ex', origin))
    origin.on('/limited', reply(429, headers=[('Retry-After', '2')]))
    began = time.time()
    d.get('/ex/limited', [('Trunkline-Client', 'grid1')])
    u = d.upstream()
    assert u['state'] == 'held' and u['reason'] == 'the exchange answered 429 to grid1 for /limited' and within(u['since'], began)
    assert 'reason="status_429"}' in d.get('/metrics').text
    assert re.search(r'trunkline_hold_seconds\{upstream="ex",held="public",status="429",bot="grid1",path="/limited"\} [12]\.', d.get('/metrics').text)
    eventually(lambda: d.upstream()['state'] == 'up')
    u = d.upstream()
    assert u['reason'] == 'a hold ended' and began + 1 <= u['since'] <= time.time()


def test_an_open_circuit(daemon, origin):
    """The reason is why no connection could be made."""
    began = time.time()
    d = daemon(upstream('ex', '127.0.0.1:9', breaker_failures=1, breaker_min='60s', breaker_max='60s'))
    d.get('/ex/x')
    u = d.upstream()
    assert u['state'] == 'open' and u['reason'].startswith('connection_refused: ') and within(u['since'], began)


def test_certificate_and_addresses(daemon, origin):
    """Days left of the certificate that the origin showed, and the addresses that connections are open to."""
    d = daemon(upstream('ex', origin))
    u = d.upstream()
    assert u['certificate_days'] is None and u['addresses'] == []
    works(d)
    u = d.upstream()
    assert u['certificate_days'] > 1 and u['addresses'] == [origin.address]
    metrics = d.get('/metrics').text
    left = float(re.search(r'trunkline_certificate_left_seconds\{upstream="ex"\} (\d+)', metrics)[1])
    assert abs(left / 86400 - u['certificate_days']) < 0.2
    assert f'trunkline_address_connections{{upstream="ex",address="{origin.address}"}} 1' in metrics


def test_the_process(daemon, origin):
    """Memory, descriptors, processor time and start are those of the process."""
    began = time.time()
    d = daemon(upstream('ex', origin))
    works(d)
    p = d.stats()['process']
    assert began - 1 <= p['started'] <= time.time() and 0 < p['cpu_s'] < 60
    assert p['resident_bytes'] / 1024 == pytest.approx(d.rss_kib(), rel=0.5) and p['virtual_bytes'] >= p['resident_bytes']
    assert abs(p['descriptors'] - d.fds()) <= 3
    assert p['descriptors_max'] >= p['descriptors'] and os.path.exists(f'/proc/{d.pid}')
    metrics = d.get('/metrics').text
    for name in ['process_resident_memory_bytes', 'process_open_fds', 'process_max_fds', 'process_cpu_seconds_total', 'process_start_time_seconds']:
        assert re.search(rf'^trunkline_{name} [0-9.]+$', metrics, re.M), name


def test_the_last_reload(daemon, origin):
    """Its time, and whether it succeeded."""
    d = daemon(upstream('ex', origin))
    assert d.stats()['reload'] == {'at': None, 'succeeded': None}
    began = time.time()
    d.reload(upstream('ex', origin))
    eventually(lambda: d.stats()['reload']['succeeded'] is True)
    assert within(d.stats()['reload']['at'], began)
    d.reload(text='nonsense')
    eventually(lambda: d.stats()['reload']['succeeded'] is False)
    assert 'trunkline_config_last_reload_successful 0' in d.get('/metrics').text
