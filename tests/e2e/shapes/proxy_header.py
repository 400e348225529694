# SPDX-License-Identifier: Apache-2.0
"""Connections that begin with a header of the PROXY protocol, which is nobody's request."""

import time

from script import CHUNKED, LOOKS_HTTP, OK, answer, ask, chunked, req, shape, turn

PROXY_V1 = b"PROXY TCP4 192.0.2.7 198.51.100.9 56324 443\r\n"
PROXY_V2_START = b"\r\n\r\n\0\r\nQUIT\n"


def proxy_v2(tlv=0, local=False):
    """A header of version 2: TCP over IPv4, and a NOOP value (0x04) of `tlv` bytes."""
    body = b"" if local else bytes([192, 0, 2, 7, 198, 51, 100, 9, 220, 4, 1, 187])
    if tlv:
        body += b"\x04" + tlv.to_bytes(2, "big") + b"G" * tlv
    what = b"\x20\x00" if local else b"\x21\x11"
    return PROXY_V2_START + what + len(body).to_bytes(2, "big") + body


def proxied(w, c, s, header, path, pieces=(), send=None, **take):
    """The header in pieces of these lengths, the last with the request, then one more request.
    The header is nobody's bytes, and nobody's time."""
    request, rest = req(b"GET " + path), header
    for n in pieces:
        piece, rest = rest[:n], rest[n:]
        c.send(piece)
        s.take(len(piece), **take)
    time.sleep(0.05)
    sent = time.monotonic_ns()
    (send or c.send)(rest + request)
    s.take(len(rest + request), **take)
    answer(c, s, OK)
    longest = time.monotonic_ns() - sent
    w.expect("GET", path.decode(), 200, request, OK, max_duration_ns=longest)
    turn(w, c, s, req(b"GET " + path + b"/next"), OK, "GET", path.decode() + "/next", 200)


@shape(hold=True)
def proxy_line_apart(w, c, s):
    proxied(w, c, s, PROXY_V1, b"/proxy/1", [len(PROXY_V1)])


@shape(hold=True)
def proxy_line_and_request_at_once(w, c, s):
    proxied(w, c, s, PROXY_V1, b"/proxy/2")


@shape(hold=True)
def proxy_line_unknown(w, c, s):
    """The shortest one: fewer bytes than a signature has."""
    proxied(w, c, s, b"PROXY UNKNOWN\r\n", b"/proxy/3", [15])


@shape(hold=True)
def proxy_line_of_107_bytes(w, c, s):
    line = b"PROXY UNKNOWN %s %s 65535 65535\r\n" % ((b"ffff:" * 7 + b"ffff",) * 2)
    assert len(line) == 107
    proxied(w, c, s, line, b"/proxy/4")


@shape(hold=True)
def proxy_line_byte_by_byte(w, c, s):
    proxied(w, c, s, PROXY_V1, b"/proxy/5", [1] * len(PROXY_V1))


@shape(hold=True)
def proxy_line_in_two(w, c, s):
    proxied(w, c, s, PROXY_V1, b"/proxy/6", [9, 20])


@shape(hold=True)
def proxy_line_read_by_readv(w, c, s):
    proxied(w, c, s, PROXY_V1, b"/proxy/7", how="readv")


@shape(hold=True)
def proxy_line_sent_by_writev(w, c, s):
    def send(data):
        c.writev(data[:3], b"", data[3:40], data[40:60], data[60:])

    proxied(w, c, s, PROXY_V1, b"/proxy/8", send=send)


@shape(hold=True)
def proxy_2_apart(w, c, s):
    proxied(w, c, s, proxy_v2(), b"/proxy/9", [28])


@shape(hold=True)
def proxy_2_and_request_at_once(w, c, s):
    proxied(w, c, s, proxy_v2(), b"/proxy/10")


@shape(hold=True)
def proxy_2_local(w, c, s):
    """Sixteen bytes, as of a proxy's own health checks."""
    proxied(w, c, s, proxy_v2(local=True), b"/proxy/11", [16])


@shape(hold=True)
def proxy_2_start_and_rest(w, c, s):
    """A reader that takes the fixed part first, as many do."""
    proxied(w, c, s, proxy_v2(tlv=1000), b"/proxy/12", [16, 1015])


@shape(hold=True)
def proxy_2_byte_by_byte(w, c, s):
    proxied(w, c, s, proxy_v2(tlv=3), b"/proxy/13", [1] * 34)


@shape(hold=True)
def proxy_2_of_40_kb(w, c, s):
    """What it holds is not looked at."""
    header = proxy_v2(tlv=40_000).replace(b"G" * len(LOOKS_HTTP), LOOKS_HTTP)
    proxied(w, c, s, header, b"/proxy/14", [16_384, 16_384])


@shape(hold=True)
def proxy_2_read_by_readv(w, c, s):
    proxied(w, c, s, proxy_v2(tlv=9), b"/proxy/15", how="readv")


@shape(hold=True)
def proxy_then_pipelined(w, c, s):
    """Two requests behind it, in one write and one read."""
    first, second = req(b"GET /proxy/16"), req(b"GET /proxy/17")
    ask(c, s, PROXY_V1 + first + second)
    w.expect("GET", "/proxy/16", 200, first, answer(c, s, OK))
    w.expect("GET", "/proxy/17", 200, second, answer(c, s, OK))


@shape(hold=True)
def proxy_line_in_a_body(w, c, s):
    """Not before the first request: a late part of the body."""
    head_ = ask(c, s, req(b"POST /proxy/18", CHUNKED, length=False))
    response = answer(c, s, OK)
    body = ask(c, s, chunked(PROXY_V1))
    w.expect("POST", "/proxy/18", 200, head_ + body, response)
    turn(w, c, s, req(b"GET /proxy/19"), OK, "GET", "/proxy/19", 200)


@shape(hold=True)
def proxy_of_a_line_without_end(w, c, s):
    """Longer than any header: no header, and what follows it no request, until an answer."""
    ask(c, s, b"PROXY " + b"x" * 200)
    ask(c, s, LOOKS_HTTP)
    answer(c, s, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    turn(w, c, s, req(b"GET /proxy/20"), OK, "GET", "/proxy/20", 200)
