# SPDX-License-Identifier: Apache-2.0
"""Prometheus's own tools: promtool finds nothing to complain, and a rate is the true rate."""

import fnmatch
import json
import re
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

import pytest

from conftest import BACKENDS
from lib import load
from lib.metrics import Metrics
from lib.util import ROOT_DIR, free_port, need, wait_until

sys.path.insert(0, str(ROOT_DIR / "tools"))
import promtext  # noqa: E402

pytestmark = pytest.mark.alone

CONFIG = """\
global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:
"""
JOB = """\
  - job_name: {name}
    static_configs: [{{ targets: ['127.0.0.1:{port}'] }}]
"""


def test_only_a_newline_ends_a_line():
    """Where Python sees ends of lines, a label's value goes on: of both readers here."""
    odd = "a\x85b\u2028c\u2029d\x0be\x0cf\x1cg"
    page = f'# HELP up x\nup{{job="{odd}"}} 1\nup{{job="z"}} 2\n'
    want = [("up", {"job": odd}, 1), ("up", {"job": "z"}, 2)]
    assert promtext.parse(page) == want
    assert [(x.name, x.labels, x.value) for x in Metrics(page).samples] == want


def promtool_check(page):
    done = subprocess.run(
        [need("promtool"), "check", "metrics"], input=page, capture_output=True, timeout=30
    )
    return done.returncode, (done.stdout + done.stderr).decode()


def test_promtool_is_content(netns, redtap):
    """On a live page with servers, clients, errors and odd label values."""
    netns.server("httpd.py", 8000)
    agent = redtap()
    conn = netns.http(8000)
    for path in ("/status/200", "/status/404", "/status/503", '/odd/%22quoted"\\x', "/status/204"):
        conn.putrequest("GET", path.replace(" ", "%20"), skip_host=True)
        conn.putheader("Host", "h")
        conn.endheaders()
        conn.getresponse().read()
    conn.request("BREW", "/status/418")
    conn.getresponse().read()
    conn.close()
    agent.wait_metrics(lambda m: m.server_count() == 6 and m.client_count() == 6)
    agent.wait_metrics(lambda m: m.select("http_server_active_requests"), what="the gauge")
    status, said = promtool_check(agent.get("/metrics")[2])
    assert (status, said) == (0, "")
    m = agent.metrics()
    assert m.server_count(http_request_method="_OTHER") == 1
    for family in (
        "http_server_request_duration_seconds_bucket",
        "http_client_request_duration_seconds_bucket",
        "redtap_http_server_time_to_first_byte_seconds_bucket",
        "http_server_request_size_bytes_bucket",
        "http_server_response_size_bytes_bucket",
        "http_server_active_requests",
        "target_info",
        "redtap_build_info",
        "redtap_exchanges_started_total",
        "redtap_exchanges_finished_total",
        "redtap_exchanges_aborted_total",
        "redtap_exchanges_evicted_total",
        "redtap_exchanges_in_flight",
        "redtap_records_total",
        "redtap_records_lost_total",
        "redtap_socket_bytes_total",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
        "process_open_fds",
    ):
        assert m.select(family), f"{family} is missing"
    assert {s.labels["class"] for s in m.select("redtap_socket_bytes_total")} == {
        "parsed", "unknown", "opaque",
    }  # fmt: skip
    # and of each, the top README says what it is
    table = (ROOT_DIR / "README.md").read_text().split("### Metrics")[1].split("\n\n")[1]
    told = [text for cell in re.findall(r"^\| (.*?) \|", table, re.M)
            for name in re.findall(r"`(.*?)`", cell) for text in expanded(name)]
    families = re.findall(r"^# TYPE (\S+)", m.text, re.M)
    assert [x for x in families if not any(fnmatch.fnmatch(x, name) for name in told)] == []


def expanded(name):
    """As a shell would: a_{b,c}_d is a_b_d and a_c_d."""
    before, *rest = re.split(r"[{}]", name)
    return [before + middle + rest[1] for middle in rest[0].split(",")] if rest else [name]


def test_bpf_statistics(netns, redtap):
    """With self.bpf_stats the runs and run time of each program are told."""
    netns.server("httpd.py", 8000)
    agent = redtap("--self-bpf-stats")
    load.ab(netns, "http://127.0.0.1:8000/status/200", 200, 4)
    m = agent.wait_metrics(lambda m: m.server_count() == 200)
    runs = m.select("redtap_program_runs_total")
    assert runs and all(s.labels["program"].startswith("rt_") for s in runs), runs
    assert sum(s.value for s in runs) >= 400
    assert m.sum("redtap_program_run_seconds_total") > 0


class Generator:
    """`rate` requests a second over `connections` connections, evenly, until stop()."""

    def __init__(self, netns, rate, connections):
        self.sent = 0
        self.late = 0.0
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(conn, connections / rate, i / rate))
            for i, conn in enumerate([netns.http(8000) for _ in range(connections)])
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, conn, step, offset):
        due = time.monotonic() + offset
        while not self._stop.is_set():
            wait = due - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            conn.request("GET", "/status/200")
            conn.getresponse().read()
            with self._lock:
                self.sent += 1
                self.late = max(self.late, time.monotonic() - due)
            due += step
        conn.close()

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()


def query(port, path, **params):
    url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(params)}"
    with urllib.request.urlopen(url, timeout=10) as reply:
        return json.load(reply)["data"]


@pytest.mark.parametrize("backend", ["all"])
def test_a_rate_is_the_true_rate(netns, redtap, procs, tmp_path):
    """A generator of fixed rate; Prometheus scrapes OpenMetrics once a second, from an agent
    of each backend: all see the same requests."""
    netns.server("httpd.py", 8000)
    agents = {name: redtap(backend=name) for name in BACKENDS}
    jobs = [JOB.format(name=name, port=agent.port) for name, agent in agents.items()]
    (tmp_path / "prometheus.yml").write_text(CONFIG + "".join(jobs))
    port = free_port()
    server = procs.start(
        [
            need("prometheus"),
            f"--config.file={tmp_path}/prometheus.yml",
            f"--storage.tsdb.path={tmp_path}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ]
    )
    rate = 200
    generator = Generator(netns, rate, 4)
    try:

        def up():
            try:
                found = query(port, "query", query="count_over_time(up[1m])")["result"]
            except OSError:
                return False
            return len(found) == len(agents) and all(float(x["value"][1]) >= 3 for x in found)

        wait_until(up, 20, server.output, step=0.2)
        start, sent = time.time(), generator.sent
        time.sleep(14)
        span, sent = time.time() - start, generator.sent - sent
        true_rate = sent / span
        assert true_rate == pytest.approx(rate, rel=0.01), "the generator was not even"
        for name in agents:
            check_rates(port, name, true_rate)
        targets = query(port, "targets")["activeTargets"]
        assert [t["health"] for t in targets] == ["up"] * len(agents), targets
        # only OpenMetrics tells a unit: so that is what was scraped
        name = "http_server_request_duration_seconds"
        [meta] = query(port, "metadata", metric=name)[name]
        assert (meta["type"], meta["unit"]) == ("histogram", "seconds")
    finally:
        generator.stop()
    for agent in agents.values():
        m = agent.settle()
        assert m.server_count() == generator.sent
        m.assert_conserved()


def check_rates(port, job, true_rate):
    """What Prometheus makes of the last 12 s of this job."""
    for family in (
        "http_server_request_duration_seconds_count",
        "http_client_request_duration_seconds_count",
    ):
        got = query(port, "query", query=f"sum(rate({family}{{job='{job}'}}[12s]))")["result"]
        assert len(got) == 1
        assert float(got[0]["value"][1]) == pytest.approx(true_rate, rel=0.02)
    lost = f"sum(rate(redtap_records_lost_total{{job='{job}'}}[12s]))"
    lost = query(port, "query", query=lost)["result"]
    assert float(lost[0]["value"][1]) == 0
