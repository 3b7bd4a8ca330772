"""The names of sounds, and the data that the rest of the program sees."""

import dataclasses
import subprocess
import sys
from importlib.metadata import version

import pytest

from voice.config import ROOT
from voice.speech import Transcript, VoiceId
from voice.speech.espeak import WORDS_PER_MINUTE
from voice.speech.sounds import VOICES, sound_key

VOICE = VoiceId("engine", "name", "1")


def test_the_web_process_can_name_sounds_without_loading_an_audio_library() -> None:
    heavy = ["av", "numpy", "gtts", "requests", "faster_whisper", "ctranslate2", "onnxruntime", "espeakng_loader"]
    program = f"import sys, voice.speech.sounds; print([name for name in {heavy} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    assert loaded.stdout.strip() == "[]"


def test_the_voices_versions_are_those_installed() -> None:
    assert VOICES["gtts"].version == version("gTTS")
    assert VOICES["espeak"].version == version("espeakng-loader")


def test_the_offline_voices_name_tells_its_speed_so_that_another_speed_is_another_sound() -> None:
    assert str(WORDS_PER_MINUTE) in VOICES["espeak"].name


def test_the_same_sound_has_the_same_name() -> None:
    assert sound_key("Goddag på øen.", "da", VOICE) == sound_key("Goddag på øen.", "da", VoiceId("engine", "name", "1"))


def test_a_name_is_fit_for_a_file_and_an_address() -> None:
    name = sound_key("Er du klar? / \\ æøå", "da", VOICE)
    assert len(name) == 64
    assert set(name) <= set("0123456789abcdef")


def test_whatever_changes_the_sound_changes_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [
        sound_key("Goddag.", "da", VOICE),
        sound_key("Goddag!", "da", VOICE),
        sound_key("Goddag.", "nn", VOICE),
        *(sound_key("Goddag.", "da", dataclasses.replace(VOICE, **{part: "other"})) for part in ("engine", "name", "version")),
    ]
    monkeypatch.setattr("voice.speech.sounds.FORMAT", "mp3")
    names.append(sound_key("Goddag.", "da", VOICE))
    assert len(set(names)) == 7


def test_no_text_can_pass_for_another_by_where_its_parts_end() -> None:
    assert sound_key("ab", "c", VOICE) != sound_key("a", "bc", VOICE)
    assert sound_key('a", "b', "c", VOICE) != sound_key("a", 'b", "c', VOICE)


def test_a_transcript_survives_json() -> None:
    transcript = Transcript('Æblet, "øen" og åen\n🙂', 12.345678901234567, unsure=True, language="da")
    assert Transcript.from_json(transcript.to_json()) == transcript


@pytest.mark.parametrize(("seconds", "spoken"), [(0.0, False), (0.19, False), (0.2, True)])
def test_speech_counts_from_a_fifth_of_a_second(seconds: float, spoken: bool) -> None:
    assert Transcript("", seconds, unsure=False, language="da").spoken is spoken
