"""Two web processes and two workers on PostgreSQL, as on several hosts: one of each dies for good while calls go on."""

import statistics
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.conftest import NewDatabase
from tests.faults.callers import Callers, calling
from tests.faults.lines import a_line, kill, wait_until_working
from tests.faults.report import Cases
from tests.faults.tracer import members
from tests.faults.world import PATIENCE as MOVING
from tests.faults.world import World, check_world
from voice import store
from voice.local.line import LocalLine

PROMISED = 5.0  # seconds until a dead worker's jobs are taken over
PATIENCE = 20.0  # on a machine that is busy with other things
IN_HAND = sa.text("SELECT count(*) FROM dbos.workflow_status WHERE status = 'PENDING' AND executor_id LIKE :worker")
TAKEN_OVER = sa.text("SELECT count(*) FROM dbos.workflow_status WHERE recovery_attempts > 1")


class TwoOfEach(LocalLine):
    """The kernel spreads the calls over both web processes, as a balancer would."""

    def commands(self, port: int) -> dict[str, list[str]]:
        one = super().commands(port)
        shared = [*one["web"][:-1], "--reuse-port", one["web"][-1]]
        return {"web1": shared, "web2": shared, "worker1": one["worker"], "worker2": one["worker"]}


def seconds_until_taken_over(line: LocalLine, worker: int) -> float:
    engine = store.connect(line.config.database_url, wait=30)
    died = time.monotonic()
    in_hand = 1
    while in_hand:
        assert time.monotonic() - died < PATIENCE, f"{in_hand} jobs of a dead worker are not taken over"
        with store.reading(engine) as look:
            in_hand = look.execute(IN_HAND, {"worker": f"{worker}-%"}).scalar_one()
        time.sleep(0.05)
    engine.dispose()
    return time.monotonic() - died


def run(folder: Path, database_url: str, seed: int, faults: str = "", patience: float = MOVING) -> tuple[float, str]:
    """``faults``: bugs to be put in. Gives the seconds until all was taken over, and the figures."""
    failpoint = folder / "failpoint"
    settings = {"FAULTS": f"tests.faults.failpoints:install {faults}", "FAILPOINT": str(failpoint)}
    callers = Callers(seed)
    with a_line(folder, database_url, settings, TwoOfEach) as line:
        wait_until_working(line)
        world = World(line, canaries=(callers.canaries, callers.said), patience=patience)
        workers = [pid for name in ("worker1", "worker2") if (pid := line.processes.pid(name))]
        with calling(line, callers) as world.fates:
            time.sleep(1)
            failpoint.write_text("worker:a recording is fetched:before")  # so that it dies with a job in hand
            end = time.monotonic() + 30
            while all(map(members, workers)):
                assert time.monotonic() < end, "no worker died"
                time.sleep(0.01)
            [victim] = [worker for worker in workers if not members(worker)]
            world.note_break()
            took = seconds_until_taken_over(line, victim)
            assert kill(line, "web1")
            dead, after = time.monotonic(), len(line.exchange.calls)
            while len(line.exchange.calls) < after + 9 or time.monotonic() < dead + 3:
                assert time.monotonic() < dead + MOVING, "calls do not go on when one web process is gone"
                time.sleep(0.1)
        figures = check_world(world)
        engine = store.connect(line.config.database_url, wait=30)
        with store.reading(engine) as look:
            assert look.execute(TAKEN_OVER).scalar_one(), "it died with nothing in hand"
        engine.dispose()
        late = [record for record in line.exchange.calls[after:] if not record.errors]
        assert len(late) >= 6, "calls do not go on when one web process is gone"
    return took, f"taken over after {took:.1f} s, {figures}"


@pytest.mark.row("2 web + 2 workers, one of each killed for good")
@pytest.mark.parametrize(
    ("new_database", "amount"),
    [
        pytest.param("postgresql", 2, id="postgresql-sample", marks=pytest.mark.faults),
        pytest.param("postgresql", 20, id="postgresql-full", marks=pytest.mark.faults_full),
    ],
    indirect=["new_database"],
)
def test_one_of_each_may_die_for_good(tmp_path: Path, new_database: NewDatabase, cases: Cases, amount: int) -> None:
    all_took = []
    for case in cases.take([f"seed {n}" for n in range(1, amount + 1)]):
        with cases.trying(case):
            took, figures = run(tmp_path / case.split()[1], new_database(), int(case.split()[1]))
            all_took.append(took)
            cases.note(figures)
    assert not all_took or statistics.median(all_took) < PROMISED, f"it took {all_took} s until a dead worker's jobs were taken over"
