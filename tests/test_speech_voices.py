"""The voices: the offline one, and Google's against a server on this machine that speaks its protocol."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.google_voice import Google, google_voice, mp3  # noqa: F401 - a fixture
from tests.speech_contract import SynthesizerContract
from voice.config import ROOT
from voice.errors import SpeechError
from voice.speech.audio import decode
from voice.speech.espeak import EspeakSynthesizer
from voice.speech.google import GoogleSynthesizer
from voice.speech.sounds import RATE

LONG = "Hvad gør dig træt, når du er på arbejde? " * 6  # over 200 characters, so three pieces


class TestEspeak(SynthesizerContract):
    @pytest.fixture
    def synthesizer(self) -> EspeakSynthesizer:
        return EspeakSynthesizer()

    def test_several_threads_do_not_mix_their_texts(self) -> None:
        texts = ["Et spørgsmål til. " * number for number in range(1, 9)]
        alone = list(map(self.seconds, texts))
        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(self.seconds, texts)) == pytest.approx(alone, rel=0.03)

    @pytest.mark.parametrize("language", ["en", "no"])
    def test_each_language_has_a_tongue_of_its_own(self, language: str) -> None:
        danish, other = (EspeakSynthesizer().synthesize("August, september, oktober.", one) for one in ("da", language))
        assert danish != other
        assert self.seconds("5") == pytest.approx(self.seconds("fem"), rel=0.05), "the next one is Danish again"

    def test_numbers_are_read_as_a_dane_reads_them(self) -> None:
        assert self.seconds("5") == pytest.approx(self.seconds("fem"), rel=0.05)

    def seconds(self, text: str) -> float:
        """How long it takes to say; espeak varies its breath a little from one time to the next."""
        return decode(EspeakSynthesizer().synthesize(text, "da"), RATE).size / RATE

    def test_a_data_folder_with_a_long_path_is_an_error_and_not_the_end_of_the_process(self) -> None:
        program = """
import espeakng_loader
espeakng_loader.get_data_path = lambda: "/" + "x" * 200
from voice.errors import SpeechError
from voice.speech.espeak import EspeakSynthesizer
try:
    EspeakSynthesizer().synthesize("Goddag", "da")
except SpeechError as error:
    print(error.permanent, error)
"""
        run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
        assert re.match(r"True espeak cannot read its data .*/xxx", run.stdout)


@pytest.mark.usefixtures("google")
class TestGoogle(SynthesizerContract):
    @pytest.fixture
    def synthesizer(self) -> GoogleSynthesizer:
        return GoogleSynthesizer(waits=())


class TestGooglesProtocol:
    def test_danish_is_asked_for(self, google: Google) -> None:
        GoogleSynthesizer().synthesize("Goddag på øen.", "da")
        assert google.asked == [("Goddag på øen.", "da")]

    def test_a_long_text_is_asked_for_in_pieces_and_comes_back_whole(self, google: Google) -> None:
        sound = GoogleSynthesizer().synthesize(LONG, "da")
        pieces = [text for text, _ in google.asked]
        assert len(pieces) >= 3
        assert re.findall(r"\w+", " ".join(pieces)) == re.findall(r"\w+", LONG)
        assert decode(sound, RATE).size == pytest.approx(sum(decode(mp3(piece), RATE).size for piece in pieces), rel=0.02)


class TestGooglesFaults:
    @pytest.mark.parametrize("fault", [429, 500, 503, "cut", "html", "empty", "not mp3", "not base64", "not utf-8"])
    def test_a_temporary_fault_is_tried_again(self, google: Google, fault: str | int) -> None:
        google.faults = [fault, fault]
        sound = GoogleSynthesizer(waits=(0, 0)).synthesize("Goddag", "da")
        assert decode(sound, RATE).size
        assert len(google.asked) == 3

    @pytest.mark.parametrize("fault", [429, 500, "cut", "html", "empty", "not mp3"])
    def test_a_fault_that_lasts_is_an_error_that_is_not_permanent(self, google: Google, fault: str | int) -> None:
        google.faults = [fault] * 9
        with pytest.raises(SpeechError) as caught:
            GoogleSynthesizer(waits=(0, 0)).synthesize("Goddag", "da")
        assert not caught.value.permanent
        assert len(google.asked) == 3

    @pytest.mark.parametrize("fault", [400, 403, 404, "declined"])
    def test_a_refusal_is_permanent_and_not_asked_again(self, google: Google, fault: str | int) -> None:
        google.faults = [fault]
        with pytest.raises(SpeechError) as caught:
            GoogleSynthesizer(waits=(0, 0)).synthesize("Goddag", "da")
        assert caught.value.permanent
        assert len(google.asked) == 1

    @pytest.mark.parametrize("fault", ["html", "empty", "not mp3", 500, "cut"])
    def test_a_long_text_is_never_returned_without_its_middle(self, google: Google, fault: str | int) -> None:
        google.faults = ["sound", fault]
        with pytest.raises(SpeechError):
            GoogleSynthesizer(waits=()).synthesize(LONG, "da")

    def test_the_waits_grow(self, google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
        waited: list[float] = []
        monkeypatch.setattr("voice.speech.google.time.sleep", waited.append)
        google.faults = [429] * 9
        with pytest.raises(SpeechError, match="429"):
            GoogleSynthesizer().synthesize("Goddag", "da")
        assert len(waited) >= 2
        assert waited == sorted(set(waited))

    def test_a_server_that_hangs_is_given_up(self, google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("voice.speech.google.TIMEOUT", 0.1)
        google.faults = ["hangs"]
        with pytest.raises(SpeechError, match="could not be reached") as caught:
            GoogleSynthesizer(waits=()).synthesize("Goddag", "da")
        assert not caught.value.permanent

    def test_no_network_is_not_permanent(self, google: Google) -> None:
        google.url = "http://127.0.0.1:1"
        with pytest.raises(SpeechError, match="could not be reached") as caught:
            GoogleSynthesizer(waits=()).synthesize("Goddag", "da")
        assert not caught.value.permanent
