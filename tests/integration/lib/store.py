"""The state of the cache, as /stats and response headers report it."""
from .behaviour import reply


def cache_status(r):
    """The parameters of trunkline's own member of Cache-Status: {'hit': True, 'ttl': '3'}."""
    ours = [v for v in r.all('cache-status') if v.startswith('trunkline')]
    assert len(ours) == 1, f'Cache-Status: {r.all("cache-status")}'
    return {k: v or True for k, _, v in (p.strip().partition('=') for p in ours[0].split(';')[1:])}


def counts(d):
    """The cache counters of the upstream that are not zero."""
    return {k: v for k, v in d.upstream()['cache'].items() if v}


def stored(d):
    return d.stats()['cache']


def numbered(origin, path='/q', **how):
    """Makes the origin answer each request with the next number as the body."""
    count = iter(range(1, 100000))
    origin.on(path, reply(body=lambda _: b'%d' % next(count), **how))
