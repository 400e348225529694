# SPDX-License-Identifier: Apache-2.0
"""Requests that failed: each counted once on each side, with the right error_type."""

import os
import signal
import socket
import struct
import time

import pytest

from lib import load
from lib.util import wait_until

SECOND = 1_000_000_000


class Scene:
    """A server, an agent and a tracer; and the check that ends every test here."""

    def __init__(self, netns, redtap, trace, tmp_path):
        self.netns = netns
        self.log = tmp_path / "log"
        self.server = netns.server("httpd.py", 8000, "--log", self.log)
        self.agent, self.tracer = redtap(), trace()

    def connect(self, path):
        """A connection on which the request for `path` was just sent."""
        s = self.netns.connect(8000)
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        return s

    def check(self, server, client, status=None):
        """Exactly one exchange on each side, with these error types (or one of a set)."""
        found = {}
        for role, want in (("server", server), ("client", client)):
            [x] = self.tracer.wait_for(1, role=role)
            wanted = {want} if isinstance(want, str) else want
            assert x["error"] in wanted, f"{role}: {self.tracer.describe()}"
            found[role] = x
        m = self.agent.settle()
        assert m.server_count() == 1 and m.client_count() == 1
        assert m.server_count(error_type=found["server"]["error"]) == 1
        assert m.client_count(error_type=found["client"]["error"]) == 1
        if status is not None:
            for role in found:
                assert (found[role]["status"] or 0) == status
        assert len(self.tracer.exchanges()) == 2, self.tracer.describe()
        assert m.sum("http_server_active_requests") == 0
        m.assert_conserved()
        return found["server"], found["client"]


@pytest.fixture
def scene(netns, redtap, trace, tmp_path):
    return Scene(netns, redtap, trace, tmp_path)


def read_until_stalled(s, n):
    got = b""
    while len(got) < n:
        piece = s.recv(65536)
        assert piece, got
        got += piece
    return got


def close_with_reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


HALF = 1000  # bytes of body that /stall and /half send


def test_client_resets_while_server_waits(scene):
    s = scene.connect("/stall")
    read_until_stalled(s, HALF)
    close_with_reset(s)
    scene.check("connection_reset", "connection_reset", status=200)


def test_client_resets_while_server_writes(scene):
    s = scene.connect("/bytes/200000000")
    read_until_stalled(s, 300000)
    close_with_reset(s)
    server, _ = scene.check("connection_reset", "connection_reset", status=200)
    assert server["response_bytes"] < 200000000


def test_client_closes_in_mid_response(scene):
    """By FIN: everything that came had been read."""
    s = scene.connect("/stall")
    want = len(b"HTTP/1.1 200 Text\r\nServer: httpd\r\nContent-Length: 2000\r\n\r\n") + HALF
    assert len(read_until_stalled(s, want)) == want
    s.close()
    scene.check("connection_closed", "timeout", status=200)


def test_server_closes_without_an_answer(scene):
    with scene.connect("/close") as s:
        assert s.recv(100) == b""
    scene.check("connection_closed", "connection_closed", status=0)


@pytest.mark.parametrize("path, status", [("/close", 0), ("/half", 200)])
def test_client_keeps_its_end_open(scene, path, status):
    """It has read the end of the stream: that is the end of the request, not its close() later."""
    with scene.connect(path) as s:
        while s.recv(65536):
            pass
        scene.check("connection_closed", "connection_closed", status=status)


def test_server_resets_without_an_answer(scene):
    with scene.connect("/reset") as s:
        with pytest.raises(ConnectionResetError):
            s.recv(100)
    scene.check({"connection_closed", "connection_reset"}, "connection_reset", status=0)


@pytest.mark.parametrize("path", ["/half", "/cutchunk"])
def test_server_closes_in_mid_response(scene, path):
    with scene.connect(path) as s:
        while s.recv(65536):
            pass
    scene.check("connection_closed", "connection_closed", status=200)


def test_client_reads_to_the_end_and_keeps_its_end_open(netns, trace):
    """A response that only the close ends is complete when the end of the stream was read."""
    netns.server("httpd.py", 8000)
    tracer = trace()
    with netns.connect(8000) as s:
        s.sendall(b"GET /stream/10/3 HTTP/1.1\r\nHost: h\r\n\r\n")
        while s.recv(65536):
            pass
        for role in ("server", "client"):
            [x] = tracer.wait_for(1, role=role)
            assert x["error"] in ("", None) and x["status"] == 200


def test_server_killed_in_mid_response(scene):
    with scene.connect("/stall") as s:
        read_until_stalled(s, HALF)
        os.kill(scene.server.pid, signal.SIGKILL)
        while s.recv(65536):
            pass
    scene.check("connection_closed", "connection_closed", status=200)


def test_server_killed_before_its_answer(scene):
    with scene.connect("/sleep/60000") as s:
        time.sleep(0.3)  # nothing tells when the server has gone to sleep
        os.kill(scene.server.pid, signal.SIGKILL)
        assert s.recv(100) == b""
    scene.check("connection_closed", "connection_closed", status=0)


def test_client_gives_up_before_the_answer(scene):
    """The server writes into the closed connection 2 s later. How long the client waited is by
    its own clock, around its send and its close."""
    times = [time.monotonic()]
    s = scene.connect("/sleep/3000")
    times.append(time.monotonic())
    time.sleep(1)
    times.append(time.monotonic())
    s.close()
    times.append(time.monotonic())
    load.wait_server_log(scene.log, 1)
    server, client = scene.check({"connection_reset", "connection_closed"}, "timeout")
    assert server["error"] == "connection_reset", "the server's answer met a reset"
    least, most = times[2] - times[1], times[3] - times[0]
    assert least * SECOND <= client["duration_ns"] <= most * SECOND


def test_client_gives_up_and_server_never_answers(scene):
    result = load.curl(
        scene.netns, "--max-time", "1", "http://127.0.0.1:8000/sleepclose/2000", check=False
    )
    assert result["exit"] == 28
    load.wait_server_log(scene.log, 1)
    scene.check("connection_closed", "timeout", status=0)


def test_failure_after_good_requests(netns, redtap, trace, tmp_path):
    """On a kept connection only the last request failed."""
    netns.server("httpd.py", 8000, "--log", tmp_path / "log")
    agent, tracer = redtap(), trace()
    conn = netns.http(8000)
    for _ in range(3):
        conn.request("GET", "/status/200")
        conn.getresponse().read()
    conn.request("GET", "/close")
    with pytest.raises(ConnectionError):
        conn.getresponse()
    conn.close()
    m = agent.settle()
    assert m.server_count() == 4 and m.client_count() == 4
    for count in (m.server_count, m.client_count):
        assert count(error_type=None, http_response_status_code="200") == 3
        assert count(error_type="connection_closed") == 1
    assert len(tracer.wait_for(1, role="server", error="connection_closed")) == 1
    m.assert_conserved()


def test_many_resets(netns, redtap, tmp_path):
    """200 clients that reset in mid-response: 200 failures, none lost, none twice."""
    log = tmp_path / "log"
    netns.server("httpd.py", 8000, "--log", log)
    agent = redtap()
    for i in range(200):
        with netns.connect(8000) as s:
            s.sendall(f"GET /stall?{i} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
            read_until_stalled(s, HALF)
            close_with_reset(s)
    load.wait_server_log(log, 200)
    m = agent.settle()
    assert m.server_count(error_type="connection_reset") == 200
    assert m.server_count() == 200 and m.client_count() == 200
    wait_until(lambda: agent.metrics().sum("http_server_active_requests") == 0, what="none active")
    m.assert_conserved()
