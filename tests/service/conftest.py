"""The installed service, inside the sandbox: units enabled by the tests, an exchange to talk to, a load to bear."""
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
    """Both units stopped and as installed; what a test adds is taken away again."""
    s = Service(origin)
    yield s
    s.reset()
