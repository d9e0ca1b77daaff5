"""Compares the manual pages with the daemon: everything it reports is documented, and the pages document nothing else."""
import pathlib
import re

from lib.behaviour import Gate, reply
from lib.daemon import binary, free_port, upstream
from lib.promise import works
from lib.wire import background, eventually


def page(name):
    """A generated manual page, as roff."""
    return (pathlib.Path(binary()).parent / 'man' / name).read_text()


def entries(section, name='trunkline-stats.5'):
    """The names that a section of the page documents with .B."""
    text = re.search(rf'^\.SH {section}$(.*?)(?=^\.SH|\Z)', page(name), re.M | re.S).group(1)
    return [n.replace('\\-', '-') for n in re.findall(r'^\.TP\n\.B (.*)$', text, re.M)]


def keys(value, inner):
    """The paths of the keys in an object. The keys in `inner` are documented in separate tables."""
    for key, v in value.items():
        if isinstance(v, dict) and key not in inner:
            yield from (f'{key}.{k}' if k not in inner else k for k in v)
        else:
            yield key


def test_every_key_of_stats_has_its_entry(daemon, origin):
    """Every key has an entry, and every entry has a key."""
    d = daemon(upstream('ex', origin, fresh='1m'))
    d.get('/ex/a', headers=[('Trunkline-Client', 'grid1')])
    d.get('/nowhere')
    stats = d.get('/stats?recent').json()
    one = stats['upstreams'][0]
    errors = stats.pop('recent_errors')
    assert sorted(keys(stats, {'bots', 'last_5m'})) == sorted(entries('THE DOCUMENT'))
    recent, last = one.pop('recent'), stats['last_5m']
    inner = {'latency_ms', 'closed', 'status', 'errors', 'holds', 'last_5m'}
    found = [f'connections.{k}' if k == 'closed' else f'requests.{k}' if k in ('status', 'errors') else f'limits.{k}' if k == 'holds' else k
             for k in keys(one, inner)] + [f'last_5m.{k}' for k in one['last_5m'] if k not in last]
    assert sorted(found) == sorted(entries('UPSTREAMS'))
    phases = entries('PHASES OF A REQUEST')
    assert sorted([*one['latency_ms'], *one['latency_ms']['total']]) == sorted(phases)
    assert sorted(one['connections']['closed']) == sorted(entries('REASONS'))
    assert sorted(stats['bots']['grid1']) == sorted(entries('BOTS'))
    assert sorted([*last, *recent, *errors[0]]) == sorted(entries('THE LAST FIVE MINUTES'))


def test_requests_and_rare_branches_have_their_entries(daemon, origin):
    """The entries match the keys of /requests, in order, the possible states, and every row of /stats?rare."""
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
    """The page documents exactly the metric families of /metrics."""
    d = daemon(upstream('ex', origin))
    works(d)
    families = re.findall(r'^# TYPE (\S+)', d.get('/metrics').body.decode(), re.M)
    assert sorted(families) == sorted(entries('METRICS'))


def test_a_hold_has_its_entries(daemon, origin):
    """The entries match the keys of an element of limits.holds."""
    origin.on('/busy', reply(429, headers=[('Retry-After', '60')]))
    d = daemon(upstream('ex', origin))
    d.get('/ex/busy')
    assert sorted(d.upstream('ex')['limits']['holds'][0]) == sorted(entries('HOLDS'))


def test_errors_and_verbs(daemon, origin):
    """Errors that occur are documented, and every documented verb exists."""
    d = daemon(upstream('ex', f'127.0.0.1:{free_port()}'))
    d.get('/ex/a')
    names = [e.split(' ')[0] for e in entries('ERRORS')]
    assert set(d.upstream('ex')['requests']['errors']) <= set(names) and 'connection_refused' in names
    assert names == [e.split(' ')[0] for e in entries('ERRORS', 'trunkline.8')]
    for verb in entries('VERBS'):
        assert d.verb(verb).status == 204, verb
