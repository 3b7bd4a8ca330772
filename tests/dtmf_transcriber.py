"""A recogniser for tests: it hears telephone keys and writes them down, so that each recording can carry a mark of its own.

It keeps the contract of a Transcriber (``speech_contract.py``) and takes milliseconds instead of seconds.
"""

import io
import itertools
import wave

import numpy as np

from voice.speech import Transcript
from voice.speech.audio import Samples, decode
from voice.speech.sounds import RATE

ROWS = (697, 770, 852, 941)  # Hz
COLUMNS = (1209, 1336, 1477)
KEYS = "123456789*0#"
KEY_SECONDS = 0.2  # a tone and the silence after it
FRAME = 200  # samples, 25 ms: four frames to a tone
PROBE = np.exp(2j * np.pi * np.outer(np.arange(FRAME), ROWS + COLUMNS) / RATE)


class DtmfTranscriber:
    """Writes the keys it hears with spaces between: "1 2 3". Anything but keys is not speech to it."""

    def transcribe(self, sound: bytes, language: str) -> Transcript:
        samples = decode(sound, RATE)
        frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
        runs = [(key, len(list(run))) for key, run in itertools.groupby(map(_key, frames))]
        keys = [key for key, length in runs if key and length > 1]  # a single frame is a click
        return Transcript(spaced("".join(keys)), len(keys) * KEY_SECONDS, unsure=False, language=language)


def spaced(keys: str) -> str:
    """As it writes them."""
    return " ".join(keys)


def dtmf_wav(keys: str) -> bytes:
    """The sound of these keys as 8 kHz mono 16-bit WAV: for each, 0.1 s of tone and 0.1 s of silence."""
    time = np.arange(int(RATE * KEY_SECONDS / 2)) / RATE
    sound = []
    for key in keys:
        row, column = divmod(KEYS.index(key), len(COLUMNS))
        sound += [0.3 * (np.sin(2 * np.pi * ROWS[row] * time) + np.sin(2 * np.pi * COLUMNS[column] * time)), 0 * time]
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(RATE)
        wav.writeframes((np.concatenate(sound) * 32767).astype("<i2").tobytes())
    return file.getvalue()


def _key(frame: Samples) -> str:
    """The key that sounds in this frame, or ""."""
    energy = float(np.sum(frame**2))
    if energy < FRAME * 1e-4:
        return ""
    tones = 2 * np.abs(frame @ PROBE) ** 2 / FRAME / energy  # each one's share of the energy
    row, column = int(tones[: len(ROWS)].argmax()), int(tones[len(ROWS) :].argmax())
    if tones[row] < 0.2 or tones[len(ROWS) + column] < 0.2:
        return ""
    return KEYS[row * len(COLUMNS) + column]
