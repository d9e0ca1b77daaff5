"""bench/poolbench: four ways, sequentially and concurrently, with the handshakes as counted by the origin."""
import json
import subprocess

import pytest

from lib import certs
from lib.daemon import PATIENCE, free_port
from lib.demo import program
from lib.wire import eventually

PROGRAM = program('bench/poolbench')
URL = 'https://api.binance.com/api/v3/ticker/bookTicker?symbol=BTCUSDT'
pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason='built without libcurl')


def bench(d, *args, url=URL):
    return subprocess.run([PROGRAM, '--proxy', d.daemon.url, '--connect-to', f'127.0.0.1:{d.ports["binance"]}', '--cacert', certs.CA,
                           '-n', '12', '-c', '3', *args, url], capture_output=True, text=True, timeout=60 * PATIENCE)


def test_four_ways_counted_at_the_origin(demo):
    """New connections cost one handshake each, persistent ones one per client, and trunkline none or few. The numbers agree with
    those of the origin."""
    d = demo()
    eventually(lambda: d.daemon.connections('binance')['idle'])
    out = bench(d, '--json', '--counts', d.folder / 'counts')
    assert out.returncode == 0 and not out.stderr, out
    runs = {(r['way'], r['clients']): r for r in json.loads(out.stdout)['runs']}
    assert len(runs) == 8 and {c for _, c in runs} == {1, 3}
    for (way, clients), r in runs.items():
        assert r['requests'] == 12 and r['errors'] == 0 and r['handshakes_counted_by'] == 'origin'
        assert 0 < r['median_ms'] <= r['p99_ms'] <= r['max_ms'] and r['per_s'] > 0 and r['client_cpu_s'] > 0
        assert (r['proxy_cpu_s'] is not None) == way.startswith('trunkline') and (r['proxy_cpu_s'] or 1) > 0
    # The origin also counts the handshakes of connections with which trunkline replaces an idle one in the meantime.
    own = d.daemon.connections('binance')['handshakes']
    assert all(12 <= runs['direct_new', c]['handshakes'] <= 12 + own for c in (1, 3))
    assert all(1 <= runs['direct_kept', c]['handshakes'] <= c + own for c in (1, 3))
    assert sum(r['handshakes'] for (way, _), r in runs.items() if way.startswith('trunkline')) <= own <= 8
    handshakes, requests = d.counts()['binance']
    assert requests == 8 * 12 and sum(r['handshakes'] for r in runs.values()) <= handshakes
    direct = sum(r['handshakes'] for (way, _), r in runs.items() if way.startswith('direct'))
    assert 24 + 2 <= direct <= 24 + 4 + own and handshakes <= 24 + 4 + own


def test_a_table_without_the_origins_counts(demo):
    """Without the file of the origin's counts, the client or trunkline counts the handshakes of the connections it makes itself."""
    out = bench(demo(), '-c', '1')
    assert out.returncode == 0 and not out.stderr, out
    rows = [line.rsplit(None, 7) for line in out.stdout.splitlines()[2:]]
    assert [(row[0].strip(), row[5]) for row in rows] == [('new TLS per request', '12'), ('own keep-alive', '1'),
                                                          ('trunkline, new client', '0'), ('trunkline, keep-alive', '0')]


def test_failures_are_told(demo):
    d = demo()
    out = bench(d, url='https://api.binance.com/nothing')
    assert out.returncode == 1 and out.stderr.count('12 requests failed, the first with: status 404') == 8
    out = subprocess.run([PROGRAM, '--proxy', f'http://127.0.0.1:{free_port()}', URL], capture_output=True, text=True)
    assert out.returncode == 69 and 'onnection refused' in out.stderr and not out.stdout


@pytest.mark.parametrize('args', [['http://x'], ['-n', '0', URL], ['-c', '-1', URL], ['-n', '5x', URL], [URL, 'more'], ['--nonsense']])
def test_wrong_calls(args):
    out = subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=10)
    assert out.returncode == 64 and len(out.stderr.splitlines()) == 1 and not out.stdout, out
