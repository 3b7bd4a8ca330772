"""Word and character errors: what counts as one, and what does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.speech.scoring import character_errors, right_words, word_errors, words

SENTENCE = st.lists(st.sampled_from(["jeg", "er", "træt", "af", "støjen", "og", "på"]), max_size=8).map(" ".join)


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("det er også på tide", "Det er også på tide!"),
        ("tester en to tre", "Tester 1, 2, 3."),
        ("jeg arbejder syvogtredive timer", "Jeg arbejder 37 timer."),
        ("femten tusinde kroner", "15.000 kroner"),
        ("to komma fem procent", "2,5 %"),
        ("nul syv", "07"),
        ("jeg er træt", "Øh, jeg er, hmm, træt ..."),
        ("det er chefens idé", "Det er chefens ide\u0301"),
        ("", "Øhm."),
    ],
)
def test_what_is_only_written_in_another_way_is_no_error(said: str, written: str) -> None:
    assert word_errors(said, written)[0] == character_errors(said, written)[0] == 0


@pytest.mark.parametrize(
    ("heard", "errors", "characters"),
    [
        ("jeg er træt", 0, 0),
        ("jeg er tæt", 1, 1),
        ("jeg træt", 1, 3),
        ("jeg er så træt", 1, 3),
        ("", 3, 11),
    ],
    ids=["right", "another word", "one missing", "one too many", "nothing"],
)
def test_each_word_that_is_wrong_missing_or_too_many_is_an_error(heard: str, errors: int, characters: int) -> None:
    assert word_errors("Jeg er træt.", heard) == (errors, 3)
    assert character_errors("Jeg er træt.", heard) == (characters, 11)


def test_invented_words_can_be_more_than_were_said() -> None:
    assert word_errors("ja", "Hvad er det?") == (3, 1)


def test_numbers_too_long_to_be_said_at_once_are_digits() -> None:
    assert " ".join(words("0701234567")) == "nul syv nul en to tre fire fem seks syv"
    assert " ".join(words("12345678901")) == "en to tre fire fem seks syv otte ni nul en"


def test_the_words_that_were_said_are_told_from_the_others() -> None:
    assert right_words("jeg er meget træt af det", "Jeg er træt af et 2") == [True, True, True, True, False, False]


@given(SENTENCE, SENTENCE)
def test_errors_are_at_most_all_words_of_the_longer_and_none_only_when_the_words_are_the_same(said: str, heard: str) -> None:
    errors, count = word_errors(said, heard)
    assert errors <= max(count, len(words(heard)))
    assert (errors == 0) == (said == heard)
    assert sum(right_words(said, heard)) >= len(words(heard)) - errors
