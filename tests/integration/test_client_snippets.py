"""doc/clients.md: each snippet, unchanged but for the address of trunkline, gets the exchange's answer; and while the upstream drains, it
shows the verdict."""
import re
import subprocess

import pytest

from lib import certs, programs
from lib.daemon import free_port, upstream
from lib.wire import eventually

PAGE = programs.SOURCE / 'doc/clients.md'
# (language, first line of the snippet without comment signs): (what it requires, whether it shows the verdict)
SNIPPETS = {
    ('sh', 'curl http://127.0.0.1:8642/binance/api/v3/time'): (['curl'], True),
    ('python', 'requests'): (['requests'], True),
    ('python', 'httpx'): (['httpx'], True),
    ('python', 'urllib3'): (['urllib3'], True),
    ('python', 'aiohttp'): (['aiohttp'], True),
    ('python', 'pycurl'): (['pycurl'], True),
    ('python', 'tornado'): (['tornado'], True),
    ('python', 'treq'): (['treq'], True),
    ('python', 'websockets'): (['websockets'], False),
    ('js', 'fetch; the same with node-fetch and undici\'s fetch'): (['node'], True),
    ('js', 'http'): (['node'], True),
    ('js', 'undici, as a proxy'): (['npm:undici'], True),
    ('js', 'got'): (['npm:got'], True),
    ('js', 'ky'): (['npm:ky'], True),
    ('js', 'superagent'): (['npm:superagent'], True),
    ('js', 'axios'): (['npm:axios'], True),
    ('js', 'needle'): (['npm:needle'], True),
    ('js', 'phin'): (['npm:phin'], True),
    ('js', 'ws'): (['npm:ws'], False),
    ('js', "ccxt; in Python the same names: ccxt.binance({'proxyUrl': 'http://127.0.0.1:8642/', 'timeout': 20000})"): (['npm:ccxt'], True),
    ('php', "$c = curl_init('http://127.0.0.1:8642/binance/api/v3/time');"): (['php'], True),
    ('ruby', "require 'net/http'"): (['ruby'], True),
    ('perl', 'use LWP::UserAgent;'): (['perl:LWP::UserAgent'], True),
    ('perl', 'use Mojo::UserAgent;'): (['perl:Mojo::UserAgent'], True),
    ('ruby', "require 'faraday'"): (['ruby', 'ruby:faraday'], True),
    ('php', "require 'GuzzleHttp/autoload.php';      // Debian's; with Composer vendor/autoload.php"): (['php', 'php:GuzzleHttp/autoload.php'], True),
}
PROBES = {'perl': lambda name: ['perl', f'-M{name}', '-e', '1'], 'ruby': lambda name: ['ruby', '-e', f'require "{name}"'],
          'php': lambda name: ['php', '-r', f'require "{name}";']}


def snippets():
    """All snippets of the page that are not marked (tests/docs/blocks.py), by language and first line."""
    found = {}
    for mark, language, text in re.findall(r'^(<!-- not run: [^\n]+ -->\n\n?)?^```(\w+)\n(.*?)^```$', PAGE.read_text(), re.M | re.S):
        if mark:
            continue
        first = next(line for line in text.splitlines() if line != '<?php')
        found[language, re.sub('^(#|//) ', '', first)] = text
    return found


@pytest.fixture(scope='module')
def exchange(tmp_path_factory):
    """The port of the simulated binance."""
    folder = tmp_path_factory.mktemp('exchanges')
    process = subprocess.Popen([programs.SOURCE / 'scripts/demo-exchange', certs.FOLDER / 'binance.crt', certs.FOLDER / 'binance.key', folder])
    eventually(lambda: (folder / 'ports').exists() or process.poll() is not None)
    assert process.poll() is None, 'the demo exchanges did not come up'
    yield dict(line.split() for line in (folder / 'ports').read_text().splitlines())
    process.terminate()
    process.wait(10)


def need(name):
    language, _, library = name.partition(':')
    if not library or language not in PROBES:
        programs.need(name)
    elif subprocess.run(PROBES[language](library), capture_output=True).returncode != 0:
        pytest.skip(f'{library} of {language} is not installed')


def run(language, text, folder):
    if language == 'python':
        return programs.python(text)
    if language == 'js' and 'import ' not in text:
        return programs.node(text)
    if language == 'js':
        (folder / 'node_modules').symlink_to(programs.node_folder() / 'node_modules')
        (folder / 'snippet.mjs').write_text(text)
        return programs.run(['node', folder / 'snippet.mjs'])
    if language == 'sh':
        return programs.shell(text)
    return programs.run([language] if language == 'php' else [language, '-'], stdin=text)


def test_every_snippet_is_run():
    assert set(snippets()) == set(SNIPPETS)


@pytest.mark.parametrize('language, first, state', [(*key, state) for key, (_, verdict) in SNIPPETS.items()
                                                    for state in (['up', 'draining'] if verdict else ['up'])])
def test_snippet(daemon, exchange, tmp_path, language, first, state):
    """While the upstream is up, each request succeeds by the pool; while it drains, the snippet shows that the request was not sent."""
    needs, verdict = SNIPPETS[language, first]
    for name in needs:
        need(name)
    binance = f'127.0.0.1:{exchange["binance"]}'
    d = daemon(upstream('binance', binance, host='api.binance.com'), upstream('binance-stream', binance, host='stream.binance.com:9443'),
               upstream('kraken', f'127.0.0.1:{exchange["kraken"]}', host='api.kraken.com', tls_name='api.binance.com'), listen=[f'127.0.0.1:{free_port()}', f'unix:{tmp_path}/s'])
    port = d.where[1]
    text = snippets()[language, first].replace('127.0.0.1:8642', f'127.0.0.1:{port}').replace("'127.0.0.1', 8642", f"'127.0.0.1', {port}")
    if state == 'draining':
        assert d.verb('drain', 'binance').status == 204
    out = '\n'.join(run(language, text.replace('/run/trunkline.sock', f'{tmp_path}/s'), tmp_path))
    if not verdict:
        assert re.search(r'"b": ?"?\d', out), out
        assert d.upstream('binance-stream')['requests']['succeeded'] == 1
    elif state == 'up':
        assert re.search(r'\b200\b|serverTime|^\d{13}$', out) and '503' not in out, out
        u = d.upstream('binance')
        assert u['requests']['failed'] == 0 and u['requests']['succeeded'] >= 1
        assert u['tunnels']['bypassing'] == 0 and u['connections']['opened'] == 1
    else:
        assert re.search(r'503.*\bno\b|^Trunkline-Sent: no$', out, re.M | re.S), out
