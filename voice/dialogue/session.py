"""Where a call stands, between two webhooks. Ids and positions, never words."""

import json
from dataclasses import asdict, dataclass
from typing import Literal

Place = Literal["consent", "guide", "question", "over"]
Ended = Literal["", "complete", "refused", "silent", "hung_up", "too_long"]


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
    final_silence: int = 6
    consent: bool = False
    guide: str = ""
    question: int = 0  # index in the guide
    take: int = 1
    attempts: int = 0  # silences in a row at this place
    wrong_keys: int = 0  # at this place
    skipped: int = 0  # questions in a row that were left in silence
    answers: tuple[Answer, ...] = ()
    turn: int = 0
    ended: Ended = ""

    @property
    def over(self) -> bool:
        return self.place == "over"

    def to_json(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Session":
        data = json.loads(text)
        return cls(**{**data, "answers": tuple(Answer(**answer) for answer in data["answers"])})
