# SPDX-License-Identifier: Apache-2.0
"""Where a kernel or its keepers give less: features forced off one by one, types from a file,
places that are not mounted, capabilities cut down. Exact by the fallback, or one sentence."""

import re
import socket

import pytest

from lib import load
from lib.agent import READY_LINE, Redtap, redtap_cli
from lib.util import ROOT_DIR

REQUESTS, CONNECTIONS = 2000, 16
UNIX = "} server { listen unix:%s/http.sock; location /empty { return 200 ok; }"


@pytest.fixture
def start(netns, procs):
    """start(*flags, wrap=, backend=): `redtap run` on whatever backend it takes, ready."""
    made = []

    def one(*flags, backend=None, **kw):
        made.append(procs.add(Redtap(netns, backend, *flags, **kw)))
        made[-1].wait_ready()
        return made[-1]

    yield one
    for agent in made:
        agent.stop()


@pytest.fixture
def traffic(netns, tmp_path):
    """check(agent): requests by ab through nginx; and on an open TCP and an open Unix
    connection one each, which only the sweep can find. Each must be counted once."""
    nginx = load.Nginx(netns, tmp_path, log_format="line", extra=UNIX % tmp_path)

    def check(agent):
        result = load.ab(netns, "http://127.0.0.1:8080/empty", REQUESTS, CONNECTIONS, True)
        assert result["complete"] == REQUESTS, result["text"]
        unix = netns.socket(socket.AF_UNIX)
        unix.connect(str(tmp_path / "http.sock"))
        conns = [netns.http(8080), netns.http_over(unix)]
        for conn in conns:
            conn.request("GET", "/empty")
            assert conn.getresponse().read() == b"ok"
        want = REQUESTS + len(conns)
        m = agent.wait_metrics(lambda m: min(m.server_count(), m.client_count()) >= want)
        good = {"http_response_status_code": "200", "error_type": None}
        assert m.server_count(**good) == m.client_count(**good) == want
        for conn in conns:
            conn.close()
        m = agent.settle()
        assert m.server_count() == m.client_count() == want == sum(nginx.lines().values())
        assert m.lost() == 0
        m.assert_conserved()

    return check


# --- features forced off ----------------------------------------------------

# feature: (flags beside it, the backend that must come out)
FALLBACKS = [
    ("sock_length", [], "syscall"),
    ("sk_storage", [], "sock"),
    ("task_regs", [], "sock"),
    ("task_regs", ["--backend", "syscall"], "syscall"),
    ("tracefs", [], "sock"),
    ("fentry", [], "sock"),
    ("steady_tp", [], "event"),
    ("steady_fn", [], "sock"),
    ("uprobe", [], "sock"),
    ("pid_ns", [], "sock"),
]
# feature: (flags beside it, what the sentence must say)
NO_FALLBACK = [
    ("btf", [], "kernel BTF"),
    ("privilege", [], "privileges to load BPF"),
    ("ringbuf", [], "BPF ring buffer"),
    ("iter", [], "BPF iterators"),
    ("lockdown", [], "no kernel lockdown"),
    ("sock_length", ["--backend", "sock"], "socket length tracepoints"),
    ("tracefs", ["--backend", "syscall"], "tracefs"),
    ("fentry", ["--backend", "fentry"], "BPF trampolines"),
]


def backend_line(agent):
    [line] = [x for x in agent.stderr if READY_LINE in x]
    return re.search(READY_LINE + r" (\w+)", line)[1]


def test_every_feature_is_forced_off_here():
    text = (ROOT_DIR / "include/redtap/features.def").read_text()
    rows = {x.lower() for x in re.findall(r"^FEATURE\((\w+),", text, re.M)}
    assert rows == {row[0] for row in FALLBACKS + NO_FALLBACK}


@pytest.mark.parametrize("feature, flags, backend", FALLBACKS)
def test_fallback(start, traffic, feature, flags, backend):
    agent = start("--disable-feature", feature, *flags)
    assert backend_line(agent) == backend
    traffic(agent)


@pytest.mark.parametrize("feature, flags, words", NO_FALLBACK)
def test_no_fallback(netns, feature, flags, words):
    """One sentence that names the feature, status 1; and doctor lists it."""
    flags = ["--disable-feature", feature, *flags]
    done = redtap_cli("run", "--netns", netns.path, "--listen", "127.0.0.1:0", *flags)
    assert done.returncode == 1 and done.stdout == "", done
    [line] = done.stderr.splitlines()
    assert f"needs {words}, which --disable-feature turned off" in line
    done = redtap_cli("doctor", *flags)
    assert done.returncode == 1 and "no backend works here" in done.stdout
    [line] = [x for x in done.stdout.splitlines() if "disabled by --disable-feature" in x]
    assert line == f"no   {words}: disabled by --disable-feature"
