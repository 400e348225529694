#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A /metrics page as a table for people: one row per service, role, method,
route and status.

    red_table.py SECONDS < PAGE      SECONDS: how long the traffic lasted
"""

import sys

import promtext

COLUMNS = ("service", "role", "method", "route", "status", "count", "rate/s", "p50 ms", "p99 ms")
LEFT = 5  # so many columns hold text
KEYS = ("service_name", "role", "http_request_method", "http_route")


def rows(samples, seconds):
    """Histograms of both roles, series that differ in other labels added up."""
    table = {}
    for name, labels, value in samples:
        for role in ("server", "client"):
            if name == f"http_{role}_request_duration_seconds_bucket":
                status = labels.get("http_response_status_code") or labels.get("error_type", "-")
                key = tuple({**labels, "role": role}.get(k, "") for k in KEYS) + (status,)
                buckets = table.setdefault(key, {})
                bound = float(labels["le"])
                buckets[bound] = buckets.get(bound, 0) + value
    for key, buckets in sorted(table.items(), key=lambda r: (r[0][0], r[0][1] != "server", r[0])):
        pairs = list(buckets.items())
        count = buckets[float("inf")]
        times = [promtext.quantile(q, pairs) for q in (0.5, 0.99)]
        yield key + (f"{count:.0f}", f"{count / seconds:.1f}",
                     *("-" if t is None else f"{t * 1000:.1f}" for t in times))


def main():
    table = [COLUMNS, *rows(promtext.parse(sys.stdin.read()), float(sys.argv[1]))]
    widths = [max(len(row[i]) for row in table) for i in range(len(COLUMNS))]
    for row in table:
        print("  " + "  ".join(c.ljust(w) if i < LEFT else c.rjust(w)
                               for i, (c, w) in enumerate(zip(row, widths))))
    return 0 if len(table) > 1 else 1


if __name__ == "__main__":
    sys.exit(main())
