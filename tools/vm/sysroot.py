#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Keeps another architecture's headers and libraries for cross builds and guests.

    tools/vm/sysroot.py arm64 libelf-dev zlib1g-dev

Unpacks these packages of this machine's own Debian release, and all they depend
on, into a folder of the cache, and prints its path. Nothing is installed: the
machine's package state is neither read nor changed. Does nothing when it is there.
"""
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from kernels import ARCHES, Apt, VmError, cache_dir  # noqa: E402

# Cut out: nothing is run or read there, and half of all bytes are theirs.
UNUSED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/bin",
          "usr/sbin")


def release():
    """The code name of this machine's Debian release: what is linked must be its age."""
    try:
        text = Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        text = ""
    m = re.search(r"^VERSION_CODENAME=\"?(\w+)", text, re.M)
    if not m:
        raise VmError("/etc/os-release names no Debian release")
    return m[1]


def place(arch, packages, cache=None):
    """Where the tree stands, or will: another list of packages is another tree."""
    suite = release()
    key = hashlib.sha256(" ".join(sorted(packages)).encode()).hexdigest()[:8]
    suites = (suite, f"{suite}-updates", f"{suite}-security")
    apt = Apt(arch, cache, suites, f"sysroot/{arch}-{suite}")
    return apt, apt.root / f"tree-{key}"


def sysroot(arch, packages, cache=None):
    """The tree's path; made when it is not there."""
    apt, tree = place(arch, packages, cache)
    with apt:
        if tree.is_dir():
            return tree
        new = apt.root / "unpacking"
        shutil.rmtree(new, ignore_errors=True)
        # One lib folder, whichever of the two a package names.
        (new / "usr/lib").mkdir(parents=True)
        (new / "lib").symlink_to("usr/lib")
        for deb in apt.download_all(packages):
            _unpack(deb, new)
            deb.unlink()
        for path in UNUSED:
            shutil.rmtree(new / path, ignore_errors=True)
        _relative(new)
        for old in apt.root.glob("tree-*"):
            shutil.rmtree(old)
        new.rename(tree)
    return tree


def made(arch, cache=None):
    """The tree that was made last, or None."""
    trees = (Path(cache or cache_dir()) / "sysroot").glob(f"{arch}-*/tree-*")
    return max(trees, key=lambda tree: tree.stat().st_ctime, default=None)


def _unpack(deb, into):
    # Not dpkg-deb -x: it puts a folder where the link is.
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as p:
        subprocess.run(["tar", "-x", "--no-same-owner", "--keep-directory-symlink", "-C", into],
                       stdin=p.stdout, check=True)
    if p.returncode:
        raise VmError(f"{deb.name} cannot be unpacked")


def _relative(tree):
    """Links to absolute paths would lead out of the tree."""
    for link in list(tree.rglob("*")):
        if link.is_symlink() and os.readlink(link).startswith("/"):
            target = tree / os.readlink(link).lstrip("/")
            link.unlink()
            link.symlink_to(os.path.relpath(target, link.parent))


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in ARCHES:
        print(f"usage: sysroot.py {'|'.join(ARCHES)} PACKAGE...", file=sys.stderr)
        return 2
    print(sysroot(sys.argv[1], sys.argv[2:]))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except VmError as e:
        print(f"sysroot: {e}", file=sys.stderr)
        sys.exit(1)
