"""The properties of the pure dialogue, under a caller who obeys it."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.caller import SILENCE_SECONDS, Caller, Said
from tests.conftest import TEST_PROMPTS, TWO_LANGUAGES
from voice.content import load
from voice.dialogue.engine import respond
from voice.dialogue.events import CallStarted, Event, Mailbox, Unfinished
from voice.dialogue.session import Session
from voice.dialogue.turn import Turn
from voice.prompts import Prompts
from voice.telephony.twiml import TwimlWriter

PROMPTS = load(TEST_PROMPTS / "da", operator_phone="20123456")
TINY = load(TWO_LANGUAGES / "en")
BROKE_OFF = "the one of the call that broke off"
SAID_AGAIN = Unfinished("lang", ("hvad", "hvem"), takes=(("hvad", 3),))
WRITER = TwimlWriter(replace(PROMPTS, others=(TINY,)), sound_url=lambda _prompt, _slow: None)


def only(prompts: Prompts, *guides: str) -> Prompts:
    """The content of a line that has these guides alone."""
    chosen = tuple(guide for guide in prompts.guides if guide.id in guides)
    groups = tuple(group for group in prompts.groups if any(guide.group == group.id for guide in chosen))
    return replace(prompts, guides=chosen, groups=groups)


class Engine:
    """The engine as the web process uses it: the session goes through JSON, and a stale turn gets the last reply."""

    def __init__(self, prompts: Prompts) -> None:
        self.prompts = prompts
        self.session = Session()
        self.preparation = ""
        self.last: Turn | None = None

    def happens(self, event: Event) -> Turn:
        session, self.last = respond(self.prompts, self.session, event)
        if session.guide != self.session.guide:  # as another preparation is begun by each choice of another guide
            self.preparation = BROKE_OFF if session.resumed else f"the one of turn {session.turn}"
        self.session = Session.from_json(session.to_json())
        return self.last

    def happens_again(self) -> Turn:
        assert self.last is not None
        return self.last


class EngineCaller(Caller):
    prompts = PROMPTS

    unfinished: Unfinished | None = None
    mailbox: Mailbox | None = None

    def line(self) -> Engine:
        return Engine(self.prompts)

    def starts(self) -> CallStarted:
        return CallStarted(SILENCE_SECONDS, unfinished=self.unfinished, mailbox=self.mailbox)

    def said_before(self) -> list[Said]:
        takes = self.unfinished.takes if self.unfinished else ()
        return [Said(BROKE_OFF, question, take, f"before {take}") for question, last in takes for take in range(1, last + 1)]

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "turn"):
            ElementTree.fromstring(WRITER.turn(self.turn, self.rung.session.turn, "0" * 32))


class TwoLanguagesCaller(EngineCaller):
    """Rings a line that speaks two languages, and has a call in the second to go on with."""

    prompts = replace(only(PROMPTS, "kort"), others=(TINY,))
    unfinished = Unfinished("tiny", ("what",), "en")


def test_a_caller_who_chooses_between_two_languages_finds_every_property_kept() -> None:
    run_state_machine_as_test(TwoLanguagesCaller, settings=settings(max_examples=settings().max_examples // 3))


@pytest.mark.parametrize(
    ("guides", "unfinished", "mailbox", "opening"),
    [
        (("lang",), None, None, ""),
        (("lang", "mellem", "kort", "tvivl"), None, Mailbox("firma.dk", text=True), ""),
        (("lang", "kort"), SAID_AGAIN, Mailbox("firma.dk"), ""),
        (("lang", "kort"), SAID_AGAIN, None, "111"),
    ],
)
def test_a_caller_who_obeys_the_line_finds_every_property_kept(
    guides: tuple[str, ...], unfinished: Unfinished | None, mailbox: Mailbox | None, opening: str
) -> None:
    chosen = {"prompts": only(PROMPTS, *guides), "unfinished": unfinished, "mailbox": mailbox, "opening": opening}
    machine = type("Chosen", (EngineCaller,), chosen)
    run_state_machine_as_test(machine, settings=settings(max_examples=settings().max_examples // 2))
