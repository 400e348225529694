# SPDX-License-Identifier: Apache-2.0
"""One end of a TCP connection that sends and receives by a syscall of choice.

Everything is in lock-step in one thread: `take(n)` returns when exactly n bytes
have come, so a shape's script is also its ground truth."""

import ctypes
import os
import select
import socket
import tempfile
import time

_libc = ctypes.CDLL(None, use_errno=True)
MSG_WAITFORONE = 0x10000


class _Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]


class _Msghdr(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_void_p),
        ("namelen", ctypes.c_uint32),
        ("iov", ctypes.POINTER(_Iovec)),
        ("iovlen", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    ]


class _Mmsghdr(ctypes.Structure):
    _fields_ = [("hdr", _Msghdr), ("len", ctypes.c_uint)]


def _mmsg(buffers):
    """An array of struct mmsghdr with one iovec per buffer (ctypes arrays)."""
    iovs = (_Iovec * len(buffers))()
    msgs = (_Mmsghdr * len(buffers))()
    for i, buf in enumerate(buffers):
        iovs[i].base, iovs[i].len = ctypes.addressof(buf), ctypes.sizeof(buf)
        msgs[i].hdr.iov = ctypes.pointer(iovs[i])
        msgs[i].hdr.iovlen = 1
    return msgs, iovs


def _checked(result):
    if result < 0:
        err = ctypes.get_errno()
        raise OSError(err, os.strerror(err))
    return result


class Peer:
    """`sock` is connected and blocking, with a timeout kept by the kernel."""

    def __init__(self, sock):
        self.sock = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # settimeout() would make the descriptor non-blocking and add polls
        sock.setblocking(True)
        timeval = b"".join(v.to_bytes(8, "little") for v in (10, 0))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)

    def fileno(self):
        return self.sock.fileno()

    # --- sending: each call is one syscall, and must be taken whole -------

    def send(self, data, flags=0):
        assert self.sock.send(data, flags) == len(data)

    def write(self, data):
        assert os.write(self.fileno(), data) == len(data)

    def writev(self, *parts):
        assert os.writev(self.fileno(), parts) == sum(map(len, parts))

    def sendmsg(self, *parts):
        assert self.sock.sendmsg(parts) == sum(map(len, parts))

    def sendmmsg(self, *parts):
        """One message per part."""
        bufs = [(ctypes.c_char * len(p)).from_buffer_copy(p) for p in parts]
        msgs, _iovs = _mmsg(bufs)
        assert _checked(_libc.sendmmsg(self.fileno(), msgs, len(bufs), 0)) == len(bufs)
        assert [m.len for m in msgs] == [len(p) for p in parts]

    def sendfile(self, data):
        with tempfile.TemporaryFile() as f:
            f.write(data)
            f.flush()
            done = 0
            while done < len(data):
                n = os.sendfile(self.fileno(), f.fileno(), done, len(data) - done)
                assert n > 0
                done += n

    def splice(self, data):
        """From a pipe, so at most its 64 KB."""
        r, w = os.pipe()
        try:
            assert os.write(w, data) == len(data)
            left = len(data)
            while left:
                left -= os.splice(r, self.fileno(), left)
        finally:
            os.close(r)
            os.close(w)

    def each_byte(self, data):
        for i in range(len(data)):
            self.send(data[i : i + 1])

    def send_some(self, data):
        """Non-blocking; returns how many bytes the kernel took, 0 when it is full."""
        try:
            return self.sock.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0

    # --- receiving --------------------------------------------------------

    def _wait(self):
        readable = select.poll()
        readable.register(self.sock, select.POLLIN)
        assert readable.poll(10000), "nothing to receive for 10 s"

    def take(self, n, how="recv", chunk=65536):
        """Exactly n bytes by the syscall `how`, at most `chunk` at a time."""
        got = bytearray()
        while len(got) < n:
            self._wait()
            part = getattr(self, f"_{how}")(min(chunk, n - len(got)))
            assert part, f"end of stream after {len(got)} of {n} bytes"
            got += part
        return bytes(got)

    def _recv(self, n):
        return self.sock.recv(n)

    def _waitall(self, n):
        return self.sock.recv(n, socket.MSG_WAITALL)

    def _read(self, n):
        return os.read(self.fileno(), n)

    def _readv(self, n):
        """Two vectors, the first one too small for a head."""
        first, second = bytearray(min(n, 10)), bytearray(max(n - 10, 1))
        vecs = [first, second] if n > 10 else [first]
        k = os.readv(self.fileno(), vecs)
        return b"".join(map(bytes, vecs))[:k]

    def _recvmsg(self, n):
        bufs = [bytearray(min(n, 7)), bytearray(max(n - 7, 1))]
        k = self.sock.recvmsg_into(bufs if n > 7 else bufs[:1])[0]
        return b"".join(map(bytes, bufs))[:k]

    def _recvmmsg(self, n):
        """Two messages: the stream goes on in the second one."""
        sizes = [min(n, 30)] + ([n - 30] if n > 30 else [])
        bufs = [(ctypes.c_char * size)() for size in sizes]
        msgs, _iovs = _mmsg(bufs)
        k = _checked(_libc.recvmmsg(self.fileno(), msgs, len(bufs), MSG_WAITFORONE, None))
        return b"".join(bufs[i].raw[: msgs[i].len] for i in range(k))

    def peek(self, n):
        """Waits until n bytes are there and looks at them without taking them."""
        deadline = time.monotonic() + 10
        while True:
            data = self.sock.recv(n, socket.MSG_PEEK)
            if len(data) == n:
                return data
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def end_of_stream(self):
        self._wait()
        assert self.sock.recv(1) == b""

    def end_by_reset(self):
        self._wait()
        try:
            raise AssertionError(f"no reset, but {self.sock.recv(1)!r}")
        except ConnectionResetError:
            self.sock.close()

    # --- the end ----------------------------------------------------------

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()
