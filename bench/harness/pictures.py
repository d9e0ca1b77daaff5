"""Pictures of the results: SVG by gnuplot, with a transparent background and colours that can be read on white and on black."""
import statistics
import subprocess

from . import link
from .report import in_order, load_title, ordered, title
from .system import Failure, program

GREY = '#808890'
COLOURS = {'nginx-h1': '#8a94a6', 'haproxy-h1': '#c08a4a', 'haproxy-h2': '#e0b070', 'nghttpx-h1': '#8c7ab8', 'nghttpx-h2': '#b3a5d6',
           'trunkline-h1': '#1f9e89', 'trunkline-h2': '#4cc9a8', 'trunkline-spin': '#2a7fb8'}

COMMON = f'''
set terminal svg size 860,{{height}} dynamic font 'sans-serif,12' enhanced
set output '{{file}}'
set border 3 linecolor rgb '{GREY}'
set tics textcolor rgb '{GREY}' nomirror
set ylabel '{{label}}' textcolor rgb '{GREY}'
set key outside below horizontal textcolor rgb '{GREY}' samplen 1
set grid ytics linecolor rgb '{GREY}' linewidth 0.3
set style fill solid 0.95 noborder
set style data histograms
set xtics scale 0
'''


def draw(text):
    done = subprocess.run([program('gnuplot', 'gnuplot-nox')], input=text, text=True, capture_output=True)
    if done.returncode:
        raise Failure(f'gnuplot: {done.stderr.strip()}')


def bars(file, label, groups, series, values, colours, more=''):
    """A cluster of bars for each group; values[series][group], None where there is none."""
    lines = ['$data << END']
    for row, group in enumerate(groups):
        lines.append(f'"{group}" ' + ' '.join('NaN' if values[name][row] is None else f'{values[name][row]:.3f}' for name in series))
    lines.append('END')
    plot = ', '.join(f'$data using {n + 2}:xtic(1) title "{name}" linecolor rgb "{colours[n]}"' for n, name in enumerate(series))
    draw(COMMON.format(file=file, label=label, height=340) + 'set style histogram clustered gap 1\n' + more + '\n'.join(lines) + f'\nplot {plot}\n')


def of_loads(results, folder):
    rows = results['loads']['rows']
    peers = [p for p in ordered(rows) if p in COLOURS and p != 'trunkline-spin']

    measured = [text for text in in_order(rows) if not text.startswith('big')]

    def draw_figure(name, label, figure, loads, more=''):
        loads = [text for text in loads if text in measured] or measured
        values = {}
        for peer in peers:
            these = [[r[figure] for r in rows if (r['peer'], r['load']) == (peer, text) and r[figure] is not None] for text in loads]
            values[title(peer).replace('*', '')] = [statistics.median(v) if v else None for v in these]
        bars(folder / name, label, [load_title(text) for text in loads], list(values), values, [COLOURS[p] for p in peers], more)
    draw_figure('cpu.svg', 'CPU per request, µs', 'cpu', ('ticker:16', 'ticker:64', 'ticker:256', 'order:16', 'depth:16'), 'set yrange [0:120]\n')
    draw_figure('p99.svg', 'p99, µs (logarithmic)', 'p99', ('ticker:1', 'ticker:16', 'ticker:64', 'ticker:256', 'order:16'), "set logscale y\nset format y '%.0f'\n")


def of_link(results, folder):
    rows = results['link']['rows']
    patterns = {'one': 'one script', 'in_turn': 'scripts in turn', 'at_once': 'scripts at once'}
    values = {name: [next((r['median'] for r in rows if (r['way'], r['pattern']) == (way, pattern)), None) for pattern in patterns]
              for way, (name, _, _) in link.WAYS.items()}
    bars(folder / 'link.svg', 'median, ms', list(patterns.values()), list(values), values, ['#c05a4a', '#c08a4a', '#1f9e89', '#4cc9a8'], 'set yrange [0:*]\n')


def write(results, folder):
    folder.mkdir(parents=True, exist_ok=True)
    if results.get('loads', {}).get('rows'):
        of_loads(results, folder)
    if results.get('link', {}).get('rows'):
        of_link(results, folder)
