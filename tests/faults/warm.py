"""Processes born warm: forked from one that has imported everything already, as importing is most of a start.

What runs is the same program, in a process and a session of its own; only its modules are read once instead of thousands of times.
A cold start is what every other test of the line has.
"""

import ctypes
import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from multiprocessing import connection, forkserver, get_context
from multiprocessing.context import ForkServerProcess
from typing import Any
from unittest.mock import patch

MODULES = (
    *("dbos", "psycopg", "gunicorn.app.wsgiapp", "gunicorn.workers.gthread"),
    *("tests.dtmf_worker", "tests.faults.bugs", "tests.faults.failpoints", "tests.hasty"),
)
_PR_SET_PDEATHSIG = 1


class Nursery:
    """Gives birth to processes. Stands where ``subprocess`` does in ``voice.processes``."""

    TimeoutExpired = subprocess.TimeoutExpired

    def __init__(self) -> None:
        self._context = get_context("forkserver")
        self._context.set_forkserver_preload(list(MODULES))
        with patch.dict(os.environ, OPENBLAS_NUM_THREADS="1"):  # threads would not be there in the children
            forkserver.ensure_running()

    def Popen(self, command: Sequence[str], *, env: Mapping[str, str], **more: Any) -> "Child | subprocess.Popen[bytes]":
        if command[:2] != [sys.executable, "-m"] or "LD_PRELOAD" in env:
            return subprocess.Popen(command, env=env, **more)
        process = self._context.Process(target=live, args=(command[2:], dict(env)), daemon=True)
        process.start()
        return Child(process)


class Child:
    """As ``subprocess.Popen``."""

    def __init__(self, process: ForkServerProcess) -> None:
        assert process.pid
        self.pid = process.pid
        self._process = process
        self._asking = threading.Lock()

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def poll(self) -> int | None:
        with self._asking:  # its end can be read but once
            return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        connection.wait([self._process.sentinel], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("a child", timeout or 0)
        return code

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


def live(command: list[str], environ: dict[str, str]) -> None:
    """Be ``python -m command`` in that environment."""
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = list(command)
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)
    sys.exit()
