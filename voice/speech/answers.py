"""A caller's recording made fit to be listened to: what is said stands, and nobody waits for it."""

import numpy as np

from voice.speech import LEAST_SPEECH
from voice.speech.audio import Samples
from voice.speech.gate import RATE, speech_stretches

PAUSE = 2.0  # seconds: a silence that is longer is shortened ...
KEPT = 0.4  # ... to so much after and before speech, with the line's own noise, and so are the ends
FADE = 0.01  # seconds: no click where two stretches meet

# A telephone's key is one low and one high tone at a time. Speech is not: its energy lies in many places.
LOW, HIGH = (697, 770, 852, 941), (1209, 1336, 1477, 1633)  # Hz
FRAME = 0.04  # seconds: the shortest key that telephones know
LEAST_TONE = 0.15  # of a frame's energy is in each of the two tones ...
BOTH_TONES = 0.8  # ... and so much in both
LAST = 1.0  # seconds: where the key that ended the recording is looked for


def spoken(samples: Samples) -> Samples:
    """What is said in these samples (RATE per second), with long silences shortened; empty when nobody speaks.

    The voice gate decides, not how loud it is: soft speech over a noisy line is kept, and noise alone is not. What sounds
    further than ``KEPT`` from any speech is taken for silence, whatever it is.
    """
    samples = _before_the_key(samples)
    stretches = speech_stretches(samples, PAUSE)
    if sum(end - start for start, end in stretches) < LEAST_SPEECH * RATE:
        return np.zeros(0, np.float32)
    edge = int(KEPT * RATE)
    return np.concatenate([faded(samples[max(0, start - edge) : end + edge]) for start, end in stretches])


def faded(samples: Samples) -> Samples:
    """The same with soft ends, so that it can be joined to anything."""
    length = min(int(FADE * RATE), samples.size // 2)
    ramp = np.linspace(0, 1, length, dtype=np.float32)
    return np.concatenate([samples[:length] * ramp, samples[length : samples.size - length], samples[samples.size - length :] * ramp[::-1]])


def _before_the_key(samples: Samples) -> Samples:
    """All that comes before the key that ended the recording, if it is still heard."""
    size = int(FRAME * RATE)
    begin = max(0, samples.size - int(LAST * RATE))
    frames = samples[begin : begin + (samples.size - begin) // size * size].reshape(-1, size)
    window = np.hanning(size)
    waves = np.exp(-2j * np.pi * np.outer(np.arange(size) / RATE, LOW + HIGH))
    energy = np.sum(frames**2 * window, axis=1) + 1e-12
    # A sine of amplitude a gives energy a²/2 · sum(window), and a sum of a/2 · sum(window): this is each tone's share.
    tones = 2 * np.abs(frames * window @ waves) ** 2 / (energy[:, None] * window.sum())
    low, high = tones[:, : len(LOW)].max(axis=1), tones[:, len(LOW) :].max(axis=1)
    keys = np.flatnonzero((np.minimum(low, high) > LEAST_TONE) & (low + high > BOTH_TONES))
    return samples[: begin + keys[0] * size] if keys.size else samples
