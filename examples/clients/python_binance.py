"""python-binance: set its base URL before the client is created."""
import os

from binance.client import Client

Client.API_URL = os.environ.get('TRUNKLINE', 'http://127.0.0.1:8642') + '/binance/api'

client = Client(os.environ.get('API_KEY', ''), os.environ.get('API_SECRET', ''))
print(client.get_symbol_ticker(symbol='BTCUSDT')['price'])
