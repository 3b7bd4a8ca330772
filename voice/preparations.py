"""What one mail is made of, from the first answer to the moment nothing more goes in.

::

    open ──> closed ──> sending ──> sent | undeliverable ──(again, or to another address)──> closed
               │ ^         ├─────> empty (nothing was said)       deleted, from anywhere before sent
               │ └──────── waiting (for an address) ──> expired

Whoever changes a preparation holds its row's lock, so that two last answers cannot miss each other.
What comes after ``sending`` is not lost: it makes a late preparation, a mail of its own.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection, Row

from voice import bindings, keyring, store, vault
from voice.errors import VoiceError
from voice.queue import Queue

DEADLINE = 30 * 60  # seconds after closing at which it goes without whatever is not there yet
WAIT = 72 * 3600  # seconds for an address to be given
HOUR_MORE = 3600  # seconds more for an address, if the end of that time was missed
REMIND = 24 * 3600  # seconds of them after which one more text is sent
AGAIN = 3  # times that somebody who never got it can have it sent again
KEEP = keyring.KEEP  # seconds, whatever became of the mail; its key dies soon after
REGULARLY = 3600  # seconds between two looks for what is too old
OVERDUE = 5 * 60  # seconds of lateness of the deadline itself that tell that no worker was there
EARLY = 60  # seconds by which clocks may differ: a job that comes earlier comes again
LATE_WAIT = 60  # seconds for more late answers to join the first
CALLBACK_LOST = 60  # seconds after which a recording is fetched although nobody said that it is complete


class NoWorkerKey(VoiceError):
    """No worker has ever started here, so there is nobody to seal to."""


@dataclass(frozen=True, slots=True)
class Placing:
    """Where an utterance belongs."""

    call_sid: str
    turn: int
    preparation: str
    question: str
    take: int


class Preparations:
    """Every method works in the caller's transaction."""

    def __init__(self, queue: Queue, clock: Callable[[], float] = time.time) -> None:
        self._queue = queue
        self._clock = clock

    def open(
        self,
        tx: Connection,
        guide: str,
        language: str,
        consent_at: float,
        *,
        opened_by: str,
        consent_version: str | None = None,
        late_of: str | None = None,
    ) -> str:
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
            opened_by=opened_by,
            late_of=late_of,
            consent_at=consent_at,
            consent_version=consent_version,
            created_at=self._clock(),
            public_key=public,
            worker_key=worker_key,
            private_key_sealed=vault.seal(worker_key, private, vault.place("preparations", "private_key", preparation)),
        )
        return preparation

    def address(self, tx: Connection, preparation: str, caller: str, number: str, binding: str | None) -> None:
        """Where it goes: to the address of that binding, or to the one that a text to ``number`` asks for. "" is never texted."""
        row = store.locked_preparation(tx, preparation)
        assert row is not None
        sealed = vault.seal(row.public_key, number.encode(), vault.place("preparations", "number", preparation)) if number else None
        store.save_preparation(tx, preparation, caller=caller, number_sealed=sealed, binding=binding)
        if binding is None and sealed:
            self._queue.enqueue(tx, "invite", preparation)

    def texted(self, tx: Connection, preparation: str) -> None:
        """The provider took the text with its link; the carrier may have given it up meanwhile."""
        row = store.locked_preparation(tx, preparation)
        if row is not None and row.text is None:
            store.save_preparation(tx, preparation, text="sent")

    def not_delivered(self, tx: Connection, which: str, preparation: str, why: str) -> None:
        """A text that the provider took did not arrive. If it was the one with the link, the caller is told while there."""
        row = store.locked_preparation(tx, preparation)
        if row is None or row.caller is None:
            return
        bindings.add_text(tx, f"{which}:{preparation}", row.caller, self._clock(), why)
        if which == "invite" and not bindings.written(tx, preparation):
            store.save_preparation(tx, preparation, text="failed")

    def give_up_text(self, tx: Connection, preparation: str) -> bool:
        """Delete it if its text cannot be sent, as nothing of it could be either. Tells whether that was so."""
        row = store.locked_preparation(tx, preparation)
        if row is None or row.text != "failed" or row.binding is not None:
            return False
        self.delete(tx, preparation)
        return True

    def bound(self, tx: Connection, preparation: str, binding: str) -> None:
        """An address is confirmed for it: what waited for that is sent, and what was sent elsewhere in vain is sent there."""
        for one in (preparation, *(row.id for row in store.locked_late_preparations(tx, preparation))):
            row = store.locked_preparation(tx, one)
            assert row is not None
            if row.status in ("waiting", "undeliverable"):
                self._again(tx, row, f"{one}:{binding}", binding=binding)
            elif row.status in ("open", "closed", "sending"):  # who sends it reads the address after this, or finds none and waits
                store.save_preparation(tx, one, binding=binding)

    def again(self, tx: Connection, row: Row[Any]) -> bool:
        """Send it once more to the address that it went to. Tells whether it will be."""
        if row.status != "sent" or row.mails >= AGAIN or not row.private_key_sealed:
            return False
        self._again(tx, row, f"{row.id}:mail {row.mails + 1}")
        return True

    def _again(self, tx: Connection, row: Row[Any], key: str, **values: Any) -> None:
        mails = row.mails + (row.status != "waiting")
        store.save_preparation(tx, row.id, status="closed", mails=mails, **values)
        self._queue.enqueue(tx, "send", row.id, key=key)

    def wait_for_address(self, tx: Connection, preparation: str) -> bool:
        """All is there but an address. Tells whether it must wait: one may have come this very moment."""
        row = store.locked_preparation(tx, preparation)
        if row is None or row.status != "sending" or row.binding:
            return False
        store.save_preparation(tx, preparation, status="waiting", waiting_since=self._clock())
        if row.number_sealed:
            self._queue.enqueue(tx, "invite", preparation)  # again, if an address was known that is gone
            self._queue.enqueue(tx, "remind", preparation, delay=REMIND)
        self._queue.enqueue(tx, "expire", preparation, delay=WAIT)
        return True

    def expire(self, tx: Connection, preparation: str) -> None:
        """Nobody gave an address: what was said goes. If this comes late itself, the clock was set, or nobody was there: an hour more."""
        row = store.locked_preparation(tx, preparation)
        if row is not None and row.status == "waiting" and self._is_time(tx, "expire", row, "waiting_since", WAIT, HOUR_MORE):
            self._shred(tx, preparation, status="expired")

    def is_open(self, tx: Connection, preparation: str) -> bool:
        """Whether calls may still add to it; it stays so until this transaction ends."""
        row = store.locked_preparation(tx, preparation)
        return row is not None and row.status == "open"

    def key_pressed(self, tx: Connection, placing: Placing, yes: bool) -> None:
        """Keep a yes/no answer."""
        utterance = f"{placing.call_sid}:{placing.turn}"
        row = store.locked_preparation(tx, placing.preparation)
        assert row is not None
        words = json.dumps({"yes": yes}).encode()
        sealed = vault.seal(row.public_key, words, vault.place("utterances", "words", utterance))
        self._add(tx, placing.preparation, utterance, placing, status="keyed", words_sealed=sealed)

    def expect(self, tx: Connection, recording_sid: str, placing: Placing, *, complete: bool) -> bool:
        """Take in the news of a recording, once, however often and in whatever order it comes. False if its preparation is not known."""
        row = store.locked_preparation(tx, placing.preparation)
        if row is None:
            return False
        if row.status == "deleted":  # the caller had all deleted: what comes after that goes the same way
            self._queue.enqueue(tx, "erase", recording_sid)
            return True
        known = store.utterance(tx, recording_sid)
        if known is None:
            self._add(tx, self._taking_in(tx, row), recording_sid, placing, status="expected")
        if complete:
            self._queue.enqueue(tx, "fetch", recording_sid)
        elif known is None:
            self._queue.enqueue(tx, "fetch", recording_sid, key=f"{recording_sid}:unannounced", delay=CALLBACK_LOST)
        return True

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
        if not store.live_calls(tx, preparation):
            self.close(tx, preparation)

    def send_if_ready(self, tx: Connection, preparation: str) -> None:
        """Enqueue the sending when all is there. The preparation's row must be locked."""
        row = store.locked_preparation(tx, preparation)
        if row is not None and row.status == "closed" and not store.unsettled(tx, preparation):
            self._queue.enqueue(tx, "send", preparation)

    def deadline(self, tx: Connection, preparation: str) -> None:
        """What is not in words by now is given up, and the mail says so.

        If this comes late itself, no worker was there to fetch and to write down: then they get the whole time once more.
        """
        row = store.locked_preparation(tx, preparation)
        if row is None or row.status != "closed" or not self._is_time(tx, "deadline", row, "closed_at", DEADLINE, DEADLINE):
            return
        for utterance in store.unsettled(tx, preparation):
            self.settle(tx, utterance, "failed")
        self.send_if_ready(tx, preparation)

    def _is_time(self, tx: Connection, job: str, row: Row[Any], since: str, wait: float, more: float) -> bool:
        """Whether this job comes ``wait`` seconds after that moment. One that comes early, by another host's clock, comes again
        when it is time, and one that comes too late has ``more`` seconds given."""
        now = self._clock()
        passed = max(0.0, now - row._mapping[since])  # less than none: our clock was set back, and it begins anew
        if wait - EARLY <= passed <= wait + OVERDUE:
            return True
        rest = wait - passed if passed < wait else more
        store.save_preparation(tx, row.id, **{since: now + rest - wait})
        self._queue.enqueue(tx, job, row.id, key=f"{row.id}:{now:.3f}", delay=rest)
        return False

    def delete(self, tx: Connection, preparation: str) -> None:
        """The caller wants all of it gone: here at once, at the provider as soon as it answers. A mail that was sent stays theirs."""
        row = store.locked_preparation(tx, preparation)
        if row is None or row.status in ("sent", "deleted"):
            return
        self._shred(tx, preparation, status="deleted")

    def erase(self, tx: Connection, row: Row[Any]) -> None:
        """All that is here of a call's answers goes: also what was sent, and what came too late for it."""
        first = row.late_of or row.id
        for one in (first, *(late.id for late in store.locked_late_preparations(tx, first))):
            self._shred(tx, one, status="deleted")

    def forget(self, tx: Connection, preparation: str) -> None:
        """All of it goes, and whom it was of."""
        row = store.locked_preparation(tx, preparation)
        if row is not None:
            self._shred(tx, preparation, key=":forget", status="deleted", caller=None, binding=None)

    def shred_old(self, tx: Connection, after_mail: float) -> None:
        """What was said goes ``after_mail`` seconds after the mail was taken, and within a week in any case, as callers are told."""
        now = self._clock()
        for preparation in store.outlived(tx, sent_before=now - after_mail, made_before=now - KEEP + REGULARLY):
            self._shred(tx, preparation, key=":shred")

    def _shred(self, tx: Connection, preparation: str, key: str = "", **values: Any) -> None:
        """What was said goes, here at once and at the provider as soon as it answers, and with it the page and the number."""
        for utterance in store.said(tx, preparation):
            if utterance.status != "keyed" and not utterance.erased:
                self._queue.enqueue(tx, "erase", utterance.id, key=utterance.id + key)
        store.delete_utterances(tx, preparation)
        bindings.forget_written(tx, preparation)
        store.save_preparation(tx, preparation, private_key_sealed=b"", number_sealed=None, page_hash=None, **values)

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

    def _taking_in(self, tx: Connection, row: Row[Any]) -> str:
        for one in (row, *store.locked_late_preparations(tx, row.id)):
            # A closed one that waits for nothing is about to be sent: what came in now would go without its words.
            if one.status == "open" or (one.status == "closed" and store.unsettled(tx, one.id)):
                return str(one.id)
        more = {"opened_by": row.opened_by, "consent_version": row.consent_version, "late_of": row.id}
        late = self.open(tx, row.guide, row.language, row.consent_at, **more)
        store.save_preparation(tx, late, binding=row.binding, caller=row.caller)
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
