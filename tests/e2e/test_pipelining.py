# SPDX-License-Identifier: Apache-2.0
"""Pipelined HTTP/1.1: several requests in one read, several answers in one write, each told apart.

What is expected is what the client sent and was answered, what the server logged, and clocks
read around the very calls."""

import collections
import random
import signal
import socket
import struct
import time

import pytest

from conftest import BACKENDS
from lib import load
from lib.util import SLOW, wait_until

DEPTHS = [1, 2, 16, 64]
# All bytes go through the ring, also those of bodies: room for a machine that is busy.
ROOMY = ["--ring-size", str(64 << 20)]
MS = 1_000_000


@pytest.fixture(params=sorted({*BACKENDS, "event"}))
def backend(request):
    return request.param


@pytest.fixture
def pair(netns):
    """pair(): both ends of a new connection, held by this very process."""
    listener = netns.socket()
    listener.bind(("127.0.0.1", 8000))
    listener.listen(16)
    listener.settimeout(10)
    open_ones = [listener]

    def make():
        client = netns.connect(8000)
        server, _ = listener.accept()
        for s in (client, server):
            s.settimeout(10)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        open_ones.extend((client, server))
        return client, server

    yield make
    for s in open_ones:
        s.close()


def take(sock, n):
    """n bytes, in as few reads as they come in."""
    got = b""
    while len(got) < n:
        more = sock.recv(n - len(got))
        assert more, f"the connection ended after {got!r}"
        got += more
    return got


def get(path, *headers, method="GET", body=b""):
    lines = [f"{method} {path} HTTP/1.1", "Host: h", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def answer(status, body=b"ok"):
    return f"HTTP/1.1 {status} Text\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def told(tracer, role):
    """Counter of (path, status) by records."""
    return collections.Counter((x["path"], x["status"]) for x in tracer.exchanges(role=role))


def assert_told(agent, tracer, want, paths=True):
    """Both roles, in metrics and in records: `want` is a Counter of (path, status)."""
    m = agent.settle()
    m.assert_conserved()
    n = sum(want.values())
    wait_until(lambda: len(tracer.exchanges()) >= 2 * n, 4, lambda: tracer.describe())
    assert m.server_count() == m.client_count() == n
    for role, count in (("server", m.server_count), ("client", m.client_count)):
        assert told(tracer, role) == want
        by_status = collections.Counter()
        for (_, status), k in want.items():
            by_status[status] += k
        for status, k in by_status.items():
            assert count(http_response_status_code=status) == k
        for (path, status), k in want.items() if paths else ():
            assert count(http_route=path, http_response_status_code=status) == k, path
    return m


def by_vectors(client, data):
    assert client.sendmsg([data[:100], data[100:101], b"", data[101:]]) == len(data)


def play(pair, pieces, answers, send=socket.socket.sendall):
    """A connection of its own: each piece is sent and read by itself, then all is answered."""
    client, server = pair()
    for piece in pieces:
        send(client, piece)
        assert take(server, len(piece)) == piece
    server.sendall(answers)
    assert take(client, len(answers)) == answers
    client.close()
    server.close()


def test_requests_cut_at_every_byte(pair, redtap, trace):
    """Two requests, and the beginning of a third, cut in two reads at each byte."""
    agent, tracer = redtap(), trace()
    want = collections.Counter()
    for second in (get("/b"), get("/b", method="POST", body=b"0123456789")):
        first = get("/a", "X-Some: thing")
        data = first + second
        for cut in range(1, len(data)):
            play(pair, (data[:cut], data[cut:]), answer(200) + answer(404, b""))
            want["/a", 200] += 1
            want["/b", 404] += 1
    assert_told(agent, tracer, want)


def test_first_has_a_body_cut_at_every_byte(pair, redtap, trace):
    """The same with a body in between: where it ends is where the next request begins."""
    agent, tracer = redtap(), trace()
    want = collections.Counter()
    data = get("/up", "Content-Type: a/b", method="POST", body=b"GET /no HTTP/1.1\r\n\r\n") + get("/b")
    for cut in range(1, len(data)):
        play(pair, (data[:cut], data[cut:]), answer(201) + answer(200))
        want["/up", 201] += 1
        want["/b", 200] += 1
    assert_told(agent, tracer, want)


def cuts_of(long, near):
    """Where to cut: some places anywhere, all of them around where something changes."""
    there = {at + d for at in near for d in range(-10, 11)} | set(range(1, long, 37))
    return sorted(at for at in there if 0 < at < long)


def test_long_heads(pair, redtap, trace):
    """Heads of which redtap keeps a part, cut in two and by vectors, with a request behind."""
    agent, tracer = redtap(), trace()
    want = collections.Counter()
    for size in (470, 700, 3000):
        first = get("/long", "Cookie: " + "c" * size)
        data = first + get("/b")
        for cut in cuts_of(len(data), (512, 1024, len(first), len(data))):
            play(pair, (data[:cut], data[cut:]), answer(200) + answer(404, b""), by_vectors)
            want["/long", 200] += 1
            want["/b", 404] += 1
    assert_told(agent, tracer, want)


def test_alike_but_for_what_follows(pair, redtap, trace):
    """One connection: alone, then in pairs, with the same first bytes each time."""
    agent, tracer = redtap(), trace()
    want = collections.Counter()
    for size in (10, 700):
        client, server = pair()
        first = get("/a", "Cookie: " + "c" * size)
        for data, n in ((first, 1), (first, 1), (first * 2, 2), (first, 1), (first * 5, 5)):
            client.sendall(data)
            take(server, len(data))
            server.sendall(answer(200) * n)
            take(client, len(answer(200)) * n)
            want["/a", 200] += n
        client.close()
        server.close()
    assert_told(agent, tracer, want)


def ask_in_turn(pair, asked):
    """On one connection: `asked` are operations, and how many requests are in each."""
    client, server = pair()
    for data, n in asked:
        client.sendall(data)
        take(server, len(data))
        server.sendall(answer(200) * n)
        take(client, n * len(answer(200)))
    client.close()
    server.close()


def test_alike_up_to_what_is_kept(pair, redtap, trace):
    """As long as the request before, and with the same first bytes: but then it ends, and another
    one follows."""
    agent, tracer = redtap(), trace()
    long = get("/a", "X-Pad: " + "p" * 600)[:596] + b"\r\n\r\n"
    short = long[:512] + b"\r\n\r\n"
    other = get("/b", "X-Pad: ")
    other = get("/b", "X-Pad: " + "q" * (len(long) - len(short) - len(other)))
    assert len(short + other) == len(long)
    ask_in_turn(pair, [(long, 1), (long, 1), (short + other, 2)])
    assert_told(agent, tracer, collections.Counter({("/a", 200): 3, ("/b", 200): 1}))


def test_alike_behind_a_stray_line(pair, redtap, trace):
    """What was found behind a request is not there behind the same one once more."""
    agent, tracer = redtap(), trace()
    post = get("/p", method="POST", body=b"b" * 900)
    ask_in_turn(pair, [(post, 1), (post + b"\r\n", 1), (post + get("/q"), 2)])
    assert_told(agent, tracer, collections.Counter({("/p", 200): 3, ("/q", 200): 1}))


def test_one_request_each_stays_cheap(pair, redtap):
    """Nobody pipelines: bodies, long heads, pieces, an empty line too many."""
    agent = redtap()
    client, server = pair()
    asked = 0
    for i in range(30):
        for data in (
            get("/a"),
            get("/a", method="POST", body=b"GET / HTTP/1.1"),
            get("/a", method="POST", body=b"b" * 900),
            get("/a", method="POST", body=b"b") + b"\r\n",
            get("/a", "Cookie: " + "c" * 1000),
            get("/a", "Cookie: " + "c" * 1000, method="POST", body=b"b" * 900),
        ):
            cut = len(data) - 1 - (i * 37) % (len(data) - 1)
            for piece in (data[:cut], data[cut:]):
                client.sendall(piece)
                take(server, len(piece))
            server.sendall(answer(200))
            take(client, len(answer(200)))
            asked += 1
    m = agent.settle()
    assert m.server_count() == m.client_count() == asked
    assert m.sum("redtap_exchanges_streamed_total") == 0


def test_unix_sockets(netns, redtap, trace, tmp_path):
    """The same over a Unix socket, whose end nothing tells."""
    agent, tracer = redtap(), trace()
    listener = netns.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    client = netns.socket(socket.AF_UNIX)
    client.connect(str(tmp_path / "s"))
    server, _ = listener.accept()
    data = get("/a") + get("/b") + get("/c")
    client.sendall(data)
    take(server, len(data))
    server.sendall(answer(200) + answer(404))
    take(client, len(answer(200) + answer(404)))
    agent.wait_metrics(
        lambda m: m.server_count() == m.client_count() == 2 == m.conservation()["in_flight"]
    )
    server.close()
    client.close()
    listener.close()
    m = agent.settle()
    m.assert_conserved()
    for role in ("server", "client"):
        tracer.wait_for(3, role=role)
        assert told(tracer, role) == {("/a", 200): 1, ("/b", 404): 1, ("/c", 0): 1}
        assert tracer.exchanges(role=role, path="/c")[0]["error"] in ("connection_closed", "timeout")


def test_unix_sockets_that_end_at_once(netns, redtap, trace, tmp_path):
    """The sweep meets many that ended a moment ago, whose bytes are not read from the ring yet."""
    agent, tracer = redtap(*ROOMY), trace(*ROOMY)
    listener = netns.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    requests, answers = get("/a") + get("/b"), answer(200) + answer(404)
    want = collections.Counter()
    end = time.monotonic() + 4
    while time.monotonic() < end:
        client = netns.socket(socket.AF_UNIX)
        client.connect(str(tmp_path / "s"))
        server, _ = listener.accept()
        client.sendall(requests)
        take(server, len(requests))
        server.sendall(answers)
        take(client, len(answers))
        client.close()
        server.close()
        want["/a", 200] += 1
        want["/b", 404] += 1
    listener.close()
    m = assert_told(agent, tracer, want)
    assert m.sum("redtap_streams_torn_total") == 0


def test_answers_cut_at_every_byte(pair, redtap, trace):
    """Three answers, one of them interim and one of chunks, cut in two writes at each byte."""
    agent, tracer = redtap(), trace()
    want = collections.Counter()
    requests = get("/a") + get("/b") + get("/c", method="HEAD")
    chunks = b"HTTP/1.1 206 Text\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHTTP/\r\n1;x\r\n1\r\n0\r\nT: r\r\n\r\n"
    out = answer(500, b"bad") + b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + chunks + answer(304, b"12")[:-2]
    client, server = pair()
    for cut in range(1, len(out)):
        client.sendall(requests)
        take(server, len(requests))
        for piece in (out[:cut], out[cut:]):
            server.sendall(piece)
            assert take(client, len(piece)) == piece
        for key in (("/a", 500), ("/b", 206), ("/c", 304)):
            want[key] += 1
    m = assert_told(agent, tracer, want)
    assert m.sum("redtap_exchanges_streamed_total") == 6 * (len(out) - 1)
    for x in tracer.exchanges(path="/b"):
        assert (x["request_bytes"], x["response_bytes"]) == (len(get("/b")), len(chunks))


class Client:
    """Sends batches of requests in one write each and reads the answers, as HTTP says."""

    def __init__(self, netns, port):
        self.sock = netns.connect(port)
        self.file = self.sock.makefile("rb")

    def batch(self, requests):
        """[(method, bytes)]; returns the statuses."""
        self.sock.sendall(b"".join(data for _, data in requests))
        return [self._read(method) for method, _ in requests]

    def _read(self, method):
        while True:
            status = int(self.file.readline().split()[1])
            fields = {}
            while (line := self.file.readline().strip()):
                name, _, value = line.lower().partition(b":")
                fields[name] = value.strip()
            if status >= 200:
                break
        if method == "HEAD" or status in (204, 304):
            return status
        if fields.get(b"transfer-encoding") == b"chunked":
            while (size := int(self.file.readline(), 16)):
                assert len(self.file.read(size + 2)) == size + 2
            self.file.readline()
        else:
            size = int(fields[b"content-length"])
            assert len(self.file.read(size)) == size
        return status

    def close(self):
        self.file.close()
        self.sock.close()


STATUSES = """
    location /t/ {
        if ($arg_s = 404) { return 404 "no"; }
        if ($arg_s = 503) { return 503 "bad"; }
        if ($arg_s = 204) { return 204; }
        return 200 "ok";
    }
"""


@pytest.mark.parametrize("depth", DEPTHS)
def test_depths_by_nginx(netns, redtap, trace, tmp_path, depth):
    """Batches of mixed paths and statuses: as the client was answered, as nginx logged."""
    nginx = load.Nginx(netns, tmp_path, extra=STATUSES)
    (nginx.www / "big").write_bytes(b"b" * 300_000)
    agent, tracer = redtap(*ROOMY), trace(*ROOMY)
    rand = random.Random(depth)
    want = collections.Counter()
    for _ in range(3):
        client = Client(netns, 8080)
        for _ in range(12):
            batch, paths = [], []
            for _ in range(depth):
                method = rand.choice(["GET", "GET", "GET", "HEAD", "POST"])
                path = f"/t/{rand.choice('abcd')}"
                query = f"?s={rand.choice([200, 200, 404, 503, 204])}"
                if rand.random() < 0.02:
                    method, path, query = "GET", "/big", ""
                body = b"x" * rand.randrange(1, 900) if method == "POST" else b""
                batch.append((method, get(path + query, method=method, body=body)))
                paths.append(path)
            want.update(zip(paths, client.batch(batch)))
        client.close()
    n = sum(want.values())
    assert n == 3 * 12 * depth
    logged = collections.Counter((x["uri"].split("?")[0], x["status"]) for x in nginx.wait_log(n))
    assert logged == want
    assert_told(agent, tracer, want)


@pytest.mark.parametrize("depth", DEPTHS)
def test_all_kinds_of_answers(netns, redtap, trace, tmp_path, depth):
    """Chunks, big answers, late ones, none at all, bodies that are uploaded: by httpd.py."""
    (log := tmp_path / "log").touch()
    netns.server("httpd.py", 8000, "--log", log)
    agent, tracer = redtap(*ROOMY), trace(*ROOMY)
    rand = random.Random(depth)
    want, paths = collections.Counter(), []
    kinds = ["/status/200", "/status/204", "/status/304", "/status/404", "/status/500"]
    kinds += ["/chunked/7", "/chunked/0", "/bytes/10", "/bytes/150000", "/sleep/1"]
    client = Client(netns, 8000)
    for _ in range(max(4, 64 // depth)):
        batch, asked = [], []
        for _ in range(depth):
            path = rand.choice(kinds)
            method = rand.choice(["GET", "GET", "HEAD"])
            if rand.random() < 0.2:
                path, method = "/upload", "POST"
            # All of a batch is one write, of which redtap looks at 256 KB.
            size = 100_000 if len(asked) == depth // 2 else rand.choice([1, 300, 5000])
            body = b"y" * size if method == "POST" else b""
            long = rand.choice([(), (), ("X-Long: " + "l" * 700,)]) if asked else ()
            batch.append((method, get(path, *long, method=method, body=body)))
            asked.append(path)
        want.update(zip(asked, client.batch(batch)))
        paths += asked
    client.close()
    served = collections.Counter(
        (x["path"], x["status"]) for x in load.wait_server_log(log, len(paths))
    )
    assert served == want
    assert_told(agent, tracer, want, paths=False)


def test_times_of_each(pair, trace):
    """Four requests at once, answered one by one: each has the times of its own calls."""
    tracer = trace()
    client, server = pair()
    for _ in range(2):
        for s in (client, server):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    data = b"".join(get(f"/t{i}") for i in range(4))
    sent = time.monotonic_ns()
    client.sendall(data)
    after_sent = time.monotonic_ns()
    take(server, len(data))
    after_read = time.monotonic_ns()
    marks = []
    for i in range(4):
        time.sleep(0.03 * (i + 1))
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {10 + i}\r\n\r\n".encode()
        began = time.monotonic_ns()
        server.sendall(head)
        take(client, len(head))
        first = time.monotonic_ns()
        time.sleep(0.02)
        again = time.monotonic_ns()
        server.sendall(b"b" * (10 + i))
        take(client, 10 + i)
        marks.append((began, first, again, time.monotonic_ns()))
    # While the connection is open and silent.
    for role, start in (("client", (sent, after_sent)), ("server", (after_sent, after_read))):
        tracer.wait_for(4, role=role)
        for i, (began, first, again, last) in enumerate(marks):
            (x,) = tracer.exchanges(role=role, path=f"/t{i}")
            assert began - start[1] <= x["ttfb_ns"] <= first - sent, (role, i)
            assert again - start[1] <= x["duration_ns"] <= last - sent, (role, i)
            assert x["response_bytes"] == len(answer(200, b"")) - 2 + 1 + 10 + i
            assert x["request_bytes"] == len(get(f"/t{i}"))
    assert max(x["received"] for x in tracer.exchanges()) < marks[-1][3] / 1e9 + 1.0 * SLOW


def linger_reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@pytest.mark.parametrize("how", ["close", "half", "reset", "client"])
def test_end_in_the_middle(pair, redtap, trace, how):
    """Of five requests two and a half are answered, then one side ends the connection."""
    agent, tracer = redtap(), trace()
    client, server = pair()
    data = b"".join(get(f"/t{i}") for i in range(5))
    client.sendall(data)
    take(server, len(data))
    out = answer(200) + answer(404)
    if how == "half":
        out += answer(500, b"x" * 100)[:-50]
    server.sendall(out)
    take(client, len(out))
    time.sleep(0.1)
    if how == "client":
        client.close()
        assert server.recv(10) == b""
        server.close()
    elif how == "reset":
        linger_reset(server)
        with pytest.raises(ConnectionResetError):
            client.recv(10)
        client.close()
    else:
        server.close()
        assert client.recv(10) == b""
        client.close()
    m = agent.settle()
    m.assert_conserved()
    third = 500 if how == "half" else 0
    want = [("/t0", 200, ""), ("/t1", 404, ""), *((f"/t{i}", 0, "x") for i in (2, 3, 4))]
    want[2] = ("/t2", third, "x")
    # As for a single request that is not answered (tests/e2e/test_failures.py).
    errors = {
        "close": {"server": "connection_closed", "client": "connection_closed"},
        "half": {"server": "connection_closed", "client": "connection_closed"},
        "reset": {"server": "connection_closed", "client": "connection_reset"},
        "client": {"server": "connection_closed", "client": "timeout"},
    }[how]
    for role in ("server", "client"):
        found = sorted(tracer.wait_for(5, role=role), key=lambda x: x["path"])
        assert [(x["path"], x["status"]) for x in found] == [w[:2] for w in want]
        for x, (_, _, error) in zip(found, want):
            status_error = "404" if role == "client" and x["status"] == 404 else ""
            assert x["error"] == (errors[role] if error else status_error), (role, x)
    parts = m.conservation()
    assert (parts["started"], parts["finished"], parts["aborted"]) == (10, 4, 6)


def test_window(pair, redtap, trace):
    """A client that always keeps four in flight, and a server that answers one at a time."""
    agent, tracer = redtap(), trace()
    want = collections.Counter()
    client, server = pair()
    asked = 0
    for i in range(4):
        client.sendall(get(f"/w{i % 5}"))
        asked += 1
    take(server, 4 * len(get("/w0")))
    for i in range(200):
        out = answer(200 + i % 3)
        server.sendall(out)
        take(client, len(out))
        want[f"/w{i % 5}", 200 + i % 3] += 1
        if asked < 200:
            client.sendall(get(f"/w{asked % 5}"))
            take(server, len(get("/w0")))
            asked += 1
    client.close()
    server.close()
    assert_told(agent, tracer, want)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_next_one_begins_within_the_answer(pair, redtap, trace, method):
    """Go's server waits for the next request by a read of one byte, and a client that does not
    wait for the end of an answer has that byte be read before it was written."""
    agent, tracer = redtap(), trace()
    client, server = pair()
    out = answer(200, b"b" * 2000)
    for i in range(20):
        asked = get(f"/next/{'abcde'[i % 5]}", method=method)
        if i == 0:
            client.sendall(asked)
            take(server, len(asked))
        else:
            take(server, len(asked) - 1)
        server.sendall(out[:1000])
        if i < 19:
            client.sendall(get(f"/next/{'abcde'[(i + 1) % 5]}", method=method))
            take(server, 1)
        server.sendall(out[1000:])
        take(client, len(out))
    client.close()
    server.close()
    m = agent.settle()
    m.assert_conserved()
    wait_until(lambda: len(tracer.exchanges(role="server")) >= 20, 4, lambda: tracer.describe())
    assert told(tracer, "server") == {(f"/next/{x}", 200): 4 for x in "abcde"}
    assert {x["method"] for x in tracer.exchanges(role="server")} == {method}
    assert m.server_count(http_response_status_code=200) == m.server_count() == 20
    sizes = {(x["request_bytes"], x["response_bytes"]) for x in tracer.exchanges(role="server")}
    assert sizes == {(len(get("/next/a", method=method)), len(out))}


def test_in_flight_while_they_wait(pair, redtap):
    """Requests that wait are in flight, and are active: each of them."""
    agent = redtap()
    client, server = pair()
    data = get("/a") * 10
    client.sendall(data)
    take(server, len(data))
    active = "http_server_active_requests"
    m = agent.wait_metrics(lambda m: m.sum(active) == 10)
    server.sendall(answer(200) * 4)
    take(client, 4 * len(answer(200)))
    # the gauge and the count in flight are of a sweep each, not always of the same
    agent.wait_metrics(
        lambda m: m.sum(active) == 6
        and m.server_count() == 4
        and m.conservation()["in_flight"] == 12
    )
    # Silence does not end them, whatever the sweep sees.
    time.sleep(1.5)
    m = agent.metrics()
    m.assert_conserved()
    assert m.server_count() == 4 and m.sum(active) == 6
    server.sendall(answer(200) * 6)
    take(client, 6 * len(answer(200)))
    m = agent.settle()
    m.assert_conserved()
    assert m.server_count() == m.client_count() == 10


PIPELINE = """\
init = function(args)
    local r = {}
    for i = 1, 16 do r[i] = wrk.format("GET", "/t/" .. i) end
    all = table.concat(r)
end
request = function() return all end
"""


def test_wrk(netns, redtap, tmp_path):
    """Depth 16 at full speed: as many as nginx logged, unless a loss says that some are missing."""
    nginx = load.Nginx(netns, tmp_path, log_format="line", extra=STATUSES)
    (script := tmp_path / "pipeline.lua").write_text(PIPELINE)
    agent = redtap(*ROOMY)
    load.wrk(netns, "http://127.0.0.1:8080", threads=1, connections=16, seconds=3, script=script)
    logged = nginx.lines()
    m = agent.settle()
    parts = m.conservation()
    assert parts["started"] == parts["finished"] + parts["aborted"] + parts["evicted"]
    served = m.server_count(http_response_status_code="200", http_route="/t/{id}")
    if m.lost():
        assert served < logged[200]
    else:
        # Of the last batches nginx had read some requests, and wrk was gone.
        assert served == logged[200] == m.server_count() - m.server_count(error_type="connection_reset")
        assert m.server_count() - served <= 16 * 16
        assert m.client_count(http_response_status_code="200") >= served - 16 * 16


def test_wrk_with_losses(netns, redtap, tmp_path):
    """A ring of 64 KB and a held agent: what is lost is told, nothing is told that was not."""
    nginx = load.Nginx(netns, tmp_path, log_format="line", extra=STATUSES)
    (script := tmp_path / "pipeline.lua").write_text(PIPELINE)
    agent = redtap("--ring-size", "65536")
    wrk = netns.popen(
        [load.need("wrk"), "-t1", "-c8", "-d2s", "-s", script, "http://127.0.0.1:8080"]
    )
    time.sleep(0.5)
    agent.signal(signal.SIGSTOP)
    time.sleep(0.5)
    agent.signal(signal.SIGCONT)
    assert wrk.wait(20) == 0
    logged = sum(nginx.lines().values())
    m = agent.settle()
    assert m.lost() > 0
    assert m.sum("redtap_streams_torn_total") > 0
    assert 0 < m.server_count(process_executable_name="nginx") < logged
    assert m.server_count(http_response_status_code="200") == m.server_count()
    # And what comes later is exact again.
    before = m.server_count(), m.client_count()
    client = Client(netns, 8080)
    for _ in range(20):
        assert client.batch([("GET", get("/t/a"))] * 5) == [200] * 5
    client.close()
    after = agent.settle()
    assert after.lost() == m.lost()
    assert (after.server_count() - before[0], after.client_count() - before[1]) == (100, 100)
