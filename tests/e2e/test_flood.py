# SPDX-License-Identifier: Apache-2.0
"""More distinct paths than anyone can name, and a ring that cannot take their records: no
request is missing from its service's counts, whatever happened to its record."""

import signal
import threading
import time

import pytest
from lib import load

pytestmark = pytest.mark.alone

# When wrk stops, each ends as one that only its record tells of, on both sides: as many as
# the part of the ring takes that is kept for such (64 KB / 4).
CONNECTIONS = 16

# Each path once; one in ten does not exist. A thread's own paths: wrk's threads share nothing.
PATHS = """\
local threads = 0
function setup(thread) thread:set("id", threads); threads = threads + 1 end
local n = 0
function request()
    n = n + 1
    return wrk.format("GET", (n % 10 == 0 and "/none/" or "/empty/") .. id .. "x" .. n)
end
"""


def flood(netns, tmp_path, redtap, *args, seconds=4, pause=0):
    """pause: for so many seconds, from the second second on, the agent is stopped."""
    nginx = load.Nginx(netns, tmp_path, workers=2, log_format="line")
    script = tmp_path / "paths.lua"
    script.write_text(PATHS)
    agent = redtap(*args)
    if pause:
        threading.Timer(1, agent.signal, [signal.SIGSTOP]).start()
        threading.Timer(1 + pause, agent.signal, [signal.SIGCONT]).start()
    result = load.wrk(
        netns, "http://127.0.0.1:8080", connections=CONNECTIONS, seconds=seconds, script=script
    )
    assert 0 < result["errors"] < result["requests"]
    return nginx.lines(), agent.settle(), result


def check(logged, m, result):
    """Against nginx's log, by status; against wrk's own count. A reset at wrk's stop may take
    the status of an answer that was never delivered (test_counts.py)."""
    nginx = {"process_executable_name": "nginx"}
    assert m.server_count(**nginx) == sum(logged.values()), logged
    for status in (200, 404):
        served = m.server_count(**nginx, http_response_status_code=str(status))
        assert logged[status] - CONNECTIONS <= served <= logged[status]
    wrk = {"process_executable_name": "wrk"}
    for got, truth in (
        (m.client_count(**wrk, http_response_status_code="404"), result["errors"]),
        (m.client_count(**wrk), result["requests"]),
    ):
        assert 0 <= got - truth <= CONNECTIONS, result["text"]
    parts = m.conservation()
    over = parts["finished"] + parts["aborted"] + parts["evicted"]
    assert parts["started"] == over + parts["in_flight"], parts


def test_a_ring_that_overflows(netns, redtap, tmp_path):
    """64 KB of ring: records are lost and counted as lost; the requests stay in the totals of
    their service, method and status, under no route."""
    logged, m, result = flood(netns, tmp_path, redtap, "--ring-size", "65536", pause=0.3)
    assert m.lost() > 100
    nowhere = m.server_count(process_executable_name="nginx", http_route=None)
    assert nowhere > 50
    assert m.conservation()["evicted"] == 0
    check(logged, m, result)


def test_a_ring_that_holds(netns, redtap, tmp_path):
    """The same with the ring as it is by default: every request has its route."""
    logged, m, result = flood(netns, tmp_path, redtap, seconds=2)
    assert m.losses() == {}
    assert m.server_count(process_executable_name="nginx", http_route=None) == 0
    check(logged, m, result)


def test_gone_before_it_was_told_of(netns, redtap, tmp_path):
    """A client that runs and ends while the ring is full: nothing says whose its requests
    were, so they are told as evicted, and all others are counted as ever."""
    nginx = load.Nginx(netns, tmp_path, workers=1, log_format="line")
    agent = redtap("--ring-size", "65536")
    conn = netns.http(8080)

    def ask(names):
        for name in names:
            conn.request("GET", f"/empty/{name}")
            assert conn.getresponse().read() == b"ok"

    ask(["first"] * 3)
    time.sleep(1)  # the kernel has been given slots to give away
    agent.signal(signal.SIGSTOP)
    ask(f"x{i}y" for i in range(1000))  # some 500 KB of records
    load.ab(netns, "http://127.0.0.1:8080/empty", requests=500, concurrency=1, keepalive=True)
    agent.signal(signal.SIGCONT)
    ask(["last"] * 3)
    logged = sum(nginx.lines().values())
    assert logged == 3 + 1000 + 500 + 3

    def over(m):
        parts = m.conservation()
        return parts["started"] == 2 * logged and parts["evicted"] >= 499

    m = agent.wait_metrics(over, 10, "the requests of ab")
    assert m.lost() > 500
    assert m.server_count() == logged
    assert m.client_count() <= logged - 499
    assert m.client_count(process_executable_name="ab") <= 1
    parts = m.conservation()
    rest = parts["finished"] + parts["aborted"] + parts["evicted"] + parts["in_flight"]
    assert parts["started"] == rest, parts
