# SPDX-License-Identifier: Apache-2.0
"""What is bounded, and who pays beyond the bound: not the others."""

import socket

from lib import load
from lib.util import need

PATH = {"http_route": "/empty"}


def test_one_that_asks_hundreds_of_servers(netns, redtap, tmp_path):
    """As a crawler does, or a monitor: it does not use up the series that others need."""
    load.Nginx(netns, tmp_path)
    agent = redtap("--metrics-max-series", "300", "--routes-memory", "0")
    peers = [f"127.1.{i // 200}.{i % 200 + 1}" for i in range(400)]
    for peer in peers:
        with netns.connect(8080, host=peer) as sock:
            sock.sendall(b"GET /empty HTTP/1.1\r\nHost: %b\r\n\r\n" % peer.encode())
            assert sock.recv(4096).startswith(b"HTTP/1.1 200")
            sock.shutdown(socket.SHUT_WR)
    netns.run([need("curl"), "-s", "http://127.0.0.1:8080/empty"], check=True)
    m = agent.settle()
    assert m.client_count() == 401
    m.assert_conserved()
    assert m.client_count(process_executable_name="curl", **PATH) == 1
    assert m.client_count(redtap_overflow="true") == 0
    named = [p for p in peers if m.client_count(server_address=p, **PATH) == 1]
    assert named == peers[:200], named  # a hundred by name, a hundred by address
    assert m.client_count(server_address=None, server_port=None, **PATH) == 200
