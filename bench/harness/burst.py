"""What a burst of new connections to an origin adds to the latency of the open ones."""
import concurrent.futures
import http.client
import threading
import time

from .clients import REQUEST, answer, connect, percentile
from .origin import NAME, Origin

BURST = 64
LINES, PACE, WINDOW = 8, 0.008, 2.0     # eight clients, each a request every 8 ms


def paced(port, latencies, start, window):
    """One client on a kept-alive connection; a latency counts from the time at which its request was due."""
    client = connect(port)
    due = start
    while due < start + window:
        time.sleep(max(0, due - time.monotonic()))
        client.sendall(REQUEST)
        answer(client)
        latencies.append((time.monotonic() - due) * 1000)
        due += PACE
    client.close()


def ask_once(port):
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=60)
    connection.request('GET', '/burst', headers={'Host': NAME})
    return connection.getresponse().status


def window(port, burst_port=None):
    """p99 of the paced clients in ms. With `burst_port`, after a quarter of the window, 64 requests for the other origin at once; each takes
    a second, so that none can use the connection of another."""
    latencies, start = [], time.monotonic() + 0.1
    threads = [threading.Thread(target=paced, args=(port, latencies, start + n * PACE / LINES, WINDOW)) for n in range(LINES)]
    for thread in threads:
        thread.start()
    statuses = []
    if burst_port:
        with concurrent.futures.ThreadPoolExecutor(BURST) as pool:
            time.sleep(0.1 + WINDOW / 4)
            statuses = list(pool.map(ask_once, [burst_port] * BURST))
    for thread in threads:
        thread.join()
    return percentile(latencies, 0.99), statuses.count(200)


def measure(peers, origin, work, rounds, folder, tell):
    """p99 of open connections, without and with a burst of new ones to a second origin, whose nginx has a lower priority."""
    found = []
    with Origin(work, 'burst', nice=10) as second:
        for number in range(rounds):
            for peer in (p for p in peers if p.only is None and p.upstream == 'h1'):
                with peer.start(folder / peer.name, origin, second) as running:
                    window(running.port)
                    quiet, _ = window(running.port)
                    before = second.counts()['accepted']
                    busy, good = window(running.port, running.burst_port)
                    row = {'round': number, 'peer': peer.name, 'quiet': quiet, 'burst': busy, 'added': busy - quiet, 'answered': good,
                           'opened': second.counts()['accepted'] - before}
                found.append(row)
                tell(f'{peer.name:14} p99 {quiet:.2f} ms, in a burst {busy:.2f} ms ({row["opened"]} connections, {good} answers)')
    return found
