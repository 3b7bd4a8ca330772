"""One call's life: load, respond, save, mark as ended.

Each webhook is one transaction that holds the call's row. A webhook names its turn: one that is not the
session's gets the stored reply again, so that duplicates, retries and stragglers change nothing.
"""

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy.engine import Connection, Engine, Row

from voice import store
from voice.dialogue.engine import respond
from voice.dialogue.events import CallStarted, Event, HungUp, UtteranceRecorded
from voice.dialogue.session import Session
from voice.dialogue.turn import Turn
from voice.preparations import Placing, Preparations
from voice.prompts import Prompts
from voice.queue import Queue

CALLBACK_GRACE = 15  # seconds: at a hang-up in mid-answer the news of the recording may come after the news of the hang-up
GONE = 30 * 60  # seconds without a webhook after which the end of the call must have been lost on the way


class Calls:
    """The calls of one line in one language. ``write`` turns a Turn of that number into the reply that is stored and sent."""

    def __init__(
        self,
        engine: Engine,
        queue: Queue,
        prompts: Prompts,
        write: Callable[[Turn, int], str],
        *,
        final_silence: int,
        resume_window: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._queue = queue
        self._prompts = prompts
        self._write = write
        self._final_silence = final_silence
        self._resume_window = resume_window  # minutes
        self._clock = clock
        self._preparations = Preparations(queue, clock)

    def started(self, call_sid: str) -> str:
        """The line is called. Gives the reply."""
        with store.writing(self._engine) as tx:
            store.begin_call(tx, call_sid, Session().to_json(), self._clock())
            call = store.locked_call(tx, call_sid)
            assert call is not None
            return self._respond(tx, call, 0, CallStarted(self._final_silence))

    def happened(self, call_sid: str, turn: int, event: Event, placing: Placing | None = None) -> str | None:
        """Something happened at that turn. Gives the reply; None if the call is not known."""
        with store.writing(self._engine) as tx:
            call = store.locked_call(tx, call_sid)
            if call is None:
                return None
            if isinstance(event, UtteranceRecorded) and placing and call.preparation:  # first, so that the end of the call waits for it
                self._preparations.expect(tx, call.preparation, event.recording_sid, placing, complete=False)
            return self._respond(tx, call, turn, event)

    def recording(self, recording_sid: str, status: str, placing: Placing) -> bool:
        """News of a recording: ``completed``, ``absent`` (nothing was recorded) or ``failed``. False if the call is not known."""
        with store.writing(self._engine) as tx:
            call = store.locked_call(tx, placing.call_sid)
            if call is None or call.preparation is None:
                return False
            self._preparations.expect(tx, call.preparation, recording_sid, placing, complete=status == "completed")
            if status != "completed":
                outcome = "silent" if status == "absent" else "failed"
                self._preparations.settle(tx, recording_sid, outcome, only_if="expected")
            return True

    def hung_up(self, call_sid: str) -> None:
        """The call is over, whoever ended it."""
        with store.writing(self._engine) as tx:
            call = store.locked_call(tx, call_sid)
            if call is not None:
                self._respond(tx, call, Session.from_json(call.session).turn, HungUp())

    def end_silent(self) -> None:
        """End the calls whose end was lost on the way, so that what was said in them is sent."""
        with store.reading(self._engine) as look:
            gone = store.silent_calls(look, self._clock() - GONE)
        for call_sid in gone:
            self.hung_up(call_sid)

    def _respond(self, tx: Connection, call: Row[Any], turn: int, event: Event) -> str:
        before = Session.from_json(call.session)
        if before.over or turn != before.turn:
            return str(call.reply)
        session, reply = respond(self._prompts, before, event)
        now = self._clock()
        preparation = call.preparation
        consent_at = now if session.consent and not before.consent else call.consent_at
        if session.consent and session.guide and preparation is None:
            preparation = self._preparations.open(tx, session.guide, self._prompts.language, consent_at)
        written = self._write(reply, session.turn)
        store.save_call(
            tx,
            call.call_sid,
            session=session.to_json(),
            reply=written,
            heard_at=now,
            consent_at=consent_at,
            ended_at=now if session.over else None,
            preparation=preparation,
        )
        if reply.keyed and preparation:
            placing = Placing(call.call_sid, turn, reply.keyed.question, reply.keyed.take)
            self._preparations.key_pressed(tx, preparation, placing, reply.keyed.yes)
        if session.over and preparation:
            self._ended(tx, call.call_sid, preparation, session, event)
        return written

    def _ended(self, tx: Connection, call_sid: str, preparation: str, session: Session, event: Event) -> None:
        if session.ended in ("complete", "too_long"):
            self._preparations.close(tx, preparation)
        else:
            grace = CALLBACK_GRACE if isinstance(event, HungUp) else 0
            wait = max(self._resume_window * 60, grace)
            self._queue.enqueue(tx, "close", preparation, key=f"{preparation}:{call_sid}", delay=wait)
