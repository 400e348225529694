# SPDX-License-Identifier: Apache-2.0
"""Both compilers lay out alike what crosses from the kernel to user space.

The shared headers are compiled by the C compiler and by clang for BPF, each
with its own BTF; so no list of fields is kept here. What the linked object
holds of them, stripped as it is, is compared too."""

import json
import pathlib
import re

import pytest

from lib.procs import run
from lib.util import need

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HEADERS = ["bpfcfg.h", "event.h"]
# Those of the linked object that the maps and the rodata are made of.
IN_OBJECT = {"rt_exchange", "rt_bpf_cfg", "rt_port_range", "rt_sig", "rt_exe_key"}


class Layouts:
    """The rt_* structs and enums of a file with BTF, in a form that compares."""

    def __init__(self, path):
        out = run([need("bpftool"), "-j", "btf", "dump", "file", path]).stdout
        self.types = {t["id"]: t for t in json.loads(out)["types"]}
        self.found = {}
        for t in self.types.values():
            if t["kind"] in ("STRUCT", "ENUM", "ENUM64") and t["name"].startswith("rt_"):
                self.found[t["name"]] = self.describe(t)

    def describe(self, t):
        if t["kind"] == "STRUCT":
            members = [
                (m["name"], m["bits_offset"] / 8, self.kind(m["type_id"])) for m in t["members"]
            ]
            return t["size"], members
        return t["size"], [(v["name"], v["val"]) for v in t["values"]]

    def kind(self, type_id):
        """A type without names that differ between compilers: u64 is two spellings of long."""
        t = self.types[type_id]
        if t["kind"] in ("TYPEDEF", "CONST", "VOLATILE"):
            return self.kind(t["type_id"])
        if t["kind"] == "ARRAY":
            return "array", t["nr_elems"], self.kind(t["type_id"])
        if t["kind"] in ("STRUCT", "ENUM"):
            return t["kind"], t["name"], t["size"]
        return t["kind"], t.get("size")


def shared():
    """(kind, name) of everything the headers define."""
    found = []
    for header in sorted((ROOT / "include" / "redtap").glob("*.h")):
        found += re.findall(r"^(struct|enum) (rt_\w+) \{", header.read_text(), re.M)
    return found


@pytest.fixture(scope="module")
def user(tmp_path_factory):
    return Layouts(compile_headers(tmp_path_factory.mktemp("c"), [need("gcc"), "-gbtf"]))


def compile_headers(folder, compiler):
    source, obj = folder / "layout.c", folder / "layout.o"
    lines = [f'#include "redtap/{h}"' for h in HEADERS]
    lines += [f"{kind} {name} v_{name};" for kind, name in shared()]
    source.write_text("\n".join(lines) + "\n")
    run([*compiler, f"-I{ROOT}/include", "-c", "-o", obj, source])
    return obj


def test_both_compilers(user, bpf_flags, tmp_path):
    clang = [need("clang"), *bpf_flags]
    kernel = Layouts(compile_headers(tmp_path, clang))
    names = {name for _, name in shared()}
    assert {"rt_exchange", "rt_proc_event", "rt_active", "rt_xflag", "rt_stat"} <= names
    assert names <= set(user.found)
    for name in sorted(names):
        assert kernel.found.get(name) == user.found[name], name


def test_linked_object(user, bpf_object):
    kernel = Layouts(bpf_object)
    assert IN_OBJECT <= set(kernel.found)
    for name in sorted(set(kernel.found) & set(user.found)):
        assert kernel.found[name] == user.found[name], name


def test_no_holes(user):
    """Every byte of a record has a name: nothing of the kernel's memory leaks in padding.

    Only the end may be open, as a record is written up to `size`."""
    for name in ("rt_exchange", "rt_proc_event", "rt_exe_event", "rt_active", "rt_bpf_cfg"):
        _, members = user.found[name]
        at = 0
        for member, offset, kind in members:
            assert offset == at, f"{name}: a hole before {member}"
            at += size_of(kind)


def size_of(kind):
    if kind[0] == "array":
        return kind[1] * size_of(kind[2])
    return kind[-1]
