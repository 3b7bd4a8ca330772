"""A recording that makes the recogniser crash, hang or swell ends with it; and nothing leaves the process in which it is heard."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import must_run
from tests.dtmf_transcriber import dtmf_wav
from tests.speech_contract import TranscriberContract, silence_wav
from voice.errors import SpeechError
from voice.speech import apart
from voice.speech.apart import ApartTranscriber
from voice.speech.audio import decode

MEMORY = 1_500_000_000
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="the limits are Linux's")


@pytest.fixture(scope="module")
def recogniser() -> Iterator[ApartTranscriber]:
    transcriber = ApartTranscriber("tests.apart_recognisers:Recogniser", {}, MEMORY)
    yield transcriber
    transcriber.close()


def says(recogniser: ApartTranscriber, wish: str) -> str:
    return recogniser.transcribe(b"a sound", wish).text


@pytest.fixture(scope="module")
def keys_apart() -> Iterator[ApartTranscriber]:
    transcriber = ApartTranscriber("tests.dtmf_transcriber:DtmfTranscriber", {}, MEMORY)
    yield transcriber
    transcriber.close()


class TestApart(TranscriberContract):
    @pytest.fixture
    def transcriber(self, keys_apart: ApartTranscriber) -> ApartTranscriber:
        return keys_apart

    @pytest.fixture
    def spoken(self) -> bytes:
        return dtmf_wav("4711")

    def test_it_decodes_as_one_would_oneself(self, transcriber: ApartTranscriber, spoken: bytes) -> None:
        assert np.abs(transcriber.decode(spoken, 8000) - decode(spoken, 8000)).max() < 1 / 16000
        with pytest.raises(SpeechError, match="cannot be decoded") as caught:
            transcriber.decode(b"no sound at all", 8000)
        assert caught.value.permanent

    def test_what_is_too_large_is_not_even_handed_over(self, transcriber: ApartTranscriber) -> None:
        with pytest.raises(SpeechError, match="too large") as caught:
            transcriber.transcribe(bytes(apart.MAX_BYTES + 1), "da")
        assert caught.value.permanent


@pytest.mark.parametrize("fate", ["crash", "end", "lie", pytest.param("swell", marks=only_linux)])
def test_whoever_makes_it_end_has_to_be_tried_again_and_the_next_is_heard(recogniser: ApartTranscriber, fate: str) -> None:
    with pytest.raises(SpeechError) as caught:
        says(recogniser, fate)
    assert not caught.value.permanent
    assert says(recogniser, "da") == "hej"


def test_whoever_makes_it_hang_is_given_up_and_the_next_is_heard(recogniser: ApartTranscriber, monkeypatch: pytest.MonkeyPatch) -> None:
    says(recogniser, "da")
    before = int(says(recogniser, "process"))
    with monkeypatch.context() as patience:
        patience.setattr(apart, "SECONDS_AT_LEAST", 0.5)
        with pytest.raises(SpeechError, match="took too long") as caught:
            says(recogniser, "hang")
    assert caught.value.permanent
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)
    assert says(recogniser, "da") == "hej"


def test_one_process_hears_many_recordings_and_a_new_one_comes_for_one_that_was_killed(recogniser: ApartTranscriber) -> None:
    first = int(says(recogniser, "process"))
    assert int(says(recogniser, "process")) == first
    os.kill(first, signal.SIGKILL)
    second = 0
    while second in (0, first):
        try:
            second = int(says(recogniser, "process"))
        except SpeechError:  # killed, but not noticed yet
            continue
    assert says(recogniser, "da") == "hej"


def test_what_a_library_prints_is_no_reply(recogniser: ApartTranscriber) -> None:
    assert says(recogniser, "chatter") == "quiet again"


def test_an_error_tells_its_type_and_no_word(recogniser: ApartTranscriber) -> None:
    with pytest.raises(SpeechError) as caught:
        says(recogniser, "fail")
    assert str(caught.value) == "The recogniser failed: RuntimeError."


def test_it_gets_no_secret(recogniser: ApartTranscriber, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "a secret")
    recogniser.close()
    assert "TWILIO" not in says(recogniser, "secrets")
    assert "PATH" in says(recogniser, "secrets")


@only_linux
def test_it_reaches_no_network(recogniser: ApartTranscriber) -> None:
    if says(recogniser, "interfaces") != "['lo']":
        must_run("this system lets nobody leave the network")
    assert says(recogniser, "network") == "OSError"  # not even this machine's own: its loopback is down


@only_linux
def test_it_writes_no_file(recogniser: ApartTranscriber) -> None:
    with pytest.raises(SpeechError):
        says(recogniser, "files")


@only_linux
def test_it_ends_when_nobody_is_left_to_ask_it(tmp_path: Path) -> None:
    program = f"""
import os
from voice.speech.apart import ApartTranscriber
transcriber = ApartTranscriber("tests.apart_recognisers:Recogniser", {{}}, {MEMORY})
open({str(tmp_path / "pid")!r}, "w").write(transcriber.transcribe(b"x", "process").text)
os._exit(1)
"""
    os.spawnl(os.P_WAIT, sys.executable, sys.executable, "-c", program)
    pid = int((tmp_path / "pid").read_text())
    end = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and "State:\tZ" not in Path(f"/proc/{pid}/status").read_text():
        assert time.monotonic() < end, "it is still there"
        time.sleep(0.05)


def test_silence_is_heard_as_silence_at_whatever_rate(recogniser: ApartTranscriber) -> None:
    assert [recogniser.decode(silence_wav(1), rate).size for rate in (8000, 16000)] == [8000, 16000]
