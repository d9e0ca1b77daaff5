"""Headless browsers, driven with the standard library only: Chromium through chromedriver (W3C WebDriver), Firefox through its own
Marionette protocol (a length in bytes, a colon, then JSON of that length; the WebDriver commands under different names)."""
import base64
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess

from .daemon import free_port
from .wire import eventually, refuses

ARGUMENTS = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
             '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--window-size=1280,1000', '--no-proxy-server']
DIES_TOO = ['setpriv', '--pdeathsig', 'TERM']      # ends the browser when the test process ends without closing it
ELEMENT = 'element-6066-11e4-a52e-4f735466cecf'


class Program:
    """A browser process. It leads its own session, so that its child processes can be ended with it."""
    PROGRAMS = ()

    @classmethod
    def missing(cls):
        """The programs it needs that are not installed."""
        return [p for p in cls.PROGRAMS if not shutil.which(p)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def end(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(20)


class Firefox(Program):
    """A Firefox with one window."""
    PROGRAMS = ('firefox-esr',)

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.port, self.number = free_port(), 0
        (folder / 'user.js').write_text(''.join(f'user_pref("{name}", {json.dumps(value)});\n' for name, value in {
            'marionette.port': self.port, 'network.proxy.type': 0, 'app.update.auto': False, 'datareporting.policy.dataSubmissionEnabled': False,
            'toolkit.telemetry.enabled': False, 'network.captive-portal-service.enabled': False, 'network.connectivity-service.enabled': False,
            'browser.safebrowsing.malware.enabled': False, 'browser.safebrowsing.phishing.enabled': False,
            'browser.shell.checkDefaultBrowser': False, 'network.lna.enabled': False, 'network.lna.blocking': False, 'browser.aboutwelcome.enabled': False}.items()))
        self.process = subprocess.Popen([*DIES_TOO, 'firefox-esr', '--headless', '--marionette', '--no-remote', '--profile', str(folder)], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, start_new_session=True, env={**os.environ, 'HOME': str(folder)})
        try:
            self.sock = eventually(self._connect, 60)
            self.sock.settimeout(60)
            self.stream = self.sock.makefile('rb')
            self._read()
            self('WebDriver:NewSession', {'pageLoadStrategy': 'eager', 'capabilities': {'alwaysMatch': {'acceptInsecureCerts': False}}})
        except BaseException:
            self.close()
            raise

    def _connect(self):
        try:
            return socket.create_connection(('127.0.0.1', self.port), 1)
        except OSError:
            return None

    def _read(self):
        size = b''
        while (byte := self.stream.read(1)) != b':':
            assert byte, 'firefox is gone'
            size += byte
        return json.loads(self.stream.read(int(size)))

    def __call__(self, command, parameters=None):
        self.number += 1
        message = json.dumps([0, self.number, command, parameters or {}]).encode()
        self.sock.sendall(b'%d:%b' % (len(message), message))
        _, number, error, result = self._read()
        assert number == self.number and not error, (command, error)
        return result

    def open(self, url):
        """Opens a URL. If it cannot be reached, Firefox shows an error page of its own, which is not an error here."""
        try:
            self('WebDriver:Navigate', {'url': url})
        except AssertionError as e:
            if 'Reached error page' not in str(e):
                raise

    def url(self):
        return self('WebDriver:GetCurrentURL')['value']

    def run(self, script, *args):
        return self('WebDriver:ExecuteScript', {'script': script, 'args': list(args)})['value']

    def close(self):
        if hasattr(self, 'sock'):
            self.sock.close()
        self.end()


class Chromium(Program):
    """A Chromium with one window."""
    PROGRAMS = ('chromium', 'chromedriver')

    def __init__(self, folder):
        self.port = free_port()
        self.process = subprocess.Popen([*DIES_TOO, 'chromedriver', f'--port={self.port}'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
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

    def url(self):
        return self('GET', '/url')

    def run(self, script, *args):
        """Runs a script in the page and returns its result."""
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

    def size(self, width, height):
        """Gives the page the size of a phone's or a desktop's window."""
        self('POST', '/goog/cdp/execute', {'cmd': 'Emulation.setDeviceMetricsOverride', 'params': {
            'width': width, 'height': height, 'deviceScaleFactor': 1, 'mobile': width < 600}})

    def own_size(self):
        self('POST', '/goog/cdp/execute', {'cmd': 'Emulation.clearDeviceMetricsOverride', 'params': {}})

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self('GET', '/screenshot')))

    def console(self):
        """The console messages since the last call."""
        return [f'{e["level"]}: {e["message"]}' for e in self('POST', '/se/log', {'type': 'browser'})]

    def close(self):
        try:
            if self.session:
                self('DELETE', '')
        finally:
            self.end()
