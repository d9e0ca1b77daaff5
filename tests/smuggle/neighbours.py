"""The programs whose reading of HTTP is compared: nginx and HAProxy, as proxies in front of a strict origin; Node and Go, as origins
and as clients. As servers, they also speak HTTP/2 over TLS. What is not installed is left out."""
import functools
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from lib import certs

HERE = pathlib.Path(__file__).resolve().parent

NGINX = """daemon off; master_process off; worker_processes 1; pid pid; error_log stderr crit;
events {{ worker_connections 512; }}
http {{
    access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
    large_client_header_buffers 8 64k; underscores_in_headers on; merge_slashes off; keepalive_requests 100000;
    proxy_buffer_size 64k; proxy_buffers 8 64k;
    upstream behind {{ server 127.0.0.1:{behind}; keepalive 1; }}
    server {{
        listen 127.0.0.1:{port}{nginx_tls};
        location / {{
            proxy_pass http://behind; proxy_http_version 1.1; proxy_request_buffering off; proxy_next_upstream off;
            proxy_set_header Host $http_host; proxy_set_header Connection "";
        }}
    }}
}}
"""
HAPROXY = """global
    maxconn 200
    tune.bufsize 131072
    tune.http.maxhdr 1000
defaults
    mode http
    retries 0
    timeout connect 2s
    timeout client 3s
    timeout server 3s
    http-reuse always
frontend front
    bind 127.0.0.1:{port}{haproxy_tls}
    default_backend behind
backend behind
    server s 127.0.0.1:{behind} pool-max-conn 1
"""


class Neighbour:
    """A running program that listens on `port`; `proxies`: it asks the origin behind it."""

    def __init__(self, name, command, proxies, port=None):
        self.name, self.proxies, self.folder = name, proxies, command[0].cwd
        self.process = subprocess.Popen([str(c) for c in command], cwd=self.folder, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL if port else subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.port = port or int(self.process.stdout.readline())
        self.wait()

    def wait(self):
        end = time.monotonic() + 20
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(('127.0.0.1', self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise AssertionError(f'{self.name} did not come up')

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Program(str):
    """A command's first word, with the folder to run it in."""

    def __new__(cls, path, cwd):
        word = super().__new__(cls, path)
        word.cwd = cwd
        return word


def new_folder():
    return pathlib.Path(tempfile.mkdtemp(prefix='trunkline-smuggle-'))


@functools.cache
def go_program():
    """neighbours.go, compiled once; None without Go."""
    if not shutil.which('go'):
        return None
    program = pathlib.Path(tempfile.gettempdir()) / f'trunkline-neighbours-{int((HERE / "neighbours.go").stat().st_mtime)}'
    if not program.exists():
        subprocess.run(['go', 'build', '-o', str(program) + '.new', str(HERE / 'neighbours.go')], check=True, capture_output=True, timeout=300)
        pathlib.Path(str(program) + '.new').replace(program)
    return str(program)


def start_proxy(name, program, template, arguments, behind, port, h2):
    folder = new_folder()
    tls = {'nginx_tls': '', 'haproxy_tls': ''}
    if h2:
        cert, key = certs.FOLDER / 'good.crt', certs.FOLDER / 'good.key'
        (folder / 'both.pem').write_text(cert.read_text() + key.read_text())
        tls = {'nginx_tls': f' ssl http2; ssl_certificate {cert}; ssl_certificate_key {key}', 'haproxy_tls': ' ssl crt both.pem alpn h2'}
    (folder / 'conf').write_text(template.format(port=port, behind=behind, **tls))
    return Neighbour(name, [Program(program, folder), *arguments], True, port)


def nginx(behind, port, h2=False):
    program = shutil.which('nginx') or shutil.which('nginx', path='/usr/sbin')
    return program and start_proxy('nginx', program, NGINX, ['-p', '.', '-c', 'conf', '-e', 'stderr'], behind, port, h2)


def haproxy(behind, port, h2=False):
    program = shutil.which('haproxy') or shutil.which('haproxy', path='/usr/sbin')
    return program and start_proxy('haproxy', program, HAPROXY, ['-db', '-q', '-f', 'conf'], behind, port, h2)


def tls_files(h2):
    return [certs.FOLDER / 'good.crt', certs.FOLDER / 'good.key'] if h2 else []


def node(h2=False):
    program = shutil.which('node')
    return program and Neighbour('node', [Program(program, new_folder()), HERE / 'neighbours.js', 'serve', *tls_files(h2)], False)


def go(h2=False):
    program = go_program()
    return program and Neighbour('go', [Program(program, new_folder()), 'serve', *tls_files(h2)], False)


class Asker:
    """Node or Go as a client: answers(method, url) is "STATUS SIZE SHA1" or "error"."""

    def __init__(self, name, *command):
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1)

    def answers(self, method, url):
        self.process.stdin.write(f'{method} {url}\n')
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def stop(self):
        self.process.kill()
        self.process.wait()


def askers(with_go):
    found = []
    if shutil.which('node'):
        found.append(Asker('node', shutil.which('node'), str(HERE / 'neighbours.js'), 'ask'))
    if with_go and go_program():
        found.append(Asker('go', go_program(), 'ask'))
    return found
