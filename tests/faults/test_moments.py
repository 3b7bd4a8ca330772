"""Every moment of one call: a kill before each write, a kill at each named step, and in what order things are synced and told.

A row's cases share lines, as a line takes longer to start than a case to run.
"""

import platform
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import NewDatabase, must_run
from tests.faults.failpoints import MOMENTS, STEPS
from tests.faults.killing import kill_at_step, kill_at_write, writes_of
from tests.faults.lines import Lines
from tests.faults.power import recorded_call
from tests.faults.report import Cases, sizes
from tests.faults.world import check_world, under_way
from tests.postgres import Postgres

EVERYWHERE = {f"{step.process}:{step.name}:{moment}": step for step in STEPS for moment in MOMENTS}
EATMYDATA = "libeatmydata.so"


@pytest.fixture(scope="module")
def lines(new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lines]:
    with Lines(tmp_path_factory.mktemp("lines"), new_database) as lines:
        yield lines


@sizes(test=1, sample=30, full=None)
@pytest.mark.row("kill -9 before every write of a call")
def test_a_kill_before_any_write_loses_nothing(lines: Lines, cases: Cases, amount: int | None) -> None:
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        must_run("system calls are counted on Linux and x86-64 alone")
    everywhere = ["worker 40"] if amount == 1 else []
    for process in () if amount == 1 else ("web", "worker"):
        with lines.world() as world:
            writes = writes_of(world, lines.callers.golden(), process)
            check_world(world)
        assert writes, f"{process} writes nothing"
        everywhere += [f"{process} {n}" for n in range(1, len(writes) + 1)]
    for case in cases.take(everywhere, amount):
        process, n = case.split()
        with cases.trying(case), lines.world() as world:
            if not kill_at_write(world, lines.callers.golden(), process, int(n)):
                assert amount != 1, "there was nothing to kill"
                cases.not_reached()
            check_world(world)


@sizes(test=1, sample=8, full=None)
@pytest.mark.row("kill -9 at named steps")
def test_a_kill_at_any_step_loses_nothing(lines: Lines, cases: Cases, amount: int | None) -> None:
    for case in cases.take(EVERYWHERE, amount):
        step = EVERYWHERE[case]
        with cases.trying(case), lines.world() as world:
            deaths = [*([step.first] if step.first else []), case]
            came = kill_at_step(world, step.call(lines.callers), lines.failpoint, deaths)
            assert came, f"the moment never came; under way: {under_way(world)}"
            check_world(world)


POWER = pytest.mark.row("power loss: told only what is synced")


@POWER
@sizes(test=1, sample=3, full=20)
def test_whatever_is_told_was_synced(tmp_path: Path, lines: Lines, cases: Cases, server: Postgres | None, amount: int) -> None:
    for case in cases.take([f"trace {n}" for n in range(1, amount + 1)]):
        with cases.trying(case), lines.world() as world:
            found = recorded_call(world, server, tmp_path / "trace", lines.callers.golden())
            assert not found.too_early, found.too_early
            assert found.answered > 10
            assert found.deleted >= 3
            assert found.mailed == 1
            cases.note(f"{found.answered} answers, {found.deleted} deletions, {found.mailed} mails")


@POWER
@sizes(sample=1)
def test_without_syncing_everything_is_told_too_early(
    tmp_path: Path, new_database: NewDatabase, cases: Cases, server: Postgres | None, amount: int
) -> None:
    """The control: that the record can show it. With SQLite and eatmydata, with a PostgreSQL that never syncs."""
    if server is None and not any(Path(folder, EATMYDATA).exists() for folder in Path("/usr/lib").glob("*-linux-gnu")):
        must_run("eatmydata is not installed")
    with ExitStack() as stack:
        if server:
            server = stack.enter_context(Postgres(server.programs, fsync=False))
            new_database = server.new_database
        lines = stack.enter_context(Lines(tmp_path, new_database, {} if server else {"LD_PRELOAD": EATMYDATA}))
        for case in cases.take(["control"]):
            with cases.trying(case), lines.world() as world:
                found = recorded_call(world, server, tmp_path / "trace", lines.callers.golden())
                told = found.answered + found.deleted + found.mailed
                cases.note(f"{len(found.too_early)} of {told} were told too early")
                assert len(found.too_early) > 0.8 * told, f"{len(found.too_early)} of {told}"
