"""One mail to one reader, whatever stands in its fields."""

import email
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.config import ROOT
from voice.content import load
from voice.delivery import build_message
from voice.errors import DeliveryError
from voice.summary import Utterance, summarise
from voice.summary.mail import Attachment, MailText, Picture, write

DATE = datetime(2026, 11, 27, 10, 30, tzinfo=UTC)
MAIL = MailText("Til din samtale", "Samtaleklar", "Før samtalen\n", "<p>Før samtalen</p>\n", "da")
PROMPTS = load(ROOT / "prompts" / "da")
SHORT = replace(PROMPTS.guide("sygemeldt"), questions=PROMPTS.guide("sygemeldt").questions[:1], readings=())
HEADERS = {
    *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress", "Content-Language"),
    *("MIME-Version", "Content-Type"),
}


def built(mail: MailText = MAIL, *, to: str = "aase@example.dk", sender: str = "line@samtaleklar.example", **ids) -> EmailMessage:
    return build_message(mail, to=to, sender=sender, date=DATE, **{"preparation_id": "p1", "message_number": 1, **ids})


def read_back(message: EmailMessage) -> EmailMessage:
    return email.message_from_bytes(bytes(message), policy=default)


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return body.get_content().replace("\r\n", "\n")


def test_the_headers_are_what_mail_programs_expect_of_a_machine() -> None:
    message = read_back(built())
    assert set(message.keys()) == HEADERS
    assert message["From"] == "Samtaleklar <line@samtaleklar.example>"
    assert message["To"] == "aase@example.dk"
    assert message["Subject"] == "Til din samtale"
    assert message["Date"].datetime == DATE
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message["Content-Language"] == "da"


def test_it_holds_the_text_and_then_the_page() -> None:
    message = read_back(built())
    assert [each.get_content_type() for each in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert (part(message, "plain"), part(message, "html")) == (MAIL.text, MAIL.html)


FULL = replace(
    MAIL,
    pictures=(Picture("star-1@pictograms.samtaleklar", b"\x89PNG1"), Picture("ear-2@pictograms.samtaleklar", b"\x89PNG2")),
    attachments=(Attachment("Til din samtale.pdf", "application/pdf", b"%PDF\n.\n"), Attachment("Åh så.mp3", "audio/mpeg", b"ID3" * 99)),
)


def test_pictures_belong_to_the_page_and_attachments_to_the_whole() -> None:
    message = read_back(built(FULL))
    assert [each.get_content_type() for each in message.walk()] == [
        *("multipart/mixed", "multipart/alternative", "text/plain"),
        *("multipart/related", "text/html", "image/png", "image/png"),
        *("application/pdf", "audio/mpeg"),
    ]
    assert (part(message, "plain"), part(message, "html")) == (FULL.text, FULL.html)
    pictures = [each for each in message.walk() if each.get_content_maintype() == "image"]
    assert [(each["Content-ID"], each.get_content()) for each in pictures] == [
        ("<star-1@pictograms.samtaleklar>", b"\x89PNG1"),
        ("<ear-2@pictograms.samtaleklar>", b"\x89PNG2"),
    ]
    assert {each.get_content_disposition() for each in pictures} == {"inline"}
    assert [(each.get_filename(), each.get_content_type(), each.get_content()) for each in message.iter_attachments()] == [
        (attachment.name, attachment.mimetype, attachment.content) for attachment in FULL.attachments
    ]
    assert set(message.keys()) == HEADERS


def test_no_boundary_begins_as_another() -> None:
    boundaries = [each.get_boundary() for each in read_back(built(FULL)).walk() if each.is_multipart()]
    assert len(boundaries) == 3
    assert not any(one != other and other.startswith(one) for one in boundaries for other in boundaries)


def test_the_same_preparation_and_number_give_the_same_id_and_others_do_not() -> None:
    def message_id(**ids) -> str:
        return built(**ids)["Message-ID"]

    assert message_id() == message_id()
    assert message_id() != message_id(message_number=2) != message_id(preparation_id="p2")
    assert message_id().endswith("@samtaleklar.example>")
    assert "p1" not in message_id()


def test_the_same_mail_is_the_same_bytes() -> None:
    assert bytes(built()) == bytes(built())
    assert bytes(built(FULL)) == bytes(built(FULL))


def test_a_long_id_is_written_in_one_piece() -> None:
    message = built(sender="linjen@et-meget-langt-navn-paa-en-virksomhed.og-en-afdeling.example.dk")
    assert message["Message-ID"].encode() in bytes(message).replace(b"\r\n ", b" ")


def test_the_message_is_seven_bits_in_short_lines_and_ends_them_as_smtp_wants() -> None:
    mail = MailText("Æ" * 200, "Ø" * 60, "Å" * 500, "Æ" * 500, "da", FULL.pictures, FULL.attachments)
    lines = bytes(built(mail)).split(b"\r\n")
    assert all(len(line) <= 78 and line.isascii() and b"\r" not in line and b"\n" not in line for line in lines)


def test_a_danish_domain_is_written_in_ascii() -> None:
    assert read_back(built(to="aase@blåbær.dk"))["To"].addresses[0].addr_spec == "aase@xn--blbr-roah.dk"


NOT_ONE_ADDRESS = [
    "",
    "aase",
    "@example.dk",
    "aase@",
    "a@example.dk, b@example.dk",
    "a@example.dk;b@example.dk",
    "a@example.dk b@example.dk",
    "a@b@example.dk",
    "Aase <aase@example.dk>",
    '"a,b"@example.dk',
    "aase@example.dk\r\nBcc: x@example.dk",
    "aase@example.dk\n",
    "aase@example..dk",
    "aa..se@example.dk",
    "åse@example.dk",
    "aase@[127.0.0.1]",
    "aase@example.dk\x00",
    "\ud83d@example.dk",
    "aase@" + "x" * 64 + ".dk",
]


@pytest.mark.parametrize("address", NOT_ONE_ADDRESS)
@pytest.mark.parametrize("field", ["to", "sender"])
def test_what_is_not_one_address_is_refused_for_good_and_not_repeated(field: str, address: str) -> None:
    with pytest.raises(DeliveryError) as caught:
        built(**{field: address})
    assert caught.value.permanent
    assert "@" not in str(caught.value)


@pytest.mark.parametrize("text", ["Hej\r\nBcc: x@example.dk", "Hej\nTo: x@example.dk", "Hej\rX: y"])
@pytest.mark.parametrize("field", [0, 1, 4])
def test_a_line_break_in_a_header_is_refused(field: int, text: str) -> None:
    fields = ["Til din samtale", "Samtaleklar", "tekst", "<p>tekst</p>", "da"]
    fields[field] = text
    with pytest.raises(DeliveryError):
        built(MailText(*fields))


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1))
def test_no_sender_name_or_subject_adds_an_address_or_a_header(text: str) -> None:
    message = read_back(built(MailText(text, text, "tekst", "<p>tekst</p>", "da")))
    assert set(message.keys()) == HEADERS
    assert [address.addr_spec for address in message["From"].addresses] == ["line@samtaleklar.example"]
    assert [address.addr_spec for address in message["To"].addresses] == ["aase@example.dk"]


@pytest.mark.parametrize(
    "text",
    [
        "hej\r\nBcc: x@example.dk\r\n\r\nny tekst",
        ".\r\n\r\n.\r\nMAIL FROM:<x@example.dk>",
        "\n.\n",
        "\r.\r",
        "From nogen",
        "--===============0==",
        "\u202e\u200b\x00\ud83d",
        "👩‍🔧 أهلا وسهلا",
        "x" * 100_000,
    ],
)
def test_hostile_words_stay_words(text: str) -> None:
    assert_round_trip(text)


@given(st.text(st.characters()))
def test_any_words_stay_words(text: str) -> None:
    assert_round_trip(text)


def assert_round_trip(words: str) -> None:
    said = [Utterance("u", "kan", 0, 0, "heard", words)]
    mail = write(summarise(SHORT, said, PROMPTS.vocabulary), PROMPTS, {"pages": b"%PDF"})
    message = read_back(built(mail))
    assert not message.defects
    assert set(message.keys()) == HEADERS
    assert [address.addr_spec for address in message["To"].addresses] == ["aase@example.dk"]
    assert (part(message, "plain"), part(message, "html")) == (mail.text, mail.html + "\n" * (not mail.html.endswith("\n")))
