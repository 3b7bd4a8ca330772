"""What a worker decides, without the engine that runs it: whom it takes over, what it gives up, when it ends. With it: test_queue."""

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.databases import make_ready
from tests.signing import memory_folder
from tests.test_logs import logged
from voice import queue as queue_module
from voice import store
from voice.app import _bury
from voice.liveness import liveness
from voice.queue import LOST_LOCK_EXIT, SWEEP_SECONDS, Job, Queue, Worker


@dataclass
class Workflow:
    """What the engine tells of a job."""

    workflow_id: str
    executor_id: str | None = None
    status: str = "PENDING"
    input: Any = None

    def __post_init__(self) -> None:
        name, subject, attempt = self.workflow_id.split(":")
        self.input = {"args": [name, subject, subject, int(attempt)]}


@dataclass
class Engine:
    """In the workflow engine's place."""

    workflows: list[Workflow] = field(default_factory=list)
    recovered: list[str] = field(default_factory=list)
    away: bool = False

    def list_workflows(self, *, status: str | list[str], **_more: object) -> list[Workflow]:
        if self.away:
            raise sa.exc.OperationalError("made up", None, Exception())
        return [one for one in self.workflows if one.status in status]

    def _recover_pending_workflows(self, executors: list[str]) -> None:
        self.recovered += executors


class Place:
    """A database, and workers over it that do nothing by themselves. ``done``: what their jobs did. ``left``: what giving up left."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder}/data/samtaleklar.sqlite"
        make_ready(self.url)
        self.engine = store.connect(self.url)
        self.queue = Queue(self.engine)
        self.dbos: Any = Engine()
        self.done: list[str] = []
        self.left: list[tuple[str, str]] = []
        self.jobs = {
            "run": Job(self.done.append),
            "fail": Job(self._fail, give_up=lambda _tx, subject, reason: self.left.append((subject, reason)), cap=100, wait=50),
        }

    def _fail(self, subject: str) -> None:
        raise RuntimeError(subject)

    def worker(self) -> Worker:
        return Worker(self.url, self.engine, self.queue, self.jobs, {}, _bury)

    def dead_jobs(self) -> dict[str, str]:
        with store.reading(self.engine) as look:
            return {row.id: row.reason.partition(" ")[0] for row in look.execute(store.dead_jobs.select())}

    def waiting(self) -> list[str]:
        return sorted(job.workflow_id for job in self.queue._client.list_workflows(status=["ENQUEUED", "DELAYED"]))


@pytest.fixture
def place() -> Iterator[Place]:
    with memory_folder() as folder:
        place = Place(folder)
        yield place
        place.engine.dispose()


# ---- who is dead


@contextmanager
def alive(place: Place, name: str) -> Iterator[None]:
    """Another worker, until it dies."""
    locks: Any = liveness(place.url)
    locks.hold(name)
    yield
    locks._held.close()


def test_the_jobs_of_the_dead_are_taken_over_and_nobody_else_s(place: Place) -> None:
    worker = place.worker()
    with alive(place, "living"):
        owners = ["living", "dead", "dead", worker._name, None, ""]
        place.dbos.workflows = [Workflow(f"run:{n}:1", owner) for n, owner in enumerate(owners)]
        worker._sweep(place.dbos)
    assert place.dbos.recovered == ["dead"]


def test_the_lock_of_the_dead_is_cleared_away_once_their_jobs_are_taken_over(place: Place) -> None:
    with alive(place, "dead"):
        pass
    held = Path(place.url.removeprefix("sqlite:///")).parent / "workers" / "dead"
    assert held.exists()
    place.dbos.workflows = [Workflow("run:a:1", "dead")]
    place.worker()._sweep(place.dbos)
    assert (place.dbos.recovered, held.exists()) == (["dead"], False)


def test_a_sweep_that_fails_is_told_and_the_next_one_does_it(place: Place) -> None:
    worker = place.worker()
    place.dbos.workflows = [Workflow("run:a:1", "dead")]
    place.dbos.away = True
    with logged() as told:
        worker._sweep(place.dbos)
    assert "the sweep failed" in told.getvalue()
    assert place.dbos.recovered == []
    place.dbos.away = False
    worker._sweep(place.dbos)
    assert place.dbos.recovered == ["dead"]


def test_who_is_taken_for_dead_ends_at_the_next_look(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def end(code: int) -> None:
        raise SystemExit(code)

    worker, looks, waits = place.worker(), [True, False, False], []
    monkeypatch.setattr(worker._locks, "lost", looks.pop)
    monkeypatch.setattr(queue_module.time, "sleep", waits.append)
    monkeypatch.setattr(queue_module.os, "_exit", end)
    with pytest.raises(SystemExit) as ended:
        worker._guard()
    assert ended.value.code == LOST_LOCK_EXIT
    assert waits == [SWEEP_SECONDS] * 2


def test_who_cannot_tell_whether_the_others_take_it_for_dead_ends_too(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def end(code: int) -> None:
        raise SystemExit(code)

    def cannot_tell() -> bool:
        raise sa.exc.ResourceClosedError

    worker = place.worker()
    monkeypatch.setattr(worker._locks, "lost", cannot_tell)
    monkeypatch.setattr(queue_module.os, "_exit", end)
    with pytest.raises(SystemExit) as ended:
        worker._guard()
    assert ended.value.code == LOST_LOCK_EXIT


# ---- what is given up


@pytest.mark.parametrize("status", ["MAX_RECOVERY_ATTEMPTS_EXCEEDED", "ERROR"])
def test_what_the_engine_gave_up_is_a_dead_job_once_however_many_workers_look(place: Place, status: str) -> None:
    place.dbos.workflows = [Workflow("fail:a:2", "x", status), Workflow("fail:b:1", "x", "SUCCESS")]
    first = place.worker()
    for worker in (first, first, place.worker()):
        worker._sweep(place.dbos)
    assert place.dead_jobs() == {"fail:a:2": status}
    assert place.left == [("a", status)]


def test_what_the_engine_has_forgotten_the_matter_of_is_passed_over(place: Place) -> None:
    empty, whole = Workflow("fail:a:1", "x", "ERROR"), Workflow("fail:b:1", "x", "ERROR")
    empty.input = None
    place.dbos.workflows = [empty, whole]
    place.worker()._sweep(place.dbos)
    assert place.left == [("b", "ERROR")]


def test_a_job_that_no_program_here_knows_is_tried_again_later_and_noted_when_given_up(place: Place) -> None:
    worker = place.worker()
    worker._job("of_tomorrow", "a", "a", 1)
    assert (place.waiting(), place.dead_jobs()) == (["of_tomorrow:a:2"], {})
    worker._job("of_tomorrow", "a", "a", 20)
    assert place.dead_jobs() == {"of_tomorrow:a:20": "LookupError"}


@pytest.mark.parametrize("attempt", [1, 20])
def test_a_failure_that_cannot_be_noted_is_noted_as_soon_as_it_can(place: Place, monkeypatch: pytest.MonkeyPatch, attempt: int) -> None:
    """Once without a connection, once without an answer: else the job would count as done."""
    hindrances: list[Exception] = [sa.exc.TimeoutError(), sa.exc.OperationalError("made up", None, Exception())]
    begin, waits = place.engine.begin, []

    def begins() -> Any:
        if hindrances:
            raise hindrances.pop()
        return begin()

    worker = place.worker()
    monkeypatch.setattr(place.engine, "begin", begins)
    monkeypatch.setattr(queue_module.time, "sleep", waits.append)
    worker._job("fail", "a", "a", attempt)
    assert waits == [1.0, 1.0]
    assert (place.waiting(), place.dead_jobs()) == ([f"fail:a:{attempt + 1}"], {})


def test_a_job_whose_end_could_not_be_noted_is_given_up_in_its_next_attempt(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its end changes may be locked for long: others of its queue are done meanwhile."""
    worker, locked = place.worker(), [sa.exc.OperationalError("made up", None, Exception("lock time-out"))]

    def give_up(_tx: object, subject: str, reason: str) -> None:
        if locked:
            raise locked.pop()
        place.left.append((subject, reason.partition(" ")[0]))

    monkeypatch.setattr(queue_module.time, "sleep", lambda _seconds: None)
    place.jobs["fail"] = Job(place._fail, attempts=3, give_up=give_up)
    worker._job("fail", "a", "a", 3)
    assert (place.waiting(), place.dead_jobs(), place.left) == (["fail:a:4"], {}, [])
    worker._job("fail", "a", "a", 4)
    assert (place.dead_jobs(), place.left) == ({"fail:a:4": "RuntimeError"}, [("a", "RuntimeError")])


class _Away(Exception):
    outage = True


LOCKED = sa.exc.OperationalError("made up", None, Exception("lock time-out"))


@pytest.mark.parametrize("hindrance", [LOCKED, sa.exc.TimeoutError(), _Away()], ids=["locked", "no connection", "away"])
def test_outages_and_failures_of_a_job_are_counted_apart(place: Place, hindrance: Exception) -> None:
    worker, comes = place.worker(), [hindrance, RuntimeError(), hindrance, RuntimeError()]

    def fail(_subject: str) -> None:
        raise comes.pop(0)

    place.jobs["fetch"] = Job(fail, attempts=2, outages=3)
    for key, attempt in (("a", 1), ("a:outage-1", 1), ("a:outage-1", 2)):
        worker._job("fetch", "a", key, attempt)
    assert place.waiting() == ["fetch:a:outage-1:1", "fetch:a:outage-1:2", "fetch:a:outage-2:2"]
    worker._job("fetch", "a", "a:outage-2", 2)
    assert place.dead_jobs() == {"fetch:a:outage-2:2": "RuntimeError"}


def test_an_outage_without_end_is_given_up_and_waits_no_longer_than_it_may(place: Place) -> None:
    def fail(_subject: str) -> None:
        raise LOCKED

    place.jobs["fetch"] = Job(fail, attempts=2, outages=5000, cap=60)
    worker = place.worker()
    worker._job("fetch", "a", "a:outage-4998", 1)
    assert (place.waiting(), place.dead_jobs()) == (["fetch:a:outage-4999:1"], {})
    worker._job("fetch", "a", "a:outage-4999", 1)
    assert place.dead_jobs() == {"fetch:a:outage-4999:1": "OperationalError"}


def test_of_a_job_that_knows_no_outages_each_is_an_attempt(place: Place) -> None:
    def fail(_subject: str) -> None:
        raise LOCKED

    place.jobs["once"] = Job(fail, attempts=1)
    place.worker()._job("once", "a", "a", 1)
    assert place.dead_jobs() == {"once:a:1": "OperationalError"}


# ---- what somebody died of, perhaps


@pytest.mark.parametrize("taken_over", [True, False])
def test_only_what_was_taken_over_is_done_one_at_a_time(place: Place, monkeypatch: pytest.MonkeyPatch, taken_over: bool) -> None:
    alone: list[bool] = []
    worker = place.worker()
    place.jobs["look"] = Job(lambda _subject: alone.append(worker._one_by_one.locked()))
    monkeypatch.setattr(place.queue, "taken_over", lambda *_job: taken_over)
    monkeypatch.setattr(queue_module.random, "uniform", lambda _from, _to: 0.0)
    worker._job("look", "a", "a", 1)
    assert alone == [taken_over]
    assert not worker._one_by_one.locked(), "the next one would wait for ever"


def test_one_that_fails_after_it_was_taken_over_lets_the_next_one_in(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = place.worker()
    monkeypatch.setattr(place.queue, "taken_over", lambda *_job: True)
    monkeypatch.setattr(queue_module.random, "uniform", lambda _from, _to: 0.1)
    threads = [threading.Thread(target=worker._job, args=(name, "a", "a", 1)) for name in ("fail", "run")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert place.done == ["a"]
    assert place.waiting() == ["fail:a:2"]


# ---- time


def test_how_long_a_job_may_wait_is_what_it_says_and_a_newer_program_s_may_wait_for_ever(place: Place) -> None:
    worker = place.worker()
    assert worker._longest_wait("fail") == 120
    place.jobs["fail"] = Job(place._fail, cap=10, wait=50)
    assert worker._longest_wait("fail") == 50
    assert worker._longest_wait("of_tomorrow") == math.inf
