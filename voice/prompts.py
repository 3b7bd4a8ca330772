"""What callers hear and read, as data: ``prompts/<language>/`` read once and checked.

Content is TOML: one file for each guide, ``phrases.toml`` for what all guides say, and ``read.toml`` for what the
mails of several guides tell. A guide is a list of questions of two kinds, spoken and yes/no; there are no
expressions. The menu is composed from the guides, so that a new guide is one file and no code.

``covers`` names the points of the sources that a piece of content carries; ``source`` the law that it states.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["spoken", "yes_no"]
# What an employee brings: a page for the talk, the agreements as they understood them, a leader's agenda, or nothing to show.
Sheet = Literal["talk", "agreements", "agenda", "private"]
Pictogram = Literal[
    "agreement",
    "balance",
    "calendar",
    "can",
    "companion",
    "doctor",
    "ear",
    "hard",
    "heart",
    "help",
    "idea",
    "leader",
    "pain",
    "people",
    "phone",
    "plan",
    "private",
    "question",
    "rights",
    "self",
    "star",
    "talk",
    "think",
    "work",
    "worry",
    "write",
]


@dataclass(frozen=True, slots=True)
class Prompt:
    """One thing said aloud. The id is stable and names its place in the content; the text may change."""

    id: str
    text: str
    language: str = ""  # BCP 47; that of the Prompts which hold it


@dataclass(frozen=True, slots=True)
class Question:
    """One question. ``ask`` tapers: the first asking, then shorter and simpler ones; the last is used again."""

    id: str
    kind: Kind
    label: str  # its heading in the mail
    count: Prompt  # "Spørgsmål tre af otte."
    ask: tuple[Prompt, ...]
    help: Prompt
    important: bool  # the one most important question of its guide
    first: Prompt | None = None  # a right or a kind word, said once before the question is asked
    pictogram: Pictogram = "talk"
    show: bool = False  # its answer belongs on the page to show at the talk
    covers: tuple[str, ...] = ()
    source: str = ""  # the law that ``first`` states
    waive: str = ""  # why its asking may name an illness

    def asking(self, attempt: int) -> Prompt:
        """What is said at this attempt, counted from 0."""
        return self.ask[min(attempt, len(self.ask) - 1)]


@dataclass(frozen=True, slots=True)
class Reading:
    """Something to know that is read, not heard: a heading and a few short sentences for the mail."""

    id: str
    title: str
    text: str
    pictogram: Pictogram = "talk"
    show: bool = False  # it stands on the page to show, in a frame if it states the law
    write: bool = False  # there it has lines to write on
    covers: tuple[str, ...] = ()
    source: str = ""  # the law that it states
    groups: tuple[str, ...] = ()  # those whose guides tell it, when it is no guide's own
    first: bool = False  # then it stands before the guide's own


@dataclass(frozen=True, slots=True)
class Guide:
    """A set of questions. The id is the file's name."""

    id: str
    order: int  # its place in the menu
    group: str  # the id of the group that it is offered in
    leads_to: str  # the group of guides that it ends in, or ""
    title: str  # in the mail; no word of health
    menu: Prompt  # the option, said before its key
    intro: Prompt
    questions: tuple[Question, ...]
    readings: tuple[Reading, ...] = ()  # those that its group shares and that stand first, its own, and the rest that its group shares
    sheet: Sheet = "talk"
    covers: tuple[str, ...] = ()
    source: str = ""  # the law that ``intro`` states

    def question(self, question_id: str) -> Question:
        """The question of that id. Raises KeyError."""
        for question in self.questions:
            if question.id == question_id:
                return question
        raise KeyError(question_id)


@dataclass(frozen=True, slots=True)
class Group:
    """Guides for one moment: before the talk, after it, in doubt."""

    id: str
    menu: Prompt  # the option, said before its key
    words: tuple[str, ...]  # what a caller may say instead of the key


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words of the language that the summary needs to know, in small letters."""

    numbers: tuple[str, ...] = ()  # from one
    fillers: tuple[str, ...] = ()  # sounds made while thinking: they may go
    doubles: tuple[str, ...] = ()  # small words that are said twice by a stumble: one of them may go
    illness: tuple[str, ...] = ()  # what nobody need tell at work; ``*`` stands for any letters

    def number(self, value: int) -> str:
        """The number as it is said: in words as far as they are known."""
        return self.numbers[value - 1] if 1 <= value <= len(self.numbers) else str(value)


@dataclass(frozen=True, slots=True)
class Prompts:
    """Everything in one language. Iterating gives every Prompt that can be said in it, each once."""

    language: str  # BCP 47, the folder's name; a line's content is its first language, which holds the others
    phrases: Mapping[str, tuple[Prompt, ...]]
    words: Mapping[str, tuple[str, ...]]
    mail: Mapping[str, str]
    groups: tuple[Group, ...]
    guides: tuple[Guide, ...]
    operator_phone: str = ""  # digits; read aloud to callers who want to talk to a person
    covers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of each phrase
    vocabulary: Vocabulary = Vocabulary()
    sheet: Mapping[str, str] = field(default_factory=dict)  # the texts of the pages to print
    order: int = 0  # the language's place among the line's
    locale: str = ""  # the language with its country, which is how telephone providers name it: "da-DK"
    voice: str = ""  # the provider's voice that reads what has no sound yet
    others: tuple["Prompts", ...] = ()  # the line's other languages
    pages: Mapping[str, str] = field(default_factory=dict)  # what is read on the web pages and in texts

    @property
    def languages(self) -> tuple["Prompts", ...]:
        """All languages of the line, in the order in which they are offered."""
        return (self, *self.others)

    def speaking(self, language: str) -> "Prompts":
        """The content in that language; in the line's first one while it is not known, or if it was taken away."""
        return next((one for one in self.languages if one.language == language), self)

    @property
    def person(self) -> tuple[Prompt, ...]:
        """Whom to call: the operator's number, digit by digit, if there is one; and help lines."""
        digits = [self.phrases["digits"][int(digit)] for digit in self.operator_phone]
        return (*((self.phrase("person"), *digits) if digits else ()), *self.phrases["crisis"])

    @property
    def consent_version(self) -> str:
        """Names the words that a caller says yes to: another wording is another version."""
        words = (self.language, *(prompt.text for name in ("consent", "explain_consent") for prompt in self.phrases[name]))
        return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]

    def phrase(self, name: str, attempt: int = 0) -> Prompt:
        """A shared phrase at this attempt, counted from 0; the last wording is used again."""
        wordings = self.phrases[name]
        return wordings[min(attempt, len(wordings) - 1)]

    def guide(self, guide_id: str) -> Guide:
        """The guide of that id. Raises KeyError."""
        for guide in self.guides:
            if guide.id == guide_id:
                return guide
        raise KeyError(guide_id)

    def __iter__(self) -> Iterator[Prompt]:
        for name, wordings in self.phrases.items():
            if name != "count":  # a template: what is said is each question's own
                yield from wordings
        for group in self.groups:
            yield group.menu
        for guide in self.guides:
            yield guide.menu
            yield guide.intro
            for question in guide.questions:
                yield question.count
                if question.first:
                    yield question.first
                yield from question.ask
                yield question.help


def as_heard(words: str) -> str:
    """Spoken words in the form in which they are compared: small letters, with one space between."""
    return " ".join("".join(c if c.isalpha() else " " for c in words.casefold()).split())
