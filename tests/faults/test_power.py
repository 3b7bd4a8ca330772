"""Power is cut: nothing that anybody outside was told rests on data that were not synced."""

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.conftest import NewDatabase, must_run
from tests.faults.callers import Plan
from tests.faults.killing import place
from tests.faults.lines import Lines
from tests.faults.power import Order, order, processes_of, recorded, with_children
from tests.faults.report import Cases, sizes
from tests.faults.world import World, check_world
from tests.postgres import Postgres
from voice import store

pytestmark = pytest.mark.row("power loss: told only what is synced")
EATMYDATA = "libeatmydata.so"


@pytest.fixture
def server(request: pytest.FixtureRequest, new_database: NewDatabase) -> Postgres | None:
    """The database server, if there is one."""
    if shutil.which("strace") is None:
        must_run("strace is not installed")
    if new_database().startswith("sqlite"):
        return None
    found = request.getfixturevalue("postgres")
    assert isinstance(found, Postgres)
    return found


def recorded_call(world: World, server: Postgres | None, file: Path, plan: Plan) -> Order:
    with recorded([*processes_of(world.line), *(with_children(server.pid) if server else [])], file) as events:
        place(world, plan)
        check_world(world)
    return order(events, world.line.config.database_url.partition(":")[0].partition("+")[0])


@sizes(test=1, sample=3, full=20)
def test_whatever_is_told_was_synced(tmp_path: Path, new_database: NewDatabase, cases: Cases, server: Postgres | None, amount: int) -> None:
    with Lines(tmp_path, new_database) as lines:
        for case in cases.take([f"trace {n}" for n in range(1, amount + 1)]):
            with cases.trying(case), lines.world() as world:
                found = recorded_call(world, server, tmp_path / "trace", lines.callers.golden())
                assert not found.too_early
                assert found.answered > 10
                assert found.deleted >= 3
                assert found.mailed == 1
                cases.note(f"{found.answered} answers, {found.deleted} deletions, {found.mailed} mails")


@pytest.mark.faults
def test_without_syncing_everything_is_told_too_early(
    tmp_path: Path, new_database: NewDatabase, cases: Cases, server: Postgres | None
) -> None:
    """The control: that the record can show it. On SQLite with eatmydata, on PostgreSQL with a server that does not wait for its disk."""
    settings = {}
    if server:
        make = new_database

        def new_database() -> str:
            url = make()
            engine = store.connect(url)
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(sa.text(f'ALTER DATABASE "{url.rpartition("/")[2]}" SET synchronous_commit = off'))
            engine.dispose()
            return url

    else:
        if not any(Path(folder, EATMYDATA).exists() for folder in Path("/usr/lib").glob("*-linux-gnu")):
            must_run("eatmydata is not installed")
        settings = {"LD_PRELOAD": EATMYDATA}
    with Lines(tmp_path, new_database, settings) as lines:
        for case in cases.take(["control"]):
            with cases.trying(case), lines.world() as world:
                found = recorded_call(world, server, tmp_path / "trace", lines.callers.golden())
                early = [told for told in found.too_early if told.startswith("answered")]  # a server syncs by itself before long
                cases.note(f"{len(early)} of {found.answered} were told too early")
                assert len(early) > 0.8 * found.answered, f"{len(early)} of {found.answered}"
