"""ccxt: proxyUrl is prepended to every URL; signed parts of a request are not changed."""
import os

import ccxt

exchange = ccxt.binance({
    'proxyUrl': os.environ.get('TRUNKLINE', 'http://127.0.0.1:8642') + '/',
    'apiKey': os.environ.get('API_KEY', ''),
    'secret': os.environ.get('API_SECRET', ''),
    'options': {'fetchMarkets': {'types': ['spot']}, 'fetchCurrencies': False, 'fetchMargins': False},
})
print(exchange.fetch_ticker('BTC/USDT')['last'])
