"""Where a call stands, between two webhooks. Ids and positions, never words."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

Place = Literal[
    "language",  # asked first, where the line has more than one
    "consent",
    "own_phone",  # is this your own telephone? asked when there is something to go on with, or a mailbox to find
    "address",  # the mail goes to the address that is bound to the number, or to another
    "resume",  # go on with the call that broke off, or begin afresh
    "moment",  # which group of guides
    "guide",
    "question",
    "answered",  # two seconds after an answer, to say it again
    "stop",  # two questions were left in silence: shall we stop?
    "onward",  # the guide leads to others
    "help",
    "more",
    "person",  # whom to call was read aloud
    "leave",
    "delete",
    "over",
]
To = Literal["", "known", "text", "failed"]  # the address bound to the number; one that a text asks for; that text cannot be sent
Ended = Literal["", "complete", "stopped", "refused", "silent", "hung_up", "too_long", "deleted"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One utterance's place. A question's answer is all utterances of its last take that holds speech."""

    question: str
    take: int
    recording_sid: str


@dataclass(frozen=True, slots=True)
class Session:
    """Everything that a call's next turn depends on."""

    place: Place = "consent"
    back: Place = "consent"  # where help was asked for, and leads back to
    final_silence: int = 6
    words: bool = False  # menus listen for words too
    slow: bool = False
    consent: bool = False
    resumed: bool = False  # goes on with the unfinished call's preparation
    trial: bool = True  # one address for all
    domain: str = ""  # of the address that is bound to the number
    text: bool = False  # the number can be sent an SMS
    seen: bool = True  # the number is not withheld
    to: To = ""
    number_guide: str = ""  # the guide that the called number leads to
    language: str = ""  # BCP 47; "" until it is known
    unfinished_guide: str = ""
    unfinished_language: str = ""
    group: str = ""
    guide: str = ""
    question: int = 0  # index in the guide
    takes: tuple[tuple[str, int], ...] = ()  # of the questions of this preparation that are said again; the others are at their first
    attempts: int = 0  # silences in a row at this place
    wrong_keys: int = 0  # at this place
    skipped: int = 0  # questions in a row that were left in silence
    answered: tuple[str, ...] = ()  # questions of this guide that have an answer, from this call or the one before
    answers: tuple[Answer, ...] = ()
    turn: int = 0
    ended: Ended = ""

    @property
    def over(self) -> bool:
        return self.place == "over"

    def at(self, place: Place, **changes: Any) -> "Session":
        """The same call at another place, where nothing has gone wrong yet."""
        return replace(self, place=place, attempts=0, wrong_keys=0, **changes)

    def take(self, question: str) -> int:
        """The take that is said when this question is asked. In a preparation it never goes back, as the last one stands in the mail."""
        return dict(self.takes).get(question, 1)

    def anew(self, *questions: str) -> "Session":
        """The answers to these are said again: a new take of each; the old one stands until the new one holds speech."""
        return replace(self, takes=tuple({**dict(self.takes), **{one: self.take(one) + 1 for one in questions}}.items()))

    def to_json(self) -> str:
        data = asdict(self)
        if not self.takes:
            del data["takes"]  # as the program before this one knows no such field and may be asked for the next turn
        return json.dumps(data, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Session":
        """An older or a newer program may have written it: what is not known here is dropped, what is not there is as in a new call."""
        data = json.loads(text)
        answers = tuple(Answer(**_known(Answer, answer)) for answer in data["answers"])
        tuples = {"answers": answers, "answered": tuple(data["answered"]), "takes": _takes(data, answers)}
        return cls(**{**_known(cls, data), **tuples})


def _known(kind: type[Session] | type[Answer], data: Mapping[str, Any]) -> dict[str, Any]:
    return {field.name: data[field.name] for field in fields(kind) if field.name in data}


def _takes(data: Mapping[str, Any], answers: tuple[Answer, ...]) -> tuple[tuple[str, int], ...]:
    if "take" not in data:
        return tuple((question, take) for question, take in data.get("takes", ()))
    # An older program knew the take of the question that is asked alone: said again, that is the one that was answered last.
    said = (*answers, *(replace(answer, take=data["take"]) for answer in answers[-1:]))
    return tuple({one.question: one.take for one in sorted(said, key=lambda one: one.take) if one.take > 1}.items())
