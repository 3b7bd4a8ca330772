"""How fast a recogniser would be on this machine: what it takes does not depend on its numbers, so made-up ones of its shape do.

Run as a process of its own, which takes a shape as JSON and prints seconds: a gigabyte or two is then given back.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np

from voice.errors import ModelError
from voice.models.conversion import specify, write
from voice.models.shapes import Shape, sizes
from voice.models.weights import Floats, Tensor

WINDOW = 30.0  # seconds of sound that Whisper hears at once
_TOKENS = 150  # in half a minute of Danish speech
_TRIED = 50  # the rest takes as long
_BEAM = 5
_END, _BEGIN, _NO_TIMES = 50257, 50258, 50363  # as good as any, were they not looked for by name
_MARKS = {_END: "<|endoftext|>", _BEGIN: "<|startoftranscript|>", _NO_TIMES: "<|notimestamps|>"}


class MadeUp:
    """A tensor that costs no reading."""

    kind = "float16"

    def __init__(self, name: str, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self._start = int.from_bytes(hashlib.sha256(name.encode()).digest()[:3], "little")  # so that no two are the same

    def rows(self, start: int, stop: int) -> Floats:
        size = (stop - start, *self.shape[1:])
        return np.resize(np.roll(_numbers(), self._start + start), size)

    def raw(self) -> bytes:
        return self.rows(0, self.shape[0]).astype("<f2").tobytes()


def speed(shape: Shape, cache_file: Path) -> float:
    """Seconds of sound per second of computing, all processors at work. Measured once on a machine. Raises ModelError."""
    known = json.loads(cache_file.read_text()) if cache_file.is_file() else {}
    key = f"{shape} {os.cpu_count()} processors"
    if key not in known:
        known[key] = _apart(shape)
        cache_file.parent.mkdir(parents=True, exist_ok=True)
        cache_file.write_text(json.dumps(known, indent=2) + "\n")
    return WINDOW / float(known[key])


def _apart(shape: Shape) -> float:
    command = [sys.executable, "-m", "voice.models.measuring", json.dumps(asdict(shape))]
    done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603 - our own program, with numbers # nosec B603
    if done.returncode:
        raise ModelError("This machine's speed could not be measured (too little memory or disk?): leave it out with --no-measure.")
    return float(done.stdout)


def seconds_of_work(shape: Shape, folder: Path, clock: Callable[[], float], tried: int = _TRIED) -> float:
    """Computing for one window of speech, by a made-up model that is written into ``folder``."""
    import ctranslate2

    weights: dict[str, Tensor] = {name: MadeUp(name, size) for name, size in sizes(shape).items()}
    spec = specify(weights, shape)
    spec.config.lang_ids, spec.config.alignment_heads = [], [(0, 0)]
    spec.register_vocabulary([_MARKS.get(number, str(number)) for number in range(shape.vocabulary)])
    write(spec, folder)
    model = ctranslate2.models.Whisper(str(folder), device="cpu", compute_type="int8", intra_threads=os.cpu_count() or 1)
    silence = ctranslate2.StorageView.from_array(np.zeros((1, shape.mels, 3000), np.float32))
    begun = clock()
    heard = model.encode(silence)
    between = clock()
    never_ends = {"suppress_tokens": [_END], "suppress_blank": False, "max_length": 2 * tried}
    [result] = model.generate(heard, [[_BEGIN, _NO_TIMES]], beam_size=_BEAM, **never_ends)
    return between - begun + (clock() - between) * _TOKENS / len(result.sequences_ids[0])


@cache
def _numbers() -> Floats:
    return np.random.default_rng(1).standard_normal(2**20, np.float32) / np.float32(32)


if __name__ == "__main__":
    import time

    with tempfile.TemporaryDirectory() as scratch:
        print(seconds_of_work(Shape(**json.loads(sys.argv[1])), Path(scratch) / "model", time.perf_counter))
