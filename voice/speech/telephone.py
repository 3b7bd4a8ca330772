"""What the telephone plays: a voice's sound trimmed, band-limited and brought to the one loudness that all prompts have."""

import numpy as np

from voice.errors import SpeechError
from voice.speech.audio import Samples, decode, to_wav
from voice.speech.filters import filtered
from voice.speech.loudness import level
from voice.speech.sounds import LOUDNESS, LOWEST, RATE

WORKING_RATE = 24000  # Google's; what coming to it may fold back is far above what stays
# FFmpeg's own setting leaves what is a little over 4000 Hz in, folded down: every s would be harsher. This one does not, and
# is flat from 200 to 3600 Hz.
TO_TELEPHONE = (("highpass", f"f={LOWEST}"), ("aresample", f"{RATE}:filter_size=128:cutoff=0.93"))

FRAME = RATE // 50  # samples in which the sound's strength is looked at: 20 ms
FAINTEST, STRONGEST = 0.001, 0.02  # of the strongest frame (-60 and -34 dB): the bounds of what may count as silence around
OVER_NOISE = 3.0  # a frame that is so much stronger than the room's own noise is somebody speaking
EDGE = RATE // 10  # samples of silence that are left before and after: 0.1 s
FADE = RATE // 200  # samples in which it comes and goes, so that a room's noise does not begin with a click: 5 ms


def telephone_wav(sound: bytes, *, caption: str) -> bytes:
    """A voice's sound file as the telephone plays it: 8 kHz mono 16-bit WAV at LOUDNESS, with no long silence around.

    The caption stands in the file, as ``to_wav`` says. Raises SpeechError(permanent=True) as ``decode`` does, and when
    there is only silence.
    """
    samples = filtered(decode(sound, WORKING_RATE), WORKING_RATE, *TO_TELEPHONE)
    if samples.size < FRAME or np.abs(samples).max() < 0.001:
        raise SpeechError("The sound file holds only silence.", permanent=True)
    return to_wav(level(trimmed(samples), RATE, LOUDNESS), caption)


def slowed(wav: bytes, tempo: float, *, caption: str) -> bytes:
    """The same sound, slower by that factor (0.5 to 1), no deeper and as loud: FFmpeg's atempo keeps the pitch."""
    return to_wav(level(filtered(decode(wav, RATE), RATE, ("atempo", str(tempo))), RATE, LOUDNESS), caption)


def trimmed(samples: Samples) -> Samples:
    """Without the silence around. What is silence depends on the noise of the room, so that the soft end of a word is not taken for it."""
    strengths = np.sqrt(np.mean(samples[: samples.size // FRAME * FRAME].reshape(-1, FRAME) ** 2, axis=1))
    strongest = strengths.max()
    noise = np.percentile(strengths, 5)
    spoken = np.flatnonzero(strengths > np.clip(OVER_NOISE * noise, FAINTEST * strongest, STRONGEST * strongest))
    kept = samples[max(0, spoken[0] * FRAME - EDGE) : (spoken[-1] + 1) * FRAME + EDGE].copy()
    fade = np.linspace(0, 1, FADE, dtype=np.float32)
    kept[:FADE] *= fade
    kept[-FADE:] *= fade[::-1]
    return kept
