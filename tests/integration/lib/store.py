"""The store as /stats and the answers tell of it."""
from .behaviour import reply


def cache_status(r):
    """The parameters of our member of Cache-Status: {'hit': True, 'ttl': '3'}."""
    ours = [v for v in r.all('cache-status') if v.startswith('trunkline')]
    assert len(ours) == 1, f'Cache-Status: {r.all("cache-status")}'
    return {k: v or True for k, _, v in (p.strip().partition('=') for p in ours[0].split(';')[1:])}


def counts(d):
    """What the upstream's cache counted, but for zeros."""
    return {k: v for k, v in d.upstream()['cache'].items() if v}


def stored(d):
    return d.stats()['cache']


def numbered(origin, path='/q', **how):
    """Each request gets the next number as its body."""
    count = iter(range(1, 100000))
    origin.on(path, reply(body=lambda _: b'%d' % next(count), **how))
