"""The loads: every proxy under each of them, in rounds, in an order that a seed shuffles anew each round.

A proxy is started anew for each load and warmed up by up to 5000 requests, so that no load inherits connections or memory of
another. Each measurement is a dictionary of plain numbers; medians over the rounds are made by the report."""
import random

from .clients import download, h2load, wrk
from .system import PROXY_CPU, steal

SEED = 1


class Load:
    """`path:clients`; with `big`, downloads on one connection."""

    def __init__(self, text):
        self.text = text
        self.path, clients = text.split(':')
        self.clients = int(clients)

    def title(self):
        return {'ticker': '250 B', 'depth': '16 KiB', 'order': 'POST', 'big': '64 MiB'}[self.path] + (f', {self.clients:,}' if self.path != 'big' else '')


QUICK = ('ticker:1', 'ticker:16', 'ticker:64', 'ticker:256', 'depth:16', 'order:16', 'big:1')
FULL = ('ticker:1', 'ticker:16', 'ticker:64', 'ticker:256', 'ticker:2000', 'depth:1', 'depth:16', 'depth:64', 'order:16', 'big:1')


def stream(running, seconds):
    """Downloads, as many as fit into the time, roughly."""
    before = running.process.cpu()
    found = download(f'http://127.0.0.1:{running.port}', max(1, min(6, int(seconds * 2))))
    return found | {'cpu': (running.process.cpu() - before) * 1e6 / found['mib']}


def warm_up(clients):
    """So many requests: 20 of each client, within bounds."""
    return max(500, 4 * clients, min(20 * clients, 5000))


def per_request(seconds, requests):
    return seconds * 1e6 / requests if requests else None


def ask(running, origin, load, seconds):
    url = f'http://127.0.0.1:{running.port}'
    h2load(url, load.path, load.clients, warm_up(load.clients), running.folder)
    counts, handshakes, stolen = origin.counts(), origin.handshakes(), steal()
    before, (_, ticks) = running.process.cpu(), running.process.kernel_share()
    found = wrk(url, load.path, load.clients, seconds)
    used, kernel = running.process.cpu() - before, running.process.kernel_share(ticks)[0]
    after, later = origin.counts(), origin.handshakes()
    opened = after['accepted'] - counts['accepted']
    return found | {
        'rate': found['requests'] / found['seconds'], 'cpu': per_request(used, found['requests']), 'kernel': kernel,
        'busy': used / found['seconds'], 'opened': opened, 'connections': counts['open'] + opened,
        'full': later['full'] - handshakes['full'], 'resumed': later['resumed'] - handshakes['resumed'],
        'resident': running.process.resident(), 'steal': steal() - stolen}


def direct(origin, load, seconds):
    """No proxy: wrk itself does TLS, on the proxy's CPU, and the CPU is wrk's."""
    url = f'https://{origin.at("h1")}'
    found = wrk(url, load.path, load.clients, seconds, cpu=PROXY_CPU)
    return found | {'rate': found['requests'] / found['seconds'], 'cpu': per_request(found['client_cpu'], found['requests'])}


def words(row):
    cpu = f'cpu {row["cpu"]:8.1f} µs' if row['cpu'] is not None else 'no request in time'
    if 'mib_per_s' in row:
        return f'{cpu}  {row["mib_per_s"]:8.0f} MiB/s'
    opened = f'  opened {row["opened"]} of {row["connections"]}' if 'opened' in row else ''
    return f'{cpu}  {row["rate"]:8.0f}/s  p50 {row["p50"]:6} p99 {row["p99"]:7}{opened}  errors {row["errors"]}'


def measure(peers, origin, loads, rounds, seconds, folder, tell):
    """All measurements: a list of dictionaries that name round, proxy and load."""
    found = []
    for number in range(rounds):
        order = [*peers, None]
        random.Random(SEED + number).shuffle(order)
        for peer in order:
            for load in map(Load, loads):
                if not (peer.does(load.text) if peer else load.clients <= 64 and load.path in ('ticker', 'depth')):
                    continue
                name = peer.name if peer else 'direct'
                if not peer:
                    row = direct(origin, load, seconds)
                else:
                    with peer.start(folder / name, origin) as running:
                        row = stream(running, seconds) if load.path == 'big' else ask(running, origin, load, seconds)
                found.append({'round': number, 'peer': name, 'load': load.text} | row)
                tell(f'{number} {name:14} {load.text:12} {words(row)}')
    return found
