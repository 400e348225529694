# SPDX-License-Identifier: Apache-2.0
"""A load balancer's health checks. haproxy reads the answer and resets the connection, before
anything but that reset has acknowledged it: the server has served all the same, as its own log
and haproxy's verdict say."""

import time

from lib import load
from lib.util import need, wait_until

CHECKS = 10
EVERY = 0.3  # s between checks; one takes a millisecond

HAPROXY = """
defaults
	mode http
	timeout connect 5s
	timeout client 30s
	timeout server 30s
	timeout check 5s
listen checked
	bind 127.0.0.1:8090
	option httpchk
	http-check send meth GET uri /empty ver HTTP/1.1 hdr Host checked.test
	http-check expect status 200
	server behind 127.0.0.1:8080 check inter {every}ms
"""


def test_haproxy(netns, redtap, trace, tmp_path):
    nginx = load.Nginx(netns, tmp_path)
    agent, tracer = redtap(), trace()
    (config := tmp_path / "haproxy.cfg").write_text(HAPROXY.format(every=int(EVERY * 1000)))
    haproxy = netns.popen([need("haproxy"), "-q", "-db", "-f", config], name="haproxy")
    nginx.wait_log(CHECKS, timeout=CHECKS * EVERY + 10)
    seen = len(nginx.log())
    wait_until(lambda: len(nginx.log()) > seen, 5, "one more check")
    time.sleep(EVERY / 3)  # between two
    haproxy.kill()
    logged = nginx.log()
    assert all((x["status"], x["uri"]) == (200, "/empty") for x in logged)
    wanted = len(logged)
    told = tracer.wait_for(wanted, role="server", service="nginx")
    assert [x["error"] for x in told if x["error"]] == [], tracer.describe()
    m = agent.settle()
    m.assert_conserved()
    for count in (m.server_count, m.client_count):
        whole = {"error_type": None, "http_response_status_code": "200", "http_route": "/empty"}
        assert count() == count(**whole) == wanted
