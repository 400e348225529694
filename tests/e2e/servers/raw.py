# SPDX-License-Identifier: Apache-2.0
"""A server that says whatever it is told to, and becomes another program on demand.

    raw.py PORT

    GET /any/path?hex=HEX  the bytes HEX stands for; without that a plain 200. &fill=N: then N
                           times 'x'; &tail=HEX: then these; &end=close: then the connection ends;
                           &end=reset: a little later, by a reset
    GET /exec?NAME         answers 200, then this program is started anew in the same process,
                           with the listener and OTEL_SERVICE_NAME=NAME; the connection ends

One connection at a time; requests have no bodies."""

import os
import socket
import struct
import sys
import time

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def become(name, listener):
    listener.set_inheritable(True)
    os.environ["OTEL_SERVICE_NAME"] = name
    os.execv(sys.executable, [sys.executable, "-u", __file__, "--listener", str(listener.fileno())])


def serve(listener, sock):
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            piece = sock.recv(65536)
            if not piece:
                return
            data += piece
        head, data = data.split(b"\r\n\r\n", 1)
        path, _, query = head.split(b" ")[1].decode().partition("?")
        if path == "/exec":
            sock.sendall(PLAIN)
            become(query, listener)
        wish = dict(pair.split("=") for pair in query.split("&")) if query.startswith("hex=") else {}
        if wish:
            fill = b"x" * int(wish.get("fill", 0))
            sock.sendall(bytes.fromhex(wish["hex"]) + fill + bytes.fromhex(wish.get("tail", "")))
        else:
            sock.sendall(PLAIN)
        if wish.get("end") == "reset":
            time.sleep(0.02)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if "end" in wish:
            return


def main():
    if sys.argv[1] == "--listener":
        listener = socket.socket(fileno=int(sys.argv[2]))
    else:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", int(sys.argv[1])))
        listener.listen(64)
        print("ready", flush=True)
    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            serve(listener, sock)
        except OSError:
            pass
        sock.close()


main()
