"""Tidied, never rewritten."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice.config import ROOT
from voice.content import load
from voice.prompts import Vocabulary
from voice.summary.words import tells_illness, tidy

DANISH = load(ROOT / "prompts" / "da").vocabulary


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("", ""),
        (" \t\n\x00\u200b", ""),
        ("jeg vil gerne møde senere", "Jeg vil gerne møde senere."),
        ("Hvad nu?", "Hvad nu?"),
        ("vent…", "Vent…"),
        ("så sagde han »nej.«", "Så sagde han »nej.«"),
        ("ja, og så,", "Ja, og så."),
        ("øh  to\r\nlinjer\u2028tre", "Øh to linjer tre."),
        ("åh\x00nej", "Åh nej."),
        ("\u202efor\u200bkert\ufeff", "Forkert."),
        ("halv \ud83d del", "Halv � del."),
        ("👍", "👍."),
        ("ßtrange", "Sstrange."),
        ("متأخر؟", "متأخر؟"),
    ],
)
def test_text_is_tidied(said: str, read: str) -> None:
    assert tidy(said) == read


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("øh jeg vil øhm gerne møde senere øh", "Jeg vil gerne møde senere."),
        ("Øh, jeg vil, øh, gerne.", "Jeg vil, gerne."),
        ("det er fint, øhm. så går jeg hjem", "Det er fint. Så går jeg hjem."),
        ("er det nok, øh?", "Er det nok?"),
        ("øh, hmm.", ""),
        ("jeg jeg jeg vil og og kan", "Jeg vil og kan."),
        ("mødet er fredag. så ved jeg det! godt? ja", "Mødet er fredag. Så ved jeg det! Godt? Ja."),
        # what may rightly stand twice, and what only looks like a filler or an end, stays
        ("nej nej, det er det det er, meget meget svært", "Nej nej, det er det det er, meget meget svært."),
        ("er det det? dem der der går", "Er det det? Dem der der går."),
        ("ring til nul nul to to", "Ring til nul nul to to."),
        ("jeg, jeg vil det", "Jeg, jeg vil det."),
        ("kl. ni, f.eks. ca. ni", "Kl. ni, f.eks. ca. ni."),
        ("ehlers øhavet", "Ehlers øhavet."),
    ],
)
def test_fillers_and_stumbles_go_and_sentences_begin_with_a_capital(said: str, read: str) -> None:
    assert tidy(said, DANISH) == read


WORDS = [*DANISH.fillers[:4], *DANISH.doubles[:4], "det", "nej", "Øh,", "jeg.", "øhm?", "(øh)", "fredag.", "hjælp", "kl.", "…", "-", "20"]


@settings(max_examples=500)
@given(st.lists(st.sampled_from(WORDS), max_size=30))
def test_nothing_goes_but_fillers_and_one_of_two_equal_words(words: list[str]) -> None:
    """Read side by side, what was said and what stands can only part at a filler, or at a word that was said just before."""
    kept = iter([*_plain_words(tidy(" ".join(words), DANISH)), ""])
    standing, before = next(kept), ""
    for word in _plain_words(" ".join(words)):
        if word == standing:
            before, standing = word, next(kept)
        else:
            assert word in DANISH.fillers or (word == before and word in DANISH.doubles), word
    assert standing == ""


def _plain_words(text: str) -> list[str]:
    return [plain for word in text.casefold().split() if (plain := word.strip(".,?!()…-"))]


@given(st.lists(st.sampled_from(WORDS), max_size=30))
def test_tidying_stumbles_twice_is_tidying_them_once(words: list[str]) -> None:
    tidied = tidy(" ".join(words), DANISH)
    assert tidy(tidied, DANISH) == tidied


@pytest.mark.parametrize(
    "said",
    [
        *("jeg har fået en depression", "fødselsdepressionen", "det er angst", "mine angstanfald", "jeg har ADHD", "a.d.h.d. har jeg"),
        *(
            "min psykiater siger",
            "hos psykologen",
            "jeg blev udbrændt",
            "dissemineret sclerose",
            "operationen venter",
        ),
        *("jeg får medicin", "pillerne virker ikke", "på sygehuset", "jeg var indlagt"),
        *(
            "brystkræft",
            "kræften kom igen",
            "Diskus-prolaps i ryggen",
            "leddegigten driller",
            "jeg får migræneanfald",
            "gravid i tredje måned",
        ),
        *("min sukkersyge", "jeg er diabetiker", "for højt blodtryk", "jeg har KOL.", "depres\u200bsion", "a\u030areforkalkning"),
    ],
)
def test_a_word_of_illness_is_known_in_every_form(said: str) -> None:
    assert tells_illness(tidy(said, DANISH), DANISH)


@pytest.mark.parametrize(
    "said",
    [
        *(
            "jeg har ondt i ryggen",
            "mine kræfter slipper op",
            "kan du bekræfte det",
            "det er giftigt",
            "for eksempel",
            "jeg er træt og stresset",
        ),
        *(
            "der er for meget brok",
            "et dårligt arbejdsmiljø",
            "jeg er sygemeldt",
            "koldt på lageret",
            "hiver i kasserne",
            "arbejdskraft",
            "jeg går til fysioterapeut",
            "",
        ),
    ],
)
def test_what_one_feels_or_does_is_no_word_of_illness(said: str) -> None:
    assert not tells_illness(tidy(said, DANISH), DANISH)


def test_a_language_without_a_list_knows_no_illness() -> None:
    assert not tells_illness("Kræft.", Vocabulary())


@pytest.mark.parametrize(
    "number",
    [
        *("010190-1234", "0101901234", "010190 1234", "010190 - 1234", "010190–1234", "0101\u200b90-1234"),
        *("01 01 90 12 34", "0 1 0 1 9 0 1 2 3 4", "01.01.90-1234"),
    ],
)
def test_a_personal_number_shows_its_birthday_only(number: str) -> None:
    assert tidy(f"mit nummer er {number} tak") == "Mit nummer er 010190-xxxx tak."


def test_a_leap_day_is_a_birthday() -> None:
    assert tidy("290200-1234") == "290200-xxxx."


@pytest.mark.parametrize(
    "number", ["321390-1234", "310290-1234", "12345678", "010190-12345", "20 12 34 56", "1010190-1234", "20 12 34 56 20 12 34 56"]
)
def test_other_numbers_stay(number: str) -> None:
    assert tidy(number) == number + "."


@given(st.text(st.characters()))
def test_tidying_twice_is_tidying_once(text: str) -> None:
    assert tidy(tidy(text)) == tidy(text)


@given(st.text(st.characters()))
def test_tidied_text_can_be_encoded_and_is_one_line(text: str) -> None:
    tidied = tidy(text)
    assert tidied.encode().decode() == tidied
    assert len(tidied.splitlines()) <= 1


@given(st.text(st.characters(exclude_categories=("Nd",))))
def test_no_letter_is_lost_or_added(text: str) -> None:
    assert _letters(tidy(text)) == _letters(text)


def _letters(text: str) -> str:
    return "".join(character for character in text.upper() if character.isalpha())
