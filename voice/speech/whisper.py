"""The recogniser: Whisper on this machine's processor, through faster-whisper. What is said leaves it to no speech service.

The model is never given words to expect (no initial_prompt, no hotwords): on noise and silence it would return them as if
the caller had said them.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from voice.speech.audio import Samples
from voice.speech.flags import Flags, Piece, Word
from voice.speech.gate import RATE, Cut  # before faster_whisper, as it says that there is no network
from voice.speech.listening import Listener

from faster_whisper import BatchedInferencePipeline, WhisperModel  # isort: skip

BEAM = 5
# Whisper's own rule for a piece that holds no speech, which faster-whisper leaves out when it listens to several at once.
NO_SPEECH = 0.6  # it is more probable than this that nobody speaks ...
NO_SPEECH_LOGPROB = -1.0  # ... and the words' mean is below
BATCH = 4  # chunks that are listened to at once: more takes memory and saves no time


class WhisperTranscriber(Listener):
    """A Transcriber. The model is loaded at the first speech."""

    def __init__(
        self, model_folder: Path | str, threads: int, beam: int = BEAM, batch: int = BATCH, compute: str = "int8", cut: Cut | None = None
    ) -> None:
        super().__init__(cut or Cut(), Flags.of(Path(model_folder)))
        self._model_folder = model_folder
        self._threads = threads
        self._beam = beam
        self._batch = batch
        self._compute = compute

    def languages(self, speech: Samples) -> Mapping[str, float]:
        _, _, probabilities = self._pipeline.model.detect_language(speech)
        return dict(probabilities)

    def write(self, parts: Sequence[Samples], language: str) -> list[Piece]:
        sizes = [part.size for part in parts]
        # Half a sample more, since faster-whisper takes seconds and rounds down.
        starts, ends = ((np.cumsum(some) + 0.5) / RATE for some in ([0, *sizes[:-1]], sizes))
        segments, _ = self._pipeline.transcribe(
            np.concatenate(parts),
            language=language,
            task="transcribe",
            beam_size=self._beam,
            batch_size=self._batch,
            clip_timestamps=[{"start": start, "end": end} for start, end in zip(starts, ends, strict=True)],
            word_timestamps=True,  # for the words' probabilities
        )
        return [
            [Word(word.word.strip(), word.probability) for word in segment.words]
            for segment in segments
            if not (segment.no_speech_prob > NO_SPEECH and segment.avg_logprob < NO_SPEECH_LOGPROB)
        ]

    @cached_property
    def _pipeline(self) -> Any:
        model = WhisperModel(
            str(self._model_folder), device="cpu", compute_type=self._compute, cpu_threads=self._threads, local_files_only=True
        )
        return BatchedInferencePipeline(model)
