# SPDX-License-Identifier: Apache-2.0
"""Much at once, and much that comes and goes: short runs of tests/bench/scale.py and churn.py,
which measure against bounds of their own."""

import pathlib
import subprocess
import sys

import pytest
from lib.agent import binary
from lib.util import ROOT_DIR, SLOW

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(SLOW > 1, reason="the bounds are those of the plain program"),
]


def bench(script, *args):
    build = pathlib.Path(binary()).parent
    command = [sys.executable, ROOT_DIR / "tests/bench" / script, "--build", build, *args]
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, timeout=150, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_scale():
    """10,000 connections and 1,000 routes: memory, CPU at rest, a scrape's time. And of no service
    a request is missing, though redtap gets no CPU while all are asked at once after a silence."""
    size = ["--connections", "10000", "--services", "100", "--slack", "5"]
    out = bench("scale.py", *size, "--quick", "--starve")
    lost = [line.split()[-1] for line in out.splitlines() if line.startswith("records lost")]
    assert int(lost[0]) > 1000, out


def test_churn():
    """Processes, connections and paths come and go for a while, and nothing grows."""
    bench("churn.py", "--seconds", "15", "--pace", "1000")
