# SPDX-License-Identifier: Apache-2.0
"""Builds the guest's root file system: a newc cpio archive, written by hand.

Holds busybox, the files asked for and the shared libraries that these need,
found by their ELF headers, so that another architecture's programs do as well.
Used by tools/vm/run and tests/vm/matrix.py.
"""
import os
import re
import stat
import subprocess
from pathlib import Path

from kernels import ARCHES, VmError

FOLDERS = ("bin", "dev", "etc", "lib", "proc", "root", "run", "sbin", "sys", "tmp", "usr",
           "usr/bin", "usr/lib", "usr/sbin", "var")

INIT = """#!/bin/sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root TMPDIR=/tmp
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /dev/shm
for fs in $(cat /etc/mounts); do
	case $fs in
	bpf) mount -t bpf bpf /sys/fs/bpf ;;
	cgroup2) mount -t cgroup2 cgroup2 /sys/fs/cgroup ;;
	securityfs) mount -t securityfs securityfs /sys/kernel/security ;;
	debugfs) mount -t debugfs debugfs /sys/kernel/debug ;;
	tracefs) mount -t tracefs tracefs /sys/kernel/tracing ;;
	esac
done 2>/dev/null
hostname guest
ip link set lo up
ulimit -n 65536 -c 0
dmesg -n 1
cd /root
timeout -s KILL "$(cat /etc/seconds)" sh /etc/command >/tmp/.stdout 2>/tmp/.stderr </dev/null
code=$?
# The console also carries the kernel's own lines: a code that those cannot look like.
echo; echo "@@stdout"; gzip -c /tmp/.stdout | base64
echo "@@stderr"; gzip -c /tmp/.stderr | base64
echo "@@status $code"
echo o >/proc/sysrq-trigger
poweroff -f
"""

MOUNTS = ("bpf", "cgroup2", "securityfs", "debugfs", "tracefs")


class Rootfs:
    """The archive in the making: guest path -> (mode, bytes)."""

    def __init__(self, arch="amd64", sysroot=None):
        triplet = ARCHES[arch]
        tops = [Path(sysroot)] if sysroot else []
        self.lib_dirs = [top / sub for top in tops for sub in (
            f"usr/lib/{triplet}", f"lib/{triplet}", "usr/lib", "lib")]
        self.lib_dirs += [Path(p) for p in (
            f"/usr/lib/{triplet}", f"/lib/{triplet}", f"/usr/{triplet}/lib", "/usr/local/lib")]
        self.triplet = triplet
        self.entries = {}
        for folder in FOLDERS:
            self._folder(folder)

    def _folder(self, path):
        parts = path.strip("/").split("/")
        for n in range(1, len(parts) + 1):
            self.entries.setdefault("/".join(parts[:n]), (stat.S_IFDIR | 0o755, b""))

    def data(self, guest, content, mode=0o644):
        guest = guest.strip("/")
        if "/" in guest:
            self._folder(os.path.dirname(guest))
        self.entries[guest] = (stat.S_IFREG | mode, content)

    def file(self, host, guest=None):
        """Adds a file, or a folder with all in it, and the libraries of each program."""
        host = Path(host)
        guest = guest or str(host)
        if host.is_dir():
            for path in sorted(host.rglob("*")):
                if path.is_file():
                    self.file(path, f"{guest}/{path.relative_to(host)}")
            return
        try:
            content = host.read_bytes()
        except OSError as e:
            raise VmError(f"{host} cannot be read: {e.strerror}") from e
        mode = 0o755 if host.stat().st_mode & 0o111 else 0o644
        self.data(guest, content, mode)
        if content[:4] == b"\x7fELF" and content[16:18] in (b"\2\0", b"\3\0"):
            self._libraries(host)

    def _libraries(self, elf):
        out = subprocess.run(["readelf", "-ldW", elf], text=True, capture_output=True,
                             env={**os.environ, "LC_ALL": "C"}).stdout
        interp = re.search(r"program interpreter: (\S+?)\]", out)
        if interp and interp[1].strip("/") not in self.entries:
            self.data(interp[1], self._find(os.path.basename(interp[1]), elf).read_bytes(), 0o755)
        for name in re.findall(r"\(NEEDED\).*\[(.+)\]", out):
            guest = f"/usr/lib/{self.triplet}/{name}"
            if guest.strip("/") in self.entries:
                continue
            # The loader looks into /lib/TRIPLET too, but one place is enough for all.
            self.file(self._find(name, elf), guest)

    def _find(self, name, wanted_by):
        for folder in self.lib_dirs:
            if (folder / name).is_file():
                return folder / name
        raise VmError(f"{wanted_by} needs the library {name}, which is not found")

    def write(self, path, command, busybox, seconds, without=()):
        self.data("/bin/busybox", Path(busybox).read_bytes(), 0o755)
        self.entries["bin/sh"] = (stat.S_IFLNK | 0o777, b"busybox")
        self.data("/init", INIT.encode(), 0o755)
        self.data("/etc/command", command.encode())
        self.data("/etc/seconds", f"{seconds}\n".encode())
        self.data("/etc/mounts", "\n".join(m for m in MOUNTS if m not in without).encode())
        self.data("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"
                  b"nobody:x:65534:65534:nobody:/:/bin/sh\n")
        self.data("/etc/group", b"root:x:0:\nnogroup:x:65534:\n")
        self.data("/etc/hosts", b"127.0.0.1 localhost\n::1 localhost\n")
        with open(path, "wb") as out:
            for number, (name, (mode, content)) in enumerate(sorted(self.entries.items()), 1):
                out.write(_member(name, mode, content, number))
            # The kernel opens it for init before init can mount anything.
            out.write(_member("dev/console", stat.S_IFCHR | 0o600, b"", 0, (5, 1)))
            out.write(_member("TRAILER!!!", 0, b"", 0))


def _member(name, mode, content, inode, device=(0, 0)):
    raw = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, 2 if stat.S_ISDIR(mode) else 1, 0, len(content), 0, 0,
              device[0], device[1], len(raw), 0)
    head = b"070701" + b"".join(b"%08x" % f for f in fields) + raw
    head += b"\0" * (-len(head) % 4)
    return head + content + b"\0" * (-len(content) % 4)
