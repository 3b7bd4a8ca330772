"""What the content says of its own language and sources: ``wording.toml`` and ``points.toml`` in a language's folder.

Neither need be there. Without the first the wording is not judged, without the second no point is missed.
"""

import functools
import re
from dataclasses import dataclass
from pathlib import Path

from voice.tables import Table

WORDING, POINTS = "wording.toml", "points.toml"


@dataclass(frozen=True, slots=True)
class Words:
    """A list of words; one that ends in ``-`` is the beginning of every word that it names."""

    listed: tuple[str, ...]

    def found_in(self, text: str) -> list[str]:
        """Those that the text holds, each once and as it stands there. Capitals do not matter."""
        return list(dict.fromkeys(_pattern(self.listed).findall(text)))


@dataclass(frozen=True, slots=True)
class Language:
    """How a language's wording is judged."""

    illness: Words  # they ask for an illness
    jargon: Words  # a caller may not know them: English, or an authority's
    abbreviations: Words  # a voice spells them out, or stops at their full stop
    characters: frozenset[str]  # all that fonts and voices have; a small letter stands for its capital too
    press: Words  # "press": what is said before a key
    keys: Words  # how the keys are called


@dataclass(frozen=True, slots=True)
class Points:
    """The points of the sources that this language carries over, by how they must reach somebody."""

    file: str
    heard: tuple[str, ...]
    read: tuple[str, ...]


def language_of(folder: Path, problems: list[str]) -> Language | None:
    """How the wording in that folder is judged, if it says so. Problems of the file go into the list."""
    path = folder / WORDING
    if not path.exists():
        return None
    before = len(problems)
    table = Table(path, problems)
    names = ("illness", "jargon", "abbreviations", "press", "keys")
    illness, jargon, abbreviations, press, keys = (Words(table.texts(name, spoken=False)) for name in names)
    characters = frozenset(table.text("characters")) | {" "}
    table.nothing_else()
    return None if problems[before:] else Language(illness, jargon, abbreviations, characters, press, keys)


def points_of(folder: Path, problems: list[str]) -> Points | None:
    """The points that the content in that folder carries, if it says so. Problems of the file go into the list."""
    path = folder / POINTS
    if not path.exists():
        return None
    before = len(problems)
    table = Table(path, problems)
    heard, read = (table.texts(name, spoken=False) for name in ("heard", "read"))
    table.nothing_else()
    return None if problems[before:] else Points(f"{folder.name}/{path.name}", heard, read)


@functools.cache
def _pattern(listed: tuple[str, ...]) -> re.Pattern[str]:
    either = "|".join(re.escape(word.removesuffix("-")) + (r"\w*" if word.endswith("-") else "") for word in listed)
    return re.compile(rf"(?<!\w)(?:{either})(?!\w)", re.IGNORECASE)
