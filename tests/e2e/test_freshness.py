# SPDX-License-Identifier: Apache-2.0
"""A request is in /metrics at most 2 s after its last byte, and not before it."""

import threading
import time

import pytest

from lib.util import SLOW

pytestmark = pytest.mark.alone

LIMIT = 2.0 * SLOW


def count_after(agent, since, want):
    """Seconds from `since` to the begin of the first scrape that shows `want` requests."""
    while True:
        began = time.monotonic()
        m = agent.metrics()
        if m.server_count() >= want:
            assert m.server_count() == want
            return began - since
        assert began - since < LIMIT + 3, f"{m.server_count()} of {want}: {m.conservation()}"
        time.sleep(0.05)


SHAPES = [
    ("GET", "/status/200"),
    ("GET", "/bytes/300000"),
    ("GET", "/chunked/5"),
    ("HEAD", "/bytes/5000"),
    ("GET", "/status/204"),
    ("GET", "/status/304"),
    ("POST", "/upload"),
]


def test_connection_stays_open_and_silent(netns, redtap):
    """However the end of the response is told: each on a connection of its own."""
    netns.server("httpd.py", 8000)
    agent = redtap("--no-routes-infer")
    conns = [netns.http(8000) for _ in SHAPES]

    def ask_all():
        done = []
        for conn, (method, path) in zip(conns, SHAPES):
            conn.request(method, path, b"b" * 5000 if method == "POST" else None)
            conn.getresponse().read()
            done.append(time.monotonic())
        return done

    for turn in (1, 2):
        # the second time: the connection lived on, and its next request is a new one
        first = ask_all()[0]
        assert count_after(agent, first, turn * len(SHAPES)) <= LIMIT
        m = agent.metrics()
        assert m.server_count(error_type=None) == turn * len(SHAPES)
        assert m.sum("http_server_active_requests") == 0
    for status, count in (("204", 2), ("304", 2), ("200", 10)):
        assert m.server_count(http_response_status_code=status) == count
    assert m.server_count(http_request_method="HEAD") == 2
    for conn in conns:
        conn.close()
    m = agent.settle()
    assert m.server_count() == m.client_count() == 2 * len(SHAPES)
    m.assert_conserved()


@pytest.mark.parametrize("method, path", [SHAPES[0], SHAPES[2]])
def test_alone_on_the_host(netns, redtap, method, path):
    """The same with nothing else going on that could push the record along."""
    netns.server("httpd.py", 8000)
    agent = redtap()
    conn = netns.http(8000)
    conn.request(method, path)
    conn.getresponse().read()
    assert count_after(agent, time.monotonic(), 1) <= LIMIT
    conn.close()


def test_pause_in_mid_response(netns, redtap, trace, tmp_path):
    """3 s of silence inside a response of known length: one request, of 3 s, counted at its end.
    Of the service that the port names, all along."""
    netns.server("httpd.py", 8000)
    config = tmp_path / "redtap.yaml"
    config.write_text("services:\n  - name: shop\n    port: 8000\n")
    agent, tracer = redtap("--config", config), trace()
    conn = netns.http(8000)
    conn.request("GET", "/pause/3000")
    began = time.monotonic()
    while time.monotonic() - began < 2.7:
        m = agent.metrics()
        assert m.server_count() == 0, "counted before its end"
        if time.monotonic() - began > 2.2:
            assert m.sum("http_server_active_requests") == 1
            assert m.sum("http_server_active_requests", service_name="shop") == 1
        time.sleep(0.1)
    assert len(conn.getresponse().read()) == 2000
    assert count_after(agent, time.monotonic(), 1) <= LIMIT
    m = agent.metrics()
    assert m.server_seconds() >= 3
    assert m.server_count(error_type=None, http_response_status_code="200") == 1
    assert m.server_count(service_name="shop") == 1
    [x] = tracer.wait_for(1, role="server")
    assert x["duration_ns"] >= 3_000_000_000 and x["ttfb_ns"] < 1_000_000_000
    conn.request("GET", "/status/404")
    conn.getresponse().read()
    assert count_after(agent, time.monotonic(), 2) <= LIMIT
    conn.close()
    m = agent.settle()
    assert m.server_count() == 2 and m.client_count() == 2
    m.assert_conserved()


@pytest.mark.parametrize("every_ms, events", [(250, 20), (2600, 2)])
def test_stream_until_close(netns, redtap, trace, every_ms, events):
    """Without a length only the close is the end: active while it goes on, however silent."""
    netns.server("httpd.py", 8000)
    agent, tracer = redtap(), trace()
    body = []

    def client():
        conn = netns.http(8000)
        conn.request("GET", f"/stream/{every_ms}/{events}")
        body.append(conn.getresponse().read())
        conn.close()

    thread = threading.Thread(target=client)
    thread.start()
    began = time.monotonic()
    whole = every_ms * events / 1000
    while time.monotonic() - began < whole - 0.4:
        m = agent.metrics()
        assert m.server_count() == 0, "counted before its end"
        if time.monotonic() - began > 2.2:
            assert m.sum("http_server_active_requests") == 1
        time.sleep(0.1)
    thread.join()
    assert body[0].count(b"data:") == events
    assert count_after(agent, time.monotonic(), 1) <= LIMIT
    m = agent.settle()
    assert m.sum("http_server_active_requests") == 0
    assert m.server_seconds() >= whole
    assert m.server_count(error_type=None, http_response_status_code="200") == 1
    [x] = tracer.wait_for(1, role="server")
    assert x["duration_ns"] >= whole * 1e9 and x["error"] in ("", None)
    m.assert_conserved()


def test_a_scrape_is_of_its_moment(netns, redtap):
    """Requests that the kernel counts in place are on the page that is asked for next: all
    but the last one, which the next request or silence ends. Else a scraper's rates are bent
    by what the last look was too early for."""
    netns.server("httpd.py", 8000)
    agent = redtap()
    conn = netns.http(8000)

    def ask(n):
        for _ in range(n):
            conn.request("GET", "/status/200")
            conn.getresponse().read()

    ask(10)
    agent.wait_metrics(lambda m: m.server_count() == 10)
    asked = 10
    for _ in range(8):
        ask(50)
        asked += 50
        time.sleep(0.03)  # two pages within 20 ms may be of one look
        assert asked - 1 <= agent.metrics().server_count() <= asked
    conn.close()
    agent.wait_metrics(lambda m: m.server_count() == asked)
