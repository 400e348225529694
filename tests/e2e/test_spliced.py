# SPDX-License-Identifier: Apache-2.0
"""A real proxy that moves bodies from socket to socket by splice, and so past the hooks at the
socket: every request before and behind such a body is counted, by its own path."""

from lib.util import need

PROXY = """\
global
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    option splice-request
listen front
    bind 127.0.0.1:8100
    server origin 127.0.0.1:8000
"""
BODY = b"u" * 3_000_000


def test_uploads_through_a_proxy(netns, redtap, trace, tmp_path):
    config = tmp_path / "haproxy.cfg"
    config.write_text(PROXY)
    netns.server("httpd.py", 8000)
    proxy = netns.popen([need("haproxy"), "-q", "-db", "-f", config])
    netns.wait_listen(proxy, 8100)
    agent, tracer = redtap(), trace()
    conn = netns.http(8100)
    for path, body in [("/status/200", None), ("/upload", BODY), *[("/status/204", None)] * 40,
                       ("/upload", BODY), *[("/status/404", None)] * 40]:  # fmt: skip
        conn.request("POST" if body else "GET", path, body)
        response = conn.getresponse()
        response.read()
        assert response.status == (int(path[-3:]) if body is None else 200)
    conn.close()
    m = agent.settle()
    m.assert_conserved()
    for status, n in (("200", 3), ("204", 40), ("404", 40)):
        for count in (m.server_count, m.client_count):
            found = count(process_executable_name="haproxy", http_response_status_code=status)
            assert found == n, (count.__name__, status)
    sizes = {
        x["request_bytes"] for x in tracer.exchanges(role="server", path="/upload")
        if x["executable"] == "haproxy"
    }  # fmt: skip
    assert len(sizes) == 1 and len(BODY) < min(sizes) < len(BODY) + 1000
