"""Transfer of messages: pipelining, framing in both directions, interim responses, and back-pressure."""
import fcntl
import hashlib
import pathlib
import struct
import termios
import threading
import time

import pytest

from lib.behaviour import Gate, deaf, finish, flood, raw, reply
from lib.daemon import PATIENCE, sanitized, upstream
from lib.promise import own_error, settle, works
from lib.wire import Closed, Slow, at_rest, background, chunked, compose, eventually

memory_counts = pytest.mark.skipif(sanitized(), reason="a sanitizer's memory says nothing about the daemon's")


# ----------------------------------------------------------------------------------------------- pipelining

def test_pipelined_requests_are_answered_in_order(ex, origin):
    """The order is kept although the first response takes longest, with framings of all kinds."""
    origin.on('/0', reply(delay=0.2))
    origin.on('/3', reply(framing='chunked', pieces=3))
    origin.on('/4', reply(204))
    with ex.client() as c:
        c.send(b''.join([compose('GET', '/ex/0'), compose('POST', '/ex/1', body=b'a' * 3000), compose('HEAD', '/ex/2'),
                         compose('POST', '/ex/3', [('Transfer-Encoding', 'chunked')]) + chunked(b'ab', b'c' * 5000), compose('GET', '/ex/4'),
                         compose('GET', '/healthz'), compose('GET', '/nobody/x'), compose('GET', '/ex/5')]))
        assert c.response().text == '/0' and c.response().text == '/1'
        assert c.response('HEAD').get('content-length') == '2'
        assert c.response().text == '/3' and c.response().status == 204
        assert c.response().text.strip() == 'ok' and c.response().status == 404
        assert c.response().text == '/5'
    assert origin.paths() == [f'/{n}' for n in range(6)] and origin.requests[3].body == b'ab' + b'c' * 5000


def test_a_long_pipeline(ex, origin):
    """2,000 requests are sent before the first response is read: all get their responses in order, over one connection to the origin."""
    count = 2000
    with ex.client(30) as c:
        sender = background(lambda: c.send(b''.join(compose('GET', f'/ex/{n}') for n in range(count))))
        for n in range(count):
            assert c.response().text == f'/{n}'
        sender.result()
    assert len(origin.lines) == 1


def test_a_pipeline_ends_with_close(ex, origin):
    """Bytes after a request with Connection: close are not executed."""
    with ex.client() as c:
        c.send(compose('GET', '/ex/a') + compose('GET', '/ex/b', [('Connection', 'close')]) + compose('GET', '/ex/c'))
        assert c.response().text == '/a'
        last = c.response()
        assert last.text == '/b' and not last.keeps and settle(c) == b''
    assert origin.paths() == ['/a', '/b']


def test_one_byte_at_a_time(ex, origin):
    """Heads and chunks may be split anywhere."""
    with ex.client() as c:
        c.send(compose('POST', '/ex/a', [('Transfer-Encoding', 'chunked')]) + b'5;x=y\r\nhello\r\n0\r\nX-T: 1\r\n\r\n' + compose('GET', '/ex/b'),
               gap=0.0002)
        assert c.response().text == '/a' and c.response().text == '/b'
    assert origin.requests[0].body == b'hello' and origin.requests[0].trailers == [('X-T', '1')]


# -------------------------------------------------------------------------------------------------- framing

def test_chunked_both_ways_with_trailers(ex, origin):
    """Body, trailers and the Trailer field are relayed, and TE tells the origin that trailers are accepted."""
    origin.on('/x', reply(body=lambda q: q.body, framing='chunked', pieces=7, trailers=[('X-Sum', '10'), ('Set-Cookie', 'a=b')]))
    body = bytes(range(256)) * 100
    with ex.client() as c:
        for _ in range(3):
            c.send(compose('POST', '/ex/x', [('Transfer-Encoding', 'chunked'), ('TE', 'trailers'), ('Trailer', 'X-In')])
                   + chunked(body[:1], body[1:9000], body[9000:])[:-2] + b'X-In: 1\r\n\r\n')
            r = c.response()
            assert r.body == body and r.framing == 'chunked' and r.trailers == [('X-Sum', '10')]
    assert all(q.body == body and q.trailers == [('X-In', '1')] and q.get('te') == 'trailers' for q in origin.requests)
    assert len(origin.lines) == 1


@pytest.mark.parametrize('framing', ['length', 'chunked', 'close'])
@pytest.mark.parametrize('keep', [True, False])
def test_http10_clients(ex, origin, framing, keep):
    """HTTP/1.0 clients get no chunked responses, whatever the origin sends, and a persistent connection only if they ask for it and
    the length is known."""
    origin.on('/x', reply(body=b'hello world', framing=framing, pieces=2, early=[(103, [('Link', '<a>')])]))
    with ex.client() as c:
        c.send(b'GET /ex/x HTTP/1.0\r\nHost: localhost\r\n%b\r\n' % (b'Connection: keep-alive\r\n' if keep else b''))
        r = c.response()
        assert r.body == b'hello world' and not r.get('transfer-encoding') and r.early == []
        if keep and framing == 'length':
            assert r.keeps and c.send(b'GET /ex/y HTTP/1.0\r\nHost: localhost\r\n\r\n').response().text == '/y'
        else:
            assert not r.keeps and c.eof()


def test_http10_without_host(ex, origin):
    """HTTP/1.0 does not require Host, and neither does a path with an upstream's name."""
    with ex.client() as c:
        assert c.send(b'GET /ex/x HTTP/1.0\r\n\r\n').response().text == '/x'


@pytest.mark.parametrize('how', [dict(framing='length'), dict(framing='chunked', pieces=50), dict(framing='close'), dict(close='announced')])
@pytest.mark.parametrize('size', [0, 1, 16384, 65536, 3_000_000])
def test_bodies_arrive_whole(ex, origin, size, how):
    """Bodies of any size in any framing arrive complete, and the client connection can be reused."""
    body = hashlib.sha256(b'%d' % size).digest() * (size // 32 + 1)
    origin.on('/x', reply(body=body[:size], **how))
    with ex.client(10) as c:
        for _ in range(2):
            assert c.request('POST', '/ex/x', body=body[:size]).body == body[:size]
        assert c.get('/ex/y').text == '/y'
    assert [q.body for q in origin.requests[:2]] == [body[:size]] * 2


@pytest.mark.parametrize('status', [204, 304])
def test_no_body_means_none(ex, origin, status):
    """Responses with 204 and 304 end with the head, also for clients that pipeline."""
    origin.on('/x', reply(status, b'', [('ETag', '"a"')]))
    with ex.client() as c:
        c.send(compose('GET', '/ex/x') * 3 + compose('GET', '/ex/y'))
        assert [c.response().status for _ in range(3)] == [status] * 3 and c.response().text == '/y'
    assert len(origin.lines) == 1


def test_head_says_what_get_would(ex, origin):
    """Content-Length of a response to HEAD is relayed; a chunked response has none; the connection is reused."""
    origin.on('/a', reply(body=b'x' * 12345))
    origin.on('/b', reply(body=b'x' * 12345, framing='chunked'))
    with ex.client() as c:
        assert c.request('HEAD', '/ex/a').get('content-length') == '12345'
        r = c.request('HEAD', '/ex/b')
        assert r.status == 200 and r.body == b'' and r.get('content-length') is None
        assert c.get('/ex/c').text == '/c'
    assert len(origin.lines) == 1


# ---------------------------------------------------------------------------------------------------- Expect

EXPECT = [('Expect', '100-continue'), ('Content-Length', '5')]


def test_expect_continue(ex, origin):
    """trunkline sends the 100 response itself, before it needs a connection to the origin, and does not forward Expect."""
    origin.answer_expect = False
    with ex.client() as c:
        c.send(compose('POST', '/ex/x', EXPECT))
        assert c.head().status == 100
        assert not origin.requests
        assert c.send(b'hello').response('POST').text == '/x'
        assert c.get('/ex/y').text == '/y'
    assert origin.requests[0].body == b'hello' and not origin.requests[0].all('expect')


def test_expect_continue_without_waiting(ex, origin):
    """A client need not wait for the 100 response."""
    with ex.client() as c:
        r = c.send(compose('POST', '/ex/x', EXPECT) + b'hello').response('POST')
        assert r.status == 200 and c.get('/ex/y').text == '/y'
    assert origin.requests[0].body == b'hello'


@pytest.mark.parametrize('status', [413, 417, 401])
@pytest.mark.parametrize('size', [5, 200_000])
def test_a_refusal_of_an_expected_body(ex, origin, status, size):
    """After a 100 response, the client sends its body and gets the origin's final response to it, whether the body is small or
    large; responses are not mixed up."""
    async def refuse(x):
        await x.respond(status, [], b'no', close='announced')
    origin.on('/x', refuse)
    with ex.client() as c:
        c.send(compose('POST', '/ex/x', [('Expect', '100-continue'), ('Content-Length', str(size))]))
        assert c.head().status == 100
        r = c.send(b'x' * size).response('POST')
        assert (r.status, r.body, r.early) == (status, b'no', [])
        try:
            assert c.get('/ex/y').text == '/y'
        except (Closed, Slow):
            assert not r.keeps
    works(ex)
    assert set(origin.paths()) <= {'/x', '/y', '/control'}


BODILESS = {'chunked': 'Transfer-Encoding: chunked', 'long': 'Content-Length: 1000000', 'expected': 'Expect: 100-continue\r\nContent-Length: 100000',
            'begun': 'Transfer-Encoding: chunked\r\n\r\n8000\r\n' + 'x' * 0x7fff}


@pytest.mark.parametrize('framing', BODILESS)
def test_bodies_that_do_not_come_take_no_line(daemon, origin, framing):
    """A body is read up to its end or 64 KiB before a connection to the origin is needed, so a body that does not arrive does not
    delay other requests."""
    d = daemon(upstream('ex', origin, max_connections=2))
    works(d)
    begun = 'chunked\r\n\r\n' in BODILESS[framing]
    head = f'POST /ex/never HTTP/1.1\r\nHost: localhost\r\n{BODILESS[framing]}' + ('' if begun else '\r\n\r\n')
    clients = [d.client().send(head) for _ in range(4)]
    eventually(lambda: d.upstream()['requests']['active'] == 4)
    for n in range(4):
        works(d, f'/ex/{n}')
        assert d.request('POST', f'/ex/order{n}', body=b'x').status == 200
    assert d.upstream()['queue']['max_wait_ms'] < 1000 * PATIENCE and '/never' not in origin.paths()
    for c in clients:
        c.close()
    eventually(lambda: d.upstream()['requests']['active'] == 0)
    assert d.upstream()['requests']['abandoned'] == 4 and '/never' not in origin.paths()


@pytest.mark.parametrize('coded', [False, True], ids=['length', 'chunked'])
def test_a_long_body_goes_on_before_it_is_whole(ex, origin, coded):
    """A body larger than 64 KiB is streamed and arrives unchanged."""
    piece = bytes(range(256)) * 400
    with ex.client() as c:
        c.send(compose('POST', '/ex/large', [('Transfer-Encoding', 'chunked') if coded else ('Content-Length', str(3 * len(piece)))]))
        c.send(b'%x\r\n%b\r\n' % (len(piece), piece) if coded else piece)
        eventually(lambda: origin.requests)
        assert not origin.requests[0].complete
        assert c.send(b'%x\r\n%b\r\n0\r\n\r\n' % (2 * len(piece), piece * 2) if coded else piece * 2).response('POST').status == 200
    assert origin.requests[0].body == piece * 3


def test_an_unknown_expectation(ex, origin):
    """An unknown expectation gets 417 or is ignored, but never hangs."""
    r = ex.request('POST', '/ex/x', [('Expect', 'miracles')], b'x')
    assert r.status in (200, 400, 417)


def test_interim_answers_are_relayed_as_they_come(ex, origin):
    """A 103 response arrives before the final one, and several interim responses arrive in order with their fields."""
    gate = Gate(reply())
    async def behave(x):
        await x.line.send(b'HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n')
        await x.line.send(b'HTTP/1.1 102 Processing\r\n\r\n')
        await gate(x)
    origin.on('/x', behave)
    with ex.client() as c:
        c.send(compose('GET', '/ex/x'))
        first, second = c.head(), c.head()
        assert (first.status, first.get('link'), second.status) == (103, '<a>', 102)
        gate.release()
        assert c.response().text == '/x'
    assert ex.upstream()['requests']['status']['1xx'] == 2 and ex.upstream()['requests']['total'] == 1


def test_an_early_answer_to_an_upload(ex, origin):
    """An early response reaches the client while it still sends its body. The connection to the origin is not reused; that of the
    client is still usable or closed."""
    async def behave(x):
        await x.line.more()
        await x.respond(413, [], b'too large', close=False)
        while True:
            await x.line.more()
    origin.on('/x', behave)
    with ex.client() as c:
        c.send(compose('POST', '/ex/x', [('Content-Length', '5000000')]) + b'x' * 100_000)
        r = c.response('POST')
        assert (r.status, r.body) == (413, b'too large')
    eventually(lambda: ex.connections()['active'] == 0)
    assert works(ex).get('x-line') == '2'


def test_a_client_that_half_closes(ex, origin):
    """A client that half-closes its connection either gets its response or is treated as disconnected, but never gets part of a
    response."""
    import socket
    origin.on('/x', reply(delay=0.1))
    with ex.client() as c:
        c.send(compose('GET', '/ex/x'))
        c.sock.shutdown(socket.SHUT_WR)
        try:
            assert c.response().text == '/x'
        except Closed as e:
            assert e.got == b''
    eventually(lambda: ex.connections()['active'] == 0)
    works(ex)


# --------------------------------------------------------------------------------------------- back-pressure

def growth(d, before):
    return (d.rss_kib() - before) / 1024


def sip(c, size, pause=0.0):
    """Reads at least `size` bytes of a body, with a pause after each read of up to 64 KiB, and returns how many it has read."""
    got = len(c.buffer)
    c.buffer.clear()
    while got < size:
        got += len(c.sock.recv(65536))
        time.sleep(pause)
    return got


def settled(d):
    """The daemon's memory after some ordinary requests."""
    for n in range(50):
        d.request('POST', f'/ex/warm{n}', body=b'x' * 100_000)
    return d.rss_kib()


@memory_counts
def test_a_download_through_a_slow_client(ex, origin):
    """The origin is slowed down: reading 20 MiB of an endless body slowly increases memory by less than 2 MiB."""
    before = settled(ex)
    origin.on('/x', flood(b'y' * 65536, first=b'HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n'))
    peak = 0
    with ex.client(rcvbuf=65536) as c:
        c.send(compose('GET', '/ex/x'))
        assert c.head().status == 200
        for _ in range(20):
            sip(c, 1 << 20, pause=0.002)
            peak = max(peak, growth(ex, before))
        line = origin.lines[-1]
        at_rest(lambda: line.written)       # until the origin cannot send any more
        peak = max(peak, growth(ex, before))
    assert peak < 2, f'grew by {peak:.1f} MiB'
    eventually(lambda: not line.open)


@memory_counts
@pytest.mark.slow
@pytest.mark.limit(150)
def test_a_gibibyte_through_a_slow_client(daemon, origins):
    """A body of 1 GiB from an origin without TLS arrives complete, and memory increases by less than 2 MiB."""
    origin = origins(tls=False)
    d = daemon(upstream('ex', origin))
    before, size, piece = settled(d), 1 << 30, b'y' * (1 << 20)
    origin.on('/x', flood(piece, count=size // len(piece), first=b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % size))
    got, peak, space = 0, 0, bytearray(1 << 18)
    with d.client() as c:
        c.send(compose('GET', '/ex/x'))
        assert c.head().status == 200
        got += len(c.buffer)
        for turn in range(1 << 30):
            if got == size:
                break
            got += (read := c.sock.recv_into(space))
            assert read, f'closed after {got} bytes'
            if turn % 256 == 0:
                peak = max(peak, growth(d, before))
                time.sleep(0.01)
    assert peak < 2, f'grew by {peak:.1f} MiB'
    eventually(lambda: d.connections()['idle'] == 1)


@memory_counts
def test_an_upload_to_a_slow_origin(ex, origin):
    """The client is slowed down as well."""
    async def slow(x):
        got = 0
        while got < 20 << 20:
            await x.line.more()
            got += len(x.line.buffer)
            x.line.buffer.clear()
            if got >> 20 != (got - 16384) >> 20:
                await x.pause(0.002)
        await deaf()(x)
    origin.on('/x', slow)
    before, sent = settled(ex), [0]
    c = ex.client()
    c.send(compose('POST', '/ex/x', [('Content-Length', '1099511627776')]))

    def push():
        try:
            while True:
                sent[0] += c.sock.send(b'z' * 65536)
        except OSError:
            pass
    threading.Thread(target=push, daemon=True).start()
    eventually(lambda: sent[0] > 20 << 20)
    peak = 0

    def moved():
        nonlocal peak
        peak = max(peak, growth(ex, before))
        return sent[0]
    # The kernel buffers both connections, up to its own limits for each socket.
    kernel = 2 * sum(int(pathlib.Path(f'/proc/sys/net/ipv4/tcp_{kind}mem').read_text().split()[2]) for kind in 'rw')
    assert at_rest(moved) < (24 << 20) + kernel, 'the client is not held back'
    assert peak < 2, f'grew by {peak:.1f} MiB'
    c.close()


def taken(c, piece, limit):
    """Sends one piece after the other, each when the daemon has read the previous one, until the daemon stops reading for a second
    or has read `limit` bytes. Returns the number of bytes sent. (c must be a unix socket, where the amount of unread data is
    known.)"""
    sent = 0
    while sent < limit:
        c.sock.sendall(piece)
        sent += len(piece)
        end = time.monotonic() + PATIENCE
        while struct.unpack('i', fcntl.ioctl(c.sock, termios.TIOCOUTQ, bytes(4)))[0]:
            if time.monotonic() > end:
                return sent
    return sent


@pytest.mark.parametrize('coded', [False, True], ids=['length', 'chunked'])
@pytest.mark.parametrize('alpn', [('http/1.1',), ('h2', 'http/1.1')], ids=['h1', 'h2'])
def test_an_upload_in_small_pieces_is_held_back(daemon, origins, tmp_path, alpn, coded):
    """If the origin does not read, trunkline stops reading from the client, however small the pieces. (Up to 10 MiB may be in
    kernel buffers.)"""
    origin = origins(alpn=alpn)
    origin.on('/up', deaf())
    d = daemon(upstream('ex', origin), listen=[f'unix:{tmp_path}/sock'])
    works(d)
    framing = ('Transfer-Encoding', 'chunked') if coded else ('Content-Length', str(1 << 30))
    piece = b'x' * 4096
    with d.client() as c:
        c.send(compose('POST', '/ex/up', [framing]))
        got = taken(c, b'1000\r\n' + piece + b'\r\n' if coded else piece, 32 << 20)
        c.abort()
    assert got < 16 << 20, f'{got >> 20} MiB taken, none of it read'


@pytest.mark.parametrize('alpn', [('http/1.1',), ('h2', 'http/1.1')], ids=['h1', 'h2'])
def test_a_client_that_leaves_while_it_is_held_back(daemon, origins, alpn):
    """If a client disconnects during an upload that the origin does not read, its request ends although trunkline does not read
    from the client, and the connection is released."""
    origin = origins(alpn=alpn)
    origin.on('/up', deaf())
    d = daemon(upstream('ex', origin, max_connections=1, total_timeout='50s', response_timeout='50s'))
    works(d)
    c = d.client(timeout=1)
    try:
        c.send(compose('POST', '/ex/up', [('Content-Length', str(1 << 30))]))
        c.sock.settimeout(1)
        while True:
            c.sock.send(b'x' * 65536)
    except TimeoutError:
        c.abort()
    eventually(lambda: d.upstream()['requests']['active'] == 0, 20)
    assert d.upstream()['requests']['unknown'] == 1


def test_a_slow_client_keeps_its_body_clock_still(daemon, origin):
    """body_timeout does not run while the client does not read."""
    d = daemon(upstream('ex', origin, body_timeout='1s'))
    size = 8 << 20
    origin.on('/x', reply(body=b'y' * size))
    with d.client(rcvbuf=65536) as c:
        c.send(compose('GET', '/ex/x'))
        c.head()
        at_rest(lambda: origin.lines[0].written)
        time.sleep(1.5)                 # longer than body_timeout
        assert sip(c, size) == size
    assert d.upstream()['requests']['failed'] == 0


def test_slow_clients_delay_nobody(ex, origin):
    """With clients that do not read their downloads and origins that do not read uploads, the fastest response to another client
    takes about as long as before."""
    def quickest():
        with ex.client() as c:
            return min(c.get(f'/ex/{n}').took for n in range(100))
    alone = quickest()
    held = []
    origin.on('/down', flood(b'y' * 65536, first=b'HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n'))
    origin.on('/up', deaf())
    for _ in range(7):
        down, up = ex.client(rcvbuf=4096), ex.client(0.5)
        down.send(compose('GET', '/ex/down'))
        up.send(compose('POST', '/ex/up', [('Content-Length', '1099511627776')]) + b'z' * 4_000_000)
        held += [down, up]
    eventually(lambda: ex.connections()['active'] == 14)
    at_rest(lambda: [line.written for line in origin.lines])
    loaded = quickest()
    assert loaded < alone * 5 + 0.02 * PATIENCE, f'{loaded * 1000:.1f} ms, alone {alone * 1000:.1f} ms'
    for c in held:
        c.close()
    eventually(lambda: ex.connections()['active'] == 0)


def test_endings_in_mid_body_free_everything(ex, origin):
    """Clients that disconnect in every phase: no request stays active and no descriptor stays open."""
    origin.on('/down', flood(b'y' * 65536, first=b'HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n'))
    origin.on('/wait', Gate())
    works(ex)
    before = ex.fds()
    pieces = [compose('GET', '/ex/down'), compose('GET', '/ex/wait'), compose('POST', '/ex/x', [('Content-Length', '10')]) + b'abc',
              compose('POST', '/ex/x', [('Content-Length', '1000000')]) + b'z' * 100_000, b'GET /ex/x HTTP/1.1\r\nHo', b'',
              compose('POST', '/ex/x', [('Transfer-Encoding', 'chunked')]) + b'5\r\nab', compose('GET', '/ex/down') + compose('GET', '/ex/down')]
    for n in range(48):
        c = ex.client()
        c.send(pieces[n % len(pieces)])
        time.sleep(0.005)
        c.close() if n % 3 else c.abort()
    eventually(lambda: ex.connections()['active'] == 0 and ex.upstream()['requests']['active'] == 0)
    ex.connections()
    origin.hang_up()
    eventually(lambda: ex.fds() <= before)
    works(ex)


def test_upload_and_answer_at_once(ex, origin):
    """An origin that echoes the body as it arrives: both directions are transferred at the same time."""
    async def echo(x):
        await x.line.send(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
        left = int(x.req.get('content-length'))
        while left:
            if not x.line.buffer:
                await x.line.more()
            piece = bytes(x.line.buffer)
            x.line.buffer.clear()
            left -= len(piece)
            await x.line.send(b'%x\r\n%b\r\n' % (len(piece), piece))
        await x.line.send(b'0\r\n\r\n')
        x.req.complete = True
    origin.on('/x', echo)
    body = bytes(range(251)) * 20_000
    with ex.client(15) as c:
        sender = background(lambda: c.send(compose('POST', '/ex/x', body=body)))
        assert c.response('POST').body == body
        sender.result()


def test_an_answer_that_ends_before_the_upload(ex, origin):
    """A response that ends with the connection, in the middle of an upload: the client gets it, and the connection to the origin is
    closed."""
    async def behave(x):
        await x.line.more()
        await x.line.send(b'HTTP/1.1 403 Forbidden\r\n\r\nno')
        await finish(x, 'close')
    origin.on('/x', behave)
    with ex.client() as c:
        c.send(compose('POST', '/ex/x', [('Content-Length', '5000000')]) + b'x' * 100_000)
        try:
            r = c.response('POST')
            assert (r.status, r.body) == (403, b'no')
        except Closed:
            assert c.head_seen and c.head_seen.status == 403
    eventually(lambda: ex.connections()['open'] == 0)
    works(ex)


def test_raw_bytes_pass(ex, origin):
    """Fields with obs-text, unusual reason phrases and arbitrary bytes in a body are relayed unchanged."""
    origin.on('/x', raw(b'HTTP/1.1 299 Odd  reason\r\nX-A: \xe4\xf6\r\nContent-Length: 256\r\n\r\n' + bytes(range(256))))
    r = ex.get('/ex/x', [('X-B', 'ä')])
    assert (r.status, r.get('x-a'), r.body) == (299, 'äö', bytes(range(256))) and origin.requests[0].get('x-b') == 'ä'


def test_total_timeout_ends_an_upload(daemon, origin):
    """Before a response head, total_timeout causes a 504, although the client is still sending."""
    d = daemon(upstream('ex', origin, total_timeout='500ms'))
    async def behave(x):
        while True:
            await x.line.more()
    origin.on('/x', behave)
    with d.client() as c:
        c.send(compose('POST', '/ex/x', [('Content-Length', '100000000')]) + b'x' * 200_000)
        own_error(c.response('POST'), (504, 408), ('http_response_timeout', 'http_request_error'), ('partial', 'yes'))
