"""The load generators: wrk for a time, h2load for a number of requests, curl for large downloads, and single connections. All latencies
are in µs."""
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess

from .origin import BIG_MIB, NAME, ORDER
from .system import OTHER_CPU, Failure, pinned, program

REQUEST = f'GET /ticker HTTP/1.1\r\nHost: {NAME}\r\n\r\n'.encode()
SCRIPT = pathlib.Path(__file__).parent.parent / 'wrk.lua'


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def wrk(url, path, clients, seconds, cpu=OTHER_CPU):
    """Kept-alive clients that ask one after another, for so many seconds (at least 1)."""
    environment = {k: v for k, v in os.environ.items() if k != 'BODY'} | ({'BODY': ORDER} if path == 'order' else {})
    child = subprocess.Popen(pinned(cpu, program('wrk'), '-t1', f'-c{clients}', f'-d{seconds}s', '--timeout', '20s', '--latency', '-s', SCRIPT,
                                    f'{url}/{path}'), env=environment, stdout=subprocess.PIPE, text=True)
    out = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = status
    found = re.search(r'^JSON (.*)$', out, re.M)
    if not found:
        raise Failure(f'wrk failed: {out.strip()[-200:]}')
    return json.loads(found.group(1)) | {'client_cpu': used.ru_utime + used.ru_stime}


def h2load(url, path, clients, requests, folder, unix=None, around=()):
    """So many requests, by HTTP/1.1 clients; through a Unix socket if one is named. `around`: a command that runs h2load."""
    log, body = pathlib.Path(folder) / 'h2load.log', pathlib.Path(folder) / 'order.json'
    log.unlink(missing_ok=True)
    body.write_text(ORDER)
    argv = pinned(OTHER_CPU, *around, program('h2load', 'nghttp2-client'), '--h1', '-n', requests, '-c', clients, '--log-file', log,
                  *(('-d', body, '-H', 'Content-Type: application/json') if path == 'order' else ()))
    argv += ['-B', f'unix:{unix}', f'http://{NAME}/{path}'] if unix else [f'{url}/{path}']
    out = subprocess.run(argv, capture_output=True, text=True)
    rows = [row.split() for row in log.read_text().splitlines()] if log.exists() else []
    good = [int(row[2]) for row in rows if row[1] in ('200', '0')]     # it takes a status without a reason phrase for 0
    if len(good) != requests:
        raise Failure(f'h2load: {len(good)} of {requests} requests were answered with 200: {out.stderr.strip()[-200:]}')
    return {'requests': requests, 'p50': statistics.median(good), 'p99': percentile(good, 0.99)}


def download(url, times):
    """64 MiB, so many times, on one connection: MiB, and MiB per second."""
    done = subprocess.run(pinned(OTHER_CPU, program('curl'), '-sf', '-w', '%{time_total}\n', *[f'{url}/big'] * times,
                                 *['-o', '/dev/null'] * times), capture_output=True, text=True)
    if done.returncode:
        raise Failure(f'curl ended with {done.returncode}')
    return {'mib': BIG_MIB * times, 'mib_per_s': BIG_MIB * times / sum(map(float, done.stdout.split()))}


def connect(port):
    client = socket.create_connection(('127.0.0.1', port), 30)
    client.settimeout(60)
    return client


def answer(client):
    """Reads one short answer with a Content-Length."""
    data = b''
    while True:
        piece = client.recv(65536)
        if not piece:
            raise OSError('the proxy closed a connection')
        data += piece
        head, end, body = data.partition(b'\r\n\r\n')
        length = re.search(rb'(?i)content-length: *(\d+)', head)
        if end and length and len(body) >= int(length.group(1)):
            return data
