# SPDX-License-Identifier: Apache-2.0
"""Many services and many connections in one namespace: swarm.c's servers and clients as
processes, and what redtap takes for them."""

import json
import pathlib
import re
import shutil
import subprocess

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
        child = self.spawn([str(self.dir / program), *map(str, args)], inside=True,
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


def agent(swarm, *flags, exe=SERVER):
    return Agent(swarm, *flags, exe=f"*/{exe}" if exe else None)


def maps(pid):
    """{name: (memory as the kernel tells it, id)} of the maps that a process holds."""
    found = {}
    for info in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            text = info.read_text()
        except OSError:
            continue
        number = re.search(r"^map_id:\s+(\d+)", text, re.M)
        memory = re.search(r"^memlock:\s+(\d+)", text, re.M)
        if number and memory:
            shown = subprocess.run(["bpftool", "-j", "map", "show", "id", number[1]], check=True,
                                   capture_output=True, text=True).stdout
            found[json.loads(shown)["name"]] = (int(memory[1]), int(number[1]))
    return found
