"""examples/arbscan against scripts/demo-exchange through trunkline: a planted opportunity, a false one, the old and the dead."""
import json
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from lib import certs
from lib.daemon import PATIENCE, binary, upstream
from lib.wire import eventually

TREE = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(binary()).parent / 'examples/arbscan'
HOSTS = {'binance': 'api.binance.com', 'kraken': 'api.kraken.com', 'coinbase': 'api.exchange.coinbase.com'}
pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason='built without libcurl')
SOL = ['binance:SOLUSDT', 'kraken:SOLUSD', 'coinbase:SOL-USD']
ETH = ['binance:ETHUSDT', 'kraken:XETHZUSD', 'coinbase:ETH-USD']


@pytest.fixture(scope='module')
def certificate():
    certs._leaf('exchanges', names=','.join(f'DNS:{host}' for host in HOSTS.values()))
    return certs.FOLDER / 'exchanges.crt', certs.FOLDER / 'exchanges.key'


class Demo:
    """The three demo exchanges, and a daemon before them. `ill` makes some of them fail from now on."""

    def __init__(self, folder, daemon, certificate, **settings):
        self.folder = folder
        self.process = subprocess.Popen([sys.executable, TREE / 'scripts/demo-exchange', *certificate, folder])
        eventually((folder / 'ports').exists, timeout=10 * PATIENCE)
        ports = dict(line.split() for line in (folder / 'ports').read_text().splitlines())
        self.daemon = daemon(*[upstream(name, f'127.0.0.1:{ports[name]}', host=host, min_idle=1, **settings)
                               for name, host in HOSTS.items()])

    def ill(self, **how):
        new = self.folder / 'faults.new'
        new.write_text(''.join(f'{name} {fault}\n' for name, fault in how.items()))
        new.replace(self.folder / 'faults')

    def command(self, *args):
        return [PROGRAM, '--proxy', self.daemon.url, '--same', 'USDT=USD', '--timeout', str(2000 * PATIENCE), *args]

    def scan(self, *args):
        out = subprocess.run(self.command('--json', *args), capture_output=True, text=True, timeout=20 * PATIENCE)
        assert out.returncode == 0 and not out.stderr, out
        return [json.loads(line) for line in out.stdout.splitlines()]

    def look(self, *args):
        [found] = self.scan(*args)
        found['states'] = {q['exchange']: q['state'] for q in found['quotes']}
        return found


@pytest.fixture
def demo(tmp_path, daemon, certificate):
    started = []

    def start(**settings):
        started.append(Demo(tmp_path, daemon, certificate, **settings))
        return started[-1]
    yield start
    for d in started:
        d.process.send_signal(signal.SIGTERM)
        d.process.wait(10)


def test_the_planted_opportunity(demo):
    """Bought at binance's ask, sold at kraken's bid, exact to the last digit; the other directions do not pay."""
    found = demo().look(*SOL)
    assert set(found['states'].values()) == {'good'}
    [best] = [o for o in found['opportunities'] if o['sell'] == 'kraken' and o['buy'] == 'binance']
    assert best == {'pair': 'SOL/USD', 'buy': 'binance', 'sell': 'kraken', 'ask': '150.02', 'bid': '153.00', 'cost': '150.17002',
                    'proceeds': '152.38800', 'profit': '2.21798', 'percent': '1.4769'}
    assert found['opportunities'][0] == best
    assert [(o['buy'], o['sell']) for o in found['opportunities'][1:]] == [('coinbase', 'kraken')] or len(found['opportunities']) == 1
    assert not [o for o in found['opportunities'] if o['buy'] == 'kraken']


def test_fees_and_the_least(demo):
    """Dearer exchanges eat it up; so does a higher bar. Without --same a USDT is no USD."""
    d = demo()
    assert d.look('--fee', 'kraken=2', '--fee', 'coinbase=2', *SOL)['opportunities'] == []
    assert d.look('--least', '1.4770', *SOL)['opportunities'] == []
    assert len(d.look('--least', '1.4769', *SOL)['opportunities']) == 1
    out = subprocess.run([PROGRAM, '--proxy', d.daemon.url, '--json', *SOL[:2]], capture_output=True, text=True)
    assert json.loads(out.stdout)['opportunities'] == []


def test_the_false_one_is_not_seen(demo):
    """|ask − bid| between kraken and binance is 2 %, but nobody bids more than another asks."""
    found = demo().look('--fee', 'binance=0', '--fee', 'kraken=0', '--fee', 'coinbase=0', *ETH)
    assert set(found['states'].values()) == {'good'} and found['opportunities'] == []
    sides = {q['exchange']: q for q in found['quotes']}
    assert (float(sides['kraken']['ask']) - float(sides['binance']['bid'])) / float(sides['binance']['bid']) > 0.02


def test_a_dead_exchange_delays_nobody(demo):
    """One refuses, one never answers; the opportunity between the others is found, look after look."""
    d = demo()
    d.ill(coinbase='hang')
    began = time.monotonic()
    looks = d.scan('--watch=0.5', '--count', '4', *SOL)
    assert time.monotonic() - began < 2 + 3 * PATIENCE
    for found in looks[-2:]:
        states = {q['exchange']: q['state'] for q in found['quotes']}
        assert states['binance'] == states['kraken'] == 'good' and states['coinbase'] in ('waiting', 'failed')
        assert [(o['buy'], o['sell']) for o in found['opportunities']] == [('binance', 'kraken')]
    d.ill(coinbase='503')
    found = d.look(*SOL)
    assert found['states']['coinbase'] == 'failed' and len(found['opportunities']) == 1
    assert 'status 503' in [q['error'] for q in found['quotes'] if q['exchange'] == 'coinbase'][0]


def test_the_table_for_people(demo):
    out = subprocess.run(demo().command(*SOL, 'kraken@nobody:SOLUSD'), capture_output=True, text=True)
    assert out.returncode == 0
    lines = out.stdout.splitlines()
    assert lines[0].split() == ['exchange', 'pair', 'bid', 'ask', 'age', 'state']
    assert lines[1].split() == ['binance', 'SOL/USD', '149.98', '150.02', '0.0', 's', 'good']
    assert lines[4].startswith('nobody') and 'failed: status 404' in lines[4]
    assert lines[7].split() == ['binance', 'kraken', 'SOL/USD', '150.02', '153.00', '2.21798', '1.4769']


@pytest.mark.parametrize('args', [[], ['nowhere:BTCUSD'], ['kraken'], ['kraken:???'], ['--timeout', '-1', 'kraken:XBTUSD'],
                                  ['--fee', 'kraken', 'kraken:XBTUSD'], ['--fee', 'kraken=x', 'kraken:XBTUSD'], ['--nonsense']])
def test_wrong_calls(args):
    out = subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=10)
    assert out.returncode == 64 and len(out.stderr.splitlines()) == 1 and not out.stdout, out


def test_nobody_answers():
    out = subprocess.run([PROGRAM, '--proxy', 'http://127.0.0.1:1', 'kraken:XBTUSD'], capture_output=True, text=True, timeout=10)
    assert out.returncode == 69 and 'failed: ' in out.stdout
