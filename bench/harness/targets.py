"""The targets (bench/targets), and what a run says about them."""
import pathlib
import statistics
from dataclasses import dataclass

FILE = pathlib.Path(__file__).parent.parent / 'targets'
WORST_COUNTS = ('connections',)     # of several rounds the largest counts, not the median


@dataclass
class Target:
    load: str
    ours: str
    figure: str
    against: str
    must: float
    moonshot: float

    def ratio(self):
        return self.against not in ('-', '=')

    def met(self, found):
        return found == self.must if self.against == '=' else found <= self.must


@dataclass
class Outcome:
    """A target with what was measured: `value` is ours, `best` the other proxy's of the name `peer`, and `found` is what is bounded."""
    target: Target
    value: float | None = None
    best: float | None = None
    peer: str | None = None
    found: float | None = None

    def word(self):
        if self.found is None:
            return 'not measured'
        return 'met' if self.target.met(round(self.found, 3)) else 'not met'


def read():
    rows = [line.split() for line in FILE.read_text().splitlines() if line.strip() and not line.startswith('#')]
    return [Target(*row[:4], float(row[4]), float(row[5])) for row in rows]


def middle(rows, figure):
    values = [row[figure] for row in rows if row.get(figure) is not None]
    return (max if figure in WORST_COUNTS else statistics.median)(values) if values else None


def value(results, peer, load, figure):
    """The figure of a proxy over all rounds, or None if it was not measured."""
    def rows(part, **keys):
        return [row for row in results.get(part, {}).get('rows', []) if row['peer'] == peer and all(row[k] == v for k, v in keys.items())]
    if figure == 'calls':
        return middle(rows('calls', load=load), 'calls')
    if figure == 'bytes':
        return middle(rows('idle'), 'bytes')
    if figure == 'added':
        return middle(rows('burst'), 'added')
    if figure == 'growth':
        many = middle(rows('waiters', waiters=int(load.split(':')[1])), 'cpu')
        few = middle(rows('waiters', waiters=32), 'cpu')
        return many / few if many and few else None
    return middle(rows('loads', load=load), figure)


def best(results, target):
    """The other proxy that is best at it: its name and its figure."""
    names = sorted({row['peer'] for row in results.get('loads', {}).get('rows', [])})
    names = [name for name in names if not name.startswith('trunkline') and name != 'direct']
    if target.against == 'h1':
        names = [name for name in names if name.endswith('-h1')]
    elif target.against != 'any':
        names = [target.against]
    found = [(value(results, name, target.load, target.figure), name) for name in names]
    return min(((v, name) for v, name in found if v), default=(None, None))


def outcome(results, target):
    ours = value(results, target.ours, target.load, target.figure)
    if not target.ratio():
        return Outcome(target, value=ours, found=ours)
    theirs, name = best(results, target)
    return Outcome(target, ours, theirs, name, ours / theirs if ours is not None and theirs else None)


def outcomes(results):
    return [outcome(results, target) for target in read()]
