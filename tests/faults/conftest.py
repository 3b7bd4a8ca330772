"""What the rooms of faults share."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import NewDatabase, must_run
from tests.faults import lines
from tests.postgres import Postgres


@pytest.fixture(scope="session", autouse=True)
def _sounds_for_every_line(sounds: Path) -> None:
    """The prompts' sounds, which every line of the faults begins with."""
    lines.sounds = sounds


@pytest.fixture
def server(request: pytest.FixtureRequest, new_database: NewDatabase) -> Postgres | None:
    """The database server, if there is one, for strace to look at."""
    if shutil.which("strace") is None:
        must_run("strace is not installed")
    found = request.getfixturevalue("postgres") if request.node.callspec.params["new_database"] == "postgresql" else None
    assert found is None or isinstance(found, Postgres)
    return found
