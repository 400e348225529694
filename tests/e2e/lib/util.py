# SPDX-License-Identifier: Apache-2.0
"""Small things everything else uses: deadlines, free ports, /proc readers."""

import contextlib
import os
import pathlib
import socket
import time

import pytest

E2E_DIR = pathlib.Path(__file__).resolve().parent.parent
ROOT_DIR = E2E_DIR.parent.parent
SERVERS_DIR = E2E_DIR / "servers"

# Programs built with sanitizers are slower by an order; every deadline grows.
SLOW = 4 if os.environ.get("RT_SANITIZE") else 1


def need(program):
    """The path of a program the tests depend on; its absence fails the test."""
    for folder in os.environ.get("PATH", "").split(":") + ["/usr/sbin", "/usr/bin", "/sbin"]:
        path = pathlib.Path(folder) / program
        if folder and "shims" not in folder and os.access(path, os.X_OK):
            return str(path)
    pytest.fail(f"{program} is not installed: run tools/setup.sh", pytrace=False)


def wait_until(check, timeout=5.0, what="condition", step=0.02):
    """Calls check() until it returns something true, and returns that.

    Fails the test when `timeout` seconds pass first. `what` may be a string or
    a function that describes the state at the end."""
    deadline = time.monotonic() + timeout * SLOW
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() > deadline:
            text = what() if callable(what) else what
            pytest.fail(f"not within {timeout * SLOW:g} s: {text}")
        time.sleep(step)


def free_port():
    """A TCP port that was free on 127.0.0.1 of the current namespace a moment ago."""
    with contextlib.closing(socket.socket()) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def pid_alive(pid):
    """True while the process runs; a zombie does not count."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def listening_ports(pid):
    """TCP ports in state LISTEN in the network namespace of process `pid`."""
    ports = set()
    for name in ("tcp", "tcp6"):
        try:
            lines = pathlib.Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == "0A":
                ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports


def bpf_objects(pid):
    """BPF objects a process holds by descriptor: {"prog": ids, "map": ids, "link": ids}."""
    found = {"prog": set(), "map": set(), "link": set()}
    for info in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            lines = info.read_text().splitlines()
        except OSError:
            continue
        keys = dict(line.split(":", 1) for line in lines if ":" in line)
        # a link's descriptor names its program too
        for kind in ("link", "prog", "map"):
            if f"{kind}_id" in keys:
                found[kind].add(int(keys[f"{kind}_id"]))
    return found
