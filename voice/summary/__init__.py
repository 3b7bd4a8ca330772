"""What the caller said, put in order: the guide's questions with the caller's own words, ready to be written as a mail.

Pure: answers and their transcripts go in, a ``Summary`` comes out, and every form that an employee gets is made of that
alone. Nothing is left out in silence: what could not be heard is said, and so is what was not answered.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from voice.prompts import Guide, Pictogram, Question, Reading, Sheet, Vocabulary
from voice.summary.words import MASK, tells_illness, tidy

Status = Literal["answered", "not_answered", "not_heard", "failed"]


@dataclass(frozen=True, slots=True)
class Utterance:
    """What became of one recorded stretch of speech, or of one key pressed for yes or no."""

    id: str
    question: str  # the question's id
    take: int  # counted from 0; one higher each time the caller says the whole answer again
    order: int  # its place within the take
    status: Literal["heard", "silent", "failed", "keyed"]
    text: str = ""  # the transcript when heard, "yes" or "no" when keyed
    unsure: bool = False
    foreign: bool = False  # not in the line's language: the text, if any, is not to be trusted
    typed: bool = False

    def __post_init__(self) -> None:
        if self.status == "keyed" and self.text not in ("yes", "no"):
            raise ValueError("a keyed answer is yes or no")


@dataclass(frozen=True, slots=True)
class Section:
    """One question and what is known of its answer."""

    number: int  # of its part in the sound and in the text, from 1; the question's place in the guide
    question: str  # its id
    label: str  # "" when the guide no longer has the question
    words: str  # the caller's own, tidied
    choice: str  # "yes" or "no" by key, or ""
    status: Status
    unsure: bool  # the machine doubts some of the words
    foreign: bool  # some of it was said in another language
    typed: bool  # some of the words were typed, not spoken
    incomplete: bool  # the words stand, but a part could not be heard
    masked: bool  # the words held a personal number, of which the end is hidden
    illness: bool  # the words tell of an illness, which nobody may ask for: they are for the caller alone
    important: bool
    pictogram: Pictogram
    show: bool  # its question belongs on the page to show at the talk; the words do not if they tell of an illness
    recordings: tuple[str, ...]  # ids of the utterances to hear for this answer, in order


@dataclass(frozen=True, slots=True)
class Summary:
    """What one mail is made of. ``late``: these answers came too late for the first mail; it may have no sections at all."""

    guide: str  # its id
    title: str
    sheet: Sheet
    sections: tuple[Section, ...]
    readings: tuple[Reading, ...]  # what is good to know, never heard in full
    late: bool


def summarise(guide: Guide, utterances: Iterable[Utterance], vocabulary: Vocabulary, *, late: bool = False) -> Summary:
    """Put the answers in the guide's order. With ``late``, only the questions that have words or should have had some.

    Answers to a question that the guide no longer has (it changed while the caller spoke) stand at the end.
    """
    said: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        said.setdefault(utterance.question, []).append(utterance)
    asked = [
        _section(said.pop(question.id, ()), vocabulary, number, question.id, question) for number, question in enumerate(guide.questions, 1)
    ]
    strays = [stray for stray in (_section(said[name], vocabulary, 0, name) for name in said) if stray.status in ("answered", "failed")]
    sections = asked + [replace(stray, number=number) for number, stray in enumerate(strays, len(asked) + 1)]
    shown = tuple(section for section in sections if section.status in ("answered", "failed") or not late)
    return Summary(guide.id, guide.title, guide.sheet, shown, guide.readings, late)


def _section(utterances: Sequence[Utterance], vocabulary: Vocabulary, number: int, name: str, question: Question | None = None) -> Section:
    """One answer. The last take that holds words or a key stands: who begins again and says nothing loses nothing."""
    spoken = [
        utterance
        for utterance in utterances
        if utterance.status in ("heard", "keyed") and (tidy(utterance.text, vocabulary) or utterance.foreign)
    ]
    take = max((utterance.take for utterance in spoken), default=0)
    standing = sorted((utterance for utterance in spoken if utterance.take == take), key=lambda utterance: utterance.order)
    # A later take that failed may have held the better answer: the employee is told of it.
    failed = any(utterance.status == "failed" and utterance.take >= take for utterance in utterances)
    status: Status = "answered" if standing else "failed" if failed else "not_heard" if utterances else "not_answered"
    later = [utterance for utterance in utterances if utterance.take >= take and utterance.status != "keyed"]
    words = " ".join(filter(None, (tidy(utterance.text, vocabulary) for utterance in standing if utterance.status == "heard")))
    return Section(
        number=number,
        question=name,
        label=question.label if question else "",
        words=words,
        choice=next((utterance.text for utterance in reversed(standing) if utterance.status == "keyed"), ""),
        status=status,
        unsure=any(utterance.unsure for utterance in standing),
        foreign=any(utterance.foreign for utterance in standing),
        typed=any(utterance.typed for utterance in standing),
        incomplete=status == "answered" and failed,
        masked=MASK in words,
        illness=tells_illness(words, vocabulary),
        important=question is not None and question.important,
        pictogram=question.pictogram if question else "talk",
        show=question is not None and question.show,
        recordings=tuple(utterance.id for utterance in sorted(later, key=lambda utterance: (utterance.take, utterance.order))),
    )
