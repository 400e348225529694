# SPDX-License-Identifier: Apache-2.0
"""Uploads that are answered before their body is read, which is sent all the same: in pieces,
of text that looks as requests do."""

from script import CHUNKED, LOOKS_HTTP, OK, answer, ask, req, resp, shape, turn

NO = resp(b"403 Forbidden", body=b"no")
X, Y = b"x" * 500, b"y" * 300
LOG = b'GET /never/logged HTTP/1.1" 200 12\n' * 40
TEXT = b"see /never/etc/motd for more\n" * 40
REQUESTS = LOOKS_HTTP * 12


def next_two(w, c, s):
    turn(w, c, s, req(b"GET /up/next"), OK, "GET", "/up/next", 200)
    turn(w, c, s, req(b"GET /up/last"), OK, "GET", "/up/last", 200)


def upload(w, c, s, *pieces):
    """The client has read the answer to the head before it sends the body."""
    head = ask(c, s, req(b"POST /up", b"Content-Length: %d" % sum(map(len, pieces))))
    answer(c, s, NO)
    for piece in pieces:
        ask(c, s, piece)
    w.expect("POST", "/up", 403, head + b"".join(pieces), NO)
    next_two(w, c, s)


@shape(hold=True)
def refused_log(w, c, s):
    upload(w, c, s, X, LOG, Y)


@shape(hold=True)
def refused_text(w, c, s):
    upload(w, c, s, X, TEXT, Y)


@shape(hold=True)
def refused_requests(w, c, s):
    upload(w, c, s, X, REQUESTS, Y)
    upload(w, c, s, X, REQUESTS, b"tiny")


@shape(hold=True)
def refused_log_sent_before_the_answer_is_read(w, c, s):
    """As clients do that send all first; nothing follows."""
    head = ask(c, s, req(b"POST /up", b"Content-Length: %d" % len(X + LOG + Y)))
    s.send(NO)
    for piece in (X, LOG, Y):
        ask(c, s, piece)
    c.take(len(NO))
    w.expect("POST", "/up", 403, head + X + LOG + Y, NO)


@shape(hold=True)
def refused_rest_and_the_next(w, c, s):
    """A piece alone, then the last bytes together with the next request."""
    for rest in (b"null", X):
        head = ask(c, s, req(b"POST /up", b"Content-Length: %d" % len(X + rest)))
        answer(c, s, NO)
        ask(c, s, X)
        w.expect("POST", "/up", 403, head + X + rest, NO)
        request = req(b"GET /up/with")
        ask(c, s, rest + request)
        w.expect("GET", "/up/with", 200, request, answer(c, s, OK))
        next_two(w, c, s)


def unsized(w, c, s, head, answered, *pieces):
    """An upload of which the kernel side does not know the length."""
    ask(c, s, head)
    answer(c, s, answered)
    for piece in pieces:
        ask(c, s, piece)
    w.expect("POST", "/up", int(answered[9:12]), head + b"".join(pieces), answered)
    next_two(w, c, s)


@shape(hold=True)
def early_answer_and_chunks_of_text(w, c, s):
    head = req(b"POST /up", CHUNKED, length=False)
    for text in (LOG, TEXT):
        size = b"%x\r\n" % len(X + text * 2)
        unsized(w, c, s, head, NO, size + X, text, text, b"\r\n0\r\n\r\n")


@shape(hold=True)
def early_answer_and_a_length_behind_what_is_kept(w, c, s):
    for text in (LOG, TEXT):
        body = X, text, text, Y
        length = b"Content-Length: %d" % sum(map(len, body))
        unsized(w, c, s, req(b"POST /up", b"Cookie: " + b"c" * 600, length), OK, *body)


@shape(hold=True)
def early_answer_and_requests_of_all_kinds(w, c, s):
    """They are told from a body whose length is not known: long, of bare line ends, behind an
    empty line, with methods that nobody knows, read by a first byte."""
    upload_ = req(b"POST /up", CHUNKED, length=False) + b"5\r\nhello\r\n"
    end = b"0\r\n\r\n" + b"x" * 20  # long enough to tell that it is no request
    for method, path, request, size in (
        ("GET", "/up/long", req(b"GET /up/long?" + b"q" * 700), True),
        ("GET", "/up/lf", b"GET /up/lf HTTP/1.1\nHost: shapes.test\n\n", True),
        ("DELETE", "/up/blank", b"\r\n" + req(b"DELETE /up/blank"), False),
        ("BREW", "/up/pot", req(b"BREW /up/pot"), True),
        ("GET", "/up/ten", b"GET /up/ten HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True),
    ):
        ask(c, s, upload_)
        answer(c, s, OK)
        ask(c, s, end)
        w.expect("POST", "/up", 200, upload_ + end, OK)
        ask(c, s, request)
        answer(c, s, OK)
        w.expect(method, path, 200, request if size else None, OK)
    next_two(w, c, s)


@shape(hold=True)
def refused_log_from_its_first_byte(w, c, s):
    """The first piece of the body looks like a request by its first bytes alone."""
    upload(w, c, s, LOG, LOG)
    upload(w, c, s, b"GET /never\n" * 50, X)


@shape(hold=True)
def last_chunk_behind_the_answer(w, c, s):
    """In an operation of its own, and of fewer bytes than a request is told by; the next one is
    read by its first byte. Nothing follows the last."""
    head = req(b"POST /up", CHUNKED, length=False) + b"5\r\nhello\r\n"
    for method in (b"POST", b"GET", b"BREW", None):
        ask(c, s, head)
        answer(c, s, OK)
        ask(c, s, b"0\r\n\r\n")
        w.expect("POST", "/up", 200, head + b"0\r\n\r\n", OK)
        if method:
            request = req(method + b" /up/next", b"Content-Length: 0")
            c.send(request)
            s.take(1)
            s.take(len(request) - 1)
            w.expect(method.decode(), "/up/next", 200, request, answer(c, s, OK))


@shape(hold=True)
def refused_text_from_its_first_byte(w, c, s):
    """Of words and a slash, in lines that end behind what is kept, or in pieces."""
    words = b"see /never/" + b"w" * 700
    upload(w, c, s, words, words)
    head = ask(c, s, req(b"POST /up", b"Content-Length: %d" % (2 * len(words))))
    answer(c, s, NO)
    c.writev(words[:9], words[9:])
    s.take(len(words), "readv")
    ask(c, s, words)
    w.expect("POST", "/up", 403, head + 2 * words, NO)
    next_two(w, c, s)


@shape(hold=True)
def refused_body_that_never_comes(w, c, s):
    """What comes is another request, shorter than the body is and by a method that nobody knows."""
    head = req(b"PUT /up", b"Content-Length: 5000", b"Expect: 100-continue")
    for method in (b"PROPFIND", b"GET", b"BREW"):
        turn(w, c, s, head, NO, "PUT", "/up", 403)
        turn(w, c, s, req(method + b" /up/then"), OK, method.decode(), "/up/then", 200)


@shape()
def refused_and_answered_once_more(w, c, s):
    """The client closes as it has its answer. To half a body the server answers, too, as Node does:
    it is that which meets a reset."""
    for _ in range(3):
        request = ask(c, s, req(b"POST /up/left", b"Content-Length: 5000"))
        answer(c, s, NO)
        c.close()
        s.end_of_stream()
        s.send(resp(b"400 Bad Request"))
        s.close()
        w.expect(
            "POST", "/up/left", 403, request, None, client={"response_bytes": len(NO)}
        )
        c, s = w.connect()
