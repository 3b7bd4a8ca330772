"""Whatever is stuck shows to the operator and to a watchdog, in figures that name nobody."""

import os
import time
from unittest.mock import patch

import pytest

from tests.faults.desk import Desk, a_desk
from tests.faults.test_clock import TrueTime
from tests.test_webhooks import Phone, recording
from tests.web import environ
from voice import store
from voice.__main__ import main
from voice.errors import ProviderError
from voice.migrations import migrate
from voice.queue import Queue
from voice.regular import DAY, HOURLY, MINUTE, OVERDUE, Regular

FIGURES = (
    "jobs given up",
    "oldest waiting job (seconds)",
    "recordings not erased for an hour",
    "preparations past their deadline",
    "regular work overdue (minutes)",
)


def health(desk: Desk) -> dict[str, str]:
    first, *lines = desk.web.client.get("/healthz").text.splitlines()
    assert first == "ok"
    return dict(line.split(": ") for line in lines)


def shown(desk: Desk) -> tuple[int, ...]:
    """The figures, in their order."""
    found = health(desk)
    return tuple(int(found[name]) for name in FIGURES)


def answered(desk: Desk, *, there: bool = True) -> str:
    """A whole call with one answer. Gives its recording."""
    phone, sid = Phone(desk.web).at_question("kort"), recording()
    if there:
        desk.provider.recordings[sid] = "9988776655"
    news = phone.urls["news"]
    phone.speaks(sid)
    phone.news(sid, url=news)
    phone.key("#")
    phone.ends()
    return sid


def test_where_nothing_is_stuck_nothing_shows() -> None:
    with a_desk() as desk:
        assert shown(desk) == (0, 0, 0, 0, 0)
        answered(desk)
        desk.work_until(desk.now + 10 * 86400)
        assert len(desk.mails) == 1
        assert shown(desk) == (0, 0, 0, 0, 0)


def test_without_a_worker_the_age_of_the_oldest_job_shows_and_what_should_have_been_sent_and_erased() -> None:
    with a_desk() as desk:
        answered(desk)
        desk.later(60)
        made = desk.web.engine  # SQLite's own clock says when a job was made: only what waits for a moment is told in our time
        with store.writing(made) as tx:
            tx.exec_driver_sql("UPDATE workflow_status SET created_at = ?", (int((desk.now - 60) * 1000),))
        assert shown(desk) == (0, 60, 0, 0, 0)
        desk.later(2 * 3600)
        assert shown(desk) == (0, 2 * 3600 + 60, 1, 1, 0)


def test_a_recording_that_the_provider_does_not_delete_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_desk() as desk:

        def refuses(_sid: str) -> None:
            raise ProviderError("deleting the recording was answered with 500", code=500)

        monkeypatch.setattr(desk.provider, "delete_recording", refuses)
        answered(desk)
        desk.work_until(desk.now + 3000)
        assert shown(desk)[2] == 0
        desk.work_until(desk.now + 3600)
        assert shown(desk)[2] == 1
        desk.work_until(desk.now + 3 * 86400)
        assert shown(desk)[:3:2] == (1, 1)


def test_a_job_that_is_given_up_shows() -> None:
    with a_desk() as desk:
        answered(desk, there=False)
        desk.work_until(desk.now + 3600)
        assert shown(desk)[0] == 1


def test_regular_work_that_fails_or_that_nobody_does_shows_whatever_the_clock_says() -> None:
    failures = [RuntimeError()]

    def look_after_keys() -> None:
        if failures:
            raise failures[0]

    with a_desk() as desk:
        time = TrueTime(desk, {"lost_ends": Regular(lambda: None, MINUTE), "keys": Regular(look_after_keys, HOURLY)})
        time.passes(10 * MINUTE)
        assert shown(desk)[4] == 0
        time.passes(HOURLY + OVERDUE)
        assert 8 <= shown(desk)[4] <= 10, "one of them fails every time, the other does not"
        failures.clear()
        time.passes(HOURLY)
        assert shown(desk)[4] == 0
        desk.later(5 * HOURLY)
        assert 230 <= shown(desk)[4] <= 290, "nobody is there"
        desk.later(-3650 * DAY)
        assert shown(desk)[4] > 3600 * 24 * 60


def test_the_operator_s_status_says_the_same_and_names_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    with a_desk() as desk:
        sid = answered(desk, there=False)
        desk.work_until(desk.now + 3600)
        with patch.dict(os.environ, environ(desk.web.config.data_dir)):
            assert main(["status"]) in (0, None)
        status = dict(line.split(": ") for line in capsys.readouterr().out.splitlines())
        found = health(desk)
        assert {name: status[name] for name in FIGURES} == {name: found[name] for name in FIGURES}
        told = str(status) + str(found)
        assert not any(word in told for word in (sid, "20123456", "employee@example.com", "9988776655"))


def test_the_age_of_the_oldest_job_counts_from_when_it_could_have_begun(database_url: str) -> None:
    url = database_url.replace("postgresql://", "postgresql+psycopg://")
    migrate(url)
    engine = store.connect(url)
    queue = Queue(engine)
    now = time.time()
    with store.reading(engine) as look:
        assert queue.oldest(look, now) == 0
    with store.writing(engine) as tx:
        queue.enqueue(tx, "deadline", "later", delay=1800)
    with store.reading(engine) as look:
        assert queue.oldest(look, now) == 0
        assert 190 <= queue.oldest(look, now + 2000) <= 200
    with store.writing(engine) as tx:
        queue.enqueue(tx, "fetch", "now")
    with store.reading(engine) as look:
        assert queue.oldest(look, now + 2000) >= 1900
    engine.dispose()
