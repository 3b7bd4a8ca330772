"""A recogniser that crashes, hangs or has no model: after three tries the mail says so of that answer, and nobody else's is touched."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import must_run
from tests.dtmf_transcriber import spaced
from tests.faults.desk import Desk, a_desk
from tests.faults.recognisers import POISON, Ill
from tests.test_webhooks import Phone, recording
from tests.web import environ
from voice.app import create_transcriber
from voice.config import Config
from voice.errors import ConfigError
from voice.speech import apart
from voice.speech.apart import ApartTranscriber

MEMORY = 1_500_000_000
ILL, WELL = POISON.replace(" ", "") + "0001", "9880002"
row = pytest.mark.row("recogniser")


@contextmanager
def a_line_with(fate: str, until: str = "") -> Iterator[Desk]:
    hears = ApartTranscriber(f"{Ill.__module__}:{Ill.__name__}", {"fate": fate, "until": until}, MEMORY)
    try:
        with a_desk(transcriber=hears) as desk:
            yield desk
    finally:
        hears.close()


def says(desk: Desk, *marks: str) -> None:
    """One caller, one answer after the other, until the end of the short guide."""
    for mark in marks:
        phone, sid = Phone(desk.web).at_question("kort"), recording()
        desk.provider.recordings[sid] = mark
        news = phone.urls["news"]
        phone.speaks(sid)
        assert phone.news(sid, url=news) == 204
        phone.key("#")
        phone.ends()


def all_three(desk: Desk, of_the_ill: str, tries: int) -> None:
    """Three callers, of whom the second one's recording is poison. What the mails say, and how often it was tried."""
    says(desk, WELL, ILL, WELL)
    desk.work_until(desk.now + 120)
    assert sorted(mail["eneste"] for mail in desk.words()) == sorted([spaced(WELL), of_the_ill, spaced(WELL)])
    (ill,) = (sid for sid, mark in desk.provider.recordings.items() if mark == ILL)
    assert len([job for job in desk.done if job.startswith(f"transcribe:{ill}:")]) == tries
    assert desk.dead_jobs() == ([f"transcribe:{ill}:{tries}"] if of_the_ill == "failed" else [])
    assert set(desk.provider.recordings) == desk.provider.deleted, "a recording is left at the provider"


@row
@pytest.mark.parametrize("fate", ["crash", *(pytest.param(fate, marks=pytest.mark.faults) for fate in ("end", "lie", "fail", "swell"))])
def test_what_ends_the_recogniser_is_tried_three_times_and_then_the_mail_says_so(fate: str) -> None:
    with a_line_with(fate) as desk:
        all_three(desk, "failed", tries=3)


@row
@pytest.mark.faults
def test_what_makes_the_recogniser_hang_is_given_up_and_the_mail_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "SECONDS_AT_LEAST", 5)
    with a_line_with("hang") as desk:
        all_three(desk, "failed", tries=1)


@row
@pytest.mark.faults
def test_where_the_recogniser_hears_nothing_the_mail_says_that_there_was_nothing() -> None:
    with a_line_with("nothing") as desk:
        all_three(desk, "not_heard", tries=1)


@row
@pytest.mark.faults
def test_a_recogniser_that_takes_ten_times_as_long_is_waited_for() -> None:
    with a_line_with("slow") as desk:
        all_three(desk, spaced(ILL), tries=1)


@row
@pytest.mark.faults
def test_a_recogniser_that_cannot_start_is_started_again_and_hears_when_its_model_is_back(tmp_path: Path) -> None:
    with a_line_with("start", str(tmp_path / "model")) as desk:
        says(desk, WELL)
        desk.work()
        assert desk.words() == []
        (tmp_path / "model").touch()
        desk.work_until(desk.now + 120)
        assert [mail["eneste"] for mail in desk.words()] == [spaced(WELL)]
        assert desk.dead_jobs() == []


@row
@pytest.mark.faults
@pytest.mark.parametrize("what", ["is missing", "is cut short", "is something else"])
def test_a_worker_without_a_whole_model_does_not_start_and_says_what_to_do(what: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "tokenizer.json").write_text("{}")
    if what != "is missing":
        (folder / "model.bin").write_bytes(b"" if what == "is cut short" else b"\0" * 1000)
    with pytest.raises(ConfigError) as told:
        create_transcriber(Config.from_env(environ(tmp_path, WHISPER_MODEL=str(folder))))
    assert re.search("convert|samtaleklar model fetch", str(told.value))


@row
@pytest.mark.faults
def test_a_model_whose_weights_were_changed_is_refused(tmp_path: Path) -> None:
    config = Config.from_env(environ(tmp_path))
    try:
        create_transcriber(config)
    except ConfigError:
        must_run("the trial model is not installed")
    weights = config.data_dir / "models" / "whisper-base" / "model.bin"
    with weights.open("r+b") as file:
        file.seek(-1000, 2)
        file.write(b"\xff" * 500)
    with pytest.raises(ConfigError, match="damaged"):
        create_transcriber(config)
