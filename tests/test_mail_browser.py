"""The mail as it is seen: Debian's Chromium at a telephone's and a computer's width, with axe.

To look at it yourself: ``PICTURES=folder pytest tests/test_mail_browser.py`` lays a picture of each mail there.
"""

import os
from base64 import b64encode
from contextlib import suppress
from pathlib import Path

import pytest

from tests.browser import SCROLLS_SIDEWAYS, TAGS, chromium  # noqa: F401 - the fixture "browser"
from voice.config import ROOT
from voice.content import load
from voice.prompts import Guide
from voice.summary import Utterance, summarise
from voice.summary.mail import Form, MailText, write

PICTURES = os.environ.get("PICTURES")

with suppress(ImportError):  # without them, no test comes further than the browser
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import Browser

PROMPTS = load(ROOT / "prompts" / "da")
GUIDES = [PROMPTS.guide(name) for name in ("ondt", "bagefter", "leder", "tvivl")]  # one for each kind of sheet
SAID = (
    "Øh, jeg kan godt tage telefonen og skrive mails hjemmefra. Jeg kan ikke løfte.",
    "Det er leddegigt. Mit nummer er 010190-1234.",
    "Tunge kasser på lageret, og at vi altid er for få om morgenen.",
    "",
    "Bittelangeordudenmellemrumderikkekanståpåenlinjeientelefonoglidttilogendnumere.",
)


def everything(guide: Guide) -> MailText:
    """A mail with every mark in it: most important, in doubt, ill, masked, failed, unheard, unanswered."""
    *asked, important = guide.questions
    said = [
        Utterance("u", question.id, 0, 0, "heard" if words else "failed", words, foreign=not n)
        for n, (question, words) in enumerate(zip(asked, SAID, strict=False))
    ]
    said.append(Utterance("u", important.id, 0, 0, "heard", "At vi aftaler, hvem der løfter de tunge kasser.", unsure=True))
    forms: dict[Form, bytes | None] = {"pages": b"%PDF", "sound": None if guide.id == "leder" else b"ID3"}
    return write(summarise(guide, said, PROMPTS.vocabulary), PROMPTS, forms, "https://line.example/slet/" + "0" * 64)


@pytest.mark.parametrize("guide", GUIDES, ids=[guide.id for guide in GUIDES])
def test_a_mail_is_big_clear_and_never_scrolls_sideways(browser: "Browser", guide: Guide) -> None:
    mail = everything(guide)
    html = mail.html
    for picture in mail.pictures:
        html = html.replace(f"cid:{picture.content_id}", f"data:image/png;base64,{b64encode(picture.png).decode()}")
    page = browser.new_page()
    page.set_content(html)
    # "region" and "landmark-one-main" ask for landmarks, which a mail cannot bring into its reader's page.
    rules = {name: {"enabled": False} for name in ("region", "landmark-one-main")}
    found = Axe().run(page, options={"runOnly": TAGS, "rules": rules})
    assert found.violations_count == 0, found.generate_report()
    for width in (375, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert not page.evaluate(SCROLLS_SIDEWAYS)
        small = "[...document.querySelectorAll('p, h1, h2, h3')].filter(e => parseFloat(getComputedStyle(e).fontSize) < 20).length"
        assert page.evaluate(small) == 0
        seen = "[...document.images].every(e => e.naturalWidth === 144 && e.width === +e.getAttribute('width') && e.width === e.height)"
        assert page.evaluate(seen), "a picture is missing or out of shape"
        if PICTURES:
            page.screenshot(path=Path(PICTURES) / f"mail-{guide.id}-{width}.png", full_page=True)
    page.close()
