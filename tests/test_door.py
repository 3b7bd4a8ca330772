"""What a request must be before a route sees it, beside its signature's being right: by which secret, for which turn, in which form."""

import logging
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from flask import Flask
from twilio.request_validator import HMAC_SHA1, HMAC_SHA256, RequestValidator
from werkzeug.test import TestResponse

from tests.signing import FIELDS, FORM_TYPE, a_web, everything, post, send, sign
from tests.test_webhooks import Phone, phrase, recording, said
from tests.web import ACCOUNT, BASE, TOKEN, Web, environ
from voice.app import create_app
from voice.config import Config
from voice.errors import ConfigError
from voice.nonces import is_nonce, nonce
from voice.provider import Provider
from voice.responses import HEADERS
from voice.telephony.signature import guard

KEY, OLD_KEY = "the-secret-of-a-shared-key", "the-shared-key-before"
SETTINGS_HEADER = "X-Twilio-Webhooks-Signature-Settings"
NAMED = {kind: f"key=webhooks_sharedkey_01,algorithm={kind}" for kind in (HMAC_SHA1, HMAC_SHA256, "HMAC_MD5", "none", "")}


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with a_web(TWILIO_WEBHOOK_KEY=f"{KEY},{OLD_KEY}") as web:
        yield web


def signed_with(web: Web, secret: str, kind: str, **headers: str) -> int:
    signature = RequestValidator(secret).compute_signature(BASE + "/calls/status", FIELDS, kind)
    return send(web.app.test_client(), "/calls/status", FIELDS, {"X-Twilio-Signature": signature, **headers}).status_code


# ---- by which secret


@pytest.mark.parametrize(("secret", "kind"), [(TOKEN, HMAC_SHA1), (KEY, HMAC_SHA256), (OLD_KEY, HMAC_SHA256)])
def test_each_secret_signs_with_its_own_algorithm_and_no_other_whatever_the_request_says(web: Web, secret: str, kind: str) -> None:
    other = HMAC_SHA256 if kind == HMAC_SHA1 else HMAC_SHA1
    for claim in ({}, *({SETTINGS_HEADER: text} for text in NAMED.values())):
        assert signed_with(web, secret, kind, **claim) == 204
        assert signed_with(web, secret, other, **claim) == 403


def test_without_a_shared_key_nothing_is_signed_with_sha256() -> None:
    app = Flask("tokens only")
    guard(app, BASE, ACCOUNT, [TOKEN])
    app.add_url_rule("/x", view_func=lambda: "in")
    for secret, kind, code in ((TOKEN, HMAC_SHA1, 200), (TOKEN, HMAC_SHA256, 403), ("", HMAC_SHA256, 403), ("", HMAC_SHA1, 403)):
        signature = RequestValidator(secret).compute_signature(BASE + "/x", {}, kind)
        headers = {"X-Twilio-Signature": signature, SETTINGS_HEADER: NAMED[kind]}
        assert app.test_client().get("/x", base_url=BASE, headers=headers).status_code == code


def test_a_web_process_with_a_shared_key_needs_no_auth_token_and_a_worker_says_that_it_does() -> None:
    with a_web(TWILIO_WEBHOOK_KEY=KEY, TWILIO_AUTH_TOKEN="") as web:
        assert signed_with(web, KEY, HMAC_SHA256) == 204
        assert signed_with(web, "", HMAC_SHA1) == 403
        with pytest.raises(ConfigError, match="a worker fetches recordings with it"):
            Provider(web.config)
    with pytest.raises(ConfigError, match="TWILIO_AUTH_TOKEN is missing"):
        Config.from_env({**environ(web.config.data_dir), "TWILIO_AUTH_TOKEN": ""})


@pytest.mark.parametrize("base", [BASE, BASE + ":443", BASE + ":8443"])
def test_the_port_may_stand_in_what_is_signed_or_not_as_the_provider_does_both(base: str) -> None:
    app = Flask("ports")
    guard(app, base, ACCOUNT, [TOKEN])
    app.add_url_rule("/x", view_func=lambda: "in")
    for signed_base, code in ((base, 200), (BASE, 200), (BASE + ":1", 403)):
        signature = RequestValidator(TOKEN).compute_signature(signed_base + "/x", {})
        assert app.test_client().get("/x", base_url=BASE, headers={"X-Twilio-Signature": signature}).status_code == code


# ---- for which turn


def test_an_answer_is_taken_only_at_the_address_that_its_own_call_and_turn_were_given(web: Web) -> None:
    phone, other = Phone(web).at_question(), Phone(web).at_question()
    turn, sid = phone.session.turn, recording()
    assert other.session.turn == turn
    guesses = [
        "",
        "?nonce=",
        "?nonce=" + "0" * 32,
        "?nonce=" + nonce(phone.sid, turn - 1, [TOKEN]),
        "?nonce=" + nonce(phone.sid, turn, ["another-secret"]),
        "?" + other.urls["key"].partition("?")[2],  # of the same turn of another call
        "?" + phone.urls["key"].partition("?")[2].upper(),
        "?" + phone.urls["key"].partition("?")[2] + "0",
    ]
    answer = "answer=" + phone.urls["action"].partition("answer=")[2]
    before = everything(web.engine)
    for guess in guesses:
        url = f"/calls/{turn}{guess}{'&' if guess else '?'}{answer}"
        assert said(phone.post(url, Digits="1")) == phrase("sorry"), guess
        assert said(phone.post(url, RecordingSid=sid, RecordingDuration="9")) == phrase("sorry"), guess
        assert phone.news(sid, url=url.replace(f"/{turn}", f"/{turn}/recording")) == 404, guess
    assert everything(web.engine) == before
    phone.speaks(sid)
    assert phone.answers == {sid: "hvad"}


def test_one_request_s_signature_is_none_for_the_next_turn_s_address(web: Web) -> None:
    phone = Phone(web).start()
    path, form = phone.urls["key"], {**FIELDS, "CallSid": phone.sid, "Digits": "1"}
    seen = sign(path, form)
    phone.key("1")
    assert phone.urls["key"].partition("?")[2] not in path
    assert send(web.app.test_client(), phone.urls["key"], form, {"X-Twilio-Signature": seen}).status_code == 403
    turn = phone.session.turn
    assert send(web.app.test_client(), path, form, {"X-Twilio-Signature": seen}).text == phone.replies[-1]
    assert phone.session.turn == turn


def test_the_secret_may_change_during_a_call() -> None:
    with a_web() as web:
        phone = Phone(web).start()
        renewed = create_app(Config.from_env(environ(web.config.data_dir, TWILIO_AUTH_TOKEN=f"new,{TOKEN}")))
        reply = post(renewed.test_client(), phone.urls["key"], {**FIELDS, "CallSid": phone.sid, "Digits": "1"})
        assert said(reply) != phrase("sorry")
        renewed.extensions["sounds"].engine.dispose()


def test_nonces_of_a_thousand_turns_are_a_thousand_and_hold_for_no_other() -> None:
    calls = [f"CA{number:032x}" for number in range(10)]
    made = {nonce(call, turn, ["a", "b"]): (call, turn) for call in calls for turn in range(100)}
    assert len(made) == 1000
    for word, (call, turn) in made.items():
        assert is_nonce(word, call, turn, ["a", "b"])
        assert is_nonce(word, call, turn, ["new", "a"])
        assert not is_nonce(word, call, turn + 1, ["a", "b"])
        assert not is_nonce(word, call, turn, ["b"])
    assert not is_nonce("ø", calls[0], 1, ["a"])


# ---- in which form


DOUBLED = ["AccountSid", "CallSid", "Digits", "From", "Unknown"]


@pytest.mark.parametrize("name", DOUBLED)
def test_a_field_that_comes_twice_is_refused_even_when_it_is_signed(web: Web, name: str) -> None:
    phone = Phone(web).start()
    before = everything(web.engine)
    form = {**FIELDS, "CallSid": phone.sid, "Digits": "1", "Unknown": "x"}
    for second in (form[name], "2"):
        pairs = [*form.items(), (name, second)]
        body = urlencode(pairs).encode()
        signature = RequestValidator(TOKEN).compute_signature(BASE + phone.urls["key"], _Many(pairs))
        reply = send(web.app.test_client(), phone.urls["key"], body, {"X-Twilio-Signature": signature})
        assert (reply.status_code, reply.text) == (400, "a field comes twice\n")
    query = phone.urls["key"] + "&" + phone.urls["key"].partition("?")[2]
    assert post(web.app.test_client(), query, form).status_code == 400
    assert everything(web.engine) == before


class _Many(dict[str, str]):
    """Fields of which some come twice, as the signing library takes them."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        super().__init__(pairs)
        self._pairs = pairs

    def getlist(self, name: str) -> list[str]:
        return [value for key, value in self._pairs if key == name]


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "application/json", "text/plain", "x"])
def test_a_body_in_another_form_than_the_provider_s_is_refused(web: Web, kind: str) -> None:
    bodies = {"multipart/form-data; boundary=x": b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n'}
    fields = {"a": "b"} if kind in bodies else {}
    headers = {"X-Twilio-Signature": sign("/calls/status", fields), "Content-Type": kind}
    assert send(web.app.test_client(), "/calls/status", bodies.get(kind, b"{}"), headers).status_code == 403


MOVED = [("CallSid", 5), ("From", 3), ("Digits", 3), ("RecordingSid", 9)]


@pytest.mark.parametrize(("name", "cut"), MOVED)
def test_letters_that_move_between_a_field_s_name_and_its_value_keep_the_signature_and_gain_nothing(web: Web, name: str, cut: int) -> None:
    """The signature has no mark between the two: strict forms are what is left."""
    phone = Phone(web).at_question()
    form = {**FIELDS, "CallSid": phone.sid, "Digits": "1", "RecordingSid": recording()}
    moved = {key: value for key, value in form.items() if key != name}
    moved[name[:cut]] = name[cut:] + form[name]
    url = phone.urls["action"]
    assert sign(url, moved) == sign(url, form)
    reply = post(web.app.test_client(), url, moved)
    assert reply.status_code in (200, 400)
    if name in ("CallSid", "RecordingSid"):
        assert phone.answers == {}
    else:
        assert phone.answers == {form["RecordingSid"]: "hvad"}  # recorded, whatever key ended it


@pytest.mark.parametrize("url", ["x", "https://h/RE", f"javascript:{'RE' + '1' * 32}", f"https://h/a b/{'RE' + '1' * 32}", "https://h/RE١"])
def test_a_recording_s_address_of_the_wrong_form_is_refused(web: Web, url: str) -> None:
    phone = Phone(web).at_question()
    assert phone.post(phone.urls["action"], RecordingUrl=url, RecordingDuration="9").status_code == 400
    assert phone.answers == {}


# ---- what every response carries


def responses(web: Web) -> dict[str, TestResponse]:
    phone, client = Phone(web), web.app.test_client()
    return {
        "TwiML": phone.post("/calls"),
        "news": phone.post("/calls/status", CallStatus="completed"),
        "refused": client.post("/calls"),
        "unknown": post(client, "/nowhere", FIELDS),
        "wrong form": phone.post("/calls", CallSid="x"),
        "too large": client.post("/calls", base_url=BASE, data=b"x" * 20_000, headers={"Content-Type": FORM_TYPE}),
        "health": client.get("/healthz"),
        "no sound": client.get(f"/audio/{'0' * 64}.wav"),
        "method": client.put("/healthz"),
    }


def test_every_response_forbids_what_no_page_needs(web: Web) -> None:
    for name, reply in responses(web).items():
        assert {header: reply.headers.get(header) for header in HEADERS} == HEADERS, name
        assert reply.headers["Strict-Transport-Security"].startswith("max-age="), name


def test_a_route_keeps_the_headers_that_it_sets_itself(web: Web) -> None:
    app = create_app(web.config)
    app.view_functions["healthz"] = lambda: ("", 200, {"Content-Security-Policy": "default-src 'self'", "Cache-Control": "public"})
    reply = app.test_client().get("/healthz")
    assert (reply.headers["Content-Security-Policy"], reply.headers["Cache-Control"]) == ("default-src 'self'", "public")
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    app.extensions["sounds"].engine.dispose()


def test_a_fault_outside_the_webhooks_carries_them_too_and_tells_nothing(web: Web) -> None:
    app = create_app(web.config)

    def broken() -> str:
        raise RuntimeError("words-of-an-exception")

    app.view_functions["healthz"] = broken
    reply = app.test_client().get("/healthz")
    assert (reply.status_code, b"words-of" in reply.data) == (500, False)
    assert {header: reply.headers.get(header) for header in HEADERS} == HEADERS
    app.extensions["sounds"].engine.dispose()


def test_the_access_log_names_endpoints_and_only_when_it_is_wanted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "voice.responses")
    for wanted, lines in (("0", 0), ("1", 9)):
        caplog.clear()
        with a_web(ACCESS_LOG=wanted) as web:
            responses(web)
        assert len([one for one in caplog.messages if " answered " in one]) == lines
    assert "POST calls.call_started answered 200" in " ".join(caplog.messages)


# ---- debug mode


def test_debug_mode_does_not_start(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("1", "true"):
        monkeypatch.setenv("FLASK_DEBUG", value)
        with pytest.raises(ConfigError, match="FLASK_DEBUG is set: leave it out"):
            create_app(web.config)


def test_debug_mode_that_is_switched_on_later_serves_nothing(web: Web) -> None:
    app = create_app(web.config)
    app.debug = True
    for path in ("/healthz", "/calls", f"/audio/{'0' * 64}.wav", "/nowhere"):
        assert post(app.test_client(), path, FIELDS).status_code == 503
        assert app.test_client().get(path).status_code == 503
    app.extensions["sounds"].engine.dispose()
