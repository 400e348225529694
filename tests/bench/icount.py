#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How many instructions redtap adds to a request that nginx serves.

Counted in a guest whose clock is the instructions that it executed (QEMU's
-icount shift=0,sleep=off: one nanosecond each), so that the scheduler's own account of
a task's run time is the number of its instructions, on any machine and in any company.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "vm"))

from bench import Table  # noqa: E402
from guest import Guest  # noqa: E402
from kernels import VmError  # noqa: E402
from lab import NGINX_CONF, PORT  # noqa: E402

GOAL_ADDED, GOAL_OWN = 2500, 300
# How the paths are asked for (swarm.c), and what that is called.
WAYS = {"same": "one path", "routes": "ten known paths in turn"}

# Prints lines of JSON: a phase, nginx's instructions and redtap's, for N requests.
SCRIPT = """
mkdir -p /tmp/nginx/body /var/log
nginx -c /etc/nginx.conf -e /tmp/nginx/error.log -p /tmp/nginx &
until wget -qO /dev/null http://127.0.0.1:%(port)d/; do sleep 0.1; done
worker=$(cat /proc/$!/task/$!/children)
worker=${worker%% }
agent=
mkfifo /tmp/in /tmp/out
swarm ask 127.0.0.1 %(port)d 1 %(connections)d 0 </tmp/in >/tmp/out &
exec 3>/tmp/in 4</tmp/out
read -r ready <&4
ran() { # nanoseconds of all tasks of a process
	sum=0
	for t in /proc/$1/task/*/schedstat; do read -r ns rest <$t; sum=$((sum + ns)); done
	echo $sum
}
load() {
	echo "$1 $2" >&3
	read -r answer <&4
}
measure() { # phase, way
	load $2 %(warm)d
	sleep 3
	load $2 %(warm)d
	n0=$(ran $worker)
	a0=0; [ -z "$agent" ] || a0=$(ran $agent)
	load $2 %(requests)d
	n1=$(ran $worker)
	a1=0; [ -z "$agent" ] || a1=$(ran $agent)
	echo "{\\"phase\\": \\"$1\\", \\"way\\": \\"$2\\", \\"nginx\\": $((n1 - n0)), \\"redtap\\": $((a1 - a0))}"
}
start() {
	redtap run --exe "*/nginx" --backend %(backend)s >/tmp/redtap.log 2>&1 &
	agent=$!
	until wget -qO /dev/null http://127.0.0.1:9733/readyz; do sleep 0.1; done
}
stop() {
	kill $agent; wait $agent; agent=
}
for round in %(rounds)s; do
	for way in %(ways)s; do measure without $way; done
	start
	for way in %(ways)s; do measure with $way; done
	sleep 3
	wget -qO /tmp/page http://127.0.0.1:9733/metrics
	grep '^http_server_request_duration_seconds_count' /tmp/page | sed 's/.* //' |
		{ sum=0; while read -r n; do sum=$((sum + n)); done; echo "{\\"phase\\": \\"counted\\", \\"requests\\": $sum}"; }
	stop
done
echo 1 >/proc/sys/kernel/bpf_stats_enabled
start
for way in %(ways)s; do
	load $way %(warm)d; sleep 3
	wget -qO /tmp/before http://127.0.0.1:9733/metrics
	load $way %(requests)d
	sleep 1
	wget -qO /tmp/after http://127.0.0.1:9733/metrics
	for p in $(sed -n 's/^redtap_program_runs_total{program="\\(.*\\)"}.*/\\1/p' /tmp/after); do
		v() { sed -n "s/^redtap_program_$2_total{program=\\"$p\\"} //p" /tmp/$1; }
		echo "{\\"phase\\": \\"program\\", \\"way\\": \\"$way\\", \\"program\\": \\"$p\\", \\"runs\\": [$(v before runs), $(v after runs)], \\"seconds\\": [$(v before run_seconds), $(v after run_seconds)]}"
	done
done
stop
"""


def warm(args):
    """Requests before each measurement, twice."""
    return max(500, args.requests // 10)


def boot(args):
    build = Path(args.build)
    values = {"port": PORT, "connections": args.connections, "requests": args.requests,
              "warm": warm(args), "backend": args.backend,
              "rounds": " ".join(map(str, range(args.rounds))), "ways": " ".join(WAYS)}
    conf = NGINX_CONF.format(dir="/tmp/nginx", port=PORT, mask=1).replace(
        "daemon off;", "daemon off; user root;")
    nginx = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if not nginx:
        raise VmError("nginx is missing: run tools/setup.sh bench")
    (build / "bench/icount.conf").write_text(conf, encoding="utf-8")
    guest = Guest(kernel=args.kernel, command=SCRIPT % values, icount=True, icount_shift=0,
                  timeout=args.timeout, files=[
                      (build / "redtap", "/bin/redtap"), (build / "bench/swarm", "/bin/swarm"),
                      (nginx, "/bin/nginx"), (build / "bench/icount.conf", "/etc/nginx.conf")])
    result = guest.run()
    if result.status != 0:
        raise VmError(f"the guest ended with {result.status}: {result.stderr[-800:]}"
                      f"{result.stdout[-800:]}{result.console[-800:]}")
    return result.kernel, [json.loads(line) for line in result.stdout.splitlines()
                           if line.startswith("{")]


def of(rows, phase, way, what, requests):
    """The mean of the rounds, per request."""
    return statistics.mean(
        r[what] for r in rows if r["phase"] == phase and r["way"] == way) / requests


def report(args, rows, table):
    for way, name in WAYS.items():
        alone = of(rows, "without", way, "nginx", args.requests)
        added = of(rows, "with", way, "nginx", args.requests) - alone
        own = of(rows, "with", way, "redtap", args.requests)
        table.add(f"{name}: nginx alone, per request", alone, "{:.0f}")
        table.add("  added to nginx", added, "{:.0f}", f"<= {GOAL_ADDED}", added <= GOAL_ADDED)
        table.add("  in redtap itself", own, "{:.0f}", f"<= {GOAL_OWN}", own <= GOAL_OWN)
        for r in rows:
            runs = r["runs"][1] - r["runs"][0] if r["phase"] == "program" and r["way"] == way else 0
            if runs >= args.requests / 2:
                each = (r["seconds"][1] - r["seconds"][0]) * 1e9
                table.add(f"  {r['program']}, at both ends, with the kernel's measuring",
                          each / args.requests, "{:.0f}")
    want = (args.requests + 2 * warm(args)) * len(WAYS)
    counted = [r["requests"] for r in rows if r["phase"] == "counted"]
    table.add(f"requests counted, of {want} in each round", counted, "{}", "all",
              all(n == want for n in counted))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", help="where the programs are")
    parser.add_argument("--kernel", default="6.12")
    parser.add_argument("--backend", default="sock")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--requests", type=int, default=16000, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--timeout", type=int, default=600)
    parser.add_argument("--strict", action="store_true", help="exit 1 when a goal is missed")
    args = parser.parse_args()
    kernel, rows = boot(args)
    table = Table()
    report(args, rows, table)
    print(f"\nInstructions per request; Linux {kernel}, backend {args.backend}, "
          f"{args.connections} connections\n\n{table.text()}", end="")
    return 1 if args.strict and table.missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except VmError as e:
        print(f"icount: {e}", file=sys.stderr)
        sys.exit(125)
