"""The pages are tagged so that a screen reader tells what the eye sees. A part of PDF/UA-1 only: Typst itself refuses the rest."""

import re
from functools import cache
from itertools import pairwise

import pytest

from tests.tags import Tags
from tests.test_summary_sheet import LONG, PROMPTS, SHORT, summary
from voice.summary import sheet

EVERY = pytest.mark.parametrize(
    ("guide", "words"), [("sygemeldt", SHORT), ("ondt", LONG), ("bagefter", SHORT), ("leder", None), ("tvivl", SHORT)]
)


@cache
def tags(guide: str, words: str | None) -> Tags:
    return Tags(sheet.write(summary(guide, words), PROMPTS))


@EVERY
def test_the_document_is_tagged_and_says_its_language_and_title(guide: str, words: str | None) -> None:
    made = tags(guide, words)
    assert made.root["/MarkInfo"]["/Marked"]
    assert made.root["/Lang"] == "da"
    assert made.title == PROMPTS.guide(guide).title
    assert made.root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert re.search(r"pdfuaid:part\W+1\W", made.metadata)


@EVERY
def test_headings_begin_at_the_first_level_and_skip_none(guide: str, words: str | None) -> None:
    levels = tags(guide, words).headings
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert len(levels) > 8


@EVERY
def test_a_picture_is_told_of_or_left_out_as_ornament(guide: str, words: str | None) -> None:
    assert all(figure.get("/Alt") for figure in tags(guide, words).of("Figure"))


@EVERY
def test_every_table_has_a_heading_to_each_column(guide: str, words: str | None) -> None:
    made = tags(guide, words)
    tables = made.of("Table")
    assert len(tables) == (guide != "tvivl")
    assert [head["/A"][0]["/Scope"] if isinstance(head["/A"], list) else head["/A"]["/Scope"] for head in made.of("TH")] == [
        "/Column"
    ] * 3 * len(tables)


@EVERY
def test_all_that_is_drawn_is_tagged_or_ornament(guide: str, words: str | None) -> None:
    for page in tags(guide, words).pages:
        depth = 0
        for operands, operator in page.get_contents().operations:
            depth += {b"BDC": 1, b"BMC": 1, b"EMC": -1}.get(operator, 0)
            assert depth or operator not in (b"Tj", b"TJ", b"Do", b"S", b"f"), operands


@EVERY
def test_the_fonts_are_ours_and_no_type_is_small(guide: str, words: str | None) -> None:
    sizes: set[float] = set()
    fonts: set[str] = set()

    def note(text: str, matrix: list[float], text_matrix: list[float], font: dict[str, str] | None, size: float) -> None:
        if text.strip() and font:
            fonts.add(font["/BaseFont"].partition("+")[2])
            sizes.add(round(size * abs(text_matrix[3]) * abs(matrix[3]), 1))

    for page in tags(guide, words).pages:
        page.extract_text(visitor_text=note)
    assert fonts == {"Andika", "Andika-Bold"}
    assert min(sizes) == 14
