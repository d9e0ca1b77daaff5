"""The manual pages against the daemon: what it reports is documented, and nothing else is."""
import pathlib
import re

from lib.behaviour import Gate, reply
from lib.daemon import binary, free_port, upstream
from lib.promise import works
from lib.wire import background, eventually


def page(name):
    """A built page, as roff."""
    return (pathlib.Path(binary()).parent / 'man' / name).read_text()


def entries(section, name='trunkline-stats.5'):
    """What .B names in a section."""
    text = re.search(rf'^\.SH {section}$(.*?)(?=^\.SH|\Z)', page(name), re.M | re.S).group(1)
    return [n.replace('\\-', '-') for n in re.findall(r'^\.TP\n\.B (.*)$', text, re.M)]


def keys(value, inner):
    """The places of an object; those of `inner` have tables of their own."""
    for key, v in value.items():
        if isinstance(v, dict) and key not in inner:
            yield from (f'{key}.{k}' if k not in inner else k for k in v)
        else:
            yield key


def test_every_key_of_stats_has_its_entry(daemon, origin):
    """Both ways round: a key without an entry, and an entry without a key, are errors."""
    d = daemon(upstream('ex', origin, fresh='1m'))
    d.get('/ex/a', headers=[('Trunkline-Client', 'grid1')])
    d.get('/nowhere')
    stats = d.get('/stats?recent').json()
    one = stats['upstreams'][0]
    errors = stats.pop('recent_errors')
    assert sorted(keys(stats, {'bots'})) == sorted(entries('THE DOCUMENT'))
    recent = one.pop('recent')
    inner = {'latency_ms', 'closed', 'status', 'errors', 'holds'}
    found = [f'connections.{k}' if k == 'closed' else f'requests.{k}' if k in ('status', 'errors') else f'limits.{k}' if k == 'holds' else k
             for k in keys(one, inner)]
    assert sorted(found) == sorted(entries('UPSTREAMS'))
    phases = entries('PHASES OF A REQUEST')
    assert sorted([*one['latency_ms'], *one['latency_ms']['total']]) == sorted(phases)
    assert sorted(one['connections']['closed']) == sorted(entries('REASONS'))
    assert sorted(stats['bots']['grid1']) == sorted(entries('BOTS'))
    assert sorted([*recent, *errors[0]]) == sorted(entries('THE LAST FIVE MINUTES'))


def test_requests_and_rare_branches_have_their_entries(daemon, origin):
    """The keys of /requests in their order, the states that exist, and every row of /stats?rare."""
    d = daemon(upstream('ex', origin))
    gate = Gate()
    origin.on('/held', gate)
    call = background(lambda: d.get('/ex/held'))
    row = eventually(lambda: d.get('/requests').json()['requests'])[0]
    gate.release()
    call.result()
    named = entries('REQUESTS UNDER WAY')
    assert [*row] == named[:len(row)] and row['state'] in named[len(row):]
    rare = d.get('/stats?rare').json()['rare']
    named = entries('RARE BRANCHES')
    assert [*rare[0]] == named[:3] and [f'{r["name"]} ({r["place"]})' for r in rare] == named[3:]


def test_every_metric_has_its_entry(daemon, origin):
    """The families of /metrics are those of the page."""
    d = daemon(upstream('ex', origin))
    works(d)
    families = re.findall(r'^# TYPE (\S+)', d.get('/metrics').body.decode(), re.M)
    assert sorted(families) == sorted(entries('METRICS'))


def test_a_hold_has_its_entries(daemon, origin):
    """The keys of an element of limits.holds."""
    origin.on('/busy', reply(429, headers=[('Retry-After', '60')]))
    d = daemon(upstream('ex', origin))
    d.get('/ex/busy')
    assert sorted(d.upstream('ex')['limits']['holds'][0]) == sorted(entries('HOLDS'))


def test_errors_and_verbs(daemon, origin):
    """An error that occurs is one of the page's, and the verbs are those that exist."""
    d = daemon(upstream('ex', f'127.0.0.1:{free_port()}'))
    d.get('/ex/a')
    names = [e.split(' ')[0] for e in entries('ERRORS')]
    assert set(d.upstream('ex')['requests']['errors']) <= set(names) and 'connection_refused' in names
    assert names == [e.split(' ')[0] for e in entries('ERRORS', 'trunkline.8')]
    for verb in entries('VERBS'):
        assert d.verb(verb).status == 204, verb
