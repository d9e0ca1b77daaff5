"""Orders of unknown fate: which they are, the one warning of each, and where they are counted."""
import pytest

from lib.behaviour import drop, hang, reply
from lib.daemon import upstream
from lib.promise import UNSAFE, own_error, works
from lib.wire import compose, eventually

KEY = [('API-Key', 'k'), ('Trunkline-Client', 'grid1')]
TARGET = '/ex/order?symbol=BTC&signature=5ec4e7'


def warnings(d):
    return [li for li in d.stderr.splitlines() if 'unknown fate' in li]


@pytest.mark.parametrize('how', [{}, {'log_level': 'error', 'slow_log': 0}, {'access_log': 'stderr', 'slow_log': '1ms'}], ids=['defaults', 'quiet', 'all'])
@pytest.mark.parametrize('method', UNSAFE)
def test_each_is_one_warning(daemon, origin, method, how):
    """Whatever else is logged: an error of ours, a timeout, and the origin's own 5xx and 408."""
    d = daemon(upstream('ex', origin, response_timeout='300ms'), **how)
    works(d)
    ends = [(drop('reset'), 'error=connection_terminated status=502'), (hang(), 'error=http_response_timeout status=504'),
            (reply(500), 'error=- status=500'), (reply(524), 'error=- status=524'), (reply(408), 'error=- status=408')]
    for n, (behaviour, said) in enumerate(ends, 1):
        origin.on('/order', behaviour)
        with d.client() as c:
            peer = '127.0.0.1:%d' % c.sock.getsockname()[1]
            c.request(method, TARGET, KEY, b'x')
        eventually(lambda n=n: len(warnings(d)) == n)
        line = warnings(d)[-1]
        for word in ('warn upstream ex', f'method={method} ', f'client={peer} ', 'bot=grid1 ', said, 'sent=yes', '/order?symbol=BTC&signature='):
            assert word in line, f'{word} is not in {line}'
        assert '5ec4e7' not in d.stderr
    about = [li for li in d.stderr.splitlines() if '/order' in li and 'time=' not in li]
    assert len(about) == len(ends), about
    assert d.upstream()['requests']['unknown'] == len(ends)


def test_what_is_known_is_not_warned_of(daemon, origin):
    """Refused unsent, refused by the exchange, done; and whatever became of a GET."""
    d = daemon(upstream('ex', origin, retries=0), upstream('gone', '127.0.0.1:1', host='gone.test'))
    works(d)
    own_error(d.request('POST', '/gone/order', KEY, b'x'), 502, 'connection_refused', 'no')
    for status in (200, 400, 404, 429):
        origin.on('/order', reply(status))
        assert d.request('POST', TARGET, KEY, b'x').status == status
    for behaviour in (drop('reset'), reply(503), reply(408)):
        origin.on('/q', behaviour)
        d.get('/ex/q')
    assert not warnings(d) and d.upstream()['requests']['unknown'] == 0


def test_a_client_that_left_and_was_never_answered(daemon, origin):
    """Its order went out; nobody knows."""
    d = daemon(upstream('ex', origin, response_timeout='300ms'))
    works(d)
    origin.on('/order', hang())
    with d.client() as c:
        c.send(compose('POST', TARGET, KEY, b'x'))
        eventually(lambda: any('/order' in p for p in origin.paths()))
    eventually(lambda: warnings(d))
    assert len(warnings(d)) == 1 and 'sent=yes' in warnings(d)[0]


def test_stats_tell_how_many(daemon, origin):
    d = daemon(upstream('ex', origin))
    works(d)
    assert 'unknown' not in d.cli('stats').stdout
    origin.on('/order', drop('reset'))
    for _ in range(2):
        d.request('POST', TARGET, KEY, b'x')
    out = d.cli('stats').stdout
    assert '2 orders of unknown fate\n' in out and 'warning: ex: 2 orders of unknown fate' in out, out
