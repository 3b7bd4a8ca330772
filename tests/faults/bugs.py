"""Bugs to be caught: each is a patch of the processes under test (``FAULTS="… tests.faults.bugs:NAME"``), as ``hasty`` is for time.

Each is a mistake that a reasonable person could make. ``BUGS`` says which row must catch it, with which case, and what that says then.
"""

import os
import threading
import time
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tests.dtmf_transcriber import DtmfTranscriber
from voice import jobs, store
from voice.calls import Calls
from voice.jobs import Jobs
from voice.preparations import Placing, Preparations
from voice.provider import Provider
from voice.queue import Queue, Worker
from voice.speech import Transcript

STEPS, POWER, TWO_OF_EACH = "steps", "power", "two of each"
A_MOMENT = 0.5  # seconds by which a bug's window is held open


@dataclass(frozen=True)
class Bug:
    name: str
    row: str
    says: str  # part of what the row says when it catches it
    case: str = ""  # of the steps


BUGS = (
    Bug("mark_before_send", STEPS, "counts as sent whose mail never came", "worker:the mail is handed over:before"),
    Bug("enqueue_after_commit", STEPS, "still under way", "web:an answer is recorded:after"),
    Bug("acknowledge_before_commit", STEPS, "acknowledged recording is left|lost", "web:an answer is recorded:before"),
    Bug("no_sweep", STEPS, "still under way", "worker:a recording is fetched:before"),
    Bug("erase_before_seal", STEPS, "a recording was given up", "worker:a recording is fetched:between"),
    Bug("done_before_it_is_run", STEPS, "still under way", "worker:a recording is fetched:before"),
    Bug("send_again_what_was_sent", STEPS, "copies of mails that no kill made", "worker:the mail is handed over:after"),
    Bug("another_message_id_each_time", STEPS, "a mail belongs to no preparation|never came", "worker:the mail is handed over:between"),
    Bug("words_in_a_log", STEPS, "stands in clear", "worker:an answer is written down:before"),
    Bug("missing_sync", POWER, "answered /calls"),
    Bug("lost_fan_in_lock", TWO_OF_EACH, "still under way"),
)


def mark_before_send() -> None:
    send, make, current = Jobs.send, Jobs.__init__, threading.local()

    def sending(self: Jobs, preparation: str) -> None:
        current.preparation = preparation
        send(self, preparation)

    def making(self: Jobs, *arguments: Any, **named: Any) -> None:
        make(self, *arguments, **named)
        hand_over = self._send_mail

        def marked(message: Any) -> None:
            self._mark(current.preparation, status="sent", sent_at=time.time())
            hand_over(message)

        self._send_mail = marked

    Jobs.send, Jobs.__init__ = sending, making  # type: ignore[method-assign]


def enqueue_after_commit() -> None:
    enqueue, waiting = Queue.enqueue, threading.local()

    def later(self: Queue, connection: Connection, *arguments: Any, **named: Any) -> None:
        if hasattr(waiting, "jobs"):
            waiting.jobs.append((arguments, named))
        else:
            enqueue(self, connection, *arguments, **named)

    def then_enqueue(name: str) -> None:
        plain = getattr(Calls, name)

        @wraps(plain)
        def wrapped(self: Calls, *arguments: Any, **named: Any) -> Any:
            waiting.jobs = []
            result = plain(self, *arguments, **named)
            found = waiting.__dict__.pop("jobs")
            with store.writing(self._engine) as tx:
                for job, options in found:
                    enqueue(self._queue, tx, *job, **options)
            return result

        setattr(Calls, name, wrapped)

    Queue.enqueue = later  # type: ignore[method-assign]
    for name in ("happened", "recording", "hung_up"):
        then_enqueue(name)


def acknowledge_before_commit() -> None:
    expect = Preparations.expect

    def expecting(self: Preparations, tx: Connection, recording_sid: str, placing: Placing, *, complete: bool) -> bool:
        def store_it() -> None:
            time.sleep(A_MOMENT)
            with store.writing(tx.engine) as own:
                expect(self, own, recording_sid, placing, complete=complete)

        threading.Thread(target=store_it).start()
        return True

    Preparations.expect = expecting  # type: ignore[method-assign]


def no_sweep() -> None:
    Worker._sweep = lambda self, dbos: None  # type: ignore[method-assign]


def erase_before_seal() -> None:
    fetch = Provider.recording

    def fetching(self: Provider, recording_sid: str) -> bytes:
        sound = fetch(self, recording_sid)
        self.delete_recording(recording_sid)
        return sound

    Provider.recording = fetching  # type: ignore[method-assign]


def done_before_it_is_run() -> None:
    job = Worker._job

    def starting(self: Worker, *arguments: Any) -> None:
        def run() -> None:
            time.sleep(A_MOMENT)
            job(self, *arguments)

        threading.Thread(target=run, daemon=True).start()

    Worker._job = starting  # type: ignore[method-assign]


def send_again_what_was_sent() -> None:
    freeze = Preparations.freeze

    def freezing(self: Preparations, tx: Connection, preparation: str) -> Any:
        row = store.locked_preparation(tx, preparation)
        return row if row is not None and row.status == "sent" else freeze(self, tx, preparation)

    Preparations.freeze = freezing  # type: ignore[method-assign]


def another_message_id_each_time() -> None:
    build = jobs.build_message
    jobs.build_message = lambda mail, **named: build(mail, **{**named, "preparation_id": store.new_id()})


def words_in_a_log() -> None:
    settle = Preparations.settle

    def settling(self: Preparations, tx: Connection, utterance: str, status: str, **more: Any) -> None:
        settle(self, tx, utterance, status, **more)
        with (Path(os.environ["DATA_DIR"]) / "log").open("a") as log:
            log.write(f"{utterance} {last.transcript}\n")

    last, write_down = threading.local(), DtmfTranscriber.transcribe

    def transcribing(self: DtmfTranscriber, sound: bytes, language: str) -> Transcript:
        last.transcript = write_down(self, sound, language)
        return last.transcript

    DtmfTranscriber.transcribe, Preparations.settle = transcribing, settling  # type: ignore[method-assign,assignment]


def missing_sync() -> None:
    settings = store._sqlite_settings

    def hasty_settings(connection: Any, record: object) -> None:
        settings(connection, record)
        connection.execute("PRAGMA synchronous=OFF")

    store._sqlite_settings = hasty_settings

    @sa.event.listens_for(sa.Engine, "connect")
    def hasty_session(connection: Any, _record: object) -> None:
        if isinstance(connection, psycopg.Connection):
            connection.execute("SET synchronous_commit TO off")
            connection.commit()


def lost_fan_in_lock() -> None:
    unsettled = store.unsettled

    def without_lock(connection: Connection, table: sa.Table, key: str) -> Any:
        return connection.execute(sa.select(table).where(next(iter(table.primary_key)) == key)).one_or_none()

    def looking_long(connection: Connection, preparation: str) -> list[str]:
        found = unsettled(connection, preparation)
        time.sleep(A_MOMENT)
        return found

    store._locked, store.unsettled = without_lock, looking_long
