"""The clients of the soak. Each is a thread that does one thing after another, at a low rate, and writes down what it was told."""
import collections
import hashlib
import itertools
import random
import threading
import time

from exchange import PIECE
from lib import certs, wire

RATE = 3            # what each client does in a second, about
PATIENCE = 20       # seconds for an answer; every deadline of the daemon is shorter


class Heard:
    """What the clients were told. `answers` and `unsure` are of one life of the daemon, by upstream: the statuses of its answers, and
    the requests whose end the client did not see."""

    def __init__(self):
        self.lock, self.ids = threading.Lock(), itertools.count(1)
        self.orders = collections.defaultdict(list)         # order: [Told]
        self.lines = {}                                     # the request's id: (when its client began, when it had the answer, status)
        self.wrong, self.kinds, self.total = [], collections.Counter(), collections.Counter()
        self.latest = 0.0
        self.begin_life()

    def begin_life(self):
        with self.lock:
            self.answers, self.unsure = collections.defaultdict(collections.Counter), collections.Counter()
            self.bots, self.tunnels, self.maybe_tunnels = collections.Counter(), collections.Counter(), collections.Counter()

    def new_order(self):
        with self.lock:
            return f'o{next(self.ids)}'

    def complain(self, text):
        with self.lock:
            self.wrong.append(text)

    def answered(self, upstream, r, began, bot=None):
        with self.lock:
            name = r.get('trunkline-request')
            if not name:        # refused before it was read
                self.kinds['refused connections'] += 1
                return
            if name in self.lines:
                self.wrong.append(f'two answers bear {name}')
            self.lines[name] = began, time.time(), r.status
            if r.status == 503 and r.text.startswith('trunkline: connection_limit_reached; upstream=-;'):
                self.kinds['refused, unread'] += 1      # it has no upstream and no bot
                return
            self.answers[upstream][r.status // 100] += 1
            self.bots[bot] += bot is not None
            self.kinds[f'{r.status} sent={r.get("trunkline-sent")}' if r.get('trunkline-sent') else str(r.status)] += 1

    def lost(self, upstream, why):
        with self.lock:
            self.unsure[upstream] += 1
            self.kinds[why] += 1


class Told:
    def __init__(self, began, ended, what, sent=None):
        self.began, self.ended, self.what, self.sent = began, ended, what, sent


class Client(threading.Thread):
    """One client. `field` has `where`, `heard`, `going` (an Event: cleared, it pauses) and `over`."""

    def __init__(self, field, number):
        super().__init__(daemon=True)
        self.field, self.heard, self.number = field, field.heard, number
        self.bot, self.dice = f'bot{number}', random.Random(f'{field.seed} {number}')
        self.resting, self.kept, self.began = threading.Event(), None, 0

    def run(self):
        while not self.field.over.is_set():
            if not self.field.going.is_set():
                self.drop()
                self.resting.set()
                self.field.going.wait(0.2)
                continue
            self.resting.clear()
            self.began = time.time()
            try:
                self.act()
            except (wire.WireError, OSError) as e:
                self.heard.complain(f'{type(self).__name__}: {e!r}'[:300])
                self.drop()
            except Exception as e:          # a fault of this file must not go unseen
                self.heard.complain(f'{type(self).__name__} {self.number}: {e!r}')
                self.resting.set()
                raise
            self.field.over.wait(self.dice.expovariate(RATE * self.field.rate))
        self.drop()
        self.resting.set()

    def connection(self):
        """A kept connection, or a new one."""
        if self.kept and self.dice.random() < 0.1:
            self.drop()
        if not self.kept:
            self.kept = wire.Client(self.field.where, PATIENCE)
        return self.kept

    def drop(self):
        if self.kept:
            self.kept.close()
            self.kept = None

    def ask(self, upstream, method, target, headers=(), body=b'', send=None):
        """Returns (answer, None), or (None, why there is none). `send` sends it in another way."""
        c, headers = self.connection(), [('Trunkline-Client', self.bot), *headers]
        c.head_seen = None
        try:
            if send:
                send(c, headers)
            else:
                c.send(wire.compose(method, f'/{upstream}{target}', headers, body))
            r = c.response(method)
            if not r.keeps:
                self.drop()
        except wire.Slow:
            self.heard.complain(f'{method} {target}: no answer in {PATIENCE} s')
            return self.no_answer(upstream, 'slow')
        except wire.Closed as e:
            return self.no_answer(upstream, 'cut short' if c.head_seen or e.got else 'closed')
        self.heard.answered(upstream, r, self.began, self.bot)
        return r, None

    def no_answer(self, upstream, why):
        self.drop()
        self.heard.lost(upstream, why)
        return None, why


class Trader(Client):
    """Places orders in various ways. An order to `copies` is sent again, the same to the byte, when its fate is not told."""

    def act(self):
        order, upstream = self.heard.new_order(), self.dice.choice(['h1', 'h1', 'h2', 'h2', 'copies'])
        method = self.dice.choice(['POST', 'POST', 'POST', 'DELETE'])
        body = b'' if method == 'DELETE' else b'symbol=XBT&n=' + b'7' * self.dice.choice([1, 10, 500, 5000])
        headers = [('API-Key', f'key{self.number}')] if upstream == 'copies' else []
        how = self.dice.choice(['plain'] * 6 + ['leaves', 'chunked', 'slow', 'big']) if upstream != 'copies' else 'plain'
        if how == 'big' and body:
            body = body * (200_000 // len(body))
        for _ in range(3):
            if not self.place(upstream, method, order, headers, body, how) or upstream != 'copies':
                return
            time.sleep(0.05)

    def place(self, upstream, method, order, headers, body, how):
        """True: it may be sent again."""
        target, began = f'/order?id={order}', time.monotonic()
        if how == 'leaves':
            return self.leave(upstream, method, target, order, body)
        ways = {'chunked': self.in_chunks, 'slow': self.slowly}
        send = (lambda c, h: ways[how](c, method, f'/{upstream}{target}', h, body)) if how in ways and body else None
        r, why = self.ask(upstream, method, target, headers, body, send)
        self.heard.orders[order].append(Told(began, time.monotonic(), r.status if r else why, r.get('trunkline-sent') if r else None))
        if not r:
            return True
        if r.status == 200 and r.text != f'taken {order} {hashlib.sha256(body).hexdigest()}':
            self.heard.complain(f'{order} was answered {r.text[:100]!r}')
        return r.status >= 500

    def in_chunks(self, c, method, target, headers, body):
        c.send(wire.compose(method, target, [*headers, ('Transfer-Encoding', 'chunked')]))
        for at in range(0, len(body), 1 + len(body) // 3):
            time.sleep(0.002)
            piece = body[at:at + 1 + len(body) // 3]
            c.send(b'%x\r\n%b\r\n' % (len(piece), piece))
        c.send(b'0\r\n\r\n')

    def slowly(self, c, method, target, headers, body):
        whole = wire.compose(method, target, headers, body)
        c.send(whole[:-1])
        time.sleep(self.dice.random() * 0.1)
        c.send(whole[-1:])

    def leave(self, upstream, method, target, order, body):
        began = time.monotonic()
        with wire.Client(self.field.where, PATIENCE) as c:
            c.send(wire.compose(method, f'/{upstream}{target}', [('Trunkline-Client', self.bot)], body))
            time.sleep(self.dice.random() * 0.02)
            if self.dice.random() < 0.5:
                c.abort()
        self.heard.lost(upstream, 'left')
        self.heard.orders[order].append(Told(began, time.monotonic(), 'left'))
        return False


class Reader(Client):
    """Asks for quotes, which may come from the store, and for public data over both protocols."""

    def act(self):
        upstream = self.dice.choice(['quotes', 'quotes', 'h1', 'h2'])
        target = f'/quote?n={self.dice.randrange(20)}' if upstream == 'quotes' else f'/data?n={self.dice.randrange(10 ** 6)}'
        r, _ = self.ask(upstream, 'GET', target)
        if r and r.status == 200 and r.text.split(' ')[0] != target:
            self.heard.complain(f'{target} was answered {r.text[:100]!r}')
        if r and r.status == 200 and upstream == 'quotes' and time.monotonic() - float(r.text.split(' ')[1]) > self.field.oldest_quote:
            self.heard.complain(f'a quote is {time.monotonic() - float(r.text.split(" ")[1]):.1f} s old')


class Streamer(Client):
    """Reads answers that come slowly, and reads some of them slowly."""

    def act(self):
        upstream = self.dice.choice(['h1', 'h2'])
        send = None
        if self.dice.random() < 0.3:
            def send(c, headers):
                c.send(wire.compose('GET', f'/{upstream}/stream', headers))
                time.sleep(0.2)
        r, _ = self.ask(upstream, 'GET', '/stream', send=send)
        if r and r.status == 200 and r.body != PIECE * 10:
            self.heard.complain(f'a stream of {len(r.body)} bytes is not what was sent')


class Tunneller(Client):
    """WebSockets, and TLS through CONNECT."""

    def act(self):
        (self.websocket if self.dice.random() < 0.5 else self.connect)()

    def websocket(self):
        with wire.Client(self.field.where, PATIENCE) as c:
            c.send(wire.compose('GET', '/h1/ws', [('Upgrade', 'websocket'), ('Connection', 'Upgrade'), ('Trunkline-Client', self.bot)]))
            try:
                r = c.response()
            except wire.Closed:
                self.heard.maybe_tunnels['h1'] += 1
                return self.no_answer('h1', 'closed')
            self.heard.answered('h1', r, self.began, self.bot)
            if r.status != 101:
                return
            self.heard.tunnels['h1'] += 1
            self.talk(c)

    def talk(self, c):
        """What is sent must come back, as far as anything does."""
        for _ in range(self.dice.randrange(1, 6)):
            data = self.dice.randbytes(self.dice.choice([1, 100, 50_000]))
            sender = threading.Thread(target=c.send, args=(data,), daemon=True)
            sender.start()
            try:
                if c._exactly(len(data)) != data:
                    self.heard.complain('a tunnel changed bytes')
            except wire.Closed:
                return
            finally:
                sender.join(PATIENCE)
            time.sleep(self.dice.random() * 0.1)

    def connect(self):
        host, port = self.field.tunnel_to
        with wire.Client(self.field.where, PATIENCE) as c:
            c.send(f'CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n')
            try:
                r = c.response('CONNECT')
            except wire.Closed:
                self.heard.maybe_tunnels['h1'] += 1
                return self.no_answer('h1', 'closed')
            if r.status != 200:         # one that fails counts as a request
                return self.heard.answered('h1', r, self.began)
            self.heard.tunnels['h1'] += 1
            try:
                c.sock = certs.client_context(alpn=['http/1.1']).wrap_socket(c.sock, server_hostname=host)
                got = c.request('GET', '/inside', host=host)
                if got.status == 200 and got.text != '/inside':
                    self.heard.complain(f'inside of a tunnel {got.text[:100]!r}')
            except (OSError, wire.Closed):
                pass            # the certificate is swapped, or the exchange has reset it


class Slowloris(Client):
    """Many connections, each of which sends a head byte by byte and never ends it."""

    def act(self):
        crowd = []
        for _ in range(self.dice.randrange(1, 6)):
            crowd.append(wire.Client(self.field.where, PATIENCE))
        for byte in b'POST /h1/order HTTP/1.1\r\nHost: l\r\nX-S'[:self.dice.randrange(1, 36)]:
            for c in crowd:
                c.send(bytes([byte]))
            time.sleep(0.02)
        for c in crowd:
            if self.dice.random() < 0.5:
                try:
                    r = c.response()
                    if r.status not in (408, 503):
                        self.heard.complain(f'half a head was answered {r.status}')
                except wire.Closed:
                    pass
            c.close()


def crowd(field):
    kinds = [Trader] * 5 + [Reader] * 4 + [Streamer] * 2 + [Tunneller] * 2 + [Slowloris]
    return [kind(field, n) for n, kind in enumerate(kinds)]

