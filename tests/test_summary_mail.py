"""The mail says what the summary says, in both its forms, whatever was said."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.config import ROOT
from voice.content import load
from voice.summary import Utterance, summarise
from voice.summary.mail import Form, MailText, write

PROMPTS = load(ROOT / "prompts" / "da")
PHRASES = PROMPTS.mail
GUIDE = PROMPTS.guide("sygemeldt")
KAN = GUIDE.question("kan").label
BOTH: dict[Form, bytes | None] = {"pages": b"%PDF", "sound": b"ID3"}
HEALTH = re.compile(r"syg|helbred|fejler|læge|smerte|stress|diagnose|fravær", re.IGNORECASE)


def written(
    *utterances: Utterance, late: bool = False, guide: str = "sygemeldt", forms: dict[Form, bytes | None] | None = None
) -> MailText:
    return write(summarise(PROMPTS.guide(guide), utterances, PROMPTS.vocabulary, late=late), PROMPTS, BOTH if forms is None else forms)


def heard(question: str, text: str, **marks: bool) -> Utterance:
    return Utterance("u", question, 0, 0, "heard", text, **marks)


def passages(mail: MailText) -> list[str]:
    return mail.text.rstrip("\n").split("\n\n")


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
    assert mail.text == "\n\n".join(
        (
            f"{GUIDE.title}",
            f"{PHRASES['intro']}\nMaskinen har skrevet det ned. Den kan have hørt forkert.",
            "Lyt til “Til din samtale.mp3”. Stemmen siger del et, del to og så videre.\n"
            "Print “Til din samtale.pdf”. Bed gerne en om hjælp til det.\n"
            "Tag siderne med. Vis side et frem. Side to er tom. Resten er kun til dig.",
            f"Del otte\n★ {GUIDE.question('vigtigst').label}\nEn ny dato.\n{PHRASES['unsure']}\nHør det igen i lydfilen: del otte.",
            f"Del et\n{KAN}\nJeg kan tage telefonen.\n{PHRASES['incomplete']}",
            "\n".join((PHRASES["open"], PHRASES["not_answered"], *(question.label for question in GUIDE.questions[1:-1]))),
            PHRASES["good_to_know"],
            *(f"{reading.title}\n{reading.text}" for reading in GUIDE.readings if reading.id != "mine_spoergsmaal"),
            f"{PHRASES['automatic']}\n",
        )
    )


SOME = (
    heard("kan", "ja, gigt"),
    heard("svaert", "det her", unsure=True),
    Utterance("u", "hjaelp", 0, 0, "failed"),
    heard("gone", "og det"),
)


@pytest.mark.parametrize("guide", [guide.id for guide in PROMPTS.guides])
@pytest.mark.parametrize("forms", [BOTH, {}, {"pages": None, "sound": None}], ids=["with all", "alone", "failed"])
@pytest.mark.parametrize("late", [False, True])
def test_the_page_says_what_the_text_says_in_the_same_order(late: bool, forms: dict[Form, bytes | None], guide: str) -> None:
    for utterances in (SOME, ()):
        mail = written(*utterances, late=late, forms=forms, guide=guide)
        assert seen(mail) == [PHRASES["sender"], *(line.removeprefix("★ ") for line in mail.text.splitlines() if line)]


def test_a_late_mail_says_that_it_is_late_and_tells_nothing_twice() -> None:
    mail = written(heard("kan", "ja"), late=True)
    for name in ("late", "machine"):
        assert PHRASES[name] in mail.text
    for name in ("intro", "bring", "open", "not_answered", "good_to_know"):
        assert PHRASES[name] not in mail.text
    assert not any(reading.title in mail.text for reading in GUIDE.readings)
    assert passages(written(heard("kan", "ja"), late=True, forms={}))[2].startswith(KAN)


def test_a_late_mail_of_which_nothing_could_be_heard_says_that_alone() -> None:
    mail = written(Utterance("u", "kan", 0, 0, "failed"), late=True, forms={})
    assert passages(mail)[1:3] == [PHRASES["late"], f"{KAN}\n{PHRASES['failed']}"]


def test_the_most_important_comes_first_and_what_is_missing_last() -> None:
    def order(*utterances: Utterance) -> list[str]:
        labels = {question.label: question.id for question in GUIDE.questions}
        return [labels[label] for line in written(*utterances).text.splitlines() if (label := line.removeprefix("★ ")) in labels]

    rest = ["svaert", "arbejdet", "selv", "hvornaar"]
    said = (heard("bekymrer", "det"), heard("kan", "det"), Utterance("u", "hjaelp", 0, 0, "silent"))
    assert order(heard("vigtigst", "det"), *said) == ["vigtigst", "kan", "bekymrer", "hjaelp", *rest]
    assert order(*said) == ["kan", "bekymrer", "hjaelp", *rest, "vigtigst"]
    assert order(Utterance("u", "vigtigst", 0, 0, "failed"), *said) == ["kan", "bekymrer", "vigtigst", "hjaelp", *rest]


@pytest.mark.parametrize("guide", [guide.id for guide in PROMPTS.guides])
def test_without_any_answer_it_is_the_questions_to_fill_in(guide: str) -> None:
    mail = written(guide=guide)
    assert passages(mail)[1] == PHRASES["empty"]
    assert passages(mail)[3].splitlines()[2:] == [
        f"{'★ ' * question.important}{question.label}" for question in PROMPTS.guide(guide).questions
    ]
    assert PHRASES["machine"] not in mail.text


def test_keys_alone_are_no_text_of_the_machine() -> None:
    assert PHRASES["machine"] not in written(Utterance("u", "kan", 0, 0, "keyed", "no")).text


@pytest.mark.parametrize(("guide", "bring"), [("bagefter", "bring_agreements"), ("leder", "bring_agenda"), ("tvivl", "keep")])
def test_each_sheet_has_words_of_its_own(guide: str, bring: str) -> None:
    sheet = PROMPTS.guide(guide).sheet
    mail = written(heard("hvordan", "ja"), heard("nu", "ja"), Utterance("u", "huske", 0, 0, "keyed", "yes"), guide=guide)
    assert passages(mail)[1].startswith(PHRASES[f"intro_{sheet}"])
    assert passages(mail)[2].endswith(PHRASES[bring])


@pytest.mark.parametrize(
    ("forms", "names"),
    [
        (BOTH, ["Til din samtale.pdf", "Til din samtale.mp3"]),
        ({"sound": b"ID3"}, ["Til din samtale.mp3"]),
        ({"pages": b"%PDF", "sound": None}, ["Til din samtale.pdf"]),
        ({"pages": None, "sound": None}, []),
        ({}, []),
    ],
)
def test_only_what_is_attached_is_named_and_what_failed_is_told(forms: dict[Form, bytes | None], names: list[str]) -> None:
    mail = written(heard("kan", "ja", unsure=True), forms=forms)
    assert [attachment.name for attachment in mail.attachments] == names
    assert set(re.findall(r"“(.+?)”", mail.text)) == set(names)
    assert (PHRASES["no_sound"] in mail.text) == ("sound" in forms and forms["sound"] is None)
    assert (PHRASES["no_pages"] in mail.text) == ("pages" in forms and forms["pages"] is None)
    assert ("Hør det igen i lydfilen: del et." in mail.text) == bool(forms.get("sound"))
    assert (PHRASES["bring_mail"] in mail.text) == (not forms.get("pages"))
    assert PHRASES["unsure"] in mail.text


def test_a_mark_names_the_part_to_hear_even_beyond_the_number_words() -> None:
    twelve = tuple(replace(GUIDE.questions[0], id=f"q{n}", important=False) for n in range(12))
    guide = replace(GUIDE, questions=twelve)
    summary = summarise(guide, [heard("q8", "ni", unsure=True), heard("q11", "tolv", foreign=True)], PROMPTS.vocabulary)
    assert re.findall("Hør det igen i lydfilen: del (.+)\\.", write(summary, PROMPTS, BOTH).text) == ["ni", "12"]


def test_a_word_of_illness_stays_and_is_said_to_be_nobodys_business() -> None:
    mail = written(heard("kan", "jeg har leddegigt"))
    assert f"\nJeg har leddegigt.\n{PHRASES['illness']}\n{PHRASES['illness_show']}\n" in mail.text
    assert PHRASES["illness_show"] not in written(heard("kan", "jeg har leddegigt"), forms={}).text
    agenda = written(heard("nu", "en har leddegigt"), guide="leder").text
    assert PHRASES["illness_agenda"] in agenda
    assert PHRASES["illness"] not in agenda


def test_why_the_words_are_in_doubt_stands_right_before_where_to_listen() -> None:
    for mail in (written(heard("kan", "jeg har leddegigt", unsure=True)), written(heard("kan", "010190-1234", foreign=True))):
        lines = mail.text.splitlines()
        assert lines[lines.index("Hør det igen i lydfilen: del et.") - 1] in (PHRASES["unsure"], PHRASES["foreign"])


def test_room_to_write_is_told_of_only_where_no_page_has_it() -> None:
    room = "Det vil jeg selv spørge om"
    assert room not in written(heard("kan", "ja")).text
    assert room in written(heard("kan", "ja"), forms={}).text
    assert "Hvad kan I gøre?" in written(heard("nu", "ja"), guide="leder").text


def test_a_masked_number_is_said_to_be_masked() -> None:
    assert f"\n010190-xxxx.\n{PHRASES['masked']}\n" in written(heard("kan", "010190-1234")).text


def test_a_key_is_written_in_the_prompts_language() -> None:
    assert f"{KAN}\nNej.\n" in written(Utterance("u", "kan", 0, 0, "keyed", "no")).text


def test_words_to_a_question_that_is_gone_have_a_heading_of_their_own() -> None:
    assert "Det sagde du også\nOg det her.\n" in written(heard("gone", "og det her")).text


def test_a_label_that_names_the_most_important_is_not_named_twice() -> None:
    assert "★ Det vigtigste nu\n" in written(heard("vigtigst", "ja"), guide="bagefter").text


def test_another_label_is_named_the_most_important(tmp_path: Path) -> None:
    for source in (ROOT / "prompts" / "da").iterdir():
        (tmp_path / source.name).write_text(source.read_text("utf-8").replace('label = "Det vigtigste"', 'label = "Mit ønske"'), "utf-8")
    prompts = load(tmp_path)
    assert "★ Det vigtigste: Mit ønske\n" in write(summarise(prompts.guide("sygemeldt"), [], prompts.vocabulary), prompts, {}).text


def test_what_a_locked_telephone_shows_holds_no_word_of_health() -> None:
    mail = written(heard("vigtigst", "jeg er syg"))
    assert not HEALTH.search(mail.subject + mail.sender_name)
    assert not HEALTH.search(" ".join(mail.text.split())[:140])
    assert not HEALTH.search(" ".join(seen(mail))[:140])


def test_the_page_fetches_nothing_and_carries_its_style_in_every_element() -> None:
    html = written(heard("kan", "se https://example.com", unsure=True)).html
    page = _Page(html)
    assert not {tag for tag, _ in page.elements} & {"script", "link", "iframe", "a", "form", "svg"}
    assert not re.search(r"url\(|@import|@font-face", html)
    for tag, attributes in page.elements:
        if tag in ("p", "h1", "h2", "h3"):
            assert re.search(r"font: (bold )?(2\d|3\d)px/\d\dpx Verdana", attributes["style"] or "")
        if tag == "table":
            assert attributes["role"] == "presentation"
    assert [attributes["lang"] for tag, attributes in page.elements if tag == "html"] == ["da"]


def test_every_picture_comes_with_the_mail_has_its_size_and_stands_beside_its_word() -> None:
    for guide in PROMPTS.guides:
        mail = written(*SOME, guide=guide.id)
        shown = [attributes for tag, attributes in _Page(mail.html).elements if tag == "img"]
        assert {attributes["src"] for attributes in shown} == {f"cid:{picture.content_id}" for picture in mail.pictures}
        assert all(attributes["alt"] == "" and attributes["width"] == attributes["height"] for attributes in shown)
        assert {attributes["width"] for attributes in shown} <= {"72", "48", "40"}
        assert all(picture.png.startswith(b"\x89PNG") and picture.png[16:24] == bytes([0, 0, 0, 144] * 2) for picture in mail.pictures)


def test_a_long_mail_is_not_cut_by_those_that_cut_at_102_kilobytes() -> None:
    said = [heard(question.id, "Det er tungt at løfte hele dagen. " * 30, unsure=True) for question in GUIDE.questions]
    assert len(written(*said).html.encode()) < 80_000


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "</td></tr></table><h1>Falsk",
        "{{7*7}} {% raw %} ${7*7}",
        "&lt;b&gt; &amp; <!-- --> ]]>",
        '" onload="x',
        "hej\r\nBcc: x@example.dk\r\n\r\n.\r\n",
        "\u202evend om\u2069 \x00 \ud83d",
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
    summary = summarise(GUIDE, [heard("kan", text)], PROMPTS.vocabulary)
    words = summary.sections[0].words or PHRASES["not_heard"]
    mail = write(summary, PROMPTS, {})
    assert f"\n{KAN}\n{words}\n" in mail.text
    lines = seen(mail)
    assert lines[lines.index(KAN) + 1] == words
