# SPDX-License-Identifier: Apache-2.0
"""An access log that is uploaded to a real server, which refuses by the head and takes the body
all the same, as nginx does to keep the connection: whatever the operations begin with, nginx's
own log is what was asked."""

import collections

import pytest

from lib import load
from lib.util import need

UPLOADS, AFTER = 3, 2
UPLOAD = """
import http.client, random, sys, time
r = random.Random(5)
line = '10.0.%d.%d - - "GET /item/%d HTTP/1.1" 200 %d "-" "curl"\\n'
line += '{"request":"GET /item/%d HTTP/1.1"}\\n' + 'GET /item/%d HTTP/1.1" 200\\n' * 3
log = ''.join(line % tuple(r.randrange(10 ** r.randrange(1, 5)) for _ in range(8))
              for _ in range(4000)).encode()
for i in range(UPLOADS):
    c = http.client.HTTPConnection('127.0.0.1', 8080)
    body = log[i * 1000:][:400000]
    if sys.argv[1] == 'chunks':
        body = iter([body[j : j + 8000] for j in range(0, len(body), 8000)])
    c.request('POST', '/up', body)
    answer = c.getresponse()
    answer.read()
    assert answer.status == 403, answer.status
    # unseen: a request that is read together with the end of a body of chunks
    time.sleep(0.3)
    for _ in range(AFTER):
        c.request('GET', '/empty')
        c.getresponse().read()
    c.close()
""".replace("UPLOADS", str(UPLOADS)).replace("AFTER", str(AFTER))


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_to_nginx(netns, redtap, trace, tmp_path, framing):
    allowed = "client_max_body_size 1g; location /up { return 403; }"
    nginx = load.Nginx(netns, tmp_path, extra=allowed)
    agent, tracer = redtap(), trace()
    netns.run([need("python3"), "-c", UPLOAD, framing])
    wanted = UPLOADS * (1 + AFTER)
    logged = collections.Counter(
        (x["method"], x["uri"], x["status"]) for x in nginx.wait_log(wanted))
    assert logged == {("POST", "/up", 403): UPLOADS, ("GET", "/empty", 200): UPLOADS * AFTER}
    m = agent.settle()
    for role in ("server", "client"):
        have = collections.Counter(
            (x["method"], x["path"], x["status"])
            for x in tracer.wait_for(2 * wanted) if x["role"] == role)
        assert (role, have) == (role, logged)
    assert m.server_count() == m.client_count() == wanted
    m.assert_conserved()
