"""Our clock against the exchange's, learned from the Date of ordinary responses."""
import email.utils
import time

import pytest

from lib.behaviour import reply
from lib.daemon import PATIENCE, upstream
from lib.wire import eventually


def dated(ahead, **fields):
    """Responses of an origin whose clock is so many seconds ahead of ours."""
    async def behave(x):
        headers = [('Date', email.utils.formatdate(time.time() + ahead, usegmt=True)), *fields.items()]
        await reply(200, headers=headers)(x)
    return behave


@pytest.mark.parametrize('ahead', [7.3, *(pytest.param(ahead, marks=pytest.mark.slow) for ahead in (-7.3, 0))])
def test_the_offset_is_within_the_error(daemon, origin, ahead):
    """Fewer than 30 responses, spread over a few seconds, know an offset of 7.3 s to a fifth of a second."""
    d = daemon(upstream('ex', origin))
    origin.on('/quote', dated(ahead))
    assert d.upstream()['clock'] == {'offset_ms': None, 'error_ms': None, 'samples': 0}
    for _ in range(29):
        assert d.get('/ex/quote').status == 200
        time.sleep(0.137)
    clock = d.upstream()['clock']
    assert clock['samples'] == 29
    assert abs(clock['offset_ms'] + ahead * 1000) <= clock['error_ms'] < 200 * PATIENCE
    metrics = d.get('/metrics').text
    assert 'trunkline_clock_offset_seconds{upstream="ex"} ' in metrics and 'trunkline_clock_error_seconds{upstream="ex"} ' in metrics
    warnings = [line for line in d.stderr.splitlines() if '-1021' in line]
    assert len(warnings) == (1 if ahead else 0)
    if ahead:
        assert ('behind' if ahead > 0 else 'ahead of') in warnings[0] and ' warn upstream ex: ' in warnings[0]


def test_what_a_cache_says_teaches_nothing(daemon, origin):
    """A response with Age has the Date of when it was stored; those without a Date, or with a wrong one, teach nothing either."""
    d = daemon(upstream('ex', origin))
    origin.on('/cached', dated(-60, Age='60'))
    origin.on('/wrong', reply(200, headers=[('Date', 'yesterday')]))
    for target in ['/cached', '/wrong', '/plain'] * 3:
        assert d.get(f'/ex{target}').status == 200
    assert d.upstream()['clock']['samples'] == 0


def test_a_reload_keeps_what_was_learned(daemon, origin):
    """What was learned outlives a reload that changes other settings."""
    d = daemon(upstream('ex', origin))
    origin.on('/quote', dated(3))
    d.get('/ex/quote')
    d.reload(upstream('ex', origin, max_connections=3))
    eventually(lambda: d.upstream()['connections']['max'] == 3)
    assert d.upstream()['clock']['samples'] == 1
