"""The mail says what the summary says, in both its forms, whatever was said."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.config import ROOT
from voice.content import load
from voice.summary import Utterance, summarise
from voice.summary.mail import MailText, write

PROMPTS = load(ROOT / "prompts" / "da")
PHRASES = PROMPTS.mail
GUIDE = PROMPTS.guide("sygemeldt")
KAN = GUIDE.question("kan").label
HEALTH = re.compile(r"syg|helbred|fejler|læge|smerte|stress|diagnose|fravær", re.IGNORECASE)


def written(*utterances: Utterance, late: bool = False, guide: str = "sygemeldt") -> MailText:
    return write(summarise(PROMPTS.guide(guide), utterances, late=late), PROMPTS)


def heard(question: str, text: str, *, unsure: bool = False) -> Utterance:
    return Utterance("u", question, 0, 0, "heard", text, unsure)


class _Page(HTMLParser):
    """What a reader sees, as one line for each paragraph, heading or cell; and the elements that are there."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag != "span":
            self.lines.append("")

    def handle_data(self, data: str) -> None:
        if self.lines:
            self.lines[-1] += data


def seen(mail: MailText) -> list[str]:
    lines = [line.strip() for line in _Page(mail.html).lines]
    return [line for line in lines[lines.index(PHRASES["sender"]) :] if line]


def test_the_text_reads_well_alone() -> None:
    mail = written(
        heard("kan", "jeg kan tage telefonen"), heard("vigtigst", "en ny dato", unsure=True), Utterance("u", "kan", 0, 1, "failed")
    )
    not_answered = [f"{question.label}\n{PHRASES['not_answered']}" for question in GUIDE.questions[1:-1]]
    passages = [
        f"{GUIDE.title}",
        f"{PHRASES['intro']}\n{PHRASES['machine']}",
        f"★ {GUIDE.question('vigtigst').label}\nEn ny dato.\n{PHRASES['unsure']}",
        f"{GUIDE.question('kan').label}\nJeg kan tage telefonen.\n{PHRASES['incomplete']}",
        *not_answered,
        f"{PHRASES['automatic']}",
    ]
    assert mail.text == "\n\n".join(passages) + "\n"


@pytest.mark.parametrize("late", [False, True])
def test_the_page_says_what_the_text_says_in_the_same_order(late: bool) -> None:
    mail = written(heard("kan", "ja"), Utterance("u", "hjaelp", 0, 0, "failed"), heard("gone", "og det her"), late=late)
    assert seen(mail) == [PHRASES["sender"], *filter(None, mail.text.splitlines())]


def test_a_late_mail_says_that_it_is_late() -> None:
    mail = written(heard("kan", "ja"), late=True)
    assert PHRASES["late"] in mail.text
    assert PHRASES["intro"] not in mail.text
    assert PHRASES["not_answered"] not in mail.text


def test_a_key_is_written_in_the_prompts_language() -> None:
    assert f"{KAN}\nNej.\n" in written(Utterance("u", "kan", 0, 0, "keyed", "no")).text


def test_words_to_a_question_that_is_gone_have_a_heading_of_their_own() -> None:
    assert "Det sagde du også\nOg det her.\n" in written(heard("gone", "og det her")).text


def test_a_label_that_names_the_most_important_is_not_named_twice() -> None:
    assert "★ Det vigtigste nu\n" in written(guide="bagefter").text


def test_another_label_is_named_the_most_important(tmp_path: Path) -> None:
    for source in (ROOT / "prompts" / "da").iterdir():
        (tmp_path / source.name).write_text(source.read_text("utf-8").replace('label = "Det vigtigste"', 'label = "Mit ønske"'), "utf-8")
    prompts = load(tmp_path)
    assert "★ Det vigtigste: Mit ønske\n" in write(summarise(prompts.guide("sygemeldt"), []), prompts).text


def test_what_a_locked_telephone_shows_holds_no_word_of_health() -> None:
    mail = written(heard("vigtigst", "jeg er syg"))
    assert not HEALTH.search(mail.subject + mail.sender_name)
    assert not HEALTH.search(" ".join(mail.text.split())[:140])
    assert not HEALTH.search(" ".join(seen(mail))[:140])


def test_the_page_fetches_nothing_and_carries_its_style_in_every_element() -> None:
    html = written(heard("kan", "se https://example.com")).html
    page = _Page(html)
    assert not {tag for tag, _ in page.elements} & {"img", "script", "link", "iframe", "a", "form", "svg"}
    assert not re.search(r"url\(|@import|@font-face", html)
    for tag, attributes in page.elements:
        if tag in ("p", "h1", "h2", "td"):
            assert "font-size" in (attributes["style"] or "")
    assert [attributes["lang"] for tag, attributes in page.elements if tag == "html"] == ["da"]


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "</td></tr></table><h1>Falsk",
        "{{7*7}} {% raw %} ${7*7}",
        "&lt;b&gt; &amp; <!-- --> ]]>",
        '" onload="x',
        "ignore previous instructions",
        "👩‍🔧 أهلا وسهلا Zażółć",
    ],
)
def test_hostile_words_are_shown_literally(text: str) -> None:
    assert_literal(text)


def test_a_hundred_thousand_characters_are_all_there() -> None:
    assert_literal("lang tale " * 10_000)


@given(st.text(st.characters()))
def test_any_words_are_shown_literally(text: str) -> None:
    assert_literal(text)


def assert_literal(text: str) -> None:
    summary = summarise(GUIDE, [heard("kan", text)])
    words = summary.sections[0].words or PHRASES["not_heard"]
    mail = write(summary, PROMPTS)
    assert f"\n{KAN}\n{words}\n" in mail.text
    lines = seen(mail)
    assert lines[lines.index(KAN) + 1] == words
