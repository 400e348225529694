# SPDX-License-Identifier: Apache-2.0
"""A strict reader of the Prometheus text format, independent of redtap's writer."""

import re

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
_ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


class Sample:
    """One line: name, labels (dict), value (float)."""

    __slots__ = ("name", "labels", "value")

    def __init__(self, name, labels, value):
        self.name, self.labels, self.value = name, labels, value

    def __repr__(self):
        return f"{self.name}{self.labels} {self.value:g}"


def parse_line(line):
    """Parses a sample line; raises ValueError with the line on any deviation."""
    match = _NAME.match(line)
    if not match:
        raise ValueError(f"no metric name: {line!r}")
    name, pos, labels = match.group(), match.end(), {}
    if line[pos : pos + 1] == "{":
        pos += 1
        while line[pos : pos + 1] != "}":
            match = _LABEL.match(line, pos)
            if not match:
                raise ValueError(f"bad label at {pos}: {line!r}")
            key, value = match.groups()
            if key in labels:
                raise ValueError(f"label {key} twice: {line!r}")
            labels[key] = re.sub(r'\\[\\"n]', lambda m: _ESCAPES[m.group()], value)
            pos = match.end()
            if line[pos : pos + 1] == ",":
                pos += 1
        pos += 1
    rest = line[pos:].split()
    if line[pos : pos + 1] != " " or not rest:
        raise ValueError(f"no value: {line!r}")
    return Sample(name, labels, float(rest[0]))


class Metrics:
    """All samples of one scrape. Label filters take a value, None (label absent or
    empty), a set of values, or a function of the value ("" when absent)."""

    def __init__(self, text):
        self.text = text
        self.samples = [
            parse_line(line) for line in text.split("\n") if line and not line.startswith("#")
        ]
        self._by_name = {}
        for sample in self.samples:
            self._by_name.setdefault(sample.name, []).append(sample)

    @staticmethod
    def _fits(labels, wanted):
        for key, want in wanted.items():
            have = labels.get(key, "")
            if want is None:
                ok = have == ""
            elif callable(want):
                ok = want(have)
            elif isinstance(want, (set, frozenset, list, tuple)):
                ok = have in {str(w) for w in want}
            else:
                ok = have == str(want)
            if not ok:
                return False
        return True

    def select(self, name, **labels):
        """The samples of this name whose labels fit."""
        return [s for s in self._by_name.get(name, []) if self._fits(s.labels, labels)]

    def sum(self, name, **labels):
        """The sum over select(); 0.0 when there is none."""
        return sum(s.value for s in self.select(name, **labels))

    def names(self):
        return set(self._by_name)

    # The families most tests ask for.
    def server_count(self, **labels):
        return int(self.sum("http_server_request_duration_seconds_count", **labels))

    def client_count(self, **labels):
        return int(self.sum("http_client_request_duration_seconds_count", **labels))

    def server_seconds(self, **labels):
        return self.sum("http_server_request_duration_seconds_sum", **labels)

    def lost(self):
        return int(self.sum("redtap_records_lost_total"))

    def losses(self):
        """What was lost, {reason: how many}; empty when nothing was."""
        lost = self.select("redtap_records_lost_total")
        return {s.labels["reason"]: int(s.value) for s in lost if s.value}

    def conservation(self):
        """The identity's parts: {"started", "finished", "aborted", "evicted", "in_flight"}."""
        parts = {
            key: int(self.sum(f"redtap_exchanges_{key}_total"))
            for key in ("started", "finished", "aborted", "evicted")
        }
        parts["in_flight"] = int(self.sum("redtap_exchanges_in_flight"))
        return parts

    def assert_conserved(self):
        """started = finished + aborted + evicted + in flight, and nothing lost."""
        for key in ("started", "finished", "aborted", "evicted"):
            assert f"redtap_exchanges_{key}_total" in self._by_name, f"no {key} counter"
        assert "redtap_exchanges_in_flight" in self._by_name
        parts = self.conservation()
        rest = parts["finished"] + parts["aborted"] + parts["evicted"] + parts["in_flight"]
        assert parts["started"] == rest, parts
        assert self.losses() == {}, self.losses()
