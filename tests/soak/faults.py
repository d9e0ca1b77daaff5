"""What goes wrong during a soak. Each fault is a function of the field, the dice and how long it may last; it leaves all as it was."""
import contextlib
import signal
import time

from field import DESCRIPTORS, HOST1, HOST2
from lib import certs
from lib.wire import Client, WireError


@contextlib.contextmanager
def mood(field, name):
    field.h1.mood = field.h2.mood = name
    try:
        yield
    finally:
        field.h1.mood = field.h2.mood = None


def resets(field, dice, seconds):
    """Both exchanges reset, cut and garble half of what they are asked."""
    with mood(field, 'resets'):
        field.over.wait(seconds)


def stalls(field, dice, seconds):
    """Half of the requests are never answered."""
    with mood(field, 'stalls'):
        field.over.wait(seconds)


def errors(field, dice, seconds):
    """Half of the answers are 500, 502 or 503."""
    with mood(field, 'errors'):
        field.over.wait(seconds)


def refusals(field, dice, seconds):
    """REFUSED_STREAM for half of the requests over HTTP/2."""
    with mood(field, 'refusals'):
        field.over.wait(seconds)


def hang_ups(field, dice, seconds):
    """All connections of the exchanges end, three times."""
    for _ in range(3):
        for exchange in (field.h1, field.h2):
            exchange.hang_up(dice.choice(['reset', 'close', 'cut']))
        field.over.wait(seconds / 3)


def goaway_storm(field, dice, seconds):
    """GOAWAY on every HTTP/2 connection, twenty times a second."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        field.h2.goaway()
        field.over.wait(0.05)


def certificate_swap(field, dice, seconds):
    """New connections are shown a certificate that is not good, then another good one."""
    for exchange, alpn in ((field.h1, ('http/1.1',)), (field.h2, ('h2',))):
        exchange.swap(certs.server_context(dice.choice(['expired', 'wrong', 'selfsigned', 'unknown']), alpn))
    field.over.wait(seconds / 2)
    for exchange, alpn in ((field.h1, ('http/1.1',)), (field.h2, ('h2',))):
        exchange.swap(certs.server_context('rsa', alpn))
    field.over.wait(seconds / 2)
    for exchange in (field.h1, field.h2):
        exchange.swap(exchange.good)


def dns_flap(field, dice, seconds):
    """The name server fails, is silent, or knows no such name, while connections are needed."""
    for answer in dice.sample(['SERVFAIL', None, 'NXDOMAIN'], 3):
        field.names.names = {HOST1: answer, HOST2: answer}
        field.h1.hang_up('close')
        field.h2.hang_up('close')
        field.over.wait(seconds / 3)
    field.names.names = {HOST1: ['127.0.0.1'], HOST2: ['127.0.0.1']}


def dns_rotation(field, dice, seconds):
    """Every answer has other addresses."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        few = [f'127.0.0.{dice.randrange(1, 60)}' for _ in range(dice.choice([1, 2, 4]))]
        field.names.names = {HOST1: few, HOST2: few[::-1]}
        field.over.wait(0.25)
    field.names.names = {HOST1: ['127.0.0.1'], HOST2: ['127.0.0.1']}


def full_disk(field, dice, seconds):
    """No block is left for the journal and the access log."""
    began, filler = time.time(), field.disk / 'filler'
    try:
        with open(filler, 'wb', buffering=0) as f:
            try:
                while True:
                    f.write(bytes(1 << 20))
            except OSError:
                pass
            try:
                while True:
                    f.write(bytes(4096))
            except OSError:
                pass
        field.over.wait(seconds)
    finally:
        filler.unlink()
        field.full.append((began, time.time()))


def descriptors(field, dice, seconds):
    """More client connections than the daemon has descriptors for."""
    crowd = []
    try:
        for _ in range(DESCRIPTORS + 60):
            with contextlib.suppress(WireError):
                crowd.append(Client(field.where, 5))
        field.over.wait(seconds)
    finally:
        for c in crowd:
            c.close()


def slow_heads(field, dice, seconds):
    """Sixty clients that send half a head."""
    crowd = [Client(field.where, 5) for _ in range(60)]
    for n, c in enumerate(crowd):
        c.send(b'GET /h1/data HTTP/1.1\r\nHost: localhost\r\nX: '[:1 + n % 40])
    field.over.wait(seconds)
    for c in crowd:
        c.close()


def operator(field, dice, seconds):
    """Pauses, reconnects, drains and freezes."""
    with contextlib.suppress(WireError):
        for verb, back in dice.sample([('pause', 'resume'), ('reconnect', None), ('drain', 'resume'), ('freeze', 'unfreeze')], 4):
            for name in ('h1', 'h2'):
                told(field, name, verb)
            field.over.wait(seconds / 5)
            for name in ('h1', 'h2') if back else ():
                told(field, name, back)


def told(field, name, verb):
    """Until the daemon has taken it: it may be out of descriptors."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            with Client(field.where, 10) as c:
                if c.request('POST', f'/upstreams/{name}/{verb}').status == 204:
                    return
        except WireError:
            pass
        time.sleep(0.05)
    field.complaints.append(f'{verb} {name} was not taken')


def rotated_logs(field, dice, seconds):
    """The journal and nothing else is moved away, and both logs are opened again."""
    field.journal.rename(field.disk / f'orders.journal.{time.time_ns()}')
    field.daemon.kill(signal.SIGUSR1)
    field.over.wait(seconds / 2)


def suspended(field, dice, seconds):
    """The daemon's process is stopped for a while, as that of a laptop is."""
    field.daemon.kill(signal.SIGSTOP)
    field.over.wait(min(seconds / 2, 1.5))
    field.daemon.kill(signal.SIGCONT)


ALL = [resets, stalls, errors, refusals, hang_ups, goaway_storm, certificate_swap, dns_flap, dns_rotation, full_disk, descriptors,
       slow_heads, operator, rotated_logs, suspended]
