"""trunkline doctor: healthy origins pass, and each kind of fault has its own message. All origins are examined concurrently, in
bounded time."""
import datetime
import re
import time

import pytest

from lib import certs
from lib.behaviour import hang, reply
from lib.daemon import PATIENCE, cli, free_port, upstream
from lib.wire import eventually

CA_CNF = """[ca]
default_ca = d
[d]
database = index.txt
policy = p
unique_subject = no
rand_serial = yes
x509_extensions = x
[p]
commonName = supplied
[x]
subjectAltName = DNS:exchange.test
"""


@pytest.fixture(scope='module')
def soon():
    """The name of a certificate that is valid for a hundred days, three of which are left."""
    now = datetime.datetime.now(datetime.timezone.utc)
    stamp = '%Y%m%d%H%M%SZ'
    (certs.FOLDER / 'ca.cnf').write_text(CA_CNF)
    (certs.FOLDER / 'index.txt').write_text('')
    certs._openssl('req', *certs.EC, '-keyout', 'soon.key', '-out', 'soon.csr', '-subj', '/CN=soon')
    certs._openssl('ca', '-batch', '-config', 'ca.cnf', '-cert', 'ca.crt', '-keyfile', 'ca.key', '-md', 'sha256',
                   '-outdir', '.', '-notext', '-in', 'soon.csr', '-out', 'soon.crt',
                   '-startdate', (now - datetime.timedelta(days=97)).strftime(stamp),
                   '-enddate', (now + datetime.timedelta(days=3, hours=1)).strftime(stamp))
    return 'soon'


@pytest.fixture
def doctor(tmp_path):
    """doctor(*blocks, args=…, defaults=…) runs the command. Returns its exit code and a dict with its output per upstream."""
    def run(*blocks, args=(), defaults=''):
        file = tmp_path / 'trunkline.conf'
        file.write_text(defaults + ''.join(blocks))
        out = cli('doctor', *args, '-c', file, timeout=30 * PATIENCE)
        assert not out.stderr, out.stderr
        parts = [part.split('  ', 1) for part in out.stdout.strip().split('\n\n')]
        return out.returncode, {name: words for name, words in parts}
    return run


def date(ahead=0):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=ahead)
    return ('Date', at.strftime('%a, %d %b %Y %H:%M:%S GMT'))


def healthy(origin, *headers, ahead=0, status=200):
    """Makes the origin answer every request, with the current time (plus `ahead` seconds) in Date."""
    async def answer(x):
        await reply(status, headers=[date(ahead), *headers])(x)
    origin.default = answer
    return origin


def findings(words):
    return re.findall(r'^  ! (.*)$', words, re.M)


def row(words, name):
    found = re.search(rf'^  {name} +(.*)$', words, re.M)
    assert found, f'no {name} in {words}'
    return found[1]


def test_a_healthy_exchange(doctor, origins):
    """The report has everything that the contract requires, and the exit code is 0. With a name as the argument, only that upstream
    is examined."""
    o = healthy(origins(), ('X-Weight', '1200'))
    block = upstream('ex', o, weight_header='X-Weight', weight_limit=6000)
    code, told = doctor(block, upstream('dead', f'127.0.0.1:{free_port()}', host='kraken.test'), args=['ex'])
    assert code == 0 and list(told) == ['ex']
    words = told['ex']
    assert words.startswith('https://exchange.test  well\n') and not findings(words)
    assert row(words, 'addresses') == f'{o.address} (connect_to)'
    assert re.fullmatch(rf'[\d.]+ ms \(TCP connect\) to {o.address}', row(words, 'round trip'))
    assert re.fullmatch(r'TLSv1.3, ALPN http/1.1, handshake [\d.]+ ms', row(words, 'TLS'))
    assert row(words, 'certificate') == '29 days left'
    assert re.fullmatch(r'GET /: 200 in [\d.]+ ms', row(words, 'answer'))
    assert row(words, 'clock').startswith('agrees with ours')
    assert row(words, 'weight') == '1200 of 6000 used'
    [request] = o.requests
    assert request.target == '/' and request.get('host') == 'exchange.test' and request.method == 'GET'
    [line] = o.lines
    eventually(lambda: line.closed)
    assert line.sni == 'exchange.test' and line.notified


def test_ill_ones_are_told_apart_all_at_once(doctor, origins, soon):
    """Each fault has its own message. Examining all upstreams takes no longer than examining the slowest alone."""
    slow = healthy(origins(greet=2.2 * PATIENCE))
    silent, mute = origins(greet='stall'), origins()
    mute.default = hang()
    dead = f'127.0.0.1:{free_port()}'
    names = (f'{name}.exchange.test' for name in 'abcdefghij')
    began = time.monotonic()
    code, told = doctor(
        upstream('soon', healthy(origins(cert=soon))),
        upstream('skewed', healthy(origins(), ahead=100), host=next(names)),
        upstream('behind', healthy(origins(), ahead=-100), host=next(names)),
        upstream('slow', slow, host=next(names), tls_timeout=f'{4 * PATIENCE}s'),
        upstream('silent', silent, host=next(names), tls_timeout='1s'),
        upstream('mute', mute, host=next(names), response_timeout='1s'),
        upstream('refused', dead, host=next(names)),
        upstream('wrong', origins(cert='wrong'), host=next(names)),
        upstream('expired', origins(cert='expired'), host=next(names)),
        upstream('unavailable', healthy(origins(), status=503), host=next(names)),
        upstream('well', healthy(origins()), host=next(names)))
    took = time.monotonic() - began
    assert code == 1 and took < 10 * PATIENCE, took
    said = {name: findings(words) for name, words in told.items()}
    assert said.pop('well') == [] and all(len(f) == 1 for f in said.values()), said
    assert said['soon'] == ['its certificate expires in 3 days']
    skew = 'our clock and the exchange\'s differ by '
    assert re.fullmatch(skew + r'(9\d|10\d)\.\d s: signed requests will be refused', said['skewed'][0])
    assert row(told['skewed'], 'clock').split(', ')[0].endswith('behind') and row(told['behind'], 'clock').split(', ')[0].endswith('ahead')
    assert re.fullmatch(rf'the TLS handshake took \d+ ms, more than half of tls_timeout \({4 * PATIENCE}s\)', said['slow'][0])
    assert said['silent'] == ['it does not connect in time: no TLS handshake within 1s']
    assert said['mute'] == ['it accepts connections but does not respond: no response within 1s']
    assert said['refused'] == [f'it refuses connections: {dead}: connection refused']
    assert said['wrong'][0].startswith('its certificate is not trusted as ') and 'exchange.test: ' in said['wrong'][0]
    assert 'not match' in said['wrong'][0] and 'expired' in said['expired'][0]
    assert said['unavailable'] == ['it answered GET / with status 503']
    assert all(words.split('\n')[0].endswith('  well' if name == 'well' else 'not well') for name, words in told.items())


def test_times_do_not_climb_with_the_place(doctor, origins):
    """With many upstreams, the handshake times of the last are no longer than those of the first: no measured time includes the
    work for other upstreams."""
    names = [f'u{i}' for i in range(16)]
    blocks = [upstream(name, healthy(origins()), host=f'{name}.exchange.test') for name in names]

    def level():
        code, told = doctor(*blocks)
        times = [float(re.search(r'handshake ([\d.]+) ms', told[name])[1]) for name in names]
        assert code == 0
        return min(times[-4:]) < 1.5 * max(times[:4])
    eventually(level)           # a real increase occurs in every run, one caused by other load on the machine does not


def test_a_resolved_name_and_a_plain_origin(doctor, origins):
    """The addresses shown are those that the name resolves to. An http:// origin has no TLS to examine, and an origin that sends no
    Date still passes."""
    o, plain = healthy(origins()), origins(tls=False)
    code, told = doctor(
        f'upstream here {{ url = "https://localhost:{o.port}" ca_file = "{certs.CA}" }}\n',
        upstream('plain', plain))
    assert code == 0
    assert f'127.0.0.1:{o.port}' in row(told['here'], 'addresses') and 'connect_to' not in told['here']
    assert row(told['plain'], 'TLS').startswith('none') and row(told['plain'], 'clock').startswith('unknown')


def test_a_used_up_budget_and_no_verification(doctor, origins):
    """Using 80 % of the weight limit is a finding, because public requests are then held. Without verification, an invalid
    certificate is still examined."""
    o = healthy(origins(cert='expired'), ('X-Weight', '4800'))
    code, told = doctor(upstream('ex', o, tls_verify=False, ca_file=None, weight_header='X-Weight', weight_limit=6000))
    assert code == 1
    weight, ended = sorted(findings(told['ex']))
    assert weight == '4800 of the weight of 6000 are used up: public requests are held'
    assert re.fullmatch('its certificate expired [0-9]+ (hours|days) ago', ended), ended
    assert 'not verified' in row(told['ex'], 'TLS')


@pytest.mark.parametrize('text, args, code, words', [
    ('upstream ex { url = "https://exchange.test" }', ['ey'], 64, "no upstream 'ey'"),
    ('nonsense = 1', [], 78, ':1: '),
    ('listen = {"127.0.0.1:1"}', [], 78, 'no upstream to look at'),
    ('', ['--nonsense'], 64, 'see trunkline doctor --help'),
    ('', ['a', 'b'], 64, "unexpected argument 'b'"),
])
def test_wrong_calls(tmp_path, text, args, code, words):
    file = tmp_path / 'trunkline.conf'
    file.write_text(text)
    out = cli('doctor', *args, '-c', file)
    assert out.returncode == code and words in out.stderr and not out.stdout, out


def test_the_demo_exchanges_are_well(demo):
    """The demo exchanges, which new users try first, pass: each answers the path that doctor requests and sends a Date."""
    told = demo().daemon.cli('doctor')
    assert told.returncode == 0 and told.stdout.count('agrees with ours') == 3, told.stdout
