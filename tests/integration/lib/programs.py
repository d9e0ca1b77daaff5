"""Runs small programs that use real client libraries as users do: Python with Debian's, JavaScript on Node with npm's."""
import functools
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from .daemon import PATIENCE, binary

SOURCE = pathlib.Path(__file__).resolve().parents[3]
PROXIES = [n for p in ('http', 'https', 'all', 'no') for n in (f'{p}_proxy', f'{p}_proxy'.upper())]


@functools.cache
def node_folder():
    """The folder below the build folder where the npm libraries are installed; None if they are not available."""
    folder = pathlib.Path(os.environ.get('TRUNKLINE_CLIENTS') or pathlib.Path(binary()).parent / 'clients')
    done = subprocess.run([SOURCE / 'scripts/npm-clients', folder], capture_output=True, text=True)
    return folder if shutil.which('node') and done.returncode == 0 else None


def need(*libraries):
    """Skips the test unless all of these are installed: "npm:ws" is the npm library ws, other names a Python module or a command."""
    for name in libraries:
        if name.startswith('npm:'):
            found = node_folder() and (node_folder() / 'node_modules' / name[4:]).exists()
        else:
            found = importlib.util.find_spec(name) or shutil.which(name)
        if not found:
            pytest.skip(f'{name} is not installed')


def run(command, timeout=30, stdin='', **env):
    """Runs a command and returns the lines of its stdout. A non-zero exit code fails the test and shows stderr."""
    clean = {n: v for n, v in os.environ.items() if n not in PROXIES}
    if node_folder():
        clean['NODE_PATH'] = str(node_folder() / 'node_modules')
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=timeout * PATIENCE, input=stdin,
                          env={**clean, 'PYTHONDONTWRITEBYTECODE': '1', 'NODE_NO_WARNINGS': '1', **env})
    assert done.returncode == 0, f'{command[0]} ended with {done.returncode}: {done.stdout[-800:]}\n{done.stderr[-2000:]}'
    return done.stdout.splitlines()


def python(program, **env):
    return run([sys.executable, '-'], stdin=program, **env)


def node(program, **env):
    """Runs a CommonJS program on Node; it may use `await` at the top level."""
    return run(['node', '-'], stdin=f'(async () => {{\n{program}\n}})().catch(e => {{ console.error(e); process.exit(1) }})', **env)


def shell(program, **env):
    return run(['sh', '-eu'], stdin=program, **env)
