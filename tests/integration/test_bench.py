"""bench/compare: every part runs and reports; what its figures say is judged from made-up ones. bench/instructions: more instructions
than recorded are an error."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from lib.daemon import PATIENCE, binary
from lib.programs import SOURCE, need

sys.path.insert(0, str(SOURCE / 'bench'))
from harness import report, targets     # noqa: E402


def compare(folder, parts, only='nginx-h1,trunkline-h1,trunkline-h2'):
    """The rows of a run of a second per load, with the system's nginx as the only other proxy."""
    need('nginx', 'wrk', 'h2load', 'curl', 'openssl', 'gnuplot')
    done = subprocess.run([SOURCE / 'bench/compare', '--bin', binary(), '--size', 'smoke', '--peers', 'system', '--only', only, '--parts', parts,
                           '--work', folder], capture_output=True, text=True, timeout=120 * PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'targets met' in done.stdout
    return json.loads((folder / 'results.json').read_text())


@pytest.mark.slow
def test_loads_of_each_proxy_in_a_round(tmp_path):
    rows = compare(tmp_path, 'loads')['loads']['rows']
    assert {(r['peer'], r['load']) for r in rows} == {(peer, load) for peer in ('nginx-h1', 'trunkline-h1', 'trunkline-h2')
                                                      for load in ('ticker:2', 'order:2', 'big:1')} | {('direct', 'ticker:2')}
    for row in rows:
        assert row['cpu'] > 0 and row.get('errors', 0) == 0, row
        assert row['load'] == 'big:1' or 0 < row['p50'] <= row['p99'] <= row['p999'] and row['requests'] > 0
        assert row['peer'] == 'direct' or row['load'] == 'big:1' or 1 <= row['connections'] <= 4 and row['resident'] > 2**20
    assert '**trunkline**, HTTP/2' in (tmp_path / 'results.md').read_text()
    for name in ('cpu.svg', 'p99.svg'):
        picture = (tmp_path / 'pictures' / name).read_text()
        assert 'trunkline, HTTP/1.1' in picture and len(picture) < 60000


@pytest.mark.slow
def test_calls_clients_and_a_burst(tmp_path):
    need('strace')
    results = compare(tmp_path, 'calls,idle,waiters,burst')
    assert all(1 <= row['calls'] < 30 and row['each'] for row in results['calls']['rows'])
    assert {row['peer'] for row in results['idle']['rows']} == {'nginx-h1', 'trunkline-h1', 'trunkline-h2'}
    assert [(row['waiters'], row['errors']) for row in results['waiters']['rows']] == [(2, 0), (4, 0)]
    assert [(row['peer'], row['answered'], row['opened']) for row in results['burst']['rows']] == [('nginx-h1', 64, 64), ('trunkline-h1', 64, 64)]


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0 or not pathlib.Path('/dev/net/tun').exists(), reason='needs root and /dev/net/tun')
def test_a_distant_exchange_takes_its_round_trips(tmp_path):
    """A new connection takes three round trips of 50 ms and trunkline one; a busy machine only adds to that."""
    rows = {(row['way'], row['pattern']): row for row in compare(tmp_path, 'link')['link']['rows']}
    assert len(rows) == 12
    for (way, pattern), row in rows.items():
        trips = 1 if way.startswith('trunkline') else 3
        assert row['first'] >= 50 * trips, (way, pattern, row)
    assert all(rows[way, 'in_turn']['connections'] == 2 for way in ('new', 'kept')) and rows['kept', 'one']['connections'] == 1
    assert all(rows[way, 'in_turn']['connections'] == 0 for way in ('trunkline-h1', 'trunkline-h2'))


@pytest.mark.slow
def test_the_hop_by_what_it_does(tmp_path):
    results = compare(tmp_path, 'hop')
    assert {(row['peer'], row['kind']) for row in results['sockets']['rows']} == {(peer, kind) for peer in ('trunkline-h1', 'trunkline-h2')
                                                                                for kind in ('tcp', 'unix')}
    for row in results['hop']['rows']:      # none without perf
        assert abs(sum(row['each']) - row['cpu']) < 0.1 and row['samples'] > 0


def outcome(against, must, figures):
    """What is said about a target of trunkline-h1 with these figures of each proxy."""
    rows = [{'peer': peer, 'load': 'ticker:16', 'cpu': value, 'connections': value} for peer, values in figures.items() for value in values]
    figure = 'connections' if against in ('-', '=') else 'cpu'
    return targets.outcome({'loads': {'rows': rows}}, targets.Target('ticker:16', 'trunkline-h1', figure, against, must, must))


def test_a_target_is_a_ratio_of_medians_to_the_best_proxy():
    figures = {'trunkline-h1': [19, 90, 18], 'nginx-h1': [20, 20, 1], 'haproxy-h2': [10, 10, 10], 'direct': [1, 1, 1]}
    found = outcome('h1', 0.95, figures)
    assert (found.word(), found.peer, found.found) == ('met', 'nginx-h1', 0.95)
    assert outcome('h1', 0.94, figures).word() == 'not met'
    found = outcome('any', 0.95, figures)
    assert (found.word(), found.peer, found.found) == ('not met', 'haproxy-h2', 1.9)
    assert outcome('haproxy-h2', 1.9, figures).word() == 'met'
    assert outcome('nghttpx-h1', 1.9, figures).word() == 'not measured'
    assert outcome('h1', 0.95, {'nginx-h1': [1]}).word() == 'not measured'


def test_a_target_of_a_count_takes_the_worst_round():
    assert outcome('-', 16, {'trunkline-h1': [16, 3]}).word() == 'met'
    assert outcome('-', 16, {'trunkline-h1': [17, 3, 3]}).word() == 'not met'
    assert outcome('=', 64, {'trunkline-h1': [64, 64]}).word() == 'met'
    assert outcome('=', 64, {'trunkline-h1': [63]}).word() == 'not met'


def test_every_target_names_what_is_measured():
    for target in targets.read():
        assert report.load_title(target.load) and target.figure in report.FIGURES and target.moonshot <= target.must
        assert target.against in ('h1', 'any', '-', '=', 'haproxy-h2')


def test_documents_get_their_blocks(tmp_path):
    """Each block that the documents have exists, and only blocks with results are replaced."""
    for name in ('doc/performance.md', 'README.md'):
        copy = tmp_path / 'page.md'
        shutil.copy(SOURCE / name, copy)
        text = copy.read_text()
        blocks = {line.split()[2] for line in text.splitlines() if line.startswith('<!-- bench: ')}
        assert blocks and blocks <= set(report.BLOCKS) | {'loads-conditions', 'link-conditions'}
        assert text.count('<!-- bench: ') == text.count('<!-- end -->')
    copy.write_text('before\n<!-- bench: burst -->\nold\n<!-- end -->\nbetween\n<!-- bench: cpu -->\nkept\n<!-- end -->\nafter\n')
    report.rewrite(copy, {'burst': {'rows': [{'peer': 'trunkline-h1', 'quiet': 1.0, 'burst': 3.0, 'added': 2.0}]}})
    text = copy.read_text()
    assert 'old' not in text and '| **trunkline**, HTTP/1.1 | 1.00 | 3.00 | 2.00 |' in text
    assert text.startswith('before\n') and '\nbetween\n<!-- bench: cpu -->\nkept\n<!-- end -->\nafter\n' in text


@pytest.mark.slow
def test_more_instructions_than_recorded_are_an_error(tmp_path):
    need('valgrind', 'nginx')
    known = tmp_path / 'known.json'

    def run(*arguments):
        return subprocess.run([SOURCE / 'bench/instructions', '--bin', binary(), *arguments, 'h1-ticker'], capture_output=True, text=True,
                              timeout=120 * PATIENCE)
    done = run('--record', known)
    assert done.returncode == 0, done.stdout + done.stderr
    count = json.loads(known.read_text())['h1-ticker']
    assert 10000 < count < 400000
    known.write_text(json.dumps({'h1-ticker': round(count / 1.04)}))
    done = run('--check', known)
    assert done.returncode == 1 and 'more than 3% above the recorded count: h1-ticker' in done.stderr


@pytest.mark.slow
def test_what_the_journal_adds(tmp_path):
    """bench/journal runs, and shows the three kinds beside each other."""
    need('nginx', 'wrk')
    done = subprocess.run([SOURCE / 'bench/journal', '--bin', binary(), '--rounds', '1', '--folder', tmp_path], capture_output=True, text=True,
                          timeout=120 * PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == 4 and all(word in done.stdout for word in ('ratio', 'off', 'on + sync')), done.stdout
