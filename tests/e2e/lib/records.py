# SPDX-License-Identifier: Apache-2.0
"""Compares what several backends told of the same traffic, record by record.

Needs nothing but Python: tests/vm/same.py uses it as well."""

import collections

# All of a line of `redtap trace --format json` that is no time.
TOLD = (
    "role", "service", "pid", "executable", "protocol", "method", "path", "route", "status",
    "error", "request_bytes", "response_bytes", "local_port", "peer_address", "peer_port",
)  # fmt: skip


def key(record):
    return tuple(record[k] for k in TOLD)


def differences(by_backend):
    """{backend: records} -> what one has and another has not, as lines; [] when all agree."""
    counts = {b: collections.Counter(map(key, records)) for b, records in by_backend.items()}
    most = collections.Counter()
    for c in counts.values():
        most |= c
    return [
        f"{b}: {n} fewer of " + " ".join(f"{k}={v}" for k, v in zip(TOLD, what))
        for b, c in counts.items()
        for what, n in sorted((most - c).items(), key=str)
    ]


def pairs(by_backend):
    """Of backends that agree: for each record {backend: record}, in the order of time."""
    found = []
    for what in {key(r) for records in by_backend.values() for r in records}:
        columns = {
            b: sorted((r for r in records if key(r) == what), key=lambda r: r["time"])
            for b, records in by_backend.items()
        }
        for row in zip(*columns.values()):
            found.append(dict(zip(columns, row)))
    return sorted(found, key=lambda row: min(r["time"] for r in row.values()))


def spread(pair, field):
    """How far apart the backends' values of a number are."""
    values = [r[field] for r in pair.values()]
    return max(values) - min(values)
