"""The worker puts the mail, the pages and the sound together; and a form that fails never holds the words."""

from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.databases import make_ready
from tests.dtmf_transcriber import dtmf_wav
from tests.test_logs import logged
from tests.web import environ
from voice import store, vault
from voice.config import Config
from voice.content import load
from voice.errors import DeliveryError, SummaryError
from voice.jobs import Jobs
from voice.keyring import Keyring
from voice.preparations import Placing, Preparations
from voice.queue import Queue
from voice.speech import Transcript
from voice.speech.sounds import VOICES, sound_key
from voice.summary import sheet, sound

CALL, RECORDING = "CA" + "1" * 32, "RE" + "1" * 32
SECRET = "jeg kan løfte en hemmelighed"
FORMS = {"Til din samtale.pdf": b"%PDF-", "Til din samtale.mp3": b"ID3"}


class Line:
    """A worker's jobs over a database with one answer in one closed preparation."""

    def __init__(self, folder: Path, **settings: str) -> None:
        config = Config.from_env(environ(folder, **settings))
        make_ready(config.database_url)
        self.engine = store.connect(config.database_url)
        self.prompts = load(config.prompts_dir / "da")
        keyring = Keyring.of(config, self.engine)
        keyring.start()
        queue = Queue(self.engine)
        self.mails: list[EmailMessage] = []
        self.refused = 0  # how many mails the relay refuses
        provider: Any = SimpleNamespace(recording=lambda _sid: dtmf_wav("123"))
        transcriber: Any = SimpleNamespace(transcribe=lambda _sound, _language: Transcript(SECRET, 1.0, unsure=True, language="da"))
        self.jobs = Jobs(config, self.engine, queue, self.prompts, provider, transcriber, keyring, self._take, clock=lambda: 2000.0)
        preparations = Preparations(queue, lambda: 1000.0)
        with store.writing(self.engine) as tx:
            asked = self.prompts.guide("lang").questions[0].asking(0).text
            store.save_sound(tx, sound_key(asked, "da", VOICES["espeak"]), dtmf_wav("456"))
            store.begin_call(tx, CALL, "{}", 1.0)
            self.preparation = preparations.open(tx, "lang", "da", consent_at=1.0, opened_by=CALL)
            preparations.expect(tx, RECORDING, Placing(CALL, 1, self.preparation, "hvad", 1), complete=True)
        self.jobs.fetch(RECORDING)
        self.jobs.transcribe(RECORDING)
        with store.writing(self.engine) as tx:
            preparations.close(tx, self.preparation)

    def mail(self) -> EmailMessage:
        self.jobs.send(self.preparation)
        return self.mails[-1]

    def spoil_the_recording(self) -> None:
        with store.writing(self.engine) as tx:
            row = store.utterance(tx, RECORDING)
            assert row is not None
            sealed = vault.seal(row.public_key, b"no sound", vault.place("utterances", "sound", RECORDING))
            store.save_utterance(tx, RECORDING, sound_sealed=sealed)

    def _take(self, mail: EmailMessage) -> None:
        self.mails.append(mail)
        if len(self.mails) <= self.refused:
            raise DeliveryError("not now")


@pytest.fixture
def line(tmp_path: Path) -> Callable[..., Line]:
    return lambda **settings: Line(tmp_path, **settings)


def attached(mail: EmailMessage) -> dict[str, bytes]:
    return {part.get_filename() or "": part.get_content() for part in mail.iter_attachments()}


def text(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_a_mail_comes_with_the_pages_and_the_sound(line: Callable[..., Line]) -> None:
    mail = line().mail()
    files = attached(mail)
    assert list(files) == list(FORMS)
    assert all(files[name].startswith(head) for name, head in FORMS.items())
    assert all(name in text(mail) for name in FORMS)
    assert "Lyt her: del et." in text(mail)


@pytest.mark.parametrize(("setting", "left"), [("ATTACH_PDF", "Til din samtale.mp3"), ("ATTACH_SOUND", "Til din samtale.pdf")])
def test_what_is_not_wanted_is_neither_made_nor_spoken_of(line: Callable[..., Line], setting: str, left: str) -> None:
    mail = line(**{setting: "0"}).mail()
    assert list(attached(mail)) == [left]
    assert [name for name in FORMS if name in text(mail)] == [left]
    assert "mangler" not in text(mail)


@pytest.mark.parametrize("error", [SummaryError(SECRET), ValueError(SECRET), MemoryError()])
@pytest.mark.parametrize(("form", "left", "told"), [(sheet, "Til din samtale.mp3", "Siderne"), (sound, "Til din samtale.pdf", "Lyden")])
def test_a_form_that_fails_does_not_hold_the_mail_and_tells_no_log_what_was_said(
    line: Callable[..., Line],
    monkeypatch: pytest.MonkeyPatch,
    form: Any,
    left: str,
    told: str,
    error: Exception,
) -> None:
    def fail(*_: object) -> bytes:
        raise error

    monkeypatch.setattr(form, "write", fail)
    with logged() as log:
        mail = line().mail()
    assert list(attached(mail)) == [left]
    assert f"{told} mangler." in text(mail)
    assert "Jeg kan løfte en hemmelighed." in text(mail)
    assert type(error).__name__ in log.getvalue()
    assert "hemmelighed" not in log.getvalue()


def test_a_recording_that_cannot_be_read_costs_no_word(line: Callable[..., Line]) -> None:
    worker = line()
    worker.spoil_the_recording()
    assert "Jeg kan løfte en hemmelighed." in text(worker.mail())


def test_a_mail_that_is_tried_again_is_the_same_bytes(line: Callable[..., Line]) -> None:
    worker = line()
    worker.refused = 1
    with pytest.raises(DeliveryError):
        worker.mail()
    worker.mail()
    first, second = worker.mails
    assert bytes(first) == bytes(second)


@pytest.mark.parametrize(
    ("has_sound", "comes"), [(False, []), (True, ["Til din samtale.mp3"])], ids=["never fetched", "never written down"]
)
def test_a_late_answer_that_nobody_could_hear_brings_no_pages_and_its_sound_only_if_there_is_any(
    line: Callable[..., Line], has_sound: bool, comes: list[str]
) -> None:
    here = line()
    with store.writing(here.engine) as tx:
        store.save_preparation(tx, here.preparation, late_of=store.new_id())
        store.save_utterance(tx, RECORDING, status="failed", **({} if has_sound else {"sound_sealed": None}))
    mail = here.mail()
    assert list(attached(mail)) == comes
    assert [name for name in FORMS if name in text(mail)] == comes
