"""Several trunklines share one budget through a Redis of the test's own: rate, holds, weight; and what happens without it.

TRUNKLINE_FLEET_SECONDS=60 runs the tests of the rate and of the faults for that long."""
import hashlib
import os
import re
import threading
import time

import pytest

from lib import certs
from lib.behaviour import reply
from lib.daemon import PATIENCE, upstream
from lib.promise import own_error, works
from lib.redis import Pretender, Redis
from lib.wire import eventually

SECONDS = int(os.environ.get('TRUNKLINE_FLEET_SECONDS', '3'))
KEY = [('API-Key', 'k3y-of-one')]
PATIENT = {'budget_timeout': '2s'}       # on a busy machine no answer is late


@pytest.fixture
def redis(tmp_path):
    started = []

    def start(*options, **how):
        started.append(Redis(tmp_path / f'redis{len(started)}', *options, **how))
        return started[-1]
    yield start
    for r in started:
        r.stop()


@pytest.fixture
def pretender():
    started = []

    def start(answer):
        started.append(Pretender(answer))
        return started[-1]
    yield start
    for p in started:
        p.close()


def state(d):
    store = d.stats()['budget_store']
    return store and store['state']


def is_up(d):
    return eventually(lambda: state(d) == 'up')


def fleet(daemon, count, block, url, **settings):
    ds = [daemon(block, budget_store=url, **{**PATIENT, **settings}) for _ in range(count)]
    for d in ds:
        is_up(d)
    return ds


def holds(d):
    return {h['held']: h for h in d.upstream()['limits']['holds']}


def held(d, because, path='/ex/q', headers=()):
    """Asks until it is refused and what /stats says of the limits shows why: while the store is slow, a request may be
    refused at its own limit of time before it knows of anything."""
    eventually(lambda: d.get(path, [*headers, ('Trunkline-Timeout', '50ms')]).status == 429 and because(d.upstream()['limits']))


def banned(limits):
    return any(h['status'] in (418, 429) for h in limits['holds'])


def lines(d, words):
    return [line for line in d.stderr.splitlines() if words in line]


class Load:
    """Clients that send one request after the other until stop(); keeps what went wrong and how long each took."""

    def __init__(self, send, clients=1):
        self.on, self.took, self.failures = True, [], []
        self.threads = [threading.Thread(target=self.run, args=(send,)) for _ in range(clients)]
        for t in self.threads:
            t.start()

    def run(self, send):
        while self.on:
            began = time.monotonic()
            try:
                status = send()
            except AssertionError as e:
                status = str(e)
            self.took.append(time.monotonic() - began)
            if status != 200:
                self.failures.append(status)

    def stop(self):
        self.on = False
        for t in self.threads:
            t.join()


# ------------------------------------------------------------------------------------------------------ one budget

@pytest.mark.slow
def test_three_daemons_keep_one_rate(daemon, origin, redis):
    """However the requests are spread, all daemons together send what the rate permits: not more, and not much less."""
    rate, burst = 60, 10
    block = upstream('ex', origin, rate=f'{rate}/1s', burst=burst, total_timeout='60s')
    ds = fleet(daemon, 3, block, redis().url)
    began = time.monotonic()
    loads = [Load(lambda d=d: d.get('/ex/q', timeout=60).status, clients=2 + 2 * n) for n, d in enumerate(ds)]
    time.sleep(SECONDS)
    end = time.monotonic()
    for load in loads:
        load.on = False
    for load in loads:
        load.stop()
    sent, allowed = len([r for r in origin.requests if r.time <= end]), burst + rate * (end - began)
    assert sum((load.failures for load in loads), []) == []
    print(f'{sent} sent in {end - began:.1f} s, {allowed:.0f} allowed')
    slack = 0.05 if SECONDS >= 30 else 0.15
    assert allowed * (1 - slack) <= sent <= allowed * (1 + slack) + 1, f'{sent} sent, {allowed:.0f} allowed'
    assert {d.upstream()['limits']['budget']['daemons'] for d in ds} == {3}


def test_a_ban_stops_all_within_a_second(daemon, origin, redis):
    ds = fleet(daemon, 3, upstream('ex', origin), redis().url)
    origin.on('/banned', reply(418, headers=[('Retry-After', '60')]))
    loads = [Load(lambda d=d: d.get('/ex/q', [('Trunkline-Timeout', '100ms')]).status) for d in ds[1:]]
    eventually(lambda: all(len(load.took) > 3 for load in loads))
    assert ds[0].get('/ex/banned').status == 418
    began = time.monotonic()
    eventually(lambda: all(holds(d).get('all') for d in ds[1:]))
    heard = time.monotonic() - began
    for load in loads:
        load.stop()
    assert heard < 1 * PATIENCE, f'{heard:.2f} s'
    before = len(origin.requests)
    for d in ds:
        own_error(d.request('POST', '/ex/order', body=b'x'), 429, 'http_request_denied', 'no')
        assert 50_000 < holds(d)['all']['left_ms'] <= 60_000 and holds(d)['all']['path'] == '/banned'
    assert len(origin.requests) == before
    assert len(lines(ds[1], 'held at another trunkline: 418')) == 1


def test_one_that_was_idle_hears_of_a_ban_before_it_asks(daemon, origin, redis):
    """Its first GET waits for the store's answer, and is then held like everything else."""
    ds = fleet(daemon, 2, upstream('ex', origin), redis().url)
    origin.on('/banned', reply(418, headers=[('Retry-After', '60')]))
    assert ds[0].get('/ex/banned').status == 418
    eventually(lambda: ds[0].upstream()['limits']['budget']['batches'] >= 2)
    own_error(ds[1].get('/ex/q'), 429, 'http_request_denied', 'no')
    assert origin.paths() == ['/banned']


def test_resume_lifts_for_all(daemon, origin, redis):
    ds = fleet(daemon, 3, upstream('ex', origin), redis().url)
    origin.on('/banned', reply(418, headers=[('Retry-After', '60')]))
    assert ds[0].get('/ex/banned').status == 418
    for d in ds[1:]:
        held(d, banned)
    assert ds[1].verb('resume').status == 204
    for d in ds:
        eventually(lambda: d.get('/ex/q', [('Trunkline-Timeout', '50ms')]).status == 200)
        assert holds(d) == {}


def test_credentials_are_shared_by_their_sha_256(daemon, origin, redis):
    """A hold of one key applies to it in every daemon, and to no other key; the store never has the key itself."""
    r = redis()
    ds = fleet(daemon, 2, upstream('ex', origin), r.url)
    origin.on('/banned', reply(429, headers=[('Retry-After', '60')]))
    assert ds[0].get('/ex/banned', KEY).status == 429
    held(ds[1], banned, '/ex/mine', KEY)
    works(ds[1], '/ex/other', headers=[('API-Key', 'k3y-of-two')]), works(ds[1], '/ex/public')
    assert holds(ds[1])['credential']['status'] == 429
    fields = r('HKEYS', 'trunkline:{ex}:holds')
    assert fields == ['c:' + hashlib.sha256(b'k3y-of-one').hexdigest()]


def test_weight_is_shared(daemon, origin, redis):
    if time.time() % 60 > 50:
        time.sleep(61 - time.time() % 60)
    ds = fleet(daemon, 2, upstream('ex', origin, weight_header='X-MBX-USED-WEIGHT-1M', weight_limit=1000), redis().url)
    origin.on('/heavy', reply(headers=[('X-MBX-USED-WEIGHT-1M', '800')]))
    works(ds[0], '/ex/heavy')
    held(ds[1], lambda limits: limits['weight_used'] == 800)
    assert ds[1].request('POST', '/ex/order', body=b'x').status == 200


def test_the_key_and_the_rate_decide_what_is_shared(daemon, origin, redis):
    """budget_key joins upstreams of different names; another rate is another bucket."""
    r = redis()
    one = daemon(upstream('one', origin, rate='2/1m', budget_key='both', on_limit='refuse'), budget_store=r.url, **PATIENT)
    two = daemon(upstream('two', origin, rate='2/1m', budget_key='both', on_limit='refuse'), budget_store=r.url, **PATIENT)
    other = daemon(upstream('two', origin, rate='3/1m', budget_key='both', on_limit='refuse'), budget_store=r.url, **PATIENT)
    for d in (one, two, other):
        is_up(d)
    works(one, '/one/a'), works(two, '/two/a')
    assert one.get('/one/b').status == 429 and two.get('/two/b').status == 429
    works(other, '/two/c'), works(other, '/two/c')
    assert sorted(k.split(':tokens:')[1] for k in r('KEYS', '*:tokens:*')) == ['2/60000', '3/60000']
    assert all(k.startswith('trunkline:{both}:') and r('PTTL', k) > 0 for k in r('KEYS', '*'))


@pytest.mark.slow
def test_nothing_is_asked_when_idle(daemon, origin, redis):
    r = redis()
    d, = fleet(daemon, 1, upstream('ex', origin, rate='100/1s'), r.url)
    works(d), works(d)
    quiet = eventually(lambda: (n := r.calls(), time.sleep(1.5), r.calls() == n)[2] and n)
    time.sleep(1)
    assert r.calls() == quiet
    assert d.upstream()['limits']['budget']['tokens_ahead'] == 0      # given back
    works(d)
    assert r.calls() > quiet


def test_a_login_and_a_database(daemon, origin, redis):
    """An ACL user with what is needed and no more; nothing shows the password."""
    r = redis('--user', 'trunk', 'on', '>s3cr3t@x', '~trunkline:*', '+@scripting', '+@hash', '+@sortedset', '+@keyspace', '+ping',
              '+select', '+time', '+auth')
    url = f'redis://trunk:s3cr3t%40x@127.0.0.1:{r.port}/3'
    d, = fleet(daemon, 1, upstream('ex', origin, rate='100/1s'), url)
    works(d)
    assert r('INFO', 'keyspace').count('db3:keys=') == 1
    assert d.stats()['budget_store']['name'] == f'redis://***@127.0.0.1:{r.port}/3'
    seen = d.cli('doctor').stdout
    assert f'budget_store  redis://***@127.0.0.1:{r.port}/3  well' in seen
    r('ACL', 'SETUSER', 'trunk', 'resetpass', '>another')
    lost = d.cli('doctor')
    assert lost.returncode != 0 and 'not well\n  ! the store refuses the user or password (WRONGPASS)' in lost.stdout
    shown = d.stderr + d.get('/stats').text + d.get('/metrics').text + d.cli('config').stdout + d.cli('check').stdout
    assert 's3cr3t' not in shown + seen + lost.stdout


def test_a_unix_socket(daemon, origin, redis):
    r = redis()
    d, = fleet(daemon, 1, upstream('ex', origin, rate='100/1s'), f'unix:{r.socket}')
    works(d)
    assert r.calls() >= 1


def test_tls(daemon, origin, redis):
    """rediss:// verifies the store's certificate and name."""
    r = redis(tls=(str(certs.FOLDER / 'good.crt'), str(certs.FOLDER / 'good.key')))
    url = f'rediss://localhost:{r.port}'
    d, = fleet(daemon, 1, upstream('ex', origin, rate='100/1s'), url, budget_store_ca_file=certs.CA)
    works(d)
    assert r.calls() >= 1
    stranger = daemon(upstream('ex', origin), budget_store=url)
    assert 'TLS' in eventually(lambda: stranger.stats()['budget_store']['reason'])
    works(stranger)


# -------------------------------------------------------------------------------------------------------- outages

FAULTS = {'stopped': lambda r: r.stop(), 'hung': lambda r: r.freeze(), 'restarted': lambda r: r.restart()}


@pytest.mark.parametrize('fault', FAULTS)
@pytest.mark.slow
def test_no_order_waits_for_the_store(daemon, origin, redis, fault):
    """Under load the store goes away and comes back: every order is sent, none is kept longer than without a store."""
    r = redis()
    d, = fleet(daemon, 1, upstream('ex', origin, rate='20000/1s', response_timeout='60s', total_timeout='60s',
                                   order_wait='60s'), r.url, budget_timeout='5ms')
    clients = [d.client() for _ in range(2)]
    quotes = Load(lambda: clients[0].get('/ex/q').status)
    orders = Load(lambda: clients[1].request('POST', '/ex/order', body=b'x').status)
    time.sleep(SECONDS / 3)
    FAULTS[fault](r)
    time.sleep(SECONDS / 3)
    r.thaw() if fault == 'hung' else None
    r.start() if fault == 'stopped' else None
    is_up(d)
    time.sleep(SECONDS / 3)
    quotes.stop(), orders.stop()
    for c in clients:
        c.close()
    assert quotes.failures == [] and orders.failures == [] and len(orders.took) > 10
    held = d.upstream()['latency_ms']['hold']
    print(f'{fault}: {len(orders.took)} orders, {len(quotes.took)} quotes; order max {max(orders.took) * 1000:.1f} ms, '
          f'median {sorted(orders.took)[len(orders.took) // 2] * 1000:.1f} ms; hold max {held["max"]} ms; {d.stats()["budget_store"]}')
    assert held['max'] < (5 + 3) * PATIENCE or os.getloadavg()[0] > 1, held


def test_an_outage_is_told_once(daemon, origin, redis):
    r = redis()
    d, = fleet(daemon, 1, upstream('ex', origin, rate='1000/1s'), r.url)
    works(d)
    r.stop()
    eventually(lambda: state(d) == 'outage')
    works(d), works(d)
    store = d.stats()['budget_store']
    assert store['reason'] and store['outages'] == 1 and abs(store['since'] - time.time()) < 60
    assert d.upstream()['limits']['budget']['state'] == 'away'
    assert '\ntrunkline_budget_store_away 1\n' in d.get('/metrics').text
    r.start()
    is_up(d)
    eventually(lambda: lines(d, 'back after'))
    assert len(lines(d, ': outage: ')) == 1 and len(lines(d, 'back after')) == 1
    works(d)


def test_each_has_its_share_without_the_store(daemon, origin, redis):
    """1/n of those that spoke lately; where that was never known, budget_share."""
    r = redis()
    block = upstream('ex', origin, rate='4/1h', on_limit='refuse')
    ds = fleet(daemon, 2, block, r.url)
    works(ds[0]), works(ds[1])
    eventually(lambda: ds[0].get('/healthz') and ds[1].upstream()['limits']['budget']['daemons'] == 2)
    eventually(lambda: r.calls() and ds[1].upstream()['limits']['budget']['tokens_ahead'] == 0)
    r.stop()
    eventually(lambda: ds[1].get('/ex/q').status == 200 and state(ds[1]) == 'outage')
    assert ds[1].get('/ex/q').status == 429             # its half of 4 is used
    never = daemon(block, budget_store='redis://127.0.0.1:1', budget_share='50%')
    eventually(lambda: state(never) == 'outage')
    assert [never.get('/ex/q').status for _ in range(3)] == [200, 200, 429]


def test_after_an_empty_restart_holds_are_told_again(daemon, origin, redis):
    r = redis()
    ds = fleet(daemon, 2, upstream('ex', origin), r.url)
    origin.on('/banned', reply(418, headers=[('Retry-After', '60')]))
    assert ds[0].get('/ex/banned').status == 418
    eventually(lambda: r('HKEYS', 'trunkline:{ex}:holds') == ['all'])
    r('SET', 'before', '1')
    r.restart()
    assert r('EXISTS', 'before') == 0
    eventually(lambda: r('HKEYS', 'trunkline:{ex}:holds') == ['all'])    # without any request
    third, = fleet(daemon, 1, upstream('ex', origin), r.url)
    held(third, banned)


WRONG = {
    'garbage': (b'HTTP/1.1 400 Bad Request\r\n\r\n', 'not that of a store'),
    'password': (b'-WRONGPASS invalid username-password pair or user is disabled.\r\n', 'WRONGPASS'),
    'no login': (b'-NOAUTH Authentication required.\r\n', 'NOAUTH'),
    'cluster': (b'-MOVED 3999 127.0.0.1:6381\r\n', 'MOVED'),
    'loading': (b'-LOADING Redis is loading the dataset in memory\r\n', 'LOADING'),
    'replica': (b"-READONLY You can't write against a read only replica.\r\n", 'READONLY'),
    'echo': (b'-ERR unknown command, with args beginning with: `s3cr3t`\r\n', 'does not know'),
    'a text': (b'+OK\r\n', 'something else'),
    'a list': (b'*1\r\n:1\r\n', 'something else'),
    'huge': (b'$1000000000\r\n' + b'x' * 1_000_000, 'too large'),
}


@pytest.mark.parametrize('wrong', WRONG)
@pytest.mark.parametrize('when', ['login', 'question'])
def test_wrong_answers_are_an_outage(daemon, origin, pretender, wrong, when):
    """Whatever the store says, requests go on; the log and /stats have the reason, and never the password."""
    said, words = WRONG[wrong]
    if when == 'login' and said[:1] in b'+*':
        pytest.skip('any answer but an error will do for a login')
    p = pretender(lambda command: said if when == 'login' or command[0].startswith('EVAL') else b'+OK\r\n')
    d = daemon(upstream('ex', origin, rate='1000/1s'), budget_store=p.url.replace('//', '//:s3cr3t@'), **PATIENT)
    eventually(lambda: d.get('/ex/q').status == 200 and state(d) == 'outage')
    eventually(lambda: words in (d.stats()['budget_store']['reason'] or ''))
    works(d)
    assert len(lines(d, ': outage: ')) == 1 and words in lines(d, ': outage: ')[0]
    assert 's3cr3t' not in d.stderr + d.get('/stats').text
    tries = len(p.commands)
    time.sleep(1)
    assert len(p.commands) - tries < 60        # it does not spin


def test_keys_of_another_type(daemon, origin, redis):
    r = redis()
    r('SET', 'trunkline:{ex}:state', 'x')
    d, = fleet(daemon, 1, upstream('ex', origin, rate='1000/1s'), r.url)
    eventually(lambda: d.get('/ex/q').status == 200 and 'WRONGTYPE' in (d.stats()['budget_store']['reason'] or ''))
    r('DEL', 'trunkline:{ex}:state')
    is_up(d)
    works(d)


def test_scripts_that_were_forgotten_are_sent_again(daemon, origin, redis):
    r = redis()
    d, = fleet(daemon, 1, upstream('ex', origin, rate='1000/1s'), r.url)
    works(d)
    r('SCRIPT', 'FLUSH')
    works(d), works(d)
    assert d.stats()['budget_store']['outages'] == 0


def test_a_late_answer_is_an_outage_until_three_are_in_time(daemon, origin, pretender, redis):
    """Between the daemon and a Redis: answers come late for a while."""
    import socket
    r, late = redis(), [0.0]

    def answer(words):
        from lib.redis import encode
        if words[0].startswith('EVAL'):
            time.sleep(late[0])
        with socket.create_connection(('127.0.0.1', r.port)) as s:
            s.sendall(encode(*words))
            return s.recv(1 << 20)
    p = pretender(answer)
    d = daemon(upstream('ex', origin, rate='1000/1s'), budget_store=p.url, budget_timeout='300ms')
    is_up(d)
    works(d)
    late[0] = 0.6
    eventually(lambda: d.get('/ex/q').status == 200 and state(d) == 'outage')
    assert 'no answer within 300ms' in d.stats()['budget_store']['reason']
    late[0] = 0
    is_up(d)
    assert len(lines(d, ': outage: ')) == 1 and len(lines(d, 'back after')) == 1


def test_a_reload_turns_it_on_and_off(daemon, origin, redis):
    r = redis()
    d = daemon(upstream('ex', origin, rate='1000/1s'), **PATIENT)
    works(d)
    assert d.stats()['budget_store'] is None and d.upstream()['limits']['budget'] is None
    d.reload(budget_store=r.url)
    eventually(lambda: state(d) == 'up')
    works(d)
    assert re.search('connected', d.stderr) and r.calls() >= 1
    d.settings.pop('budget_store')
    d.reload()
    eventually(lambda: d.stats()['budget_store'] is None)
    works(d)
