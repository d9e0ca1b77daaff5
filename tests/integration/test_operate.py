"""Operation: command line, configuration errors, reload, drain and log files."""
import os
import re
import signal
import subprocess
import threading
import time

import pytest

from lib import wire
from lib.behaviour import Gate, flood, reply
from lib.daemon import binary, cli, free_port, upstream
from lib.promise import own_error, works
from lib.wire import Closed, WireError, background, compose, eventually, refuses


# ----------------------------------------------------------------------------------------------- command line

def test_version_and_help():
    """--version lists the libraries, --help prints the usage, and each command has its own --help."""
    out = cli('--version')
    assert out.returncode == 0 and re.match(r'trunkline \d+\.\d+', out.stdout)
    for library in ('libuv', 'llhttp', 'c-ares'):
        assert library in out.stdout.lower(), out.stdout
    assert 'mbed' in out.stdout.lower()
    for args in (['--help'], ['check', '--help'], ['config', '--help'], ['stats', '--help']):
        out = cli(*args)
        assert out.returncode == 0 and 'sage' in out.stdout and not out.stderr, args


@pytest.mark.parametrize('args', [['--nonsense'], ['nonsense'], ['check', '--nonsense'], ['-c'], ['stats', '--url']])
def test_wrong_usage(args):
    """One line on stderr and exit status 64."""
    out = cli(*args)
    assert out.returncode == 64 and not out.stdout and len(out.stderr.strip().splitlines()) == 1, out


def test_stats_command(ex, origin, tmp_path):
    """A table by default, JSON with --json, and one clear line if no daemon is running."""
    works(ex)
    out = ex.cli('stats')
    assert out.returncode == 0 and re.search(r'^ex\b', out.stdout, re.M), out.stdout
    import json
    out = cli('stats', '--json', '--url', ex.url)
    assert json.loads(out.stdout)['upstreams'][0]['requests']['total'] == 1
    out = cli('stats', '--url', f'http://127.0.0.1:{free_port()}')
    assert out.returncode not in (0, 64) and len(out.stderr.strip().splitlines()) == 1 and not out.stdout


def test_settings_without_effect(daemon, origin):
    """A limit without the setting it depends on causes a warning."""
    d = daemon(upstream('ex', origin, weight_limit=10, burst=3), upstream('two', origin, host='two.test', weight_limit=10, weight_header='X-W'))
    eventually(lambda: 'ready' in d.stderr)
    assert re.findall(r'^\S+Z warn upstream (\w+): (\w+) without', d.stderr, re.M) == [('ex', 'weight_limit'), ('ex', 'burst')], d.stderr


def test_closed_standard_descriptors(daemon, origin):
    """With standard descriptors closed, no socket takes the place of stderr: requests are served, and SIGTERM ends the daemon with
    status 0."""
    d = daemon(upstream('ex', origin), log_level='debug', wrap=['sh', '-c', 'exec "$@" <&- >&- 2>&-', 'sh'])
    works(d)
    assert d.stop() == 0
    out = subprocess.run(['sh', '-c', 'exec "$@" >&-', 'sh', binary(), 'check', '-c', d.conf_path], capture_output=True, text=True)
    assert out.returncode == 74 and 'cannot write' in out.stderr


def test_a_second_daemon_on_the_port(ex, daemon):
    """The second daemon exits with 69 and one clear line; the first is not affected."""
    d = daemon(listen=[f'127.0.0.1:{ex.port}'], wait=False)
    assert d.wait() == 69
    lines = d.stderr.strip().splitlines()
    assert len([line for line in lines if 'in use' in line]) == 1 and str(ex.port) in lines[-1]
    works(ex)


TIMED = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warn|info|debug) \S')


def test_log_lines_bear_the_time(daemon, origin):
    """Every log line has a timestamp, from start to stop, with -v, and after a failed start. In the journal, lines have a priority
    instead."""
    d = daemon(upstream('ex', origin, weight_limit=9), args=['-v'])
    works(d)
    assert d.stop() == 0
    failed = daemon(max_clients='many', wait=False)
    assert failed.wait() == 78
    for which, least in ((d, 10), (failed, 1)):
        lines = which.stderr.splitlines()
        assert len(lines) >= least and all(TIMED.match(line) for line in lines), which.stderr
    script = 'JOURNAL_STREAM=$(stat -Lc %d:%i /dev/stderr) exec "$@"'
    d = daemon(upstream('ex', origin), wrap=['sh', '-c', script, 'sh'])
    assert d.stop() == 0 and all(re.match(r'<\d>\w+ \S', line) for line in d.stderr.splitlines()), d.stderr


# ----------------------------------------------------------------------------------------------------- reload

@pytest.mark.parametrize('text, line', [('nonsense = 1\n', 1), ('listen = {"127.0.0.1:%d"}\nupstream ex {\n    url = "ftp://x"\n}\n', 3), ('}\n', None)])
def test_a_bad_file_is_refused_whole(ex, origin, text, line):
    """The log contains FILE:LINE, and the old configuration remains in use with its connections."""
    works(ex)
    ex.reload(text=text % ex.port if '%d' in text else text)
    where = re.escape(str(ex.conf_path)) + (f':{line}: ' if line else r':\d+: ')
    eventually(lambda: re.search(where, ex.stderr))
    works(ex)
    assert len(origin.lines) == 1 and ex.upstream()['origin'] == 'https://exchange.test:443'
    ex.reload(upstream('ex', origin), upstream('other', origin, host='kraken.test'))
    eventually(lambda: ex.get('/other/x').status == 200)


def test_reload_as_a_command(daemon, origin, tmp_path):
    """The command waits for the result: either the new configuration is in use, or it prints the errors with file and line and the
    old one remains."""
    url = f'http://127.0.0.1:{free_port()}'
    d = daemon(upstream('ex', origin), listen=[url[7:], f'unix:{tmp_path}/s'])
    for where in (url, f'unix:{tmp_path}/s'):
        d.write(d.conf_path.read_text().replace('upstream ex', 'upstream ex2') if where == url else None)
        done = cli('reload', '--url', where)
        assert (done.returncode, done.stdout, done.stderr) == (0, 'reloaded\n', ''), done
        assert d.get('/ex2/x').status == (200 if where == url else 404)
    d.write(d.conf_path.read_text() + 'max_clients = many\naccess_log = "/nowhere/at/all/log"\n')
    done, line = cli('reload', '--url', url), len(d.conf_path.read_text().splitlines()) - 1
    assert done.returncode == 78 and not done.stdout and f'{d.conf_path}:{line}: max_clients = many: ' in done.stderr, done
    again = d.cli('reload')     # the address is found even in a file that is refused
    assert (again.returncode, again.stderr) == (78, done.stderr) and d.stderr.count('reload refused') == 2
    with d.client() as c:
        r = c.request('POST', '/reload')
        assert r.status == 409 and r.text == done.stderr and r.all('content-type')[0].startswith('text/plain') and r.keeps, r
        assert c.get('/ex/x').status == 200
    assert 'reload refused: the old configuration keeps running' in d.stderr
    own_error(d.get('/reload'), 405, 'http_request_error', 'no')
    own_error(d.request('POST', '/reload', [('Origin', 'http://evil.test')]), 403, 'http_request_denied', 'no')


def test_many_reloads_at_once(daemon, origin):
    """Each response refers to the file as it was after its request was sent."""
    d = daemon(upstream('ex', origin))
    good, bad = d.conf_path.read_text(), 'max_clients = many\n'
    for _ in range(5):
        d.write(good)
        calls = [background(lambda: d.request('POST', '/reload').status) for _ in range(10)]
        assert [c.result(20) for c in calls] == [204] * 10
        d.write(bad)
        calls = [background(lambda: d.request('POST', '/reload').status) for _ in range(10)]
        assert [c.result(20) for c in calls] == [409] * 10
    works(d)


def test_reload_keeps_what_did_not_change(daemon, origins):
    """Unchanged upstreams keep their connections and counters, changed ones get new connections, removed ones give 404, and added
    ones work."""
    kept, changed, gone, new = (origins() for _ in range(4))
    d = daemon(upstream('kept', kept), upstream('changed', changed, host='kraken.test'), upstream('gone', gone, host='a.exchange.test'))
    for name in ('kept', 'changed', 'gone'):
        works(d, f'/{name}/x')
    before = d.upstream('kept')
    d.reload(upstream('kept', kept), upstream('changed', changed, host='kraken.test', tls_min='1.3', max_connections=3),
             upstream('new', new, host='b.exchange.test'))
    eventually(lambda: d.get('/new/x').status == 200)
    eventually(lambda: not gone.open)
    assert gone.lines[0].notified
    for _ in range(3):
        works(d, '/kept/y'), works(d, '/changed/y')
    after = d.upstream('kept')
    assert len(kept.lines) == 1 and after['connections']['opened'] == before['connections']['opened'] == 1
    assert after['requests']['total'] == before['requests']['total'] + 3
    assert len(changed.lines) == 2 and not changed.lines[0].open
    r = d.get('/gone/x')
    assert own_error(r, 404, 'http_request_error', 'no') and 'kept' in r.text and 'new' in r.text
    assert [u['name'] for u in d.stats()['upstreams'] if u['listed']] == ['kept', 'changed', 'new']


def test_limits_that_change_keep_the_lines(daemon, origin):
    """A setting that does not affect how a connection is made does not break existing connections."""
    d = daemon(upstream('ex', origin, response_timeout='8s'))
    works(d)
    d.reload(upstream('ex', origin, response_timeout='1500ms'))
    eventually(lambda: 'reloaded' in d.stderr)
    origin.on('/hold', Gate())
    r = d.get('/ex/hold')
    assert own_error(r, 504, 'http_response_timeout', 'yes') and '1500ms' in r.text, r.text
    assert len(origin.lines) == 1
    works(d)


def test_requests_under_way_keep_their_configuration(daemon, origin):
    """A request that began before the reload completes with the old configuration, even if its upstream was removed."""
    d = daemon(upstream('ex', origin))
    gate = Gate()
    origin.on('/hold', gate)
    held = background(lambda: d.get('/ex/hold', timeout=20))
    eventually(lambda: gate.waiting == 1)
    d.reload(upstream('other', origin, host='kraken.test'))
    eventually(lambda: d.get('/other/x').status == 200)
    assert d.get('/ex/x').status == 404
    gate.release()
    assert held.result().text == '/hold'
    eventually(lambda: not origin.lines[0].open)


def test_listeners_come_and_go(daemon, origin):
    """Listeners of trunkline and of upstreams are opened and closed by a reload; clients of a closed listener keep their connection."""
    one, two, three = free_port(), free_port(), free_port()
    d = daemon(upstream('ex', origin, listen=[f'127.0.0.1:{two}']))
    old = wire.Client(two)
    assert old.get('/a').text == '/a'
    d.reload(upstream('ex', origin, listen=[f'127.0.0.1:{three}']), listen=[f'127.0.0.1:{d.port}', f'127.0.0.1:{one}'])
    eventually(lambda: not refuses(three) and not refuses(one))
    eventually(lambda: refuses(two))
    assert wire.Client(three).get('/b').text == '/b' and wire.Client(one).get('/ex/c').text == '/c'
    assert old.get('/d').text == '/d'
    works(d)


def test_no_request_is_lost_by_reloads(daemon, origin):
    """Four clients send requests, including orders, at full speed while the configuration is reloaded twenty times."""
    d = daemon(upstream('ex', origin))
    done, bad, count = threading.Event(), [], [0] * 4

    def client(which):
        with d.client() as c:
            while not done.is_set():
                n = count[which] = count[which] + 1
                try:
                    r = c.request('POST' if n % 2 else 'GET', f'/ex/{which}-{n}', body=b'x' * (n % 2))
                    if r.text != f'/{which}-{n}':
                        bad.append(r)
                except WireError as e:
                    bad.append(e)
                    return
    clients = [background(lambda which=which: client(which)) for which in range(4)]
    for n in range(20):
        d.reload(upstream('ex', origin, max_connections=4 + n % 3, tls_min='1.3' if n % 2 else '1.2'),
                 *([upstream('other', origin, host='kraken.test')] if n % 4 == 0 else []))
        seen = list(count)
        eventually(lambda: bad or all(now > then for now, then in zip(count, seen)))
    done.set()
    for c in clients:
        c.result()
    assert not bad, bad[:3]
    assert d.upstream()['requests']['failed'] == 0 and d.upstream()['requests']['total'] == sum(count)


# ------------------------------------------------------------------------------------------------------ drain

def test_drain(daemon, origin):
    """SIGTERM: requests in progress complete, idle connections are closed with close_notify, new ones are refused, and the exit
    status is 0."""
    d = daemon(upstream('ex', origin, min_idle=2))
    eventually(lambda: len(origin.open) == 2)
    gate = Gate()
    origin.on('/hold', gate)
    idle, busy = d.client(), d.client(20)
    assert idle.get('/ex/x').status == 200
    busy.send(compose('POST', '/ex/hold', body=b'x'))
    eventually(lambda: gate.waiting == 1)
    d.kill(signal.SIGTERM)
    eventually(lambda: refuses(d.where))
    assert idle.eof(), 'an idle client is kept'
    eventually(lambda: len(origin.open) == 1)
    assert all(li.notified for li in origin.lines if not li.open)
    assert d.alive()
    gate.release()
    r = busy.response('POST')
    assert r.text == '/hold' and not r.keeps and busy.eof()
    assert d.wait() == 0
    eventually(lambda: not origin.open)
    assert all(li.notified for li in origin.lines), 'a line was closed without close_notify'


def test_drain_says_so_on_open_connections(daemon, origin):
    """A held request on an open connection still gets its response during a drain."""
    d = daemon(upstream('ex', origin))
    gate = Gate()
    origin.on('/hold', gate)
    with d.client(20) as c:
        c.send(compose('GET', '/ex/hold'))
        eventually(lambda: gate.waiting == 1)
        d.kill(signal.SIGTERM)
        eventually(lambda: refuses(d.where))
        gate.release()
        assert c.response().status == 200
    assert d.wait() == 0


def test_drain_timeout(daemon, origin):
    """drain_timeout limits the duration of a drain; the exit status is 0 all the same."""
    d = daemon(upstream('ex', origin), drain_timeout='400ms')
    gate = Gate()
    origin.on('/hold', gate)
    with d.client(20) as c:
        c.send(compose('GET', '/ex/hold'))
        eventually(lambda: gate.waiting == 1)
        began = time.monotonic()
        assert d.stop() == 0 and 0.3 < time.monotonic() - began < 20     # the default is 30 s


def test_a_second_sigterm_hastens(daemon, origin):
    """A second SIGTERM ends the daemon at once, even during transfers of all kinds."""
    d = daemon(upstream('ex', origin))
    origin.on('/down', flood(b'y' * 65536, first=b'HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n'))
    gate = Gate()
    origin.on('/hold', gate)
    down, held, up = d.client(), d.client(), d.client(0.5)
    down.send(compose('GET', '/ex/down'))
    held.send(compose('GET', '/ex/hold'))
    up.send(compose('POST', '/ex/up', [('Content-Length', '99999999')]) + b'z' * 1_000_000)
    eventually(lambda: d.connections()['active'] == 3)
    d.kill(signal.SIGTERM)
    eventually(lambda: refuses(d.where))
    assert d.alive()
    began = time.monotonic()
    assert d.stop() == 0 and time.monotonic() - began < 20          # the default of drain_timeout is 30 s


def test_sigint_is_sigterm(ex, origin):
    """SIGINT (Control-C) works like SIGTERM."""
    works(ex)
    assert ex.stop(signal.SIGINT) == 0
    eventually(lambda: not origin.open)
    assert origin.lines[0].notified


def test_a_download_survives_the_drain(daemon, origin):
    """SIGTERM does not truncate a response body that takes a while."""
    d = daemon(upstream('ex', origin))
    origin.on('/x', reply(body=b'y' * 10_000, pieces=10, gap=0.05))
    with d.client(20) as c:
        c.send(compose('GET', '/ex/x'))
        c.head()
        d.kill(signal.SIGTERM)
        got = len(c.buffer)
        try:
            while True:
                c.buffer.clear()
                c.more()
                got += len(c.buffer)
        except Closed:
            pass
        assert got == 10_000
    assert d.wait() == 0


# ------------------------------------------------------------------------------------------------------- logs

@pytest.mark.parametrize('reason', ['sigusr1', 'reload'])
def test_the_access_log_is_reopened(daemon, origin, tmp_path, reason):
    """No line is lost when the log is rotated: every request is in exactly one of the two files."""
    log = tmp_path / 'access.log'
    d = daemon(upstream('ex', origin), access_log=str(log))
    for n in range(20):
        works(d, f'/ex/n{n}-')
        if n == 10:
            os.rename(log, tmp_path / 'access.log.1')
            d.kill(signal.SIGUSR1 if reason == 'sigusr1' else signal.SIGHUP)
    eventually(log.exists)
    works(d, '/ex/last')
    eventually(lambda: '/last' in log.read_text())
    both = (tmp_path / 'access.log.1').read_text() + log.read_text()
    assert all(both.count(f'/n{n}-') == 1 for n in range(20)) and both.count('\n') == 21


def test_an_access_log_that_cannot_be_written(daemon, origin, tmp_path):
    """The problem is reported at the start or in the log, and requests are not affected."""
    d = daemon(upstream('ex', origin), access_log=str(tmp_path / 'no' / 'folder' / 'log'), wait=False)
    eventually(lambda: not d.alive() or not refuses(d.where))
    if d.alive():
        works(d)
    assert re.search(r'\.conf:\d+: access_log = .*/log: No such file', d.stderr), d.stderr


def test_log_levels(daemon, origin):
    """At level error nothing is logged in normal operation; debug logs each request; neither logs a secret."""
    for level, most in (('error', 0), ('debug', 100_000)):
        d = daemon(upstream('ex', origin), log_level=level)
        d.get('/ex/x?signature=GEHEIM', [('X-MBX-APIKEY', 'GEHEIM'), ('Authorization', 'Bearer GEHEIM')])
        d.stop()
        assert len(d.stderr) <= most and 'GEHEIM' not in d.stderr, d.stderr[:500]
    assert 'ex' in d.stderr


def test_pause_keeps_a_request_waiting_on_few_lines(daemon, origin):
    """Requests that arrive during a pause wait, do not open more connections than needed, and continue after resume."""
    d = daemon(upstream('ex', origin))
    works(d)
    assert d.verb('pause').status == 204 and d.upstream()['state'] == 'paused'
    own_error(d.get('/ex/late', [('Trunkline-Timeout', '300ms')]), 503, 'destination_unavailable', 'no')
    calls = [background(lambda n=n: d.get(f'/ex/{n}')) for n in range(3)]
    eventually(lambda: d.upstream()['queue']['waiting'] == 3)
    time.sleep(0.2)
    assert d.connections()['open'] <= 3 and '/late' not in origin.paths()
    assert d.verb('resume').status == 204
    assert all(c.result().status == 200 for c in calls) and d.connections()['opened'] <= 3


@pytest.mark.parametrize('change', ['nothing', 'settings', 'connect_to', 'url'])
def test_a_pause_outlives_reloads(daemon, origins, change):
    """Whatever a reload changes, the upstream stays paused, and waiting requests go to the origin that its name then refers to."""
    old, new = origins(), origins()
    d = daemon(upstream('ex', old, order_wait='60s'))
    works(d)
    assert d.verb('pause').status == 204
    calls = [background(lambda m=m: d.request(m, f'/ex/{m}', body=b'x' * (m == 'POST'))) for m in ('GET', 'POST')]
    eventually(lambda: d.upstream()['queue']['waiting'] == 2)
    host = 'kraken.test' if change == 'url' else 'exchange.test'
    at = new if change in ('connect_to', 'url') else old
    d.reload(upstream('ex', at, host=host, order_wait='60s', max_connections=7 if change == 'settings' else 16))
    eventually(lambda: 'reloaded' in d.stderr and d.upstream()['origin'].startswith(f'https://{host}'))
    assert d.upstream()['state'] == 'paused' and d.upstream()['queue']['waiting'] == 2
    calls.append(background(lambda: d.get('/ex/later')))
    eventually(lambda: d.upstream()['queue']['waiting'] == 3)
    sent = [p for p in old.paths() + new.paths() if p in ('/GET', '/POST', '/later')]
    assert not sent and not new.lines
    assert d.verb('resume').status == 204
    assert [c.result().status for c in calls] == [200] * 3
    assert sorted(p for p in at.paths() if p in ('/GET', '/POST', '/later')) == ['/GET', '/POST', '/later']
    assert all(r.get('Host') == host for r in at.requests if r.target in ('/GET', '/POST', '/later'))
    assert d.upstream()['requests']['succeeded'] == 4, 'its counters go on'


def test_a_drain_outlives_a_reload(daemon, origins):
    """A drain also survives a reload; after resume, requests go to the new origin."""
    old, new = origins(), origins()
    d = daemon(upstream('ex', old))
    works(d)
    assert d.verb('drain').status == 204
    d.reload(upstream('ex', new, host='kraken.test'))
    eventually(lambda: d.upstream()['origin'].startswith('https://kraken.test'))
    own_error(d.get('/ex/x'), 503, 'destination_unavailable', 'no')
    assert not new.lines
    assert d.verb('resume').status == 204
    works(d)
    assert len(new.lines) == 1


def test_a_paused_upstream_that_goes_sends_nothing(daemon, origins):
    """When a paused upstream is removed from the configuration, its waiting requests are refused."""
    origin, other = origins(), origins()
    d = daemon(upstream('ex', origin, order_wait='60s'), upstream('other', other, host='kraken.test'))
    works(d)
    assert d.verb('pause').status == 204
    call = background(lambda: d.request('POST', '/ex/order', body=b'x'))
    eventually(lambda: d.upstream()['queue']['waiting'] == 1)
    d.reload(upstream('other', other, host='kraken.test'))
    own_error(call.result(), 503, 'destination_unavailable', 'no')
    works(d, '/other/x')
    assert '/order' not in origin.paths()


def test_drain_of_all_ends_the_daemon(daemon, origin):
    """Like SIGTERM: requests in progress complete and the exit status is 0; meanwhile the verbs are refused."""
    d = daemon(upstream('ex', origin))
    gate = Gate()
    origin.on('/hold', gate)
    busy, kept = d.client(20), d.client(20)
    busy.send(compose('POST', '/ex/hold', body=b'x'))
    kept.send(compose('GET', '/ex/hold') + compose('POST', '/upstreams/ex/pause'))
    eventually(lambda: gate.waiting == 2)
    out = d.cli('drain', '--all')
    assert out.returncode == 0 and 'drains' in out.stdout, out
    eventually(lambda: refuses(d.where))
    assert d.alive()
    gate.release()
    assert busy.response('POST').text == '/hold' and not kept.response().keeps
    assert d.wait() == 0
    assert cli('pause', '--all', '--url', d.url).returncode == 69


def test_a_drain_answers_clients_between_two_requests(daemon, origin):
    """If the next request on a persistent connection arrives just after SIGTERM, it gets its response before the connection is closed."""
    d = daemon(upstream('ex', origin))
    clients = [d.client(10) for _ in range(20)]
    for c in clients:
        assert c.get('/ex/x').status == 200
    d.kill(signal.SIGTERM)
    eventually(lambda: refuses(d.where))
    for c in clients:
        c.send(compose('POST', '/ex/order', body=b'x'))
    for c in clients:
        r = c.response('POST')
        assert r.status == 200 and not r.keeps and c.eof()
    assert d.wait() == 0


def test_drain_and_reconnect_of_an_upstream(daemon, origin):
    """After drain, new requests get 503 until resume; reconnect replaces the connections."""
    d = daemon(upstream('ex', origin))
    works(d)
    assert d.verb('drain').status == 204 and d.upstream()['state'] == 'draining'
    own_error(d.get('/ex/a'), 503, 'destination_unavailable', 'no')
    assert d.connections()['closed']['drain'] == 1
    assert d.verb('resume').status == 204
    works(d)
    assert d.verb('reconnect').status == 204
    works(d)
    c = d.connections()
    assert c['closed']['reconnect'] == 1 and c['opened'] == 3
