# SPDX-License-Identifier: Apache-2.0
"""Plays all shapes and says what was on the wire.

    player.py [NAME...]     one JSON line per shape, then "played"; with a line
                            on stdin it closes what it held open, says "closed"

A shape's connections go to a port of its own on 127.0.0.1, which tells its
exchanges from all others: BASE_PORT + its place in the table."""

import json
import pathlib
import socket
import sys
import threading
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from peer import Peer  # noqa: E402
from script import SHAPES  # noqa: E402

import shapes, proxy_header, corners, uploads, talks, ends  # noqa: E401, E402, F401 (they fill the table)

BASE_PORT = 20000  # below the ephemeral ports: no client socket ever has one of these


class Wire:
    """What a shape's script gets: connections, and the list of what it did."""

    def __init__(self, port):
        self.port = port
        self.expected = []
        self.pairs = []
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", port))
        self._listener.listen(16)

    def connect(self):
        """(client, server): the two ends of a new connection."""
        c = socket.create_connection(("127.0.0.1", self.port))
        s, _ = self._listener.accept()
        pair = Peer(c), Peer(s)
        self.pairs.append(pair)
        return pair

    def expect(self, method, path, status, request, response, **more):
        """One exchange, on both sides. `request` and `response` are the messages
        (or their lengths; None where the shape leaves it open); `more` holds
        `client` and `server`: fields that differ on one side."""
        size = [x if x is None or isinstance(x, int) else len(x) for x in (request, response)]
        self.expected.append(
            {
                "method": method,
                "path": path,
                "status": status,
                "request_bytes": size[0],
                "response_bytes": size[1],
                **more,
            }
        )

    def close(self):
        for client, server in self.pairs:
            client.close()
            server.close()
        self._listener.close()


def play(index, shape, held):
    result = {"name": shape.name, "port": BASE_PORT + index, "error": None}
    began = time.monotonic()
    wire = None
    try:
        wire = Wire(result["port"])
        shape.script(wire, *wire.connect())
        result["expected"] = wire.expected
    except Exception:  # the test reports it
        result["error"] = traceback.format_exc()
    result["ended"] = time.monotonic()
    result["elapsed_ns"] = int((result["ended"] - began) * 1e9)
    if wire and shape.hold:
        held.append(wire)
    elif wire:
        wire.close()
    sys.stdout.write(json.dumps(result) + "\n")  # one write: threads take turns
    sys.stdout.flush()


def main():
    todo = [(i, s) for i, s in enumerate(SHAPES) if not sys.argv[1:] or s.name in sys.argv[1:]]
    held = []
    slow = [threading.Thread(target=play, args=(i, s, held)) for i, s in todo if s.slow]
    for thread in slow:
        thread.start()
    for i, s in todo:
        if not s.slow:
            play(i, s, held)
    for thread in slow:
        thread.join()
    print("played", flush=True)
    sys.stdin.readline()
    for wire in held:
        wire.close()
    print("closed", flush=True)


if __name__ == "__main__":
    main()
