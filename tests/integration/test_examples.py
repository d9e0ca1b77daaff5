"""examples/clients: runs each program, unchanged, against the demo exchanges."""
import re
import subprocess
import sys

import pytest

from lib import certs, programs
from lib.daemon import upstream
from lib.wire import eventually

FOLDER = programs.SOURCE / 'examples/clients'
# program: (command that runs it, what it requires, least number of prices it prints, upstream it uses)
EXAMPLES = {
    'curl.sh': (['sh'], ['curl'], 3, 'binance'),
    'requests_session.py': ([sys.executable], ['requests'], 1, 'binance'),
    'httpx_client.py': ([sys.executable], ['httpx'], 1, 'binance'),
    'aiohttp_session.py': ([sys.executable], ['aiohttp'], 1, 'binance'),
    'ccxt_python.py': ([sys.executable], ['ccxt'], 1, 'binance'),
    'python_binance.py': ([sys.executable], ['binance'], 1, 'binance'),
    'ccxt_node.cjs': (['node'], ['npm:ccxt'], 2, 'binance'),
    'node_fetch.mjs': (['node'], ['node'], 1, 'binance'),
    'axios_client.cjs': (['node'], ['npm:axios'], 1, 'binance'),
    'websocket_feed.py': ([sys.executable], ['websockets'], 3, 'binance-stream'),
}


@pytest.fixture(scope='module')
def exchange(tmp_path_factory):
    """The port of the simulated binance."""
    folder = tmp_path_factory.mktemp('exchanges')
    process = subprocess.Popen([programs.SOURCE / 'scripts/demo-exchange', certs.FOLDER / 'binance.crt', certs.FOLDER / 'binance.key', folder])
    eventually(lambda: (folder / 'ports').exists() or process.poll() is not None)
    assert process.poll() is None, 'the demo exchanges did not come up'
    yield dict(line.split() for line in (folder / 'ports').read_text().splitlines())['binance']
    process.terminate()
    process.wait(10)


def test_every_example_is_run():
    """Every program in the folder has an entry in EXAMPLES."""
    assert {f.name for f in FOLDER.iterdir() if f.suffix != '.md'} == set(EXAMPLES)


@pytest.mark.parametrize('name', EXAMPLES)
def test_example(daemon, exchange, name):
    """The program prints prices, and its requests went through the expected upstream."""
    command, needs, prices, by = EXAMPLES[name]
    if command == [sys.executable]:
        compile((FOLDER / name).read_text(), name, 'exec')
    programs.need(*needs)
    at = f'127.0.0.1:{exchange}'
    d = daemon(upstream('binance', at, host='api.binance.com'), upstream('binance-stream', at, host='stream.binance.com:9443'))
    out = programs.run([*command, FOLDER / name], TRUNKLINE=d.url, API_KEY='k', API_SECRET='s')
    assert len(re.findall(r'\d+', '\n'.join(out))) >= prices, out
    u = d.upstream(by)
    assert u['requests']['failed'] == 0 and u['requests']['succeeded'] >= 1
    assert u['tunnels']['total'] == (by == 'binance-stream') and u['tunnels']['bypassing'] == 0
