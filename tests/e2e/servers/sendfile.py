# SPDX-License-Identifier: Apache-2.0
"""Answers each request with a head by send and a body by one blocking sendfile.

    sendfile.py --log FILE --file FILE PORT

The log: a JSON line per answer, {"head": bytes sent, "sent": what sendfile returned, 0 for an
error}. A connection is closed after its answer.
"""

import argparse
import json
import os
import socket


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--log", required=True)
    p.add_argument("--file", required=True)
    p.add_argument("port", type=int)
    args = p.parse_args()
    size = os.path.getsize(args.file)
    listener = socket.create_server(("127.0.0.1", args.port))
    print("ready", flush=True)
    while True:
        conn, _ = listener.accept()
        got = b""
        while b"\r\n\r\n" not in got:
            got += conn.recv(4096)
        head = conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        with open(args.file, "rb") as body:
            try:
                sent = os.sendfile(conn.fileno(), body.fileno(), 0, size)
            except OSError:
                sent = 0
        with open(args.log, "a", encoding="ascii") as log:
            log.write(json.dumps({"head": head, "sent": sent}) + "\n")
        conn.close()


main()
