"""Following a request: its id in the response, the logs and /requests, each state it can have, and the table of `trunkline requests`."""
import json
import re
import subprocess
import threading
import time

import pytest

from lib import wire
from lib.behaviour import Gate, drop, raw, reply
from lib.daemon import binary, upstream
from lib.origin import Origin
from lib.promise import works
from lib.wire import background, eventually, parallel

ID = re.compile(r'[0-9a-hjkmnp-tv-z]{12}-[1-9]\d*')
KEYS = 'id age_ms client bot upstream method target state line address sent left'.split()


def under_way(d):
    r = d.get('/requests')
    assert r.status == 200 and r.get('content-type') == 'application/json', r.text
    return r.json()['requests']


def row(d, path, **expected):
    """The row of the request for that path, once it has the expected values."""
    def look():
        return next((r for r in under_way(d) if r['target'].split('?')[0] == path and all(r[k] == v for k, v in expected.items())), None)
    try:
        found = eventually(look)
    except AssertionError:
        raise AssertionError(f'no {expected} of {path} in {under_way(d)}') from None
    assert list(found) == KEYS and ID.fullmatch(found['id']) and found['age_ms'] >= 0
    return found


# ------------------------------------------------------------------------------------------------ ids

def test_every_answer_bears_an_id(daemon, origin, tmp_path):
    """Relayed, stored and coalesced responses, trunkline's own errors and pages, responses to CONNECT and to malformed requests:
    each has exactly one id, no id occurs twice, and all have the prefix of this process. A field of that name is not forwarded,
    neither from the origin nor from the client."""
    log = tmp_path / 'log'
    d = daemon(upstream('ex', origin, fresh='1m', coalesce=True), upstream('gone', '127.0.0.1:9', host='gone.test'), access_log=str(log),
               access_log_format='json')
    origin.on('/own', reply(headers=[('Trunkline-Request', 'forged')]))
    gate = Gate()
    origin.on('/shared', gate)
    pair = [background(lambda: d.get('/ex/shared')) for _ in range(2)]
    eventually(lambda: gate.waiting == 1 and len(under_way(d)) == 2)
    gate.release()
    answers = [works(d, '/ex/own'), works(d, '/ex/own'), *(p.result() for p in pair),
               d.get('/gone/x'), d.get('/nothing'), d.get('/stats'), d.get('/'), d.get('/requests'), d.get('/healthz'),
               d.request('POST', '/upstreams/nobody/pause'), d.get('/ex/x', [('Host', 'evil.test')], host=''), d.raw(b'x y z\r\n\r\n'),
               d.raw(b'OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n'),
               d.raw(b'CONNECT exchange.test:80 HTTP/1.1\r\n\r\n', 'CONNECT'), d.raw(b'CONNECT exchange.test:7 HTTP/1.1\r\n\r\n', 'CONNECT'),
               d.get('/ex/forwarded', [('Trunkline-Request', 'mine')])]
    ids = [a.all('trunkline-request') for a in answers]
    assert all(len(i) == 1 and ID.fullmatch(i[0]) for i in ids), ids
    assert len({i[0] for i in ids}) == len(ids) and len({i[0].split('-')[0] for i in ids}) == 1, ids
    assert not any(r.get('trunkline-request') for r in origin.requests)
    eventually(lambda: log.exists() and log.read_text().count('\n') >= 8)
    lines = [json.loads(li) for li in log.read_text().splitlines()]
    told = {li['id']: li for li in lines}
    assert [*lines[0]][-1] == 'id' and all(i['id'] for i in lines)
    for a, path in zip(answers[:5], ('/own', '/own', '/shared', '/shared', '/x')):
        assert told[a.get('trunkline-request')]['target'] == path, (path, told)


def test_a_life_is_never_used_again(daemon, origin):
    """Each start of the daemon has a new prefix, and the prefixes of later starts sort after those of earlier ones."""
    lives = [daemon(upstream('ex', origin)).get('/healthz').get('trunkline-request').split('-')[0] for _ in range(3)]
    assert len(set(lives)) == 3 and lives == sorted(lives)


def test_one_id_from_the_answer_to_every_line(daemon, origin, tmp_path):
    """For a retried GET and for an order of unknown fate, the response, the access log, the warning and every debug line contain
    the same id. The retry is logged with its cause, and the id stays the same across attempts."""
    log = tmp_path / 'log'
    d = daemon(upstream('ex', origin), access_log=str(log), slow_log='1ms', log_level='debug')
    works(d)
    origin.on('/again', drop('reset'), reply(delay=0.01))
    gate = Gate(drop('reset'))
    origin.on('/order', gate)
    again, call = d.get('/ex/again'), background(lambda: d.request('POST', '/ex/order?signature=GEHEIM', body=b'x'))
    eventually(lambda: gate.waiting == 1)
    gate.release()
    order = call.result()
    assert (again.status, order.status) == (200, 502)
    for answer, path, warnings in ((again, '/again', ['slow: ']), (order, '/order', ['order of unknown fate: '])):
        rid = answer.get('trunkline-request')
        eventually(lambda: rid in log.read_text())
        assert re.search(rf' target="?{path}.* id={rid}$', log.read_text(), re.M)
        lines = [li for li in d.stderr.splitlines() if li.endswith(f' id={rid}')]
        for warning in warnings:
            assert [li for li in lines if f' warn upstream ex: {warning}' in li and path in li], (warning, lines)
        states = [li for li in lines if ' debug ' in li]
        assert any(': transaction: ' in li for li in states) and any(': fetch: ' in li for li in states), lines
    lines = [li for li in d.stderr.splitlines() if li.endswith(f' id={again.get("trunkline-request")}')]
    assert [li for li in lines if 'attempt 1 failed on a reused connection: connection_terminated' in li and re.search(r' line=\d+ id=', li) and 'sent=yes; trying again' in li], lines
    assert not any('GEHEIM' in li for li in [*d.stderr.splitlines(), *log.read_text().splitlines()])
    assert 'trying again' not in ''.join(li for li in d.stderr.splitlines() if order.get('trunkline-request') in li)


def test_debug_lines_say_what_a_request_waits_behind(daemon, origin):
    """The position in the queue and the reason why a request is held are logged with its id."""
    d = daemon(upstream('ex', origin, max_connections=1, rate='3/1h', burst=3), log_level='debug')
    gate = Gate()
    origin.on('/held', gate)
    first = background(lambda: d.get('/ex/held'))
    eventually(lambda: gate.waiting == 1)
    second, third = background(lambda: d.get('/ex/second')), None
    eventually(lambda: d.upstream()['queue']['waiting'] == 1)
    third = background(lambda: d.get('/ex/third'))
    eventually(lambda: d.upstream()['queue']['waiting'] == 2)
    fourth = d.get('/ex/fourth', [('Trunkline-Timeout', '300ms')])
    assert fourth.status == 429
    gate.release()
    assert [c.result().status for c in (first, second, third)] == [200, 200, 200]
    for answer, words in ((second.result(), 'queues for a connection at place 1'),
                          (third.result(), 'queues for a connection at place 2'), (fourth, 'held: ')):
        rid = answer.get('trunkline-request')
        assert [li for li in d.stderr.splitlines() if words in li and li.endswith(f' id={rid}')], (words, rid)


# --------------------------------------------------------------------------------------------- states

def test_awaiting_queued_and_receiving(daemon, origin):
    d = daemon(upstream('ex', origin, max_connections=1))
    gate = Gate(raw(b'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n', b'abc', b'def', gap=1))
    origin.on('/first', gate)
    assert under_way(d) == []
    first = background(lambda: d.get('/ex/first?signature=GEHEIM&a=1', [('Trunkline-Client', 'grid1'), ('X-MBX-APIKEY', 'GEHEIM')]))
    r = row(d, '/first', state='awaiting')
    assert (r['upstream'], r['method'], r['bot'], r['sent'], r['left']) == ('ex', 'GET', 'grid1', 'yes', False)
    assert r['client'].startswith('127.0.0.1:') and r['target'] == '/first?signature=***&a=1'
    assert isinstance(r['line'], int) and r['line'] > 0 and r['address'] == origin.address
    assert row(d, '/first', state='awaiting')['line'] == r['line']
    second = background(lambda: d.get('/ex/second'))
    q = row(d, '/second', state='queued', sent='no', line=None, address=None, bot=None)
    assert [x['id'] for x in under_way(d)] == [r['id'], q['id']], 'oldest first'
    gate.release()
    assert row(d, '/first', state='receiving')['line'] == r['line']
    assert first.result().get('trunkline-request') == r['id'] and second.result().get('trunkline-request') == q['id']
    eventually(lambda: under_way(d) == [])


def test_gated(daemon, origin):
    d = daemon(upstream('ex', origin, rate='1/3s', burst=1))
    works(d)
    held = background(lambda: d.get('/ex/held'))
    row(d, '/held', state='gated', sent='no')
    assert held.result().status == 200


def test_connecting(daemon, origins):
    """While the TLS handshake with the origin is not finished."""
    greet = threading.Event()
    origin = origins(greet=greet)
    d = daemon(upstream('ex', origin))
    call = background(lambda: works(d, '/ex/x'))
    row(d, '/x', state='connecting', sent='no', line=None)
    greet.set()
    assert call.result().status == 200


def test_on_http2(daemon, origins):
    """Requests that share a connection show the same one."""
    origin = origins(alpn=('h2', 'http/1.1'))
    d = daemon(upstream('ex', origin, max_connections=1))
    works(d)
    gate = Gate()
    origin.on('/a', gate), origin.on('/b', gate)
    calls = [background(lambda p=p: d.get(f'/ex/{p}')) for p in 'ab']
    rows = [row(d, f'/{p}', state='awaiting', sent='yes') for p in 'ab']
    assert rows[0]['line'] == rows[1]['line'] and rows[0]['address'] == rows[1]['address'] == origin.address
    gate.release()
    assert [c.result().status for c in calls] == [200, 200]


def test_reading_and_sending(daemon, origin):
    """A small body is read completely before the request is sent; a long one is sent while the client still sends it."""
    d = daemon(upstream('ex', origin))
    with d.client() as c:
        c.send(b'POST /ex/small HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhe')
        small = row(d, '/small', state='reading', sent='no', line=None)
        c.send(b'llo')
        assert c.response('POST').get('trunkline-request') == small['id']
        c.send(b'POST /ex/long HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n' + b'x' * 100000)
        row(d, '/long', state='sending', sent='partial')
        c.send(b'x' * 100000)
        assert c.response('POST').status == 200


def test_followers_and_those_who_left(daemon, origin):
    """Requests that share a response show the state and connection of the one that was sent. An order whose client has disconnected
    is listed until it ends."""
    d = daemon(upstream('ex', origin, coalesce=True))
    gate, order = Gate(), Gate()
    origin.on('/shared', gate)
    origin.on('/order', order)
    calls = [background(lambda: d.get('/ex/shared')) for _ in range(3)]
    rows = eventually(lambda: (r := under_way(d)) and len(r) == 3 and all(x['state'] == 'awaiting' for x in r) and r)
    assert len({x['line'] for x in rows}) == 1 and len({x['id'] for x in rows}) == 3
    c = d.client()
    c.send(wire.compose('POST', '/ex/order', body=b'x'))
    row(d, '/order', state='awaiting', left=False)
    c.abort()
    row(d, '/order', state='awaiting', left=True, sent='yes')
    gate.release(), order.release()
    assert {x.result().get('trunkline-request') for x in calls} == {x['id'] for x in rows}
    eventually(lambda: under_way(d) == [])


def test_it_is_for_no_other_site(daemon, origin):
    d = daemon(upstream('ex', origin))
    assert d.get('/requests', [('Sec-Fetch-Site', 'cross-site')]).status == 403
    assert d.get('/requests', [('Origin', 'https://evil.test')]).status == 403
    assert d.raw(b'GET /requests HTTP/1.1\r\nHost: evil.test\r\n\r\n').status == 403
    assert d.request('POST', '/requests').status == 405 and d.request('HEAD', '/requests').status == 200


@pytest.mark.slow
def test_thousands_do_not_hold_the_loop_up(daemon, origin):
    """With 2,000 requests in progress, the page lists all of them, oldest first, and other clients are still served. A client that
    does not read the page, and requests that end while it is sent, do no harm."""
    count = 2000
    d = daemon(upstream('ex', origin, max_connections=1, queue_limit=5000, queue_timeout='1m', total_timeout='1m'), max_clients=5000)
    works(d)
    gate = Gate()
    origin.on('/held', gate)
    clients = [d.client() for _ in range(count)]
    for n, c in enumerate(clients):
        c.send(wire.compose('GET', f'/ex/held?n={n}'))
    eventually(lambda: d.stats()['requests']['active'] == count)
    rows = under_way(d)
    assert len(rows) == count and len({r['id'] for r in rows}) == count
    ages = [r['age_ms'] for r in rows]
    assert all(a >= b - 1000 for a, b in zip(ages, ages[1:])) and {r['state'] for r in rows} == {'awaiting', 'queued'}
    stuck = d.client(rcvbuf=4096)
    stuck.send(wire.compose('GET', '/requests'))
    pages = background(lambda: [len(under_way(d)) for _ in range(5)])
    slowest = max(d.get('/healthz').took for _ in range(200))
    assert slowest < 0.5 and pages.result() == [count] * 5
    for c in clients[count // 2:]:
        c.abort()
    eventually(lambda: d.stats()['requests']['active'] == count // 2)
    assert len(under_way(d)) == count // 2
    stuck.abort()
    for c in clients[:count // 2]:
        c.abort()
    eventually(lambda: under_way(d) == [])


# ---------------------------------------------------------------------------------------- trunkline requests

def test_the_table(daemon, origin):
    """One row per request. --upstream selects those of one upstream, --json prints the document, and exit statuses are those of `stats`."""
    other = Origin(cert='good')
    with other:
        d = daemon(upstream('ex', origin), upstream('two', other, host='exchange.test:8443'))
        none = d.cli('requests')
        assert (none.returncode, none.stdout) == (0, '0 requests under way\n'), none.stderr
        gates = Gate(), Gate()
        origin.on('/a', gates[0])
        other.on('/b', gates[1])
        calls = [background(lambda: d.get('/ex/a')), background(lambda: d.get('/two/b'))]
        rows = row(d, '/a', state='awaiting'), row(d, '/b', state='awaiting')
        out = d.cli('requests').stdout.splitlines()
        assert out[0] == '2 requests under way: 2 awaiting' and out[1].split()[:4] == ['age', 'state', 'sent', 'upstream']
        assert len(out) == 4 and all(r['id'] in ''.join(out) for r in rows)
        only = d.cli('requests', '--upstream', 'two').stdout
        assert '1 request under way' in only and rows[1]['id'] in only and rows[0]['id'] not in only
        for args, ids in (((), {r['id'] for r in rows}), (('--upstream', 'two'), {rows[1]['id']})):
            assert {r['id'] for r in json.loads(d.cli('requests', '--json', *args).stdout)['requests']} == ids
        for g in gates:
            g.release()
        assert all(c.result().status == 200 for c in calls)
    assert d.cli('requests', '--json', '--watch').returncode == 64
    assert d.cli('requests', 'ex').returncode == 64
    d.stop()
    gone = d.cli('requests')
    assert gone.returncode == 69 and gone.stdout == '' and gone.stderr.startswith('trunkline: http://')


def test_watch(daemon, origin):
    """To a pipe, --watch prints one block per interval until it is terminated."""
    d = daemon(upstream('ex', origin))
    gate = Gate()
    origin.on('/held', gate)
    call = background(lambda: d.get('/ex/held'))
    rid = row(d, '/held', state='awaiting')['id']
    with subprocess.Popen([binary(), 'requests', '--watch', '--url', d.url], stdout=subprocess.PIPE, text=True) as watch:
        blocks = []
        while 'under way: 1 awaiting' not in ''.join(blocks) or rid[:8] not in ''.join(blocks):
            line = watch.stdout.readline()
            assert line, blocks
            blocks.append(line)
        gate.release()
        while '0 requests under way' not in blocks[-1]:
            blocks.append(watch.stdout.readline())
            assert blocks[-1], blocks
        watch.terminate()
        assert watch.wait(20) == 0
    assert call.result().status == 200


# ------------------------------------------------------------------------------------------ rare branches

def test_rare_branches(daemon, origin):
    """Counts start at 0. The table omits branches that were never taken, except with --all, and a plain /stats contains none of them."""
    d = daemon(upstream('ex', origin))
    assert d.cli('stats', '--rare').stdout == 'no rare branch was taken since the start\n'
    origin.on('/hints', reply(early=[(103, [])]))
    assert d.get('/ex/hints').status == 200
    rare = {r['name']: r['count'] for r in d.get('/stats?rare').json()['rare']}
    assert rare['h1_interim'] == 1 and sum(rare.values()) == 1
    assert 'rare' not in d.get('/stats').json()
    table = d.cli('stats', '--rare').stdout.splitlines()
    assert len(table) == 2 and table[1].split() == ['h1_interim', 'protocol/h1_exchange.c', '1']
    assert len(d.cli('stats', '--rare', '--all').stdout.splitlines()) == len(rare) + 1
    assert d.cli('stats', '--rare', '--watch').returncode == d.cli('stats', '--all').returncode == 64
    assert 'rare' in json.loads(d.cli('stats', '--rare', '--json').stdout)
