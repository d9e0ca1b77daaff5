"""Fixtures that start origins and daemons and always stop them, and a time limit for every test."""
import faulthandler
import os
import resource
import signal

import pytest

from lib import ports
from lib.daemon import PATIENCE, Daemon, sanitized, upstream
from lib.demo import Demo
from lib.origin import Origin

LIMIT = int(os.environ.get('INTEGRATION_TIMEOUT', '120')) * PATIENCE


def pytest_configure(config):
    config.addinivalue_line('markers', 'limit(seconds): a time limit other than the usual')
    config.addinivalue_line('markers', 'slow: left out when TRUNKLINE_QUICK is set')
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536) if hard > 0 else 65536, hard))


# Modules that test other programs than the daemon: running them with the sanitizers is slow and finds nothing.
ONCE = {'test_arbscan', 'test_bench', 'test_client_snippets', 'test_dashboard', 'test_dashboard_layers', 'test_demo', 'test_examples',
        'test_order_examples', 'test_poolbench', 'test_real_clients', 'test_watch'}


def pytest_collection_modifyitems(items):
    for item in items:
        if sanitized() and item.module.__name__.rpartition('.')[2] in ONCE:
            item.add_marker(pytest.mark.skip(reason='once is enough: with the plain build'))
        if 'slow' in item.keywords and os.environ.get('TRUNKLINE_QUICK'):
            item.add_marker(pytest.mark.skip(reason='TRUNKLINE_QUICK is set'))


class TooLong(BaseException):
    pass


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """Raises TooLong in the test at its limit (SIGALRM); 30 s later, faulthandler dumps all stacks and exits the process."""
    marker = item.get_closest_marker('limit')
    limit = marker.args[0] * PATIENCE if marker else LIMIT

    def late(*_):
        raise TooLong(f'the test took longer than {limit}s')
    previous = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, limit)
    faulthandler.dump_traceback_later(limit + 30, exit=True)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        ports.release()
        signal.signal(signal.SIGALRM, previous)


@pytest.fixture
def origins():
    """origins(**how) starts an Origin. Stops all of them at the end and fails if any was sent malformed HTTP."""
    started = []

    def start(**how):
        o = Origin(**how).__enter__()
        started.append(o)
        return o
    yield start
    for o in started:
        o.__exit__()
    faults = [f for o in started for f in o.faults]
    assert not faults, f'the origin was sent malformed HTTP: {faults}'


@pytest.fixture
def origin(origins):
    return origins()


@pytest.fixture
def daemon(tmp_path):
    """daemon(upstream(…), …, directive=value) starts a daemon. Reaps all of them at the end and fails if any was killed by a signal."""
    started = []

    def start(*blocks, **how):
        d = Daemon.__new__(Daemon)
        started.append(d)
        d.__init__(*blocks, folder=tmp_path / str(len(started)), **how)
        return d
    yield start
    failures = []
    for d in started:
        if hasattr(d, 'process'):
            try:
                d.reap()
            except AssertionError as e:
                failures.append(str(e))
    assert not failures, failures


@pytest.fixture
def demo(tmp_path, daemon):
    """demo(directive=value) starts the demo exchanges and a daemon with an upstream for each."""
    started = []

    def start(**settings):
        started.append(Demo(tmp_path, daemon, **settings))
        return started[-1]
    yield start
    for d in started:
        d.stop()


@pytest.fixture
def ex(daemon, origin):
    """A daemon with one upstream `ex` (https://exchange.test) at `origin` and defaults for everything else."""
    return daemon(upstream('ex', origin))
