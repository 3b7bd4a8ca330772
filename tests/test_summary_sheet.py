"""The pages that an employee holds in the hand: what stands on which, that no word is lost, and that they are tagged for all readers."""

import io
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import typst
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from tests.conftest import ROOT
from voice.content import load
from voice.errors import SummaryError
from voice.summary import Summary, Utterance, sheet, summarise

PROMPTS = load(ROOT / "prompts" / "da")
GUIDES = [guide.id for guide in PROMPTS.guides]
SHORT = "Jeg vil gerne bytte den tunge opgave. Det hjælper mig meget."
LONG = " ".join(f"Og så siger jeg ord nummer {n}, som også er vigtigt for mig." for n in range(40))
NASTY = {
    "emoji": "Hej 😀👩‍🔧 med dig",
    "arabic": "أنا متعب جدا في العمل",
    "chinese": "我的背很痛",
    "markup": '#import "x": y $a_b$ *fed* <script>alert(1)</script> {{7*7}} \\u{41} //',
    "bidi": "abc \u202edef\u2066ghi",
    "control": "a\x00b\x07c\r\nBcc: d\x85e",
    "half a character": "a \ud800 b",
    "no character": "a \ufeff\ufffe\uffff\U0010ffff b",
    "private": "a \ue000 b",
    "a letter and a mark of different fonts": "\u202e\u1d04\U0001f615\u0368",
    "joined": "e\u0301\u0301\u0301 \u200d\ufe0f \u0e01\u0e49",
}


def summary(guide_id: str, words: str | None = SHORT, **kinds: bool) -> Summary:
    """Every question of the guide answered with these words, or none."""
    guide = PROMPTS.guide(guide_id)
    if words is None:
        return summarise(guide, (), PROMPTS.vocabulary)
    return summarise(
        guide,
        [
            Utterance(f"u{n}", question.id, 0, 0, "heard", f"{question.label}: {words}", **kinds)
            if question.kind == "spoken"
            else Utterance(f"u{n}", question.id, 0, 0, "keyed", "yes")
            for n, question in enumerate(guide.questions)
        ],
        PROMPTS.vocabulary,
    )


def said(made: Summary, words: str) -> Summary:
    """The summary as if these very characters were its words: no one has tidied them."""
    return replace(made, sections=tuple(replace(section, words=words) for section in made.sections))


@cache
def read(made: Summary) -> PdfReader:
    return PdfReader(io.BytesIO(sheet.write(made, PROMPTS)))


@cache
def pages(made: Summary) -> list[str]:
    """The words of each page that has any, without its foot."""
    texts = [page.extract_text() for page in read(made).pages]
    return [re.sub(r"(Kun til dig|Vis frem|Plan for snakken) · Side \d+$", "", text) for text in texts if text]


def bare(text: str) -> str:
    """The text without the white space that a page puts in or leaves out."""
    return re.sub(r"\s|\u200b", "", text)


@pytest.mark.parametrize("words", [None, SHORT, LONG])
@pytest.mark.parametrize("guide", [guide for guide in GUIDES if PROMPTS.guide(guide).sheet != "private"])
def test_what_is_to_show_stands_on_one_page_and_what_is_private_begins_on_the_next(guide: str, words: str | None) -> None:
    first, second, *rest = pages(summary(guide, words))
    assert first.startswith(PROMPTS.guide(guide).title)
    assert bare(first).removesuffix(bare(PROMPTS.sheet["spoken"])).endswith(("MedarbejderLeder", "MedarbejderLederDato"))
    assert second.startswith(PROMPTS.sheet["own"])
    assert all(PROMPTS.sheet["sign"] not in page for page in (second, *rest))


@pytest.mark.parametrize("words", [None, SHORT, LONG])
@pytest.mark.parametrize("guide", GUIDES)
def test_printed_on_both_sides_the_page_to_show_has_an_empty_back(guide: str, words: str | None) -> None:
    made = summary(guide, words)
    if made.sheet == "private":
        assert PROMPTS.sheet["private"] in read(made).pages[0].extract_text()
        return
    front, back, third, *_ = read(made).pages
    assert PROMPTS.sheet["private"] not in front.extract_text()
    assert not back.get_contents() or not re.search(rb"T[jJ]|Do|re", back.get_contents().get_data())
    assert f"{PROMPTS.sheet['private']} · {PROMPTS.sheet['page']} 3" in third.extract_text()


@pytest.mark.parametrize("guide", GUIDES)
def test_every_word_that_was_said_stands_on_the_private_pages(guide: str) -> None:
    made = summary(guide, LONG)
    private = bare("".join(pages(made)[made.sheet != "private" :]))
    for section in made.sections:
        assert bare(section.words) in private


@pytest.mark.parametrize("guide", GUIDES)
def test_every_reading_of_the_guide_stands_once(guide: str) -> None:
    text = bare("".join(pages(summary(guide))))
    for reading in PROMPTS.guide(guide).readings:
        assert text.count(bare(reading.text)) == 1


@pytest.mark.parametrize("guide", ["sygemeldt", "ondt", "paa_arbejde", "tvivl"])
def test_rights_and_whom_to_ring_stand_before_all_else_that_is_good_to_know(guide: str) -> None:
    assert [reading.id for reading in PROMPTS.guide(guide).readings[:4]] == ["fejler", "maa_spoerge", "bisidder", "ring"]


def test_the_most_important_answer_comes_first_and_answers_not_marked_are_not_shown() -> None:
    made = summary("sygemeldt")
    first = bare(pages(made)[0])
    shown = [section for section in made.sections if section.show]
    places = [first.index(bare(section.words)) for section in sorted(shown, key=lambda section: not section.important)]
    assert places == sorted(places)
    assert not any(bare(section.words) in first for section in made.sections if not section.show)


@pytest.mark.parametrize("guide", ["sygemeldt", "bagefter"])
def test_answers_that_tell_of_an_illness_leave_lines_on_the_page_to_show_as_if_not_answered(guide: str) -> None:
    words = "Jeg tager medicin, og min psykolog siger, at det er en depression."
    made = summary(guide, words)
    first, second, *_ = pages(made)
    assert first == pages(summary(guide, None))[0]
    for section in made.sections:
        assert (bare(section.label) in bare(first)) == section.show
        assert bare(section.words) not in bare(first)
    assert bare(words) in bare(second)
    assert bare("".join(pages(made))).count(bare(PROMPTS.mail["illness_show"])) == sum(section.show for section in made.sections)


@pytest.mark.parametrize(
    "late",
    [Utterance("u", "kan", 0, 0, "heard", "jeg har en depression"), Utterance("u", "kan", 0, 0, "failed")],
    ids=["illness", "failed"],
)
def test_a_late_answer_of_which_nothing_is_to_show_has_no_page_to_show(late: Utterance) -> None:
    (only,) = pages(summarise(PROMPTS.guide("sygemeldt"), [late], PROMPTS.vocabulary, late=True))
    assert PROMPTS.sheet["show"] not in only


def test_a_cut_answer_says_where_the_rest_stands_and_a_short_one_is_never_cut() -> None:
    assert PROMPTS.sheet["rest"] in pages(summary("ondt", LONG))[0]
    assert PROMPTS.sheet["rest"] not in pages(summary("ondt", SHORT))[0]


def test_agreements_stand_in_the_table_of_what_and_when() -> None:
    made = summary("bagefter")
    first = bare(pages(made)[0])
    table = first[first.index(bare("Aftale Hvad Hvornår")) :]
    assert [bare(section.words) in table for section in made.sections] == [
        section.show and not section.important for section in made.sections
    ]


def test_a_leaders_page_has_the_four_parts_and_what_may_be_asked_and_no_answer() -> None:
    made = summary("leder")
    first = bare(pages(made)[0])
    places = [first.index(bare(title)) for title in ("Det må du spørge om", "Først:", "Så:", "Derefter:", "Til sidst:")]
    assert places == sorted(places)
    assert bare(SHORT) not in first
    assert bare(PROMPTS.sheet["show_agenda"]) in first
    assert bare(PROMPTS.sheet["show"]) not in first


def test_a_page_with_answers_says_that_a_machine_wrote_them() -> None:
    told = bare(PROMPTS.sheet["spoken"])
    assert told in bare(pages(summary("sygemeldt"))[0])
    for none in (summary("sygemeldt", None), summary("sygemeldt", "jeg har gigt"), summary("leder")):
        assert told not in bare(pages(none)[0])


def test_a_leader_is_told_to_show_the_private_pages_to_nobody() -> None:
    assert bare(PROMPTS.sheet["yours_agenda"]) in bare(pages(summary("leder"))[1])
    assert bare(PROMPTS.sheet["yours"]) not in bare("".join(pages(summary("leder"))))


def test_doubt_yields_nothing_to_show() -> None:
    first, *_ = pages(summary("tvivl"))
    assert first.startswith("Skal jeg bede om en samtale?")
    assert PROMPTS.sheet["show"] not in first


@pytest.mark.parametrize("mark", ["unsure", "foreign"])
def test_words_to_doubt_say_where_to_listen(mark: str) -> None:
    text = bare(pages(summary("ondt", **{mark: True}))[1])
    assert f"{bare(PROMPTS.mail[mark])}Hørdetigenilydfilen:delto." in text


def test_a_late_answer_has_its_page_and_says_that_it_is_late() -> None:
    guide = PROMPTS.guide("ondt")
    late = [Utterance("u", "gaar", 0, 0, "heard", SHORT)]
    made = summarise(guide, late, PROMPTS.vocabulary, late=True)
    (only,) = pages(made)
    assert bare(PROMPTS.mail["late"]) in bare(only)
    assert bare(SHORT) in bare(only)


@pytest.mark.parametrize("words", NASTY.values(), ids=NASTY)
def test_whatever_is_said_can_be_set(words: str) -> None:
    made = summary("ondt", words)
    assert pages(made)[1].startswith(PROMPTS.sheet["own"])
    assert pages(said(made, words))[1].startswith(PROMPTS.sheet["own"])


def test_markup_is_shown_as_it_was_said_and_never_run() -> None:
    first, second, *_ = pages(said(summary("ondt"), NASTY["markup"]))
    assert bare(NASTY["markup"]) in bare(first)
    assert bare(NASTY["markup"]) in bare(second)


def test_a_character_that_no_font_has_becomes_a_square_and_that_is_said() -> None:
    second = pages(said(summary("ondt"), "我 er træt"))[1]
    assert "□ er træt" in second
    assert bare(PROMPTS.sheet["unshown"]) in bare(second)
    assert bare(PROMPTS.sheet["unshown"]) not in bare(pages(summary("ondt"))[1])


def test_a_hundred_thousand_letters_without_a_space_are_broken_into_lines() -> None:
    made = summary("ondt", None)
    huge = tuple(replace(section, words="x" * 100_000 if section.important else "", status="answered") for section in made.sections)
    first, _, _, third, *rest = read(replace(made, sections=huge)).pages
    assert first.extract_text().count("x") > 100
    on_a_page = third.extract_text().count("x")
    assert on_a_page < 6_000, "a line runs out of the page"
    assert on_a_page * (len(rest) + 2) >= 100_000


@settings(max_examples=10)
@given(st.lists(st.text(st.characters(codec=None), max_size=150), min_size=8, max_size=8))
@example(["\ud800" * 3] * 8)
def test_any_text_at_all_is_set_with_what_is_to_show_on_one_page(words: list[str]) -> None:
    made = summary("ondt")
    sections = tuple(replace(section, words=text) for section, text in zip(made.sections, words, strict=True))
    assert read(replace(made, sections=sections)).pages[2].extract_text().startswith(PROMPTS.sheet["own"])


def test_the_same_summary_gives_the_same_bytes() -> None:
    first = sheet.write(summary("ondt"), PROMPTS)
    sheet.write(summary("leder"), PROMPTS)
    assert sheet.write(summary("ondt"), PROMPTS) == first


def test_the_error_of_a_page_that_cannot_be_set_tells_nothing_that_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise typst.TypstError(f"the text {SHORT!r} could not be displayed", "")

    monkeypatch.setattr(typst, "compile", fail)
    with pytest.raises(SummaryError) as caught:
        sheet.write(summary("ondt"), PROMPTS)
    assert SHORT not in str(caught.value)
    assert caught.value.__suppress_context__


def test_typst_has_nothing_to_warn_of(monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []

    def compile_and_listen(*args: object, **settings: object) -> bytes:
        pdf, heard = typst.compile_with_warnings(*args, **settings)
        warnings.extend(warning.message for warning in heard)
        return pdf

    monkeypatch.setattr(typst, "compile", compile_and_listen)
    for guide in GUIDES:
        sheet.write(summary(guide), PROMPTS)
    assert warnings == []


def test_all_that_the_pages_are_made_of_is_shipped() -> None:
    settings = (ROOT / "pyproject.toml").read_text()
    shipped = re.search(r"package-data = .*", settings)
    assert shipped
    needed = {path.suffix for folder in ("summary", "summary/fonts") for path in Path(ROOT / "voice" / folder).iterdir() if path.suffix}
    assert not [suffix for suffix in needed - {".py"} if f'"**/*{suffix}"' not in shipped[0]]
