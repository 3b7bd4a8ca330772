"""The properties of the pure dialogue, under a caller who obeys it."""

from xml.etree import ElementTree

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.caller import Caller
from tests.conftest import TEST_PROMPTS
from voice.dialogue.engine import respond
from voice.dialogue.events import Event
from voice.dialogue.session import Session
from voice.dialogue.turn import Turn
from voice.prompts import Prompts, load
from voice.telephony import twiml

PROMPTS = load(TEST_PROMPTS / "da")


class Engine:
    """The engine as the web process uses it: the session goes through JSON, and a stale turn gets the last reply."""

    def __init__(self, prompts: Prompts) -> None:
        self.prompts = prompts
        self.stored = Session().to_json()
        self.last: Turn | None = None

    @property
    def session(self) -> Session:
        return Session.from_json(self.stored)

    def happens(self, event: Event) -> Turn:
        session, self.last = respond(self.prompts, self.session, event)
        self.stored = session.to_json()
        return self.last

    def happens_again(self) -> Turn:
        assert self.last is not None
        return self.last


class EngineCaller(Caller):
    prompts = PROMPTS

    def line(self) -> Engine:
        return Engine(self.prompts)

    def teardown(self) -> None:
        if hasattr(self, "turn"):
            written = twiml.write(self.turn, self.rung.session.turn, language="da", sound_url=lambda _: None)
            ElementTree.fromstring(written)


@pytest.mark.parametrize("guides", [1, 2])
def test_a_caller_who_obeys_the_line_finds_every_property_kept(guides: int) -> None:
    class Chosen(EngineCaller):
        prompts = Prompts(PROMPTS.language, PROMPTS.phrases, PROMPTS.words, PROMPTS.mail, PROMPTS.guides[:guides])

    run_state_machine_as_test(Chosen, settings=settings(max_examples=settings().max_examples * 2, stateful_step_count=60))
