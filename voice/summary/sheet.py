"""A summary set on A4 pages for the hand: the first to show at the talk, the others for the employee alone.

What stands where is decided here, how it looks in ``sheet.typ``. Typst makes a tagged PDF/UA-1 of it, or nothing. It needs no font
but ours and no network, and no clock, so the same summary gives the same bytes.
"""

import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from unicodedata import category, normalize

import typst
from fontTools.ttLib import TTFont

from voice.errors import SummaryError
from voice.prompts import Prompts, Reading
from voice.summary import Section, Summary
from voice.summary.words import tidy

_HERE = Path(__file__).parent
_FONTS = _HERE / "fonts"
_BLANK = "\N{WHITE SQUARE}"  # stands for a character that no font of ours has
_SPACE = "\N{ZERO WIDTH SPACE}"  # a line may break here
_LONGEST_WORD = 24  # characters that fit the narrowest column
_MOST_SHOWN = 2000  # characters of one answer: more than a page can show


def write(summary: Summary, prompts: Prompts) -> bytes:
    """The pages as one PDF. Raises SummaryError."""
    page = _Pages(summary, prompts)
    data = {
        "language": prompts.language,
        "title": summary.title,
        "texts": {**prompts.mail, **prompts.sheet},
        "show": page.to_show(),
        "private": page.private(),
    }
    try:
        pdf = typst.compile(
            _HERE / "sheet.typ",
            root=_HERE,
            font_paths=_fonts(),
            sys_inputs={"data": json.dumps(_shown(data))},
            pdf_standards=["ua-1"],
            timestamp=0,
        )
    except typst.TypstError:
        # What Typst says may quote what was said on the telephone.
        raise SummaryError(f"Typst could not set the pages of the guide {summary.guide}") from None
    assert isinstance(pdf, bytes)
    return pdf


class _Pages:
    """What stands on the pages, as plain data."""

    def __init__(self, summary: Summary, prompts: Prompts) -> None:
        self._summary = summary
        self._prompts = prompts
        shown = [section for section in summary.sections if section.show]
        # What comes late, and nothing of it to show: no page to show is made a second time.
        to_show = any(section.status == "answered" and not section.illness for section in shown)
        self._has_page = summary.sheet != "private" and (to_show or not summary.late)
        self._shown = shown if self._has_page else []
        self._readings = () if summary.late else summary.readings

    def to_show(self) -> dict[str, Any] | None:
        """The page to show: the most important answer, the other answers, and what there is to write and agree on."""
        if not self._has_page:
            return None
        agenda = self._summary.sheet == "agenda"
        return {
            "tag": self._prompts.sheet["show_agenda" if agenda else "show"],
            "spoken": self._prompts.sheet["spoken"] if any(section.words and not section.illness for section in self._shown) else "",
            "star": [self._short(section) for section in self._shown if section.important],
            "answers": [self._short(section) for section in self._shown if not section.important],
            "in_table": self._summary.sheet == "agreements",
            "readings": [_read(reading) for reading in self._readings if reading.show],
        }

    def private(self) -> dict[str, Any]:
        """What is for the employee alone: every question with all words, and what is good to know."""
        sections = self._summary.sections
        return {
            "title": self._prompts.sheet["own"] if self._has_page else self._summary.title,
            "opening": self._opening(),
            "answers": [self._full(section) for section in sections if section.status != "not_answered"],
            "open": [self._headed(section) for section in sections if section.status == "not_answered" and section not in self._shown],
            "readings": [_read(reading) for reading in self._readings if not (reading.show and self._has_page)],
        }

    def _opening(self) -> list[str]:
        phrases = self._prompts.mail
        opening = [self._prompts.sheet["yours_agenda" if self._summary.sheet == "agenda" else "yours"]]
        if any(section.words for section in self._summary.sections):
            opening.append(phrases["machine"])
        return ([phrases["late"]] if self._summary.late else []) + opening

    def _headed(self, section: Section) -> dict[str, Any]:
        label, mark = section.label or self._prompts.mail["other"], self._prompts.mail["important"]
        return {
            "label": f"{mark}: {label}" if section.important and not label.startswith(mark) else label,
            "pictogram": section.pictogram,
        }

    def _words(self, section: Section) -> str:
        choice = tidy(self._prompts.mail[section.choice], self._prompts.vocabulary) if section.choice else ""
        return " ".join(filter(None, (choice, section.words)))

    def _short(self, section: Section) -> dict[str, Any]:
        words = "" if section.illness else self._words(section)  # then there are lines to write other words on
        return {**self._headed(section), "pieces": list(_pieces(words[:_MOST_SHOWN])), "more": len(words) > _MOST_SHOWN}

    def _full(self, section: Section) -> dict[str, Any]:
        phrases, number = {**self._prompts.mail, **self._prompts.sheet}, self._prompts.vocabulary.number(section.number)
        words = self._words(section)
        agenda = self._summary.sheet == "agenda"  # made by a leader, of others
        notes = {
            section.status: section.status != "answered",
            "incomplete": section.incomplete,
            "typed": section.typed,
            "masked": section.masked,
            "illness_agenda": section.illness and agenda,
            "illness": section.illness and not agenda,
            "illness_show": section.illness and section.show and self._has_page,
            "unshown": printable(words) != _composed(words),
            "unsure": section.unsure,  # the reasons to listen stand next to where
            "foreign": section.foreign,
        }
        return {
            **self._headed(section),
            "part": phrases["part"].replace("{number}", number),
            "words": "".join(_pieces(words)),
            "hear": phrases["hear"].replace("{number}", number) if section.recordings and (section.unsure or section.foreign) else "",
            "notes": [phrases[name] for name, applies in notes.items() if applies],
        }


def _read(reading: Reading) -> dict[str, Any]:
    return {"title": reading.title, "text": reading.text, "pictogram": reading.pictogram, "source": reading.source, "write": reading.write}


def printable(text: str) -> str:
    """The text with a white square for every character that no font of ours has: PDF/UA forbids what cannot be seen.

    Marks that are part of no letter go, as a letter of one font cannot carry a mark that only another has.
    """
    return "".join(
        character if ord(character) in _characters() else _BLANK
        for character in _composed(text)
        if category(character) not in ("Mn", "Mc", "Me", "Cf") or character == _SPACE
    )


def _composed(text: str) -> str:
    return normalize("NFC", text)


def _shown(data: Any) -> Any:
    """The data with every text in it made printable."""
    match data:
        case str():
            return printable(data)
        case dict():
            return {key: _shown(value) for key, value in data.items()}
        case list():
            return [_shown(value) for value in data]
    return data


def _pieces(text: str) -> Iterator[str]:
    """The words with the space after each, the longest ones in parts between which a line may break."""
    for word in re.findall(r"\S+\s*|\s+", text):
        parts: Sequence[str] = [word[n : n + _LONGEST_WORD] for n in range(0, len(word), _LONGEST_WORD)]
        yield from (part + _SPACE for part in parts[:-1])
        yield parts[-1]


@cache
def _characters() -> frozenset[int]:
    """The code points that can be shown in words: those of the regular fonts."""
    found: set[int] = set()
    for path in sorted(_FONTS.glob("*.ttf")):
        with TTFont(path, lazy=True) as font:
            found |= font.getBestCmap().keys() if "Bold" not in path.stem else set()
    return frozenset(found - {0xFEFF})  # a byte order mark: fonts have it, and PDF/UA forbids it


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[_FONTS])
