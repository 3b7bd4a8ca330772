"""How long each prompt takes to say, measured on the offline voice: it speaks about as fast as a person who reads well aloud."""

import functools
import io
import wave
from collections.abc import Mapping

from voice.errors import SpeechError
from voice.prompts import Prompts
from voice.speech.espeak import EspeakSynthesizer

Seconds = Mapping[str, float]  # by prompt id


def measured(prompts: Prompts) -> Seconds:
    """The seconds of every prompt. Empty for a language that the offline voice does not speak."""
    try:
        return {prompt.id: _said(prompt.text, prompts.language) for prompt in prompts if prompt.text}
    except SpeechError:
        return {}


@functools.lru_cache(maxsize=4096)  # prompts share texts, and an editor's tools ask again and again
def _said(text: str, language: str) -> float:
    with wave.open(io.BytesIO(EspeakSynthesizer().synthesize(text, language))) as sound:
        return float(sound.getnframes() / sound.getframerate())
