"""What one mail is made of, from the first answer to the moment nothing more goes in.

::

    open ──> closed ──> sending ──> sent | undeliverable
                 └────> empty (nothing was said)

Whoever changes a preparation holds its row's lock, so that two last answers cannot miss each other.
What comes after ``sending`` is not lost: it makes a late preparation, a mail of its own.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection, Row

from voice import store, vault
from voice.errors import VoiceError
from voice.queue import Queue

DEADLINE = 30 * 60  # seconds after closing at which it goes without whatever is not there yet
LATE_WAIT = 60  # seconds for more late answers to join the first
CALLBACK_LOST = 60  # seconds after which a recording is fetched although nobody said that it is complete


class NoWorkerKey(VoiceError):
    """No worker has ever started here, so there is nobody to seal to."""


@dataclass(frozen=True, slots=True)
class Placing:
    """Where an utterance belongs."""

    call_sid: str
    turn: int
    question: str
    take: int


class Preparations:
    """Every method works in the caller's transaction."""

    def __init__(self, queue: Queue, clock: Callable[[], float] = time.time) -> None:
        self._queue = queue
        self._clock = clock

    def open(self, tx: Connection, guide: str, language: str, consent_at: float, late_of: str | None = None) -> str:
        """A new one, with a key pair of its own whose private half only a worker can open."""
        worker_key = store.worker_key(tx)
        if worker_key is None:
            raise NoWorkerKey("no worker has started yet: start one, it makes the key that answers are sealed to")
        preparation = store.new_id()
        public, private = vault.new_pair()
        store.add_preparation(
            tx,
            preparation,
            guide=guide,
            language=language,
            late_of=late_of,
            consent_at=consent_at,
            created_at=self._clock(),
            public_key=public,
            worker_key=worker_key,
            private_key_sealed=vault.seal(worker_key, private, vault.place("preparations", "private_key", preparation)),
        )
        return preparation

    def key_pressed(self, tx: Connection, preparation: str, placing: Placing, yes: bool) -> None:
        """Keep a yes/no answer."""
        utterance = f"{placing.call_sid}:{placing.turn}"
        row = store.locked_preparation(tx, preparation)
        assert row is not None
        words = json.dumps({"yes": yes}).encode()
        sealed = vault.seal(row.public_key, words, vault.place("utterances", "words", utterance))
        self._add(tx, preparation, utterance, placing, status="keyed", words_sealed=sealed)

    def expect(self, tx: Connection, preparation: str, recording_sid: str, placing: Placing, *, complete: bool) -> None:
        """Take in the news of a recording, once, however often and in whatever order it comes."""
        known = store.utterance(tx, recording_sid)
        if known is None:
            self._add(tx, self._taking_in(tx, preparation), recording_sid, placing, status="expected")
        if complete:
            self._queue.enqueue(tx, "fetch", recording_sid)
        elif known is None:
            self._queue.enqueue(tx, "fetch", recording_sid, key=f"{recording_sid}:unannounced", delay=CALLBACK_LOST)

    def settle(self, tx: Connection, utterance: str, status: str, *, only_if: str | None = None, **values: Any) -> None:
        """An utterance has become words, or never will. Sends the preparation off if it was the last. What is settled stays so."""
        row = store.utterance(tx, utterance)
        if row is None or row.status in store.SETTLED:
            return
        store.locked_preparation(tx, row.preparation)
        if store.save_utterance(tx, utterance, only_if=only_if or row.status, status=status, **values):
            self._queue.enqueue(tx, "erase", utterance)  # also when it could not be fetched: the provider may have it
            self.send_if_ready(tx, row.preparation)

    def close(self, tx: Connection, preparation: str) -> None:
        """No call will add to it. It is sent when the last of its recordings is in words, or at the deadline."""
        row = store.locked_preparation(tx, preparation)
        if row is None or row.status != "open":
            return
        store.save_preparation(tx, preparation, status="closed", closed_at=self._clock())
        self._queue.enqueue(tx, "deadline", preparation, delay=DEADLINE)
        self.send_if_ready(tx, preparation)

    def close_unless_live(self, tx: Connection, preparation: str) -> None:
        """The time to go on with a broken-off call has passed; a call that goes on now closes it at its own end."""
        store.locked_preparation(tx, preparation)
        if store.live_calls(tx, preparation) == 0:
            self.close(tx, preparation)

    def send_if_ready(self, tx: Connection, preparation: str) -> None:
        """Enqueue the sending when all is there. The preparation's row must be locked."""
        row = store.locked_preparation(tx, preparation)
        if row is not None and row.status == "closed" and not store.unsettled(tx, preparation):
            self._queue.enqueue(tx, "send", preparation)

    def deadline(self, tx: Connection, preparation: str) -> None:
        """What is not in words by now is given up, and the mail says so."""
        row = store.locked_preparation(tx, preparation)
        if row is None or row.status != "closed":
            return
        for utterance in store.unsettled(tx, preparation):
            self.settle(tx, utterance, "failed")
        self.send_if_ready(tx, preparation)

    def freeze(self, tx: Connection, preparation: str) -> Row[Any] | None:
        """From here on nothing more goes in. None if there is nothing to send, or it was sent already."""
        row = store.locked_preparation(tx, preparation)
        if row is None or row.status not in ("closed", "sending"):
            return None
        if not store.said(tx, preparation):
            store.save_preparation(tx, preparation, status="empty")
            return None
        store.save_preparation(tx, preparation, status="sending")
        return row

    def _taking_in(self, tx: Connection, preparation: str) -> str:
        row = store.locked_preparation(tx, preparation)
        assert row is not None
        for one in (row, *store.locked_late_preparations(tx, preparation)):
            # A closed one that waits for nothing is about to be sent: what came in now would go without its words.
            if one.status == "open" or (one.status == "closed" and store.unsettled(tx, one.id)):
                return str(one.id)
        late = self.open(tx, row.guide, row.language, row.consent_at, late_of=preparation)
        self._queue.enqueue(tx, "close", late, delay=LATE_WAIT)
        return late

    @staticmethod
    def _add(tx: Connection, preparation: str, utterance: str, placing: Placing, **values: Any) -> None:
        store.add_utterance(
            tx,
            utterance,
            preparation=preparation,
            call_sid=placing.call_sid,
            turn=placing.turn,
            question=placing.question,
            take=placing.take,
            **values,
        )
