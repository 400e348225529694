# SPDX-License-Identifier: Apache-2.0
"""Finds and fetches Debian's packages of any suite, by a private apt.

Everything goes through apt-get with its own lists, caches and sources under the
cache folder, so signatures and checksums are apt's business and the machine's
own package state is neither read nor changed. The mirrors are those that the
machine's own sources name. Used by tools/vm/run and tests/vm/matrix.py.
"""
import fcntl
import glob
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

SUITES = (
    "bullseye", "bullseye-security", "bookworm", "bookworm-backports",
    "trixie", "trixie-backports", "forky", "sid",
)
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
LISTS_AGE = 24 * 3600
# So many kernels of a series are asked for, from the newest on.
TRIES = 6
ARCHES = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}


class VmError(Exception):
    """What went wrong, as one sentence for the user."""


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "redtap" / "vm"


def _uris(text, deb822):
    """(URI, suites) of every source in one sources file that has a component `main`."""
    if not deb822:
        for line in text.splitlines():
            m = re.match(r"\s*deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+([^#]*)", line)
            if m and "main" in m[3].split():
                yield m[1], [m[2]]
        return
    for block in re.split(r"\n\s*\n", text):
        fields = {}
        for line in block.splitlines():
            m = re.match(r"([A-Za-z-]+):\s*(.*)", line)
            if m:
                fields[m[1].lower()] = m[2].split()
        if "deb" in fields.get("types", []) and "main" in fields.get("components", []) \
                and fields.get("enabled") != ["no"]:
            for uri in fields.get("uris", []):
                yield uri, fields.get("suites", [])


def mirrors(root="/etc/apt"):
    """The machine's own mirrors: (main, security); the latter may be None."""
    main = security = None
    files = [f"{root}/sources.list", *sorted(glob.glob(f"{root}/sources.list.d/*.list")),
             *sorted(glob.glob(f"{root}/sources.list.d/*.sources"))]
    known = {s.split("-")[0] for s in SUITES} | {"oldstable", "stable", "testing", "unstable"}
    known |= {f"{s}-{kind}" for s in known for kind in ("updates", "backports")}
    safe = {f"{s}-security" for s in known}
    for name in files:
        try:
            text = Path(name).read_text(encoding="utf-8")
        except OSError:
            continue
        for uri, suites in _uris(text, name.endswith(".sources")):
            for suite in suites:
                if suite.replace("/updates", "-security") in safe:
                    security = security or uri
                elif suite in known:
                    main = main or uri
    if not main:
        raise VmError(f"no Debian mirror is named in {root}/sources.list or sources.list.d")
    return main, security


class Apt:
    """A private apt root: one per architecture, and others by `name`."""

    def __init__(self, arch="amd64", cache=None, suites=SUITES, name=None):
        if arch not in ARCHES:
            raise VmError(f"architecture {arch}: only {' and '.join(ARCHES)} are known")
        self.arch = arch
        self.suites = suites
        self.cache = Path(cache or cache_dir())
        self.root = self.cache / (name or arch)
        for sub in ("apt/lists/partial", "apt/archives/partial", "apt/parts", "kernels"):
            (self.root / sub).mkdir(parents=True, exist_ok=True)
        (self.root / "apt/status").touch()
        self._lock = None

    def __enter__(self):
        self._lock = open(self.root / "lock", "w", encoding="utf-8")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        return self

    def __exit__(self, *exc):
        self._lock.close()

    def _run(self, tool, *args, cwd=None):
        a = self.root / "apt"
        opts = {
            "Dir::State": a, "Dir::State::lists": a / "lists", "Dir::State::status": a / "status",
            "Dir::Cache": a, "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": a / "parts", "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null", "APT::Architecture": self.arch,
            "APT::Architectures": self.arch, "APT::Sandbox::User": "root",
            # A list that could not be fetched is an error, not a warning about old ones.
            "APT::Update::Error-Mode": "any",
            "APT::Update::Post-Invoke": "", "APT::Update::Post-Invoke-Success": "",
            "Acquire::Languages": "none", "Acquire::Retries": "3", "Acquire::Check-Date": "false",
        }
        cmd = [tool, "-q"]
        for key, value in opts.items():
            cmd += ["-o", f"{key}={value}"]
        done = subprocess.run([*cmd, *args], cwd=cwd, text=True, stdin=subprocess.DEVNULL,
                              capture_output=True, env={**os.environ, "LC_ALL": "C"})
        return done.returncode, done.stdout, done.stderr

    def update(self):
        """Fetches the package lists, unless they are fresh."""
        stamp = self.root / "apt/updated"
        if stamp.exists() and time.time() - stamp.stat().st_mtime < LISTS_AGE:
            return
        main, security = mirrors()
        if not os.path.exists(KEYRING):
            raise VmError("the package debian-archive-keyring is missing")
        for suite in self.suites:
            uri = security if suite.endswith("-security") else main
            part = self.root / f"apt/parts/{suite}.sources"
            if not uri:
                part.unlink(missing_ok=True)
                continue
            part.write_text(f"Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: main\n"
                            f"Signed-By: {KEYRING}\n", encoding="utf-8")
        # A suite that the mirror no longer carries (or not yet) is done without.
        for _ in range(len(self.suites)):
            code, _, err = self._run("apt-get", "update")
            gone = re.findall(r"^E: The repository '\S+ (\S+) Release'", err, re.M)
            for suite in gone:
                (self.root / f"apt/parts/{suite}.sources").unlink(missing_ok=True)
            if not gone:
                break
        if code:
            raise VmError(f"the package lists cannot be fetched: {err.strip()[-300:]}")
        stamp.touch()

    def kernels(self, flavour=""):
        """{version prefix: (package, package version)} of every kernel, sorted."""
        self.update()
        tail = f"-{flavour}-{self.arch}" if flavour else f"-{self.arch}"
        _, out, _ = self._run("apt-cache", "search", "--names-only",
                              rf"^linux-image-[0-9][0-9a-z.+-]*{tail}$")
        found = {}
        names = [line.split()[0] for line in out.splitlines() if line]
        names = [n for n in names if re.fullmatch(
            rf"linux-image-[0-9.]+(-[0-9][0-9a-z.]*|\+[a-z0-9.]+){tail}", n)]
        if names:
            _, out, _ = self._run("apt-cache", "madison", *names)
            for line in out.splitlines():
                name, version, _ = (part.strip() for part in line.split("|"))
                found[_numbers(version), version] = name
        return [(numbers, name, version) for (numbers, version), name in sorted(found.items())]

    def find_kernels(self, want, flavour=""):
        """The kernels of a series ("6.12", "7") or all ("newest"), newest first."""
        fit = [(name, version) for numbers, name, version in self.kernels(flavour)
               if want == "newest" or list(numbers[:len(want.split("."))]) ==
               [int(n) for n in want.split(".") if n.isdigit()]]
        if not fit:
            raise VmError(f"the mirror has no kernel {want} for {self.arch}")
        return fit[::-1]

    def download(self, package, version=None):
        """Fetches one package into a folder of its own and returns its path."""
        self.update()
        debs = self.root / "debs"
        shutil.rmtree(debs, ignore_errors=True)
        debs.mkdir()
        name = f"{package}={version}" if version else package
        code, _, err = self._run("apt-get", "download", name, cwd=debs)
        found = list(debs.glob("*.deb"))
        if code or len(found) != 1:
            raise VmError(f"the package {name} cannot be fetched: {err.strip()[-300:]}")
        return found[0]

    def download_all(self, packages):
        """Fetches packages and all they depend on; returns their paths."""
        self.update()
        archives = self.root / "apt/archives"
        for old in archives.glob("*.deb"):
            old.unlink()
        code, _, err = self._run("apt-get", "install", "--download-only", "--yes",
                                 "--no-install-recommends", *packages)
        found = sorted(archives.glob("*.deb"))
        if code or not found:
            raise VmError(f"the packages {' '.join(packages)} cannot be fetched: "
                          f"{err.strip()[-300:]}")
        return found

    def unpack(self, package, into, version=None):
        deb = self.download(package, version)
        subprocess.run(["dpkg-deb", "-x", deb, into], check=True)
        deb.unlink()

    def kernel(self, want, flavour=""):
        """The path of the kernel's image, from the cache or the mirror, and its version."""
        error = None
        # What a suite announces may not be there (any more): then the one before.
        for name, version in self.find_kernels(want, flavour)[:TRIES]:
            place = self.root / "kernels" / f"{name}_{version}"
            try:
                if not place.is_dir():
                    self._fetch_kernel(name, version, place)
                return _image(place), version
            except VmError as e:
                error = error or e
        raise error

    def _fetch_kernel(self, name, version, place):
        tmp = self.root / "unpacking"
        shutil.rmtree(tmp, ignore_errors=True)
        # Newer packages hold the image in linux-binary, which linux-image depends on.
        for package in (name, name.replace("linux-image-", "linux-binary-", 1)):
            self.unpack(package, tmp, version)
            if _image(tmp):
                break
        if not _image(tmp):
            raise VmError(f"the package {name} holds no kernel image")
        for top in ("lib", "usr/lib"):
            for modules in tmp.glob(f"{top}/modules/*/kernel"):
                shutil.rmtree(modules)
        tmp.rename(place)

    def busybox(self):
        """The static busybox of this architecture."""
        place = self.root / "busybox"
        if not place.is_dir():
            tmp = self.root / "unpacking"
            shutil.rmtree(tmp, ignore_errors=True)
            self.unpack("busybox-static", tmp)
            tmp.rename(place)
        for path in ("usr/bin/busybox", "bin/busybox"):
            if (place / path).is_file():
                return place / path
        raise VmError("the package busybox-static holds no busybox")


def _numbers(version):
    return tuple(int(n) for n in re.match(r"[0-9.]+", version)[0].strip(".").split("."))


def _image(place):
    for pattern in ("boot/vmlinuz*", "boot/vmlinux*", "usr/lib/modules/*/vmlinuz",
                    "lib/modules/*/vmlinuz"):
        for path in Path(place).glob(pattern):
            if path.is_file() and not path.is_symlink():
                return path
    return None
