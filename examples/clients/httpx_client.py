"""httpx: set a base URL, and use paths as in the documentation of the exchange."""
import os

import httpx

trunkline = os.environ.get('TRUNKLINE', 'http://127.0.0.1:8642')

with httpx.Client(base_url=f'{trunkline}/binance', trust_env=False, timeout=10) as binance:
    answer = binance.get('/api/v3/ticker/price', params={'symbol': 'BTCUSDT'})
    answer.raise_for_status()
    print(answer.json()['price'])
