"""Several processes on one machine, kept alive and ended together."""

import ctypes
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from types import FrameType, TracebackType

log = logging.getLogger(__name__)

GRACE = 40.0  # seconds between the wish to end and the end: a worker finishes what is under way
RESTART_AFTER = 0.5  # seconds; doubled for a process that keeps dying, up to
RESTART_AT_MOST = 10.0
LIVED_WELL = 60.0  # seconds after which a process that dies does not keep dying
_PR_SET_PDEATHSIG = 1


class Processes:
    """Starts commands, starts again what dies, ends all of them with itself."""

    def __init__(self, commands: Mapping[str, Sequence[str]], environ: Mapping[str, str]) -> None:
        self._commands = commands
        self._environ = dict(environ)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._waits = dict.fromkeys(commands, RESTART_AFTER)
        self._due: dict[str, float] = {}
        self._born: dict[str, float] = {}
        self._stopping = False

    def __enter__(self) -> "Processes":
        for name in self._commands:
            self._start(name)
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.stop()

    def pid(self, name: str) -> int | None:
        process = self._running.get(name)
        return process.pid if process else None

    @property
    def names(self) -> list[str]:
        return list(self._commands)

    def run_until_told(self) -> None:
        """Keep everything alive until SIGTERM or Ctrl-C."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told)
        while not self._stopping:
            self.look_after()
            time.sleep(0.2)

    def look_after(self) -> None:
        """Start again what has died. Call it often."""
        if self._stopping:
            return
        now = time.monotonic()
        for name, process in list(self._running.items()):
            if process.poll() is not None:
                log.warning("%(process)s ended with %(code)d; it is started again", {"process": name, "code": process.returncode})
                del self._running[name]
                if now - self._born[name] > LIVED_WELL:
                    self._waits[name] = RESTART_AFTER
                self._due[name] = now + self._waits[name]
                self._waits[name] = min(self._waits[name] * 2, RESTART_AT_MOST)
        for name, due in list(self._due.items()):
            if now >= due:
                del self._due[name]
                self._start(name)

    def stop(self) -> None:
        """End all: politely, then not."""
        self._stopping = True
        for process in self._running.values():
            process.terminate()
        end = time.monotonic() + GRACE
        for process in self._running.values():
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()

    def _start(self, name: str) -> None:
        self._born[name] = time.monotonic()
        # A group of its own: Ctrl-C on the terminal reaches us alone, and we end the others in order.
        self._running[name] = subprocess.Popen(  # noqa: S603 - our own command lines # nosec B603
            self._commands[name], env=self._environ, start_new_session=True, preexec_fn=_die_with_parent
        )

    def _told(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True


def _die_with_parent() -> None:
    """On Linux a child is told when its parent is killed; elsewhere it may be left over."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
