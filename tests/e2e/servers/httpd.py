# SPDX-License-Identifier: Apache-2.0
"""An HTTP/1.1 server on bare sockets that misbehaves on demand and measures itself.

    httpd.py [--log FILE] [--mode MODE] [--workers N] [--host ADDR] [--unix PATH] [PORT]

The path says what happens:

    /status/N        answers N at once          /bytes/N      N bytes, Content-Length
    /sleep/MS        sleeps, then answers 200   /chunked/N    N chunks of 10 bytes
    /upload          reads the whole body, tells its length
    /pause/MS        half of the body, sleeps, the other half
    /stream/MS/N     N events, one per MS, ended by closing (no Content-Length)
    /stall           half of the body, then waits for the client to act
    /half            half of the body, then closes
    /cutchunk        one chunk, then closes without the last one
    /close           closes without an answer   /reset        the same by a reset
    /sleepclose/MS   sleeps, closes without an answer

MODE says how sockets are handled: threads (one process, a thread per connection),
prefork (N processes share one listener), reuseport (N processes, a listener each),
pass (one process accepts, another gets the connection by SCM_RIGHTS and serves),
passmid (the same, but the first reads the request, the second answers it),
dup (reads from one descriptor, writes to a duplicate), turns (each request of a
connection is read by one thread and answered by another).

Each exchange is one JSON line in the log: path, status, pid, and in CLOCK_MONOTONIC ns
`first` (when recv had given the first byte), `last` (before the send of the last byte),
`done` (after it); `outcome` is "ok" or what went wrong.
"""

import argparse
import json
import os
import signal
import socket
import struct
import sys
import threading
import time

BIG = b"x" * 65536


class Log:
    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644) if path else -1

    def write(self, **fields):
        if self.fd >= 0:
            os.write(self.fd, (json.dumps(fields) + "\n").encode())


class Request:
    """The head of one request and the times taken while it came."""

    def __init__(self, head, rest, first):
        lines = head.split(b"\r\n")
        self.method, self.path, self.version = lines[0].decode("latin-1").split(" ", 2)
        pairs = (line.split(b":", 1) for line in lines[1:] if b":" in line)
        self.headers = {k.strip().lower().decode(): v.strip().decode("latin-1") for k, v in pairs}
        self.first = first
        self.rest = rest
        self.status = 0
        self.last = 0


def read_request(sock, rest=b""):
    """The next Request, or None at the end of the connection."""
    data, first = rest, time.monotonic_ns() if rest else 0
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not first:
            first = time.monotonic_ns()
        if not piece:
            return None
        data += piece
    head, rest = data.split(b"\r\n\r\n", 1)
    return Request(head, rest, first)


def read_body(sock, request):
    """Reads the body by Content-Length; returns its length."""
    want = int(request.headers.get("content-length", "0"))
    if want and request.headers.get("expect", "") == "100-continue":
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    got = min(want, len(request.rest))
    request.rest = request.rest[got:]
    while got < want:
        piece = sock.recv(min(1 << 20, want - got))
        if not piece:
            raise ConnectionError("end of stream in the body")
        got += len(piece)
    return got


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def send_last(sock, request, data):
    request.last = time.monotonic_ns()
    sock.sendall(data)


def head(status, *headers):
    lines = [f"HTTP/1.1 {status} Text", "Server: httpd", *headers, "", ""]
    return "\r\n".join(lines).encode()


def answer(sock, request, length):
    """Does what the path says. Returns True while the connection goes on."""
    words = request.path.split("?")[0].strip("/").split("/")
    what, args = words[0], [int(w) for w in words[1:] if w.isdigit()]
    number = args[0] if args else 0
    request.status = number if what == "status" else 200
    head_only = request.method == "HEAD"
    if what in ("sleep", "sleepclose"):
        time.sleep(number / 1000)
    if what in ("close", "sleepclose", "reset"):
        request.status = 0
        request.last = time.monotonic_ns()
        if what == "reset":
            reset(sock)
        return False
    if what == "status" and number in (204, 304):
        send_last(sock, request, head(number))
    elif what == "chunked":
        if head_only:
            send_last(sock, request, head(200, "Transfer-Encoding: chunked"))
        else:
            sock.sendall(head(200, "Transfer-Encoding: chunked"))
            for _ in range(number):
                sock.sendall(b"a\r\n0123456789\r\n")
            send_last(sock, request, b"0\r\n\r\n")
    elif what == "cutchunk":
        sock.sendall(head(200, "Transfer-Encoding: chunked"))
        send_last(sock, request, b"a\r\n0123456789\r\n")
        return False
    elif what == "stream":
        sock.sendall(head(200, "Content-Type: text/event-stream", "Connection: close"))
        for i in range(args[1]):
            time.sleep(number / 1000)
            send_last(sock, request, b"data: %d\n\n" % i)
        return False
    elif what in ("pause", "stall", "half"):
        sock.sendall(head(200, "Content-Length: 2000") + b"a" * 1000)
        if what == "half":
            request.last = time.monotonic_ns()
            return False
        if what == "stall":
            request.last = time.monotonic_ns()
            if not sock.recv(1):
                return False
        time.sleep(number / 1000)
        send_last(sock, request, b"b" * 1000)
    elif what == "bytes":
        data, left = head(200, f"Content-Length: {number}"), 0 if head_only else number
        while left > len(BIG):
            sock.sendall(data)
            data, left = BIG, left - len(BIG)
            request.last = time.monotonic_ns()
        send_last(sock, request, data + b"x" * left)
    else:
        body = f"{length}\n".encode() if what == "upload" else b"ok\n"
        send_last(
            sock,
            request,
            head(request.status, f"Content-Length: {len(body)}") + (b"" if head_only else body),
        )
    connection = request.headers.get("connection", "").lower()
    return connection == "keep-alive" if request.version == "HTTP/1.0" else connection != "close"


class Server:
    def __init__(self, args):
        self.args = args
        self.log = Log(args.log)

    def one(self, reader, writer, rest):
        """One exchange. Returns the bytes read beyond it, or None at the end."""
        request = read_request(reader, rest)
        if request is None:
            return None
        return self.finish(reader, writer, request)

    def finish(self, reader, writer, request):
        outcome, goes_on = "ok", False
        try:
            length = read_body(reader, request)
            goes_on = answer(writer, request, length)
        except OSError as e:
            outcome = type(e).__name__
        self.log.write(
            path=request.path,
            method=request.method,
            status=request.status,
            pid=os.getpid(),
            first=request.first,
            last=request.last,
            done=time.monotonic_ns(),
            outcome=outcome,
        )
        return request.rest if goes_on else None

    def connection(self, sock, rest=b""):
        if not self.args.unix:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        writer = sock.dup() if self.args.mode == "dup" else sock
        try:
            while rest is not None:
                rest = self.turn(sock, writer, rest)
        except OSError:
            pass
        if writer is not sock:
            writer.close()
        sock.close()

    def turn(self, sock, writer, rest):
        if self.args.mode != "turns":
            return self.one(sock, writer, rest)
        # one thread reads the request, the next answers it
        box = []
        for step in (
            lambda: box.append(read_request(sock, rest)),
            lambda: box.append(self.finish(sock, writer, box[0]) if box[0] else None),
        ):
            thread = threading.Thread(target=step)
            thread.start()
            thread.join()
        return box[1] if len(box) == 2 else None

    def accept_loop(self, listener, handle=None):
        while True:
            sock, _ = listener.accept()
            thread = threading.Thread(target=handle or self.connection, args=(sock,), daemon=True)
            thread.start()

    def listener(self):
        args = self.args
        if args.unix:
            s = socket.socket(socket.AF_UNIX)
            s.bind(args.unix)
        else:
            s = socket.socket(socket.AF_INET6 if ":" in args.host else socket.AF_INET)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if args.mode == "reuseport":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            s.bind((args.host, args.port))
        s.listen(1024)
        return s

    def passer(self, channel):
        """The accepting half of pass and passmid."""

        def handle(sock):
            data = b""
            if self.args.mode == "passmid":
                data = sock.recv(65536)
                if not data:
                    return sock.close()
            socket.send_fds(channel, [data or b"\0"], [sock.fileno()])
            sock.close()

        return handle

    def receiver(self, channel):
        """The serving half: one connection per message."""
        while True:
            data, fds, _, _ = socket.recv_fds(channel, 65536, 1)
            if not fds:
                return
            rest = b"" if data == b"\0" else data
            sock = socket.socket(fileno=fds[0])
            threading.Thread(target=self.connection, args=(sock, rest), daemon=True).start()

    def run(self):
        mode = self.args.mode
        handle = None
        if mode in ("pass", "passmid"):
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            if os.fork() == 0:
                ours.close()
                self.receiver(theirs)
                os._exit(0)
            theirs.close()
            handle = self.passer(ours)
            listener = self.listener()
        elif mode in ("prefork", "reuseport"):
            listener = self.listener()
            for _ in range(self.args.workers - 1):
                if os.fork() == 0:
                    if mode == "reuseport":
                        listener.close()
                        listener = self.listener()
                    print("worker", os.getpid(), flush=True)
                    break
            else:
                print("worker", os.getpid(), flush=True)
        else:
            listener = self.listener()
        print("ready", os.getpid(), flush=True)
        self.accept_loop(listener, handle)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", nargs="?", type=int, default=8000)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--unix")
    parser.add_argument("--log")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument(
        "--mode",
        default="threads",
        choices=["threads", "prefork", "reuseport", "pass", "passmid", "dup", "turns"],
    )
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    Server(parser.parse_args()).run()


if __name__ == "__main__":
    sys.exit(main())
