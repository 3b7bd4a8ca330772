"""Whoever does not hold an Auth Token of this line changes nothing and learns nothing."""

from collections.abc import Iterator
from urllib.parse import parse_qsl, urlencode

import pytest
from flask import Flask
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from tests.signing import FIELDS, FORM_TYPE, a_web, everything, gunicorn, http_request, post, raw, send, sign, status
from tests.web import ACCOUNT, BASE, CALL, TOKEN, Web
from voice import store
from voice.telephony.signature import OPEN, guard

OLD = "the-token-before"
ANSWER = {**FIELDS, "RecordingSid": "RE" + "3" * 32, "RecordingDuration": "9", "Digits": "#"}


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with a_web(TWILIO_AUTH_TOKEN=f"{TOKEN}, {OLD}") as web:
        yield web


@pytest.fixture(scope="module")
def port(web: Web) -> Iterator[int]:
    with gunicorn(web.config.data_dir, TWILIO_AUTH_TOKEN=f"{TOKEN}, {OLD}") as port:
        yield port


def guarded_paths(app: Flask) -> list[str]:
    values = {"turn": 1, "key": "0" * 64, "filename": "x", "which": "invite", "preparation": "0" * 32}
    adapter = app.url_map.bind("line.example")
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint not in OPEN]
    return [adapter.build(rule.endpoint, {name: values[name] for name in rule.arguments}, method="POST") for rule in rules]


def test_the_short_list_of_open_routes_names_routes_that_exist(web: Web) -> None:
    assert set(OPEN) <= set(web.app.view_functions)
    pages = {
        f"pages.{name}{done}" for name in ("mail", "yes", "delete") for done in ("", "_done")
    }  # a token of 256 bits opens them, or nothing does
    assert {"healthz", "sounds.sound", *pages} == set(OPEN), "another open route: say in the design what it gives to strangers"


def test_every_other_route_and_every_unknown_path_refuses_what_is_not_signed_and_stores_nothing(web: Web) -> None:
    client, query = web.app.test_client(), "?answer=hvad.1"
    routes = guarded_paths(web.app)
    assert len(routes) >= 4
    before = everything(web.engine)
    for path in [*routes, "/", "/wp-login.php", "/calls/", "/calls/-1", "/calls/10000", "/calls/" + "9" * 3000, "/calls/%00", "/%C3%A6"]:
        right = sign(path + query, FIELDS)
        signatures = {"an empty": "", "a wrong": "x" * 28, "no base64": "æøå", "an unfinished": right[:-1], "a longer": right + "="}
        tried = {
            f"{name} signature": send(client, path + query, FIELDS, {"X-Twilio-Signature": value}) for name, value in signatures.items()
        }
        tried |= {
            "no signature": send(client, path + query, FIELDS, {}),
            "nothing at all": send(client, path, b"", {}),
            "another token": post(client, path + query, FIELDS, token="somebody-else"),
            "another path": send(client, path + query, FIELDS, {"X-Twilio-Signature": sign("/calls/9999" + query, FIELDS)}),
            "a longer body": send(client, path + query, {**FIELDS, "Digits": "1"}, {"X-Twilio-Signature": right}),
            "a shorter body": send(client, path + query, {"CallSid": CALL}, {"X-Twilio-Signature": right}),
            "another body": send(client, path + query, {**FIELDS, "From": "+4530123456"}, {"X-Twilio-Signature": right}),
            "another query": send(client, path + "?answer=hvem.1", FIELDS, {"X-Twilio-Signature": right}),
            "no query": send(client, path, FIELDS, {"X-Twilio-Signature": right}),
            "a longer query": send(client, path + query + "&x", FIELDS, {"X-Twilio-Signature": right}),
            "another account": post(client, path + query, {**FIELDS, "AccountSid": "AC" + "9" * 32}),
            "JSON": send(client, path + query, b'{"CallSid": 1}', {"X-Twilio-Signature": right, "Content-Type": "application/json"}),
        }
        tried |= {
            method: send(client, path + query, b"", {"X-Twilio-Signature": right}, method)
            for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH")
        }
        assert {name: reply.status_code for name, reply in tried.items()} == dict.fromkeys(tried, 403), path[:50]
    assert everything(web.engine) == before
    for path in routes:  # the same requests are taken when they are signed rightly: the refusals were for the signature alone
        assert post(client, path + query, FIELDS).status_code in (200, 204, 400, 404), path


def test_a_route_that_is_added_tomorrow_is_refused_by_default() -> None:
    app = Flask("tomorrow")
    guard(app, BASE, ACCOUNT, [TOKEN])
    app.add_url_rule("/new", view_func=lambda: "secret")
    refused = app.test_client().get("/new", base_url=BASE)
    assert (refused.status_code, b"secret" in refused.data) == (403, False)
    assert app.test_client().get("/new", base_url=BASE, headers={"X-Twilio-Signature": sign("/new", {})}).text == "secret"


def test_open_routes_need_no_signature(web: Web) -> None:
    client = web.app.test_client()
    assert client.get("/healthz").text.startswith("ok")
    assert client.get(f"/audio/{'0' * 64}.wav").status_code == 404
    assert client.post("/healthz").status_code == 403  # open for looking only


@pytest.mark.parametrize("token", [TOKEN, OLD])
def test_while_the_token_is_changed_both_are_accepted(web: Web, token: str) -> None:
    assert post(web.app.test_client(), "/calls", {**FIELDS, "CallSid": "CA" + "7" * 32}, token).status_code == 200


def test_the_comma_between_two_tokens_is_no_token(web: Web) -> None:
    for token in (f"{TOKEN}, {OLD}", "", " ", ","):
        assert post(web.app.test_client(), "/calls", FIELDS, token).status_code == 403


PATHS = [
    "/calls/status?y=%C3%A6",
    "/calls/status?next=%2Fvoice%3Fq",
    "/calls/status?a=b%26c%3Dd&b=&e",
    "/calls/status?answer=hvad.1&x=a+b%20c;d,e:f@g!$'()*~",
    "/calls/status?x=%c3%a6",  # lower-case escapes, as some libraries write them
    "/calls/stat%75s",
]


@pytest.mark.parametrize("path", PATHS)
def test_escapes_are_checked_as_they_were_signed(web: Web, port: int, path: str) -> None:
    form = {**FIELDS, "CallStatus": "ringing", "CallerName": "Åse Øst & søn = 100 %+"}
    assert post(web.app.test_client(), path, form).status_code == 204
    headers = {"Content-Type": FORM_TYPE, "X-Twilio-Signature": sign(path, form)}
    assert status(raw(port, http_request(path.encode(), urlencode(form).encode(), headers))) == 204


@pytest.mark.parametrize("path", ["/calls/%C3%A6", "/%E2%82%AC/%2F?y=%C3%A6"])
def test_an_unknown_path_with_danish_letters_is_told_as_unknown_to_the_provider_alone(web: Web, port: int, path: str) -> None:
    assert post(web.app.test_client(), path, FIELDS).status_code == 404
    headers = {"Content-Type": FORM_TYPE, "X-Twilio-Signature": sign(path, FIELDS)}
    assert status(raw(port, http_request(path.encode(), urlencode(FIELDS).encode(), headers))) == 404
    assert status(raw(port, http_request(path.encode(), b"", {}))) == 403


def test_a_server_that_does_not_tell_the_raw_address_is_served_too(web: Web) -> None:
    path = "/calls/status?y=%C3%A6&next=%2Fvoice%3Fq"
    for signature, expected in ((sign(path, FIELDS), 204), (sign("/calls/status?y=æ&next=/voice?q", FIELDS), 403)):
        reply = web.app.test_client().post(
            path,
            base_url=BASE,
            data=FIELDS,
            headers={"X-Twilio-Signature": signature},
            environ_overrides={"RAW_URI": "", "REQUEST_URI": ""},
        )
        assert reply.status_code == expected


FORWARDED = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Port": "8080",
    "X-Forwarded-Prefix": "/x",
    "Forwarded": "host=evil.example;proto=http",
    "Host": "evil.example",
}


@pytest.mark.parametrize("name", FORWARDED)
def test_headers_of_proxies_change_nothing(web: Web, port: int, name: str) -> None:
    more = {name: FORWARDED[name]}
    assert post(web.app.test_client(), "/calls/status", FIELDS, **more).status_code == 204
    headers = {"Content-Type": FORM_TYPE, "X-Twilio-Signature": sign("/calls/status", FIELDS), **more}
    assert status(raw(port, http_request(b"/calls/status", urlencode(FIELDS).encode(), headers))) == 204


def test_a_signature_for_the_host_that_a_proxy_names_is_refused(web: Web, port: int) -> None:
    theirs = RequestValidator(TOKEN).compute_signature("http://evil.example/calls/status", FIELDS)
    assert send(web.app.test_client(), "/calls/status", FIELDS, {"X-Twilio-Signature": theirs, **FORWARDED}).status_code == 403
    headers = {"Content-Type": FORM_TYPE, "X-Twilio-Signature": theirs, **FORWARDED}
    assert status(raw(port, http_request(b"/calls/status", urlencode(FIELDS).encode(), headers))) == 403


# ---- one byte


def _changed(data: bytes, where: int, to: int) -> bytes:
    where %= len(data)
    assume(data[where] != to)
    return data[:where] + bytes([to]) + data[where + 1 :]


@settings(max_examples=300)
@given(where=st.integers(0, 10_000), to=st.integers(0, 255))
def test_one_changed_byte_of_the_body_is_refused(web: Web, where: int, to: int) -> None:
    path, body = "/calls/1?answer=hvad.1", urlencode(ANSWER).encode()
    changed = _changed(body, where, to)
    same = parse_qsl(changed.decode("latin-1"), keep_blank_values=True) == list(ANSWER.items())
    assume(not same)  # %2b for %2B
    before = everything(web.engine)
    assert send(web.app.test_client(), path, changed, {"X-Twilio-Signature": sign(path, ANSWER)}).status_code == 403
    assert everything(web.engine) == before


@settings(max_examples=200)
@given(where=st.integers(0, 10_000), to=st.integers(0x20, 0xFF))
def test_one_changed_byte_of_the_signature_is_refused(web: Web, where: int, to: int) -> None:
    path = "/calls/1?answer=hvad.1"
    changed = _changed(sign(path, ANSWER).encode(), where, to).decode("latin-1")
    assume(changed.strip() != sign(path, ANSWER))
    assert send(web.app.test_client(), path, ANSWER, {"X-Twilio-Signature": changed}).status_code == 403


@settings(max_examples=150)
@given(where=st.integers(0, 10_000), to=st.integers(0, 255))
def test_one_changed_byte_of_the_request_line_is_refused_by_the_real_server(port: int, where: int, to: int) -> None:
    path, body = b"/calls/status?y=%C3%A6&next=%2Fvoice", urlencode(FIELDS).encode()
    headers = {"Content-Type": FORM_TYPE, "X-Twilio-Signature": sign(path.decode(), FIELDS)}
    changed = http_request(_changed(path, where, to), body, headers)
    assert status(raw(port, changed)) in (400, 403), changed


@pytest.mark.parametrize(
    "target",
    [b"*", b":99999999/", b"[", b"//evil.example/calls", b"http://[/calls", b"http://evil.example:x/calls", b"HTTPS://x", b"@evil/"],
)
def test_strange_request_targets_are_refused_by_the_real_server(port: int, target: bytes) -> None:
    for method in ("POST", "OPTIONS"):
        assert status(raw(port, http_request(target, b"", {}, method))) in (400, 403)


# ---- size


LARGE = {**FIELDS, "CallSid": "CA" + "8" * 32, "SpeechResult": "æ" * 6000}  # 36 kB on the wire


def stored_calls(web: Web) -> set[str]:
    with store.reading(web.engine) as look:
        return set(look.execute(store.calls.select()).scalars())


def test_a_body_of_more_than_16_kb_is_refused_even_when_it_is_signed(web: Web) -> None:
    reply = post(web.app.test_client(), "/calls", LARGE)
    assert (reply.status_code, reply.mimetype) == (413, "text/plain")
    assert LARGE["CallSid"] not in stored_calls(web)
    assert post(web.app.test_client(), "/nowhere", LARGE).status_code == 413


def test_a_body_of_just_under_16_kb_is_taken(web: Web) -> None:
    form = {**FIELDS, "CallSid": "CA" + "6" * 32}
    form["Filler"] = "x" * (16 * 1024 - len(urlencode({**form, "Filler": ""})))
    assert post(web.app.test_client(), "/calls", form).status_code == 200
    assert post(web.app.test_client(), "/calls", {**form, "Filler": form["Filler"] + "x"}).status_code == 413


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "chunked, without a length"])
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
def test_a_large_body_is_refused_by_the_real_server(web: Web, port: int, chunked: bool, signed: bool) -> None:
    body = urlencode(LARGE).encode()
    headers = {"Content-Type": FORM_TYPE, "X-Twilio-Signature": sign("/calls", LARGE) if signed else ""}
    if chunked:
        headers["Transfer-Encoding"] = "chunked"
        pieces = [body[start : start + 4000] for start in range(0, len(body), 4000)]
        body = b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces) + b"0\r\n\r\n"
    # Of a chunked body the first 16 kB are read, and no signature fits them.
    assert status(raw(port, http_request(b"/calls", body, headers))) == (403 if chunked else 413)
    assert LARGE["CallSid"] not in stored_calls(web)


def test_a_small_chunked_body_is_read_as_any_other(port: int) -> None:
    body = urlencode(FIELDS).encode()
    headers = {"Content-Type": FORM_TYPE, "X-Twilio-Signature": sign("/calls/status", FIELDS), "Transfer-Encoding": "chunked"}
    chunked = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    assert status(raw(port, http_request(b"/calls/status", chunked, headers))) == 204
