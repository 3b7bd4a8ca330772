"""What is enqueued is done, once it is committed and not before, whatever dies meanwhile. On both databases."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa
from dbos import DBOSClient

from tests.conftest import ROOT, NewDatabase
from tests.postgres import Postgres
from tests.trial_worker import RECOVERIES, WORDS
from voice import store
from voice.queue import APPLICATION, LOST_LOCK_EXIT, SWEEP_SECONDS, Queue


class Bench:
    """A database, and workers over it as processes of their own."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.url = database_url.replace("postgresql://", "postgresql+psycopg://")
        self.log = folder / "log"
        self.log.touch()
        self.engine = store.connect(self.url, wait=30)
        self.queue = Queue(self.engine)
        self.workers: list[subprocess.Popen[bytes]] = []

    def start(self, *how: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.trial_worker", self.url, str(self.log), *how]
        self.workers.append(subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL))
        return self.workers[-1]

    def enqueue(self, name: str, subject: str, delay: float = 0) -> None:
        with store.writing(self.engine) as tx:
            self.queue.enqueue(tx, name, subject, delay=delay)

    def lines(self, what: str, subject: str) -> list[int]:
        """The process ids of the lines in the log that begin so."""
        return [int(pid) for pid, _ in self._lines(what, subject)]

    def times(self, what: str, subject: str) -> list[float]:
        return [float(time) for _, time in self._lines(what, subject)]

    def _lines(self, what: str, subject: str) -> list[list[str]]:
        return [rest for name, about, *rest in map(str.split, self.log.read_text().splitlines()) if (name, about) == (what, subject)]

    def dead_jobs(self) -> dict[str, str]:
        with store.reading(self.engine) as look:
            return {row.id: row.reason for row in look.execute(store.dead_jobs.select())}

    def left_by_give_up(self, subject: str) -> str:
        with store.reading(self.engine) as look:
            return (store.sound(look, subject) or b"").decode()

    def known(self) -> list[str]:
        """The ids of the jobs that the engine knows."""
        return sorted(workflow.workflow_id for workflow in self.client().list_workflows(name="job"))

    def client(self) -> DBOSClient:
        return DBOSClient(system_database_engine=self.engine, application_name=APPLICATION, lazy=True)

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()
        self.engine.dispose()


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@contextmanager
def a_bench(database_url: str, folder: Path) -> Iterator[Bench]:
    bench = Bench(database_url, folder)
    try:
        yield bench
    finally:
        bench.close()


@pytest.fixture
def bench(database_url: str, tmp_path: Path) -> Iterator[Bench]:
    with a_bench(database_url, tmp_path) as bench:
        yield bench


def test_a_transaction_that_is_rolled_back_leaves_no_job(bench: Bench) -> None:
    with bench.engine.connect() as connection, connection.begin() as transaction:
        bench.queue.enqueue(connection, "run", "one")
        transaction.rollback()
    assert bench.known() == []


def test_a_transaction_that_commits_leaves_one_and_the_same_again_is_no_second(bench: Bench) -> None:
    for _ in range(2):
        with store.writing(bench.engine) as tx:
            bench.queue.enqueue(tx, "run", "one")
            bench.queue.enqueue(tx, "run", "one")
    assert bench.known() == ["run:one:1"]


def test_another_key_or_name_is_another_job(bench: Bench) -> None:
    with store.writing(bench.engine) as tx:
        bench.queue.enqueue(tx, "run", "one")
        bench.queue.enqueue(tx, "run", "one", key="other")
        bench.queue.enqueue(tx, "slow", "one")
    assert sorted(bench.known()) == ["run:one:1", "run:other:1", "slow:one:1"]


@pytest.fixture(scope="module")
def working(new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A database with one worker, which all tests of the class give work to."""
    with a_bench(new_database(), tmp_path_factory.mktemp("bench")) as bench:
        bench.client().create_schedule(schedule_name="of_yesterday", workflow_name="regular_of_yesterday", schedule="* * * * *")
        bench.start()
        bench.enqueue("fail", "failing")
        yield bench


class TestAWorker:
    def test_does_a_job_once(self, working: Bench) -> None:
        for _ in range(2):
            working.enqueue("run", "once")
        wait_for(lambda: working.lines("run", "once"))
        working.enqueue("run", "once")
        working.enqueue("run", "after")
        wait_for(lambda: working.lines("run", "after"))
        assert len(working.lines("run", "once")) == 1

    def test_fetches_and_erases_while_hundreds_wait_for_a_slow_recogniser_and_a_slow_mail_server(self, working: Bench) -> None:
        waiting = [(name, f"{name}{number}") for number in range(40) for name in ("transcribe", "send")]
        with store.writing(working.engine) as tx:
            for name, subject in waiting:
                working.queue.enqueue(tx, name, subject)
            working.queue.enqueue(tx, "fetch", "a-recording")
            working.queue.enqueue(tx, "erase", "the-recording")
        wait_for(lambda: working.lines("run", "the-recording"))
        done = [subject for _, subject in waiting if working.lines("end", subject)]
        assert len(done) < len(waiting) / 2

    def test_waits_longer_after_each_failure_and_gives_up_at_last(self, working: Bench) -> None:
        wait_for(lambda: "fail:failing:4" in working.dead_jobs())
        assert len(working.lines("fail", "failing")) == 4
        attempts = {job.workflow_id: job for job in working.client().list_workflows(workflow_id_prefix="fail:failing:")}
        assert len(attempts) == 4
        failed = working.times("fail", "failing")
        for attempt, wait in ((2, 0.5), (3, 1), (4, 2)):
            due = attempts[f"fail:failing:{attempt}"].delay_until_epoch_ms / 1000
            assert 0.8 * wait <= due - failed[attempt - 2] <= 1.2 * wait + 1  # the last is for a machine that is busy
            assert failed[attempt - 1] >= due
        assert working.left_by_give_up("failing") == working.dead_jobs()["fail:failing:4"]

    def test_does_not_try_again_what_cannot_help(self, working: Bench) -> None:
        working.enqueue("refuse", "refused")
        wait_for(lambda: "refuse:refused:1" in working.dead_jobs())
        assert len(working.lines("refuse", "refused")) == 1

    def test_gives_up_in_the_transaction_that_notes_the_death(self, working: Bench) -> None:
        def deaths_of_both() -> list[str]:
            return [reason for job, reason in working.dead_jobs().items() if job.startswith("refuse:both:")]

        hold = working.log.parent / "hold both"
        hold.touch()
        working.enqueue("refuse", "both")
        wait_for(lambda: len(working.lines("giveup", "both")) >= 2)
        assert deaths_of_both() == []
        assert working.left_by_give_up("both") == ""
        hold.unlink()
        wait_for(deaths_of_both)
        assert [working.left_by_give_up("both")] == deaths_of_both()

    def test_takes_out_the_schedules_of_an_older_program(self, working: Bench) -> None:
        wait_for(lambda: working.client().list_schedules() == [])

    def test_tries_again_later_what_only_a_newer_program_knows(self, working: Bench) -> None:
        working.enqueue("of_tomorrow", "new")
        wait_for(lambda: "of_tomorrow:new:2" in working.known())

    def test_notes_a_failure_when_the_database_is_back(self, working: Bench) -> None:
        """Here somebody holds its lock, for longer than the worker waits for one."""
        working.enqueue("slowly_fail_once", "late")
        wait_for(lambda: working.lines("failing", "late"))
        with store.writing(working.engine) as tx:
            if working.engine.dialect.name == "postgresql":
                tx.execute(sa.text("LOCK TABLE dbos.workflow_status IN EXCLUSIVE MODE"))
            time.sleep(3)
        wait_for(lambda: working.lines("well", "late"))
        assert len(working.lines("failing", "late")) == 1

    def test_keeps_ids_only_in_the_tables_of_the_engine(self, working: Bench) -> None:
        working.enqueue("refuse", "secretive")
        wait_for(lambda: "refuse:secretive:1" in working.dead_jobs())
        with working.engine.connect() as connection:
            everything = "".join(
                str(row)
                for schema in (("dbos", "public") if connection.dialect.name == "postgresql" else (None,))
                for table in sa.inspect(connection).get_table_names(schema)
                for row in connection.execute(sa.text(f'SELECT * FROM {f"{schema}." if schema else ""}"{table}"'))
            )
        assert "refuse:secretive:1" in everything
        assert WORDS not in everything
        for job in working.client().list_workflows(name="job"):
            assert job.output is None
            assert job.error is None
            name, subject, key, attempt = job.input["args"]
            assert job.workflow_id == f"{name}:{key}:{attempt}"
            assert subject == key

    def test_forgets_only_what_is_done_and_old(self, working: Bench) -> None:
        """After the others, whose jobs it forgets."""
        working.enqueue("run", "old")
        wait_for(lambda: any(job.status == "SUCCESS" for job in working.client().list_workflows(workflow_ids=["run:old:1"])))
        working.enqueue("run", "waiting", delay=3600)
        before = working.known()
        working.queue.forget_done(datetime.now(UTC) - timedelta(days=1))
        assert working.known() == before
        done = {job.workflow_id for job in working.client().list_workflows(name="job", status="SUCCESS")}
        working.queue.forget_done(datetime.now(UTC) + timedelta(minutes=1))
        assert "run:waiting:1" in working.known()
        assert "run:old:1" in done
        assert not done.intersection(working.known())

    def test_finishes_what_it_has_in_hand_when_it_is_told_to_stop(self, working: Bench) -> None:
        """The last of these tests."""
        [worker] = working.workers
        working.enqueue("slow", "in-hand")
        wait_for(lambda: working.lines("begin", "in-hand"))
        worker.terminate()
        assert worker.wait(30) == 0
        assert working.lines("end", "in-hand") == [worker.pid]
        assert working.client().list_workflows(status="PENDING", name="job") == [], "something was begun and not finished"


def test_a_workers_death_delays_its_jobs_by_less_than_five_seconds(bench: Bench) -> None:
    """Guards the one private function of the engine that we call. A delay outlives the worker that saw it first, too.

    What is taken over is done one at a time: if one of them is what the worker died of, the others get past it.
    """
    first, second = bench.start(), bench.start()
    warm = 0
    while len({pid for number in range(warm) for pid in bench.lines("run", f"warm{number}")}) < 2:
        bench.enqueue("run", f"warm{warm}")
        warm += 1
        time.sleep(0.1)
    subjects = ("a", "b", "c", "d")
    with store.writing(bench.engine) as tx:
        for subject in subjects:
            bench.queue.enqueue(tx, "slow", subject)
        bench.queue.enqueue(tx, "run", "delayed", delay=3)
    due = time.time() + 3
    wait_for(lambda: all(bench.lines("begin", subject) for subject in subjects))
    in_hand = {worker: [subject for subject in subjects if bench.lines("begin", subject) == [worker.pid]] for worker in (first, second)}
    victim, heir = sorted(in_hand, key=lambda worker: -len(in_hand[worker]))
    victim.kill()
    killed = time.time()
    subjects = tuple(in_hand[victim])
    assert not any(bench.lines("end", subject) for subject in subjects)
    wait_for(lambda: all(bench.lines("end", subject) for subject in subjects), seconds=30)
    stretches = sorted((bench.times("begin", subject)[-1], bench.times("end", subject)[-1]) for subject in subjects)
    took = stretches[0][1] - killed
    print(f"\n{bench.engine.dialect.name}: a job was done {took:.1f} s after the death of its worker, 1.0 s of it by the job itself")
    assert took < 5
    assert all(bench.lines("end", subject) == [heir.pid] for subject in subjects)
    assert all(end <= begin for (_, end), (begin, _) in pairwise(stretches))
    wait_for(lambda: bench.lines("run", "delayed"))
    assert bench.lines("run", "delayed") == [heir.pid]
    assert bench.times("run", "delayed")[0] >= due - 0.1
    assert bench.dead_jobs() == {}


@pytest.mark.parametrize("new_database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.faults)], indirect=True)
def test_a_job_that_kills_its_workers_ends_as_a_dead_job(bench: Bench) -> None:
    bench.enqueue("kill", "deadly")
    wait_for(lambda: bench.dead_jobs() or (all(worker.poll() is not None for worker in bench.workers) and not bench.start()), seconds=60)
    assert list(bench.dead_jobs()) == ["kill:deadly:1"]
    assert bench.left_by_give_up("deadly") == bench.dead_jobs()["kill:deadly:1"]
    assert len(bench.lines("kill", "deadly")) == RECOVERIES + 1
    assert len(bench.lines("giveup", "deadly")) == 1
    bench.enqueue("run", "after")
    wait_for(lambda: bench.lines("run", "after"))


def test_the_news_of_a_dead_job_is_news_once(bench: Bench) -> None:
    """So that it is given up once, however many workers find it."""
    with store.writing(bench.engine) as tx:
        assert store.add_dead_job(tx, "run:one:1", "run", "reason", 1.0)
    with store.writing(bench.engine) as tx:
        assert not store.add_dead_job(tx, "run:one:1", "run", "another", 2.0)
    assert bench.dead_jobs() == {"run:one:1": "reason"}


@pytest.mark.parametrize("new_database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.faults)], indirect=True)
def test_what_is_done_is_forgotten_after_a_while(bench: Bench) -> None:
    bench.start("tidy")
    bench.enqueue("run", "done")
    bench.enqueue("refuse", "dead")
    bench.enqueue("run", "waiting", delay=3600)
    wait_for(lambda: bench.lines("run", "done") and bench.lines("refuse", "dead"))
    wait_for(lambda: "run:done:1" not in bench.known())
    assert "run:waiting:1" in bench.known()


@pytest.mark.parametrize("engine_waits", [False, True], ids=["at rest", "while the engine waits for the database"])
def test_a_worker_that_loses_its_lock_ends_itself(postgres: Postgres, tmp_path: Path, engine_waits: bool) -> None:
    """Others take it for dead and do its jobs: it must not do them as well. Its supervisor starts it again."""
    with a_bench(postgres.new_database(), tmp_path) as bench, bench.engine.connect() as other:
        worker = bench.start()
        bench.enqueue("run", "alive")
        wait_for(lambda: bench.lines("run", "alive"))
        if engine_waits:
            other.execute(sa.text("LOCK TABLE dbos.workflow_status IN ACCESS EXCLUSIVE MODE"))
            time.sleep(3 * SWEEP_SECONDS)  # by now the sweep waits
        with bench.engine.begin() as connection:
            lost = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = (%s)"
            own = "SELECT oid FROM pg_database WHERE datname = current_database()"
            assert (True,) in connection.execute(sa.text(lost % own)).all()
        assert worker.wait(30) == LOST_LOCK_EXIT


@pytest.mark.faults
def test_a_failure_outlives_the_end_of_the_database_server(tmp_path: Path, postgres: Postgres) -> None:
    with Postgres(postgres.programs) as server, a_bench(server.new_database(), tmp_path) as bench:
        worker = bench.start()
        bench.enqueue("slowly_fail_once", "hit")
        wait_for(lambda: bench.lines("failing", "hit"))
        server.stop(at_once=True)
        assert worker.wait(60) == LOST_LOCK_EXIT
        server.start()
        bench.start()
        wait_for(lambda: bench.lines("well", "hit"), seconds=30)
        assert bench.dead_jobs() == {}
