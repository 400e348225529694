# SPDX-License-Identifier: Apache-2.0
"""HTTP in all its shapes: each a script of exact bytes and exact syscalls (script.py)."""

import socket
import time

from script import CHUNKED, LOOKS_HTTP, OK, answer, ask, chunked, req, resp, shape, turn

# --- versions and connections ---------------------------------------------


@shape(hold=True)
def get_11(w, c, s):
    turn(w, c, s, req(b"GET /get?a=1&b=2"), OK, "GET", "/get", 200)


@shape(hold=True)
def get_10_keep_alive(w, c, s):
    request = req(b"GET /ten HTTP/1.0", b"Connection: keep-alive")
    response = OK.replace(b"HTTP/1.1", b"HTTP/1.0")
    turn(w, c, s, request, response, "GET", "/ten", 200)


@shape()
def get_10_until_close(w, c, s):
    request = b"GET /ten/close HTTP/1.0\r\n\r\n"
    response = b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 3000
    turn(w, c, s, request, response, "GET", "/ten/close", 200)
    s.close()
    c.end_of_stream()


@shape()
def connection_close(w, c, s):
    request = req(b"GET /close", b"Connection: close")
    response = resp(b"200 OK", b"Connection: close", body=b"bye")
    turn(w, c, s, request, response, "GET", "/close", 200)
    s.close()
    c.end_of_stream()


@shape()
def until_close_in_many_writes(w, c, s):
    request = ask(c, s, req(b"GET /close/many", b"Connection: close"))
    response = answer(c, s, resp(b"200 OK", b"Connection: close", length=False))
    for i in range(20):
        response += answer(c, s, b"line %d\n" % i)
    s.close()
    c.end_of_stream()
    w.expect("GET", "/close/many", 200, request, response)


@shape(hold=True)
def keep_alive_sequence(w, c, s):
    for i in range(5):
        turn(w, c, s, req(b"GET /seq/%d" % i), OK, "GET", f"/seq/{i}", 200)
    request = req(b"POST /seq/post", body=b"k=v")
    turn(w, c, s, request, resp(b"201 Created", body=b""), "POST", "/seq/post", 201)
    turn(w, c, s, req(b"DELETE /seq/0"), resp(b"404 Not Found"), "DELETE", "/seq/0", 404)
    turn(w, c, s, req(b"PUT /seq/1", body=b"z" * 2000), resp(b"500 Oh"), "PUT", "/seq/1", 500)


@shape()
def half_close(w, c, s):
    """The client is done sending before the answer comes."""
    request = ask(c, s, req(b"GET /half"))
    c.half_close()
    s.end_of_stream()
    response = answer(c, s, OK)
    w.expect("GET", "/half", 200, request, response)


@shape()
def two_connections(w, c, s):
    """Exchanges of two sockets, interleaved."""
    c2, s2 = w.connect()
    first = ask(c, s, req(b"GET /two/a"))
    second = ask(c2, s2, req(b"GET /two/b"))
    w.expect("GET", "/two/b", 200, second, answer(c2, s2, OK))
    w.expect("GET", "/two/a", 404, first, answer(c, s, resp(b"404 Not Found", body=b"no")))


# --- responses without a body ---------------------------------------------


@shape(hold=True)
def head(w, c, s):
    response = resp(b"200 OK", b"Content-Length: 1000")
    turn(w, c, s, req(b"HEAD /head"), response, "HEAD", "/head", 200)


@shape(hold=True)
def head_then_get(w, c, s):
    response = resp(b"200 OK", b"Content-Length: 1000")
    turn(w, c, s, req(b"HEAD /head/1"), response, "HEAD", "/head/1", 200)
    turn(w, c, s, req(b"GET /head/2"), OK, "GET", "/head/2", 200)


@shape(hold=True)
def head_chunked(w, c, s):
    response = resp(b"200 OK", CHUNKED, length=False)
    turn(w, c, s, req(b"HEAD /head/chunked"), response, "HEAD", "/head/chunked", 200)


@shape(hold=True)
def no_content(w, c, s):
    response = resp(b"204 No Content", length=False)
    turn(w, c, s, req(b"DELETE /gone"), response, "DELETE", "/gone", 204)


@shape(hold=True)
def not_modified(w, c, s):
    request = req(b"GET /cached", b'If-None-Match: "x"')
    response = resp(b"304 Not Modified", b'ETag: "x"', b"Content-Length: 1234")
    turn(w, c, s, request, response, "GET", "/cached", 304)


@shape(hold=True)
def empty_bodies(w, c, s):
    request = req(b"POST /empty", b"Content-Length: 0")
    turn(w, c, s, request, resp(b"200 OK", body=b""), "POST", "/empty", 200)
    turn(w, c, s, req(b"GET /empty"), resp(b"200", body=b""), "GET", "/empty", 200)


# --- interim responses ------------------------------------------------------


@shape(hold=True)
def expect_continue(w, c, s):
    body = b"b" * 1500
    head_ = ask(c, s, req(b"PUT /up", b"Content-Length: 1500", b"Expect: 100-continue"))
    answer(c, s, b"HTTP/1.1 100 Continue\r\n\r\n")
    ask(c, s, body)
    w.expect("PUT", "/up", 201, head_ + body, answer(c, s, resp(b"201 Created", body=b"ok")))


@shape(hold=True)
def expect_continue_body_looks_like_http(w, c, s):
    length = b"Content-Length: %d" % len(LOOKS_HTTP)
    head_ = ask(c, s, req(b"PUT /up/2", length, b"Expect: 100-continue"))
    answer(c, s, b"HTTP/1.1 100 Continue\r\n\r\n")
    ask(c, s, LOOKS_HTTP)
    response = answer(c, s, resp(b"201 Created", body=b"ok"))
    w.expect("PUT", "/up/2", 201, head_ + LOOKS_HTTP, response)


@shape(hold=True)
def continue_and_final_in_one_write(w, c, s):
    request = ask(c, s, req(b"POST /up/3", b"Expect: 100-continue", body=b"early"))
    final = resp(b"200 OK", body=b"fine")
    answer(c, s, b"HTTP/1.1 100 Continue\r\n\r\n" + final)
    w.expect("POST", "/up/3", 200, request, final)


@shape(hold=True)
def expect_refused(w, c, s):
    request = ask(c, s, req(b"PUT /up/4", b"Content-Length: 9", b"Expect: 100-continue"))
    w.expect("PUT", "/up/4", 417, request, answer(c, s, resp(b"417 Expectation Failed")))
    # the body was not sent, and is not
    turn(w, c, s, req(b"GET /up/instead"), OK, "GET", "/up/instead", 200)


HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload; as=style\r\n\r\n"


@shape(hold=True)
def early_hints(w, c, s):
    request = ask(c, s, req(b"GET /hints"))
    answer(c, s, HINTS)
    time.sleep(0.02)
    w.expect("GET", "/hints", 200, request, answer(c, s, OK))
    turn(w, c, s, req(b"GET /hints/next"), OK, "GET", "/hints/next", 200)


@shape(hold=True)
def early_hints_in_one_write(w, c, s):
    request = ask(c, s, req(b"GET /hints/2"))
    answer(c, s, HINTS + HINTS + OK)
    w.expect("GET", "/hints/2", 200, request, OK)


@shape(hold=True)
def processing_twice(w, c, s):
    request = ask(c, s, req(b"GET /dav"))
    for _ in range(2):
        answer(c, s, b"HTTP/1.1 102 Processing\r\n\r\n")
    w.expect("GET", "/dav", 207, request, answer(c, s, resp(b"207 Multi-Status", body=b"<a/>")))


# --- chunked ----------------------------------------------------------------


@shape(hold=True)
def chunked_response(w, c, s):
    response = resp(b"200 OK", CHUNKED, body=chunked(b"one", b"two"), length=False)
    turn(w, c, s, req(b"GET /chunked"), response, "GET", "/chunked", 200)


@shape(hold=True)
def chunked_response_in_many_writes(w, c, s):
    request = ask(c, s, req(b"GET /chunked/many"))
    response = answer(c, s, resp(b"200 OK", CHUNKED, length=False))
    for i in range(10):
        response += answer(c, s, b"64\r\n" + b"%d" % i * 100 + b"\r\n")
    response += answer(c, s, b"0\r\n\r\n")
    w.expect("GET", "/chunked/many", 200, request, response)


@shape(hold=True)
def chunk_end_apart_after_a_long_body(w, c, s):
    """Longer than any captured head; the last chunk comes alone."""
    request = ask(c, s, req(b"GET /chunked/long"))
    head_ = resp(b"200 OK", CHUNKED, length=False)
    response = answer(c, s, head_ + b"2000\r\n" + b"c" * 0x2000 + b"\r\n")
    response += answer(c, s, b"0\r\n\r\n")
    w.expect("GET", "/chunked/long", 200, request, response)


@shape(hold=True)
def chunk_end_in_two_writes(w, c, s):
    request = ask(c, s, req(b"GET /chunked/split"))
    head_ = resp(b"200 OK", CHUNKED, length=False)
    response = answer(c, s, head_ + b"1000\r\n" + b"c" * 0x1000 + b"\r\n")
    response += answer(c, s, b"0\r\n")
    response += answer(c, s, b"\r\n")
    w.expect("GET", "/chunked/split", 200, request, response)


@shape(hold=True)
def chunked_request(w, c, s):
    request = req(b"POST /chunked/up", CHUNKED, body=chunked(b"alpha", b"beta"), length=False)
    turn(w, c, s, request, OK, "POST", "/chunked/up", 200)


@shape(hold=True)
def chunked_request_in_many_writes(w, c, s):
    """A chunk that looks like a request is none."""
    request = ask(c, s, req(b"POST /chunked/up/2", CHUNKED, length=False))
    request += ask(c, s, b"%x\r\n" % len(LOOKS_HTTP))
    request += ask(c, s, LOOKS_HTTP)
    request += ask(c, s, b"\r\n0\r\n\r\n")
    w.expect("POST", "/chunked/up/2", 200, request, answer(c, s, OK))


@shape()
def chunked_with_trailers(w, c, s):
    body = chunked(b"data" * 300, trailers=b"X-Sum: 12\r\nX-Time: 3\r\n")
    response = resp(b"200 OK", CHUNKED, b"Trailer: X-Sum", body=body, length=False)
    turn(w, c, s, req(b"GET /trailers", b"TE: trailers"), response, "GET", "/trailers", 200)
    turn(w, c, s, req(b"GET /trailers/next"), OK, "GET", "/trailers/next", 200)


# --- syscalls ---------------------------------------------------------------


@shape(hold=True)
def body_in_many_writes(w, c, s):
    request = ask(c, s, req(b"POST /many", b"Content-Length: 3000"))
    for _ in range(30):
        request += ask(c, s, b"q" * 100)
    response = answer(c, s, resp(b"200 OK", b"Content-Length: 4000"))
    for _ in range(40):
        response += answer(c, s, b"r" * 100)
    w.expect("POST", "/many", 200, request, response)


@shape(hold=True)
def post_body_looks_like_http(w, c, s):
    """In writes of their own: still one request and one response."""
    request = ask(c, s, req(b"POST /looks", b"Content-Length: %d" % len(LOOKS_HTTP)))
    request += ask(c, s, LOOKS_HTTP)
    response = answer(c, s, resp(b"200 OK", b"Content-Length: %d" % len(OK)))
    response += answer(c, s, OK)
    w.expect("POST", "/looks", 200, request, response)


def _by_syscall(w, c, s, name, send, how, big=None):
    """Both ends send with `send(peer, head, body)` and take with `how`."""
    body = big or b"0123456789" * 40
    request_head = req(b"POST /by/" + name, b"Content-Length: %d" % len(body))
    response_head = resp(b"200 OK", b"Content-Length: %d" % len(body))
    path = "/by/" + name.decode()
    for _ in range(2):
        send(c, request_head, body)
        s.take(len(request_head + body), how)
        send(s, response_head, body)
        c.take(len(response_head + body), how)
        w.expect("POST", path, 200, request_head + body, response_head + body)


@shape(hold=True)
def write_and_read(w, c, s):
    _by_syscall(w, c, s, b"write", lambda p, h, b: (p.write(h), p.write(b)), "read")


@shape(hold=True)
def writev_and_readv(w, c, s):
    _by_syscall(w, c, s, b"writev", lambda p, h, b: p.writev(h, b), "readv")


@shape(hold=True)
def writev_in_small_vectors(w, c, s):
    """The request line and the status line cross several vectors."""

    def send(peer, h, b):
        peer.writev(*[h[i : i + 9] for i in range(0, len(h), 9)], b)

    _by_syscall(w, c, s, b"vectors", send, "readv")


@shape(hold=True)
def writev_with_empty_vectors(w, c, s):
    _by_syscall(w, c, s, b"holes", lambda p, h, b: p.writev(b"", h[:5], b"", h[5:], b), "readv")


@shape()
def writev_in_many_vectors(w, c, s):
    """More vectors than anyone walks: the counts are the kernel's, so right."""

    def send(peer, h, b):
        whole = h + b
        peer.writev(*[whole[i : i + 10] for i in range(0, len(whole), 10)])

    _by_syscall(w, c, s, b"hundred", send, "recv", big=b"v" * 1000)


@shape(hold=True)
def sendmsg_and_recvmsg(w, c, s):
    _by_syscall(w, c, s, b"sendmsg", lambda p, h, b: p.sendmsg(h, b), "recvmsg")


@shape(hold=True)
def sendmmsg_and_recvmmsg(w, c, s):
    """Head and body in messages of their own."""
    _by_syscall(w, c, s, b"sendmmsg", lambda p, h, b: p.sendmmsg(h, b), "recvmmsg")


@shape(hold=True)
def recv_waitall(w, c, s):
    _by_syscall(w, c, s, b"waitall", lambda p, h, b: (p.send(h), p.send(b)), "waitall")


@shape(hold=True)
def send_more_and_sendfile(w, c, s):
    """As nginx does: the head with MSG_MORE, the body from a file."""

    def send(peer, h, b):
        peer.send(h, socket.MSG_MORE)
        peer.sendfile(b)

    _by_syscall(w, c, s, b"sendfile", send, "recv", big=b"f" * 30000)


@shape(hold=True)
def send_and_splice(w, c, s):
    def send(peer, h, b):
        peer.send(h)
        peer.splice(b)

    _by_syscall(w, c, s, b"splice", send, "recv", big=b"p" * 20000)


@shape(hold=True)
def large_response(w, c, s):
    """8 MB in whatever portions the kernel takes without blocking."""
    request = ask(c, s, req(b"GET /large"))
    response = resp(b"200 OK", body=b"L" * 8_000_000)
    view, sent, got = memoryview(response), 0, 0
    while got < len(response):
        sent += s.send_some(view[sent : sent + 700_000]) if sent < len(response) else 0
        got += len(c.take(min(sent - got, 300_000)))
    w.expect("GET", "/large", 200, request, response)


@shape(hold=True)
def small_reads(w, c, s):
    request, response = req(b"POST /small", body=b"s" * 700), resp(b"200 OK", body=b"t" * 700)
    c.send(request)
    s.take(len(request), chunk=3)
    s.send(response)
    c.take(len(response), chunk=3)
    w.expect("POST", "/small", 200, request, response)


@shape(hold=True)
def peek_before_read(w, c, s):
    for i in range(2):
        request = req(b"GET /peek/%d" % i)
        c.send(request)
        s.peek(4)
        s.peek(len(request))
        s.take(len(request))
        s.send(OK)
        c.peek(len(OK))
        c.take(len(OK), chunk=9)
        w.expect("GET", f"/peek/{i}", 200, request, OK)


@shape(hold=True)
def zero_length_operations(w, c, s):
    """Nothing was moved, nothing ended: a receive of no bytes is no end of stream."""
    request = req(b"POST /zero", body=b"zz")
    c.send(b"")
    c.write(b"")
    c.send(request[:30])
    c.send(b"")
    c.send(request[30:])
    s.sock.recv(0)
    s.take(40)
    s.sock.recv(0)
    s.take(len(request) - 40)
    s.send(b"")
    s.sendmsg(b"")
    s.send(OK[:20])
    s.send(b"")
    c.sock.recv(0)
    s.send(OK[20:])
    c.take(len(OK))
    c.sock.recv(0)
    w.expect("POST", "/zero", 200, request, OK)
    turn(w, c, s, req(b"GET /zero/next"), OK, "GET", "/zero/next", 200)


@shape(hold=True)
def operations_that_would_block(w, c, s):
    """As every event loop does: try, get EAGAIN, try later."""

    def nothing(peer):
        try:
            peer.sock.recv(4096, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        raise AssertionError("something came")

    for i in range(2):
        nothing(s)
        request = ask(c, s, req(b"GET /eagain/%d" % i))
        nothing(s)
        nothing(c)
        w.expect("GET", f"/eagain/{i}", 200, request, answer(c, s, OK))
        nothing(c)


# --- targets and methods ----------------------------------------------------


@shape(hold=True)
def absolute_form(w, c, s):
    request = req(b"GET http://shapes.test:8080/abs/path?q=1")
    turn(w, c, s, request, OK, "GET", "/abs/path", 200)


@shape()
def connect_tunnel(w, c, s):
    """Counted once; what is in the tunnel is nobody's business."""
    request = req(b"CONNECT example.test:443")
    response = b"HTTP/1.1 200 Connection established\r\n\r\n"
    turn(w, c, s, request, response, "CONNECT", "example.test:443", 200)
    for _ in range(3):
        ask(c, s, LOOKS_HTTP)
        answer(c, s, OK)


@shape(hold=True)
def connect_refused(w, c, s):
    """No tunnel: the connection goes on as HTTP."""
    request = req(b"CONNECT example.test:443")
    refusal = resp(b"407 Proxy Authentication Required", body=b"who?")
    turn(w, c, s, request, refusal, "CONNECT", "example.test:443", 407)
    turn(w, c, s, req(b"GET /after"), OK, "GET", "/after", 200)


@shape(hold=True)
def options_asterisk(w, c, s):
    turn(w, c, s, req(b"OPTIONS *"), resp(b"200 OK", b"Allow: GET"), "OPTIONS", "*", 200)


@shape(hold=True)
def known_methods(w, c, s):
    for method in (b"GET", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE"):
        turn(w, c, s, req(method + b" /method"), OK, method.decode(), "/method", 200)


@shape(hold=True)
def unknown_methods(w, c, s):
    for method in (b"BREW", b"PROPFIND", b"MKCALENDAR"):
        turn(w, c, s, req(method + b" /pot"), OK, method.decode(), "/pot", 200)


@shape(hold=True)
def unknown_methods_each_first(w, c, s):
    """A socket whose first bytes are a method nobody knows."""
    for i, method in enumerate((b"BREW", b"REPORT", b"MKACTIVITY")):
        c, s = (c, s) if i == 0 else w.connect()
        response = resp(b"418 I'm a teapot", body=b"short and stout")
        turn(w, c, s, req(method + b" /first"), response, method.decode(), "/first", 418)


@shape()
def upgrade(w, c, s):
    """101 is the answer; the frames after it are left alone."""
    request = req(b"GET /chat", b"Upgrade: websocket", b"Connection: Upgrade")
    response = resp(
        b"101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade", length=False
    )
    turn(w, c, s, request, response, "GET", "/chat", 101)
    ask(c, s, b"\x81\x85\x00\x00\x00\x00hello")
    answer(c, s, b"\x81\x05world")
    for _ in range(2):
        ask(c, s, LOOKS_HTTP)
        answer(c, s, OK)


@shape(hold=True)
def upgrade_held_open(w, c, s):
    """Reported though the socket stays open."""
    request = req(b"GET /chat/2", b"Upgrade: websocket", b"Connection: Upgrade")
    response = resp(b"101 Switching Protocols", b"Upgrade: websocket", length=False)
    turn(w, c, s, request, response, "GET", "/chat/2", 101)


@shape(hold=True)
def percent_encoding(w, c, s):
    request = req(b"GET /caf%C3%A9/%2e%2e/a%20b%00?x=%26")
    turn(w, c, s, request, OK, "GET", "/caf%C3%A9/%2e%2e/a%20b%00", 200)


@shape(hold=True)
def bytes_over_127(w, c, s):
    """Valid UTF-8 stays; what is not becomes U+FFFD: records are always UTF-8."""
    turn(w, c, s, req(b"GET /caf\xc3\xa9/ok"), OK, "GET", "/caf\u00e9/ok", 200)
    turn(w, c, s, req(b"GET /caf\xe9/latin"), OK, "GET", "/caf\ufffd/latin", 200)
    turn(w, c, s, req(b"GET /\xf0\x9f\x90\x9f/fish"), OK, "GET", "/\U0001f41f/fish", 200)


@shape(hold=True)
def quotes_in_the_path(w, c, s):
    turn(w, c, s, req(b'GET /a"b\\c{d}/e'), OK, "GET", '/a"b\\c{d}/e', 200)


@shape(hold=True)
def path_of_4_kb(w, c, s):
    """One record, with the part of the path that was captured."""
    path = b"/" + b"abcdefgh/" * 455
    turn(w, c, s, req(b"GET " + path), OK, "GET", path.decode(), 200, path_cut=True)
    turn(w, c, s, req(b"GET /after/long"), OK, "GET", "/after/long", 200)


# --- heads ------------------------------------------------------------------


@shape(hold=True)
def head_byte_by_byte(w, c, s):
    request = req(b"GET /bytes", b"Accept: */*")
    c.each_byte(request)
    s.take(len(request), chunk=1)
    response = resp(b"200 OK", body=b"slow")
    s.each_byte(response)
    c.take(len(response), chunk=1)
    w.expect("GET", "/bytes", 200, request, response)
    turn(w, c, s, req(b"GET /bytes/next"), OK, "GET", "/bytes/next", 200)


@shape(hold=True)
def unknown_method_byte_by_byte(w, c, s):
    request = req(b"BREW /bytes/2")
    c.each_byte(request)
    s.take(len(request), chunk=1)
    w.expect("BREW", "/bytes/2", 200, request, answer(c, s, OK))


@shape(hold=True)
def request_headers_of_60_kb(w, c, s):
    many = [b"X-Filler-%d: " % i + b"f" * 1000 for i in range(60)]
    turn(w, c, s, req(b"GET /headers", *many), OK, "GET", "/headers", 200)


@shape()
def response_headers_of_60_kb(w, c, s):
    many = [b"X-Filler-%d: " % i + b"f" * 1000 for i in range(60)]
    response = resp(b"200 OK", *many, body=b"at last")
    turn(w, c, s, req(b"GET /headers/back"), response, "GET", "/headers/back", 200)
    turn(w, c, s, req(b"GET /headers/next"), OK, "GET", "/headers/next", 200)


@shape(hold=True)
def bare_lf(w, c, s):
    request = b"GET /lf HTTP/1.1\nHost: shapes.test\n\n"
    response = b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"
    turn(w, c, s, request, response, "GET", "/lf", 200)


@shape(hold=True)
def no_reason_phrase(w, c, s):
    response = b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok"
    turn(w, c, s, req(b"GET /reason"), response, "GET", "/reason", 200)


@shape(hold=True)
def odd_header_spelling(w, c, s):
    response = b"HTTP/1.1 200 OK\r\ncOnTeNt-LeNgTh:2\r\n\r\nok"
    turn(w, c, s, req(b"GET /odd"), response, "GET", "/odd", 200)


# --- not HTTP ---------------------------------------------------------------


@shape()
def garbage_get_without_version(w, c, s):
    """A proper request on the same socket afterwards counts."""
    ask(c, s, b"GET garbage, all of it\r\n")
    answer(c, s, b"what?\n")
    turn(w, c, s, req(b"GET /garbage/1"), OK, "GET", "/garbage/1", 200)


@shape()
def garbage_post_nul(w, c, s):
    ask(c, s, b"POST\x00\x01\x02\x03 and so on")
    answer(c, s, b"\x00\x01\x02\x03")
    c2, s2 = w.connect()
    turn(w, c2, s2, req(b"GET /garbage/2"), OK, "GET", "/garbage/2", 200)


@shape()
def garbage_http_trash(w, c, s):
    """What the server says first looks like a status line for four bytes."""
    answer(c, s, b"HTTP trash, no status\r\n")
    ask(c, s, b"yes\r\n")
    c2, s2 = w.connect()
    turn(w, c2, s2, req(b"GET /garbage/3"), OK, "GET", "/garbage/3", 200)


@shape()
def garbage_answer(w, c, s):
    """A text protocol that has GET: no HTTP version, no HTTP answer."""
    for _ in range(3):
        ask(c, s, b"GET key\r\n")
        answer(c, s, b"VALUE key 0 3\r\nabc\r\nEND\r\n")


@shape()
def garbage_http_09(w, c, s):
    ask(c, s, b"GET /\r\n")
    answer(c, s, b"<html></html>")


@shape()
def garbage_without_answer(w, c, s):
    ask(c, s, b"GET \xff\xfe\xfd\xfc\xfb")


@shape(hold=True)
def mail_before_http(w, c, s):
    """A server that speaks first, in another protocol, is left alone."""
    answer(c, s, b"220 mail.test ESMTP\r\n")
    ask(c, s, b"EHLO shapes.test\r\n")
    answer(c, s, b"250 OK\r\n")


# --- early answers, pauses --------------------------------------------------


@shape()
def early_answer_while_uploading(w, c, s):
    """413 before the body is complete; the client stops."""
    request = ask(c, s, req(b"POST /big", b"Content-Length: 100000") + b"u" * 10000)
    response = answer(c, s, resp(b"413 Content Too Large", b"Connection: close", body=b"big"))
    s.close()
    c.end_of_stream()
    w.expect("POST", "/big", 413, request, response)


@shape()
def early_answer_with_more_upload_after_it(w, c, s):
    """The client sends on before it reads the answer; the server drains."""
    request = ask(c, s, req(b"POST /big/2", b"Content-Length: 30000") + b"u" * 10000)
    response = resp(b"413 Content Too Large", b"Connection: close", body=b"big")
    s.send(response)
    ask(c, s, b"u" * 10000)
    ask(c, s, b"u" * 10000)
    c.take(len(response))
    s.close()
    c.end_of_stream()
    w.expect("POST", "/big/2", 413, None, response)


@shape()
def early_answer_and_reset(w, c, s):
    """The server closes over unread bytes, so a reset follows the whole answer."""
    request = req(b"POST /big/3", b"Content-Length: 100000") + b"u" * 10000
    c.send(request)
    s.take(5000)
    response = answer(c, s, resp(b"413 Content Too Large", b"Connection: close", body=b"big"))
    s.close()
    w.expect("POST", "/big/3", 413, None, response)


@shape()
def reset_before_the_answer_was_read(w, c, s):
    """The whole answer lies in the client's buffer when the reset comes: it is read,
    so it counts."""
    request = req(b"POST /big/4", b"Content-Length: 100000") + b"u" * 10000
    c.send(request)
    s.take(5000)
    response = resp(b"413 Content Too Large", b"Connection: close", body=b"big")
    s.send(response)
    s.close()
    time.sleep(0.05)
    c.take(len(response))
    w.expect("POST", "/big/4", 413, None, response)


@shape(hold=True)
def late_body(w, c, s):
    """An answer by the head alone, as a redirect or an error of a proxy is; then the
    server takes the body off the connection, which goes on."""
    for pieces in ([b"tiny=1"], [b"b" * 100], [b"b" * 3000], [b"ab", b"cd"], [b"e" * 50] * 3,
                   [LOOKS_HTTP], [b"a", LOOKS_HTTP * 2]):
        length = sum(map(len, pieces))
        head_ = req(b"POST /late/%d" % length, b"Content-Length: %d" % length)
        c.send(head_)
        for piece in pieces:
            c.send(piece)
        s.take(len(head_))
        s.send(OK)
        for piece in pieces:
            s.take(len(piece))
        c.take(len(OK))
        w.expect("POST", f"/late/{length}", 200, head_ + b"".join(pieces), OK)
        turn(w, c, s, req(b"GET /late/next"), OK, "GET", "/late/next", 200)


@shape(hold=True)
def late_body_and_the_next(w, c, s):
    """The same, but the client has read its answer by then: the server finds the body and
    the next request in one read."""
    hows = ("recv", "read", "readv", "recvmsg", "recvmmsg")
    for how in hows:
        for early, late in ((b"", b"tiny=1"), (b"", b"b" * 3000), (b"b" * 40, b"c" * 60),
                            (b"", LOOKS_HTTP), (b"b", LOOKS_HTTP)):
            length = len(early + late)
            head_ = req(b"POST /late/%d" % length, b"Content-Length: %d" % length)
            c.send(head_ + early)
            c.send(late)
            s.take(len(head_ + early))
            answer(c, s, OK)
            w.expect("POST", f"/late/{length}", 200, head_ + early + late, OK)
            next_ = req(b"GET /late/next", b"X-Pad: %s" % (b"p" * 40))
            c.send(next_)
            s.take(len(late + next_), how)
            answer(c, s, OK)
            w.expect("GET", "/late/next", 200, next_, OK)


@shape(hold=True)
def late_body_in_parts_and_the_next(w, c, s):
    """The last part alone is read with the next request, which has a body of its own and
    another one behind it that is as late."""
    head_ = req(b"PUT /late/parts", b"Content-Length: 60")
    for part in (b"a" * 5, b"a" * 30):
        c.send(head_)
        s.take(len(head_))
        answer(c, s, OK)
        c.send(part)
        s.take(len(part))
        rest = b"b" * (60 - len(part))
        c.send(rest + head_)
        s.take(len(rest + head_))
        w.expect("PUT", "/late/parts", 200, head_ + part + rest, OK)
        answer(c, s, OK)
        next_ = req(b"GET /late/next")
        c.send(b"c" * 60 + next_)
        s.take(60 + len(next_))
        w.expect("PUT", "/late/parts", 200, head_ + b"c" * 60, OK)
        answer(c, s, OK)
        w.expect("GET", "/late/next", 200, next_, OK)


@shape(hold=True)
def first_byte_apart(w, c, s):
    """Go's server waits for the next request by a read of one byte."""
    for method in (b"GET", b"POST", b"PROPFIND", b"BREW"):
        request = req(method + b" /apart")
        c.send(request)
        s.take(1)
        s.take(len(request) - 1)
        answer(c, s, OK)
        w.expect(method.decode(), "/apart", 200, request, OK)
    for body in (b"late", b"b" * 100):
        head_ = req(b"PUT /apart", b"Content-Length: %d" % len(body))
        c.send(head_ + body)
        s.take(len(head_))
        s.send(OK)
        s.take(len(body))
        c.take(len(OK))
        w.expect("PUT", "/apart", 200, head_ + body, OK)


@shape(slow=True)
def pause_in_the_response(w, c, s):
    """Three seconds of silence in mid-body: one exchange, and all of its time."""
    request = ask(c, s, req(b"GET /pause"))
    response = answer(c, s, resp(b"200 OK", b"Content-Length: 2000") + b"a" * 1000)
    time.sleep(3)
    response += answer(c, s, b"b" * 1000)
    w.expect("GET", "/pause", 200, request, response, min_duration_ns=int(2.9e9))


@shape(slow=True)
def pause_until_close(w, c, s):
    request = ask(c, s, req(b"GET /pause/close", b"Connection: close"))
    response = answer(c, s, resp(b"200 OK", b"Connection: close", length=False) + b"a" * 100)
    time.sleep(3)
    response += answer(c, s, b"b" * 100)
    s.close()
    c.end_of_stream()
    w.expect("GET", "/pause/close", 200, request, response, min_duration_ns=int(2.9e9))


@shape(slow=True)
def pause_before_the_response(w, c, s):
    request = ask(c, s, req(b"GET /pause/think"))
    time.sleep(3)
    response = answer(c, s, OK)
    w.expect("GET", "/pause/think", 200, request, response, min_duration_ns=int(2.9e9))


@shape(slow=True)
def receive_of_no_bytes_and_a_pause(w, c, s):
    """A receive into no buffer returns 0 as an end of stream does, and is none."""
    request = ask(c, s, req(b"GET /pause/zero"))
    s.sock.recv(0)
    c.sock.recv(0)
    time.sleep(3)
    response = answer(c, s, resp(b"200 OK", b"Connection: close", length=False) + b"some")
    s.sock.recv(0)
    c.sock.recv(0)
    time.sleep(1)
    response += answer(c, s, b"more")
    s.close()
    c.end_of_stream()
    w.expect("GET", "/pause/zero", 200, request, response, min_duration_ns=int(3.9e9))


@shape(slow=True)
def pause_in_the_request(w, c, s):
    request = ask(c, s, req(b"POST /pause/up", b"Content-Length: 2000") + b"a" * 1000)
    time.sleep(3)
    request += ask(c, s, b"b" * 1000)
    response = answer(c, s, OK)
    w.expect("POST", "/pause/up", 200, request, response, min_duration_ns=int(2.9e9))


@shape(slow=True)
def pause_after_hints(w, c, s):
    request = ask(c, s, req(b"GET /pause/hints"))
    answer(c, s, HINTS)
    time.sleep(3)
    response = answer(c, s, OK)
    w.expect("GET", "/pause/hints", 200, request, response, min_duration_ns=int(2.9e9))


@shape(slow=True)
def pause_between_requests(w, c, s):
    """The silence belongs to neither."""
    turn(w, c, s, req(b"GET /pause/1"), OK, "GET", "/pause/1", 200, max_duration_ns=int(1e9))
    time.sleep(3)
    turn(w, c, s, req(b"GET /pause/2"), OK, "GET", "/pause/2", 200, max_duration_ns=int(1e9))
