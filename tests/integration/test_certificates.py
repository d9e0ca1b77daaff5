"""Which certificates of an origin are accepted: chains in any order, and constraints on the issuers in them (contract 11)."""
import pytest

from lib import certs
from lib.behaviour import reply
from lib.daemon import upstream
from lib.promise import own_error, works


def permitting(*names, critical=True):
    return {'nameConstraints': ('critical,' if critical else '') + ','.join(names)}


OWN = ['permitted;DNS:exchange.test', 'permitted;DNS:kraken.test', 'permitted;DNS:localhost', 'permitted;IP:127.0.0.0/255.0.0.0']
CALLED = {'subject': 'exchange.test', 'subjectAltName': 'email:a@exchange.test'}
DIRECTORY = {'nameConstraints': 'permitted;dirName:holders', '[holders]\ncommonName': 'test'}

GOOD = {
    'no intermediate': lambda: certs.below(),
    'one': lambda: certs.below({}),
    'four': lambda: certs.below({}, {}, {}, {}),
    'four, backwards': lambda: certs.below({}, {}, {}, {}, order=[3, 2, 1, 0]),
    'four, shuffled, some twice': lambda: certs.below({}, {}, {}, {}, order=[2, 0, 2, 3, 1, 0]),
    'with the root between': lambda: rearranged('ca', 1, 0),
    'with an unrelated CA between': lambda: rearranged('stranger', 0, 1),
    'with one that cannot be read between': lambda: rearranged(unreadable(), 1, 0),
    'with one that cannot be read behind': lambda: rearranged(0, 1, unreadable()),
    'with a dead end of the same name': lambda: dead_end(),
    'with many CAs of the same name': lambda: namesakes(),
    'permitted': lambda: certs.below(permitting(*OWN)),
    'permitted, not critical': lambda: certs.below(permitting(*OWN, critical=False)),
    'others excluded': lambda: certs.below(permitting('excluded;DNS:other.test', 'excluded;IP:10.0.0.0/255.0.0.0')),
    'constraints about mail only': lambda: certs.below(permitting('permitted;email:x.test')),
    'for servers': lambda: certs.below({'extendedKeyUsage': 'serverAuth,emailProtection'}),
    'for anything': lambda: certs.below({'extendedKeyUsage': 'anyExtendedKeyUsage'}),
    'as deep as pathlen': lambda: certs.below({'basicConstraints': 'critical,CA:TRUE,pathlen:1'}, {}),
    'permitted directory': lambda: certs.below({**DIRECTORY, '[holders]\ncommonName': 'test leaf'}),
}
BAD = {
    'permits another': lambda: certs.below(permitting('permitted;DNS:other.test')),
    'permits another, not critical': lambda: certs.below(permitting('permitted;DNS:other.test', critical=False)),
    'permits a part of the names': lambda: certs.below(permitting(*OWN[1:])),
    'permits subdomains only': lambda: certs.below(permitting('permitted;DNS:.exchange.test', *OWN[1:])),
    'permits no such address': lambda: certs.below(permitting(*OWN[:3], 'permitted;IP:10.0.0.0/255.0.0.0')),
    'excludes it': lambda: certs.below(permitting('excluded;DNS:test')),
    'excludes it within a wildcard': lambda: certs.below(permitting('excluded;DNS:exchange.test'), subjectAltName='DNS:*.test'),
    'excludes every address': lambda: certs.below(permitting('excluded;IP:0.0.0.0/0.0.0.0')),
    'permits it, the CA above does not': lambda: certs.below(permitting('permitted;DNS:other.test'), permitting(*OWN)),
    'permits other mail, and has some': lambda: certs.below(permitting('permitted;email:x.test'),
                                                            subjectAltName=certs.NAMES + ',email:a@exchange.test'),
    'permits another directory': lambda: certs.below(DIRECTORY),
    'for clients only': lambda: certs.below({'extendedKeyUsage': 'clientAuth'}),
    'for mail only, above': lambda: certs.below({'extendedKeyUsage': 'emailProtection'}, {}),
    'deeper than pathlen': lambda: certs.below({'basicConstraints': 'critical,CA:TRUE,pathlen:0'}, {}),
    'deeper than pathlen, backwards': lambda: certs.below({'basicConstraints': 'critical,CA:TRUE,pathlen:0'}, {}, order=[1, 0]),
    'no CA': lambda: certs.below({'basicConstraints': 'critical,CA:FALSE', 'keyUsage': None}),
    'no SAN, name in CN': lambda: certs.below(subject='exchange.test', subjectAltName=None),
    'no such SAN, name in CN': lambda: certs.below(**CALLED),
    'incomplete': lambda: rearranged(0),
    'of strangers': lambda: strange(),
}


def rearranged(*order):
    """A leaf below two sub-CAs, with the chain in the given order: a number is a sub-CA (0 is the issuer of the leaf), a name is any
    other certificate."""
    name = certs.below({}, {})
    leaf, *subs = certs.split(name)
    return certs.join(name, leaf, *[subs[n] if isinstance(n, int) else (certs.FOLDER / f'{n}.crt').read_text() for n in order])


def namesakes():
    """A chain with nine CAs that have the name of the sub-CA but other keys, five of them before it and four after it."""
    name = certs.below({})
    leaf, sub = certs.split(name)
    number = name.split('-')[0]
    others = [certs.split(certs.issue(f'{number}-other{n}', subject=f'sub {number}-0', basicConstraints='critical,CA:TRUE'))[0] for n in range(9)]
    return certs.join(name, leaf, *others[:5], sub, *others[5:])


def strange():
    name = certs.issue('strange', certs.authority('strange-sub', 'stranger'), subjectAltName=certs.NAMES)
    return certs.join(name, *[certs.split(n)[0] for n in (name, 'strange-sub', 'stranger')])


def unreadable():
    """A certificate with an unknown critical extension."""
    return certs.issue('odd', subjectAltName='DNS:odd.test', **{'1.2.3.4.5': 'critical,ASN1:NULL'})


def dead_end():
    """A chain with two certificates for the same sub-CA: the first was issued by an unknown CA, the second by the trusted CA."""
    name = certs.below({})
    leaf, sub = certs.split(name)
    number = name.split('-')[0]
    cross = certs.cross_sign(f'{number}-0', 'stranger')
    return certs.join(name, leaf, cross, sub)


@pytest.mark.parametrize('chain', GOOD)
def test_believed(daemon, origins, chain):
    works(daemon(upstream('ex', origins(cert=GOOD[chain]()))))


@pytest.mark.parametrize('chain', BAD)
def test_refused(daemon, origins, chain):
    o = origins(cert=BAD[chain]())
    own_error(daemon(upstream('ex', o)).get('/ex/a'), 502, 'tls_certificate_error', 'no')
    assert not o.requests


def test_the_words(daemon, origins):
    d = daemon(upstream('ex', origins(cert=BAD['for clients only']())), upstream('nc', origins(cert=BAD['permits another']()), host='kraken.test'))
    assert 'extended key usage' in d.get('/ex/a').text and 'name constraints' in d.get('/nc/a').text


def test_a_wildcard_does_not_reach_what_is_excluded(daemon, origins):
    """The wildcard name in the certificate is not within the excluded subtree, but the requested host is, and must be refused."""
    o = origins(cert=certs.below(permitting('excluded;DNS:b.exchange.test'), subjectAltName='DNS:*.exchange.test'))
    o.default = reply(body=b'fine')
    d = daemon(upstream('a', o, host='a.exchange.test'), upstream('b', o, host='b.exchange.test'))
    assert d.get('/a/x').body == b'fine'
    own_error(d.get('/b/x'), 502, 'tls_certificate_error', 'no')
