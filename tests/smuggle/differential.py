"""Sends what is ambiguous through trunkline, and has its neighbours read what comes out. Two directions: requests(), what trunkline
forwards to an origin, and responses(), what it relays to a client. Each returns a Report, whose `faults` must be empty."""
import collections
import concurrent.futures
import contextlib
import hashlib
import re
import socket
import threading

import ambiguous
import neighbours
import reader
from lib.daemon import Daemon
from lib.ports import free_port

CANARY = b'GET /canary HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
CANARY_TOLD = reader.told(b'GET', b'/canary', b'')
LAST = b'GET /last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'      # a page of trunkline's: none, 404
WORKERS = 16
LINES = 6           # evil origins, each with one connection


class Report:
    def __init__(self):
        self.faults, self.counts = [], collections.Counter()

    def fault(self, name, *words):
        self.faults.append(f'{name}: ' + ' '.join(str(w) for w in words))


def talk(port, data, patience=3):
    """(everything that comes back, whether it ended) for these bytes on a new connection."""
    got = bytearray()
    with socket.create_connection(('127.0.0.1', port), 10) as s:
        s.settimeout(patience)
        try:
            s.sendall(data)
            while piece := s.recv(65536):
                got += piece
        except TimeoutError:
            return bytes(got), False
        except OSError:
            pass
    return bytes(got), True


class Server:
    """Serves each connection in a thread of its own, with serve(socket)."""

    def __init__(self, serve):
        self.serve, self.listener = serve, socket.create_server(('127.0.0.1', 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                s, _ = self.listener.accept()
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self.run, args=(s,), daemon=True).start()

    def run(self, s):
        with s, contextlib.suppress(OSError):
            self.serve(s)

    def stop(self):
        self.listener.close()


class StrictOrigin(Server):
    """Reads as reader.py does and answers with what it was asked. Keeps each request, and what was ambiguous."""

    def __init__(self):
        self.requests, self.alarms, self.lock = [], [], threading.Lock()
        super().__init__(self.answer_all)

    def answer_all(self, s):
        data, at, continued = b'', 0, -1
        while True:
            try:
                message, end = reader.request(data, at)
            except reader.Incomplete:
                if b'\r\n\r\n' in data[at:] and b'100-continue' in data[at:].lower() and continued != at:
                    continued = at
                    s.sendall(b'HTTP/1.1 100 Continue\r\n\r\n')
                piece = s.recv(65536)
                if not piece:
                    return
                data += piece
                continue
            except reader.Ambiguous as why:
                with self.lock:
                    self.alarms.append((str(why), data[at:at + 300]))
                return
            with self.lock:
                self.requests.append(message)
            at = end
            closes = any(v.lower() == b'close' for v in message.all(b'connection'))
            s.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Told: %s\r\n%s\r\n' % (message.told, b'Connection: close\r\n' if closes else b''))
            if closes:
                return


def told_in(data):
    return re.findall(rb'^X-Told: ([^\r\n]*)\r$', data, re.M | re.I)


def exchange(daemon, number, raw):
    """What the client got for a case, with a last request behind it, so that nothing needs to be waited for."""
    path = b'/ex/t%05d' % number
    raw = raw.replace(ambiguous.PATH, path).replace(b'@HIDDEN@', b'/ex/hidden%05d' % number)
    return talk(daemon.port, raw + LAST)


def forwarded(cases, folder, report):
    """What trunkline forwards of the cases: [(name, message)], each form once. Reports what is ambiguous, and answers that do not
    belong to what was forwarded."""
    origin = StrictOrigin()
    daemon = Daemon(f'upstream ex {{ url = "http://ex.test"\n connect_to = "127.0.0.1:{origin.port}"\n max_connections = {WORKERS}\n }}\n',
                    folder=folder, client_body_timeout='500ms', client_header_timeout='500ms')
    try:
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            got = list(pool.map(lambda c: exchange(daemon, c[0], c[1][1]), enumerate(cases)))
        assert daemon.alive(), daemon.stderr[-2000:]
    finally:
        daemon.reap()
        origin.stop()
    for why, data in origin.alarms:
        report.fault('forwarded', why, data)
    seen, forms = collections.defaultdict(list), {}
    for m in origin.requests:
        tag = re.search(rb'(?:/t|hidden)(\d{5})', m.raw)
        number = int(tag[1]) if tag else -1
        seen[number].append(m.told)
        forms.setdefault(re.sub(rb'\d{5}', b'00000', m.raw), (cases[number][0] if tag else '?', m))
    for i, ((name, _), (data, _)) in enumerate(zip(cases, got)):
        relayed = told_in(data)
        if [t for t in relayed if t not in seen[i]]:
            report.fault(name, 'the client was answered for', relayed, 'but forwarded was', seen[i])
    report.counts.update(cases=len(cases), forwarded=len(origin.requests), forms=len(forms))
    return list(forms.values())


def judge_request(neighbour, name, message, report):
    """The neighbour may refuse the message, but see no other in it."""
    data, ended = talk(neighbour.port, message.raw + CANARY)
    rest = [message.told, CANARY_TOLD]
    for told in told_in(data):
        while rest and rest[0] != told:
            rest.pop(0)
        if not rest:
            report.fault(name, neighbour.name, 'reads', told, 'in', message.raw[:300])
            return
        rest.pop(0)
    report.counts[f'{neighbour.name}: read alike' if not rest and ended else f'{neighbour.name}: refused or cut'] += 1


def started(origin_port, with_go):
    """The neighbours that are installed; nginx and HAProxy ask the origin."""
    found = [neighbours.nginx(origin_port, free_port()), neighbours.haproxy(origin_port, free_port()), neighbours.node(),
             neighbours.go() if with_go else None]
    return [n for n in found if n]


def requests(folder, every=1, first=0, with_go=True):
    """Every so many-th case, from `first` on."""
    report = Report()
    forms = forwarded(ambiguous.requests()[first::every], folder, report)
    behind = StrictOrigin()
    found = started(behind.port, with_go)
    try:
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            for n in found:
                list(pool.map(lambda f: judge_request(n, *f, report), forms))
    finally:
        for n in found:
            n.stop()
        behind.stop()
    return report


# ------------------------------------------------------------------------------------------------------------------ responses

def honest(target):
    body = b'honest ' + target
    return b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s' % (len(body), body)


def request_heads(s):
    """Each request's head, of requests without a body."""
    data = b''
    while True:
        while b'\r\n\r\n' not in data:
            piece = s.recv(65536)
            if not piece:
                return
            data += piece
        head, data = data.split(b'\r\n\r\n', 1)
        yield head


class Answers(Server):
    """Answers /e<i> with the i-th bytes, and anything else honestly, on one connection."""

    def __init__(self, texts):
        self.texts = texts
        super().__init__(self.answer_all)

    def answer_all(self, s):
        for head in request_heads(s):
            target = head.split(b' ')[1]
            m = re.fullmatch(rb'/e(\d+)', target)
            s.sendall(self.texts[int(m[1])] if m else honest(target))


def relayed(origins, blocks, cases, folder, report):
    """What trunkline relays of the cases: [(name, what the origins send, method)], each form once. Reports what is ambiguous, and
    answers that reach another client. The upstreams of the blocks are w0, w1, …; the origins are stopped."""
    daemon = Daemon(*blocks, folder=folder)

    def ask(line):
        for i in range(line, len(cases), LINES):
            yield i, *(talk(daemon.port, b'%s /w%d/%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' % (how, line, what))[0]
                       for how, what in ((cases[i][2], b'e%d' % i), (b'GET', b'n%d' % i)))
    forms = {}
    try:
        with concurrent.futures.ThreadPoolExecutor(LINES) as pool:
            got = [g for part in pool.map(lambda n: list(ask(n)), range(LINES)) for g in part]
        assert daemon.alive(), daemon.stderr[-2000:]
    finally:
        daemon.reap()
        for o in origins:
            o.stop()
    for i, data, after in got:
        name, _, method = cases[i]
        if honest(b'/n%d' % i)[-8:] not in after and b'Proxy-Status: trunkline' not in after:
            report.fault(name, 'the next client got', after[:200])
        try:
            message, end = reader.response(data, method, closed=True)
        except reader.Incomplete:
            report.counts['cut'] += 1       # an end of the connection without the message's: no framing to mistake
        except reader.Ambiguous as why:
            report.fault(name, 'relayed', why, data[:300])
        else:
            if end != len(data):
                report.fault(name, 'relayed more than a response', data[:300])
            if b'Trunkline-Sent:' not in message.raw:
                forms.setdefault((method, re.sub(rb'e\d+', b'e0', message.raw)), (name, method, message))
    report.counts.update(cases=len(cases), forms=len(forms))
    return list(forms.values())


def as_kept(message):
    """The relayed bytes without the close, so that another response may follow them."""
    return re.sub(rb'(?i)^connection: close\r\n', b'', message.raw, flags=re.M)


def told_by(data, method):
    """"STATUS SIZE SHA1" of a response that a proxy relayed, or "error"."""
    try:
        message, _ = reader.response(data, method, closed=True)
    except (reader.Incomplete, reader.Ambiguous):
        return 'error'
    return f'{int(message.start[1])} {len(message.body)} {hashlib.sha1(message.body).hexdigest()}'


class Through:
    """A proxy that is asked as an Asker is."""

    def __init__(self, neighbour):
        self.neighbour, self.name = neighbour, neighbour.name

    def answers(self, method, url):
        target = '/' + url.split('/', 3)[3]
        data, _ = talk(self.neighbour.port, f'{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'.encode())
        return told_by(data, method.encode())

    def stop(self):
        self.neighbour.stop()


def judge_responses(reads, base, forms, report):
    """The neighbour reads the same body, or refuses; and the response behind it is the right one, or lost with the connection."""
    for i, (name, method, message) in enumerate(forms):
        wanted = f'{int(message.start[1])} {len(message.body)} {hashlib.sha1(message.body).hexdigest()}'
        body = f'honest /n{i}'.encode()
        after = f'200 {len(body)} {hashlib.sha1(body).hexdigest()}'
        got = reads.answers(method.decode(), f'{base}/e{i}')
        then = reads.answers('GET', f'{base}/n{i}')
        refused = got == 'error' or got.startswith('502 ')
        if not refused and got != wanted:
            report.fault(name, reads.name, 'reads', got, 'for', wanted, message.raw[:300])
        elif then not in (after, 'error') and not then.startswith('502 '):
            report.fault(name, reads.name, 'reads', then, 'for the next', message.raw[:300])
        report.counts[f'{reads.name}: {"refused or cut" if refused else "read alike"}'] += 1


def responses(folder, every=1, first=0, with_go=True):
    cases = ambiguous.responses()[first::every]
    origins = [Answers([c[1] for c in cases]) for _ in range(LINES)]
    blocks = [f'upstream w{i} {{ url = "http://w{i}.test"\n connect_to = "127.0.0.1:{o.port}"\n max_connections = 1\n response_timeout = 1s\n'
              f' body_timeout = 1s\n breaker_failures = 100000\n }}\n' for i, o in enumerate(origins)]
    return responses_of(origins, blocks, cases, folder, with_go)


def responses_of(origins, blocks, cases, folder, with_go):
    report = Report()
    forms = relayed(origins, blocks, cases, folder, report)
    origin = Answers([as_kept(m) for _, _, m in forms])
    base = f'http://127.0.0.1:{origin.port}'
    found = [Through(n) for n in (neighbours.nginx(origin.port, free_port()), neighbours.haproxy(origin.port, free_port())) if n]
    found += neighbours.askers(with_go)
    try:
        with concurrent.futures.ThreadPoolExecutor(len(found) or 1) as pool:
            list(pool.map(lambda n: judge_responses(n, base, forms, report), found))
    finally:
        for n in found:
            n.stop()
        origin.stop()
    return report
