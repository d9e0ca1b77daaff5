"""examples/orders: each program, unchanged, places an order with a simulated exchange and reads the verdict; and libraries with their
retries switched on, whose copies of an order do not reach the exchange (`dedupe`)."""
import functools
import os
import shutil
import subprocess
import sys
import tempfile

import pytest

from lib import certs, programs
from lib.behaviour import drop, reply
from lib.daemon import upstream
from lib.wire import eventually

FOLDER = programs.SOURCE / 'examples/orders'
GO, JAVA = ['go'], ['java', 'javac']
# program: (command that runs it, what it requires)
RECIPES = {
    'requests_order.py': ([sys.executable], ['requests']),
    'httpx_order.py': ([sys.executable], ['httpx']),
    'ccxt_python_order.py': ([sys.executable], ['ccxt']),
    'fetch_order.mjs': (['node'], ['node']),
    'got_order.mjs': (['node'], ['npm:got']),
    'ky_order.mjs': (['node'], ['npm:ky']),
    'superagent_order.mjs': (['node'], ['npm:superagent']),
    'ccxt_node_order.mjs': (['node'], ['npm:ccxt']),
    'order.go': (['go', 'run'], GO),
    'Order.java': (['java'], JAVA),
    'order.php': (['php'], ['php']),
    'order.rb': (['ruby'], ['ruby']),
}
HELPERS = {'verdict.mjs', 'README.md'}


@pytest.fixture(scope='module')
def exchange(tmp_path_factory):
    """The folder of the demo exchanges."""
    folder = tmp_path_factory.mktemp('exchanges')
    process = subprocess.Popen([programs.SOURCE / 'scripts/demo-exchange', certs.FOLDER / 'binance.crt', certs.FOLDER / 'binance.key', folder])
    eventually(lambda: (folder / 'ports').exists() or process.poll() is not None)
    assert process.poll() is None, 'the demo exchanges did not come up'
    yield folder
    process.terminate()
    process.wait(10)


@functools.cache
def workshop():
    """A folder with the programs, where Node finds the libraries of npm, and the Go program is built."""
    folder = tempfile.mkdtemp(prefix='orders')
    shutil.copytree(FOLDER, folder, dirs_exist_ok=True)
    if programs.node_folder():
        os.symlink(programs.node_folder() / 'node_modules', f'{folder}/node_modules')
    return folder


@functools.cache
def built(name):
    """The command that runs the program; one in Go or Java is compiled once."""
    folder, (command, _) = workshop(), RECIPES[name]
    if command == ['go', 'run']:
        programs.run(['go', 'build', '-o', f'{folder}/go-order', f'{folder}/{name}'], timeout=200, GO111MODULE='off', GOFLAGS='')
        return [f'{folder}/go-order']
    if command == ['java']:
        programs.run(['javac', '-d', folder, f'{folder}/{name}'], timeout=200)
        return ['java', '-cp', folder, name.removesuffix('.java')]
    return [*command, f'{folder}/{name}']


def teardown_module():
    shutil.rmtree(workshop())


def test_every_recipe_is_run():
    assert {f.name for f in FOLDER.iterdir()} - HELPERS == set(RECIPES)


@pytest.mark.parametrize('fate', ['placed', 'lost', 'frozen'])
@pytest.mark.parametrize('name', RECIPES)
def test_recipe(daemon, exchange, name, fate):
    """The order is placed; it is placed and its answer lost (the recipe finds it); it is refused unsent (the recipe says so). At most one
    order reaches the exchange."""
    programs.need(*RECIPES[name][1])
    ports = dict(line.split() for line in (exchange / 'ports').read_text().splitlines())
    d = daemon(upstream('binance', f'127.0.0.1:{ports["binance"]}', host='api.binance.com', dedupe='10s', order_wait='20s'))
    taken = lambda: len((exchange / 'orders').read_text().splitlines()) if (exchange / 'orders').exists() else 0
    command, before = built(name), taken()
    (exchange / 'faults').write_text('binance lose\n' if fate == 'lost' else '')
    if fate == 'frozen':
        assert d.verb('freeze', 'binance').status == 204
    out = programs.run(command, timeout=60, TRUNKLINE=d.url, API_KEY='k', API_SECRET='s')
    number = taken()
    expected = {'placed': f'placed {number}', 'lost': f'found {number}', 'frozen': 'not sent'}[fate]
    assert out == [expected] and number - before == (fate != 'frozen')
    assert d.upstream('binance')['requests']['unknown'] == (fate == 'lost')


# ------------------------------------------------------------------------------------ libraries that send again

NODE = 'const B = process.env.BASE, body = process.env.BODY, headers = {"X-MBX-APIKEY": "k", "content-type": "application/x-www-form-urlencoded"};\n'
SUPERAGENT = NODE + 'import superagent from "superagent";\nconst r = await superagent.post(B).retry(3).timeout(1500).set(headers).send(body).ok(() => true);\nconsole.log(r.status);\n'
GOT = NODE + ('import got from "got";\nconst r = await got(B, {method: "POST", body, headers, throwHttpErrors: false, timeout: {request: 1500},\n'
              '  retry: {limit: 3, methods: ["POST"], calculateDelay: ({computedValue}) => computedValue && 100}});\nconsole.log(r.statusCode);\n')
KY = NODE + ('import ky from "ky";\nconst r = await ky.post(B, {body, headers, timeout: 20000,\n'
             '  retry: {limit: 3, methods: ["post"], delay: () => 100}}).catch(e => e.response);\nconsole.log(r.status);\n')
RETRY_AGENT = NODE + ('import undici from "undici";\nconst dispatcher = new undici.RetryAgent(new undici.Agent({headersTimeout: 1500}),\n'
                      '  {maxRetries: 3, minTimeout: 100, methods: ["POST"], errorCodes: ["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_SOCKET", "ECONNRESET"]});\n'
                      'try { const r = await undici.request(B, {method: "POST", body, headers, dispatcher}); console.log(r.statusCode); }\n'
                      'catch (e) { console.log(e.statusCode || e.code); }\nprocess.exit(0);\n')
REQUESTS = '''import os, requests
from urllib3.util import Retry
s = requests.Session()
s.trust_env = False
s.mount('http://', requests.adapters.HTTPAdapter(max_retries=Retry(total=3, allowed_methods=None, status_forcelist=[502, 503, 504], backoff_factor=0.1)))
try:
    print(s.post(os.environ['BASE'], data=os.environ['BODY'], headers={'X-MBX-APIKEY': 'k', 'Content-Type': 'application/x-www-form-urlencoded'}, timeout=1.5).status_code)
except requests.RequestException as e:
    print(type(e).__name__)
'''
RUBY = '''require 'net/http'
u = URI(ENV['BASE'])
h = Net::HTTP.new(u.host, u.port, nil)
h.max_retries, h.read_timeout = 3, 1.5
begin
  puts h.send_request('PUT', u.path, ENV['BODY'], 'X-MBX-APIKEY' => 'k').code
rescue StandardError => e
  puts e.class
end
'''
JAVA_CLIENT = '''import java.net.*;
public class Client {
    public static void main(String[] a) throws Exception {
        HttpURLConnection c = (HttpURLConnection) new URL(System.getenv("BASE")).openConnection(Proxy.NO_PROXY);
        c.setDoOutput(true);
        c.setReadTimeout(20000);
        c.setRequestProperty("X-MBX-APIKEY", "k");
        c.getOutputStream().write(System.getenv("BODY").getBytes());
        System.out.println(c.getResponseCode());
    }
}
'''
# library: (what it requires, its program, the file it is written to, whether it sends a 502 again)
LIBRARIES = {
    'superagent.retry': (['npm:superagent'], SUPERAGENT, 'client.mjs', True),
    'got': (['npm:got'], GOT, 'client.mjs', True),
    'ky': (['npm:ky'], KY, 'client.mjs', True),
    'undici RetryAgent': (['npm:undici'], RETRY_AGENT, 'client.mjs', True),
    'requests Retry': (['requests'], REQUESTS, 'client.py', True),
    'HttpURLConnection': (JAVA, JAVA_CLIENT, 'Client.java', False),
    'Net::HTTP': (['ruby'], RUBY, 'client.rb', False),
}
RUNS = {'mjs': ['node'], 'py': [sys.executable], 'java': ['java'], 'rb': ['ruby']}
FAULTS = {'late': reply(200, b'{"orderId":7}', [('Content-Type', 'application/json')], delay=4), 'closes': drop('close'),
          '502': reply(502, b'{"code":-1}', [('Content-Type', 'application/json')])}


def run_library(d, name):
    needs, program, file, _ = LIBRARIES[name]
    programs.need(*needs)
    folder = tempfile.mkdtemp(dir=workshop())
    path = f'{folder}/{file}'
    with open(path, 'w') as f:
        f.write(program)
    return programs.run([*RUNS[file.rsplit('.')[-1]], path], timeout=90, BASE=f'{d.url}/binance/api/v3/order',
                        BODY='symbol=BTCUSDT&side=BUY&quantity=1&timestamp=1700000000000&signature=abc')


@pytest.mark.parametrize('fault', [pytest.param('late', marks=pytest.mark.slow), 'closes', '502'])
@pytest.mark.parametrize('name', LIBRARIES)
def test_a_library_that_sends_again_places_one_order(daemon, origin, name, fault):
    """With its retries on, and an exchange that answers late, closes, or answers 502: one order, and what is true of it."""
    origin.default = FAULTS[fault]
    d = daemon(f'upstream binance {{\n    preset = binance\n    url = "https://exchange.test"\n    connect_to = "127.0.0.1:{origin.port}"\n'
               f'    ca_file = "{certs.CA}"\n}}')
    out = run_library(d, name)
    assert len(origin.requests) == 1, out
    assert out[0] in {'late': ['200'], 'closes': ['409', '502'], '502': ['502', 'RetryError']}[fault]
    if LIBRARIES[name][3] and fault != 'late':
        assert d.upstream('binance')['requests']['duplicates'] >= 1


@pytest.mark.parametrize('name', [n for n, how in LIBRARIES.items() if how[3]])
def test_without_dedupe_it_places_several(daemon, origin, name):
    """The test above would fail if its library did not send again."""
    origin.default = FAULTS['502']
    d = daemon(upstream('binance', origin))
    run_library(d, name)
    assert len(origin.requests) > 1
