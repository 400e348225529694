# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the end-to-end tests. See README.md for how to write one."""

import os
import pathlib
import signal
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib.agent import Redtap, Trace, binary  # noqa: E402
from lib.netns import Netns  # noqa: E402
from lib.procs import Procs  # noqa: E402

BACKENDS = ["sock", "syscall"]


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: needs the machine for itself, as it looks at times "
                                       "or works at full speed")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """The kernel leaves out runs of programs on perf's events while a task that it preempted
    is inside bpf(2), whosever that is: no other agents beside those of the backend `event`."""
    here = pathlib.Path(__file__).resolve().parent
    for item in items:
        callspec = getattr(item, "callspec", None)
        if here in item.path.parents and callspec and any(
            x == "event" or (isinstance(x, (list, tuple)) and "event" in x)
            for x in callspec.params.values()
        ):
            item.add_marker(pytest.mark.alone)


def pytest_sessionstart(session):
    """What no test can do without: root, BTF, the program. Never a skip."""
    if os.environ.get("RT_E2E_HARNESS_ONLY"):
        return
    if os.geteuid() != 0:
        pytest.exit("the end-to-end tests load BPF programs: run them as root", 4)
    if not pathlib.Path("/sys/kernel/btf/vmlinux").exists():
        pytest.exit("this kernel has no BTF (/sys/kernel/btf/vmlinux)", 4)
    try:
        binary()
    except pytest.fail.Exception as e:
        pytest.exit(str(e), 4)


@pytest.fixture(params=BACKENDS)
def backend(request):
    """The capture backend: the test runs once with each."""
    return request.param


@pytest.fixture
def procs():
    """Processes of this test, ended with it."""
    p = Procs()
    yield p
    p.close()


@pytest.fixture
def netns_factory(procs):
    """Makes network namespaces, all deleted with the test."""
    made = []

    def make():
        made.append(Netns(procs))
        return made[-1]

    yield make
    procs.close()
    for n in reversed(made):
        n.close()


@pytest.fixture
def netns(netns_factory):
    """One network namespace with loopback up (class Netns)."""
    return netns_factory()


def _agents(cls, default_netns, default_backend, procs):
    made = []

    def start(*extra, netns=default_netns, backend=default_backend, wait=True, **kw):
        agent = procs.add(cls(netns, backend, *extra, **kw))
        made.append(agent)
        if wait:
            agent.wait_ready()
        return agent

    return made, start


def stop_all(agents):
    """Those that run must stop cleanly; none that ended may have done so by a crash."""
    running = [agent for agent in agents if agent.alive()]
    for agent in agents:
        if agent not in running:
            agent.assert_no_crash()
    for agent in running:
        agent.signal(signal.SIGTERM)
    for agent in running:
        agent.stop()


@pytest.fixture
def redtap(netns, backend, procs):
    """redtap(*flags, netns=, backend=, env=, wait=): `redtap run`, ready (class Redtap).

    Those still running at the end of the test are stopped, and must stop cleanly."""
    made, start = _agents(Redtap, netns, backend, procs)
    yield start
    stop_all(made)


@pytest.fixture
def trace(netns, backend, procs):
    """trace(*flags, netns=, backend=, env=): `redtap trace`, running and ready (class Trace)."""
    made, start = _agents(Trace, netns, backend, procs)
    yield start
    stop_all(made)
