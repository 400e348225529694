# SPDX-License-Identifier: Apache-2.0
"""Uploads that are answered before their body is read, which is sent all the same: in pieces,
of text that looks as requests do."""

from script import LOOKS_HTTP, OK, answer, ask, req, resp, shape, turn

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
