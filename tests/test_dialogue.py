"""What seldom happens in a call, one rule at a time. The rest of the dialogue: test_walk and test_dialogue_properties."""

import json
from dataclasses import replace

import pytest

from tests.conftest import TEST_PROMPTS
from voice.content import load
from voice.dialogue.asking import current
from voice.dialogue.engine import MAX_TURNS, respond
from voice.dialogue.events import SILENCE, CallStarted, Event, HungUp, KeysPressed, Mailbox, NoInput, UtteranceRecorded, WordsHeard
from voice.dialogue.session import Session
from voice.dialogue.turn import Hangup, Keyed, Menu, Record, Turn

PROMPTS = load(TEST_PROMPTS / "da", operator_phone="20123456")
RECORDING = "RE" + "0" * 32
EVENTS = [
    CallStarted(),
    HungUp(),
    KeysPressed("1"),
    WordsHeard("ja"),
    NoInput(),
    UtteranceRecorded(RECORDING, 9, SILENCE),
]


def goes(*events: Event, start: CallStarted | None = None) -> tuple[Session, Turn]:
    """Where a call stands after these."""
    session, turn = respond(PROMPTS, Session(), start or CallStarted())
    for event in events:
        session, turn = respond(PROMPTS, session, event)
    return session, turn


def keys(*pressed: str) -> list[Event]:
    return [KeysPressed(key) for key in pressed]


def at_question(start: CallStarted | None = None) -> Session:
    """At the first question of the guide that the called number leads to."""
    mailbox = start is not None and start.mailbox is not None
    session, turn = goes(*keys("1", *(["1", "2"] if mailbox else [])), start=replace(start or CallStarted(), guide="lang"))
    assert isinstance(turn.then, Record)
    return session


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_after_the_end_nothing_changes_whatever_comes(event: Event) -> None:
    over, _ = goes(HungUp())
    assert over.over
    assert respond(PROMPTS, over, event) == (over, Turn((), Hangup()))


def test_who_calls_the_number_of_a_guide_is_not_asked_which() -> None:
    session, turn = goes(*keys("1"), start=CallStarted(guide="kort"))
    assert (session.place, session.guide, session.question) == ("question", "kort", 0)
    assert turn.say[0] == PROMPTS.guide("kort").intro


def test_a_number_whose_guide_is_not_there_leads_to_the_choice() -> None:
    session, _ = goes(*keys("1"), start=CallStarted(guide="of_yesterday"))
    assert (session.place, session.number_guide) == ("moment", "")


def test_a_word_that_names_a_group_in_the_first_menu_is_its_key() -> None:
    for n, group in enumerate(PROMPTS.groups, 1):
        for word in group.words:
            session, _ = goes(*keys("1"))
            by_word, by_key = respond(PROMPTS, session, WordsHeard(word.title())), respond(PROMPTS, session, KeysPressed(str(n)))
            assert by_word == by_key
            assert by_word[0].group == group.id


def test_a_call_that_goes_on_for_ever_ends_kindly_and_keeps_the_last_yes() -> None:
    session, _ = goes(*keys("1"), start=CallStarted(guide="lang"))
    asks = next(n for n, question in enumerate(PROMPTS.guide("lang").questions) if question.kind == "yes_no")
    session = replace(session, question=asks)
    for turn, ended in ((MAX_TURNS - 2, ""), (MAX_TURNS - 1, "too_long")):
        after, said = respond(PROMPTS, replace(session, turn=turn), KeysPressed("1"))
        assert (after.ended, after.over) == (ended, bool(ended))
        assert said.keyed == Keyed(current(PROMPTS, session).id, 1, True)
        assert (said.say == (PROMPTS.phrase("too_long"),)) == bool(ended)
        assert isinstance(said.then, Hangup) == bool(ended)


def test_a_call_that_ends_by_itself_in_its_last_turn_is_not_called_too_long() -> None:
    last = replace(at_question(), turn=MAX_TURNS - 1)
    assert respond(PROMPTS, last, HungUp())[0].ended == "hung_up"


def test_who_hears_that_no_text_can_be_sent_goes_on_listening_and_is_recorded_no_more() -> None:
    session = replace(at_question(CallStarted(mailbox=Mailbox("firma.dk", text=True))), to="failed")
    after, turn = respond(PROMPTS, session, NoInput())
    assert turn.say[0] == PROMPTS.phrase("text_failed")
    assert (after.to, after.consent) == ("", False)
    assert isinstance(turn.then, Menu)
    _, turn = respond(PROMPTS, after, NoInput())
    assert PROMPTS.phrase("text_failed") not in turn.say, "it is told once"


@pytest.mark.parametrize(
    ("ended_by_deleting", "answered", "to", "told"),
    [(False, True, "text", True), (False, True, "known", False), (False, False, "text", False), (True, True, "text", False)],
)
def test_only_who_has_answers_that_wait_for_an_address_is_told_so_at_the_end(
    ended_by_deleting: bool, answered: bool, to: str, told: bool
) -> None:
    session = replace(at_question(), to=to, answered=("hvad",) if answered else ())
    for key in "044" if ended_by_deleting else "043":
        session, _ = respond(PROMPTS, session, KeysPressed(key))
    session, turn = respond(PROMPTS, session, KeysPressed("1"))
    assert session.ended == ("deleted" if ended_by_deleting else "stopped")
    assert (PROMPTS.phrase("text_waits") in turn.say) == told


def test_a_recording_that_cannot_be_the_callers_moves_nobody() -> None:
    for session, _ in (goes(), goes(*keys("1", "1")), goes(*keys("2"), start=CallStarted(guide="lang"))):
        after, _ = respond(PROMPTS, session, UtteranceRecorded(RECORDING, 9, SILENCE))
        assert after == replace(session, turn=session.turn + 1)


# ---- a call that goes on in another program than it began in


def said_again(*more: Event) -> Session:
    """Says the first answer, and is about to say it again."""
    session, _ = goes(*keys("1"), UtteranceRecorded(RECORDING, 9, "#"), *keys("2"), *more, start=CallStarted(guide="lang"))
    return session


def as_an_older_program_wrote_it(session: Session) -> Session:
    """It knew the take of the question that is asked, and no others."""
    data = json.loads(session.to_json())
    data.pop("takes", None)
    return Session.from_json(json.dumps({**data, "take": session.take(current(PROMPTS, session).id)}))


def test_what_a_newer_program_knows_of_a_call_is_dropped() -> None:
    session = said_again(UtteranceRecorded(RECORDING, 9, "#"))
    data = json.loads(session.to_json())
    newer = {**data, "mood": "good", "answers": [{**answer, "loud": True} for answer in data["answers"]]}
    assert Session.from_json(json.dumps(newer)) == session


@pytest.mark.parametrize("more", [(), (UtteranceRecorded(RECORDING, 9, "#"),), (UtteranceRecorded(RECORDING, 9, "#"), NoInput())])
def test_a_call_in_which_an_older_program_heard_an_answer_twice_goes_on_with_the_second(more: tuple[Event, ...]) -> None:
    session = said_again(*more)
    assert session.take("hvad") == 2
    assert as_an_older_program_wrote_it(session) == session


def test_an_older_program_can_go_on_with_a_call_in_which_nothing_is_said_again() -> None:
    session, _ = goes(*keys("1"), UtteranceRecorded(RECORDING, 9, "#"), start=CallStarted(guide="lang"))
    assert "takes" not in json.loads(session.to_json())
    assert as_an_older_program_wrote_it(session) == session
