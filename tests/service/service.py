"""The service as an operator uses it, and a load generator that notices every failed request."""
import asyncio
import itertools
import pathlib
import shutil
import subprocess
import threading
import time

from lib import certs, wire
from lib.daemon import upstream

CONF = pathlib.Path('/etc/trunkline/trunkline.conf')
DROP_INS = pathlib.Path('/etc/systemd/system/trunkline.service.d')
WHERE = ('127.0.0.1', 8642)


def run(*command, check=True):
    out = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert not check or out.returncode == 0, f'{" ".join(command)}: {out.returncode}\n{out.stdout}{out.stderr}'
    return out


def systemctl(*args, **how):
    return run('systemctl', '--no-pager', *args, **how)


class Service:
    def __init__(self, origin):
        self.sample = CONF.read_text()
        self.ca = CONF.with_name('ca.crt')          # the service has a private /tmp
        shutil.copy(certs.CA, self.ca)
        self.ca.chmod(0o644)
        self.block = upstream('ex', origin, ca_file=str(self.ca), min_idle=1)
        self.write(self.block)

    def write(self, text):
        CONF.write_text(text)

    def drop_in(self, text):
        DROP_INS.mkdir(exist_ok=True)
        (DROP_INS / 'test.conf').write_text(text)
        systemctl('daemon-reload')

    def reset(self):
        systemctl('stop', 'trunkline.socket', 'trunkline.service', check=False)
        systemctl('reset-failed', 'trunkline.socket', 'trunkline.service', check=False)
        if DROP_INS.exists():
            shutil.rmtree(DROP_INS)
            systemctl('daemon-reload')
        CONF.write_text(self.sample)

    def start(self, *units):
        out = systemctl('start', *(units or ('trunkline.socket', 'trunkline.service')), check=False)
        assert out.returncode == 0, systemctl('status', 'trunkline.service', check=False).stdout

    def show(self, key):
        return systemctl('show', '-p', key, '--value', 'trunkline.service').stdout.strip()

    @property
    def pid(self):
        return int(self.show('MainPID'))

    def journal(self):
        run('journalctl', '--sync')
        return run('journalctl', '-u', 'trunkline.service', '-o', 'cat', '--no-pager').stdout

    def get(self, target, timeout=20.0):
        with wire.Client(WHERE, timeout) as c:
            return c.request('GET', target)


class Load:
    """Sends `rate` requests per second until the block ends, half of them orders: four in five on persistent connections, the
    others on a new connection each. Any response other than 200 is a failure. Twenty workers send concurrently, so that a slow
    machine slows all of them down."""

    def __init__(self, rate=500):
        self.rate, self.failures, self.sent, self.orders = rate, [], 0, []
        self._number, self._over = itertools.count(), False

    def __enter__(self):
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over = True
        self._thread.join()

    async def _run(self):
        await asyncio.gather(*(self._worker(kept=n % 5 != 0, every=20 / self.rate) for n in range(20)))

    async def _worker(self, kept, every):
        stream, due = None, time.monotonic()
        while not self._over:
            due = max(due + every, time.monotonic() - 1)
            await asyncio.sleep(max(0, due - time.monotonic()))
            try:
                stream = await asyncio.wait_for(self._request(stream, kept), 30)
            except Exception as e:      # any exception means that the request failed
                self.failures.append(repr(e))
                stream = None
        if stream:
            stream[1].close()

    async def _request(self, stream, kept):
        number = next(self._number)
        if stream is None or stream[0].at_eof():
            stream = await asyncio.open_connection(*WHERE)
        reader, writer = stream
        order = number % 2
        writer.write(b'%s /ex/%d HTTP/1.1\r\nHost: localhost\r\n%s\r\n' % (
            b'POST' if order else b'GET', number, b'Content-Length: 1\r\n' if order else b'') + b'x' * order)
        head = await reader.readuntil(b'\r\n\r\n')
        length = int(head.lower().split(b'content-length: ')[1].split(b'\r\n')[0])
        body = await reader.readexactly(length)
        assert head.startswith(b'HTTP/1.1 200 '), (head, body)
        self.sent += 1
        if order:
            self.orders.append(f'/{number}')
        if kept and b'connection: close' not in head.lower():
            return stream
        writer.close()
        return None
