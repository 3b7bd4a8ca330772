"""The demo's beginning and end, what it hands over beside the line, and what its pages let in and out."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient
from simple_websocket import Client

from tests.conftest import TEST_PROMPTS
from tests.demo import TO_THE_KORTE, Demo, running, start
from voice import schema, store
from voice.errors import VoiceError
from voice.local.demo.pages import create_app
from voice.local.demo.progress import ANSWERS, MAILS, Step, _answer
from voice.local.demo.running import _reserve
from voice.local.demo.typed import TypedAnswers, TypedFirst
from voice.local.line import answers, free_port
from voice.local.mailbox import Mailbox
from voice.speech import Transcript


class PlainTelephone:
    """The telephone without a browser: the same connection, and no sound."""

    def __init__(self, demo: Demo) -> None:
        self._socket = Client(demo.address.replace("http", "ws") + "/line?rate=48000")

    def does(self, **wish: str) -> None:
        self._socket.send(json.dumps(wish))

    def until(self, **wanted: str) -> None:
        """Wait until this happens on the call."""
        end = time.monotonic() + 40
        while time.monotonic() < end:
            message = self._socket.receive(timeout=60)
            if isinstance(message, str) and wanted.items() <= json.loads(message).get("entry", {}).items():
                return
        pytest.fail(f"it did not come to {wanted}")


# --- beginning and end ---


def test_a_port_once_given_is_given_to_nobody_else() -> None:
    """Lines start beside each other, and between the choice of a port and the server on it lie seconds."""
    given = [free_port() for _ in range(1000)]
    assert len(set(given)) == 1000
    with socket.create_server(("127.0.0.1", given[0])) as server:  # but whoever asks for it by its number
        assert server.getsockname()[1] == given[0]


def test_a_mail_server_is_no_line() -> None:
    with Mailbox(free_port()) as mailbox:
        assert not answers(mailbox.url.replace("smtp", "http"))


def test_a_taken_port_gets_one_sentence_before_anything_is_started(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        began = time.monotonic()
        process = start(tmp_path, PORT=str(port))
        out, problem = process.communicate(timeout=30)
    assert process.returncode == 1
    assert problem == f"Port {port} cannot be used (Address already in use): choose another one, for example PORT={port + 1}.\n"
    assert out == ""
    assert list(tmp_path.iterdir()) == []
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("port", ["0", "65536", "http", "8080 "])
def test_a_port_that_is_none_gets_one_sentence(port: str) -> None:
    with pytest.raises(VoiceError) as told:
        _reserve(port)
    assert str(told.value) == f"PORT is {port!r}: set it to a whole number from 1 to 65535."


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_ctrl_c_in_mid_call_ends_every_process_and_leaves_nothing_behind(tmp_path: Path, sounds: Path) -> None:
    with running(tmp_path, sounds) as demo:
        telephone = PlainTelephone(demo)
        telephone.does(do="ring")
        telephone.until(what="says")
        processes = descendants(demo.process.pid)
        assert len(processes) >= 3  # gunicorn, its worker, and the line's worker
        assert demo.interrupt() == 0
        assert [pid for pid in processes if alive(pid)] == []
        assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_ctrl_c_before_the_line_is_ready_leaves_nothing_behind(tmp_path: Path) -> None:
    process = start(tmp_path, PORT="18999", PROMPTS_DIR=str(TEST_PROMPTS.parent.parent / "prompts"))
    while not any(tmp_path.iterdir()):
        time.sleep(0.02)
    time.sleep(0.3)
    processes = descendants(process.pid)
    # Python ends itself by the signal when that came while it ran generated code; a shell shows 130 for both.
    assert Demo(process, 0).interrupt() in (130, -signal.SIGINT)
    assert "Traceback" not in process.communicate()[1]
    assert [pid for pid in processes if alive(pid)] == []
    assert list(tmp_path.iterdir()) == []


def descendants(pid: int) -> list[int]:
    children = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    return children + [below for child in children for below in descendants(child)]


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


# --- typed answers ---


@pytest.mark.faults  # as test_demo_browser sees it in a browser
def test_a_typed_answer_goes_beside_the_line_into_the_mail(tmp_path: Path, sounds: Path) -> None:
    """The whole way without a browser: the words are those that were typed, and the mail says how they came."""
    with running(tmp_path, sounds) as demo:
        telephone = PlainTelephone(demo)
        telephone.does(do="ring")
        for key in TO_THE_KORTE:
            telephone.until(what="says")  # a key may be pressed while the line speaks
            telephone.does(do="press", key=key)
        telephone.until(what="records")
        telephone.does(do="answer", text="Rødgrød med fløde")
        telephone.until(what="does", text="“Rødgrød med fløde”")
        telephone.does(do="press", key="#")
        telephone.until(what="hangs up")
        steps = wait_for_the_mail(demo)
        assert [step["words"] for step in steps] == ["skrevet ned", "sendt"]
        mail = get(f"{demo.address}/mails/1/html")
    assert "Rødgrød med fløde." in mail
    assert "Skrevet på tastaturet i prøven." in mail


def wait_for_the_mail(demo: Demo) -> list[dict[str, Any]]:
    end = time.monotonic() + 40
    while time.monotonic() < end:
        steps: list[dict[str, Any]] = json.loads(get(f"{demo.address}/progress"))
        if steps and steps[-1]["done"]:
            return steps
        time.sleep(0.2)
    pytest.fail("no mail came")


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=60) as response:
        return str(response.read().decode())


def test_what_was_spoken_goes_to_the_recogniser(tmp_path: Path) -> None:
    answers = TypedAnswers(tmp_path)
    answers.lay(b"one recording", "skrevet")
    heard = Transcript("hørt", 1.0, unsure=False, language="da")
    transcriber = TypedFirst(answers, SimpleNamespace(transcribe=lambda sound, language: heard))
    assert transcriber.transcribe(b"another recording", "da") is heard
    assert transcriber.transcribe(b"one recording", "da") == Transcript("skrevet", 0.0, unsure=False, language="da", typed=True)


def test_serve_and_work_cannot_take_typed_answers() -> None:
    """All that they load holds nothing of the demo."""
    load = "import sys, voice.__main__, voice.serving, voice.app, voice.jobs, voice.provider, voice.delivery, voice.speech.whisper"
    show = "print([name for name in sys.modules if name.startswith('voice.local')])"
    result = subprocess.run([sys.executable, "-c", f"{load}; {show}"], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


# --- progress ---


def test_every_status_of_the_database_has_its_words() -> None:
    assert set(store.SETTLED) < set(ANSWERS)
    assert {"open", "closed", "sending", "sent", "undeliverable", "empty"} == set(MAILS)


@pytest.mark.parametrize(
    ("statuses", "words", "done"),
    [
        ([], "ikke endnu", False),
        (["heard"], "skrevet ned", True),
        (["heard", "fetched"], "hentet", False),
        (["silent", "heard"], "skrevet ned", True),
        (["keyed"], "gemt", True),
    ],
)
def test_an_answer_is_as_far_as_its_slowest_part(statuses: list[str], words: str, done: bool) -> None:
    step = _answer(2, 3, statuses)
    assert (step.title, step.words, step.done) == ("Svar 2 af 3", words, done)
    assert isinstance(step, Step)


# --- pages ---


def mail(**attachments: tuple[str, bytes]) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Line <line@localhost>", "dig@localhost", "<b>Emne</b>"
    message["Date"] = datetime(2026, 11, 21, 12, tzinfo=UTC)
    message.set_content("Ren tekst <script>")
    message.add_alternative("<p>Mailens <b>HTML</b><script>alert(1)</script>", subtype="html")
    for name, (kind, content) in attachments.items():
        main, sub = kind.split("/")
        message.add_attachment(content, main, sub, filename=name.replace("_", "."))
    return message


@pytest.fixture
def mails() -> list[EmailMessage]:
    return []


@pytest.fixture
def client(mails: list[EmailMessage], tmp_path: Path) -> FlaskClient:
    schema.metadata.create_all(store.connect(f"sqlite:///{tmp_path / 'db'}"))
    config = SimpleNamespace(whisper_model="base", database_url=f"sqlite:///{tmp_path / 'db'}", prompts_dir=TEST_PROMPTS)
    line: Any = SimpleNamespace(mailbox=SimpleNamespace(mails=mails), config=config)
    telephone: Any = SimpleNamespace(call_sid=None)
    return create_app(line, telephone).test_client()


def test_an_empty_mailbox_shows_the_way_to_the_telephone(client: FlaskClient) -> None:
    assert "Her er ingen mail endnu." in client.get("/mails/").text
    assert client.get("/mails/1").status_code == client.get("/mails/0").status_code == client.get("/mails/1/html").status_code == 404


def test_the_newest_mail_is_shown_and_the_others_can_be_chosen(client: FlaskClient, mails: list[EmailMessage]) -> None:
    mails += [mail(), mail()]
    page = client.get("/mails/").text
    assert 'src="/mails/2/html"' in page
    assert 'href="/mails/1"' in page
    assert "&lt;b&gt;Emne&lt;/b&gt;" in page
    assert "Ren tekst &lt;script&gt;" in page
    assert "WHISPER_MODEL" in page
    assert 'src="/mails/1/html"' in client.get("/mails/1").text


def test_the_body_of_a_mail_can_neither_run_nor_load_anything(client: FlaskClient, mails: list[EmailMessage]) -> None:
    mails.append(mail())
    policy = client.get("/mails/1/html").headers["Content-Security-Policy"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; frame-ancestors 'self'"
    assert 'sandbox="allow-same-origin"' in client.get("/mails/1").text


def test_the_pictures_of_a_mail_are_shown_in_their_places(client: FlaskClient, mails: list[EmailMessage]) -> None:
    message = mail(ark_pdf=("application/pdf", b"%PDF"))
    page = message.get_body(("html",))
    page.set_content('<p><img src="cid:a@x"><img src="cid:b@x"></p>', subtype="html")
    for name in "ab":
        page.add_related(name.encode(), "image", "png", cid=f"<{name}@x>")
    mails.append(message)
    assert '<img src="/mails/1/pictures/0"><img src="/mails/1/pictures/1">' in client.get("/mails/1/html").text
    shown = client.get("/mails/1/pictures/1")
    assert (shown.data, shown.mimetype) == (b"b", "image/png")
    assert client.get("/mails/1/pictures/2").status_code == 404
    assert client.get("/mails/1").text.count("<li><a") == 1, "a picture is not an attachment"


def test_attachments_open_or_play(client: FlaskClient, mails: list[EmailMessage]) -> None:
    mails.append(mail(svar_mp3=("audio/mpeg", b"sound" * 1000), ark_pdf=("application/pdf", b"%PDF"), side_html=("text/html", b"<p>")))
    page = client.get("/mails/1").text
    assert '<audio controls preload="none" aria-label="svar.mp3" src="/mails/1/attachments/1">' in page
    assert page.count("<audio") == 1
    assert "(5 kB)" in page
    sound = client.get("/mails/1/attachments/1", headers={"Range": "bytes=0-4"})
    assert (sound.status_code, sound.data, sound.mimetype) == (206, b"sound", "audio/mpeg")
    opened = [client.get(f"/mails/1/attachments/{place}").headers["Content-Disposition"].split(";")[0] for place in (1, 2, 3)]
    assert opened == ["inline", "inline", "attachment"]
    assert client.get("/mails/1/attachments/4").status_code == client.get("/mails/1/attachments/0").status_code == 404


@pytest.mark.parametrize("path", ["/", "/mails/", "/progress", "/static/handset.js", "/nothing"])
def test_every_answer_carries_the_strict_policy(client: FlaskClient, path: str) -> None:
    headers = client.get(path, buffered=True).headers
    policy = "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'"
    assert headers["Content-Security-Policy"] == policy
    assert headers["Permissions-Policy"] == "microphone=(self)"
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/mails/"])
def test_the_pages_hold_no_script_or_style_of_their_own(client: FlaskClient, mails: list[EmailMessage], path: str) -> None:
    mails.append(mail())
    page = client.get(path).text
    assert "style=" not in page
    assert "<style" not in page
    assert page.count("<script") == page.count('<script type="module" src="/static/')
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_other_sites_are_kept_out(client: FlaskClient) -> None:
    assert client.get("/", base_url="http://evil.example:8080").status_code == 400
    assert client.get("/progress", headers={"Origin": "https://evil.example"}).status_code == 403
    assert client.get("/progress", headers={"Origin": "http://localhost"}).status_code == 200
