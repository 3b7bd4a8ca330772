"""The REST API of the exchange answers as Twilio's: with credentials only, and with whatever a bad day brings."""

import io
import re
import wave
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlencode

import pytest
import urllib3
from flask import Response
from twilio.request_validator import RequestValidator

from tests.exchange_line import ACCOUNT, TOKEN, Caller, ringing, serving, twiml
from voice.exchange import Conditions, Exchange, Heard, media

ROOT = f"/2010-04-01/Accounts/{ACCOUNT}"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def exchange() -> Iterator[Exchange]:
    with serving() as line:
        line["/status"] = Response("", 204)
        line["/voice"] = twiml("<Record action='/end'/>")
        line["/end"] = twiml("<Hangup/>")
        with ringing(line, conditions=Conditions(callback_delay=0)) as exchange:
            yield exchange
            assert exchange.settle()


@pytest.fixture
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False) as pool:
        yield pool


def recorded(exchange: Exchange, **conditions: object) -> str:
    """Make a recording of two seconds, and give its sid."""
    loud = next(iter(media.frames(media.tone(0.02))))
    doing = {at / 50: Heard(loud) for at in range(10, 110)} | {2.2: Heard(loud, key="#")}
    record = exchange.call(Caller(doing), "+4520123456", "+4570123456", replace(Conditions(callback_delay=0), **conditions))
    return record.recordings[0].sid


def ask(
    exchange: Exchange,
    http: urllib3.PoolManager,
    method: str,
    path: str,
    *,
    token: str | None = TOKEN,
    form: str = "",
    redirect: bool = True,
) -> urllib3.BaseHTTPResponse:
    headers = {"Content-Type": FORM} if form else {}
    if token is not None:
        headers["Authorization"] = "Basic " + b64encode(f"{ACCOUNT}:{token}".encode()).decode()
    return http.request(method, exchange.api_base_url + path, body=form or None, headers=headers, redirect=redirect)


@pytest.mark.parametrize("suffix", ["", ".wav"])
def test_a_recording_can_be_fetched_as_a_wav_of_telephone_sound(exchange: Exchange, http: urllib3.PoolManager, suffix: str) -> None:
    reply = ask(exchange, http, "GET", f"{ROOT}/Recordings/{recorded(exchange)}{suffix}")
    assert (reply.status, reply.headers["Content-Type"]) == (200, "audio/x-wav")
    with wave.open(io.BytesIO(reply.data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
        assert file.getnframes() / 8000 == pytest.approx(2, abs=0.1)


def test_a_recording_has_no_other_formats(exchange: Exchange, http: urllib3.PoolManager) -> None:
    assert ask(exchange, http, "GET", f"{ROOT}/Recordings/{recorded(exchange)}.ogg").status == 404


def test_the_address_of_the_sound_is_the_one_that_the_line_is_told(exchange: Exchange, http: urllib3.PoolManager) -> None:
    sid = recorded(exchange)
    metadata = ask(exchange, http, "GET", f"{ROOT}/Recordings/{sid}.json").json()
    assert metadata["media_url"] == f"{exchange.api_base_url}{ROOT}/Recordings/{sid}"
    assert (metadata["sid"], metadata["status"], metadata["duration"], metadata["channels"]) == (sid, "completed", "2", 1)


def test_recordings_are_listed(exchange: Exchange, http: urllib3.PoolManager) -> None:
    sid = recorded(exchange)
    page = ask(exchange, http, "GET", f"{ROOT}/Recordings.json?DateCreated=2026-01-01").json()
    assert sid in [recording["sid"] for recording in page["recordings"]]
    assert page["next_page_uri"] is None


def test_a_deleted_recording_is_gone(exchange: Exchange, http: urllib3.PoolManager) -> None:
    sid = recorded(exchange)
    assert ask(exchange, http, "DELETE", f"{ROOT}/Recordings/{sid}.json").status == 204
    for method, name in [("GET", sid), ("GET", f"{sid}.wav"), ("GET", f"{sid}.json"), ("DELETE", f"{sid}.json")]:
        reply = ask(exchange, http, method, f"{ROOT}/Recordings/{name}")
        assert (reply.status, reply.json()["code"]) == (404, 20404)
    assert sid not in [recording.sid for recording in exchange.recordings]
    assert sid in [recording.sid for recording in exchange.deleted_recordings]


@pytest.mark.parametrize("token", [TOKEN, "older"])
def test_every_token_of_the_account_is_accepted(exchange: Exchange, http: urllib3.PoolManager, token: str) -> None:
    assert ask(exchange, http, "GET", f"{ROOT}/Recordings.json", token=token).status == 200


@pytest.mark.parametrize("token", [None, "", "wrong"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{ROOT}/Recordings.json"),
        ("GET", f"{ROOT}/Recordings/RE1"),
        ("DELETE", f"{ROOT}/Recordings/RE1.json"),
        ("POST", f"{ROOT}/Messages.json"),
        ("DELETE", f"{ROOT}/Calls/CA1.json"),
        ("GET", "/anything"),
    ],
)
def test_nothing_is_told_without_credentials(
    exchange: Exchange, http: urllib3.PoolManager, token: str | None, method: str, path: str
) -> None:
    reply = ask(exchange, http, method, path, token=token)
    assert (reply.status, reply.json()["code"], reply.json()["status"]) == (401, 20003, 401)


def test_an_error_has_twilios_form(exchange: Exchange, http: urllib3.PoolManager) -> None:
    path = f"{ROOT}/Recordings/RE{'0' * 32}.json"
    assert ask(exchange, http, "GET", path).json() == {
        "code": 20404,
        "message": f"The requested resource {path} was not found",
        "more_info": "https://www.twilio.com/docs/errors/20404",
        "status": 404,
    }


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("PUT", f"{ROOT}/Recordings.json", 405)])
def test_other_addresses_are_refused_in_the_same_form(
    exchange: Exchange, http: urllib3.PoolManager, method: str, path: str, status: int
) -> None:
    reply = ask(exchange, http, method, path)
    assert (reply.status, reply.json()["status"], reply.json()["code"]) == (status, status, 20000 + status)


def test_the_sound_can_be_missing_at_first(exchange: Exchange, http: urllib3.PoolManager) -> None:
    path = f"{ROOT}/Recordings/{recorded(exchange, media='missing', media_times=2)}.wav"
    replies = [ask(exchange, http, "GET", path) for _ in range(3)]
    assert [reply.status for reply in replies] == [404, 404, 200]
    assert replies[0].json()["code"] == 20404


@pytest.mark.parametrize(
    ("kind", "status", "content_type", "start"),
    [
        ("missing", 404, "application/json", b"{"),
        ("empty", 200, "audio/x-wav", b""),
        ("html", 200, "text/html; charset=utf-8", b"<!doctype"),
        ("text", 200, "audio/x-wav", b"not a sound"),
        ("unauthorized", 401, "application/json", b"{"),
        ("too many requests", 429, "application/json", b"{"),
        ("broken", 500, "application/json", b"{"),
    ],
)
def test_the_sound_can_be_something_else(
    exchange: Exchange, http: urllib3.PoolManager, kind: str, status: int, content_type: str, start: bytes
) -> None:
    reply = ask(exchange, http, "GET", f"{ROOT}/Recordings/{recorded(exchange, media=kind)}")
    assert (reply.status, reply.headers["Content-Type"].partition(";")[0]) == (status, content_type.partition(";")[0])
    assert reply.data.startswith(start)
    assert bool(reply.data) is bool(start)


def test_the_sound_can_break_off(exchange: Exchange, http: urllib3.PoolManager) -> None:
    sid = recorded(exchange, media="truncated", media_times=1)
    half, whole = (ask(exchange, http, "GET", f"{ROOT}/Recordings/{sid}.wav").data for _ in range(2))
    assert whole.startswith(half)
    assert 0 < len(half) < len(whole)


def test_the_sound_can_be_very_large(exchange: Exchange, http: urllib3.PoolManager) -> None:
    sid = recorded(exchange, media="huge", huge_bytes=3_000_000)
    reply = ask(exchange, http, "GET", f"{ROOT}/Recordings/{sid}")
    assert len(reply.data) == 3_000_000
    assert reply.data.startswith(b"RIFF")


def test_the_sound_can_be_at_another_host_which_must_not_see_the_credentials(exchange: Exchange, http: urllib3.PoolManager) -> None:
    path = f"{ROOT}/Recordings/{recorded(exchange, media='elsewhere')}.wav"
    sent = ask(exchange, http, "GET", path, redirect=False)
    assert sent.status == 307
    location = sent.headers["Location"]
    assert location.startswith("http://localhost:")
    assert http.request("GET", location).data.startswith(b"RIFF")
    assert exchange.leaks == 0
    leaked = http.request("GET", location, headers={"Authorization": "Basic eDp5"})
    assert (leaked.status, exchange.leaks) == (400, 1)
    assert http.request("GET", re.sub("elsewhere/.", "elsewhere/x", location)).status == 404


@pytest.mark.parametrize("status", ["absent", "failed"])
def test_a_recording_that_did_not_come_about_has_no_sound(exchange: Exchange, http: urllib3.PoolManager, status: str) -> None:
    sid = recorded(exchange, recording_status=status)
    assert ask(exchange, http, "GET", f"{ROOT}/Recordings/{sid}").status == 404
    assert ask(exchange, http, "GET", f"{ROOT}/Recordings/{sid}.json").json()["status"] == status


def test_deleting_can_fail_at_first(exchange: Exchange, http: urllib3.PoolManager) -> None:
    path = f"{ROOT}/Recordings/{recorded(exchange, deletes_failing=2)}.json"
    assert [ask(exchange, http, "DELETE", path).status for _ in range(4)] == [500, 500, 204, 404]


def test_a_message_is_kept(exchange: Exchange, http: urllib3.PoolManager) -> None:
    reply = ask(exchange, http, "POST", f"{ROOT}/Messages.json", form="To=%2B4520123456&From=%2B4570123456&Body=Hej+%C3%A6")
    assert reply.status == 201
    assert re.fullmatch("SM[0-9a-f]{32}", reply.json()["sid"])
    message = exchange.messages[-1]
    assert (message.to, message.sender, message.body) == ("+4520123456", "+4570123456", "Hej æ")


@pytest.mark.parametrize(("error", "told"), [(None, ["sent", "delivered"]), (30003, ["sent", "undelivered"])])
def test_what_becomes_of_a_message_is_told_to_its_status_callback(http: urllib3.PoolManager, error: int | None, told: list[str]) -> None:
    with serving() as line, ringing(line, conditions=Conditions(callback_delay=0)) as exchange:
        line["/text"] = Response("", 204)
        if error:
            exchange.unreachable["+4520123456"] = error
        form = urlencode({"To": "+4520123456", "From": "Samtaleklar", "Body": "Hej", "StatusCallback": f"{line.url}/text?n=1#rc=2"})
        sid = ask(exchange, http, "POST", f"{ROOT}/Messages.json", form=form).json()["sid"]
        assert exchange.settle()
        asked = line.requests("/text")
        assert [each.form["MessageStatus"] for each in asked] == told
        url, last = f"{line.url}/text?n=1", asked[-1].form
        assert all(RequestValidator(TOKEN).validate(url, each.form, each.headers["X-Twilio-Signature"]) for each in asked)
    assert last == {
        "AccountSid": ACCOUNT,
        "ApiVersion": "2010-04-01",
        "MessageSid": sid,
        "MessageStatus": told[-1],
        "SmsSid": sid,
        "SmsStatus": told[-1],
        "To": "+4520123456",
        "From": "Samtaleklar",
        **({"ErrorCode": "30003"} if error else {}),
    }


@pytest.mark.parametrize(("form", "code"), [("To=%2B4533123456&From=x&Body=y", 21614), ("To=%2B4520123456&From=x", 21602)])
def test_a_message_to_a_landline_or_without_text_is_refused(exchange: Exchange, http: urllib3.PoolManager, form: str, code: int) -> None:
    exchange.landlines.add("+4533123456")
    before = len(exchange.messages)
    reply = ask(exchange, http, "POST", f"{ROOT}/Messages.json", form=form)
    assert (reply.status, reply.json()["code"], len(exchange.messages)) == (400, code, before)


def test_the_trace_of_a_call_can_be_erased(exchange: Exchange, http: urllib3.PoolManager) -> None:
    record = exchange.call(Caller({1.0: Heard(hung_up=True)}), "+4520123456", "+4570123456")
    assert ask(exchange, http, "DELETE", f"{ROOT}/Calls/{record.sid}.json").status == 204
    assert record.sid in exchange.erased_calls
    assert ask(exchange, http, "DELETE", f"{ROOT}/Calls/nonsense.json").status == 404
