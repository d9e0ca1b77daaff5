"""What must hold during a soak, at its quiet points, and at its end. Every breach is a line in `faults`."""
import collections
import json
import threading
import time

from lib.daemon import PATIENCE, sanitized
from lib.wire import eventually

RANK = {'no': 0, 'partial': 1, 'yes': 2}
WARM = 0.25             # the part of the first life after which memory must not grow any more
GROWTH = 1.05, 2048     # by how much it may: a factor, and KiB


def sums(u):
    """What of an upstream's figures disagrees."""
    c, q = u['connections'], u['requests']
    if c['open'] != c['idle'] + c['active'] + c['connecting']:
        yield f'open is not idle + active + connecting: {c}'
    if c['opened'] != c['open'] - c['connecting'] + sum(c['closed'].values()):
        yield f'opened is not open + closed: {c}'
    if q['total'] != q['active'] + q['succeeded'] + q['failed'] + q['abandoned']:
        yield f'total is not active + succeeded + failed + abandoned: {q}'
    if u['tunnels']['open'] > u['tunnels']['total']:
        yield f'more tunnels open than there were: {u["tunnels"]}'


class Judge(threading.Thread):
    """Looks at the daemon three times a second while the soak goes on."""

    def __init__(self, field, crowd):
        super().__init__(daemon=True)
        self.field, self.crowd, self.faults, self.seen = field, crowd, [], collections.Counter()
        self.memory, self.descriptors, self.waits, self.looks, self.quiets = [], [], [], 0, []
        self.watching, self.done = threading.Event(), threading.Event()

    def fault(self, words):
        self.seen[words[:60]] += 1
        if self.seen[words[:60]] <= 3:
            self.faults.append(words)
            print('FAULT', words, flush=True)

    # -- all the time

    def run(self):
        while not self.done.wait(0.33):
            with self.field.changing:       # no restart meanwhile
                if self.field.daemon.alive():
                    self.look()
                else:
                    self.fault('the daemon is gone: ' + self.field.daemon.stderr[-500:])
                    return

    def look(self):
        began = time.monotonic()
        stats = self.field.stats()
        if not stats:
            return
        self.looks += 1
        self.waits.append(time.monotonic() - began)
        for u in stats['upstreams']:
            for wrong in sums(u):
                self.fault(f'{u["name"]}: {wrong}')
            if u['connections']['open'] > u['connections']['max']:
                self.fault(f'{u["name"]}: more than max_connections: {u["connections"]}')
        self.memory.append((len(self.field.lives), time.monotonic(), self.field.rss_kib()))
        self.descriptors.append(stats['process']['descriptors'])

    # -- with every client at rest

    def quiet(self, exact):
        """Lets the clients rest, and compares what there is with what they were told; `exact`: they saw the whole of this life."""
        self.field.going.clear()
        for c in self.crowd:
            if not c.resting.wait(60):
                self.fault(f'client {c.number} does not come to rest')
        try:
            stats = eventually(self.settled, 30)
        except AssertionError as e:
            stats = self.field.sure_stats()
            self.fault(f'not at rest after 30 s: {e}'[:600])
        self.leftovers(stats)
        if exact:
            self.compare(stats)
        cpu, began = self.field.cpu_s(), time.monotonic()
        self.field.over.wait(1)
        used = (self.field.cpu_s() - cpu) / (time.monotonic() - began)
        if used > 0.5:
            self.fault(f'{used:.0%} of a processor is used at rest')
        self.quiets.append((self.field.rss_kib(), self.field.fds(), used))
        return stats

    def settled(self):
        s = self.field.stats()
        at_rest = s and s['requests']['active'] == 0 and s['clients']['open'] <= 1 and s['order_journal']['waiting'] == 0 and all(
            u['requests']['active'] == u['queue']['waiting'] == u['connections']['active'] == u['connections']['connecting'] ==
            u['tunnels']['open'] == 0 for u in s['upstreams'])
        return s if at_rest else None

    def leftovers(self, s):
        lines = sum(u['connections']['open'] for u in s['upstreams'])
        least = self.field.fds() - lines
        if least > self.field.base_fds + 6:
            self.fault(f'{self.field.fds()} descriptors with {lines} connections, {self.field.base_fds} at the start')
        if s['order_journal']['state'] != 'ok':
            self.fault(f'the journal: {s["order_journal"]}')
        under_way = self.field.page('/requests')
        if under_way and under_way.json()['requests']:
            self.fault(f'at rest /requests shows {under_way.text[:300]}')

    def compare(self, s):
        """The clients' own counts, the access log's and the journal's with those of /stats."""
        heard, ups = self.field.heard, {u['name']: u for u in s['upstreams']}
        for name in ('h1', 'h2', 'copies', 'quotes'):
            q, told, unsure = ups[name]['requests'], heard.answers[name], heard.unsure[name]
            self.within(f'{name}: requests', q['total'], sum(told.values()), unsure)
            for first in range(2, 6):
                self.within(f'{name}: {first}xx', q['status'][f'{first}xx'], told[first], unsure)
        beside = {key: s['requests'][key] - sum(u['requests'][key] for u in s['upstreams']) for key in ('total', 'succeeded', 'failed')}
        if min(beside.values()) < 0 or beside['succeeded']:     # what matched no upstream: half a head, for example
            self.fault(f'requests of the daemon less those of the upstreams: {beside}')
        self.within('tunnels', ups['h1']['tunnels']['total'], heard.tunnels['h1'], heard.maybe_tunnels['h1'])
        for bot, count in (+heard.bots).items():
            self.within(f'requests of {bot}', s['bots'].get(bot, {}).get('requests', 0), count, sum(heard.unsure.values()))
        self.compare_access_log(self.compare_journal(s), s)
        self.compare_metrics(s)

    def within(self, what, counted, told, unsure):
        if not told <= counted <= told + unsure:
            self.fault(f'{what}: /stats counts {counted}, clients had {told} answers and {unsure} unsure ends')

    def journal_lines(self):
        for file in self.field.journals():
            for text in file.read_text(errors='replace').splitlines():
                try:
                    yield json.loads(text)
                except ValueError:
                    yield {'ev': 'broken'}

    def compare_journal(self, s):
        lines = list(self.journal_lines())
        life = [line['life'] for line in lines if line.get('ev') == 'start'][-1]
        mine = [line for line in lines if str(line.get('id', '')).startswith(life)]
        unknown = len([line for line in mine if line['ev'] == 'end' and line['unknown']])
        counted = sum(u['requests']['unknown'] for u in s['upstreams'])
        if unknown != counted:
            self.fault(f'/stats counts {counted} unknown orders, the journal {unknown}')
        begun, ended = ({line['id'] for line in mine if line['ev'] == ev} for ev in ('begin', 'end'))
        if self.field.full:     # a line that was cut off counts as there: the order is refused, and ends
            ended -= {line['id'] for line in mine if line['ev'] == 'end' and line['sent'] == 'no'} - begun
        if begun != ended:
            self.fault(f'at rest, of {len(begun)} orders begun {len(begun - ended)} have no end, and {len(ended - begun)} ends no begin: '
                       f'{[line for line in mine if line["id"] in begun ^ ended][:3]}')
        return life

    def compare_access_log(self, life, s):
        """Lines are written a little after the answers, by a thread that has other work: they have some seconds."""
        end = time.monotonic() + 10 * PATIENCE
        while (faults := list(self.access_log_faults(life, s))) and time.monotonic() < end:
            time.sleep(0.2)
        for words in faults:
            self.fault(words)

    def access_log_faults(self, life, s):
        lines, broken = self.field.access_lines()
        yield from self.line_count_faults([line for line in lines if line['id'].startswith(life)], s)
        of_id = collections.Counter(line['id'] for line in lines)
        status = {line['id']: line['status'] for line in lines}
        if twice := [i for i, n in of_id.items() if n > 1]:
            yield f'in the access log twice: {twice[:5]}'
        if broken and not self.field.full:
            yield f'broken lines in the access log: {broken[:2]}'
        with self.field.heard.lock:
            told = dict(self.field.heard.lines)
        for name, (began, at, code) in told.items():
            if name not in of_id:
                if not self.was_lost(began, at):
                    yield f'answered {code}, and not in the access log: {name}'
            elif status[name] != code:
                yield f'{name} was answered {code}, in the access log {status[name]}'

    def line_count_faults(self, lines, s):
        """Each request of /stats has a line, but for those that a full disk has cost."""
        was_full = any(ended > self.field.life_began for _, ended in self.field.full)
        written = collections.Counter(line['upstream'] for line in lines if (line['method'], line['status']) != ('CONNECT', 200))
        for u in s['upstreams']:
            total, found = u['requests']['total'], written[u['name']]
            if found > total or (found < total and not was_full):
                yield f'{u["name"]}: /stats counts {total} requests, the access log has {found}'

    def was_lost(self, began, at):
        """A line of the access log may be lost while the disk is full, and when the daemon is killed. When it was written is not
        known: between its client's beginning and some time after the answer was read."""
        shift = time.time() - time.monotonic()
        return any(began - 5 <= end and start <= at + 5 for start, end in self.field.full) or \
            any(began - 5 <= end + shift and start + shift <= at + 5 for start, end in self.field.kills)

    def compare_metrics(self, s):
        page = self.field.page('/metrics')
        if not page:
            return
        for u in s['upstreams']:
            for key, metric in (('opened', 'connections_opened_total'), ('failed', 'connections_failed_total')):
                value = [line.split()[-1] for line in page.text.splitlines()
                         if line.startswith(f'trunkline_{metric}{{upstream="{u["name"]}"}}')]
                if value and int(float(value[0])) < u['connections'][key]:
                    self.fault(f'{u["name"]}: {metric} is {value[0]}, in /stats {u["connections"][key]}')

    # -- at the end

    def memory_of_first_life(self):
        """(KiB when it was warm, KiB at the end, KiB a minute in between)"""
        mine = [(t, kib) for life, t, kib in self.memory if life == 1]
        if len(mine) < 8:
            return None
        first = mine[0][0] + (mine[-1][0] - mine[0][0]) * WARM
        warm = [(t - first, kib) for t, kib in mine if t >= first]
        mean_t, mean_k = (sum(x) / len(warm) for x in zip(*warm))
        spread = sum((t - mean_t) ** 2 for t, _ in warm)
        slope = sum((t - mean_t) * (k - mean_k) for t, k in warm) / spread if spread else 0
        few = max(1, len(warm) // 10)
        return sum(k for _, k in warm[:few]) / few, sum(k for _, k in warm[-few:]) / few, slope * 60

    def judge_memory(self):
        if sanitized() or not (found := self.memory_of_first_life()):     # AddressSanitizer keeps what is freed for a while
            return
        warm, end, _ = found
        if end > warm * GROWTH[0] + GROWTH[1]:
            self.fault(f'memory grew from {warm:.0f} KiB to {end:.0f} KiB')

    def judge_orders(self):
        """The exchange's log, what clients were told, and the journal. Returns figures."""
        log, heard = self.field.log, self.field.heard
        orders, out = self.field.orders()
        if out.returncode or (out.stderr and 'cut off' not in out.stderr):
            self.fault(f'trunkline orders: {out.returncode} {out.stderr[:300]}')
        written = collections.defaultdict(list)
        for o in orders:
            if 'id' in o['order_ids']:
                written[o['order_ids']['id']].append(o)
        for order in set(log.read) | set(heard.orders) | set(written):
            self.judge_order(order, log, heard.orders.get(order, []), written.get(order, []))
        listed = {o['order_ids'].get('id') for o in self.field.orders('--unknown')[0]}
        unanswered = {o for o in log.read for r in log.acted(o) if r.complete and r.answered is None}
        return {'orders': len(heard.orders), 'read': len([o for o in log.read if log.acted(o)]), 'journal': len(orders),
                'unknown': len(listed), 'unanswered': len(unanswered),
                'twice': len([o for o in log.read if len(log.acted(o)) > 1]),
                'unread': len([o for o in listed if not log.acted(o)])}

    def judge_order(self, order, log, told, written):
        acted = log.acted(order)
        whole = [r for r in acted if r.complete]
        if len(acted) > 1:
            self.fault(f'TWICE: {order} was read {len(acted)} times; told {[(t.what, t.sent) for t in told]}')
        for n, t in enumerate(told):
            last = n == len(told) - 1
            seen = [r for r in acted if last or r.time < t.ended]
            if t.sent and seen and RANK[t.sent] < (2 if any(r.complete for r in seen) else 1):
                self.fault(f'SENT={t.sent}: {order} was read {"whole" if whole else "in part"}; told {[(t.what, t.sent) for t in told]}')
            if t.what == 'closed' and len(told) == 1 and acted and not self.field.was_killed(t):
                self.fault(f'UNANSWERED: {order} was read, and its client closed without a word')
        if told and all(t.sent == 'no' for t in told) and order in log.sighted and not log.read.get(order):
            self.fault(f'SENT=no: bytes of {order} have arrived')
        if acted and not written:
            self.fault(f'{order} was read and is not in the journal')
        if acted and written and all(o['sent'] == 'no' for o in written):
            self.fault(f'JOURNAL sent=no: {order} was read')
        unknown = [o for o in written if o['fate'] == 'unknown']
        if [r for r in whole if r.answered is None] and not unknown:
            self.fault(f'{order} was read and not answered, and is not among the unknown: {[(o["fate"], o["status"]) for o in written]}')
        if any(t.what == 200 for t in told) and unknown:
            self.fault(f'{order} was answered 200, and is among the unknown: {unknown}')
