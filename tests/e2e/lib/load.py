# SPDX-License-Identifier: Apache-2.0
"""Real servers and load generators, with the counts they make themselves."""

import collections
import json
import re

import pytest

from .util import need, wait_until

NGINX_CONF = """\
daemon off;
worker_processes {workers};
user root;
pid {dir}/nginx.pid;
error_log {dir}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    log_format line '$status $bytes_sent';
    log_format full '{{"status":$status,"method":"$request_method","uri":"$request_uri",'
                    '"request_time":$request_time,"bytes":$bytes_sent}}';
    access_log {dir}/access.log {log_format};
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    sendfile on;
    keepalive_requests 100000000;
    server {{
        listen {port} backlog=4096;
        root {dir}/www;
        location /empty {{ return 200 "ok"; }}
        {extra}
    }}
}}
"""


class Nginx:
    """Debian's nginx inside `netns`, files under `folder`.

    www       the document root; write files into it
    log()     its access log: dicts with status, method, uri, request_time, bytes
    lines()   with log_format="line": a Counter of statuses, one per request"""

    def __init__(self, netns, folder, port=8080, workers=2, log_format="full", extra=""):
        self.dir = folder / "nginx"
        self.www = self.dir / "www"
        self.www.mkdir(parents=True)
        self.port = port
        self.buffered = log_format == "line"
        conf = self.dir / "nginx.conf"
        conf.write_text(
            NGINX_CONF.format(
                dir=self.dir,
                port=port,
                workers=workers,
                extra=extra,
                log_format="line buffer=64k flush=200ms" if self.buffered else "full",
            )
        )
        self.process = netns.popen([need("nginx"), "-c", conf, "-e", self.dir / "early.log"])
        netns.wait_listen(self.process, port)

    def log(self):
        return [json.loads(x) for x in (self.dir / "access.log").read_text().splitlines()]

    def wait_log(self, n, timeout=5.0):
        """The access log once it has n lines (nginx writes a line after the last byte)."""
        wait_until(lambda: len(self.log()) >= n, timeout, f"{n} lines in nginx's access log")
        return self.log()

    def lines(self):
        """Counter of status -> requests, after nginx has flushed its buffered log.

        Status 0: the client was gone before nginx could hand over a byte (nginx itself
        logs the status that it meant to send)."""
        state = {"size": -1, "same": 0}

        def still():
            size = (self.dir / "access.log").stat().st_size
            state["same"] = state["same"] + 1 if size == state["size"] else 0
            state["size"] = size
            return state["same"] >= 5

        wait_until(still, 10, "nginx's access log at rest", step=0.15)
        counts = collections.Counter()
        with open(self.dir / "access.log", encoding="ascii") as f:
            for line in f:
                status, sent = map(int, line.split())
                counts[status if sent else 0] += 1
        return counts


def wrk(netns, url, threads=2, connections=64, seconds=10, headers=(), script=None):
    """Runs wrk inside; returns {"requests", "seconds", "errors", "text"}. `errors`: answers
    that are neither 2xx nor 3xx. `script`: a file in Lua, wrk's own hooks."""
    argv = [need("wrk"), f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    for header in headers:
        argv += ["-H", header]
    if script:
        argv += ["-s", script]
    text = netns.run([*argv, url], timeout=seconds + 20).stdout
    match = re.search(r"(\d+) requests in ([\d.]+)s", text)
    if not match:
        pytest.fail(f"wrk said no count: {text}")
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    socket_errors = re.search(r"Socket errors: (.*)", text)
    return {
        "requests": int(match[1]),
        "seconds": float(match[2]),
        "errors": int(bad[1]) if bad else 0,
        "socket_errors": socket_errors[1] if socket_errors else "",
        "text": text,
    }


def ab(netns, url, requests, concurrency, keepalive=False):
    """Runs ab inside; returns {"complete", "failed", "text"}."""
    argv = [need("ab"), "-q", "-n", str(requests), "-c", str(concurrency)]
    text = netns.run([*argv, *(["-k"] if keepalive else []), url], timeout=120).stdout
    complete = re.search(r"Complete requests:\s+(\d+)", text)
    failed = re.search(r"Failed requests:\s+(\d+)", text)
    if not complete or not failed:
        pytest.fail(f"ab said no count: {text}")
    return {"complete": int(complete[1]), "failed": int(failed[1]), "text": text}


def curl(netns, *args, check=True, timeout=60):
    """Runs curl inside, body to /dev/null; returns its own measurements (-w json) as a dict."""
    argv = [need("curl"), "-sS", "-o", "/dev/null", "-w", "%{json}", *map(str, args)]
    done = netns.run(argv, timeout=timeout, check=check)
    result = json.loads(done.stdout) if done.stdout.startswith("{") else {}
    result["exit"] = done.returncode
    return result


def server_log(path):
    """The measurements httpd.py wrote: a list of dicts."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def wait_server_log(path, n, timeout=10.0):
    """The same, once there are n entries."""
    wait_until(lambda: len(server_log(path)) >= n, timeout, f"{n} entries in {path.name}")
    return server_log(path)
