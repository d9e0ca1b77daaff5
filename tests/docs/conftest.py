"""Finds tests/integration/lib, and gives the tests the world in which documents are true."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'integration'))

from lib.daemon import sanitized        # noqa: E402
from world import World                 # noqa: E402


def pytest_configure(config):
    config.addinivalue_line('markers', 'limit(seconds): a time limit other than the usual')


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent == pathlib.Path(__file__).parent and (sanitized() or os.environ.get('TRUNKLINE_QUICK')):
            item.add_marker(pytest.mark.skip(reason='once is enough: with the plain build' if sanitized() else 'TRUNKLINE_QUICK is set'))


@pytest.fixture(scope='module')
def the_world(tmp_path_factory):
    if os.geteuid():
        pytest.skip('only root can make namespaces')
    world = World(tmp_path_factory.mktemp('world'))
    yield world
    world.stop()


@pytest.fixture
def world(the_world):
    yield the_world
    the_world.calm()
