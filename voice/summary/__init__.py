"""What the caller said, put in order: the guide's questions with the caller's own words, ready to be written as a mail.

Pure: answers and their transcripts go in, a ``Summary`` comes out, and every form that an employee gets is made of that
alone. Nothing is left out in silence: what could not be heard is said, and so is what was not answered.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from voice.prompts import Guide
from voice.summary.words import tidy

Status = Literal["answered", "not_answered", "not_heard", "failed"]


@dataclass(frozen=True, slots=True)
class Utterance:
    """What became of one recorded stretch of speech, or of one key pressed for yes or no."""

    question: str  # the question's id
    take: int  # counted from 0; one higher each time the caller says the whole answer again
    order: int  # its place within the take
    status: Literal["heard", "silent", "failed", "keyed"]
    text: str = ""  # the transcript when heard, "yes" or "no" when keyed
    unsure: bool = False
    typed: bool = False

    def __post_init__(self) -> None:
        if self.status == "keyed" and self.text not in ("yes", "no"):
            raise ValueError("a keyed answer is yes or no")


@dataclass(frozen=True, slots=True)
class Section:
    """One question and what is known of its answer."""

    label: str  # "" when the guide no longer has the question
    words: str  # the caller's own, tidied
    choice: str  # "yes" or "no" by key, or ""
    status: Status
    unsure: bool  # the machine doubts some of the words
    typed: bool  # some of the words were typed, not spoken
    incomplete: bool  # the words stand, but a part could not be heard
    important: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """What one mail is made of. ``late``: these answers came too late for the first mail; it may have no sections at all."""

    title: str
    sections: tuple[Section, ...]
    late: bool


def summarise(guide: Guide, utterances: Iterable[Utterance], *, late: bool = False) -> Summary:
    """Put the answers in the guide's order. With ``late``, only the questions that have words.

    Answers to a question that the guide no longer has (it changed while the caller spoke) stand at the end.
    """
    said: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        said.setdefault(utterance.question, []).append(utterance)
    asked = [_section(said.pop(question.id, ()), question.label, question.important) for question in guide.questions]
    strays = [_section(stray) for stray in said.values()]
    sections = asked + [stray for stray in strays if stray.status in ("answered", "failed")]
    return Summary(guide.title, tuple(section for section in sections if section.status == "answered" or not late), late)


def _section(utterances: Sequence[Utterance], label: str = "", important: bool = False) -> Section:
    """One answer. The last take that holds words or a key stands: who begins again and says nothing loses nothing."""
    spoken = [utterance for utterance in utterances if utterance.status in ("heard", "keyed") and tidy(utterance.text)]
    take = max((utterance.take for utterance in spoken), default=0)
    standing = sorted((utterance for utterance in spoken if utterance.take == take), key=lambda utterance: utterance.order)
    # A later take that failed may have held the better answer: the employee is told of it.
    failed = any(utterance.status == "failed" and utterance.take >= take for utterance in utterances)
    status: Status = "answered" if standing else "failed" if failed else "not_heard" if utterances else "not_answered"
    return Section(
        label=label,
        words=" ".join(tidy(utterance.text) for utterance in standing if utterance.status == "heard"),
        choice=next((utterance.text for utterance in reversed(standing) if utterance.status == "keyed"), ""),
        status=status,
        unsure=any(utterance.unsure for utterance in standing),
        typed=any(utterance.typed for utterance in standing),
        incomplete=status == "answered" and failed,
        important=important,
    )
