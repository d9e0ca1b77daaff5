"""requests: an order, and what to do when its answer is not a plain yes or no."""
import hashlib
import hmac
import os
import time
import uuid
from urllib.parse import urlencode

import requests

URL = os.environ.get('TRUNKLINE', 'http://127.0.0.1:8642') + '/binance/api/v3/order'
KEY, SECRET = os.environ['API_KEY'], os.environ['API_SECRET']

session = requests.Session()        # does not send anything again unless told to: mount no adapter with a Retry that
session.trust_env = False           # lists POST or DELETE in allowed_methods
session.headers['X-MBX-APIKEY'] = KEY


def signed(**fields):
    query = urlencode({**fields, 'timestamp': time.time_ns() // 1000000})
    return query + '&signature=' + hmac.new(SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()


def find(own_id):
    """The order may be at the exchange: asks for it by the id that we gave it."""
    for wait in (0.2, 1, 3):
        time.sleep(wait)
        answer = session.get(URL + '?' + signed(symbol='BTCUSDT', origClientOrderId=own_id), timeout=20)
        if answer.ok:
            return f'found {answer.json()["orderId"]}'
    return 'not found'


def place(own_id):
    body = signed(symbol='BTCUSDT', side='BUY', type='LIMIT', timeInForce='GTC', quantity='0.01', price='64000', newClientOrderId=own_id)
    try:    # a timeout longer than total_timeout (9s): so trunkline's verdict comes first
        answer = session.post(URL, data=body, timeout=20)
    except requests.RequestException:
        return find(own_id)
    sent = answer.headers.get('Trunkline-Sent')     # trunkline's own answers have it, 409 for a copy of an order as well
    if sent == 'no':
        return 'not sent'                           # may be placed again, signed anew, if it is still wanted
    if sent or answer.status_code >= 500 or answer.status_code == 408:
        return find(own_id)                         # partial, yes, or the exchange does not know either
    return f'placed {answer.json()["orderId"]}' if answer.ok else f'refused {answer.text}'


print(place(uuid.uuid4().hex))
