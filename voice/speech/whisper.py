"""The recogniser: Whisper on this machine's processor, through faster-whisper. What is said leaves it to no speech service.

The model is never given words to expect (no initial_prompt, no hotwords): on noise and silence it would return them as if
the caller had said them. A voice gate comes first, since on noise Whisper writes something and takes its time.
"""

import os
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol

# Read once, at the import below: nothing is ever looked up on a model hub, and nothing hangs where there is no network.
os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel
from faster_whisper.vad import VadOptions, get_speech_timestamps

from voice.speech import LEAST_SPEECH, Transcript
from voice.speech.audio import Samples, decode

RATE = 16000  # samples per second: what Whisper and the voice gate listen to

# Measured on Danish telephone speech. The gate counts speech alone; the chunks for Whisper have room around them, or word ends are cut.
VOICE_LEVEL = 0.35
VOICE_FADES = 0.05  # once somebody speaks, only what is below is surely silence: soft speech at any level and in noise as loud is kept
GATE = VadOptions(threshold=VOICE_LEVEL, min_speech_duration_ms=0, speech_pad_ms=0)
CHUNKS: Final = {"threshold": VOICE_LEVEL, "min_speech_duration_ms": 0, "min_silence_duration_ms": 1000, "speech_pad_ms": 500}

# An answer is marked as unsure when any of these holds.
UNSURE_LOGPROB = -0.8  # the mean over its tokens is below
UNSURE_SECONDS = 1.5  # it has less speech: a "ja" becomes a whole sentence
UNSURE_WORDS_PER_SECOND = 1  # it has fewer words: sentences were dropped ...
UNSURE_PACE_SECONDS = 3  # ... but in less speech than this the pace says nothing
UNSURE_COMPRESSION = 2.4  # a piece of it compresses better: the model went round in circles

# An answer is in a foreign language when all of these hold: measured on Danish telephone speech, of which the model takes much
# for German or English, though seldom with confidence. Better a foreign answer in doubtful Danish words than a Danish one without any.
FOREIGN_PROBABILITY = 0.85  # another language has this much at least
EXPECTED_PROBABILITY = 0.01  # the one that is expected has this much at most
FOREIGN_SECONDS = 2  # there is so much speech


class Segment(Protocol):
    """What faster-whisper returns for each piece of speech, so far as we use it."""

    text: str
    tokens: Sequence[int]
    avg_logprob: float
    compression_ratio: float


class WhisperTranscriber:
    """A Transcriber. The model is loaded at the first speech; one recording is transcribed at a time."""

    def __init__(self, model_folder: Path | str, threads: int) -> None:
        self._model_folder = model_folder
        self._threads = threads
        self._one_at_a_time = threading.Lock()

    def transcribe(self, sound: bytes, language: str) -> Transcript:
        samples = decode(sound, RATE)
        with self._one_at_a_time:
            speech = speech_seconds(samples)
            foreign = foreign_language(self._languages(samples), language) if speech >= FOREIGN_SECONDS else ""
            if foreign:  # written down as if it were the expected one, it would read as sense that nobody said
                return Transcript("", speech, unsure=False, language=foreign, foreign=True)
            segments = self._segments(samples, language) if speech >= LEAST_SPEECH else []
        text = " ".join(segment.text.strip() for segment in segments).strip()
        return Transcript(text, speech, unsure=speech >= LEAST_SPEECH and is_unsure(segments, speech), language=language)

    def _languages(self, samples: Samples) -> Mapping[str, float]:
        """How probable each language is, from the first half minute of speech."""
        _, _, probabilities = self._pipeline.model.detect_language(samples, vad_filter=True, vad_parameters=VadOptions(**CHUNKS))
        return dict(probabilities)

    def _segments(self, samples: Samples, language: str) -> list[Segment]:
        segments, _ = self._pipeline.transcribe(
            samples, language=language, task="transcribe", beam_size=5, batch_size=4, vad_filter=True, vad_parameters=CHUNKS
        )
        return list(segments)

    @cached_property
    def _pipeline(self) -> Any:
        model = WhisperModel(str(self._model_folder), device="cpu", compute_type="int8", cpu_threads=self._threads, local_files_only=True)
        return BatchedInferencePipeline(model)


def speech_seconds(samples: Samples) -> float:
    """The voice gate: how many seconds of these are speech (Silero VAD, which comes with faster-whisper)."""
    stretches = get_speech_timestamps(samples, GATE, sampling_rate=RATE)
    return float(sum(stretch["end"] - stretch["start"] for stretch in stretches) / RATE)


def foreign_language(probabilities: Mapping[str, float], expected: str) -> str:
    """The language that was spoken, if it surely was another one than expected; or ""."""
    likeliest = max(probabilities, key=probabilities.__getitem__)
    sure = probabilities[likeliest] >= FOREIGN_PROBABILITY and probabilities[expected] <= EXPECTED_PROBABILITY
    return likeliest if sure else ""


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


def is_unsure(segments: Sequence[Segment], speech: float) -> bool:
    """Whether what was written down of so many seconds of speech may well be wrong."""
    words = sum(len(segment.text.split()) for segment in segments)
    if not words or speech < UNSURE_SECONDS:
        return True
    tokens = sum(len(segment.tokens) for segment in segments)
    logprob = sum(segment.avg_logprob * len(segment.tokens) for segment in segments) / tokens
    return (
        logprob < UNSURE_LOGPROB
        or (speech > UNSURE_PACE_SECONDS and words / speech < UNSURE_WORDS_PER_SECOND)
        or any(segment.compression_ratio > UNSURE_COMPRESSION for segment in segments)
    )
