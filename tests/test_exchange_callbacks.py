"""Status callbacks come beside the call, and in every order that the network may give them."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Response
from twilio.request_validator import RequestValidator

from tests.exchange_line import ACCOUNT, TOKEN, Asked, Caller, Line, ringing, serving, twiml
from voice.exchange import CallRecord, Conditions, Exchange

RECORD = "<Record timeout='1' action='{action}' recordingStatusCallback='/recorded?n={n}' {more}/>"


@pytest.fixture
def line() -> Iterator[Line]:
    """A line that records twice."""
    with serving() as line:
        line["/status"] = line["/recorded"] = Response("", 204)
        line.says(RECORD.format(action="/second", n=1, more=""))
        line["/second"] = twiml(RECORD.format(action="/end", n=2, more=""))
        line["/end"] = twiml("<Hangup/>")
        yield line


def ring(line: Line, **conditions: object) -> tuple[CallRecord, list[Asked]]:
    """The call, and the callbacks in the order of their coming."""
    with ringing(line, conditions=replace(Conditions(callback_delay=0.02), **conditions)) as exchange:
        record = exchange.call(Caller(), "+4520123456", "+4570123456")
        assert exchange.settle()
        return record, [asked for asked in line.asked if asked.path in ("/status", "/recorded")]


def order(callbacks: list[Asked]) -> list[str]:
    return [asked.query or "end" for asked in callbacks]


def test_a_recording_callback_has_its_own_parameters_alone(line: Line) -> None:
    record, callbacks = ring(line)
    recording = record.recordings[0]
    form = dict(callbacks[0].form)
    assert form.pop("RecordingStartTime").endswith("+0000")
    assert form == {
        "AccountSid": ACCOUNT,
        "CallSid": record.sid,
        "RecordingSid": recording.sid,
        "RecordingUrl": line.requests("/second")[0].form["RecordingUrl"],
        "RecordingStatus": "completed",
        "RecordingDuration": "1",
        "RecordingChannels": "1",
        "RecordingSource": "RecordVerb",
    }


def test_the_status_callback_tells_the_end_of_the_call(line: Line) -> None:
    record, callbacks = ring(line)
    form = callbacks[-1].form
    assert form["CallSid"] == record.sid
    assert (form["CallStatus"], form["CallDuration"], form["SequenceNumber"]) == ("completed", "2", "0")
    assert form["CallbackSource"] == "call-progress-events"
    assert "Timestamp" in form
    assert "RecordingUrl" not in form


def test_callbacks_come_once_and_the_end_of_the_call_last(line: Line) -> None:
    assert order(ring(line)[1]) == ["n=1", "n=2", "end"]


def test_callbacks_can_come_twice_as_the_same_request(line: Line) -> None:
    _, callbacks = ring(line, callbacks_doubled=True)
    assert order(callbacks) == ["n=1", "n=1", "n=2", "n=2", "end", "end"]
    assert callbacks[0].form == callbacks[1].form
    assert len({asked.headers["I-Twilio-Idempotency-Token"] for asked in callbacks}) == 3


def test_callbacks_can_come_in_reverse(line: Line) -> None:
    assert order(ring(line, callbacks_reversed=True)[1]) == ["end", "n=2", "n=1"]


def test_callbacks_can_be_lost(line: Line) -> None:
    assert order(ring(line, callbacks_dropped=True)[1]) == []


def test_callbacks_can_be_late(line: Line) -> None:
    with ringing(line, conditions=Conditions(callback_delay=0.5)) as exchange:
        exchange.call(Caller(), "+4520123456", "+4570123456")
        ended = time.monotonic()
        assert not exchange.settle(0.1)
        assert line.requests("/recorded") == line.requests("/status") == []
        assert exchange.settle()
        assert time.monotonic() - ended > 0.4
    assert len(line.requests("/recorded")) == 2


def test_callbacks_are_signed_over_their_whole_address(line: Line) -> None:
    _, callbacks = ring(line)
    for asked in callbacks:
        url = f"{line.url}{asked.path}" + (f"?{asked.query}" if asked.query else "")
        assert RequestValidator(TOKEN).validate(url, asked.form, asked.headers["X-Twilio-Signature"])


@pytest.mark.parametrize(
    ("events", "status", "told"),
    [
        ("", "completed", ["completed"]),
        ("in-progress completed", "completed", ["in-progress", "completed"]),
        ("in-progress", "completed", ["in-progress"]),
        ("absent", "completed", []),
        ("", "absent", []),
        ("completed absent", "absent", ["absent"]),
        ("completed absent", "failed", ["failed"]),
    ],
)
def test_only_the_events_that_were_asked_for_are_told(line: Line, events: str, status: str, told: list[str]) -> None:
    more = f"recordingStatusCallbackEvent='{events}'" if events else ""
    line.says(RECORD.format(action="/end", n=1, more=more))
    _, callbacks = ring(line, recording_status=status)
    assert [asked.form["RecordingStatus"] for asked in callbacks if asked.path == "/recorded"] == told
    assert len(line.requests("/end")) == 1


def test_a_recording_callback_can_be_a_get(line: Line) -> None:
    line.says(RECORD.format(action="/end", n=1, more="recordingStatusCallbackMethod='GET'"))
    _, callbacks = ring(line)
    assert (callbacks[0].method, callbacks[0].params["RecordingStatus"], callbacks[0].params["n"]) == ("GET", "completed", "1")


def test_a_callback_that_fails_is_on_record_and_does_not_hold_up_the_next(line: Line) -> None:
    line["/recorded"] = Response("", 500)
    with ringing(line, conditions=Conditions(callback_delay=0)) as exchange:
        exchange.call(Caller(), "+4520123456", "+4570123456")
        assert exchange.settle()
        results = [delivery.result for delivery in exchange.deliveries]
    assert [str(result)[:5] for result in results] == ["11200", "11200", "204"]


def test_without_a_status_url_the_end_is_not_told(line: Line) -> None:
    with Exchange(ACCOUNT, [TOKEN], f"{line.url}/voice", conditions=Conditions(callback_delay=0)) as exchange:
        exchange.call(Caller(), "+4520123456", "+4570123456")
        assert exchange.settle()
        assert len(exchange.deliveries) == 2
    assert line.requests("/status") == []


@pytest.mark.parametrize("how", ["doubled", "parallel"])
def test_the_requests_to_an_action_can_come_twice(line: Line, how: str) -> None:
    record, _ = ring(line, actions=how)
    assert [len(line.requests(path)) for path in ("/voice", "/second", "/end")] == [1, 2, 2]
    first, second = line.requests("/second")
    assert first.form == second.form
    assert first.headers["I-Twilio-Idempotency-Token"] == second.headers["I-Twilio-Idempotency-Token"]
    assert record.errors == []


def test_parallel_requests_to_an_action_are_under_way_at_the_same_time(line: Line) -> None:
    def slow() -> str:
        time.sleep(0.3)
        return twiml()

    line["/second"] = slow
    started = time.monotonic()
    ring(line, actions="parallel")
    assert time.monotonic() - started < 0.55
