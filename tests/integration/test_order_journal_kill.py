"""kill -9 at random moments, while orders are placed: afterwards the journal says of each order what is true of it.

TRUNKLINE_KILLS sets the number of kills (20), TRUNKLINE_ORDERS that of orders (50 for each kill)."""
import json
import os
import random
import signal
import threading
import time

import pytest

from lib import wire
from lib.daemon import cli, upstream

KILLS = int(os.environ.get('TRUNKLINE_KILLS', 20))
ORDERS = int(os.environ.get('TRUNKLINE_ORDERS', 50 * KILLS))
CLIENTS = 8


class Log:
    """What the origin and the clients saw, by the order's own id."""

    def __init__(self):
        self.lock = threading.Lock()
        self.next, self.tried, self.read, self.answered, self.heard, self.unsent = 0, set(), set(), set(), set(), set()

    def take(self):
        with self.lock:
            self.next += 1
            return f'o{self.next}'


def exchange(log):
    """An exchange that takes some milliseconds for most orders, and far longer for some."""
    async def behave(x):
        await x.read_body()
        mine = x.req.body.decode().split('=')[1]
        log.read.add(mine)
        await x.pause(random.choice([0, 0, 0.001, 0.003, 0.02, 30]))
        await x.respond(200, [], b'taken')
        log.answered.add(mine)
    return behave


def trade(d, log, stop):
    """Places orders until the daemon dies or the test says stop."""
    try:
        with d.client(5) as c:
            while not stop.is_set() and log.next < ORDERS:
                mine = log.take()
                log.tried.add(mine)
                r = c.request('POST', '/ex/order', body=f'cl_ord_id={mine}'.encode())
                if r.get('Trunkline-Sent') == 'no':
                    log.unsent.add(mine)
                else:
                    assert r.status == 200, (r.status, r.text)
                    log.heard.add(mine)
    except (wire.WireError, OSError):
        pass


def unknown(journal):
    out = cli('orders', '--unknown', '--json', journal)
    assert out.returncode == 0, out.stderr
    found = [json.loads(line) for line in out.stdout.splitlines()]
    assert not [o for o in found if o['sent'] == 'no'], found
    return {o['order_ids']['cl_ord_id'] for o in found}


@pytest.mark.slow
@pytest.mark.limit(120 + 12 * KILLS)
def test_kill(daemon, origins, tmp_path):
    """Of each order that the origin has read and not answered the journal says that its fate is unknown, and of none whose answer a
    client has. In between are those that the kill caught on their way: begun and not read yet, or answered and not heard of."""
    log, journal = Log(), tmp_path / 'orders.journal'
    origin = origins(tls=False)
    origin.on('/order', exchange(log))
    on_the_way = 0

    def start():
        return daemon(upstream('ex', origin, order_ids=['cl_ord_id'], max_connections=2 * CLIENTS), order_journal=str(journal),
                      log_level='error')

    d, kills = start(), 0
    while log.next < ORDERS or kills < KILLS:
        stop = threading.Event()
        traders = [threading.Thread(target=trade, args=(d, log, stop)) for _ in range(CLIENTS)]
        for t in traders:
            t.start()
        time.sleep(random.uniform(0.005, 0.25))
        d.stop(signal.SIGKILL)
        d.reaped, kills = True, kills + 1
        stop.set()
        for t in traders:
            t.join()
        d = start()
        found = unknown(journal)
        open_there = log.read - log.answered
        assert open_there <= found, f'lost after {kills} kills: {open_there - found}'
        assert not found & (log.heard | log.unsent), f'answered, and listed after {kills} kills: {found & log.heard}'
        assert found <= log.tried
        on_the_way = len(found - open_there)
    out = cli('orders', '--json', journal)
    orders = [json.loads(line) for line in out.stdout.splitlines()]
    assert not out.stderr or 'cut off' in out.stderr, out.stderr
    assert len({o['id'] for o in orders}) == len(orders)
    known = {o['order_ids']['cl_ord_id'] for o in orders if o['fate'] == 'known' and o['sent'] == 'yes'}
    assert log.heard <= known <= log.answered
    print(f'{kills} kills, {log.next} orders tried, {len(orders)} orders in the journal, {len(log.read)} read by the origin, {len(log.heard)} answers heard, {len(known)} known; '
          f'unknown {len(unknown(journal))}: open at the origin {len(log.read - log.answered)}, caught on their way {on_the_way}')
