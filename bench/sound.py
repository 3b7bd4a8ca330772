"""What the preparation's sound costs: a mail of eight answers of a minute each, spoken by people where there are clips.

    python bench/sound.py [runs] [folder with 8 kHz WAV clips]

Prints the mean and the slowest time, the bytes, and the loudness of each stretch of voice and of caller, in LUFS.
"""

import io
import statistics
import sys
import time
import wave
from functools import cache
from pathlib import Path

import av
import numpy as np

from voice.config import ROOT
from voice.content import load
from voice.prompts import Prompt
from voice.speech.audio import decode
from voice.speech.espeak import EspeakSynthesizer
from voice.speech.loudness import loudness
from voice.speech.sounds import RATE
from voice.summary import Utterance, summarise
from voice.summary.sound import write

GUIDE = "sygemeldt"
SECONDS = 60
LEVELS = (0, -6, -12, -18, -24, -30, 6, 12)  # dB: callers differ


@cache
def voice(prompt: Prompt) -> bytes:
    return EspeakSynthesizer().synthesize(prompt.text, "da")


def answers(clips: list[bytes]) -> dict[str, bytes]:
    """Eight minutes, each at another level, with some silences of three seconds."""
    spoken = [np.pad(decode(clip, RATE), (0, 3 * RATE)) for clip in clips]
    made = {}
    for number, level in enumerate(LEVELS):
        order = spoken[number % len(spoken) :] + spoken[: number % len(spoken)]
        minute = np.resize(np.concatenate(order), SECONDS * RATE) * 10 ** (level / 20)
        file = io.BytesIO()
        with wave.open(file, "wb") as wav:
            wav.setparams((1, 2, RATE, 0, "NONE", ""))
            wav.writeframes((np.clip(minute, -1, 1) * 32767).astype("<i2").tobytes())
        made[str(number)] = file.getvalue()
    return made


def main(runs: int = 3, folder: str = "") -> None:
    prompts = load(ROOT / "prompts" / "da")
    guide = prompts.guide(GUIDE)
    clips = [path.read_bytes() for path in sorted(Path(folder).glob("*.wav"))] if folder else []
    recordings = answers(clips or [EspeakSynthesizer().synthesize("Jeg kan ikke tage de tunge løft, men jeg kan tage telefonen.", "da")])
    questions = [question for question in guide.questions if question.kind == "spoken"]
    said = [Utterance(number, questions[int(number) % len(questions)].id, 0, int(number), "heard", "ord") for number in recordings]
    summary = summarise(guide, said, prompts.vocabulary)
    times, sound = [], b""
    for _ in range(runs):
        begun = time.perf_counter()
        sound = write(summary, prompts, voice, recordings)
        times.append(1000 * (time.perf_counter() - begun))
    who = "people" if clips else "espeak"
    print(f"{len(recordings)} answers of {SECONDS} s by {who}: {len(sound):,} bytes")
    print(f"mean of {runs} runs {statistics.mean(times):.0f} ms, slowest {max(times):.0f} ms")
    with av.open(io.BytesIO(sound)) as container:
        rate = container.streams.audio[0].rate
        tape = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
        marks = [(mark["metadata"]["title"], mark["start"] / 1000, mark["end"] / 1000) for mark in container.chapters()]
    for title, start, end in marks:
        here = tape[int(start * rate) : int(end * rate)]
        tens = [loudness(here[at : at + 10 * rate], rate) for at in range(0, here.size, 10 * rate)]
        print(f"{start:6.1f} s {title:40} {loudness(here, rate):6.1f} in tens of seconds: {' '.join(f'{one:.1f}' for one in tens)}")
    print(f"{tape.size / rate:.0f} s, whole {loudness(tape, rate):.1f} LUFS, peak {20 * np.log10(np.abs(tape).max()):.1f} dB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3, sys.argv[2] if len(sys.argv) > 2 else "")
