"""What every Transcriber and every Synthesizer does, real or made for tests.

A test class inherits a contract and gives the fixtures that it names.
"""

import wave
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import pytest

from voice.errors import SpeechError
from voice.speech import Synthesizer, Transcriber
from voice.speech.audio import decode
from voice.speech.sounds import RATE
from voice.speech.telephone import telephone_wav


def silence_wav(seconds: float) -> bytes:
    """Digital silence as 8 kHz mono 16-bit WAV."""
    file = BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(RATE)
        wav.writeframes(bytes(2 * int(seconds * RATE)))
    return file.getvalue()


class TranscriberContract:
    """Fixtures: ``transcriber``, and ``spoken``, a sound file in which it hears words."""

    def test_what_is_said_is_written_down(self, transcriber: Transcriber, spoken: bytes) -> None:
        transcript = transcriber.transcribe(spoken, "da")
        assert transcript.text.strip() == transcript.text != ""
        assert transcript.spoken
        assert transcript.language == "da"

    def test_the_same_sound_gives_the_same_transcript_in_any_thread(self, transcriber: Transcriber, spoken: bytes) -> None:
        with ThreadPoolExecutor(2) as threads:
            first, second = threads.map(lambda sound: transcriber.transcribe(sound, "da"), [spoken, spoken])
        assert first == second

    def test_silence_is_no_speech_and_nothing_to_be_unsure_of(self, transcriber: Transcriber) -> None:
        transcript = transcriber.transcribe(silence_wav(3), "da")
        assert (transcript.text, transcript.spoken, transcript.unsure) == ("", False, False)

    @pytest.mark.parametrize("sound", [b"", b"no sound at all", silence_wav(0)], ids=["empty", "text", "header only"])
    def test_what_is_not_sound_is_a_permanent_error(self, transcriber: Transcriber, sound: bytes) -> None:
        with pytest.raises(SpeechError) as caught:
            transcriber.transcribe(sound, "da")
        assert caught.value.permanent


class SynthesizerContract:
    """Fixture: ``synthesizer``."""

    def test_a_sentence_becomes_sound_that_the_telephone_can_play(self, synthesizer: Synthesizer) -> None:
        wav = telephone_wav(synthesizer.synthesize("Goddag. Hvordan har du det på arbejdet?", "da"), caption="Goddag.")
        assert 1.5 < decode(wav, RATE).size / RATE < 6

    def test_a_longer_text_takes_longer_to_say(self, synthesizer: Synthesizer) -> None:
        short, long = (decode(synthesizer.synthesize("Tak for din besked. " * times, "da"), RATE).size for times in (1, 12))
        assert 8 * short < long < 16 * short

    @pytest.mark.parametrize("text", ["", "   ", "...", "–"])
    def test_a_text_without_anything_to_say_is_a_permanent_error(self, synthesizer: Synthesizer, text: str) -> None:
        with pytest.raises(SpeechError, match="nothing to say") as caught:
            synthesizer.synthesize(text, "da")
        assert caught.value.permanent

    def test_it_speaks_more_than_danish(self, synthesizer: Synthesizer) -> None:
        assert {"da", "en", "sv", "no", "de", "pl", "uk", "ar", "tr"} <= set(synthesizer.languages)
        wav = telephone_wav(synthesizer.synthesize("God morgon. Hur mår du på jobbet?", "sv"), caption="")
        assert 1 < decode(wav, RATE).size / RATE < 6

    def test_a_language_that_it_does_not_speak_is_a_permanent_error_with_its_mend(self, synthesizer: Synthesizer) -> None:
        with pytest.raises(SpeechError, match="does not speak 'xx': choose another with SPEECH_VOICE") as caught:
            synthesizer.synthesize("Goddag", "xx")
        assert caught.value.permanent
