"""A clock that is set while the line runs: nothing goes too early, nothing waits for ever, and every answer arrives once."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tests.dtmf_transcriber import spaced
from tests.faults.desk import NOON, Desk, a_desk
from tests.mailbox_line import SETTINGS
from tests.test_webhooks import Phone, recording
from tests.web import BASE
from voice import store
from voice.clock import Clock
from voice.regular import DAY, HOURLY, MINUTE, Regular, Regulars

HOUR, YEAR = 3600.0, 365 * DAY
MARKS = ("9911223344", "9922334455", "9933445566")  # no date, as a person's number would have
SAID = dict(zip(("hvad", "hvem", "vigtigst"), map(spaced, MARKS), strict=True))


class TrueTime:
    """Time as it is, beside what the clock says. A worker is there all the while, looks each minute, and does regularly what it should."""

    def __init__(self, desk: Desk, regulars: Mapping[str, Regular] | None = None) -> None:
        self.desk = desk
        self.passed = 0.0
        clock = desk._worker._clock = Clock(lambda: self.passed)
        # Of retention what goes by our clock alone: SQLite dates the engine's jobs by its own, which nobody sets.
        regulars = regulars or {"lost_ends": Regular(desk.calls.end_silent, MINUTE), "retention": Regular(desk.retention._content, HOURLY)}
        self.regulars = Regulars(desk.web.engine, regulars, "worker", desk._worker._locks, clock, lambda: self.passed)
        self.regulars.begin()

    def passes(self, seconds: float, step: float = MINUTE) -> None:
        end = self.passed + seconds
        while self.passed < end:
            self.passed += step
            self.desk.later(step)
            self.desk._worker._watch_the_clock()
            self.regulars.look()
            self.regulars.finish(60)
            self.desk.work()

    def is_told_again(self) -> None:
        """Somebody sets the clock right."""
        self.desk.at(NOON + self.passed)


def speaks(desk: Desk, phone: Phone, mark: str, *, there: bool = True) -> None:
    sid, news = recording(), phone.urls["news"]
    if there:
        desk.provider.recordings[sid] = mark
    phone.speaks(sid)
    assert phone.news(sid, url=news) == 204


def goes_on_to_the_end(desk: Desk, phone: Phone, time: TrueTime) -> None:
    """From after the first answer; the two others and the yes take a few minutes."""
    for mark in ("", *MARKS[1:]):
        time.passes(MINUTE)
        phone.key("#")
        speaks(desk, phone, mark) if mark else phone.key("1")
    phone.key("#")
    phone.key("#") if "key" in phone.urls else None
    assert phone.session.over
    phone.ends()


def all_is_gone_in_the_end(desk: Desk, time: TrueTime) -> None:
    time.is_told_again()
    mails = len(desk.mails)
    time.passes(9 * DAY, step=HOUR)
    with store.reading(desk.web.engine) as look:
        assert not any(row.private_key_sealed for row in look.execute(store.preparations.select())), "what was said is still here"
    assert len(desk.mails) == mails, "a mail came twice"
    assert desk.waiting() == [], "a job waits for ever"
    assert desk.dead_jobs() == []
    assert set(desk.provider.recordings) == desk.provider.deleted


STEPS: dict[str, Callable[[float], float]] = {
    "two hours back": lambda now: now - 2 * HOUR,
    "a day on": lambda now: now + DAY,
    "a day back": lambda now: now - DAY,
    "ten years on": lambda now: now + 10 * YEAR,
    "to 1970": lambda now: 1000.0,
}
sometimes = pytest.mark.faults
row = pytest.mark.row("clock")


def set_clock(desk: Desk, step: str) -> None:
    desk.at(STEPS[step](desk.now))


@row
@pytest.mark.parametrize("step", [pytest.param(step, marks=() if step == "ten years on" else sometimes) for step in STEPS])
def test_a_clock_that_is_set_in_a_call_loses_no_answer_and_cuts_nobody_off(step: str) -> None:
    with a_desk(RESUME_WINDOW="30") as desk:
        time, phone = TrueTime(desk), Phone(desk.web).at_question()
        speaks(desk, phone, MARKS[0])
        set_clock(desk, step)
        goes_on_to_the_end(desk, phone, time)
        time.passes(10 * MINUTE)
        assert desk.words() == [{**SAID, "er_det": "yes"}]
        all_is_gone_in_the_end(desk, time)


@row
@sometimes
@pytest.mark.parametrize("step", ["two hours back", "a day on"])
def test_a_clock_that_is_set_after_a_call_broke_off_keeps_what_was_said_and_sends_it(step: str) -> None:
    with a_desk(RESUME_WINDOW="30") as desk:
        time, phone = TrueTime(desk), Phone(desk.web).at_question()
        speaks(desk, phone, MARKS[0])
        phone.ends()
        time.passes(5 * MINUTE)
        set_clock(desk, step)
        time.passes(45 * MINUTE)
        assert [mail["hvad"] for mail in desk.words()] == [spaced(MARKS[0])]
        all_is_gone_in_the_end(desk, time)


@row
@sometimes
@pytest.mark.parametrize("step", ["a day back", "ten years on"])
def test_a_clock_that_is_set_while_an_address_is_waited_for_loses_nothing(step: str) -> None:
    with a_desk(RESUME_WINDOW="30", **SETTINGS) as desk:
        time, phone = TrueTime(desk), Phone(desk.web)
        desk.web.app.extensions["pages"]._exists = lambda _address: True
        phone.start()
        for key in "1111":  # yes, my own telephone; then the guide
            phone.key(key)
        speaks(desk, phone, MARKS[0])
        goes_on_to_the_end(desk, phone, time)
        time.passes(5 * MINUTE)
        assert desk.statuses() == ["waiting"]
        set_clock(desk, step)
        time.passes(30 * MINUTE)
        time.is_told_again()
        time.passes(30 * MINUTE)
        page = desk.provider.texts[0][1].partition(BASE)[2].split()[0]
        desk.web.client.post(page, base_url=BASE, data={"act": "write", "email": "lone@gmail.com"})
        time.passes(MINUTE)
        button = desk.mails[-1].get_body(("plain",)).get_content().partition(BASE)[2].split()[0]
        desk.web.client.post(button, base_url=BASE, data={"act": "confirm"})
        time.passes(MINUTE)
        assert [mail["To"] for mail in desk.mails[1:]] == ["lone@gmail.com"]
        del desk.mails[0]
        assert desk.words() == [{**SAID, "er_det": "yes"}]
        all_is_gone_in_the_end(desk, time)


@row
@sometimes
def test_a_clock_that_goes_back_puts_the_deadline_off_by_no_more_than_twice_its_own_time() -> None:
    with a_desk(RESUME_WINDOW="30") as desk:
        time, phone = TrueTime(desk), Phone(desk.web).at_question()
        speaks(desk, phone, MARKS[0], there=False)
        goes_on_to_the_end(desk, phone, time)
        set_clock(desk, "two hours back")
        time.passes(65 * MINUTE)
        assert desk.words() == [{**SAID, "er_det": "yes", "hvad": "failed"}]


NIGHTS = {
    "the hour that is missing in spring": datetime(2027, 3, 28, 1, 57),
    "the hour that comes twice in autumn": datetime(2027, 10, 31, 2, 57),
}


@contextmanager
def in_copenhagen() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Copenhagen"
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
        time.tzset()


@row
@sometimes
@pytest.mark.parametrize("night", NIGHTS)
def test_a_night_in_which_the_hour_changes_is_a_night_like_any_other(night: str) -> None:
    moment = NIGHTS[night].replace(tzinfo=ZoneInfo("Europe/Copenhagen")).timestamp()
    with in_copenhagen(), a_desk(moment, RESUME_WINDOW="30") as desk:
        time, phone = TrueTime(desk), Phone(desk.web).at_question()
        speaks(desk, phone, MARKS[0])
        goes_on_to_the_end(desk, phone, time)
        broken_off = Phone(desk.web).at_question()
        speaks(desk, broken_off, "9944556677")
        broken_off.ends()
        ended = desk.now
        time.passes(29 * MINUTE)
        assert desk.words() == [{**SAID, "er_det": "yes"}]
        time.passes(2 * MINUTE)
        assert [mail["hvad"] for mail in desk.words()[1:]] == ["9 9 4 4 5 5 6 6 7 7"]
        with store.reading(desk.web.engine) as look:
            closed = look.execute(store.preparations.select().where(store.preparations.c.opened_by == broken_off.sid)).one().closed_at
        assert 30 * MINUTE <= closed - ended <= 31 * MINUTE
