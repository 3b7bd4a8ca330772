"""The offline voice: eSpeak NG from the ``espeakng_loader`` wheel. Robotic, but it needs no network, and is there in a few milliseconds."""

import ctypes
import functools
import io
import re
import threading
import wave
from collections.abc import Collection, Mapping
from pathlib import Path

import espeakng_loader

from voice.errors import SpeechError
from voice.speech import check_speakable
from voice.speech.sounds import VOICES

WORDS_PER_MINUTE = 140  # espeak's own 175 is too fast for many; changing it means changing the voice's name

# From speak_lib.h.
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000  # without it a data folder that cannot be read ends the whole process
_RATE = 1
_CHARS_UTF8 = 1
_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)

_one_at_a_time = threading.Lock()  # the library has one state for the whole process


class EspeakSynthesizer:
    """A Synthesizer. All instances share one library, one text at a time."""

    voice = VOICES["espeak"]

    @property
    def languages(self) -> Collection[str]:
        return _voices()

    def synthesize(self, text: str, language: str) -> bytes:
        pcm = io.BytesIO()

        def collect(samples: int | None, count: int, _events: int | None) -> int:
            if samples:  # none at the end
                pcm.write(ctypes.string_at(samples, count * 2))
            return 0

        callback = _Callback(collect)  # held in a name: the library does not keep it alive
        spoken = text.encode()
        with _one_at_a_time:
            library, rate = _library()
            check_speakable(text, language, self)
            voice = _voices()[language].encode()
            if library.espeak_SetVoiceByName(voice) or library.espeak_SetParameter(_RATE, WORDS_PER_MINUTE, 0):
                raise SpeechError(f"espeak cannot read its voice for {language!r} in {espeakng_loader.get_data_path()}", permanent=True)
            library.espeak_SetSynthCallback(callback)
            if library.espeak_Synth(spoken, ctypes.c_size_t(len(spoken) + 1), 0, 0, 0, _CHARS_UTF8, None, None):
                raise SpeechError("espeak could not say the text.")
        file = io.BytesIO()
        with wave.open(file, "wb") as wav:
            wav.setnchannels(1)
            wav.setsampwidth(2)
            wav.setframerate(rate)
            wav.writeframes(pcm.getvalue())
        return file.getvalue()


@functools.cache
def _library() -> tuple[ctypes.CDLL, int]:
    """The library and its samples per second."""
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    folder = espeakng_loader.get_data_path()
    rate = library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, folder.encode(), _INITIALIZE_DONT_EXIT)
    if rate <= 0:
        raise SpeechError(f"espeak cannot read its data (its path must be under 160 characters): {folder}", permanent=True)
    return library, rate


@functools.cache
def _voices() -> Mapping[str, str]:
    """The voice for each language. Each has a file in the library's data, which names its languages: "nb" speaks "no" too."""
    files = [file for file in Path(espeakng_loader.get_data_path(), "lang").rglob("*") if file.is_file()]
    named = {language: file.name for file in files for language in re.findall(r"(?m)^language\s+(\S+)", file.read_text("utf-8"))}
    return named | {file.name: file.name for file in files}
