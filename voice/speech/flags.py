"""Whether what was written down may well be wrong: then the mail says so and points to the recording."""

import json
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from voice.errors import ConfigError

CALIBRATION = "calibration.json"  # beside a model, its own limits


@dataclass(frozen=True, slots=True)
class Word:
    """A word as a recogniser wrote it, with its punctuation."""

    text: str
    probability: float  # that the recogniser gave to it


Piece = Sequence[Word]  # what was written of one chunk of speech


@dataclass(frozen=True, slots=True)
class Flags:
    """The limits beyond which an answer is unsure, as measured: see docs/words.md."""

    least: float = 0.6  # sureness
    words_per_second: float = 1.0  # with fewer, sentences were dropped ...
    pace_seconds: float = 3.0  # ... but in less speech than this the pace says nothing
    compression: float = 2.4  # a piece that compresses better: the recogniser went round in circles

    @classmethod
    def of(cls, folder: Path) -> "Flags":
        """The limits for the model in this folder: its own, or the usual ones. Raises ConfigError."""
        file = folder / CALIBRATION
        if not file.is_file():
            return cls()
        try:
            limits = json.loads(file.read_text("utf-8"))["flags"]
            return cls(**{field.name: float(limits[field.name]) for field in fields(cls) if field.name in limits})
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigError([f"{file} holds no limits of flags: delete it, or write it anew with bench/flags.py."]) from error

    def unsure(self, pieces: Sequence[Piece], speech: float) -> bool:
        """Whether what was written of so many seconds of speech may well be wrong."""
        words = sum(map(len, pieces))
        return (
            sureness(pieces) < self.least
            or (speech > self.pace_seconds and words / speech < self.words_per_second)
            or any(compression(piece) > self.compression for piece in pieces)
        )


def sureness(pieces: Sequence[Piece]) -> float:
    """How sure the recogniser was of an answer's words: the geometric mean of their probabilities, 0 without any."""
    logs = [math.log(max(word.probability, 1e-6)) for piece in pieces for word in piece]
    return math.exp(sum(logs) / len(logs)) if logs else 0.0


def compression(piece: Piece) -> float:
    """How much shorter a piece's text can be said: one that repeats itself much."""
    text = " ".join(word.text for word in piece).encode()
    return len(text) / len(zlib.compress(text))
