"""Real clients in every way in which they can be configured to use trunkline: correct responses, target and signature unchanged,
and connections reused. doc/clients.md says the same."""
import base64
import hashlib
import hmac
import json
import re
from urllib.parse import urlsplit

import pytest

from lib import certs, programs
from lib.behaviour import reply
from lib.daemon import cli, upstream

TARGET = '/api/v3/x?symbol=BTCUSDT&a=%2C%5B%22b%22%5D&t=1+2&signature=AbC%3D%2F'
ORDER = '/api/v3/order?signature=a%2Fb%3D'
BODY = 'symbol=BTCUSDT&qty=1.0&signature=x%2By'
PYTHON = f'import os, sys\nHERE, PORT, CA = os.environ["HERE"], int(os.environ["PORT"]), os.environ["CA"]\nT, O, B = {TARGET!r}, {ORDER!r}, {BODY!r}\nK = {{"X-MBX-APIKEY": "k"}}\n'
NODE = f'const {{HERE, PORT, CA}} = process.env, T = {TARGET!r}, O = {ORDER!r}, B = {BODY!r}, K = {{"X-MBX-APIKEY": "k"}};\n'
SHELL = f"T='{TARGET}' O='{ORDER}' B='{BODY}' K='X-MBX-APIKEY: k'\n"

REQUESTS = 'import requests\ns = requests.Session()\ns.trust_env = False\n{set}\nfor _ in range(3): print(s.get({base} + T).text)\nprint(s.post({base} + O, data=B, headers=K).text)\n'
URLLIB = ('from urllib.request import *\nimport ssl\nopener = build_opener(ProxyHandler({proxies}), HTTPSHandler(context=ssl.create_default_context(cafile=CA)))\n'
          'for _ in range(3): print(opener.open({base} + T).read().decode())\nprint(opener.open(Request({base} + O, B.encode(), K)).read().decode())\n')
HTTPX = 'import httpx\nwith httpx.Client(trust_env=False, verify=CA, {set}) as c:\n  for _ in range(3): print(c.get({base} + T).text)\n  print(c.post({base} + O, content=B, headers=K).text)\n'
AIOHTTP = ('import aiohttp, asyncio, ssl\nfrom yarl import URL\nasync def main():\n  tls = ssl.create_default_context(cafile=CA)\n  async with aiohttp.ClientSession() as s:\n'
           '    for _ in range(3):\n      async with s.get(URL({base} + T, encoded=True), ssl=tls, {set}) as r: print(await r.text())\n'
           '    async with s.post(URL({base} + O, encoded=True), data=B, headers=K, ssl=tls, {set}) as r: print(await r.text())\nasyncio.run(main())\n')
CURL = 'for n in 1 2 3; do curl -q -sSf --cacert "$CA" {set} "{base}$T"; echo; done; curl -q -sSf --cacert "$CA" {set} -H "$K" -d "$B" "{base}$O"\n'
WGET = 'for n in 1 2 3; do wget -q --no-config --ca-certificate="$CA" {set} -O - "{base}$T"; echo; done; wget -q --no-config --ca-certificate="$CA" {set} --header="$K" --post-data="$B" -O - "{base}$O"\n'
FETCH = 'for (let n = 0; n < 3; n++) console.log(await (await fetch({base} + T)).text());\nconsole.log(await (await fetch({base} + O, {{method: "POST", body: B, headers: K}})).text());\n'
UNDICI = ('const {{fetch, ProxyAgent}} = require("undici");\nconst dispatcher = new ProxyAgent({{uri: HERE, requestTls: {{ca: require("fs").readFileSync(CA)}}}});\n'
          'for (let n = 0; n < 3; n++) console.log(await (await fetch({base} + T, {{dispatcher}})).text());\n'
          'console.log(await (await fetch({base} + O, {{method: "POST", body: B, headers: K, dispatcher}})).text());\nawait dispatcher.close();\n')
AXIOS = ('const axios = require("axios").create({{{set}, transformResponse: [], httpsAgent: new (require("https").Agent)({{ca: require("fs").readFileSync(CA)}})}});\n'
         'for (let n = 0; n < 3; n++) console.log((await axios.get({base} + T)).data);\nconsole.log((await axios.post({base} + O, B, {{headers: K}})).data);\n')

EX, HTTP, HTTPS = 'HERE + "/ex"', '"http://exchange.test"', '"https://exchange.test"'
PREFIX = 'HERE + "/https://exchange.test"'

# (client, way of using trunkline): what it needs, how to run it, its program, whether its requests are pooled
WAYS = {
    ('curl', 'base URL'): ('curl', 'sh', CURL.format(base='$HERE/ex', set=''), True),
    ('curl', 'URL prefix'): ('curl', 'sh', CURL.format(base='$HERE/https://exchange.test', set=''), True),
    ('curl', 'http_proxy, http:// URL'): ('curl', 'sh', CURL.format(base='http://exchange.test', set='-x $HERE'), True),
    ('curl', 'http:// URL in CONNECT'): ('curl', 'sh', CURL.format(base='http://exchange.test', set='-p -x $HERE'), True),
    ('curl', 'https_proxy'): ('curl', 'sh', CURL.format(base='https://exchange.test', set='-x $HERE'), False),
    ('wget', 'base URL'): ('wget', 'sh', WGET.format(base='$HERE/ex', set='--no-proxy'), True),
    ('wget', 'http_proxy, http:// URL'): ('wget', 'sh', WGET.format(base='http://exchange.test', set='-e use_proxy=on -e http_proxy=$HERE'), True),
    ('wget', 'https_proxy'): ('wget', 'sh', WGET.format(base='https://exchange.test', set='-e use_proxy=on -e https_proxy=$HERE'), False),
    ('requests', 'base URL'): ('requests', 'py', REQUESTS.format(base=EX, set=''), True),
    ('requests', 'URL prefix'): ('requests', 'py', REQUESTS.format(base=PREFIX, set=''), True),
    ('requests', 'http_proxy, http:// URL'): ('requests', 'py', REQUESTS.format(base=HTTP, set='s.proxies["http"] = HERE'), True),
    ('requests', 'https_proxy'): ('requests', 'py', REQUESTS.format(base=HTTPS, set='s.proxies["https"] = HERE; s.verify = CA'), False),
    ('urllib', 'base URL'): ('urllib', 'py', URLLIB.format(base=EX, proxies='{}'), True),
    ('urllib', 'http_proxy, http:// URL'): ('urllib', 'py', URLLIB.format(base=HTTP, proxies='{"http": HERE}'), True),
    ('urllib', 'https_proxy'): ('urllib', 'py', URLLIB.format(base=HTTPS, proxies='{"https": HERE}'), False),
    ('httpx', 'base URL'): ('httpx', 'py', HTTPX.format(base=EX, set=''), True),
    ('httpx', 'http_proxy, http:// URL'): ('httpx', 'py', HTTPX.format(base=HTTP, set='proxies=HERE'), True),
    ('httpx', 'https_proxy'): ('httpx', 'py', HTTPX.format(base=HTTPS, set='proxies=HERE'), False),
    ('aiohttp', 'base URL'): ('aiohttp', 'py', AIOHTTP.format(base=EX, set=''), True),
    ('aiohttp', 'http_proxy, http:// URL'): ('aiohttp', 'py', AIOHTTP.format(base=HTTP, set='proxy=HERE'), True),
    ('aiohttp', 'https_proxy'): ('aiohttp', 'py', AIOHTTP.format(base=HTTPS, set='proxy=HERE'), False),
    ('Node fetch', 'base URL'): ('node', 'js', FETCH.format(base=EX), True),
    ('Node fetch', 'URL prefix'): ('node', 'js', FETCH.format(base=PREFIX), True),
    ('undici ProxyAgent', 'http_proxy, http:// URL'): ('npm:undici', 'js', UNDICI.format(base=HTTP), True),
    ('undici ProxyAgent', 'https_proxy'): ('npm:undici', 'js', UNDICI.format(base=HTTPS), False),
    ('axios', 'base URL'): ('npm:axios', 'js', AXIOS.format(base=EX, set='proxy: false'), True),
    ('axios', 'http_proxy, http:// URL'): ('npm:axios', 'js', AXIOS.format(base=HTTP, set='proxy: {host: "127.0.0.1", port: +PORT}'), True),
    ('axios', 'https_proxy'): ('npm:axios', 'js', AXIOS.format(base=HTTPS, set='proxy: {host: "127.0.0.1", port: +PORT}'), False),
}
RUN = {'sh': lambda p, **env: programs.shell(SHELL + p, **env), 'py': lambda p, **env: programs.python(PYTHON + p, **env),
       'js': lambda p, **env: programs.node(NODE + p, **env)}


def where(d):
    return {'HERE': d.url, 'PORT': str(d.port), 'CA': certs.CA}


@pytest.mark.parametrize('client, way', WAYS)
def test_requests_of_real_clients(ex, origin, client, way):
    """Three quotes and a signed order: each gets its response, the origin receives the exact bytes, and they are pooled if the
    table says so."""
    needs, language, program, pooled = WAYS[client, way]
    programs.need(needs)
    assert RUN[language](program, **where(ex)) == [TARGET] * 3 + [ORDER]
    assert origin.paths() == [TARGET] * 3 + [ORDER]
    order = origin.requests[-1]
    assert order.body.decode() == BODY and order.method == 'POST' and order.get('x-mbx-apikey') == 'k'
    assert {r.get('host') for r in origin.requests} == {'exchange.test'}
    u = ex.upstream()
    assert u['requests']['total'] == u['requests']['succeeded'] == (4 if pooled else 0)
    assert (u['tunnels']['total'] > 0) != pooled and u['connections']['opened'] == (1 if pooled else 0)
    if pooled:
        assert len([line for line in origin.lines if line.alpn]) == 1


# ---------------------------------------------------------------------------------------------- WebSocket

WEBSOCKETS = ('import asyncio, websockets\nasync def main():\n  async with websockets.connect({url}) as w:\n'
              '    print(w.response_headers.get("X-Odd"))\nasyncio.run(main())\n')
WEBSOCKET = 'import websocket\nw = websocket.create_connection({url}, {set})\nprint(w.getheaders()["x-odd"])\nw.shutdown()\n'
WS = ('const W = require("ws"), w = new W({url}, {set});\nw.on("upgrade", r => {{ console.log(r.headers["x-odd"]); w.terminate(); }});\n'
      'w.on("error", e => {{ if (!/closed/.test(e.message)) throw e; }});\nawait new Promise(done => w.on("close", done));\n')
AGENT = '{agent: new (require("https-proxy-agent").HttpsProxyAgent)(HERE), ca: require("fs").readFileSync(CA)}'
FEEDS = {
    ('websockets', 'base URL'): ('websockets', 'py', WEBSOCKETS.format(url='f"ws://127.0.0.1:{PORT}/ex/ws"'), True),
    ('websockets', 'URL prefix'): ('websockets', 'py', WEBSOCKETS.format(url='f"ws://127.0.0.1:{PORT}/wss://exchange.test/ws"'), True),
    ('websocket-client', 'base URL'): ('websocket', 'py', WEBSOCKET.format(url='f"ws://127.0.0.1:{PORT}/ex/ws"', set=''), True),
    ('websocket-client', 'http_proxy, ws:// URL'): (
        'websocket', 'py', WEBSOCKET.format(url='"ws://exchange.test/ws"', set='http_proxy_host="127.0.0.1", http_proxy_port=PORT, proxy_type="http"'), True),
    ('websocket-client', 'https_proxy'): (
        'websocket', 'py', WEBSOCKET.format(url='"wss://exchange.test/ws"', set='http_proxy_host="127.0.0.1", http_proxy_port=PORT, proxy_type="http", sslopt={"ca_certs": CA}'), False),
    ('ws', 'base URL'): ('npm:ws', 'js', WS.format(url='`ws://127.0.0.1:${PORT}/ex/ws`', set='{}'), True),
    ('ws', 'URL prefix'): ('npm:ws', 'js', WS.format(url='`ws://127.0.0.1:${PORT}/wss://exchange.test/ws`', set='{}'), True),
    ('ws', 'https_proxy'): ('npm:ws', 'js', WS.format(url='"wss://exchange.test/ws"', set=AGENT), False),
}


def agreeing():
    """Accepts a WebSocket handshake with any key (RFC 6455), and answers a close frame."""
    async def behave(x):
        key = x.req.get('sec-websocket-key').encode()
        accept = base64.b64encode(hashlib.sha1(key + b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest()).decode()
        await x.line.send((f'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
                           f'Sec-WebSocket-Accept: {accept}\r\nX-Odd: seen\r\n\r\n').encode())
        while not x.line.buffer.startswith(b'\x88'):
            await x.line.more()
        await x.line.send(b'\x88\x00')
        await x.line.close()
    return behave


@pytest.mark.parametrize('client, way', FEEDS)
def test_feeds_of_real_clients(ex, origin, client, way):
    """Each library's handshake succeeds, and the 101 response is relayed with its fields."""
    needs, language, program, seen = FEEDS[client, way]
    programs.need(needs)
    origin.on('/ws', agreeing())
    assert RUN[language](program, **where(ex)) == ['seen']
    assert origin.requests[0].target == '/ws' and origin.requests[0].get('host') == 'exchange.test'
    u = ex.upstream()
    assert u['tunnels']['total'] == 1 and u['requests']['succeeded'] == (1 if seen else 0)


# ---------------------------------------------------------------------------------------------------- ccxt

MARKET = {'symbol': 'BTCUSDT', 'status': 'TRADING', 'baseAsset': 'BTC', 'quoteAsset': 'USDT', 'baseAssetPrecision': 8, 'quoteAssetPrecision': 8,
          'quotePrecision': 8, 'orderTypes': ['LIMIT', 'MARKET'], 'isSpotTradingAllowed': True, 'permissions': ['SPOT'], 'permissionSets': [['SPOT']],
          'filters': [{'filterType': 'PRICE_FILTER', 'minPrice': '0.01', 'maxPrice': '1000000', 'tickSize': '0.01'},
                      {'filterType': 'LOT_SIZE', 'minQty': '0.00001', 'maxQty': '9000', 'stepSize': '0.00001'}]}
ANSWERS = {'/api/v3/exchangeInfo': {'symbols': [MARKET]},
           '/api/v3/ticker/24hr': {'symbol': 'BTCUSDT', 'lastPrice': '64000.10', 'bidPrice': '64000.00', 'askPrice': '64000.20', 'closeTime': 1},
           '/api/v3/order': {'symbol': 'BTCUSDT', 'orderId': 7, 'status': 'NEW', 'side': 'BUY', 'type': 'LIMIT', 'price': '64000', 'origQty': '0.01',
                             'executedQty': '0', 'timeInForce': 'GTC', 'transactTime': 1}}
CCXT = """const ccxt = require("ccxt");
const knobs = {
    none: ex => {},
    proxyUrl: ex => { ex.proxyUrl = HERE + "/"; },
    "proxyUrl ending in ?url=": ex => { ex.proxyUrl = HERE + "/?url="; },
    httpProxy: ex => { ex.httpProxy = HERE; api(ex, "https:", "http:"); },
    "httpsProxy, intercepted": ex => { ex.httpsProxy = HERE; },
    "base URL": ex => { api(ex, "https://api.binance.com", HERE + "/binance"); },
};
function api(ex, from, to) { ex.urls.api = JSON.parse(JSON.stringify(ex.urls.api).replaceAll(from, to)); }
for (const [name, turn] of Object.entries(knobs)) {
    const ex = new ccxt.binance({apiKey: "k", secret: "s", options: {fetchMarkets: {types: ["spot"]}, fetchCurrencies: false, fetchMargins: false}});
    ex.milliseconds = ex.nonce = () => 1700000000000;
    turn(ex);
    if (name === "none") {     // what it signs when left alone
        const {body, url} = ex.sign("order", "private", "POST", {symbol: "BTCUSDT", newClientOrderId: "same"});
        console.log(new URLSearchParams(body || url.split("?")[1]).get("signature"));
        continue;
    }
    console.log((await ex.fetchTicker("BTC/USDT")).last);
    console.log((await ex.createOrder("BTC/USDT", "limit", "buy", 0.01, 64000, {newClientOrderId: "same"})).id);
    await ex.privatePostOrder({symbol: "BTCUSDT", newClientOrderId: "same"});
}
"""


def signed(request):
    """The signed parameters and the signature."""
    return re.fullmatch('(.*)&signature=([0-9a-f]+)', request.body.decode() or urlsplit(request.target).query).groups()


def test_ccxt(daemon, origins, tmp_path):
    """A ticker and signed orders with each of ccxt's proxy settings, including interception: pooled, and with the same signatures
    as without trunkline."""
    programs.need('npm:ccxt')
    assert cli('ca', 'init', '--dir', tmp_path, '--host', 'api.binance.com').returncode == 0
    ca = {'ca_cert': str(tmp_path / 'issuer.pem'), 'ca_key': str(tmp_path / 'ca.key')}
    origin = origins(cert='binance')
    for path, answer in ANSWERS.items():
        origin.on(path, reply(200, json.dumps(answer).encode(), [('Content-Type', 'application/json')]))
    d = daemon(upstream('binance', origin, host='api.binance.com'), connect='intercept', **ca)
    alone, *out = programs.node(NODE + CCXT, NODE_EXTRA_CA_CERTS=str(tmp_path / 'ca.pem'), **where(d))
    assert out == ['64000.1', '7'] * 5
    orders = [r for r in origin.requests if r.target.startswith('/api/v3/order')]
    assert len(orders) == 10
    for r in orders:
        payload, signature = signed(r)
        assert signature == hmac.new(b's', payload.encode(), hashlib.sha256).hexdigest()
        assert (r.method, r.get('host'), r.get('x-mbx-apikey')) == ('POST', 'api.binance.com', 'k')
    assert len({signed(r) for r in orders[::2]}) == 1, 'the same order by every knob'
    assert {signed(r)[1] for r in orders[1::2]} == {alone}
    u = d.upstream('binance')
    assert u['connections']['opened'] == 1 and u['connections']['reused'] == len(origin.requests) - 1
    assert u['requests']['succeeded'] == len(origin.requests)
