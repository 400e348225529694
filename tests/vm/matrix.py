#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs redtap's backends on real kernels and prints a table of kernel x backend.

Each kernel is booted once. In it: `redtap doctor`; every program given to the
verifier by itself; and for each backend 2,000 requests on 16 connections, whose
counts and durations /metrics must give exactly. Exit status 1 when a cell is red.

    tests/vm/matrix.py --build build [--kernel 6.12]... [--backend sock]...

A kernel of another architecture is named with it, arm64:6.12; its programs are
in the build's folder of that name (make cross).
"""
import argparse
import csv
import json
import re
import shlex
import sys
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "vm"))

from guest import Guest  # noqa: E402
from kernels import ARCHES, VmError  # noqa: E402

REQUESTS = 2000  # of exact.c, seen from each side
PER_SECOND = 200  # more than that, but for a host that is busy with other things
KERNELS = ("5.10", "6.1", "6.12", "6.18", "7", "arm64:6.12")

# What a kernel cannot carry, and what doctor must say of it. All else must work.
CANNOT = {
    ("5.10", "sock"): "Linux 6.3",
    ("6.1", "sock"): "Linux 6.3",
    ("5.10", "event"): "Linux 6.3",
    ("6.1", "event"): "Linux 6.3",
    ("5.10", "fentry"): "Linux 5.17",
    ("arm64:6.1", "sock"): "Linux 6.3",
    ("arm64:6.1", "event"): "Linux 6.3",
    ("arm64:6.1", "fentry"): "6.4 on arm64",
}

# Where doctor must say that the kernel skips runs of a backend's programs. What is
# missing in the counts must then be no more than was skipped.
SKIPS = {
    "sock": ("7",),
    "syscall": ("7",),
    "event": (),
    # Debian's kernels for amd64 are preemptible since 6.1, those for arm64 since 6.18.
    "fentry": tuple(k for k in KERNELS if ":" not in k),
}

# Instructions verified, by program and kernel. More than GROWTH times as many fail.
BUDGETS = ROOT / "tests/bpf/verifier.csv"
GROWTH = 1.10

INSTRUCTION_NS = 2  # of guest.py's -icount

SCRIPT = """
cd /tmp
part() { echo "@@ $*"; }
part doctor; redtap doctor 2>&1
part verify; timeout 240 verify; part "verified $?"
for b in %s; do part "exact $b"; timeout %d exact /bin/redtap $b %s 2>&1; done
part end
"""


def parse():
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("--build", default="build", help="where redtap and the test programs are")
    p.add_argument("--kernel", action="append", help=f"default: {' '.join(KERNELS)}")
    p.add_argument("--backend", action="append", help="default: all that redtap has")
    p.add_argument("--append", default="", help="more kernel parameters")
    p.add_argument("--requests", type=int, metavar="N",
                   help=f"so many in place of {REQUESTS}, with redtap nice, so that it is preempted"
                   " wherever the kernel does that. Without the verifier's part")
    p.add_argument("--icount", action="store_true",
                   help="time by instructions executed: how many of redtap's a request costs. "
                   "Without the verifier's part")
    p.add_argument("--update", action="store_true",
                   help=f"write the instructions verified into {BUDGETS.relative_to(ROOT)}")
    p.add_argument("--verbose", action="store_true", help="also what was refused, and why")
    return p.parse_args()


def backends():
    """All that the program itself knows, in its order."""
    text = (ROOT / "user/bpf/backends.c").read_text(encoding="utf-8")
    found = re.findall(r'\{"([a-z]+)", RT_BACKEND_', text)
    if not found:
        raise VmError("no backend is found in user/bpf/backends.c")
    return found


def boot(args, kernel):
    arch, _, series = kernel.rpartition(":")
    if arch and arch not in ARCHES:
        raise VmError(f"{kernel}: the architecture is none of {', '.join(ARCHES)}")
    build = Path(args.build) / arch
    seconds = 200 + (args.requests or 0) // PER_SECOND
    script = SCRIPT % (shlex.join(args.backend), seconds, args.requests or "")
    if args.icount:
        script = script.replace("timeout 240 verify", "echo 1 > /proc/sys/kernel/bpf_stats_enabled")
    elif args.requests:
        script = script.replace("timeout 240 verify", "true")
    guest = Guest(kernel=series, command=script, arch=arch or "amd64", icount=args.icount,
                  append=args.append, timeout=600 + seconds * len(args.backend), files=[
                      (build / "redtap", "/bin/redtap"), (build / "vm/exact", "/bin/exact"),
                      (build / "vm/verify", "/bin/verify")])
    result = guest.run()
    if result.status is None:
        # An emulator's crash is not the kernel's answer; a second one is.
        print(f"{kernel}: the guest died, once more", file=sys.stderr)
        result = guest.run()
    result.kernel = f"{arch} {result.kernel}".strip()
    return result


def parts(text):
    found = {}
    for m in re.finditer(r"^@@ (.*)\n((?:(?!@@ ).*\n)*)", text, re.M):
        found[m[1]] = m[2]
    return found


def doctor_says(text, backend):
    """(works, reason) as doctor tells it, or None when it does not name the backend."""
    m = re.search(rf"^(ok|no) +backend {backend} \([^)]*\)(?:: (.*))?$", text, re.M)
    return (m[1] == "ok", m[2] or "") if m else None


def verified(text):
    """{program: (instructions or None, milliseconds, the end of the log)}."""
    found, last = {}, None
    for line in text.splitlines():
        fields = line.split("\t")
        if line.startswith("\t"):
            if last:
                found[last][2].append(fields[1])
        elif len(fields) == 4:
            last = fields[0]
            found[last] = (int(fields[2]) if fields[1] == "ok" else None, float(fields[3]), [])
    return found


def judge(kernel, backend, got, requests):
    """One row of the table: (verdict, cells, what is wrong)."""
    says = doctor_says(got.get("doctor", ""), backend)
    cannot = CANNOT.get((kernel, backend))
    if not says:
        return "RED", [], "doctor does not name it"
    if cannot:
        good = not says[0] and cannot in says[1]
        return (("n/a", [], cannot) if good else
                ("RED", [], f"doctor says {says[1] or 'it works'}, not {cannot}"))
    try:
        x = json.loads(got.get(f"exact {backend}", ""))
    except ValueError:
        return "RED", [], "no result: " + got.get(f"exact {backend}", "")[-200:].strip()
    cells = [f"{x['server']}+{x['client']}", "right" if x["ok"] else "-",
             f"{x['ready_ms'] / 1000:.1f} s", f"{x['fresh_ms'] / 1000:.1f} s"]
    if not says[0]:
        return "RED", cells, "doctor: " + says[1]
    if kernel in KERNELS and ("skips some runs" in says[1]) != (kernel in SKIPS[backend]):
        return "RED", cells, "doctor: " + (says[1] or "nothing of runs that are skipped")
    if x["ok"] and x["late"]:
        cells[1] += f", {x['late']} late"
    missing = 2 * requests - x["server"] - x["client"]
    if says[1] and not x["ok"] and x["skipped"] and 0 <= missing <= x["skipped"] + x["lost"] \
            and "ended with status" not in x["problems"]:
        cells[1] = f"{x['skipped']} runs skipped"
        return "skips", cells, ""
    return ("ok" if x["ok"] else "RED"), cells, x["problems"]


def budgets():
    """The file's comment and head, and {kernel: {program: instructions}}."""
    lines = BUDGETS.read_text(encoding="utf-8").splitlines()
    data = [line for line in lines if not line.startswith("#")]
    found = {}
    for row in csv.DictReader(data):
        found.setdefault(row["kernel"], {})[row["program"]] = int(row["budget"])
    return [line for line in lines if line.startswith("#")] + data[:1], found


def over_budget(kernel, programs):
    """What of {program: row of verified()} is against the kernel's budget."""
    known = budgets()[1].get(kernel, {})
    for name in known.keys() - programs.keys():
        yield f"{name}: has a budget, but the verifier was not asked"
    for name, (count, _, _) in programs.items():
        if count is None and name in known:
            yield f"{name}: refused, but has a budget"
        elif count is not None and name not in known:
            yield f"{name}: no budget; --update writes {kernel},{name},{count}"
        elif count is not None and count > GROWTH * known[name]:
            yield f"{name}: {count} instructions verified, the budget is {known[name]} and 10 %"


def update_budgets(measured):
    """{kernel: {program: row of verified()}} into the file; other kernels stay."""
    head, known = budgets()
    for kernel, programs in measured.items():
        known[kernel] = {n: row[0] for n, row in programs.items() if row[0] is not None}
    order = sorted(known, key=lambda k: (k not in KERNELS, KERNELS.index(k) if k in KERNELS else k))
    rows = [f"{k},{n},{known[k][n]}" for k in order for n in sorted(known[k])]
    BUDGETS.write_text("\n".join(head + rows) + "\n", encoding="utf-8")


def chosen(text):
    m = re.search(r"^redtap will use the backend (\S+)$", text, re.M)
    return m[1] if m else "none"


def instructions(got, backend, requests):
    """What redtap's programs cost a request at one of its ends."""
    run_ns = json.loads(got[f"exact {backend}"])["run_ns"]
    return round(run_ns / INSTRUCTION_NS / (2 * requests))


def print_table(head, rows):
    widths = [max(len(str(r[i])) for r in [head, *rows]) for i in range(len(head))]
    for row in [head, ["-" * w for w in widths], *rows]:
        print("  ".join(str(c).ljust(w) for c, w in zip(row, widths)).rstrip())


def main():
    args = parse()
    args.backend = args.backend or backends()
    rows, wrong, programs, versions, measured = [], [], {}, [], {}
    for kernel in args.kernel or KERNELS:
        try:
            result = boot(args, kernel)
        except VmError as e:
            wrong.append(f"{kernel}: {e}")
            continue
        got = parts(result.stdout)
        versions.append(result.kernel)
        if result.status is None or "end" not in got:
            wrong.append(f"{result.kernel}: the guest did not come to its end\n"
                         + result.console[-1500:] + result.stderr[-500:])
            continue
        # 1 is a program that was refused: that is judged below.
        if "verified 0" not in got and "verified 1" not in got:
            wrong.append(f"{result.kernel}: the verifier's part did not come to its end")
            continue
        measured[kernel] = verified(got["verify"])
        for name, row in measured[kernel].items():
            programs.setdefault(name, {})[result.kernel] = row
        if not args.update and not args.icount and not args.requests:
            wrong += [f"{result.kernel} {line}" for line in over_budget(kernel, measured[kernel])]
        auto = chosen(got["doctor"])
        if auto == "none" and (kernel, "syscall") not in CANNOT:
            wrong.append(f"{result.kernel}: no backend is chosen")
        for backend in args.backend:
            verdict, cells, why = judge(kernel, backend, got, args.requests or REQUESTS)
            name = backend + (" *" if backend == auto else "")
            if args.icount and cells:
                count = instructions(got, backend, args.requests or REQUESTS)
                cells[3] = f"{count} instructions"
            rows.append([result.kernel, name, verdict, *(cells or ["", "", "", ""])])
            if backend == auto and verdict != "ok":
                wrong.append(f"{result.kernel}: redtap chooses {auto}, which is not exact")
            if verdict == "RED":
                wrong.append(f"{result.kernel} {backend}: {why}")
            elif verdict == "n/a":
                rows[-1][3] = why
        print(f"{result.kernel}: {result.seconds:.0f} s", file=sys.stderr)

    print_table(["kernel", "backend", "verdict", "requests", "durations", "start",
                 "a request costs" if args.icount else "told after"],
                rows)
    print("\n* taken when nothing is said. skips: the kernel skips runs of its programs, as doctor says;"
          "\nlate: so many changes of a connection's state whose program was skipped; what followed told of them")
    print("\nInstructions verified (-: this kernel refuses the program)\n")
    print_table(["program", *versions],
                [[name, *(("-" if row[0] is None else row[0]) if row else ""
                          for row in (by.get(v) for v in versions))]
                 for name, by in programs.items()])
    if args.update and not args.requests:
        update_budgets(measured)
    if args.verbose:
        for name, by in programs.items():
            for version, (count, _, log) in by.items():
                if count is None:
                    print(f"\n{version} {name}:", *log, sep="\n    ")
    for line in wrong:
        print(f"\nRED {line}")
    return 1 if wrong or not rows else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except VmError as e:
        print(f"vm: {e}", file=sys.stderr)
        sys.exit(125)
