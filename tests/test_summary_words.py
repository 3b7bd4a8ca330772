"""Tidied, never rewritten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.summary.words import tidy


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


@pytest.mark.parametrize("number", ["010190-1234", "0101901234", "010190 1234", "010190 - 1234", "010190–1234", "0101\u200b90-1234"])
def test_a_personal_number_shows_its_birthday_only(number: str) -> None:
    assert tidy(f"mit nummer er {number} tak") == "Mit nummer er 010190-xxxx tak."


def test_a_leap_day_is_a_birthday() -> None:
    assert tidy("290200-1234") == "290200-xxxx."


@pytest.mark.parametrize("number", ["321390-1234", "310290-1234", "12345678", "010190-12345", "20 12 34 56", "1010190-1234"])
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
