"""When a preparation goes without what is not there: after half an hour in which workers could have done it, not sooner."""

from dataclasses import dataclass

import pytest

from voice import store
from voice.preparations import DEADLINE, OVERDUE, Placing, Preparations
from voice.queue import Queue

CALL, RECORDING = "CA" + "1" * 32, "RE" + "1" * 32


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("late", [0, OVERDUE - 1])
def test_at_the_deadline_what_is_missing_is_given_up(database_url: str, late: float) -> None:
    assert _status_after(database_url, [DEADLINE + late]) == "failed"


def test_a_deadline_that_nobody_was_there_to_keep_gives_the_whole_time_once_more(database_url: str) -> None:
    assert _status_after(database_url, [DEADLINE + OVERDUE + 1]) == "expected"


def test_the_second_deadline_holds(database_url: str) -> None:
    assert _status_after(database_url, [DEADLINE + OVERDUE + 1, DEADLINE]) == "failed"


def _status_after(database_url: str, waits: list[float]) -> str:
    """What has become of an unfetched recording when the deadline job runs after each of these waits."""
    url = database_url.replace("postgresql://", "postgresql+psycopg://")
    engine, clock = store.connect(url), Clock()
    preparations = Preparations(Queue(engine), clock)
    with store.writing(engine) as tx:
        store.add_worker_key(tx, bytes(range(32)), 1.0)
        store.begin_call(tx, CALL, "{}", 1.0)
        preparation = preparations.open(tx, "lang", "da", consent_at=1.0, opened_by=CALL)
        preparations.expect(tx, RECORDING, Placing(CALL, 1, preparation, "hvad", 1), complete=True)
        preparations.close(tx, preparation)
    for wait in waits:
        clock.now += wait
        with store.writing(engine) as tx:
            preparations.deadline(tx, preparation)
    with store.reading(engine) as look:
        utterance = store.utterance(look, RECORDING)
    engine.dispose()
    assert utterance is not None
    return str(utterance.status)
