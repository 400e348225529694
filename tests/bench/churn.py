#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Whether anything grows while processes, connections and paths come and go.

Services are stopped and started anew all the time, connections are closed after a few
requests, half of the requests have a path that never was there before. Resident memory,
the kernel's memory for redtap, its descriptors, and the entries of each of its maps are
sampled, and must level off. Prints one line per sample and the verdicts; exit status 1
when something grows or a request is missing.
"""

import argparse
import os
import pathlib
import statistics
import sys
import time

from bench import COUNT, SETTLE
from lab import LabError
from swarm import FIRST_PORT, Client, Swarm, Watched, ask_all, entries
import promtext

SERVICES = 20
LASTING = 4  # services whose connections last; the others are what comes and goes
CONNECTIONS = 200  # of each of the two lasting clients
PER_CONNECTION = 7  # requests, of the connections that come and go
REQUESTS = 200  # of each kind, per step of about a tenth of a second
SAMPLES = 40
# Services replaced in a second. What is learnt of one stays for ten minutes after its end:
# the table of rules must hold that many, else its entries say how full it is, and no more.
PACE = 5

# By how much the second half's median may lie above the first quarter's end, at most:
# as a share, and absolutely, for what is small (bytes; entries, descriptors).
SHARE = 0.05
SLACK = {"resident": 1e6, "kernel": 3e6, "descriptors": 5}
SLACK_OTHER = 200
MEMORY = ("resident", "kernel")
# Rules of processes that ended age for up to eleven minutes. Shorter runs do not see the end
# of that; their map is of a fixed size.
AGING = {"rt_rules": 2400}


def sample(agent):
    found = {"resident": agent.memory_kb() * 1024, "kernel": agent.group.kernel_bytes(),
             "descriptors": len(os.listdir(f"/proc/{agent.child.pid}/fd"))}
    m = agent.metrics()
    found["series"] = len(m)
    found.update(entries(agent.child.pid))
    return found, promtext.total(m, COUNT)


def verdict(name, values):
    """None, or what is wrong: the last half of a run against its second quarter. What is
    bounded fills up in the first."""
    quarter = len(values) // 4
    before = statistics.median(values[quarter:2 * quarter])
    after = statistics.median(values[2 * quarter:])
    allowed = max(before * SHARE, SLACK.get(name, SLACK_OTHER))
    return None if after <= before + allowed else f"{name} grows: {before:.0f}, then {after:.0f}"


def step(swarm, lasting, number):
    """Requests on connections that last and on some that do not, and one service replaced
    -> requests that were asked for."""
    asked = 0
    for what in ("routes", "paths"):
        ask_all(lasting, what, 2 * REQUESTS)
        asked += 2 * REQUESTS
    place = LASTING + number % (SERVICES - LASTING)
    old = swarm.servers[place]
    swarm.stop(old)
    swarm.children.remove(old)
    swarm.servers[place] = swarm.service(place)
    brief = Client(swarm, "127.2.0.1", 20, PER_CONNECTION, (FIRST_PORT + place, 1))
    for what in ("routes", "paths"):
        ask_all([brief], what, REQUESTS)
        asked += REQUESTS
    brief.child.stdin.close()
    brief.child.wait()
    swarm.children.remove(brief.child)
    return asked


def show(seconds, found, asked):
    print(f"{seconds:6.0f} s  {asked:9d} requests  "
          + "  ".join(f"{k} {v / 1e6:.1f} MB" if k in MEMORY else f"{k} {v}"
                      for k, v in found.items()), flush=True)


def run(args, swarm):
    """-> what is wrong."""
    swarm.serve(SERVICES)
    with Watched(swarm, "--backend", args.backend, "--metrics-ttl", args.ttl) as agent:
        lasting = [Client(swarm, f"127.1.0.{i + 1}", CONNECTIONS, each, (FIRST_PORT, LASTING))
                   for i, each in enumerate((0, PER_CONNECTION))]
        first, samples = SERVICES - LASTING, []
        # Until all have been asked once, there is growth: of what is there to be seen.
        asked = sum(step(swarm, lasting, number) for number in range(first))
        steps = first
        begin = time.monotonic()
        while time.monotonic() - begin < args.seconds:
            asked += step(swarm, lasting, steps)
            steps += 1
            seconds = time.monotonic() - begin
            time.sleep(max(0, (steps - first) / args.pace - seconds))
            if seconds < args.seconds * (len(samples) + 1) / SAMPLES:
                continue
            found, _ = sample(agent)
            samples.append(found)
            show(seconds, found, asked)
        time.sleep(SETTLE)
        counted = sample(agent)[1]
    print(f"\n{steps} processes came and went, {counted:.0f} of {asked} requests are counted")
    wrong = [] if counted == asked else [f"{asked - counted:.0f} requests are missing"]
    for name in samples[0]:
        if args.seconds < AGING.get(name, 0):
            continue
        wrong.append(verdict(name, [s[name] for s in samples]))
    return [w for w in wrong if w]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", help="where the programs are")
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--pace", type=float, default=PACE, help="services replaced in a second")
    # Longer than the run: what is dropped cannot be counted at its end.
    parser.add_argument("--ttl", default="24h", help="redtap's metrics.ttl")
    parser.add_argument("--backend", default="auto")
    args = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("churn: needs root: it loads BPF programs and makes network namespaces")
    try:
        with Swarm(pathlib.Path(args.build)) as swarm:
            wrong = run(args, swarm)
    except LabError as e:
        wrong = [str(e)]
    for line in wrong:
        print(f"RED {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
