# SPDX-License-Identifier: Apache-2.0
"""The backends side by side on the same traffic: the same records, and the same times.

`fentry` is among them in a guest: tests/vm/same.py."""

import os
import platform
import socket
import struct
import time

import pytest

from lib import load, records
from lib.agent import Trace
from lib.util import SLOW, need, wait_until

pytestmark = pytest.mark.alone  # `event` is among them: see conftest.py
HOOKED = ["sock", "event"]  # at the socket layer, after each piece of a call
AT_END = {"syscall": ["syscall"], "legacy": ["syscall", "--disable-feature", "atomic"]}
BACKENDS = [*HOOKED, *AT_END]  # the last two at the call's end
PIECE = 65536  # the pipe inside sendfile: what goes to the socket at a time
SENDFILE = {"x86_64": "40", "aarch64": "71"}[platform.machine()]

# Between two hooks of one call lie the kernel's way out of it and the other backends'
# programs: microseconds, unless the task loses its processor there.
USUAL_NS = 1_000_000
PREEMPTED_NS = 100_000_000 * SLOW
# A trace tells the wall clock, by the difference of two clocks read one after the other.
CLOCKS_NS = 1_000_000 * SLOW

BIG, HUGE = 1_000_000, 64 << 20
CHUNKED = """
        listen unix:{dir}/http.sock;
        location /chunked/ {{ alias {dir}/nginx/www/; gzip on; gzip_types *; gzip_min_length 1; }}
        location /upload {{ proxy_pass http://127.0.0.1:8001; }}
"""


@pytest.fixture
def traces(netns, procs):
    """{backend: Trace}, all running on the same namespace; `legacy`: the backend `syscall` by
    the programs for old kernels."""
    made = {b: procs.add(Trace(netns, *AT_END.get(b, [b]))) for b in BACKENDS}
    for t in made.values():
        t.wait_ready()
    yield made
    for t in made.values():
        t.stop()


class Client:
    """HTTP on a bare socket, that notes when each of its calls began and returned."""

    def __init__(self, sock):
        self.sock = sock
        self.told = []  # (path, began, inner, outer)

    def _read(self, got, want):
        while not want(got):
            began = time.monotonic_ns()
            more = self.sock.recv(65536)
            self.last = (began, time.monotonic_ns())
            assert more, f"the connection ended in {got[-200:]!r}"
            got += more
        return got

    def ask(self, method, path, body=b"", headers=""):
        """One request in one call; returns the status and all bytes of the answer."""
        text = f"{method} {path} HTTP/1.1\r\nHost: a.example\r\n{headers}"
        if body:
            text += f"Content-Length: {len(body)}\r\n"
        data = text.encode() + b"\r\n" + body
        wall, began = time.time_ns(), time.monotonic_ns()
        assert self.sock.send(data) == len(data)
        sent = time.monotonic_ns()
        got = self._read(b"", lambda g: b"\r\n\r\n" in g)
        head = got.split(b"\r\n\r\n")[0]
        rest = len(head) + 4
        lines = [line.lower() for line in head.split(b"\r\n")]
        length = [int(x[15:]) for x in lines if x.startswith(b"content-length:")]
        if b"transfer-encoding: chunked" in lines:
            got = self._read(got, lambda g: g.endswith(b"\r\n0\r\n\r\n"))
        elif method != "HEAD":
            got = self._read(got, lambda g: len(g) >= rest + length[0])
        self.told.append({"path": path, "wall": wall, "sent_after": sent - began,
                          "inner": self.last[0] - sent, "outer": self.last[1] - began,
                          "bytes": (len(data), len(got))})
        return int(head[9:12]), got


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def all_of(traces, n):
    """{backend: records} once each has n, and nothing more comes."""
    for t in traces.values():
        t.wait_for(n, timeout=8, exact=False)
    time.sleep(0.7 * SLOW)  # the sweep comes by once more
    return {b: t.exchanges() for b, t in traces.items()}


def assert_same(told):
    """Returns the pairs."""
    different = records.differences(told)
    assert not different, "\n".join(different)
    found = records.pairs(told)
    for field in ("duration_ns", "ttfb_ns"):
        apart = sorted(records.spread(p, field) for p in found)
        assert apart[len(apart) // 2] < USUAL_NS and apart[-1] < PREEMPTED_NS, (field, apart)
    return found


def wall_ns(text):
    """A record's time, which ends in nanoseconds and Z."""
    whole, _, part = text.rstrip("Z").partition(".")
    return int(time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone) * 10**9 + int(
        part
    )


def shapes(client, path_of_big="/big"):
    """Requests that nginx answers in as many ways; returns how many there were."""
    asked = 0
    for method, path, body, headers, status in (
        ("GET", "/empty", b"", "", 200),
        ("GET", "/small", b"", "", 200),
        ("HEAD", "/small", b"", "", 200),
        ("GET", "/none", b"", "", 404),
        ("POST", "/empty", b"b" * 10_000, "", 200),
        ("GET", "/chunked/big", b"", "Accept-Encoding: gzip\r\n", 200),
        ("GET", path_of_big, b"", "", 200),  # by sendfile
        ("GET", path_of_big, b"", "Range: bytes=10-19\r\n", 206),
        ("GET", "/empty", b"", "Connection: close\r\n", 200),
    ):
        assert client.ask(method, path, body, headers)[0] == status
        asked += 1
    return asked


def test_nginx(netns, traces, tmp_path):
    nginx = load.Nginx(netns, tmp_path, extra=CHUNKED.format(dir=tmp_path))
    (nginx.www / "small").write_bytes(b"s" * 500)
    (nginx.www / "big").write_bytes(os.urandom(BIG))
    with open(nginx.www / "huge", "wb") as f:
        f.truncate(HUGE)
    netns.server("httpd.py", 8001)
    unix = netns.socket(socket.AF_UNIX)
    unix.settimeout(10)
    unix.connect(str(tmp_path / "http.sock"))
    clients = [Client(netns.connect(8080)) for _ in range(3)] + [Client(unix)]
    requests = sum(shapes(c) for c in clients)
    for c in clients:
        c.sock.close()

    at = "http://127.0.0.1:8080"
    for args in (
        [f"{at}/empty", "-o", "/dev/null", f"{at}/big"],  # two on one connection
        ["-I", f"{at}/small"],
        ["--data-binary", f"@{nginx.www}/small", f"{at}/upload"],  # goes through the proxy
        ["--unix-socket", tmp_path / "http.sock", f"{at}/none"],
    ):
        netns.run([need("curl"), "-sS", "-o", "/dev/null", *args])
    requests += 6  # of them one by nginx itself

    # Reset while nginx waits for room to answer; and while it waits for the body.
    for head in ("GET /huge HTTP/1.1\r\n", "POST /upload HTTP/1.1\r\nContent-Length: 9\r\n"):
        sock = netns.connect(8080)
        sock.send(f"{head}Host: a\r\n\r\n".encode())
        if "huge" in head:
            sock.recv(100)
        time.sleep(0.2)
        reset(sock)
        requests += 1

    told = all_of(traces, 2 * requests)
    assert all(len(x) == 2 * requests for x in told.values()), {b: len(x) for b, x in told.items()}
    found = assert_same(told)

    # Against this client's own clocks there is no tolerance to choose.
    measured = 0
    for c in clients:
        for x in c.told:
            measured += 1
            for b in BACKENDS:
                fits = [
                    p[b] for p in found
                    if p[b]["role"] == "client" and p[b]["path"] == x["path"]
                    and p[b]["pid"] == os.getpid()
                    and (p[b]["request_bytes"], p[b]["response_bytes"]) == x["bytes"]
                    and x["inner"] <= p[b]["duration_ns"] <= x["outer"]
                    and -CLOCKS_NS <= wall_ns(p[b]["time"]) - x["wall"]
                    <= x["sent_after"] + CLOCKS_NS
                ]  # fmt: skip
                assert len(fits) == 1, (b, x, [p[b] for p in found if p[b]["path"] == x["path"]])
    assert measured == 36


def test_reset_inside_a_sendfile(netns, traces, tmp_path):
    """What the call's end tells is too late for a connection that ended before: `syscall` knows
    of such an answer what earlier calls moved. The others know each piece but the last."""
    body, log = tmp_path / "body", tmp_path / "log"
    with open(body, "wb") as f:
        f.truncate(64 << 20)
    server = netns.server("sendfile.py", "--log", log, "--file", body, 8000)
    sock = netns.connect(8000)
    sock.send(b"GET /body HTTP/1.1\r\nHost: a\r\n\r\n")
    assert sock.recv(15) == b"HTTP/1.1 200 OK"

    def waits():
        with open(f"/proc/{server.pid}/syscall", encoding="ascii") as f:
            return f.read().split()[0] == SENDFILE

    wait_until(waits, 5, "the server waiting inside sendfile")
    time.sleep(0.3)
    reset(sock)
    (served,) = load.wait_server_log(log, 1)
    assert 0 < served["sent"] < 64 << 20
    told = all_of(traces, 2)
    assert not records.differences({b: told[b] for b in HOOKED})
    same = {b: [{**r, "response_bytes": 0} for r in x] for b, x in told.items()}
    assert not records.differences(same)
    for b in BACKENDS:
        (one,) = [r for r in told[b] if r["role"] == "server"]
        assert (one["status"], one["error"]) == (200, "connection_reset"), one
        if b in AT_END:
            assert one["response_bytes"] == served["head"]
        else:
            whole = served["head"] + served["sent"]
            assert whole - PIECE <= one["response_bytes"] <= whole
