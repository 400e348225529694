# SPDX-License-Identifier: Apache-2.0
"""Conversations that nobody thought of: each is made of a number, which is in its name.

Messages of all kinds (methods, framings, long heads, bodies that look like HTTP, interim
responses), some pipelined, each cut into writes and reads anywhere, and above all near its
borders. What bpf/README.md says cannot be seen is left out, where it is marked "unseen".

    TALKS=1000-1299 player.py     others than those of the tests"""

import os
import random
import time

from script import CHUNKED, LOOKS_HTTP, SHAPES, Shape, chunked, req, resp

KEPT = 512  # bytes of a head
WITH_BODY = (b"POST", b"PUT", b"PATCH")
METHODS = (b"GET", b"GET", b"GET", b"HEAD", b"DELETE", b"OPTIONS", b"PROPFIND", *WITH_BODY * 2)
STATUSES = (b"200 OK", b"200 OK", b"200 OK", b"201 Created", b"204 No Content", b"304 Not Modified",
            b"301 Moved", b"404 Not Found", b"429 Slow Down", b"500 Oh")  # fmt: skip
INTERIM = (b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n",
           b"HTTP/1.1 102 Processing\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n")  # fmt: skip
SIZES = (0, 1, 2, 5, 15, 16, 17, 40, 100, 300, 511, 600, 3000, 20000)
LOOKS_ANSWER = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


class Message:
    def __init__(self, head, body):
        self.head, self.whole = head, head + body

    def borders(self):
        """Where something begins that an observer looks at."""
        end, size = len(self.head), len(self.whole)
        return [16, KEPT, end - 4, end, size - 7, size - 5]


class Talk:
    def __init__(self, number):
        self.number = number
        self.r = random.Random(number)
        self.slow = self.r.random() < 0.3
        self.pipelined = False

    def often(self, p):
        return self.r.random() < p

    def pause(self, p):
        """Some of them longer than what a connection is called silent after."""
        if self.slow and self.often(p):
            time.sleep(self.r.choice((0.1, 0.3, 0.6, 0.9, 1.5)))

    # --- moving bytes -----------------------------------------------------

    def places(self, size, most):
        """Up to so many places within, in order."""
        if size < 2:
            return []
        return sorted(self.r.randrange(1, size) for _ in range(self.r.randint(0, most)))

    def cut(self, data, places):
        places = sorted({p for p in places if 0 < p < len(data)})
        return [data[i:j] for i, j in zip([0, *places], [*places, len(data)])]

    def near(self, borders):
        off = (0, 0, 0, -2, -1, 1, 2, 3, 9)
        return [b + self.r.choice(off) for b in borders if self.often(0.5)]

    def put(self, peer, data):
        how = self.r.random()
        if how < 0.6 or len(data) < 3 or len(data) > 60000:
            peer.send(data)
        elif how < 0.8:
            peer.writev(*self.cut(data, self.places(len(data), 4)))
        elif how < 0.85:
            peer.sendmmsg(*self.cut(data, [self.r.randrange(1, len(data))]))
        else:
            peer.write(data)

    def move(self, a, b, data, borders, pauses=True):
        """From a to b, in writes and reads of any size."""
        r, taken = self.r, 0
        places = []
        if self.often(0.65):
            places = self.near(borders) + (self.places(len(data), 6) if self.often(0.6) else [])
        at_once = len(data) > 60000 or self.often(0.7)
        how = r.choice(("read", "readv", "recvmsg", "waitall")) if self.often(0.4) else "recv"
        small = (4096, 1000, 100, 16, 5) if len(data) < 3000 else ()
        chunk = r.choice((65536, 8192, *small))
        for part in self.cut(data, places):
            self.put(a, part)
            if at_once:
                b.take(len(part), how, chunk)
                taken += len(part)
                if pauses:
                    self.pause(0.1)
        reads = self.near(borders) if self.often(0.3) else []
        for place in sorted([*reads, len(data)]):
            if taken < place <= len(data):
                b.take(place - taken, how, chunk)
                taken = place

    # --- messages ---------------------------------------------------------

    def body(self):
        size = self.r.choice(SIZES)
        if self.often(0.15):
            return self.r.randbytes(size)
        what = self.r.choice((LOOKS_HTTP, LOOKS_ANSWER, b"0\r\n\r\n", b"\r\n", b"b", b"b"))
        return (what * size)[:size]

    def chunks(self, body, trailers=b""):
        return chunked(*filter(None, self.cut(body, self.places(len(body), 8))), trailers=trailers)

    def fields(self, first, most):
        """Some fields, of which one is so long that others stand behind what is kept."""
        size = self.r.choice((0, 0, 30, 200, 450, 500, 700, 2000, most))
        filler = [b"X-Filler: " + b"f" * size] if size else []
        return [*first, *filler] if self.often(0.5) else [*filler, *first]

    def request(self, most=9000, chunks=True):
        """(method, path, Message, whether its body has a length)"""
        method = self.r.choice(METHODS)
        path = self.r.choice((b"/t", b"/t/%d" % self.number, b"/users/%d" % self.r.randrange(9),
                              b"/w/%c%c" % (97 + self.r.randrange(9), 97 + self.r.randrange(9))))
        target = path + self.r.choice((b"", b"", b"?q=1", b"?q=" + b"v" * 200))
        framing, body, length = [], b"", False
        if method in WITH_BODY or (method in (b"DELETE", b"PROPFIND") and self.often(0.3)):
            length = not chunks or self.often(0.75)
            body = self.body()
            framing = [b"Content-Length: %d" % len(body)]
            if not length:
                framing = [CHUNKED]
                body = self.chunks(body, self.r.choice((b"", b"X-Sum: 1\r\n")))
        fields = self.fields(framing, most)
        if framing and method not in WITH_BODY:
            fields = framing  # unseen: a body that other methods tell of behind what is kept
        head = req(method + b" " + target, *fields)
        return method.decode(), path.decode(), Message(head, body), length

    def response(self, method):
        """(status, Message)"""
        line = self.r.choice(STATUSES)
        body = self.body()
        framing = [b"Content-Length: %d" % len(body)]
        if self.often(0.33):
            framing, body = [CHUNKED], self.chunks(body)
        if line[:3] == b"204":
            framing = []
        if method == "HEAD" or line[:3] in (b"204", b"304"):
            body = b""
        return int(line[:3]), Message(resp(line, *self.fields(framing, 9000), length=False), body)

    # --- conversations ----------------------------------------------------

    def ask(self, c, s, request, length):
        """Returns what was sent. Some clients wait for leave to send the body."""
        if not (length and request.whole != request.head and self.often(0.2)):
            self.move(c, s, request.whole, request.borders())
            return request.whole
        head = request.head[:-2] + b"Expect: 100-continue\r\n\r\n"
        body = request.whole[len(request.head) :]
        self.move(c, s, head, [16, KEPT, len(head) - 4])
        self.move(s, c, INTERIM[2], [16])
        self.move(c, s, body, [16])
        return head + body

    def exchange(self, w, c, s):
        method, path, request, length = self.request()
        sent = self.ask(c, s, request, length)
        self.pause(0.2)
        status, response = self.response(method)
        left, done = response.whole, 0
        if sent == request.whole and self.often(0.15):
            interim = self.r.choice(INTERIM)
            if self.often(0.5):
                self.move(s, c, interim, [16])
                self.pause(0.2)
            else:
                # unseen: the status, in pieces of less than 16 bytes behind this
                done = min(200, len(left))
                s.send(interim + left[:done])
                c.take(len(interim) + done)
        # unseen: a body's length behind what is kept, so a pause in it is its end
        pauses = len(response.head) + done <= KEPT
        self.move(s, c, left[done:], [b - done for b in response.borders()], pauses)
        w.expect(method, path, status, sent, response.whole)

    def pipeline(self, w, c, s):
        """Requests that do not wait for the answers before them."""
        out, back, there, here = b"", b"", [], []
        for _ in range(self.r.choice((2, 2, 3, 5, 9))):
            # unseen: that it begins behind chunks, or a head longer than what is kept
            most, chunks = (9000, True) if self.pipelined else (200, False)
            method, path, request, _ = self.request(most, chunks)
            while not self.pipelined and len(request.head) > KEPT - 100:
                method, path, request, _ = self.request(most, chunks)
            status, response = self.response(method)
            there += [len(out) + b for b in request.borders()]
            here += [len(back) + b for b in response.borders()]
            out, back = out + request.whole, back + response.whole
            w.expect(method, path, status, request.whole, response.whole)
        self.move(c, s, out, there)
        self.pause(0.2)
        self.move(s, c, back, here)
        self.pipelined = True

    def play(self, w, c, s):
        pipelines = self.often(0.25)
        for _ in range(self.r.choice((1, 2, 3, 5, 8))):
            (self.pipeline if pipelines and self.often(0.5) else self.exchange)(w, c, s)
            self.pause(0.2)


def fill(first, last):
    for number in range(first, last + 1):
        talk = Talk(number)
        SHAPES.append(Shape(f"talk_{number}", talk.play, True, talk.slow))


fill(*map(int, os.environ.get("TALKS", "1-80").split("-")))
