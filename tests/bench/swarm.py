# SPDX-License-Identifier: Apache-2.0
"""Many services and many connections in one namespace: swarm.c's servers and clients as
processes, and what redtap takes for them."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import subprocess
import time

from lab import Agent, LabError, Space

FIRST_PORT = 10000
SERVER, CLIENT = "swarm-serve", "swarm-ask"  # executables, so that a scope can name one of them
ROUTES = 10  # of each service


class Client:
    """Connections from an address of their own, and requests over them."""

    def __init__(self, swarm, address, connections, per_connection=0, ports=None):
        first, count = ports or (FIRST_PORT, len(swarm.servers))
        self.child = swarm.spawn_ready(CLIENT, "ask", address, first, count, connections,
                                       per_connection, stdin=subprocess.PIPE)

    def send(self, what, requests):
        self.child.stdin.write(f"{what} {requests}\n")
        self.child.stdin.flush()

    def receive(self):
        """The number of responses to what was sent, and the seconds they took."""
        line = self.child.stdout.readline()
        if not line:
            raise LabError(f"a client ended with status {self.child.wait()}")
        done, ns = map(int, line.split())
        return done, ns / 1e9


def ask_all(clients, what, requests):
    """That many requests by all together, at once -> seconds of the slowest."""
    share, rest = divmod(requests, len(clients))
    for i, client in enumerate(clients):
        client.send(what, share + (i < rest))
    return max(client.receive()[1] for client in clients)


class Swarm(Space):
    """`servers`: one process per service, at the ports from FIRST_PORT on."""

    def __init__(self, build):
        super().__init__(build)
        self.servers = []

    def start(self):
        for name in (SERVER, CLIENT):
            shutil.copy(self.build / "bench/swarm", self.dir / name)

    def spawn_ready(self, program, *args, **kw):
        # Nice, as there are more of them than CPUs: redtap's times are not those of its turn to run.
        child = self.spawn(["nice", "-n", "19", str(self.dir / program), *map(str, args)], inside=True,
                           stdout=subprocess.PIPE, text=True, **kw)
        if child.stdout.readline() != "ready\n":
            raise LabError(f"{program} did not get ready")
        return child

    def serve(self, count):
        """That many more services, each a process with a name of its own."""
        for i in range(len(self.servers), len(self.servers) + count):
            self.servers.append(self.service(i))

    def service(self, i):
        env = {"OTEL_SERVICE_NAME": f"service-{i}", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        return self.spawn_ready(SERVER, "serve", FIRST_PORT + i, env=env)


class MemoryGroup:
    """A memory cgroup (either version) for redtap alone: what the kernel charges to it for
    maps and socket storage."""

    def __init__(self):
        mine = pathlib.Path("/proc/self/cgroup").read_text()
        mounts = [line.split() for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
        old = re.search(r"^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$", mine, re.M)
        for _, at, kind, options, *_ in mounts:
            if old and kind == "cgroup" and "memory" in options.split(","):
                self._make(pathlib.Path(at + old[1]), "memory.kmem.usage_in_bytes")
                return
            if not old and kind == "cgroup2":
                self._make(pathlib.Path(at), "memory.stat")
                return
        raise LabError("no memory cgroup is mounted")

    def _make(self, parent, file):
        self.path = parent / f"redtap-bench-{os.getpid()}"
        self.path.mkdir()
        self.file = self.path / file

    def wrap(self, command):
        """The command, begun inside."""
        return ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.path / "cgroup.procs"), *command]

    def kernel_bytes(self):
        text = self.file.read_text()
        return int(re.search(r"^(?:kernel )?(\d+)$", text, re.M)[1])

    def close(self):
        # Sockets that close late hold on to it for a moment.
        for _ in range(50):
            with contextlib.suppress(OSError):
                self.path.rmdir()
                return
            time.sleep(0.1)


class Watched(Agent):
    """redtap in a memory cgroup of its own, watching the swarm's servers."""

    def __init__(self, swarm, *flags, exe=SERVER):
        self.group = MemoryGroup()
        super().__init__(swarm, *flags, exe=f"*/{exe}", wrap=self.group.wrap)

    def __exit__(self, *args):
        super().__exit__(*args)
        self.group.close()

    def scrape_seconds(self):
        """From the request to the first byte of the answer, which is made by then."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        begin = time.monotonic()
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        seconds = time.monotonic() - begin
        lines = response.read().count(b"\n")
        connection.close()
        return seconds, lines


def _bpftool(*args):
    return json.loads(subprocess.run(["bpftool", "-j", "map", *args], check=True,
                                     capture_output=True, text=True).stdout)


def _maps(pid):
    """Of each map that a process holds: bpftool's account, and the memory by the kernel's."""
    for info in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            text = info.read_text()
        except OSError:
            continue
        number = re.search(r"^map_id:\s+(\d+)", text, re.M)
        memory = re.search(r"^memlock:\s+(\d+)", text, re.M)
        if number and memory:
            yield _bpftool("show", "id", number[1]), int(memory[1])


def maps(pid):
    """{name: bytes} of the maps that a process holds, as the kernel tells them."""
    return {shown["name"]: memory for shown, memory in _maps(pid)}


def entries(pid):
    """{name: entries} of the process's hash maps."""
    return {shown["name"]: len(_bpftool("dump", "id", str(shown["id"])))
            for shown, _ in _maps(pid) if "hash" in shown["type"]}
