"""Every state that a call can be in is visited, breadth first: all keys, words, silences, recordings and hang-ups, in every guide."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from lxml import etree

from tests.conftest import ROOT, TEST_PROMPTS, TWO_LANGUAGES
from voice.content import load
from voice.dialogue import engine, moves
from voice.dialogue.engine import respond
from voice.dialogue.events import (
    HANGUP,
    SILENCE,
    CallStarted,
    Event,
    HungUp,
    KeysPressed,
    Mailbox,
    NoInput,
    Unfinished,
    UtteranceRecorded,
    WordsHeard,
)
from voice.dialogue.session import Session
from voice.dialogue.turn import Hangup, Menu, Record, Turn
from voice.exchange.twiml import parse
from voice.prompts import Prompts
from voice.telephony.twiml import TwimlWriter

KEYS = [KeysPressed(key) for key in "0123456789*#"]
WORDS = [WordsHeard(words) for words in ("ja", "nej", "hjælp", "om igen", "videre", "noget helt andet")]
RECORDED = [
    *(UtteranceRecorded("RE" + "0" * 32, seconds, SILENCE) for seconds in (6, 20, 120)),
    *(UtteranceRecorded("RE" + "0" * 32, 9, key) for key in "0159*#"),
    UtteranceRecorded("RE" + "0" * 32, 3, HANGUP),
]


Step = tuple[Session, Event, Session, Turn]


@dataclass
class Walk:
    """What was found. ``depth``: for each state the length of a shortest way to it, in turns."""

    depth: dict[Session, int] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)


def events(session: Session, turn: Turn) -> Iterator[Event]:
    yield NoInput()
    yield HungUp()
    yield from KEYS
    if isinstance(turn.then, Record):
        yield from RECORDED
    if isinstance(turn.then, Menu) and turn.then.words:
        yield from WORDS


def essence(session: Session) -> Session:
    """The session without what decides nothing but a wording, a count or a name, so that there are finitely many."""
    answered = tuple(sorted(session.answered))
    wrong_keys = session.wrong_keys if session.place == "language" else 0
    return replace(session, turn=1, answers=(), takes=(), wrong_keys=wrong_keys, slow=False, answered=answered)


def steps(prompts: Prompts, start: CallStarted, depth: dict[Session, int]) -> Iterator[Step]:
    """Every step from every state, breadth first. Fills ``depth`` on the way."""
    session, turn = respond(prompts, Session(), start)
    waiting = deque([(essence(session), turn)])
    depth[essence(session)] = 1
    while waiting:
        session, turn = waiting.popleft()
        for event in events(session, turn):
            after, said = respond(prompts, session, event)
            yield session, event, after, said
            state = essence(after)
            if state not in depth:
                depth[state] = depth[session] + 1
                if not after.over:
                    waiting.append((state, said))


def walk(prompts: Prompts, start: CallStarted) -> Walk:
    depth: dict[Session, int] = {}
    return Walk(depth=depth, steps=list(steps(prompts, start, depth)))


MAILBOXES = {
    "a known mailbox": Mailbox("firma.dk"),
    "a known mailbox and texts": Mailbox("blåbær.co.uk", text=True),
    "texts alone": Mailbox(text=True),
    "no way to send": Mailbox(),
    "a withheld number": Mailbox(seen=False),
}


def starts(prompts: Prompts) -> Iterator[tuple[str, Prompts, CallStarted]]:
    """All guides together as a line with a menu has them, each alone, and a call that goes on."""
    for guide in prompts.guides:
        group = tuple(group for group in prompts.groups if group.id == guide.group)
        alone = replace(prompts, guides=(replace(guide, leads_to=""),), groups=group)
        yield guide.id, alone, CallStarted()
        unfinished = Unfinished(guide.id, (guide.questions[0].id,))
        yield f"{guide.id} resumed", alone, CallStarted(unfinished=unfinished)
    for name, mailbox in MAILBOXES.items():
        yield name, alone, CallStarted(mailbox=mailbox)
        yield f"{name} and resumed", alone, CallStarted(unfinished=unfinished, mailbox=mailbox)


EVERYTHING = load(TEST_PROMPTS / "da", operator_phone="20123456")
# Of four questions the third is as the first, and doubles the states: guides as long as that are walked in the real content.
SMALL = replace(
    EVERYTHING,
    guides=tuple(replace(guide, questions=tuple(one for one in guide.questions if one.id != "hvem")) for guide in EVERYTHING.guides),
)
SHORT = replace(SMALL, guides=tuple(replace(guide, questions=guide.questions[:1]) for guide in SMALL.guides))
TINY = load(TWO_LANGUAGES / "en")
ONE = replace(SHORT, guides=SHORT.guides[-1:], groups=SHORT.groups[-1:], others=(TINY,))
MORE = [("the menu", SHORT, CallStarted()), ("two languages", ONE, CallStarted(unfinished=Unfinished("tiny", ("what",), "en")))]
WALKS = {name: (prompts, start) for name, prompts, start in [*starts(SMALL), *MORE]}


@pytest.fixture(params=WALKS, name="found", scope="module")
def _found(request: pytest.FixtureRequest) -> Walk:
    return walk(*WALKS[request.param])


def test_every_state_waits_for_one_thing_or_is_over(found: Walk) -> None:
    for _, _, after, said in found.steps:
        assert isinstance(said.then, Hangup) == after.over


def test_nothing_is_recorded_before_consent(found: Walk) -> None:
    assert all(after.consent for _, _, after, said in found.steps if isinstance(said.then, Record))


def test_silence_alone_ends_every_call_within_a_bound(found: Walk) -> None:
    after_silence = {before: essence(after) for before, event, after, _ in found.steps if isinstance(event, NoInput)}
    questions = max(len(guide.questions) for guide in SMALL.guides)
    bound = engine.TRIES * (moves.SKIPS + 2) + questions + 3
    for state in after_silence:
        silences = 0
        while not state.over:
            state, silences = after_silence[state], silences + 1
            assert silences <= bound


def test_a_hang_up_ends_every_call(found: Walk) -> None:
    assert all(after.over for _, event, after, _ in found.steps if isinstance(event, HungUp))


def test_help_repeat_and_delete_are_reachable_from_every_state(found: Walk) -> None:
    reached = {(before, event): essence(after) for before, event, after, _ in found.steps if isinstance(event, KeysPressed)}
    for before in {before for before, _ in reached}:
        assert not reached[before, KeysPressed("*")].over
        helped = reached[before, KeysPressed("0")]
        assert helped.place == "help"
        more = reached[helped, KeysPressed("4")]
        asked = reached[more, KeysPressed("4")]
        assert asked.place == "delete"
        assert reached[asked, KeysPressed("1")].ended == "deleted"


def test_a_wrong_key_moves_nobody(found: Walk) -> None:
    for before, event, after, _ in found.steps:
        if isinstance(event, KeysPressed) and after.wrong_keys:
            assert (after.place, after.question, after.answered) == (before.place, before.question, before.answered)


def test_who_has_a_language_hears_no_other(found: Walk) -> None:
    for _, _, after, said in found.steps:
        if after.language:
            assert {prompt.language for prompt in said.say} <= {after.language} == {said.language}


def test_nobody_is_asked_for_a_language_again(found: Walk) -> None:
    assert all(before.language == "" for before, _, after, _ in found.steps if after.place == "language")


def test_in_every_language_a_call_can_come_to_its_end_and_go_on_with_one_that_broke_off() -> None:
    found = walk(*WALKS["two languages"]).steps
    ended = {(after.language, after.ended) for _, _, after, _ in found if after.over}
    assert {("da", "complete"), ("en", "complete"), ("da", "refused"), ("en", "refused")} <= ended
    resumed = {after.language for _, _, after, _ in found if after.resumed}
    assert resumed == {"en"}, "what broke off is gone on with in its own language alone"


def test_every_turn_is_twiml_that_twilio_knows_and_is_small(found: Walk, schema: etree.XMLSchema) -> None:
    line = replace(SMALL, others=(TINY,))
    sounding = TwimlWriter(line, sound_url=lambda _prompt, _slow: f"/audio/{'0' * 64}.wav")
    reading = TwimlWriter(line, sound_url=lambda _prompt, _slow: None)
    for turn in {replace(said, keyed=None) for _, _, _, said in found.steps}:
        for writer in (sounding, reading):
            written = writer.turn(turn, 149, "0" * 32).encode()
            parse(written)
            assert len(written) < 4000
            document = etree.fromstring(written)
            for say in document.iter("Say"):
                say.attrib.pop("voice")  # the schema is older than Danish neural voices
            assert schema.validate(document), schema.error_log


REAL = load(Path(ROOT / "prompts" / "da"), operator_phone="20123456")


@pytest.mark.faults
@pytest.mark.parametrize("name", [name for name, _, _ in starts(REAL)])
def test_the_real_content_walked_through(name: str) -> None:
    content, start = next((content, start) for other, content, start in starts(REAL) if other == name)
    depth: dict[Session, int] = {}
    transitions = 0
    for _, _, after, said in steps(content, start, depth):
        transitions += 1
        assert isinstance(said.then, Hangup) == after.over
        assert after.consent or not isinstance(said.then, Record)
    print(f"\n{name:22} states {len(depth):8,} transitions {transitions:10,} longest of the shortest paths {max(depth.values()):3} turns")
    assert max(depth.values()) < engine.MAX_TURNS
