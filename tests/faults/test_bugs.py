"""The tests of the tests: each seeded bug is caught by the row that is there for it, and for the right reason."""

import re
from pathlib import Path

import pytest

from tests.conftest import NewDatabase
from tests.faults import power, test_takeover
from tests.faults.bugs import BUGS, POWER, STEPS, TWO_OF_EACH, Bug
from tests.faults.killing import kill_at_step
from tests.faults.lines import Lines
from tests.faults.world import check_world
from tests.postgres import Postgres

PATIENCE = 25.0  # seconds in which something must move; a bug is what makes it stand still
WHERE = {STEPS: ("sqlite", "postgresql"), POWER: ("sqlite", "postgresql"), TWO_OF_EACH: ("postgresql",)}
CASES = [pytest.param(bug, database, id=f"{bug.name}-{database}") for bug in BUGS for database in WHERE[bug.row]]


@pytest.mark.faults_full
@pytest.mark.row("seeded bugs, each caught by its row")
@pytest.mark.parametrize(("bug", "new_database"), CASES, indirect=["new_database"])
def test_a_seeded_bug_is_caught(tmp_path: Path, new_database: NewDatabase, server: Postgres | None, bug: Bug) -> None:
    with pytest.raises(AssertionError) as caught:
        try_its_case(tmp_path, new_database, server, bug)
    assert re.search(bug.says, str(caught.value)), f"caught for another reason: {caught.value}"


def try_its_case(folder: Path, new_database: NewDatabase, server: Postgres | None, bug: Bug) -> None:
    patch = f"tests.faults.bugs:{bug.name}"
    if bug.row == TWO_OF_EACH:
        test_takeover.run(folder, new_database(), 1, patch, PATIENCE)
        return
    with Lines(folder, new_database, faults=patch) as lines, lines.world() as world:
        world.patience = PATIENCE
        if bug.row == POWER:
            found = power.recorded_call(world, server, folder / "trace", lines.callers.golden())
            assert not found.too_early, found.too_early
        else:
            assert kill_at_step(world, lines.callers.golden(), lines.failpoint, [bug.case]), "the moment never came"
            check_world(world)
