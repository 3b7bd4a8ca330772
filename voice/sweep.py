"""What the provider still has of us: looked for by the hour, so that nothing stays there because a message got lost.

Nobody else's is touched. A recording is ours if its call is; of a call that was never here it is left and counted, unless the
operator says that the account is the line's alone (SWEEP_ACCOUNT). Calls are known here for a month, a thousand times as long.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.engine import Connection, Engine, Row

from voice import gone, store
from voice.config import Config
from voice.dialogue.session import Session
from voice.errors import ProviderError
from voice.preparations import KEEP, Placing, Preparations
from voice.provider import Listed, Provider
from voice.queue import Job, Queue

log = logging.getLogger(__name__)

YOUNG = 10 * 60  # seconds in which a recording may still be on its ordinary way
LISTED_DAYS = 31  # older ones are of calls that are not known here any more
CALL_WAIT = 3600  # seconds after its end before the provider is asked to delete a call
REFUSALS = 20  # in a row: then the provider is not in the mood tonight


class Sweep:
    """The regular looks, and the job that deletes one call's record at once."""

    def __init__(self, config: Config, engine: Engine, queue: Queue, provider: Provider, clock: Callable[[], float] = time.time) -> None:
        self._whole_account = config.sweep_account
        self._engine = engine
        self._provider = provider
        self._clock = clock
        self._preparations = Preparations(queue, clock)

    def job(self) -> Job:
        return Job(self.erase_call, attempts=5, base=60, cap=3600)

    def recordings(self) -> None:
        """By the hour: take in what was never heard of, delete what has no business there."""
        now, others = self._clock(), 0
        since = datetime.fromtimestamp(now, UTC) - timedelta(days=LISTED_DAYS)
        for listed in list(self._provider.recordings(since)):  # the list first: deleting moves what stands on its later pages
            if not listed.complete or listed.made_at > now - YOUNG:
                continue
            with store.writing(self._engine) as tx:
                delete = self._judge(tx, listed)
            if delete is None:
                others += 1
            elif delete:
                self._delete(listed.sid)
        with store.writing(self._engine) as tx:
            gone.note(tx, f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d}", gone.OTHERS, others)

    def calls(self) -> None:
        """By night: the records of calls that are over."""
        with store.reading(self._engine) as look:
            ended = gone.ended_calls(look, self._clock() - CALL_WAIT)
        refused = 0
        for call_sid in ended:
            try:
                self.erase_call(call_sid)
                refused = 0
            except ProviderError as error:  # the next night tries again, as long as the call is known here
                log.warning("the record of a call stays at the provider: %(error)s", {"error": error})
                refused += 1
                if refused == REFUSALS:
                    return

    def erase_call(self, call_sid: str) -> None:
        """Have the provider delete its record of a call, once."""
        with store.reading(self._engine) as look:
            call = store.call(look, call_sid)
        if call is None or call.erased_at is None:
            self._provider.delete_call(call_sid)
            with store.writing(self._engine) as tx:
                store.save_call(tx, call_sid, erased_at=self._clock())

    def _judge(self, tx: Connection, listed: Listed) -> bool | None:
        """Whether to delete it; None if it is somebody else's. What was never heard of is taken in here."""
        call = store.locked_call(tx, listed.call_sid)
        if call is None:
            return True if self._whole_account else None
        known = store.utterance(tx, listed.sid)
        if known is not None:
            return bool(known.status != "expected")  # else its job is under way, or gives it up and deletes it
        row = self._preparation(tx, listed)
        if row is None or row.status in ("deleted", "expired") or row.created_at < self._clock() - KEEP:
            return True
        # Neither the end of the recording nor its news came here, and the provider does not tell its address: to which question it
        # was said is not known. It stands in the mail as what was said besides, as words under a wrong question would be worse.
        turn = Session.from_json(call.session).turn
        self._preparations.expect(tx, listed.sid, Placing(call.call_sid, turn, row.id, "", 1), complete=True)
        return False

    def _preparation(self, tx: Connection, listed: Listed) -> Row[Any] | None:
        """The one that the call added to when the recording was made."""
        of_call = store.preparations_of(tx, listed.call_sid)
        rows = [row for one in of_call if (row := store.locked_preparation(tx, one)) is not None and row.late_of is None]
        before = [row for row in rows if row.created_at <= listed.made_at + 1]  # two clocks
        return before[-1] if before else rows[0] if rows else None

    def _delete(self, recording_sid: str) -> None:
        try:
            self._provider.delete_recording(recording_sid)
        except ProviderError as error:  # the next hour tries again
            log.warning("a recording stays at the provider: %(error)s", {"error": error})
            return
        with store.writing(self._engine) as tx:
            store.save_utterance(tx, recording_sid, erased=True)
