"""How a recording is cut for a recogniser: in chunks that it can hear, with all that is said in them."""

import numpy as np
import pytest

from voice.speech.audio import Samples, decode
from voice.speech.espeak import EspeakSynthesizer
from voice.speech.gate import RATE, Cut, chunks, speech_seconds


@pytest.fixture(scope="module")
def sentence() -> Samples:
    return decode(EspeakSynthesizer().synthesize("Jeg kan ikke tage de tunge løft, men jeg kan tage telefonen.", "da"), RATE)


def silence(seconds: float) -> Samples:
    return np.zeros(int(seconds * RATE), np.float32)


@pytest.mark.parametrize(("longest", "pause"), [(5, 0.0), (5, 2.5), (12, 0.3)])
def test_no_chunk_is_longer_than_a_recogniser_hears_and_all_speech_is_in_one(sentence: Samples, longest: int, pause: float) -> None:
    said = np.concatenate([sentence, silence(pause)] * 4)
    parts = chunks(said, Cut(longest=longest))
    assert max(part.size for part in parts) <= longest * RATE
    assert len(parts) >= speech_seconds(said) / longest
    assert sum(map(speech_seconds, parts)) > 0.95 * speech_seconds(said)


def test_long_silence_is_left_out_and_what_surrounds_speech_is_kept(sentence: Samples) -> None:
    said = np.concatenate([silence(5), sentence, silence(8), sentence, silence(5)])
    [part] = chunks(said, Cut(longest=30, edge=0.5))
    assert 2 * sentence.size <= part.size <= 2 * sentence.size + 2.4 * RATE


def test_nothing_said_is_no_chunk() -> None:
    assert chunks(silence(3), Cut()) == []
