# SPDX-License-Identifier: Apache-2.0
"""A network namespace of the test's own: all servers and clients live in it."""

import contextlib
import ctypes
import http.client
import os
import pathlib
import signal
import socket
import sys
import time
import uuid

import pytest

from .procs import run
from .util import SERVERS_DIR, listening_ports, need, wait_until

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class Netns:
    """`ip netns add rt-…` with loopback up; `close()` ends what still runs in it.

    name, path   the namespace and its file under /run/netns
    popen(argv)  starts a process inside; ended with the test
    run(argv)    runs a command inside to its end
    enter()      with-block in which this thread makes sockets inside
    connect()    a TCP connection made by the test process itself
    http()       an http.client.HTTPConnection over such a connection
    server()     starts a program of servers/ and waits until it is ready"""

    def __init__(self, procs):
        self.procs = procs
        self.name = f"rt-{uuid.uuid4().hex[:10]}"
        self._ip = need("ip")
        run([self._ip, "netns", "add", self.name])
        self.path = f"/run/netns/{self.name}"
        run([self._ip, "-n", self.name, "link", "set", "lo", "up"])
        with open(self.path, "rb") as f:
            self.inode = os.fstat(f.fileno()).st_ino

    def argv(self, argv):
        return [self._ip, "netns", "exec", self.name, *map(os.fspath, argv)]

    def popen(self, argv, **kw):
        kw.setdefault("name", pathlib.Path(os.fspath(argv[0])).name)
        return self.procs.start(self.argv(argv), **kw)

    def run(self, argv, **kw):
        return run(self.argv(argv), **kw)

    @contextlib.contextmanager
    def enter(self):
        """Sockets this thread makes in the block belong to the namespace."""
        with open("/proc/thread-self/ns/net", "rb") as home, open(self.path, "rb") as there:
            _setns(there.fileno())
            try:
                yield
            finally:
                _setns(home.fileno())

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM):
        with self.enter():
            return socket.socket(family, kind)

    def connect(self, port, host="127.0.0.1", timeout=10.0):
        """A connected TCP socket of the test process inside the namespace."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        s = self.socket(family)
        s.settimeout(timeout)
        try:
            s.connect((host, port))
        except BaseException:
            s.close()
            raise
        return s

    def http(self, port, host="127.0.0.1", timeout=10.0):
        """An HTTPConnection that is connected inside and never reconnects by itself."""
        return self.http_over(self.connect(port, host, timeout))

    @staticmethod
    def http_over(sock):
        """An HTTPConnection over a socket that is connected already."""
        conn = http.client.HTTPConnection("localhost")
        conn.sock = sock
        conn.auto_open = 0
        return conn

    def server(self, script, *args, wrap=(), **kw):
        """Starts servers/SCRIPT with `args` under this Python, inside, and waits
        for its line "ready". `wrap` is a command prefix."""
        program = SERVERS_DIR / script
        if not program.exists():
            pytest.fail(f"server program {program} is missing", pytrace=False)
        process = self.popen(
            [*wrap, sys.executable, "-u", program, *map(str, args)],
            name=script,
            **kw,
        )
        process.wait_line("ready", 10, "stdout")
        return process

    def wait_listen(self, process, *ports, timeout=15.0):
        """Waits until all `ports` are in LISTEN inside; fails when `process` ends first."""

        def ready():
            if not process.alive():
                pytest.fail(f"ended before it listened: {process.output()}")
            return set(ports) <= listening_ports(process.pid)

        wait_until(ready, timeout, lambda: f"ports {ports}: {process.output()}")

    def pids(self):
        out = run([self._ip, "netns", "pids", self.name], check=False).stdout
        return [int(p) for p in out.split() if int(p) != os.getpid()]

    def close(self):
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            left = self.pids()
            if not left:
                break
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        run([self._ip, "netns", "del", self.name], check=False)
