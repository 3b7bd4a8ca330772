"""What the line does next: says prompts, then waits for exactly one thing, or hangs up."""

from dataclasses import dataclass

from voice.prompts import Prompt


@dataclass(frozen=True, slots=True)
class Menu:
    """Waits for one key, or with ``words`` for a spoken word too. ``timeout``: seconds after the last prompt."""

    timeout: int
    words: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """Records speech until ``final_silence`` seconds of silence, a key, ``max_seconds`` or a hang-up.

    ``question`` and ``take`` say where the utterance belongs, however late the news of it comes.
    """

    question: str
    take: int
    final_silence: int
    max_seconds: int


@dataclass(frozen=True, slots=True)
class Hangup:
    """The line hangs up."""


Wait = Menu | Record | Hangup


@dataclass(frozen=True, slots=True)
class Keyed:
    """A yes/no question answered by key. It is content: it leaves the dialogue here and is kept sealed, not in the session."""

    question: str
    take: int
    yes: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """Dead air and double waits cannot be written: one Wait, always.

    ``slow``: the caller asked for slower speech. ``language``: the one in which words are listened for.
    """

    say: tuple[Prompt, ...]
    then: Wait
    slow: bool = False
    keyed: Keyed | None = None
    language: str = ""
