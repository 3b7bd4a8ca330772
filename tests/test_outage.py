"""The provider's REST, the database or a clock fails for a while, and webhooks still come in: no answer goes because of that."""

from typing import Any

import pytest
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from tests.dtmf_transcriber import spaced
from tests.faults.desk import NOON, Desk, a_desk
from tests.test_seldom import speaks
from tests.test_webhooks import Phone
from voice import store
from voice.errors import ProviderError
from voice.preparations import DEADLINE
from voice.provider import answered

MINUTE = 60
MARK = "9988776655"
NOT_REACHED = ProviderError("the provider could not be reached: ConnectTimeoutError", outage=True)


def fails(desk: Desk, error: ProviderError | None) -> None:
    """From now on the provider answers so to whatever it is asked; with None it works again."""

    def fail(_sid: str) -> bytes:
        assert error is not None
        raise error

    for name in ("recording", "delete_recording"):
        if error is None:
            vars(desk.provider).pop(name, None)
        else:
            setattr(desk.provider, name, fail)


def breaks_off_at_five_past(desk: Desk) -> tuple[Phone, str]:
    """A call whose answer is acknowledged at a minute past noon."""
    phone = Phone(desk.web).at_question()
    desk.work_until(NOON + MINUTE)
    sid = speaks(desk, phone, MARK)
    desk.work_until(NOON + 5 * MINUTE)
    phone.ends()
    return phone, sid


@pytest.mark.parametrize("why", [answered("the recording", 401), pytest.param(NOT_REACHED, marks=pytest.mark.faults)], ids=str)
def test_an_answer_that_was_taken_in_during_an_outage_stands_in_the_mail_when_the_outage_ends_in_time(why: ProviderError) -> None:
    with a_desk(RESUME_WINDOW="30") as desk:
        fails(desk, why)
        breaks_off_at_five_past(desk)
        desk.work_until(NOON + 60 * MINUTE)
        assert desk.mails == []
        fails(desk, None)
        desk.work_until(NOON + 62 * MINUTE)
        assert [mail["hvad"] for mail in desk.words()] == [spaced(MARK)]
        assert desk.provider.deleted == set(desk.provider.recordings)
        assert desk.dead_jobs() == []


def test_what_an_outage_keeps_back_until_the_deadline_is_given_up_and_deleted_when_the_provider_is_there_again() -> None:
    with a_desk(RESUME_WINDOW="30") as desk:
        fails(desk, NOT_REACHED)
        phone, sid = breaks_off_at_five_past(desk)
        desk.work_until(NOON + 35 * MINUTE + DEADLINE - 1)
        assert (desk.mails, phone.utterances[sid].status) == ([], "expected")
        desk.work_until(NOON + 35 * MINUTE + DEADLINE + MINUTE)
        assert [mail["hvad"] for mail in desk.words()] == ["failed"]
        fails(desk, None)
        desk.work_until(desk.now + 20 * MINUTE)
        assert desk.provider.deleted == {sid}
        assert desk.waiting() == []
        assert desk.dead_jobs() == []


def test_a_long_outage_takes_none_of_the_tries_of_a_recording_that_is_not_there_at_first() -> None:
    with a_desk(RESUME_WINDOW="30") as desk:
        fails(desk, NOT_REACHED)
        breaks_off_at_five_past(desk)
        desk.work_until(NOON + 30 * MINUTE)
        fails(desk, answered("the recording", 404))
        desk.work_until(NOON + 40 * MINUTE)
        fails(desk, None)
        desk.work_until(NOON + 42 * MINUTE)
        assert [mail["hvad"] for mail in desk.words()] == [spaced(MARK)]


@pytest.mark.parametrize("job", ["fetch", "transcribe"])
def test_a_job_that_is_given_up_takes_nothing_from_the_one_that_came_further(job: str) -> None:
    """Two jobs may fetch one recording: one by the news that it is complete, one in case that this news was lost."""
    with a_desk() as desk:
        phone = Phone(desk.web).at_question()
        sid = speaks(desk, phone, MARK)
        if job == "fetch":
            desk.do(f"fetch:{sid}:1")
        before = phone.utterances[sid]
        with store.writing(desk.web.engine) as tx:
            desk.table[job].give_up(tx, sid, "ProviderError")
        assert phone.utterances[sid] == before
        phone.ends()
        desk.work_until(desk.now + MINUTE)
        assert [mail["hvad"] for mail in desk.words()] == [spaced(MARK)]


def test_an_answer_whose_row_is_locked_for_long_is_in_words_when_it_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_desk() as desk:
        phone = Phone(desk.web).at_question()
        sid = speaks(desk, phone, MARK)
        phone.ends()
        settle, locked = desk.jobs._preparations.settle, [OperationalError("made up", None, Exception("lock time-out"))] * 20

        def waits(tx: Connection, utterance: str, status: str, **more: Any) -> None:
            if locked:
                raise locked.pop()
            settle(tx, utterance, status, **more)

        monkeypatch.setattr(desk.jobs._preparations, "settle", waits)
        desk.work_until(desk.now + DEADLINE - 1)
        assert [mail["hvad"] for mail in desk.words()] == [spaced(MARK)]
        assert (phone.utterances[sid].status, desk.dead_jobs()) == ("heard", [])
