"""scripts/demo-exchange, which simulates three exchanges, and a daemon with an upstream for each."""
import functools
import pathlib
import subprocess
import sys

from . import certs
from .daemon import binary, upstream
from .wire import LONG, eventually

TREE = pathlib.Path(__file__).resolve().parents[3]
HOSTS = {'binance': 'api.binance.com', 'kraken': 'api.kraken.com', 'coinbase': 'api.exchange.coinbase.com'}


def program(name):
    """The path of a program that `make tools` builds in the folder of the binary under test."""
    return pathlib.Path(binary()).parent / name


@functools.cache
def certificate():
    certs._leaf('exchanges', names=','.join(f'DNS:{host}' for host in HOSTS.values()))
    return certs.FOLDER / 'exchanges.crt', certs.FOLDER / 'exchanges.key'


class Demo:
    """The demo exchanges. `ill` sets which of them fail from now on, and how; `counts` returns the handshakes and requests of each."""

    def __init__(self, folder, daemon, **settings):
        self.folder = folder
        self.process = subprocess.Popen([sys.executable, TREE / 'scripts/demo-exchange', *certificate(), folder])
        eventually((folder / 'ports').exists)
        self.ports = dict(line.split() for line in (folder / 'ports').read_text().splitlines())
        self.daemon = daemon(*[upstream(name, f'127.0.0.1:{self.ports[name]}', host=host, min_idle=1, **settings)
                               for name, host in HOSTS.items()])

    def ill(self, **how):
        new = self.folder / 'faults.new'
        new.write_text(''.join(f'{name} {fault}\n' for name, fault in how.items()))
        new.replace(self.folder / 'faults')

    def counts(self):
        lines = (line.split() for line in (self.folder / 'counts').read_text().splitlines())
        return {name: (int(handshakes), int(requests)) for name, handshakes, requests in lines}

    def stop(self):
        self.process.terminate()
        self.process.wait(LONG)
