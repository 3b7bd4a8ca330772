"""A recogniser's weights as they are published: safetensors files, read row by row, so that a model larger than memory can be converted.

The format (https://github.com/huggingface/safetensors): the length of a JSON table, the table, the numbers of all tensors one after
another. Nothing in it can be executed, unlike PyTorch's own files, which are therefore not read.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from voice.errors import ModelError

INDEX = "model.safetensors.index.json"
WHOLE = "model.safetensors"
_LONGEST_TABLE = 100_000_000  # bytes, as in the format's own reader
_KINDS = {"F32": ("float32", "<f4"), "F16": ("float16", "<f2"), "BF16": ("bfloat16", "<u2")}  # numpy has no bfloat16

Floats = NDArray[np.float32]


class Tensor(Protocol):
    """Numbers in a table of one dimension or more, which are fetched when they are wanted."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def kind(self) -> str:
        """float32, float16 or bfloat16."""
        ...

    def rows(self, start: int, stop: int) -> Floats: ...

    def raw(self) -> bytes:
        """All numbers as they are stored, little-endian."""
        ...


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor in a file."""

    file: Path
    offset: int  # of its first byte
    kind: str
    layout: str  # numpy's name for it
    shape: tuple[int, ...]

    def rows(self, start: int, stop: int) -> Floats:
        width = int(np.prod(self.shape[1:]))
        offset = self.offset + start * width * np.dtype(self.layout).itemsize
        numbers = np.fromfile(self.file, self.layout, (stop - start) * width, offset=offset)
        if self.kind == "bfloat16":  # the upper half of a float32
            numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
        return numbers.astype(np.float32).reshape(stop - start, *self.shape[1:])

    def raw(self) -> bytes:
        return np.fromfile(self.file, self.layout, int(np.prod(self.shape)), offset=self.offset).tobytes()


def read_weights(folder: Path) -> dict[str, Tensor]:
    """All tensors of a model by their names; of the numbers nothing is read yet. Raises ModelError with the mend."""
    tensors: dict[str, Tensor] = {}
    for file in files_of_weights(folder):
        tensors |= _tensors(file)
    return tensors


def files_of_weights(folder: Path) -> list[Path]:
    """The one file that holds a model's weights, or the several that its index names. Raises ModelError."""
    if (folder / WHOLE).is_file():
        return [folder / WHOLE]
    if (folder / INDEX).is_file():
        files = [folder / name for name in parts_in(read_table(folder / INDEX))]
        if missing := [file.name for file in files if not file.is_file()]:
            raise ModelError(f"{folder} lacks {', '.join(missing)}, which its {INDEX} names: copy or fetch it again.")
        return files
    if any(folder.glob("*.bin")):
        raise ModelError(f"{folder} holds weights in PyTorch's own format, which may run code and is not read: get {WHOLE}.")
    raise ModelError(f"{folder} holds no {WHOLE}: name a folder with a model as its author published it.")


def parts_in(index: Mapping[str, Any]) -> list[str]:
    """The files that an index names. Raises ModelError when one would lie elsewhere."""
    names = sorted({str(name) for name in index.get("weight_map", {}).values()})
    if not names or any(Path(name).name != name for name in names):
        raise ModelError(f"{INDEX} names no files of weights: fetch it again.")
    return names


def read_table(file: Path) -> dict[str, Any]:
    """A JSON file with a table. Raises ModelError."""
    try:
        table = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} cannot be read as JSON: copy or fetch it again.") from error
    if not isinstance(table, dict):
        raise ModelError(f"{file} holds no table: copy or fetch it again.")
    return table


def _tensors(file: Path) -> dict[str, Tensor]:
    damaged = ModelError(f"{file} is no whole safetensors file: copy or fetch it again.")
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > _LONGEST_TABLE:
            raise damaged
        try:
            table = json.loads(stream.read(length))
        except ValueError:
            raise damaged from None
    found: dict[str, Tensor] = {}
    try:
        for name, entry in table.items():
            if name == "__metadata__":
                continue
            start, stop = entry["data_offsets"]
            if entry["dtype"] not in _KINDS:
                raise ModelError(f"{file}: {name} is stored as {entry['dtype']}, and only float32, float16 and bfloat16 are read.")
            kind, layout = _KINDS[entry["dtype"]]
            shape = tuple(int(size) for size in entry["shape"])
            if stop - start != int(np.prod(shape)) * np.dtype(layout).itemsize or 8 + length + stop > file.stat().st_size:
                raise damaged
            found[name] = StoredTensor(file, 8 + length + start, kind, layout, shape)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise damaged from None
    return found
