# SPDX-License-Identifier: Apache-2.0
"""curl: run_curl.py PORT. 40 requests by one process that keeps its connection,
10 by processes of their own. This driver opens no socket."""

import subprocess
import sys

FORMAT = "%{url} %{method} %{http_code}\n"


def part(n):
    """Arguments of one request."""
    how = {3: ["-d", "some=body"], 5: ["-I"]}.get(n % 7, [])
    url = f"http://127.0.0.1:{sys.argv[1]}/item/{n}?x=1"
    return ["-s", "-o", "/dev/null", "-w", FORMAT, *how, url]


def curl(numbers):
    argv = ["curl"]
    for n in numbers:
        argv += part(n) if len(argv) == 1 else ["--next", *part(n)]
    out = subprocess.run(argv, check=True, stdout=subprocess.PIPE, timeout=60).stdout.decode()
    for line in out.splitlines():
        url, method, status = line.split()
        print(url.partition("/item/")[2].partition("?")[0], method, status)


curl(range(40))
for i in range(40, 50):
    curl([i])
