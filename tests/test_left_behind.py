"""A whole call with canaries in all of it leaves none of them anywhere but in the caller's mailbox. Each bug put in leaves some."""

from pathlib import Path

import pytest

from tests.canary import Canaries
from tests.canary_call import SOUND, Left, leave_behind
from tests.postgres import Postgres


def left_behind(
    tmp_path: Path, url: str, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str], bugs: str = ""
) -> tuple[Left, Canaries]:
    canaries = Canaries.fresh(SOUND)
    server: Postgres | None = request.getfixturevalue("postgres") if url.startswith("postgresql") else None
    return leave_behind(tmp_path, url, server, canaries, lambda: "".join(capfd.readouterr()), bugs), canaries


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
