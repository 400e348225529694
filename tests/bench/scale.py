#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What redtap takes where much is open: 50,000 connections, 200 services, 2,000 routes.

Prints one table. The bounds are those of README.md, by number of connections and of
routes; exit status 1 when one is exceeded or a request is missing.
"""

import argparse
import os
import pathlib
import signal
import statistics
import sys
import time

from bench import COUNT, SETTLE, Table
from lab import LabError
from swarm import ROUTES, Client, Swarm, Watched, ask_all, maps
import promtext

CLIENTS = 5  # each has 64,511 ports at most for each server, and 20,000 descriptors
ROUNDS = 4
REST_SECONDS = 8  # two sweeps over all fall into it
QUICK_REST_SECONDS = 4
AGING_SECONDS = 12  # rules that nobody uses go when slots are short
BURST = 3  # requests per connection
STARVED_BURST = 6
SCRAPES = 9
BUSY_REQUESTS = 400000
PACED_ROUNDS, PACED_SECONDS = 8, 1.5

# Bounds, and what one more costs. A page of metrics is made in memory at each scrape.
RSS_MB, RSS_CONNECTION, RSS_ROUTE = 20, 256, 4096
PAGE_ROUTE = 32768
MAPS_MB = 28
SOCKET_BYTES = 2400
SCRAPE_MS = 50
REST_CPU = 0.10  # of one CPU, per 50,000 connections


def mb(size):
    return size / 1e6


def memory(args, table, agent, kernel_before):
    routes = args.services * ROUTES
    bound = RSS_MB + mb(args.connections * RSS_CONNECTION + routes * RSS_ROUTE)
    value = agent.memory_kb() * 1024 / 1e6
    table.add("resident memory", value, "{:.1f} MB", f"<= {bound:.0f} MB", value <= bound)
    bound += mb(routes * PAGE_ROUTE)
    value = agent.memory_kb("VmHWM") * 1024 / 1e6
    table.add("  its peak, at a scrape", value, "{:.1f} MB", f"<= {bound:.0f} MB", value <= bound)
    value = mb(sum(maps(agent.child.pid).values()))
    table.add("maps, by the kernel's account", value, "{:.1f} MB", f"<= {MAPS_MB} MB",
              value <= MAPS_MB)
    value = (agent.group.kernel_bytes() - kernel_before) / args.connections
    table.add("kernel memory per open connection", value, "{:.0f} bytes",
              f"<= {SOCKET_BYTES} bytes", value <= SOCKET_BYTES)
    table.add("  all kernel memory", mb(agent.group.kernel_bytes()), "{:.1f} MB")


def rest(args, table, agent):
    """CPU while all are silent."""
    seconds = QUICK_REST_SECONDS if args.quick else REST_SECONDS
    begin = agent.cpu_ns()
    time.sleep(seconds)
    value = (agent.cpu_ns() - begin) / 1e9 / seconds
    bound = 0.02 + REST_CPU * args.connections / 50000
    table.add("user space CPU while all are silent", value * 100, "{:.1f} %",
              f"<= {bound * 100:.0f} %", value <= bound)


def scrapes(args, table, agent, what):
    seconds, lines = zip(*(agent.scrape_seconds() for _ in range(SCRAPES)))
    value = statistics.median(seconds) * 1000
    bound = SCRAPE_MS * args.slack
    table.add(f"a scrape of {lines[-1]} lines, {what}", value, "{:.1f} ms", f"<= {bound:.0f} ms",
              value <= bound)


def paced(args, table, agent, clients):
    """CPU per request while each connection rests for a second or so between two. -> requests
    asked."""
    begin, start = agent.cpu_ns(), time.monotonic()
    for i in range(PACED_ROUNDS):
        ask_all(clients, "routes", args.connections)
        time.sleep(max(0, start + (i + 1) * PACED_SECONDS - time.monotonic()))
    asked = PACED_ROUNDS * args.connections
    table.add("user space CPU per request, with rests between them",
              (agent.cpu_ns() - begin) / 1000 / asked, "{:.2f} us")
    return asked


def busy(args, table, agent, clients):
    """A scrape, and the CPU per request, while known routes are asked for at full speed."""
    for client in clients:
        client.send("routes", BUSY_REQUESTS // len(clients))
    begin, start = agent.cpu_ns(), time.monotonic()
    scrapes(args, table, agent, "at full speed")
    for client in clients:
        client.receive()
    took = time.monotonic() - start
    table.add(f"user space CPU at {BUSY_REQUESTS / took:.0f} requests/s with these scrapes",
              (agent.cpu_ns() - begin) / 1e9 / took * 100, "{:.1f} %")


def burst(args, agent, clients):
    """All at once after a silence; with --starve redtap gets no CPU meanwhile, and the paths
    are new, so that nearly every record is lost. -> requests asked."""
    if not args.starve:
        ask_all(clients, "routes", BURST * args.connections)
        return BURST * args.connections
    time.sleep(AGING_SECONDS)
    os.kill(agent.child.pid, signal.SIGSTOP)
    ask_all(clients, "items", STARVED_BURST * args.connections)
    os.kill(agent.child.pid, signal.SIGCONT)
    time.sleep(1)
    # Where a record gets through, the kernel's own rules get their names.
    ask_all(clients, "routes", BURST * args.connections)
    return (STARVED_BURST + BURST) * args.connections


def exact(args, table, agent, asked):
    """Nothing is missing, and no route is counted as another."""
    time.sleep(SETTLE)
    m = agent.metrics()
    counted = promtext.total(m, COUNT)
    table.add("requests counted, of those asked", (counted, asked), "{0[0]:.0f} of {0[1]}",
              "all", counted == asked)
    series = [labels for name, labels, _ in m if name == COUNT]
    routes = {(x["service_name"], x["http_route"]) for x in series
              if x.get("http_route", "").startswith("/things/")}
    want = args.services * ROUTES
    table.add("routes told apart", len(routes), "{}", str(want), len(routes) == want)
    over = promtext.total(m, "redtap_series_overflow_total")
    table.add("series beyond the cap", over, "{:.0f}")
    table.add("records lost to a full ring", promtext.total(m, "redtap_records_lost_total"),
              "{:.0f}")


def run(args, table, swarm):
    swarm.serve(args.services)
    with Watched(swarm, "--backend", args.backend, *args.flags) as agent:
        kernel_before = agent.group.kernel_bytes()
        table.add("resident memory at the start", agent.memory_kb() * 1024 / 1e6, "{:.1f} MB")
        clients = [Client(swarm, f"127.1.0.{i + 1}", args.connections // CLIENTS)
                   for i in range(CLIENTS)]
        asked = ROUNDS * args.connections
        for _ in range(ROUNDS):
            ask_all(clients, "routes", args.connections)
            time.sleep(1)  # the kernel learns the routes
        time.sleep(SETTLE)
        rest(args, table, agent)
        scrapes(args, table, agent, "all silent")
        asked += burst(args, agent, clients)
        if not args.quick:
            asked += paced(args, table, agent, clients)
            busy(args, table, agent, clients)
            asked += BUSY_REQUESTS
        exact(args, table, agent, asked)
        memory(args, table, agent, kernel_before)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", help="where the programs are")
    parser.add_argument("--connections", type=int, default=50000)
    parser.add_argument("--services", type=int, default=200, help=f"of {ROUTES} routes each")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--quick", action="store_true", help="without the load at full speed")
    parser.add_argument("--slack", type=float, default=1,
                        help="times as long may a scrape take (a busy machine)")
    parser.add_argument("--starve", action="store_true",
                        help="stop redtap during a burst of requests that follows a silence")
    parser.add_argument("flags", nargs="*", metavar="-- FLAG", help="more flags for redtap")
    args = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("scale: needs root: it loads BPF programs and makes network namespaces")
    table = Table()
    try:
        with Swarm(pathlib.Path(args.build)) as swarm:
            run(args, table, swarm)
    except LabError as e:
        table.failed("scale", e)
    print(f"\n{args.connections} connections, {args.services} services, "
          f"{args.services * ROUTES} routes\n\n{table.text()}", end="")
    return 1 if table.missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
