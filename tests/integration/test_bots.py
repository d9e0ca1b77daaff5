"""Which bot uses the weight: Trunkline-Client in /stats, /metrics and the access log; it is never forwarded to the origin."""
import json

from lib.behaviour import Gate, reply
from lib.daemon import upstream
from lib.promise import works
from lib.wire import background, eventually

WEIGHT = 'X-MBX-USED-WEIGHT-1M'


def weigh(origin, weight):
    origin.default = reply(headers=[(WEIGHT, str(weight))])


def by(name):
    return [('Trunkline-Client', name)]


def test_requests_failures_and_weight(daemon, origin, tmp_path):
    """Counters are kept per bot, with the same values in /stats and /metrics; the name is not sent to the exchange."""
    log = tmp_path / 'log'
    d = daemon(upstream('ex', origin, weight_header=WEIGHT), access_log=str(log), access_log_format='json')
    for weight, name in ((10, 'grid1'), (14, 'arb'), (34, 'grid1')):
        weigh(origin, weight)
        works(d, headers=by(name))
    works(d)
    origin.default = reply(status=503)
    d.get('/ex/x', by('arb'))
    d.get('/https://10.1.2.3/', by('a"b'))
    bots = d.stats()['bots']
    assert bots == {'grid1': {'requests': 2, 'failed': 0, 'weight': 30}, 'arb': {'requests': 2, 'failed': 1, 'weight': 4},
                    'other': {'requests': 1, 'failed': 1, 'weight': 0}}
    page = d.get('/metrics').text
    for name, bot in bots.items():
        for metric, key in (('requests', 'requests'), ('failures', 'failed'), ('weight', 'weight')):
            assert f'\ntrunkline_bot_{metric}_total{{bot="{name}"}} {bot[key]}\n' in page
    eventually(lambda: log.exists() and log.read_text().count('\n') == 6)
    assert [json.loads(line)['bot'] for line in log.read_text().splitlines()] == ['grid1', 'arb', 'grid1', None, 'arb', 'other']
    assert not any(r.get('trunkline-client') for r in origin.requests)


def test_names_are_bounded(daemon, origin):
    """64 names are counted separately; all others are counted together as `other`."""
    d = daemon(upstream('ex', origin))
    with d.client() as c:
        for n in range(70):
            assert c.get('/ex/x', by(f'bot{n}')).status == 200
    bots = d.stats()['bots']
    assert len(bots) == 65 and bots['other']['requests'] == 6 and bots['bot63']['requests'] == 1


def test_a_shared_answer_is_paid_for_once(daemon, origin):
    """When several requests share one response, its weight is counted for one of them only."""
    d, gate = daemon(upstream('ex', origin, weight_header=WEIGHT, coalesce=True)), Gate(reply(headers=[(WEIGHT, '20')]))
    origin.default = gate
    calls = [background(lambda n=n: d.get('/ex/shared', by(f'bot{n}'), timeout=20)) for n in range(3)]
    eventually(lambda: d.stats()['requests']['active'] == 3 and gate.waiting == 1)
    gate.release()
    assert all(c.result().status == 200 for c in calls)
    assert sum(b['weight'] for b in d.stats()['bots'].values()) == 20 and len(origin.requests) == 1
