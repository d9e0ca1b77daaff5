"""Every code block of the documents and manual pages is run as it is written, or marked with the reason why not (blocks.py)."""
import importlib.util
import pathlib
import re

import pytest
from blocks import SOURCE, blocks, commands, complaints

from lib import programs
from lib.daemon import binary

BLOCKS = blocks()
# What a block takes for granted: its first line → what stands before it.
BEFORE = {'session.get(': 'import requests\nsession = requests.Session()\n'}
BOT = 'import urllib.request\nprint(urllib.request.urlopen("http://api.binance.com/api/v3/time").read())\n'


def of_kind(kind):
    return [pytest.param(b, id=str(b)) for b in BLOCKS if b.kind == kind]


def test_no_block_is_forgotten():
    assert not list(complaints())


@pytest.mark.parametrize('block', of_kind('configuration'))
def test_configuration(world, block):
    """`trunkline check` accepts it."""
    out = world.run('trunkline', 'check', '-c', '/dev/stdin', input=block.text, REDIS_PASSWORD='x')
    assert out.stdout == '/dev/stdin: ok\n' and not out.stderr


def adapted(block):
    """The build folder is that of the binary under test, and an address alone is for a browser."""
    text = re.sub(r'\bbuild/(dev|plain)\b', str(pathlib.Path(binary()).parent), block.text).replace('$PWD/', '')
    return re.sub(r'^(http://\S+)', r'curl \1', text, flags=re.M)


@pytest.mark.parametrize('block', of_kind('commands'))
def test_commands(world, block):
    """Each ends with status 0; curl with a status below 400."""
    needs = {re.split(r'\s', line)[0] for line in commands(block.text)}
    if 'redis-cli' in needs and not world.redis():
        pytest.skip('no redis-server')
    here = world.folder / 'here'
    (here / 'bot.py').write_text('#!/usr/bin/python3\n' + BOT)
    (here / 'bot.py').chmod(0o755)
    for name in ('tests', 'scripts'):
        if not (here / name).exists():
            (here / name).symlink_to(SOURCE / name)
    world.commands(adapted(block))


@pytest.mark.parametrize('block', of_kind('python'))
def test_python(world, block):
    """Up to the first line whose library is not installed."""
    text = next(text for start, text in BEFORE.items() if block.first.startswith(start))
    for line in block.text.splitlines():
        library = re.search(r'\b(ccxt)\.', line)
        if library and not importlib.util.find_spec(library[1]):
            break
        text += f'{"import ccxt" if library else ""}\n{line}\n'
    world.run('/usr/bin/python3', '-c', text)


@pytest.mark.parametrize('block', of_kind('js'))
def test_js(world, block):
    programs.need('node')
    world.run('node', '--input-type=module', '-e', block.text)
