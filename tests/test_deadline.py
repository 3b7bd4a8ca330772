"""When a preparation goes without what is not there: after half an hour in which workers could have done it, not sooner."""

import secrets
from dataclasses import dataclass

from sqlalchemy.engine import Connection, Engine

from voice import store
from voice.preparations import DEADLINE, EARLY, HOUR_MORE, OVERDUE, WAIT, Placing, Preparations
from voice.queue import Queue


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def test_at_the_deadline_what_is_missing_is_given_up(database_url: str) -> None:
    for late in (-EARLY, 0, OVERDUE):
        assert _statuses(database_url, "deadline", [DEADLINE + late]) == ["failed"]


def test_a_deadline_that_nobody_was_there_to_keep_gives_the_whole_time_once_more(database_url: str) -> None:
    assert _statuses(database_url, "deadline", [DEADLINE + OVERDUE + 1, DEADLINE]) == ["expected", "failed"]


def test_a_deadline_that_comes_early_by_another_host_s_clock_comes_again_when_it_is_time(database_url: str) -> None:
    assert _statuses(database_url, "deadline", [1, 0.5, DEADLINE - 1.5]) == ["expected", "expected", "failed"]


def test_a_deadline_that_comes_before_the_closing_gives_the_whole_time_once_more(database_url: str) -> None:
    assert _statuses(database_url, "deadline", [-100_000, DEADLINE]) == ["expected", "failed"]


def test_what_waits_for_an_address_goes_when_its_time_is_over_and_not_before(database_url: str) -> None:
    assert _statuses(database_url, "expire", [WAIT]) == ["expired"]
    for wrong, rest in ((1, WAIT - 1), (WAIT + OVERDUE + 1, HOUR_MORE), (-100_000, WAIT)):
        assert _statuses(database_url, "expire", [wrong, rest]) == ["waiting", "expired"]


class NotedQueue(Queue):
    """Remembers what was put in."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.put_in: dict[str, float] = {}  # key -> delay

    def enqueue(
        self, connection: Connection, name: str, subject: str, *, key: str | None = None, delay: float = 0, attempt: int = 1
    ) -> None:
        super().enqueue(connection, name, subject, key=key, delay=delay, attempt=attempt)
        if name in ("deadline", "expire"):
            self.put_in[key or subject] = delay


def _statuses(database_url: str, job: str, waits: list[float]) -> list[str]:
    """What has become of an unfetched recording, or of a preparation without an address, when the job runs after each of these waits."""
    url = database_url.replace("postgresql://", "postgresql+psycopg://")
    engine, clock = store.connect(url), Clock()
    queue = NotedQueue(engine)
    preparations = Preparations(queue, clock)
    call, recording = f"CA{secrets.token_hex(16)}", f"RE{secrets.token_hex(16)}"
    with store.writing(engine) as tx:
        if store.worker_key(tx) is None:
            store.add_worker_key(tx, bytes(range(32)), 1.0)
        store.begin_call(tx, call, "{}", 1.0)
        preparation = preparations.open(tx, "lang", "da", consent_at=1.0, opened_by=call)
        preparations.expect(tx, recording, Placing(call, 1, preparation, "hvad", 1), complete=True)
        if job == "deadline":
            preparations.close(tx, preparation)
        else:
            store.save_preparation(tx, preparation, status="sending")
            assert preparations.wait_for_address(tx, preparation)
    statuses: list[str] = []
    for runs, wait in enumerate(waits, 1):
        if runs == len(waits) > 1:
            assert [*queue.put_in.values()][-1] == wait, "it comes again at another time"
        clock.now += wait
        with store.writing(engine) as tx:
            getattr(preparations, job)(tx, preparation)
        with store.reading(engine) as look:
            utterance, row = store.utterance(look, recording), store.preparation(look, preparation)
        assert row is not None
        statuses.append(utterance.status if job == "deadline" and utterance is not None else row.status)
        again = statuses[-1] in ("expected", "waiting")
        assert len(queue.put_in) == runs + again, "it comes once more if it was not the time, and not otherwise"
    engine.dispose()
    return statuses
