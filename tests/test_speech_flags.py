"""What is marked as unsure, and the limits that a model's folder may hold."""

import json
from pathlib import Path

import pytest

from voice.errors import ConfigError
from voice.speech.flags import Flags, Word, sureness

FLAGS = Flags(least=0.6)


def said(text: str, *probabilities: float) -> list[Word]:
    """A piece whose words are sure, but for the first ones, which have these probabilities."""
    words = text.split()
    return [Word(word, probability) for word, probability in zip(words, [*probabilities, *[0.95] * len(words)], strict=False)]


CLEAR = said("jeg er glad for mit arbejde")


@pytest.mark.parametrize(
    ("pieces", "speech"),
    [
        ([CLEAR, CLEAR], 4.0),
        ([said("ja")], 0.4),
        ([said("det ved jeg")], 3.0),
        ([CLEAR], 5.9),
        ([said("jeg er glad for mit arbejde", 0.1)], 2.0),
        ([said("ja ja ja ja ja ja ja jeg er glad for mit arbejde")], 4.0),
    ],
    ids=["clear", "short but clear", "slow but short", "almost too slow", "one word in six guessed", "some repetition"],
)
def test_a_clear_answer_is_sure(pieces: list[list[Word]], speech: float) -> None:
    assert not FLAGS.unsure(pieces, speech)


@pytest.mark.parametrize(
    ("pieces", "speech"),
    [
        ([said("jeg er glad for mit arbejde", 0.4, 0.4, 0.4, 0.4)], 2.0),
        ([said("ja", 0.5)], 0.4),
        ([CLEAR], 6.1),
        ([CLEAR, said("og så " * 20)], 9.0),
        ([[]], 0.5),
        ([], 4.0),
        ([said("ja", 0.0)], 0.4),
    ],
    ids=["guessed", "short and guessed", "too few words", "going round in circles", "no words", "nothing at all", "impossible"],
)
def test_an_answer_is_unsure_for_each_reason_alone(pieces: list[list[Word]], speech: float) -> None:
    assert FLAGS.unsure(pieces, speech)


def test_every_word_counts_the_same_in_whichever_piece_it_stands() -> None:
    assert sureness([[Word("ja", 0.9)], [Word("nej", 0.4), Word("nej", 0.9)]]) == pytest.approx((0.9 * 0.9 * 0.4) ** (1 / 3))


class TestCalibration:
    def test_a_model_without_one_has_the_usual_limits(self, tmp_path: Path) -> None:
        assert Flags.of(tmp_path) == Flags()

    def test_a_models_own_limit_stands_before_the_usual_one(self, tmp_path: Path) -> None:
        (tmp_path / "calibration.json").write_text(json.dumps({"flags": {"least": 0.9}, "answers": 120}))
        assert Flags.of(tmp_path) == Flags(least=0.9)
        assert Flags.of(tmp_path).unsure([said("ja", 0.85)], 0.4)

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"flags": {"least": "much"}}', '{"flags": 0.5}'])
    def test_one_that_cannot_be_read_is_named_with_its_mend(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "calibration.json").write_text(text)
        with pytest.raises(ConfigError, match=r"calibration\.json holds no limits of flags: delete it"):
            Flags.of(tmp_path)
