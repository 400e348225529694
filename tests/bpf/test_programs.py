# SPDX-License-Identifier: Apache-2.0
"""The programs as the kernel sees them: names, the verifier's work, and that
nothing stays when the agent ends."""

import csv
import os
import pathlib
import signal

import pytest

from lib.procs import run
from lib.util import need, wait_until

NAME_MAX = 15  # the kernel keeps 15 characters
GROWTH = 1.10  # over the recorded number, on the kernel it was recorded on
BUDGETS = pathlib.Path(__file__).with_name("verifier.csv")
# Every kind of scope at once, so that no branch is dropped before the verifier sees it.
WIDEST = ["--pid", os.getpid(), "--exe", "*", "--port", "1-65535", "--samples-log"]


def test_names(inspect, bpf_object):
    rows = inspect("names", bpf_object)
    progs = [r[1] for r in rows if r[0] == "prog"]
    maps = [r[1] for r in rows if r[0] == "map" and not r[1].startswith(".")]
    assert len(progs) >= 8 and len(maps) >= 10, rows
    for name in progs + [m for m in maps if "." not in m]:
        assert len(name) <= NAME_MAX and name.startswith("rt_"), name
    assert len(set(progs)) == len(progs) and len(set(maps)) == len(maps)


def test_programs_are_switched_on_by_need(inspect, bpf_object):
    """No program loads by itself: the loader turns on what its backend lists."""
    for kind, name, *autoload in inspect("names", bpf_object):
        if kind == "prog":
            assert autoload == ["0"], f"{name}: its SEC() has no '?'"


@pytest.fixture
def cgroup(tmp_path):
    """A cgroup v2 directory: the one that is mounted, or a mount of the test's own."""
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        if line.split()[2] == "cgroup2":
            yield line.split()[1]
            return
    run([need("mount"), "-t", "cgroup2", "none", tmp_path])
    yield tmp_path
    run([need("umount"), tmp_path])


def budgets():
    """{kernel: {program: verified instructions}}; the kernel as "6.18"."""
    found = {}
    with BUDGETS.open() as f:
        for row in csv.DictReader(line for line in f if not line.startswith("#")):
            found.setdefault(row["kernel"], {})[row["program"]] = int(row["budget"])
    return found


def test_verifier_budget(inspect, agent, backend, cgroup, capsys):
    kernel = ".".join(os.uname().release.split(".")[:2])
    a = agent(backend, *WIDEST, "--cgroup", cgroup)
    measured = {name: int(n) for name, n in inspect("progs", *sorted(a.bpf_objects()["prog"]))}
    a.stop()
    with capsys.disabled():
        print(f"\n{backend} on Linux {kernel}: instructions verified")
        for name, n in sorted(measured.items()):
            print(f"{kernel},{name},{n}")
    assert len(measured) >= 6 and all(measured.values()), measured
    known = budgets()
    recorded = known.get(kernel)
    for name, n in sorted(measured.items()):
        if recorded is None:
            # Verifiers differ; far off is still wrong.
            limit = 2 * max(k[name] for k in known.values() if name in k)
        else:
            assert name in recorded, f"{name} is not in {BUDGETS.name}: add {kernel},{name},{n}"
            limit = GROWTH * recorded[name]
        assert n <= limit, f"{name}: {n} instructions verified, the limit is {limit:.0f}"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_stays(inspect, agent, netns, backend, how):
    a = agent(backend)
    held = a.bpf_objects()
    assert all(held.values()), held

    def left():
        return {k: inspect("alive", k, *sorted(ids)) for k, ids in held.items()}

    assert {k: len(v) for k, v in left().items()} == {k: len(v) for k, v in held.items()}
    pinned = set(os.listdir("/sys/fs/bpf"))
    a.signal(how)
    assert a.wait(10) == (0 if how == signal.SIGTERM else -signal.SIGKILL)
    # The kernel frees them after a grace period.
    wait_until(lambda: not any(left().values()), 5, lambda: f"left: {left()}")
    assert set(os.listdir("/sys/fs/bpf")) <= pinned
