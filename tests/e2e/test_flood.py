# SPDX-License-Identifier: Apache-2.0
"""More distinct paths than anyone can name, and a ring that cannot take their records: no
request is missing from its service's counts, whatever happened to its record."""

from lib import load

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


def flood(netns, tmp_path, redtap, *args, seconds=4):
    nginx = load.Nginx(netns, tmp_path, workers=2, log_format="line")
    script = tmp_path / "paths.lua"
    script.write_text(PATHS)
    agent = redtap(*args)
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
    logged, m, result = flood(netns, tmp_path, redtap, "--ring-size", "65536")
    assert m.lost() > 100
    nowhere = m.server_count(process_executable_name="nginx", http_route=None)
    assert nowhere > 50
    assert m.conservation()["evicted"] == 0
    check(logged, m, result)


def test_a_ring_that_holds(netns, redtap, tmp_path):
    """The same with the ring as it is by default: every request has its route."""
    logged, m, result = flood(netns, tmp_path, redtap, seconds=2)
    assert m.lost() == 0
    assert m.server_count(process_executable_name="nginx", http_route=None) == 0
    check(logged, m, result)
