# SPDX-License-Identifier: Apache-2.0
"""Scope flags: one kind widens, different kinds narrow each other, nothing else is seen."""

import contextlib
import os
import pathlib
import shutil
import time
import uuid

import pytest

from lib import load
from lib.util import need, wait_until


class Town:
    """Three servers in one namespace: python on 8000 and 8001, nginx on 8080.

    visit() asks each for its own status, so that the counts tell who was seen:
    8000 → 201, 8001 → 202, nginx → 203."""

    def __init__(self, netns, tmp_path):
        self.netns = netns
        self.logs = [tmp_path / "log0", tmp_path / "log1"]
        self.first = netns.server("httpd.py", 8000, "--log", self.logs[0])
        self.second = netns.server("httpd.py", 8001, "--log", self.logs[1])
        self.nginx = load.Nginx(
            netns, tmp_path, workers=1, extra='location /own { return 203 "nginx"; }'
        )
        self.visits = 0

    def show(self, program, flag):
        """An executable that nobody has seen is out of scope of --exe until the agent has looked
        at it: this lets it look. `program` waits for who writes the file of its `flag`."""
        os.mkfifo(fifo := self.logs[0].with_name("fifo"))
        waits = self.netns.popen([program, flag, fifo])
        time.sleep(0.5)
        waits.kill()

    def visit(self, n=3):
        for _ in range(n):
            for url in ("8000/status/201", "8001/status/202", "8080/own"):
                assert load.curl(self.netns, f"http://127.0.0.1:{url}")["http_code"] > 200
        self.visits += n

    def check(self, agent, *seen, clients=()):
        """Server exchanges of exactly these statuses, client ones of `clients`."""
        wanted = sum(self.visits for _ in seen)
        agent.wait_metrics(lambda m: m.server_count() >= wanted and (wanted or m.samples))
        m = agent.settle()
        for status in (201, 202, 203):
            for count, want in ((m.server_count, seen), (m.client_count, clients)):
                have = count(http_response_status_code=str(status))
                assert have == (self.visits if status in want else 0), (status, count.__name__)
        assert m.server_count() == wanted
        assert m.client_count() == self.visits * len(clients)
        m.assert_conserved()
        return m


@pytest.fixture
def town(netns, tmp_path):
    return Town(netns, tmp_path)


ALL = (201, 202, 203)


def test_netns_alone(town, redtap):
    agent = redtap()
    town.visit()
    town.check(agent, *ALL, clients=ALL)


def test_other_namespace(town, redtap, netns_factory):
    agent = redtap(netns=netns_factory())
    town.visit()
    m = town.check(agent)
    assert m.sum("redtap_socket_bytes_total") == 0


def test_netns_by_pid(town, redtap):
    agent = redtap("--netns", town.first.pid, netns=None)
    town.visit()
    town.check(agent, *ALL, clients=ALL)


@pytest.mark.parametrize(
    "flags, seen",
    [
        (["--port", "8001"], (202,)),
        (["--port", "8000-8001"], (201, 202)),
        (["--port", "8000", "--port", "8080"], (201, 203)),
        (["--port", "9000-20000"], ()),
    ],
)
def test_port(town, redtap, flags, seen):
    """A port is the socket's own or its peer's: both ends of a connection to 8001 are in."""
    agent = redtap(*flags)
    town.visit()
    town.check(agent, *seen, clients=seen)


def test_pid(town, redtap):
    one = redtap("--pid", town.second.pid)
    two = redtap("--pid", town.second.pid, "--pid", town.first.pid)
    town.visit()
    town.check(one, 202)
    town.check(two, 201, 202)


@pytest.mark.parametrize(
    "flags, seen, clients",
    [
        (["--exe", "nginx"], (203,), ()),
        (["--exe", "*/sbin/ng*"], (203,), ()),
        (["--exe", "python*"], (201, 202), ()),
        (["--exe", "nginx", "--exe", "cur?"], (203,), ALL),
        (["--exe", "ngin"], (), ()),
    ],
)
def test_exe(town, redtap, flags, seen, clients):
    """Globs on the base name or the path; processes that start later are found too."""
    agent = redtap(*flags)
    town.show(need("curl"), "-K")
    town.visit()
    town.check(agent, *seen, clients=clients)


# A process that asks for one thing itself, and then as another program, for another.
BECOMES = """
import os, sys, urllib.request
urllib.request.urlopen("http://127.0.0.1:8000/status/201").read()
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_exec_into_scope(town, redtap):
    """What a process is known to be out of scope for, it is until it execs; its pid says nothing."""
    curl, python = need("curl"), "/usr/bin/python3"
    agent = redtap("--exe", curl)
    town.show(curl, "-K")
    fetch = [curl, "-sf", "-o", "/dev/null", "http://127.0.0.1:8001/status/202"]
    for _ in range(5):
        town.netns.run([python, "-c", BECOMES, *fetch])
    agent.wait_metrics(lambda m: m.client_count() >= 5)
    m = agent.settle()
    assert m.client_count() == m.client_count(http_response_status_code="202") == 5
    assert m.server_count() == 0
    m.assert_conserved()


# The same on one connection: the second request is sent, and its answer read, by the program
# that inherits the socket.
HANDS_ON = """
import os, socket, sys
s = socket.create_connection(("127.0.0.1", 8080))
s.sendall(b"GET /own HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n")
while not s.recv(65536).endswith(b"nginx"):
    pass
os.dup2(s.fileno(), 7)
os.execv(sys.argv[1], sys.argv[1:])
"""
GOES_ON = r"""
printf 'GET /empty HTTP/1.1\r\nHost: h\r\n\r\n' >&7
read line <&7
test "${line%% OK*}" = 'HTTP/1.1 200'
"""


def test_exec_out_of_scope(town, redtap, tmp_path):
    """A socket that was looked at is not, once its process has become another program, be it
    one that nobody has seen before."""
    python = "/usr/bin/python3"
    agent = redtap("--exe", os.path.realpath(python))
    for i in range(4):
        stranger = tmp_path / f"stranger{i // 2}"
        shutil.copy(os.path.realpath("/bin/sh"), stranger)
        town.netns.run([python, "-c", HANDS_ON, stranger, "-c", GOES_ON])
    agent.wait_metrics(lambda m: m.client_count() >= 4)
    m = agent.settle()
    assert m.client_count() == m.client_count(http_response_status_code="203") == 4
    assert m.sum("redtap_exchanges_started_total") == 4
    m.assert_conserved()


def test_kinds_narrow(town, redtap):
    none = redtap("--exe", "nginx", "--port", "8000")
    one = redtap("--exe", "python*", "--port", "8001-8080")
    both = redtap("--pid", town.first.pid, "--pid", town.second.pid, "--port", "8000")
    town.visit()
    town.check(none)
    town.check(one, 202)
    town.check(both, 201)


@contextlib.contextmanager
def sub_cgroup(*names):
    """A fresh cgroup (v2) with these children; yields its path. Processes in it go back
    to where this one is."""
    root = None
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        if line.split()[2] == "cgroup2":
            root = pathlib.Path(line.split()[1])
            break
    if root is None:
        pytest.skip("the kernel has no cgroup v2 hierarchy mounted")
    top = root / f"redtap-e2e-{uuid.uuid4().hex[:8]}"
    folders = [top, *(top / name for name in names)]
    for folder in folders:
        folder.mkdir()
    try:
        yield top
    finally:
        for folder in reversed(folders):
            for pid in (folder / "cgroup.procs").read_text().split():
                with contextlib.suppress(OSError):
                    (root / "cgroup.procs").write_text(pid)

            def removed(path=folder):
                with contextlib.suppress(OSError):
                    os.rmdir(path)
                return not path.exists()

            wait_until(removed, 5, f"{folder} removed")


def test_cgroup(town, redtap):
    """A cgroup and everything below it."""
    with sub_cgroup("inner") as top:
        (top / "cgroup.procs").write_text(str(town.first.pid))
        (top / "inner" / "cgroup.procs").write_text(str(town.second.pid))
        outer, inner = redtap("--cgroup", top), redtap("--cgroup", top / "inner")
        narrow = redtap("--cgroup", top, "--port", "8000")
        town.visit()
        town.check(outer, 201, 202)
        town.check(inner, 202)
        town.check(narrow, 201)


def test_trace_has_the_same_flags(town, trace):
    tracer = trace("--port", "8001", "--exe", "python*")
    town.visit()
    found = tracer.wait_for(town.visits)
    assert {(x["role"], x["status"]) for x in found} == {("server", 202)}


def test_environment_is_the_same(town, redtap):
    agent = redtap(env={"REDTAP_PORT": "8000,8080"})
    town.visit()
    town.check(agent, 201, 203, clients=(201, 203))
