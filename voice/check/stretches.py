"""How long a caller only listens: each turn as the dialogue itself composes it, in seconds of its prompts.

The way of a caller who answers everything is walked guide by guide, and from each place on it, and from each place where a
call that broke off can go on, everything that a few keys and silences lead to. Keys work while prompts play; this is what
somebody hears who does not know that yet.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from voice.check.lines import Line
from voice.check.seconds import Seconds
from voice.dialogue.asking import choices_of
from voice.dialogue.engine import respond
from voice.dialogue.events import SILENCE, CallStarted, Event, KeysPressed, NoInput, Unfinished, UtteranceRecorded
from voice.dialogue.moves import NO, YES
from voice.dialogue.session import Session
from voice.dialogue.turn import Record, Turn
from voice.prompts import Guide, Prompt, Prompts

MAX_STRETCH = 20  # seconds
FURTHEST = 3  # events away from the way through: as far as whom to call, or what deleting asks
ANSWER = UtteranceRecorded("", 20, SILENCE)
EVENTS: tuple[Event, ...] = (*(KeysPressed(key) for key in "01234*"), NoInput())
SPEECH: tuple[Event, ...] = (ANSWER, UtteranceRecorded("", 6, SILENCE), UtteranceRecorded("", 120, SILENCE))

Reply = tuple[Session, Turn]


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is said between two moments at which the caller has the turn."""

    prompts: tuple[Prompt, ...]
    guide: str  # its id, or "" where none is chosen yet
    seconds: float

    @property
    def cause(self) -> str:
        """The id of the prompt that makes most of it."""
        return max(self.prompts, key=lambda prompt: len(prompt.text)).id


def way_through(prompts: Prompts, guide: Guide) -> Iterator[Reply]:
    """Each reply to a caller who consents, chooses that guide, answers everything at once and is led no further."""
    session, turn = respond(prompts, Session(), CallStarted())
    yield session, turn
    while not session.over:
        session, turn = respond(prompts, session, _what_is_wanted(prompts, guide, session, turn))
        yield session, turn


def stretches(prompts: Prompts, seconds: Seconds) -> list[Stretch]:
    """Every stretch that was found, each once."""
    heard = dict.fromkeys((turn.say, session.guide) for session, turn in _replies(prompts) if turn.say)
    return [Stretch(said, guide, length(said, seconds)) for said, guide in heard]


def length(said: Iterable[Prompt], seconds: Seconds) -> float:
    """The seconds that these prompts take."""
    return sum(seconds[prompt.id] for prompt in said)


def too_long(found: Iterable[Stretch], lines: Sequence[Line]) -> Iterator[str]:
    """One problem for each prompt that makes most of a stretch that is too long, with the longest such."""
    longest: dict[str, Stretch] = {}
    for stretch in sorted(found, key=lambda stretch: stretch.seconds):
        if stretch.seconds > MAX_STRETCH:
            longest[stretch.cause] = stretch
    for line in lines:
        if over := longest.get(line.prompt):
            said = " + ".join(prompt.id for prompt in over.prompts)
            yield line.problem(f"{over.seconds:.1f} seconds without the caller's turn; at most {MAX_STRETCH}: {said}")


def _what_is_wanted(prompts: Prompts, guide: Guide, session: Session, turn: Turn) -> Event:
    match session.place:
        case "consent":
            return KeysPressed(YES)
        case "moment":
            return KeysPressed(str([group.id for group in prompts.groups].index(guide.group) + 1))
        case "guide":
            return KeysPressed(str(choices_of(prompts, session).index(guide) + 1))
        case "answered":
            return NoInput()
        case _:
            return ANSWER if isinstance(turn.then, Record) else KeysPressed(NO)


def _on_again(prompts: Prompts, guide: Guide, question: int) -> Iterator[Reply]:
    """Each reply to a caller who goes on with that guide where a call broke off, at that question."""
    done = tuple(question.id for question in guide.questions[:question])
    session = Session()
    yes = KeysPressed(YES)
    events: tuple[Event, ...] = (CallStarted(unfinished=Unfinished(guide.id, done)), yes, yes, yes)  # consent, own telephone, go on
    for event in events:
        session, turn = respond(prompts, session, event)
        yield session, turn


def _replies(prompts: Prompts) -> Iterator[Reply]:
    edge = [reply for guide in prompts.guides for reply in way_through(prompts, guide)]
    again = [list(_on_again(prompts, guide, n)) for guide in prompts.guides for n in range(1, len(guide.questions))]
    yield from (replies[-1] for replies in again)
    edge += (reply for replies in again[:1] for reply in replies)  # the way there is the same to all
    seen: set[Session] = set()
    for _ in range(FURTHEST + 1):
        yield from edge
        new = {_place(session): turn for session, turn in edge if not session.over}
        edge = [respond(prompts, at, event) for at, turn in new.items() if at not in seen for event in _events(turn)]
        seen |= new.keys()


def _events(turn: Turn) -> tuple[Event, ...]:
    return (*EVENTS, *SPEECH) if isinstance(turn.then, Record) else EVENTS


def _place(session: Session) -> Session:
    """The session without what changes no more than a name or the wording of a "that was no choice"."""
    return replace(session, turn=0, answers=(), takes=(), slow=False, resumed=False, wrong_keys=0)
