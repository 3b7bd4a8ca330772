"""Every pictogram that content may name is there, drawn in one ink, and its PNG is its drawing."""

from typing import get_args

import pytest

from tests.pictograms import FOLDER, drawn
from voice.prompts import Pictogram

NAMES = get_args(Pictogram)


def test_there_is_one_drawing_and_one_png_for_each_name_and_no_other() -> None:
    for kind in ("svg", "png"):
        assert sorted(path.stem for path in FOLDER.glob(f"*.{kind}")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_png_is_its_drawing(name: str) -> None:
    svg = FOLDER / f"{name}.svg"
    assert svg.with_suffix(".png").read_bytes() == drawn(svg), "run python -m tests.pictograms"


@pytest.mark.parametrize("name", NAMES)
def test_a_drawing_has_one_dark_ink_and_asks_nothing_of_its_reader(name: str) -> None:
    text = (FOLDER / f"{name}.svg").read_text()
    assert "#0b3d60" in text
    assert not any(word in text for word in ("currentColor", "<script", "href", "<text", "<style"))
