"""The order journal: what is written when, what happens if it cannot be, and what is never lost."""
import json
import os
import re
import signal
import subprocess

import pytest

from lib import wire
from lib.behaviour import Gate, drop, raw, reply
from lib.daemon import cli, upstream
from lib.h2_origin import h2_reset
from lib.wire import background, eventually


def lines(path):
    """The lines of a journal. The last one may be about to be written."""
    text = path.read_text()
    return [json.loads(line) for line in text[:text.rfind('\n') + 1].splitlines() if line]


def events(path):
    """The events of a journal in short: 'start', 'begin 1', 'end 1 yes'."""
    found = []
    for line in lines(path):
        number = line['id'].split('-')[1] if 'id' in line else ''
        found.append(' '.join(filter(None, [line['ev'], number, line.get('sent')])))
    return found


@pytest.fixture
def journal(tmp_path):
    return tmp_path / 'orders.journal'


@pytest.fixture
def ex(daemon, origin, journal):
    return daemon(upstream('ex', origin, order_ids=['cl_ord_id', 'newClientOrderId']), order_journal=str(journal))


# ---------------------------------------------------------------------------------------- what is written

def test_the_lines(ex, origin, journal):
    """The begin line is there when the origin has the order, the end line when the client has its answer, with the keys of the
    contract, and both with the id of the answer."""
    gate = Gate(reply(200, b'taken'))
    origin.on('/order', gate)
    asked = background(lambda: ex.request('POST', '/ex/order?symbol=A&signature=S3CRET', [('Trunkline-Client', 'grid1'), ('API-Key', 'K3Y')],
                                          b'cl_ord_id=a1&x=2'))
    eventually(lambda: gate.waiting)
    start, begin = lines(journal)
    assert start['ev'] == 'start' and begin['id'].startswith(start['life'] + '-')
    gate.release()
    r = asked.result()
    end = lines(journal)[2]
    assert len(lines(journal)) == 3
    assert r.status == 200 and r.get('Trunkline-Request') == begin['id'] == end['id']
    assert begin.pop('client').startswith('127.0.0.1:')
    assert re.fullmatch(r'[0-9a-f]{32}', begin.pop('digest'))
    assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z', begin.pop('t')) and begin.pop('id')
    assert begin == {'ev': 'begin', 'upstream': 'ex', 'bot': 'grid1', 'method': 'POST', 'target': '/order?symbol=A&signature=***',
                     'order_ids': {'cl_ord_id': 'a1'}}
    assert end.pop('t') and end.pop('id') and end.pop('total_ms') > 0
    assert end == {'ev': 'end', 'sent': 'yes', 'status': 200, 'error': None, 'left': False, 'unknown': False}
    text = journal.read_text()
    assert 'S3CRET' not in text and 'K3Y' not in text
    assert journal.stat().st_mode & 0o777 == 0o640 & ~os.umask(os.umask(0))


@pytest.mark.parametrize('framing', ['length', 'chunked', 'close'])
@pytest.mark.parametrize('size', [0, 5, 60_000, 200_000])
def test_the_end_precedes_the_answer(ex, origin, journal, framing, size):
    """Whatever the answer's framing and size: its last byte comes after the end line."""
    origin.on('/order', reply(200, b'x' * size, framing=framing))
    with ex.client() as c:
        r = c.request('POST', '/ex/order', body=b'a')
        assert r.status == 200 and len(r.body) == size
        assert [e.split()[0] for e in events(journal)] == ['start', 'begin', 'end']


def test_no_body_at_all(ex, origin, journal):
    """A 204 is its head alone."""
    origin.on('/order', raw(b'HTTP/1.1 204 No Content\r\n\r\n'))
    assert ex.request('DELETE', '/ex/order').status == 204
    assert [e.split()[0] for e in events(journal)] == ['start', 'begin', 'end']


def test_only_orders(ex, journal):
    """A GET is no order. Without lists each POST, PUT, PATCH and DELETE is."""
    for method in ('GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE'):
        ex.request(method, '/ex/a', body=b'x' if method.startswith('P') else b'')
    assert [b['method'] for b in lines(journal) if b['ev'] == 'begin'] == ['POST', 'PUT', 'PATCH', 'DELETE']


def test_lists_decide(daemon, origin, journal):
    """With lists an order is what they name: a signed GET can be one, a POST that only reads is none."""
    d = daemon(upstream('ex', origin, order_paths=['/add'], cancel_paths=['POST /cancel']), order_journal=str(journal))
    for method, path in (('GET', '/add'), ('POST', '/read'), ('POST', '/cancel'), ('POST', '/add')):
        assert d.request(method, f'/ex{path}', body=b'x' if method == 'POST' else b'').status == 200
    assert [(b['method'], b['target']) for b in lines(journal) if b['ev'] == 'begin'] == [('GET', '/add'), ('POST', '/cancel'), ('POST', '/add')]


def test_digests(ex, journal):
    """Equal orders have equal digests, others have others, and a body over 64 KiB has none."""
    for body in (b'a', b'a', b'b', b'c' * 65536, b'd' * 65537):
        ex.request('POST', '/ex/a', body=body)
    one, same, other, most, none = [b['digest'] for b in lines(journal) if b['ev'] == 'begin']
    assert one == same and len({one, other, most}) == 3 and none is None


@pytest.mark.parametrize('body, found', [
    (b'{"cl_ord_id": "a"}', {'cl_ord_id': 'a'}),
    (b'{"orders": [{"cl_ord_id": "a"}, {"cl_ord_id": 7}]}', {'cl_ord_id': ['a', '7']}),
    (b'cl_ord_id=a%2Fb', {'cl_ord_id': 'a/b'}),
    (b'nothing=1', {}),
    (b'{"cl_ord_id": "a"' + b' ' * 70000 + b'}', {}),
], ids=['json', 'array', 'form', 'none', 'long'])
def test_order_ids(ex, journal, body, found):
    ex.request('POST', '/ex/a', body=body)
    assert lines(journal)[1]['order_ids'] == found


# ---------------------------------------------------------------------------------------- how orders end

def test_unsent(ex, origin, journal):
    """No line before a connection is at hand: an order that gets none leaves nothing in the journal."""
    origin.__exit__()
    r = ex.request('POST', '/ex/order', body=b'x')
    assert r.status == 502 and r.get('Trunkline-Sent') == 'no'
    eventually(lambda: events(journal))
    assert events(journal) == ['start']


def test_unknown(ex, origin, journal):
    """A connection that ends without an answer: the fate is unknown, and the warning has the ids."""
    origin.on('/order', drop('reset'))
    r = ex.request('POST', '/ex/order?newClientOrderId=n-7', body=b'x')
    assert r.status == 502 and r.get('Trunkline-Sent') == 'yes'
    end = lines(journal)[2]
    assert (end['sent'], end['status'], end['error'], end['unknown']) == ('yes', 502, 'connection_terminated', True)
    warning = eventually(lambda: re.search(r'order of unknown fate: .*', ex.stderr))
    assert 'newClientOrderId' in warning[0] and 'n-7' in warning[0], warning[0]


def test_the_warning_has_the_ids_without_a_journal(daemon, origin):
    """The ids are in the warning whether or not there is a journal."""
    d = daemon(upstream('ex', origin, order_ids=['cl_ord_id']))
    origin.on('/order', drop('reset'), reply(500, b'?'))
    for _ in range(2):
        d.request('POST', '/ex/order', body=b'cl_ord_id=n-8')
    eventually(lambda: len(re.findall(r'order of unknown fate: .*n-8', d.stderr)) == 2)


def test_known_refusals(daemon, origin, journal):
    """A 5xx that the preset knows as a refusal leaves nothing open."""
    d = daemon(upstream('ex', origin, known_refusals=['busy']), order_journal=str(journal))
    origin.on('/order', reply(503, b'busy now'), reply(503, b'what?'))
    d.request('POST', '/ex/order', body=b'x')
    d.request('POST', '/ex/order', body=b'x')
    assert [(e['status'], e['unknown']) for e in lines(journal) if e['ev'] == 'end'] == [(503, False), (503, True)]


def test_a_client_that_leaves(ex, origin, journal):
    """An order is followed after its client has left, and its outcome is in the journal with left."""
    gate = Gate(reply(200, b'taken'))
    origin.on('/order', gate)
    c = ex.client().send(wire.compose('POST', '/ex/order', body=b'x', host='127.0.0.1'))
    eventually(lambda: gate.waiting)
    c.close()
    eventually(lambda: ex.stats()['requests']['active'] == 1 and ex.stats()['clients']['open'] <= 2)
    gate.release()
    end = eventually(lambda: (lines(journal) + [None] * 3)[2])
    assert (end['sent'], end['status'], end['left'], end['unknown']) == ('yes', 200, True, False)


def test_the_very_end(daemon, origin, journal):
    """An order under way when drain_timeout is up ends with what is true of it, before its client hears."""
    gate = Gate(reply(200, b'late'))
    origin.on('/order', gate)
    d = daemon(upstream('ex', origin), order_journal=str(journal), drain_timeout='100ms')
    asked = background(lambda: d.request('POST', '/ex/order', body=b'x'))
    eventually(lambda: gate.waiting)
    d.kill(signal.SIGTERM)
    r = asked.result()
    assert r.status == 503 and r.get('Trunkline-Sent') == 'yes'
    end = lines(journal)[2]
    assert (end['sent'], end['error'], end['unknown']) == ('yes', 'destination_unavailable', True)
    assert d.wait() == 0
    gate.release()


# -------------------------------------------------------------------------------------- when it cannot be written

def test_cannot_be_opened(daemon, origin, tmp_path):
    """A path that cannot be opened: exit 69, and the reason with file and line; check says so too."""
    d = daemon(upstream('ex', origin), order_journal=str(tmp_path / 'none' / 'orders'), wait=False)
    assert d.wait() == 69
    assert re.search(r'trunkline\.conf:\d+: order_journal = .*/none/orders: No such file or directory', d.stderr), d.stderr
    out = cli('check', '-c', d.conf_path)
    assert out.returncode == 78 and 'No such file or directory' in out.stderr


def test_full_disk(daemon, origin, tmp_path):
    """A disk that takes nothing: orders are refused unsent, other requests are not."""
    d = daemon(upstream('ex', origin), order_journal='/dev/full')
    for _ in range(3):
        r = d.request('POST', '/ex/order', body=b'x')
        assert r.status == 503 and r.get('Trunkline-Sent') == 'no' and 'destination_unavailable' in r.get('Proxy-Status')
        assert 'the order journal cannot be written: No space left on device' in r.text
    assert d.get('/ex/quote').status == 200
    assert origin.paths() == ['/quote']
    eventually(lambda: 'cannot write /dev/full: No space left on device; orders are refused' in d.stderr)
    assert d.connections()['idle'] == 1                 # the line that was held for them was not lost
    journal = d.stats()['order_journal']
    assert journal['state'] == 'failing' and journal['refused'] == 3 and journal['error'] == 'No space left on device'


def test_full_disk_not_required(daemon, origin):
    """With order_journal_required = no they go on, with a warning."""
    d = daemon(upstream('ex', origin), order_journal='/dev/full', order_journal_required=False)
    for _ in range(3):
        assert d.request('POST', '/ex/order', body=b'x').status == 200
    eventually(lambda: 'warn order journal: cannot write /dev/full: No space left on device; orders go on' in d.stderr)
    assert len(re.findall('cannot write', d.stderr)) == 1
    assert d.stats()['order_journal']['missed'] == 3


def test_recovers(daemon, origin, journal):
    """A file that may not grow (RLIMIT_FSIZE, as a full disk): orders are refused; when it may again they go, by themselves, the
    lines that waited go first, and no line is cut into another."""
    gate = Gate(reply(200, b'taken'))
    origin.on('/held', gate)
    d = daemon(upstream('ex', origin), order_journal=str(journal))
    held = background(lambda: d.request('POST', '/ex/held', body=b'x'))
    eventually(lambda: gate.waiting)
    size = journal.stat().st_size
    subprocess.run(['prlimit', '--pid', str(d.pid), f'--fsize={size + 50}:unlimited'], check=True)
    assert d.request('POST', '/ex/order', body=b'x').status == 503
    gate.release()
    assert held.result().status == 200                  # the answer does not wait for room
    assert d.request('POST', '/ex/order', body=b'x').status == 503
    assert d.stats()['order_journal']['waiting'] >= 1
    subprocess.run(['prlimit', '--pid', str(d.pid), '--fsize=unlimited:unlimited'], check=True)
    assert d.request('POST', '/ex/order', body=b'x').status == 200
    assert d.stats()['order_journal']['state'] == 'ok'
    out = cli('orders', '--json', journal)
    assert out.returncode == 0
    orders = [json.loads(line) for line in out.stdout.splitlines()]
    assert [(o['target'], o['sent'], o['fate']) for o in orders if o['sent'] != 'no'] == [('/held', 'yes', 'known'), ('/order', 'yes', 'known')]
    assert not [o for o in orders if o['fate'] != 'known']
    assert origin.paths() == ['/held', '/order']


def test_a_full_pipe(daemon, origin, tmp_path):
    """A pipe that is not read blocks nothing: orders are refused when it is full."""
    pipe = tmp_path / 'pipe'
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        d = daemon(upstream('ex', origin), order_journal=str(pipe))
        statuses = [d.request('POST', '/ex/order', body=b'x').status for _ in range(2)]
        assert statuses == [200, 200]
        with d.client() as c:
            eventually(lambda: c.request('POST', '/ex/order?' + 'y' * 8000, body=b'x').status == 503)
        assert d.get('/ex/quote').status == 200
        os.read(reader, 65536)
        eventually(lambda: d.request('POST', '/ex/order', body=b'x').status == 200)
    finally:
        os.close(reader)


def test_reloaded_to_a_bad_path(ex, origin, journal):
    """A reload that names a path which cannot be opened is refused, and the old journal stays."""
    ex.reload(order_journal='/none/orders')
    eventually(lambda: 'reload refused' in ex.stderr)
    assert 'order_journal = /none/orders: No such file' in ex.stderr
    assert ex.request('POST', '/ex/order', body=b'x').status == 200
    assert [e.split()[0] for e in events(journal)] == ['start', 'begin', 'end']


# ---------------------------------------------------------------------------------- rotation, reload, restart

def test_rotation(ex, origin, journal, tmp_path):
    """mv and SIGUSR1: an order that is under way begins in the old file and ends in the new one; trunkline orders pairs them."""
    gate = Gate(reply(200, b'taken'))
    origin.on('/held', gate)
    held = background(lambda: ex.request('POST', '/ex/held', body=b'x'))
    eventually(lambda: gate.waiting)
    old = tmp_path / 'orders.journal.1'
    journal.rename(old)
    ex.kill(signal.SIGUSR1)
    eventually(lambda: journal.exists() and lines(journal))
    gate.release()
    assert held.result().status == 200
    assert [e.split()[0] for e in events(old)] == ['start', 'begin']
    assert [e.split()[0] for e in events(journal)] == ['start', 'end']
    assert lines(journal)[0]['life'] == lines(old)[0]['life']
    out = ex.cli('orders', '--json')
    assert [json.loads(line)['fate'] for line in out.stdout.splitlines()] == ['known']
    out = cli('orders', '--json', journal, old)         # in any order
    assert [json.loads(line)['fate'] for line in out.stdout.splitlines()] == ['known']


def test_a_second_daemon(ex, daemon, origin, journal, tmp_path):
    """Another daemon cannot have the same journal, not even after a rotation."""
    for _ in range(2):
        second = daemon(upstream('ex', origin), order_journal=str(journal), wait=False)
        assert second.wait() == 69 and 'another trunkline writes to it' in second.stderr, second.stderr
        journal.rename(tmp_path / 'old')
        ex.kill(signal.SIGUSR1)
        eventually(journal.exists)


def test_the_next_daemon_may_begin_during_the_drain(daemon, origin, journal):
    """From the drain on the next daemon may have the journal; the orders of both end in it."""
    gate = Gate(reply(200, b'taken'))
    origin.on('/held', gate)
    first = daemon(upstream('ex', origin), order_journal=str(journal))
    held = background(lambda: first.request('POST', '/ex/held', body=b'x'))
    eventually(lambda: gate.waiting)
    first.kill(signal.SIGTERM)
    eventually(lambda: 'draining' in first.stderr)
    second = daemon(upstream('ex', origin), order_journal=str(journal))
    assert second.request('POST', '/ex/order', body=b'x').status == 200
    out = cli('orders', '--open', '--json', journal)
    assert [(o['target'], o['fate']) for o in map(json.loads, out.stdout.splitlines())] == [('/held', 'open')]
    gate.release()
    assert held.result().status == 200 and first.wait() == 0
    out = cli('orders', '--json', journal)
    assert [(o['target'], o['fate']) for o in map(json.loads, out.stdout.splitlines())] == [('/held', 'known'), ('/order', 'known')]


def test_a_rotation_during_the_drain(daemon, origin, journal, tmp_path):
    """What it has given up it does not take again with the file that comes after a rotation."""
    gate = Gate(reply(200, b'taken'))
    origin.on('/held', gate)
    first = daemon(upstream('ex', origin), order_journal=str(journal))
    held = background(lambda: first.request('POST', '/ex/held', body=b'x'))
    eventually(lambda: gate.waiting)
    first.kill(signal.SIGTERM)
    eventually(lambda: 'draining' in first.stderr)
    journal.rename(tmp_path / 'old')
    first.kill(signal.SIGUSR1)
    eventually(journal.exists)
    second = daemon(upstream('ex', origin), order_journal=str(journal))
    assert second.request('POST', '/ex/order', body=b'x').status == 200
    gate.release()
    assert held.result().status == 200 and first.wait() == 0


def test_another_path(ex, origin, journal, tmp_path):
    """A reload names another path: what began in the old file ends there."""
    gate = Gate(reply(200, b'taken'))
    origin.on('/held', gate)
    held = background(lambda: ex.request('POST', '/ex/held', body=b'x'))
    eventually(lambda: gate.waiting)
    other = tmp_path / 'other'
    ex.reload(order_journal=str(other))
    eventually(lambda: other.exists() and 'reloaded' in ex.stderr)
    assert ex.request('POST', '/ex/order', body=b'x').status == 200
    gate.release()
    assert held.result().status == 200
    for path in (journal, other):
        assert [e.split()[0] for e in events(path)] == ['start', 'begin', 'end'], path


def test_there_and_back(ex, origin, journal, tmp_path):
    """A reload names another path, and the next one the old path again, while an order that began there is still open: it goes on
    in the same file, in which that order ends, too."""
    gate = Gate(reply(200, b'taken'))
    origin.on('/held', gate)
    held = background(lambda: ex.request('POST', '/ex/held', body=b'x'))
    eventually(lambda: gate.waiting)
    other = tmp_path / 'other'
    for times, path in enumerate((other, journal, other, journal), 1):
        ex.reload(order_journal=str(path))
        eventually(lambda: ex.stderr.count('reloaded') == times)
        assert 'refused' not in ex.stderr, ex.stderr
        assert ex.request('POST', '/ex/order', body=b'x').status == 200
    gate.release()
    assert held.result().status == 200
    assert [e.split()[0] for e in events(journal)] == ['start'] + ['begin'] + 2 * ['begin', 'end'] + ['end']
    assert sorted(e.split()[0] for e in events(other)) == ['begin', 'begin', 'end', 'end', 'start', 'start']
    assert ex.stats()['order_journal']['path'] == str(journal)


def test_back_to_one_that_another_daemon_has(ex, daemon, origin, journal, tmp_path):
    """What was given up to another daemon is not taken back from it."""
    gate = Gate(reply(200, b'taken'))
    origin.on('/held', gate)
    held = background(lambda: ex.request('POST', '/ex/held', body=b'x'))
    eventually(lambda: gate.waiting)
    ex.reload(order_journal=str(tmp_path / 'other'))
    eventually(lambda: 'reloaded' in ex.stderr)
    daemon(upstream('ex', origin), order_journal=str(journal))
    ex.reload(order_journal=str(journal))
    eventually(lambda: 'reload refused' in ex.stderr)
    assert 'another trunkline writes to it' in ex.stderr
    gate.release()
    assert held.result().status == 200


def test_after_a_kill(ex, origin, journal):
    """kill -9: what had no end is unknown from then on, and was open before."""
    gate = Gate(reply(200, b'taken'))
    origin.on('/held', gate)
    held = background(lambda: ex.request('POST', '/ex/held', body=b'x'))
    eventually(lambda: gate.waiting)
    ex.request('POST', '/ex/order', body=b'x')
    assert not cli('orders', '--unknown', '--json', journal).stdout
    assert [json.loads(line)['fate'] for line in cli('orders', '--open', '--json', journal).stdout.splitlines()] == ['open']
    ex.stop(signal.SIGKILL)
    ex.reaped = True
    with pytest.raises(wire.WireError):
        held.result()
    out = cli('orders', '--unknown', '--json', journal)
    found = [json.loads(line) for line in out.stdout.splitlines()]
    assert [(o['target'], o['fate'], o['sent']) for o in found] == [('/held', 'unknown', None)]
    gate.release()


def test_sync(daemon, origin, journal):
    """With order_journal_sync the begin is on the disk before the order leaves: the daemon calls fdatasync before it sends."""
    d = daemon(upstream('ex', origin), order_journal=str(journal), order_journal_sync=True)
    for _ in range(3):
        assert d.request('POST', '/ex/order', body=b'x').status == 200
    assert [e.split()[0] for e in events(journal)] == ['start'] + 3 * ['begin', 'end']


def test_http2(daemon, origins, journal):
    """An HTTP/2 origin: the same two lines, also for an order that it refused once and that was sent again."""
    origin = origins(alpn=('h2',))
    origin.on('/again', h2_reset(), reply(200, b'taken'))
    d = daemon(upstream('ex', origin), order_journal=str(journal))
    for path in ('/order', '/again', '/order'):
        assert d.request('POST', f'/ex{path}', body=b'x').status == 200
    assert origin.paths().count('/again') == 2
    assert [e.split()[0] for e in events(journal)] == ['start'] + 3 * ['begin', 'end']


# --------------------------------------------------------------------------------------- trunkline orders

def test_the_command(ex, origin, journal, tmp_path):
    """Its filters, its files, and what it says of those that it cannot read."""
    origin.on('/lost', drop('reset'))
    ex.request('POST', '/ex/order', body=b'cl_ord_id=a')
    ex.request('POST', '/ex/lost', body=b'cl_ord_id=b')
    table = ex.cli('orders').stdout.splitlines()
    assert table[0] == '2 orders: 0 open, 1 unknown' and 'cl_ord_id=a' in table[2] and 'unknown' in table[3], table
    assert ex.cli('orders', '--unknown', '--since', '1h', '--upstream', 'ex').stdout.count('cl_ord_id=b') == 1
    assert ex.cli('orders', '--upstream', 'other').stdout == '0 orders: 0 open, 0 unknown\n'
    assert ex.cli('orders', '--since', 'x').returncode == 64
    with open(journal, 'a') as f:
        f.write('damage\n')
    out = cli('orders', '--json', journal)
    assert len(out.stdout.splitlines()) == 2 and out.stderr.strip().endswith('cut off: 1')
    subprocess.run(['gzip', '-k', journal], check=True)
    out = cli('orders', f'{journal}.gz', journal)
    assert out.returncode == 66 and 'compressed' in out.stderr and out.stdout.startswith('2 orders')
    (tmp_path / 'orders.journal.gz').rename(tmp_path / 'orders.journal.2.gz')
    out = ex.cli('orders')
    assert out.returncode == 0 and out.stdout.startswith('2 orders') and 'left out' in out.stderr
    assert cli('orders', tmp_path / 'none').returncode == 66
    assert cli('orders', '-c', '/dev/null').returncode == 78
