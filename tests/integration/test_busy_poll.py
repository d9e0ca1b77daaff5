"""busy_poll: the daemon looks for answers without sleeping, for a bounded time, and only while one is due."""
import os
import time

import pytest

from lib.behaviour import Gate
from lib.daemon import cli, upstream
from lib.promise import own_error, works
from lib.wire import compose, eventually

TICK = os.sysconf('SC_CLK_TCK')


def processor_s(d):
    """Seconds of processor time that the daemon has used."""
    fields = open(f'/proc/{d.pid}/stat').read().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


@pytest.mark.parametrize('time_', ['50us', '10ms'])
def test_requests_are_answered_as_ever(daemon, origin, time_):
    d = daemon(upstream('ex', origin), busy_poll=time_)
    with d.client() as c:
        for n in range(50):
            assert c.request('POST' if n % 5 == 0 else 'GET', f'/ex/{n}').text == f'/{n}'
    assert d.connections()['opened'] == 1


def test_it_spins_no_longer_than_it_may(daemon, origin):
    """Neither an idle daemon nor one whose answer takes long uses the processor."""
    d = daemon(upstream('ex', origin), busy_poll='10ms')
    works(d)
    gate = Gate()
    origin.default = gate
    c = d.client()
    c.send(compose('GET', '/ex/late'))
    eventually(lambda: gate.waiting == 1)
    before = processor_s(d)
    time.sleep(1)
    assert processor_s(d) - before < 0.5
    gate.release()
    assert c.response().text == '/late'
    before = processor_s(d)
    time.sleep(1)
    assert processor_s(d) - before < 0.5


def test_it_can_be_set_by_a_reload(daemon, origin):
    d = daemon(upstream('ex', origin))
    d.reload(busy_poll='100us')
    eventually(lambda: 'reloaded' in d.stderr)
    works(d)
    assert 'busy_poll = 100us' in cli('config', '-c', d.conf_path).stdout


def test_microseconds_that_a_directive_cannot_keep(daemon, origin, tmp_path):
    """An error that says what is wrong, in the configuration and in a request; never a rounded value."""
    conf = tmp_path / 'x.conf'
    for line, words in (('client_idle_timeout = 10us', 'in whole milliseconds'), ('drain_timeout = 1500us', 'in whole milliseconds'),
                        ('busy_poll = 11ms', 'from 0 to 10ms'), ('busy_poll = 0.5us', 'duration (us ms s m h)')):
        conf.write_text(line + '\n')
        result = cli('check', '-c', conf)
        assert result.returncode == 78 and f'{conf}:1: ' in result.stderr and words in result.stderr, result
    conf.write_text('drain_timeout = 2000us\n')
    assert 'drain_timeout = 2ms' in cli('config', '-c', conf).stdout
    d = daemon(upstream('ex', origin))
    r = d.get('/ex/x', [('Trunkline-Timeout', '10us')])
    own_error(r, 400, 'http_request_error', 'no')
    assert 'in whole milliseconds' in r.text and not origin.lines
