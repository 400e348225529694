# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of the BPF side. The harness is that of tests/e2e."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from lib.agent import Redtap, binary  # noqa: E402
from lib.netns import Netns  # noqa: E402
from lib.procs import Procs, run  # noqa: E402
from lib.util import need  # noqa: E402

BACKENDS = ["sock", "event", "syscall"]


def pytest_sessionstart(session):
    """What no test here can do without. Never a skip."""
    if os.geteuid() != 0:
        pytest.exit("these tests load BPF programs: run them as root", 4)


@pytest.fixture(params=BACKENDS)
def backend(request):
    """The capture backend: the test runs once with each."""
    return request.param


@pytest.fixture
def netns():
    """A network namespace that nothing else uses: the scope of every agent here."""
    procs = Procs()
    space = Netns(procs)
    yield space
    procs.close()
    space.close()


@pytest.fixture
def agent(netns):
    """agent(backend, *flags): `redtap run` in the scope of `netns`, capturing."""
    procs = Procs()
    made = []

    def start(backend, *flags):
        a = procs.add(Redtap(netns, backend, *flags))
        made.append(a)
        a.wait_ready()
        return a

    yield start
    for a in made:
        if not a.alive():
            a.assert_no_crash()
    procs.close()


@pytest.fixture(scope="session")
def bpf_flags():
    """How clang compiles for BPF here, but for the project's own folders of headers."""
    arch = {"x86_64": "x86", "aarch64": "arm64"}[run(["uname", "-m"]).stdout.strip()]
    triplet = run([need("gcc"), "-print-multiarch"]).stdout.strip()
    return [
        *("-target", "bpf", "-mcpu=v3", "-g", "-O2", "-D__bpf__", f"-D__TARGET_ARCH_{arch}"),
        *(f"-I{ROOT}/vmlinux", f"-I{ROOT}/vmlinux/{arch}", f"-I{ROOT}/include"),
        *("-idirafter", f"/usr/include/{triplet}"),
    ]


@pytest.fixture(scope="session")
def bpf_object():
    """The linked object beside the program under test."""
    path = pathlib.Path(binary()).parent / "redtap.bpf.o"
    if not path.exists():
        path = ROOT / "build" / "redtap.bpf.o"
    if not path.exists():
        pytest.fail(f"{path} is missing: run make first", pytrace=False)
    return path


@pytest.fixture(scope="session")
def inspect(tmp_path_factory):
    """inspect(*args): runs inspect.c, returns its lines split into words."""
    program = tmp_path_factory.mktemp("bpf") / "inspect"
    flags = run([need("pkg-config"), "--cflags", "--libs", "libbpf"]).stdout.split()
    source = pathlib.Path(__file__).with_name("inspect.c")
    run([need("gcc"), "-std=gnu11", "-Wall", "-Werror", "-o", program, source, *flags])

    def call(*args):
        out = subprocess.run([program, *map(str, args)], check=True, capture_output=True, text=True)
        return [line.split() for line in out.stdout.splitlines()]

    return call
