# SPDX-License-Identifier: Apache-2.0
"""A server that says whatever it is told to, and becomes another program on demand.

    raw.py PORT

    GET /any/path?hex=HEX  the bytes HEX stands for; without that a plain 200
    GET /exec?NAME         answers 200, then this program is started anew in the same process,
                           with the listener and OTEL_SERVICE_NAME=NAME; the connection ends

One connection at a time; requests have no bodies."""

import os
import socket
import sys

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
        is_hex = query.startswith("hex=")
        sock.sendall(bytes.fromhex(query[len("hex=") :]) if is_hex else PLAIN)


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
