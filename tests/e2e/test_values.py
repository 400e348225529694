# SPDX-License-Identifier: Apache-2.0
"""Paths with values in them (numbers, UUIDs, hex) that never repeat: one rule counts all that
differ in nothing else, so they cost no more than a path that does repeat."""

import random
import uuid

import pytest
from test_inplace import Client, counts, learned, records

from lib import load

pytestmark = pytest.mark.alone

ECHO = 'location / { return 200 "ok"; } location /gone/ { return 404 "no"; }'

# Each path once; numbers, UUIDs and hex.
PATHS = """\
local n = 0
function request()
    n = n + 1
    local path
    if n % 4 == 0 then path = string.format("/gone/%d", n)
    elseif n % 4 == 1 then path = string.format("/users/%d/orders/%d?page=%d", n, n * 7, n)
    elseif n % 4 == 2 then path = string.format("/blobs/f%07x%08x", n, n * 2654435761 % 4294967296)
    else path = string.format("/v1/things/%08x-0000-4000-8000-%012x/parts", n, n)
    end
    return wrk.format("GET", path)
end
"""
ROUTES = {
    "/gone/{id}": 404,
    "/users/{id}/orders/{id}": 200,
    "/blobs/{hex}": 200,
    "/v1/things/{uuid}/parts": 200,
}


def test_values_that_never_repeat(netns, redtap, tmp_path):
    """wrk, 4 s, no path twice: the totals are nginx's, a quarter each, and hardly a record."""
    nginx = load.Nginx(netns, tmp_path, workers=2, log_format="line", extra=ECHO)
    agent = redtap()
    (script := tmp_path / "paths.lua").write_text(PATHS)
    result = load.wrk(
        netns, "http://127.0.0.1:8080", threads=1, connections=32, seconds=4, script=script
    )
    logged = nginx.lines()
    m = agent.settle()
    m.assert_conserved()
    assert m.losses() == {}
    served = {"process_executable_name": "nginx"}
    assert m.server_count(**served) == sum(logged.values())
    for route, status in ROUTES.items():
        n = m.server_count(**served, http_route=route)
        assert n == m.server_count(**served, http_route=route, http_response_status_code=str(status))
        # wrk's one thread asks for the four in turn; what was open at its stop may be any
        assert n == pytest.approx(sum(logged.values()) / 4, abs=32)
    for status in (200, 404):
        assert m.server_count(**served, http_response_status_code=str(status)) == logged[status]
    assert sum(m.server_count(**served, http_route=r) for r in ROUTES) == sum(logged.values())
    # Both sides of each request were in scope.
    assert records(m) < 2 * result["requests"] / 10


def value(rand):
    """A segment that is a value by its form, or only nearly one."""
    n = rand.randrange(10**9)
    text = str(uuid.UUID(int=rand.getrandbits(128), version=4))
    return rand.choice(
        [
            str(n),
            str(n % 10),
            str(n) * 4,  # over 32 bytes, digits all the same
            text,
            text.upper(),
            text.replace("-", ""),
            text.replace("-", "_"),
            text[:-1],
            text + "0",
            text[:9] + text[8:-1],  # a dash too many
            f"{n:08x}",
            f"{n % 0xFFFFFFF:07x}",
            f"a{n:07X}"[:8],
            f"{n}.png",
            f"{n};v=1",
            f"{n}g",
            f"-{n}",
            f"{n}-",
            "",
            "%31",
        ]
    )


def test_any_value_as_by_records(netns, redtap, tmp_path):
    """Whatever form a segment has: the route is the one that a record would have led to."""
    load.Nginx(netns, tmp_path, log_format="line", extra=ECHO)
    agent, by_records = redtap(), redtap("--routes-memory", "0")
    rand = random.Random(5)
    client = Client(netns, 8080)
    for i in range(3000):
        # few shapes: a service has a hundred names, and who is late gets {other}
        path = rand.choice(["/u/{}", "/v/x/{}/?{}", "/w/{}/y"])
        client.get(path.format(value(rand), value(rand)))
        if i % 300 == 0:
            learned()
    client.get("/" + "7" * 300)
    client.get("/u/" + "7/" * 20)
    client.close()
    want, got = by_records.settle(), agent.settle()
    got.assert_conserved()
    assert counts(got) == counts(want)
    assert records(got) < records(want) * 3 / 4


PATTERNS = """\
routes:
  patterns: ['/api/2/{name}', '/api/{version}/{name}', '/year/20{rest}', '/blob/deadbeef']
"""


def test_patterns_that_name_a_value(netns, redtap, tmp_path):
    """A configured route may tell one number from another: then both have their own."""
    load.Nginx(netns, tmp_path, log_format="line", extra=ECHO)
    (config := tmp_path / "redtap.yml").write_text(PATTERNS)
    agent = redtap("--config", config)
    client = Client(netns, 8080)
    for i in range(200):
        for path in (f"/api/{i % 4}/x", f"/year/{2000 + i % 100}", f"/year/1{900 + i % 100}",
                     "/blob/deadbeef", f"/blob/{i:08x}", f"/other/{i}"):  # fmt: skip
            assert client.get(path) == 200
        if i < 20:
            learned()
    client.close()
    m = agent.settle()
    m.assert_conserved()
    digits = sum(f"{i:08x}".isdigit() for i in range(200))
    want = {
        "/api/2/{name}": 50,
        "/api/{version}/{name}": 150,
        "/year/20{rest}": 200,
        "/year/{id}": 200,
        "/blob/deadbeef": 200,
        "/blob/{hex}": 200 - digits,
        "/blob/{id}": digits,
        "/other/{id}": 200,
    }
    for side in (m.server_count, m.client_count):
        assert {r: side(http_route=r) for r in want} == want
