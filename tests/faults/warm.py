"""Processes born warm: forked from one that has imported everything already, as importing is most of a start.

What runs is the same program, in a process and a session of its own; only its modules are read once instead of thousands of times.
A cold start is what every other test of the line has.
"""

import ctypes
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

MODULES = (
    *("dbos", "psycopg", "gunicorn.app.wsgiapp", "gunicorn.workers.gthread"),
    *("tests.dtmf_worker", "tests.faults.bugs", "tests.faults.failpoints", "tests.hasty"),
)
_PR_SET_PDEATHSIG = 1


class Nursery:
    """Gives birth to processes. Stands where ``subprocess`` does in ``voice.processes``."""

    TimeoutExpired = subprocess.TimeoutExpired

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", __name__, str(theirs.fileno())]
            self._mother = subprocess.Popen(command, pass_fds=[theirs.fileno()], env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
        self._changed = threading.Condition()
        self._asking = threading.Lock()
        self._born: list[int] = []
        self._codes: dict[int, int] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._ours.close()
        self._mother.kill()
        self._mother.wait()

    def Popen(self, command: Sequence[str], *, env: Mapping[str, str], **more: Any) -> "Child | subprocess.Popen[bytes]":
        if command[:2] != [sys.executable, "-m"] or "LD_PRELOAD" in env:
            return subprocess.Popen(command, env=env, **more)
        with self._asking:
            self._ours.sendall(json.dumps([command[2:], dict(env)]).encode() + b"\n")
            with self._changed:
                self._changed.wait_for(lambda: self._born)
                return Child(self, self._born.pop())

    def code(self, pid: int, timeout: float | None = 0) -> int | None:
        """How it ended, if it does within so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: pid in self._codes, timeout)
            return self._codes.get(pid)

    def _listen(self) -> None:
        for line in self._ours.makefile("r"):
            pid, code = json.loads(line)
            with self._changed:
                if code is None:
                    self._born.append(pid)
                else:
                    self._codes[pid] = code
                self._changed.notify_all()


class Child:
    """As ``subprocess.Popen``."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.pid = pid
        self._nursery = nursery

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def poll(self) -> int | None:
        return self._nursery.code(self.pid)

    def wait(self, timeout: float | None = None) -> int:
        code = self._nursery.code(self.pid, timeout)
        if code is None:
            raise subprocess.TimeoutExpired("a child", timeout or 0)
        return code

    def terminate(self) -> None:
        self._tell(signal.SIGTERM)

    def kill(self) -> None:
        self._tell(signal.SIGKILL)

    def _tell(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


# ---- the mother


def be_a_mother(descriptor: int) -> None:
    """Until nobody asks any more."""
    for module in MODULES:
        import_module(module)
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "threads would not be there in the children"
    asked = socket.socket(fileno=descriptor)
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    looking = selectors.DefaultSelector()
    looking.register(asked, selectors.EVENT_READ)
    looking.register(ended, selectors.EVENT_READ)
    orders = asked.makefile("r")
    while True:
        for key, _ in looking.select():
            if key.fileobj is asked:
                if not (line := orders.readline()):
                    return
                if not (pid := os.fork()):
                    for one in (ended, wake):
                        os.close(one)
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    orders.close()
                    asked.close()
                    live(*json.loads(line))
                _tell(asked, pid, None)
            else:
                os.read(ended, 4096)
        while gone := _next_gone():
            _tell(asked, *gone)


def _tell(asked: socket.socket, pid: int, code: int | None) -> None:
    asked.sendall(json.dumps([pid, code]).encode() + b"\n")


def _next_gone() -> tuple[int, int] | None:
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, os.waitstatus_to_exitcode(status)) if pid else None


def live(command: list[str], environ: dict[str, str]) -> None:
    """Be ``python -m command`` in that environment."""
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = list(command)
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)
    sys.exit()


if __name__ == "__main__":
    be_a_mother(int(sys.argv[1]))
