# SPDX-License-Identifier: Apache-2.0
"""Boots a kernel in QEMU under software emulation and brings back what ran in it.

The guest cannot outlive the caller: the kernel kills QEMU when its parent dies.
Used by tools/vm/run and tests/vm/matrix.py.
"""
import base64
import binascii
import ctypes
import gzip
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import sysroot
from kernels import Apt, VmError
from rootfs import Rootfs

MACHINES = {
    "amd64": ("qemu-system-x86_64", "qemu-system-x86", ["-machine", "pc", "-cpu", "max"],
              "console=ttyS0"),
    "arm64": ("qemu-system-aarch64", "qemu-system-arm",
              ["-machine", "virt", "-cpu", "cortex-a72"], "console=ttyAMA0"),
}
PR_SET_PDEATHSIG = 1


@dataclass
class Result:
    """What a guest left: `status` is None when it did not come to its end."""
    kernel: str
    status: int | None
    stdout: str = ""
    stderr: str = ""
    console: str = ""
    seconds: float = 0.0


@dataclass
class Guest:
    """What to boot; `files` are (host path, guest path or None)."""
    kernel: str
    command: str
    files: list = field(default_factory=list)
    arch: str = "amd64"
    flavour: str = ""
    append: str = ""
    cpus: int = 1
    memory: int = 1024
    icount: bool = False
    icount_shift: int = 1  # an instruction takes 2^n ns
    timeout: int = 120
    without: tuple = ()
    sysroot: str | None = None
    cache: str | None = None

    def run(self):
        # A SIGTERM must unwind too: the guest ends anyway, its files would stay.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        with Apt(self.arch, self.cache) as apt:
            image, version = apt.kernel(self.kernel, self.flavour)
            busybox = apt.busybox()
        root = Rootfs(self.arch, self.sysroot or sysroot.made(self.arch, self.cache))
        for host, guest in self.files:
            root.file(host, guest)
        with tempfile.TemporaryDirectory(prefix="redtap-vm-") as tmp:
            initrd = Path(tmp) / "initrd"
            root.write(initrd, self.command, busybox, self.timeout, self.without)
            start = time.monotonic()
            console = self._boot(image, initrd, Path(tmp) / "console")
        result = _parse(version, console)
        result.seconds = time.monotonic() - start
        return result

    def _boot(self, image, initrd, log):
        program, package, machine, tty = MACHINES[self.arch]
        if not shutil.which(program):
            raise VmError(f"{program} is missing: install the package {package}")
        cmd = [program, *machine, "-accel", "tcg,thread=" + ("single" if self.cpus == 1 else
               "multi"), "-m", str(self.memory), "-smp", str(self.cpus), "-display", "none",
               "-serial", "stdio", "-monitor", "none", "-nic", "none", "-no-reboot",
               "-kernel", str(image), "-initrd", str(initrd), "-append",
               f"{tty} quiet panic=-1 random.trust_cpu=on {self.append}".strip()]
        if self.icount:
            cmd += ["-icount", f"shift={self.icount_shift},sleep=off"]
        libc = ctypes.CDLL(None)
        with open(log, "wb") as out:
            qemu = subprocess.Popen(
                cmd, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
            try:
                # The guest ends the command by itself; beyond that it is stuck.
                qemu.wait(self.timeout + 90)
            except subprocess.TimeoutExpired:
                pass
            finally:
                qemu.kill()
                qemu.wait()
        return log.read_bytes().decode("utf-8", "replace").replace("\r", "")


def _part(console, start, end):
    m = re.search(rf"^{start}\n(.*?)^{end}", console, re.M | re.S)
    if not m:
        return ""
    try:
        lines = [x for x in m[1].split("\n") if re.fullmatch(r"[A-Za-z0-9+/=]*", x)]
        return gzip.decompress(base64.b64decode("".join(lines))).decode("utf-8", "replace")
    except (binascii.Error, OSError, EOFError, zlib.error) as e:
        raise VmError(f"the guest's output came back damaged: {e}") from e


def _parse(version, console):
    m = re.search(r"^@@status (\d+)", console, re.M)
    if not m:
        return Result(version, None, console=console)
    return Result(version, int(m[1]), _part(console, "@@stdout", "@@stderr"),
                  _part(console, "@@stderr", "@@status"), console)
