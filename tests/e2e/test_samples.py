# SPDX-License-Identifier: Apache-2.0
"""`redtap run --samples-log`: some requests, told one by one beside being counted. Which ones
must be and how many may be follows from the load and from the servers' own measurements."""

import collections
import json
import os
import signal
import time

import pytest

from lib import load
from lib.agent import TRACE_KEYS
from lib.util import wait_until

URL = "http://127.0.0.1:8080/empty"
MS = 1_000_000
EVERY = "1000000"  # a rate that nothing here reaches


def sampler(redtap, rate="0", slow_rate="0", failed_rate="0", slow="0", extra=(), **kw):
    """An agent that tells of what it is asked for and of nothing else."""
    flags = ["--samples-log", "--samples-rate", rate, "--samples-slow-rate", slow_rate]
    flags += ["--samples-failed-rate", failed_rate, "--samples-slow", slow]
    return redtap(*flags, *extra, **kw)


def told(agent, role="server"):
    lines = [json.loads(line) for line in agent.stdout if line]
    assert all(list(x) == TRACE_KEYS for x in lines)
    return [x for x in lines if x["role"] == role]


def assert_told(agent, m):
    """Each sample that is counted is a line, where somebody reads them."""
    want = m.sum("redtap_samples_total")
    both = lambda: len(told(agent)) + len(told(agent, "client"))  # noqa: E731
    wait_until(lambda: both() >= want, 3, lambda: f"{both()} lines of {want} samples")
    assert both() == want


def second(x):
    """When it began: a time of day in seconds."""
    h, m, s = x["time"][11:29].split(":")
    return int(h) * 3600 + int(m) * 60 + float(s)


def test_rate(netns, redtap, tmp_path):
    """Of a hundred thousand requests on one path, five a second and side, all through the
    run; and all are counted as ever."""
    nginx = load.Nginx(netns, tmp_path, log_format="line")
    agent = sampler(redtap, rate="5")
    result = load.wrk(netns, URL, connections=16, seconds=3)
    m = agent.settle()
    m.assert_conserved()
    assert m.losses() == {}
    assert m.server_count() == sum(nginx.lines().values())
    assert m.sum("redtap_records_total") < result["requests"] / 4
    assert m.sum("redtap_samples_total", reason="rate") > 0
    assert m.sum("redtap_samples_total") == m.sum("redtap_samples_total", reason="rate")
    assert_told(agent, m)
    for role, executable in (("server", "nginx"), ("client", "wrk")):
        lines = told(agent, role)
        # a second's worth at once, and what two processors take at the same moment
        assert 3 * 5 - 5 <= len(lines) <= 3 * 5 + 5 + 5
        assert {x["executable"] for x in lines} == {executable}
        assert {(x["path"], x["route"]) for x in lines} == {("/empty", "/empty")}
        times = sorted(map(second, lines))
        assert times[-1] - times[0] > 2
        # wrk ends in the middle of what it asked last, and such a one may be among those of the
        # rate: it ends when wrk does. Without an answer, or, at the server, with one that a
        # connection which wrk has closed refuses by a reset.
        cut = [x for x in lines if x["error"]]
        refused = ("server", 200, "connection_reset")
        for x in cut:
            assert second(x) + x["duration_ns"] / 1e9 > times[-1] - 0.2, x
            assert x["status"] == 0 or (role, x["status"], x["error"]) == refused, x
        whole = [x for x in lines if not x["error"]]
        assert {x["status"] for x in whole} == {200}
        assert all(0 < x["ttfb_ns"] <= x["duration_ns"] < 10_000 * MS for x in whole)


def ask(conn, path, n):
    for _ in range(n):
        conn.request("GET", path)
        conn.getresponse().read()


def wait_lines(agent, role, n):
    wait_until(lambda: len(told(agent, role)) >= n, 3, lambda: f"{role}: {len(told(agent, role))}")
    return told(agent, role)


@pytest.mark.parametrize("own", ["0", EVERY])
@pytest.mark.parametrize("memory", ["0", "16M"])
def test_each_once(netns, redtap, tmp_path, memory, own):
    """At rates that nothing reaches: a line for each request and side, whether the kernel
    counted it or it came as a record. Of slow and failed ones also where these have no rate of
    their own: they are some of all."""
    nginx = load.Nginx(netns, tmp_path)
    extra = ["--routes-memory", memory]
    agent = sampler(redtap, rate=EVERY, slow_rate=own, failed_rate=own, slow="1us", extra=extra)
    conn = netns.http(8080)
    for _ in range(2):  # in the second round the paths are known
        ask(conn, "/empty", 300)
        ask(conn, "/none", 300)
        load.ab(netns, URL, requests=500, concurrency=8)
        m = agent.settle()
    m.assert_conserved()
    logged = collections.Counter((x["uri"], x["status"]) for x in nginx.log())
    assert logged == {("/empty", 200): 1600, ("/none", 404): 600}
    for role in ("server", "client"):
        lines = wait_lines(agent, role, sum(logged.values()))
        assert collections.Counter((x["path"], x["status"]) for x in lines) == logged
    by = {x: m.sum("redtap_samples_total", reason=x) for x in ("rate", "slow", "failed")}
    if own == "0":
        assert by == {"rate": 2 * 2200, "slow": 0, "failed": 0}
    else:  # 404: to clients
        assert by == {"rate": 0, "slow": 2 * 2200 - 600, "failed": 600}
    assert m.sum("redtap_samples_thinned_total") == 0


def test_slow_and_failed(netns, redtap, tmp_path):
    """All that took longer than 30 ms by the server's own clock, none that did not by the
    client's; every 503; nothing of the rest."""
    log = tmp_path / "log"
    netns.server("httpd.py", 8000, "--log", log)
    agent = sampler(redtap, slow_rate=EVERY, failed_rate=EVERY, slow="30ms")
    conn = netns.http(8000)
    clients = []
    for i in range(300):
        path = "/sleep/60" if i % 30 == 7 else "/status/503" if i % 50 == 9 else "/sleep/1"
        start = time.monotonic_ns()
        conn.request("GET", path)
        conn.getresponse().read()
        clients.append((path, time.monotonic_ns() - start))
    conn.close()
    servers = load.wait_server_log(log, 300)
    m = agent.settle()
    m.assert_conserved()
    assert m.server_count() == 300
    lines = told(agent)
    assert [x["status"] for x in lines].count(503) == sum(p == "/status/503" for p, _ in clients)
    slow = [x for x in lines if x["status"] == 200]
    surely = [x for x in servers if x["status"] == 200 and x["last"] - x["first"] > 30 * MS]
    # the server's last write may return after the client has read
    perhaps = [p for p, ns in clients if p != "/status/503" and ns > 25 * MS]
    assert len(surely) >= 10
    assert len(surely) <= len(slow) <= len(perhaps)
    assert all(x["duration_ns"] > 30 * MS for x in slow)
    assert m.sum("redtap_samples_total", reason="rate") == 0
    assert_told(agent, m)


@pytest.mark.alone  # what else runs moves the durations
def test_slower_than_99_percent(netns, redtap, tmp_path):
    """Without a threshold: one request in a hundred, once it is found."""
    load.Nginx(netns, tmp_path, log_format="line")
    agent = sampler(redtap, slow_rate=EVERY)
    result = load.wrk(netns, URL, connections=16, seconds=6)
    agent.settle()
    lines = told(agent)
    end = max(map(second, lines))
    late = sum(second(x) > end - 3 for x in lines)
    share = late / (result["requests"] * 3 / result["seconds"])
    assert 0.002 < share < 0.15


def test_slower_than_the_records_before(netns, redtap):
    """Without a threshold, of a service whose requests all come as records: what takes far
    longer than the 500 before it."""
    netns.server("httpd.py", 8000)
    agent = sampler(redtap, slow_rate=EVERY, extra=["--routes-memory", "0"])
    conn = netns.http(8000)
    ask(conn, "/status/200", 500)
    # With these counts the threshold is found.
    agent.wait_metrics(lambda m: min(m.server_count(), m.client_count()) >= 499)
    ask(conn, "/sleep/200", 3)
    conn.close()
    for role in ("server", "client"):
        slow = [x for x in wait_lines(agent, role, 3) if x["duration_ns"] > 200 * MS]
        assert [x["path"] for x in slow] == ["/sleep/200"] * 3


def test_a_full_ring_thins_samples_and_nothing_else(netns, redtap, tmp_path):
    """A ring of 64 KB, every request a sample, and an agent that is held for a while."""
    load.Nginx(netns, tmp_path, log_format="line")
    agent = sampler(redtap, rate=EVERY, extra=["--ring-size", "65536"])
    conn = netns.http(8080)
    for _ in range(3):  # the path is learned
        ask(conn, "/empty", 20)
        time.sleep(0.2)
    agent.signal(signal.SIGSTOP)
    ask(conn, "/empty", 2000)
    agent.signal(signal.SIGCONT)
    ask(conn, "/empty", 20)
    m = agent.settle()
    m.assert_conserved()
    assert m.losses() == {}
    assert m.server_count() == m.client_count() == 2080
    thinned = m.sum("redtap_samples_thinned_total", by="ring_full")
    assert 1000 < thinned < 2 * 2000
    assert m.sum("redtap_samples_total") == 2 * 2080 - thinned
    assert_told(agent, m)


def test_a_reader_that_does_not_read(netns, redtap, tmp_path):
    """stdout is a pipe that is full: lines are dropped and counted, and nothing waits."""
    nginx = load.Nginx(netns, tmp_path, log_format="line")
    os.mkfifo(fifo := tmp_path / "stdout")
    fd = os.open(fifo, os.O_RDWR)
    try:
        wrap = ["sh", "-c", f'exec "$@" >{fifo}', "sh"]
        agent = sampler(redtap, rate=EVERY, wrap=wrap)
        load.wrk(netns, URL, connections=16, seconds=1)
        logged = sum(nginx.lines().values())
        m = agent.settle()
        m.assert_conserved()
        assert m.losses() == {}
        assert m.server_count() == logged
        assert m.sum("redtap_samples_thinned_total", by="slow_reader") > 100
        due = m.sum("redtap_samples_total") + m.sum("redtap_samples_thinned_total", by="ring_full")
        assert due == m.server_count() + m.client_count()
        # What it did take is whole lines.
        lines = os.read(fd, 1 << 20).decode()
        assert all(list(json.loads(x)) == TRACE_KEYS for x in lines.split("\n")[:-1])
    finally:
        os.close(fd)


def test_few_requests_are_counted_too(netns, redtap, tmp_path):
    """Those of which the kernel has no rule yet come as records, and are samples as well."""
    load.Nginx(netns, tmp_path)
    agent = sampler(redtap, rate=EVERY)
    for _ in range(4):
        load.curl(netns, URL)
    m = agent.settle()
    assert m.sum("redtap_samples_total") == m.sum("redtap_samples_total", reason="rate") == 8
    assert_told(agent, m)


def test_off_by_default(netns, redtap, tmp_path):
    load.Nginx(netns, tmp_path, log_format="line")
    agent = redtap()
    load.wrk(netns, URL, connections=16, seconds=1)
    m = agent.settle()
    assert m.sum("redtap_samples_total") == 0
    assert not [line for line in agent.stdout if line]


def test_a_rate_without_the_log(netns, redtap):
    """It is easy to forget --samples-log, and then nothing would come, and nothing be said."""
    agent = redtap("--samples-failed-rate", "5", "--samples-slow=1s")
    assert [x for x in agent.stderr if "samples" in x] == [
        f"redtap: warning: --samples-{x} does nothing without --samples-log"
        for x in ("failed-rate", "slow")
    ]
    agent = redtap("--samples-log", "--samples-slow=1s")
    assert not [x for x in agent.stderr if "samples" in x]
