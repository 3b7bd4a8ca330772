"""What seldom happens in whole calls: second runs of a job, ids that nobody knows, a guide that was taken away."""

import logging
import re
from dataclasses import replace

import pytest

from tests.faults.desk import Desk, a_desk
from tests.mails import body
from tests.speech_contract import silence_wav
from tests.test_logs import logged
from tests.test_webhooks import Phone, recording
from voice import store, vault
from voice.calls import GONE
from voice.dialogue.events import NoInput
from voice.preparations import Placing, Preparations
from voice.queue import Queue
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


def test_a_call_that_cannot_be_ended_holds_up_no_other_and_is_told_without_its_id() -> None:
    with a_desk() as desk, logged(logging.WARNING) as told:
        broken, ended, last = (Phone(desk.web).at_question() for _ in range(3))
        with store.writing(desk.web.engine) as tx:
            for phone in (broken, last):
                store.save_call(tx, phone.sid, session="{")
        desk.later(GONE + 1)
        desk.calls.end_silent()
        assert ended.session.over
        assert (broken.call.ended_at, last.call.ended_at) == (None, None)
    assert len(re.findall(r"the end of call [0-9a-f]{8} could not be noted", told.getvalue())) == 2
    assert broken.sid not in told.getvalue()


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


def test_of_an_answer_that_comes_after_the_mail_and_cannot_be_had_a_mail_says_so() -> None:
    with a_desk() as desk:
        phone = Phone(desk.web).at_question()
        news = phone.urls["news"]
        speaks(desk, phone, "9988776655")
        phone.ends()
        desk.work_until(desk.now + 60)
        assert phone.news(recording(), url=news) == 204
        desk.work_until(desk.now + 20 * 60)
        assert desk.words()[1:] == [{"hvad": "failed"}]
        assert desk.statuses() == ["sent", "sent"]
        assert desk.prompts.mail["machine"] not in body(desk.mails[1]), "nothing was written down"


def test_the_answers_to_a_guide_that_was_taken_away_are_sent_all_the_same() -> None:
    with a_desk() as desk:
        phone = Phone(desk.web).at_question("kort")
        speaks(desk, phone, "9988776655")
        phone.ends()
        desk.jobs._prompts = replace(desk.prompts, guides=tuple(guide for guide in desk.prompts.guides if guide.id != "kort"))
        desk.work_until(desk.now + 60)
        assert ["9 9 8 8 7 7 6 6 5 5" in body(mail) for mail in desk.mails] == [True]
        assert desk.dead_jobs() == []


def test_what_comes_instead_of_a_recording_is_not_kept_and_the_recording_is_asked_for_again() -> None:
    with a_desk() as desk:
        phone, comes = Phone(desk.web).at_question(), desk.provider.recording
        spoiled = [b"", b"<html>Not now.</html>"]
        desk.provider.recording = lambda sid: spoiled.pop() if spoiled else comes(sid)  # type: ignore[method-assign]
        sid = speaks(desk, phone, "9988776655")
        phone.ends()
        desk.work()
        assert (phone.utterances[sid].status, desk.provider.deleted) == ("expected", set())
        desk.work_until(desk.now + 60)
        assert [mail["hvad"] for mail in desk.words()] == ["9 9 8 8 7 7 6 6 5 5"]
        assert [f"fetch:{sid}:{attempt}" in desk.done for attempt in (1, 2, 3, 4)] == [True, True, True, False]


def test_of_a_recording_that_never_comes_the_mail_says_so() -> None:
    with a_desk() as desk:
        phone = Phone(desk.web).at_question()
        sid = speaks(desk, phone, "9988776655")
        del desk.provider.recordings[sid]
        phone.ends()
        desk.work_until(desk.now + 20 * 60)
        assert [mail["hvad"] for mail in desk.words()] == ["failed"]
        assert phone.utterances[sid].status == "failed"
        assert desk.dead_jobs() in ([f"fetch:{sid}:21"], [f"fetch:{sid}:unannounced:21"]), "whichever of the two was first"


def test_a_recording_that_was_given_up_while_it_was_fetched_is_neither_kept_nor_written_down() -> None:
    """The mail has gone without it, and says so: its words would be nowhere but here."""
    with a_desk() as desk:
        phone, comes = Phone(desk.web).at_question(), desk.provider.recording

        def slowly(sid: str) -> bytes:
            with store.writing(desk.web.engine) as tx:
                Preparations(Queue(desk.web.engine)).settle(tx, sid, "failed")
            return comes(sid)

        desk.provider.recording = slowly  # type: ignore[method-assign]
        sid = speaks(desk, phone, "9988776655")
        desk.work()
        assert (phone.utterances[sid].status, phone.utterances[sid].sound_sealed) == ("failed", None)
        assert [job.partition(":")[0] for job in desk.done] == ["fetch", "erase"]
        assert desk.provider.deleted == {sid}


# ---- who goes on too late


def broken_off(desk: Desk, mark: str) -> Phone:
    """A call that ended after one answer."""
    phone = Phone(desk.web).at_question("lang")
    speaks(desk, phone, mark)
    phone.ends()
    return phone


def is_asked_to_go_on(desk: Desk) -> Phone:
    phone = Phone(desk.web).start().key("1").key("1")
    assert phone.session.place == "resume"
    return phone


def goes_on_and_says(desk: Desk, phone: Phone, mark: str) -> None:
    phone.key("1")
    assert (phone.session.resumed, phone.session.answered) == (True, ("hvad",))
    phone.key("1")  # a yes/no question
    speaks(desk, phone, mark)
    phone.ends()


def test_who_says_yes_to_going_on_when_the_time_has_just_passed_goes_on_and_has_all_of_it_in_two_mails() -> None:
    with a_desk(RESUME_WINDOW="30") as desk:
        first = broken_off(desk, "9988776655")
        desk.work_until(desk.now + 29 * 60)
        second = is_asked_to_go_on(desk)
        desk.work_until(desk.now + 2 * 60)
        assert desk.statuses() == ["sent"]
        goes_on_and_says(desk, second, "1122334455")
        assert second.call.preparation != first.call.preparation
        desk.work_until(desk.now + 31 * 60)
        assert desk.statuses() == ["sent", "sent"]
        first_mail, second_mail = desk.words()
        none = "not_answered"
        assert first_mail == {"hvad": "9 9 8 8 7 7 6 6 5 5", "er_det": none, "hvem": none, "vigtigst": none}
        assert second_mail == {"hvad": none, "er_det": "yes", "hvem": "1 1 2 2 3 3 4 4 5 5", "vigtigst": none}


def test_who_goes_on_with_what_another_call_has_deleted_meanwhile_brings_nothing_of_it_back() -> None:
    with a_desk(RESUME_WINDOW="30") as desk:
        first = broken_off(desk, "9988776655")
        second, third = is_asked_to_go_on(desk), is_asked_to_go_on(desk)
        second.key("1")
        for key in "0441":
            second.key(key)
        assert second.session.ended == "deleted"
        assert desk.statuses() == ["deleted"]
        goes_on_and_says(desk, third, "1122334455")
        desk.work_until(desk.now + 31 * 60)
        assert desk.statuses() == ["deleted", "sent"]
        assert first.utterances == {}
        [mail] = desk.words()
        assert (mail["hvad"], mail["hvem"]) == ("not_answered", "1 1 2 2 3 3 4 4 5 5")


# ---- who says an answer again


def says_again(desk: Desk, first: str, second: str) -> Phone:
    """Says the answer to the first question, and then says it again."""
    phone = Phone(desk.web).at_question("lang")
    speaks(desk, phone, first)
    phone.key("2")
    speaks(desk, phone, second)
    return phone


def test_who_goes_on_and_adds_to_an_answer_that_was_said_again_has_the_newest_words_in_the_mail() -> None:
    with a_desk(RESUME_WINDOW="30") as desk:
        says_again(desk, "11111", "22222").ends()
        phone = is_asked_to_go_on(desk).key("1")
        for key in "041":  # help, more, the question before
            phone.key(key)
        speaks(desk, phone, "33333")
        phone.ends()
        desk.work_until(desk.now + 31 * 60)
        assert [mail["hvad"] for mail in desk.words()] == ["2 2 2 2 2. 3 3 3 3 3"]


@pytest.mark.parametrize(("says", "has"), [("33333", "3 3 3 3 3"), ("", "2 2 2 2 2")], ids=["again", "nothing"])
def test_who_asks_for_another_guide_and_takes_the_same_again_has_the_newest_words_in_the_mail(says: str, has: str) -> None:
    with a_desk() as desk:
        phone = says_again(desk, "11111", "22222")
        for key in "0432":  # help, more, something else, another guide
            phone.key(key)
        phone.chooses("lang")
        speaks(desk, phone, says)
        phone.ends()
        desk.work_until(desk.now + 60)
        assert [mail["hvad"] for mail in desk.words()] == [has]


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
