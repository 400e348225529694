# SPDX-License-Identifier: Apache-2.0
"""The program under test: `redtap run` as class Redtap, `redtap trace` as class Trace."""

import json
import os
import re
import signal
import time
import urllib.error
import urllib.request

import pytest

from .metrics import Metrics
from .procs import Process, run
from .util import ROOT_DIR, SLOW, bpf_objects, wait_until

# How log lines of level error look, as text and as JSON; and a sanitizer's words.
_ERROR = re.compile(
    r'redtap: error: |"level":"error"|AddressSanitizer|LeakSanitizer|runtime error:'
)
# Exit statuses of a program that a signal of its own ended, also behind a shell.
_CRASHES = {
    x
    for n in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE)
    for x in (-n, 128 + n)
}
TRACE_KEYS = [
    "time", "service", "pid", "executable", "role", "protocol", "method", "path", "route",
    "status", "error", "ttfb_ns", "duration_ns", "request_bytes", "response_bytes",
    "local_port", "peer_address", "peer_port",
]  # fmt: skip
READY_LINE = "capturing with backend"


def binary():
    """The program under test: $RT_E2E_BIN or build/redtap; absence fails the test."""
    path = os.environ.get("RT_E2E_BIN") or str(ROOT_DIR / "build" / "redtap")
    if not os.access(path, os.X_OK):
        pytest.fail(f"{path} is missing: run make first", pytrace=False)
    return path


def clean_env(extra=None):
    """This environment without the variables that configure redtap, plus `extra`."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("REDTAP_", "OTEL_"))}
    env.update(extra or {})
    return env


def redtap_cli(*args, timeout=15.0, check=False, env=None, **kw):
    """Runs a redtap command line to its end; returns a CompletedProcess."""
    return run([binary(), *map(str, args)], timeout, check, env=clean_env(env), **kw)


def scope_flags(netns):
    """--netns flags for a Netns, a list of them, or None for none."""
    if netns is None:
        return []
    spaces = netns if isinstance(netns, (list, tuple)) else [netns]
    return [arg for n in spaces for arg in ("--netns", n.path)]


class _Agent(Process):
    """What run and trace share."""

    def assert_no_errors(self):
        bad = [line for line in self.stderr if _ERROR.search(line)]
        assert not bad, f"errors on stderr: {bad}"

    def assert_no_crash(self):
        """Of one that ended: by itself or by a signal that a test sends."""
        status = self.wait(1)
        assert status not in _CRASHES, f"ended by a crash: {self.output()}"
        bad = [x for x in self.stderr if "Sanitizer:" in x or "runtime error:" in x]
        assert not bad, f"errors on stderr: {bad}"

    def traced(self):
        """Whether a debugger is attached to it."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as f:
            return "TracerPid:\t0\n" not in f.read()

    def bpf_objects(self):
        """Ids of the programs, maps and links this process holds."""
        return bpf_objects(self.pid)

    def stop(self):
        """SIGTERM; asserts exit status 0 within 10 s and no error line."""
        if self.alive():
            self.signal(signal.SIGTERM)
        status = self.wait(10)
        assert status == 0, f"exit status {status}: {self.output()}"
        self.assert_no_errors()


class Redtap(_Agent):
    """`redtap run`, scoped to `netns` (a Netns, a list, or None).

    wait_ready(): it said which backend captures, and /readyz answers 200."""

    def __init__(self, netns, backend, *extra, env=None, wrap=()):
        self._port = None
        self.backend = backend
        argv = [*wrap, binary(), "run", *scope_flags(netns)]
        argv += ["--listen", "127.0.0.1:0"]
        if backend:
            argv += ["--backend", backend]
        super().__init__([*argv, *map(str, extra)], name="redtap", env=clean_env(env))

    @property
    def port(self):
        """The kernel's choice, told when it captures."""
        if not self._port:
            line = self.wait_line(READY_LINE, 10, "stderr")
            self._port = int(re.search(r"metrics at port (\d+)", line)[1])
        return self._port

    def wait_ready(self):
        self.wait_line(READY_LINE, 10, "stderr")
        wait_until(self._ready, 10, lambda: f"/readyz is not 200: {self.output()}")

    def _ready(self):
        if not self.alive():
            pytest.fail(f"ended while starting: {self.output()}")
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False

    def get(self, path, headers=None, timeout=10.0):
        """(status, headers, body bytes) of redtap's own page."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", headers=headers or {}
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout * SLOW) as reply:
                return reply.status, reply.headers, reply.read()
        except urllib.error.HTTPError as e:
            return e.code, e.headers, e.read()

    def metrics(self):
        """The page /metrics, parsed."""
        status, _, body = self.get("/metrics")
        assert status == 200, body
        return Metrics(body.decode())

    def wait_metrics(self, check, timeout=4.0, what="metrics"):
        """Scrapes until check(metrics) is true; returns those metrics."""
        last = []

        def once():
            last[:] = [self.metrics()]
            return check(last[0])

        def text():
            lines = [
                x
                for x in last[0].text.splitlines()
                if "_count" in x or x.startswith(("redtap_exch", "redtap_rec"))
            ]
            return f"{what}\n" + "\n".join(lines)

        wait_until(once, timeout, text, step=0.05)
        return last[0]

    def settle(self, timeout=8.0):
        """Waits until nothing is in flight and the counters stand still; returns the metrics."""
        deadline = time.monotonic() + timeout * SLOW
        before = None
        while True:
            now = self.metrics()
            parts = now.conservation()
            rest = parts["finished"] + parts["aborted"] + parts["evicted"] + parts["in_flight"]
            if parts == before and parts["in_flight"] == 0 and rest == parts["started"]:
                return now
            if time.monotonic() > deadline:
                pytest.fail(f"not at rest after {timeout * SLOW:g} s: {parts}")
            before = parts
            time.sleep(0.3)


class Trace(_Agent):
    """`redtap trace --format json`, scoped; collects exchanges as dicts.

    A dict has the keys of TRACE_KEYS; `received` is added: time.monotonic() at
    which the line came."""

    def __init__(self, netns, backend, *extra, env=None):
        self._exchanges = []
        argv = [binary(), "trace", "--format", "json", *scope_flags(netns)]
        if backend:
            argv += ["--backend", backend]
        super().__init__([*argv, *map(str, extra)], name="redtap-trace", env=clean_env(env))

    def wait_ready(self):
        self.wait_line(READY_LINE, 10, "stderr")

    def on_line(self, lines, line):
        if lines is self.stdout and line:
            exchange = json.loads(line)
            exchange["received"] = time.monotonic()
            self._exchanges.append(exchange)

    def exchanges(self, predicate=None, **fields):
        """Those seen so far that fit: trace.exchanges(role="server", path="/x")."""
        with self._changed:
            found = list(self._exchanges)
        for key, want in fields.items():
            found = [x for x in found if x.get(key) == want]
        return [x for x in found if predicate is None or predicate(x)]

    def wait_for(self, n=1, timeout=6.0, predicate=None, exact=True, **fields):
        """Waits until at least n exchanges fit; with `exact`, fails when there are more."""
        wait_until(
            lambda: len(self.exchanges(predicate, **fields)) >= n,
            timeout,
            lambda: f"{n} exchanges with {fields}, have: {self.describe()}",
        )
        found = self.exchanges(predicate, **fields)
        if exact:
            assert len(found) == n, f"{len(found)} instead of {n}: {self.describe()}"
        return found

    def describe(self):
        keys = ("service", "role", "method", "path", "status", "error", "duration_ns")
        lines = [" ".join(f"{k}={x.get(k)}" for k in keys) for x in self.exchanges()[-30:]]
        return f"{len(self.exchanges())} in all\n" + "\n".join(lines) + "\n" + self.output()[:2000]
