# SPDX-License-Identifier: Apache-2.0
"""Durations lie between the server's own measurement and the client's."""

import time

import pytest

from lib import load
from lib.util import need

pytestmark = pytest.mark.alone

MS = 1_000_000
SECOND = 1_000_000_000


def timed_request(netns, port, path):
    """One request on a connection of its own. Returns (start, end) in CLOCK_MONOTONIC ns.

    The end is when the connection's end was read: the server closes after its
    last write has returned, so that nothing it did can lie behind it."""
    with netns.connect(port) as s:
        start = time.monotonic_ns()
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
        while s.recv(65536):
            pass
        return start, time.monotonic_ns()


@pytest.mark.parametrize("ms", [5, 50, 250])
def test_between_server_and_client(netns, trace, tmp_path, ms):
    log = tmp_path / "log"
    netns.server("httpd.py", 8000, "--log", log)
    tracer = trace()
    clients = [timed_request(netns, 8000, f"/sleep/{ms}?{i}") for i in range(5)]
    servers = load.wait_server_log(log, 5)
    seen = sorted(tracer.wait_for(5, role="server"), key=lambda x: x["time"])
    for (start, end), server, x in zip(clients, servers, seen):
        measured = server["last"] - server["first"]
        assert measured >= ms * MS
        assert measured <= x["duration_ns"] <= end - start
        assert measured <= x["ttfb_ns"] <= x["duration_ns"]
        assert x["error"] in ("", None) and x["status"] == 200
    for (start, end), x in zip(clients, sorted(tracer.wait_for(5, role="client"), key=by_time)):
        # the client's own send returns at the latest when its last byte was read
        assert ms * MS - MS <= x["duration_ns"] <= end - start


def by_time(x):
    return x["time"]


def test_on_a_kept_connection(netns, trace, redtap, tmp_path):
    """The wait between two requests of a connection belongs to neither."""
    log = tmp_path / "log"
    netns.server("httpd.py", 8000, "--log", log)
    agent, tracer = redtap(), trace()
    conn = netns.http(8000)
    bounds = []
    for ms in (5, 50, 250):
        start = time.monotonic_ns()
        conn.request("GET", f"/sleep/{ms}")
        conn.getresponse().read()
        bounds.append(time.monotonic_ns() - start)
        time.sleep(0.6)
    conn.close()
    servers = load.wait_server_log(log, 3)
    seen = sorted(tracer.wait_for(3, role="server"), key=by_time)
    total = 0
    for bound, server, x in zip(bounds, servers, seen):
        assert server["last"] - server["first"] <= x["duration_ns"]
        # the client may run on before the server's write has returned: 50 ms is
        # far more than that, and far less than the silence after each response
        assert x["duration_ns"] <= bound + 50 * MS
        total += x["duration_ns"]
    m = agent.wait_metrics(lambda m: m.server_count() == 3)
    assert m.server_seconds() == pytest.approx(total / SECOND, rel=0.02)
    # every observation is in its bucket: 5 ms is over 0.005, 50 over 0.05, 250 over 0.25
    for bound, count in ((0.005, 0), (0.05, 1), (0.25, 2), (1, 3), (float("inf"), 3)):
        buckets = m.select(
            "http_server_request_duration_seconds_bucket", le=lambda v: float(v) == bound
        )
        assert sum(s.value for s in buckets) == count, (bound, buckets)


def read_at_rate(sock, rate):
    """Reads to the end, never more than `rate` bytes per second since the first byte."""
    total, start = 0, None
    while True:
        if start is not None:
            ahead = total / rate - (time.monotonic() - start)
            if ahead > 0:
                time.sleep(ahead)
        piece = sock.recv(32768)
        start = start or time.monotonic()
        if not piece:
            return total
        total += len(piece)


def test_slow_download_by_sendfile(netns, trace, redtap, tmp_path):
    """20 MB to a client limited to 4 MB/s: the duration is nginx's own, not that of its head."""
    nginx = load.Nginx(netns, tmp_path)
    size, rate = 20 * 1000 * 1000, 4 * 1000 * 1000
    (nginx.www / "big").write_bytes(b"x" * size)
    # what both sockets may hold back is bounded, else they swallow half of the file
    for name in ("tcp_rmem", "tcp_wmem"):
        netns.run([need("sysctl"), "-qw", f"net.ipv4.{name}=4096 65536 1048576"])
    agent, tracer = redtap(), trace()
    with netns.connect(8080) as s:
        start = time.monotonic_ns()
        s.sendall(b"GET /big HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        received = read_at_rate(s, rate)
        total = time.monotonic_ns() - start
    [own] = nginx.wait_log(1)
    assert own["bytes"] == received > size and total >= 5 * SECOND
    [x] = tracer.wait_for(1, role="server", path="/big")
    assert x["duration_ns"] == pytest.approx(own["request_time"] * SECOND, abs=0.05 * SECOND)
    # at most 2 MB were still in the buffers when nginx had handed over its last byte
    assert 4 * SECOND <= x["duration_ns"] <= total
    assert 0 < x["ttfb_ns"] <= 100 * MS
    assert x["response_bytes"] == own["bytes"]
    [c] = tracer.wait_for(1, role="client", path="/big")
    assert 5 * SECOND - 50 * MS <= c["duration_ns"] <= total
    assert 0 < c["ttfb_ns"] <= 100 * MS
    assert c["response_bytes"] == received
    m = agent.wait_metrics(lambda m: m.server_count() == 1)
    assert 4 <= m.server_seconds() <= total / SECOND
    assert m.sum("redtap_http_server_time_to_first_byte_seconds_sum") <= 0.1


def test_slow_upload(netns, trace, tmp_path):
    """The time the request takes to come is in the duration."""
    log = tmp_path / "log"
    netns.server("httpd.py", 8000, "--log", log)
    tracer = trace()
    size = 8 * 1000 * 1000
    (body := tmp_path / "body").write_bytes(b"u" * size)
    client = load.curl(
        netns, "--limit-rate", "2M", "-H", "Expect:", "-T", body, "http://127.0.0.1:8000/upload"
    )
    assert client["size_upload"] == size
    [server] = load.wait_server_log(log, 1)
    [x] = tracer.wait_for(1, role="server", path="/upload")
    assert x["method"] == "PUT" and x["status"] == 200
    measured = server["last"] - server["first"]
    assert measured >= 2 * SECOND, "the client was not slow"
    assert measured <= x["duration_ns"] <= client["time_total"] * SECOND + 20 * MS
    assert x["request_bytes"] == client["size_request"] + size
    # first byte of the response counted from the first of the request
    assert measured <= x["ttfb_ns"] <= x["duration_ns"]
