"""One kill at one moment: how a case of the rows that kill goes."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import must_run
from tests.faults.callers import Fate, Plan
from tests.faults.tracer import members
from tests.faults.world import World, under_way, wait_until_healthy
from voice.local.line import LocalLine

SETTLING = 60.0  # seconds until a moment must have come, or all must be over


@contextmanager
def traced(line: LocalLine, name: str, n: int) -> Iterator[list[str]]:
    """That process dies before its n-th write. Afterwards the list holds what it wrote."""
    command = [sys.executable, "-m", "tests.faults.tracer", str(line.processes.pid(name)), str(n)]
    tracer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert tracer.stdout is not None
    if (said := tracer.stdout.readline()) != "attached\n":
        tracer.communicate("")
        assert said == "refused\n", "the process is gone before anything was done"
        must_run("this user may not trace processes")
    seen: list[str] = []
    try:
        yield seen
    finally:
        seen += tracer.communicate("")[0].split()
        assert tracer.returncode == 0, "the tracer broke down"


def place(world: World, plan: Plan) -> None:
    record, _ = world.line.exchange.play(plan.script)
    world.fates.append(Fate(plan, record))


def died(world: World, group: int) -> bool:
    """Whether that process dies before all is done."""
    end = time.monotonic() + SETTLING
    while members(group):
        assert time.monotonic() < end, "neither did the moment come, nor is everything done"
        if world.line.exchange.settle(0) and not under_way(world):
            return not members(group)
        time.sleep(0.1)
    return True


def kill_at_write(world: World, plan: Plan, name: str, n: int) -> bool:
    """Kill that process before its n-th write in this call. False if the call is over before."""
    group = world.line.processes.pid(name)
    assert group
    with traced(world.line, name, n):
        place(world, plan)
        dead = died(world, group)
    if dead and name == "worker":
        world.note_break()
    return dead


def writes_of(world: World, plan: Plan, name: str) -> list[str]:
    """What that process writes in this call, from the first tone until all is done."""
    with traced(world.line, name, 0) as seen:
        place(world, plan)
        group = world.line.processes.pid(name)
        assert group
        assert not died(world, group)
    return seen


def kill_at_step(world: World, plan: Plan, failpoint: Path, deaths: list[str]) -> bool:
    """Let the processes die at these moments, one after the other. False if one of them did not come."""
    failpoint.write_text("\n".join(deaths))
    groups = [group for name in world.line.processes.names if (group := world.line.processes.pid(name))]
    place(world, plan)
    end = time.monotonic() + SETTLING
    while failpoint.read_text():
        if time.monotonic() > end:
            failpoint.write_text("")
            return False
        time.sleep(0.02)
    while all(members(group) for group in groups):
        assert time.monotonic() < end + SETTLING, "the moment came, and nobody died"
        time.sleep(0.02)
    if any(death.startswith("worker") for death in deaths):
        world.note_break()
    wait_until_healthy(world.line)
    return True
