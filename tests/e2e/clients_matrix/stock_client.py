# SPDX-License-Identifier: Apache-2.0
"""Python's http.client: stock_client.py PORT [PREFIX]

The first half over one connection, as long as the server keeps it; the second
half over connections of their own."""

import http.client
import sys

port, prefix = int(sys.argv[1]), sys.argv[2] if sys.argv[2:] else "/item/"


def ask(conn, n, **headers):
    method = {3: "POST", 5: "HEAD"}.get(n % 7, "GET")
    body = b"some=body" if method == "POST" else None
    conn.request(method, f"{prefix}{n}?x={n}", body, headers)
    reply = conn.getresponse()
    reply.read()
    print(n, method, reply.status)


kept = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
for i in range(25):
    ask(kept, i)
kept.close()
for i in range(25, 50):
    once = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    ask(once, i, **({"Connection": "close"} if i % 2 else {}))
    once.close()
