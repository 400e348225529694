# SPDX-License-Identifier: Apache-2.0
"""A server that moves its bytes by io_uring: what the hooks at the socket layer cannot read is
told by a counter, what they can tell is right. `fentry`, which reads it: tests/vm/same.py."""

import contextlib
import json
import subprocess

import pytest

from lib.agent import Redtap, Trace
from lib.util import ROOT_DIR, need

REQUESTS = 40
ASKED = len("GET /ring HTTP/1.1\r\nHost: a.example\r\n\r\n")
ANSWERED = len("HTTP/1.1 201 Created\r\nContent-Length: 700\r\n\r\n") + 700
MODES = ["single", "msg", "multi", "fixed", "thread", "half"]  # see tests/vm/uring.c


@pytest.fixture(scope="module")
def uring(tmp_path_factory):
    path = tmp_path_factory.mktemp("uring") / "uring"
    source = ROOT_DIR / "tests/vm/uring.c"
    subprocess.run([need("gcc"), "-O2", "-D_GNU_SOURCE", "-o", path, source], check=True)
    return path


@contextlib.contextmanager
def served(netns, uring, mode, go):
    """Runs the traffic: (pid of the server, of the client, the server's own account)."""
    process = netns.popen([uring, mode, str(REQUESTS), go])
    _, server, client = process.wait_line("ready", 5, "stdout").split()
    go.touch()
    account = json.loads(process.wait_line("{", 10, "stdout"))
    assert account["error"] == "" and account["requests"] == account["asked"] == REQUESTS
    yield int(server), int(client), account
    go.unlink()
    assert process.wait(5) == 0


def exchanges(tracer, pid):
    return [(x["role"], x["method"], x["path"], x["status"], x["error"], x["request_bytes"],
             x["response_bytes"]) for x in tracer.exchanges(pid=pid)]  # fmt: skip


CLIENT = ("client", "GET", "/ring", 201, "", ASKED, ANSWERED)
# The request was read; of the answer its size is known, and that the next request came, or
# that the connection was closed in peace.
HALF = ("server", "GET", "/ring", 0, "", ASKED, ANSWERED)


@pytest.mark.parametrize("which", ["sock", "event"])
def test_unread_is_counted(netns, procs, uring, tmp_path, which):
    agent, tracer = procs.add(Redtap(netns, which)), procs.add(Trace(netns, which))
    agent.wait_ready()
    tracer.wait_ready()
    before, unknown = 0, 0
    for mode in MODES:
        with served(netns, uring, mode, tmp_path / "go") as (server, client, account):
            tracer.wait_for(REQUESTS, pid=client)
            want = [HALF] * REQUESTS if mode == "half" else []
            tracer.wait_for(len(want), pid=server, exact=False)
            m = agent.settle()
            assert exchanges(tracer, client) == [CLIENT] * REQUESTS, mode
            assert exchanges(tracer, server) == want, mode
            # Each operation on the ring that moved bytes, and none but those.
            now = m.sum("redtap_blind_operations_total", by="io_uring")
            assert now - before == account["recvs"] + account["sends"], mode
            before = now
            if mode != "half":
                unknown += account["in"] + account["out"]
            assert m.sum("redtap_socket_bytes_total", **{"class": "unknown"}) == unknown, mode
            assert m.sum("redtap_blind_operations_total", by="call") == 0, mode
            m.assert_conserved()
    agent.stop()
    tracer.stop()


def test_what_a_call_moves(netns, procs, uring, tmp_path):
    """All that `syscall` tells is the side that uses calls."""
    agent, tracer = procs.add(Redtap(netns, "syscall")), procs.add(Trace(netns, "syscall"))
    agent.wait_ready()
    tracer.wait_ready()
    with served(netns, uring, "single", tmp_path / "go") as (server, client, _):
        tracer.wait_for(REQUESTS, pid=client)
        m = agent.settle()
        assert exchanges(tracer, client) == [CLIENT] * REQUESTS
        assert exchanges(tracer, server) == []
        assert m.sum("redtap_blind_operations_total") == 0
        m.assert_conserved()
    agent.stop()
    tracer.stop()
