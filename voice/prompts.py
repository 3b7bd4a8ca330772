"""What callers hear and read, as data: ``prompts/<language>/`` read once and checked.

Content is TOML: one file for each guide, and ``phrases.toml`` for what all guides share. A guide is a
list of questions of two kinds, spoken and yes/no; there are no expressions. The menu is composed from
the guides, so that a new guide is one file and no code.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from voice.errors import PromptError
from voice.tables import Table

Kind = Literal["spoken", "yes_no"]

# Each phrase of the engine and the mail, and how many tries it tapers over (1 = never said twice in a row).
PHRASES = {
    "welcome": 1,
    "consent": 3,
    "consent_help": 1,
    "no_consent": 1,
    "choose_guide": 3,
    "press": 9,
    "how_to_talk": 1,
    "count": 1,
    "no_input": 3,
    "no_match": 3,
    "saved": 1,
    "still_there": 1,
    "go_on": 1,
    "skipped": 1,
    "listen_next": 1,
    "goodbye": 1,
    "goodbye_listener": 1,
    "goodbye_silent": 1,
    "goodbye_no_answers": 1,
    "too_long": 1,
    "sorry": 1,
    "busy": 1,
}
WORDS = ("numbers", "yes", "no")
MAIL = (
    "sender",
    "subject",
    "intro",
    "machine",
    "not_answered",
    "not_heard",
    "failed",
    "incomplete",
    "unsure",
    "typed",
    "yes",
    "no",
    "late",
    "important",
    "other",
    "automatic",
)
MAX_QUESTIONS = 9


@dataclass(frozen=True, slots=True)
class Prompt:
    """One thing said aloud. The id is stable and names its place in the content; the text may change."""

    id: str
    text: str


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

    def asking(self, attempt: int) -> Prompt:
        """What is said at this attempt, counted from 0."""
        return self.ask[min(attempt, len(self.ask) - 1)]


@dataclass(frozen=True, slots=True)
class Guide:
    """A set of questions. The id is the file's name."""

    id: str
    order: int  # its place in the menu
    title: str  # in the mail; no word of health
    menu: Prompt  # the option, said before its key
    intro: Prompt
    questions: tuple[Question, ...]

    def question(self, question_id: str) -> Question:
        """The question of that id. Raises KeyError."""
        for question in self.questions:
            if question.id == question_id:
                return question
        raise KeyError(question_id)


@dataclass(frozen=True, slots=True)
class Prompts:
    """Everything in one language. Iterating gives every Prompt that can be said, each once."""

    language: str  # BCP 47, the folder's name
    phrases: Mapping[str, tuple[Prompt, ...]]
    words: Mapping[str, tuple[str, ...]]
    mail: Mapping[str, str]
    guides: tuple[Guide, ...]

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
        for guide in self.guides:
            yield guide.menu
            yield guide.intro
            for question in guide.questions:
                yield question.count
                yield from question.ask
                yield question.help


def load(folder: Path) -> Prompts:
    """Read one language's folder. Raises PromptError with every problem as ``file: key: problem``."""
    problems: list[str] = []
    shared = Table(folder / "phrases.toml", problems)
    phrases = {
        name: tuple(Prompt(f"{name}/{n}", text) for n, text in enumerate(texts, 1))
        for name, texts in ((name, shared.texts(f"phrases.{name}", at_most=tries)) for name, tries in PHRASES.items())
    }
    words = {name: shared.texts(f"words.{name}", spoken=False) for name in WORDS}
    mail = {name: shared.text(f"mail.{name}") for name in MAIL}
    shared.nothing_else()
    for name, wordings in phrases.items():
        if name == "press" and wordings and len(wordings) < PHRASES["press"]:
            shared.wrong("phrases.press", "needs nine wordings, one for each key")
        for wording in wordings:
            places = ("{number}", "{total}") if name == "count" else ()
            if re.search("[{}]", _filled(wording.text, "", "") if places else wording.text) or not all(p in wording.text for p in places):
                shared.wrong(f"phrases.{name}", "must hold {number} and {total}" if places else "holds a placeholder")
    if words["numbers"] and len(words["numbers"]) < MAX_QUESTIONS:
        shared.wrong("words.numbers", f"needs the number words from one to {MAX_QUESTIONS}")
    for name in ("yes", "no"):
        if any(word != as_heard(word) for word in words[name]):
            shared.wrong(f"words.{name}", "must be small letters, as they are compared with what was heard")
    for word in sorted({*words["yes"]} & {*words["no"]}):
        shared.wrong("words.no", f"{word!r} is a yes as well")
    count = phrases["count"][0].text if phrases["count"] else ""
    files = sorted(path for path in folder.glob("*.toml") if path.name != "phrases.toml")
    guides = tuple(sorted((_guide(Table(path, problems), count, words["numbers"]) for path in files), key=lambda guide: guide.order))
    if not guides:
        problems.append(f"{folder}: there is no guide: add a .toml file with questions")
    if len(guides) > 4:
        problems.append(f"{folder}: {len(guides)} guides make a menu of more than four options")
    if problems:
        raise PromptError(problems)
    return Prompts(folder.name, phrases, words, mail, guides)


def load_all(folder: Path) -> tuple[Prompts, ...]:
    """Every language's content below a folder. Raises PromptError with the problems of all of them."""
    languages = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if not languages:
        raise PromptError([f"{folder}: there is no language here: add a folder such as da with phrases.toml and guides"])
    loaded: list[Prompts] = []
    problems: list[str] = []
    for language in languages:
        try:
            loaded.append(load(language))
        except PromptError as error:
            problems += error.problems
    if problems:
        raise PromptError(problems)
    return tuple(loaded)


def _guide(table: Table, count: str, numbers: tuple[str, ...]) -> Guide:
    guide_id = table.path.stem
    if not _is_id(guide_id):
        table.wrong("(file name)", "must be small letters a-z, digits and _")
    rows = table.tables("question")
    questions = tuple(_question(row, guide_id, n, len(rows), count, numbers) for n, row in enumerate(rows, 1))
    ids = [question.id for question in questions]
    for twice in sorted({i for i in ids if i and ids.count(i) > 1}):
        table.wrong("question.id", f"{twice!r} is used twice")
    if not 1 <= len(questions) <= MAX_QUESTIONS:
        table.wrong("question", f"there are {len(questions)} questions; a guide has 1 to {MAX_QUESTIONS}")
    elif sum(question.important for question in questions) != 1:
        table.wrong("question.important", "exactly one question of a guide must be marked important = true")
    guide = Guide(
        id=guide_id,
        order=table.number("order"),
        title=table.text("title"),
        menu=Prompt(f"{guide_id}/menu", table.text("menu", spoken=True)),
        intro=Prompt(f"{guide_id}/intro", table.text("intro", spoken=True)),
        questions=questions,
    )
    table.nothing_else()
    return guide


def _question(row: Table, guide_id: str, number: int, total: int, count: str, numbers: tuple[str, ...]) -> Question:
    question_id = row.text("id")
    if question_id and not _is_id(question_id):
        row.wrong("id", f"{question_id!r} must be small letters a-z, digits and _")
    kind: Kind = row.choice("kind", get_args(Kind), default="spoken")
    here = f"{guide_id}/{question_id}"
    asking = (row.text("ask", spoken=True), *row.texts("again"))
    said = _filled(count, numbers[number - 1], numbers[total - 1]) if total <= len(numbers) else count
    question = Question(
        id=question_id,
        kind=kind,
        label=row.text("label"),
        count=Prompt(f"{here}/count", said),
        ask=tuple(Prompt(f"{here}/ask/{n}", text) for n, text in enumerate(asking, 1)),
        help=Prompt(f"{here}/help", row.text("help", spoken=True)),
        important=row.flag("important"),
    )
    row.nothing_else()
    return question


def _filled(count: str, number: str, total: str) -> str:
    return count.replace("{number}", number).replace("{total}", total)


def as_heard(words: str) -> str:
    """Spoken words in the form in which they are compared: small letters, with one space between."""
    return " ".join("".join(c if c.isalpha() else " " for c in words.casefold()).split())


def _is_id(text: str) -> bool:
    return re.fullmatch(r"[a-z][a-z0-9_]{0,39}", text) is not None
