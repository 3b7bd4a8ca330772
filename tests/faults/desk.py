"""A whole line in one process, whose clock stands in a test's hand: webhooks go in, jobs are done when the test says so.

What is done and how a failure is noted is the product's own; only who takes the next job, and when, is the test's.
"""

import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage

import sqlalchemy as sa
import time_machine

from tests.dtmf_transcriber import DtmfTranscriber, dtmf_wav
from tests.mailbox_line import Telephones
from tests.mails import answers
from tests.signing import memory_folder
from tests.web import Web
from voice import store
from voice.app import _bury
from voice.content import load
from voice.errors import ProviderError
from voice.invitations import Invitations
from voice.jobs import Jobs
from voice.queue import Job, Queue, Worker
from voice.retention import Retention

NOON = 1_800_000_000.0  # 2027-01-15, a Friday


@dataclass
class Provider(Telephones):
    """Keeps what was recorded until it is deleted."""

    recordings: dict[str, str] = field(default_factory=dict)  # recording -> mark
    deleted: set[str] = field(default_factory=set)

    def recording(self, recording_sid: str) -> bytes:
        if recording_sid not in self.recordings or recording_sid in self.deleted:
            raise ProviderError("the recording was answered with 404", code=404)
        return dtmf_wav(self.recordings[recording_sid])

    def delete_recording(self, recording_sid: str) -> None:
        self.deleted.add(recording_sid)


class Desk:
    """``web`` takes webhooks in; ``work`` does what is due by the clock."""

    def __init__(
        self, web: Web, clock: time_machine.Traveller, transcriber: object | None = None, chance: random.Random | None = None
    ) -> None:
        self.web = web
        self.clock = clock
        self.provider = Provider()
        self.mails: list[EmailMessage] = []
        self.done: list[str] = []  # the ids of the jobs that were begun, in their order
        self.prompts = load(web.config.prompts_dir / "da", web.config.operator_phone)
        config, engine, self._queue = web.config, web.engine, Queue(web.engine)
        queue = self._queue
        parts = (config, engine, queue, self.prompts, self.provider)
        self.invitations = Invitations(*parts, web.keyring, self.mails.append)  # type: ignore[arg-type]
        hears = transcriber or DtmfTranscriber()
        self.jobs = Jobs(*parts, hears, web.keyring, self.mails.append, recipient=self.invitations.recipient)  # type: ignore[arg-type]
        self.calls = web.app.extensions["line"].calls
        self.retention = Retention(config, engine, queue)
        self.table: Mapping[str, Job] = {**self.jobs.table(), **self.invitations.table()}
        self._worker = Worker(config.database_url, engine, queue, self.table, {}, _bury)
        self._chance = chance

    @property
    def now(self) -> float:
        return time.time()

    def at(self, moment: float) -> None:
        self.clock.move_to(moment)

    def later(self, seconds: float) -> None:
        """The clock goes on, or steps."""
        self.clock.move_to(self.now + seconds)

    def waiting(self) -> list[tuple[float, str]]:
        """Every job that is not done, with the moment at which it may begin, the earliest first."""
        with store.reading(self.web.engine) as look:
            asked = "SELECT coalesce(delay_until_epoch_ms, 0), workflow_uuid FROM workflow_status WHERE status IN ('ENQUEUED', 'DELAYED')"
            return sorted((row[0] / 1000, row[1]) for row in look.exec_driver_sql(asked))

    def work(self, most: int = 10_000) -> int:
        """Do what is due, and what becomes due by it. How many jobs that was."""
        for count in range(most):
            due = [job for moment, job in self.waiting() if moment <= self.now]
            if not due:
                return count
            self.do(self._chance.choice(due) if self._chance else due[0])
        raise AssertionError("there is no end to the work")

    def work_until(self, moment: float) -> None:
        """Let the clock go on to that moment, with a worker there all the time."""
        self.work()
        while (ahead := [due for due, _ in self.waiting() if due <= moment]) and ahead[0] > 0:
            self.at(max(self.now, ahead[0] + 0.001))  # moments are told in whole milliseconds, a clock in parts of them
            self.work()
        self.at(moment)

    def do(self, job: str) -> None:
        self.done.append(job)
        [known] = self._queue._client.list_workflows(workflow_ids=[job], load_output=False)
        self._worker._job(*known.input["args"])
        with store.writing(self.web.engine) as tx:
            tx.execute(sa.text("UPDATE workflow_status SET status = 'SUCCESS' WHERE workflow_uuid = :job"), {"job": job})

    def words(self) -> list[dict[str, str]]:
        """Of each mail, what stands under which question."""
        return [answers(mail, self.prompts) for mail in self.mails]

    def dead_jobs(self) -> list[str]:
        with store.reading(self.web.engine) as look:
            return sorted(row.id for row in look.execute(store.dead_jobs.select()))

    def statuses(self) -> list[str]:
        with store.reading(self.web.engine) as look:
            return [row.status for row in look.execute(store.preparations.select().order_by(store.preparations.c.created_at))]


@contextmanager
def a_desk(moment: float = NOON, transcriber: object | None = None, chance: random.Random | None = None, **settings: str) -> Iterator[Desk]:
    """A line at that moment, in memory, whose clock stands still until the test moves it."""
    with time_machine.travel(moment, tick=False) as clock, memory_folder() as folder:
        web = Web(folder, ATTACH_PDF="0", ATTACH_SOUND="0", **settings)
        try:
            yield Desk(web, clock, transcriber, chance)
        finally:
            web.close()
