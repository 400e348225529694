#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs one stage of `make test` and keeps its numbers.

Every stage prints what failed in full and one line of summary, and writes
`passed failed skipped seconds` to RESULTS/<stage>; `sum` adds these up into the
closing line. An empty stage is a failed one: a test that does not run must not
look like a test that passes.
"""

import argparse
import concurrent.futures
import functools
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

UNIT_SECONDS = 300  # one unit test program, where nothing else is said
LINT_SECONDS = 300  # one check script
PYTEST_NONE_CHOSEN = 5  # its exit status when no test is what it was asked for


class Tally:
    """The numbers of one stage."""

    def __init__(self, results, stage):
        self.path = pathlib.Path(results) / stage
        self.stage = stage
        self.passed = self.failed = self.skipped = 0
        self.begin = time.monotonic()

    def close(self):
        """Writes and prints the numbers; the stage's exit status."""
        seconds = time.monotonic() - self.begin
        if not self.passed and not self.failed:
            print(f"{self.stage}: no test ran, and that is a failure")
            self.failed = 1
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(f"{self.passed} {self.failed} {self.skipped} {seconds:.1f}\n")
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        print(f"{self.stage}: {self.passed} passed, {self.failed} failed{skipped} in {seconds:.1f} s",
              flush=True)
        return 1 if self.failed else 0


RUNNING = []  # commands, so that all can be ended


def run(command, seconds, env=None, capture=True):
    """Runs a command in a session of its own; on time-out the whole session is
    ended, first politely so that fixtures can clean up. -> (status, output)"""
    pipe = subprocess.PIPE if capture else None
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe,
                          stderr=subprocess.STDOUT if capture else None,
                          env={**os.environ, **(env or {})}, start_new_session=True) as p:
        RUNNING.append(p)
        try:
            out, _ = p.communicate(timeout=seconds)
            return p.returncode, (out or b"").decode(errors="replace")
        except BaseException as e:
            out = b""
            for sig, grace in ((signal.SIGINT, 30), (signal.SIGKILL, 5)):
                try:
                    os.killpg(p.pid, sig)
                    out, _ = p.communicate(timeout=grace)
                    break
                except (subprocess.TimeoutExpired, ProcessLookupError):
                    continue
            if not isinstance(e, subprocess.TimeoutExpired):
                raise
            note = f"\nstopped: not over after {seconds:.0f} s\n"
            if not capture:
                print(note)
            return 124, (out or b"").decode(errors="replace") + note
        finally:
            RUNNING.remove(p)


def run_together(work, more=0):
    """Calls the functions, as many at once as there are CPUs and some more -> what they
    return. An interrupt is passed on to the commands that they run; what waits is dropped."""
    with concurrent.futures.ThreadPoolExecutor((os.cpu_count() or 1) + more) as pool:
        calls = [pool.submit(f) for f in work]
        try:
            return [call.result() for call in calls]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for p in list(RUNNING):
                os.killpg(p.pid, signal.SIGINT)
            raise


def run_programs(tally, one, programs):
    """Runs one() of each program, some at once; it returns (passed, failed, skipped)."""
    for passed, failed, skipped in run_together([functools.partial(one, p) for p in programs]):
        tally.passed += passed
        tally.failed += failed
        tally.skipped += skipped


def stage_unit(args):
    """cmocka programs. Their TAP output is counted; a program that dies, or
    reports no test at all, is one failure more."""
    tally = Tally(args.results, args.name)
    env = {"CMOCKA_MESSAGE_OUTPUT": "TAP", "UBSAN_OPTIONS": "print_stacktrace=1"}

    def one(program):
        status, out = run([program], args.seconds, env)
        passed = len(re.findall(r"^ok \d+", out, re.M))
        skipped = len(re.findall(r"^ok \d+.*# SKIP", out, re.M))
        failed = len(re.findall(r"^not ok \d+", out, re.M))
        if (status != 0 and not failed) or not (passed or failed):
            failed += 1
        passed -= skipped
        said = f"  {'FAILED' if failed else 'ok':7} {os.path.basename(program):24} {passed:4} passed\n"
        if failed:
            said += f"{out.rstrip()}\n  -> {program}: exit status {status}\n"
        print(said, end="", flush=True)
        return passed, failed, skipped

    run_programs(tally, one, args.programs)
    return tally.close()


def stage_lint(args):
    """Check scripts: each is one test, and prints what it found."""
    tally = Tally(args.results, args.name)
    for script in args.scripts:
        status, out = run([script], LINT_SECONDS)
        if status == 0:
            tally.passed += 1
        else:
            tally.failed += 1
        print(f"  {'ok' if status == 0 else 'FAILED':7} {script}")
        if status != 0 or "warning" in out:
            print(out.rstrip())
    return tally.close()


def stage_fuzz(args):
    """libFuzzer targets, each for a fixed time, from its seeds in
    tests/fuzz/corpus/<target> and a growing corpus under the build."""
    tally = Tally(args.results, "fuzz")
    source = pathlib.Path("tests/fuzz")

    def one(program):
        program = pathlib.Path(program)
        corpus = program.parent / "corpus" / program.name
        corpus.mkdir(parents=True, exist_ok=True)
        command = [str(program), f"-max_total_time={args.seconds}", "-timeout=10",
                   "-rss_limit_mb=2048", "-print_final_stats=1",
                   f"-artifact_prefix={program.parent}/{program.name}-", str(corpus)]
        seeds = source / "corpus" / program.name.removeprefix("fuzz_")
        if seeds.is_dir():
            command.append(str(seeds))
        dictionary = source / f"{program.name}.dict"
        if dictionary.exists():
            command.append(f"-dict={dictionary}")
        status, out = run(command, args.seconds + 120)
        done = re.search(r"stat::number_of_executed_units: *(\d+)", out)
        runs = int(done.group(1)) if done else 0
        ok = status == 0 and runs
        said = "" if ok else out.rstrip()[-20000:] + "\n"
        said += f"  {'ok' if ok else 'FAILED':7} {program.name:24} {runs} runs\n"
        print(said, end="", flush=True)
        return (1, 0, 0) if ok else (0, 1, 0)

    run_programs(tally, one, args.programs)
    return tally.close()


def junit_counts(report):
    """-> (passed, failed, skipped) of a JUnit file."""
    passed = failed = skipped = 0
    for suite in ElementTree.parse(report).iter("testsuite"):
        count = {k: int(suite.get(k, 0)) for k in ("tests", "failures", "errors", "skipped")}
        bad = count["failures"] + count["errors"]
        failed += bad
        skipped += count["skipped"]
        passed += count["tests"] - bad - count["skipped"]
    return passed, failed, skipped


def stage_pytest(args):
    """pytest, its numbers from JUnit's XML. A process per file, two more at once than there are
    CPUs, as they wait a good part of their time: their output is shown as they end. Then, in
    one process, the tests that need the machine for themselves."""
    tally = Tally(args.results, "e2e")
    reports = tally.path.with_suffix(".xml")
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)
    end = time.monotonic() + args.seconds

    def pytest(name, where, which, capture):
        report = reports / f"{name}.xml"
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-ra",
                   "--durations=5", "--durations-min=5", "-m", which, f"--junitxml={report}",
                   *map(str, where), *args.extra]
        said = " ".join(command) + "\n"
        if not capture:
            print(said, end="", flush=True)
            said = ""
        status, out = run(command, max(1, end - time.monotonic()), {"PYTHONUNBUFFERED": "1"},
                          capture)
        said += out
        try:
            passed, failed, skipped = junit_counts(report)
        except (OSError, ElementTree.ParseError) as e:
            passed = failed = skipped = 0
            said += f"pytest left no report: {e}\n"
        if status not in (0, PYTEST_NONE_CHOSEN) and not failed:
            said += f"pytest ended with status {status}\n"
            failed = 1
        if status != PYTEST_NONE_CHOSEN:
            print(said, flush=True)
        return passed, failed, skipped

    # The longest first: where one of them came last, the other CPUs would wait for it.
    files = sorted((f for d in args.dirs for f in pathlib.Path(d).glob("test_*.py")),
                   key=lambda f: f.stat().st_size, reverse=True)
    counts = run_together([functools.partial(pytest, f.stem, [f], "not alone", True)
                           for f in files], more=2)
    if args.dirs:
        counts.append(pytest("alone", args.dirs, "alone", False))
    for passed, failed, skipped in counts:
        tally.passed += passed
        tally.failed += failed
        tally.skipped += skipped
    return tally.close()


def stage_sum(args):
    """The closing lines of `make test`."""
    total = [0, 0, 0, 0.0]
    print()
    for stage in args.stages:
        try:
            row = [float(x) for x in (pathlib.Path(args.results) / stage).read_text().split()]
        except OSError:
            print(f"  {stage:8} did not come to its end: counted as one failure")
            row = [0, 1, 0, 0.0]
        total = [a + b for a, b in zip(total, row)]
        print(f"  {stage:8} {row[0]:6.0f} passed {row[1]:5.0f} failed {row[2]:5.0f} skipped "
              f"{row[3]:8.1f} s")
    skipped = f" ({total[2]:.0f} skipped)" if total[2] else ""
    print(f"{total[0]:.0f} passed, {total[1]:.0f} failed{skipped}", flush=True)
    return 1 if total[1] or not total[0] else 0


def end_with_children():
    """However this is ended, what it runs is ended too, politely first; also where it was
    started in the background, which has ^C ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for sig in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, lambda number, _: sys.exit(128 + number))


def main():
    end_with_children()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", required=True, help="directory of the stages' numbers")
    stages = parser.add_subparsers(dest="stage", required=True)
    p = stages.add_parser("unit")
    p.add_argument("--seconds", type=int, default=UNIT_SECONDS, help="of a program at most")
    p.add_argument("name")
    p.add_argument("programs", nargs="*")
    p = stages.add_parser("lint")
    p.add_argument("--name", default="lint")
    p.add_argument("scripts", nargs="*")
    p = stages.add_parser("fuzz")
    p.add_argument("--seconds", type=int, required=True)
    p.add_argument("programs", nargs="*")
    p = stages.add_parser("pytest")
    p.add_argument("--seconds", type=int, required=True)
    p.add_argument("dirs", nargs="*")
    p = stages.add_parser("sum")
    p.add_argument("stages", nargs="+")

    argv = sys.argv[1:]
    extra = []
    if "--" in argv:
        cut = argv.index("--")
        argv, extra = argv[:cut], argv[cut + 1:]
    args = parser.parse_args(argv)
    args.extra = extra
    return globals()["stage_" + args.stage](args)


if __name__ == "__main__":
    sys.exit(main())
