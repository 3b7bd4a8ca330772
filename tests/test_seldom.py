"""What seldom happens in whole calls: second runs of a job, ids that nobody knows, a guide that was taken away."""

import pytest

from tests.faults.desk import Desk, a_desk
from tests.speech_contract import silence_wav
from tests.test_webhooks import Phone, recording
from voice import vault
from voice.calls import GONE
from voice.dialogue.engine import respond
from voice.dialogue.events import CallStarted, HungUp, NoInput, UtteranceRecorded
from voice.dialogue.session import Session
from voice.dialogue.turn import Hangup
from voice.jobs import _guide
from voice.preparations import Placing
from voice.vault import SealBroken


def speaks(desk: Desk, phone: Phone, mark: str) -> str:
    sid, news = recording(), phone.urls["news"]
    if mark:
        desk.provider.recordings[sid] = mark
    phone.speaks(sid)
    assert phone.news(sid, url=news, status="completed" if mark else "absent") == 204
    return sid


def test_what_is_written_down_is_not_written_down_again() -> None:
    with a_desk() as desk:
        phone = Phone(desk.web).at_question()
        sid = speaks(desk, phone, "9988776655")
        desk.work()
        before = phone.utterances[sid]
        assert before.status == "heard"
        desk.jobs.transcribe(sid)
        desk.jobs.fetch(sid)
        assert phone.utterances[sid] == before


def test_a_call_whose_end_was_lost_is_ended_and_sent() -> None:
    with a_desk() as desk:
        phone = Phone(desk.web).at_question()
        speaks(desk, phone, "9988776655")
        desk.later(GONE - 1)
        desk.calls.end_silent()
        assert not phone.session.over
        desk.later(2)
        desk.calls.end_silent()
        assert phone.session.over
        desk.work_until(desk.now + 60)
        assert [mail["hvad"] for mail in desk.words()] == ["9 9 8 8 7 7 6 6 5 5"]


def test_of_a_call_that_nobody_knows_nothing_is_kept() -> None:
    with a_desk() as desk:
        unknown = "CA" + "9" * 32
        assert desk.calls.happened(unknown, 1, NoInput()) is None
        assert not desk.calls.recording("RE" + "9" * 32, "completed", Placing(unknown, 1, "0" * 32, "hvad", 1))
        assert desk.waiting() == []


def test_a_silence_that_comes_after_the_mail_makes_no_mail() -> None:
    with a_desk() as desk:
        phone = Phone(desk.web).at_question()
        news = phone.urls["news"]
        speaks(desk, phone, "9988776655")
        phone.ends()
        desk.work_until(desk.now + 60)
        sid = recording()
        desk.provider.recording = lambda _sid: silence_wav(2)  # type: ignore[method-assign]
        assert phone.news(sid, url=news) == 204
        desk.work_until(desk.now + 600)
        assert len(desk.mails) == 1
        assert desk.statuses() == ["sent", "empty"]


def test_the_answers_to_a_guide_that_was_taken_away_are_sent_all_the_same() -> None:
    with a_desk() as desk:
        guide = _guide(desk.prompts, "taken_away")
        assert (guide.id, guide.questions) == ("taken_away", ())


def test_after_the_end_whatever_happens_is_the_end() -> None:
    with a_desk() as desk:
        session, _ = respond(desk.prompts, Session(), CallStarted(6))
        over, _ = respond(desk.prompts, session, HungUp())
        assert over.over
        assert respond(desk.prompts, over, NoInput()) == (over, respond(desk.prompts, over, HungUp())[1])
        assert isinstance(respond(desk.prompts, over, NoInput())[1].then, Hangup)


def test_a_recording_where_nothing_is_recorded_changes_nothing_but_the_turn() -> None:
    with a_desk() as desk:
        session, _ = respond(desk.prompts, Session(), CallStarted(6))
        after, _ = respond(desk.prompts, session, UtteranceRecorded("RE" + "1" * 32, 9, "#"))
        assert after.answers == ()
        assert after.place == session.place


def test_what_is_locked_opens_with_its_own_secret_and_at_its_own_place_alone() -> None:
    secret, place = bytes(range(32)), vault.place("bindings", "hint", "1")
    locked = vault.lock(secret, b"gmail.com", place)
    assert vault.unlock(secret, locked, place) == b"gmail.com"
    for wrong in (
        (bytes(32), locked, place),
        (secret, locked, vault.place("bindings", "hint", "2")),
        (secret, locked[:-1], place),
        (secret, b"\x09" + locked[1:], place),
    ):
        with pytest.raises(SealBroken):
            vault.unlock(*wrong)
