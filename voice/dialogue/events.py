"""What can happen in a call. A closed union: ``respond`` proves with ``assert_never`` that each is handled.

Times, ids and settings enter the dialogue as facts in these events, and nowhere else.
"""

from dataclasses import dataclass

SILENCE = "silence"  # a recording's ``ended_by``: final silence or the time limit
HANGUP = "hangup"


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A call from the same number that broke off: which questions of which guide have an answer. Never what was said.

    ``takes``: of the questions that were said again, as in its session.
    """

    guide: str
    answered: tuple[str, ...]
    language: str = ""  # "" is the line's first
    takes: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where the preparation of a call from this number can go.

    ``domain``: of the address that is bound to the number, or "". ``text``: an SMS with a link can be sent to it.
    ``seen``: the number was shown at all.
    """

    domain: str = ""
    text: bool = False
    seen: bool = True


@dataclass(frozen=True, slots=True)
class CallStarted:
    """The line was called.

    ``final_silence``: seconds of silence that end an answer. ``words``: menus may be answered by a spoken word.
    ``guide``: the one that the called number leads to, or "". ``unfinished``: what the caller may go on with.
    ``language``: the one that the called number speaks, or "" for the caller's choice.
    ``mailbox``: None in a trial, when every preparation goes to the same address.
    """

    final_silence: int = 6
    words: bool = True
    guide: str = ""
    unfinished: Unfinished | None = None
    language: str = ""
    mailbox: Mailbox | None = None


@dataclass(frozen=True, slots=True)
class KeysPressed:
    """Keys on the telephone. Anything that no menu knows is a no-match."""

    keys: str


@dataclass(frozen=True, slots=True)
class WordsHeard:
    """What the provider's recogniser made of a word said to a menu. Never an answer to a question."""

    words: str


@dataclass(frozen=True, slots=True)
class UtteranceRecorded:
    """A stretch of the caller's speech was recorded, or perhaps only silence: that is decided later.

    ``seconds`` is untrimmed, with the final silence. ``ended_by``: SILENCE, HANGUP or the key that was pressed.
    """

    recording_sid: str
    seconds: int
    ended_by: str


@dataclass(frozen=True, slots=True)
class NoInput:
    """The line waited, and nothing came."""


@dataclass(frozen=True, slots=True)
class HungUp:
    """The caller is gone."""


Event = CallStarted | KeysPressed | WordsHeard | UtteranceRecorded | NoInput | HungUp
