"""The dashboard in headless Chromium: it shows the numbers of /stats, it keeps updating, and it respects its own security policy."""
import os
import pathlib
import re
import threading

import pytest

from lib import browser
from lib.behaviour import Gate, drop
from lib.daemon import sanitized, upstream
from lib.promise import works
from lib.wire import background, eventually

pytestmark = [pytest.mark.limit(120),
              pytest.mark.skipif(bool(browser.Chromium.missing()),
                                 reason=f'no {" nor ".join(browser.Chromium.missing())} (Debian: apt install chromium chromium-driver)'),
              pytest.mark.skipif(sanitized(), reason='once is enough: with the plain build')]
SHOWN = 30      # how long the page may take to show the values of /stats, in seconds


@pytest.fixture(scope='module')
def chrome(tmp_path_factory):
    b = browser.Chromium(tmp_path_factory.mktemp('chromium'))
    yield b
    b.close()


@pytest.fixture
def page(chrome, daemon):
    """page(daemon) opens the dashboard of a daemon. At the end of the test the console must be empty. The page is left before its
    daemon ends: otherwise it would go on to ask for /stats, and each refusal would be an error in the console of the next test."""
    def show(d):
        chrome.open('about:blank')
        chrome.console()
        chrome.open(d.url + '/')
        eventually(lambda: 'process' in chrome.text('#daemon'), SHOWN)
        return chrome
    yield show
    said = chrome.console()
    chrome.open('about:blank')
    assert not said


def field(name, of='ex'):
    return f'[data-upstream="{of}"] [data-field="{name}"]'


def unfold(p, of='ex'):
    p.click(f'[data-upstream="{of}"] .fold')


def asked(p):
    """The question that the page asks, once it is there."""
    eventually(lambda: p.run('return document.getElementById("ask").open'), SHOWN)
    return p.text('#ask-title')


def answer(p, button):
    p.click('#' + button)
    eventually(lambda: not p.run('return document.getElementById("ask").open'), SHOWN)


def traffic(d, stop):
    with d.client(20) as c:
        n = 0
        while not stop.is_set():
            c.request('POST' if n % 5 == 0 else 'GET', f'/ex/{n}', body=b'x' * (n % 5 == 0))
            n += 1
    return n


@pytest.mark.slow
def test_numbers_agree_while_traffic_runs(page, daemon, origin):
    """While requests run, the total on the page increases and is never higher than in /stats. At rest, all numbers agree."""
    d = daemon(upstream('ex', origin, order_wait='20s', total_timeout='20s'))
    p, stop = page(d), threading.Event()
    flow = background(lambda: traffic(d, stop))
    seen = set()

    def moved():
        seen.add(p.number(field('total')))
        assert seen and max(seen) <= d.upstream()['requests']['total']
        return len(seen) >= 3
    eventually(moved, SHOWN)
    stop.set()
    sent = flow.result(20)
    u = d.upstream()
    assert u['requests']['total'] == sent
    # /stats is generated over several iterations of the event loop, so the totals and the upstreams of one document may differ.
    eventually(lambda: p.number(field('total')) == sent and p.text('#tiles [data-field="requests.total"]') == f'{sent:,} of {sent:,} in total', SHOWN)
    assert p.number(field('connections.idle')) == u['connections']['idle'] and p.number(field('connections.active')) == 0
    assert p.number(field('saved')) == sent - u['connections']['handshakes']
    assert abs(p.number(field('reuse')) - 100 * u['connections']['reused'] / sent) < 0.02
    assert p.text(field('success')) == '100 %' and p.text(field('state')) == 'up' and p.text(field('errors')) == 'none'
    eventually(lambda: p.run('return document.querySelector(".p99").getAttribute("d")'), SHOWN)
    assert 'p99' in p.run('return document.querySelector(".p99").parentNode.getAttribute("aria-label")')


def test_the_picture_of_the_pool(page, daemon, origin):
    """The picture of the pool shows busy connections and waiting requests against the limit."""
    d, gate = daemon(upstream('ex', origin, max_connections=3)), Gate()
    origin.on('/hold', gate)
    p = page(d)
    held = [background(lambda: d.get('/ex/hold', timeout=30)) for _ in range(5)]

    def cells():
        return p.run('return [...document.querySelectorAll(".pool .cell")].map(e => e.className.split(" ")[1])')
    eventually(lambda: cells() == ['active'] * 3 + ['waiting'] * 2, SHOWN)
    assert p.run('return document.querySelector(".pool").getAttribute("aria-label")') == \
        '3 connections of 3 at most: 0 idle, 3 active, 0 connecting; 2 requests waiting'
    gate.release()
    assert all(h.result(20).status == 200 for h in held)
    eventually(lambda: cells() == ['idle'] * 3, SHOWN)


def test_pause_and_resume(page, daemon, origin):
    """The button works by mouse and by keyboard; the displayed state follows, and requests wait and continue accordingly."""
    d = daemon(upstream('ex', origin))
    p = page(d)
    unfold(p)
    assert p.text(field('pause')) == 'Pause'
    p.click(field('pause'))
    assert asked(p) == 'Pause ex?'
    answer(p, 'yes')
    eventually(lambda: d.upstream()['state'] == 'paused', SHOWN)
    eventually(lambda: re.search(r'upstream ex: paused by the dashboard \(127\.0\.0\.1:\d+\)', d.stderr))
    eventually(lambda: p.text(field('state')) == 'paused' and p.text(field('resume')) == 'Resume', SHOWN)
    assert p.run('return document.querySelector(arguments[0]).hidden', field('pause'))
    waiting = background(lambda: d.get('/ex/x', timeout=30))
    eventually(lambda: p.number(field('connections.waiting')) == 1, SHOWN)
    p.run('document.querySelector(arguments[0]).focus()', field('resume'))
    p.press('\ue007')        # Enter; what was stopped is resumed without a question
    eventually(lambda: d.upstream()['state'] == 'up', SHOWN)
    assert waiting.result(20).status == 200
    eventually(lambda: p.text(field('state')) == 'up', SHOWN)


def test_errors_with_their_words(page, daemon, origin):
    """The table shows errors that trunkline generated with their `sent`; text from a client is never interpreted as HTML."""
    d = daemon(upstream('ex', origin))
    origin.on('/lost', drop())
    d.request('POST', '/ex/lost', body=b'x')
    d.get('/ex/x', [('Host', '<img src=x onerror=alert(1)>')])
    d.get('/https://10.1.2.3/')
    p = page(d)
    eventually(lambda: 'connection terminated' in p.text('#errors'), SHOWN)
    found = p.run('return [...document.querySelectorAll("#errors li")].map(e => [...e.children].map(c => c.textContent))')
    assert ['connection terminated · 502 · sent: yes'] == [e[1] for e in found if e[0].startswith('ex') and 'terminated' in e[1]]
    assert ['destination ip prohibited · 403 · sent: no'] == [e[1] for e in found if e[0].startswith('10.1.2.3')]
    assert p.run('return [...document.querySelectorAll("#errors .alarm")].map(e => e.textContent).filter(t => t)') == ['sent: yes']
    assert p.number(field('unknown')) == 1 and 'connection_terminated × 1' in p.text(field('errors'))
    assert p.run('return document.querySelectorAll("img, [data-field]:not([data-field=exits]):not([data-field=endpoints]) *, #errors li * *:not(b):not(span)").length') == 0


def test_it_says_when_the_daemon_is_gone(page, daemon, origin):
    """When the daemon stops, a banner appears and the last numbers stay. When it is back, the page resumes by itself."""
    d = daemon(upstream('ex', origin))
    works(d)
    p = page(d)
    eventually(lambda: p.number(field('total')) == 1, SHOWN)
    assert p.run('return document.getElementById("gone").hidden')
    d.stop()
    eventually(lambda: 'has not answered' in p.text('#gone'), SHOWN)
    assert not p.run('return document.getElementById("gone").hidden') and p.number(field('total')) == 1
    again = daemon(upstream('ex', origin), listen=[f'127.0.0.1:{d.port}'])
    works(again), works(again)
    eventually(lambda: p.run('return document.getElementById("gone").hidden') and p.number(field('total')) == 2, SHOWN)
    lost = [line for line in p.console() if 'ERR_CONNECTION_REFUSED' not in line]
    assert not lost     # the browser itself logs each refused connection


def test_it_is_still_and_readable(page, daemon, origin):
    """Updates do not recreate elements; labels and language are set, and the contrast is sufficient in both themes."""
    d = daemon(upstream('ex', origin), upstream('kr', origin, host='kraken.test'))
    works(d)
    p = page(d)
    p.run('(window.marked = [...document.querySelectorAll("section")]).forEach(e => e.mark = 1)')
    for _ in range(3):
        works(d, headers=[('Trunkline-Client', 'grid1')])
    eventually(lambda: p.number(field('total')) == 4, SHOWN)
    assert p.run('return marked.every(e => e.isConnected) && [...document.querySelectorAll("section")].every(e => e.mark)')
    assert p.run('return [...document.querySelectorAll("[role=img], [role=region], section, .act[data-verb], table")].filter(e => !e.closest(".card table")).every(e => e.getAttribute("aria-label") || e.getAttribute("aria-labelledby"))')
    assert p.run('return document.documentElement.lang') == 'en'
    assert p.run('return [...document.querySelectorAll("#bots td")].map(e => e.textContent)') == ['grid1', '3', '0', '0', '']
    shots = os.environ.get('DASHBOARD_SHOTS')
    for theme in ('light', 'dark'):
        p.theme(theme)
        for what, least in (('body', 7), ('.soft', 4.5), ('.state', 4.5), ('.tiles b', 7), ('.fold', 7), ('.act', 7)):
            assert contrast(p, what) >= least, f'{what} in the {theme} theme: {contrast(p, what):.1f}'
        if shots:
            p.screenshot(pathlib.Path(shots) / f'{theme}.png')


def contrast(p, selector):
    """The contrast ratio of an element's text to its background (WCAG 2.1, 1.4.3)."""
    colours = p.run('''
        let e = document.querySelector(arguments[0]), ink = getComputedStyle(e).color, behind;
        for (; e && /^rgba\\(0, 0, 0, 0\\)$|transparent/.test(behind = getComputedStyle(e).backgroundColor); e = e.parentElement);
        return [ink, behind]''', selector)

    def luminance(colour):
        parts = [int(n) / 255 for n in re.findall(r'\d+', colour)[:3]]
        r, g, b = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b
    low, high = sorted(map(luminance, colours))
    return (high + 0.05) / (low + 0.05)


def test_freeze_and_unfreeze(page, daemon, origin):
    """The button asks first: dismissed, nothing happens. The state, who froze it and the frozen bots are shown."""
    d = daemon(upstream('ex', origin))
    p, button = page(d), field('freeze')
    unfold(p)
    assert p.text(button) == 'Freeze'
    p.click(button)
    assert asked(p) == 'Freeze ex?'
    answer(p, 'no')
    assert d.upstream()['state'] == 'up'
    p.click(button)
    asked(p)
    answer(p, 'yes')
    eventually(lambda: d.upstream()['state'] == 'frozen', SHOWN)
    assert re.search(r'upstream ex: frozen by the dashboard \(127\.0\.0\.1:\d+\)', d.stderr), d.stderr
    eventually(lambda: p.text(field('state')) == 'frozen' and p.text(button) == 'Unfreeze', SHOWN)
    assert 'frozen by the dashboard (' in p.text('[data-upstream="ex"] .top')
    d.request('POST', '/upstreams/ex/freeze?bot=grid1')
    eventually(lambda: 'frozen bots: grid1' in p.text('[data-upstream="ex"] .top'), SHOWN)
    assert p.text('#notices') == 'Frozen bots: grid1.'
    p.click(button)
    assert asked(p) == 'Unfreeze ex?'
    answer(p, 'yes')
    eventually(lambda: d.upstream()['state'] == 'up', SHOWN)


def test_a_page_elsewhere_cannot_press_the_buttons(chrome, daemon, origin):
    """A script of another site can neither read /stats nor pause an upstream."""
    d, other = daemon(upstream('ex', origin)), daemon(upstream('ex', origin))
    chrome.open(other.url.replace('127.0.0.1', 'localhost') + '/healthz')
    for call in ('/stats', '/upstreams/ex/pause'):
        said = chrome.run('''return fetch(arguments[0], {method: arguments[1]}).then(r => 'read ' + r.status).catch(() => 'refused')''',
                          d.url + call, 'POST' if 'pause' in call else 'GET')
        assert said == 'refused'
    s = d.stats()
    assert s['upstreams'][0]['state'] == 'up' and s['requests']['failed'] == 2     # the requests arrived and were refused
    chrome.console()


def test_a_page_elsewhere_cannot_frame_it(chrome, daemon, origin):
    """A page of another site cannot have the dashboard in a frame, over or under its own buttons."""
    d, other = daemon(upstream('ex', origin)), daemon(upstream('ex', origin))
    chrome.open(other.url.replace('127.0.0.1', 'localhost') + '/healthz')
    chrome.run('''const f = document.createElement('iframe'); f.src = arguments[0]; document.body.append(f);
        return new Promise(done => f.addEventListener('load', () => done(0)))''', d.url + '/')
    s = d.get('/stats?recent').json()
    assert [(e['status'], e['error']) for e in s['recent_errors']] == [(403, 'http_request_denied')] and s['requests']['failed'] == 1
    assert "frame-ancestors 'none'" in d.get('/').get('content-security-policy')      # for what sends no Sec-Fetch-Site
    chrome.open('about:blank')
    chrome.console()
