# SPDX-License-Identifier: Apache-2.0
"""Start, stop, kill, a second instance, reload: and what is left behind, which is nothing."""

import errno
import json
import os
import pathlib
import signal
import threading
import time

import pytest

from lib import load
from lib.agent import READY_LINE, binary, clean_env, redtap_cli
from lib.metrics import Metrics
from lib.procs import run
from lib.util import SLOW, need, wait_until


def shown(kind):
    """What bpftool shows. It ends at a link that another program is about to attach, which the
    kernel keeps back for a moment (EAGAIN)."""
    done = []

    def complete():
        done[:] = [run([need("bpftool"), "-j", kind, "show"], check=False)]
        assert done[0].returncode == 0 or os.strerror(errno.EAGAIN) in done[0].stderr, done
        return done[0].returncode == 0

    wait_until(complete, 5, lambda: f"bpftool {kind} show: {done}")
    return json.loads(done[0].stdout)


def kernel_ids():
    """Ids of all BPF programs, maps and links of this kernel."""
    return {kind: {x["id"] for x in shown(kind)} for kind in ("prog", "map", "link")}


def program_names(ids):
    return {x.get("name", "") for x in shown("prog") if x["id"] in ids}


def pinned():
    return {str(p) for p in pathlib.Path("/sys/fs/bpf").rglob("*")}


def gone(objects):
    left = kernel_ids()
    return not any(objects[kind] & left[kind] for kind in objects)


def ask(netns, path="/status/200", n=1):
    conn = netns.http(8000)
    for _ in range(n):
        conn.request("GET", path)
        conn.getresponse().read()
    conn.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_behind(netns, redtap, how):
    netns.server("httpd.py", 8000)
    files = pinned()
    agent = redtap()
    objects = agent.bpf_objects()
    assert objects["prog"] and objects["map"], objects
    names = program_names(objects["prog"])
    assert names and all(name.startswith("rt_") for name in names), names
    ask(netns, n=3)
    agent.wait_metrics(lambda m: m.server_count() == 3)
    began = time.monotonic()
    agent.signal(how)
    status = agent.wait(10)
    if how == signal.SIGKILL:
        assert status == -signal.SIGKILL
    else:
        assert status == 0, agent.output()
        assert time.monotonic() - began < 3 * SLOW
        agent.assert_no_errors()
    wait_until(lambda: gone(objects), 10, lambda: f"left of {objects}: {kernel_ids()}", step=0.2)
    assert pinned() == files
    # and the servers never noticed
    ask(netns)


def test_stop_under_load(netns, redtap, tmp_path):
    """SIGTERM at full speed: a clean end, and no request fails."""
    load.Nginx(netns, tmp_path, log_format="line")
    agent = redtap()
    box = []
    thread = threading.Thread(
        target=lambda: box.append(load.wrk(netns, "http://127.0.0.1:8080/empty", seconds=3))
    )
    thread.start()
    agent.wait_metrics(lambda m: m.server_count() > 1000, timeout=6)
    agent.stop()
    thread.join()
    assert box[0]["errors"] == 0 and not box[0]["socket_errors"], box[0]["text"]


def test_trace_stops_cleanly(netns, trace):
    netns.server("httpd.py", 8000)
    tracer = trace()
    ask(netns, n=2)
    tracer.wait_for(2, role="server")
    objects = tracer.bpf_objects()
    tracer.signal(signal.SIGINT)
    assert tracer.wait(10) == 0
    tracer.assert_no_errors()
    wait_until(lambda: gone(objects), 10, "nothing left", step=0.2)


def test_trace_ends_with_its_reader(netns, procs, backend):
    """`redtap trace | head -n 1`: the closed pipe ends it quietly."""
    netns.server("httpd.py", 8000)
    command = f"{binary()} trace --netns {netns.path} --backend {backend} | head -n 1"
    pipe = procs.start([need("bash"), "-o", "pipefail", "-c", command], env=clean_env())
    pipe.wait_line(READY_LINE, 10, "stderr")
    deadline = time.monotonic() + 10 * SLOW
    while pipe.alive() and time.monotonic() < deadline:
        ask(netns)
        time.sleep(0.2)
    assert not pipe.alive(), "goes on though nobody reads"
    assert pipe.wait(1) in (0, 128 + signal.SIGPIPE), pipe.output()
    assert len(pipe.stdout) == 1
    assert not [x for x in pipe.stderr if "error" in x], pipe.output()


def test_second_instance(netns, redtap, trace):
    """Two agents and a trace at once: all see everything, and the death of one hurts no other."""
    netns.server("httpd.py", 8000)
    first = redtap()
    ask(netns, n=10)
    second, tracer = redtap(), trace()
    ask(netns, n=20)
    first.wait_metrics(lambda m: m.server_count() == 30)
    second.wait_metrics(lambda m: m.server_count() == 20)
    tracer.wait_for(20, role="server")
    first.kill()
    ask(netns, n=5)
    m = second.wait_metrics(lambda m: m.server_count() == 25)
    second.settle().assert_conserved()
    assert m.client_count() == 25


def test_both_backends_at_once(netns, redtap):
    netns.server("httpd.py", 8000)
    agents = [redtap(backend="sock"), redtap(backend="syscall")]
    ask(netns, n=40)
    for agent in agents:
        agent.wait_metrics(lambda m: m.server_count() == 40 and m.client_count() == 40)
        agent.settle().assert_conserved()


def test_reload(netns, redtap, tmp_path):
    """SIGHUP: new rules for what comes, no counter goes down, the kernel side goes on."""
    netns.server("httpd.py", 8000)
    config = tmp_path / "redtap.yaml"
    config.write_text("services:\n  - name: before\n    port: 8000\n")
    agent = redtap("--config", config)
    objects = agent.bpf_objects()
    ask(netns, "/users/ann", n=3)
    agent.wait_metrics(lambda m: m.server_count(service_name="before") == 3)
    config.write_text(
        "services:\n  - name: after\n    port: 8000\nroutes:\n  patterns: ['/users/{name}']\n"
    )
    agent.signal(signal.SIGHUP)
    conn = netns.http(8000)
    sent = [0]

    def renamed():
        conn.request("GET", "/users/bob")
        conn.getresponse().read()
        sent[0] += 1
        m = agent.metrics()
        assert m.server_count(service_name="before") >= 3
        return m.server_count(service_name="after", http_route="/users/{name}") > 0

    wait_until(renamed, 6, lambda: agent.metrics().text[:3000], step=0.2)
    conn.close()
    m = agent.settle()
    assert m.server_count() == 3 + sent[0]
    assert agent.bpf_objects()["prog"] >= objects["prog"], "programs were loaded anew"
    m.assert_conserved()


# What is freed is no longer what it was, and is not kept for the next one who asks.
UNKIND_MALLOC = {"MALLOC_PERTURB_": "165", "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}


def test_reloads(netns, redtap, tmp_path):
    """One after another: each takes the place of the one before."""
    netns.server("httpd.py", 8000)
    config = tmp_path / "redtap.yaml"
    config.write_text("services: []\n")
    agent = redtap("--config", config, env=UNKIND_MALLOC)
    for i in range(4):
        rule = "cmdline: '*httpd.py*'" if i % 2 else "port: 8000"
        config.write_text(f"services:\n  - name: shop-{i}\n    {rule}\n")
        agent.signal(signal.SIGHUP)
        wait_until(lambda: sum("configuration reloaded" in x for x in agent.stderr) == i + 1, 5,
                   agent.output)
        ask(netns, n=i + 1)
        agent.wait_metrics(lambda m: m.server_count(service_name=f"shop-{i}") == i + 1)
    agent.settle().assert_conserved()


def test_reload_of_a_broken_file(netns, redtap, tmp_path):
    """A mistake in the new file is one sentence; the old rules hold and counting goes on."""
    netns.server("httpd.py", 8000)
    config = tmp_path / "redtap.yaml"
    config.write_text("services:\n  - name: shop\n    port: 8000\n")
    agent = redtap("--config", config)
    said = len(agent.stderr)
    config.write_text("servces:\n  - name: other\n")
    agent.signal(signal.SIGHUP)
    line = agent.wait_line("servces", 5, "stderr")
    assert "services" in line and "redtap.yaml:1" in line, line
    ask(netns, n=4)
    agent.wait_metrics(lambda m: m.server_count(service_name="shop") == 4)
    assert len([x for x in agent.stderr[said:] if "servces" in x]) == 1
    agent.signal(signal.SIGTERM)
    assert agent.wait(10) == 0


def test_reload_while_it_starts(netns, redtap, tmp_path):
    """A service manager may ask for it at once. It is no end, and not forgotten."""
    config = tmp_path / "redtap.yaml"
    config.write_text("log:\n  level: info\n")
    agent = redtap("--config", config, wait=False)
    wait_until(lambda: binary() in pathlib.Path(f"/proc/{agent.pid}/cmdline").read_text())
    # its first step, long before the kernel has verified the programs
    wait_until(lambda: hangup_blocked(agent.pid), 10, agent.output, step=0.0005)
    assert not [x for x in agent.stderr if READY_LINE in x], agent.output()
    agent.signal(signal.SIGHUP)
    agent.wait_line("configuration reloaded", 10, "stderr")
    agent.wait_ready()


def hangup_blocked(pid):
    """Whether SIGHUP is among the signals that a process has blocked."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    (mask,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:")]
    return int(mask, 16) >> (signal.SIGHUP - 1) & 1


def test_reload_from_a_pipe(netns, redtap):
    """It is read once, at the start. Later it is empty, or waited for: neither is a configuration."""
    netns.server("httpd.py", 8000)
    script = 'exec "$@" --config <(printf "services:\\n  - {name: shop, port: 8000}\\n")'
    agent = redtap(wrap=[need("bash"), "-c", script, "bash"])
    agent.signal(signal.SIGHUP)
    line = agent.wait_line("not reloaded", 5, "stderr")
    assert "/dev/fd/" in line, line
    ask(netns, n=4)
    agent.wait_metrics(lambda m: m.server_count(service_name="shop") == 4)
    agent.signal(signal.SIGTERM)
    assert agent.wait(10) == 0


def test_start_is_quick(netns, redtap):
    """From exec to a first page of metrics; the bench measures it, here nothing may be absurd."""
    began = time.monotonic()
    agent = redtap()
    assert agent.metrics().select("redtap_build_info")
    assert time.monotonic() - began < 3 * SLOW


def test_health_and_links(netns, redtap):
    agent = redtap()
    for path in ("/healthz", "/readyz", "/"):
        status, headers, body = agent.get(path)
        assert status == 200 and body, path
    assert b"/metrics" in agent.get("/")[2]
    assert agent.get("/nothing")[0] == 404


def test_own_traffic_is_left_out(netns, redtap):
    """A redtap inside the namespace it watches sees its clients, but never itself."""
    agent = redtap(wrap=[need("nsenter"), f"--net={netns.path}"], wait=False)
    agent.wait_line(READY_LINE, 10, "stderr")
    url = f"http://127.0.0.1:{agent.port}/metrics"
    for _ in range(5):
        assert load.curl(netns, url)["http_code"] == 200

    def page():
        return Metrics(netns.run([need("curl"), "-sS", url]).stdout)

    wait_until(lambda: page().client_count(process_executable_name="curl") >= 5, 5, "curl's side")
    assert page().server_count() == 0


def test_version_and_help():
    assert redtap_cli("version", check=True).stdout.strip().startswith("redtap")
    text = redtap_cli("--help", check=True).stdout
    for word in ("run", "trace", "doctor", "config", "version"):
        assert word in text
    for flag in ("--netns", "--listen", "--backend", "--ring-size"):
        assert flag in redtap_cli("run", "--help", check=True).stdout
