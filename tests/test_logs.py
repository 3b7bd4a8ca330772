"""A canary: words that stand in everything that comes in, and are found nowhere in what is logged."""

import base64
import gc
import io
import logging
import os
import quopri
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
import sqlalchemy as sa
from flask import request

from tests.conftest import ROOT
from tests.dtmf_transcriber import DtmfTranscriber
from tests.signing import FIELDS, FORM_TYPE, a_web, http_request, post, raw, send, sign, status
from tests.test_delivery_smtp import scripted
from tests.test_webhooks import Phone, recording
from tests.web import Web, environ
from voice import calls, delivery, jobs, logs, responses, store
from voice.app import create_app, create_worker
from voice.content import load
from voice.delivery import build_message
from voice.environment import Smtp
from voice.errors import ConfigError, ProviderError
from voice.local.line import free_port, wait_until_ready
from voice.summary.mail import MailText

WORD, NUMBER, ADDRESS = "Kanariefjer", "+4542424242", "kanarie@fjer.example"
CANARY = f"{WORD} {NUMBER} {ADDRESS}"
FRIDAY = datetime(2026, 11, 27, tzinfo=UTC)
NAMES = ["CallSid", "AccountSid", "From", "To", "Digits", "SpeechResult", "RecordingSid", "RecordingUrl", "RecordingStatus", "CallStatus"]
NAMES += ["RecordingDuration", "CallerName", "Unknown"]


def traces(text: str) -> list[str]:
    """In what shapes a part of the canary stands in a log."""
    found = []
    for part in (WORD, NUMBER, NUMBER[1:], ADDRESS):
        shapes = {
            "as it is": part,
            "in an address": quote(part, safe=""),
            "in a form": urlencode({"": part})[1:],
            "quoted-printable": quopri.encodestring(part.encode()).decode(),
            "as Python shows it": repr(part.encode("utf-16-le"))[2:-1],
        }
        for shift in range(3):  # base64 of a text that holds it anywhere
            encoded = base64.b64encode(b"x" * shift + part.encode()).decode().rstrip("=")
            shapes[f"base64, {shift}"] = encoded[2 if shift else 0 : -2]
        found += [f"{part} {how}" for how, shape in shapes.items() if shape.lower() in text.lower()]
    return found


@contextmanager
def logged(level: int = logging.DEBUG) -> Iterator[io.StringIO]:
    """What all loggers write, at every level, once the logs are configured."""
    text, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logging.Formatter(logs.FORMAT))
    before = (root.level, logging.getLogRecordFactory(), sys.excepthook, threading.excepthook, sys.unraisablehook)
    quiet = {name: logging.getLogger(name) for name in ("dbos", "gunicorn.error", "gunicorn.access", "voice")}
    state = {name: (logger.level, logger.propagate) for name, logger in quiet.items()}
    root.addHandler(handler)
    logs.configure()
    root.setLevel(level)
    for logger in quiet.values():
        logger.setLevel(level)
        logger.propagate = True
    try:
        yield text
    finally:
        root.removeHandler(handler)
        logging.captureWarnings(False)
        root.setLevel(before[0])
        logging.setLogRecordFactory(before[1])
        sys.excepthook, threading.excepthook, sys.unraisablehook = before[2:]
        for name, logger in quiet.items():
            logger.setLevel(state[name][0])
            logger.propagate = state[name][1]


# ---- what sings


def requests_of_all_kinds(web: Web) -> None:
    """The canary in every field, in the query, in the path, in headers; in requests that are taken and in such that are not."""
    client, canary = web.app.test_client(), quote(CANARY)
    phone = Phone(web).at_question()
    paths = ["/calls", "/calls/status", f"/calls/{canary}", f"/{canary}", phone.urls["key"], phone.urls["action"], phone.urls["news"]]
    headers = {"User-Agent": WORD, "Referer": ADDRESS, "Cookie": f"a={WORD}", "X-Twilio-Webhooks-Signature-Settings": f"algorithm={WORD}"}
    for path in paths:
        path = path.partition("#")[0]
        for form in ({**FIELDS, "CallSid": phone.sid}, {}):
            filled = {**dict.fromkeys(NAMES, CANARY), "RecordingSid": recording(), **form}
            post(client, path, {**filled, "AccountSid": FIELDS["AccountSid"]}, **headers)
            post(client, f"{path}{'&' if '?' in path else '?'}x={canary}", filled, **headers)
            send(client, path, filled, {"X-Twilio-Signature": CANARY, **headers})
        send(client, path, CANARY.encode() * 500, headers)
        send(client, path, b"", headers, method=WORD.upper())


def faults_inside(web: Web) -> None:
    """Exceptions that hold the canary, at every route and outside of them."""
    app = create_app(web.config)

    def broken(*_: object, **__: object) -> None:
        try:
            raise ValueError(CANARY)
        except ValueError as error:
            raise RuntimeError(CANARY, {"Digits": CANARY}) from error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calls, "respond", broken)
        patch.setattr(store, "closed_because", broken)
        phone = Phone(web)
        for path in ("/calls", web.address(phone.sid, 1), "/calls/status"):
            post(app.test_client(), path, {**FIELDS, "CallSid": phone.sid, "SpeechResult": CANARY, "CallStatus": "completed"})
        app.test_client().get("/healthz")
        patch.setattr(store, "sound", broken)
        app.test_client().get(f"/audio/{'0' * 64}.wav?{quote(CANARY)}")
    app.extensions["sounds"].engine.dispose()


def jobs_that_fail(web: Web) -> None:
    """A relay whose replies hold it, a provider, the database, the content: all through the worker that notes the failure."""
    worker = create_worker(web.config, DtmfTranscriber())
    mail = build_message(
        MailText(WORD, WORD, CANARY, CANARY, "da"), to=ADDRESS, sender="a@b.example", preparation_id="p", message_number=1, date=FRIDAY
    )

    def relayed() -> None:
        reply = f"550 5.1.1 <{ADDRESS}> {WORD} {NUMBER}\r\n".encode()
        with scripted(b"220 " + WORD.encode() + b"\r\n", b"250 hi\r\n", b"250 ok\r\n", reply, reply) as port:
            delivery.send(mail, Smtp("127.0.0.1", port, "none"))

    def database() -> None:
        with store.writing(web.engine) as tx:
            tx.execute(sa.text("INSERT INTO calls (call_sid, caller) VALUES (:sid, :caller)"), {"sid": WORD, "caller": CANARY})

    def content() -> None:
        folder = web.config.data_dir / "content" / "da"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "phrases.toml").write_text(f'{WORD} = "{CANARY}"\nwelcome = {WORD}')
        load(folder)

    def provider() -> None:
        raise ProviderError(CANARY, permanent=True)

    expected = {relayed: "SMTPRecipientsRefused", database: "IntegrityError", content: "PromptError", provider: "ProviderError"}
    for fault in expected:
        try:
            fault()
        except Exception as error:
            for attempt in (1, 99):
                worker._failed(jobs_table()["send"], "send", recording(), WORD, attempt, error)
        else:
            pytest.fail("it did not fail")
    worker._engine.dispose()


def jobs_table() -> dict[str, jobs.Job]:
    return {"send": jobs.Job(lambda _subject: None, attempts=5, give_up=lambda *_: None)}


def libraries(_web: Web) -> None:
    """Other people's code that logs what it was given, crashes, and warns."""
    code = compile(
        "def say(name, text):\n"
        "    import logging\n"
        "    log = logging.getLogger(name)\n"
        "    log.error(text); log.warning('%s', text); log.info('%(a)s', {'a': text}); log.debug(f'a {text}', extra={'b': text})\n"
        "    try:\n"
        "        raise ValueError(text)\n"
        "    except ValueError as error:\n"
        "        log.exception('failed'); log.exception(error); log.error(text, exc_info=True, stack_info=True)\n",
        "/site-packages/library.py",
        "exec",
    )
    space: dict[str, Callable[[str, str], None]] = {}
    exec(code, space)
    for name in LIBRARIES:
        space["say"](name, CANARY)
    warnings.warn_explicit(CANARY, UserWarning, "/site-packages/library.py", 1)

    def crash() -> None:
        raise ValueError(CANARY)

    thread = threading.Thread(target=crash)
    thread.start()
    thread.join()
    try:
        crash()
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)

    class Unraisable:
        def __del__(self) -> None:
            raise ValueError(CANARY)

    Unraisable()
    gc.collect()


def our_own_sentences(_web: Web) -> None:
    """As our code logs, with fields that hold what they must not."""
    path, say = str(Path(logs.__file__)), logging.getLogger("voice.any")
    for name in [*logs.FIELDS, "words", "number"]:
        for value in (CANARY, NUMBER, ADDRESS, [CANARY], {"a": CANARY}, ValueError(CANARY), CANARY.encode(), None, 10**20):
            say.handle(say.makeRecord("voice.any", logging.ERROR, path, 1, f"job %({name})s", ({name: value},), None))
            say.handle(say.makeRecord("voice.any", logging.ERROR, path, 1, "job %s of %r", (value, value), None))
    error = ConfigError([f"SUMMARY_TO is {CANARY!r}: set it", CANARY])
    error.code, error.errno = CANARY, NUMBER  # type: ignore[attr-defined]
    say.handle(say.makeRecord("voice.any", logging.ERROR, path, 1, "no %(error)s", ({"error": error},), None))


SINGING = [requests_of_all_kinds, faults_inside, jobs_that_fail, libraries, our_own_sentences]
LIBRARIES = ["dbos", "gunicorn.error", "gunicorn.access", "werkzeug", "urllib3.connectionpool", "twilio", "mail.log", "sqlalchemy", "voice"]
ENOUGH = {requests_of_all_kinds: 1, faults_inside: 5, jobs_that_fail: 8, libraries: 60, our_own_sentences: 100}  # lines at least


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with a_web(ACCESS_LOG="1") as web:
        yield web


@pytest.mark.parametrize("sings", SINGING)
@pytest.mark.filterwarnings("default::UserWarning")
def test_nothing_that_came_in_is_logged(web: Web, sings: Callable[[Web], None]) -> None:
    with logged() as text:
        sings(web)
    assert traces(text.getvalue()) == []
    assert len(text.getvalue().splitlines()) >= ENOUGH[sings], "too little was logged for this to say anything"


def test_what_is_logged_still_tells_an_operator_what_to_do(web: Web) -> None:
    with logged() as text:
        jobs_that_fail(web)
        faults_inside(web)
        our_own_sentences(web)
    told = text.getvalue()
    assert "job send of " in told
    assert "gives up after attempt 1: DeliveryError 550 at delivery.py:" in told
    assert "after SMTPRecipientsRefused at smtplib.py:" in told
    assert "failed in attempt 1: IntegrityError gkpj at " in told
    assert "webhook calls.call_started failed: RuntimeError at test_logs.py:" in told
    assert "ERROR voice.app: app.py:" in told  # Flask's own words, of a fault outside the webhooks
    assert "no ConfigError SUMMARY_TO" in told


# ---- each of these bugs, put in on purpose, is seen


def not_configured(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(logs, "allowed", logging.LogRecord)


def text_of_exceptions(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(logs, "reason", str)


def chained_text(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(logs, "_codes", lambda error: iter([str(error)]))


def a_field_for_anything(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(logs, "FIELDS", {**logs.FIELDS, "words": str})


def own_code_takes_libraries_for_ours(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(logs, "_OURS", "/")


def a_request_in_the_sentence(patch: pytest.MonkeyPatch) -> None:
    right = responses.log.info
    patch.setattr(responses.log, "info", lambda message, fields: right(f"{message} {request.user_agent}", fields, stacklevel=2))


def no_hooks(patch: pytest.MonkeyPatch) -> None:
    import traceback

    patch.setattr(logs, "_crashed", lambda error: logging.getLogger().handlers[-1].stream.write("".join(traceback.format_exception(error))))


BUGS = {
    not_configured: libraries,
    text_of_exceptions: jobs_that_fail,
    chained_text: faults_inside,
    a_field_for_anything: our_own_sentences,
    own_code_takes_libraries_for_ours: libraries,
    no_hooks: libraries,
    a_request_in_the_sentence: requests_of_all_kinds,
}


@pytest.mark.parametrize(("bug", "sings"), BUGS.items())
@pytest.mark.filterwarnings("default::UserWarning")
def test_a_seeded_bug_is_heard(
    web: Web, bug: Callable[[pytest.MonkeyPatch], None], sings: Callable[[Web], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    bug(monkeypatch)
    with logged() as text:
        sings(web)
    assert any(WORD in found for found in traces(text.getvalue()))


@pytest.mark.parametrize(
    "shape",
    [
        CANARY,
        quote(ADDRESS),
        urlencode({"From": NUMBER}),
        base64.b64encode(CANARY.encode()).decode(),
        base64.b64encode(b"." + CANARY.encode()).decode(),
        base64.b64encode(b".." + CANARY.encode()).decode(),
        repr(CANARY.encode("utf-16")),
        quopri.encodestring(CANARY.encode()).decode(),
        CANARY.upper(),
    ],
)
def test_the_canary_is_found_in_every_shape(shape: str) -> None:
    assert traces(f"a line\nwith {shape} in it")


# ---- the processes as they are run


def test_the_real_web_process_logs_nothing_of_a_request_whatever_its_access_log_is_told(tmp_path: Path) -> None:
    Web(tmp_path).close()
    port = free_port()
    settings = {**os.environ, **environ(tmp_path, ACCESS_LOG="1")}
    server = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--threads", "4", "--access-logfile", "-"]
    server += ["--log-level", "debug", "voice.app:create_app()"]
    log = (tmp_path / "log").open("wb+")
    process = subprocess.Popen(server, env=settings, cwd=ROOT, stdout=log, stderr=log)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}")
        canary, body = quote(CANARY), urlencode({**FIELDS, **dict.fromkeys(NAMES[4:], CANARY)}).encode()
        for path in (f"/calls/status?x={canary}", f"/calls?x={canary}", f"/{canary}", "/calls"):
            signature = sign(path, {**FIELDS, **dict.fromkeys(NAMES[4:], CANARY)})
            for one in (signature, WORD):
                headers = {"Content-Type": FORM_TYPE, "X-Twilio-Signature": one, "User-Agent": WORD, "Referer": ADDRESS}
                assert status(raw(port, http_request(path.encode(), body, headers))) in (200, 204, 400, 403, 404)
        for broken in (f"GET /{WORD} HTTP/9.9", WORD, f"GET / HTTP/1.1\r\n{WORD}", f"GET {WORD}:x HTTP/1.1"):
            raw(port, f"{broken}\r\n\r\n".encode())
    finally:
        process.terminate()
        process.wait(60)
    log.seek(0)
    text = log.read().decode()
    log.close()
    assert traces(text) == []
    assert "POST calls.call_status answered 204 in " in text
    assert "INFO gunicorn.access: " in text, "the server's own access log was not written"


def test_a_web_process_that_cannot_start_says_what_to_mend_and_no_secret(tmp_path: Path) -> None:
    wrong = environ(
        tmp_path, SUMMARY_TO="nobody", TWILIO_AUTH_TOKEN=WORD, SMTP_URL=f"smtps://{WORD}:{WORD}@relay", DATABASE_URL=f"x://{WORD}@y"
    )
    server = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{free_port()}", "voice.app:create_app()"]
    done = subprocess.run(server, env={**os.environ, **wrong}, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert traces(done.stderr + done.stdout) == []
    assert "ConfigError DATABASE_URL, SUMMARY_TO at config.py:" in done.stderr
    assert "SUMMARY_TO is 'nobody', which is not one e-mail address: set it to" in done.stderr
