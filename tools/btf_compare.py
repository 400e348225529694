#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What check_vmlinux.sh needs a parser for: compares the relocatable structs of
a header with a kernel's BTF.

    btf_compare.py OURS KERNEL HEADER...

OURS and KERNEL are `bpftool btf dump file X format raw` outputs: of the headers
as compiled, and of the kernel. A struct is relocatable when its definition has
preserve_access_index, by itself or by the pragma around it; others have a
layout of their own and are left alone. A flavour (`name___suffix`) stands for
`name`, and what it has beyond this kernel is optional.
"""

import re
import sys

TYPE = re.compile(r"^\[(\d+)\] (\w+) '([^']*)'(.*)$")
MEMBER = re.compile(r"^\t'([^']*)' type_id=(\d+)")
ATTR = re.compile(r"(\w+)=(-?\w+)")
RECORDS = ("STRUCT", "UNION")
# Types that only rename or qualify another one.
THROUGH = ("TYPEDEF", "CONST", "VOLATILE", "RESTRICT", "TYPE_TAG")


class Btf:
    """One dump: types by id, and the records and typedefs by name."""

    def __init__(self, path):
        self.types = {0: ("VOID", "", {}, [])}
        self.names = {}
        with open(path, encoding="utf-8") as f:
            for line in f:
                m = TYPE.match(line)
                if m:
                    ident, kind, name, rest = m.groups()
                    current = (kind, name, dict(ATTR.findall(rest)), [])
                    self.types[int(ident)] = current
                    if name != "(anon)" and (kind in RECORDS or kind == "TYPEDEF"):
                        self.names.setdefault(name, []).append(int(ident))
                elif (m := MEMBER.match(line)):
                    current[3].append((m.group(1), int(m.group(2))))

    def plain(self, ident):
        """The type behind names and qualifiers."""
        while self.types[ident][0] in THROUGH:
            ident = int(self.types[ident][2]["type_id"])
        return self.types[ident]

    def members(self, ident):
        """Name -> type id, those of anonymous members included."""
        found = {}
        for name, member in self.plain(ident)[3]:
            if name == "(anon)":
                found.update(self.members(member))
            else:
                found[name] = member
        return found

    def shape(self, ident):
        """What two types must share for a relocated read to be right: kind and
        size; for arrays those of the element too."""
        kind, _, attr, _ = self.plain(ident)
        if kind == "ARRAY":
            return f"{self.shape(int(attr['type_id']))}[{attr['nr_elems']}]"
        if kind == "PTR":
            return "pointer"
        if kind in RECORDS:
            return kind.lower()
        if kind in ("INT", "ENUM", "ENUM64"):
            return f"{8 * int(attr['size'])}-bit integer"
        return kind.lower()


def relocatable(path):
    """(name, line) of the records in a header that CO-RE relocates."""
    with open(path, encoding="utf-8") as f:
        text = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group()), f.read(), flags=re.S)
    inside = False
    body = r"\{(?:[^\n{}]*|\n.*?^)\}"  # on one line, or up to a brace that begins one
    for m in re.finditer(
            r"^#pragma clang attribute (push\(.*?preserve_access_index|pop)"
            rf"|^(?:struct|union) (\w+) {body}([^;]*);"
            rf"|^typedef (?:struct|union) {body} *(\w+)([^;]*);", text, re.M | re.S):
        pragma, name, tail, typedef, typedef_tail = m.groups()
        if pragma:
            inside = pragma != "pop"
        elif inside or "preserve_access_index" in (tail or typedef_tail or ""):
            yield name or typedef, text.count("\n", 0, m.start()) + 1


def differences(ours, kernel, name):
    """What this kernel lacks of `name`: against the best of the types that bear
    the name, for a kernel may have several."""
    base = name.split("___")[0]
    mine = ours.members(ours.names[name][0])
    best = [f"there is no type {base}"]
    for ident in kernel.names.get(base, []):
        theirs = kernel.members(ident)
        found = []
        for field, member in mine.items():
            if field not in theirs:
                found.append(f"{base} has no field {field}")
                continue
            want, have = ours.shape(member), kernel.shape(theirs[field])
            if want != have:
                found.append(f"{base}.{field} is a {have}, not a {want}")
        if ident == kernel.names[base][0] or len(found) < len(best):
            best = found
    return best


def main():
    ours, kernel = Btf(sys.argv[1]), Btf(sys.argv[2])
    records = fields = optional = bad = 0
    for path in sys.argv[3:]:
        for name, line in relocatable(path):
            records += 1
            if name not in ours.names:
                print(f"{path}:{line}: {name} did not come out of the compiler")
                bad += 1
                continue
            fields += len(ours.members(ours.names[name][0]))
            for what in differences(ours, kernel, name):
                if "___" in name:
                    optional += 1
                else:
                    print(f"{path}:{line}: {what} in this kernel")
                    bad += 1
    if not records:
        print("found no relocatable type in the headers")
        return 1
    if not bad:
        print(f"vmlinux: {records} types with {fields} fields, all in this kernel"
              + (f" but {optional} optional ones" if optional else ""))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
