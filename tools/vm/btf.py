#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the path of a Debian kernel's BTF, taken out of its image, unbooted.

    tools/vm/btf.py [--arch arm64] [--kernel 6.12]

Used by tools/check_vmlinux.sh for kernels that do not run here.
"""
import argparse
import lzma
import struct
import sys
import zlib
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from kernels import ARCHES, Apt, VmError  # noqa: E402

# struct btf_header: magic, version, flags, hdr_len, type_off, type_len, str_off, str_len.
HEADER = struct.Struct("<HBBIIIII")
MAGIC = HEADER.pack(0xEB9F, 1, 0, HEADER.size, 0, 0, 0, 0)[:8]
LEAST = 1 << 20  # the kernel's own; what is smaller is a module's


def find(data):
    """The first BTF in an uncompressed image, or None."""
    at = data.find(MAGIC)
    while 0 <= at <= len(data) - HEADER.size:
        *_, size, type_off, type_len, str_off, str_len = HEADER.unpack_from(data, at)
        # Types, then strings; the first string is the empty one, the last one ends.
        end = at + size + str_off + str_len
        if (type_off == 0 and type_len == str_off and type_len + str_len > LEAST
                and end <= len(data) and data[end - str_len] == 0 and data[end - 1] == 0):
            return data[at:end]
        at = data.find(MAGIC, at + 1)
    return None


def unpacked(data):
    """The image itself, and what it holds compressed. Not by zstd, as the images of
    amd64 since 6.12 are."""
    yield data
    for magic, make in ((b"\x1f\x8b\x08", lambda: zlib.decompressobj(31)),
                        (b"\xfd7zXZ\0", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ))):
        at = data.find(magic)
        while at >= 0:
            try:
                yield make().decompress(data[at:])
            except (zlib.error, lzma.LZMAError):
                pass
            at = data.find(magic, at + 1)


def btf(arch, kernel, cache=None):
    with Apt(arch, cache) as apt:
        image, version = apt.kernel(kernel)
        place = apt.root / "btf" / version
        if not place.is_file():
            found = next(filter(None, map(find, unpacked(image.read_bytes()))), None)
            if not found:
                raise VmError(f"{image} holds no BTF, or by a compression that is not known here")
            place.parent.mkdir(exist_ok=True)
            new = place.parent / "unpacking"
            new.write_bytes(found)
            new.rename(place)
    return place


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("--arch", default="amd64", choices=ARCHES)
    p.add_argument("--kernel", default="newest")
    args = p.parse_args()
    print(btf(args.arch, args.kernel))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except VmError as e:
        print(f"btf: {e}", file=sys.stderr)
        sys.exit(1)
