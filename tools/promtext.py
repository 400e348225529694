# SPDX-License-Identifier: Apache-2.0
"""Reads Prometheus text for the demo and the bench: just enough of it for what
redtap writes. The tests have a strict parser of their own."""

import re
import urllib.request

SAMPLE = re.compile(r"^([A-Za-z_:][\w:]*)(?:\{(.*)\})? ([^ ]+)(?: .*)?$")
LABEL = re.compile(r'(\w+)="((?:\\.|[^"\\])*)"')
ESCAPE = {"n": "\n", '"': '"', "\\": "\\"}


def parse(text):
    """-> list of (name, labels, value)."""
    samples = []
    for line in text.split("\n"):
        m = SAMPLE.match(line)
        if m:
            labels = {k: re.sub(r"\\(.)", lambda e: ESCAPE.get(e.group(1), e.group(0)), v)
                      for k, v in LABEL.findall(m.group(2) or "")}
            samples.append((m.group(1), labels, float(m.group(3))))
    return samples


# What is asked is on this machine, whatever proxy leads out of it.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def fetch(url, timeout=5):
    with DIRECT.open(url, timeout=timeout) as r:
        return r.read().decode()


def total(samples, name, **labels):
    """The sum of all series of `name` that carry these labels."""
    return sum(v for n, l, v in samples
               if n == name and all(l.get(k) == w for k, w in labels.items()))


def quantile(q, buckets):
    """As PromQL's histogram_quantile: linear within the bucket. `buckets` is a
    list of (upper bound, cumulative count); None without observations."""
    buckets = sorted(buckets)
    if not buckets or not buckets[-1][1]:
        return None
    rank = q * buckets[-1][1]
    below, lower = 0.0, 0.0
    for bound, count in buckets:
        if count >= rank:
            if bound == float("inf"):
                return lower
            return lower + (bound - lower) * (rank - below) / (count - below)
        below, lower = count, bound
    return lower
