#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Kernel lockdown, on a real kernel: under `integrity` (and without tracefs mounted)
redtap counts 2,000 requests exactly; and each backend loads there for a user with the least
capabilities, by Debian's reading of perf_event_paranoid=3 as well. Under `confidentiality`, seen or
not seen in securityfs, run and doctor say in one sentence what is forbidden. On Linux 5.10, which
counts maps as locked memory, the same user needs one capability more. Exit status 1 when a line is
red.

    tests/vm/hostile.py --build build [--kernel 6.12]
"""
import argparse
import json
import shutil
import sys
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "vm"))

from guest import Guest  # noqa: E402
from kernels import VmError  # noqa: E402

CAPSH = shutil.which("capsh", path="/usr/sbin:/sbin:/usr/bin") or "/usr/sbin/capsh"
FORBIDDEN = "the kernel is locked down (confidentiality)"
REFUSED = """
redtap doctor >doctor; echo "doctor $?"; tail -n 1 doctor
redtap run --listen 127.0.0.1:0 2>&1; echo "run $?"
"""
DOCTOR = """
doctor() {
	capsh --keep=1 --groups= --gid=61234 --uid=61234 --inh=$1 --addamb=$1 --shell=/bin/sh \\
		-- -c "redtap doctor" >/tmp/doctor
	echo "works:" $(grep "^ok   backend" /tmp/doctor | cut -d" " -f5 | sort)
}
some=cap_bpf,cap_perfmon,cap_dac_read_search
"""
EXACT = """
for b in sock syscall; do timeout 200 exact /bin/redtap $b; done
mount -t tracefs tracefs /sys/kernel/tracing
""" + DOCTOR + """
cat /proc/sys/kernel/perf_event_paranoid
doctor $some
grep -c "backend.*where kernel.perf_event_paranoid is 3, it takes CAP_SYS_ADMIN" /tmp/doctor
doctor $some,cap_sys_admin
echo 2 >/proc/sys/kernel/perf_event_paranoid
doctor $some
"""
# Debian's kernels begin with 3, which takes CAP_SYS_ADMIN for perf's events.
CAPABLE = ["3", "works: fentry sock", "2", *2 * ["works: event fentry sock syscall"]]


OLD = DOCTOR + """
echo 2 >/proc/sys/kernel/perf_event_paranoid
doctor $some
grep -c "backend syscall.*maps cannot be made.* takes CAP_SYS_RESOURCE" /tmp/doctor
doctor $some,cap_sys_resource
ulimit -l unlimited
doctor $some
"""
OLD_SAYS = ["works:", "1", "works: syscall", "works: syscall"]


def exact(lines):
    try:
        found = [json.loads(line) for line in lines[:2]]
    except ValueError:
        return "no result"
    if lines[2:] != CAPABLE:
        return "doctor's findings with few capabilities are not those expected"
    if [x["backend"] for x in found] != ["sock", "syscall"]:
        return "a backend is missing"
    return "; ".join(x["problems"] for x in found if not x["ok"])


def refused(lines):
    want = ["doctor 1", "no backend works here", "redtap: error: " + FORBIDDEN, "run 1"]
    good = len(lines) == len(want) and all(x.startswith(y) for x, y in zip(lines, want))
    return "" if good else "did not say so"


def old(lines):
    return "" if lines == OLD_SAYS else "doctor's findings are not those expected"


# kernel (None: that of the command line), lockdown, file systems that are not mounted, the
# command, its judge
ROWS = [
    (None, "integrity", ("tracefs", "debugfs"), EXACT, exact),
    (None, "confidentiality", (), REFUSED, refused),
    (None, "confidentiality", ("securityfs",), REFUSED, refused),
    ("5.10", "none", (), OLD, old),
]


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("--build", default="build", help="where redtap and the test programs are")
    p.add_argument("--kernel", default="6.12")
    args = p.parse_args()
    build, bad = Path(args.build), 0
    for kernel, lockdown, without, command, judge in ROWS:
        guest = Guest(kernel=kernel or args.kernel, command="cd /tmp\n" + command, timeout=500,
                      append=f"lockdown={lockdown}", without=without,
                      files=[(build / "redtap", "/bin/redtap"), (build / "vm/exact", "/bin/exact"),
                             (CAPSH, "/bin/capsh")])
        result = guest.run()
        wrong = judge(result.stdout.splitlines())
        bad += bool(wrong)
        print(f"{'RED' if wrong else 'ok':4}{result.kernel}  lockdown={lockdown}"
              + "".join(f", no {x}" for x in without) + (f": {wrong}" if wrong else ""), flush=True)
        if wrong:
            print(result.stdout + result.stderr + result.console[-1000:])
    return 1 if bad else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except VmError as e:
        print(f"vm: {e}", file=sys.stderr)
        sys.exit(125)
