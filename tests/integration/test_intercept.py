"""CONNECT with TLS terminated in trunkline: the requests of unmodified https scripts use the pool, but only for hosts of the local CA."""
import base64
import hashlib
import os
import pathlib
import select
import shutil
import signal
import socket
import ssl
import subprocess
import time

import pytest

from lib import certs
from lib.behaviour import Gate, raw, reply
from lib.daemon import PATIENCE, cli, upstream
from lib.promise import own_error
from lib.wire import Closed, WireError, compose, eventually, refuses

HOST = 'exchange.test'
UNDICI = pathlib.Path('/usr/lib/node_modules/npm/node_modules/undici')
COMPUTED = base64.b64encode(hashlib.sha1(b'dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest())


@pytest.fixture(scope='module')
def ca(tmp_path_factory):
    """The directory of a CA that `ca init` created for HOST."""
    folder = tmp_path_factory.mktemp('ca')
    made = cli('ca', 'init', '--dir', folder, '--host', HOST)
    assert made.returncode == 0, made.stderr
    return folder


def intercepting(folder, **more):
    return {'connect': 'intercept', 'ca_cert': str(folder / 'issuer.pem'), 'ca_key': str(folder / 'ca.key'), **more}


@pytest.fixture
def d(daemon, origin, ca):
    """A daemon that intercepts HOST."""
    return daemon(upstream('ex', origin), **intercepting(ca))


def connect(d, host=HOST, port=443):
    """A client connection whose CONNECT got a 200 response."""
    c = d.client()
    r = c.send(f'CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n').response('CONNECT')
    assert r.status == 200, r
    return c


def secure(c, trust, host=HOST, alpn=None, **how):
    """Performs a TLS handshake on the connection and returns it."""
    context = certs.client_context(str(trust), alpn)
    for name, value in how.items():
        setattr(context, name, value)
    c.sock = context.wrap_socket(c.sock, server_hostname=host)
    return c


def inside(d, ca, **how):
    return secure(connect(d), ca / 'ca.pem', **how)


def run(d, ca, command, script=None, timeout=60 * PATIENCE, **env):
    """Runs a program with the proxy in its environment and returns its output."""
    proxies = {'HTTPS_PROXY': d.url, 'https_proxy': d.url}
    out = subprocess.run(command, input=script, capture_output=True, text=True, timeout=timeout,
                         env={**os.environ, **proxies, **env})
    assert out.returncode == 0, out.stderr[-2000:]
    return out.stdout


# ------------------------------------------------------------------------------------------- real clients

def test_an_unmodified_requests_script_shares_one_line(d, ca, origin):
    """100 calls of requests.get, each with its own client connection and TLS handshake, share one connection to the origin."""
    out = run(d, ca, ['/usr/bin/python3', '-'], f'''
import requests
for n in range(100):
    r = requests.get('https://{HOST}/api/%d?symbol=BTC%%2FUSDT&x=a+b' % n, headers={{'X-MBX-APIKEY': 'k'}})
    assert r.status_code == 200 and r.text == '/api/%d?symbol=BTC%%2FUSDT&x=a+b' % n, r.text
print('done')
''', REQUESTS_CA_BUNDLE=str(ca / 'ca.pem'))
    assert out == 'done\n'
    assert origin.paths() == [f'/api/{n}?symbol=BTC%2FUSDT&x=a+b' for n in range(100)]
    assert len(origin.lines) == 1 and origin.requests[0].get('host') == HOST
    u = d.upstream()
    assert u['connections']['opened'] == 1 and u['connections']['reused'] == 99
    assert u['requests']['total'] == u['requests']['succeeded'] == 100
    assert u['tunnels']['total'] == 0


def test_curl(d, ca, origin):
    """curl with --cacert: the body of an order arrives unchanged, and curl reuses its connection."""
    url = f'https://{HOST}/order'
    out = run(d, ca, ['curl', '-sS', '--cacert', ca / 'ca.pem', '-d', 'side=BUY&signature=abc', url, '--next', '-sS', '--cacert', ca / 'ca.pem',
                      '-w', '|%{num_connects} %{http_version} %{ssl_verify_result}', url])
    assert out == '/order/order|0 1.1 0'
    assert [(r.method, r.body) for r in origin.requests] == [('POST', b'side=BUY&signature=abc'), ('GET', b'')]
    assert len(origin.lines) == 1


def test_aiohttp(d, ca, origin):
    """aiohttp with SSL_CERT_FILE and trust_env: concurrent requests succeed."""
    out = run(d, ca, ['/usr/bin/python3', '-'], f'''
import aiohttp, asyncio
async def get(s, n):
    async with s.get('https://{HOST}/%d' % n) as r:
        return await r.text()
async def main():
    async with aiohttp.ClientSession(trust_env=True) as s:
        print(*await asyncio.gather(*[get(s, n) for n in range(8)]))
asyncio.run(main())
''', SSL_CERT_FILE=str(ca / 'ca.pem'))
    assert out.split() == [f'/{n}' for n in range(8)]
    assert d.upstream()['tunnels']['total'] == 0


@pytest.mark.skipif(not UNDICI.exists(), reason='npm brings no undici')
def test_node(d, ca, origin):
    """fetch with undici's ProxyAgent and NODE_EXTRA_CA_CERTS."""
    out = run(d, ca, ['node', '-'], f'''
const {{ fetch, ProxyAgent }} = require({str(UNDICI)!r});
const dispatcher = new ProxyAgent(process.env.HTTPS_PROXY);
(async () => {{
  for (let n = 0; n < 5; n++) {{
    const r = await fetch(`https://{HOST}/${{n}}`, {{ dispatcher, method: 'POST', body: 'x=' + n }});
    console.log(r.status, await r.text());
  }}
  await dispatcher.close();
}})();
''', NODE_EXTRA_CA_CERTS=str(ca / 'ca.pem'))
    assert out.split() == [w for n in range(5) for w in ('200', f'/{n}')]
    assert [r.body for r in origin.requests] == [b'x=%d' % n for n in range(5)] and len(origin.lines) == 1


# ----------------------------------------------------------------------------------------------- certificates

def test_the_certificate(d, ca):
    """The certificate is for the requested host, is issued by this CA, is short-lived and is the same for the next client. TLS 1.2
    and 1.3 are supported; ALPN selects http/1.1."""
    seen = set()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with inside(d, ca, alpn=['h2', 'http/1.1'], maximum_version=version) as c:
            shown = c.sock.getpeercert()
            assert shown['subjectAltName'] == (('DNS', HOST),)
            left = ssl.cert_time_to_seconds(shown['notAfter']) - time.time()
            assert 0 < left < 30 * 86400
            assert c.sock.version() == version.name.replace('_', '.') and c.sock.selected_alpn_protocol() == 'http/1.1'
            seen.add(shown['serialNumber'])
            assert c.get('/x', host=HOST).text == '/x'
    assert len(seen) == 1


@pytest.mark.parametrize('how', [{'host': 'other.test'}, {'alpn': ['h2']}])
def test_no_other_name_and_no_other_protocol(d, ca, how):
    """If SNI names another host, or ALPN offers only h2, the client gets a fatal alert. The next client is served."""
    c = connect(d)
    with pytest.raises(ssl.SSLError, match='(?i)unrecognized.name|no.application.protocol'):
        secure(c, ca / 'ca.pem', **how)
    with inside(d, ca) as c:
        assert c.get('/y', host=HOST).text == '/y'


def test_a_client_that_does_not_know_the_ca(d, ca):
    """A client that rejects the certificate is counted, logged, and listed among the recent errors with the alert it sent."""
    for _ in range(2):
        c = connect(d)
        with pytest.raises(ssl.SSLCertVerificationError):
            secure(c, certs.CA)
        c.close()
    eventually(lambda: 'no TLS for exchange.test: client sent alert 48 (unknown_ca) (does it trust ca_cert?)' in d.stderr)
    eventually(lambda: d.upstream()['tunnels']['tls_failed'] == 2)
    e, = d.client().get('/stats?recent').json()['recent_errors']
    assert (e['upstream'], e['error'], e['detail'], e['count'], e['sent']) == ('ex', 'tls_protocol_error', 'client sent alert 48 (unknown_ca)', 2, 'no')
    assert d.upstream()['requests']['failed'] == 0
    eventually(lambda: d.stats()['clients']['open'] == 1)


# ---------------------------------------------------------------------------------- which hosts are intercepted

def test_others_are_tunnelled(daemon, origins, ca):
    """An upstream that the CA was not created for gets a plain tunnel, so the client sees the origin's own certificate. The other
    upstream is intercepted."""
    first, second = origins(), origins()
    d = daemon(upstream('ex', first), upstream('kraken', second, host='kraken.test'), **intercepting(ca))
    assert 'not made for kraken.test' in d.stderr
    with secure(connect(d, 'kraken.test'), certs.CA, host='kraken.test') as c:
        assert c.sock.getpeercert()['issuer'] == ((('commonName', 'test ca'),),)
        assert c.get('/raw', host='kraken.test').text == '/raw'
        assert d.upstream('kraken')['tunnels'] == {**d.upstream('kraken')['tunnels'], 'open': 1, 'total': 1}
    with inside(d, ca) as c:
        assert c.get('/pooled', host=HOST).text == '/pooled'
    assert d.upstream('ex')['tunnels']['total'] == 0 and d.upstream('kraken')['requests']['total'] == 0
    assert first.paths() == ['/pooled'] and second.paths() == ['/raw']


def test_another_port(daemon, origin, ca):
    """An upstream on port 8443 is intercepted on that port if connect_ports contains it."""
    d = daemon(upstream('ex', origin, host=f'{HOST}:8443'), **intercepting(ca, connect_ports=[443, 8443]))
    with secure(connect(d, port=8443), ca / 'ca.pem') as c:
        assert c.get('/a', host=f'{HOST}:8443').text == '/a'
    assert origin.requests[0].get('host') == f'{HOST}:8443'
    assert d.upstream()['requests']['total'] == 1


def test_plain_http_inside_is_pooled_as_well(d, origin):
    """Bytes that do not start with a ClientHello are treated as HTTP, as in an ordinary tunnel."""
    with connect(d) as c:
        assert c.get('/a', host=HOST).text == '/a' and c.get('/b', host=HOST).text == '/b'
    assert len(origin.lines) == 1


# -------------------------------------------------------------------------------------------- requests inside TLS

def test_requests_inside_take_the_ordinary_path(daemon, origin, ca):
    """Intercepted requests are handled like any other: rate limit, error responses with `sent`, Trunkline-* fields, keep-alive and
    absolute-form targets."""
    d = daemon(upstream('ex', origin, rate='4/1h', on_limit='refuse'), **intercepting(ca))
    with inside(d, ca) as c:
        assert c.get(f'https://{HOST}/absolute', host=HOST).text == '/absolute'
        origin.on('/drop', raw(b'HT', then='reset'))
        own_error(c.request('POST', '/drop', body=b'x', host=HOST), 502, ('connection_terminated', 'http_response_incomplete'), 'yes')
        assert c.get('/after', [('Trunkline-Client', 'grid1')], host=HOST).text == '/after'
        assert c.get('/last', host=HOST).text == '/last'
        own_error(c.get('/held', host=HOST), 429, 'http_request_denied', 'no')
    assert origin.paths() == ['/absolute', '/drop', '/after', '/last']
    assert origin.requests[2].get('trunkline-client') is None


@pytest.mark.parametrize('target, host', [('/stats', HOST), ('/ex/x', HOST), ('/https://kraken.test/x', HOST)])
def test_pages_and_names_do_not_apply(d, ca, origin, target, host):
    """A request in origin form always goes to the host of the CONNECT request; trunkline's own pages and upstream names do not apply."""
    with inside(d, ca) as c:
        assert c.get(target, host=host).text == target
    assert origin.paths() == [target]


@pytest.mark.parametrize('target, host', [('/x', 'kraken.test'), ('https://kraken.test/x', 'kraken.test'), ('/x', f'{HOST}:8443')])
def test_another_authority_is_denied(d, ca, origin, target, host):
    """Contract 10: a different authority gets 403."""
    with inside(d, ca) as c:
        own_error(c.get(target, host=host), 403, 'http_request_denied', 'no')
    assert origin.requests == []


def test_large_bodies_both_ways(daemon, ca, origin):
    """A body of 8 MiB passes through both layers of TLS in each direction."""
    d = daemon(upstream('ex', origin, response_timeout='60s', total_timeout='120s'), **intercepting(ca))
    size = 8 << 20
    origin.on('/big', reply(body=lambda req: req.body))
    body = os.urandom(1 << 20) * 8
    with inside(d, ca) as c:
        r = c.request('POST', '/big', body=body, host=HOST, timeout=30 * PATIENCE)
    assert len(r.body) == size and hashlib.sha256(r.body).digest() == hashlib.sha256(body).digest()


def test_wss_inside(d, ca, origin):
    """A WebSocket inside intercepted TLS: the 101 response is relayed unchanged, bytes flow in both directions, and /stats counts
    it as a tunnel."""
    async def chat(x):
        await x.line.send(b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
                          b'Sec-WebSocket-Accept: ' + COMPUTED + b'\r\n\r\nhello')
        while True:
            if not x.line.buffer:
                await x.line.more()
            piece = bytes(x.line.buffer)
            x.line.buffer.clear()
            await x.line.send(piece.upper())
    origin.on('/ws', chat)
    with inside(d, ca) as c:
        c.send(compose('GET', '/ws', [('Upgrade', 'websocket'), ('Connection', 'Upgrade'), ('Sec-WebSocket-Version', '13'),
                                      ('Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==')], host=HOST))
        r = c.response()
        assert r.status == 101 and r.get('sec-websocket-accept') == COMPUTED.decode()
        assert c._exactly(5) == b'hello'
        c.send(b'ping')
        assert c._exactly(4) == b'PING'
        assert d.upstream()['tunnels']['open'] == 1


# ---------------------------------------------------------------------------------------- slow and broken clients

def test_a_slow_handshake_ends(daemon, origin, ca):
    """client_header_timeout limits the duration of a handshake, and a slow handshake does not delay other clients."""
    patient, d = (daemon(upstream('ex', origin), **intercepting(ca, client_header_timeout=t)) for t in ('60s', '500ms'))
    with connect(patient).send(b'\x16\x03\x01'), inside(patient, ca) as c:
        assert c.get('/x', host=HOST).text == '/x'
    with connect(d).send(b'\x16\x03\x01') as slow:
        assert slow.eof()


def test_clients_that_break_off(daemon, origin, ca):
    """Clients that disconnect at any point of the handshake, or that send garbage, leave no open connection behind."""
    d = daemon(upstream('ex', origin), **intercepting(ca, client_header_timeout='1s'))
    context = certs.client_context(str(ca / 'ca.pem'))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=HOST).do_handshake()
    hello = outgoing.read()
    for n, cut in enumerate((1, 5, 6, 60, len(hello) - 1, len(hello))):
        c = connect(d).send(hello[:cut])
        if n % 2:
            time.sleep(0.01)
        c.abort() if n % 3 else c.close()
    for rubbish in (b'\x16' * 40, b'\x16\x03\x03\x00\x02\x01\x00', hello[:100] + os.urandom(300), hello + hello):
        with connect(d).send(rubbish) as c, pytest.raises(Closed):
            while True:
                c.more()
    eventually(lambda: d.stats()['clients']['open'] == 1)
    assert origin.lines == []


PLACES = 256


def client_hello():
    out = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), out, server_hostname=HOST).do_handshake()
    return out.read()


def test_so_many_clients_shake_hands_at_once(d, ca, origin):
    """When the maximum number of handshakes is in progress, another CONNECT gets 503 and is counted as failed. A handshake that
    ends, or whose client disconnects, frees its slot."""
    waiting = [connect(d) for _ in range(PLACES)]
    ask = f'CONNECT {HOST}:443 HTTP/1.1\r\n\r\n'
    own_error(d.client().send(ask.replace('1.1', '1.0')).response('CONNECT'), 503, 'connection_limit_reached', 'no')
    assert d.get('/ex/a').status == 200
    assert d.stats()['requests']['failed'] == 1
    waiting.pop().close()
    eventually(lambda: d.client().send(ask.replace('1.1', '1.0')).response('CONNECT').status == 200)
    for c in waiting[:2]:
        assert secure(c, ca / 'ca.pem').get('/in', host=HOST).status == 200
    connect(d)


def test_a_silent_client_gives_its_place_back(daemon, origin, ca):
    d = daemon(upstream('ex', origin), **intercepting(ca, client_header_timeout='500ms'))
    assert connect(d).eof()
    assert 'no TLS for' not in d.stderr


def test_origins_go_before_clients(daemon, origin, ca):
    """A new connection to an origin is not delayed by a burst of ClientHellos."""
    d = daemon(upstream('ex', origin, http2='never'), **intercepting(ca))
    clients, hello = [connect(d) for _ in range(PLACES - 6)], client_hello()
    with inside(d, ca) as c:        # creates its certificate beforehand
        assert c.get('/x', host=HOST).status == 200
    assert d.request('POST', '/upstreams/ex/reconnect').status == 204
    for c in clients:
        c.send(hello)
    assert d.get('/ex/a').status == 200
    answered = sum(bool(select.select([c.sock], [], [], 0)[0]) for c in clients)
    assert answered < len(clients) * 3 // 4, answered


def test_drain(d, ca, origin):
    """After SIGTERM, a request inside the TLS connection completes. Its response says Connection: close, and the connection ends
    with close_notify."""
    gate = Gate()
    origin.on('/slow', gate)
    with inside(d, ca) as c:
        c.send(compose('GET', '/slow', host=HOST))
        eventually(lambda: gate.waiting == 1)
        d.kill(signal.SIGTERM)
        eventually(lambda: refuses(d.where))
        gate.release()
        r = c.response()
        assert r.text == '/slow' and r.get('connection') == 'close'
        assert c.sock.recv(1) == b''        # without close_notify this would raise SSLEOFError
    assert d.wait() == 0


# --------------------------------------------------------------------------------------------------- configuration

def test_a_ca_made_before(daemon, origin, tmp_path):
    """A CA of the older form, in which one certificate is both trust anchor and issuer, still works."""
    subprocess.run(['openssl', 'req', '-x509', *certs.EC, '-keyout', tmp_path / 'ca.key', '-out', tmp_path / 'ca.pem', '-days', '9',
                    '-subj', '/O=trunkline/CN=trunkline local CA', '-addext', 'basicConstraints=critical,CA:TRUE,pathlen:0',
                    '-addext', f'nameConstraints=critical,permitted;DNS:{HOST},excluded;IP:0.0.0.0/0.0.0.0'], check=True, capture_output=True)
    d = daemon(upstream('ex', origin), **intercepting(tmp_path, ca_cert=str(tmp_path / 'ca.pem')))
    with inside(d, tmp_path) as c:
        assert c.get('/x', host=HOST).text == '/x'


def signed_by(folder, name, host):
    """Signs a certificate for `host` with the local CA's key, as an attacker with that key could, and stores it with the chain a
    server would send."""
    for file, kind in (('issuer.pem', 'crt'), ('ca.key', 'key')):
        shutil.copy(folder / file, folder / f'signer.{kind}')
    certs.issue(name, 'signer', folder=folder, subjectAltName=f'DNS:{host}', basicConstraints='CA:FALSE', extendedKeyUsage='serverAuth')
    (folder / f'{name}.crt').write_text((folder / f'{name}.crt').read_text() + (folder / 'issuer.pem').read_text())
    return name


def test_the_anchor_serves_as_ca_file(daemon, origins, ca):
    """The name constraints of the CA also apply when its anchor is used as ca_file."""
    d = daemon(*[upstream(name, certified(origins, ca, name, host), host=host, ca_file=str(ca / 'ca.pem'))
                 for name, host in (('mine', HOST), ('theirs', 'kraken.test'))])
    assert d.get('/mine/x').status == 200
    own_error(d.get('/theirs/x'), 502, 'tls_certificate_error', 'no')


def certified(origins, ca, name, host):
    signed_by(ca, name, host)
    o = origins()
    o.context.load_cert_chain(ca / f'{name}.crt', ca / f'{name}.key')
    return o


JAVA = r'''
import java.io.*;
import java.security.KeyStore;
import java.security.cert.*;
import javax.net.ssl.*;
public class Verify {
    public static void main(String[] a) throws Exception {
        CertificateFactory f = CertificateFactory.getInstance("X.509");
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        try (InputStream in = new FileInputStream(a[0])) { store.setCertificateEntry("anchor", f.generateCertificate(in)); }
        TrustManagerFactory m = TrustManagerFactory.getInstance("PKIX");
        m.init(store);
        for (int i = 1; i < a.length; i++)
            try (InputStream in = new FileInputStream(a[i])) {
                X509Certificate[] chain = f.generateCertificates(in).toArray(new X509Certificate[0]);
                ((X509TrustManager) m.getTrustManagers()[0]).checkServerTrusted(chain, "ECDHE_ECDSA");
                System.out.println("yes");
            } catch (CertificateException e) { System.out.println("no"); }
    }
}
'''


def test_java_holds_it_to_its_constraints(ca, tmp_path):
    """Java enforces name constraints only on intermediate certificates, not on a trust anchor. This is why `ca init` creates a
    separate issuer."""
    if not shutil.which('java'):
        pytest.skip('java is not installed')
    (tmp_path / 'Verify.java').write_text(JAVA)
    chains = [ca / f'{signed_by(ca, name, host)}.crt' for name, host in (('good', HOST), ('bad', 'other.test'))]
    out = subprocess.run(['java', tmp_path / 'Verify.java', ca / 'ca.pem', *chains], capture_output=True, text=True, timeout=50 * PATIENCE)
    assert out.stdout.split() == ['yes', 'no'], out


def test_configuration_errors(tmp_path, ca):
    """intercept requires a usable CA; `check` and the daemon report errors with file and line."""
    file = tmp_path / 'bad.conf'
    (tmp_path / 'not.pem').write_text('hello\n')
    for text, line, words in (
            ('connect = intercept\n', 1, 'needs ca_cert and ca_key'),
            (f'ca_cert = "{ca}/issuer.pem"\nconnect = intercept\n', 1, 'ca_cert needs ca_key'),
            (f'connect = intercept\nca_cert = "{ca}/issuer.pem"\nca_key = "{ca}/ca.pem"\n', 3, f'ca_key {ca}/ca.pem: cannot be read'),
            (f'connect = intercept\nca_key = "{ca}/ca.key"\nca_cert = "{certs.CA}"\n', 3, 'could vouch for any host'),
            (f'ca_cert = "{tmp_path}/not.pem"\nca_key = "{ca}/ca.key"\n', 1, 'cannot be read'),
            (f'ca_cert = "{ca}/none.pem"\nca_key = "{ca}/ca.key"\n', 1, 'No such file')):
        file.write_text(text)
        for args in (['check', '-c', file], ['-c', file]):
            out = cli(*args)
            assert out.returncode == 78 and f'{file}:{line}: ' in out.stderr and words in out.stderr, out


def test_an_exposed_key_is_warned_of(daemon, origin, ca, tmp_path):
    """A private key with mode 0644 causes a warning; one with mode 0640 does not."""
    for name in ('ca.pem', 'issuer.pem', 'ca.key'):
        (tmp_path / name).write_bytes((ca / name).read_bytes())
    (tmp_path / 'ca.key').chmod(0o640)
    assert 'others may read' not in daemon(upstream('ex', origin), **intercepting(tmp_path)).stderr
    (tmp_path / 'ca.key').chmod(0o644)
    d = daemon(upstream('ex', origin), **intercepting(tmp_path))
    assert f'{tmp_path}/ca.key: others may read or write it' in d.stderr and 'PRIVATE' not in d.stderr


def test_reload(d, ca, origin, tmp_path):
    """After a reload, the new CA is used for the next client and open connections continue. A reload with an invalid CA is refused
    as a whole. connect = tunnel ends interception."""
    other = tmp_path / 'other'
    assert cli('ca', 'init', '--dir', other, '--host', HOST).returncode == 0

    def trusts(folder):
        try:
            with inside(d, folder) as c:
                return c.get('/r', host=HOST).status == 200
        except (ssl.SSLError, WireError):
            return False
    with inside(d, ca) as c:
        assert c.get('/a', host=HOST).text == '/a'
        d.reload(**intercepting(other))
        eventually(lambda: trusts(other))
        assert not trusts(ca)
        assert c.get('/b', host=HOST).text == '/b'
        d.reload(**intercepting(other, ca_cert=certs.CA))
        eventually(lambda: 'reload refused' in d.stderr)
        assert trusts(other)
        d.reload(connect='tunnel', ca_cert=None, ca_key=None)
        eventually(lambda: not trusts(other))
        assert c.get('/c', host=HOST).text == '/c'
    assert socket.create_connection(d.where)
