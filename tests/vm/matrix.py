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

KERNELS = ("5.10", "6.1", "6.12", "6.18", "7", "arm64:6.12")

# What a kernel cannot carry, and what doctor must say of it. All else must work.
CANNOT = {
    ("5.10", "sock"): "Linux 6.3",
    ("6.1", "sock"): "Linux 6.3",
    ("5.10", "fentry"): "Linux 5.17",
    ("arm64:6.1", "sock"): "Linux 6.3",
    ("arm64:6.1", "fentry"): "6.4 on arm64",
}

SCRIPT = """
cd /tmp
part() { echo "@@ $*"; }
part doctor; redtap doctor 2>&1
part verify; timeout 240 verify
for b in %s; do part "exact $b"; timeout 200 exact /bin/redtap $b 2>&1; done
part end
"""


def parse():
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("--build", default="build", help="where redtap and the test programs are")
    p.add_argument("--kernel", action="append", help=f"default: {' '.join(KERNELS)}")
    p.add_argument("--backend", action="append", help="default: all that redtap has")
    p.add_argument("--append", default="", help="more kernel parameters")
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
    guest = Guest(kernel=series, command=SCRIPT % shlex.join(args.backend),
                  arch=arch or "amd64",
                  append=args.append, timeout=600, files=[
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


def judge(kernel, backend, got):
    """One row of the table: (verdict, cells, what is wrong)."""
    says = doctor_says(got.get("doctor", ""), backend)
    cannot = CANNOT.get((kernel, backend))
    if not says:
        return "RED", [], "doctor does not name it"
    if cannot:
        good = not says[0] and cannot in says[1]
        return ("n/a" if good else "RED"), [], says[1] or "doctor says it works"
    try:
        x = json.loads(got.get(f"exact {backend}", ""))
    except ValueError:
        return "RED", [], "no result: " + got.get(f"exact {backend}", "")[-200:].strip()
    cells = [f"{x['server']}+{x['client']}", "right" if x["ok"] else "-",
             f"{x['ready_ms'] / 1000:.1f} s", f"{x['fresh_ms'] / 1000:.1f} s"]
    if not says[0]:
        return "RED", cells, "doctor: " + says[1]
    return ("ok" if x["ok"] else "RED"), cells, x["problems"]


def print_table(head, rows):
    widths = [max(len(str(r[i])) for r in [head, *rows]) for i in range(len(head))]
    for row in [head, ["-" * w for w in widths], *rows]:
        print("  ".join(str(c).ljust(w) for c, w in zip(row, widths)).rstrip())


def main():
    args = parse()
    args.backend = args.backend or backends()
    rows, wrong, programs, versions = [], [], {}, []
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
        for name, row in verified(got["verify"]).items():
            programs.setdefault(name, {})[result.kernel] = row
        for backend in args.backend:
            verdict, cells, why = judge(kernel, backend, got)
            rows.append([result.kernel, backend, verdict, *(cells or ["", "", "", ""])])
            if verdict == "RED":
                wrong.append(f"{result.kernel} {backend}: {why}")
            elif verdict == "n/a":
                rows[-1][3] = why
        print(f"{result.kernel}: {result.seconds:.0f} s", file=sys.stderr)

    print_table(["kernel", "backend", "verdict", "requests", "durations", "start", "told after"],
                rows)
    print("\nInstructions verified (-: this kernel refuses the program)\n")
    print_table(["program", *versions],
                [[name, *(("-" if row[0] is None else row[0]) if row else ""
                          for row in (by.get(v) for v in versions))]
                 for name, by in programs.items()])
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
