"""Many clients: what each costs while it is idle, and what a request costs while others wait."""
import concurrent.futures
import time

from .clients import REQUEST, answer, connect, wrk

CAP = 16    # connections of the pool that requests wait for


def idle(peers, origin, clients, folder, tell):
    """Bytes of memory per client that has had one answer and stays."""
    found = []
    for peer in (p for p in peers if p.only is None):
        with peer.start(folder / peer.name, origin) as running:
            held = []
            for number in range(clients + 50):
                if number == 50:    # code and pools that the first clients touch do not count
                    before = running.process.resident()
                held.append(connect(running.port))
                held[-1].sendall(REQUEST)
                answer(held[-1])
            time.sleep(0.5)
            row = {'peer': peer.name, 'clients': clients, 'bytes': (running.process.resident() - before) / clients, 'resident': before}
            for client in held:
                client.close()
        found.append(row)
        tell(f'{peer.name:14} {row["bytes"]:.0f} bytes per idle client')
    return found


def waiters(peers, origin, counts, rounds, seconds, folder, tell):
    """CPU per request of trunkline with few and with many requests that wait for one of 16 connections."""
    found = []
    for peer in (p for p in peers if p.ours and p.only is None and p.upstream == 'h1'):
        for number in range(rounds):
            for count in counts:
                with peer.start(folder / peer.name, origin, limit=CAP) as running:
                    url = f'http://127.0.0.1:{running.port}'
                    with concurrent.futures.ThreadPoolExecutor(1) as pool:
                        load = pool.submit(wrk, url, 'ticker', CAP + count, seconds + 2)
                        time.sleep(1)       # all have connected, so that this does not count
                        cpu, asked = running.process.cpu(), origin.counts()['requests']
                        time.sleep(seconds)
                        cpu, asked = running.process.cpu() - cpu, origin.counts()['requests'] - asked
                        errors = load.result()['errors']
                found.append({'round': number, 'peer': peer.name, 'waiters': count, 'cpu': cpu * 1e6 / max(1, asked), 'errors': errors})
                tell(f'{peer.name:14} {count:5} waiters: cpu {found[-1]["cpu"]:.1f} µs')
    return found
