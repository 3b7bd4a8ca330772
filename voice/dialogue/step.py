"""A move's result, and the moves' type."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from voice.dialogue.session import Ended, Session
from voice.dialogue.turn import Keyed
from voice.prompts import Prompt, Prompts


@dataclass(frozen=True, slots=True)
class Step:
    """``ask``: whether the place is asked in full, or only waited at (the caller knows what was asked)."""

    session: Session
    say: tuple[Prompt, ...] = ()
    ask: bool = True
    keyed: Keyed | None = None


Move = Callable[[Prompts, Session], Step]


def end(session: Session, ended: Ended, *say: Prompt) -> Step:
    """The call is over."""
    return Step(replace(session, place="over", ended=ended), say)
