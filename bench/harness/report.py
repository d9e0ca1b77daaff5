"""Markdown tables of the results, and the blocks of the documents that hold them."""
import re
import statistics

from . import hop, link, targets
from .loads import FULL, Load

NAMES = {'direct': 'no proxy, kept-alive TLS', 'nginx': 'nginx', 'haproxy': 'HAProxy', 'nghttpx': 'nghttpx', 'trunkline': '**trunkline**'}
VARIANTS = {'h1': 'HTTP/1.1', 'h2': 'HTTP/2', 'open': 'HTTP/1.1, no limit', 'spin': '`busy_poll`'}
FIGURES = {'cpu': 'CPU, µs', 'p50': 'median, µs', 'p99': 'p99, µs', 'connections': 'connections', 'calls': 'system calls', 'bytes': 'bytes per client',
           'added': 'ms added to the p99', 'growth': 'CPU, times'}
PATTERNS = {'one': 'one script, {requests} requests', 'in_turn': '{scripts} scripts in turn, a request each', 'at_once': '{scripts} scripts at once'}


def title(peer, versions=None):
    """How tables call a proxy: 'HAProxy 3.4.7, HTTP/2'."""
    kind, _, variant = peer.partition('-')
    version = f' {versions[peer]}' if versions and peer in versions and kind != 'trunkline' else ''
    return f'{NAMES[kind]}{version}' + (f', {VARIANTS[variant]}' if variant else '')


def load_title(text):
    if ':' not in text:
        return {'idle': 'idle clients', 'burst': 'burst of 64 handshakes'}[text]
    if text.startswith('waiters'):
        return f'{int(text.split(":")[1]):,} waiters, to 32'
    return Load(text).title()


def table(head, rows):
    return '\n'.join([f'| {" | ".join(head)} |', '|' + '---|' * len(head), *(f'| {" | ".join(map(str, row))} |' for row in rows)])


def number(v, digits=None):
    if v is None:
        return '–'
    return f'{v:,.{digits if digits is not None else 0 if abs(v) >= 100 else 1 if abs(v) >= 10 else 2}f}'


def spread(values, digits=None):
    """The median, and the range if there is one."""
    values = [v for v in values if v is not None]
    if not values:
        return '–'
    middle = number(statistics.median(values), digits)
    return middle if len(values) == 1 else f'{middle} ({number(min(values), digits)}–{number(max(values), digits)})'


def distinct(rows, key):
    return list(dict.fromkeys(row[key] for row in rows))


def ordered(rows):
    """The proxies as tables list them: no proxy, the others, ours."""
    kinds = list(NAMES)
    return sorted(distinct(rows, 'peer'), key=lambda peer: (kinds.index(peer.split('-')[0]), peer))


def in_order(rows):
    """The loads in the order of the list, whatever the order in which they ran."""
    return sorted(distinct(rows, 'load'), key=lambda text: (FULL.index(text) if text in FULL else len(FULL), text))


def by_load(part, cell, loads=None):
    rows = part['rows']
    loads = [text for text in loads or in_order(rows)]
    found = []
    for peer in ordered(rows):
        cells = [[row for row in rows if row['peer'] == peer and row['load'] == text] for text in loads]
        if any(cells):
            found.append([title(peer, part.get('versions'))] + [cell(c) if c else '–' for c in cells])
    return table(['', *map(load_title, loads)], found)


# ------------------------------------------------------------------------------------------------------------------- blocks

def conditions(part):
    stolen = sum(row.get('steal', 0) for row in part['rows'])
    failed = sum(row.get('errors', 0) for row in part['rows'])
    return (f'Measured on {part["date"]} ({part["version"]}) on {part["machine"]}; load average at the start {part["load_average"]:.1f}'
            + (f', {part["rounds"]} rounds of {part["seconds"]} s' if part.get('rounds') else '')
            + (f'; the hypervisor kept {stolen:.1f} s of the CPUs to itself' if stolen >= 0.1 else '')
            + (f'; {failed} requests failed' if failed else '') + '.')


def targets_block(results):
    rows = []
    for o in targets.outcomes(results):
        t = o.target
        bound = f'= {t.must:g}' if t.against == '=' else f'≤ {t.must:g}'
        rows.append([f'{load_title(t.load)}', title(t.ours).replace('*', ''), FIGURES[t.figure], number(o.value),
                     f'{number(o.best)} ({title(o.peer)})' if o.peer else '–', number(o.found, 2) if t.ratio() else '–', bound,
                     o.word() if o.word() != 'not met' else '**not met**'])
    return table(['load', 'trunkline', 'figure', 'ours', 'best other', 'ratio', 'must', ''], rows)


def cpu_block(results):
    return by_load(results['loads'], lambda rows: spread([r['cpu'] for r in rows]))


def share_block(results):
    def cell(rows):
        return ' / '.join(number(100 * statistics.median(r[key] or 0 for r in rows), 0) for key in ('kernel', 'busy'))
    rows = [row for row in results['loads']['rows'] if 'busy' in row]
    return by_load(results['loads'] | {'rows': rows}, cell)


def latency_block(results):
    loads = [text for text in in_order(results['loads']['rows']) if not text.startswith('big')]
    def cell(rows):
        return ' / '.join(number(statistics.median(row[key] for row in rows), 0) for key in ('p50', 'p99', 'p999'))
    return by_load(results['loads'], cell, loads)


def rate_block(results):
    return by_load(results['loads'], lambda rows: spread([r.get('rate', r.get('mib_per_s')) for r in rows], 0))


def connections_block(results):
    rows = [row for row in results['loads']['rows'] if 'connections' in row]
    return by_load(results['loads'] | {'rows': rows}, lambda rows: f'{max(r["connections"] for r in rows)} / {max(r["opened"] for r in rows)} / '
                                      f'{max(r["full"] for r in rows)} + {max(r["resumed"] for r in rows)}')


def memory_block(results):
    idle = {row['peer']: row for row in results['idle']['rows']}
    rows = []
    for peer in ordered(results['idle']['rows']):
        busy = [r['resident'] / 2**20 for r in results.get('loads', {}).get('rows', []) if r['peer'] == peer and r['load'] == 'ticker:256']
        name = title(peer, results['idle'].get('versions'))
        rows.append([name, number(idle[peer]['bytes'], 0), number(idle[peer]['resident'] / 2**20), spread(busy)])
    return table(['', 'bytes per idle client', 'MiB at rest', 'MiB after 250 B, 256'], rows)


def calls_block(results):
    def cell(rows):
        each = sorted(rows[0]['each'].items(), key=lambda item: -item[1])
        return f'**{rows[0]["calls"]:.2f}**: ' + ', '.join(f'{name} {count:.2f}' for name, count in each[:5])
    return by_load(results['calls'], cell)


def burst_block(results):
    rows, found = results['burst']['rows'], []
    for peer in ordered(rows):
        these = [row for row in rows if row['peer'] == peer]
        found.append([title(peer, results['burst'].get('versions')), *(spread([row[key] for row in these]) for key in ('quiet', 'burst', 'added'))])
    return table(['', 'p99 before, ms', 'p99 during the burst, ms', 'added, ms'], found)


def waiters_block(results):
    rows, found = results['waiters']['rows'], []
    counts = sorted(distinct(rows, 'waiters'))
    for peer in ordered(rows):
        cells = [[r['cpu'] for r in rows if (r['peer'], r['waiters']) == (peer, count)] for count in counts]
        found.append([title(peer), *map(spread, cells)])
    return table(['CPU per request, µs', *(f'{count:,} waiters' for count in counts)], found)


def link_block(results):
    part, rows = results['link'], []
    for way, (name, _, _) in link.WAYS.items():
        cells = [f'**{name}**' if way.startswith('trunkline') else name]
        for pattern in PATTERNS:
            row = next(r for r in part['rows'] if (r['way'], r['pattern']) == (way, pattern))
            first = f', the first {row["first"]:.0f}' if pattern == 'one' and row['first'] > 1.5 * row['median'] else ''
            cells.append(f'{row["median"]:.0f} ms{first}; {row["connections"]} connection{"" if row["connections"] == 1 else "s"}')
        rows.append(cells)
    names = [name.format(**part) for name in PATTERNS.values()]
    return table(['per request (median), and TLS connections opened for it', *names], rows)


def hop_block(results):
    rows = results['hop']['rows']
    head = ['µs of CPU per request', *(f'{title(r["peer"]).replace("*", "")}: {load_title(r["load"])}' for r in rows)]
    groups = [[name, *(number(r['each'][n], 1) for r in rows)] for n, name in enumerate(hop.GROUPS)]
    return table(head, [['all', *(f'**{r["cpu"]:.1f}**' for r in rows)], *groups])


def sockets_block(results):
    rows = results['sockets']['rows']
    found = []
    for peer in ordered(rows):
        for kind, name in (('tcp', 'TCP'), ('unix', 'Unix socket')):
            cells = []
            for load in in_order(rows):
                these = [r for r in rows if (r['peer'], r['kind'], r['load']) == (peer, kind, load)]
                cells += [spread([r['p50'] for r in these], 0), spread([r['cpu'] for r in these])]
            found.append([title(peer), name, *cells])
    head = ['', 'clients on']
    for load in in_order(rows):
        head += [f'{load_title(load)}: median, µs', 'CPU, µs']
    return table(head, found)


# name: the part of the results that it needs, and what makes it
BLOCKS = {
    'targets': ('loads', targets_block), 'cpu': ('loads', cpu_block), 'share': ('loads', share_block),
    'latency': ('loads', latency_block), 'rate': ('loads', rate_block), 'connections': ('loads', connections_block), 'memory': ('idle', memory_block),
    'calls': ('calls', calls_block), 'burst': ('burst', burst_block), 'waiters': ('waiters', waiters_block),
    'link': ('link', link_block), 'hop': ('hop', hop_block), 'sockets': ('sockets', sockets_block),
}


def blocks(results):
    """The text of each block for which there are results."""
    found = {name: make(results) for name, (part, make) in BLOCKS.items() if results.get(part, {}).get('rows')}
    for part in ('loads', 'link'):
        if part in results:
            found[f'{part}-conditions'] = conditions(results[part])
    return found


def markdown(results):
    return '\n\n'.join(f'**{name}**\n\n{text}' for name, text in blocks(results).items()) + '\n'


def rewrite(document, results):
    """Replaces what is between `<!-- bench: NAME -->` and `<!-- end -->` in a document."""
    found = blocks(results)

    def block(match):
        name = match.group(1)
        return f'<!-- bench: {name} -->\n{found[name]}\n<!-- end -->' if name in found else match.group(0)
    document.write_text(re.sub(r'<!-- bench: ([a-z-]+) -->\n.*?<!-- end -->', block, document.read_text(), flags=re.S))
