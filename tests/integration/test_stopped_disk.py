"""The order journal on a disk that stops: what waits, what is refused, and what goes on."""
import json
import re
import signal
import subprocess

import pytest

from lib import wire
from lib.behaviour import Gate, reply
from lib.daemon import cli, sanitized, upstream
from lib.wire import background, eventually


def events(path):
    """The kinds of a journal's lines: 'start', 'begin', 'end'."""
    text = path.read_text()
    return [json.loads(line)['ev'] for line in text[:text.rfind('\n') + 1].splitlines() if line]


@pytest.fixture
def journal(tmp_path):
    return tmp_path / 'orders.journal'


SLOW = '''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
#include <unistd.h>
/* Writes of journal lines block while the file GATE is there. */
ssize_t write(int fd, const void *at, size_t len)
{
    static ssize_t (*next)(int, const void *, size_t);
    if (!next)
        next = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (len > 6 && memcmp(at, "{\\"t\\":\\"", 6) == 0)
        while (access(GATE, F_OK) == 0)
            usleep(2000);
    return next(fd, at, len);
}
'''


@pytest.fixture
def stuck(tmp_path):
    """A disk that can be stopped: stop() and go(), for a daemon that is started with its `env`."""
    if sanitized():
        pytest.skip('its own write() comes first')
    gate, library = tmp_path / 'gate', tmp_path / 'slow.so'
    (tmp_path / 'slow.c').write_text(SLOW.replace('GATE', json.dumps(str(gate))))
    subprocess.run(['cc', '-shared', '-fPIC', '-o', library, tmp_path / 'slow.c', '-ldl'], check=True)

    class Disk:
        env = {'LD_PRELOAD': str(library)}
        stop, go = staticmethod(gate.touch), staticmethod(lambda: gate.unlink(missing_ok=True))
    yield Disk
    Disk.go()


def test_a_stopped_disk_counts_into_order_wait(daemon, origin, journal, stuck):
    """While the disk does not answer an order waits for order_wait and is refused, unsent; other requests go on, the line that it
    held comes back, and what was begun has its end."""
    d = daemon(upstream('ex', origin, order_wait='300ms', max_connections=1), order_journal=str(journal), env=stuck.env)
    assert d.request('POST', '/ex/order', body=b'x').status == 200
    stuck.stop()
    r = d.request('POST', '/ex/order', body=b'x')
    assert r.status == 503 and r.get('Trunkline-Sent') == 'no' and 'order journal was not written within' in r.text, r.text
    assert 0.3 <= r.took < 10
    assert d.get('/ex/quote').status == 200             # over the one connection that there may be
    stuck.go()
    eventually(lambda: d.request('POST', '/ex/order', body=b'x').status == 200)
    assert origin.paths() == ['/order', '/quote', '/order']
    orders = [json.loads(line) for line in cli('orders', '--json', journal).stdout.splitlines()]
    assert not [o for o in orders if o['fate'] != 'known'] and [o['sent'] for o in orders if o['sent'] == 'yes'] == ['yes', 'yes']


def test_a_client_leaves_while_its_order_waits_for_the_disk(daemon, origin, journal, stuck):
    """The order is dropped unsent, and its connection is free again."""
    d = daemon(upstream('ex', origin, order_wait='20s', max_connections=1), order_journal=str(journal), env=stuck.env)
    assert d.get('/ex/quote').status == 200
    stuck.stop()
    c = d.client().send(wire.compose('POST', '/ex/order', body=b'x', host='127.0.0.1'))
    eventually(lambda: any(r['state'] == 'sending' for r in d.get('/requests').json()['requests']))
    c.close()
    eventually(lambda: d.upstream()['requests']['abandoned'] == 1)
    assert d.get('/ex/quote').status == 200
    stuck.go()
    assert d.request('POST', '/ex/order', body=b'x').status == 200
    assert origin.paths() == ['/quote', '/quote', '/order'] and d.connections()['opened'] == 1


def test_a_connection_is_lost_while_its_order_waits_for_the_disk(daemon, origin, journal, stuck):
    """The order takes another, and has one begin."""
    d = daemon(upstream('ex', origin, order_wait='20s'), order_journal=str(journal), env=stuck.env)
    assert d.get('/ex/quote').status == 200
    stuck.stop()
    asked = background(lambda: d.request('POST', '/ex/order', body=b'x'))
    eventually(lambda: any(r['state'] == 'sending' for r in d.get('/requests').json()['requests']))
    origin.hang_up()
    eventually(lambda: d.connections()['closed']['peer'] == 1)
    stuck.go()
    assert asked.result().status == 200 and origin.paths() == ['/quote', '/order']
    assert events(journal) == ['start', 'begin', 'end']
    assert 'order_lost_line' in cli('stats', '--rare', '--url', d.url).stdout


@pytest.mark.parametrize('verb', ['pause', 'freeze'])
def test_a_verb_while_an_order_waits_for_the_disk(daemon, origin, journal, stuck, verb):
    """A pause and a freeze hold an order whose line is being written, as they hold any that waits."""
    d = daemon(upstream('ex', origin, order_wait='20s'), order_journal=str(journal), env=stuck.env)

    def under_way(state):
        return any(r['state'] == state for r in d.get('/requests').json()['requests'])
    stuck.stop()
    asked = background(lambda: d.request('POST', '/ex/order', body=b'x'))
    eventually(lambda: under_way('sending'))
    assert d.request('POST', f'/upstreams/ex/{verb}').status == 204
    stuck.go()
    if verb == 'pause':
        eventually(lambda: under_way('queued'))
        assert not origin.requests and d.request('POST', '/upstreams/ex/resume').status == 204
    assert (asked.result().status, len(origin.requests)) == ((200, 1) if verb == 'pause' else (503, 0))
    assert asked.result().get('Trunkline-Sent') == (None if verb == 'pause' else 'no')



def test_an_answer_does_not_wait_for_long(daemon, origin, journal, stuck):
    """A disk that stops while an order is under way delays its answer by a second at most."""
    gate = Gate(reply(200, b'taken'))
    origin.on('/order', gate)
    d = daemon(upstream('ex', origin), order_journal=str(journal), env=stuck.env)
    asked = background(lambda: d.request('POST', '/ex/order', body=b'x'))
    eventually(lambda: gate.waiting)
    stuck.stop()
    gate.release()
    assert asked.result().status == 200
    assert d.stats()['order_journal']['state'] == 'failing'
    assert events(journal) == ['start', 'begin']
    stuck.go()
    eventually(lambda: events(journal) == ['start', 'begin', 'end'])
    eventually(lambda: d.stats()['order_journal']['state'] == 'ok')


def test_the_daemon_ends_while_an_order_waits_for_the_disk(daemon, origin, journal, stuck):
    """A second stop signal: the order is answered, unsent, and when the disk answers the daemon is gone."""
    d = daemon(upstream('ex', origin, order_wait='20s'), order_journal=str(journal), env=stuck.env)
    stuck.stop()
    asked = background(lambda: d.request('POST', '/ex/order', body=b'x'))
    eventually(lambda: any(r['state'] == 'sending' for r in d.get('/requests').json()['requests']))
    d.kill(signal.SIGTERM)
    eventually(lambda: 'draining' in d.stderr)
    d.kill(signal.SIGTERM)
    r = asked.result()
    assert r.status == 503 and r.get('Trunkline-Sent') == 'no'
    stuck.go()
    assert d.wait() == 0
    orders = [json.loads(line) for line in cli('orders', '--json', journal).stdout.splitlines()]
    assert [(o['fate'], o['sent']) for o in orders] in ([], [('known', 'no')])


@pytest.mark.slow
def test_the_daemon_ends_although_the_disk_does_not_answer(daemon, origin, journal, stuck):
    """Its end is put off by five seconds at most, and the log says that lines may be missing."""
    gate = Gate(reply(200, b'taken'))
    origin.on('/order', gate)
    d = daemon(upstream('ex', origin), order_journal=str(journal), drain_timeout='100ms', env=stuck.env)
    asked = background(lambda: d.request('POST', '/ex/order', body=b'x'))
    eventually(lambda: gate.waiting)
    stuck.stop()
    d.kill(signal.SIGTERM)
    assert asked.result().get('Trunkline-Sent') == 'yes'
    assert d.wait() == 0
    assert re.search(r'orders.journal: the disk has not answered for 5000 ms; may not be written: lines: 1', d.stderr), d.stderr
    out = cli('orders', '--unknown', '--json', journal)     # its end is not there, so its fate is unknown
    assert [json.loads(line)['target'] for line in out.stdout.splitlines()] == ['/order']
    gate.release()
