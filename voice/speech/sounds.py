"""The names of rendered sounds. Imported by the web process, so it knows no audio library."""

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from voice.config import SpeechVoice
from voice.prompts import Prompt
from voice.speech import VoiceId

RATE: Final = 8000  # samples per second: what a telephone line carries
SLOW: Final = 0.8  # of the ordinary tempo
LOWEST: Final = 80  # Hz: what is below is hum and rumble
LOUDNESS: Final = -20.0  # LUFS, of every prompt; docs/decisions.md tells why
FORMAT: Final = f"wav, {RATE} Hz, mono, 16 bit, from {LOWEST} Hz, {LOUDNESS} LUFS, trimmed"  # whatever is done to a voice's sound

# The engines' versions are written here because the web process does not import the engines. A test compares.
VOICES: Final[Mapping[SpeechVoice, VoiceId]] = {
    "gtts": VoiceId("gtts", "translate", "2.5.4"),
    "espeak": VoiceId("espeak", "140 words per minute", "0.2.4"),
}


def sound_key(text: str, language: str, voice: VoiceId) -> str:
    """The name under which a rendered text is stored: 64 hexadecimal digits. Whatever can change the sound changes the name."""
    parts = [text, language, voice.engine, voice.name, voice.version, FORMAT]  # as JSON, so that no two lists of parts read the same
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def prompt_keys(prompt: Prompt, voice: VoiceId, recordings: Mapping[Prompt, VoiceId], slowly: bool = False) -> list[str]:
    """The names under which a prompt's sound may be stored, best first: a human recording's if it has one, then the voice's,
    which stands in for a recording that is not rendered yet or cannot be used."""
    voices = [recordings[prompt], voice] if prompt in recordings else [voice]
    return [sound_key(prompt.text, prompt.language, slow(one) if slowly else one) for one in voices]


def slow(voice: VoiceId) -> VoiceId:
    """The same voice, speaking more slowly: for callers who asked for it."""
    return VoiceId(voice.engine, f"{voice.name}, tempo {SLOW}", voice.version)
