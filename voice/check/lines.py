"""Every text of the content with the file and key where an editor finds it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from voice.prompts import Guide, Prompts, Question, Reading

# What a text does: asks for an answer; helps to give one; is said otherwise; is read in the mail, as a paragraph or a few words.
Role = Literal["asked", "help", "said", "read", "label"]


@dataclass(frozen=True, slots=True)
class Line:
    """One text. ``part`` is what it is one with for a caller: a question, an intro, a text of the mail."""

    file: str
    part: str
    key: str  # within the part, or "" when it is the part
    text: str
    role: Role
    prompt: str = ""  # the prompt's id, of what is heard
    waived: bool = False  # it may name an illness: the file says why

    @property
    def heard(self) -> bool:
        return self.prompt != ""

    def problem(self, what: str) -> str:
        """As ``file: key: problem``."""
        return f"{self.file}: {'.'.join(filter(None, (self.part, self.key)))}: {what}"


def lines(prompts: Prompts) -> Iterator[Line]:
    """Every text, each once. One that is missing is left out: that is told already."""
    return (line for line in _all(prompts) if line.text)


def file_of(prompts: Prompts, name: str) -> str:
    """A file as problems name it."""
    return f"{prompts.language}/{name}.toml"


def _all(prompts: Prompts) -> Iterator[Line]:
    file = file_of(prompts, "phrases")
    for name, wordings in prompts.phrases.items():
        for wording in wordings:
            # "count" is a template; each question has its own, filled in
            text = _unfilled(wording.text) if name == "count" else wording.text
            yield Line(file, f"phrases.{name}", "", text, "said", wording.id)
    for table, texts in (("mail", prompts.mail), ("sheet", prompts.sheet)):
        for name, text in texts.items():
            yield Line(file, f"{table}.{name}", "", _unfilled(text), "read" if text.endswith(".") else "label")
    for group in prompts.groups:
        yield Line(file, f"group {group.id}", "menu", group.menu.text, "said", group.menu.id)
    shared = {reading.id: reading for guide in prompts.guides for reading in guide.readings if reading.groups}
    for reading in shared.values():
        yield from _reading(file_of(prompts, "read"), reading)
    for guide in prompts.guides:
        yield from _guide(file_of(prompts, guide.id), guide)


def _unfilled(template: str) -> str:
    return re.sub(r"\{\w*\} ?", "", template)


def _guide(file: str, guide: Guide) -> Iterator[Line]:
    yield Line(file, "title", "", guide.title, "label")
    yield Line(file, "menu", "", guide.menu.text, "said", guide.menu.id)
    yield Line(file, "intro", "", guide.intro.text, "said", guide.intro.id)
    for question in guide.questions:
        yield from _question(file, question)
    for reading in guide.readings:
        if not reading.groups:
            yield from _reading(file, reading)


def _question(file: str, question: Question) -> Iterator[Line]:
    part, waived = f"question {question.id}", question.waive != ""
    yield Line(file, part, "label", question.label, "label")
    if question.first:
        yield Line(file, part, "first", question.first.text, "said", question.first.id)
    for n, ask in enumerate(question.ask):
        yield Line(file, part, "again" if n else "ask", ask.text, "asked", ask.id, waived)
    yield Line(file, part, "help", question.help.text, "help", question.help.id, waived)


def _reading(file: str, reading: Reading) -> Iterator[Line]:
    yield Line(file, f"read {reading.id}", "title", reading.title, "label")
    yield Line(file, f"read {reading.id}", "text", reading.text, "read")
