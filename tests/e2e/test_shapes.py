# SPDX-License-Identifier: Apache-2.0
"""HTTP in all its shapes, seen from both ends, on three backends.

shapes/player.py plays every script of shapes/ once per backend, under
one `redtap trace` and one `redtap run`; each test then judges one shape by the
records that belong to its port. What is expected comes from the script alone."""

import json
import pathlib
import subprocess
import sys
import time

import pytest

from conftest import BACKENDS
from lib.agent import Redtap, Trace
from lib.netns import Netns
from lib.procs import Procs
from lib.util import SLOW, wait_until

FOLDER = pathlib.Path(__file__).resolve().parent / "shapes"
sys.path.insert(0, str(FOLDER))
from script import SHAPES  # noqa: E402

import shapes, proxy_header, corners, uploads, talks, ends  # noqa: E401, E402, F401 (they fill the table)

ROLES = {"server": "local_port", "client": "peer_port"}
LATEST = 2.5  # s from the last byte of a silent connection to its line: 2, and the pipe
PATH_CUT_MIN = 400  # bytes of a long path that a record must have at least


class Played:
    """One run of the player under both agents."""

    def __init__(self, backend, *flags):
        self.backend, self.flags = backend, flags
        procs = Procs()
        netns = Netns(procs)
        try:
            self._play(procs, netns)
        finally:
            procs.close()
            netns.close()

    def _play(self, procs, netns):
        trace = procs.add(Trace(netns, self.backend, *self.flags))
        agent = procs.add(Redtap(netns, self.backend, *self.flags))
        trace.wait_ready()
        agent.wait_ready()
        argv = [sys.executable, "-u", FOLDER / "player.py"]
        player = netns.popen(argv, name="player.py", stdin=subprocess.PIPE)
        self.pid = player.pid
        player.wait_line("played", 60, "stdout")
        self.shapes = {}
        for line in player.stdout:
            if line.startswith("{"):
                result = json.loads(line)
                self.shapes[result["name"]] = result
        # all that will come while connections are silent has come by then
        time.sleep(LATEST * SLOW)
        player.popen.stdin.write(b"\n")
        player.popen.stdin.close()
        self.released = time.monotonic()
        player.wait_line("closed", 10, "stdout")
        assert player.wait(10) == 0
        self.metrics = agent.settle()
        wanted = 2 * sum(len(s.get("expected", ())) for s in self.shapes.values())
        try:
            wait_until(lambda: len(trace.exchanges()) >= wanted, 4)
        except pytest.fail.Exception:
            pass  # the shape that lacks one says so
        time.sleep(0.3)
        self.exchanges = trace.exchanges()
        trace.stop()
        agent.stop()

    def expected(self, name, role):
        """What the script expects of this side."""
        for want in self.shapes[name].get("expected", ()):
            yield {**want, **want.get(role, {})}

    def of(self, name, role):
        port = self.shapes[name]["port"]
        return sorted(
            (x for x in self.exchanges if x["role"] == role and x[ROLES[role]] == port),
            key=lambda x: x["time"],
        )


@pytest.fixture(scope="module", params=[*sorted({*BACKENDS, "event"}), "legacy"])
def played(request):
    """legacy: the object for kernels without atomic instructions."""
    if request.param == "legacy":
        return Played("syscall", "--disable-feature", "atomic")
    return Played(request.param)


def error_type(role, status):
    """error.type of a whole response, by the semantic conventions."""
    return str(status) if status >= (500 if role == "server" else 400) else None


def differences(want, have, role, elapsed_ns):
    """What is wrong with the record `have` of the exchange `want`; a list of words."""
    wrong = []

    def check(key, expected, ok=None):
        if not (ok if ok is not None else have[key] == expected):
            wrong.append(f"{key} is {have[key]!r}, not {expected!r}")

    for key in ("method", "status"):
        check(key, want[key])
    if want.get("path_cut"):
        path = have["path"]
        ok = len(path) >= PATH_CUT_MIN and want["path"].startswith(path)
        check("path", f"a prefix of {want['path'][:20]}...", ok)
    else:
        check("path", want["path"])
    for key in ("request_bytes", "response_bytes"):
        if want[key] is not None:
            check(key, want[key])
    check("protocol", "http")
    check("service", "player")
    error = want.get("error") or error_type(role, want["status"])
    check("error", error, (have["error"] or None) == error)
    shortest = want.get("min_duration_ns", 1)
    longest = want.get("max_duration_ns", elapsed_ns)
    duration = have["duration_ns"]
    check("duration_ns", f"{shortest}..{longest}", shortest <= duration <= longest)
    least = want.get("min_ttfb_ns", 0)
    check("ttfb_ns", f"{least}..{duration}", least <= have["ttfb_ns"] <= duration)
    return wrong


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", [s.name for s in SHAPES])
def test_shape(played, name, role):
    shape = next(s for s in SHAPES if s.name == name)
    result = played.shapes[name]
    assert result["error"] is None, f"the script failed: {result['error']}"
    want, have = list(played.expected(name, role)), played.of(name, role)
    seen = "\n".join(json.dumps(x) for x in have)
    assert len(have) == len(want), f"{len(have)} records, not {len(want)}:\n{seen}"

    def key(x):
        """Of those that ask for the same, the shorter comes first."""
        numbers = x["status"], x["request_bytes"] or 0, x["response_bytes"] or 0
        error = x.get("error") or error_type(role, x["status"]) or ""
        return (x["path"][:PATH_CUT_MIN], x["method"], *numbers, error)

    wrong = [
        f"{w['method']} {w['path'][:60]}: {text}"
        for w, h in zip(sorted(want, key=key), sorted(have, key=key))
        for text in differences(w, h, role, result["elapsed_ns"])
    ]
    assert not wrong, "\n".join([*wrong, seen])
    if shape.hold:
        late = [x for x in have if x["received"] > result["ended"] + LATEST * SLOW]
        assert not late, f"reported {late[0]['received'] - result['ended']:.1f} s after: {late}"


def test_metrics_agree(played):
    """The same exchanges, no more and no less, in /metrics: by method and status."""
    for role in ROLES:
        count = {}
        for name in played.shapes:
            for w in played.expected(name, role):
                method = w["method"] if w["method"] in KNOWN_METHODS else "_OTHER"
                key = (method, str(w["status"]) if w["status"] else None)
                count[key] = count.get(key, 0) + 1
        counter = getattr(played.metrics, f"{role}_count")
        have = {
            (method, status): counter(
                service_name="player",
                http_request_method=method,
                http_response_status_code=status,
            )
            for method, status in count
        }
        assert have == count
        assert counter() == sum(count.values())
    played.metrics.assert_conserved()


KNOWN_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}


def test_nothing_else_was_reported(played):
    """Every record belongs to a shape: no port, path or process of another kind."""
    ports = {r["port"] for r in played.shapes.values()}
    strange = [x for x in played.exchanges if x[ROLES[x["role"]]] not in ports]
    assert not strange, strange
    assert not [x for x in played.exchanges if "never" in x["path"]]
    assert {x["pid"] for x in played.exchanges} == {played.pid}
