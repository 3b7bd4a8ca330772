"""What a caller is asked and told about where the mail goes, and what is recorded of those to whom nothing can be sent."""

import pytest

from tests.conftest import TEST_PROMPTS
from voice.content import load
from voice.dialogue.engine import respond
from voice.dialogue.events import CallStarted, KeysPressed, Mailbox, NoInput, Unfinished
from voice.dialogue.session import Session
from voice.dialogue.turn import Record, Turn

PROMPTS = load(TEST_PROMPTS / "da")
KNOWN = Mailbox("min-firma.co.uk", text=True)


class Called:
    """A call, and all that it said in its last turn by the prompts' names."""

    def __init__(self, mailbox: Mailbox | None, *, unfinished: Unfinished | None = None, guide: str = "kort") -> None:
        self.session = Session()
        self.happens(CallStarted(mailbox=mailbox, unfinished=unfinished, guide=guide))

    def happens(self, event: CallStarted | KeysPressed | NoInput) -> Turn:
        self.session, self.turn = respond(PROMPTS, Session.from_json(self.session.to_json()), event)
        return self.turn

    def press(self, keys: str) -> "Called":
        for key in keys:
            self.happens(KeysPressed(key))
        return self

    def silent(self, times: int) -> "Called":
        for _ in range(times):
            self.happens(NoInput())
        return self

    @property
    def said(self) -> list[str]:
        return [prompt.id.split("/")[0] for prompt in self.turn.say]

    @property
    def records(self) -> bool:
        return isinstance(self.turn.then, Record)


def test_in_a_trial_every_call_says_so_and_nobody_is_asked_for_a_mailbox() -> None:
    called = Called(None)
    assert called.said[:2] == ["trial", "welcome"]
    assert called.press("1").records
    assert called.session.to == ""


def test_a_known_caller_hears_the_domain_and_no_more_of_the_address() -> None:
    called = Called(KNOWN).press("1")
    assert called.said == ["own_phone"]
    called.press("1")
    assert [prompt.text for prompt in called.turn.say] == [
        *("Mailen ender på,", "min-firma", "prik,", "co", "prik,", "uk", "Den mail er et, en anden er to.")
    ]
    assert called.press("1").records
    assert called.session.to == "known"


def test_a_known_caller_who_wants_another_mail_gets_a_text() -> None:
    called = Called(KNOWN).press("112")
    assert "text_comes" in called.said
    assert called.records
    assert called.session.to == "text"


@pytest.mark.parametrize("mailbox", [KNOWN, Mailbox(text=True), Mailbox("firma.dk")])
@pytest.mark.parametrize("silent", [False, True])
def test_on_somebody_else_s_telephone_nothing_is_sent_and_so_nothing_recorded(mailbox: Mailbox, silent: bool) -> None:
    called = Called(mailbox).press("1")
    called = called.silent(3) if silent else called.press("2")
    assert "cannot_borrowed" in called.said
    assert not called.records
    assert (called.session.to, called.session.consent) == ("", False)


def test_silence_is_never_yes_to_an_address() -> None:
    assert Called(KNOWN).press("11").silent(3).session.to == "text"
    called = Called(Mailbox("firma.dk")).press("11").silent(3)
    assert "cannot_text" in called.said
    assert not called.records


def test_a_caller_who_is_not_known_is_told_at_once_that_a_text_comes_and_reminded_of_it_at_the_end() -> None:
    called = Called(Mailbox(text=True)).press("1").press("1")
    assert "text_comes" in called.said
    called.session = Session.from_json(called.session.to_json().replace('"answered":[]', '"answered":["eneste"]'))
    called.press("0431")
    assert called.session.ended == "stopped"
    assert called.said == ["text_waits", "goodbye_stopped"]


@pytest.mark.parametrize(("mailbox", "told"), [(Mailbox(), "cannot_text"), (Mailbox(seen=False), "cannot_see")])
def test_a_caller_to_whom_nothing_can_be_sent_is_told_first_and_may_listen(mailbox: Mailbox, told: str) -> None:
    called = Called(mailbox)
    assert called.said[:2] == ["welcome", told]
    assert not called.records
    assert not called.session.consent


def test_a_text_that_does_not_arrive_is_told_while_the_caller_is_there_and_nothing_more_is_recorded() -> None:
    called = Called(Mailbox(text=True)).press("11")
    assert called.records
    called.session = Session.from_json(called.session.to_json().replace('"to":"text"', '"to":"failed"'))
    called.press("*")
    assert called.said[0] == "text_failed"
    assert not called.records
    called.press("*")
    assert "text_failed" not in called.said, "it is told once"


def test_a_known_caller_can_still_go_on_with_the_call_that_broke_off() -> None:
    called = Called(KNOWN, unfinished=Unfinished("lang", ("hvad",))).press("1111")
    assert called.said[0] == "resumed"
    assert called.session.to == "known"
