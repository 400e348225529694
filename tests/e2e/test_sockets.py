# SPDX-License-Identifier: Apache-2.0
"""Sockets in all their shapes: what was served is found once, whoever holds the descriptor."""

import collections
import ctypes
import select
import signal
import socket
import threading
import time

import pytest

from lib import load

PATHS = ["/status/200", "/status/404", "/status/503", "/chunked/4", "/bytes/100000", "/status/204"]

libc = ctypes.CDLL(None, use_errno=True)


def ask(conn, path, body=None):
    conn.request("POST" if body else "GET", path, body)
    reply = conn.getresponse()
    reply.read()
    return reply.status


def check(agent, tracer, log, n):
    """The server's log, /metrics and the trace tell the same n requests; returns the log."""
    served = load.wait_server_log(log, n)
    assert len(served) == n and all(x["outcome"] == "ok" for x in served)
    m = agent.wait_metrics(lambda m: m.server_count() >= n)
    by_status = collections.Counter(str(x["status"]) for x in served)
    for status, count in by_status.items():
        assert m.server_count(http_response_status_code=status) == count
    m = agent.settle()
    assert m.server_count() == n and m.client_count() == n
    m.assert_conserved()
    for role in ("server", "client"):
        seen = tracer.wait_for(n, role=role)
        have = collections.Counter((x["path"], x["status"]) for x in seen)
        assert have == collections.Counter((x["path"], x["status"]) for x in served)
    return served


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_tcp(netns, redtap, trace, tmp_path, host):
    log = tmp_path / "log"
    netns.server("httpd.py", 8000, "--host", host, "--log", log)
    agent, tracer = redtap(), trace()
    conn = netns.http(8000, host)
    ours = conn.sock.getsockname()[1]
    for path in PATHS:
        ask(conn, path)
    conn.close()
    check(agent, tracer, log, len(PATHS))
    for x in tracer.exchanges(role="server"):
        assert (x["local_port"], x["peer_address"], x["peer_port"]) == (8000, host, ours)
    for x in tracer.exchanges(role="client"):
        assert (x["local_port"], x["peer_address"], x["peer_port"]) == (ours, host, 8000)
    m = agent.metrics()
    assert m.client_count(server_port="8000") == len(PATHS)


def test_ipv4_client_of_an_ipv6_socket(netns, redtap, trace, tmp_path):
    """A dual-stack listener: the peer's address is told as IPv4, mapped or plain."""
    log = tmp_path / "log"
    netns.server("httpd.py", 8000, "--host", "::", "--log", log)
    agent, tracer = redtap(), trace()
    conn = netns.http(8000)
    for path in PATHS:
        ask(conn, path)
    conn.close()
    check(agent, tracer, log, len(PATHS))
    peers = {x["peer_address"] for x in tracer.exchanges(role="server")}
    assert peers <= {"127.0.0.1", "::ffff:127.0.0.1"}


def test_unix_stream(netns, redtap, trace, tmp_path):
    log, path = tmp_path / "log", tmp_path / "http.sock"
    netns.server("httpd.py", "--unix", path, "--log", log)
    agent, tracer = redtap(), trace()
    conn = netns.http_over(unix_connect(netns, path))
    for target in PATHS:
        ask(conn, target)
    conn.close()
    check(agent, tracer, log, len(PATHS))


def unix_connect(netns, path):
    s = netns.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(str(path))
    return s


@pytest.mark.parametrize("mode", ["reuseport", "prefork", "pass", "passmid", "dup", "turns"])
def test_who_holds_the_socket(netns, redtap, trace, tmp_path, mode):
    """Several workers, a connection that was handed over, a duplicate, threads in turn."""
    log = tmp_path / "log"
    server = netns.server("httpd.py", 8000, "--mode", mode, "--log", log)
    agent, tracer = redtap(), trace()
    connections = 16
    for _ in range(connections):
        conn = netns.http(8000)
        for path in PATHS:
            ask(conn, path)
        ask(conn, "/upload", b"u" * 2000)
        conn.close()
    served = check(agent, tracer, log, connections * (len(PATHS) + 1))
    pids = {x["pid"] for x in served}
    if mode == "reuseport":
        assert len(pids) > 1, "all connections went to one worker: the test tested nothing"
    if mode in ("pass", "passmid"):
        assert server.pid not in pids
    if mode != "passmid":
        # passmid: one process reads the first request, another answers it; either may be named
        want = collections.Counter(x["pid"] for x in served)
        assert collections.Counter(x["pid"] for x in tracer.exchanges(role="server")) == want


def test_connection_older_than_redtap(netns, redtap, trace, tmp_path):
    """Idle keep-alive connections that were open before: all later requests are counted."""
    log = tmp_path / "log"
    netns.server("httpd.py", 8000, "--log", log)
    conns = [netns.http(8000) for _ in range(5)]
    for conn in conns[1:]:  # the first has never carried a byte
        assert ask(conn, "/status/201") == 201
    before = len(load.wait_server_log(log, 4))
    agent, tracer = redtap(), trace()
    for conn in conns:
        for path in PATHS:
            ask(conn, path)
    load.wait_server_log(log, before + 5 * len(PATHS))
    m = agent.wait_metrics(lambda m: m.server_count() >= 5 * len(PATHS))
    for conn in conns:
        conn.close()
    m = agent.settle()
    assert m.server_count() == 5 * len(PATHS) and m.client_count() == 5 * len(PATHS)
    assert m.server_count(http_response_status_code="201") == 0
    assert len(tracer.wait_for(5 * len(PATHS), role="server")) == 5 * len(PATHS)
    m.assert_conserved()


def test_request_older_than_redtap(netns, redtap, trace, tmp_path):
    """A request in flight at the start: its response is paired with nothing, the next are right."""
    log = tmp_path / "log"
    server = netns.server("httpd.py", 8000, "--log", log)
    conn = netns.http(8000)
    sent = time.monotonic()
    conn.sock.sendall(b"GET /sleep/2000 HTTP/1.1\r\nHost: h\r\n\r\n")
    time.sleep(0.2)  # the server has read the request and sleeps
    server.signal(signal.SIGSTOP)  # for as long as redtap takes to start
    try:
        assert time.monotonic() - sent < 2, "the server may have answered before it was stopped"
        agent, tracer = redtap(), trace()
    finally:
        server.signal(signal.SIGCONT)
    got = b""
    while not got.endswith(b"ok\n"):
        got += conn.sock.recv(1000)
    for path in ("/status/404", "/status/200"):
        ask(conn, path)
    m = agent.wait_metrics(lambda m: m.server_count() >= 2)
    assert m.server_count() == 2
    assert m.server_count(http_response_status_code="404") == 1
    assert m.server_count(http_response_status_code="200") == 1
    # the server's socket and the client's each carried one such response
    assert m.sum("redtap_exchanges_midstream_total") == 2
    conn.close()
    m = agent.settle()
    assert m.server_count() == 2 and m.client_count() == 2
    seen = tracer.wait_for(2, role="server")
    assert [(x["path"], x["status"]) for x in seen] == [("/status/404", 404), ("/status/200", 200)]
    assert all(x["duration_ns"] < 1_000_000_000 for x in seen)
    m.assert_conserved()


def test_upload_older_than_redtap(netns, redtap, trace, tmp_path):
    """Started in the middle of a request body: no exchange out of its rest, the next is right."""
    log = tmp_path / "log"
    netns.server("httpd.py", 8000, "--log", log)
    conn = netns.http(8000)
    head = b"POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 6000\r\n\r\n"
    conn.sock.sendall(head + b"u" * 3000)
    agent, tracer = redtap(), trace()
    conn.sock.sendall(b"u" * 3000)
    got = b""
    while not got.endswith(b"6000\n"):
        got += conn.sock.recv(1000)
    assert ask(conn, "/status/404") == 404
    conn.close()
    m = agent.settle()
    assert m.server_count() == 1 and m.server_count(http_response_status_code="404") == 1
    [x] = tracer.wait_for(1, role="server")
    assert (x["path"], x["status"]) == ("/status/404", 404)
    m.assert_conserved()


def listen(netns, host, port):
    s = netns.socket()
    s.bind((host, port))
    s.listen(1)
    return s


def test_socket_connected_anew(netns, trace):
    """One socket of a client, with one server after the other (connect(2) to AF_UNSPEC lets go of
    the first): each request is told with its own server."""
    tracer = trace()
    client = netns.socket()
    client.settimeout(10)
    want = []
    # The first conversation is none of HTTP, and the socket is left alone for as long as it is one.
    for host, port, status in (("127.0.0.1", 8000, 0), ("127.0.0.2", 8001, 200),
                               ("127.0.0.3", 8002, 404)):  # fmt: skip
        listener = listen(netns, host, port)
        client.connect((host, port))
        server, _ = listener.accept()
        if status:
            asked = f"GET /{port} HTTP/1.1\r\nHost: a.example\r\n\r\n".encode()
            answered = f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode()
            want.append((f"/{port}", status, host, port, client.getsockname()[1]))
        else:
            asked = answered = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40)
        client.send(asked)
        assert server.recv(4096) == asked
        server.send(answered)
        assert client.recv(4096) == answered
        assert libc.connect(client.fileno(), bytes(16), 16) == 0  # AF_UNSPEC is 0
        server.close()
        listener.close()
    client.close()
    keys = "path", "status", "peer_address", "peer_port", "local_port"
    seen = tracer.wait_for(2, role="client")
    assert [tuple(x[k] for k in keys) for x in seen] == want
    assert len(tracer.wait_for(2, role="server")) == 2


def test_mptcp_client_that_reads_less(netns, redtap, trace):
    """It closes with a part of the answer unread, of which MPTCP tells at once what TCP tells when
    the socket is gone."""
    agent, tracer = redtap(), trace()
    with netns.enter():
        listener, client = (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP) for _ in "12"
        )
    listener.bind(("127.0.0.1", 8000))
    listener.listen(1)
    client.connect(("127.0.0.1", 8000))
    server, _ = listener.accept()
    answered = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + b"b" * 500
    for path, size in (("/all", len(answered)), ("/less", 100)):
        client.send(f"GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n".encode())
        server.recv(4096)
        server.send(answered)
        assert client.recv(size, socket.MSG_WAITALL) == answered[:size]
    select.select([client], [], [], 10)
    client.close()
    server.close()
    listener.close()
    seen = tracer.wait_for(2, role="client")
    keys = "path", "status", "error", "response_bytes"
    assert [tuple(x[k] for k in keys) for x in seen] == [
        ("/all", 200, "", len(answered)), ("/less", 200, "connection_reset", 100)]  # fmt: skip
    agent.settle().assert_conserved()


def test_unix_stream_read_with_trunc(netns, trace):
    """MSG_TRUNC drops the bytes of a TCP socket, and means nothing to a Unix one."""
    tracer = trace()
    with netns.enter():
        client, server = socket.socketpair()
    asked = b"GET /trunc HTTP/1.1\r\nHost: a.example\r\n\r\n"
    answered = b"HTTP/1.1 404 X\r\nContent-Length: 2\r\n\r\nno"
    for _ in range(2):
        client.send(asked)
        assert server.recv(4096, socket.MSG_TRUNC) == asked
        server.send(answered)
        assert client.recv(4096, socket.MSG_TRUNC) == answered
    client.close()
    server.close()
    for role in ("client", "server"):
        for x in tracer.wait_for(2, role=role):
            assert (x["path"], x["status"], x["request_bytes"], x["response_bytes"]) == (
                "/trunc", 404, len(asked), len(answered))  # fmt: skip


def test_two_namespaces_with_the_same_addresses(netns_factory, redtap, trace, tmp_path):
    """The same ports at the same time in two namespaces: nothing is mixed up."""
    spaces = [netns_factory(), netns_factory()]
    sizes = [3, 5]
    logs = [tmp_path / "log0", tmp_path / "log1"]
    for space, log in zip(spaces, logs):
        space.server("httpd.py", 8000, "--log", log)
    agent, tracer = redtap(netns=spaces), trace(netns=spaces)
    scoped = redtap(netns=spaces[0])
    for i, space in enumerate(spaces):
        # the client's port is the same too
        s = space.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", 40000))
        s.settimeout(10)
        s.connect(("127.0.0.1", 8000))
        conn = space.http_over(s)
        for _ in range(sizes[i]):
            ask(conn, f"/status/{200 + i}")
        spaces[i].conn = conn
    # and once more, both connections open and used in turn
    for i in (0, 1, 0, 1):
        ask(spaces[i].conn, f"/status/{200 + i}")
    for space in spaces:
        space.conn.close()
    m = agent.settle()
    for count in (m.server_count, m.client_count):
        assert count(http_response_status_code="200") == 5
        assert count(http_response_status_code="201") == 7
    assert len(tracer.wait_for(12, role="server")) == 12
    m.assert_conserved()
    m = scoped.settle()
    assert m.server_count() == 5 and m.client_count() == 5
    assert m.server_count(http_response_status_code="201") == 0
    m.assert_conserved()


def test_many_threads_share_connections(netns, redtap, trace, tmp_path):
    """Client threads that take connections from one pool in turn."""
    log = tmp_path / "log"
    netns.server("httpd.py", 8000, "--log", log)
    agent, tracer = redtap(), trace()
    pool = collections.deque(netns.http(8000) for _ in range(4))
    lock = threading.Lock()
    each, threads = 25, 8

    def work():
        done = 0
        while done < each:
            with lock:
                conn = pool.popleft() if pool else None
            if conn is None:
                time.sleep(0.001)
                continue
            ask(conn, PATHS[done % len(PATHS)])
            done += 1
            with lock:
                pool.append(conn)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    for conn in pool:
        conn.close()
    check(agent, tracer, log, each * threads)
