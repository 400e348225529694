# SPDX-License-Identifier: Apache-2.0
"""Requests that the end of their connection ends, as those of all clients that ask once: counted
in place, without a record, where their answer is whole.

What is expected is what the load generator and the server's log say, or what another redtap made of
the same traffic that gets a record of each request (--routes-memory 0)."""

import collections
import random
import signal
import socket
import struct
import time

from lib import load
from lib.util import SLOW, need
from test_flood import PATHS
from test_inplace import counts, learned, records

URL = "http://127.0.0.1:8080/empty"
# Requests, and connections. The first of each program, in 0.1 s or more, teach: by records.
ONCE = 12000
FIRST = 500  # that nginx is known by
HELD = 4000


def test_one_request_each(netns, redtap, tmp_path):
    """ab, a connection for each request: server, client and nginx's log agree, and hardly a
    record was made."""
    nginx = load.Nginx(netns, tmp_path, workers=2, log_format="line")
    agent = redtap()
    load.ab(netns, URL, requests=FIRST, concurrency=8)
    learned()
    result = load.ab(netns, URL, requests=ONCE, concurrency=8)
    assert result["complete"] == ONCE and result["failed"] == 0, result["text"]
    logged = nginx.lines()
    m = agent.settle()
    m.assert_conserved()
    wanted = FIRST + ONCE
    assert logged[200] == sum(logged.values()) == wanted
    known = {"http_route": "/empty", "http_response_status_code": "200"}
    assert m.server_count(process_executable_name="nginx", **known) == m.server_count() == wanted
    assert m.client_count(process_executable_name="ab", http_response_status_code="200") == wanted
    assert m.client_count() == wanted
    assert m.conservation()["aborted"] == 0
    assert records(m) < 2 * ONCE / 10


def test_held_while_they_come(netns, redtap, tmp_path):
    """The agent does not read a thing meanwhile, and the ring would hold a fifth of their
    records at most: none is made, so none is missing."""
    nginx = load.Nginx(netns, tmp_path, workers=2, log_format="line")
    agent = redtap("--ring-size", "262144")
    # curl's are of one process each; ab's are learned within its run, if it is read at all.
    load.ab(netns, URL, requests=50, concurrency=1)
    learned()
    before = records(agent.settle())
    held = netns.popen(["python3", "-u", "-c", ASK, str(HELD)], name="once")
    held.wait_line("asked 100", 10, "stdout")
    learned()
    agent.signal(signal.SIGSTOP)
    assert held.wait(60) == 0
    agent.signal(signal.SIGCONT)
    logged = sum(nginx.lines().values())
    m = agent.settle()
    m.assert_conserved()
    assert m.losses() == {}
    assert m.server_count() == m.client_count() == logged == 50 + HELD
    assert records(m) - before < 2 * HELD / 10


ASK = """\
import socket, sys, time
for i in range(int(sys.argv[1])):
    with socket.create_connection(("127.0.0.1", 8080)) as s:
        s.sendall(b"GET /empty HTTP/1.1\\r\\nHost: h\\r\\nConnection: close\\r\\n\\r\\n")
        while s.recv(4096):
            pass
    if i < 100:
        time.sleep(0.005)
    if i == 99:
        print("asked 100", flush=True)
        time.sleep(1)
"""

CONNECTIONS = 16


def test_a_ring_that_overflows(netns, redtap, tmp_path):
    """wrk, a connection for each request and each path once; 64 KB of ring, and the agent stands
    still for a while: their records are lost, and no request is missing from its totals."""
    nginx = load.Nginx(netns, tmp_path, workers=2, log_format="line")
    script = tmp_path / "paths.lua"
    script.write_text(PATHS)
    agent = redtap("--ring-size", "65536")
    wrk = netns.popen(
        [need("wrk"), "-t2", f"-c{CONNECTIONS}", "-d2s", "-s", script]
        + ["-H", "Connection: close", "http://127.0.0.1:8080"]
    )
    time.sleep(0.7)
    agent.signal(signal.SIGSTOP)
    time.sleep(0.3)
    agent.signal(signal.SIGCONT)
    assert wrk.wait(20) == 0
    logged = nginx.lines()
    m = agent.settle()
    assert m.lost() > 100
    served = {"process_executable_name": "nginx"}
    assert m.server_count(**served) == sum(logged.values()) > 1000
    for status in (200, 404):
        got = m.server_count(**served, http_response_status_code=str(status))
        assert logged[status] - CONNECTIONS <= got <= logged[status]
    parts = m.conservation()
    # Odd ends, as of connections that wrk breaks off, are records or nothing.
    assert parts["evicted"] <= CONNECTIONS
    over = parts["finished"] + parts["aborted"] + parts["evicted"]
    assert parts["started"] == over + parts["in_flight"], parts


def test_chunks_cut_off_behind_long_heads(netns, redtap):
    """Of request and answer more than a head is kept of: what is learned of the path from whole
    answers says nothing of those that lack their last chunk."""
    agent = redtap()
    request = b"GET /cut HTTP/1.1\r\nHost: h\r\nCookie: %s\r\n\r\n" % (b"c" * 700)
    part = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: %s\r\n\r\n4\r\ndata\r\n" % (b"x" * 700)
    with netns.socket() as listener:
        listener.bind(("127.0.0.1", 8000))
        listener.listen(1)

        def once(answer):
            with netns.connect(8000) as client:
                server = listener.accept()[0]
                client.sendall(request)
                assert server.recv(4096) == request
                server.sendall(answer)
                assert client.recv(4096) == answer
                time.sleep(0.1)
                server.close()
                assert client.recv(1) == b""

        for _ in range(4):
            once(part + b"0\r\n\r\n")
            learned()
        for _ in range(6):
            once(part)
    m = agent.settle()
    m.assert_conserved()
    for count in (m.server_count, m.client_count):
        assert count(http_response_status_code="200") == count() == 10
        assert count(error_type="connection_closed", http_route="/cut") == 6
        assert count(error_type=None, http_route="/cut") == 4


OK = "HTTP/1.1 200 OK\r\n"
CHUNKED = OK + "Transfer-Encoding: chunked\r\n\r\n"
LAST = "\r\n0\r\n\r\n"
# What the server answers: head and body; how many times 'x' follows; what follows that.
ANSWERS = {
    "length": (OK + "Content-Length: 2\r\n\r\nok",),
    "failed": ("HTTP/1.1 500 Bad\r\nContent-Length: 2\r\n\r\nno",),
    "long": (OK + "Content-Length: 90000\r\n\r\n", 90000),
    "short": (OK + "Content-Length: 10\r\n\r\nok",),
    "more": (OK + "Content-Length: 1\r\n\r\nok",),
    "unsaid": (OK + "\r\nok",),
    "old": ("HTTP/1.0 200 OK\r\n\r\nok",),
    "nothing": ("HTTP/1.1 204 None\r\n\r\n",),
    "unchanged": ("HTTP/1.1 304 Same\r\nContent-Length: 10\r\n\r\n",),
    "chunk": (CHUNKED + "2\r\nok" + LAST,),
    "chunk in hex": (CHUNKED + "1A\r\n" + "k" * 26 + LAST,),
    "chunk with extension": (CHUNKED + "2;a=b\r\nok" + LAST,),
    "chunks": (CHUNKED + "2\r\nok\r\n2\r\nok" + LAST,),
    "no chunk": (CHUNKED + LAST[2:],),
    "no last chunk": (CHUNKED + "2\r\nok\r\n",),
    "half a chunk": (CHUNKED + "20\r\nok" + LAST,),
    "trailer": (CHUNKED + "2\r\nok\r\n0\r\nA: b\r\n\r\n",),
    "long chunk": (CHUNKED + "400\r\n", 1024, LAST),
    "long chunk alone": (CHUNKED + "400\r\n", 1024),
    "half a long chunk": (CHUNKED + "400\r\n", 900),
    "old chunk": (CHUNKED.replace("/1.1", "/1.0") + "2\r\nok" + LAST,),
    "chunk of no hex": (CHUNKED + "@\r\n" + "k" * 9 + LAST,),
    "packed": (OK + "Transfer-Encoding: gzip\r\n\r\nok",),
    "no number": (OK + "Content-Length: 2x\r\n\r\nok",),
    "number of 20 digits": (OK + "Content-Length: 18446744073709551612\r\n\r\nok",),
    "two numbers": (OK + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",),
    "long head": (OK + "X: ", 600, "\r\nContent-Length: 2\r\n\r\nok"),
    "long head, length first": (OK + "Content-Length: 2\r\nX: ", 600, "\r\n\r\nok"),
    "long head, bytes missing": (OK + "Content-Length: 9000\r\nX: ", 600, "\r\n\r\nok"),
    "half a head": (OK + "X: ",),
    "half a long head": (OK + "X: ", 600),
    "interim": ("HTTP/1.1 100 Go on\r\n\r\n" + OK + "Content-Length: 2\r\n\r\nok",),
    "none of ours": ("220 mail.example ready\r\n",),
}
# These two on paths that are known by good answers.
PATH_OF = {"number of 20 digits": "length", "chunk of no hex": "chunk"}
ENDS = ["close", "close", "close", "reset"]
# A reset meets what was sent before it: each agent has programs of its own, and of what happens
# at the same moment on two CPUs one may see this first, the other that.
APART = 0.05 * SLOW  # and later than the server's
# What the client does once it has the answer, or did before.
CLIENTS = ["reads", "reads", "reads", "shuts", "breaks off", "closes first"]


def ask(netns, rand, n):
    name = rand.choice([*ANSWERS, "length", "length", "chunk", "unsaid"])
    does = rand.choice(CLIENTS)
    first, fill, tail = (*ANSWERS[name], *(0, "")[len(ANSWERS[name]) - 1 :])
    end = "" if does == "closes first" else f"&end={rand.choice(ENDS)}"
    method = "HEAD" if n % 11 == 0 else "GET"
    query = f"hex={first.encode().hex()}&fill={fill}&tail={tail.encode().hex()}{end}"
    # Few below each, or they are folded into one, at a moment that is the agent's own.
    to = PATH_OF.get(name, name)
    path = f"/{'abcde'[list(ANSWERS).index(to) // 8]}/{to.replace(' ', '-').replace(',', '')}"
    whole = len(first) + fill + len(tail)
    with netns.connect(8000) as s:
        s.sendall(f"{method} {path}?{query} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        got = 0
        try:
            if does == "shuts":
                s.shutdown(socket.SHUT_WR)
            while does != "breaks off" or not got:
                piece = s.recv(65536)
                got += len(piece)
                if not piece or (does == "closes first" and got == whole):
                    break
        except OSError:  # it was reset
            pass
        if does == "breaks off":
            time.sleep(APART)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return name


def differing(a, b):
    return {k: (a.get(k), b.get(k)) for k in sorted({*a, *b}) if a.get(k) != b.get(k)}


def test_any_end_as_by_records(netns, redtap):
    """Answers whole, cut and odd; ends by the server, by the client, by reset: the same counts as
    with a record of each, and none where the answer is plainly whole."""
    netns.server("raw.py", 8000)
    agent, by_records = redtap(), redtap("--routes-memory", "0")
    rand = random.Random(23)
    asked = collections.Counter()
    for i in range(700):
        asked[ask(netns, rand, i)] += 1
        if i in (100, 200, 300):
            learned()
    assert set(asked) == set(ANSWERS)
    want, got = by_records.settle(), agent.settle()
    got.assert_conserved()
    want.assert_conserved()
    assert want.conservation()["aborted"] > 100
    assert differing(counts(got), counts(want)) == {}
    assert got.conservation() == want.conservation()
    assert records(got) < records(want) * 3 / 4
