"""The exchange asks the line as Twilio does: signed, with its parameters, its patience, its retries and its error codes."""

import itertools
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import trustme
from flask import Response, redirect
from twilio.request_validator import RequestValidator

from tests.exchange_line import ACCOUNT, TOKEN, Caller, Line, ringing, serving, twiml
from voice.exchange import CallRecord, Conditions, Exchange
from voice.exchange.call import SORRY

END = twiml("<Hangup/>")
FROM, TO = "+4520123456", "+4570123456"


@pytest.fixture
def line() -> Iterator[Line]:
    with serving() as line:
        line["/voice"] = END
        line["/status"] = Response("", 204)
        yield line


def ring(line: Line, caller: Caller | None = None, *, fragment: str = "", fallback: str | None = None) -> CallRecord:
    with ringing(line, fragment=fragment, fallback=fallback, conditions=Conditions(callback_delay=0)) as exchange:
        record = exchange.call(caller or Caller(), FROM, TO)
        assert exchange.settle()
        return record


def slowly(seconds: float) -> Callable[[], str]:
    def answer() -> str:
        time.sleep(seconds)
        return END

    return answer


def assert_signed(line: Line) -> None:
    for asked in line.asked:
        # Twilio signs an address as it was written, with its percent signs.
        url = f"{line.url}{asked.path}" + (f"?{asked.query}" if asked.query else "")
        assert RequestValidator(TOKEN).validate(url, asked.form, asked.headers["X-Twilio-Signature"]), asked.path


def test_every_request_says_which_call_it_is_of(line: Line) -> None:
    record = ring(line)
    asked = line.requests("/voice")[0]
    assert (asked.method, asked.headers["Content-Type"].partition(";")[0]) == ("POST", "application/x-www-form-urlencoded")
    assert re.fullmatch("CA[0-9a-f]{32}", record.sid)
    assert asked.form == {
        "CallSid": record.sid,
        "AccountSid": ACCOUNT,
        "From": FROM,
        "To": TO,
        "Caller": FROM,
        "Called": TO,
        "CallStatus": "ringing",
        "ApiVersion": "2010-04-01",
        "Direction": "inbound",
    }


def test_the_call_is_ringing_then_in_progress_then_completed(line: Line) -> None:
    line["/voice"] = [twiml("<Redirect>/voice</Redirect>"), END]
    ring(line)
    assert [asked.form["CallStatus"] for asked in line.asked] == ["ringing", "in-progress", "completed"]


def test_every_webhook_is_signed_and_the_fragment_is_not_part_of_it(line: Line) -> None:
    line.says("<Gather numDigits='1' method='GET' action='/got?q=%C3%A6%2F&amp;r=1#rc=2'/>")
    line["/got"] = twiml("<Record timeout='1' action='/end' recordingStatusCallback='/recorded?x=1#rp=all'/>")
    line["/end"], line["/recorded"] = END, Response("", 204)
    ring(line, Caller({1.0: "5"}), fragment="#rc=3&rp=all")
    assert {asked.path for asked in line.asked} == {"/voice", "/got", "/end", "/recorded", "/status"}
    (got,) = line.requests("/got")
    assert (got.method, got.form, got.params["Digits"], got.params["q"]) == ("GET", {}, "5", "æ/")
    assert_signed(line)


def test_a_sound_is_asked_for_without_parameters_or_signature(line: Line) -> None:
    line.says("<Play>/a.wav</Play>")
    ring(line)
    (asked,) = line.requests("/a.wav")
    assert asked.params == {}
    assert "X-Twilio-Signature" not in asked.headers


def test_cookies_are_kept_for_the_call_and_no_longer(line: Line) -> None:
    first = Response(twiml("<Redirect>/next</Redirect>"), content_type="text/xml")
    first.set_cookie("seen", "yes")
    line["/voice"], line["/next"] = first, END
    with ringing(line) as exchange:
        for _ in range(2):
            exchange.call(Caller(), FROM, TO)
    assert [asked.headers.get("Cookie") for asked in line.requests("/voice")] == [None, None]
    assert [asked.headers.get("Cookie") for asked in line.requests("/next")] == ["seen=yes", "seen=yes"]


def test_redirects_are_followed_and_what_was_posted_is_lost(line: Line) -> None:
    line["/voice"] = lambda: redirect("/moved/here", 302)
    line["/moved/here"] = twiml("<Redirect>next</Redirect>")
    line["/moved/next"] = END
    ring(line)
    (moved,) = line.requests("/moved/here")
    assert (moved.method, moved.params) == ("GET", {})
    assert line.requests("/moved/next")
    assert_signed(line)


def test_a_redirect_that_keeps_the_method_keeps_what_was_posted(line: Line) -> None:
    line["/voice"] = lambda: redirect("/moved", 307)
    line["/moved"] = END
    record = ring(line)
    assert line.requests("/moved")[0].form["CallSid"] == record.sid
    assert_signed(line)


def test_ten_redirects_are_followed_and_no_more(line: Line) -> None:
    for number in range(11):
        line[f"/{number}"] = redirect(f"/{number + 1}")
    line["/10"] = END
    line.says("<Redirect>/0</Redirect>")
    assert ring(line).errors == []
    line["/10"] = redirect("/11")
    line["/11"] = END
    assert codes(ring(line)) == [11215]


def codes(record: CallRecord) -> list[int]:
    return [error.code for error in record.errors]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Response("", 404), 11200),
        (Response(END, 500, content_type="text/xml"), 11200),
        (Response(END, 302), 11200),
        (Response(END, content_type="application/json"), 12300),
        (Response("Hej", content_type="text/plain"), 12300),
        (Response("", 204), 12100),
        (Response("", content_type="text/xml"), 12100),
        ("<Response><Nonsense/></Response>", 12200),
        ("<Response>" + " " * 70_000 + "</Response>", 11750),
        (twiml("<Redirect>http://user:secret@127.0.0.1/</Redirect>"), 11100),
        (twiml("<Redirect>ftp://example.com/</Redirect>"), 11100),
        (twiml("<Redirect>mailto:nobody@example.com</Redirect>"), 11100),
        (twiml("<Redirect>http://host.invalid/</Redirect>"), 11210),
        (twiml("<Redirect>/x#rc=9</Redirect>"), 11100),
        (twiml("<Redirect>/x#retries=2</Redirect>"), 11100),
        (twiml("<Redirect>/x#rp=5xx,sometimes</Redirect>"), 11100),
    ],
)
def test_what_cannot_be_fetched_or_carried_out_ends_the_call_with_twilios_code(line: Line, answer: str | Response, code: int) -> None:
    line["/voice"] = answer
    record = ring(line)
    assert codes(record) == [code]
    assert record.conversation.texts("says") == [SORRY]
    assert record.conversation.texts("fails") == [str(record.errors[0])]
    assert record.status == "completed"
    assert len(line.requests("/status")) == 1


@pytest.mark.parametrize("kind", ["text/xml", "application/xml; charset=utf-8", "text/html; charset=utf-8"])
def test_these_content_types_are_twiml(line: Line, kind: str) -> None:
    line["/voice"] = Response(END, content_type=kind)
    assert ring(line).errors == []


def test_nobody_there_is_told_as_such_and_tried_twice() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with Exchange(ACCOUNT, [TOKEN], f"http://127.0.0.1:{port}/voice") as exchange:
        assert codes(exchange.call(Caller(), FROM, TO)) == [11205]


def test_an_answer_that_comes_too_late_is_not_waited_for_and_not_asked_again(line: Line) -> None:
    line["/voice"] = slowly(0.4)
    assert codes(ring(line, fragment="#rt=100")) == [11205]
    assert len(line.requests("/voice")) == 1


def test_an_answer_that_drips_is_bounded_by_the_time_for_all_of_it(line: Line) -> None:
    def drip() -> Iterator[str]:
        for _ in range(20):
            yield " "
            time.sleep(0.05)

    line["/voice"] = lambda: Response(drip(), content_type="text/xml")
    started = time.monotonic()
    assert codes(ring(line, fragment="#tt=100&rt=100")) == [11205]
    assert time.monotonic() - started < 1


def test_a_document_without_end_is_not_read_to_its_end(line: Line) -> None:
    line["/voice"] = lambda: Response(itertools.repeat(" " * 10_000), content_type="text/xml")
    assert codes(ring(line)) == [11750]


def test_over_https_the_port_is_not_part_of_what_is_signed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with serving(tls) as line:
        line["/voice"] = END
        line["/status"] = Response("", 204)
        assert ring(line).errors == []
    (asked,) = line.requests("/voice")
    signature = RequestValidator(TOKEN).compute_signature("https://127.0.0.1/voice", asked.form)
    assert asked.headers["X-Twilio-Signature"] == signature


def test_a_certificate_that_no_public_authority_gave_is_refused() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    with serving(tls) as line, Exchange(ACCOUNT, [TOKEN], f"{line.url}/voice") as exchange:
        assert codes(exchange.call(Caller(), FROM, TO)) == [11220]


@pytest.mark.parametrize(
    ("fragment", "failure", "times"),
    [
        ("", Response("", 500), 1),
        ("#rc=2", Response("", 500), 1),
        ("#rp=5xx", Response("", 500), 2),
        ("#rc=5&rp=5xx", Response("", 500), 6),
        ("#rc=2&rp=4xx", Response("", 500), 1),
        ("#rc=2&rp=4xx", Response("", 404), 3),
        ("#rc=2&rp=all", Response("", 404), 3),
        ("#rc=0&rp=all", Response("", 404), 1),
        ("#rc=2&rp=ct,rt,5xx&e=dublin&sni=y", Response("", 503), 3),
    ],
)
def test_what_is_asked_again_is_what_the_fragment_says(line: Line, fragment: str, failure: Response, times: int) -> None:
    line["/voice"] = failure
    assert codes(ring(line, fragment=fragment)) == [11200]
    assert len(line.requests("/voice")) == times


def test_a_slow_answer_is_asked_for_again_when_the_fragment_says_so(line: Line) -> None:
    line["/voice"] = [slowly(0.4), END]
    assert ring(line, fragment="#rp=rt&rt=200").errors == []
    assert len(line.requests("/voice")) == 2


def test_a_retry_is_the_same_request(line: Line) -> None:
    line["/voice"] = [Response("", 500), twiml("<Redirect>/next</Redirect>")]
    line["/next"] = END
    assert ring(line, fragment="#rp=5xx").errors == []
    first, second = line.requests("/voice")
    assert first.form == second.form
    token = "I-Twilio-Idempotency-Token"
    assert first.headers[token] == second.headers[token]
    assert first.headers[token] != line.requests("/next")[0].headers[token]


def test_the_fallback_is_told_what_failed_and_goes_on_with_the_call(line: Line) -> None:
    line["/voice"] = Response("", 500)
    line["/fallback"] = twiml("<Say>Ring igen om lidt</Say>")
    record = ring(line, fallback=f"{line.url}/fallback")
    (asked,) = line.requests("/fallback")
    assert (asked.form["ErrorCode"], asked.form["ErrorUrl"]) == ("11200", f"{line.url}/voice")
    assert record.conversation.texts("says") == ["Ring igen om lidt"]
    assert codes(record) == [11200]


def test_a_fallback_that_fails_too_ends_the_call(line: Line) -> None:
    line["/voice"] = line["/fallback"] = Response("", 500)
    record = ring(line, fallback=f"{line.url}/fallback")
    assert codes(record) == [11200, 11200]
    assert record.conversation.texts("says") == [SORRY]


def test_what_the_call_asked_for_is_on_record(line: Line) -> None:
    line.says("<Redirect>/missing</Redirect>")
    record = ring(line)
    assert [(webhook.request.url, webhook.result) for webhook in record.webhooks] == [
        (f"{line.url}/voice", 200),
        (f"{line.url}/missing", f"11200: the answer was 404 ({line.url}/missing)"),
    ]


def test_several_calls_at_once_do_not_mix(line: Line) -> None:
    line.says("<Gather numDigits='1' action='/got'/>")
    line["/got"] = END
    with ringing(line, conditions=Conditions(callback_delay=0)) as exchange, ThreadPoolExecutor(8) as pool:
        records = list(pool.map(lambda key: exchange.call(Caller({1.0: str(key)}), f"+452000000{key}", TO), range(8)))
        assert exchange.settle()
    assert len({record.sid for record in records}) == 8
    told = {(asked.form["CallSid"], asked.form["From"], asked.form["Digits"]) for asked in line.requests("/got")}
    assert told == {(record.sid, f"+452000000{key}", str(key)) for key, record in enumerate(records)}
    assert {asked.form["CallSid"] for asked in line.requests("/status")} == {record.sid for record in records}
