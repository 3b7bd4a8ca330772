"""What a telephone must be able to do to be rung through the exchange."""

from dataclasses import dataclass
from typing import Protocol

from voice.exchange.conversation import Entry
from voice.exchange.media import SILENCE


@dataclass(frozen=True, slots=True)
class Heard:
    """What came from the caller in 20 ms. An empty ``frame`` means that no sound arrived at all, which is not silence."""

    frame: bytes = SILENCE
    key: str | None = None
    words: str | None = None  # what the provider's recogniser would make of what was said just now
    hung_up: bool = False
    note: str = ""  # what the caller begins to do, for the record of the conversation


class Handset(Protocol):
    """A telephone. Both methods are called from the thread that runs the call, never at the same time."""

    def swap(self, frame: bytes) -> Heard:
        """Take 20 ms of the line's sound and give the caller's. A handset in real time returns when the 20 ms have passed."""

    def notice(self, entry: Entry) -> None:
        """Something happened on the call: the line says, listens, beeps, records, …; the caller's own doings come back as well."""
