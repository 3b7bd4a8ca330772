"""What tests share: where reference material lies, and how a line is put together around a temporary folder."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn, Protocol

import pytest
from hypothesis import HealthCheck, settings
from lxml import etree

from tests.databases import make_ready
from tests.faults.report import (  # noqa: F401 - the report of faults, for whatever test has a row in it
    cases,
    leave_out_what_is_done,
    pytest_addoption,
    pytest_pyfunc_call,
    pytest_runtest_makereport,
    pytest_terminal_summary,
)
from tests.postgres import Postgres, find_programs
from tests.sounds import sounds_in

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
TEST_PROMPTS = ROOT / "tests" / "prompts"
TWO_LANGUAGES = ROOT / "tests" / "languages"

settings.register_profile("test", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("faults", max_examples=10_000, stateful_step_count=100, deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "test"))


# The longest first, as one process takes a file whole: the run is over when the last of them is.
LONGEST = (
    "test_demo_browser",
    "test_calls",
    "test_queue",
    "test_speech_whisper",
    "test_walk",
    "test_mailbox_browser",
    "test_demo",
    "test_summary_sheet",
    "test_migrations",
    "test_check",
    "test_recordings",
    "test_moments",
    "test_kills",
    "test_mail_browser",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    leave_out_what_is_done(config, items)
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


def must_run(reason: str) -> NoReturn:
    """Skip with the reason on a newcomer's machine; fail where everything has been installed."""
    if os.environ.get("CI"):
        pytest.fail(f"must run in CI: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for all tests that need one."""
    programs = find_programs()
    if programs is None:
        must_run("PostgreSQL is not installed")
    with Postgres(programs) as server:
        yield server


DATABASES = ("sqlite", "postgresql")


class NewDatabase(Protocol):
    def __call__(self, *, empty: bool = False) -> str:
        """Makes a database that has all tables, or none of them and perhaps not even a file, and gives its URL."""


@pytest.fixture(scope="session", params=DATABASES)
def new_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NewDatabase:
    """Makes databases of one kind. A test that uses it runs on both kinds."""
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        return server.new_database

    def new_file(*, empty: bool = False) -> str:
        url = f"sqlite:///{tmp_path_factory.mktemp('sqlite')}/samtaleklar.sqlite"
        if not empty:
            make_ready(url)
        return url

    return new_file


@pytest.fixture
def database_url(new_database: NewDatabase) -> str:
    """A database of this test's own, ready for use."""
    return new_database()


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the offline voice's sounds of the tests' content, for ``lay_sounds``. All test processes share it."""
    folder = tmp_path_factory.getbasetemp()
    return sounds_in(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder, TEST_PROMPTS)


@pytest.fixture(scope="session")
def schema() -> etree.XMLSchema:
    """Twilio's own schema of TwiML."""
    path = SHARED / "facts" / "twiml-xsd" / "twiml.xsd"
    if not path.is_file():
        must_run("Twilio's schema is not beside the project")
    return etree.XMLSchema(etree.parse(path))
