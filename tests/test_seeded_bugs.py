"""The properties are worth something: each of these bugs, put in on purpose, is caught by them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from twilio.twiml.voice_response import VoiceResponse

from tests import test_webhook_properties
from tests.test_dialogue_properties import PROMPTS, SAID_AGAIN, EngineCaller, TwoLanguagesCaller, only
from voice import summary
from voice.calls import Calls
from voice.dialogue import engine, moves
from voice.dialogue.session import Session
from voice.prompts import Prompts

CALLS_OF_ENGINE = 400
CALLS_OF_WEB = 30


def no_replay_guard(patch: pytest.MonkeyPatch) -> None:
    guarded = Calls._respond

    def unguarded(self: Calls, tx: Any, call: Any, _turn: int, event: Any, *more: Any) -> str:
        return guarded(self, tx, call, Session.from_json(call.session).turn, event, *more)

    patch.setattr(Calls, "_respond", unguarded)


def attempts_not_reset(patch: pytest.MonkeyPatch) -> None:
    right = Session.at

    def wrong(self: Session, place: Any, **changes: Any) -> Session:
        after = right(self, place, **changes)
        return replace(after, attempts=engine.TRIES - 1) if "question" in changes else after

    patch.setattr(Session, "at", wrong)


def endless_retry(patch: pytest.MonkeyPatch) -> None:
    right = engine._silent

    def wrong(prompts: Any, session: Session) -> Any:
        return right(prompts, replace(session, attempts=0))

    patch.setattr(engine, "_silent", wrong)


def hung_up_but_alive(patch: pytest.MonkeyPatch) -> None:
    right = engine.end

    def wrong(session: Session, ended: Any, *say: Any) -> Any:
        step = right(session, ended, *say)
        return replace(step, session=replace(step.session, place=session.place)) if ended == "hung_up" else step

    patch.setattr(engine, "end", wrong)


def answers_decoded_as_dicts(patch: pytest.MonkeyPatch) -> None:
    import json

    def wrong(text: str) -> Session:
        data = json.loads(text)
        return Session(**{**data, "answers": tuple(data["answers"])})

    patch.setattr(Session, "from_json", staticmethod(wrong))


def no_redirect_after_record(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(VoiceResponse, "redirect", lambda self, *_args, **_more: self)


def answers_reversed(patch: pytest.MonkeyPatch) -> None:
    right = engine._recorded

    def wrong(prompts: Any, session: Session, event: Any) -> Any:
        step = right(prompts, session, event)
        return replace(step, session=replace(step.session, answers=step.session.answers[::-1]))

    patch.setattr(engine, "_recorded", wrong)


def takes_forgotten_by_who_begins_again(patch: pytest.MonkeyPatch) -> None:
    right = moves.begin
    patch.setattr(moves, "begin", lambda prompts, session, guide: right(prompts, replace(session, guide=""), guide))


def takes_forgotten_by_who_goes_on(patch: pytest.MonkeyPatch) -> None:
    right = moves.resume
    patch.setitem(moves._MENUS, "resume", {"1": lambda prompts, session: right(prompts, replace(session, takes=())), "2": moves.choose})


def the_oldest_words_stand(patch: pytest.MonkeyPatch) -> None:
    right = summary._section
    patch.setattr(summary, "_section", lambda said, *more: right([replace(one, take=-one.take) for one in said], *more))


def language_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Prompts, "speaking", lambda self, _language: self)


class OneGuideCaller(EngineCaller):
    """Comes to the questions at once, so that few calls are enough."""

    prompts = only(PROMPTS, "lang")
    opening = "1"


class GoesOnCaller(OneGuideCaller):
    """Has a call to go on with, in which the first question was said again."""

    unfinished = SAID_AGAIN
    opening = "111"


def _engine(caller: type[EngineCaller] = OneGuideCaller) -> None:
    run_state_machine_as_test(
        caller, settings=settings(max_examples=CALLS_OF_ENGINE, stateful_step_count=60, phases=[Phase.generate], database=None)
    )


def _gone_on_with() -> None:
    _engine(GoesOnCaller)


def _two_languages() -> None:
    _engine(TwoLanguagesCaller)


def _web() -> None:
    test_webhook_properties.run(CALLS_OF_WEB)


@pytest.mark.parametrize(
    ("bug", "run", "seen_as"),
    [
        (no_replay_guard, _web, "same webhook twice"),
        (attempts_not_reset, _engine, "one silence has cost a question"),
        (endless_retry, _engine, "is not let go"),
        (hung_up_but_alive, _engine, "the call goes on"),
        (answers_decoded_as_dicts, _engine, "'dict' object has no attribute 'question'"),
        (no_redirect_after_record, _web, "nothing follows when the caller does nothing"),
        (answers_reversed, _engine, "an answer is lost, moved or doubled"),
        (takes_forgotten_by_who_begins_again, _gone_on_with, "would not stand in the mail"),
        (takes_forgotten_by_who_goes_on, _gone_on_with, "would not stand in the mail"),
        (the_oldest_words_stand, _gone_on_with, "are not those in the mail"),
        (language_forgotten, _two_languages, "another language is heard"),
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_seeded_bug_is_caught(
    bug: Callable[[pytest.MonkeyPatch], None], run: Callable[[], None], seen_as: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bug(monkeypatch)
    with pytest.raises((AssertionError, AttributeError), match=seen_as):
        run()
