"""What the rendered sounds are like, in figures."""

from collections.abc import Iterable
from dataclasses import dataclass

from voice.speech.audio import decode
from voice.speech.loudness import loudness
from voice.speech.sounds import RATE


@dataclass(frozen=True, slots=True)
class Figures:
    """Of several sounds. Loudness in LUFS."""

    sounds: int
    seconds: float  # all together
    mean: float
    softest: float
    loudest: float

    def __str__(self) -> str:
        minutes, seconds = divmod(round(self.seconds), 60)
        spread = f"loudness {self.mean:.1f} LUFS on average, from {self.softest:.1f} to {self.loudest:.1f}"
        return f"{self.sounds} sounds, {minutes} min {seconds} s; {spread}"


def measure(wavs: Iterable[bytes]) -> Figures | None:
    """Of rendered sounds; None if there is not one."""
    decoded = [decode(wav, RATE) for wav in wavs]
    if not decoded:
        return None
    measured = [loudness(samples, RATE) for samples in decoded]
    seconds = sum(samples.size for samples in decoded) / RATE
    return Figures(len(decoded), seconds, sum(measured) / len(measured), min(measured), max(measured))
