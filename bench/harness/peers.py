"""The proxies that are compared: how each is configured, one worker each, and started.

Each accepts plain HTTP on a port of loopback and sends it over verified TLS to the origin; a request for /burst goes to a second origin.
The settings are those that make a proxy fast in this place: connections are kept for an hour, logs are off, and the pools hold 64
connections where a limit can be set. A variant of trunkline has a setting more."""
import http.client
import os
import pathlib
import re
import subprocess

from .origin import NAME
from .system import PROXY_CPU, Failure, Process, free_port, program, until

NGINX = '''
daemon off;
master_process off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log warn;
worker_rlimit_nofile 20000;
events {{ worker_connections 16000; }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    access_log off; tcp_nodelay on; keepalive_timeout 1h; keepalive_requests 1000000000; keepalive_time 24h;
    upstream exchange {{ server {origin}; keepalive 64; keepalive_requests 1000000000; keepalive_timeout 1h; keepalive_time 24h; }}
    upstream burst {{ server {burst}; keepalive 64; }}
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host {name}; proxy_max_temp_file_size 0;
    proxy_ssl_protocols TLSv1.2 TLSv1.3; proxy_ssl_trusted_certificate {ca}; proxy_ssl_verify on;
    proxy_ssl_name {name}; proxy_ssl_server_name on; proxy_ssl_session_reuse on;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ proxy_pass https://exchange; }}
        location = /burst {{ proxy_pass https://burst; }}
    }}
}}
'''
HAPROXY = '''
global
    nbthread 1
    maxconn 8000
    ca-base /
defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout http-keep-alive 1h
    option http-keep-alive
frontend proxy
    bind 127.0.0.1:{port} backlog 4096
    use_backend burst if {{ path /burst }}
    default_backend exchange
backend exchange
    http-reuse always
    server origin {origin} ssl verify required verifyhost {name} ca-file {ca} sni str({name}) alpn {alpn} pool-purge-delay 1h {limit}
backend burst
    http-reuse always
    server origin {burst} ssl verify required verifyhost {name} ca-file {ca} sni str({name}) alpn {alpn}
'''
TRUNKLINE = '''
listen = {{"127.0.0.1:{own}", "unix:{socket}"}}
max_clients = 8192
client_idle_timeout = 1h
log_level = "warn"
{setting}
defaults {{
    ca_file = "{ca}"
    http2 = {http2}
    max_connections = {limit}
    max_idle = {limit}
    idle_timeout = 1h
    total_timeout = 1m
    response_timeout = 1m
    order_wait = 1m
    queue_timeout = 1m
    queue_limit = 4096
}}
upstream exchange {{
    url = "https://{name}"
    listen = {{"127.0.0.1:{port}"}}
    connect_to = "{origin}"
}}
upstream burst {{
    url = "https://{name}:444"
    listen = {{"127.0.0.1:{burst_port}"}}
    connect_to = "{burst}"
}}
'''


class Running:
    """A started proxy: its process, its address, and where a request for the second origin goes."""

    def __init__(self, process, port, folder, burst_port):
        self.process, self.port, self.folder, self.burst_port = process, port, folder, burst_port
        self.socket = folder / 'socket'

    def answers(self):
        self.process.running()
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=5)
        connection.request('GET', '/ticker', headers={'Host': NAME})
        status = connection.getresponse().status
        connection.close()
        return status == 200

    def __enter__(self):
        with self.process.or_stopped():
            until(self.process.name, self.answers)
        return self

    def __exit__(self, *_):
        self.process.stop()


class Peer:
    """A proxy with a protocol to the origin. `binary` is the program; `ours` says that it is trunkline."""

    def __init__(self, name, binary, upstream, setting='', only=None):
        self.name, self.binary, self.upstream, self.setting, self.only = name, binary, upstream, setting, only
        self.ours = name.startswith('trunkline')

    def does(self, load):
        """A variant is measured only with the loads that it is for."""
        return self.only is None or load in self.only

    def version(self):
        flag = {'trunkline': '--version', 'nghttpx': '--version'}.get(self.kind(), '-v')
        out = subprocess.run([self.binary, flag], capture_output=True, text=True)
        return re.search(r'\d+(\.\d+)+', out.stdout + out.stderr).group(0)

    def kind(self):
        return self.name.split('-')[0]

    def start(self, folder, origin, burst=None, limit=64):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        burst_port = free_port() if self.ours else port
        values = {'folder': folder, 'port': port, 'origin': origin.at(self.upstream), 'burst': (burst or origin).at(self.upstream),
                  'ca': origin.ca, 'name': NAME, 'burst_port': burst_port}
        argv = getattr(self, self.kind())(folder, values, limit)
        return Running(Process(argv, folder / 'out', PROXY_CPU), port, folder, burst_port)

    def nginx(self, folder, values, limit):
        (folder / 'nginx.conf').write_text(NGINX.format(**values))
        return [self.binary, '-p', folder, '-e', folder / 'error.log', '-c', folder / 'nginx.conf']

    def haproxy(self, folder, values, limit):
        most = f'maxconn {limit}' if self.name == 'haproxy-h1' else ''
        alpn = 'h2' if self.upstream == 'h2' else 'http/1.1'
        (folder / 'haproxy.cfg').write_text(HAPROXY.format(**values, alpn=alpn, limit=most))
        return [self.binary, '-db', '-f', folder / 'haproxy.cfg']

    def nghttpx(self, folder, values, limit):
        protocol = 'h2' if self.upstream == 'h2' else 'http/1.1'
        backends = [f'--backend={values[target].replace(":", ",")};{path};tls;sni={NAME};proto={protocol}'
                    for target, path in (('origin', ''), ('burst', '/burst'))]
        return [self.binary, '--conf=/dev/null', '--single-process', '--workers=1', f'--cacert={values["ca"]}', '--accesslog-file=/dev/null',
                f'--errorlog-file={folder}/error.log', f'--frontend=127.0.0.1,{values["port"]};no-tls', '--no-via', *backends,
                '--frontend-keep-alive-timeout=3600', '--backend-keep-alive-timeout=3600', '--rlimit-nofile=20000', '--backlog=4096']

    def trunkline(self, folder, values, limit):
        http2 = 'always' if self.upstream == 'h2' else 'never'
        (folder / 'trunkline.conf').write_text(TRUNKLINE.format(
            **values, own=free_port(), socket=folder / 'socket', http2=http2, limit=limit, setting=self.setting))
        return [self.binary, '-c', folder / 'trunkline.conf']


def knows(binary, setting):
    """Does this trunkline accept the setting?"""
    done = subprocess.run([binary, 'check', '-c', '/dev/stdin'], input=f'{setting}\n', capture_output=True, text=True)
    return done.returncode == 0


# kind: Debian's package, and the protocols that it speaks to the origin
OTHERS = {'nginx': ('nginx-light', ('h1',)), 'haproxy': ('haproxy', ('h1', 'h2')), 'nghttpx': ('nghttp2-proxy', ('h1', 'h2'))}


def others(folder):
    """The other proxies: those that scripts/newest-peers unpacked into `folder`, else the system's."""
    found = []
    for kind, (package, upstreams) in OTHERS.items():
        binary = pathlib.Path(folder or '/nonexistent') / 'bin' / kind
        if not binary.exists():
            try:
                binary = program(kind, package)
            except Failure as why:
                print(f'left out: {why}', flush=True)
                continue
        found += [Peer(f'{kind}-{upstream}', str(binary), upstream) for upstream in upstreams]
        if kind == 'haproxy':
            found.append(Peer('haproxy-open', str(binary), 'h1', only=('ticker:256',)))     # as many connections as clients
    return found


def trunklines(binary):
    binary = os.path.abspath(binary)
    found = [Peer('trunkline-h1', binary, 'h1'), Peer('trunkline-h2', binary, 'h2')]
    if knows(binary, 'busy_poll = 200us'):
        found.append(Peer('trunkline-spin', binary, 'h1', 'busy_poll = 200us', only=('ticker:1',)))
    return found
