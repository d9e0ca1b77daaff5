"""Where the time of a request went: the slow-request log, Server-Timing and the access log agree."""
import json
import re
import time

import pytest

from lib.behaviour import Gate, raw, reply
from lib.daemon import upstream
from lib.promise import works
from lib.wire import background, eventually, parallel

LINE = re.compile(r'^\S+Z warn upstream (\S+): slow: ([\d.]+) s, of it (\w+) ([\d.]+) s: (\S+) (\S+) from (\S+), status (\d+), error (\S+), sent=(\w+) id=[0-9a-z]{12}-\d+$', re.M)


def slow(d, count=1):
    """The fields of the slow-request lines, once there are at least `count` lines."""
    eventually(lambda: len(LINE.findall(d.stderr)) >= count)
    return LINE.findall(d.stderr)


def test_the_phase_that_was_slow(daemon, origin):
    """Time spent waiting for the response head, for the body or for a connection: the line names the longest phase. Faster requests
    are not logged, nor are secrets."""
    d = daemon(upstream('ex', origin, max_connections=1), slow_log='400ms')
    patient = daemon(upstream('ex', origin), slow_log='1h')
    origin.on('/head', reply(delay=0.6))
    origin.on('/body', raw(b'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n', b'abc', b'def', gap=0.4))
    works(d)
    d.get('/ex/head?signature=GEHEIM', [('X-MBX-APIKEY', 'GEHEIM')])
    d.get('/ex/body'), patient.get('/ex/body')
    head, body = (t for t in slow(d, 2) if t[5].split('?')[0] in ('/head', '/body'))
    assert head[0] == 'ex' and head[2] == 'ttfb' and head[4] == 'GET' and head[7:] == ('200', '-', 'yes') and '/head' in head[5]
    assert 0.55 < float(head[3]) <= float(head[1]) and body[2] == 'body'
    gate = Gate()
    origin.on('/hold', gate)
    first = background(lambda: d.get('/ex/hold', timeout=20))
    eventually(lambda: gate.waiting == 1)
    second = background(lambda: d.get('/ex/behind', timeout=20))
    eventually(lambda: d.upstream()['queue']['waiting'] == 1)
    d.get('/ex/late', [('Trunkline-Timeout', '700ms')], timeout=20)
    gate.release()
    assert first.result().status == second.result().status == 200
    told = {t[5].split('?')[0]: t for t in slow(d, 5)}
    assert told['/behind'][2] == 'queue' and told['/late'][2] == 'queue' and told['/late'][8:] == ('connection_limit_reached', 'no')
    assert not LINE.search(patient.stderr) and 'GEHEIM' not in d.stderr


def test_it_cannot_flood(daemon, origin):
    """A hundred slow requests cause about twenty lines; slow_log = 0 disables them."""
    origin.default = reply(delay=0.15)
    began = time.monotonic()
    d, quiet = daemon(upstream('ex', origin, max_connections=50), slow_log='100ms'), daemon(upstream('ex', origin), slow_log='0')
    parallel(50, lambda n: [d.get(f'/ex/{n}', timeout=20) for _ in range(2)])
    works(quiet)
    assert len(slow(d, 20)) <= 20 * (2 + (time.monotonic() - began) // 10) and 'slow' not in quiet.stderr


def test_phases_agree(daemon, origin, tmp_path):
    """Server-Timing of a response and its access log line contain the same milliseconds."""
    log = tmp_path / 'log'
    d = daemon(upstream('ex', origin, server_timing=True), access_log=str(log), access_log_format='json')
    origin.default = reply(delay=0.05)
    headers = [r.get('server-timing') for r in (works(d), works(d))]
    eventually(lambda: log.exists() and log.read_text().count('\n') == 2)
    for header, line in zip(headers, map(json.loads, log.read_text().splitlines())):
        told = {k: float(v) for k, v in re.findall(r'(\w+);dur=([\d.]+)', header)}
        assert list(told) == ['hold', 'queue', 'dns', 'connect', 'tls', 'ttfb']
        assert all(abs(v - line[f'{k}_ms']) < 0.002 for k, v in told.items()), (header, line)
        assert sum(told.values()) <= line['total_ms'] + 0.5 and told['ttfb'] >= 45
    assert 'tls;dur=0.000' in headers[1] and 'tls;dur=0.000' not in headers[0]


def timing(answer):
    return {k: float(v) for k, v in re.findall(r'(\w+);dur=([\d.]+)', answer.get('server-timing'))}


def held(d, origin, how):
    """A request that has to wait for about a second, for the reason `how`."""
    if how == 'rate':
        works(d)
        return works(d, '/ex/second')
    if how == 'hold':
        origin.on('/banned', reply(429, headers=[('Retry-After', '1')]))
        d.get('/ex/banned')
        return works(d, '/ex/quote')
    key, gate = [('API-Key', 'k')], Gate()
    if how == 'pause':
        works(d)
        d.verb('pause')
        call = background(lambda: d.get('/ex/paused', timeout=20))
        eventually(lambda: d.upstream()['queue']['waiting'] == 1)
        time.sleep(0.8)         # the time to be measured
        d.verb('resume')
        return call.result(20)
    origin.on('/first', gate)
    first = background(lambda: d.get('/ex/first', key, timeout=20))
    eventually(lambda: gate.waiting == 1)
    call = background(lambda: d.get('/ex/behind', key, timeout=20))
    eventually(lambda: d.upstream()['requests']['active'] == 2)
    time.sleep(0.8)
    gate.release()
    assert first.result(20).status == 200
    return call.result(20)


@pytest.mark.parametrize('how', ['rate', 'hold', 'pause', 'turn'])
def test_what_is_held_is_no_queue(daemon, origin, tmp_path, how):
    """Time spent at the rate limit, in a hold, in a pause or behind serialize_by appears as phase `hold` in response, log, /stats
    and /metrics."""
    log = tmp_path / 'log'
    d = daemon(upstream('ex', origin, server_timing=True, serialize_by='API-Key', serialize_timeout='20s', **({'rate': '1/1s', 'burst': 1} if how == 'rate' else {})),
               access_log=str(log), access_log_format='json')
    r = held(d, origin, how)
    told = timing(r)
    assert r.status == 200 and told['hold'] > 500 and told['queue'] < told['hold'] / 2, told
    latency = d.upstream()['latency_ms']
    assert latency['hold']['max'] > 500 and latency['queue']['max'] < latency['hold']['max'] / 2
    assert d.upstream()['queue']['max_wait_ms'] < told['hold'] / 2
    assert re.search(r'trunkline_request_duration_seconds_count\{upstream="ex",phase="hold"\} [1-9]', d.get('/metrics').text)
    eventually(lambda: any(json.loads(li)['hold_ms'] > 500 for li in log.read_text().splitlines()))


def test_who_is_refused_at_the_gate_was_held(daemon, origin, tmp_path):
    log = tmp_path / 'log'
    d = daemon(upstream('ex', origin, order_wait='700ms'), access_log=str(log), access_log_format='json', slow_log='500ms')
    d.verb('pause')
    assert d.request('POST', '/ex/order', body=b'x').status == 503
    eventually(lambda: log.exists() and log.read_text().count('\n') == 1)
    line = json.loads(log.read_text())
    assert line['hold_ms'] > 500 and line['queue_ms'] < 300
    assert slow(d)[0][2] == 'hold'
