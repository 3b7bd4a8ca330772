"""The recogniser with a real model, its voice gate and its doubts; and the stand-in for it that other tests use."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.conftest import SHARED, must_run
from tests.dtmf_transcriber import KEYS, DtmfTranscriber, dtmf_wav
from tests.speech_contract import TranscriberContract, silence_wav
from voice.config import ROOT
from voice.speech.audio import decode
from voice.speech.espeak import EspeakSynthesizer
from voice.speech.gate import RATE, Cut, chunks
from voice.speech.listening import foreign_language
from voice.speech.models import find_model
from voice.speech.telephone import telephone_wav
from voice.speech.whisper import WhisperTranscriber

NONSPEECH = (
    "breathing",
    "dialtone",
    "digital_silence_10s",
    "dtmf5",
    "holdmusic",
    "linenoise_-30dB_10s",
    "linenoise_-50dB_10s",
    "linenoise_30s",
    "linenoise_60s",
    "traffic_brown_10s",
)


def clip(name: str) -> bytes:
    """A reference recording. It is not part of the project."""
    path = SHARED / "audio" / f"{name}.wav"
    if not path.exists():
        must_run(f"the reference recording {name} is not here")
    return path.read_bytes()


@pytest.fixture(scope="session")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> WhisperTranscriber:
    return WhisperTranscriber(find_model("base", tmp_path_factory.mktemp("models")), threads=2)


class TestWhisper(TranscriberContract):
    @pytest.fixture
    def transcriber(self, whisper: WhisperTranscriber) -> WhisperTranscriber:
        return whisper

    @pytest.fixture
    def spoken(self) -> bytes:
        """Made by espeak. A longer sentence is not understood, and tried again and again."""
        return telephone_wav(EspeakSynthesizer().synthesize("Jeg har det godt.", "da"), caption="")

    def test_a_long_answer_is_heard_chunk_by_chunk(self, whisper: WhisperTranscriber) -> None:
        said = "I am often tired when I come home from work. My back hurts after a long day. I would like to plan in another way."
        samples = decode(EspeakSynthesizer().synthesize(said, "en"), RATE)
        parts = chunks(samples, Cut(longest=3))
        pieces = whisper.write(parts, "en")
        assert len(pieces) == len(parts) > 2
        assert all(0 <= word.probability <= 1 for piece in pieces for word in piece)
        first, last = (" ".join(word.text for word in piece).lower() for piece in (pieces[0], pieces[-1]))
        assert ("tired" in first, "way" in last) == (True, True), f"{first} … {last}"


@pytest.mark.parametrize(
    ("no_speech", "logprob", "text"),
    [(0.61, -1.01, ""), (0.59, -1.01, "Tak"), (0.61, -0.99, "Tak")],
    ids=["an animal", "probably speech", "clear words"],
)
def test_what_the_model_takes_for_no_speech_and_only_guesses_has_no_words(
    tmp_path: Path, no_speech: float, logprob: float, text: str
) -> None:
    transcriber = WhisperTranscriber(tmp_path, threads=1)
    segment = SimpleNamespace(no_speech_prob=no_speech, avg_logprob=logprob, words=[SimpleNamespace(word=" Tak", probability=0.4)])
    transcriber._pipeline = SimpleNamespace(transcribe=lambda *_, **__: ([segment], None))
    pieces = transcriber.write([np.zeros(RATE, np.float32)], "da")
    assert [word.text for piece in pieces for word in piece] == ([text] if text else [])


class TestDtmf(TranscriberContract):
    @pytest.fixture
    def transcriber(self) -> DtmfTranscriber:
        return DtmfTranscriber()

    @pytest.fixture
    def spoken(self) -> bytes:
        return dtmf_wav("4711")

    @pytest.mark.parametrize("keys", [KEYS, *KEYS, "1122", "000"])
    def test_it_writes_exactly_the_keys_it_hears(self, transcriber: DtmfTranscriber, keys: str) -> None:
        assert transcriber.transcribe(dtmf_wav(keys), "da").text == " ".join(keys)

    def test_speech_is_not_keys_to_it(self, transcriber: DtmfTranscriber) -> None:
        speech = EspeakSynthesizer().synthesize("En to tre fire fem seks syv otte ni ti.", "da")
        assert not transcriber.transcribe(speech, "da").spoken


class TestPeopleOnTheTelephone:
    def test_counting_is_understood(self, whisper: WhisperTranscriber) -> None:
        transcript = whisper.transcribe(clip("human/u0013002"), "da")
        words = transcript.text.lower().replace(",", " ").replace(".", " ").split()
        numbers = ("1 en", "2 to", "3 tre", "4 fire", "5 fem", "6 seks", "7 syv", "8 otte")
        assert sum(any(form in words for form in number.split()) for number in numbers) >= 5
        assert 3 < transcript.speech_seconds < 5.3
        assert not transcript.foreign

    def test_a_short_sentence_that_is_understood_is_not_marked_for_being_short(self, whisper: WhisperTranscriber) -> None:
        transcript = whisper.transcribe(clip("human/u0042018"), "da")
        assert transcript.text.startswith("Det er også på tid")
        assert transcript.speech_seconds < 1.5
        assert not transcript.unsure
        assert not transcript.foreign


HUMAN = ("u0042008", "u0042011", "u0042013", "u0042015", "u0042016")


class TestForeign:
    def test_english_is_not_written_down_as_if_it_were_danish(self, whisper: WhisperTranscriber) -> None:
        """The English is espeak's."""
        said = "I am often tired when I come home from work, and my back hurts. I would like to plan the days in another way."
        sound = telephone_wav(EspeakSynthesizer().synthesize(said, "en"), caption="")
        transcript = whisper.transcribe(sound, "da")
        assert (transcript.text, transcript.language, transcript.foreign, transcript.spoken) == ("", "en", True, True)
        expected = whisper.transcribe(sound, "en")
        assert (expected.language, expected.foreign) == ("en", False)
        assert "work" in expected.text

    @pytest.mark.faults
    @pytest.mark.parametrize("name", HUMAN)
    def test_no_dane_is_taken_for_a_foreigner(self, whisper: WhisperTranscriber, name: str) -> None:
        first, *_ = chunks(decode(clip(f"human/{name}"), RATE), Cut())
        assert foreign_language(whisper.languages(first), "da") == ""

    def test_too_little_speech_to_tell_a_language_by_is_not_foreign(self, whisper: WhisperTranscriber) -> None:
        transcript = whisper.transcribe(telephone_wav(EspeakSynthesizer().synthesize("Thank you so much.", "en"), caption=""), "da")
        assert transcript.speech_seconds < 2
        assert not transcript.foreign

    @pytest.mark.parametrize(
        ("probabilities", "foreign"),
        [
            ({"en": 0.97, "da": 0.001}, "en"),
            ({"en": 0.84, "da": 0.001}, ""),
            ({"de": 0.89, "da": 0.019}, ""),
            ({"da": 0.97, "de": 0.01}, ""),
            ({"de": 0.3, "en": 0.2, "da": 0.001}, ""),
        ],
        ids=["surely", "not surely enough", "Danish not out of question", "Danish", "nobody knows"],
    )
    def test_it_is_foreign_only_when_another_language_is_sure_and_the_expected_one_is_out_of_question(
        self, probabilities: dict[str, float], foreign: str
    ) -> None:
        assert foreign_language(probabilities, "da") == foreign


class TestVoiceGate:
    @pytest.mark.parametrize("name", NONSPEECH)
    def test_noise_has_no_words(self, whisper: WhisperTranscriber, name: str) -> None:
        transcript = whisper.transcribe(clip(f"nonspeech/{name}"), "da")
        assert (transcript.text, transcript.spoken, transcript.unsure) == ("", False, False)

    def test_without_speech_the_model_is_not_even_loaded(self, tmp_path: Path) -> None:
        transcriber = WhisperTranscriber(tmp_path / "no model here", threads=1)
        assert not transcriber.transcribe(silence_wav(2), "da").spoken

    def test_one_recording_is_listened_to_at_a_time(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        listening = threading.Semaphore(1)

        def gate(*_: object, **__: object) -> list[dict[str, int]]:
            assert listening.acquire(blocking=False), "another one is being listened to"
            time.sleep(0.01)
            listening.release()
            return []

        monkeypatch.setattr("voice.speech.gate.get_speech_timestamps", gate)
        transcriber = WhisperTranscriber(tmp_path, threads=1)
        with ThreadPoolExecutor(4) as threads:
            assert len(list(threads.map(lambda sound: transcriber.transcribe(sound, "da"), [silence_wav(1)] * 4))) == 4


def test_faster_whisper_is_told_that_there_is_no_network_before_it_asks() -> None:
    program = "import voice.speech.whisper, huggingface_hub.constants as hub; print(hub.HF_HUB_OFFLINE)"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "True"
