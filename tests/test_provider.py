"""Recordings are fetched from the provider and deleted there, whatever it answers, and our credentials go nowhere else."""

import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.exchange_line import ACCOUNT, TOKEN, Caller, ringing, serving, twiml
from tests.web import environ
from voice import provider as provider_module
from voice.config import Config
from voice.errors import ProviderError, SpeechError
from voice.exchange import Conditions, Exchange, Heard, media
from voice.exchange.recordings import Recording
from voice.provider import MAX_BYTES, Provider
from voice.speech.audio import check_recording

UNKNOWN = "RE" + "9" * 32


@pytest.fixture(scope="module")
def exchange() -> Iterator[Exchange]:
    with serving() as line:
        line["/status"] = ""
        line["/voice"] = twiml("<Record action='/end'/>")
        line["/end"] = twiml("<Hangup/>")
        with ringing(line, conditions=Conditions(callback_delay=0)) as exchange:
            yield exchange
            assert exchange.settle()


def a_provider(base_url: str, token: str = TOKEN, **more: str) -> Provider:
    settings = environ(Path("/data"), TWILIO_ACCOUNT_SID=ACCOUNT, TWILIO_AUTH_TOKEN=token, TWILIO_API_BASE_URL=base_url, **more)
    return Provider(Config.from_env(settings))


@pytest.fixture
def provider(exchange: Exchange) -> Iterator[Provider]:
    provider = a_provider(exchange.api_base_url)
    yield provider
    provider._http.clear()


def recorded(exchange: Exchange, **conditions: object) -> Recording:
    """Record two seconds in a call."""
    loud = next(iter(media.frames(media.tone(0.02))))
    doing = {at / 50: Heard(loud) for at in range(10, 110)} | {2.2: Heard(loud, key="#")}
    exchange.call(Caller(doing), "+4520123456", "+4570123456", replace(Conditions(callback_delay=0), **conditions))
    return exchange.recordings[-1]


def refused(ask: Callable[[], object]) -> ProviderError:
    with pytest.raises(ProviderError) as failed:
        ask()
    assert TOKEN not in str(failed.value)
    return failed.value


# ---- fetching


def test_a_recording_is_fetched_as_it_was_recorded(exchange: Exchange, provider: Provider) -> None:
    recording = recorded(exchange)
    assert provider.recording(recording.sid) == recording.wav
    check_recording(provider.recording(recording.sid))


def test_a_recording_that_is_not_there_yet_is_worth_asking_for_again(exchange: Exchange, provider: Provider) -> None:
    recording = recorded(exchange, media="missing", media_times=1)
    assert not refused(lambda: provider.recording(recording.sid)).permanent
    assert provider.recording(recording.sid) == recording.wav


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("missing", "answered with 404"),
        ("unauthorized", "answered with 401: outage"),
        ("forbidden", "answered with 403: outage"),
        ("too many requests", "answered with 429: outage"),
        ("broken", "answered with 500: outage"),
        ("cut off", "broke off: ProtocolError: outage"),
        ("elsewhere", "answered with 307"),
        ("html", "not a sound"),
    ],
)
def test_whatever_is_answered_instead_is_told_and_asked_for_again(exchange: Exchange, provider: Provider, kind: str, told: str) -> None:
    """Also whether it says something of this recording, or that there is nothing to be had at all."""
    recording = recorded(exchange, media=kind)
    failed = refused(lambda: provider.recording(recording.sid))
    assert f"{failed}{': outage' * failed.outage}".endswith(told)
    assert not failed.permanent
    assert recording.fetches == 1, "how often and when to ask again is the queue's matter"
    assert exchange.leaks == 0


@pytest.mark.parametrize("kind", ["empty", "text"])
def test_what_only_claims_to_be_a_sound_does_not_pass_the_check_that_follows(exchange: Exchange, provider: Provider, kind: str) -> None:
    recording = recorded(exchange, media=kind)
    with pytest.raises(SpeechError):
        check_recording(provider.recording(recording.sid))


def test_of_a_sound_that_is_cut_short_there_is_what_there_is(exchange: Exchange, provider: Provider) -> None:
    recording = recorded(exchange, media="truncated")
    assert provider.recording(recording.sid) == recording.wav[: len(recording.wav) // 2]


def test_credentials_do_not_follow_a_redirect_to_another_host(exchange: Exchange, provider: Provider) -> None:
    recording = recorded(exchange, media="elsewhere")
    refused(lambda: provider.recording(recording.sid))
    assert exchange.leaks == 0
    follow = provider._http.request  # and they would have been counted
    address = f"{exchange.api_base_url}/2010-04-01/Accounts/{ACCOUNT}/Recordings/{recording.sid}.wav"
    redirected = follow("GET", address, headers=provider._headers, redirect=False).headers["Location"]
    follow("GET", redirected, headers=provider._headers)
    assert exchange.leaks == 1
    exchange._elsewhere.leaks = 0


def test_something_huge_is_given_up_early_for_good_and_not_kept_in_memory(exchange: Exchange, provider: Provider) -> None:
    recording = recorded(exchange, media="huge")
    tracemalloc.start()
    begun = time.monotonic()
    try:
        assert refused(lambda: provider.recording(recording.sid)).permanent
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * MAX_BYTES
    assert time.monotonic() - begun < 5


def test_the_longest_answer_is_far_smaller_than_what_is_given_up() -> None:
    assert len(media.to_wav(media.SILENCE * (120 * media.FRAMES_PER_SECOND))) * 2 < MAX_BYTES


def test_the_connection_can_be_used_again_after_whatever_was_answered(exchange: Exchange, provider: Provider) -> None:
    good = recorded(exchange)
    for kind in ("huge", "html", "broken", "elsewhere", "missing", "truncated"):
        recording = recorded(exchange, media=kind)
        with suppress(ProviderError):
            provider.recording(recording.sid)
        assert provider.recording(good.sid) == good.wav


def test_a_wrong_token_is_told_and_asked_with_again(exchange: Exchange) -> None:
    recording = recorded(exchange)
    stranger = a_provider(exchange.api_base_url, "wrong")
    failed = refused(lambda: stranger.recording(recording.sid))
    assert ("401" in str(failed), failed.permanent) == (True, False)  # the operator mends it while the recording waits
    assert recording.fetches == 0
    stranger._http.clear()


def test_the_first_of_several_tokens_is_used(exchange: Exchange) -> None:
    recording = recorded(exchange)
    for tokens, works in ((f"{TOKEN},wrong", True), (f"wrong,{TOKEN}", False)):
        rotating = a_provider(exchange.api_base_url, tokens)
        try:
            assert (rotating.recording(recording.sid) == recording.wav) is works
        except ProviderError:
            assert not works
        rotating._http.clear()


# ---- deleting


def test_a_recording_is_deleted_and_one_that_is_gone_counts_as_deleted(exchange: Exchange, provider: Provider) -> None:
    recording = recorded(exchange)
    provider.delete_recording(recording.sid)
    assert recording.deleted
    provider.delete_recording(recording.sid)
    provider.delete_recording(UNKNOWN)
    assert "404" in str(refused(lambda: provider.recording(recording.sid)))


def test_a_deletion_that_fails_is_told_and_asked_for_again(exchange: Exchange, provider: Provider) -> None:
    recording = recorded(exchange, deletes_failing=2)
    for _ in range(2):
        failed = refused(lambda: provider.delete_recording(recording.sid))
        assert ("500" in str(failed), failed.permanent) == (True, False)
        assert not recording.deleted
    provider.delete_recording(recording.sid)
    assert (recording.deleted, recording.deletions) == (True, 3)


def test_a_deletion_with_a_wrong_token_does_not_count_as_done(exchange: Exchange) -> None:
    recording = recorded(exchange)
    stranger = a_provider(exchange.api_base_url, "wrong")
    assert "401" in str(refused(lambda: stranger.delete_recording(recording.sid)))
    assert not recording.deleted
    stranger._http.clear()


# ---- ids and addresses


class Wire:
    """A server that keeps what it is sent and answers with given bytes, or with silence."""

    def __init__(self, answer: bytes) -> None:
        self.asked: list[bytes] = []
        self._answer = answer
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection:
                if asked := connection.recv(65536):
                    self.asked.append(asked)
                    connection.sendall(self._answer)

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()


@contextmanager
def wire(answer: bytes) -> Iterator[tuple[Wire, Provider]]:
    wire = Wire(answer)
    provider = a_provider(wire.url)
    try:
        yield wire, provider
    finally:
        provider._http.clear()
        wire.close()


WRONG = [
    *("", "RE", "RE" + "1" * 31, "RE" + "1" * 33, "re" + "1" * 32, "RE" + "A" * 32, "CA" + "1" * 32, "RE" + "١" * 32),
    *("RE" + "1" * 32 + "\n", "../" + "RE" + "1" * 32, "RE" + "1" * 32 + "/../x", "RE" + "1" * 31 + "?", "http://evil.example/RE"),
]
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Type: audio/x-wav\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def test_an_id_of_the_wrong_form_is_never_asked_for() -> None:
    with wire(EMPTY) as (server, provider):
        for wrong in WRONG:
            for ask in (provider.recording, provider.delete_recording):
                assert refused(lambda ask=ask, wrong=wrong: ask(wrong)).permanent
        assert server.asked == []
        assert provider.recording(UNKNOWN) == b""
    assert server.asked[0].startswith(f"GET /2010-04-01/Accounts/{ACCOUNT}/Recordings/{UNKNOWN}.wav HTTP/1.1\r\n".encode())


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP",
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: audio/x-wav\r\nContent-Length: 5000\r\n\r\nRIFF",
        b"HTTP/1.1 200 OK\r\nContent-Type: audio/x-wav\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nRIFF",
        b"HTTP/1.1 200 OK\r\nContent-Type: audio/x-wav\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nRIFF",
        b"HTTP/1.1 200 OK\r\nContent-Type: audio/x-wav\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nRIFF",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nRIFF",
        b"HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ],
)
def test_an_answer_that_breaks_off_or_is_none_is_asked_for_again(answer: bytes) -> None:
    with wire(answer) as (server, provider):
        assert not refused(lambda: provider.recording(UNKNOWN)).permanent
        assert len(server.asked) == 1


def test_a_provider_that_cannot_be_reached_is_asked_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    away = a_provider(f"http://127.0.0.1:{port}")
    for ask in (away.recording, away.delete_recording):
        failed = refused(lambda ask=ask: ask(UNKNOWN))
        assert ("could not be reached" in str(failed), failed.permanent, failed.outage) == (True, False, True)


def test_a_provider_that_says_nothing_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (provider_module._TIMEOUT.connect_timeout, provider_module._TIMEOUT.read_timeout) == (10, 30)
    monkeypatch.setattr(provider_module, "_TIMEOUT", provider_module.Timeout(connect=1, read=0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        provider = a_provider(f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert not refused(lambda: provider.recording(UNKNOWN)).permanent
        assert not refused(lambda: provider.delete_recording(UNKNOWN)).permanent
        provider._http.clear()


# ---- texts


def test_a_text_is_handed_in_with_its_letters_and_its_sender(exchange: Exchange) -> None:
    a_provider(exchange.api_base_url, SMS_FROM="Samtaleklar").send_text("+4520123456", "Tryk her: æøå & + % https://a/b?c=d", "/texts/x")
    sent = exchange.messages[-1]
    assert (sent.to, sent.sender, sent.body) == ("+4520123456", "Samtaleklar", "Tryk her: æøå & + % https://a/b?c=d")
    assert sent.status_callback == "https://line.example/texts/x#rc=5&rp=all"


def test_a_text_to_a_landline_is_given_up_and_the_reason_names_no_number(exchange: Exchange) -> None:
    exchange.landlines.add("+4533123456")
    failed = refused(lambda: a_provider(exchange.api_base_url, SMS_FROM="Samtaleklar").send_text("+4533123456", "Hej", "/texts/x"))
    assert (str(failed), failed.permanent) == ("the text was answered with 400 21614", True)


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503, 200, 302])
def test_a_text_that_the_provider_did_not_take_is_sent_again(status: int) -> None:
    with wire(f'HTTP/1.1 {status} X\r\nContent-Length: 9\r\n\r\n{{"code":1'.encode()) as (_, provider):
        assert not refused(lambda: provider.send_text("+4520123456", "Hej", "/texts/x")).permanent
