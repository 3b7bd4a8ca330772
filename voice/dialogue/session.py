"""Where a call stands, between two webhooks. Ids and positions, never words."""

import json
from dataclasses import asdict, dataclass, replace
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
    take: int = 1
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

    def to_json(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Session":
        data = json.loads(text)
        answers = tuple(Answer(**answer) for answer in data["answers"])
        return cls(**{**data, "answers": answers, "answered": tuple(data["answered"])})
