"""The installed service inside the sandbox: the systemd units, an origin for it, and its state between tests."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'integration'))
os.environ.setdefault('TRUNKLINE_BIN', '/usr/bin/trunkline')

from lib.origin import Origin       # noqa: E402
from service import Service         # noqa: E402


@pytest.fixture
def origin():
    with Origin() as o:
        yield o
    assert not o.faults, f'the origin was sent malformed HTTP: {o.faults}'


@pytest.fixture
def service(origin):
    """The service as installed, with both units stopped; changes made by a test are undone."""
    s = Service(origin)
    yield s
    s.reset()
