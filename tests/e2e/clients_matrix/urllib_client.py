# SPDX-License-Identifier: Apache-2.0
"""Python's urllib: urllib_client.py PORT"""

import sys
import urllib.error
import urllib.request

for n in range(50):
    method = {3: "POST", 5: "HEAD"}.get(n % 7, "GET")
    request = urllib.request.Request(
        f"http://127.0.0.1:{sys.argv[1]}/item/{n}?x=1",
        data=b"some=body" if method == "POST" else None,
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            reply.read()
            status = reply.status
    except urllib.error.HTTPError as e:
        e.read()
        status = e.code
    print(n, method, status)
