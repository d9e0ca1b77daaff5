"""From the freeze's 204 on, of many mixed requests no order and every cancel and read reaches the origin: by the lists of every preset,
over HTTP/1.1 and HTTP/2, waiting, queued, serialized, gated, paused and
waiting for the journal. FREEZE_REQUESTS says how many."""
import asyncio
import collections
import itertools
import json
import os
import random

import pytest

from lib.behaviour import Gate, reply
from lib.daemon import PATIENCE, upstream
from lib.wire import background, compose, eventually

REQUESTS = int(os.environ.get('FREEZE_REQUESTS', '4000'))
WORKERS = 96

# What each exchange takes for an order, a cancel and a read; not taken from the presets, which are to be tested.
CALLS = {
    'binance': {'order': ['POST /api/v3/order', 'POST /api/v3/orderList/oco', 'POST /api/v3/order/cancelReplace', 'PUT /api/v3/order/amend/keepPriority',
                          'POST /sapi/v1/margin/order'],
                'cancel': ['DELETE /api/v3/order', 'DELETE /api/v3/orderList', 'DELETE /api/v3/openOrders', 'DELETE /sapi/v1/margin/openOrders'],
                'read': ['GET /api/v3/order', 'GET /api/v3/account', 'POST /api/v3/order/test', 'POST /api/v3/userDataStream', 'PUT /api/v3/userDataStream']},
    'binance-futures': {'order': ['POST /fapi/v1/order', 'POST /fapi/v1/batchOrders', 'PUT /fapi/v1/order', 'POST /fapi/v1/algoOrder'],
                        'cancel': ['DELETE /fapi/v1/order', 'DELETE /fapi/v1/batchOrders', 'DELETE /fapi/v1/allOpenOrders', 'POST /fapi/v1/countdownCancelAll'],
                        'read': ['GET /fapi/v2/account', 'POST /fapi/v1/order/test', 'PUT /fapi/v1/listenKey']},
    'kraken': {'order': ['POST /0/private/AddOrder', 'POST /0/private/AddOrderBatch', 'POST /0/private/AmendOrder', 'POST /0/private/EditOrder',
                         'POST /0/private/%41ddOrder', 'POST /0/private/Balance/../AddOrder', 'POST /0//private/AddOrder'],
               'cancel': ['POST /0/private/CancelOrder', 'POST /0/private/CancelAll', 'POST /0/private/CancelAllOrdersAfter', 'POST /0/private/CancelOrderBatch'],
               'read': ['POST /0/private/Balance', 'POST /0/private/OpenOrders', 'POST /0/private/QueryOrders', 'POST /0/private/TradesHistory',
                        'GET /0/public/Time']},
    'kraken-futures': {'order': ['POST /derivatives/api/v3/sendorder', 'POST /derivatives/api/v3/editorder', 'POST /derivatives/api/v3/batchorder'],
                       'cancel': ['POST /derivatives/api/v3/cancelorder', 'POST /derivatives/api/v3/cancelallorders'],
                       'read': ['GET /derivatives/api/v3/openorders', 'GET /derivatives/api/v3/accounts']},
    'coinbase': {'order': ['POST /orders'], 'cancel': ['DELETE /orders', 'DELETE /orders/client:a%2Db'], 'read': ['GET /orders', 'GET /accounts']},
    'coinbase-advanced': {'order': ['POST /api/v3/brokerage/orders', 'POST /api/v3/brokerage/orders/edit', 'POST /api/v3/brokerage/orders/close_position'],
                          'cancel': ['POST /api/v3/brokerage/orders/batch_cancel'],
                          'read': ['GET /api/v3/brokerage/accounts', 'POST /api/v3/brokerage/orders/preview']},
    'okx': {'order': ['POST /api/v5/trade/order', 'POST /api/v5/trade/batch-orders', 'POST /api/v5/trade/amend-order', 'POST /api/v5/trade/order-algo',
                      'POST /api/v5/trade/close-position'],
            'cancel': ['POST /api/v5/trade/cancel-order', 'POST /api/v5/trade/cancel-batch-orders', 'POST /api/v5/trade/cancel-algos'],
            'read': ['GET /api/v5/account/balance', 'GET /api/v5/trade/order', 'POST /api/v5/trade/order-precheck']},
    'bybit': {'order': ['POST /v5/order/create', 'POST /v5/order/create-batch', 'POST /v5/order/amend', 'POST /v5/position/trading-stop'],
              'cancel': ['POST /v5/order/cancel', 'POST /v5/order/cancel-all', 'POST /v5/order/cancel-batch'],
              'read': ['GET /v5/order/realtime', 'POST /v5/order/pre-check']},
}
SECOND = {'coinbase', 'coinbase-advanced', 'okx', 'bybit'}      # those over HTTP/2
PAUSED = {'kraken-futures', 'bybit'}
HOW = {'binance': {'max_connections': 2}, 'binance-futures': {'rate': '2000/1s', 'burst': 8}, 'kraken': {'max_connections': 8},
       'coinbase': {'max_connections': 1, 'max_streams': 3}, 'okx': {'max_connections': 2, 'max_streams': 8}}


class Call:
    number = itertools.count()

    def __init__(self, pick):
        self.exchange = pick.choice(list(CALLS))
        self.kind = pick.choice(['order', 'order', 'cancel', 'read'])
        self.method, path = pick.choice(CALLS[self.exchange][self.kind]).split(' ')
        self.target = f'{path}?n={next(self.number)}'
        self.status, self.frozen = None, False
        headers = [('API-Key', f'k{pick.randrange(4)}')] if pick.random() < .7 else []
        self.bytes = compose(self.method, f'/{self.exchange}{self.target}', headers, b'{"a":1}' if self.method in ('POST', 'PUT') else b'')


async def answer(reader, call):
    head = await reader.readuntil(b'\r\n\r\n')
    length = next((int(line[15:]) for line in head.split(b'\r\n') if line.lower().startswith(b'content-length:')), 0)
    body = await reader.readexactly(length)
    call.status = int(head[9:12])
    call.frozen = call.status == 503 and b'sent=no' in head and body.endswith(b'sent=no\nfrozen\n')


async def work(port, calls):
    reader, writer = await asyncio.open_connection('127.0.0.1', port)
    for call in calls:
        writer.write(call.bytes)
        await answer(reader, call)
    writer.close()


def send(port, calls, workers=WORKERS):
    """Sends all of them, each worker one after the other on a connection of its own, all workers taking from the same queue."""
    async def run():
        todo = iter(calls)
        await asyncio.gather(*(work(port, todo) for _ in range(workers)))
    asyncio.run(run())
    return calls


def arrived(*origins):
    return collections.Counter(r.target for o in origins for r in o.requests)


def of(calls, *kinds):
    return [c for c in calls if c.kind in kinds]


@pytest.mark.limit(900)
@pytest.mark.slow
def test_no_order_leaves(daemon, origins, tmp_path):
    pick, gate = random.Random(1), Gate()
    first, second = origins(), origins(alpn=('h2',))
    first.default = second.default = gate
    blocks = [upstream(name, second if name in SECOND else first, host=f'{name}.test', tls_name='exchange.test', preset=name, order_wait='300s',
                       total_timeout='300s', response_timeout='300s', queue_timeout='300s', serialize_timeout='300s', **HOW.get(name, {}))
              for name in CALLS]
    journal = tmp_path / 'orders'
    d = daemon(*blocks, order_journal=str(journal), order_journal_sync=True)
    for name in PAUSED:
        d.verb('pause', name)

    # All of these are under way, at the origin or waiting in some way, when the freeze comes.
    waiting = [Call(pick) for _ in range(400)]
    sending = background(lambda: send(d.port, waiting, len(waiting)))
    eventually(lambda: d.stats()['requests']['active'] == len(waiting), 60 * PATIENCE)
    states = collections.Counter()

    def settled():
        states.clear()
        states.update(r['state'] for r in d.get('/requests').json()['requests'])
        return gate.waiting and gate.waiting == states['awaiting'] + states['sending'] and not states['reading'] and not states['connecting']
    eventually(settled, 60 * PATIENCE)
    assert states['queued'] > 20 and states['gated'] > 5, states
    assert d.cli('freeze', '--all').returncode == 0
    sent = arrived(first, second)
    orders = of(waiting, 'order')
    eventually(lambda: all(c.frozen for c in orders if c.target not in sent), 60 * PATIENCE)
    assert sum(c.frozen for c in orders) > 50
    for name in PAUSED:
        assert d.upstream(name)['state'] == 'frozen'
        d.verb('resume', name)

    # What was at the origin goes on; of the rest only cancels and reads.
    gate.release()
    sending.result(300 * PATIENCE)
    first.default = second.default = reply()
    for c in waiting:
        assert c.frozen == (c.kind == 'order' and c.target not in sent), (c.method, c.target, c.status)
        assert c.frozen or c.status == 200, (c.method, c.target, c.status)
    assert arrived(first, second) == collections.Counter(c.target for c in waiting if not c.frozen)

    # From the 204 on.
    later = send(d.port, [Call(pick) for _ in range(REQUESTS)])
    wrong = [(c.method, c.target, c.status) for c in later if not (c.frozen if c.kind == 'order' else c.status == 200)]
    assert not wrong, wrong[:10]
    came = arrived(first, second)
    assert not [c.target for c in of(later, 'order') if c.target in came]
    assert all(came[c.target] == 1 for c in of(later, 'cancel', 'read'))
    begun = {json.loads(line).get('target') for line in journal.read_text().splitlines() if '"begin"' in line}
    assert not [c.target for c in of(later, 'order') if c.target in begun]
    print(f'{len(later)} requests after the 204: {len(of(later, "order"))} orders, none at the origin; '
          f'{len(of(later, "cancel"))} cancels and {len(of(later, "read"))} reads, each there once')
