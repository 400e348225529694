# SPDX-License-Identifier: Apache-2.0
"""Connections that end early, or late, or badly: each is made of a number, which is in its name.

What was sent and read, who ended it and how, tells what either side saw; the rules for that are
here, from RFC 9112 (sections 6.3 and 8), RFC 9293 (TCP) and what `error_type` promises.

    ENDS=1000-1099 player.py     others than those of the tests"""

import os
import random
import time

from script import CHUNKED, OK, SHAPES, Shape, chunked, req, reset, resp, turn

# Between what one side does and what the other does then: programs see it in this order.
APART = 0.1
RESTS = (APART, APART, 0.3, 0.6, 1.6)  # from the last byte to the end
PATHS = (b"/end/a", b"/end/b", b"/end/c")
BODIES = (1, 17, 300, 700, 5000)
FILLER = b"X-Filler: " + b"f" * 600  # no head is kept as far as that
ENDS = ("client closes", "client closes", "client resets", "client reads less",
        "server closes", "server closes", "server resets",
        "client half-closes", "client closes, server answers")  # fmt: skip


class End:
    def __init__(self, number):
        self.r = random.Random(number)

    def request(self, line):
        """One that ends in "..." goes on, or would."""
        if not line.startswith(b"POST"):
            return req(line)
        body = b"b" * self.r.choice(BODIES)
        if self.r.random() < 0.7:
            return req(line, body=body)
        sent = body[: self.r.randrange(len(body))] + b"..."
        return req(line, b"Content-Length: %d" % (len(body) + 3 + 1)) + sent

    def send(self, peer, data):
        """In one piece, or in two."""
        at = self.r.randrange(len(data)) if data and self.r.random() < 0.3 else 0
        for part in filter(None, (data[:at], data[at:])):
            peer.send(part)

    def answer(self, method):
        """(what is sent, how it is framed: whole, part, until close, none)"""
        r = self.r
        if r.random() < 0.2:
            return b"", "none"
        body = b"b" * r.choice(BODIES)
        if r.random() < 0.25 and method != b"HEAD":
            return resp(b"200 OK", b"Connection: close", length=False) + body, "until close"
        fields = [FILLER] if r.random() < 0.3 else []
        chunks = r.random() < 0.4
        whole = method == b"HEAD" or r.random() < 0.5
        # unseen: of what follows a long head, as many bytes as that is longer than what is kept
        if not whole and not chunks and len(body) <= len(FILLER):
            fields = []
        if chunks:
            head = resp(b"200 OK", CHUNKED, *fields, length=False)
            body = chunked(body[:1], body)
        else:
            head = resp(b"200 OK", b"Content-Length: %d" % len(body), *fields)
        if whole:
            return head + (b"" if method == b"HEAD" else body), "whole"
        least = len(FILLER) if fields and not chunks else 6
        return head + body[: r.randrange(max(len(body) - least, 1))], "part"

    def errors(self, framing, end):
        """(error of the server's side, of the client's); None: it has all."""
        if end == "client closes, server answers":
            # The client gave up; what is sent to it then meets a reset.
            return "connection_reset", "timeout"
        if end in ("server closes", "client half-closes"):
            error = None if framing in ("whole", "until close") else "connection_closed"
            return error, error
        if framing == "whole":
            return None, None
        if end == "server resets":
            return "connection_closed", "connection_reset"
        if end in ("client resets", "client reads less"):
            # It broke off, unless it had nothing yet: then it gave up waiting.
            return "connection_reset", "timeout" if framing == "none" else "connection_reset"
        # "client closes": the server closes its half after that, in order.
        server = None if framing == "until close" else "connection_closed"
        return server, "timeout"

    def play(self, w, c, s):
        for _ in range(3):
            self.connection(w, c, s)
            c, s = w.connect()
        c.close()
        s.close()

    def connection(self, w, c, s):
        r = self.r
        for _ in range(r.choice((0, 0, 1, 2))):
            turn(w, c, s, req(b"GET /end/a"), OK, "GET", "/end/a", 200)
        method = r.choice((b"GET", b"GET", b"HEAD", b"DELETE", b"POST", b"POST"))
        path = r.choice(PATHS)
        request = self.request(method + b" " + path)
        answer, framing = self.answer(method)
        end, rest = r.choice(ENDS), r.choice(RESTS)
        if request.endswith(b"..."):
            answer, framing = b"", "none"
            if end == "client closes, server answers":
                end = "client closes"
        if end == "client reads less" and framing == "none":
            end = "client closes"
        began = time.monotonic()
        self.send(c, request)
        if end == "client half-closes":
            c.half_close()
        s.take(len(request))
        read = answer
        if end == "client closes, server answers":
            answer, read = answer or OK, b""
        elif end == "client reads less":
            read = answer[: r.choice((0, len(answer) // 2))]
        if read or end != "client closes, server answers":
            self.send(s, answer)
        if read:
            c.take(len(read))
        time.sleep(rest)
        self.finish(c, s, end, answer)
        server, client = self.errors(framing, end)
        if end == "client reads less":
            # Its kernel refuses what is left: it has what it read, and no more.
            client = "connection_reset" if read else "timeout"
        longest = int((time.monotonic() - began) * 1e9)
        sides = {}
        for role, bytes_, error in (("server", answer, server), ("client", read, client)):
            side = {"status": 200 if bytes_ else 0, "response_bytes": len(bytes_)}
            side.update({"error": error} if error else {})
            if error:
                side["max_duration_ns"] = longest
                side["min_duration_ns"] = int(rest * 1e9)
            sides[role] = side
        w.expect(method.decode(), path.decode(), 200, request, None, **sides)

    def finish(self, c, s, end, answer):
        if end == "server closes" or end == "client half-closes":
            s.close()
            c.end_of_stream()
            time.sleep(APART)
            c.close()
        elif end == "server resets":
            reset(s)
            time.sleep(APART)
            c.end_by_reset()
        elif end == "client resets":
            reset(c)
            time.sleep(APART)
            s.close()
        else:
            c.close()  # with a reset, if there is something to read
            time.sleep(APART)
            if end == "client closes, server answers":
                s.send(answer)
                time.sleep(APART)
            s.close()


def fill(first, last):
    for number in range(first, last + 1):
        SHAPES.append(Shape(f"end_{number}", End(number).play, False, True))


fill(*map(int, os.environ.get("ENDS", "1-60").split("-")))
