"""The voice gate: where in a recording somebody speaks (Silero VAD, which comes with faster-whisper).

It comes before every recogniser, since on noise they write something and take their time.
"""

import os
from dataclasses import dataclass

# Read once, at the import below: nothing is ever looked up on a model hub, and nothing hangs where there is no network.
os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
from faster_whisper.vad import VadOptions, collect_chunks, get_speech_timestamps

from voice.speech.audio import Samples

RATE = 16000  # samples per second: what the gate and the recognisers listen to

# Measured on Danish telephone speech.
VOICE_LEVEL = 0.35
VOICE_FADES = 0.05  # once somebody speaks, only what is below is surely silence: soft speech at any level and in noise as loud is kept
GATE = VadOptions(threshold=VOICE_LEVEL, min_speech_duration_ms=0, speech_pad_ms=0)


@dataclass(frozen=True, slots=True)
class Cut:
    """How a recording is cut for a recogniser. In seconds, as measured: see docs/words.md."""

    longest: int = 15  # no chunk is longer: Whisper hears 30 at most, and going round in circles it loses a whole chunk
    pause: float = 1.0  # silence that is longer is left out ...
    edge: float = 0.3  # ... but for so much around speech, or word ends are cut


def speech_seconds(samples: Samples) -> float:
    """How many seconds of these are speech, and nothing else."""
    stretches = get_speech_timestamps(samples, GATE, sampling_rate=RATE)
    return float(sum(stretch["end"] - stretch["start"] for stretch in stretches) / RATE)


def chunks(samples: Samples, cut: Cut) -> list[Samples]:
    """What is said in these samples, in chunks for a recogniser that end between words where they can."""
    options = VadOptions(
        threshold=VOICE_LEVEL,
        min_speech_duration_ms=0,
        max_speech_duration_s=cut.longest,
        min_silence_duration_ms=int(1000 * cut.pause),
        speech_pad_ms=int(1000 * cut.edge),
    )
    collected, _ = collect_chunks(samples, get_speech_timestamps(samples, options), max_duration=cut.longest)
    return [chunk for chunk in collected if chunk.size]


def speech_stretches(samples: Samples, apart: float) -> list[tuple[int, int]]:
    """Where the voice gate hears speech: the first and the last sample of each stretch, which are so many seconds apart at least."""
    options = VadOptions(
        threshold=VOICE_LEVEL,
        neg_threshold=VOICE_FADES,
        min_speech_duration_ms=0,
        speech_pad_ms=0,
        min_silence_duration_ms=int(1000 * apart),
    )
    # The gate takes what it doubts at the very end for speech, unless as much silence follows.
    followed = np.pad(samples, (0, int((apart + 0.1) * RATE)))
    stretches = get_speech_timestamps(followed, options, sampling_rate=RATE)
    return [(stretch["start"], min(stretch["end"], samples.size)) for stretch in stretches]
