"""Who is let in: caps for one number, for withheld ones and for the whole line, a closed line, and numbers that lead to a guide."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.signing import a_web
from tests.web import TOKEN, Web, environ
from voice import store
from voice.__main__ import main
from voice.calls import DAY, GONE, HOUR
from voice.config import Config
from voice.content import load
from voice.dialogue.session import Session
from voice.directory import caller_keys, is_number
from voice.errors import ConfigError
from voice.serving import refuse_unknown_numbers

ONE, OTHER = "+4520000001", "+4520000002"
WITHHELD = ["anonymous", "Anonymous", "", "+266696687", "+7378742833", "+86282452253", "+2562533", "+8656696", "sip:a@b", "Restricted"]
SIDS = itertools.count(1)


class Clock:
    """The line's time, which a test can turn on."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Called:
    """A line with a clock, and what comes of ringing it."""

    def __init__(self, web: Web) -> None:
        self.web, self.clock = web, Clock()
        calls = web.app.extensions["line"].calls
        calls._clock = calls._preparations._clock = self.clock

    def rings(self, number: str, to: str = "+4570123456", sid: str = "") -> str:
        """The caller's number calls; gives what the line does: "answers", "busy" or "closed"."""
        self.sid = sid or f"CA{next(SIDS):032x}"
        response = ElementTree.fromstring(self.web.post("/calls", {"CallSid": self.sid, "From": number, "To": to}).text)
        if response[0].tag == "Reject":
            assert (len(response), response[0].attrib) == (1, {"reason": "busy"})
            return "busy"
        return "answers" if response[-1].tag == "Redirect" else "closed"

    def ends(self, sid: str = "") -> None:
        assert self.web.post("/calls/status", {"CallSid": sid or self.sid, "CallStatus": "completed"}).status_code == 204

    def call(self, number: str, seconds: float = 0) -> str:
        """A whole call that lasts so long."""
        came = self.rings(number)
        self.clock.now += seconds
        if came == "answers":
            self.ends()
        return came

    @property
    def session(self) -> Session:
        with store.reading(self.web.engine) as look:
            row = store.locked_call(look, self.sid)
        assert row is not None
        return Session.from_json(row.session)

    @property
    def known(self) -> int:
        with store.reading(self.web.engine) as look:
            return store.count_calls(look, 0)


@pytest.fixture
def line() -> Iterator[Callable[..., Called]]:
    """Makes a line with these settings; no other cap is near."""
    with_settings = []

    def make(**settings: str) -> Called:
        opened = a_web(**settings)
        with_settings.append(opened)
        return Called(opened.__enter__())

    yield make
    for opened in with_settings:
        opened.__exit__(None, None, None)


Make = Callable[..., Called]

# ---- one number


def test_a_number_that_calls_too_often_in_an_hour_is_busy_until_the_hour_is_over(line: Make) -> None:
    called = line(CALLS_PER_HOUR="3")
    assert [called.call(ONE, 60) for _ in range(5)] == ["answers"] * 3 + ["busy"] * 2
    assert called.call(OTHER) == "answers", "the cap of one number keeps another one out"
    called.clock.now = Clock.now + HOUR
    assert called.call(ONE) == "busy"
    called.clock.now += 1
    assert called.call(ONE) == "answers"


def test_a_number_that_calls_too_often_in_a_day_is_busy_until_the_day_is_over(line: Make) -> None:
    called = line(CALLS_PER_DAY="2")
    assert [called.call(ONE, HOUR + 1) for _ in range(4)] == ["answers"] * 2 + ["busy"] * 2
    called.clock.now = Clock.now + DAY + 1
    assert called.call(ONE) == "answers"


def test_a_call_that_was_not_taken_leaves_no_trace_and_does_not_count(line: Make) -> None:
    called = line(CALLS_PER_HOUR="1")
    called.call(ONE)
    assert [called.call(ONE) for _ in range(3)] == ["busy"] * 3
    assert called.known == 1
    called.clock.now += HOUR + 1
    assert called.call(ONE) == "answers"


def test_a_start_that_comes_twice_is_one_call_also_when_the_cap_is_reached(line: Make) -> None:
    called = line(CALLS_PER_HOUR="1", CALLS_AT_ONCE="1")
    assert called.rings(ONE) == "answers"
    assert called.rings(ONE, sid=called.sid) == "answers"
    assert called.known == 1


def test_a_number_that_many_share_has_no_cap_of_its_own_but_the_line_s(line: Make) -> None:
    called = line(CALLS_PER_HOUR="1", CALLS_PER_DAY="1", MINUTES_PER_DAY="5", SHARED_NUMBERS=f"{OTHER},+4533123456")
    assert [called.call(OTHER, 60) for _ in range(6)] == ["answers"] * 5 + ["busy"]


def test_the_cap_holds_while_the_token_is_rotated(line: Make) -> None:
    """Numbers are stored under a hash that is keyed with the token: a new token must not let everybody in again."""
    called = line(CALLS_PER_HOUR="1", TWILIO_AUTH_TOKEN=f"{TOKEN},older")
    called.call(ONE)
    with store.writing(called.web.engine) as tx:
        tx.execute(store.calls.update().values(caller=caller_keys(ONE, ["older"])[0]))
    assert called.call(ONE) == "busy"


def test_a_number_is_never_stored_as_it_is(line: Make) -> None:
    called = line()
    called.call(ONE)
    with store.reading(called.web.engine) as look:
        row = str(look.execute(store.calls.select()).one())
    assert ONE.removeprefix("+45") not in row


# ---- withheld numbers


@pytest.mark.parametrize("number", WITHHELD)
def test_what_stands_for_a_withheld_number_is_no_number(number: str) -> None:
    assert not is_number(number)
    assert caller_keys(number, [TOKEN]) == []


@pytest.mark.parametrize("number", [ONE, "+12125550123", "+26650123456", "+4612345678"])
def test_a_number_is_a_number(number: str) -> None:
    assert len(set(caller_keys(number, [TOKEN, "older"]))) == 2


def test_withheld_numbers_share_one_cap_and_keep_nobody_else_out(line: Make) -> None:
    called = line(WITHHELD_PER_HOUR="3", CALLS_PER_HOUR="1", CALLS_PER_DAY="1")
    assert [called.call(number) for number in WITHHELD] == ["answers"] * 3 + ["busy"] * (len(WITHHELD) - 3)
    assert called.call(ONE) == "answers"
    called.clock.now += HOUR + 1
    assert called.call("anonymous") == "answers"


def test_withheld_numbers_can_be_kept_out(line: Make) -> None:
    called = line(WITHHELD_PER_HOUR="0")
    assert called.call("anonymous") == "busy"
    assert called.call(ONE) == "answers"


# ---- the whole line


def test_so_many_calls_at_once_and_no_more(line: Make) -> None:
    called = line(CALLS_AT_ONCE="2")
    assert called.rings(ONE) == "answers"
    first = called.sid
    assert [called.rings(OTHER), called.rings("+4520000003"), called.rings("anonymous")] == ["answers", "busy", "busy"]
    called.ends(first)
    assert called.rings("+4520000004") == "answers"


def test_a_call_whose_end_was_lost_does_not_keep_others_out_for_ever(line: Make) -> None:
    called = line(CALLS_AT_ONCE="1")
    called.rings(ONE)
    assert called.rings(OTHER) == "busy"
    called.clock.now += GONE + 1
    assert called.rings(OTHER) == "answers"


def test_all_calls_together_last_so_long_and_no_longer(line: Make) -> None:
    called = line(MINUTES_PER_DAY="10")
    assert called.call(ONE, 599) == "answers"
    assert called.call(OTHER, 1) == "answers"
    assert called.call("+4520000003") == "busy"
    called.clock.now += DAY
    assert called.call("+4520000003") == "answers"


# ---- a closed line


def test_a_closed_line_says_so_to_everybody_and_an_open_one_does_not(
    line: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    called = line()
    for name, value in environ(called.web.config.data_dir).items():
        monkeypatch.setenv(name, value)
    assert called.rings(ONE) == "answers"
    goes_on = called.sid
    assert health(called) == "line: open"
    assert main(["close", "the relay is down"]) == 0
    assert capsys.readouterr().out == "The line is closed: the relay is down\n"
    assert health(called) == "line: closed"
    assert "relay" not in called.web.client.get("/healthz").text
    assert [called.rings(number) for number in (ONE, "anonymous")] == ["closed"] * 2
    said = ElementTree.fromstring(called.web.post("/calls", {"CallSid": called.sid}).text)
    assert [(verb.tag, verb.text) for verb in said] == [("Say", PROMPTS.phrase("closed").text), ("Hangup", None)]
    assert called.known == 1
    reply = called.web.post(called.web.address(goes_on, 1), {"CallSid": goes_on, "Digits": "1"})
    assert "Gather" in reply.text, "closing the line ended a call"
    assert main(["open"]) == 0
    assert capsys.readouterr().out == "The line is open.\n"
    assert health(called) == "line: open"
    assert called.rings(OTHER) == "answers"


def test_a_line_can_be_closed_again_for_another_reason_and_opened_twice(
    line: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    called = line()
    for name, value in environ(called.web.config.data_dir).items():
        monkeypatch.setenv(name, value)
    for reason in ("the first", "the second" * 100):
        assert main(["close", reason]) == 0
        with store.reading(called.web.engine) as look:
            assert store.closed_because(look) == reason[:200]
    assert [main(["open"]), main(["open"])] == [0, 0]
    assert called.rings(ONE) == "answers"
    with pytest.raises(SystemExit):
        main(["close"])  # a reason is needed


def health(called: Called) -> str:
    first, line, *_figures = called.web.client.get("/healthz").text.splitlines()
    assert first == "ok"
    return str(line)


# ---- numbers that lead to a guide

PROMPTS = load(Path(__file__).parent / "prompts" / "da")


def test_a_number_leads_to_its_guide_and_every_other_to_the_menu(line: Make) -> None:
    called = line(GUIDE_NUMBERS="+4570999999=mellem,+4570999998=kort")
    for to, guide in (("+4570999999", "mellem"), ("+4570999998", "kort"), ("+4570123456", ""), ("", ""), ("+4570999997", "")):
        called.rings(ONE, to)
        assert called.session.number_guide == guide
        called.web.post(called.web.address(called.sid, 1), {"CallSid": called.sid, "Digits": "1"})
        assert (called.session.place, called.session.guide) == (("question", guide) if guide else ("moment", ""))


def test_a_number_that_leads_to_a_guide_that_is_gone_leads_to_the_menu_and_is_told_at_the_start(line: Make, tmp_path: Path) -> None:
    called = line(GUIDE_NUMBERS="+4570999999=gone")
    called.rings(ONE, "+4570999999")
    assert called.session.number_guide == ""
    with pytest.raises(ConfigError, match="GUIDE_NUMBERS names gone"):
        refuse_unknown_numbers(called.web.config, [PROMPTS])
    refuse_unknown_numbers(Config.from_env(environ(tmp_path, GUIDE_NUMBERS="+4570999999=kort")), [PROMPTS])
