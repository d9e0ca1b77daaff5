"""The origin of a benchmark: nginx with TLS, over HTTP/1.1 on one port and HTTP/2 on another.

/ticker answers 250 bytes, /depth 16 KiB, /big 64 MiB, POST /order 100 bytes, and /burst 16 KiB in a second. nginx counts connections and
requests itself, and logs the first request of each connection."""
import http.client
import json
import random
import re
import subprocess
import time

from .system import OTHER_CPU, Process, free_port, program, until

NAME = 'exchange.test'
BIG_MIB = 64
ORDER = '{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","quantity":"0.001","price":"61000"}'
TICKER = json.dumps({'symbol': 'BTCUSDT', 'priceChange': '-94.99', 'lastPrice': '61004.00', 'bidPrice': '61003.99', 'askPrice': '61004.00'})
PLACED = json.dumps({'orderId': 28, 'clientOrderId': '6gCrw2kRUAF9CvJDGP16IP', 'transactTime': 1507725176595, 'status': 'NEW'})

CONFIGURATION = '''
daemon off;
master_process off;
worker_rlimit_nofile 20000;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 16000; }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    default_type application/json;
    sendfile on; tcp_nodelay on; open_file_cache max=10;
    keepalive_timeout 1h; keepalive_requests 1000000000; keepalive_time 24h;
    map $connection_requests $first {{ 1 1; default 0; }}
    log_format connection $ssl_session_reused;
    access_log {folder}/connections.log connection if=$first;
    ssl_certificate {work}/leaf.pem; ssl_certificate_key {work}/leaf.key;
    ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:sessions:10m; ssl_session_tickets on;
    root {work}/www;
    {header}
    server {{ listen {address}:{h1} ssl backlog=4096; {locations} }}
    server {{ listen {address}:{h2} ssl http2 backlog=4096; {locations} }}
    server {{ listen {address}:{counts}; access_log off; location / {{ stub_status; }} }}
}}
'''
LOCATIONS = '''
    location = /ticker {{ return 200 '{ticker}'; }}
    location = /burst {{ alias {work}/www/depth; limit_rate 16k; limit_rate_after 1; }}
    location = /order {{ return 200 '{placed}'; }}
'''


def openssl(*arguments):
    subprocess.run([program('openssl'), *map(str, arguments)], check=True, capture_output=True)


def certificates(work):
    """A CA, and a certificate of it for NAME."""
    curve = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', 30)
    openssl('req', '-x509', *curve, '-keyout', work / 'ca.key', '-out', work / 'ca.pem', '-subj', '/CN=benchmark CA',
            '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign')
    openssl('req', '-x509', '-CA', work / 'ca.pem', '-CAkey', work / 'ca.key', *curve, '-keyout', work / 'leaf.key', '-out', work / 'leaf.pem',
            '-subj', f'/CN={NAME}', '-addext', f'subjectAltName=DNS:{NAME}', '-addext', 'basicConstraints=critical,CA:FALSE')
    for file in work.glob('*.key'):
        file.chmod(0o644)


def prepare(work):
    """Writes certificates and bodies into `work`, once for all origins."""
    if (work / 'www' / 'big').exists():
        return
    (work / 'www').mkdir(parents=True, exist_ok=True)
    work.chmod(0o755)
    certificates(work)
    draw = random.Random(1)
    levels = [[[f'{61000 + draw.random() * 50:.2f}', f'{draw.random():.5f}'] for _ in range(700)] for _ in 'ba']
    book = json.dumps({'lastUpdateId': 1027024, 'bids': levels[0], 'asks': levels[1]}, separators=(',', ':'))
    (work / 'www' / 'depth').write_text(book[:16384 - 2] + ']}')
    with open(work / 'www' / 'big', 'wb') as big:
        big.truncate(BIG_MIB << 20)


class Origin:
    """`with Origin(work, name) as origin`: it runs until the block ends. `header` is one more in each answer: 'NAME VALUE'."""

    def __init__(self, work, name='origin', address='127.0.0.1', inside=(), nice=0, cpu=OTHER_CPU, header=''):
        prepare(work)
        self.address, self.inside, self.folder, self.ca = address, list(inside), work / name, work / 'ca.pem'
        self.folder.mkdir(exist_ok=True)
        self.asked = 0      # by counts(), of the connections that nginx counts
        self.h1, self.h2, self.counts_port = (free_port() for _ in range(3))
        locations = LOCATIONS.format(ticker=TICKER.ljust(250), placed=PLACED, work=work)
        (self.folder / 'nginx.conf').write_text(CONFIGURATION.format(
            folder=self.folder, work=work, address=address, h1=self.h1, h2=self.h2, counts=self.counts_port, locations=locations,
            header=f'add_header {header};' if header else ''))
        self.log = self.folder / 'connections.log'
        self.log.write_text('')
        self.process = Process([program('nginx', 'nginx-light'), '-p', self.folder, '-e', self.folder / 'error.log', '-c',
                                self.folder / 'nginx.conf'], self.folder / 'out', cpu, inside, nice)

    def __enter__(self):
        with self.process.or_stopped():
            until('the origin', lambda: self.process.running() and self.counts())
        return self

    def __exit__(self, *_):
        self.process.stop()

    def at(self, protocol):
        return f'{self.address}:{self.h2 if protocol == "h2" else self.h1}'

    def counts(self):
        """Connections that are open, and connections and requests so far, without those that count."""
        if self.inside:
            done = subprocess.run([*self.inside, 'curl', '-sf', '-m', '10', f'http://{self.address}:{self.counts_port}/'],
                                  stdout=subprocess.PIPE, text=True)
            page = done.stdout
            self.asked += done.returncode == 0
        else:
            connection = http.client.HTTPConnection(self.address, self.counts_port, timeout=10)
            connection.connect()
            self.asked += 1
            connection.request('GET', '/', headers={'Connection': 'close'})
            page = connection.getresponse().read().decode()
            connection.close()
        found = re.search(r'connections: (\d+)\D+(\d+) \d+ (\d+)', page)
        if not found:
            return None
        return {'open': int(found.group(1)) - 1, 'accepted': int(found.group(2)) - self.asked, 'requests': int(found.group(3)) - self.asked}

    def handshakes(self):
        """Handshakes so far, of which so many were resumed, of connections that have had a request."""
        time.sleep(0.05)
        lines = self.log.read_text().split()
        return {'full': lines.count('.'), 'resumed': lines.count('r')}
