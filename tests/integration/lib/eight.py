"""Eight upstreams in the states that the dashboard must tell apart: one dead, one frozen, one held, one paused, one with an order of
unknown fate, one idle, and two that are well."""
import random
import threading
import time

from .behaviour import drop, reply
from .daemon import free_port, upstream
from .wire import eventually

NAMES = ['binance', 'binance-futures', 'kraken', 'kraken-futures', 'coinbase-advanced', 'okx', 'bybit', 'deribit-portfolio-margin']
WORST_FIRST = ['kraken', 'binance-futures', 'coinbase-advanced', 'bybit', 'okx', 'binance', 'kraken-futures', 'deribit-portfolio-margin']
BOT = 'bot grid1 {\n    weight_share = 40%\n}\n'


def blocks(origin):
    """The configuration: all but the dead one are `origin`."""
    dead, special = f'127.0.0.1:{free_port()}', {
        'binance': {'weight_header': 'X-MBX-USED-WEIGHT-1M', 'weight_limit': 6000, 'min_idle': 4},
        'kraken-futures': {'exits': ['127.0.0.1', '127.0.0.2'], 'min_idle': 1}}
    return [upstream(name, None if name == 'kraken-futures' else dead if name == 'kraken' else origin, host=f'{name}.exchange.test',
                     **({'connect_to': origin.address} if name == 'kraken-futures' else {}), **special.get(name, {})) for name in NAMES] + [BOT]


class Eight:
    """The states, of a daemon that was started with blocks(origin)."""

    def __init__(self, daemon, origin):
        self.daemon, self.stop, self.threads, self.minute, self.used = daemon, threading.Event(), [], 0, 0
        origin.on('/price', lambda x: reply(200, b'{"price":"63000.10"}', [('X-MBX-USED-WEIGHT-1M', str(self.weight()))], delay=random.uniform(.001, .004))(x))
        origin.on('/depth', lambda x: reply(200, b'{}', delay=random.choice([.004, .006, .008, .03]))(x))
        origin.on('/lost', drop())
        origin.on('/limited', reply(429, b'', [('Retry-After', '900')]))

    def weight(self):
        """The weight used in this minute, of which each request costs one."""
        minute = int(time.time() // 60)
        self.used = self.used + 1 if minute == self.minute else 1
        self.minute = minute
        return self.used

    def trouble(self):
        """Brings each into its state, and waits until /stats says so."""
        d = self.daemon
        for name in ('okx', 'bybit', 'coinbase-advanced'):
            for _ in range(5):
                assert d.get(f'/{name}/depth').status == 200
        d.request('POST', '/binance-futures/lost', body=b'newClientOrderId=g1-7781')
        d.get('/bybit/limited', [('Trunkline-Client', 'grid1')])
        d.verb('pause', 'okx')
        d.verb('freeze', 'coinbase-advanced')
        eventually(lambda: self.knock() and d.upstream('kraken')['state'] == 'open')
        assert [d.upstream(n)['state'] for n in ('okx', 'bybit', 'coinbase-advanced')] == ['paused', 'held', 'frozen']

    def knock(self):
        return self.daemon.get('/kraken/price').status

    def _flow(self, name, path, pause, bot):
        with self.daemon.client(20) as c:
            while not self.stop.wait(pause * random.uniform(.5, 1.5)):
                c.request('GET', f'/{name}{path}', [('Trunkline-Client', bot)])

    def traffic(self):
        """Requests to all but the idle one, until end()."""
        for name, path, pause, bot in (('binance', '/price', .03, 'grid1'), ('binance', '/price', .03, 'arb'), ('kraken-futures', '/depth', .1, 'arb'), ('binance-futures', '/depth', .25, 'grid1'),
                                       ('okx', '/depth', .2, 'arb'), ('bybit', '/depth', .3, 'grid1'), ('coinbase-advanced', '/depth', .15, 'grid1')):
            self.threads.append(threading.Thread(target=self._flow, args=(name, path, pause, bot)))
            self.threads[-1].start()

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join(20)
