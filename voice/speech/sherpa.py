"""The other recogniser: a transducer (Parakeet, Ekko, Zipformer) on this machine's processor, through sherpa-onnx.

It has no language model that could invent a sentence, is several times faster than a Whisper of its quality, and writes what it
was trained to write: often small letters without punctuation. It tells no languages apart.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from voice.speech.audio import Samples
from voice.speech.engines import TRANSDUCER, onnx_file
from voice.speech.flags import Flags, Piece, Word
from voice.speech.gate import RATE, Cut
from voice.speech.listening import Listener


class TransducerTranscriber(Listener):
    """A Transcriber. The model is loaded at the first speech."""

    def __init__(self, model_folder: Path | str, threads: int, cut: Cut | None = None) -> None:
        super().__init__(cut or Cut(), Flags.of(Path(model_folder)))
        self._model_folder = Path(model_folder)
        self._threads = threads

    def languages(self, speech: Samples) -> Mapping[str, float]:
        return {}

    def write(self, parts: Sequence[Samples], language: str) -> list[Piece]:
        return [self._words(part) for part in parts]

    def _words(self, part: Samples) -> Piece:
        stream = self._recogniser.create_stream()
        stream.accept_waveform(RATE, part)
        self._recogniser.decode_stream(stream)
        return joined(stream.result.tokens, stream.result.ys_log_probs)

    @cached_property
    def _recogniser(self) -> Any:
        from sherpa_onnx import OfflineRecognizer  # an extra

        files = {name: str(onnx_file(self._model_folder, name)) for name in TRANSDUCER}
        tokens = str(self._model_folder / "tokens.txt")
        return OfflineRecognizer.from_transducer(**files, tokens=tokens, num_threads=self._threads, model_type="")  # the file tells


def joined(tokens: Sequence[str], logprobs: Sequence[float]) -> Piece:
    """The words of these pieces; one that begins with a space begins a word. A word is as probable as its pieces on average."""
    words: list[tuple[str, list[float]]] = []
    for token, logprob in zip(tokens, logprobs, strict=True):
        if token.startswith((" ", "▁")) or not words:
            words.append(("", []))
        text, probabilities = words.pop()
        words.append((text + token.lstrip(" ▁"), [*probabilities, math.exp(logprob)]))
    return [Word(text, sum(probabilities) / len(probabilities)) for text, probabilities in words if text]
