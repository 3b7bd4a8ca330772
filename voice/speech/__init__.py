"""Speech: prompts said aloud by a voice, answers written down by a recogniser.

This file holds what the rest of the program needs to know: two protocols and the data between them.
One file for each engine implements them. Nothing heavy is imported here, since the web process imports
``voice.speech.sounds`` and must stay light.
"""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Protocol

from voice.errors import SpeechError

LEAST_SPEECH = 0.2  # seconds: below this the voice gate says that nobody spoke


@dataclass(frozen=True, slots=True)
class VoiceId:
    """What tells one voice from another. Whatever changes how it sounds must change one of these."""

    engine: str
    name: str  # the engine's name for the voice, and how we set it
    version: str  # the engine's


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a recogniser made of one recording. It is sealed and stored, hence the JSON."""

    text: str  # "" when nothing was said, or nothing could be understood, or it was in a foreign language
    speech_seconds: float  # how much of the recording is speech
    unsure: bool  # the text may well be wrong: point to the recording
    language: str  # the one that was heard
    foreign: bool = False  # that is not the one it was to be in: the words would be invented, so there are none
    typed: bool = False  # nobody spoke: the text came by keyboard, which only the demo allows

    @property
    def spoken(self) -> bool:
        """Whether anybody spoke. Speech without text is possible: somebody spoke, but no words were understood."""
        return self.speech_seconds >= LEAST_SPEECH

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Transcript":
        """The reverse of ``to_json``. It reads only what we wrote ourselves, so anything else is a bug and raises."""
        return cls(**json.loads(text))


class Synthesizer(Protocol):
    """A voice."""

    @property
    def voice(self) -> VoiceId: ...

    @property
    def languages(self) -> Collection[str]:
        """What it speaks, as BCP 47."""
        ...

    def synthesize(self, text: str, language: str) -> bytes:
        """Say it: a sound file in any format that ``audio.decode`` reads. Raises SpeechError; permanent if asking again cannot help."""
        ...


class Transcriber(Protocol):
    """A recogniser. It may be called from several threads."""

    def transcribe(self, sound: bytes, language: str) -> Transcript:
        """Write down a sound file in the language that is expected. Raises SpeechError(permanent=True) when it cannot be read."""
        ...


def check_speakable(text: str, language: str, voice: Synthesizer) -> None:
    """Raise SpeechError(permanent=True) for what the voice cannot say."""
    if language not in voice.languages:
        raise SpeechError(f"The voice {voice.voice.engine} does not speak {language!r}: choose another with SPEECH_VOICE.", permanent=True)
    if not any(character.isalnum() for character in text):
        raise SpeechError("There is nothing to say in the text.", permanent=True)
