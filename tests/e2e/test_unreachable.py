# SPDX-License-Identifier: Apache-2.0
"""The network goes while a request is under way, and a process closes its end.

Its FIN then reaches nobody, so the connection ends in the kernel minutes later; but of what the
process did, nothing can change any more, and it is told at once. Client and server are this
process, each with a socket of its own.

Under `sock`, whose states stand in the socket: of those that are kept by address, the sweep finds
half a second later that no process has the socket."""

import contextlib
import errno
import socket
import time

import pytest

from lib.util import SLOW

REQUEST = b"GET /far HTTP/1.1\r\nHost: h\r\n\r\n"
PART = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 50
UNTIL_CLOSE = b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 50

pytestmark = [pytest.mark.alone, pytest.mark.parametrize("backend", ["sock"])]

ACKED = 0.1 * SLOW  # s; an acknowledgment that carries no data waits for 40 ms
AT_ONCE = 1.0  # s; it would be 15 minutes, or a minute at least


class Scene:
    """A connection, and the network that it is over."""

    def __init__(self, netns, trace, stack):
        self.netns, self.tracer, self.stack = netns, trace(), stack
        listener = stack.enter_context(netns.socket())
        listener.bind(("127.0.0.1", 8000))
        listener.listen(1)
        self.client = stack.enter_context(netns.connect(8000))
        self.server = stack.enter_context(listener.accept()[0])

    def lo(self, state):
        self.netns.run(["ip", "link", "set", "lo", state])

    def ask(self, answer=b""):
        """The request, and as much of its answer; all of it is acknowledged then."""
        self.client.sendall(REQUEST)
        assert self.server.recv(4096) == REQUEST
        if answer:
            self.server.sendall(answer)
            assert self.client.recv(4096) == answer
        time.sleep(ACKED)

    def told(self, role):
        [x] = self.tracer.wait_for(1, timeout=AT_ONCE, role=role)
        assert x["path"] == "/far" and len(self.tracer.exchanges()) == 1, self.tracer.describe()
        return x


@pytest.fixture
def scene(netns, trace):
    with contextlib.ExitStack() as stack:
        scene = Scene(netns, trace, stack)
        yield scene
        scene.lo("up")


@pytest.mark.parametrize("answer", [b"", PART], ids=["unanswered", "answered in part"])
def test_client_gives_up(scene, answer):
    scene.ask(answer)
    scene.lo("down")
    scene.client.close()
    x = scene.told("client")
    assert x["error"] == "timeout" and (x["status"] or 0) == (200 if answer else 0)
    assert ACKED <= x["duration_ns"] / 1e9 <= ACKED + AT_ONCE


@pytest.mark.parametrize("half", [False, True], ids=["", "half-closed"])
def test_server_is_done(scene, half):
    """Its answer is all that it sent before the close, and the client has it."""
    if half:
        scene.client.sendall(REQUEST)
        scene.client.shutdown(socket.SHUT_WR)
        assert scene.server.recv(4096) == REQUEST
        scene.server.sendall(UNTIL_CLOSE)
        assert scene.client.recv(4096) == UNTIL_CLOSE
        time.sleep(ACKED)
    else:
        scene.ask(UNTIL_CLOSE)
    scene.lo("down")
    scene.server.close()
    x = scene.told("server")
    assert not x["error"] and x["status"] == 200 and x["response_bytes"] == len(UNTIL_CLOSE)


@pytest.mark.parametrize("answer", [b"", PART], ids=["unanswered", "answered in part"])
def test_server_breaks_off(scene, answer):
    scene.ask(answer)
    scene.lo("down")
    scene.server.close()
    x = scene.told("server")
    assert x["error"] == "connection_closed" and (x["status"] or 0) == (200 if answer else 0)


def test_server_whose_answer_is_not_acknowledged(scene):
    """A reset may come yet: it is not over before the client has it."""
    scene.ask()
    scene.lo("down")
    scene.server.sendall(PART)
    scene.server.close()
    time.sleep(AT_ONCE * SLOW)
    assert scene.tracer.exchanges() == [], scene.tracer.describe()
    scene.lo("up")
    [x] = scene.tracer.wait_for(1, role="server")
    assert x["error"] == "connection_closed" and x["status"] == 200


def test_shut_down_and_not_closed(scene):
    """Another thread may be at the end of a call that moved bytes: over is what is closed."""
    scene.ask(PART)
    scene.lo("down")
    scene.client.shutdown(socket.SHUT_RDWR)
    time.sleep(AT_ONCE * SLOW)
    assert scene.tracer.exchanges() == [], scene.tracer.describe()
    scene.client.close()
    assert scene.told("client")["error"] == "timeout"


USER_TIMEOUT = 4.0  # s; a neighbour that does not answer is given up after three


def test_kernel_gives_up(netns, netns_factory, trace):
    """The peer's host has gone. What the server's process is told then is that it found no way
    to it, not that time ran out (tcp_write_err()): a time-out all the same."""
    far = netns_factory()
    netns.run(["ip", "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", far.name])
    for space, name, address in ((netns, "near", "10.99.0.1/24"), (far, "far", "10.99.0.2/24")):
        space.run(["ip", "addr", "add", address, "dev", name])
        space.run(["ip", "link", "set", name, "up"])
    tracer = trace()
    with netns.socket() as listener:
        listener.bind(("10.99.0.1", 8000))
        listener.listen(1)
        with far.connect(8000, "10.99.0.1") as client, listener.accept()[0] as server:
            timeout = int(USER_TIMEOUT * 1000)
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout)
            client.sendall(REQUEST)
            assert server.recv(4096) == REQUEST
            time.sleep(ACKED)
            far.run(["ip", "addr", "del", "10.99.0.2/24", "dev", "far"])
            netns.run(["ip", "neigh", "flush", "dev", "near"])
            server.sendall(PART)
            with pytest.raises(OSError) as caught:
                server.recv(100)
            assert caught.value.errno == errno.EHOSTUNREACH
            [x] = tracer.wait_for(1, timeout=AT_ONCE, role="server")
    assert (x["error"], x["status"], x["path"]) == ("timeout", 200, "/far")
