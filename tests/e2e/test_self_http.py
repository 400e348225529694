# SPDX-License-Identifier: Apache-2.0
"""Whatever happens at redtap's own port, capturing goes on and stays exact."""

import contextlib
import gzip
import os
import resource
import socket
import threading
import time

import pytest

from lib import load
from lib.metrics import Metrics
from lib.util import SLOW, need

URL = "http://127.0.0.1:8080/empty"

GARBAGE = [
    b"",
    b"\r\n\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x00" * 70000,
    b"GET /" + b"a" * 200000 + b" HTTP/1.1\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 50000 + b"\r\n",
    b"POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /metrics HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /../../etc/passwd HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /%00%ff%2e%2e/ HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: h\r\nAccept: " + b";q=,;q" * 500 + b"\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip;q=nan, *;q=\r\n\r\n",
    "GÉT /метрики HTTP/1.1\r\n\r\n".encode(),
]


def send(port, data, read=True):
    """Sends `data`, reads what comes within a short while; a refusal is fine."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as s:
        s.settimeout(0.3)
        s.sendall(data)
        while read and s.recv(65536):
            pass


class Attack:
    """Garbage, slow clients and idle connections at a port until stop()."""

    def __init__(self, port, connections):
        self.port = port
        self.stopped = threading.Event()
        self.open = []
        for _ in range(connections):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", port))
            self.open.append(s)
        self.threads = [threading.Thread(target=f) for f in (self.garbage, self.slow, self.hungry)]
        for thread in self.threads:
            thread.start()

    def garbage(self):
        while not self.stopped.is_set():
            for data in GARBAGE:
                send(self.port, data, read=False)

    def slow(self):
        """Each idle connection sends a head one byte at a time."""
        text = b"GET /metrics HTTP/1.1\r\nHost: h\r\nX-Slow: " + b"z" * 1000
        for i in range(len(text)):
            for s in self.open:
                with contextlib.suppress(OSError):
                    s.send(text[i : i + 1])
            if self.stopped.wait(0.1):
                return

    def hungry(self):
        """Asks for pages and never reads them."""
        asked = []
        while not self.stopped.wait(0.05):
            with contextlib.suppress(OSError):
                s = socket.create_connection(("127.0.0.1", self.port), 1)
                asked.append(s)
                s.setblocking(False)
                s.send(b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n" * 50)
        for s in asked:
            s.close()

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()
        for s in self.open:
            s.close()


def test_capture_goes_on_under_attack(netns, redtap, tmp_path):
    """1,000 connections, slow clients and garbage while wrk runs: exact, and on time."""
    nginx = load.Nginx(netns, tmp_path, log_format="line")
    agent = redtap()
    attack = Attack(agent.port, 1000)
    try:
        result = load.wrk(netns, URL, threads=1, connections=16, seconds=5)
    finally:
        attack.stop()
    finished = time.monotonic()
    assert agent.alive(), agent.output()
    logged = nginx.lines()
    m = agent.wait_metrics(lambda m: m.server_count() >= sum(logged.values()), timeout=8)
    assert m.losses() == {}
    assert m.server_count(process_executable_name="nginx") == sum(logged.values())
    assert 0 <= m.server_count(http_response_status_code="200") - result["requests"] <= 16
    assert time.monotonic() - finished < 8 * SLOW
    agent.settle().assert_conserved()


def idle_clients(agent, n):
    """n connections that say nothing."""
    idle = []
    for _ in range(n):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(("127.0.0.1", agent.port))
        idle.append(s)
    return idle


def test_page_is_back_after_a_thousand_connections(netns, redtap):
    agent = redtap()
    idle = idle_clients(agent, 1000)
    time.sleep(0.5)
    for s in idle:
        s.close()
    assert agent.wait_metrics(lambda m: m.select("redtap_build_info"))


def few_descriptors(backend):
    """A limit of which all but 13 are redtap's own."""
    return {"sock": 64, "syscall": 92}[backend]


@pytest.mark.parametrize("limit", [few_descriptors, lambda _: 256], ids=["few", "256"])
def test_clients_leave_descriptors_to_the_rest(netns, redtap, backend, limit):
    """Where few are allowed, idle clients take their part of them, and no more."""
    limit = limit(backend)
    agent = redtap(wrap=[need("prlimit"), f"--nofile={limit}:{limit}"])
    before = len(os.listdir(f"/proc/{agent.pid}/fd"))
    idle = idle_clients(agent, 300)
    time.sleep(1)
    # A half of what is free, and what finds its socket's end only now.
    taken = len(os.listdir(f"/proc/{agent.pid}/fd")) - before
    assert taken <= 0.75 * (limit - before)
    # New ones end those that are silent.
    assert agent.get("/readyz", timeout=3)[0] == 200
    for s in idle:
        s.close()
    assert agent.wait_metrics(lambda m: m.select("redtap_build_info"))
    assert not [x for x in agent.stderr if "failed" in x]


def test_clients_leave_descriptors_beside_many(netns, redtap):
    """A scope of many processes has a descriptor of each."""
    server = netns.server("httpd.py", 8000)
    soft_hard = [need("prlimit"), "--nofile=1024:4096"]
    agent = redtap(*["--pid", server.pid] * 800, wrap=soft_hard)
    before = len(os.listdir(f"/proc/{agent.pid}/fd"))
    soft, _ = resource.prlimit(agent.pid, resource.RLIMIT_NOFILE)
    assert before > 800
    # Room for all of them at once, and as much for the rest as ever.
    assert soft - before - 1536 >= 500


@pytest.mark.parametrize("number", range(len(GARBAGE)))
def test_garbage(redtap_once, number):
    """Each refused or answered, and the next honest request is served."""
    send(redtap_once.port, GARBAGE[number])
    assert redtap_once.alive()
    assert redtap_once.get("/healthz")[0] == 200


@pytest.fixture(scope="module")
def redtap_once():
    """One agent for all garbage: it captures nothing, its own port is under test."""
    from lib.agent import Redtap
    from lib.netns import Netns
    from lib.procs import Procs

    procs = Procs()
    space = Netns(procs)
    try:
        agent = procs.add(Redtap(space, None))
        agent.wait_ready()
        yield agent
        agent.stop()
    finally:
        procs.close()
        space.close()


def test_methods(redtap_once):
    for request, status in ((b"HEAD /metrics", 200), (b"POST /metrics", 405), (b"DELETE /", 405)):
        with socket.create_connection(("127.0.0.1", redtap_once.port), 5) as s:
            s.sendall(request + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            reply = b""
            while piece := s.recv(65536):
                reply += piece
        assert reply.startswith(b"HTTP/1.1 %d " % status), reply[:200]
        if request.startswith(b"HEAD"):
            assert reply.endswith(b"\r\n\r\n")


def test_formats(redtap_once):
    """Text or OpenMetrics by Accept, gzip by Accept-Encoding."""
    _, headers, body = redtap_once.get("/metrics")
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert headers["Content-Encoding"] is None
    Metrics(body.decode())
    accept = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
    _, headers, body = redtap_once.get("/metrics", accept)
    assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")
    _, headers, packed = redtap_once.get("/metrics", {**accept, "Accept-Encoding": "gzip"})
    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed).endswith(b"# EOF\n")
    _, headers, _ = redtap_once.get("/metrics", {"Accept-Encoding": "gzip;q=0, identity"})
    assert headers["Content-Encoding"] is None


def test_openmetrics_by_its_reference_parser(redtap_once):
    """The OpenMetrics page satisfies the strict parser of prometheus_client."""
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    _, _, body = redtap_once.get("/metrics", {"Accept": "application/openmetrics-text"})
    families = {f.name: f for f in text_string_to_metric_families(body.decode())}
    assert families["redtap_build"].type == "info"
    assert families["redtap_records"].type == "counter"
