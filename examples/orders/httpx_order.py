"""httpx: an order, and what to do when its answer is not a plain yes or no."""
import hashlib
import hmac
import os
import time
import uuid
from urllib.parse import urlencode

import httpx

URL = os.environ.get('TRUNKLINE', 'http://127.0.0.1:8642') + '/binance/api/v3/order'
KEY, SECRET = os.environ['API_KEY'], os.environ['API_SECRET']

# retries=0 is the default; httpx would only connect again, and never send again. Environment proxies are left out.
client = httpx.Client(transport=httpx.HTTPTransport(retries=0), trust_env=False, timeout=20, headers={
    'X-MBX-APIKEY': KEY, 'Content-Type': 'application/x-www-form-urlencoded'})


def signed(**fields):
    query = urlencode({**fields, 'timestamp': time.time_ns() // 1000000})
    return query + '&signature=' + hmac.new(SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()


def find(own_id):
    """The order may be at the exchange: asks for it by the id that we gave it."""
    for wait in (0.2, 1, 3):
        time.sleep(wait)
        answer = client.get(URL + '?' + signed(symbol='BTCUSDT', origClientOrderId=own_id))
        if answer.is_success:
            return f'found {answer.json()["orderId"]}'
    return 'not found'


def place(own_id):
    body = signed(symbol='BTCUSDT', side='BUY', type='LIMIT', timeInForce='GTC', quantity='0.01', price='64000', newClientOrderId=own_id)
    try:
        answer = client.post(URL, content=body)
    except httpx.TransportError:
        return find(own_id)
    sent = answer.headers.get('Trunkline-Sent')     # trunkline's own answers have it, 409 for a copy of an order as well
    if sent == 'no':
        return 'not sent'                           # may be placed again, signed anew, if it is still wanted
    if sent or answer.status_code >= 500 or answer.status_code == 408:
        return find(own_id)                         # partial, yes, or the exchange does not know either
    return f'placed {answer.json()["orderId"]}' if answer.is_success else f'refused {answer.text}'


print(place(uuid.uuid4().hex))
