"""The whole way as a caller goes it: the call, the text, the page, the button in the mail, and the mail with the preparation."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.browser import TAGS, chromium  # noqa: F401 - the fixture "browser"
from tests.conftest import TEST_PROMPTS
from tests.dtmf_transcriber import dtmf_wav
from tests.mails import body, link
from tests.sounds import lay_sounds
from voice.exchange import Script
from voice.local.line import LocalLine

CALL = """
from +4520123456
key 1                  # yes, record me
key 1                  # my own telephone
key 2                  # the moment whose only guide has one question
speak "123456789"
silence
silence
"""
SECONDS = 60

with suppress(ImportError):  # without them, no test comes further than the browser
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import Browser, BrowserContext, expect


@pytest.fixture(scope="module")
def line(browser: "Browser", tmp_path_factory: pytest.TempPathFactory, sounds: Path) -> Iterator[LocalLine]:
    settings = {"TRIAL": "0", "SUMMARY_TO": "", "SMS_FROM": "Samtaleklar", "EMPLOYER_DOMAINS": "firma.dk", "OPERATOR_PHONE": "20123456"}
    settings["PROMPTS_DIR"] = str(TEST_PROMPTS)
    folder = tmp_path_factory.mktemp("mailbox")
    lay_sounds(sounds, f"sqlite:///{folder}/samtaleklar.sqlite")
    with LocalLine(folder, settings, worker=("tests.dtmf_worker",)) as line:
        yield line


def windows(browser: "Browser") -> "tuple[BrowserContext, BrowserContext]":
    """A telephone without JavaScript, and one that axe can look at."""
    size = {"width": 375, "height": 740}
    plain = browser.new_context(locale="da-DK", java_script_enabled=False, viewport=size)
    seen = browser.new_context(locale="da-DK", viewport=size)
    for one in (plain, seen):
        one.set_default_timeout(20_000)
    return plain, seen


def faults(seen: "BrowserContext", url: str, *, write: str = "") -> list[str]:
    """What axe finds on a page, with WCAG's strictest contrast and target sizes; and what is wider than the telephone."""
    page = seen.new_page()
    page.goto(url)
    if write:
        page.get_by_label("Din mail").fill(write)
        page.get_by_role("button", name="Send").click()
    options = {
        "runOnly": TAGS,
        "rules": {"color-contrast-enhanced": {"enabled": True}, "target-size": {"enabled": True}},
    }
    found = [violation["id"] for violation in Axe().run(page, options=options).response["violations"]]
    found += ["too wide"] if page.evaluate("document.documentElement.scrollWidth > window.innerWidth") else []
    small = page.evaluate("[...document.querySelectorAll('button, input:not([type=hidden])')].some(e => e.offsetHeight < 44)")
    page.close()
    return found + (["a target under 44 pixels"] if small else [])


def test_from_the_call_by_text_page_and_button_to_the_mail(line: LocalLine, browser: "Browser") -> None:
    plain, seen = windows(browser)
    record, problems = line.exchange.play(Script.parse(CALL, speak=dtmf_wav))
    assert problems == []
    assert "Nu kommer en besked." in str(record.conversation)
    page = plain.new_page()
    for _ in range(SECONDS * 10):
        if line.exchange.messages:
            break
        page.wait_for_timeout(100)
    [message] = line.exchange.messages
    assert (message.to, message.sender) == ("+4520123456", "Samtaleklar")
    address = link(message.body)

    for written in ("", "nonsense", "lone@gmail.con", "lone@firma.dk"):
        assert faults(seen, address, write=written) == [], written
    assert faults(seen, address[:-4] + "0000") == []

    page.goto(address)
    page.get_by_label("Din mail").fill("lone@gmial.com")
    page.get_by_role("button", name="Send").click()
    page.get_by_role("button", name="Ja, brug lone@gmail.com").click()
    expect(page.get_by_role("heading", name="Se i din mail nu")).to_be_visible()
    [asking] = line.mailbox.wait(1, SECONDS)
    assert asking["To"] == "lone@gmail.com"
    assert "1 2 3" not in body(asking)
    button = link(body(asking))
    assert f'href="{button}"' in asking.get_body(("html",)).get_content()

    assert faults(seen, button) == []
    page.goto(button)
    page.get_by_role("button", name="Ja, det er min mail").click()
    expect(page.get_by_role("heading", name="Tak. Nu sender vi mailen")).to_be_visible()
    _, mail = line.mailbox.wait(2, SECONDS)
    assert mail["To"] == "lone@gmail.com"
    assert "1 2 3 4 5 6 7 8 9" in body(mail)
    assert faults(seen, link(body(mail))) == [], "the page that asks whether to delete"

    page.goto(button)
    expect(page.get_by_role("heading", name="Linket virker ikke mere")).to_be_visible()
    assert faults(seen, address) == []
    page.goto(address)
    page.get_by_role("button", name="Jeg fik den aldrig").click()
    _, _, again = line.mailbox.wait(3, SECONDS)
    assert again["To"] == "lone@gmail.com"
    for context in (plain, seen):
        context.close()
