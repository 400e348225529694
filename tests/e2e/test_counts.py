# SPDX-License-Identifier: Apache-2.0
"""Counts are exact at full speed: against the generator's count and nginx's access log."""

import time

import pytest
from lib import load
from lib.util import wait_until

pytestmark = pytest.mark.alone

URL = "http://127.0.0.1:8080/empty"
CONNECTIONS = 64


def server_total(m, **labels):
    return m.server_count(process_executable_name="nginx", **labels)


def check_against_log(agent, nginx, **labels):
    """Every request nginx logged, once; those it answered with 200 as 200.

    When a client is gone, its reset may come while nginx is still inside the call that
    writes the answer: then the request has failed and may have no status."""
    logged = nginx.lines()
    m = agent.settle()
    assert m.losses() == {}
    assert server_total(m) == sum(logged.values()), logged
    met_reset = server_total(m, http_response_status_code=None, error_type="connection_reset")
    assert met_reset <= CONNECTIONS
    assert server_total(m, http_response_status_code="200") + met_reset == sum(logged.values())
    m.assert_conserved()
    return m


def test_keepalive_at_full_speed(netns, redtap, tmp_path):
    """wrk, 64 connections, 10 s: its completed requests up to those in flight at the stop."""
    nginx = load.Nginx(netns, tmp_path, workers=2, log_format="line")
    agent = redtap()
    result = load.wrk(netns, URL, threads=2, connections=CONNECTIONS, seconds=10)
    assert result["errors"] == 0, result["text"]
    m = check_against_log(agent, nginx)
    served = server_total(m, http_response_status_code="200")
    assert 0 <= served - result["requests"] <= CONNECTIONS, result["text"]
    # the client's side saw the same: what wrk completed, up to what it cut off
    client = m.client_count(process_executable_name="wrk", http_response_status_code="200")
    assert 0 <= client - result["requests"] <= CONNECTIONS, result["text"]


def test_server_side_alone_at_full_speed(netns, redtap, tmp_path):
    """The same with the scope on the servers: nothing of wrk's own sockets appears."""
    nginx = load.Nginx(netns, tmp_path, workers=2, log_format="line")
    agent = redtap("--exe", "nginx")
    result = load.wrk(netns, URL, threads=2, connections=CONNECTIONS, seconds=3)
    m = check_against_log(agent, nginx)
    served = server_total(m, http_response_status_code="200")
    assert 0 <= served - result["requests"] <= CONNECTIONS, result["text"]
    assert m.client_count() == 0


def test_a_connection_per_request(netns, redtap, tmp_path):
    """ab without -k: 20,000 connections, one request each."""
    nginx = load.Nginx(netns, tmp_path, workers=2, log_format="line")
    agent = redtap()
    result = load.ab(netns, URL, 20000, 16)
    assert result["complete"] == 20000 and result["failed"] == 0, result["text"]
    m = check_against_log(agent, nginx)
    assert server_total(m, http_response_status_code="200", error_type=None) == 20000
    assert m.client_count(http_response_status_code="200", error_type=None) == 20000


def test_keepalive_in_ab(netns, redtap, tmp_path):
    """ab -k speaks HTTP/1.0 with keep-alive: as exact."""
    nginx = load.Nginx(netns, tmp_path, workers=2, log_format="line")
    agent = redtap()
    result = load.ab(netns, URL, 20000, 16, keepalive=True)
    assert result["complete"] == 20000, result["text"]
    m = check_against_log(agent, nginx)
    assert server_total(m, http_response_status_code="200", error_type=None) == 20000


def test_a_full_ring_is_told(netns, redtap, tmp_path):
    """A ring far too small for the load: what is missing is in the counters, to the last one."""
    nginx = load.Nginx(netns, tmp_path, workers=2, log_format="line")
    agent = redtap("--ring-size", "16384")
    load.wrk(netns, URL, threads=2, connections=CONNECTIONS, seconds=1)
    served = sum(nginx.lines().values())
    m = agent.settle()
    parts = m.conservation()
    # both sides of each request were in scope; wrk gave up at most one per connection
    assert 2 * served <= parts["started"] <= 2 * served + CONNECTIONS
    assert parts["finished"] + parts["aborted"] + parts["evicted"] == parts["started"]
    assert parts["evicted"] <= m.lost()
    assert m.server_count() + m.client_count() == parts["finished"] + parts["aborted"]
    # and when the storm is over, counting is exact again
    conn = netns.http(8080)
    for _ in range(20):
        conn.request("GET", "/empty")
        conn.getresponse().read()
        time.sleep(0.05)
    conn.close()
    after = agent.settle()
    assert after.lost() == m.lost()
    assert after.server_count() == m.server_count() + 20


def test_a_thousand_silent_connections(netns, redtap):
    """Kept open after their one request: all are counted, 2 s after the last at the latest."""
    netns.server("httpd.py", 8000)
    agent = redtap()
    conns = []
    for _ in range(1000):
        conns.append(netns.http(8000))
        conns[-1].request("GET", "/status/200")
        conns[-1].getresponse().read()
    m = agent.wait_metrics(
        lambda m: m.server_count() == 1000 and m.client_count() == 1000, timeout=2
    )
    m = agent.settle()
    m.assert_conserved()
    for conn in conns:
        conn.close()
    m = agent.settle()
    assert m.server_count() == 1000 and m.client_count() == 1000
    m.assert_conserved()


def test_sizes_and_statuses(netns, redtap, tmp_path):
    """Whole messages, both ways, and one series per status."""
    (log := tmp_path / "log").touch()
    netns.server("httpd.py", 8000, "--log", log)
    agent = redtap()
    statuses = [200, 201, 404, 404, 500, 503, 503, 503]
    sent = received = 0
    conn = netns.http(8000)
    for status in statuses:
        body = b"q" * 10
        raw = (
            f"POST /status/{status} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        conn.sock.sendall(raw)
        sent += len(raw)
        want = f"HTTP/1.1 {status} Text\r\nServer: httpd\r\nContent-Length: 3\r\n\r\nok\n".encode()
        got = b""
        while len(got) < len(want):
            got += conn.sock.recv(len(want) - len(got))
        assert got == want
        received += len(want)
    conn.close()
    m = agent.wait_metrics(lambda m: m.server_count() >= len(statuses))
    for status in set(statuses):
        code = str(status)
        assert m.server_count(http_response_status_code=code) == statuses.count(status)
        error = code if status >= 500 else None
        assert m.server_count(http_response_status_code=code, error_type=error) == statuses.count(
            status
        )
        error = code if status >= 400 else None
        wait_until(
            lambda: agent.metrics().client_count(http_response_status_code=code, error_type=error)
            == statuses.count(status),
            what=f"client's count of {status} with error_type {error}",
        )
    assert m.sum("http_server_request_size_bytes_sum") == sent
    assert m.sum("http_server_response_size_bytes_sum") == received
    agent.settle().assert_conserved()
