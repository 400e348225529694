#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what redtap costs and how exact it is, and prints one table.

How each figure is made stands in README.md beside this file.
"""

import argparse
import contextlib
import functools
import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time

from lab import Agent, Lab, LabError
import promtext

SETTLE = 2.5  # seconds until every finished request is in /metrics
BPF_STATS = "--self-bpf-stats"
PAIR_SECONDS = 2  # of each half of a throughput pair: many short ones ride out other work
MICRO_SECONDS = 120
COUNT = "http_server_request_duration_seconds_count"
# How far the least programs go (empty_cost.c), each step with those before, and their rows.
STEPS = {
    "hook": "  of nginx's time on the CPU (sampled), in programs that only count",
    "state": "    and find the socket's state",
    "clock": "    and read the clock",
    "request": "    and copy the request's first bytes",
    "response": "    and the answer's: the least programs",
}
LEAST = list(STEPS)[-1]


class Table:
    """Rows of measure, value, goal and verdict."""

    def __init__(self):
        self.rows = []
        self.missed = 0

    def add(self, measure, value, text, goal="", met=None):
        """A row; met None: a figure without a goal of its own."""
        if met is None and goal:
            met = True
        verdict = "" if met is None else "ok" if met else "MISSED"
        self.missed += verdict == "MISSED"
        self.rows.append((measure, text.format(value), goal, verdict))
        print(f"  {measure}: {text.format(value)}", file=sys.stderr, flush=True)

    def failed(self, measure, why):
        self.missed += 1
        self.rows.append((measure, "-", str(why), "FAILED"))
        print(f"  {measure}: {why}", file=sys.stderr, flush=True)

    def text(self):
        rows = [("measure", "value", "goal", "verdict"), *self.rows]
        widths = [max(len(r[i]) for r in rows) for i in range(4)]
        lines = ["  ".join((r[0].ljust(widths[0]), r[1].rjust(widths[1]), r[2].ljust(widths[2]),
                            r[3])).rstrip() for r in rows]
        lines.insert(1, "-" * max(map(len, lines)))
        return "\n".join(lines) + "\n"


def agent_cost(lab, opts, *flags, **scope):
    """A load run with redtap and the kernel's BPF statistics on -> (runs, ns, requests)."""
    def counters():
        m = agent.metrics()
        return (promtext.total(m, "redtap_program_runs_total"),
                promtext.total(m, "redtap_program_run_seconds_total") * 1e9)

    with Agent(lab, BPF_STATS, "--backend", opts.backend, *flags, **scope) as agent:
        before = counters()
        load = lab.wrk()
        runs, ns = (b - a for a, b in zip(before, counters()))
    if not runs:
        raise LabError("redtap reports no runs of its BPF programs")
    return runs, ns, load.requests


def kernel_cost(lab, opts, table):
    """Per round: empty programs, redtap with another executable in its scope,
    redtap on nginx, and the same with a record of each request. Of these two the hits
    outside the scope (wrk's) are taken off at the price of the second, and the measuring
    itself at that of the first."""
    watched, _, load = lab.hooks(opts.backend, lab.worker)
    hits = watched / load.requests
    if not hits:
        raise LabError("nginx hit none of the hooks")
    outside, empty = [], []
    ways = {"in place": [], "record": ["--routes-memory", "0"]}
    hit = {way: [] for way in ways}
    for i in range(opts.pairs):
        runs, ns, _ = lab.hooks(opts.backend)
        empty.append(ns / runs)
        runs, ns, _ = agent_cost(lab, opts, exe="*/none")
        outside.append(ns / runs - empty[-1])
        for way in list(ways)[::-1 if i % 2 else 1]:
            runs, ns, requests = agent_cost(lab, opts, *ways[way])
            inside = hits * requests
            hit[way].append((ns - runs * empty[-1] - (runs - inside) * outside[-1]) / inside)

    value = statistics.median(hit["in place"])
    table.add("kernel, per hit on a watched socket", value, "{:.0f} ns", "<= 300 ns", value <= 300)
    value *= hits
    table.add(f"kernel, per request served ({hits:.2f} hits)", value,
              "{:.0f} ns", "<= 1000 ns", value <= 1000)
    value = statistics.median(a / b for a, b in zip(hit["in place"], hit["record"])) * 100
    table.add("  of what it costs when each is a record", value, "{:.0f} %", "<= 100 %", value <= 100)
    table.add("kernel, per hit by a process outside the scope", statistics.median(outside),
              "{:.0f} ns")
    table.add("the measuring itself, per hit (taken off above)", statistics.median(empty),
              "{:.0f} ns")


def throughput(lab, opts, table):
    """Rounds of a run without redtap, one with it, and one with the least programs that
    could do its work, each time another first. Each after a second of the same load, in
    which redtap learns the routes. The user-space cost comes from the runs with redtap."""
    first, cpu, rates = [], [], {}

    def plain():
        lab.wrk(1)
        load = lab.wrk(PAIR_SECONDS)
        return load.requests / load.seconds

    def watched():
        with Agent(lab, "--backend", opts.backend) as agent:
            times = [agent.cpu_ns()]
            loads = []
            for seconds in (1, PAIR_SECONDS):
                loads.append(lab.wrk(seconds))
                times.append(agent.cpu_ns())
        for costs, load, begin, end in zip((first, cpu), loads, times, times[1:]):
            costs.append((end - begin) / load.requests)
        return loads[-1].requests / loads[-1].seconds

    def least():
        child = lab.attach(opts.backend, lab.worker, LEAST)
        rate = plain()
        if lab.detach(child)[0] < rate * PAIR_SECONDS:
            raise LabError("the least programs did not see nginx")
        return rate

    def compared(run):
        ratios = [a / b * 100 for a, b in zip(rates[run], rates[plain])]
        return statistics.median(ratios), statistics.quantiles(ratios, n=4)

    plain()
    runs = [plain, watched] + ([least] if opts.backend == "sock" else [])
    for i in range(opts.pairs * 5):
        for run in runs[i % len(runs):] + runs[:i % len(runs)]:
            rates.setdefault(run, []).append(run())

    value = statistics.median(cpu) / 1000
    table.add("user space CPU, per request on a known route", value, "{:.3f} us", "<= 0.05 us",
              value <= 0.05)
    table.add("  in the first second, which learns it", statistics.median(first) / 1000, "{:.3f} us")
    value, quartiles = compared(watched)
    table.add("wrk's throughput with redtap, of without", value, "{:.1f} %", ">= 97 %", value >= 97)
    middle = f"  the middle half of {len(rates[plain])} pairs"
    table.add(middle, (quartiles[0], quartiles[2]), "{0[0]:.1f} .. {0[1]:.1f} %")
    if opts.backend == "sock":
        share(lab, opts, table, "  of nginx's time on the CPU, in redtap's programs (sampled)", watching)
    if least in rates:
        value, quartiles = compared(least)
        table.add("  with the least programs instead", value, "{:.1f} %")
        table.add(middle, (quartiles[0], quartiles[2]), "{0[0]:.1f} .. {0[1]:.1f} %")
        for step, measure in STEPS.items():
            share(lab, opts, table, measure, functools.partial(least_attached, step=step))
    table.add("  without redtap", statistics.median(rates[plain]), "{:.0f} /s")


@contextlib.contextmanager
def watching(lab, opts):
    with Agent(lab, "--backend", opts.backend) as agent:
        yield
        if promtext.total(agent.metrics(), COUNT) == 0:
            raise LabError("redtap did not see nginx")


@contextlib.contextmanager
def least_attached(lab, opts, step):
    child = lab.attach(opts.backend, lab.worker, step)
    yield
    if lab.detach(child)[0] == 0:
        raise LabError("the least programs did not see nginx")


def share(lab, opts, table, measure, programs):
    """How much of nginx's time on the CPU is the programs', by samples of its stack: of one
    run, and so the same on a machine whose speed changes from one to the next. But where the
    kernel happens to put them matters, so many runs."""
    shares = []
    data = lab.dir / "perf.data"
    for _ in range(opts.pairs * 2):
        with programs(lab, opts):
            lab.wrk(1)
            record = lab.spawn(["perf", "record", "-q", "-g", "-e", "cpu-clock", "-F", "1999",
                                "-p", str(lab.worker), "-o", str(data), "--", "sleep",
                                str(PAIR_SECONDS)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
            lab.wrk(PAIR_SECONDS + 1)
            if record.wait(30):
                raise LabError("perf record failed")
        report = subprocess.run(["perf", "report", "-i", str(data), "--stdio", "--children",
                                 "-g", "none", "-s", "sym"], check=True, capture_output=True,
                                text=True).stdout
        found = re.findall(r"^ *([\d.]+)% +[\d.]+% +\[k\] bpf_trace_run\d+$", report, re.M)
        if not found:
            raise LabError("perf's samples have no programs in them")
        shares.append(sum(map(float, found)))
    table.add(measure, statistics.median(shares), "{:.1f} %")


# No path twice. `%s`: a number by itself is a value, "x" before it makes it a word.
NEVER_TWICE = """\
local n = 0
function request() n = n + 1; return wrk.format("GET", "/users/%s" .. n .. "/orders") end
"""


# One request per connection.
ONCE = 'wrk.headers["Connection"] = "close"'


def values(lab, opts, table):
    """Paths that never repeat: with numbers in them, and with words. And connections of which
    none is used twice."""
    ways = {
        "paths of numbers that never repeat": NEVER_TWICE % "",
        "paths of words that never repeat": NEVER_TWICE % "x",
        "a connection for each": ONCE,
    }
    for what, lua in ways.items():
        cpu, records = [], []
        for _ in range(opts.pairs):
            with Agent(lab, "--backend", opts.backend) as agent:
                begin = agent.cpu_ns()
                load = lab.wrk(PAIR_SECONDS, lua=lua)
                cpu.append((agent.cpu_ns() - begin) / load.requests)
                made = promtext.total(agent.metrics(), "redtap_records_total")
                records.append(made / load.requests)
        table.add(f"user space CPU, per request, {what}",
                  statistics.median(cpu) / 1000, "{:.2f} us")
        table.add("  records per request", statistics.median(records), "{:.3f}")


def exactness(lab, opts, table):
    """redtap's count against wrk's own, and nothing lost."""
    with Agent(lab, "--backend", opts.backend) as agent:
        load = lab.wrk(10, 64)
        if load.errors:
            raise LabError(f"wrk met {load.errors} errors")
        time.sleep(SETTLE)
        metrics = agent.metrics()
    counted = promtext.total(metrics, COUNT)
    lost = promtext.total(metrics, "redtap_records_lost_total")
    extra = counted - load.requests
    table.add(f"requests counted beyond wrk's {load.requests}", extra, "{:+.0f}",
              "0 .. +64 (in flight at the stop)", 0 <= extra <= 64)
    table.add("records lost", lost, "{:.0f}", "0", lost == 0)


def memory(lab, opts, table):
    with Agent(lab, "--backend", opts.backend) as agent:
        requests = 0
        while requests < opts.requests:
            load = lab.wrk(5, 1000)
            if not load.requests:
                raise LabError("wrk completed no request on 1,000 connections")
            requests += load.requests
        time.sleep(SETTLE)
        agent.metrics()
        value = agent.memory_kb() * 1024 / 1e6
        peak = agent.memory_kb("VmHWM") * 1024 / 1e6
    table.add(f"resident memory after {requests} requests, 1,000 connections", value,
              "{:.1f} MB", "<= 20 MB", value <= 20)
    table.add("  its peak", peak, "{:.1f} MB")


def size(lab, opts, table):
    stripped = lab.dir / "stripped"
    shutil.copy(lab.build / "redtap", stripped)
    subprocess.run([opts.strip, str(stripped)], check=True)
    value = stripped.stat().st_size / 1e6
    table.add("stripped program", value, "{:.2f} MB", "<= 2 MB", value <= 2)


def start_time(lab, opts, table):
    times = []
    for _ in range(5):
        with Agent(lab, "--backend", opts.backend) as agent:
            times.append(agent.start_seconds)
    value = statistics.median(times)
    table.add("start to first scrape", value, "{:.3f} s", "<= 0.5 s", value <= 0.5)


def micro(build):
    """The programs bench_*: each measures one module and prints its own lines.
    -> (text, whether one failed)"""
    out, failed = [], False
    for program in sorted(p for p in (build / "bench").glob("bench_*") if os.access(p, os.X_OK)):
        out.append(f"{program.name}:")
        try:
            p = subprocess.run([str(program)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, timeout=MICRO_SECONDS, check=False)
            out += ["  " + line for line in p.stdout.rstrip().splitlines()]
            if p.returncode:
                out.append(f"  FAILED with status {p.returncode}")
                failed = True
        except subprocess.TimeoutExpired:
            out.append(f"  FAILED: not over after {MICRO_SECONDS} s")
            failed = True
    return "\n".join(out) + "\n" if out else "", failed


PARTS = {"size": size, "start": start_time, "exact": exactness, "throughput": throughput,
         "values": values, "kernel": kernel_cost, "memory": memory}


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", help="where the programs are")
    parser.add_argument("--pairs", type=int, default=3,
                        help="rounds of the kernel cost; 5N pairs of the throughput")
    parser.add_argument("--seconds", type=int, default=5, help="of each load run")
    parser.add_argument("--requests", type=int, default=1000000, help="of the memory figure")
    parser.add_argument("--backend", default="sock", choices=["sock", "syscall"])
    parser.add_argument("--strip", default="llvm-strip")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a goal is missed")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all")
    opts = parser.parse_args()
    unknown = set(opts.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if os.geteuid() != 0:
        sys.exit("bench: needs root: it loads BPF programs and makes network namespaces")

    build = pathlib.Path(opts.build)
    table = Table()
    busy = os.getloadavg()[0]
    broken = False
    with Lab(build, opts.seconds) as lab:
        for name, part in PARTS.items():
            if opts.parts and name not in opts.parts:
                continue
            print(f"{name} ...", file=sys.stderr, flush=True)
            try:
                part(lab, opts, table)
            except (LabError, OSError, subprocess.SubprocessError) as e:
                table.failed(name, e)
                broken = True
    text = (f"redtap bench: backend {opts.backend}, Linux {platform.release()}, "
            f"{os.cpu_count()} x {cpu_name()}, load average before: {busy:.1f}\n\n"
            f"{table.text()}\n")
    if not opts.parts:
        lines, failed = micro(build)
        text += lines
        broken = broken or failed
    (build / "bench.txt").write_text(text)
    print("\n" + text, end="")
    return 1 if broken or (opts.strict and table.missed) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
