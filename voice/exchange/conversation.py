"""What happened on a call, in the order of its own time, and as text to read."""

from dataclasses import dataclass, field
from typing import Literal

Who = Literal["line", "caller"]
What = Literal[
    # the line
    "answers",
    "rejects",
    "says",
    "pauses",
    "listens",  # the prompts of a <Gather> are over; the text is its input: dtmf, speech or both
    "beeps",
    "records",
    "recorded",
    "fails",
    "hangs up",
    # the caller
    "presses",
    "speaks",
    "does",  # anything else, told by the text alone
]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. ``at`` is in seconds of the call."""

    at: float
    who: Who
    what: What
    text: str = ""

    def __str__(self) -> str:
        minutes, rest = divmod(self.at, 60)
        words = (self.what, self.text) if self.what != "does" else (self.text,)
        return f"{int(minutes):2}:{rest:04.1f}  {self.who:6}  {' '.join(words)}".rstrip()


@dataclass(slots=True)
class Conversation:
    """Everything that happened on one call."""

    entries: list[Entry] = field(default_factory=list)

    def texts(self, what: What) -> list[str]:
        """What was said, pressed, …: the texts of all entries of one kind."""
        return [entry.text for entry in self.entries if entry.what == what]

    def __str__(self) -> str:
        return "\n".join(map(str, self.entries))
