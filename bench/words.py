"""How well recognisers and their settings write down recordings whose words are known.

    python bench/words.py FOLDER [FOLDER ...] [--models base DIR ...] [--settings "beam=5" "beam=1 longest=20" ...]
                          [--sounds clean telephone noisy mp3 din] [--every N] [--long N] [--language da] [--answers FILE]

A folder holds NAME.wav (or .ogg, .mp3, .flac) with NAME.txt, or a MANIFEST.tsv of file, what, words. --every 3 takes every third
clip; --long 5 strings clips together with pauses, to five answers of half a minute or more, in place of them. Each model with each
setting runs in a process of its own. Prints a Markdown table: word and character error in percent for each quality of sound,
how many times faster than the sound, the processor's seconds for a second of sound, and the most memory; a star stands where
no other line is both faster and better. --answers writes each answer with its words' probabilities, for bench/flags.py.
"""

import argparse
import csv
import importlib
import inspect
import json
import random
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from qualities import QUALITIES

from voice.speech import LEAST_SPEECH, engines, models
from voice.speech.audio import decode
from voice.speech.gate import RATE, Cut, chunks, speech_seconds
from voice.speech.listening import Listener
from voice.speech.scoring import character_errors, word_errors

SOUNDS = (".wav", ".ogg", ".mp3", ".flac")
LONG = 30  # seconds of speech at least in a long answer
PAUSES = (0.3, 0.8, 1.5, 3.0)  # seconds in it


@dataclass(frozen=True)
class Clip:
    name: str
    sound: bytes
    words: str


@dataclass(frozen=True)
class Answer:
    """What was made of one clip in one quality."""

    model: str
    setting: str
    sound: str
    clip: str
    said: str
    heard: str
    pieces: list[list[tuple[str, float]]]
    speech: float  # seconds
    length: float  # seconds
    took: float  # seconds
    processor: float  # seconds


def clips(folders: list[str], every: int) -> list[Clip]:
    found = []
    for folder in map(Path, folders):
        manifest = folder / "MANIFEST.tsv"
        if manifest.is_file():
            rows = csv.DictReader(manifest.open(encoding="utf-8"), delimiter="\t")
            texts = {folder / row["file"]: row["words"] for row in rows if row["words"]}
        else:
            sounds = sorted(path for path in folder.iterdir() if path.suffix in SOUNDS)
            texts = {sound: sound.with_suffix(".txt").read_text("utf-8") for sound in sounds if sound.with_suffix(".txt").is_file()}
        found += [Clip(path.stem, path.read_bytes(), text.strip()) for path, text in texts.items()][::every]
    if not found:
        sys.exit("No clips with words were found: lay NAME.txt beside each NAME.wav.")
    return found


def strung(clips: list[Clip], count: int) -> list[Clip]:
    """Long answers, the same each time."""
    chance = random.Random(7)
    long = []
    for number in range(count):
        parts, words, seconds = [], [], 0.0
        while seconds < LONG:
            clip = chance.choice(clips)
            samples = decode(clip.sound, RATE)
            parts += [samples / (np.abs(samples).max() + 1e-9) * 0.5, np.zeros(int(chance.choice(PAUSES) * RATE), np.float32)]
            words.append(clip.words)
            seconds += speech_seconds(samples)
        long.append(Clip(f"long-{number}", QUALITIES["clean"](np.concatenate(parts)), " ".join(words)))
    return long


def listener(model: str, setting: str) -> Listener:
    """The recogniser with this setting, such as "beam=1 longest=20"."""
    folder = models.find_model(model, Path("data/models"))
    given: dict[str, Any] = dict(one.split("=") for one in setting.split() if "=" in one)
    fields = {name: type(value)(given.pop(name)) for name, value in asdict(Cut()).items() if name in given}
    module, _, name = engines.recogniser(folder).partition(":")
    kind = getattr(importlib.import_module(module), name)
    known = inspect.signature(kind.__init__).parameters
    arguments = {name: value if known[name].annotation is str else int(value) for name, value in given.items()}
    recogniser: Listener = kind(folder, **{"threads": 2, **arguments}, cut=Cut(**fields))
    return recogniser


def run(model: str, setting: str, language: str, work: list[tuple[str, Clip]], note: str | None) -> tuple[list[Answer], int]:
    """The answers, and the most memory in bytes."""
    recogniser = listener(model, setting)
    recogniser.write([np.zeros(RATE, np.float32)], language)  # loads the model
    answers = []
    for sound, clip in work:
        samples = decode(QUALITIES[sound](decode(clip.sound, RATE)), RATE)
        begun, used = time.perf_counter(), time.process_time()
        speech = speech_seconds(samples)
        parts = chunks(samples, recogniser.cut)
        pieces = recogniser.write(parts, language) if speech >= LEAST_SPEECH else []
        took, processor = time.perf_counter() - begun, time.process_time() - used
        plain = [[(word.text, round(word.probability, 4)) for word in piece] for piece in pieces]
        heard = " ".join(text for piece in plain for text, _ in piece)
        answers.append(Answer(model, setting, sound, clip.name, clip.words, heard, plain, speech, samples.size / RATE, took, processor))
        if note:
            with Path(note).open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(answers[-1]), ensure_ascii=False) + "\n")
    return answers, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def percent(answers: list[Answer], errors: Any) -> str:
    counts = [errors(answer.said, answer.heard) for answer in answers]
    return f"{100 * sum(wrong for wrong, _ in counts) / sum(count for _, count in counts):.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--models", nargs="+", default=["base"])
    parser.add_argument("--settings", nargs="+", default=["defaults"])
    parser.add_argument("--sounds", nargs="+", default=["clean", "telephone", "noisy", "mp3"], choices=list(QUALITIES))
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--long", type=int, default=0)
    parser.add_argument("--language", default="da")
    parser.add_argument("--answers")
    chosen = parser.parse_args()
    taken = clips(chosen.folders, chosen.every)
    taken = strung(taken, chosen.long) if chosen.long else taken
    work = [(sound, clip) for clip in taken for sound in chosen.sounds]
    lines = []
    for model in chosen.models:
        for setting in chosen.settings:
            with ProcessPoolExecutor(1, get_context("spawn")) as process:
                answers, memory = process.submit(run, model, setting, chosen.language, work, chosen.answers).result()
            lines.append((model, setting, answers, memory))
    seconds = sum(answer.length for answer in lines[0][2]) / len(chosen.sounds)
    print(f"{len(taken)} clips, {seconds:.0f} s. Word / character error in percent.\n")
    print(f"| model | setting | {' | '.join(chosen.sounds)} | all | x real time | processor s/s | MB | best |")
    print("|---|---|" + "---|" * (len(chosen.sounds) + 5))
    figures = []
    for _, _, answers, _ in lines:
        counts = [word_errors(answer.said, answer.heard) for answer in answers]
        figures.append((sum(wrong for wrong, _ in counts), sum(answer.processor for answer in answers)))
    for (model, setting, answers, memory), (wrong, processor) in zip(lines, figures, strict=True):
        of = [[answer for answer in answers if answer.sound == sound] for sound in chosen.sounds] + [answers]
        errors = " | ".join(f"{percent(some, word_errors)} / {percent(some, character_errors)}" for some in of)
        length, took = sum(answer.length for answer in answers), sum(answer.took for answer in answers)
        best = not any(other[0] <= wrong and other[1] <= processor and other != (wrong, processor) for other in figures)
        print(
            f"| {Path(model).name} | {setting} | {errors} | {length / took:.1f} | {processor / length:.2f} | {memory / 1e6:.0f} "
            f"| {'*' if best else ''} |"
        )


if __name__ == "__main__":
    main()
