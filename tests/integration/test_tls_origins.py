"""Each TLS version with each type of key, at independent servers as origins: all can be reached, and their connections are reused."""
import contextlib
import functools
import os
import shutil
import ssl
import subprocess

import pytest

from lib import certs
from lib.daemon import PATIENCE, free_port, upstream
from lib.promise import own_error
from lib.wire import eventually, refuses

VERSIONS = ['1.2', '1.3']
KEYS = {'RSA': 'rsa', 'EC': 'good'}

GO = r'''
package main
import ("crypto/tls"; "net/http"; "os")
func main() {
    versions := map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}
    v := versions[os.Args[2]]
    s := &http.Server{Addr: os.Args[1], TLSConfig: &tls.Config{MinVersion: v, MaxVersion: v},
        Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("fine")) })}
    panic(s.ListenAndServeTLS(os.Args[3], os.Args[4]))
}
'''
JAVA = r'''
import com.sun.net.httpserver.*;
import java.io.*;
import java.net.InetSocketAddress;
import java.security.KeyStore;
import javax.net.ssl.*;
public class Server {
    public static void main(String[] a) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream in = new FileInputStream(a[2])) { store.load(in, "secret".toCharArray()); }
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(store, "secret".toCharArray());
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), null, null);
        HttpsServer server = HttpsServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(a[0])), 0);
        server.setHttpsConfigurator(new HttpsConfigurator(context) {
            public void configure(HttpsParameters p) {
                SSLParameters s = context.getDefaultSSLParameters();
                s.setProtocols(new String[] {"TLSv" + a[1]});
                p.setSSLParameters(s);
            }
        });
        server.createContext("/", e -> { e.sendResponseHeaders(200, 4); e.getResponseBody().write("fine".getBytes()); e.close(); });
        server.start();
    }
}
'''


def find(name):
    path = shutil.which(name, path=os.environ.get('PATH', '') + ':/usr/sbin:/usr/local/sbin')
    if not path:
        pytest.skip(f'{name} is not installed')
    return path


def files(cert):
    return certs.FOLDER / f'{cert}.crt', certs.FOLDER / f'{cert}.key'


def both(folder, cert):
    pem = folder / f'{cert}.pem'
    pem.write_bytes(b''.join(f.read_bytes() for f in files(cert)))
    return pem


def openssl(folder, port, version, cert, *more):
    crt, key = files(cert)
    return [find('openssl'), 's_server', '-accept', f'127.0.0.1:{port}', '-cert', crt, '-key', key, '-www', f'-tls{version.replace(".", "_")}', *more]


def openssl_by_its_own_order(folder, port, version, cert):
    """This server prefers PSS, regardless of the order in trunkline's ClientHello."""
    return openssl(folder, port, version, cert, '-serverpref')


def gnutls(folder, port, version, cert):
    crt, key = files(cert)
    return [find('gnutls-serv'), '--http', '--port', port, '--x509certfile', crt, '--x509keyfile', key, '--priority', f'NORMAL:-VERS-ALL:+VERS-TLS{version}']


def nginx(folder, port, version, cert, more=''):
    crt, key = files(cert)
    (folder / 'nginx.conf').write_text(f'''
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ }}
http {{
    access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{ listen 127.0.0.1:{port} ssl; ssl_protocols TLSv{version}; ssl_certificate {crt}; ssl_certificate_key {key}; {more} return 200 fine; }}
}}
''')
    return [find('nginx'), '-e', f'{folder}/error.log', '-p', folder, '-c', folder / 'nginx.conf']


def nginx_by_its_own_order(folder, port, version, cert):
    return nginx(folder, port, version, cert, 'ssl_prefer_server_ciphers on;')


def haproxy(folder, port, version, cert):
    (folder / 'haproxy.cfg').write_text(f'''
defaults
    mode http
    timeout client 10s
    timeout connect 10s
    timeout server 10s
frontend f
    bind 127.0.0.1:{port} ssl crt {both(folder, cert)} ssl-min-ver TLSv{version} ssl-max-ver TLSv{version}
    http-request return status 200 content-type text/plain string fine
''')
    return [find('haproxy'), '-f', folder / 'haproxy.cfg']


@functools.cache
def go_server():
    folder = certs.FOLDER / 'go'
    folder.mkdir()
    (folder / 'server.go').write_text(GO)
    subprocess.run([find('go'), 'build', '-o', folder / 'server', folder / 'server.go'], check=True, timeout=50 * PATIENCE, capture_output=True,
                   env={**os.environ, 'GO111MODULE': 'off', 'GOCACHE': str(folder / 'cache'), 'GOFLAGS': '-p=2'})
    return folder / 'server'


def go(folder, port, version, cert):
    find('go')
    return [go_server(), f'127.0.0.1:{port}', version, *files(cert)]


def java(folder, port, version, cert):
    crt, key = files(cert)
    (folder / 'Server.java').write_text(JAVA)
    subprocess.run(['openssl', 'pkcs12', '-export', '-in', crt, '-inkey', key, '-out', folder / 'store', '-passout', 'pass:secret'], check=True)
    return [find('java'), folder / 'Server.java', port, version, folder / 'store']


def node(folder, port, version, cert):
    crt, key = files(cert)
    (folder / 'server.mjs').write_text(f'''
import https from 'https'; import fs from 'fs';
https.createServer({{cert: fs.readFileSync('{crt}'), key: fs.readFileSync('{key}'), minVersion: 'TLSv{version}', maxVersion: 'TLSv{version}'}},
    (q, a) => a.end('fine')).listen({port}, '127.0.0.1');
''')
    return [find('node'), folder / 'server.mjs']


SERVERS = [openssl, openssl_by_its_own_order, nginx, nginx_by_its_own_order, haproxy, gnutls, node,
           pytest.param(go, marks=pytest.mark.slow), pytest.param(java, marks=pytest.mark.slow)]


@contextlib.contextmanager
def running(make, folder, version, cert):
    port = free_port()
    with open(folder / 'log', 'wb') as log:
        p = subprocess.Popen(list(map(str, make(folder, port, version, cert))), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        eventually(lambda: not refuses(port) or p.poll() is not None, 30 * PATIENCE)
        assert p.poll() is None, (folder / 'log').read_text(errors='replace')
        yield f'127.0.0.1:{port}'
    finally:
        p.kill()
        p.wait()


@pytest.mark.parametrize('key', KEYS)
@pytest.mark.parametrize('version', VERSIONS)
@pytest.mark.parametrize('server', SERVERS, ids=lambda s: s.__name__)
def test_is_reached(daemon, tmp_path, server, version, key):
    with running(server, tmp_path, version, KEYS[key]) as address:
        d = daemon(upstream('ex', address))
        for _ in range(2):
            r = d.get('/ex/')
            assert r.status == 200, r.text
    assert d.upstream('ex')['connections']['failed'] == 0


def test_what_is_offered_less_is_remembered(daemon, tmp_path):
    """One log line and one failed handshake; the next connection has none."""
    with running(openssl_by_its_own_order, tmp_path, '1.2', 'rsa') as address:
        d = daemon(upstream('ex', address, max_requests=1))
        for _ in range(3):
            assert d.get('/ex/').status == 200
    assert d.stderr.count('rejects handshakes that offer TLS 1.3') == 1
    assert (tmp_path / 'log').read_text(errors='replace').count('alert illegal parameter') == 1


def test_no_less_than_tls_min(daemon, tmp_path):
    with running(openssl, tmp_path, '1.2', 'rsa') as address:
        d = daemon(upstream('ex', address, tls_min='1.3'))
        own_error(d.get('/ex/'), 502, 'tls_protocol_error', 'no')
    assert 'offer of TLS 1.2' not in d.stderr


def test_an_origin_that_moves_to_tls_13(daemon, origins, tmp_path):
    """When only TLS 1.2 is offered, the handshake fails once; after that, both versions are offered again."""
    with running(openssl_by_its_own_order, tmp_path, '1.2', 'rsa') as address:
        d = daemon(upstream('ex', address, max_requests=1))
        assert d.get('/ex/').status == 200
    origins(cert='rsa', port=int(address.split(':')[1]), oldest=ssl.TLSVersion.TLSv1_3, newest=ssl.TLSVersion.TLSv1_3)
    own_error(d.get('/ex/a'), 502, 'tls_protocol_error', 'no')
    assert d.get('/ex/a').status == 200
