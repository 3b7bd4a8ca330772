"""A line whose processes die and are started again, and which knows faults that a case may ask for."""

import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from tests.conftest import TEST_PROMPTS
from tests.web import CAPS, MANY
from voice import processes, store
from voice.local.line import LocalLine
from voice.migrations import migrate

WORKER = ("tests.faults.process", "hasty", "4")  # a call of which nothing was heard for 4 s is over
WEB = "tests.faults.process:create_app()"
_sounds: dict[str, bytes] = {}  # of the prompts, by their key: the same for every line, and slow to make


@contextmanager
def a_line_kept_alive(
    folder: Path, database_url: str, settings: Mapping[str, str] | None = None, line: type[LocalLine] = LocalLine
) -> Iterator[LocalLine]:
    """A line whose processes are started again when they die."""
    more = {"PROMPTS_DIR": str(TEST_PROMPTS), "DATABASE_URL": database_url, **dict.fromkeys(CAPS, MANY), **(settings or {})}
    _give_sounds(database_url)
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
    with soon, line(folder, more, WORKER, WEB) as running:
        _keep_sounds(running)
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


def _give_sounds(database_url: str) -> None:
    migrate(database_url)
    engine = store.connect(database_url)
    with store.writing(engine) as tx:
        for key, wav in _sounds.items():
            store.save_sound(tx, key, wav)
    engine.dispose()


def _keep_sounds(line: LocalLine) -> None:
    engine = store.connect(line.config.database_url)
    with store.reading(engine) as look:
        for key in store.sound_keys(look) - _sounds.keys():
            _sounds[key] = store.sound(look, key) or b""
    engine.dispose()
