"""Processes that die are started again, sooner or later, and none is left over."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from voice import processes
from voice.processes import Processes

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


def kill(running: Processes, name: str) -> None:
    pid = running.pid(name)
    assert pid is not None
    os.killpg(pid, signal.SIGKILL)


def wait_until_it_runs(running: Processes, name: str, unlike: int | None) -> float:
    """Look after them until the process runs again; the seconds that it took."""
    began = time.monotonic()
    while running.pid(name) in (None, unlike):
        running.look_after()
        time.sleep(0.01)
        assert time.monotonic() - began < 10
    return time.monotonic() - began


def test_what_keeps_dying_is_started_ever_later_and_what_lived_well_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "RESTART_AFTER", 0.1)
    with Processes({"a": SLEEPER}, os.environ) as running:
        took = []
        for lived_well in (1000.0, 1000.0, 1000.0, 0.0):
            monkeypatch.setattr(processes, "LIVED_WELL", lived_well)
            before = running.pid("a")
            kill(running, "a")
            took.append(wait_until_it_runs(running, "a", before))
    assert took[0] < took[1] < took[2]
    assert took[2] >= 0.4
    assert took[3] < took[2]


def test_nothing_is_started_again_once_all_are_told_to_end(tmp_path: Path) -> None:
    with Processes({"a": SLEEPER}, os.environ) as running:
        pid = running.pid("a")
    running.look_after()
    time.sleep(0.1)
    running.look_after()
    assert running.pid("a") is None
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
