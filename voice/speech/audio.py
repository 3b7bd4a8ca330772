"""Sound files in and out. PyAV (FFmpeg) decodes; the WAV for the telephone is written here, as it is 44 bytes and a caption."""

import io
import itertools
import struct
from collections.abc import Iterator

import av
import numpy as np
from numpy.typing import NDArray

from voice.errors import SpeechError
from voice.speech.sounds import RATE

Samples = NDArray[np.float32]  # mono, full scale is 1.0

MAX_BYTES = 8_000_000
MAX_SECONDS = 200


def check_recording(data: bytes) -> None:
    """A cheap look at a recording that was just fetched. Raises SpeechError(permanent=True) when it is no WAV file of a sensible size."""
    _check_size(data)
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise SpeechError("The recording is not a WAV file.", permanent=True)


def decode(sound: bytes, rate: int) -> Samples:
    """Any sound file as mono samples at ``rate`` per second.

    Of a file that is cut short or damaged in places, what can be read is returned. Raises
    SpeechError(permanent=True) when it is empty, too large, too long, or nothing in it can be read.
    """
    _check_size(sound)
    try:
        samples = np.concatenate([np.zeros(0, np.float32), *_blocks(sound, rate)])
    except (av.error.FFmpegError, ValueError, IndexError) as error:
        raise SpeechError("The sound cannot be decoded.", permanent=True) from error
    if not samples.size:
        raise SpeechError("The sound file holds no sound.", permanent=True)
    return samples


def to_wav(samples: Samples, caption: str) -> bytes:
    """Samples at RATE as mono 16-bit WAV.

    The caption is written into the file (RIFF LIST/INFO ICMT, UTF-8), so that a handset with a screen can show what is said.
    """
    pcm = np.round(samples * 32767).astype("<i2")
    return _chunk(
        b"RIFF",
        b"WAVE",
        _chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, RATE, RATE * 2, 2, 16)),
        _chunk(b"LIST", b"INFO", _chunk(b"ICMT", caption.encode() + b"\0")),
        _chunk(b"data", pcm.tobytes()),
    )


def _check_size(data: bytes) -> None:
    if not data:
        raise SpeechError("The sound file is empty.", permanent=True)
    if len(data) > MAX_BYTES:
        raise SpeechError(f"The sound file is larger than {MAX_BYTES // 1_000_000} MB.", permanent=True)


def _blocks(sound: bytes, rate: int) -> Iterator[Samples]:
    """The decoded and resampled sound, block by block. FFmpeg's resampler filters out what the lower rate cannot carry."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)  # whole numbers: no NaN, whatever the file holds
    seconds = 0.0
    for frame in itertools.chain(_frames(sound), [None]):  # None brings out the resampler's rest
        if frame is not None:
            # Before resampling, since a header that claims one sample per second would make it huge.
            seconds += frame.samples / frame.sample_rate
            if seconds > MAX_SECONDS:
                raise SpeechError(f"The sound is longer than {MAX_SECONDS} seconds.", permanent=True)
            frame.pts = None  # gaps in the time stamps of a damaged file are of no interest
        for resampled in resampler.resample(frame):
            yield resampled.to_ndarray()[0] / np.float32(32768)


def _frames(sound: bytes) -> Iterator[av.AudioFrame]:
    # Without protocols a playlist in disguise cannot make FFmpeg open other files or addresses.
    with av.open(io.BytesIO(sound), mode="r", metadata_errors="ignore", options={"protocol_whitelist": "none"}) as container:
        for packet in container.demux(container.streams.audio[0]):
            try:
                yield from packet.decode()
            except av.error.InvalidDataError:
                continue  # a damaged packet; the next one may be whole


def _chunk(tag: bytes, *parts: bytes) -> bytes:
    """One RIFF chunk."""
    body = b"".join(parts)
    return tag + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
