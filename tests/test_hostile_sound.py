"""Sound is hostile input: whatever a recording holds, the worker and every other recording get past it."""

import random
from pathlib import Path

import numpy as np
import pytest

from tests.dtmf_transcriber import DtmfTranscriber
from tests.hostile import corpus, mutated
from tests.test_forms import Line, attached, text
from tests.web import Web
from voice.app import create_worker
from voice.errors import SpeechError
from voice.speech.apart import ApartTranscriber, decoder
from voice.speech.audio import MAX_SECONDS
from voice.speech.whisper import RATE

CORPUS = corpus()


@pytest.fixture(scope="module")
def apart():  # type: ignore[no-untyped-def]
    process = decoder()
    yield process
    process.close()


def tried(apart: ApartTranscriber, how: str, sound: bytes) -> bool:
    """Decode it where the worker does. Whether there was any sound in it; a fault of ours raises."""
    try:
        samples = apart.decode(sound, RATE)
    except SpeechError as error:
        # Not permanent is a crash, or an exception that nobody expected; too long is a hang.
        if not error.permanent or "took too long" in str(error):
            pytest.fail(f"{how}: {error}")
        return False
    assert 0 < samples.size <= (MAX_SECONDS + 1) * RATE, how
    assert np.isfinite(samples).all(), how
    assert np.abs(samples).max() <= 1, how
    return True


def test_of_eighty_hostile_recordings_each_is_read_or_refused_and_one_process_gets_past_all(apart: ApartTranscriber) -> None:
    assert len(CORPUS) >= 80
    read = {name for name, sound in CORPUS.items() if tried(apart, name, sound)}
    first = apart._process
    assert first is not None
    assert first.poll() is None
    assert {"0.1 s", "stereo", "48 kHz", "really 24 bits", "mu-law", "float", "MP3 named WAV", "a huge claimed length"} <= read
    assert not read & {"nothing", "0 s", "a web page", "a playlist", "a list of files", "a session", "a picture", "no channels", "no rate"}


@pytest.mark.faults
def test_of_ten_thousand_mutated_recordings_each_is_read_or_refused(apart: ApartTranscriber) -> None:
    read = sum(tried(apart, how, sound) for how, sound in mutated(random.randrange(10**6), 10_000))
    print(f"\nmutated recordings: 10000, of which {read} could be heard; 0 crashes")
    assert read > 1000


def test_the_worker_decodes_callers_recordings_apart(tmp_path: Path) -> None:
    web = Web(tmp_path)
    worker = create_worker(web.config, DtmfTranscriber())
    decode = worker._jobs["send"].run.__self__._decode  # type: ignore[attr-defined]
    assert isinstance(getattr(decode, "__self__", None), ApartTranscriber)
    worker._engine.dispose()
    web.close()


@pytest.mark.parametrize("fate", ["crash", "swell", "fail"])
def test_a_recording_that_ends_its_process_leaves_the_mail_whole_but_for_its_own_part(tmp_path: Path, fate: str) -> None:
    poisoned = ApartTranscriber("tests.apart_recognisers:Recogniser", {}, 1_500_000_000)
    line = Line(tmp_path, ATTACH_PDF="0")
    opened: list[bytes] = []

    def decode(sound: bytes, _rate: int) -> np.ndarray:
        opened.append(sound)
        poisoned.transcribe(b"a sound", fate)
        raise AssertionError("it is still there")

    line.jobs._decode = decode
    mail = line.mail()
    poisoned.close()
    assert opened
    assert list(attached(mail)) == ["Til din samtale.mp3"], "one part that cannot be heard took the whole sound with it"
    assert "hemmelighed" in text(mail)
