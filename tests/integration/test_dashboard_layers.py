"""The dashboard's two layers in headless Chromium: the table of upstreams, trouble first, and the cards below it, with eight upstreams of
which one is dead, one paused, one held and one frozen."""
import pathlib
import re

import pytest

from lib import browser
from lib.behaviour import reply
from lib.daemon import free_port, sanitized, upstream
from lib.eight import NAMES, WORST_FIRST, Eight, blocks
from lib.promise import works
from lib.wire import eventually
from test_dashboard import SHOWN, answer, asked, chrome, contrast, field, page, unfold      # noqa: F401 (chrome and page are fixtures)

pytestmark = [pytest.mark.limit(180),
              pytest.mark.skipif(bool(browser.Chromium.missing()),
                                 reason=f'no {" nor ".join(browser.Chromium.missing())} (Debian: apt install chromium chromium-driver)'),
              pytest.mark.skipif(sanitized(), reason='once is enough: with the plain build')]
ESC, ENTER, TAB = '\ue00c', '\ue007', '\ue004'


def cell(name, of='ex'):
    return f'[data-row="{of}"] [data-cell="{name}"]'


def order(p):
    return p.run('return [...document.querySelectorAll("#table tbody tr")].map(r => r.dataset.row)')


def unfolded(p):
    return p.run('return [...document.querySelectorAll("#upstreams .card:not(.folded)")].map(c => c.dataset.upstream)')


def has_class(p, name, of):
    return p.run('return document.querySelector(arguments[0]).classList.contains(arguments[1])', f'[data-row="{of}"]', name)


@pytest.fixture
def eight(daemon, origin):
    e = Eight(daemon(*blocks(origin)), origin)
    e.trouble()
    for name in ('binance', 'kraken-futures'):
        assert e.daemon.get(f'/{name}/price').status == 200
    yield e
    e.end()


def test_trouble_comes_first(page, eight):
    """The table begins with what is wrong, in the order of how wrong it is, with state, reason and time; the title counts what is down."""
    p = page(eight.daemon)
    eventually(lambda: order(p) == WORST_FIRST, SHOWN)
    assert p.run('return document.title') == '1 down · trunkline'
    assert '1 down, 1 failing, 1 frozen, 1 held, 1 paused, 3 up' in p.text('#verdict')
    for name, words in {'kraken': r'circuit open: connection refused, \d+ (s|min)', 'okx': r'paused by an operator, \d+ (s|min)', 'binance': r'up, \d+ (s|min)',
                        'bybit': r'held: the exchange answered 429 to grid1 for /limited, \d+ (s|min)', 'coinbase-advanced': r'frozen by 127\.0\.0\.1:\d+, \d+ (s|min)'}.items():
        assert re.match(words, p.text(cell('what', name))), p.text(cell('what', name))
    assert 'no request yet' in p.text(cell('what', 'deribit-portfolio-margin'))
    assert re.fullmatch(r'1[0-5] min left: 429 to grid1', p.text(cell('holds', 'bybit')))
    assert p.text(cell('unknown', 'binance-futures')) == '1' and p.text(cell('unknown', 'binance')) == '0'
    assert '1 order of unknown fate' in p.text(cell('what', 'binance-futures'))
    assert p.text(cell('errors', 'kraken')) == '100 %' and p.text(cell('p99', 'kraken')) == '–' and p.text(cell('errors', 'binance')) == '0 %'
    u = eight.daemon.upstream('binance')
    assert u['last_5m']['requests'] == 1 and u['last_5m']['p99_ms'] == u['latency_ms']['total']['p99']
    assert ' ms' in p.text(cell('p99', 'binance'))


@pytest.mark.slow
def test_it_follows_what_happens(page, daemon, origin):
    """A row moves up when its upstream gets into trouble, and back; the title follows, and the focus stays where it is."""
    d = daemon(*[upstream(n, origin, host=f'{n}.exchange.test') for n in ('a', 'b', 'c')])
    for n in 'abc':
        works(d, f'/{n}/x')
    p = page(d)
    eventually(lambda: order(p) == ['a', 'b', 'c'] and p.run('return document.title') == 'trunkline', SHOWN)
    p.run('document.querySelector(arguments[0]).focus()', cell('name', 'c') + ' a')
    d.verb('freeze', 'c')
    eventually(lambda: order(p) == ['c', 'a', 'b'] and p.run('return document.title') == '1 frozen · trunkline', SHOWN)
    assert p.run('return document.activeElement.textContent') == 'c'
    origin.on('/y', reply(500, b''))
    for _ in range(5):
        d.get('/b/y')
    eventually(lambda: order(p) == ['b', 'c', 'a'], 2 * SHOWN)
    assert p.run('return document.title') == '1 failing · trunkline'
    assert p.text(cell('errors', 'b')).startswith('83.3')


def test_stopped_numbers_look_stopped(page, eight):
    """The figures of the dead, the paused and the idle one are grey and slanted; those of the others are not."""
    p = page(eight.daemon)
    eventually(lambda: order(p) == WORST_FIRST, SHOWN)
    assert [n for n in NAMES if has_class(p, 'stopped', n)] == ['kraken', 'okx', 'deribit-portfolio-margin']
    look = '''const s = getComputedStyle(document.querySelector(arguments[0])); return [s.color, s.fontStyle]'''
    assert p.run(look, cell('rate', 'okx')) == p.run(look, cell('rate', 'kraken')) != p.run(look, cell('rate', 'binance'))
    assert p.run(look, cell('rate', 'okx'))[1] == 'italic'
    eight.daemon.verb('resume', 'okx')
    eventually(lambda: not has_class(p, 'stopped', 'okx'), SHOWN)


def test_tiles_are_of_five_minutes(page, eight):
    """Each tile has the figure of the last five minutes, and the total since the start below it, small."""
    p, d = page(eight.daemon), eight.daemon
    s = d.stats()
    eventually(lambda: p.text('#tiles [data-field="requests.total"]') == f'{s["last_5m"]["requests"]} of {s["requests"]["total"]} in total', SHOWN)
    assert p.text('#tiles [data-field="failed.total"]') == f'{s["last_5m"]["failed"]} of {s["requests"]["failed"]} in total'
    assert p.text('#tiles [data-field="unknown"]') == '1' and p.text('#tiles [data-field="unknown.total"]') == '1 in total'
    p.run("""const ask = fetch;
        window.fetch = async (...args) => {
            const s = await (await ask(...args)).json();
            s.last_5m = {...s.last_5m, requests: 7, failed: 0, error_rate: 0, per_second: 7 / 300, unknown: 0};
            return new Response(JSON.stringify(s)); }""")
    eventually(lambda: p.text('#tiles [data-field="requests"]') == '1.4/min', SHOWN)       # as if the rest were older
    assert re.match(r'7 of [1-9]\d+ in total', p.text('#tiles [data-field="requests.total"]'))
    assert p.text('#tiles [data-field="failed"]') == '0 %' and p.text('#tiles [data-field="unknown"]') == '0' and p.text('#tiles [data-field="unknown.total"]') == '1 in total'
    size = 'return parseFloat(getComputedStyle(document.querySelector(arguments[0])).fontSize)'
    assert p.run(size, '#tiles [data-field="failed.total"]') < p.run(size, '#tiles [data-field="failed"]') / 1.5


@pytest.mark.parametrize('width', [360, 390, 768, 1280])
def test_it_fits_the_window(page, eight, width):
    """A phone shows the whole table without scrolling sideways, and so does any other window; unfolded cards too."""
    p = page(eight.daemon)
    p.size(width, 780)
    try:
        eventually(lambda: order(p) == WORST_FIRST, SHOWN)
        assert p.run('return document.documentElement.scrollWidth <= document.documentElement.clientWidth')
        out = p.run('''return [...document.querySelectorAll("#table tr > *, #errors li, .tiles li, .card h2, .act")].filter(e => {
            const r = e.getBoundingClientRect(); return r.width && !e.closest("thead") && (r.left < 0 || r.right > innerWidth); }).map(e => e.textContent)''')
        assert not out
        assert p.run('return document.querySelector("#table").scrollWidth <= document.querySelector("#table").clientWidth')
        tops = p.run('return arguments[0].map(s => document.querySelector(s).getBoundingClientRect().top)', [cell(n, 'bybit') for n in ('name', 'what', 'rate', 'p99', 'queue', 'holds', 'unknown')])
        lines = [1, 2, 3, 3, 4, 4, 4] if width < 800 else [1] * 7
        assert [sorted(set(tops)).index(t) + 1 for t in tops] == lines
    finally:
        p.own_size()


def test_verbs_ask_first(page, daemon, origin):
    """Pause, freeze, drain and reconnect ask. Cancel has the focus, ESC and Enter on it do nothing; Tab and Enter say yes by keyboard."""
    d = daemon(upstream('ex', origin))
    works(d)
    p = page(d)
    unfold(p)
    for verb in ('pause', 'freeze', 'drain', 'reconnect'):
        for dismissed in (ESC, ENTER):
            p.run('document.querySelector(arguments[0]).focus()', field(verb))
            p.press(ENTER)
            assert asked(p) == f'{verb.capitalize()} ex?' and p.text('#ask-words')
            assert p.run('return document.activeElement.id') == 'no'
            p.press(dismissed)
            eventually(lambda: not p.run('return document.getElementById("ask").open'), SHOWN)
            assert p.run('return document.activeElement.dataset.field') == verb
    assert d.upstream()['state'] == 'up' and d.upstream()['connections']['closed']['reconnect'] == 0
    p.press(ENTER)
    asked(p)
    p.press(TAB)
    p.press(ENTER)
    eventually(lambda: d.upstream()['connections']['closed']['reconnect'] == 1, SHOWN)
    p.click(field('drain'))
    asked(p)
    answer(p, 'yes')
    eventually(lambda: d.upstream()['state'] == 'draining' and p.text(field('state')) == 'draining', SHOWN)
    p.click(field('resume'))
    eventually(lambda: d.upstream()['state'] == 'up', SHOWN)


def test_an_answer_is_to_its_own_question(page, daemon, origin):
    """A question that follows at once on one that was dismissed is not answered by that."""
    d = daemon(upstream('ex', origin))
    works(d)
    p = page(d)
    unfold(p)
    p.run('for (const s of arguments[0]) document.querySelector(s).click()', [field('freeze'), '#no', field('reconnect')])
    assert asked(p) == 'Reconnect ex?'
    answer(p, 'yes')
    eventually(lambda: d.upstream()['connections']['closed']['reconnect'] == 1, SHOWN)
    assert d.upstream()['state'] == 'up'


def test_ending_a_hold_asks_first(page, eight):
    """A hold is ended from the dashboard only after a question that names the risk."""
    p = page(eight.daemon)
    eventually(lambda: p.text(field('resume', 'bybit')) == 'End holds', SHOWN)
    p.click(field('resume', 'bybit'))
    assert asked(p) == 'End the holds of bybit?' and 'ban' in p.text('#ask-words')
    answer(p, 'yes')
    eventually(lambda: eight.daemon.upstream('bybit')['state'] == 'up', SHOWN)


@pytest.mark.slow
def test_cards_are_folded_where_nothing_is_wrong(page, eight):
    """Cards keep the configuration's order. What the user folds and unfolds outlives refreshes and reloads of the page."""
    p, d = page(eight.daemon), eight.daemon
    wrong = ['binance-futures', 'kraken', 'coinbase-advanced', 'okx', 'bybit']
    eventually(lambda: unfolded(p) == wrong, SHOWN)
    assert p.run('return [...document.querySelectorAll("#upstreams .card")].map(c => c.dataset.upstream)') == NAMES
    p.click('[data-upstream="kraken"] .fold')
    p.click(cell('name', 'binance') + ' a')
    mine = ['binance', 'binance-futures', 'coinbase-advanced', 'okx', 'bybit']
    assert unfolded(p) == mine and p.run('return document.activeElement.textContent') == 'binance'
    for _ in range(2):
        works(d, '/binance/x')
        total = d.upstream('binance')['requests']['total']
        eventually(lambda n=total: p.number(field('total', 'binance')) == n, SHOWN)
        assert unfolded(p) == mine
    p.open(d.url + '/')
    eventually(lambda: unfolded(p) == mine, SHOWN)
    # One that was folded while it was well is unfolded by trouble; one that was folded in trouble, by the next trouble.
    d.verb('pause', 'kraken-futures')
    eventually(lambda: 'kraken-futures' in unfolded(p), SHOWN)
    p.click('[data-upstream="okx"] .fold')
    d.verb('resume', 'okx')
    eventually(lambda: p.text(field('state', 'okx')) == 'up', SHOWN)
    assert 'okx' not in unfolded(p)
    d.verb('pause', 'okx')
    eventually(lambda: 'okx' in unfolded(p), SHOWN)


def test_every_state_is_readable(page, eight):
    """Each kind of text has a contrast of 4.5 and more, in both themes."""
    p = page(eight.daemon)
    eventually(lambda: order(p) == WORST_FIRST and p.run('return document.querySelectorAll("#errors li").length') > 1, SHOWN)
    kinds = [f'.state.{s}' for s in ('open', 'frozen', 'held', 'paused', 'up')] + ['.stopped .past', '.stopped .past.alarm', '.note.alarm', '.note.soft', '.n.alarm', '#errors .alarm', '#errors .soft']
    for theme in ('light', 'dark'):
        p.theme(theme)
        faint = {k: round(contrast(p, k), 1) for k in kinds if contrast(p, k) < 4.5}
        assert not faint, theme


def test_exits_and_notices(page, daemon, origin, tmp_path):
    """An exit that is down is named in the table and listed in the card; a failing order journal and a failed reload stand on top."""
    d = daemon(upstream('ex', None, connect_to=origin.address, exits=['127.0.0.1', '203.0.113.9'], min_idle=1, breaker_failures=1),
               order_journal=str(tmp_path / 'orders.journal'))
    works(d)
    p = page(d)
    eventually(lambda: '1 of 2 exits not up' in p.text(cell('what')) and 'circuit open' in p.text(field('exits')), SHOWN)
    assert p.run('return document.title') == 'trunkline'
    d.reload(text='nonsense = 1\n')
    eventually(lambda: 'The last reload' in p.text('#notices') and 'failed' in p.text('#notices'), SHOWN)


def test_endpoints(page, daemon, origins):
    """Endpoints are listed in the card, with what each of them gets; one that is not reached is named in the table."""
    o = origins(tls=False)
    d = daemon(upstream('ex', None, url=None, ca_file=None, endpoints=[f'http://{o.address}', f'http://127.0.0.12:{free_port()}'], breaker_failures=1))
    eventually(lambda: works(d) and d.upstream()['endpoints'][1]['state'] == 'open')      # by a probe
    p = page(d)
    eventually(lambda: '1 of 2 endpoints not reached' in p.text(cell('what')), SHOWN)
    rows = p.run('return [...document.querySelectorAll(arguments[0])].map(r => [...r.cells].map(c => c.textContent))', field('endpoints') + ' tbody tr')
    assert [r[1] for r in rows] == ['up', 'circuit open'] and rows[0][0] == o.address and rows[0][2].startswith('orders')
    assert 'ex' in unfolded(p) and p.run('return document.title') == 'trunkline'


def test_a_journal_that_fails(page, daemon, origin):
    """While the order journal cannot be written, the page says so on top and in its title, with the orders that were refused."""
    d = daemon(upstream('ex', origin), order_journal='/dev/full')
    assert d.request('POST', '/ex/order', body=b'x').status == 503
    p = page(d)
    eventually(lambda: re.search(r'The order journal cannot be written since \d+ s: No space left on device\. 1 order refused', p.text('#notices')), SHOWN)
    assert p.run('return document.title') == 'journal failing · trunkline'


def test_long_names_and_many(page, daemon, origin):
    """A long name wraps on a phone. Of thirty upstreams 24 are shown, those in trouble among them, and the number of the others."""
    long = 'a-' + 'very-' * 10 + 'long-name'
    d = daemon(*[upstream(n, origin, host=f'{n[:40].rstrip("-")}.exchange.test') for n in [*(f'u{i}' for i in range(30)), long]])
    d.verb('pause', long)
    d.verb('pause', 'u29')
    p = page(d)
    p.size(360, 780)
    try:
        eventually(lambda: order(p)[:2] == ['u29', long] and len(order(p)) == 24, SHOWN)
        assert p.text('#more') == 'and 7 more: see /stats' and p.run('return document.documentElement.scrollWidth') == 360
        assert '2 paused, 29 up' in p.text('#verdict')
    finally:
        p.own_size()


def test_the_pictures_are_small_and_shown():
    """doc/pictures has at most 400 KiB in all, and every picture is shown in a document, with words for those who cannot see it."""
    doc = pathlib.Path(__file__).resolve().parents[2] / 'doc'
    pictures = list((doc / 'pictures').iterdir())
    assert sum(p.stat().st_size for p in pictures) <= 400 * 1024
    texts = ''.join(p.read_text() for p in [doc.parent / 'README.md', *doc.glob('*.md')])
    shown = {file: words for words, file in re.findall(r'!\[([^\]]+)\]\((?:doc/)?(pictures/[^)]+)\)', texts)}
    assert not [p.name for p in pictures if not shown.get(f'pictures/{p.name}')]


def test_nothing_yet(page, daemon):
    """Without an upstream the page says so instead of an empty table."""
    p = page(daemon())
    eventually(lambda: not p.run('return document.getElementById("none").hidden'), SHOWN)
    assert p.text('#no-errors') == 'None since the start.' and p.run('return document.title') == 'trunkline'
