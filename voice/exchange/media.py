"""Telephone sound: 8 kHz, one channel, 16 bits, in frames of 20 ms; reading what <Play> fetches and writing recordings."""

import io
import math
import wave
from collections.abc import Iterator

import av
import numpy as np

from voice.exchange.errors import FetchError

RATE = 8000
FRAMES_PER_SECOND = 50
FRAME_BYTES = RATE // FRAMES_PER_SECOND * 2
SILENCE = bytes(FRAME_BYTES)

# A frame is speech above -45 dB of full scale (RMS). A telephone line's own noise lies around -60 dB, a soft voice above -40 dB.
SPEECH_DBFS = -45
_SPEECH_POWER = (32768 * 10 ** (SPEECH_DBFS / 20)) ** 2

# The types that <Play> takes. Those with a value have no header, so the decoder must be told what they are.
CONTENT_TYPES: dict[str, str | None] = {
    **dict.fromkeys(("audio/mpeg", "audio/wav", "audio/wave", "audio/x-wav", "audio/aiff", "audio/x-aifc", "audio/x-aiff")),
    **dict.fromkeys(("audio/x-gsm", "audio/gsm"), "gsm"),
    "audio/ulaw": "mulaw",
}


def frames(pcm: bytes) -> Iterator[bytes]:
    """Cut sound into frames. The last one is filled up with silence."""
    for start in range(0, len(pcm), FRAME_BYTES):
        yield pcm[start : start + FRAME_BYTES].ljust(FRAME_BYTES, b"\0")


def is_speech(frame: bytes) -> bool:
    """Whether a frame is louder than silence on a telephone line."""
    if frame == SILENCE or not frame:
        return False
    samples = np.frombuffer(frame, "<i2").astype(np.float32)
    return float(np.mean(samples * samples)) > _SPEECH_POWER


def silence(seconds: float) -> bytes:
    return bytes(round(seconds * FRAMES_PER_SECOND) * FRAME_BYTES)


def seconds(pcm: bytes | bytearray) -> float:
    return len(pcm) / (2 * RATE)


def tone(length: float, hertz: float = 1000.0, dbfs: float = -15.0) -> bytes:
    """A pure tone: the beep of <Record>, and whatever needs a sound that is surely not silence."""
    times = np.arange(round(length * RATE)) / RATE
    return (32767 * 10 ** (dbfs / 20) * np.sin(2 * math.pi * hertz * times)).astype("<i2").tobytes()


def to_wav(pcm: bytes) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(pcm)
    return file.getvalue()


def decode(body: bytes, content_type: str) -> bytes:
    """The sound of a file as telephone sound. Raises FetchError: 12300 for a type that <Play> does not take, 12400 for a broken file."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in CONTENT_TYPES:
        raise FetchError(12300, f"<Play> takes no {kind or 'file without a Content-Type'}")
    if body[:4] == b"RIFF" and (pcm := _plain_wav(body)) is not None:
        return pcm
    headless = CONTENT_TYPES[kind]
    options = {"sample_rate": str(RATE)} if headless else {}
    try:
        with av.open(io.BytesIO(body), "r", format=headless, options=options) as container:
            resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
            parts = [
                out.to_ndarray().tobytes()
                for frame in (*container.decode(audio=0), None)  # None makes it give up what it still holds
                for out in resampler.resample(frame)
            ]
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise FetchError(12400, f"the sound cannot be read: {error}") from error
    return b"".join(parts)


def _plain_wav(body: bytes) -> bytes | None:
    """The usual case, telephone sound already; None for every other kind of WAV."""
    try:
        with wave.open(io.BytesIO(body)) as file:
            plain = (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
            return file.readframes(file.getnframes()) if plain else None
    except (wave.Error, EOFError):
        return None


def caption(body: bytes) -> str:
    """What a WAV says, if it tells: the comment (ICMT, UTF-8) of its RIFF LIST/INFO chunk."""
    if body[:4] != b"RIFF" or body[8:12] != b"WAVE":
        return ""
    for name, data in _chunks(body[12:]):
        if name == b"LIST" and data[:4] == b"INFO":
            for field, text in _chunks(data[4:]):
                if field == b"ICMT":
                    return text.rstrip(b"\0").decode("utf-8", "replace")
    return ""


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
