"""A line whose processes die and are started again, and which knows faults that a case may ask for."""

import functools
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

from tests.conftest import TEST_PROMPTS, NewDatabase
from tests.faults.callers import Callers
from tests.faults.warm import Nursery
from tests.faults.world import World, wait_until_healthy
from tests.sounds import lay_sounds
from tests.web import CAPS, MANY
from voice import processes
from voice.local.line import LocalLine

WORKER = ("tests.faults.process", "hasty", "4")  # a call of which nothing was heard for 4 s is over
WEB = "tests.faults.process:create_app()"
sounds = Path()  # a database with those of the prompts; see conftest.py


@contextmanager
def a_line(
    folder: Path, database_url: str, settings: Mapping[str, str] | None = None, line: type[LocalLine] = LocalLine
) -> Iterator[LocalLine]:
    """A line of the processes under test. What dies stays dead."""
    more = {"PROMPTS_DIR": str(TEST_PROMPTS), "DATABASE_URL": database_url, **dict.fromkeys(CAPS, MANY), **(settings or {})}
    lay_sounds(sounds, database_url)
    with patch.object(processes, "subprocess", nursery()), line(folder, more, WORKER, WEB) as running:
        yield running


@functools.cache
def nursery() -> Nursery:
    """Of this run."""
    return Nursery()


@contextmanager
def a_line_kept_alive(
    folder: Path, database_url: str, settings: Mapping[str, str] | None = None, line: type[LocalLine] = LocalLine
) -> Iterator[LocalLine]:
    """A line whose processes are started again when they die."""
    enough, over, looking = threading.Event(), threading.Event(), threading.Lock()

    def look_after() -> None:
        while True:
            with looking:
                if enough.is_set():
                    break
                running.processes.look_after()
            time.sleep(0.05)
        over.wait()  # the thread outlives what it started: on Linux, they would be told to end with it

    soon = patch.multiple(processes, RESTART_AFTER=0.1, RESTART_AT_MOST=0.5)  # no long waits for what keeps dying
    with soon, a_line(folder, database_url, settings, line) as running:
        keeper = threading.Thread(target=look_after)
        keeper.start()
        try:
            yield running
        finally:
            with looking:
                enough.set()
    over.set()
    keeper.join()


def kill(line: LocalLine, *names: str) -> int:
    """Kill these processes with all that belongs to them. How many there were to kill."""
    killed = 0
    for name in names:
        if pid := line.processes.pid(name):
            try:
                os.killpg(pid, signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                pass
    return killed


def wait_until_working(line: LocalLine, seconds: float = 60) -> None:
    """Until all processes are up, and everything of the start is over."""
    wait_until_healthy(line, seconds)
    end = time.monotonic() + seconds
    for name in line.processes.names:
        while not (line.config.data_dir / f"ready-{line.processes.pid(name)}").exists():
            assert time.monotonic() < end, f"{name} does not come up"
            time.sleep(0.05)


class Lines:
    """One world after another, each with a line of its own: a new one after so many cases, and after each that failed."""

    def __init__(
        self, folder: Path, new_database: NewDatabase, settings: Mapping[str, str] | None = None, faults: str = "", cases: int = 25
    ) -> None:
        """``faults``: what is put into the processes besides the failpoints."""
        self._folder = folder
        self._new_database = new_database
        self.failpoint = folder / "failpoint"
        installed = f"tests.faults.failpoints:install {faults}"
        self.callers = Callers(1)
        address = self.callers.canaries.address
        self._settings = {**(settings or {}), "FAULTS": installed, "FAILPOINT": str(self.failpoint), "SUMMARY_TO": address}
        self._rules: dict[str, Any] = {
            "canaries": (self.callers.canaries, self.callers.said),
            "addresses": frozenset({address}),
        }
        self._cases = cases
        self._stack = ExitStack()
        self._world: World | None = None
        self._used = self._made = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextmanager
    def world(self) -> Iterator[World]:
        """A world that is whole and at work. If the case fails, nobody sees it again."""
        if self._used >= self._cases or self._world is None:
            self._world, self._used = None, 0
            self._stack.close()
            self._made += 1
            line = a_line_kept_alive(self._folder / str(self._made), self._new_database(), self._settings)
            self._world = World(self._stack.enter_context(line), **self._rules)
        world, self._world = self._world, None
        wait_until_working(world.line)
        yield world
        self._world, self._used = world, self._used + 1
