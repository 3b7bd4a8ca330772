"""Reads and checks ``prompts/<language>/``: every problem at once, as ``file: key: problem``."""

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import get_args

from voice.errors import PromptError
from voice.prompts import Group, Guide, Kind, Pictogram, Prompt, Prompts, Question, Reading, Sheet, Vocabulary, as_heard
from voice.required import MAIL, MAX_OPTIONS, MAX_QUESTIONS, PAGES, PHRASES, SHARED, SHEET, WHOLE, WORDS
from voice.tables import Table, is_id


def load(folder: Path, operator_phone: str = "") -> Prompts:
    """Read one language's folder. Raises PromptError with every problem as ``file: key: problem``."""
    prompts, problems = read(folder, operator_phone)
    if problems:
        raise PromptError(problems)
    return prompts


def read(folder: Path, operator_phone: str = "") -> tuple[Prompts, list[str]]:
    """What a language's folder holds, and every problem of its structure. What is wrong there reads as empty."""
    problems: list[str] = []
    shared = Table(folder / "phrases.toml", problems)
    phrases = {
        name: tuple(Prompt(f"{name}/{n}", text, folder.name) for n, text in enumerate(texts, 1))
        for name, texts in ((name, shared.texts(f"phrases.{name}", at_most=tries)) for name, tries in PHRASES.items())
    }
    words = {name: shared.texts(f"words.{name}", spoken=False) for name in WORDS}
    vocabulary = _vocabulary(shared)
    numbers = vocabulary.numbers
    mail = {name: shared.text(f"mail.{name}") for name in MAIL}
    sheet = {name: shared.text(f"sheet.{name}") for name in SHEET}
    groups = tuple(_group(row) for row in shared.tables("group"))
    order, locale, voice = shared.number("language.order"), shared.text("language.locale"), shared.text("language.voice")
    if locale and not re.fullmatch(r"[a-z]{2,3}-[A-Z]{2}", locale):
        shared.wrong("language.locale", "must be the language with its country, such as da-DK")
    covers = {name: shared.texts(f"covers.{name}", spoken=False, default=()) for name in PHRASES}
    shared.nothing_else()
    web = Table(folder / "pages.toml", problems)
    pages = {name: web.text(name) for name in PAGES}
    web.nothing_else()
    for name, wordings in phrases.items():
        if name in WHOLE and wordings and len(wordings) < PHRASES[name]:
            shared.wrong(f"phrases.{name}", f"needs {PHRASES[name]} wordings")
        for wording in wordings:
            places = ("{number}", "{total}") if name == "count" else ()
            if re.search("[{}]", _filled(wording.text, "", "") if places else wording.text) or not all(p in wording.text for p in places):
                shared.wrong(f"phrases.{name}", "must hold {number} and {total}" if places else "holds a placeholder")
    for name, text in mail.items():
        if set(re.findall("{[^}]*}?|}", text)) != ({MAIL[name]} if MAIL[name] and text else set()):
            shared.wrong(f"mail.{name}", f"must hold {MAIL[name]}" if MAIL[name] else "holds a placeholder")
    if mail["file"] and not re.fullmatch(r"\w[\w -]*", mail["file"]):
        shared.wrong("mail.file", "must be letters, digits, spaces and - only, as it names files")
    if numbers and len(numbers) < MAX_QUESTIONS:
        shared.wrong("words.numbers", f"needs the number words from one to {MAX_QUESTIONS}")
    spoken = {**words, **{f"group {group.id}": group.words for group in groups}}
    for name, heard in spoken.items():
        if any(word != as_heard(word) for word in heard):
            shared.wrong(f"words of {name}", "must be small letters, as they are compared with what was heard")
    for word, names in _meanings(spoken).items():
        if len(names) > 1:
            shared.wrong("words", f"{word!r} stands for {' and '.join(names)}")
    count = phrases["count"][0].text if phrases["count"] else ""
    known = {group.id for group in groups}
    readings = _shared_readings(folder / "read.toml", known, problems)
    tables = [Table(path, problems) for path in sorted(folder.glob("*.toml")) if path.name not in SHARED]
    guides = tuple(sorted((_guide(table, count, numbers, known, readings) for table in tables), key=lambda guide: guide.order))
    if not guides:
        problems.append(f"{folder}: there is no guide: add a .toml file with questions")
    offered = tuple(group for group in groups if any(guide.group == group.id for guide in guides))
    if len(offered) > MAX_OPTIONS:
        shared.wrong("group", f"{len(offered)} groups make a menu of more than {MAX_OPTIONS} options")
    for group in offered:
        if (count_of := sum(guide.group == group.id for guide in guides)) > MAX_OPTIONS:
            shared.wrong("group", f"{count_of} guides in the group {group.id!r} make a menu of more than {MAX_OPTIONS} options")
    prompts = Prompts(
        folder.name, phrases, words, mail, offered, guides, operator_phone, covers, vocabulary, sheet, order, locale, voice, pages=pages
    )
    return prompts, problems


def _vocabulary(shared: Table) -> Vocabulary:
    lists = {field.name: shared.texts(f"words.{field.name}", spoken=False) for field in fields(Vocabulary)}
    for name, words in lists.items():
        for word in words:
            plain = word.strip("*") if name == "illness" else word
            if not plain or plain != as_heard(plain):
                shared.wrong(f"words.{name}", f"{word!r} must be small letters" + " with * before or after" * (name == "illness"))
    return Vocabulary(**lists)


def _group(row: Table) -> Group:
    group_id = row.text("id")
    if group_id and not is_id(group_id):
        row.wrong("id", f"{group_id!r} must be small letters a-z, digits and _")
    menu = Prompt(f"group/{group_id}", row.text("menu", spoken=True), row.language)
    group = Group(group_id, menu, row.texts("words", spoken=False))
    row.nothing_else()
    return group


def load_all(folder: Path, operator_phone: str = "") -> tuple[Prompts, ...]:
    """Every language's content below a folder, in the order of its menu. Raises PromptError with the problems of all of them."""
    languages = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if not languages:
        raise PromptError([f"{folder}: there is no language here: add a folder such as da with phrases.toml and guides"])
    loaded: list[Prompts] = []
    problems: list[str] = []
    if len(languages) > MAX_OPTIONS:
        problems.append(f"{folder}: {len(languages)} languages make a menu of more than {MAX_OPTIONS} options")
    for language in languages:
        if not re.fullmatch(r"[a-z]{2,3}", language.name):
            problems.append(f"{language}: the folder must be named by the language's code, such as da")
        try:
            loaded.append(load(language, operator_phone))
        except PromptError as error:
            problems += error.problems
    if problems:
        raise PromptError(problems)
    return tuple(sorted(loaded, key=lambda content: content.order))


def load_line(folder: Path, operator_phone: str = "") -> Prompts:
    """What a line says: its first language, which holds the others. Raises PromptError."""
    first, *others = load_all(folder, operator_phone)
    return replace(first, others=tuple(others))


def _shared_readings(path: Path, groups: set[str], problems: list[str]) -> list[Reading]:
    """The readings of ``read.toml``, which need not be there."""
    if not path.exists():
        return []
    table = Table(path, problems)
    rows = table.tables("read")
    table.nothing_else()
    shared = []
    for row in rows:
        told_in, first = row.texts("groups", spoken=False), row.flag("first")
        for unknown in sorted(set(told_in) - groups) if groups else ():
            row.wrong("groups", f"there is no group {unknown!r} in phrases.toml")
        shared.append(replace(_reading(row), groups=told_in, first=first))
    _no_twins(table, "read.id", [reading.id for reading in shared])
    return shared


def _reading(row: Table) -> Reading:
    reading = Reading(
        id=row.text("id"),
        title=row.text("title"),
        text=row.text("text", spoken=True),
        pictogram=row.choice("pictogram", get_args(Pictogram), default="talk"),
        show=row.flag("show"),
        write=row.flag("write"),
        covers=row.texts("covers", spoken=False, default=()),
        source=row.text("source", default=""),
    )
    if reading.id and not is_id(reading.id):
        row.wrong("id", f"{reading.id!r} must be small letters a-z, digits and _")
    row.nothing_else()
    return reading


def _guide(
    table: Table,
    count: str,
    numbers: tuple[str, ...],
    groups: set[str],
    shared_readings: list[Reading],
) -> Guide:
    guide_id = table.path.stem
    if not is_id(guide_id):
        table.wrong("(file name)", "must be small letters a-z, digits and _")
    rows = table.tables("question")
    questions = tuple(_question(row, guide_id, n, len(rows), count, numbers) for n, row in enumerate(rows, 1))
    _no_twins(table, "question.id", [question.id for question in questions])
    if not 1 <= len(questions) <= MAX_QUESTIONS:
        table.wrong("question", f"there are {len(questions)} questions; a guide has 1 to {MAX_QUESTIONS}")
    elif sum(question.important for question in questions) != any(question.kind == "spoken" for question in questions):
        table.wrong("question.important", "exactly one question of a guide that asks for speech must be marked important = true")
    group, leads_to = table.text("group"), table.text("leads_to", default="")
    shared = [reading for reading in shared_readings if group in reading.groups]
    own = [_reading(row) for row in table.tables("read", needed=False)]
    readings = [*(each for each in shared if each.first), *own, *(each for each in shared if not each.first)]
    _no_twins(table, "read.id", [reading.id for reading in readings])
    for key, named in (("group", group), ("leads_to", leads_to)):
        if named and groups and named not in groups:
            table.wrong(key, f"there is no group {named!r} in phrases.toml")
    guide = Guide(
        id=guide_id,
        order=table.number("order"),
        group=group,
        leads_to=leads_to,
        title=table.text("title"),
        menu=Prompt(f"{guide_id}/menu", table.text("menu", spoken=True), table.language),
        intro=Prompt(f"{guide_id}/intro", table.text("intro", spoken=True), table.language),
        questions=questions,
        readings=tuple(readings),
        sheet=table.choice("sheet", get_args(Sheet), default="talk"),
        covers=table.texts("covers", spoken=False, default=()),
        source=table.text("source", default=""),
    )
    table.nothing_else()
    return guide


def _question(row: Table, guide_id: str, number: int, total: int, count: str, numbers: tuple[str, ...]) -> Question:
    question_id = row.text("id")
    if question_id and not is_id(question_id):
        row.wrong("id", f"{question_id!r} must be small letters a-z, digits and _")
    kind: Kind = row.choice("kind", get_args(Kind), default="spoken")
    here = f"{guide_id}/{question_id}"
    asking = (row.text("ask", spoken=True), *row.texts("again"))
    first = row.text("first", spoken=True, default="")
    said = _filled(count, numbers[number - 1], numbers[total - 1]) if total <= len(numbers) else count
    question = Question(
        id=question_id,
        kind=kind,
        label=row.text("label"),
        count=Prompt(f"{here}/count", said, row.language),
        ask=tuple(Prompt(f"{here}/ask/{n}", text, row.language) for n, text in enumerate(asking, 1)),
        help=Prompt(f"{here}/help", row.text("help", spoken=True), row.language),
        important=row.flag("important"),
        first=Prompt(f"{here}/first", first, row.language) if first else None,
        pictogram=row.choice("pictogram", get_args(Pictogram), default="talk"),
        show=row.flag("show"),
        covers=row.texts("covers", spoken=False, default=()),
        source=row.text("source", default=""),
        waive=row.text("waive", default=""),
    )
    row.nothing_else()
    return question


def _filled(count: str, number: str, total: str) -> str:
    return count.replace("{number}", number).replace("{total}", total)


def _meanings(spoken: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """Each word with what it stands for: a word that stands for two things decides nothing."""
    meanings: dict[str, list[str]] = {}
    for name, wordings in spoken.items():
        for word in wordings:
            meanings.setdefault(word, []).append(name)
    return meanings


def _no_twins(table: Table, key: str, ids: list[str]) -> None:
    for twice in sorted({i for i in ids if i and ids.count(i) > 1}):
        table.wrong(key, f"{twice!r} is used twice")
