"""``kill -9`` before every single write of one whole call, of the web process and of the worker: nothing that was acknowledged is lost."""

import platform
import sys
from pathlib import Path

import pytest

from tests.conftest import NewDatabase, must_run
from tests.faults.killing import kill_at_write, writes_of
from tests.faults.lines import Lines
from tests.faults.report import Cases, sizes
from tests.faults.world import check_world

pytestmark = pytest.mark.row("kill -9 before every write of a call")


@sizes(test=1, sample=15, full=None)
@pytest.mark.parametrize("process", ["web", "worker"])
def test_a_kill_before_any_write_loses_nothing(
    tmp_path: Path, new_database: NewDatabase, cases: Cases, process: str, amount: int | None
) -> None:
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        must_run("system calls are counted on Linux and x86-64 alone")
    with Lines(tmp_path, new_database) as lines:
        with lines.world() as world:
            writes = writes_of(world, lines.callers.golden(), process)
            check_world(world)
        print(f"\n{cases.database}: {process} writes {len(writes)} times in a call")
        for case in cases.take([f"{process} {n}" for n in range(1, len(writes) + 1)], amount):
            with cases.trying(case), lines.world() as world:
                if not kill_at_write(world, lines.callers.golden(), process, int(case.split()[1])):
                    cases.not_reached()
                check_world(world)
