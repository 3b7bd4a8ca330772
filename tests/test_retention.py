"""What was said does not stay: three days after the mail was taken, and a week after it was said in any case."""

from dataclasses import dataclass

import pytest

from voice import store
from voice.migrations import migrate
from voice.preparations import BOUNCE_WAIT, KEEP, Placing, Preparations
from voice.queue import Queue

CALL, RECORDING = "CA" + "1" * 32, "RE" + "1" * 32
DAY = 86400.0


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("sent", "wait", "left"),
    [
        (True, BOUNCE_WAIT - DAY, 2),
        (True, BOUNCE_WAIT + 1, 0),
        (False, BOUNCE_WAIT + 1, 2),  # a relay that is away for a while loses nobody a word
        (False, KEEP - 1, 2),
        (False, KEEP + 1, 0),
    ],
)
def test_content_goes_in_time_and_not_before(database_url: str, sent: bool, wait: float, left: int) -> None:
    url = database_url.replace("postgresql://", "postgresql+psycopg://")
    migrate(url)
    engine, clock = store.connect(url), Clock()
    queue = Queue(engine)
    preparations = Preparations(queue, clock)
    with store.writing(engine) as tx:
        store.add_worker_key(tx, bytes(range(32)), 1.0)
        store.begin_call(tx, CALL, "{}", 1.0)
        preparation = preparations.open(tx, "lang", "da", consent_at=1.0, opened_by=CALL)
        preparations.expect(tx, RECORDING, Placing(CALL, 1, preparation, "hvad", 1), complete=True)
        preparations.key_pressed(tx, Placing(CALL, 2, preparation, "er_det", 1), True)
        if sent:
            store.save_preparation(tx, preparation, status="sent", sent_at=clock.now)
    clock.now += wait
    for _ in range(2):  # the second time there is nothing left to do
        with store.writing(engine) as tx:
            preparations.shred_old(tx)
    with store.reading(engine) as look:
        row = store.preparation_of(look, CALL) or look.execute(store.preparations.select()).one()
        assert len(store.said(look, preparation)) == left
        assert bool(row.private_key_sealed) == bool(left)
    jobs = {workflow.workflow_id for workflow in queue._client.list_workflows()}
    assert (f"erase:{RECORDING}:shred:1" in jobs) == (left == 0), "the provider's copy goes as well"
    engine.dispose()
