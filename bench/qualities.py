"""A clip as it would reach the line: as it is, over a telephone, from a noisy place or a din, and as an MP3."""

import io

import av
import numpy as np

from voice.speech.audio import Samples, decode
from voice.speech.filters import filtered
from voice.speech.gate import RATE, speech_stretches
from voice.speech.telephone import TO_TELEPHONE

TELEPHONE_RATE = 8000
NOISE, DIN = 15, 0  # dB that the speech is louder than the noise
MP3_BITS = 32_000


def clean(samples: Samples) -> bytes:
    return _coded(samples, RATE, "wav", "pcm_s16le")


def telephone(samples: Samples) -> bytes:
    """What a telephone exchange hands on: 300 to 3400 Hz in 8-bit mu-law."""
    return _coded(_narrow(samples), TELEPHONE_RATE, "wav", "pcm_mulaw")


def noisy(samples: Samples) -> bytes:
    """The same from a place with pink noise."""
    return telephone(samples + _noise(samples, NOISE))


def din(samples: Samples) -> bytes:
    """The same with noise as loud as the speech: for flags, as even a good recogniser hears much of it wrong."""
    return telephone(samples + _noise(samples, DIN))


def mp3(samples: Samples) -> bytes:
    """The telephone's sound, once more squeezed."""
    return _coded(decode(telephone(samples), RATE), RATE, "mp3", "libmp3lame")


def _narrow(samples: Samples) -> Samples:
    return filtered(samples, RATE, ("lowpass", "f=3400"), *TO_TELEPHONE)


def _noise(samples: Samples, below: float) -> Samples:
    """Pink noise, always the same for the same sound."""
    random = np.random.default_rng(samples.size)
    spectrum = np.fft.rfft(random.standard_normal(samples.size))
    pink = np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(spectrum.size))), samples.size)
    spoken = [samples[start:end] for start, end in speech_stretches(samples, 0.5)]
    power = np.mean(np.concatenate(spoken or [samples]) ** 2) / 10 ** (below / 10)
    return (pink * np.sqrt(power / np.mean(pink**2))).astype(np.float32)


def _coded(samples: Samples, rate: int, container: str, codec: str) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout="mono", **({"bit_rate": MP3_BITS} if container == "mp3" else {}))
        planar = container == "mp3"
        whole = np.clip(samples, -1, 1) if planar else np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(whole.reshape(1, -1), format="fltp" if planar else "s16", layout="mono")
        frame.sample_rate = rate
        for one in (frame, None):
            output.mux(stream.encode(one))
    return file.getvalue()


QUALITIES = {"clean": clean, "telephone": telephone, "noisy": noisy, "din": din, "mp3": mp3}
