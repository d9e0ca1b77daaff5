"""What a bot may use of an upstream: its share of the weight while others ask too, and its rate of orders."""
import re
import time

import pytest

from lib.behaviour import reply
from lib.daemon import upstream
from lib.promise import own_error, works
from lib.wire import background, eventually, parallel

WEIGHT = 'X-MBX-USED-WEIGHT-1M'
SOON = ('Trunkline-Timeout', '300ms')


def by(name):
    return [('Trunkline-Client', name)]


def bot(name, **settings):
    return f'bot "{name}" {{ ' + ' '.join(f'{k} = {v}' for k, v in settings.items()) + ' }\n'


def limits(d, name='grid1'):
    found = [b for b in d.upstream()['limits']['bots'] if b['bot'] == name]
    return found[0] if found else None


def early():
    """The weight of a minute ends with it: begins where enough of one is left."""
    if time.time() % 60 > 40:
        time.sleep(61 - time.time() % 60)


def weigh(origin, weight):
    origin.default = reply(headers=[(WEIGHT, str(weight))])


def test_a_share_while_others_ask(daemon, origin):
    """With 40 % of the weight used, a bot's GETs wait while another client asks; its orders, and all others, do not."""
    early()
    d = daemon(bot('grid1', weight_share='40%'), upstream('ex', origin, weight_header=WEIGHT, weight_limit=1000))
    works(d)
    weigh(origin, 399)
    works(d, headers=by('grid1'))
    weigh(origin, 400)
    works(d, headers=by('grid1'))
    late = d.get('/ex/late', by('grid1') + [SOON])
    own_error(late, 429, 'http_request_denied', 'no')
    assert 1 <= late.number('retry-after') <= 10 and 'grid1' in late.text and '40%' in late.text
    works(d), works(d, headers=by('other1'))
    assert d.request('POST', '/ex/order', by('grid1'), b'x').status == 200
    assert '/late' not in origin.paths()
    assert limits(d) == {'bot': 'grid1', 'weight_used': 400, 'weight_limit': 400, 'held': 0, 'refused': 1}
    assert re.search(r'^trunkline_bot_weight_used\{upstream="ex",bot="grid1"\} 400$', d.get('/metrics').text, re.M)


def test_all_of_it_when_nobody_else_asks(daemon, origin):
    early()
    d = daemon(bot('grid1', weight_share='10%'), upstream('ex', origin, weight_header=WEIGHT, weight_limit=1000))
    weigh(origin, 700)
    works(d, headers=by('grid1')), works(d, headers=by('grid1'))


@pytest.mark.slow
def test_a_held_bot_goes_on_when_the_others_have_left(daemon, origin):
    """The last request of another client was 10 s ago: the wait ends then, well before the minute does."""
    early()
    d = daemon(bot('grid1', weight_share='10%'), upstream('ex', origin, weight_header=WEIGHT, weight_limit=1000, total_timeout='30s'))
    weigh(origin, 100)
    works(d, headers=by('grid1'))
    began = time.monotonic()
    works(d, headers=by('arb'))
    assert d.get('/ex/q', by('grid1')).status == 200
    assert 9.5 < time.monotonic() - began < 25
    assert limits(d)['held'] == 1


def test_orders_keep_their_pace(daemon, origin):
    """Orders beyond order_rate wait; cancels, GETs and other bots do not."""
    d = daemon(bot('grid1', order_rate='"2/2s"'), upstream('ex', origin, order_wait='30s', total_timeout='30s'))
    began = time.monotonic()
    orders = [background(lambda: d.request('POST', '/ex/order', by('grid1'), b'x')) for _ in range(4)]
    eventually(lambda: (limits(d) or {}).get('held') == 2)
    assert d.request('DELETE', '/ex/cancel', by('grid1')).status == 200 and d.get('/ex/q', by('grid1')).status == 200
    assert d.request('POST', '/ex/order', by('arb'), b'x').status == 200
    assert time.monotonic() - began < 2 or len(origin.paths()) > 5      # a busy machine
    assert [o.result().status for o in orders] == [200] * 4
    times = sorted(r.time for r in origin.requests if r.get('trunkline-client') is None and r.target == '/order')
    assert times[-1] - began >= 1.9


def test_refused_where_the_gate_refuses(daemon, origin):
    d = daemon(bot('grid1', order_rate='"1/1m"'), upstream('ex', origin, on_limit='refuse'))
    assert d.request('POST', '/ex/order', by('grid1'), b'x').status == 200
    late = d.request('POST', '/ex/late', by('grid1'), b'x')
    own_error(late, 429, 'http_request_denied', 'no')
    assert 1 <= late.number('retry-after') <= 60 and 'order rate of 1/1m of bot grid1' in late.text
    assert '/late' not in origin.paths() and limits(d)['refused'] == 1


def test_a_reload_keeps_what_was_used(daemon, origin):
    early()
    settings = dict(weight_header=WEIGHT, weight_limit=1000, on_limit='refuse')
    d = daemon(bot('grid1', weight_share='50%', order_rate='"1/1h"'), upstream('ex', origin, **settings))
    works(d)
    weigh(origin, 300)
    works(d, headers=by('grid1'))
    assert d.request('POST', '/ex/order', by('grid1'), b'x').status == 200
    d.reload(bot('grid1', weight_share='20%', order_rate='"1/1h"'), upstream('ex', origin, **settings))
    eventually(lambda: limits(d)['weight_limit'] == 200)
    own_error(d.get('/ex/q', by('grid1')), 429, 'http_request_denied', 'no')
    own_error(d.request('POST', '/ex/order', by('grid1'), b'x'), 429, 'http_request_denied', 'no')


def test_many_names_are_bounded(daemon, origin):
    """The 65th name counts as other, unless it has a block."""
    d = daemon(bot('last', order_rate='"1/1h"'), upstream('ex', origin, on_limit='refuse'))
    parallel(100, lambda n: works(d, headers=by(f'bot{n}')))
    assert d.request('POST', '/ex/order', by('last'), b'x').status == 200
    assert d.request('POST', '/ex/order', by('last'), b'x').status == 429
    assert len(d.upstream()['limits']['bots']) <= 65 and limits(d, 'last')['refused'] == 1
