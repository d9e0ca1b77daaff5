"""`dedupe`: a copy of an order is not sent. It gets the answer to the order, or hears what is known of that."""
import json
import re
import signal
import time

import pytest

from lib import certs, programs
from lib.behaviour import Gate, drop, hang, raw, reply
from lib.daemon import cli, upstream
from lib.h2_origin import Code, h2_reset
from lib.promise import own_error
from lib.wire import background, compose, eventually

KEY = [('API-Key', 'k'), ('API-Sign', 's')]
BODY = b'pair=XBTUSD&volume=1&nonce=1'
ORDER = '/ex/0/private/AddOrder'


def place(d, headers=(), body=BODY, credential=KEY, target=ORDER, method='POST', **how):
    return d.request(method, target, [*credential, *headers], body, timeout=30, **how)


def orders(origin):
    return sum(r.method != 'GET' for r in origin.requests)


def duplicates(d):
    return d.upstream()['requests']['duplicates']


def is_copy(r):
    return r.get('trunkline-duplicate') == 'yes'


def told(r, status, error, sent, words):
    """The error that a copy of an order gets."""
    body = own_error(r, status, error, sent)
    assert is_copy(r) and re.search(words, body['detail']), body
    return body


def held(d, origin, **how):
    """An order that has reached the origin, which does not answer yet: its gate, and its response to come."""
    gate = origin.default = Gate(**how)
    first = background(lambda: place(d))
    eventually(lambda: gate.waiting == 1)
    return gate, first


def waiting(d):
    return [r['id'] for r in d.get('/requests').json()['requests'] if r['state'] == 'duplicate']


@pytest.mark.parametrize('end, status', [(reply(200, b'taken'), 200), (drop('reset'), 502)], ids=['answered', 'unknown'])
def test_switched_on_by_a_reload(daemon, origin, end, status):
    """A copy of an order that was under way when a reload switched dedupe on waits for its fate."""
    d = daemon(upstream('ex', origin))
    gate = origin.default = Gate(end)
    first = background(lambda: place(d))
    eventually(lambda: gate.waiting == 1)
    d.reload(upstream('ex', origin, dedupe='10s'))
    eventually(lambda: 'reloaded' in d.stderr)
    second = background(lambda: place(d))
    eventually(lambda: len(waiting(d)) == 1)
    gate.release()
    assert first.result(30).status == status
    if status == 200:
        assert second.result(30).body == b'taken' and is_copy(second.result(30))
    else:
        told(second.result(30), 409, 'connection_terminated', 'yes', 'its outcome is unknown')
    assert orders(origin) == 1
    other = background(lambda: place(d, body=BODY + b'1'))
    eventually(lambda: orders(origin) == 2)
    other.result(30)


@pytest.mark.parametrize('where', ['paused', 'reading', 'answering'])
def test_switched_on_by_a_reload_while_it_waits(daemon, origin, where):
    """Likewise, without a journal, an order that waits, whose body is still coming, or whose answer is: a copy waits for it."""
    d = daemon(upstream('ex', origin, order_wait='60s', total_timeout='60s'))
    gate = origin.default = Gate(reply(200, b'taken'))
    whole = compose('POST', ORDER, [*KEY], body=BODY)
    c = d.client().send(whole[:-4] if where == 'reading' else b'')
    if where == 'paused':
        assert d.request('POST', '/upstreams/ex/pause').status == 204
    if where != 'reading':
        c.send(whole)
    state = {'paused': 'queued', 'reading': 'reading', 'answering': 'awaiting'}[where]
    eventually(lambda: any(r['state'] == state for r in d.get('/requests').json()['requests']))
    d.reload(upstream('ex', origin, dedupe='10s', order_wait='60s', total_timeout='60s'))
    eventually(lambda: 'reloaded' in d.stderr)
    if where == 'reading':      # then the copy is the first, and what was there before it is the copy
        copy = background(lambda: place(d))
        eventually(lambda: gate.waiting == 1)
        c.send(whole[-4:])
        eventually(lambda: len(waiting(d)) == 1)
    else:
        copy = background(lambda: place(d))
        eventually(lambda: len(waiting(d)) == 1)
        assert d.request('POST', '/upstreams/ex/resume').status == 204
        eventually(lambda: gate.waiting == 1)
    gate.release()
    first, second = c.response('POST'), copy.result(30)
    assert (first.status, second.status) == (200, 200) and first.body == second.body == b'taken'
    assert (is_copy(first), is_copy(second)) == ((True, False) if where == 'reading' else (False, True))
    assert orders(origin) == 1


@pytest.mark.parametrize('who', ['the one before', 'the next one'])
def test_two_lives_with_one_journal(daemon, origin, tmp_path, who):
    """While a daemon drains its successor may get a copy of an order that still waits there. The first that has its line in the journal goes."""
    journal = str(tmp_path / 'journal')
    hold, gate = Gate(), Gate(reply(200, b'taken'))
    origin.on('/hold', hold)
    origin.default = gate
    how = dict(dedupe='30s', order_wait='60s', total_timeout='60s', queue_timeout='60s')
    old = daemon(upstream('ex', origin, max_connections=1, **how), order_journal=journal, drain_timeout='60s')
    held = background(lambda: old.get('/ex/hold'))
    eventually(lambda: hold.waiting)
    first = background(lambda: place(old))
    eventually(lambda: any(r['state'] == 'queued' for r in old.get('/requests').json()['requests']))
    old.kill(signal.SIGTERM)
    eventually(lambda: 'draining' in old.stderr)
    new = daemon(upstream('ex', origin, **how), order_journal=journal)
    if who == 'the next one':
        second = background(lambda: place(new))
        eventually(lambda: gate.waiting == 1)
        hold.release()
        told(first.result(30), 409, 'http_request_denied', 'yes', 'copy of order .*, sent .* ago: its outcome is unknown')
        gate.release()
        assert second.result(30).status == 200
    else:
        hold.release()
        eventually(lambda: gate.waiting == 1)
        second = place(new)
        told(second, 409, 'http_request_denied', 'yes', 'copy of order .*, sent .* ago: its outcome is unknown')
        gate.release()
        assert first.result(30).status == 200
        other = place(new, body=BODY + b'2')            # with its line the end of the first is heard
        assert other.status == 200
        told(place(new), 409, 'http_request_denied', 'yes', 'answered 200')
    assert held.result(30).status == 200 and old.wait() == 0
    assert [r.body for r in origin.requests if r.method != 'GET'].count(BODY) == 1
    lines = [json.loads(x) for x in cli('orders', '--json', journal).stdout.splitlines()]
    fates = sorted((o['fate'], o['sent']) for o in lines if o['digest'] == lines[0]['digest'])
    assert fates in ([('known', 'no'), ('known', 'yes')], [('known', 'yes')])   # the copy's line may have been asked for or not


def test_two_lives_at_once(daemon, origin, tmp_path):
    """Forty orders that wait in a daemon that drains, while its successor gets a copy of each: whichever life sends it, it is sent once."""
    journal, count = str(tmp_path / 'journal'), 40
    hold = Gate()
    origin.on('/hold', hold)
    how = dict(dedupe='30s', order_wait='60s', total_timeout='60s', queue_timeout='60s')
    old = daemon(upstream('ex', origin, max_connections=1, **how), order_journal=journal, drain_timeout='60s')
    held = background(lambda: old.get('/ex/hold'))
    eventually(lambda: hold.waiting)
    asked = [background(lambda n=n: place(old, body=b'%d' % n)) for n in range(count)]
    eventually(lambda: sum(r['state'] == 'queued' for r in old.get('/requests').json()['requests']) == count)
    old.kill(signal.SIGTERM)
    eventually(lambda: 'draining' in old.stderr)
    new = daemon(upstream('ex', origin, **how), order_journal=journal)
    hold.release()
    asked += [background(lambda n=n: place(new, body=b'%d' % n)) for n in reversed(range(count))]
    statuses = [a.result(60).status for a in asked]
    assert statuses.count(200) == statuses.count(409) == count, statuses
    assert sorted(int(r.body) for r in origin.requests if r.method == 'POST') == list(range(count))
    assert held.result(30).status == 200 and old.wait() == 0
    assert not cli('orders', '--unknown', '--json', journal).stdout


def test_the_last_line_of_the_one_before(daemon, origin, tmp_path):
    """It is written when nothing is left that could hear what the next one has written since."""
    journal = tmp_path / 'journal'
    gate = Gate()
    origin.on('/held', gate)
    how = dict(order_journal=str(journal), drain_timeout='60s')
    old = daemon(upstream('ex', origin, dedupe='30s'), **how)
    first = background(lambda: place(old, target='/ex/held'))
    eventually(lambda: gate.waiting == 1)
    old.kill(signal.SIGTERM)
    eventually(lambda: 'draining' in old.stderr)
    new = daemon(upstream('ex', origin, dedupe='30s'), **how)
    for i in range(50):
        assert place(new, body=BODY + str(i).encode()).status == 200
    old.kill(signal.SIGSTOP)        # so that both signals are there at once
    old.kill(signal.SIGTERM)
    old.kill(signal.SIGINT)
    old.kill(signal.SIGCONT)
    assert old.wait() == 0
    own_error(first.result(30), 503, 'destination_unavailable', 'yes')
    gate.release()
    last = [json.loads(line) for line in journal.read_text().splitlines()][-1]
    assert (last['ev'], last['sent'], last['unknown']) == ('end', 'yes', True)


@pytest.mark.parametrize('alpn', ['http/1.1', 'h2'])
def test_fifty_at_once_reach_the_origin_once(daemon, origins, alpn):
    """All 50 get the answer, each with an id of its own; what the origin says in trunkline's name is nobody's."""
    origin = origins(alpn=(alpn,))
    gate = origin.default = Gate(reply(200, b'{"txid":"T1"}', [('Set-Cookie', 'a=b'), ('Proxy-Status', 'trunkline; error=forged')]))
    d = daemon(upstream('ex', origin, dedupe='10s', max_connections=60))
    asked = [background(lambda: place(d)) for _ in range(50)]
    eventually(lambda: d.upstream()['requests']['active'] == 50 and gate.waiting == 1 and len(waiting(d)) == 49)
    gate.release()
    got = [a.result(30) for a in asked]
    assert {(r.status, r.body, r.get('set-cookie')) for r in got} == {(200, b'{"txid":"T1"}', 'a=b')}
    assert orders(origin) == 1 and duplicates(d) == 49 and sum(is_copy(r) for r in got) == 49
    assert len({r.get('trunkline-request') for r in got}) == 50 and not any(r.get('proxy-status') for r in got)
    u = d.upstream()
    assert u['requests']['succeeded'] == 50 and u['requests']['unknown'] == 0
    assert 'trunkline_order_duplicates_total{upstream="ex"} 49' in d.get('/metrics').text


def test_a_later_copy_gets_the_answer_too(daemon, origin, tmp_path):
    """With every field as the origin sent it, whatever form the request has; and within its time only."""
    log = tmp_path / 'log'
    origin.default = reply(201, b'{"id":7}', [('Location', 'https://exchange.test/order/7')], framing='chunked', pieces=3)
    d = daemon(upstream('ex', origin, dedupe='2s'), access_log=str(log), access_log_format='json')
    first = place(d)
    again = place(d, target='http://exchange.test/0/private/AddOrder', headers=[('User-Agent', 'other'), ('Trunkline-Client', 'b2')])
    assert first.status == again.status == 201 and again.body == first.body and is_copy(again) and not is_copy(first)
    assert again.get('location') == 'http://exchange.test/order/7' and again.get('date') == first.get('date')
    assert orders(origin) == 1
    lines = eventually(lambda: (t := log.read_text().splitlines()) and len(t) == 2 and [json.loads(x) for x in t])
    assert ['duplicate' in x for x in lines] == [False, True] and lines[1]['duplicate'] == 'yes' and lines[1]['sent'] == 'yes'
    time.sleep(2.1)
    assert not is_copy(place(d)) and orders(origin) == 2


def test_what_is_no_copy(daemon, origin):
    """Another method, target, credential or body; no credential at all; what is no order; a body of more than 64 KiB."""
    d = daemon(upstream('ex', origin, dedupe='10s'))
    long = b'x' * 65537
    asks = [dict(), dict(method='PUT'), dict(target=ORDER + '?a'), dict(body=b'other'), dict(credential=[('API-Key', 'l'), ('API-Sign', 's')]),
            dict(credential=KEY[:1]), dict(credential=[]), dict(credential=[]), dict(method='GET', body=b''), dict(method='GET', body=b''),
            dict(body=long), dict(body=long)]
    for ask in asks:
        r = place(d, **ask)
        assert r.status == 200 and not is_copy(r), ask
    assert len(origin.requests) == len(asks) and duplicates(d) == 0
    for ask in asks[:6]:
        assert is_copy(place(d, **ask)), ask
    assert is_copy(place(d, body=b'', method='DELETE')) is False and is_copy(place(d, body=b'', method='DELETE'))
    assert len(origin.requests) == len(asks) + 1 and duplicates(d) == 7


def test_lists_say_what_is_an_order(daemon, origin):
    """With order_paths only those; and a path block may set another time."""
    d = daemon(upstream('ex', origin, dedupe='10s', order_paths=['/0/private/AddOrder'], cancel_paths=['/0/private/Cancel']) .replace(
        '\n}', '\n    path "/0/private/AddOrderBatch" { dedupe = 0 }\n}'))
    for target, copies in ((ORDER, 1), ('/ex/0/private/CancelOrder', 1), ('/ex/0/private/Balance', 0), (ORDER + 'Batch', 0)):
        before = duplicates(d)
        place(d, target=target)
        place(d, target=target)
        assert duplicates(d) - before == copies, target


FATES = {
    'reset': (drop('reset'), {}, 'connection_terminated'),
    'closed': (drop('close'), {}, 'connection_terminated'),
    'silent': (hang(), dict(response_timeout='300ms'), 'http_response_timeout'),
    'cut off': (raw(b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal', then='close'), {}, 'http_response_incomplete'),
    'garbage': (raw(b'garbage\r\n\r\n', then='close'), {}, 'http_protocol_error'),
}


@pytest.mark.parametrize('fate', FATES)
def test_an_order_of_unknown_fate(daemon, origin, fate):
    """Copies hear 409 with its error and its `sent`, its id and its age; it is of unknown fate once."""
    origin.default, how, error = FATES[fate]
    d = daemon(upstream('ex', origin, dedupe='10s', **how))
    first = place(d)
    own_error(first, (502, 504), error, 'yes')
    for accept in ('*/*', 'application/json'):
        body = told(place(d, [('Accept', accept)]), 409, error, 'yes', r'sent \d+\w+ ago: its outcome is unknown')
        assert first.get('trunkline-request') in body['detail']
    u = d.upstream()
    assert orders(origin) == 1 and u['requests']['unknown'] == 1 and u['requests']['duplicates'] == 2
    assert d.stderr.count('order of unknown fate') == 1


@pytest.mark.parametrize('status', [400, 401, 408, 429, 500, 502, 503])
def test_an_answer_is_an_answer(daemon, origin, status):
    """Whatever it says: whoever asks again gets the same."""
    origin.default = reply(status, b'no', [('Retry-After', '0')])
    d = daemon(upstream('ex', origin, dedupe='10s', retry_after='no'))
    assert [(r.status, r.body, is_copy(r)) for r in (place(d), place(d))] == [(status, b'no', False), (status, b'no', True)]
    assert orders(origin) == 1 and d.upstream()['requests']['unknown'] == (status >= 500 or status == 408)


@pytest.mark.parametrize('framing', ['length', 'chunked', 'close'])
@pytest.mark.parametrize('size', [65536, 65537])
def test_answers_are_kept_up_to_64k(daemon, origin, framing, size):
    origin.default = reply(200, b'x' * size, framing=framing)
    d = daemon(upstream('ex', origin, dedupe='10s'))
    assert len(place(d).body) == size
    again = place(d)
    if size == 65536:
        assert again.status == 200 and len(again.body) == size and is_copy(again)
    else:
        told(again, 409, 'http_request_denied', 'yes', 'answered 200')
    assert orders(origin) == 1


def test_an_unsent_order_lets_one_copy_go(daemon, origin):
    """The origin refuses connections: the first is answered `no`, the next one goes in its place, and so on; none is a copy."""
    d = daemon(upstream('ex', '127.0.0.1:9', dedupe='10s', order_wait='1s', breaker_failures=1000))
    got = [background(lambda: place(d)) for _ in range(5)]
    for r in got:
        body = own_error(r.result(30), (502, 503, 504), ('connection_refused', 'connection_limit_reached', 'destination_unavailable'), 'no')
        assert body['sent'] == 'no'
    assert duplicates(d) == 0


def test_one_copy_goes_and_the_others_follow(daemon, origin):
    """Behind one connection that is busy: the first leaves before it was sent; of its copies one is sent."""
    d = daemon(upstream('ex', origin, dedupe='10s', max_connections=1, order_wait='20s', queue_timeout='20s', total_timeout='20s'))
    busy = Gate()
    origin.on('/busy', busy)
    quote = background(lambda: d.get('/ex/busy', timeout=30))
    eventually(lambda: busy.waiting == 1)
    first = d.client()
    first.send(compose('POST', ORDER, KEY, BODY))
    eventually(lambda: d.upstream()['requests']['active'] == 2)
    copies = [background(lambda: place(d)) for _ in range(5)]
    eventually(lambda: len(waiting(d)) == 5)
    first.abort()
    eventually(lambda: len(waiting(d)) == 4)
    busy.release()
    assert quote.result(30).status == 200
    got = [c.result(30) for c in copies]
    assert {r.status for r in got} == {200} and sum(is_copy(r) for r in got) == 4 and orders(origin) == 1
    assert d.upstream()['requests']['abandoned'] == 1


def test_who_left_and_asks_again_gets_the_answer(daemon, origin):
    """Its client gives up once the order is sent; the answer is read and kept."""
    d = daemon(upstream('ex', origin, dedupe='10s'))
    gate = origin.default = Gate(reply(200, b'done'))
    first = d.client()
    first.send(compose('POST', ORDER, KEY, BODY))
    eventually(lambda: gate.waiting == 1)
    first.abort()
    eventually(lambda: any(r['left'] for r in d.get('/requests').json()['requests']))
    again = background(lambda: place(d))
    eventually(lambda: len(waiting(d)) == 1)
    gate.release()
    assert (again.result(30).body, place(d).body) == (b'done', b'done') and orders(origin) == 1


@pytest.mark.parametrize('how', ['total_timeout', 'Trunkline-Timeout'])
def test_a_copy_that_gives_up_never_says_no(daemon, origin, how):
    """Its own deadline, while the order that it waits for is at the origin."""
    d = daemon(upstream('ex', origin, dedupe='10s'))
    gate, first = held(d, origin)
    if how == 'total_timeout':
        d.blocks = (upstream('ex', origin, dedupe='10s', total_timeout='300ms'),)
        d.write()
        assert d.cli('reload').returncode == 0
    told(place(d, [('Trunkline-Timeout', '300ms')] if how != 'total_timeout' else []), 504, 'http_response_timeout', 'yes', 'copy of order')
    gate.release()
    assert first.result(30).status == 200 and orders(origin) == 1


@pytest.mark.parametrize('verb', ['pause', 'drain', 'freeze'])
def test_verbs(daemon, origin, verb):
    """A copy of an order that is at the origin waits for its answer, whatever is done to the upstream meanwhile."""
    d = daemon(upstream('ex', origin, dedupe='10s'))
    gate, first = held(d, origin)
    copy = background(lambda: place(d))
    eventually(lambda: len(waiting(d)) == 1)
    assert d.verb(verb).status == 204
    late = background(lambda: place(d))
    eventually(lambda: len(waiting(d)) == 2)
    gate.release()
    assert [x.result(30).status for x in (first, copy, late)] == [200] * 3 and orders(origin) == 1


def test_the_very_end(daemon, origin):
    """Orders and copies are all answered, with what is true of the order."""
    d = daemon(upstream('ex', origin, dedupe='10s'), drain_timeout='300ms')
    gate, first = held(d, origin)
    copies = [background(lambda: place(d)) for _ in range(3)]
    eventually(lambda: len(waiting(d)) == 3)
    d.kill(15)
    for r in (first, *copies):
        own_error(r.result(30), (503, 409), 'destination_unavailable' if r is first else ('destination_unavailable', 'http_request_denied'), 'yes')
    d.wait()
    assert orders(origin) == 1


def test_a_reload_forgets_nothing(daemon, origin):
    d = daemon(upstream('ex', origin, dedupe='10s'))
    assert place(d).status == 200
    for how, copies in ((dict(dedupe='10s', max_connections=3, order_wait='2s'), True), (dict(dedupe='0'), False)):
        d.blocks = (upstream('ex', origin, **how),)
        d.write()
        assert d.cli('reload').returncode == 0
        assert is_copy(place(d)) == copies and orders(origin) == (1 if copies else 2)


def test_copies_pass_neither_gate_nor_serializer(daemon, origin):
    """They cost no token, and wait for the order and not behind it."""
    d = daemon(upstream('ex', origin, dedupe='10s', serialize_by='API-Key', rate='1/1h', burst=1))
    gate, first = held(d, origin)
    copies = [background(lambda: place(d)) for _ in range(5)]
    eventually(lambda: len(waiting(d)) == 5)
    gate.release()
    assert {x.result(30).status for x in (first, *copies)} == {200} and orders(origin) == 1
    assert is_copy(place(d))


def test_inside_an_intercepted_connect(daemon, origin, tmp_path):
    """A copy by way of TLS inside CONNECT is one of an order in plain form."""
    programs.need('curl')
    assert cli('ca', 'init', '--dir', tmp_path, '--host', 'exchange.test').returncode == 0
    d = daemon(upstream('ex', origin, dedupe='1h'), connect='intercept', ca_cert=str(tmp_path / 'issuer.pem'), ca_key=str(tmp_path / 'ca.key'))
    assert place(d).status == 200
    out = programs.shell(f'curl -q -sS -i --cacert {tmp_path}/ca.pem -x {d.url} -H "API-Key: k" -H "API-Sign: s" -d "{BODY.decode()}" '
                         'https://exchange.test/0/private/AddOrder', CA=certs.CA)
    assert any('trunkline-duplicate: yes' in line.lower() for line in out) and orders(origin) == 1, (out, origin.requests)


def test_a_refused_stream_is_one_order(daemon, origins):
    """The origin refuses the order's stream (RFC 9113 8.7), and it goes again; its copies wait for the answer all the same."""
    origin = origins(alpn=('h2',))
    gate = Gate(h2_reset(Code.REFUSED_STREAM))
    origin.on('/0/private/AddOrder', gate, reply(200, b'done'))
    d = daemon(upstream('ex', origin, dedupe='10s'))
    first = background(lambda: place(d))
    eventually(lambda: gate.waiting == 1)
    copies = [background(lambda: place(d)) for _ in range(3)]
    eventually(lambda: len(waiting(d)) == 3)
    gate.release()
    assert {x.result(30).body for x in (first, *copies)} == {b'done'}
    assert orders(origin) == 2 and duplicates(d) == 3 and d.upstream()['requests']['retried'] == 1


def test_the_journal_has_the_order_and_not_its_copies(daemon, origin, tmp_path):
    """One begin and one end, with its digest; the copies are told of neither."""
    journal = tmp_path / 'orders'
    d = daemon(upstream('ex', origin, dedupe='10s'), order_journal=str(journal))
    gate, first = held(d, origin)
    copies = [background(lambda: place(d)) for _ in range(10)]
    eventually(lambda: len(waiting(d)) == 10)
    gate.release()
    assert {x.result(30).status for x in (first, *copies)} == {200} and is_copy(place(d))
    assert d.stop() == 0
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    ends = [line for line in lines if line['ev'] != 'start']
    assert [line['ev'] for line in ends] == ['begin', 'end'] and {line['id'] for line in ends} == {first.result().get('trunkline-request')}
    assert re.fullmatch('[0-9a-f]{32}', ends[0]['digest'])


def test_a_restart_forgets_nothing(daemon, origin, tmp_path):
    """kill -9, with a journal: an order that was answered, one of unknown fate, one that is under way. And one that was refused unsent,
    which goes."""
    journal = tmp_path / 'orders'
    how = dict(order_journal=str(journal))
    block = upstream('ex', origin, dedupe='1m')
    d = daemon(block, **how)
    ids = {}
    for name, behaviour in (('answered', reply(201, b'ok')), ('lost', drop('reset'))):
        origin.on(f'/{name}', behaviour)
        ids[name] = place(d, target=f'/ex/{name}').get('trunkline-request')
    d.verb('freeze')
    assert place(d, target='/ex/unsent').status == 503
    d.verb('unfreeze')
    gate = Gate()
    origin.on('/open', gate)
    client = d.client()
    client.send(compose('POST', '/ex/open', KEY, BODY))
    eventually(lambda: gate.waiting == 1)
    eventually(lambda: journal.read_text().count('"ev":"begin"') == 3)
    d.stop(signal.SIGKILL)
    d.reaped = True
    gate.release()
    before = orders(origin)
    d = daemon(block, **how)
    body = told(place(d, target='/ex/answered'), 409, 'http_request_denied', 'yes', r'sent \d+\w+ ago: answered 201')
    assert ids['answered'] in body['detail']
    body = told(place(d, target='/ex/lost'), 409, 'connection_terminated', 'yes', 'its outcome is unknown')
    assert ids['lost'] in body['detail']
    told(place(d, target='/ex/open'), 409, 'http_request_denied', 'yes', 'its outcome is unknown')
    assert orders(origin) == before
    assert place(d, target='/ex/unsent').status == 200 and orders(origin) == before + 1
