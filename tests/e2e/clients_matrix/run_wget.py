# SPDX-License-Identifier: Apache-2.0
"""wget: run_wget.py PORT. Per process one method, so: one process for all GETs,
which keeps its connection, and one for each POST and HEAD. This driver opens no
socket."""

import re
import subprocess
import sys


def wget(method, numbers):
    how = {"POST": ["--post-data=some=body"], "HEAD": ["--method=HEAD"]}.get(method, [])
    urls = [f"http://127.0.0.1:{sys.argv[1]}/item/{n}?x=1" for n in numbers]
    argv = ["wget", "-nv", "-S", "--tries=1", "-O", "/dev/null", *how, *urls]
    done = subprocess.run(argv, stderr=subprocess.PIPE, timeout=60, env={"LC_ALL": "C"})
    # without -nv's own lines: the status lines, in order
    statuses = re.findall(r"^\s+HTTP/1\.[01] (\d+)", done.stderr.decode(), re.MULTILINE)
    assert len(statuses) == len(urls), done.stderr.decode()
    for n, status in zip(numbers, statuses):
        print(n, method, status)


wget("GET", [n for n in range(50) if n % 7 not in (3, 5)])
for i in range(50):
    if i % 7 in (3, 5):
        wget("POST" if i % 7 == 3 else "HEAD", [i])
