"""examples/arbscan against scripts/demo-exchange through trunkline: a real opportunity, a false one, old and stale quotes, and
exchanges that fail."""
import json
import re
import subprocess
import time

import pytest

from lib.daemon import PATIENCE
from lib.demo import program

PROGRAM = program('examples/arbscan')
pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason='built without libcurl')
SOL = ['binance:SOLUSDT', 'kraken:SOLUSD', 'coinbase:SOL-USD']
ETH = ['binance:ETHUSDT', 'kraken:XETHZUSD', 'coinbase:ETH-USD']


def command(d, *args):
    return [PROGRAM, '--proxy', d.daemon.url, '--same', 'USDT=USD', '--timeout', str(2000 * PATIENCE), *args]


def scan(d, *args):
    out = subprocess.run(command(d, '--json', *args), capture_output=True, text=True, timeout=60 * PATIENCE)
    assert out.returncode == 0 and not out.stderr, out
    return [json.loads(line) for line in out.stdout.splitlines()]


def look(d, *args):
    [found] = scan(d, *args)
    found['states'] = {q['exchange']: q['state'] for q in found['quotes']}
    return found


def test_the_planted_opportunity(demo):
    """Buying at binance's ask and selling at kraken's bid is profitable, and the figures are exact to the last digit. No
    opportunity that buys at kraken is reported."""
    found = look(demo(), *SOL)
    assert set(found['states'].values()) == {'good'}
    [best] = [o for o in found['opportunities'] if o['sell'] == 'kraken' and o['buy'] == 'binance']
    assert best == {'pair': 'SOL/USD', 'buy': 'binance', 'sell': 'kraken', 'ask': '150.02', 'bid': '153.00', 'cost': '150.17002',
                    'proceeds': '152.38800', 'profit': '2.21798', 'percent': '1.4769'}
    assert found['opportunities'][0] == best
    assert [(o['buy'], o['sell']) for o in found['opportunities'][1:]] == [('coinbase', 'kraken')] or len(found['opportunities']) == 1
    assert not [o for o in found['opportunities'] if o['buy'] == 'kraken']


def test_fees_and_the_least(demo):
    """Higher fees remove the opportunity, and so does a higher --least. Without --same, USDT and USD are different currencies."""
    d = demo()
    assert look(d, '--fee', 'kraken=2', '--fee', 'coinbase=2', *SOL)['opportunities'] == []
    assert look(d, '--least', '1.4770', *SOL)['opportunities'] == []
    assert len(look(d, '--least', '1.4769', *SOL)['opportunities']) == 1
    out = subprocess.run([PROGRAM, '--proxy', d.daemon.url, '--json', *SOL[:2]], capture_output=True, text=True)
    assert json.loads(out.stdout)['opportunities'] == []


def test_the_false_one_is_not_seen(demo):
    """|ask − bid| between kraken and binance is over 2 %, but no bid is higher than the ask of another exchange."""
    found = look(demo(), '--fee', 'binance=0', '--fee', 'kraken=0', '--fee', 'coinbase=0', *ETH)
    assert set(found['states'].values()) == {'good'} and found['opportunities'] == []
    sides = {q['exchange']: q for q in found['quotes']}
    assert (float(sides['kraken']['ask']) - float(sides['binance']['bid'])) / float(sides['binance']['bid']) > 0.02


def test_a_dead_exchange_delays_nobody(demo):
    """While one exchange never answers, or answers 503, each scan still finds the opportunity between the other two."""
    d = demo()
    d.ill(coinbase='hang')
    began = time.monotonic()
    looks = scan(d, '--timeout', '60000', '--watch=0.5', '--count', '4', *SOL)
    assert time.monotonic() - began < 50
    for found in looks[-2:]:
        states = {q['exchange']: q['state'] for q in found['quotes']}
        assert states['binance'] == states['kraken'] == 'good' and states['coinbase'] in ('waiting', 'failed')
        assert [(o['buy'], o['sell']) for o in found['opportunities']] == [('binance', 'kraken')]
    d.ill(coinbase='503')
    found = look(d, *SOL)
    assert found['states']['coinbase'] == 'failed' and len(found['opportunities']) == 1
    assert 'status 503' in [q['error'] for q in found['quotes'] if q['exchange'] == 'coinbase'][0]


def test_a_stale_quote_is_shown_and_not_traded_on(demo):
    """The exchange fails and trunkline serves its last good response. That has the best price, but it can no longer be traded at."""
    d = demo(stale_if_error='60s')
    assert look(d, *SOL)['opportunities'][0]['sell'] == 'kraken'
    d.ill(kraken='503')
    found = look(d, *SOL)
    [kraken] = [q for q in found['quotes'] if q['exchange'] == 'kraken']
    assert kraken['state'] == 'stale' and kraken['stale'] is True and kraken['bid'] == '153.00' and 'error' not in kraken
    assert found['states']['binance'] == found['states']['coinbase'] == 'good' and found['opportunities'] == []
    d.ill()
    assert look(d, *SOL)['opportunities'][0]['sell'] == 'kraken'


def test_an_old_quote_is_not_traded_on(demo):
    """A stored response that is still fresh is not stale, but its Age counts against --max-age."""
    d = demo(fresh='60s')
    look(d, *SOL)
    time.sleep(1.2)
    found = look(d, '--max-age', '900', *SOL)
    assert set(found['states'].values()) == {'old'} and found['opportunities'] == []
    assert all(q['age_ms'] >= 1000 and q['stale'] is False for q in found['quotes'])


def test_the_table_for_people(demo):
    out = subprocess.run(command(demo(), *SOL, 'kraken@nobody:SOLUSD'), capture_output=True, text=True)
    assert out.returncode == 0
    lines = out.stdout.splitlines()
    assert lines[0].split() == ['exchange', 'pair', 'bid', 'ask', 'age', 'state']
    assert re.fullmatch(r'binance +SOL/USD +149\.98 +150\.02 +\d+\.\d s +good', lines[1].rstrip()), lines[1]
    assert lines[4].startswith('nobody') and 'failed: status 404' in lines[4]
    assert lines[7].split() == ['binance', 'kraken', 'SOL/USD', '150.02', '153.00', '2.21798', '1.4769']


@pytest.mark.parametrize('args', [[], ['nowhere:BTCUSD'], ['kraken'], ['kraken:???'], ['--timeout', '-1', 'kraken:XBTUSD'],
                                  ['--fee', 'kraken', 'kraken:XBTUSD'], ['--fee', 'kraken=x', 'kraken:XBTUSD'],
                                  ['--fee', 'krakn=0', 'kraken:XBTUSD'], ['--nonsense']])
def test_wrong_calls(args):
    out = subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=10)
    assert out.returncode == 64 and len(out.stderr.splitlines()) == 1 and not out.stdout, out


def test_nobody_answers():
    out = subprocess.run([PROGRAM, '--proxy', 'http://127.0.0.1:1', 'kraken:XBTUSD'], capture_output=True, text=True, timeout=10)
    assert out.returncode == 69 and 'failed: ' in out.stdout
