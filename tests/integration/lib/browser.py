"""A headless Chromium, driven through chromedriver (W3C WebDriver) with nothing but the standard library."""
import base64
import http.client
import json
import os
import shutil
import signal
import subprocess

from .daemon import free_port
from .wire import eventually, refuses

MISSING = [p for p in ('chromium', 'chromedriver') if not shutil.which(p)]
ARGUMENTS = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
             '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--window-size=1280,1000', '--no-proxy-server']
ELEMENT = 'element-6066-11e4-a52e-4f735466cecf'


class Browser:
    """One window; every page load begins with an empty console."""

    def __init__(self, folder):
        self.port = free_port()
        self.process = subprocess.Popen(['chromedriver', f'--port={self.port}'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        start_new_session=True)
        try:
            eventually(lambda: not refuses(self.port), 30)
            options = {'args': [*ARGUMENTS, f'--user-data-dir={folder}'], 'binary': shutil.which('chromium')}
            self.session = ''
            self.session = self('POST', '/session', {'capabilities': {'alwaysMatch': {
                'goog:chromeOptions': options, 'goog:loggingPrefs': {'browser': 'ALL'}}}})['sessionId']
        except BaseException:
            self.close()
            raise

    def __call__(self, method, path, body=None):
        c = http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)
        c.request(method, path if path == '/session' else f'/session/{self.session}{path}', json.dumps(body) if body is not None else None)
        answer = json.loads(c.getresponse().read())['value']
        c.close()
        assert not (isinstance(answer, dict) and 'error' in answer), answer
        return answer

    def open(self, url):
        self('POST', '/url', {'url': url})

    def run(self, script, *args):
        """What the script returns."""
        return self('POST', '/execute/sync', {'script': script, 'args': list(args)})

    def find(self, selector):
        return self('POST', '/element', {'using': 'css selector', 'value': selector})[ELEMENT]

    def click(self, selector):
        self('POST', f'/element/{self.find(selector)}/click', {})

    def press(self, keys):
        self('POST', '/actions', {'actions': [{'type': 'key', 'id': 'k', 'actions': [
            {'type': kind, 'value': k} for k in keys for kind in ('keyDown', 'keyUp')]}]})

    def text(self, selector):
        return self.run('return document.querySelector(arguments[0]).textContent', selector)

    def number(self, selector):
        return float(self.text(selector).replace(',', '').removesuffix(' %'))

    def theme(self, scheme):
        self('POST', '/goog/cdp/execute', {'cmd': 'Emulation.setEmulatedMedia', 'params': {'features': [{'name': 'prefers-color-scheme', 'value': scheme}]}})

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self('GET', '/screenshot')))

    def console(self):
        """What the console says since it was last asked."""
        return [f'{e["level"]}: {e["message"]}' for e in self('POST', '/se/log', {'type': 'browser'})]

    def close(self):
        try:
            if self.session:
                self('DELETE', '')
        finally:
            os.killpg(self.process.pid, signal.SIGTERM)     # its own session: chromedriver and what it started
            self.process.wait(20)
