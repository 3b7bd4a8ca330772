"""The second engine: a transducer through sherpa-onnx. Its weights are random, so what it writes has no sense."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import random_transducer
from tests.speech_contract import TranscriberContract
from tests.web import environ
from voice.app import create_transcriber
from voice.config import Config
from voice.errors import ConfigError
from voice.speech.apart import ApartTranscriber
from voice.speech.engines import languages, memory, recogniser
from voice.speech.espeak import EspeakSynthesizer
from voice.speech.flags import Word
from voice.speech.models import find_model
from voice.speech.sherpa import TransducerTranscriber, joined
from voice.speech.telephone import telephone_wav


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_transducer.make(tmp_path_factory.mktemp("models") / "transducer")


@pytest.fixture(scope="module")
def apart(model: Path) -> Iterator[ApartTranscriber]:
    settings: dict[str, str | int] = {"model_folder": str(model), "threads": 1}
    transcriber = ApartTranscriber(recogniser(model), settings, memory(model))
    yield transcriber
    transcriber.close()


class TestTransducer(TranscriberContract):
    """As the worker runs it: in a process of its own."""

    @pytest.fixture
    def transcriber(self, apart: ApartTranscriber) -> ApartTranscriber:
        return apart

    @pytest.fixture
    def spoken(self) -> bytes:
        return telephone_wav(EspeakSynthesizer().synthesize("Jeg er træt, når jeg kommer hjem.", "da"), caption="")

    def test_it_writes_words_of_its_tokens_each_as_probable_as_their_pieces(self, model: Path, spoken: bytes) -> None:
        transcript = TransducerTranscriber(model, threads=1).transcribe(spoken, "da")
        known = {token.strip("▁") for token in random_transducer.TOKENS}
        assert set(transcript.text.replace("en", " ").replace("er", " ").split()) <= known

    def test_whoever_speaks_another_language_is_written_down_as_it_tells_none_apart(self, transcriber: ApartTranscriber) -> None:
        english = EspeakSynthesizer().synthesize("I am often tired when I come home from work, and my back hurts.", "en")
        transcript = transcriber.transcribe(telephone_wav(english, caption=""), "da")
        assert transcript.text
        assert not transcript.foreign


def test_pieces_become_words_where_a_space_begins() -> None:
    halved = -0.6931471805599453
    assert joined([" jeg", " ", "er", " træt", "hed", "."], [0.0, 0.0, halved, 0.0, halved, 0.0]) == [
        Word("jeg", 1.0),
        Word("er", pytest.approx(0.75)),
        Word("træthed.", pytest.approx(2.5 / 3)),
    ]
    assert joined([], []) == []


class TestWhichEngine:
    def test_the_folder_tells(self, model: Path, tmp_path: Path) -> None:
        assert recogniser(model).endswith("sherpa:TransducerTranscriber")
        (tmp_path / "model.bin").touch()
        assert recogniser(tmp_path).endswith("whisper:WhisperTranscriber")

    def test_a_whole_transducer_is_a_model(self, model: Path, tmp_path: Path) -> None:
        assert find_model(str(model), tmp_path) == model

    @pytest.mark.parametrize("missing", ["decoder.onnx", "joiner.onnx", "tokens.txt"])
    def test_one_without_a_part_is_refused_with_the_mend(self, tmp_path: Path, missing: str) -> None:
        folder = random_transducer.make(tmp_path / "model")
        (folder / missing).unlink()
        with pytest.raises(ConfigError, match=f"holds no {missing}: export or copy the model again"):
            find_model(str(folder), tmp_path)

    def test_without_its_engine_the_mend_is_how_to_install_it(self, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(ConfigError, match=r"sherpa-onnx: install it with pip install \"samtaleklar\[transducer\]\""):
            find_model(str(model), tmp_path)

    def test_a_worker_hears_with_it_when_it_is_set(self, model: Path, tmp_path: Path) -> None:
        transcriber = create_transcriber(Config.from_env(environ(tmp_path, WHISPER_MODEL=str(model))))
        try:
            spoken = telephone_wav(EspeakSynthesizer().synthesize("Jeg er træt.", "da"), caption="")
            assert transcriber.transcribe(spoken, "da").text == TransducerTranscriber(model, threads=1).transcribe(spoken, "da").text != ""
        finally:
            transcriber.close()

    def test_a_worker_does_not_start_with_limits_of_flags_that_cannot_be_read(self, tmp_path: Path) -> None:
        folder = random_transducer.make(tmp_path / "model")
        (folder / "calibration.json").write_text("{}")
        with pytest.raises(ConfigError, match=r"calibration\.json holds no limits of flags"):
            create_transcriber(Config.from_env(environ(tmp_path, WHISPER_MODEL=str(folder))))

    def test_it_is_danish_unless_a_list_lies_beside_it(self, tmp_path: Path) -> None:
        folder = random_transducer.make(tmp_path / "model")
        assert languages(folder) == {"da"}
        (folder / "languages.txt").write_text("da\nsv\n")
        assert languages(folder) == {"da", "sv"}

    def test_of_two_files_the_smaller_kind_is_taken(self, tmp_path: Path) -> None:
        folder = random_transducer.make(tmp_path / "model")
        (folder / "encoder.onnx").rename(folder / "encoder.int8.onnx")
        (folder / "encoder.onnx").write_bytes(b"no model")
        heard = TransducerTranscriber(folder, threads=1)
        assert heard.transcribe(telephone_wav(EspeakSynthesizer().synthesize("Jeg er træt.", "da"), caption=""), "da").spoken
