"""ccxt: an order, and what to do when create_order() raises. The option maxRetriesOnFailure is 0 by default: leave it so,
since it repeats orders too, each signed anew."""
import os
import time
import uuid

import ccxt

exchange = ccxt.binance({
    'proxyUrl': os.environ.get('TRUNKLINE', 'http://127.0.0.1:8642') + '/',
    'apiKey': os.environ['API_KEY'],
    'secret': os.environ['API_SECRET'],
    'timeout': 20000,       # longer than total_timeout (9s), so that trunkline's verdict comes first
    'options': {'maxRetriesOnFailure': 0, 'fetchMarkets': {'types': ['spot']}, 'fetchCurrencies': False, 'fetchMargins': False},
})


def find(own_id):
    """The order may be at the exchange: asks for it by the id that we gave it."""
    for wait in (0.2, 1, 3):
        time.sleep(wait)
        try:
            return f'found {exchange.fetch_order(None, "BTC/USDT", {"clientOrderId": own_id})["id"]}'
        except ccxt.BaseError:
            continue
    return 'not found'


def place(own_id):
    exchange.load_markets()
    exchange.last_response_headers = None
    try:
        return f'placed {exchange.create_order("BTC/USDT", "limit", "buy", 0.01, 64000, {"clientOrderId": own_id})["id"]}'
    except ccxt.BaseError as e:
        sent = (exchange.last_response_headers or {}).get('Trunkline-Sent')     # trunkline's own answers have it
        if sent == 'no':
            return 'not sent'               # may be placed again, signed anew, if it is still wanted
        if sent or isinstance(e, ccxt.NetworkError):
            return find(own_id)             # partial, yes, a copy (409), or the exchange does not know either
        return f'refused {e}'


print(place(uuid.uuid4().hex))
