# SPDX-License-Identifier: Apache-2.0
"""What is rare, and was wrong before: long heads, late bodies, pieces that end anywhere."""

import os
import socket
import time

from proxy_header import PROXY_V1, proxy_v2
from script import CHUNKED, LOOKS_HTTP, OK, answer, ask, chunked, req, reset, resp, shape, turn

NO = resp(b"404 Not Found", body=b"no")
COOKIE = b"Cookie: " + b"c" * 700
LINK = b"Link: </%s.css>; rel=preload; as=style\r\n" % (b"a" * 90)
HINTS = b"HTTP/1.1 103 Early Hints\r\n" + LINK * 5 + b"\r\n"  # more than is kept of a head


def readv(peer, n, *sizes):
    """n bytes at once, into vectors of these sizes; the last takes the rest."""
    peer.peek(n)
    bufs = [bytearray(size) for size in (*sizes, n - sum(sizes))]
    assert os.readv(peer.fileno(), bufs) == n


# --- interim responses that are longer than what is kept -----------------------


@shape(hold=True)
def long_hints_apart(w, c, s):
    request = ask(c, s, req(b"GET /hints/1"))
    answer(c, s, HINTS)
    w.expect("GET", "/hints/1", 404, request, answer(c, s, NO))
    turn(w, c, s, req(b"GET /hints/2"), OK, "GET", "/hints/2", 200)


@shape(hold=True)
def long_hints_at_once(w, c, s):
    for i in range(6):
        request = ask(c, s, req(b"GET /hints/%d" % i))
        answer(c, s, HINTS + NO)
        w.expect("GET", f"/hints/{i}", 404, request, NO)


@shape(hold=True)
def long_hints_read_at_once(w, c, s):
    for i in range(3):
        request = ask(c, s, req(b"GET /hints/%d" % i))
        s.send(HINTS)
        s.send(NO)
        c.take(len(HINTS + NO))
        w.expect("GET", f"/hints/{i}", 404, request, NO)


@shape(hold=True)
def long_hints_cut_anywhere(w, c, s):
    for cut in (*range(500, len(HINTS), 13), *range(len(HINTS) - 5, len(HINTS))):
        request = ask(c, s, req(b"GET /hints/cut"))
        answer(c, s, HINTS[:cut])
        answer(c, s, HINTS[cut:] + NO)
        w.expect("GET", "/hints/cut", 404, request, NO)


@shape(hold=True)
def long_hints_and_a_long_answer(w, c, s):
    request = ask(c, s, req(b"GET /hints/long"))
    response = resp(b"404 Not Found", body=b"n" * 3000)
    answer(c, s, HINTS + response)
    w.expect("GET", "/hints/long", 404, request, response)
    turn(w, c, s, req(b"GET /hints/next"), OK, "GET", "/hints/next", 200)


@shape()
def long_hints_and_close(w, c, s):
    request = ask(c, s, req(b"GET /hints/close"))
    answer(c, s, HINTS + NO)
    s.close()
    c.end_of_stream()
    w.expect("GET", "/hints/close", 404, request, NO)


@shape(hold=True)
def long_hints_in_three(w, c, s):
    """Each part but the first and the last begins and ends behind what is kept."""
    for first, second in ((520, 600), (512, len(HINTS) - 1), (600, len(HINTS) - 2)):
        request = ask(c, s, req(b"GET /hints/three"))
        answer(c, s, HINTS[:first])
        answer(c, s, HINTS[first:second])
        answer(c, s, HINTS[second:] + NO)
        w.expect("GET", "/hints/three", 404, request, NO)


@shape(hold=True)
def long_hints_then_short_ones(w, c, s):
    """In operations of their own: the final one's first byte counts."""
    request = ask(c, s, req(b"GET /hints/more"))
    answer(c, s, HINTS)
    answer(c, s, b"HTTP/1.1 103 Early Hints\r\n" + LINK + b"\r\n")
    time.sleep(0.2)
    w.expect("GET", "/hints/more", 404, request, answer(c, s, NO), min_ttfb_ns=200_000_000)
    turn(w, c, s, req(b"GET /hints/next"), OK, "GET", "/hints/next", 200)


@shape(hold=True)
def long_hints_then_continue(w, c, s):
    """What is sent then is the body, whatever it looks like."""
    head = ask(c, s, req(b"PUT /hints/up", b"Content-Length: %d" % len(LOOKS_HTTP)))
    answer(c, s, HINTS)
    answer(c, s, b"HTTP/1.1 100 Continue\r\n\r\n")
    ask(c, s, LOOKS_HTTP)
    w.expect("PUT", "/hints/up", 404, head + LOOKS_HTTP, answer(c, s, NO))
    turn(w, c, s, req(b"GET /hints/next"), OK, "GET", "/hints/next", 200)


@shape(hold=True)
def continue_and_final_in_pieces(w, c, s):
    """More than is kept, the final head in two entries of a writev."""
    final = resp(b"404 Not Found", body=b"n" * 900)
    request = ask(c, s, req(b"POST /hints/pieces", body=b"early"))
    s.writev(b"HTTP/1.1 100 Continue\r\n\r\n", final[:9], final[9:24], final[24:])
    c.take(25 + len(final))
    w.expect("POST", "/hints/pieces", 404, request, final)


@shape()
def hints_and_upgrade(w, c, s):
    """Behind a 101 it is another protocol."""
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\n\r\n"
    request = ask(c, s, req(b"GET /hints/chat", b"Upgrade: chat", b"Connection: upgrade"))
    answer(c, s, HINTS + head)
    w.expect("GET", "/hints/chat", 101, request, head)
    ask(c, s, LOOKS_HTTP)
    answer(c, s, OK)


@shape(hold=True)
def long_hints_behind_a_long_head(w, c, s):
    for i in range(2):
        request = ask(c, s, req(b"GET /hints/%d" % i, COOKIE))
        answer(c, s, HINTS + NO)
        w.expect("GET", f"/hints/{i}", 404, request, NO)


@shape(hold=True)
def two_hints_at_once(w, c, s):
    """Each is kept whole, but not what is behind the second."""
    hints = b"HTTP/1.1 103 Early Hints\r\n" + LINK * 2 + b"\r\n"
    for i in range(2):
        request = ask(c, s, req(b"GET /hints/%d" % i))
        answer(c, s, hints + hints + NO)
        w.expect("GET", f"/hints/{i}", 404, request, NO)


@shape(hold=True)
def hints_that_just_fit(w, c, s):
    """The final status line is cut by the end of what is kept, at each of its bytes."""
    for n in range(490, 520):
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>"
        hints += b"x" * (n - len(hints) - 4) + b"\r\n\r\n"
        request = ask(c, s, req(b"GET /hints/fit"))
        answer(c, s, hints + NO)
        w.expect("GET", "/hints/fit", 404, request, NO)


# --- heads of requests that are ------------------------------------------------


def far(w, c, s, body, cut=None):
    """A long head with its Content-Length at the end, a body, and two more requests."""
    request = req(b"POST /far/1", COOKIE, body=body)
    if cut:
        ask(c, s, request[:-cut])
        ask(c, s, request[-cut:])
    else:
        ask(c, s, request)
    w.expect("POST", "/far/1", 200, request, answer(c, s, OK))
    for i in (2, 3):
        turn(w, c, s, req(b"GET /far/%d" % i), OK, "GET", f"/far/{i}", 200)


@shape(hold=True)
def long_head_and_sql(w, c, s):
    far(w, c, s, b"DELETE FROM t WHERE x = 1")


@shape(hold=True)
def long_head_and_sql_apart(w, c, s):
    far(w, c, s, b"DELETE FROM t WHERE x = 1", cut=25)


@shape(hold=True)
def long_head_and_text(w, c, s):
    far(w, c, s, b"see /etc/motd for more\nand that is all\n")


@shape(hold=True)
def long_head_and_a_body_like_http(w, c, s):
    far(w, c, s, LOOKS_HTTP)


@shape(hold=True)
def long_head_refused_in_mid_body(w, c, s):
    """The answer comes after a byte of the body; the rest looks like requests."""
    body = b"x" + LOOKS_HTTP * 3
    head = req(b"POST /far/1", b"Content-Length: %d" % len(body), COOKIE)
    ask(c, s, head + body[:1])
    answer(c, s, NO)
    for i in range(3):
        ask(c, s, LOOKS_HTTP)
    w.expect("POST", "/far/1", 404, head + body, NO)
    turn(w, c, s, req(b"GET /far/2"), OK, "GET", "/far/2", 200)


@shape(hold=True)
def refused_by_the_head(w, c, s):
    """The body comes all the same, with the next request; or does not."""
    for body in (b"{}", b"null", b"[]", b"token", b"x" * 40):
        head = req(b"POST /refused/1", b"Content-Length: %d" % len(body))
        no = resp(b"401 Unauthorized", body=b"who?")
        then = req(b"GET /refused/2")
        ask(c, s, head)
        answer(c, s, no)
        ask(c, s, body + then)
        w.expect("POST", "/refused/1", 401, head + body, no)
        w.expect("GET", "/refused/2", 200, then, answer(c, s, OK))
        turn(w, c, s, head, no, "POST", "/refused/1", 401)
        turn(w, c, s, then, OK, "GET", "/refused/2", 200)


@shape(hold=True)
def pipelined_and_refused_by_the_head(w, c, s):
    first, second = req(b"GET /refused/1"), req(b"GET /refused/2")
    ask(c, s, first + second)
    w.expect("GET", "/refused/1", 200, first, answer(c, s, OK))
    w.expect("GET", "/refused/2", 200, second, answer(c, s, OK))
    head = ask(c, s, req(b"PUT /refused/3", b"Content-Length: 9", b"Expect: 100-continue"))
    w.expect("PUT", "/refused/3", 417, head, answer(c, s, resp(b"417 Expectation Failed")))
    for i in (4, 5):
        turn(w, c, s, req(b"GET /refused/%d" % i), OK, "GET", f"/refused/{i}", 200)


# --- chunked answers with trailers that nobody announced -------------------------

TRAILERS = chunked(b"data" * 300, trailers=b"X-Sum: 12\r\n")


@shape()
def trailers_unannounced_and_next(w, c, s):
    response = resp(b"200 OK", CHUNKED, body=TRAILERS, length=False)
    turn(w, c, s, req(b"GET /trailers/2"), response, "GET", "/trailers/2", 200)
    turn(w, c, s, req(b"GET /trailers/3"), OK, "GET", "/trailers/3", 200)


# --- several messages in one operation, in several pieces ------------------------


def proxied_pipeline(w, c, s, first):
    """A PROXY header and three requests, read into two vectors."""
    requests = [req(b"GET /pieces/%d" % i) for i in range(3)]
    data = PROXY_V1 + b"".join(requests)
    c.send(data)
    readv(s, len(data), first(requests))
    for i in range(3):
        answer(c, s, OK)
        w.expect("GET", f"/pieces/{i}", 200, requests[i], OK)
    turn(w, c, s, req(b"GET /pieces/last"), OK, "GET", "/pieces/last", 200)


@shape(hold=True)
def proxy_and_pipelined_cut_between(w, c, s):
    proxied_pipeline(w, c, s, lambda r: len(PROXY_V1 + r[0] + r[1]))


@shape(hold=True)
def proxy_and_pipelined_cut_within(w, c, s):
    proxied_pipeline(w, c, s, lambda r: len(PROXY_V1 + r[0]) + 20)


@shape(hold=True)
def late_body_and_pipelined(w, c, s):
    head = ask(c, s, req(b"POST /late/0", b"Content-Length: 100"))
    answer(c, s, OK)
    w.expect("POST", "/late/0", 200, head + b"x" * 100, OK)
    requests = [req(b"GET /late/%d" % i) for i in (1, 2, 3)]
    data = b"x" * 100 + b"".join(requests)
    c.send(data)
    readv(s, len(data), 100 + len(requests[0]) + 20)
    for i in (1, 2, 3):
        answer(c, s, OK)
        w.expect("GET", f"/late/{i}", 200, requests[i - 1], OK)


@shape(hold=True)
def proxy_and_long_head_in_pieces(w, c, s):
    request = req(b"GET /pieces/long", COOKIE)
    c.send(PROXY_V1 + request)
    readv(s, len(PROXY_V1 + request), 60, 300)
    w.expect("GET", "/pieces/long", 200, request, answer(c, s, OK))
    turn(w, c, s, req(b"GET /pieces/next"), OK, "GET", "/pieces/next", 200)


@shape(hold=True)
def proxy_header_twice(w, c, s):
    """As a chain of two load balancers makes it, set up wrongly."""
    ask(c, s, PROXY_V1 + proxy_v2())
    for i in (1, 2):
        turn(w, c, s, req(b"GET /twice/%d" % i), OK, "GET", f"/twice/{i}", 200)


@shape(hold=True)
def proxy_2_dropped_in_two(w, c, s):
    """What is behind its fixed part is thrown away."""
    header, request = proxy_v2(tlv=100), req(b"GET /dropped/1")
    c.send(header + request)
    s.take(16)
    left = len(header) - 16
    for n in (50, left - 50):
        s.sock.recv(n, socket.MSG_TRUNC)
    s.take(len(request))
    w.expect("GET", "/dropped/1", 200, request, answer(c, s, OK))


@shape(hold=True)
def proxy_2_in_many_pieces(w, c, s):
    header, request = proxy_v2(tlv=100), req(b"GET /many/1")
    c.send(header + request)
    readv(s, len(header + request), *[9] * 14)
    w.expect("GET", "/many/1", 200, request, answer(c, s, OK))


@shape(hold=True)
def empty_line_before_any_method(w, c, s):
    for method in ("DELETE", "PATCH", "OPTIONS", "GET", "DELETE"):
        request = req(b"%s /blank" % method.encode())
        ask(c, s, b"\r\n" + request)
        answer(c, s, OK)
        w.expect(method, "/blank", 200, None, OK)


# --- answers whose heads are longer than what is kept ---------------------------

FILLER = b"X-Filler: " + b"f" * 600


@shape(hold=True, slow=True)
def long_head_and_a_pause(w, c, s):
    """Silence in the middle of the body is not its end."""
    request = ask(c, s, req(b"GET /long/pause"))
    response = resp(b"200 OK", b"Content-Length: 300", FILLER, body=b"a" * 300)
    answer(c, s, response[:-200])
    time.sleep(2)
    answer(c, s, response[-200:])
    w.expect("GET", "/long/pause", 200, request, response, min_duration_ns=1_900_000_000)


@shape(hold=True, slow=True)
def long_head_chunks_and_a_pause(w, c, s):
    request = ask(c, s, req(b"GET /long/chunks"))
    response = resp(b"200 OK", CHUNKED, FILLER, length=False) + chunked(b"hello", b"world")
    answer(c, s, response[:-15])
    time.sleep(2)
    answer(c, s, response[-15:])
    w.expect("GET", "/long/chunks", 200, request, response, min_duration_ns=1_900_000_000)


@shape()
def long_head_cut_off(w, c, s):
    request = ask(c, s, req(b"GET /long/cut"))
    response = answer(c, s, resp(b"200 OK", b"Content-Length: 400", FILLER) + b"hello")
    s.close()
    c.end_of_stream()
    w.expect("GET", "/long/cut", 200, request, response, error="connection_closed")


@shape()
def long_head_chunks_cut_off(w, c, s):
    request = ask(c, s, req(b"GET /long/cut"))
    head = resp(b"200 OK", CHUNKED, FILLER, length=False)
    response = answer(c, s, head + b"1000\r\nhello")
    s.close()
    c.end_of_stream()
    w.expect("GET", "/long/cut", 200, request, response, error="connection_closed")


@shape()
def long_head_and_close(w, c, s):
    """Whole, in both framings: the close is none of their business."""
    for path, response in (
        ("/long/whole", resp(b"200 OK", FILLER, body=b"whole")),
        ("/long/chunks", resp(b"200 OK", CHUNKED, FILLER, length=False) + chunked(b"whole")),
    ):
        turn(w, c, s, req(b"GET " + path.encode()), response, "GET", path, 200)
    s.close()
    c.end_of_stream()


@shape(hold=True)
def long_head_without_a_body_and_the_next(w, c, s):
    """Its length is 0 and is told; so it is whole, and the next one is another."""
    first = req(b"POST /long/none", b"Content-Length: 0", FILLER)
    second = req(b"GET /long/next")
    ask(c, s, first + second)
    answer(c, s, NO + OK)
    w.expect("POST", "/long/none", 404, first, NO)
    w.expect("GET", "/long/next", 200, second, OK)


# --- bodies that come after the refusal ------------------------------------------

WHO = resp(b"401 Unauthorized", body=b"who?")


def refused(w, c, s, body):
    """Its head alone is answered, then the body comes all the same."""
    head = ask(c, s, req(b"POST /late", b"Content-Length: %d" % len(body)))
    answer(c, s, WHO)
    ask(c, s, body)
    w.expect("POST", "/late", 401, head + body, WHO)


@shape(hold=True)
def refused_body_that_looks_like_a_request_line(w, c, s):
    for body in (b"SELECT /* all */ name FROM t", b"see /etc/motd\n\n"):
        refused(w, c, s, body)
        for status in (b"200 OK", b"404 Not Found", b"500 Oh", b"201 Created"):
            response = resp(status, body=status)
            path = "/late/" + status[:3].decode()
            turn(w, c, s, req(b"GET " + path.encode()), response, "GET", path, int(status[:3]))


@shape(hold=True)
def refused_short_body_and_a_first_byte(w, c, s):
    """Less than what a request is told by, and the next one read in two pieces."""
    for body in (b"token", b"{}"):
        refused(w, c, s, body)
        request = req(b"GET /late/next")
        c.send(request)
        s.take(1)
        s.take(len(request) - 1)
        w.expect("GET", "/late/next", 200, request, answer(c, s, OK))


@shape(hold=True)
def body_by_splice(w, c, s):
    """The hooks at the socket do not see these bytes; the requests behind them are there."""
    body = b"u" * 20000
    head = ask(c, s, req(b"POST /spliced", b"Content-Length: %d" % len(body)))
    c.send(body)
    out, into = os.pipe()
    left = len(body)
    while left:
        n = os.splice(s.fileno(), into, left)
        os.read(out, n)
        left -= n
    os.close(out)
    os.close(into)
    w.expect("POST", "/spliced", 200, head + body, answer(c, s, OK))
    for _ in range(20):
        turn(w, c, s, req(b"GET /spliced/next"), OK, "GET", "/spliced/next", 200)


@shape()
def body_and_end_at_once(w, c, s):
    """The end of the stream is read with the last bytes, and is none of them."""
    request = req(b"PUT /half", CHUNKED, length=False) + chunked(b"b" * 1000)
    c.send(request[:-600])
    s.take(len(request) - 600)
    c.send(request[-600:])
    c.half_close()
    time.sleep(0.05)
    assert len(s.sock.recv(65536)) == 600  # with room for more, so that the end is read too
    s.end_of_stream()
    w.expect("PUT", "/half", 200, request, answer(c, s, OK))


# --- the final response in small pieces ---------------------------------------------


@shape(hold=True, slow=True)
def continue_then_small_pieces(w, c, s):
    """Its first byte counts, not the interim one's."""
    final = resp(b"201 Created", body=b"ok" * 500)
    for path in ("/small/writes", "/small/writev"):
        head = ask(c, s, req(b"PUT " + path.encode(), b"Content-Length: 1500"))
        answer(c, s, b"HTTP/1.1 100 Continue\r\n\r\n")
        ask(c, s, b"b" * 1500)
        time.sleep(0.3)
        if path == "/small/writev":
            s.writev(final[:9], final[9:13], final[13:])
            c.take(len(final))
        else:
            answer(c, s, final[:9])
            answer(c, s, final[9:])
        w.expect("PUT", path, 201, head + b"b" * 1500, final, min_ttfb_ns=300_000_000)


# --- methods ------------------------------------------------------------------------


@shape(hold=True)
def methods_with_a_dash(w, c, s):
    for method in (b"VERSION-CONTROL", b"BASELINE-CONTROL", b"M-SEARCH", b"UPDATEREDIRECTREF"):
        turn(w, c, s, req(method + b" /dash"), OK, method.decode(), "/dash", 200)


# --- where an answer ends, and whether it arrived -------------------------------------

PAUSE = 1.6  # longer than any silence that ends an answer whose end is not known
FILLER = b"X-Filler: " + b"f" * 600


@shape(hold=True, slow=True)
def chunks_behind_a_long_head(w, c, s):
    request = ask(c, s, req(b"GET /stream/long"))
    response = answer(c, s, resp(b"200 OK", CHUNKED, FILLER, length=False))
    time.sleep(PAUSE)
    response += answer(c, s, chunked(b"data"))
    w.expect("GET", "/stream/long", 200, request, response, min_duration_ns=int(PAUSE * 1e9))


@shape(hold=True, slow=True)
def events_behind_a_long_head(w, c, s):
    """An event ends with an empty line, as a head and trailers do."""
    events = chunked(*[b"data: %d\r\n\r\n" % i for i in range(30)])
    cut = events.rindex(b"0\r\n\r\n")
    request = ask(c, s, req(b"GET /events"))
    response = answer(c, s, resp(b"200 OK", CHUNKED, FILLER, length=False) + events[:cut])
    time.sleep(PAUSE)
    response += answer(c, s, events[cut:])
    w.expect("GET", "/events", 200, request, response, min_duration_ns=int(PAUSE * 1e9))


def pieces(*parts):
    """As Node sends what was written in one go: each chunk in four."""
    return [x for part in parts for x in (b"%x" % len(part), b"\r\n", part, b"\r\n")]


@shape(hold=True, slow=True)
def chunks_in_many_vectors(w, c, s):
    request = ask(c, s, req(b"GET /vectors"))
    head = resp(b"200 OK", CHUNKED, length=False)
    first = [head, *pieces(*[b"c" * 100] * 25)]
    last = [*pieces(b"c" * 100), b"0\r\n\r\n"]
    s.writev(*first)
    c.take(sum(map(len, first)))
    time.sleep(PAUSE)
    s.writev(*last)
    c.take(sum(map(len, last)))
    w.expect(
        "GET", "/vectors", 200, request, b"".join(first + last), min_duration_ns=int(PAUSE * 1e9)
    )


@shape()
def chunks_in_many_vectors_then_a_reset(w, c, s):
    request = ask(c, s, req(b"GET /vectors/reset"))
    vectors = [resp(b"200 OK", CHUNKED, length=False), *pieces(*[b"c" * 100] * 25), b"0\r\n\r\n"]
    s.writev(*vectors)
    c.take(sum(map(len, vectors)))
    reset(c)
    s.end_by_reset()
    w.expect("GET", "/vectors/reset", 200, request, b"".join(vectors))


@shape()
def reset_behind_an_answer(w, c, s):
    """As health checks do. The client has its answer, and has not acknowledged it: of the
    second on a connection that waits for 40 ms."""
    for i in range(20):
        turn(w, c, s, req(b"GET /check"), OK, "GET", "/check", 200)
        turn(w, c, s, req(b"GET /check"), OK, "GET", "/check", 200)
        reset(c)
        s.end_by_reset()
        c, s = w.connect()


@shape()
def reset_before_an_answer_arrived(w, c, s):
    """All of it was handed over, and most of it waits for room on the other side."""
    s.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    request = ask(c, s, req(b"GET /refused"))
    response = resp(b"200 OK", body=b"x" * 300_000)
    s.send(response)
    reset(c)
    s.end_by_reset()
    w.expect(
        "GET", "/refused", 200, request, None,
        server={"response_bytes": len(response), "error": "connection_reset"},
        client={"response_bytes": 0, "error": "timeout", "status": 0},
    )  # fmt: skip


@shape()
def until_close_and_thrown_away(w, c, s):
    """The end of the stream is there, and the client does not read as far as that."""
    request = ask(c, s, req(b"GET /thrown HTTP/1.0"))
    response = resp(b"200 OK", body=b"x" * 40_000, length=False)
    s.send(response)
    s.close()
    c.take(1000)
    time.sleep(0.1)
    c.close()
    w.expect(
        "GET", "/thrown", 200, request, len(response),
        client={"response_bytes": 1000, "error": "connection_closed"},
    )  # fmt: skip


@shape(slow=True)
def early_answer_and_the_rest_of_the_upload(w, c, s):
    """The server answers by the head, and takes what is still sent for two seconds."""
    body = b"u" * 42_000
    head = ask(c, s, req(b"POST /early", b"Content-Length: %d" % len(body)))
    ask(c, s, body[:2000])
    response = answer(c, s, resp(b"413 Content Too Large", body=b"no"))
    for at in range(2000, len(body), 2000):
        time.sleep(0.1)
        ask(c, s, body[at : at + 2000])
    w.expect("POST", "/early", 413, head + body, response)


# --- ends that a process makes itself, by shutdown(2) ----------------------------------

GAVE_UP = 0.3


def breaks_off(w, c, s, how, path, answered):
    """The client reads an end of the stream then that the server did not send."""
    request = ask(c, s, req(b"GET " + path.encode()))
    if answered:
        answer(c, s, answered)
    time.sleep(GAVE_UP)
    c.sock.shutdown(how)
    assert c.sock.recv(100) == b""
    time.sleep(0.1)
    c.close()
    time.sleep(0.1)
    s.close()
    server = {} if answered else {"error": "connection_closed"}
    client = {"error": "timeout", "min_duration_ns": int(GAVE_UP * 1e9)}
    w.expect(
        "GET", path, 200 if answered else 0, request, answered, server=server, client=client
    )


@shape(slow=True)
def client_shuts_both_halves(w, c, s):
    breaks_off(w, c, s, socket.SHUT_RDWR, "/shut/both", b"")


@shape(slow=True)
def client_shuts_its_reading_half(w, c, s):
    breaks_off(w, c, s, socket.SHUT_RD, "/shut/reading", b"")


@shape(slow=True)
def client_shuts_an_answer_until_close(w, c, s):
    """Again and again, behind some that were whole: of such a path no record is needed."""
    stream = resp(b"200 OK", b"Connection: close", length=False) + b"data\n" * 3
    for how in (None, None, None, socket.SHUT_RDWR, socket.SHUT_RD, socket.SHUT_RDWR):
        if how is None:
            turn(w, c, s, req(b"GET /shut/stream"), stream, "GET", "/shut/stream", 200)
            s.close()
            c.end_of_stream()
            c.close()
        else:
            breaks_off(w, c, s, how, "/shut/stream", stream)
        c, s = w.connect()


@shape()
def server_shuts_both_halves(w, c, s):
    """It reads an end, too, which is not the client's; its own is the answer's."""
    stream = resp(b"200 OK", b"Connection: close", length=False) + b"data\n" * 3
    turn(w, c, s, req(b"GET /shut/server"), stream, "GET", "/shut/server", 200)
    s.sock.shutdown(socket.SHUT_RDWR)
    assert s.sock.recv(100) == b""
    s.close()
    c.end_of_stream()
    c.close()


@shape()
def client_reads_the_end_behind_a_shutdown(w, c, s):
    """Only its sending half: what it reads then is the server's end."""
    request = ask(c, s, req(b"GET /shut/sending"))
    c.half_close()
    s.end_of_stream()
    response = answer(c, s, resp(b"200 OK", length=False) + b"data\n" * 3)
    s.close()
    c.end_of_stream()
    c.close()
    w.expect("GET", "/shut/sending", 200, request, response)


# --- what is not the response, in its operation ------------------------------------------

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\n\r\n"


def upgraded(w, c, s, path, sent):
    request = ask(c, s, req(b"GET " + path, b"Upgrade: chat", b"Connection: Upgrade"))
    answer(c, s, sent)
    w.expect("GET", path.decode(), 101, request, SWITCH)
    for _ in range(2):
        ask(c, s, LOOKS_HTTP)
        answer(c, s, OK)


@shape(hold=True)
def continue_and_upgrade_at_once(w, c, s):
    upgraded(w, c, s, b"/switch/continue", b"HTTP/1.1 100 Continue\r\n\r\n" + SWITCH)


@shape(hold=True)
def continue_and_tunnel_at_once(w, c, s):
    request = ask(c, s, req(b"CONNECT switch.test:443"))
    response = b"HTTP/1.1 200 Connection established\r\n\r\n"
    answer(c, s, b"HTTP/1.1 102 Processing\r\n\r\n" + response)
    w.expect("CONNECT", "switch.test:443", 200, request, response)
    for _ in range(2):
        ask(c, s, LOOKS_HTTP)
        answer(c, s, OK)


@shape(hold=True)
def upgrade_and_a_frame_at_once(w, c, s):
    """Short, and longer than what is kept of a head."""
    for size in (10, 3000):
        upgraded(w, c, s, b"/switch/frame", SWITCH + b"f" * size)
        c, s = w.connect()
        upgraded(w, c, s, b"/switch/both", b"HTTP/1.1 100 Continue\r\n\r\n" + SWITCH + b"f" * size)
        c, s = w.connect()


@shape(hold=True)
def tunnel_and_a_greeting_at_once(w, c, s):
    """Of a server that speaks first behind the tunnel."""
    request = ask(c, s, req(b"CONNECT switch.test:22"))
    response = b"HTTP/1.1 200 Connection established\r\n\r\n"
    answer(c, s, response + b"SSH-2.0-test\r\n")
    w.expect("CONNECT", "switch.test:22", 200, request, response)


@shape(hold=True, slow=True)
def empty_line_long_before_the_first_request(w, c, s):
    """It does not start its clock."""
    for request in (req(b"GET /blank/first"), req(b"BREW /blank/first")):
        ask(c, s, b"\r\n")
        time.sleep(0.5)
        method = request.split()[0].decode()
        turn(w, c, s, request, OK, method, "/blank/first", 200, max_duration_ns=400_000_000)
        c, s = w.connect()
