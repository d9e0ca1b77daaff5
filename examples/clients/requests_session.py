"""requests: the proxy, and URLs with http://; between trunkline and the exchange it is TLS."""
import os

import requests

session = requests.Session()
session.trust_env = False       # or a NO_PROXY of the environment might pass it by
session.proxies = {'http': os.environ.get('TRUNKLINE', 'http://127.0.0.1:8642')}

answer = session.get('http://api.binance.com/api/v3/ticker/price', params={'symbol': 'BTCUSDT'}, timeout=10)
answer.raise_for_status()
print(answer.json()['price'])
