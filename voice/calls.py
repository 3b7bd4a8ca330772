"""One call's life: load, respond, save, mark as ended.

Each webhook is one transaction that holds the call's row. A webhook names its turn: one that is not the
session's gets the stored reply again, so that duplicates, retries and stragglers change nothing.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from sqlalchemy.engine import Connection, Engine, Row

from voice import bindings, directory, store
from voice.config import Config
from voice.dialogue.engine import respond
from voice.dialogue.events import CallStarted, Event, HungUp, Mailbox, Unfinished, UtteranceRecorded
from voice.dialogue.session import Session
from voice.dialogue.turn import Turn
from voice.directory import caller_keys
from voice.nonces import is_nonce, nonce
from voice.preparations import Placing, Preparations
from voice.prompts import Prompts
from voice.queue import Queue

log = logging.getLogger(__name__)

CALLBACK_GRACE = 15  # seconds: at a hang-up in mid-answer the news of the recording may come after the news of the hang-up
GONE = 30 * 60  # seconds without a webhook after which the end of the call must have been lost on the way
HOUR, DAY = 3600, 86400


class Writer(Protocol):
    """How replies are written for the provider."""

    def turn(self, turn: Turn, number: int, preparation: str | None, nonce: str) -> str: ...

    def say(self, phrase: str) -> str:
        """Say one phrase and hang up."""
        ...

    def reject(self) -> str:
        """Do not take the call."""
        ...


class Calls:
    """The calls of one line."""

    def __init__(
        self, engine: Engine, queue: Queue, prompts: Prompts, writer: Writer, config: Config, clock: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._queue = queue
        self._prompts = prompts
        self._writer = writer
        self._config = config
        self._clock = clock
        self._preparations = Preparations(queue, clock)

    def started(self, call_sid: str, from_number: str = "", to_number: str = "") -> str:
        """The line is called. Gives the reply."""
        keys = caller_keys(from_number, self._config.secrets)
        with store.writing(self._engine) as tx:
            call = store.locked_call(tx, call_sid)
            if call is None:
                if store.closed_because(tx) is not None:
                    return self._writer.say("closed")
                if self._full(tx, keys, from_number):
                    return self._writer.reject()
                broken_off = store.unfinished_call(tx, keys) if keys and self._config.resume_window else None
                values = {"caller": keys[0] if keys else None, "unfinished": broken_off.preparation if broken_off else None}
                store.begin_call(tx, call_sid, Session().to_json(), self._clock(), **values)
                call = store.locked_call(tx, call_sid)
                assert call is not None
                unfinished = _unfinished(broken_off) if broken_off else None
                mailbox = self._mailbox(tx, from_number, keys)
            else:
                unfinished, mailbox = None, None
            guide = self._config.guide_numbers.get(to_number, "")
            language = self._config.language_numbers.get(to_number, "")
            event = CallStarted(self._config.answer_silence, self._config.menu_words, guide, unfinished, language, mailbox)
            return self._respond(tx, call, 0, event)

    def issued(self, call_sid: str, turn: int, given: str) -> bool:
        """Whether a reply of ours named that address: what comes there is an answer to that turn."""
        return is_nonce(given, call_sid, turn, self._config.secrets)

    def happened(self, call_sid: str, turn: int, event: Event, placing: Placing | None = None, from_number: str = "") -> str | None:
        """Something happened at that turn. Gives the reply; None if the call is not known."""
        with store.writing(self._engine) as tx:
            call = store.locked_call(tx, call_sid)
            if call is None:
                return None
            if isinstance(event, UtteranceRecorded) and placing:  # first, so that the end of the call waits for it
                self._preparations.expect(tx, event.recording_sid, placing, complete=False)
            return self._respond(tx, call, turn, event, from_number)

    def recording(self, recording_sid: str, status: str, placing: Placing) -> bool:
        """News of a recording: ``completed``, ``absent`` (nothing was recorded) or ``failed``. False if the call is not known."""
        with store.writing(self._engine) as tx:
            if store.locked_call(tx, placing.call_sid) is None:
                return False
            known = self._preparations.expect(tx, recording_sid, placing, complete=status == "completed")
            if known and status != "completed":
                outcome = "silent" if status == "absent" else "failed"
                self._preparations.settle(tx, recording_sid, outcome, only_if="expected")
            return known

    def text_not_delivered(self, which: str, preparation: str, why: str) -> None:
        """News of a text, from the carrier."""
        with store.writing(self._engine) as tx:
            self._preparations.not_delivered(tx, which, preparation, why)

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
            try:
                self.hung_up(call_sid)
            except Exception as error:  # the next look tries again; the others must not wait for this one
                log.warning("the end of call %(id)s could not be noted: %(error)s", {"id": call_sid, "error": error})

    def _full(self, tx: Connection, keys: list[str], number: str) -> bool:
        """Whether a cap is reached: a flood of calls must neither bill the operator nor keep others out."""
        config, now = self._config, self._clock()
        if store.count_live_calls(tx, now - GONE) >= config.calls_at_once:
            return True
        if store.call_seconds(tx, now - DAY) >= config.minutes_per_day * 60:
            return True
        if not keys:
            return store.count_calls(tx, now - HOUR, []) >= config.withheld_per_hour
        if number in config.shared_numbers:
            return False
        return (
            store.count_calls(tx, now - HOUR, keys) >= config.calls_per_hour
            or store.count_calls(tx, now - DAY, keys) >= config.calls_per_day
        )

    def _mailbox(self, tx: Connection, number: str, keys: list[str]) -> Mailbox | None:
        """Where a preparation from this number can go; None in a trial."""
        if self._config.trial:
            return None
        own = bindings.known(tx, keys, self._clock()) if number not in self._config.shared_numbers else None
        hint = directory.read_hint(own, self._config.secrets) if own else None
        text = directory.may_be_texted(tx, number, keys, self._config, self._clock())
        return Mailbox(hint.domain if hint else "", text, seen=bool(keys))

    def _address(self, tx: Connection, preparation: str, session: Session, call: Row[Any], number: str) -> None:
        """Note what was said in the call about where this preparation goes."""
        keys = caller_keys(number, self._config.secrets)
        known = bindings.known(tx, keys, self._clock()) if session.to == "known" else None
        hint = directory.read_hint(known, self._config.secrets) if known else None
        same = hint is not None and hint.domain == session.domain  # a list imported meanwhile may say otherwise than was heard
        if same and known is not None and known.expires_at is not None:  # it is in use
            bindings.change(tx, known.id, expires_at=self._clock() + directory.REMEMBERED)
        self._preparations.address(tx, preparation, call.caller, number if session.text else "", known.id if known and same else None)

    def _respond(self, tx: Connection, call: Row[Any], turn: int, event: Event, from_number: str = "") -> str:
        sid, secrets = call.call_sid, self._config.secrets
        before = Session.from_json(call.session)
        if before.over or turn != before.turn:
            return directory.show(call.reply, "reply", sid, secrets) or self._writer.say("sorry")
        before = replace(before, domain=directory.show(before.domain, "domain", sid, secrets))
        if before.to == "text" and call.preparation and self._preparations.give_up_text(tx, call.preparation):
            before = replace(before, to="failed")
        session, reply = respond(self._prompts, before, event)
        now = self._clock()
        consent_at = now if session.consent and not before.consent else call.consent_at
        if reply.keyed and call.preparation:
            placing = Placing(call.call_sid, turn, call.preparation, reply.keyed.question, reply.keyed.take)
            self._preparations.key_pressed(tx, placing, reply.keyed.yes)
        preparation = self._preparation(tx, call, before, session, consent_at)
        if session.to and preparation and preparation != call.preparation:
            self._address(tx, preparation, session, call, from_number)
        written = self._writer.turn(reply, session.turn, preparation, nonce(sid, session.turn, secrets))
        hidden = replace(session, domain=directory.hide(session.domain, "domain", sid, secrets) if session.domain else "")
        store.save_call(
            tx,
            sid,
            session=hidden.to_json(),
            reply=directory.hide(written, "reply", sid, secrets),
            heard_at=now,
            consent_at=consent_at,
            ended_at=now if session.over else None,
            preparation=preparation,
        )
        if session.ended == "deleted":
            for one in store.preparations_of(tx, call.call_sid):
                self._preparations.delete(tx, one)
        elif session.over and preparation:
            self._ended(tx, call.call_sid, preparation, session, event)
        return written

    def _preparation(self, tx: Connection, call: Row[Any], before: Session, session: Session, consent_at: float | None) -> str | None:
        """Where answers go from here on: made with the choice of a guide, taken over from the call that broke off, or as it was."""
        current: str | None = call.preparation
        if not session.consent or session.guide == before.guide:
            return current
        if session.resumed and call.unfinished:
            self._take_over(tx, call.unfinished)
            if self._preparations.is_open(tx, call.unfinished):
                return str(call.unfinished)
        if current:  # another guide was chosen: what was said in the first is sent on its own
            self._preparations.close(tx, current)
        assert consent_at is not None
        content = self._prompts.speaking(session.language)
        version = content.consent_version
        return self._preparations.open(tx, session.guide, content.language, consent_at, opened_by=call.call_sid, consent_version=version)

    def _take_over(self, tx: Connection, preparation: str) -> None:
        """End the call that it broke off from, if the news of its end is not here yet: two voices in one preparation could be two people's.

        Its row is locked before the preparation's, as every call does.
        """
        for call_sid in store.live_calls(tx, preparation):
            broken_off = store.locked_call(tx, call_sid)
            assert broken_off is not None
            self._respond(tx, broken_off, Session.from_json(broken_off.session).turn, HungUp())
            store.save_call(tx, call_sid, reply=self._writer.say("goodbye_stopped"))

    def _ended(self, tx: Connection, call_sid: str, preparation: str, session: Session, event: Event) -> None:
        if session.ended in ("complete", "stopped", "too_long"):
            self._preparations.close(tx, preparation)
        else:
            grace = CALLBACK_GRACE if isinstance(event, HungUp) else 0
            wait = max(self._config.resume_window * 60, grace)
            self._queue.enqueue(tx, "close", preparation, key=f"{preparation}:{call_sid}", delay=wait)


def _unfinished(call: Row[Any]) -> Unfinished:
    session = Session.from_json(call.session)
    return Unfinished(session.guide, session.answered, session.language, session.takes)
