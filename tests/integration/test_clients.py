"""Real clients, configured as users do it: the responses are right, signed requests arrive byte for byte, and few handshakes are
needed."""
import asyncio
import hashlib
import hmac
import json
import os
import shutil
import subprocess
import urllib.parse
import urllib.request

import pytest

from lib import programs
from lib.behaviour import reply
from lib.daemon import PATIENCE, upstream

TARGET = '/api/v3/klines?symbol=BTCUSDT&a=%2F%7e%20+b&empty=&x=1'


def need(program):
    path = shutil.which(program)
    if not path:
        pytest.skip(f'{program} is not installed')
    return path


def run(*command, timeout=40, **env):
    """Runs a command and returns its stdout; proxy settings in the environment of the tests are removed."""
    clean = {k: v for k, v in os.environ.items() if not k.lower().endswith('_proxy')}
    out = subprocess.run(command, capture_output=True, text=True, timeout=timeout * PATIENCE, env={**clean, **env})
    assert out.returncode == 0, f'{command[0]} exited {out.returncode}: {out.stderr[-1500:]}'
    return out.stdout


def pooled(d, count, lines=1, name='ex'):
    """Asserts that `count` requests were made, that all succeeded, and that they took `lines` handshakes."""
    u = d.upstream(name)
    assert (u['requests']['total'], u['requests']['succeeded']) == (count, count)
    assert u['connections']['handshakes'] == lines and u['connections']['reused'] == count - lines


# ------------------------------------------------------------------------------------------------------- curl

def test_curl_proxy(ex, origin):
    """curl -x with four requests in one process, and http_proxy with one in another: all use one upstream connection."""
    curl = need('curl')
    url = 'http://exchange.test' + TARGET
    assert run(curl, '-sS', '-x', ex.url, *[url] * 4) == TARGET * 4
    assert run(curl, '-sS', '--noproxy', 'nothing', url, http_proxy=ex.url) == TARGET
    assert origin.paths() == [TARGET] * 5 and {r.get('host') for r in origin.requests} == {'exchange.test'}
    assert not any(n.lower().startswith('proxy') for r in origin.requests for n, _ in r.headers)
    pooled(ex, 5)


@pytest.mark.parametrize('base', ['/https://exchange.test', '/https/exchange.test', '/ex'])
def test_curl_prefix(ex, origin, base):
    """curl with the prefix form: an order with a body of 2 MB and Expect: 100-continue, an unusual path, HEAD, and HTTP/1.0."""
    curl = need('curl')
    origin.on('/order', reply(201, lambda q: hashlib.sha256(q.body).hexdigest().encode()))
    body = 'x' * 2_000_000
    answer = subprocess.run([curl, '-sS', '-H', 'X-MBX-APIKEY: k', '-H', 'Expect: 100-continue', '--data-binary', '@-', f'{ex.url}{base}/order'],
                            input=body, capture_output=True, text=True, timeout=30).stdout
    assert answer == hashlib.sha256(body.encode()).hexdigest()
    assert run(curl, '-sS', '--path-as-is', '--globoff', f'{ex.url}{base}/a/../b//c?x=[1]') == '/a/../b//c?x=[1]'
    assert '200 OK' in run(curl, '-sS', '-I', f'{ex.url}{base}/head')
    assert run(curl, '-sS', '--http1.0', f'{ex.url}{base}/old') == '/old'
    pooled(ex, 4)


def test_curl_follows_redirects(ex, origin):
    """After a redirect to the same origin, curl still goes through trunkline and uses the same upstream connection."""
    curl = need('curl')
    origin.on('/a', reply(302, b'', [('Location', 'https://exchange.test/b')]))
    assert run(curl, '-sSL', f'{ex.url}/ex/a') == '/b'
    assert run(curl, '-sSL', f'{ex.url}/https://exchange.test/a') == '/b'
    assert run(curl, '-sSL', '-x', ex.url, 'http://exchange.test/a') == '/b'
    pooled(ex, 6)


def test_curl_sees_a_cut_answer(ex, origin):
    """If a response is truncated, curl reports an error (18 or 56) and never a success."""
    from lib.behaviour import raw
    curl = need('curl')
    for head in (b'Content-Length: 100\r\n', b'Transfer-Encoding: chunked\r\n', b''):
        origin.on('/x', raw(b'HTTP/1.1 200 OK\r\n' + head + b'\r\n', b'5\r\nhello\r\n', then='reset'))
        out = subprocess.run([curl, '-sS', f'{ex.url}/ex/x'], capture_output=True, timeout=20)
        assert out.returncode in (18, 56), out


# ----------------------------------------------------------------------------------------------------- Python

def test_python_requests(ex, origin, monkeypatch):
    """requests with http_proxy in the environment, with proxies=, and a Session with the prefix form."""
    requests = pytest.importorskip('requests', reason='python3-requests is not installed')
    monkeypatch.setenv('http_proxy', ex.url)
    monkeypatch.delenv('no_proxy', raising=False)
    monkeypatch.delenv('NO_PROXY', raising=False)
    url = 'http://exchange.test/api?a=%2F&b=1'
    assert requests.get(url, timeout=20).text == '/api?a=%2F&b=1'
    monkeypatch.delenv('http_proxy')
    assert requests.get(url, proxies={'http': ex.url}, timeout=20).status_code == 200
    with requests.Session() as s:
        s.trust_env = False
        for n in range(5):
            assert s.post(f'{ex.url}/https://exchange.test/order', data={'n': n}, headers={'API-Key': 'k'}, timeout=20).text == '/order'
        assert s.get(f'{ex.url}/ex/json', params={'q': 'ä b'}, timeout=20).text == '/json?q=%C3%A4+b'
    assert [r.body for r in origin.requests if r.target == '/order'] == [b'n=%d' % n for n in range(5)]
    pooled(ex, 8)


def test_python_aiohttp(ex, origin):
    """aiohttp with proxy=, with the prefix form, with a chunked upload, and with 30 concurrent requests."""
    aiohttp = pytest.importorskip('aiohttp', reason='python3-aiohttp is not installed')

    async def ask():
        async with aiohttp.ClientSession(trust_env=False) as session:
            async def get(url, **kw):
                async with session.get(url, **kw) as r:
                    assert r.status == 200
                    return await r.text()
            assert await get('http://exchange.test/a?b=%2F', proxy=ex.url)
            assert await get(f'{ex.url}/https://exchange.test/c?d=1') == '/c?d=1'
            async with session.post(f'{ex.url}/ex/order', data=b'x' * 100_000, chunked=True) as r:
                assert await r.text() == '/order'
            return await asyncio.gather(*[get(f'http://exchange.test/{n}', proxy=ex.url) for n in range(30)])
    assert asyncio.run(ask()) == [f'/{n}' for n in range(30)]
    assert origin.requests[2].body == b'x' * 100_000 and len(origin.lines) <= 16
    assert ex.upstream()['requests']['succeeded'] == 33


def test_python_urllib(ex, origin):
    """urllib sends Connection: close with every request. That closes the client connection only; the upstream connection is reused."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({'http': ex.url}))
    for n in range(4):
        with opener.open(f'http://exchange.test/{n}', timeout=20) as r:
            assert r.read() == b'/%d' % n
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f'{ex.url}/https://exchange.test/d', data=b'a=1', timeout=20) as r:
        assert r.read() == b'/d'
    pooled(ex, 5)


# ------------------------------------------------------------------------------------------------------- Node

def test_node_fetch(ex, origin):
    """Node's fetch with the prefix form: 20 requests in sequence, 20 concurrently, a body, a streamed body, and an error status."""
    node = need('node')
    origin.on('/teapot', reply(418, b'short and stout'))
    script = f'''
        const base = '{ex.url}/https://exchange.test';
        const text = async (path, how) => (await fetch(base + path, how)).text();
        const out = [];
        for (let n = 0; n < 20; n++) out.push(await text('/s' + n + '?a=%2F'));
        out.push(...await Promise.all([...Array(20).keys()].map(n => text('/p' + n))));
        out.push(await text('/order', {{method: 'POST', body: 'a=1', headers: {{'X-MBX-APIKEY': 'k'}}}}));
        const stream = new ReadableStream({{start(c) {{ c.enqueue(new TextEncoder().encode('bc')); c.close(); }}}});
        out.push(await text('/stream', {{method: 'PUT', body: stream, duplex: 'half'}}));
        const r = await fetch(base + '/teapot');
        out.push(r.status + await r.text());
        console.log(JSON.stringify(out));'''
    out = json.loads(run(node, '--input-type=module', '-e', script))
    assert out == [f'/s{n}?a=%2F' for n in range(20)] + [f'/p{n}' for n in range(20)] + ['/order', '/stream', '418short and stout']
    bodies = {r.target: r.body for r in origin.requests}
    assert bodies['/order'] == b'a=1' and bodies['/stream'] == b'bc' and len(origin.lines) <= 16


@pytest.fixture(scope='session')
def node_modules():
    """The folder with the npm libraries."""
    programs.need('npm:ccxt')
    return programs.node_folder() / 'node_modules'


SYMBOL = {'symbol': 'BTCUSDT', 'status': 'TRADING', 'baseAsset': 'BTC', 'baseAssetPrecision': 8, 'quoteAsset': 'USDT', 'quotePrecision': 8,
          'quoteAssetPrecision': 8, 'orderTypes': ['LIMIT', 'MARKET'], 'isSpotTradingAllowed': True, 'permissions': ['SPOT'],
          'filters': [{'filterType': 'PRICE_FILTER', 'minPrice': '0.01', 'maxPrice': '1000000.00', 'tickSize': '0.01'},
                      {'filterType': 'LOT_SIZE', 'minQty': '0.00001', 'maxQty': '9000.0', 'stepSize': '0.00001'}]}
TICKER = {'symbol': 'BTCUSDT', 'lastPrice': '43210.12', 'openPrice': '43000.00', 'highPrice': '44000.00', 'lowPrice': '42000.00',
          'bidPrice': '43210.11', 'askPrice': '43210.13', 'bidQty': '1', 'askQty': '2', 'volume': '123.4', 'quoteVolume': '5000000',
          'openTime': 1700000000000, 'closeTime': 1700086400000, 'priceChange': '210.12', 'priceChangePercent': '0.49', 'weightedAvgPrice': '43100',
          'prevClosePrice': '43000.00'}
ORDER = {'symbol': 'BTCUSDT', 'orderId': 77, 'clientOrderId': 'c1', 'transactTime': 1700000000001, 'price': '40000.00', 'origQty': '0.01000',
         'executedQty': '0.00000', 'cummulativeQuoteQty': '0.00', 'status': 'NEW', 'timeInForce': 'GTC', 'type': 'LIMIT', 'side': 'BUY', 'fills': []}


def js(value):
    return reply(body=json.dumps(value).encode(), headers=[('Content-Type', 'application/json')])


def signed(text, secret):
    """True if the last parameter of `text` is a valid signature of the bytes before it."""
    payload, _, signature = text.rpartition('&signature=')
    return payload and signature == hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize('ending', ['/', '/?url='])
def test_ccxt(daemon, origin, node_modules, ending):
    """ccxt with proxyUrl against a simulated Binance: right responses, signatures that match the bytes received, and at most two
    upstream connections."""
    node = need('node')
    d = daemon(upstream('binance', origin, host='api.binance.com', tls_name='exchange.test'))
    origin.on('/api/v3/exchangeInfo', js({'timezone': 'UTC', 'serverTime': 1, 'rateLimits': [], 'exchangeFilters': [], 'symbols': [SYMBOL]}))
    origin.on('/api/v3/ticker/24hr', js(TICKER))
    origin.on('/api/v3/order', js(ORDER))
    origin.on('/api/v3/account', js({'accountType': 'SPOT', 'updateTime': 1, 'balances': [{'asset': 'BTC', 'free': '1.5', 'locked': '0.5'}]}))
    script = f'''
        import {{ createRequire }} from 'node:module';
        const ccxt = createRequire('{node_modules}/x.js')('ccxt');
        const e = new ccxt.binance({{apiKey: 'key', secret: 'secret', proxyUrl: '{d.url}{ending}', enableRateLimit: false,
            options: {{fetchMarkets: {{types: ['spot']}}, fetchCurrencies: false, fetchMargins: false}}}});
        const tickers = [];
        for (let n = 0; n < 10; n++) tickers.push((await e.fetchTicker('BTC/USDT')).last);
        const order = await e.createOrder('BTC/USDT', 'limit', 'buy', 0.01, 40000, {{newClientOrderId: 'a b/c'}});
        const balance = await e.fetchBalance();
        console.log(JSON.stringify({{tickers, id: order.id, price: order.price, free: balance.BTC.free}}));'''
    assert json.loads(run(node, '--input-type=module', '-e', script)) == {'tickers': [43210.12] * 10, 'id': '77', 'price': 40000, 'free': 1.5}
    tickers = [r.target for r in origin.requests if '/ticker/' in r.target]
    assert tickers == ['/api/v3/ticker/24hr?symbol=BTCUSDT'] * 10
    order, = [r for r in origin.requests if r.method == 'POST']
    assert order.target == '/api/v3/order' and signed(order.body.decode(), 'secret') and order.get('x-mbx-apikey') == 'key'
    assert dict(urllib.parse.parse_qsl(order.body.decode()))['newClientOrderId'] == 'a b/c'
    account, = [r for r in origin.requests if r.target.startswith('/api/v3/account')]
    assert signed(account.target.partition('?')[2], 'secret')
    assert {r.get('host') for r in origin.requests} == {'api.binance.com'}
    pooled(d, len(origin.requests), lines=len(origin.lines), name='binance')
    assert len(origin.lines) <= 2
