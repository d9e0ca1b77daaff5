"""Out of file descriptors or memory: excess clients are refused, requests in progress continue, and the log says so once."""
import json
import select
import socket
import time

import pytest

from lib.behaviour import Gate
from lib.daemon import sanitized, upstream
from lib.promise import own_error, works
from lib.wire import Closed, WireError, background, compose, eventually


def said(d, words):
    return [line for line in d.stderr.splitlines() if words in line]


def outcomes(d, count):
    """Opens `count` client connections, keeps them, and sends a request on each. Returns the clients and their statuses, 0 for a
    close without a response."""
    clients = [d.client() for _ in range(count)]
    got = []
    for c in clients:
        try:
            got.append(c.get('/ex/x').status)
        except (WireError, OSError):
            got.append(0)
    return clients, got


def test_descriptors_run_out(daemon, origin):
    """Clients in excess get 503 or a close, but never hang. The others are served, and later all are. One log line reports the shortage."""
    d = daemon(upstream('ex', origin, max_connections=2), wrap=['prlimit', '--nofile=96'])
    assert len(said(d, '96 file descriptors are allowed')) == 1 and 'max_clients = 4096' in d.stderr
    works(d)
    busy = d.client(20)
    gate = Gate()
    origin.on('/hold', gate)
    busy.send(compose('POST', '/ex/hold', body=b'x'))
    eventually(lambda: gate.waiting == 1)
    clients, got = outcomes(d, 300)
    assert set(got) <= {200, 503, 0} and got[:20] == [200] * 20 and got.count(503) > 3, got
    assert 'CONNECTION' not in d.stderr and len(said(d, 'out of file descriptors')) == 1, d.stderr[-2000:]
    gate.release()
    assert busy.response('POST').status == 200, 'what was under way goes on'
    for c in clients:
        c.close()
    eventually(lambda: d.get('/ex/y').status == 200)


def test_no_descriptor_beside_open_lines(daemon, origin):
    """If connections are open, requests wait for these. The loop keeps running, tries to connect at most once a second, and ends
    when told to."""
    d = daemon(upstream('ex', origin, max_connections=60, min_idle=3, queue_timeout='60s', total_timeout='60s'), wrap=['prlimit', '--nofile=64'])
    eventually(lambda: d.connections()['idle'] == 3)
    gate = Gate()
    origin.on('/hold', gate)
    spare = d.client(20)
    assert spare.get('/healthz').status == 200
    clients = [d.client(20) for _ in range(36)]
    for n, c in enumerate(clients):
        c.send(compose('GET', '/ex/hold'))
    def figures():     # a new client would get 503
        return next(u for u in json.loads(spare.get('/stats').body)['upstreams'] if u['name'] == 'ex')['connections']
    eventually(lambda: gate.waiting >= 3 and figures()['failed'] >= 1)
    start = time.monotonic()
    for _ in range(20):
        assert spare.get('/healthz').status == 200
    time.sleep(1.5)
    c, waited = figures(), time.monotonic() - start
    assert c['failed'] <= c['opened'] + 60 + 2 * waited, 'one a second, and one for each that succeeded, behind the first burst'
    gate.release()
    assert [c.response().status for c in clients] == [200] * 36
    for c in [spare, *clients]:
        c.close()
    eventually(lambda: d.get('/healthz').status == 200)
    assert d.upstream()['breaker'] == 'closed'
    assert d.stop() == 0


def test_orders_without_a_descriptor_wait_for_lines_under_way(daemon, origins):
    """Orders of a cold pool each open a connection. Those without a descriptor wait for the connections of the others, and all get
    a response."""
    origin = origins(greet=0.5)
    d = daemon(upstream('ex', origin, max_connections=64, order_wait='30s', total_timeout='60s'), wrap=['prlimit', '--nofile=64'])
    spare = d.client(20)
    assert spare.get('/healthz').status == 200
    clients = [d.client(30) for _ in range(30)]
    for n, c in enumerate(clients):
        c.send(compose('POST', f'/ex/order?{n}', body=b'x'))
    assert [c.response('POST').status for c in clients] == [200] * 30
    assert sorted(r.target for r in origin.requests) == sorted(f'/order?{n}' for n in range(30))
    u = next(u for u in json.loads(spare.get('/stats').body)['upstreams'] if u['name'] == 'ex')
    assert u['connections']['failed'] > 0 and u['breaker'] == 'closed'
    assert len(said(d, 'out of file descriptors')) == 1


def test_descriptors_do_not_spin(daemon, origin):
    """A backlog that cannot be accepted uses no processor time."""
    d = daemon(upstream('ex', origin), wrap=['prlimit', '--nofile=64'])
    kept = [socket.create_connection(d.where) for _ in range(300)]
    time.sleep(0.3)
    before = time.process_time(), cpu(d)
    time.sleep(1)
    assert cpu(d) - before[1] < 0.5
    for s in kept:
        s.close()
    eventually(lambda: d.get('/ex/y').status == 200)


def cpu(d):
    with open(f'/proc/{d.pid}/stat') as f:
        fields = f.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


@pytest.mark.skipif(sanitized(), reason='the sanitizers need more memory than any limit')
def test_memory_runs_out(daemon, origin):
    """Requests that need too much memory are refused with 503 and sent=no; the daemon survives, logs it once, and continues to serve."""
    d = daemon(upstream('ex', origin), max_header_size='900k', wrap=['prlimit', '--data=50000000'])
    works(d)
    head = b'GET /ex/x HTTP/1.1\r\nHost: localhost\r\n' + b''.join(b'X-%d: %s\r\n' % (n, b'y' * 7000) for n in range(100))
    clients = [d.client() for _ in range(120)]
    refused = 0
    for c in clients:
        try:
            c.send(head)
        except OSError:
            refused += 1
    eventually(lambda: said(d, 'out of memory'))
    told = eventually(lambda: select.select([c.sock for c in clients], [], [], 0)[0]) if not refused else []
    for c in clients:
        if c.sock in told:
            try:
                own_error(c.response(), 503, 'connection_limit_reached', 'no')
            except Closed:
                pass
    assert d.alive()
    for c in clients:
        c.close()
    eventually(lambda: d.get('/ex/y').status == 200)
    assert len(said(d, 'out of memory')) == 1

