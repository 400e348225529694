# SPDX-License-Identifier: Apache-2.0
"""What `redtap trace` prints, and to whom: its two formats, hostile bytes, a reader
that stops reading, one that is gone, a full disk."""

import fcntl
import json
import os
import pathlib
import pty
import re
import signal
import struct
import subprocess
import termios
import time

import pytest

from lib.agent import READY_LINE, TRACE_KEYS, binary, clean_env
from lib.procs import Process, run
from lib.util import ROOT_DIR, SLOW, need, wait_until

F_SETPIPE_SZ = 1031
PIPE_BYTES = 4096

TEXT_LINE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z) "
    r"(?P<service>[^ ]+)\[(?P<pid>\d+)\] (?P<role>server|client) (?P<protocol>[^ ]+) "
    r"(?P<method>[^ ]+) (?P<path>[^ ]+) route=(?P<route>[^ ]+) status=(?P<status>\d+) "
    r"error=(?P<error>[^ ]+) ttfb=(?P<ttfb>\d+\.\d{3})ms duration=(?P<duration>\d+\.\d{3})ms "
    r"in=(?P<request_bytes>\d+) out=(?P<response_bytes>\d+) "
    r"peer=(?P<peer_address>[\d.]+|\[[\da-f:.]+\]):(?P<peer_port>\d+)"
)


@pytest.fixture
def text_trace(netns, backend, procs):
    """`redtap trace` in its default format; the lines are in .stdout."""
    argv = [binary(), "trace", "--netns", netns.path, "--backend", backend]
    tracer = procs.add(Process(argv, name="redtap-trace", env=clean_env()))
    tracer.wait_line(READY_LINE, 10, "stderr")
    return tracer


def ask(netns, path="/status/200", n=1):
    conn = netns.http(8000)
    for _ in range(n):
        conn.request("GET", path)
        conn.getresponse().read()
    conn.close()


def send_raw(netns, head):
    """One request as it stands; returns once the server has closed, or answered."""
    with netns.connect(8000) as sock:
        sock.sendall(head)
        while sock.recv(65536):
            pass


def test_json_keys_are_told():
    """The README has them, in their order."""
    rows = re.findall(r"^\| (`.*?) \|", (ROOT_DIR / "user/cli/README.md").read_text(), re.M)
    keys = [key for row in rows for key in re.findall(r"`(\w+)`", row)]
    assert keys[keys.index("time") :] == TRACE_KEYS


def test_json_keys(netns, trace):
    """Exactly these keys, in this order, each time."""
    netns.server("httpd.py", 8000)
    tracer = trace()
    ask(netns, n=2)
    tracer.wait_for(2, role="server")
    tracer.wait_for(2, role="client")
    for line in tracer.stdout:
        pairs = json.loads(line, object_pairs_hook=list)
        assert [k for k, _ in pairs] == TRACE_KEYS
        for key, value in pairs:
            text = ("time", "service", "executable", "role", "protocol", "method", "path",
                    "route", "error", "peer_address")  # fmt: skip
            assert type(value) is (str if key in text else int), (key, value)


def test_text_line(netns, text_trace):
    server = netns.server("httpd.py", 8000)
    ask(netns, "/status/503?x=y")
    wait_until(lambda: len(text_trace.stdout) >= 2, 5, text_trace.output)
    found = [TEXT_LINE.fullmatch(line) for line in text_trace.stdout]
    assert len(found) == 2 and all(found), text_trace.output()
    one = next(m for m in found if m["role"] == "server")
    assert (one["service"], int(one["pid"])) == ("httpd", server.pid)
    assert (one["method"], one["path"], one["route"]) == ("GET", "/status/503", "/status/{id}")
    assert (one["status"], one["error"], one["peer_address"]) == ("503", "503", "127.0.0.1")
    assert 0 < float(one["ttfb"]) <= float(one["duration"]) < 5000


def test_text_line_ipv6(netns, text_trace):
    """The port stands apart from the address: ::1:8000 is an address, too."""
    netns.server("httpd.py", 8000, "--host", "::1")
    conn = netns.http(8000, host="::1")
    conn.request("GET", "/status/200")
    conn.getresponse().read()
    own_port = conn.sock.getsockname()[1]
    conn.close()
    wait_until(lambda: len(text_trace.stdout) >= 2, 5, text_trace.output)
    peers = {x.split(" peer=")[1] for x in text_trace.stdout}
    assert peers == {"[::1]:8000", f"[::1]:{own_port}"}


# What may not reach a terminal raw: CSI as one byte and as UTF-8; and ESC, BEL, DEL,
# which no request line may hold, so that redtap need not take it for one.
HIGH = b"/high\x9b2J\xc2\x9b2J/\xc3\xa9"
LOW = b"/low\x1b[31m\x07\x7f"


def test_hostile_bytes(netns, text_trace, trace):
    netns.server("httpd.py", 8000)
    tracer = trace()
    for path in (HIGH, LOW):
        send_raw(netns, b"GET " + path + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    ask(netns, "/after")
    wait_until(lambda: "/after" in "".join(text_trace.stdout), 5, text_trace.output)
    tracer.wait_for(1, role="server", path="/after")
    out = "".join(text_trace.stdout)
    assert not re.search("[\x00-\x1f\x7f-\x9f]", out), repr(out)
    assert not re.search("[\x00-\x1f]", "".join(tracer.stdout))
    found = [TEXT_LINE.fullmatch(x) for x in text_trace.stdout]
    assert all(found), text_trace.output()
    paths = {m["path"] for m in found}
    # Process shows a raw byte that is no UTF-8 in the same way: the next one tells.
    assert r"/high\x9b2J\xc2\x9b2J/é" in paths, paths
    assert [x for x in paths if x.startswith("/low")] in ([], [r"/low\x1b[31m\x07\x7f"]), paths


def waiting(pipe):
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0\0\0\0"))[0]


def wait_stuck(netns, child):
    """Traffic until the pipe is full: what is in it no longer changes."""
    seen = []

    def stuck():
        ask(netns, n=50)
        seen.append(waiting(child.stdout))
        return len(seen) > 4 and seen[-1] > 0 and len(set(seen[-3:])) == 1

    wait_until(stuck, 10, lambda: f"a full pipe: {seen}", step=0.25)


def unread_trace(netns, backend, procs, log):
    """A trace whose standard output is a small pipe that nobody reads."""
    argv = [binary(), "trace", "--netns", netns.path, "--backend", backend]
    with open(log, "wb") as err:
        child = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=err, env=clean_env(), start_new_session=True
        )
    fcntl.fcntl(child.stdout, F_SETPIPE_SZ, PIPE_BYTES)
    wait_until(lambda: READY_LINE in log.read_text(), 10, log.read_text)
    return child


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_ends_though_nobody_reads(netns, backend, procs, tmp_path, how):
    netns.server("httpd.py", 8000)
    log = tmp_path / "stderr"
    child = unread_trace(netns, backend, procs, log)
    try:
        wait_stuck(netns, child)
        began = time.monotonic()
        child.send_signal(how)
        assert child.wait(2 * SLOW) == 0
        assert time.monotonic() - began < 2 * SLOW
        # what did come out are whole lines
        out = child.stdout.read().decode()
        assert out.endswith("\n") and all(TEXT_LINE.fullmatch(x) for x in out.splitlines()), out
        assert "error" not in log.read_text()
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        child.stdout.close()


def test_ends_though_its_terminal_is_not_read(netns, backend, tmp_path):
    """A terminal has room for a byte, and so says that it is writable, for a long time."""
    netns.server("httpd.py", 8000)
    log = tmp_path / "stderr"
    master, slave = pty.openpty()
    with open(log, "wb") as err:
        child = subprocess.Popen(
            [binary(), "trace", "--netns", netns.path, "--backend", backend],
            stdout=slave, stderr=err, env=clean_env(), start_new_session=True,
        )
    os.close(slave)
    try:
        wait_until(lambda: READY_LINE in log.read_text(), 10, log.read_text)
        # a terminal holds some 20 KB, and a request is 200 bytes of text at both ends
        for _ in range(5):
            ask(netns, n=100)
            time.sleep(0.2)
        child.send_signal(signal.SIGTERM)
        assert child.wait(2 * SLOW) == 0
        assert "error" not in log.read_text()
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        os.close(master)


def test_goes_on_when_the_reader_does(netns, backend, procs, tmp_path):
    """A pause of the reader loses nothing that the ring can hold."""
    netns.server("httpd.py", 8000)
    child = unread_trace(netns, backend, procs, tmp_path / "stderr")
    try:
        wait_stuck(netns, child)
        ask(netns, "/last", n=10)
        served = asked = 0
        while served < 10 or asked < 10:
            line = child.stdout.readline().decode()
            assert TEXT_LINE.fullmatch(line.rstrip("\n")), line
            served += " server " in line and " /last " in line
            asked += " client " in line and " /last " in line
        child.send_signal(signal.SIGTERM)
        assert child.wait(2 * SLOW) == 0
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        child.stdout.close()


@pytest.mark.parametrize("where, why", [
    ("> /dev/full", "No space left"),
    (">&-", "Bad file descriptor"),  # closed: not what redtap opens next in its place
])  # fmt: skip
def test_full_disk(netns, backend, procs, where, why):
    """What was not written is said, in one sentence, and is a failure."""
    netns.server("httpd.py", 8000)
    script = f"exec {binary()} trace --netns {netns.path} --backend {backend} {where}"
    tracer = procs.start([need("sh"), "-c", script], env=clean_env())
    tracer.wait_line(READY_LINE, 10, "stderr")
    ask(netns)
    assert tracer.wait(5) == 1, tracer.output()
    errors = [x for x in tracer.stderr if "error" in x]
    assert len(errors) == 1 and why in errors[0], tracer.output()


def test_options_of_run(netns, trace, tmp_path):
    """A file serves `run` as well: what of it means nothing here has no effect, and a flag is
    told so. The kernel's statistics would slow every BPF program of the host."""
    config = tmp_path / "redtap.yaml"
    config.write_text("self:\n  bpf_stats: true\nmetrics:\n  ttl: 2h\n")
    tracer = trace("--config", config, "--samples-log", "--exe", "*")
    fds = pathlib.Path(f"/proc/{tracer.pid}/fd")
    open_files = [os.readlink(fds / fd) for fd in os.listdir(fds)]
    assert any("bpf-map" in name for name in open_files), open_files
    assert not [name for name in open_files if "stats" in name]
    warnings = [x for x in tracer.stderr if "in a trace" in x]
    assert warnings == ["redtap: warning: --samples-log does nothing in a trace"]


def test_hangup_ends_a_trace(netns, text_trace):
    """A terminal that goes away takes its trace along; only `run` reloads."""
    text_trace.signal(signal.SIGHUP)
    assert text_trace.wait(3) in (0, -signal.SIGHUP)
    left = run([need("ip"), "netns", "pids", netns.name]).stdout.split()
    assert str(text_trace.pid) not in left
