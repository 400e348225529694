# SPDX-License-Identifier: Apache-2.0
"""Much at once, and much that comes and goes: short runs of tests/bench/scale.py and churn.py,
which measure against bounds of their own."""

import pathlib
import subprocess
import sys

import pytest
from lib.agent import binary
from lib.util import ROOT_DIR, SLOW

pytestmark = pytest.mark.skipif(SLOW > 1, reason="the bounds are those of the plain program")


def bench(script, *args):
    build = pathlib.Path(binary()).parent
    command = [sys.executable, ROOT_DIR / "tests/bench" / script, "--build", build, *args]
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, timeout=150, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


SCALE = ["--connections", "10000", "--services", "100", "--quick", "--slack", "5"]


def test_scale():
    """10,000 connections and 1,000 routes: memory, CPU at rest, a scrape's time, every request."""
    bench("scale.py", *SCALE)


def test_scale_while_starved():
    """The same with a small ring and no CPU for redtap while all services are asked at once after
    a silence: of none a request is missing."""
    out = bench("scale.py", *SCALE, "--starve", "--", "--ring-size", "65536")
    lost = [line.split()[-1] for line in out.splitlines() if line.startswith("records lost")]
    assert int(lost[0]) > 1000, out


def test_churn():
    """Processes, connections and paths come and go for a while, and nothing grows."""
    bench("churn.py", "--seconds", "20")
