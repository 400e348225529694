# SPDX-License-Identifier: Apache-2.0
"""Scopes that come and go while redtap runs: what is made anew is looked at, and no stranger who
has got the number of what is gone."""

import json
import os
import resource
import shutil
import subprocess
import sys
import time

from lib import load
from lib.procs import run
from lib.util import SERVERS_DIR, need, wait_until
from test_scope import sub_cgroup

ANEW = "made anew"
GONE = "is gone"
URL = "http://127.0.0.1:8000"


def ask(netns, path="/", n=3):
    for _ in range(n):
        load.curl(netns, URL + path)


def test_cgroup(netns, redtap):
    """As a service manager does at each restart of a unit."""
    with sub_cgroup("unit") as top:
        unit = top / "unit"
        server = netns.server("httpd.py", 8000)
        agent = redtap("--cgroup", unit)
        for i in (1, 2, 3):
            (unit / "cgroup.procs").write_text(str(server.pid))
            ask(netns)
            agent.wait_metrics(lambda m: m.server_count() == 3 * i)
            (top / "cgroup.procs").write_text(str(server.pid))
            unit.rmdir()
            if i == 2:  # for longer than a look
                agent.wait_line(GONE, 5, "stderr")
            unit.mkdir()
            wait_until(lambda: sum(ANEW in x for x in agent.stderr) == i, 5, agent.output)
        m = agent.settle()
        assert m.server_count() == 9
        assert m.client_count() == 0
        m.assert_conserved()


def test_netns_of_another_name(netns_factory, redtap, tmp_path):
    """A path that comes to stand for another namespace."""
    first, second = netns_factory(), netns_factory()
    for netns in (first, second):
        netns.server("httpd.py", 8000)
    name, other = tmp_path / "name", tmp_path / "other"
    name.symlink_to(first.path)
    agent = redtap("--netns", name, netns=None)
    ask(first)
    agent.wait_metrics(lambda m: m.server_count() == 3)
    other.symlink_to(second.path)
    other.rename(name)
    agent.wait_line(ANEW, 5, "stderr")
    ask(first, "/first")
    ask(second, "/second")
    agent.wait_metrics(lambda m: m.server_count(http_route="/second") == 3)
    m = agent.settle()
    assert m.server_count() == 6
    m.assert_conserved()


def test_netns_made_anew(netns_factory, redtap):
    """Of the same name, and by chance of the same number."""
    netns = netns_factory()
    server = netns.server("httpd.py", 8000)
    agent = redtap("--netns", netns.path, netns=None)
    for i in (1, 2):
        ask(netns)
        agent.wait_metrics(lambda m: m.server_count() == 3 * i)
        server.kill()
        subprocess.run(["ip", "netns", "del", netns.name], check=True)
        subprocess.run(["ip", "netns", "add", netns.name], check=True)
        subprocess.run(["ip", "-n", netns.name, "link", "set", "lo", "up"], check=True)
        wait_until(lambda: sum(ANEW in x for x in agent.stderr) == i, 5, agent.output)
        server = netns.server("httpd.py", 8000)
    ask(netns)
    agent.wait_metrics(lambda m: m.server_count() == 9)
    agent.settle().assert_conserved()


def test_netns_without_descriptors(netns, redtap):
    """Where redtap has none left to look at it, its namespace is not gone."""
    netns.server("httpd.py", 8000)
    agent = redtap()
    soft, hard = resource.prlimit(agent.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (0, hard))
    time.sleep(1.5)  # more than a look
    ask(netns)
    resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (soft, hard))
    agent.wait_metrics(lambda m: m.server_count() == 3)
    assert not [x for x in agent.stderr if ANEW in x or GONE in x]


class Numbers:
    """The agent's table of namespaces in scope: inode number to cookie, 0 where none came yet."""

    def __init__(self, agent):
        self.bpftool = need("bpftool")
        self.id = next(
            str(i) for i in agent.bpf_objects()["map"]
            if self.json("show", "id", str(i))["name"] == "rt_netns")

    def json(self, *args):
        return json.loads(run([self.bpftool, "-j", "map", *args]).stdout)

    def read(self):
        return {x["formatted"]["key"]: x["formatted"]["value"]
                for x in self.json("dump", "id", self.id)}

    def write(self, inode, cookie):
        numbers = {"key": inode.to_bytes(4, sys.byteorder),
                   "value": cookie.to_bytes(8, sys.byteorder)}
        words = [w for k, v in numbers.items() for w in (k, *(str(byte) for byte in v))]
        run([self.bpftool, "map", "update", "id", self.id, *words])


def test_number_of_a_netns_that_is_gone(netns_factory, redtap):
    """The kernel gives a namespace's number to the next one: a stranger, of whom nothing is read.
    Here the number of one is put where the other's was."""
    netns, stranger = netns_factory(), netns_factory()
    for x in (netns, stranger):
        x.server("httpd.py", 8000)
    agent = redtap("--netns", netns.path, netns=None)
    ask(netns)
    agent.wait_metrics(lambda m: m.server_count() == 3)
    numbers = Numbers(agent)
    cookie = numbers.read()[netns.inode]
    assert cookie
    numbers.write(stranger.inode, cookie)
    ask(stranger, "/stranger")
    m = agent.settle()
    assert m.server_count() == m.client_count() == 3
    # Not that it is kept out by anything else: where none came yet, the first is meant.
    numbers.write(stranger.inode, 0)
    ask(stranger, "/stranger")
    agent.wait_metrics(lambda m: m.server_count(http_route="/stranger") == 3)
    assert numbers.read()[stranger.inode] not in (0, cookie)


def test_netns_that_is_gone_before_anybody_came(netns_factory, redtap):
    """Who has its number next would be taken for it."""
    netns = netns_factory()
    agent = redtap("--netns", netns.path, netns=None)
    numbers = Numbers(agent)
    assert numbers.read() == {netns.inode: 0}
    subprocess.run(["ip", "netns", "del", netns.name], check=True)
    agent.wait_line(GONE, 5, "stderr")
    assert numbers.read() == {}


def test_pid(netns, redtap):
    """The end of the process that is looked at is said."""
    server = netns.server("httpd.py", 8000)
    other = netns.server("httpd.py", 8001)
    agent = redtap("--pid", server.pid, "--pid", other.pid)
    ask(netns)
    server.kill()
    agent.wait_line(f"--pid {server.pid}: the process has ended", 5, "stderr")
    for _ in range(2):
        load.curl(netns, "http://127.0.0.1:8001/")
    m = agent.wait_metrics(lambda m: m.server_count() == 5)
    assert sum("has ended" in x for x in agent.stderr) == 1
    agent.settle().assert_conserved()


def copied_server(path):
    """httpd.py by an executable of its own: a script's is the interpreter."""
    shutil.copy(os.path.realpath("/usr/bin/python3"), path)
    return [path, "-I", "-u", SERVERS_DIR / "httpd.py"]


def serve(netns, argv, port):
    server = netns.popen([*argv, str(port)])
    server.wait_line("ready", 10, "stdout")
    return server


def seen(netns, agent, port):
    """Asks until it is seen: an executable is judged a moment after it is asked for. Then some
    more, of which none may be missing."""
    url = f"http://127.0.0.1:{port}/shop"

    def counted():
        return agent.metrics().server_count(http_route="/shop")

    def first():
        load.curl(netns, url)
        return counted()

    wait_until(first, 10, agent.output, step=0.2)
    time.sleep(2)  # what was asked before is told
    before = counted()
    for _ in range(5):
        load.curl(netns, url)
    agent.wait_metrics(lambda m: m.server_count(http_route="/shop") == before + 5)


def test_exe_renamed(netns, redtap, tmp_path):
    """A program that ran by another name before, as deployments do that try the new one first."""
    agent = redtap("--exe", "shop")
    argv = copied_server(tmp_path / "shop.new")
    serve(netns, argv, 8000)
    ask(netns, "/new")
    time.sleep(0.5)
    (tmp_path / "shop.new").rename(tmp_path / "shop")
    serve(netns, [tmp_path / "shop", *argv[1:]], 8001)
    seen(netns, agent, 8001)
    assert agent.settle().server_count(http_route="/new") == 0


# Becomes another program whose name begins with its own, before anybody has looked.
BECOMES = "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"


def test_exe_that_becomes_another(netns, redtap, tmp_path):
    """It is judged by what it was when it was asked for."""
    node, exporter = tmp_path / "node", tmp_path / "node_exporter"
    argv = copied_server(node)
    copied_server(exporter)
    agent = redtap("--exe", "node_exporter")
    serve(netns, argv, 8000)
    ask(netns, "/node")
    for _ in range(3):
        netns.run([node, "-I", "-c", BECOMES, exporter, "-I", "-c", "import time; time.sleep(0.5)"])
    ask(netns, "/node", n=5)
    serve(netns, [exporter, *argv[1:]], 8001)
    seen(netns, agent, 8001)
    assert agent.settle().server_count(http_route="/node") == 0


def test_exe_of_a_bind_mount(netns, redtap, tmp_path):
    """The kernel tells the name of the file that is mounted, and /proc where it is."""
    file, place = tmp_path / "shop-linux-amd64", tmp_path / "shop"
    argv = copied_server(file)
    place.touch()
    agent = redtap("--exe", "shop")
    # Inside, mounts are its own.
    serve(netns, ["sh", "-c", 'mount --bind "$0" "$1" && exec "$@"', file, place, *argv[1:]], 8001)
    seen(netns, agent, 8001)


def test_exe_of_hard_links(netns, redtap, tmp_path):
    """A program of many names, of which a health check runs another."""
    shop, tool = tmp_path / "shop", tmp_path / "tool"
    argv = copied_server(shop)
    tool.hardlink_to(shop)
    agent = redtap("--exe", "shop")
    serve(netns, argv, 8001)
    seen(netns, agent, 8001)
    before = agent.settle().server_count(http_route="/shop")
    for _ in range(3):
        netns.run([tool, "-I", "-c", "import time; time.sleep(0.5)"])
        load.curl(netns, "http://127.0.0.1:8001/shop")
    agent.wait_metrics(lambda m: m.server_count(http_route="/shop") == before + 3)


def test_netns_of_a_process_that_ended(netns, redtap):
    """Its namespace is looked at all the same, and not that of who has its pid next."""
    server = netns.server("httpd.py", 8000)
    netns.server("httpd.py", 8001)
    agents = [redtap("--netns", x, netns=None) for x in (server.pid, f"/proc/{server.pid}/ns/net")]
    ask(netns)
    for agent in agents:
        agent.wait_metrics(lambda m: m.server_count() == 3)
    server.kill()
    time.sleep(1.5)  # more than a look
    for _ in range(2):
        load.curl(netns, "http://127.0.0.1:8001/")
    for agent in agents:
        agent.wait_metrics(lambda m: m.server_count() == 5)
        assert not [x for x in agent.stderr if ANEW in x or GONE in x]
