# SPDX-License-Identifier: Apache-2.0
"""103 Early Hints, longer than what is kept of a head, from a real server through a real proxy:
each request is told once at all four ends, with its final status."""

import collections

from lib.util import need

REQUESTS = 60
NODE = """
const links = Array.from({length: 8}, (_, i) =>
  `</assets/${'a'.repeat(80)}${i}.css>; rel=preload; as=style`)
let answered = 0
require('http').createServer((req, res) => {
  res.writeEarlyHints({link: links})
  const end = () => { res.statusCode = req.url.endsWith('7') ? 404 : 200; res.end('ok') }
  // at once, so that they are one segment for the proxy's next read; or apart
  answered++ % 2 ? setTimeout(end, 5) : end()
}).listen(8200, '127.0.0.1')
"""
HAPROXY = """
global
	nbthread 1
defaults
	mode http
	timeout connect 5s
	timeout client 30s
	timeout server 30s
listen front
	bind 127.0.0.1:8100
	server behind 127.0.0.1:8200
"""


def test_through_a_proxy(netns, redtap, trace, tmp_path):
    (tmp_path / "hints.js").write_text(NODE)
    (tmp_path / "haproxy.cfg").write_text(HAPROXY)
    node = netns.popen([need("node"), tmp_path / "hints.js"], name="node")
    netns.wait_listen(node, 8200)
    haproxy = netns.popen([need("haproxy"), "-q", "-db", "-f", tmp_path / "haproxy.cfg"])
    netns.wait_listen(haproxy, 8100)
    agent, tracer = redtap(), trace()
    urls = [f"http://127.0.0.1:8100/page/{i}" for i in range(REQUESTS)]
    got = netns.run([need("curl"), "-s", "-w", "%{http_code}\n", *urls])
    # curl's own account, each behind its body
    said = collections.Counter(line[-3:] for line in got.stdout.split())
    assert said == {"404": REQUESTS // 10, "200": REQUESTS - REQUESTS // 10}
    m = agent.settle()
    for service, count in (("hints", m.server_count), ("haproxy", m.client_count),
                           ("haproxy", m.server_count), ("curl", m.client_count)):
        have = {s: count(service_name=service, http_response_status_code=s) for s in said}
        assert (service, have) == (service, said)
    assert m.server_count() == m.client_count() == 2 * REQUESTS
    m.assert_conserved()
    seen = collections.Counter(
        (x["role"], x["service"], x["path"], x["status"])
        for x in tracer.wait_for(4 * REQUESTS))
    assert seen == {
        (role, service, f"/page/{i}", 404 if i % 10 == 7 else 200): 1
        for role, service in (("server", "hints"), ("client", "haproxy"),
                              ("server", "haproxy"), ("client", "curl"))
        for i in range(REQUESTS)
    }
