"""A soak of half a minute: tests/soak/run has all of it, for as long as one likes."""
import os
import pathlib
import subprocess

import pytest

from lib.daemon import PATIENCE, binary

RUN = pathlib.Path(__file__).resolve().parents[1] / 'soak/run'


@pytest.mark.slow
@pytest.mark.limit(420)
def test_half_a_minute():
    """Every fault happens once, and no rule is broken."""
    done = subprocess.run([RUN, '--seconds', '25'], capture_output=True, text=True, timeout=400 * PATIENCE,
                          env={**os.environ, 'TRUNKLINE_BIN': os.path.abspath(binary())})
    if done.returncode == 77:
        pytest.skip(done.stdout.strip())
    verdict = done.stdout.splitlines()[-1] if done.stdout else ''
    assert done.returncode == 0 and verdict.startswith('soak: ok') and ' 0 rules broken' in verdict, done.stdout + done.stderr
