"""``kill -9`` before, in the middle of and after each named step: nothing that was acknowledged is lost, nothing is done twice."""

from pathlib import Path

import pytest

from tests.conftest import NewDatabase
from tests.faults.failpoints import MOMENTS, STEPS
from tests.faults.killing import kill_at_step
from tests.faults.lines import Lines
from tests.faults.report import Cases, sizes
from tests.faults.world import check_world

EVERYWHERE = {f"{step.process}:{step.name}:{moment}": step for step in STEPS for moment in MOMENTS}


@sizes(test=1, sample=15, full=None)
@pytest.mark.row("kill -9 at named steps")
def test_a_kill_at_any_step_loses_nothing(tmp_path: Path, new_database: NewDatabase, cases: Cases, amount: int | None) -> None:
    failpoint = tmp_path / "failpoint"
    settings = {"FAULTS": "tests.faults.failpoints:install", "FAILPOINT": str(failpoint)}
    with Lines(tmp_path, new_database, settings) as lines:
        for case in cases.take(EVERYWHERE, amount):
            step = EVERYWHERE[case]
            with cases.trying(case), lines.world() as world:
                deaths = [*([step.first] if step.first else []), case]
                assert kill_at_step(world, step.call(lines.callers), failpoint, deaths), "the moment never came"
                check_world(world)
