# SPDX-License-Identifier: Apache-2.0
"""--exe with executables that redtap may not look at: it asks now and then, not
with each operation."""

import subprocess
import time

from lib.agent import Redtap
from lib.procs import Procs
from lib.util import need

SECONDS = 3

# One end writes, the other reads: two operations per round, as many as there is time for.
CHATTER = """
import socket, time
a, b = socket.socketpair()
end = time.monotonic() + %d
n = 0
while time.monotonic() < end:
    a.send(b"x")
    b.recv(1)
    n += 1
print(n, flush=True)
"""


def without_ptrace():
    drop = "-sys_ptrace"
    return [need("setpriv"), f"--inh-caps={drop}", f"--bounding-set={drop}"]


def unreadable(netns):
    """A process of another user, whose executable takes CAP_SYS_PTRACE to see."""
    ids = ["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]
    code = CHATTER % SECONDS
    argv = [need("setpriv"), *ids, "/usr/bin/python3", "-c", code]
    return subprocess.Popen(netns.argv(argv), stdout=subprocess.PIPE, text=True)


def test_unreadable_executable_asks_seldom(netns, backend):
    procs = Procs()
    try:
        flags = ["--exe", "no-such-program"]
        agent = procs.add(Redtap(netns, backend, *flags, wrap=without_ptrace()))
        agent.wait_ready()
        before = agent.metrics().sum("redtap_records_total")
        rounds = int(unreadable(netns).communicate(timeout=30)[0])
        time.sleep(0.3)
        asked = agent.metrics().sum("redtap_records_total") - before
        agent.stop()
    finally:
        procs.close()
    # At first, then once a second. Whatever else the host executes meanwhile asks, too.
    assert rounds > 10000
    assert 2 <= asked <= 200, (asked, rounds)
