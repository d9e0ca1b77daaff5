"""HTTP/2 with independent servers as origins: nginx, nghttpd and HAProxy from Debian, each on loopback with its own configuration
in a temporary directory."""
import os
import pathlib
import shutil
import subprocess

import pytest

from lib import certs
from lib.daemon import free_port, upstream
from lib.promise import works
from lib.wire import eventually, parallel, refuses

FILES = {'control': b'hello', 'big': b'x' * 3_000_000, **{f'f{n}': b'%d' % n for n in range(60)}}


def find(name):
    path = shutil.which(name, path=os.environ.get('PATH', '') + ':/usr/sbin:/usr/local/sbin')
    if not path:
        pytest.skip(f'{name} is not installed (scripts/install-deps)')
    return path


def nginx(folder, port):
    (folder / 'nginx.conf').write_text(f'''
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate {certs.FOLDER}/good.crt; ssl_certificate_key {certs.FOLDER}/good.key;
        root {folder}/www; client_max_body_size 10m;
        location /echo {{ return 200 "$request_method $http_content_length"; }}
    }}
}}
''')
    return [find('nginx'), '-e', f'{folder}/error.log', '-p', folder, '-c', folder / 'nginx.conf']


def nghttpd(folder, port):
    return [find('nghttpd'), '-a', '127.0.0.1', '-d', folder / 'www', '--echo-upload', str(port), certs.FOLDER / 'good.key',
            certs.FOLDER / 'good.crt']


def haproxy(folder, port):
    """HAProxy generates all responses itself: one response rule per file of FILES, except the largest."""
    pem = folder / 'both.pem'
    pem.write_bytes((certs.FOLDER / 'good.crt').read_bytes() + (certs.FOLDER / 'good.key').read_bytes())
    lines = ''.join(f'    http-request return status 200 content-type text/plain file {folder}/www/{name} if {{ path /{name} }}\n'
                    for name in FILES if name != 'big')
    (folder / 'haproxy.cfg').write_text(f'''
global
    maxconn 256
defaults
    mode http
    timeout client 10s
    timeout connect 10s
    timeout server 10s
frontend f
    bind 127.0.0.1:{port} ssl crt {pem} alpn h2,http/1.1
    option http-buffer-request
{lines}    http-request return status 200 content-type text/plain lf-string "%[method] %[req.body_len]"
''')
    return [find('haproxy'), '-db', '-f', folder / 'haproxy.cfg']


@pytest.fixture(params=[nginx, nghttpd, haproxy], ids=lambda f: f.__name__)
def server(request, tmp_path):
    folder = tmp_path / 'origin'
    (folder / 'www').mkdir(parents=True)
    os.chmod(tmp_path, 0o755)
    for name, content in FILES.items():
        (folder / 'www' / name).write_bytes(content)
    port = free_port()
    command = request.param(pathlib.Path(folder), port)
    with open(folder / 'output', 'wb') as log:
        process = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        eventually(lambda: process.poll() is not None or not refuses(('127.0.0.1', port)), timeout=20)
        assert process.poll() is None, (folder / 'output').read_text()
        yield request.param.__name__, f'127.0.0.1:{port}'
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_interop(daemon, server):
    """GET, HEAD, 404, a burst, a large response, and small and large request bodies, all over HTTP/2, on few connections and
    without errors."""
    name, address = server
    d = daemon(upstream('ex', address))
    assert works(d).body == b'hello'
    assert {(r.status, r.body) for r in parallel(60, lambda n: d.get(f'/ex/f{n}', timeout=20))} == {(200, b'%d' % n) for n in range(60)}
    assert d.connections()['opened'] == 1
    assert d.request('HEAD', '/ex/control').status == 200
    if name != 'haproxy':
        assert d.get('/ex/big', timeout=20).body == FILES['big'] and d.get('/ex/none').status == 404
    for size in (3, 9_000, 200_000):
        body = b'y' * size
        r = d.request('POST', '/ex/echo', body=body, timeout=20)
        assert r.status == 200
        if name == 'nghttpd':
            assert r.body == body
        elif name == 'nginx':
            assert r.text == f'POST {size}'
        else:
            assert r.text.startswith('POST ')
    up = d.upstream()
    c, requests = up['connections'], up['requests']
    assert (c['http1'], requests['failed'], requests['errors']) == (0, 0, {}) and 1 <= c['http2'] <= 2 and c['streams'] == 0
