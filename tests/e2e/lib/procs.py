# SPDX-License-Identifier: Apache-2.0
"""Starts processes in sessions of their own and ends exactly those."""

import os
import pathlib
import signal
import subprocess
import threading
import time

import pytest

from .util import SLOW

# All that is asked here is on this machine, whatever proxy leads out of it.
for _name in ("http_proxy", "https_proxy", "all_proxy"):
    os.environ.pop(_name, None)
    os.environ.pop(_name.upper(), None)

# Under nohup, as some CI runs us, a hangup would be ignored by every child as well.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Process:
    """A running program whose stdout and stderr are collected line by line.

    Lines are strings without newline (bytes that are not UTF-8 are escaped)."""

    def __init__(self, argv, name=None, stdin=subprocess.DEVNULL, **popen):
        self.argv = [os.fspath(a) for a in argv]
        self.name = name or pathlib.Path(self.argv[0]).name
        self.stdout = []
        self.stderr = []
        self._changed = threading.Condition()
        self.popen = subprocess.Popen(
            self.argv,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            **popen,
        )
        self.pid = self.popen.pid
        self._readers = [
            threading.Thread(target=self._read, args=(pipe, lines), daemon=True)
            for pipe, lines in ((self.popen.stdout, self.stdout), (self.popen.stderr, self.stderr))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, pipe, lines):
        for raw in pipe:
            line = raw.decode("utf-8", "backslashreplace").rstrip("\n")
            with self._changed:
                lines.append(line)
                self._changed.notify_all()
                self.on_line(lines, line)
        with self._changed:
            self._changed.notify_all()

    def on_line(self, lines, line):
        """For subclasses: called under the lock for each new line."""

    def output(self):
        """Everything it said so far, for failure messages."""
        text = "\n".join(["  out| " + x for x in self.stdout[-40:]])
        text += "\n" + "\n".join(["  err| " + x for x in self.stderr[-40:]])
        return f"{' '.join(self.argv)} (pid {self.pid}, status {self.popen.poll()})\n{text}"

    def wait_line(self, text, timeout=10.0, stream="any"):
        """Waits for a line that contains `text` on stdout, stderr or either; returns it."""
        deadline = time.monotonic() + timeout * SLOW
        sources = {"stdout": [self.stdout], "stderr": [self.stderr]}.get(
            stream, [self.stdout, self.stderr]
        )
        with self._changed:
            while True:
                for lines in sources:
                    for line in lines:
                        if text in line:
                            return line
                left = deadline - time.monotonic()
                dead = self.popen.poll() is not None and not any(
                    r.is_alive() for r in self._readers
                )
                if left <= 0 or dead:
                    why = "ended" if dead else "timed out"
                    pytest.fail(f"{why} before it said {text!r}: {self.output()}")
                self._changed.wait(min(left, 0.1))

    def alive(self):
        return self.popen.poll() is None

    def wait(self, timeout=10.0):
        """Waits for its end and returns the exit status (negative: signal number)."""
        try:
            status = self.popen.wait(timeout * SLOW)
        except subprocess.TimeoutExpired:
            pytest.fail(f"still running after {timeout * SLOW:g} s: {self.output()}")
        for reader in self._readers:
            reader.join(2)
        return status

    def signal(self, number):
        if self.alive():
            os.kill(self.pid, number)

    def kill(self):
        """Ends the process and everything left in its own session's group, at once."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        self.popen.wait()
        for reader in self._readers:
            reader.join(2)


class Procs:
    """All processes of one test. `close()` ends them, last started first."""

    def __init__(self):
        self._all = []

    def add(self, process):
        self._all.append(process)
        return process

    def start(self, argv, **kw):
        return self.add(Process(argv, **kw))

    def close(self):
        for process in reversed(self._all):
            process.kill()
        self._all.clear()


def run(argv, timeout=30.0, check=True, **kw):
    """Runs a command to its end and returns a CompletedProcess with text output.

    With `check`, a status other than 0 fails the test and shows what it said."""
    argv = [os.fspath(a) for a in argv]
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        **kw,
    )
    try:
        out, err = process.communicate(timeout=timeout * SLOW)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        pytest.fail(f"{' '.join(argv)}: still running after {timeout * SLOW:g} s\n{out}\n{err}")
    done = subprocess.CompletedProcess(
        argv,
        process.returncode,
        out.decode("utf-8", "backslashreplace"),
        err.decode("utf-8", "backslashreplace"),
    )
    if check and done.returncode != 0:
        pytest.fail(f"{' '.join(argv)}: status {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done
