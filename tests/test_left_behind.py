"""A whole call with canaries in all of it leaves none of them anywhere but in the caller's mailbox. Each bug put in leaves some."""

from pathlib import Path

import pytest

from tests.canary import Canaries
from tests.canary_call import SOUND, Left, leave_behind
from tests.canary_worker import BUGS
from tests.postgres import Postgres


def left_behind(
    tmp_path: Path, url: str, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str], bugs: str = ""
) -> tuple[Left, Canaries]:
    canaries = Canaries.fresh(SOUND)
    server: Postgres | None = request.getfixturevalue("postgres") if url.startswith("postgresql") else None
    return leave_behind(tmp_path, url, server, canaries, lambda: "".join(capfd.readouterr()), bugs), canaries


@pytest.mark.parametrize("new_database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.faults)], indirect=True)
def test_a_call_leaves_nothing_of_the_caller_behind_but_in_the_mailbox(
    tmp_path: Path, database_url: str, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]
) -> None:
    left, canaries = left_behind(tmp_path, database_url, request, capfd)
    assert list(map(str, left.findings)) == []
    assert left.recordings == 0
    assert any(canaries.spoken in words for words in left.opened), "with its keys the line cannot open what was said"
    assert canaries.spoken in left.mail
    assert (left.mailed_to, left.refused) == (canaries.address, 2)
    for told in ("failed: RuntimeError at canary_worker.py", "DeliveryError 451", "failed in attempt 1: RuntimeError"):
        assert told in left.log, "it says nothing that a log is clean if nothing was logged"


SEEN = {  # each bug put in, and where it is seen: a part of a place's name, and what
    "words_unsealed": ("samtaleklar.sqlite", "spoken"),
    "texts_of_exceptions_logged": ("processes", "spoken"),
    "a_form_logged": ("processes", "number"),
    "words_in_the_engine_s_arguments": ("samtaleklar.sqlite", "spoken"),
    "words_in_a_temporary_file": ("tmp", "sound"),
    "replies_of_the_relay_logged": ("processes", "address"),
}


@pytest.mark.faults
def test_words_that_are_not_sealed_are_found_in_every_place_they_come_to(
    tmp_path: Path, postgres: Postgres, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]
) -> None:
    left, _ = left_behind(tmp_path, postgres.new_database(), request, capfd, "words_unsealed")
    places = {
        (name, finding.what)
        for finding in left.findings
        for name in ("/base/", "/pg_wal/", "/log", "/backups/")
        if name in str(finding.path)
    }
    assert places >= {(name, what) for name in ("/base/", "/pg_wal/", "/log", "/backups/") for what in ("spoken", "sound")}


@pytest.mark.faults
@pytest.mark.parametrize("bug", SEEN)
def test_a_bug_that_leaves_something_behind_is_found(
    bug: str, tmp_path: Path, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]
) -> None:
    left, _ = left_behind(tmp_path, f"sqlite:///{tmp_path}/database/samtaleklar.sqlite", request, capfd, bug)
    place, what = SEEN[bug]
    assert any(place in str(finding.path.relative_to(tmp_path)) and finding.what == what for finding in left.findings), left.findings


@pytest.mark.faults
def test_a_recording_that_is_left_at_the_provider_is_found(
    tmp_path: Path, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]
) -> None:
    left, _ = left_behind(tmp_path, f"sqlite:///{tmp_path}/database/samtaleklar.sqlite", request, capfd, "recordings_left_at_the_provider")
    assert left.recordings == 3


def test_every_bug_of_the_list_is_tried() -> None:
    assert {*SEEN, "recordings_left_at_the_provider"} == set(BUGS)
