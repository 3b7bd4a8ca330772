"""What a recogniser is worth here: errors on recordings whose words are known, speed, memory; and whether it invents words.

All goes the way of a caller's answer: through the voice gate, in a process apart.
"""

import csv
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from voice.errors import ModelError
from voice.models import noise
from voice.speech import Transcriber
from voice.speech.audio import decode, to_wav
from voice.speech.scoring import character_errors, word_errors
from voice.speech.sounds import RATE

_SOUNDS = (".wav", ".mp3", ".ogg", ".flac", ".m4a")


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording and the words in it; "" when nobody speaks."""

    name: str
    sound: bytes
    words: str


@dataclass(frozen=True, slots=True)
class Figures:
    """Of several clips. Errors are shares of what was said, and may exceed 1."""

    clips: int
    seconds: float  # of sound
    words: float
    characters: float
    speed: float  # seconds of sound per second of computing


def read_clips(folder: Path) -> list[Clip]:
    """The recordings of a folder: NAME.txt beside NAME.wav has the words, or a MANIFEST.tsv of file, what and words.

    A recording without words is one in which nobody speaks. Raises ModelError.
    """
    if not folder.is_dir():
        raise ModelError(f"{folder} is no folder: name one with recordings, NAME.wav and the words in NAME.txt.")
    if (folder / "MANIFEST.tsv").is_file():
        rows = list(csv.DictReader((folder / "MANIFEST.tsv").open(encoding="utf-8"), delimiter="\t"))
        files = {folder / str(row["file"]): str(row["words"] or "") for row in rows if row.get("file")}
    else:
        sounds = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SOUNDS)
        files = {path: path.with_suffix(".txt").read_text("utf-8") for path in sounds if path.with_suffix(".txt").is_file()}
    found = [Clip(path.stem, path.read_bytes(), words.strip()) for path, words in files.items() if path.is_file()]
    if not found:
        raise ModelError(f"{folder} holds no recordings with their words: lay NAME.txt beside each NAME.wav.")
    return found


def score(clips: Sequence[Clip], transcriber: Transcriber, clock: Callable[[], float] = time.perf_counter) -> Figures:
    """What is wrong in what was written of these clips. The first is heard twice: once to load the model."""
    transcriber.transcribe(clips[0].sound, "da")
    seconds = sum(decode(clip.sound, RATE).size / RATE for clip in clips)
    begun = clock()
    heard = [transcriber.transcribe(clip.sound, "da").text for clip in clips]
    took = max(clock() - begun, 1e-9)
    errors = {
        count: [count(clip.words, text) for clip, text in zip(clips, heard, strict=True)] for count in (word_errors, character_errors)
    }
    words, characters = (sum(wrong for wrong, _ in pairs) / max(1, sum(said for _, said in pairs)) for pairs in errors.values())
    return Figures(len(clips), seconds, words, characters, seconds / took)


def made_noise() -> Iterator[Clip]:
    """The sounds without speech that need no recording."""
    for name, samples in noise.sounds():
        yield Clip(name, to_wav(samples, name), "")


def invented(clips: Iterable[Clip], transcriber: Transcriber) -> Iterator[tuple[str, str]]:
    """The names of those clips in which nobody speaks and something was written, and what."""
    for clip in clips:
        if text := transcriber.transcribe(clip.sound, "da").text:
            yield clip.name, text
