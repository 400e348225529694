#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A /metrics page as a table for people: one row per service, role, method,
route and status.

    red_table.py SECONDS < PAGE      SECONDS: how long the traffic lasted
"""

import sys

import promtext

COLUMNS = ("service", "role", "method", "route", "status", "count", "rate/s", "mean ms", "p50 ms", "p99 ms")
LEFT = 5  # so many columns hold text
KEYS = ("service_name", "role", "http_request_method", "http_route")


def rows(samples, seconds):
    """Histograms of both roles, series that differ in other labels added up."""
    table = {}
    for name, labels, value in samples:
        for role in ("server", "client"):
            family = f"http_{role}_request_duration_seconds"
            if name not in (family + "_bucket", family + "_sum"):
                continue
            status = labels.get("http_response_status_code") or labels.get("error_type", "-")
            key = tuple({**labels, "role": role}.get(k, "") for k in KEYS) + (status,)
            bucket = labels.get("le", "sum")
            row = table.setdefault(key, {})
            row[bucket] = row.get(bucket, 0) + value
    for key, row in sorted(table.items(), key=lambda r: (r[0][0], r[0][1] != "server", r[0])):
        seconds_sum = row.pop("sum", 0.0)
        buckets = [(float(le), count) for le, count in row.items()]
        count = row["+Inf"]
        yield key + (f"{count:.0f}", f"{count / seconds:.1f}", f"{seconds_sum / count * 1000:.2f}",
                     percentile(0.5, buckets), percentile(0.99, buckets))


def percentile(q, buckets):
    """In ms. Within the first bucket a histogram does not say more than that."""
    value = promtext.quantile(q, buckets)
    first = min(buckets)[0]
    if value is None:
        return "-"
    return f"<{first * 1000:.0f}" if value < first else f"{value * 1000:.0f}"


def main():
    table = [COLUMNS, *rows(promtext.parse(sys.stdin.read()), float(sys.argv[1]))]
    widths = [max(len(row[i]) for row in table) for i in range(len(COLUMNS))]
    for row in table:
        print("  " + "  ".join(c.ljust(w) if i < LEFT else c.rjust(w)
                               for i, (c, w) in enumerate(zip(row, widths))))
    return 0 if len(table) > 1 else 1


if __name__ == "__main__":
    sys.exit(main())
