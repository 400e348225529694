# SPDX-License-Identifier: Apache-2.0
"""A state of the hash map is there a moment before it tells whose it is: the sweep must not
take it for one whose socket is gone."""

import json
import time

from lib.procs import run
from lib.util import need, wait_until

# Of no socket: the kernel's addresses are in the upper half.
KEY = 0x1000
SWEEP_S = 0.5
# Of a state that is being made these two are there, and `ino` is not yet.
SOMEWHERE = 0x2000


def bpftool(*args):
    return run([need("bpftool"), "-j", *map(str, args)]).stdout


class Conns:
    """The map rt_conns of an agent, by its ids."""

    def __init__(self, agent):
        maps = {i: json.loads(bpftool("map", "show", "id", i)) for i in agent.bpf_objects()["map"]}
        (self.id,) = [i for i, m in maps.items() if m["name"] == "rt_conns"]
        self.size = maps[self.id]["bytes_value"]
        types = json.loads(bpftool("btf", "dump", "map", "id", self.id, "value"))["types"]
        (state,) = [t for t in types if t["name"] == "rt_conn"]
        self.at = {m["name"]: m["bits_offset"] // 8 for m in state["members"]}

    def put(self, **fields):
        value = bytearray(self.size)
        for name, (n, size) in fields.items():
            value[self.at[name]:self.at[name] + size] = n.to_bytes(size, "little")
        key = KEY.to_bytes(8, "little")
        run([need("bpftool"), "map", "update", "id", str(self.id), "key", *map(str, key),
             "value", *map(str, value)])

    def keys(self):
        entries = json.loads(bpftool("map", "dump", "id", self.id))
        return [int.from_bytes(bytes(int(b, 16) for b in e["key"]), "little") for e in entries]


def test_the_sweep_leaves_a_new_state_alone(netns, agent):
    netns.server("httpd.py", 8000)
    conns = Conns(agent("event"))
    # True ones: a sweep looks at a map that was empty only when a program put a state there.
    client = netns.http(8000)
    client.request("GET", "/status/200")
    client.getresponse().read()
    others = conns.keys()
    assert len(others) == 2
    conns.put(sk=(KEY, 8), socket=(SOMEWHERE, 8))
    time.sleep(4 * SWEEP_S)
    assert sorted(conns.keys()) == sorted([KEY, *others])
    # Whereas one that is complete, and whose socket is gone, goes.
    conns.put(sk=(KEY, 8), socket=(SOMEWHERE, 8), scope_of=(1, 4))
    wait_until(lambda: KEY not in conns.keys(), 6 * SWEEP_S, "the state of a socket that is gone")
    assert sorted(conns.keys()) == sorted(others)
    client.close()
