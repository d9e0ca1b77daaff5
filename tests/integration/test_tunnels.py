"""CONNECT and WebSocket: bytes in both directions, half-close, back-pressure, counters, and what is refused."""
import base64
import hashlib
import json
import os
import re
import signal
import socket
import struct
import threading
import time

import pytest

from lib import certs, wire
from lib.behaviour import raw, reply
from lib.daemon import PATIENCE, cli, free_port, upstream
from lib.dns import FakeDns
from lib.promise import own_error, works
from lib.wire import Closed, background, eventually

MIB = 1 << 20
VOLUME = int(os.environ.get('TUNNEL_MIB', '48')) * MIB
SPELLINGS = {
    'HTTP/1.1': 'CONNECT {a} HTTP/1.1\r\nHost: {a}\r\n\r\n',
    'requests, urllib': 'CONNECT {a} HTTP/1.0\r\n\r\n',
    'Host lacks the port': 'CONNECT {a} HTTP/1.1\r\nHost: exchange.test\r\n\r\n',
    'Connection: close': 'CONNECT {a} HTTP/1.1\r\nHost: {a}\r\nConnection: close\r\nProxy-Connection: close\r\n\r\n',
    'an empty body': 'CONNECT {a} HTTP/1.1\r\nHost: {a}\r\nContent-Length: 0\r\nUser-Agent: Go\r\n\r\n',
}


def connect(d, authority='exchange.test:443', how='HTTP/1.1', **kw):
    c = d.client(**kw)
    r = c.send(SPELLINGS[how].format(a=authority)).response('CONNECT')
    assert r.status == 200, r.body
    assert not r.all('content-length') and not r.all('transfer-encoding')
    return c


def secure(c):
    c.sock = certs.client_context().wrap_socket(c.sock, server_hostname='exchange.test')
    return c


class Peer:
    """A plain TCP listener as the origin of an upstream `raw` (https://raw.test:8443): what arrives here came through a tunnel."""

    def __init__(self):
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.address = '127.0.0.1:%d' % self.listener.getsockname()[1]

    def accept(self):
        self.listener.settimeout(wire.LONG)
        sock, _ = self.listener.accept()
        sock.settimeout(30 * PATIENCE)
        return sock


@pytest.fixture
def peer():
    p = Peer()
    yield p
    p.listener.close()


def raw_daemon(daemon, peer, **how):
    return daemon(upstream('raw', peer.address, host='raw.test:8443'), connect_ports=[443, 8443], **how)


def pair(d, peer, **kw):
    """Both ends of a tunnel, as sockets."""
    c = connect(d, 'raw.test:8443', **kw)
    c.sock.settimeout(30 * PATIENCE)
    return c.sock, peer.accept()


# ------------------------------------------------------------------------------------------------ CONNECT

@pytest.mark.parametrize('how', SPELLINGS)
def test_every_spelling(ex, origin, how):
    """CONNECT as real clients write it: the bytes inside are relayed unchanged, and are not counted as requests or pooled connections."""
    c = secure(connect(ex, how=how))
    for n in range(3):
        assert c.get(f'/{n}', host='exchange.test').text == f'/{n}'
    assert origin.paths() == ['/0', '/1', '/2'] and not origin.requests[0].get('via')
    u = ex.upstream()
    assert u['tunnels'] == {'open': 1, 'total': 1, 'bypassing': 1, 'tls_failed': 0}
    assert u['requests']['total'] == 0 and u['connections']['opened'] == 0
    assert u['bytes']['sent'] > 300 and u['bytes']['received'] > 300
    c.close()
    eventually(lambda: ex.upstream()['tunnels']['open'] == 0)


def test_a_tunnel_past_the_pool_is_warned_of_once(ex):
    """The warning appears once in the log, and in `trunkline stats`."""
    for _ in range(3):
        secure(connect(ex)).close()
    assert ex.stderr.count('tunnels to it by CONNECT') == 1
    assert 'warning: ex: 3 tunnels by CONNECT' in cli('stats', '--url', ex.url).stdout


def refusal(d, authority):
    with d.client() as c:
        return c.send(SPELLINGS['HTTP/1.1'].format(a=authority)).response('CONNECT')


def test_what_is_refused(daemon, origin):
    """Prohibited ports, hosts and addresses each get their own error and are counted as failures."""
    d = daemon(upstream('ex', origin), upstream('gone', f'127.0.0.1:{free_port()}', host='gone.test'))
    own_error(refusal(d, 'exchange.test:22'), 403, 'http_request_denied', 'no')
    own_error(refusal(d, '127.0.0.1:443'), 403, 'destination_ip_prohibited', 'no')
    own_error(refusal(d, 'gone.test:443'), 502, 'connection_refused', 'no')
    own_error(refusal(d, 'exchange.test'), 400, 'http_request_error', 'no')
    assert d.upstream('gone')['requests']['errors'] == {'connection_refused': 1}
    d = daemon(upstream('ex', origin), connect='deny')
    own_error(refusal(d, 'exchange.test:443'), 403, 'http_request_denied', 'no')
    own_error(refusal(d, 'exchange.test:80'), 403, 'http_request_denied', 'no')
    d = daemon(upstream('ex', origin), unlisted='deny')
    own_error(refusal(d, 'other.test:443'), 403, 'http_request_denied', 'no')
    own_error(refusal(d, 'other.test:80'), 403, 'http_request_denied', 'no')
    secure(connect(d)).close()


def test_no_loop(daemon):
    """A tunnel to trunkline itself is refused, even if connect_to leads there."""
    port = free_port()
    d = daemon(upstream('me', f'127.0.0.1:{port}', host='me.test'), listen=[f'127.0.0.1:{port}'])
    own_error(refusal(d, 'me.test:443'), 502, 'proxy_loop_detected', 'no')


def test_half_close_both_ways(daemon, peer):
    """Each side can close its direction and still receive from the other."""
    d = raw_daemon(daemon, peer)
    for first in (0, 1):
        ends = pair(d, peer)
        one, other = ends[first], ends[1 - first]
        one.sendall(b'last words')
        one.shutdown(socket.SHUT_WR)
        assert other.recv(100) == b'last words' and other.recv(1) == b''
        other.sendall(b'the rest' * 1000)
        other.shutdown(socket.SHUT_WR)
        got = b''
        while piece := one.recv(65536):
            got += piece
        assert got == b'the rest' * 1000
        one.close(), other.close()
    eventually(lambda: d.upstream('raw')['tunnels'] == {'open': 0, 'total': 2, 'bypassing': 2, 'tls_failed': 0})


def test_the_access_log_has_a_tunnel_at_its_end(daemon, origin, tmp_path):
    """CONNECT and a WebSocket have one log line each, with the bytes sent to the client and the total duration, and no slow-request
    warning."""
    log = tmp_path / 'access.log'
    d = daemon(upstream('ex', origin, server_timing=True), access_log=str(log), access_log_format='json', slow_log='200ms')
    origin.on('/ws', echoing(b'\x81\x05first'))
    with secure(connect(d)) as c, d.client() as ws:
        ws.send(wire.compose('GET', '/ex/ws?signature=s3cret', WS, host='localhost'))
        while not ws.sock.recv(65536).endswith(b'first'):
            pass
        assert c.get('/big', host='exchange.test').status == 200
        time.sleep(0.3)
        assert not log.exists() or not log.read_text()
    eventually(lambda: log.read_text().count('\n') == 2)
    lines = {line['method']: line for line in map(json.loads, log.read_text().splitlines())}
    tunnel, feed = lines['CONNECT'], lines['GET']
    assert tunnel['status'] == 200 and tunnel['bytes'] > 1000 and tunnel['total_ms'] >= 300, tunnel
    assert feed['status'] == 101 and feed['bytes'] == 7 and feed['total_ms'] >= 300, feed
    assert 's3cret' not in log.read_text() and feed['target'].startswith('/ws?signature=')
    assert 'slow:' not in d.stderr


def test_a_reset_is_passed_on(daemon, peer):
    """A reset must not look like a normal close."""
    d = raw_daemon(daemon, peer)
    for first in (0, 1):
        ends = pair(d, peer)
        ends[first].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        ends[first].close()
        with pytest.raises(ConnectionResetError):
            ends[1 - first].recv(1)


def test_the_origin_may_speak_first(daemon, peer):
    """If the origin sends first, bytes from the client are not treated as HTTP, whatever they look like."""
    d = daemon(upstream('raw', peer.address, host='raw.test'))
    c = connect(d, 'raw.test:443')
    far = peer.accept()
    far.sendall(b'220 hello\r\n')
    assert c.sock.recv(100) == b'220 hello\r\n'
    c.send(b'GET / HTTP/1.1\r\n\r\n')
    assert far.recv(100) == b'GET / HTTP/1.1\r\n\r\n'


def pump(sock, size):
    piece = bytes(MIB)
    for _ in range(size // MIB):
        sock.sendall(piece)
    sock.shutdown(socket.SHUT_WR)


def drink(sock):
    got, room = 0, bytearray(MIB)
    while n := sock.recv_into(room):
        got += n
    return got


def test_much_both_ways_in_little_memory(daemon, peer):
    """TUNNEL_MIB (1024 for the full test) in both directions at once: all bytes arrive, and memory stays bounded."""
    d = raw_daemon(daemon, peer)
    near, far = pair(d, peer)
    before, most = d.rss_kib(), 0
    work = [threading.Thread(target=pump, args=(s, VOLUME)) for s in (near, far)]
    readers = [background(lambda s=s: drink(s)) for s in (near, far)]
    for w in work:
        w.start()
    while any(w.is_alive() for w in work):
        most = max(most, d.rss_kib())
        time.sleep(0.02)
    assert [r.result(60) for r in readers] == [VOLUME, VOLUME]
    assert most - before < 4096 * PATIENCE, f'{before} KiB before, {most} KiB at most'
    u = d.upstream('raw')
    assert (u['bytes']['sent'], u['bytes']['received']) == (VOLUME, VOLUME)


def test_a_reader_that_stops_holds_the_writer(daemon, peer):
    """Back-pressure reaches the sender, memory does not grow, and other clients are served."""
    d = raw_daemon(daemon, peer)
    near, far = pair(d, peer)
    before = d.rss_kib()
    far.settimeout(1)
    with pytest.raises(TimeoutError):
        for _ in range(64):
            far.sendall(bytes(MIB))
    assert d.rss_kib() - before < 4096 * PATIENCE
    assert d.get('/healthz').status == 200
    near.close(), far.close()


def test_many_idle_tunnels_are_cheap(daemon, peer):
    """Idle tunnels use little memory and processor time, and still relay bytes at once."""
    d = raw_daemon(daemon, peer)
    before, pairs = d.rss_kib(), [pair(d, peer) for _ in range(100)]
    assert d.upstream('raw')['tunnels']['open'] == 100 and d.stats()['clients']['open'] >= 100
    assert d.rss_kib() - before < 100 * 16 * PATIENCE
    ticks = sum(map(int, open(f'/proc/{d.pid}/stat').read().split()[13:15]))
    time.sleep(1)
    assert sum(map(int, open(f'/proc/{d.pid}/stat').read().split()[13:15])) - ticks <= 10
    near, far = pairs[50]
    near.sendall(b'x')
    assert far.recv(1) == b'x'
    for ends in pairs:
        ends[0].close(), ends[1].close()
    eventually(lambda: d.upstream('raw')['tunnels']['open'] == 0)


def test_a_drain_waits_for_tunnels(daemon, peer):
    """After SIGTERM, tunnels may end by themselves until drain_timeout; then they are closed."""
    d = raw_daemon(daemon, peer)
    near, far = pair(d, peer)
    d.kill(signal.SIGTERM)
    eventually(lambda: wire.refuses(d.where))
    near.sendall(b'still')
    assert far.recv(10) == b'still' and d.alive()
    near.close(), far.close()
    assert d.wait() == 0
    d = raw_daemon(daemon, peer, drain_timeout='500ms')
    near, far = pair(d, peer)
    d.kill(signal.SIGTERM)
    assert far.recv(1) == b'' and d.wait() == 0


def test_a_paused_upstream_refuses(ex):
    """During a pause, a CONNECT or an upgrade is refused at once. (A request inside a CONNECT to port 80 is plain HTTP, which waits.)"""
    ex.verb('pause')
    own_error(refusal(ex, 'exchange.test:443'), 503, 'destination_unavailable', 'no')
    own_error(ex.get('/ex/ws', WS), 503, 'destination_unavailable', 'no')
    ex.verb('resume')
    works(ex)


# -------------------------------------------------------------------------------------- plain HTTP inside

@pytest.mark.parametrize('port', [80, 443])
@pytest.mark.parametrize('how', SPELLINGS)
def test_plain_http_inside_is_pooled(ex, origin, how, port):
    """Many requests in several tunnels use one connection to the origin, and orders arrive complete."""
    for _ in range(2):
        with connect(ex, f'exchange.test:{port}', how) as c:
            for n in range(5):
                assert c.get(f'/stats?n=%2C{n}', host='exchange.test').text == f'/stats?n=%2C{n}'
            r = c.request('POST', '/order?signature=a%2Fb', body=b'qty=1' * 9000, host=f'exchange.test:{port}')
            assert r.status == 200 and origin.requests[-1].body == b'qty=1' * 9000
    assert len(origin.lines) == 1 and origin.requests[0].get('host') == 'exchange.test'
    u = ex.upstream()
    assert u['tunnels']['total'] == 0 and u['requests']['succeeded'] == 12 and u['connections']['opened'] == 1


def test_inside_there_is_one_place_to_go(ex, origin):
    """A different Host or authority gets 403, and the connection stays usable. Upstream names and the rules for browsers do not apply."""
    with connect(ex, 'exchange.test:80') as c:
        for target, host in [('/a', 'other.test'), ('http://other.test/a', 'exchange.test'), ('/a', 'localhost'), ('/a', 'exchange.test:8443')]:
            own_error(c.get(target, host=host), 403, 'http_request_denied', 'no')
        assert c.get('http://exchange.test/a', host='exchange.test').text == '/a'
        assert c.get('/ex/a', [('Origin', 'https://site.test'), ('Sec-Fetch-Site', 'cross-site')], host='exchange.test').text == '/ex/a'
    assert origin.paths() == ['/a', '/ex/a']


def test_tls_in_port_80_is_closed(ex, origin):
    """No connection to the origin is opened, and one log line gives the reason."""
    with connect(ex, 'exchange.test:80') as c:
        c.send(b'\x16\x03\x01\x00\x05hello')
        assert c.eof()
    assert not origin.lines
    lines = [li for li in ex.stderr.splitlines() if 'TLS' in li]
    assert len(lines) == 1 and 'port 80 of exchange.test' in lines[0] and ' 127.0.0.1:' in lines[0], ex.stderr
    works(ex)


def test_malformed_http_inside(ex, origin):
    """Malformed HTTP gets 400 as it does outside a tunnel, and the connection is closed."""
    with connect(ex, 'exchange.test:80') as c:
        assert c.send(b'\x00\x01\x02\r\n\r\n').response().status == 400
        assert c.eof()
    assert not origin.requests


# ---------------------------------------------------------------------------------------------- WebSocket

KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
WS = [('Upgrade', 'websocket'), ('Connection', 'Upgrade'), ('Sec-WebSocket-Key', KEY), ('Sec-WebSocket-Version', '13'),
      ('Sec-WebSocket-Protocol', 'feed'), ('Origin', '*')]
ACCEPT = base64.b64encode(hashlib.sha1(KEY.encode() + b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest()).decode()
SWITCHING = (f'HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\n'
             'sec-websocket-protocol: feed\r\nX-Odd:  two  spaces \r\n\r\n').encode()


def echoing(first=b''):
    """Accepts the upgrade, sends `first` right after the 101 response, then echoes every byte until it receives "bye" and closes."""
    async def behave(x):
        await x.line.send(SWITCHING + first)
        while b'bye' not in x.line.buffer:
            await x.line.more()
            if b'bye' not in x.line.buffer:
                echo = bytes(x.line.buffer)
                x.line.buffer.clear()
                await x.line.send(echo)
        await x.line.close()
    return behave


def forms(d, own):
    return {'named path': ('/ex/ws?s=%2C', None), 'wss prefix': ('/wss://exchange.test/ws?s=%2C', None),
            'https prefix': ('/https://exchange.test/ws?s=%2C', None),
            'ws': ('ws://exchange.test/ws?s=%2C', None), 'wss': ('wss://exchange.test/ws?s=%2C', None),
            'encoded': ('/wss%3A%2F%2Fexchange.test%2Fws%3Fs%3D%252C', None), 'named host': ('/ws?s=%2C', f'ex.localhost:{d.port}'),
            'own port': ('/ws?s=%2C', own), 'connect 80': ('/ws?s=%2C', 'exchange.test'), 'connect 443': ('/ws?s=%2C', 'exchange.test')}


@pytest.mark.parametrize('form', ['named path', 'wss prefix', 'https prefix', 'ws', 'wss', 'encoded',
                                  'named host', 'own port', 'connect 80', 'connect 443'])
def test_websocket_in_every_form(daemon, origin, form):
    """The handshake and the 101 response are relayed unchanged, followed by all bytes. A WebSocket has its own connection, which is
    not part of the pool."""
    own = free_port()
    d = daemon(upstream('ex', origin, listen=[f'127.0.0.1:{own}']))
    origin.on('/ws', echoing(b'\x81\x05first'))
    target, host = forms(d, f'127.0.0.1:{own}')[form]
    c = wire.Client(own) if form == 'own port' else connect(d, f'exchange.test:{form[8:]}') if form.startswith('connect') else d.client()
    c.send(wire.compose('GET', target, WS, host=host or 'localhost') + b'early')
    expected = SWITCHING.replace(b':  two  spaces ', b': two  spaces') + b'\x81\x05first' + b'early'
    got = b''
    while not got.endswith(b'early'):
        piece = c.sock.recv(65536)
        assert piece, got
        got += piece
    head, _, rest = re.split(rb'Trunkline-Request: ([0-9a-z]+-[0-9]+)\r\n', got)
    assert head + rest == expected
    frames = bytes(range(256)) * 4096
    background(lambda: c.sock.sendall(frames))
    got = b''
    while len(got) < len(frames):
        got += c.sock.recv(65536)
    assert got == frames
    u = d.upstream()
    assert u['tunnels'] == {'open': 1, 'total': 1, 'bypassing': 0, 'tls_failed': 0}
    assert u['connections']['open'] == (form == 'connect 443'), 'what CONNECT dialled is given to the pool'
    assert u['requests']['succeeded'] == 1 and u['requests']['status']['1xx'] == 1
    c.send(b'bye')
    assert c.eof()
    c.close()
    eventually(lambda: d.upstream()['tunnels']['open'] == 0)
    q = origin.requests[0]
    assert (q.target, q.get('host'), q.get('sec-websocket-key'), q.get('sec-websocket-protocol')) == ('/ws?s=%2C', 'exchange.test', KEY, 'feed')
    assert q.all('upgrade') == ['websocket'] and q.all('connection') == ['Upgrade'] and not q.get('origin')
    assert origin.lines[-1].alpn == 'http/1.1'
    works(d)


def test_a_refused_upgrade_is_relayed(ex, origin):
    """A refusal is relayed as an ordinary response, and the client connection stays usable."""
    origin.on('/ws', reply(403, b'not today', [('X-Reason', 'quota')]))
    with ex.client() as c:
        r = c.get('/ex/ws', WS)
        assert (r.status, r.body, r.get('x-reason')) == (403, b'not today', 'quota')
        assert c.get('/ex/a').text == '/a'
    u = ex.upstream()
    assert u['tunnels']['total'] == 0 and u['requests']['succeeded'] == 2 and u['connections']['opened'] == 1


def test_a_handshake_that_fails(daemon, origin):
    """No response, an invalid 101 or a refused connection: trunkline's own errors with the correct `sent`."""
    d = daemon(upstream('ex', origin, response_timeout='1500ms'), upstream('gone', f'127.0.0.1:{free_port()}', host='gone.test'))
    origin.on('/odd', raw(b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: tea\r\nConnection: Upgrade\r\n\r\n'))
    origin.on('/mute', raw())
    own_error(d.get('/ex/odd', WS), 502, 'http_protocol_error', 'yes')
    own_error(d.get('/ex/mute', WS), 504, 'http_response_timeout', 'yes')
    own_error(d.get('/gone/ws', WS), 502, 'connection_refused', 'no')
    works(d)


def test_websockets_do_not_take_lines(daemon, origin):
    """max_connections applies to the pool only."""
    d = daemon(upstream('ex', origin, max_connections=1))
    origin.on('/ws', echoing())
    feeds = [d.client() for _ in range(5)]
    for c in feeds:
        c.send(wire.compose('GET', '/ex/ws', WS, host='localhost'))
        assert c.sock.recv(len(SWITCHING)).startswith(b'HTTP/1.1 101')
    works(d)
    assert d.upstream()['tunnels']['open'] == 5 and d.upstream()['connections']['open'] == 1
    for c in feeds:
        c.close()
    eventually(lambda: d.upstream()['tunnels']['open'] == 0)


def test_upgrades_are_never_shared(daemon, origin):
    """Upgrades are neither stored nor coalesced, whatever the configuration allows."""
    d = daemon(upstream('ex', origin, fresh='10s', stale_if_error='10s', coalesce=True))
    origin.on('/ws', echoing())
    feeds = [d.client() for _ in range(3)]
    for c in feeds:
        c.send(wire.compose('GET', '/ex/ws', WS, host='localhost'))
    for n, c in enumerate(feeds):
        head = b''
        while not head.endswith(b'\r\n\r\n'):
            byte = c.sock.recv(1)
            assert byte, head
            head += byte
        assert head.startswith(b'HTTP/1.1 101')
        c.send(b'%d' % n)
        assert c.sock.recv(1) == b'%d' % n
    assert len(origin.requests) == 3 and d.stats()['cache']['entries'] == 0


def test_the_origin_cuts_a_feed(ex, origin):
    """The client's connection is closed too."""
    origin.on('/ws', echoing())
    with ex.client() as c:
        c.send(wire.compose('GET', '/ex/ws', WS, host='localhost'))
        eventually(lambda: ex.upstream()['tunnels']['open'] == 1)
        origin.hang_up('cut')
        with pytest.raises((Closed, ConnectionResetError)):
            while True:
                c.more()


def test_connect_to_an_upstreams_own_port(daemon, peer):
    """CONNECT to an upstream's own port needs no entry in connect_ports; other ports do. Each refused CONNECT is one log line with
    the client's address and the reason."""
    d = daemon(upstream('raw', peer.address, host='raw.test:8443'), unlisted='deny')
    with d.client() as c:
        assert c.send(b'CONNECT raw.test:8443 HTTP/1.1\r\nHost: raw.test:8443\r\n\r\n').response('CONNECT').status == 200
    refused = {'raw.test:8444': 'connect_ports', 'other.test:8443': 'connect_ports', 'other.test:443': 'reached', 'me:secret@raw.test:8443': 'host:port'}
    for target, why in refused.items():
        r = d.raw(f'CONNECT {target} HTTP/1.1\r\nHost: x.test\r\n\r\n', 'CONNECT')
        assert r.status == (400 if '@' in target else 403)
    lines = [li for li in d.stderr.splitlines() if ': CONNECT ' in li]
    assert len(lines) == len(refused) and all(why in li and ' 127.0.0.1:' in li for li, why in zip(lines, refused.values())), lines
    assert all(target in li for li, target in list(zip(lines, refused))[:3]) and 'secret' not in d.stderr


def test_tls_on_a_plain_port_is_told(ex):
    """If a client's proxy URL begins with https://, a log line says so, whether its ClientHello arrives whole or in pieces. Nothing
    is forwarded."""
    before = len(ex.stderr.splitlines())
    hello = b'\x16\x03\x01\x00\xf8\x01\x00\x00\xf4\x03\x03' + bytes(240)
    for step in (len(hello), 1):
        with ex.client() as c:
            try:
                c.send(hello, gap=0.0005, step=step)
                while True:
                    c.more()
            except (Closed, OSError):
                pass
    lines = [li for li in ex.stderr.splitlines()[before:] if 'TLS' in li]
    assert len(lines) == 2 and all('http://' in li and '127.0.0.1:' in li for li in lines)
    works(ex)


@pytest.mark.parametrize('target', ['/ws/{}', '/wss/{}', '/ws/{}/x?y', '/WS/{}', '/wss:/{}', '/ws%3A%2F{}'])
def test_a_listen_key_is_no_host(daemon, peer, target):
    """A listen key where a host or an upstream's name should be gets 404, without a DNS query and without a row in /stats or /metrics."""
    key = 'pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1'
    with FakeDns({}) as names:
        d = daemon(upstream('raw', peer.address, host='raw.test:8443'), names=names)
        r = d.request('GET', target.format(key), WS)
        assert r.status == 404 and not names.asked
        assert [u['name'] for u in d.stats()['upstreams']] == ['raw'] and key not in d.get('/metrics').text
