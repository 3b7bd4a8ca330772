"""What is done regularly goes on however the clock is set, by one worker at a time; and a clock that may be wrong destroys nothing."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from tests.faults.desk import NOON, Desk, a_desk
from tests.faults.test_clock import TrueTime, speaks
from tests.test_logs import logged
from tests.test_webhooks import Phone
from voice import regular, store
from voice.clock import CLOCK_TRUSTED_AFTER, Clock
from voice.keyring import KEEP
from voice.regular import DAY, HOURLY, MINUTE, Regular, Regulars
from voice.schema import regulars, worker_keys

YEAR = 365 * DAY
mostly_sqlite = pytest.mark.parametrize("new_database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.faults)], indirect=True)


class Locks:
    """In place of the workers' locks: the living are named."""

    def __init__(self) -> None:
        self.living: set[str] = set()

    def is_dead(self, worker: str) -> bool:
        return worker not in self.living


class Workers:
    """Workers over one database, and time that passes for all of them. ``did``: who did what."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.locks = Locks()
        self.passed = 0.0
        self.did: list[str] = []

    def worker(self, name: str, jobs: Mapping[str, Regular] | None = None) -> Regulars:
        self.locks.living.add(name)
        regulars = jobs or {"tidy": Regular(lambda: self.did.append(name), MINUTE)}
        one = Regulars(self.engine, regulars, name, self.locks, Clock(lambda: self.passed), lambda: self.passed)  # type: ignore[arg-type]
        one.begin()
        return one

    def look(self, *workers: Regulars) -> list[str]:
        """Each of them looks, and finishes what it began. Gives who did something."""
        self.did.clear()
        for one in workers:
            one.look()
            one.finish(60)
        return self.did.copy()

    def done_at(self, name: str = "tidy") -> float | None:
        with store.reading(self.engine) as look:
            return look.execute(sa.select(regulars.c.done_at).where(regulars.c.name == name)).scalar_one()


@pytest.fixture
def workers(database_url: str) -> Iterator[Workers]:
    url = database_url.replace("postgresql://", "postgresql+psycopg://")
    engine = store.connect(url)
    yield Workers(engine)
    engine.dispose()


@pytest.fixture
def pass_time(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets so many seconds pass; ``clock``: by how many the clock is set besides."""
    ahead, real = [0.0], time.time

    def passes(seconds: float, clock: float = 0.0) -> None:
        workers.passed += seconds
        ahead[0] += seconds + clock

    monkeypatch.setattr(regular.time, "time", lambda: real() + ahead[0])
    monkeypatch.setattr(regular, "_ahead", lambda _look: 0.0)  # a server's clock is right, and so it is set too
    return passes


# ---- when, and by whom


def test_what_is_due_is_done_by_one_of_the_workers_and_again_when_its_time_has_passed(
    workers: Workers, pass_time: Callable[..., None]
) -> None:
    a, b = workers.worker("a"), workers.worker("b")
    assert workers.look(a, b) == ["b"], "the first look tells the database what there is to do"
    for expected in ([], ["a"], [], ["a"]):
        pass_time(MINUTE / 2)
        assert workers.look(a, b) == expected
    workers.locks.living.remove("a")
    pass_time(MINUTE)
    assert workers.look(b) == ["b"]


@mostly_sqlite
@pytest.mark.parametrize("step", [-YEAR, -MINUTE / 2, HOURLY, YEAR], ids=["a year back", "half a minute back", "an hour on", "a year on"])
def test_a_clock_that_is_set_holds_up_nothing_for_longer_than_twice_its_time(
    workers: Workers, pass_time: Callable[..., None], step: float
) -> None:
    a = workers.worker("a")
    workers.look(a)
    pass_time(1)
    assert workers.look(a) == ["a"]
    pass_time(0, clock=step)
    did = []
    for _ in range(2):
        pass_time(MINUTE)
        did += workers.look(a)
    assert did in (["a"], ["a", "a"])


@mostly_sqlite
def test_two_workers_whose_clocks_differ_by_a_year_do_it_no_oftener_than_each_alone_would(
    workers: Workers, pass_time: Callable[..., None]
) -> None:
    a, b = workers.worker("a"), workers.worker("b")
    did = []
    for _ in range(100):
        did += workers.look(a)
        pass_time(0, clock=YEAR)
        did += workers.look(b)
        pass_time(1, clock=-YEAR)
    assert sorted(did) == ["a"] * 2 + ["b"] * 2


@mostly_sqlite
def test_while_one_is_at_it_nobody_begins_and_nothing_else_waits_for_it(workers: Workers, pass_time: Callable[..., None]) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        assert go_on.wait(60)
        workers.did.append("slow")

    a = workers.worker("a", {"slow": Regular(slow, MINUTE), "tidy": Regular(lambda: workers.did.append("tidy"), MINUTE)})
    b = workers.worker("b", a._regulars)
    a.look()
    a.look()
    assert begun.wait(60)
    for _ in range(2):
        pass_time(MINUTE)
        b.look()
        b.finish(60)
        a.look()
    assert set(workers.did) == {"tidy"}
    go_on.set()
    a.finish(60)
    assert workers.did.count("slow") == 1


def test_what_a_dead_worker_was_at_is_done_by_another_at_once(workers: Workers) -> None:
    a, b = workers.worker("a"), workers.worker("b")
    workers.look(a)
    with store.writing(workers.engine) as tx:
        tx.execute(sa.update(regulars).values(worker="a"))
    assert workers.look(b) == []
    workers.locks.living.remove("a")
    assert workers.look(b) == ["b"]


def test_who_was_told_that_it_is_due_just_before_another_did_it_leaves_it(workers: Workers) -> None:
    a, b = workers.worker("a"), workers.worker("b")
    workers.look(a)
    seen = b._due()["tidy"]
    assert workers.look(a) == ["a"]
    b._do(seen)
    assert workers.did == ["a"]


@mostly_sqlite
def test_what_fails_is_told_and_tried_again_within_the_hour_and_is_not_done(workers: Workers, pass_time: Callable[..., None]) -> None:
    failures = [RuntimeError("not now")]

    def nightly() -> None:
        workers.did.append("tried")
        if failures:
            raise failures.pop()

    a = workers.worker("a", {"tidy": Regular(nightly, DAY)})
    with logged() as told:
        workers.look(a)
        assert workers.look(a) == ["tried"]
        assert workers.look(a) == []
    assert told.getvalue().count("regular tidy failed") == 1
    assert workers.done_at() is None
    pass_time(3600)
    assert workers.look(a) == ["tried"]
    assert workers.done_at() is not None
    pass_time(3600)
    assert workers.look(a) == []


@mostly_sqlite
def test_a_database_that_is_away_holds_it_up_for_as_long_as_it_is(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    a = workers.worker("a")
    workers.look(a)

    def away(_engine: Engine) -> None:
        raise sa.exc.OperationalError("made up", None, Exception())

    with monkeypatch.context() as outage, logged() as told:
        outage.setattr(store, "reading", away)
        assert workers.look(a) == []
    assert "what is done regularly could not be looked at" in told.getvalue()
    assert workers.look(a) == ["a"]


@mostly_sqlite
def test_what_could_not_be_noted_as_done_is_done_again(
    workers: Workers, pass_time: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    a = workers.worker("a")
    workers.look(a)
    with monkeypatch.context() as outage, logged() as told:
        outage.setattr(regular, "_leave", lambda *_: 1 / 0)
        assert workers.look(a) == ["a"]
    assert "regular tidy failed" in told.getvalue()
    pass_time(MINUTE)
    assert workers.look(a) == ["a"]


def test_what_a_program_does_no_more_leaves_no_row_and_what_it_does_at_other_times_is_told(workers: Workers) -> None:
    workers.look(workers.worker("old", {"tidy": Regular(print, HOURLY), "of_yesterday": Regular(print, MINUTE)}))
    workers.look(workers.worker("new"))
    with store.reading(workers.engine) as look:
        assert [(row.name, row.every) for row in look.execute(sa.select(regulars))] == [("tidy", MINUTE)]


@mostly_sqlite
def test_two_programs_beside_each_other_both_do_what_they_know(workers: Workers, pass_time: Callable[..., None]) -> None:
    did: list[str] = []
    old = workers.worker("old", {"of_old": Regular(lambda: did.append("old"), MINUTE), "both": Regular(lambda: None, HOURLY)})
    new = workers.worker("new", {"of_new": Regular(lambda: did.append("new"), MINUTE), "both": Regular(lambda: None, MINUTE)})
    for _ in range(6):
        pass_time(MINUTE)
        workers.look(old, new)
    assert {*did} == {"old", "new"}


# ---- what a worker believes when it starts


def a_call_of_long_ago(workers: Workers, seconds: float) -> None:
    with store.writing(workers.engine) as tx:
        store.begin_call(tx, "CA" + "1" * 32, "{}", time.time() - seconds)


@mostly_sqlite
def test_a_new_line_trusts_its_clock_and_one_that_was_used_an_hour_ago_too(workers: Workers) -> None:
    assert workers.worker("a")._clock.trusted
    a_call_of_long_ago(workers, HOURLY)
    assert workers.worker("b")._clock.trusted


@mostly_sqlite
@pytest.mark.parametrize("step", [-HOURLY, DAY, 10 * YEAR], ids=["an hour back", "a day on", "ten years on"])
@pytest.mark.parametrize("known", ["by what was done", "by a call"])
def test_a_worker_that_starts_at_a_time_that_cannot_be_or_after_a_long_pause_doubts_its_clock_for_an_hour(
    workers: Workers, pass_time: Callable[..., None], step: float, known: str
) -> None:
    if known == "by a call":
        a_call_of_long_ago(workers, 0)
    else:
        a = workers.worker("a")
        workers.look(a)
        workers.look(a)
        workers.locks.living.clear()
    pass_time(1, clock=step)
    with logged() as told:
        b = workers.worker("b")
    assert told.getvalue().count("the clock is not known to be right") == 1
    before = workers.done_at() if known == "by what was done" else None
    for _ in range(2):
        assert workers.look(b) == []
        pass_time(CLOCK_TRUSTED_AFTER / 2 - 1)
    assert workers.done_at() == before, "a wrong clock has left a mark that the next one trusts"
    pass_time(3)
    assert workers.look(b) == ["b"]


@mostly_sqlite
def test_a_worker_that_was_away_for_a_night_trusts_its_clock(workers: Workers, pass_time: Callable[..., None]) -> None:
    a = workers.worker("a")
    workers.look(a)
    workers.look(a)
    pass_time(DAY / 2)
    assert workers.worker("b")._clock.trusted


@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
def test_a_clock_that_is_off_the_database_server_s_is_told_once_and_nothing_goes_until_both_agree(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, real = workers.worker("a"), time.time
    workers.look(a)
    with monkeypatch.context() as wrong, logged() as told:
        wrong.setattr(regular.time, "time", lambda: real() + 2 * MINUTE)
        assert (workers.look(a), workers.look(a)) == ([], [])
    assert told.getvalue().count("ours is 120 s off the database server's") == 1
    assert workers.look(a) == ["a"]


def keys_are_here(desk: Desk) -> list[bool]:
    with store.reading(desk.web.engine) as look:
        rows = look.execute(sa.select(worker_keys).where(worker_keys.c.purpose == "answers").order_by(worker_keys.c.created_at))
        return [row.destroyed_at is None for row in rows]


def test_a_machine_that_starts_ten_years_ahead_destroys_no_answer_and_sends_it_when_its_clock_is_right() -> None:
    with a_desk(RESUME_WINDOW="30") as desk:

        def looks_after() -> dict[str, Regular]:
            return {
                "lost_ends": Regular(desk.calls.end_silent, MINUTE),
                "retention": Regular(desk.retention._content, HOURLY),  # not of jobs: when they were made SQLite's own clock says
                "keys": Regular(lambda: desk.web.keyring.look_after() and None, HOURLY),
            }

        first, phone = TrueTime(desk, looks_after()), Phone(desk.web).at_question()
        speaks(desk, phone, "9911223344")
        desk.work()
        desk.web.keyring.make("answers")  # what was said is sealed to one that is retired
        first.passes(2 * MINUTE)
        desk.at(NOON + 10 * YEAR)
        desk.web.keyring.start()
        second = TrueTime(desk, looks_after())
        second.passes(30 * MINUTE)
        assert keys_are_here(desk) == [True, True]
        desk.at(NOON + 32 * MINUTE)
        second.passes(150 * MINUTE)
        assert [mail["hvad"] for mail in desk.words()] == ["9 9 1 1 2 2 3 3 4 4"]
        second.passes(KEEP + HOURLY, step=DAY / 4)
        assert keys_are_here(desk)[:2] == [False, True]
