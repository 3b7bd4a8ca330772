"""Whole calls on a line that is no trial, from the first tone to the mail: a number on the list, one that is texted, one that is withheld.

Web and worker are processes of their own, and the exchange sends the texts. A browser goes the same way in test_mailbox_browser.py.
"""

import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import TypeVar

import pytest
import urllib3

from tests.conftest import TEST_PROMPTS
from tests.dtmf_transcriber import dtmf_wav
from tests.mails import body, link
from tests.sounds import lay_sounds
from voice import bindings, store
from voice.content import load
from voice.exchange import Script
from voice.local.line import LocalLine
from voice.staff import import_file

T = TypeVar("T")
PROMPTS = load(TEST_PROMPTS / "da")
LISTED, TEXTED, OFF = "+4520000001", "+4520000002", "+4520000003"
SECONDS = 60  # for what another process does
ANSWER = 'key 2\nspeak "{said}"\nsilence\nsilence'  # the moment whose only guide has one question


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory, sounds: Path) -> Iterator[LocalLine]:
    folder = tmp_path_factory.mktemp("line")
    lay_sounds(sounds, f"sqlite:///{folder}/data/samtaleklar.sqlite")
    settings = {"TRIAL": "0", "SUMMARY_TO": "", "SMS_FROM": "Samtaleklar", "PROMPTS_DIR": str(TEST_PROMPTS)}
    with LocalLine(folder / "data", settings, worker=("tests.dtmf_worker",)) as line:
        staff = folder / "staff.csv"
        staff.write_text(f"phone;name;e-mail;language\n{LISTED};Lone;lone@gmail.com;da\n")
        assert import_file(line.config, staff) == 0
        yield line


def call(line: LocalLine, number: str, *steps: str) -> str:
    """Give the conversation of a call that went as the steps say."""
    record, problems = line.exchange.play(Script.parse("\n".join((f"from {number}", *steps)), speak=dtmf_wav))
    assert problems == []
    assert line.exchange.settle()
    return str(record.conversation)


def becomes(what: Callable[[], T]) -> T:
    """Wait until it is something."""
    end = time.monotonic() + SECONDS
    while not (found := what()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def mails_to(line: LocalLine, address: str, count: int = 1) -> list[EmailMessage]:
    def there() -> list[EmailMessage]:
        found = [mail for mail in line.mailbox.wait(0, 0) if mail["Delivered-To"] == address]
        return found if len(found) >= count else []

    return becomes(there)


def press(url: str, **fields: str) -> str:
    """Look at a page, and press its button."""
    with urllib3.PoolManager(retries=False) as http:
        assert http.request("GET", url).status == 200
        reply = http.request("POST", url, fields=fields, encode_multipart=False)
        return reply.data.decode()


def says(conversation: str, phrase: str) -> bool:
    return PROMPTS.phrase(phrase).text in conversation


def test_a_caller_on_the_list_hears_the_domain_says_yes_and_has_the_mail_and_no_text(line: LocalLine) -> None:
    heard = call(line, LISTED, "key 1", "key 1", "key 1", ANSWER.format(said="1111"))
    assert "gmail" in heard
    assert "lone" not in heard.lower()
    [mail] = mails_to(line, "lone@gmail.com")
    assert "1 1 1 1" in body(mail)
    assert "Alt er slettet" in press(link(body(mail)))
    assert LISTED not in [message.to for message in line.exchange.messages]


def test_a_caller_nobody_knows_is_texted_writes_an_address_confirms_it_and_has_the_mail(line: LocalLine) -> None:
    heard = call(line, TEXTED, "key 1", "key 1", ANSWER.format(said="2222"))
    assert says(heard, "text_comes")
    [message] = becomes(lambda: [message for message in line.exchange.messages if message.to == TEXTED])
    press(link(message.body), act="write", email="ole@gmail.com")
    [asking] = mails_to(line, "ole@gmail.com")
    assert "2 2 2 2" not in body(asking)
    press(link(body(asking)))
    _, mail = mails_to(line, "ole@gmail.com", 2)
    assert "2 2 2 2" in body(mail)


def test_a_caller_whose_number_is_withheld_is_told_so_first_and_nothing_is_recorded_or_sent(line: LocalLine) -> None:
    recordings, mails, texts = len(line.exchange.recordings), len(line.mailbox.mails), len(line.exchange.messages)
    heard = call(line, "anonymous", "key 2", "silence")
    assert says(heard, "cannot_see")
    assert not says(heard, "consent")
    assert "records" not in heard
    assert (len(line.exchange.recordings), len(line.mailbox.mails), len(line.exchange.messages)) == (recordings, mails, texts)


def test_a_text_that_the_carrier_gives_up_stands_in_the_status(line: LocalLine) -> None:
    line.exchange.unreachable[OFF] = 30003
    call(line, OFF, "key 1", "key 1", ANSWER.format(said="3333"))

    def failed() -> int:
        with store.reading(engine) as look:
            return bindings.counts(look, 0)["failed texts"]

    engine = store.connect(line.config.database_url)
    assert becomes(failed) == 1
    engine.dispose()
    told = [delivery for delivery in line.exchange.deliveries if "/texts/invite/" in delivery.request.url]
    assert told
    assert all(delivery.result == 204 for delivery in told)
