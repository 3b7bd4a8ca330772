"""Durable jobs: the only module that knows the workflow engine (DBOS Transact).

A job is a name and a subject (an id). It is enqueued in the caller's own transaction, so that it exists
if and only if what it is about was stored. It may run again from its start at any time: its body is
idempotent and keeps its progress in our own rows. Arguments are ids, results nothing, and reasons of
failure are types, so that the engine's tables hold nothing that was said.
"""

import logging
import math
import os
import random
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from voice import postgres
from voice.clock import CLOCK_JUMP, Clock
from voice.liveness import Liveness, liveness
from voice.logs import reason
from voice.regular import Regular, Regulars

if TYPE_CHECKING:
    from dbos import DBOS

log = logging.getLogger(__name__)

APPLICATION = "samtaleklar"
VERSION = "1"  # fixed: by default DBOS leaves a job to the program version that began it, which a deploy has ended
WORKFLOW = "job"
# What writes down and what waits for a mail server stand in queues of their own: however many of them there are, a recording is
# fetched and deleted at the provider within minutes.
_QUEUES = {"transcribe": "cpu", "send": "mail", "confirm": "mail"}
_AT_ONCE = {"cpu": 1, "mail": 4, "io": 8}
SWEEP_SECONDS = 1.0
LAST_SECONDS = 5.0  # for what is under way regularly when a worker is told to stop
_BATCH = 500  # rows deleted at once, in a few milliseconds: on SQLite a call's webhook waits for them
RECOVERIES = 20  # so often a job is taken over from a worker that died with it; then it is what they died of
KEEP_DAYS = 7  # a job that is done is known for so long: in this time the same name and key again is no second job
_OUTAGE = ":outage-"  # ends the key of a job that one has hindered, with their number: so its attempts are counted apart
_AWAY = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)  # the database, or a row that another holds
LOST_LOCK_EXIT = 75  # EX_TEMPFAIL: whoever supervises starts us again

_OLDEST = (
    "SELECT min(coalesce(delay_until_epoch_ms, created_at)) FROM workflow_status WHERE name = :name "
    "AND status IN ('ENQUEUED', 'DELAYED', 'PENDING') AND coalesce(delay_until_epoch_ms, created_at) <= :now"
)
_OLDEST_ON_POSTGRESQL = _OLDEST.replace(" workflow_status", " dbos.workflow_status")


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker does for a name.

    ``run(subject)`` raises to be tried again, ``attempts`` times in all, after ``base`` seconds, doubled each
    time up to ``cap``. An exception with a true ``permanent`` attribute is not tried again. ``outages``: so often besides it is tried
    again when the database, or whoever raises with a true ``outage`` attribute, was away. ``give_up`` notes in the same transaction as
    the job's death what that means for the rest. ``wait``: the longest delay (seconds) that it is put in with.
    """

    run: Callable[[str], None]
    attempts: int = 20
    outages: int = 0
    base: float = 1.0
    cap: float = 300.0
    give_up: Callable[[Connection, str, str], None] = lambda connection, subject, reason: None
    wait: float = 0.0


class Queue:
    """Puts jobs in. Light enough for the web process."""

    def __init__(self, engine: Engine) -> None:
        from dbos import DBOSClient

        self._client = DBOSClient(system_database_engine=engine, application_name=APPLICATION, serializer=_serializer(), lazy=True)

    def enqueue(
        self, connection: Connection, name: str, subject: str, *, key: str | None = None, delay: float = 0.0, attempt: int = 1
    ) -> None:
        """Enqueue in the caller's transaction. The same name and key again is no second job, even after it is done."""
        key = key or subject
        options: dict[str, Any] = {
            "workflow_name": WORKFLOW,
            "queue_name": _QUEUES.get(name, "io"),
            "workflow_id": f"{name}:{key}:{attempt}",
            "app_version": VERSION,
        }
        if delay > 0:
            options["delay_seconds"] = delay
        self._client.enqueue_in_transaction(connection, options, name, subject, key, attempt)  # type: ignore[arg-type]

    def taken_over(self, name: str, key: str, attempt: int) -> bool:
        """Whether a worker has died with this job in hand."""
        found = self._client.list_workflows(workflow_ids=[f"{name}:{key}:{attempt}"], load_input=False, load_output=False)
        return any((workflow.recovery_attempts or 0) > 1 for workflow in found)

    def oldest(self, connection: Connection, now: float) -> float:
        """Seconds since the oldest job that is not done could have begun; 0 if there is none."""
        statement = _OLDEST_ON_POSTGRESQL if connection.dialect.name == "postgresql" else _OLDEST
        since = connection.execute(sa.text(statement), {"now": int(now * 1000), "name": WORKFLOW}).scalar_one()
        return max(0.0, now - since / 1000) if since else 0.0

    def wait_no_longer(self, longest: Callable[[str], float]) -> None:
        """Bring forward the jobs that wait for longer than ``longest(name)`` seconds can be: the clock went back since they were put in."""
        for job in self._client.list_workflows(status="DELAYED", name=WORKFLOW, load_input=False, load_output=False):
            most = longest(job.workflow_id.partition(":")[0])
            if (job.delay_until_epoch_ms or 0) / 1000 - time.time() > most + CLOCK_JUMP:
                self._client.set_workflow_delay(job.workflow_id, delay_seconds=most)

    def forget_done(self, before: datetime) -> None:
        """Delete what the engine keeps of jobs that were done before then. What failed is kept for longer."""
        while done := self._client.list_workflows(
            status="SUCCESS", completed_before=before.isoformat(), limit=_BATCH, load_input=False, load_output=False
        ):
            self._client.delete_workflows([workflow.workflow_id for workflow in done])

    def forget_old(self, before: datetime) -> None:
        """Delete what the engine keeps of jobs that were put in before then, whatever became of them."""
        while old := self._client.list_workflows(end_time=before.isoformat(), limit=_BATCH, load_input=False, load_output=False):
            self._client.delete_workflows([workflow.workflow_id for workflow in old])


@sa.event.listens_for(Engine, "connect")
def _leave_nothing(connection: Any, _record: object) -> None:
    """The engine makes connections of its own: what is deleted over them is overwritten too, however SQLite was built."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA secure_delete=ON")


def migrate(database_url: str) -> None:
    """Make or update the engine's own tables."""
    from dbos import DBOS

    DBOS.migrate(database_url)


class Worker:
    """Runs jobs until it is stopped. One in a process."""

    def __init__(
        self,
        database_url: str,
        engine: Engine,
        queue: Queue,
        jobs: Mapping[str, Job],
        regulars: Mapping[str, Regular],
        bury: Callable[[Connection, str, str, str], bool],
    ) -> None:
        """``bury(connection, id, name, reason)`` keeps the news of a job that is given up, and tells whether it was new."""
        self._url = database_url
        self._engine = engine
        self._queue = queue
        self._jobs = jobs
        self._bury = bury
        self._buried: set[str] = set()  # what the engine gave up and we have noted
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._locks: Liveness = liveness(database_url)
        self._one_by_one = threading.Lock()
        self._stop = threading.Event()
        self._clock = Clock()
        self._regulars = Regulars(engine, regulars, self._name, self._locks, self._clock)

    def run(self) -> None:
        """Work until ``stop`` is called, then finish what is under way."""
        from dbos import DBOS

        self._locks.hold(self._name)
        threading.Thread(target=self._guard, name="guard", daemon=True).start()
        DBOS(
            config={
                "name": APPLICATION,
                "system_database_url": self._url,
                "application_version": VERSION,
                "executor_id": self._name,
                "serializer": _serializer(),
                "sys_db_pool_size": 10,
                "db_engine_kwargs": {} if self._url.startswith("sqlite") else {"connect_args": postgres.arguments()},
                "max_executor_threads": 16,
                "run_migrations": False,
                "use_listen_notify": False,
                "log_level": "WARNING",
            }
        )

        @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=RECOVERIES)
        def job(name: str, subject: str, key: str, attempt: int) -> None:
            """The one generic workflow. It has no steps of the engine's, so that a changed program can go on with an old job."""
            self._job(name, subject, key, attempt)

        DBOS.launch()
        for queue, at_once in _AT_ONCE.items():
            DBOS.register_queue(queue, worker_concurrency=at_once, polling_interval_sec=0.25, on_conflict="always_update")
        for schedule in DBOS.list_schedules():
            DBOS.delete_schedule(schedule["schedule_name"])  # an older program's: nobody here could do it, and it would pile up
        self._regulars.begin()
        log.info("worker ready")
        while not self._stop.wait(SWEEP_SECONDS):
            self._sweep(DBOS)
            self._regulars.look()
        self._regulars.finish(LAST_SECONDS)
        DBOS.destroy(workflow_completion_timeout_sec=30)

    def stop(self) -> None:
        self._stop.set()

    def _job(self, name: str, subject: str, key: str, attempt: int) -> None:
        job = self._jobs.get(name, _UNKNOWN)
        try:
            with self._careful() if self._queue.taken_over(name, key, attempt) else nullcontext():
                job.run(subject)
        except Exception as error:
            self._failed(job, name, subject, key, attempt, error)

    @contextmanager
    def _careful(self) -> Iterator[None]:
        """A worker died of one of these, perhaps: one at a time and in any order, so that the others get past it."""
        time.sleep(random.uniform(0, 0.5))  # noqa: S311 - no secret # nosec B311
        with self._one_by_one:
            yield

    def _failed(self, job: Job, name: str, subject: str, key: str, attempt: int, error: Exception) -> None:
        last, wait, next_key, next_attempt = _after(job, key, attempt, error)
        fields = {"job": name, "id": subject, "attempt": attempt, "error": error}
        if last:
            log.warning("job %(job)s of %(id)s gives up after attempt %(attempt)d: %(error)s", fields)
        else:
            log.warning("job %(job)s of %(id)s failed in attempt %(attempt)d: %(error)s", fields)
        while True:
            try:
                with self._engine.begin() as connection:
                    if last:
                        self._give_up(connection, f"{name}:{key}:{attempt}", name, subject, reason(error))
                    else:
                        self._queue.enqueue(connection, name, subject, key=next_key, delay=wait, attempt=next_attempt)
                return
            except (sa.exc.DBAPIError, sa.exc.TimeoutError):  # the database is away: the failure must not be lost with it
                log.warning("job %(job)s: its failure could not be noted yet", {"job": name})
                last = False  # what its end changes may be locked for long: it gives up in another attempt, and others work meanwhile
                time.sleep(1.0)

    def _give_up(self, connection: Connection, job_id: str, name: str, subject: str, reason: str) -> None:
        if self._bury(connection, job_id, name, reason):
            self._jobs.get(name, _UNKNOWN).give_up(connection, subject, reason)

    def _guard(self) -> None:
        """End ourselves when others take us for dead. Nothing else may hold this up: the engine waits for a lost database without end."""
        try:
            while not self._locks.lost():
                time.sleep(SWEEP_SECONDS)
        finally:  # also if it cannot tell: a worker without a guard must not go on
            log.error("this worker lost its lock and ends, so that its jobs run once")
            os._exit(LOST_LOCK_EXIT)

    def _sweep(self, dbos: "type[DBOS]") -> None:
        """Take over the jobs of workers that died."""
        try:
            self._watch_the_clock()  # first: what goes for its age asks whether it was set
            pending = dbos.list_workflows(status="PENDING", load_input=False, load_output=False)
            for worker in {executor for workflow in pending if (executor := workflow.executor_id) and executor != self._name}:
                if self._locks.is_dead(worker):
                    dbos._recover_pending_workflows([worker])
                    self._locks.forget(worker)
            self._bury_given_up(dbos)
        except Exception as error:  # the next one tries again, a second later
            log.warning("the sweep failed: %(error)s", {"error": error})

    def _watch_the_clock(self) -> None:
        """What would wait for ever since the clock was set is brought forward."""
        if self._clock.look():
            self._queue.wait_no_longer(self._longest_wait)

    def _longest_wait(self, name: str) -> float:
        job = self._jobs.get(name)
        return max(job.cap * 1.2, job.wait) if job else math.inf  # what a newer program put in waits as that says

    def _bury_given_up(self, dbos: "type[DBOS]") -> None:
        """What the engine itself has given up, because every worker died of it, is as dead as what we give up."""
        for workflow in dbos.list_workflows(status=["MAX_RECOVERY_ATTEMPTS_EXCEEDED", "ERROR"], name=WORKFLOW, load_output=False):
            if workflow.workflow_id not in self._buried and workflow.input:
                name, subject, _key, _attempt = workflow.input["args"]
                log.warning("job %(job)s of %(id)s gives up: %(state)s", {"job": name, "id": subject, "state": workflow.status})
                with self._engine.begin() as connection:
                    self._give_up(connection, workflow.workflow_id, name, subject, workflow.status)
                self._buried.add(workflow.workflow_id)


def _after(job: Job, key: str, attempt: int, error: Exception) -> tuple[bool, float, str, int]:
    """Whether this try was the last; and the seconds until the next, its key and its attempt."""
    tried, most, next_key, next_attempt = attempt, job.attempts, key, attempt + 1
    if job.outages and (isinstance(error, _AWAY) or getattr(error, "outage", False)):
        stem, _, before = key.partition(_OUTAGE)
        tried, most = int(before or 0) + 1, job.outages
        next_key, next_attempt = f"{stem}{_OUTAGE}{tried}", attempt
    last = tried >= most or bool(getattr(error, "permanent", False))
    wait = min(job.cap, job.base * 2.0 ** min(tried - 1, 30)) * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load # nosec B311
    return last, wait, next_key, next_attempt


def _unknown(_subject: str) -> None:
    raise LookupError("no worker of this version knows the job")


_UNKNOWN = Job(_unknown)  # put in by a newer program: its worker may come within the hour of these attempts


def _serializer() -> Any:
    from dbos import DBOSPortableJSONSerializer

    return DBOSPortableJSONSerializer()  # the default is pickle: whoever writes to the table could run code here
