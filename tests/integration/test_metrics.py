"""/metrics, and the alerts and the Grafana dashboard in doc/, as checked by Prometheus' promtool."""
import json
import pathlib
import re
import shutil
import subprocess

import pytest

from lib.behaviour import drop, reply
from lib.daemon import upstream
from lib.promise import works

DOC = pathlib.Path(__file__).resolve().parents[2] / 'doc'
promtool = pytest.mark.skipif(not shutil.which('promtool'), reason='promtool is missing (Debian 12: apt install prometheus, 13: promtool)')


def tool(*args, **kw):
    return subprocess.run(['promtool', *map(str, args)], capture_output=True, text=True, timeout=60, **kw)


def samples(d):
    """{'name{labels}': value} of /metrics."""
    r = d.get('/metrics')
    assert r.status == 200 and r.get('content-type') == 'text/plain; version=0.0.4; charset=utf-8'
    return {line.rpartition(' ')[0]: float(line.rpartition(' ')[2]) for line in r.text.splitlines() if not line.startswith('#')}


@pytest.fixture
def busy(daemon, origin):
    """A daemon that has handled successful responses, errors and requests for several hosts."""
    d = daemon(upstream('ex', origin))
    for n in range(5):
        works(d)
    origin.default = reply(status=404)
    d.get('/ex/gone')
    origin.default = drop()
    d.request('POST', '/ex/order', body=b'x')
    for n in range(3):
        assert d.get(f'/https://10.1.2.{n}/').status == 403
    return d


@promtool
def test_promtool_has_nothing_to_say(busy):
    """`promtool check metrics` prints nothing."""
    out = tool('check', 'metrics', input=busy.get('/metrics').text)
    assert (out.returncode, out.stdout, out.stderr) == (0, '', '')


def test_every_number_is_that_of_stats(busy):
    """Each counter and gauge of an upstream equals the corresponding value in /stats."""
    m, u = samples(busy), busy.upstream()
    c, r = u['connections'], u['requests']

    def of(name, **labels):
        return m['trunkline_%s{%s}' % (name, ','.join(f'{k}="{v}"' for k, v in {'upstream': 'ex', **labels}.items()))]
    assert (of('requests_total', status='2xx'), of('requests_total', status='4xx'), of('requests_total', status='5xx')) == (5, 1, 1)
    assert sum(v for k, v in m.items() if k.startswith('trunkline_requests_total{upstream="ex"')) == r['total'] == 7
    assert of('requests_ended_total', outcome='succeeded') == r['succeeded'] and of('requests_ended_total', outcome='failed') == r['failed'] == 1
    assert of('request_errors_total', error='connection_terminated') == r['errors']['connection_terminated'] == 1
    assert of('orders_unknown_total') == r['unknown'] == 1
    assert of('connections_opened_total') == c['opened'] and of('connections_reused_total') == c['reused']
    assert of('handshakes_total', resumed='true') == c['resumed'] and of('handshakes_total', resumed='false') == c['handshakes'] - c['resumed']
    assert {k: of('connections_closed_total', reason=k) for k in c['closed']} == c['closed']
    assert {k: of('connections', state=k) for k in ('idle', 'active', 'connecting')} == {k: c[k] for k in ('idle', 'active', 'connecting')}
    assert of('upstream_state', state='up') == 1 and of('upstream_state', state='paused') == 0
    for phase, latency in u['latency_ms'].items():
        assert of('request_duration_seconds_count', phase=phase) == latency['count']
        assert abs(of('request_duration_seconds_sum', phase=phase) * 1000 - latency['mean'] * latency['count']) < 0.1
    busy.verb('pause')
    m = samples(busy)
    assert of('upstream_state', state='up') == 0 and of('upstream_state', state='paused') == 1


def test_hosts_are_bounded(daemon):
    """However many hosts are requested, at most 256 have their own series, and no sum decreases."""
    d, last, count = daemon(), 0, 0
    with d.client() as c:
        for batch in range(6):
            for n in range(60):
                assert c.get(f'/https://10.1.{batch}.{n}/').status == 403
            count += 60
            m = samples(d)
            refused = {k: v for k, v in m.items() if k.startswith('trunkline_requests_total') and '"4xx"' in k}
            assert len(refused) <= 257 and sum(refused.values()) == count
            other = m.get('trunkline_requests_total{upstream="other",status="4xx"}', 0)
            assert other >= last and (other > 0) == (count > 256)
            last = other


@promtool
def test_alert_rules():
    """promtool accepts the rules, and they fire at the expected times only."""
    out = tool('check', 'rules', DOC / 'alerts.yml')
    rules = len(re.findall(r'^ +- alert: ', (DOC / 'alerts.yml').read_text(), re.M))
    assert out.returncode == 0 and f'SUCCESS: {rules} rules found' in out.stdout, out
    out = tool('test', 'rules', DOC / 'alerts-test.yml')
    assert out.returncode == 0 and 'SUCCESS' in out.stdout, out.stdout + out.stderr


def expressions():
    dashboard = json.loads((DOC / 'grafana-dashboard.json').read_text())
    found = [t['expr'] for p in dashboard['panels'] for t in p['targets']]
    assert len(found) > 15
    return found


@promtool
def test_dashboard_expressions(tmp_path):
    """Each expression of the Grafana dashboard is valid PromQL."""
    rules = [{'record': f'check:n{n}', 'expr': re.sub(r'\[\$__\w+\]', '[5m]', e)} for n, e in enumerate(expressions())]
    file = tmp_path / 'rules.yml'
    file.write_text(json.dumps({'groups': [{'name': 'all', 'rules': rules}]}))
    out = tool('check', 'rules', file)
    assert out.returncode == 0 and f'SUCCESS: {len(rules)} rules found' in out.stdout, out


def test_what_is_asked_for_is_there(busy):
    """Dashboard and alerts use only metrics that /metrics provides."""
    families = set(re.findall(r'^# TYPE (\S+)', busy.get('/metrics').text, re.M))
    for text in (*expressions(), (DOC / 'alerts.yml').read_text()):
        for name in re.findall(r'trunkline_\w+', text):
            assert re.sub(r'_bucket$', '', name) in families, name
