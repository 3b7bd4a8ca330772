"""How loud a sound is to an ear, and bringing sounds to one loudness: the integrated loudness of ITU-R BS.1770-4, as EBU R 128 uses it.

FFmpeg measures and limits. Loudness is in LUFS, differences in LU (1 LU is 1 dB).
"""

import numpy as np

from voice.speech.audio import Samples
from voice.speech.filters import filtered, frames

SILENCE = -70.0  # LUFS: the standard counts nothing below
BLOCK = 0.4  # seconds: the standard's shortest stretch
PEAK = 0.79  # of full scale, -2 dB: between two samples a decoder's wave goes a little higher, and telephone codecs distort what is louder
CLOSE = 0.1  # LU from the target
MOST_GAIN = 40.0  # dB: what is fainter than that is no sound that was meant to be heard


def loudness(samples: Samples, rate: int) -> float:
    """The integrated loudness in LUFS of mono samples at full scale 1.0; SILENCE when there is nothing to hear.

    A sound that is shorter than the standard's block is measured as if it were said over and over, so that
    it does not pass for soft only because it is short.
    """
    if not samples.size:
        return SILENCE
    missing = int(BLOCK * rate) + 1 - samples.size
    if missing > 0:
        samples = np.pad(samples, (0, missing), mode="wrap")
    measured = SILENCE
    for frame in frames(samples, rate, ("ebur128", "metadata=1")):
        measured = float(frame.metadata.get("lavfi.r128.I", measured))
    return measured


def level(samples: Samples, rate: int, target: float) -> Samples:
    """The same sound at that loudness (LUFS), with no sample over PEAK.

    What would go over is held down by a limiter that looks ahead, not cut off; what that takes of the loudness is given
    back, so also a recording with hard consonants comes within ``CLOSE`` of the target. Silence stays silence.
    """
    found = loudness(samples, rate)
    if found <= SILENCE:
        return samples
    gain, result = 0.0, samples
    for _ in range(8):
        gain = min(gain + target - found, MOST_GAIN)
        result = _limited(samples * np.float32(10 ** (gain / 20)), rate)
        found = loudness(result, rate)
        if abs(found - target) < CLOSE or gain == MOST_GAIN:
            break
    return result


def _limited(samples: Samples, rate: int) -> Samples:
    if np.abs(samples).max() <= PEAK:
        return samples
    return np.clip(filtered(samples, rate, ("alimiter", f"limit={PEAK}:level=0:latency=1")), -PEAK, PEAK)
