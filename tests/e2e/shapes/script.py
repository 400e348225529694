# SPDX-License-Identifier: Apache-2.0
"""What the scripts of shapes are made of, and the table that they are in.

A script gets (wire, client, server), moves bytes, and says by wire.expect()
which exchanges a correct observer reports, on both sides, no more and no less.

    @shape()            closed at the end of the script
    @shape(hold=True)   left open and silent: must be reported all the same
    @shape(slow=True)   sleeps; plays in a thread of its own"""

import collections
import socket
import struct

Shape = collections.namedtuple("Shape", "name script hold slow")
SHAPES = []


def shape(hold=False, slow=False):
    def add(script):
        SHAPES.append(Shape(script.__name__, script, hold, slow))
        return script

    return add


def req(line, *headers, body=b"", length=True):
    """A request: HTTP/1.1 unless the line names a version."""
    line = line if b" HTTP/" in line else line + b" HTTP/1.1"
    if body and length:
        headers = (*headers, b"Content-Length: %d" % len(body))
    return b"\r\n".join([line, b"Host: shapes.test", *headers, b"", b""]) + body


def resp(line, *headers, body=b"", length=True):
    if length and not any(h.startswith(b"Content-Length") for h in headers):
        headers = (*headers, b"Content-Length: %d" % len(body))
    return b"\r\n".join([b"HTTP/1.1 " + line, *headers, b"", b""]) + body


def chunked(*parts, trailers=b""):
    out = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts)
    return out + b"0\r\n" + trailers + b"\r\n"


OK = resp(b"200 OK", b"Content-Type: text/plain", body=b"hello")
CHUNKED = b"Transfer-Encoding: chunked"
LOOKS_HTTP = b"GET /never HTTP/1.1\r\nHost: never.test\r\n\r\n"


def reset(peer):
    """By SO_LINGER 0: nothing that is under way is waited for."""
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def ask(c, s, data):
    c.send(data)
    s.take(len(data))
    return data


def answer(c, s, data):
    s.send(data)
    c.take(len(data))
    return data


def turn(w, c, s, request, response, method, path, status, **more):
    """The plain exchange: one write, one or more reads, each way."""
    ask(c, s, request)
    answer(c, s, response)
    w.expect(method, path, status, request, response, **more)
