"""requests: set the proxy, and write URLs with http://; trunkline uses TLS to the exchange."""
import os

import requests

session = requests.Session()
session.trust_env = False       # otherwise NO_PROXY in the environment might bypass it
session.proxies = {'http': os.environ.get('TRUNKLINE', 'http://127.0.0.1:8642')}

answer = session.get('http://api.binance.com/api/v3/ticker/price', params={'symbol': 'BTCUSDT'}, timeout=10)
answer.raise_for_status()
print(answer.json()['price'])
