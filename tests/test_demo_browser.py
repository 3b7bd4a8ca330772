"""The demo as a person meets it: Debian's Chromium, a human voice as the microphone, from the first tone to the mail."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.browser import SCROLLS_SIDEWAYS, TAGS, chromium  # noqa: F401 - the fixture "browser"
from tests.conftest import SHARED, must_run
from tests.demo import TO_THE_KORTE, Demo, running

CLIP = SHARED / "audio" / "human" / "u0042018.wav"
WORDS = "også på ti"  # of "det er også på tide"; the trial model is not sure of the end

with suppress(ImportError):  # without them, no test comes further than the browser
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import Browser, BrowserContext, Page, expect

# A microphone that says the clip when it is told to, and is silent otherwise.
MICROPHONE = """
if (navigator.mediaDevices) navigator.mediaDevices.getUserMedia = async () => {
  const audio = new AudioContext();
  const microphone = audio.createMediaStreamDestination();
  const clip = await audio.decodeAudioData(await (await fetch("/clip.wav")).arrayBuffer());
  window.speak = () => {
    const voice = new AudioBufferSourceNode(audio, { buffer: clip });
    voice.connect(microphone);
    voice.start();
  };
  return microphone.stream;
};
"""
WIDTHS = (375, 1280)


@pytest.fixture(scope="module", autouse=True)
def _clip() -> None:
    if not CLIP.exists():
        must_run(f"the demo needs a human voice; not here: {CLIP}")


@pytest.fixture(scope="module")
def demo(browser: "Browser", tmp_path_factory: pytest.TempPathFactory, sounds: Path) -> Iterator[Demo]:
    with running(tmp_path_factory.mktemp("demo"), sounds) as demo:
        yield demo


@pytest.fixture
def context(browser: "Browser", demo: Demo) -> "Iterator[BrowserContext]":
    """A window that fails the test when it asks another host for anything, or finds a fault in the page."""
    context = browser.new_context(locale="da-DK", base_url=demo.address)
    hosts: set[str | None] = set()
    faults: list[str] = []
    context.add_init_script(MICROPHONE)
    context.route("**/clip.wav", lambda route: route.fulfill(path=CLIP, content_type="audio/wav"))
    context.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    context.on("weberror", lambda error: faults.append(str(error.error)))
    context.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    context.set_default_timeout(20_000)
    yield context
    context.close()
    assert hosts == {urlsplit(demo.address).netloc}
    assert faults == []


@pytest.fixture
def page(context: "BrowserContext") -> "Page":
    page = context.new_page()
    page.goto("/")
    return page


REMEMBER_THE_STATUS = """() => {
  const status = document.querySelector("#status");
  window.told = [];
  new MutationObserver(() => told.push(status.textContent)).observe(status, { childList: true });
}"""


def press(page: "Page", *keys: str) -> None:
    for key in keys:
        expect(page.locator("#status")).to_have_text(re.compile("taler|tryk på en tast|svar nu"), timeout=30_000)
        page.locator(f'[data-key="{key}"]').click()
        expect(page.locator("#talk-log")).to_contain_text(f"Du trykkede {key}")


def ring_to_the_question(page: "Page") -> None:
    page.get_by_role("button", name="Ring op").click()
    press(page, *TO_THE_KORTE)
    expect(page.locator("#caption")).to_have_text("Hvad er det eneste?", timeout=30_000)


def expect_recording(page: "Page") -> None:
    expect(page.locator("#status")).to_have_text("Din tur: svar nu", timeout=30_000)


def read_mail(page: "Page") -> str:
    """Wait for the mail, open the mailbox, and give the words of the mail's own page."""
    page.get_by_role("link", name="Åbn postkassen").click(timeout=60_000)
    expect(page.get_by_role("heading", name="Til din samtale")).to_be_visible()
    return page.frame_locator("#mail").locator("body").inner_text()


def test_a_human_voice_becomes_a_mail_and_a_reload_loses_no_call(page: "Page") -> None:
    page.evaluate(REMEMBER_THE_STATUS)
    ring_to_the_question(page)
    expect_recording(page)
    assert page.evaluate("told")[-3:] == ["Telefonen taler", "Gør dig klar", "Din tur: svar nu"]  # no key is asked for
    page.reload()
    expect(page.locator("#talk-log")).to_contain_text("Hvad er det eneste?")
    expect_recording(page)
    page.get_by_role("button", name="Fortsæt").click()
    expect(page.locator("#microphone")).to_have_text("Mikrofonen er tændt.")
    page.evaluate("speak()")
    expect(page.locator("#level")).not_to_have_js_property("value", 0)
    page.wait_for_timeout(2500)  # as long as the clip, and the line's delay
    press(page, "#")
    expect(page.locator("#caption")).to_have_text("Gemt. Om igen er to.", timeout=30_000)
    expect(page.locator("#status")).to_have_text("Din tur: tryk på en tast")  # it waits for the key and records nothing
    expect(page.locator("#status")).to_have_text("Samtalen er slut", timeout=30_000)
    expect(page.locator("#talk-log")).to_contain_text("Farvel og tak.")
    mail = read_mail(page)
    assert WORDS in mail
    assert "Skrevet på tastaturet" not in mail
    expect(page.get_by_text("WHISPER_MODEL")).to_be_visible()


def test_a_sound_file_can_answer(page: "Page") -> None:
    page.get_by_label("Lydfil", exact=True).check()
    page.get_by_label("Vælg en lydfil").set_input_files(CLIP)
    expect(page.locator("#file-note")).to_have_text("Klar. Den lyder efter tonen.")
    ring_to_the_question(page)
    expect(page.locator("#file-note")).to_contain_text("Filen lyder nu.", timeout=30_000)
    page.wait_for_timeout(2500)
    press(page, "#")
    assert WORDS in read_mail(page)


def test_a_second_window_takes_the_telephone_over(page: "Page", context: "BrowserContext") -> None:
    page.get_by_role("button", name="Ring op").click()
    press(page, "2")
    other = context.new_page()
    other.goto("/")
    expect(other.locator("#talk-log")).to_contain_text("Du trykkede 2")
    expect(page.locator("#status")).to_have_text("Telefonen er åben i et andet vindue")
    other.get_by_role("button", name="Læg på").click()
    expect(other.locator("#status")).to_have_text("Samtalen er slut")


def test_a_call_can_be_made_with_the_keyboard_alone(page: "Page") -> None:
    ring = page.get_by_role("button", name="Ring op")
    expect(ring).to_be_enabled()
    for _ in range(30):
        page.keyboard.press("Tab")
        if ring.evaluate("button => button === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_have_text("Telefonen taler")
    page.keyboard.press("2")
    expect(page.locator("#talk-log")).to_contain_text("Du trykkede 2")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_have_text("Samtalen er slut")


def test_without_a_microphone_one_can_still_answer(page: "Page") -> None:
    page.evaluate("navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', 'NotAllowedError'); }; 0")
    page.get_by_role("button", name="Ring op").click()
    expect(page.locator("#typed-note")).to_contain_text("Der er ingen mikrofon")
    expect(page.get_by_label("Skriv dit svar")).to_be_visible()
    page.get_by_role("button", name="Læg på").click()
    expect(page.locator("#status")).to_have_text("Samtalen er slut")


def test_a_typed_answer_stands_as_typed_and_is_marked_and_nobody_is_shut_out(page: "Page") -> None:
    """The rules that can be checked by machine, up to level AAA, before, in and after a call, and in the mailbox."""
    check_access(page)
    for way in ("Lydfil", "Skriv"):
        page.get_by_label(way, exact=True).check()
        check_access(page)
    ring_to_the_question(page)
    check_access(page)
    page.get_by_label("Skriv dit svar").fill("Æblegrød på tværs, 3 gange!")
    page.get_by_role("button", name="Sig det").click()
    expect(page.locator("#talk-log")).to_contain_text("Du skrev: “Æblegrød på tværs, 3 gange!”")
    check_access(page)
    press(page, "#")
    mail = read_mail(page)
    assert "Æblegrød på tværs, 3 gange!" in mail
    assert "Skrevet på tastaturet i prøven." in mail
    check_access(page)


def check_access(page: "Page") -> None:
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        found = Axe().run(page, options={"runOnly": TAGS, "iframes": False})
        assert found.violations_count == 0, found.generate_report()
        assert not page.evaluate(SCROLLS_SIDEWAYS)
        small = page.evaluate("[...document.querySelectorAll('body *')].filter(e => parseFloat(getComputedStyle(e).fontSize) < 18).length")
        assert small == 0
