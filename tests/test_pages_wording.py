"""What is read on the pages, in texts and in the mail with the button: short, easy, and silent about health."""

import re
from string import ascii_letters

from tests.conftest import ROOT
from voice.check.readability import lix, sentences_of, words_of
from voice.content import load

PAGES = load(ROOT / "prompts" / "da").pages
LINK = "https://samtaleklar.example.dk/mail/" + "0" * 64
GSM = {*"@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ÄÖÑÜ§¿äöñüà"} | set(ascii_letters)


def test_every_sentence_is_short_and_the_whole_is_easy() -> None:
    for name, text in PAGES.items():
        for sentence in sentences_of(text):
            assert len(words_of(sentence)) <= 15, (name, sentence)
    assert lix(PAGES.values()) < 27


def test_no_text_tells_of_health_or_of_the_talk() -> None:
    for name in ("invite", "remind", "undeliverable"):
        written = PAGES[name].replace("Samtaleklar", "")
        assert not re.search("syg|helbred|læge|ondt|stress|samtale|leder|chef|arbejd|svar", written.lower()), name


def test_every_text_has_its_link_and_fits_two_messages_of_the_telephone_s_own_letters() -> None:
    for name in ("invite", "remind", "undeliverable"):
        sent = PAGES[name].replace("{link}", LINK)
        assert LINK in sent
        assert set(sent) <= GSM, "a letter that would halve the length of a message"
        assert len(sent) <= 2 * 153, name


def test_only_what_is_filled_in_stands_in_braces() -> None:
    assert set(re.findall(r"{(.*?)}", " ".join(PAGES.values()))) == {"link", "address", "domain", "phone"}
