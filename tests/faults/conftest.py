"""The prompts' sounds, which every line of the faults begins with."""

from pathlib import Path

import pytest

from tests.faults import lines


@pytest.fixture(scope="session", autouse=True)
def _sounds_for_every_line(sounds: Path) -> None:
    lines.sounds = sounds
