# SPDX-License-Identifier: Apache-2.0
"""The bench's laboratory: a network namespace with an nginx in it, wrk as the
load, the agent beside them. All of it is gone when the `with` block ends, and
what was started dies with the bench even if that is killed (but for nginx's worker)."""

import collections
import ctypes
import http.client
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))

import promtext  # noqa: E402

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)
FILES = 65536
PORT = 8080

NGINX_CONF = """
daemon off;
worker_processes 1;
worker_cpu_affinity {mask:b};
worker_rlimit_nofile 65536;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ return 200 ""; }}
    }}
}}
"""

# What a load run gave: completed requests, seconds, socket errors.
Load = collections.namedtuple("Load", "requests seconds errors")


class LabError(Exception):
    """A part of the laboratory does not work; the text says which."""


def _child_setup():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limit = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(what, condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not so after {seconds} s")
        time.sleep(0.02)


class Space:
    """A network namespace, a folder, and the processes started with them."""

    def __init__(self, build):
        self.build = pathlib.Path(build).resolve()
        self.ns = f"redtap-bench-{os.getpid()}"
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="redtap-bench-"))
        self.children = []

    def __enter__(self):
        # Ended from outside, it leaves nothing behind either.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        try:
            self.dir.chmod(0o755)
            subprocess.run(["ip", "netns", "add", self.ns], check=True)
            subprocess.run(["ip", "-n", self.ns, "link", "set", "lo", "up"], check=True)
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for child in reversed(self.children):
            self.stop(child)
        subprocess.run(["ip", "netns", "del", self.ns], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.dir, ignore_errors=True)

    def start(self):
        """What stands ready in the namespace."""

    def spawn(self, command, inside=False, **kw):
        if inside:
            command = ["ip", "netns", "exec", self.ns, *command]
        child = subprocess.Popen(command, preexec_fn=_child_setup, **kw)
        self.children.append(child)
        return child

    @staticmethod
    def stop(child):
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


class Lab(Space):
    """nginx on CPU 0, wrk on the last CPU, in one network namespace."""

    def __init__(self, build, seconds):
        super().__init__(build)
        self.seconds = seconds  # of a load run, where nothing else is said
        self.wrk_cpu = max(os.sched_getaffinity(0))

    def start(self):
        conf = self.dir / "nginx.conf"
        conf.write_text(NGINX_CONF.format(dir=self.dir, port=PORT,
                                          mask=1 << min(os.sched_getaffinity(0))))
        log = self.dir / "error.log"
        nginx = self.spawn(["nginx", "-p", str(self.dir), "-e", str(log), "-c", str(conf)],
                           inside=True, stderr=subprocess.DEVNULL)

        def answers():
            if nginx.poll() is not None:
                raise LabError(f"nginx did not start: {log.read_text()}")
            return subprocess.run(
                ["ip", "netns", "exec", self.ns, "curl", "--noproxy", "*", "-sf",
                 f"http://127.0.0.1:{PORT}/"],
                check=False).returncode == 0

        wait_until("nginx answers", answers)
        self.worker = int(pathlib.Path(f"/proc/{nginx.pid}/task/{nginx.pid}/children").read_text())

    def wrk(self, seconds=None, connections=64, threads=1, lua=None):
        """A full-speed run; lua: what wrk asks for, else "/". -> Load."""
        seconds = seconds or self.seconds
        script = []
        if lua:
            (self.dir / "wrk.lua").write_text(lua)
            script = ["-s", str(self.dir / "wrk.lua")]
        out = subprocess.run(
            ["ip", "netns", "exec", self.ns, "taskset", "-c", str(self.wrk_cpu), "wrk",
             "-t", str(threads), "-c", str(connections), "-d", f"{seconds}s",
             *script, f"http://127.0.0.1:{PORT}/"],
            check=True, capture_output=True, text=True, preexec_fn=_child_setup).stdout
        done = re.search(r"(\d+) requests in ([\d.]+)(m?s|m),", out)
        if not done:
            raise LabError(f"wrk said something else than expected:\n{out}")
        unit = {"s": 1, "ms": 0.001, "m": 60}[done.group(3)]
        if "Non-2xx or 3xx responses" in out:
            raise LabError(f"nginx answered otherwise than with 200:\n{out}")
        errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
        # Its own "Requests/sec" has the digits that its duration lacks.
        rate = float(re.search(r"Requests/sec: *([\d.]+)", out).group(1))
        requests = int(done.group(1))
        return Load(requests, requests / rate if rate else float(done.group(2)) * unit,
                    sum(map(int, errors.groups())) if errors else 0)

    def attach(self, backend, *args):
        """Programs of empty.bpf.c on a backend's hooks until detach(); args: none, or a pid,
        which a step of the least programs may follow."""
        command = [str(self.build / "bench/empty_cost"), str(self.build / "bench/empty.bpf.o"),
                   backend, *map(str, args)]
        if not os.path.exists("/sys/kernel/tracing/events"):
            command = ["unshare", "-m", "sh", "-c",
                       'mount -t tracefs tracefs /sys/kernel/tracing && exec "$@"', "sh", *command]
        child = self.spawn(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if child.stdout.readline() != "ready\n":
            raise LabError("empty_cost did not get ready")
        return child

    @staticmethod
    def detach(child):
        """-> (runs, ns), or, where attach() had a pid, (hits of pid, hits of all)"""
        return tuple(map(int, child.communicate()[0].split()))

    def hooks(self, backend, *args, seconds=None):
        """attach(), a load run, detach() -> the two numbers, and the load"""
        child = self.attach(backend, *args)
        load = self.wrk(seconds)
        return *self.detach(child), load


class Agent:
    """A running `redtap run`. By default it watches nginx's sockets only."""

    def __init__(self, lab, *flags, exe="*/nginx", wrap=list):
        self.lab = lab
        self.port = free_port()
        self.log = open(lab.dir / "agent.log", "w+", encoding="utf-8")
        command = [str(lab.build / "redtap"), "run", "--listen", f"127.0.0.1:{self.port}",
                   "--netns", f"/run/netns/{lab.ns}"]
        if exe:
            command += ["--exe", exe]
        self.begin = time.monotonic()
        self.child = lab.spawn(wrap(command + list(flags)), stdout=self.log, stderr=self.log)

    def __enter__(self):
        try:
            while True:
                if self.child.poll() is not None:
                    self.log.seek(0)
                    raise LabError(f"redtap ended with status {self.child.returncode}: "
                                   f"{self.log.read().strip()}")
                if time.monotonic() - self.begin > 10:
                    raise LabError("redtap is not ready after 10 s")
                if self._status("/readyz") == 200 and self._status("/metrics") == 200:
                    break
                time.sleep(0.001)
        except BaseException:
            self.__exit__()
            raise
        self.start_seconds = time.monotonic() - self.begin
        return self

    def __exit__(self, *_):
        self.lab.stop(self.child)
        self.log.close()

    def _status(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            return response.status
        except OSError:
            return 0
        finally:
            connection.close()

    def metrics(self):
        return promtext.parse(promtext.fetch(f"http://127.0.0.1:{self.port}/metrics"))

    def cpu_ns(self):
        """User and system time of all threads so far, to the nanosecond."""
        total = 0
        for task in pathlib.Path(f"/proc/{self.child.pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
        return total

    def memory_kb(self, field="VmRSS"):
        status = pathlib.Path(f"/proc/{self.child.pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+) kB", status).group(1))
