"""A guide read as a caller would meet it: in order, with seconds, and with what is said to silence and to a call for help."""

from collections.abc import Iterator

from voice.check.seconds import Seconds
from voice.check.stretches import length, way_through
from voice.dialogue.turn import Hangup, Menu, Record, Turn, Wait
from voice.prompts import Guide, Prompt, Prompts


def played(prompts: Prompts, guide: Guide, seconds: Seconds) -> Iterator[str]:
    """Lines to print. What is said stands flush left, what is only said when it is needed stands indented."""
    told = 0
    for session, turn in way_through(prompts, guide):
        yield from _stretch(turn, seconds)
        if session.place == "question" and turn.say:
            question = guide.questions[session.question]
            for n, again in enumerate(question.ask[1:], 2):
                yield f"    at try {n}: {_text([again])}"
            yield f"    help: {_text([question.help])}"
            yield ""
            told += 1
    assert told == len(guide.questions), "the way through asks every question"


def _stretch(turn: Turn, seconds: Seconds) -> Iterator[str]:
    if turn.say:
        yield _text(turn.say)
    taken = f"{length(turn.say, seconds):.1f} seconds, then " if seconds and turn.say else ""
    yield f"    [{taken}{_waits(turn.then)}]"


def _waits(wait: Wait) -> str:
    match wait:
        case Record(final_silence=silence):
            return f"the caller speaks, until {silence} seconds of silence"
        case Menu(timeout, words):
            return f"{timeout} seconds for a key{' or a word' if words else ''}"
        case Hangup():
            return "the line hangs up"


def _text(said: tuple[Prompt, ...] | list[Prompt]) -> str:
    return " ".join(prompt.text for prompt in said)
