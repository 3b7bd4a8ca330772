"""Tensors as CTranslate2 writes them into a model: put together and quantized while they are written, a few megabytes at a time."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from ctranslate2.specs.model_spec import Variable, visit_spec
from numpy.typing import NDArray

from voice.models.weights import Floats, Tensor

_AT_ONCE = 4_000_000  # numbers that are held in memory


class Zeros:
    """The bias of a layer that has none, where it is joined to layers that have one."""

    def __init__(self, size: int, kind: str) -> None:
        self.shape = (size,)
        self.kind = kind

    def rows(self, start: int, stop: int) -> Floats:
        return np.zeros(stop - start, np.float32)

    def raw(self) -> bytes:
        return bytes(self.shape[0] * (4 if self.kind == "float32" else 2))


class Stacked(Variable):  # type: ignore[misc]  # the library has no types
    """Tensors one upon the other: CTranslate2 multiplies with queries, keys and values at once."""

    def __init__(self, parts: Sequence[Tensor]) -> None:
        self._parts = parts
        kinds = {part.kind for part in parts}
        self._as_stored = len(kinds) == 1
        self._kind = kinds.pop() if self._as_stored else "float32"

    @property
    def shape(self) -> tuple[int, ...]:
        return (sum(part.shape[0] for part in self._parts), *self._parts[0].shape[1:])

    @property
    def dtype(self) -> str:
        return self._kind

    def blocks(self) -> Iterator[Floats]:
        """All rows in order, some at a time."""
        at_once = max(1, _AT_ONCE // int(np.prod(self.shape[1:])))
        for part in self._parts:
            for start in range(0, part.shape[0], at_once):
                yield part.rows(start, min(start + at_once, part.shape[0]))

    def numpy(self) -> Floats:
        return np.concatenate(list(self.blocks()))

    def num_bytes(self) -> int:
        return int(np.prod(self.shape)) * (4 if self._kind == "float32" else 2)

    def to_bytes(self) -> bytes:
        if self._as_stored:
            return b"".join(part.raw() for part in self._parts)
        return b"".join(block.tobytes() for block in self.blocks())

    @cached_property
    def _first(self) -> float:
        return float(self._parts[0].rows(0, 1).flat[0])

    def _to(self, dtype: str) -> Variable:
        raise NotImplementedError(dtype)  # nothing is written in another type than its own but by Int8

    def _equal(self, other: "Stacked") -> bool:
        """Whether the other holds the same numbers, so that they need not be stored twice."""
        return (
            self.shape == other.shape
            and self.dtype == other.dtype
            and self._first == other._first
            and (self._parts == other._parts or bool(np.array_equal(self.numpy(), other.numpy())))
        )


class Int8(Variable):  # type: ignore[misc]
    """A tensor as whole numbers from -127 to 127, with a scale for each row; the arithmetic is CTranslate2's own, to the last bit."""

    def __init__(self, source: Stacked) -> None:
        self._source = source

    shape = property(lambda self: self._source.shape)
    dtype = property(lambda self: "int8")

    @cached_property
    def scale(self) -> Floats:
        """What each row was multiplied with."""
        largest = np.concatenate([np.abs(_flat(block)).max(axis=1) for block in self._source.blocks()])
        largest[largest == 0] = 127.0
        largest = np.maximum(largest, np.float32(127) / np.finfo(np.float32).max)
        scale: Floats = np.float32(127.0) / largest
        return scale

    def numpy(self) -> NDArray[np.int8]:
        whole = np.empty(self.shape, np.int8)
        done = 0
        for block in self._source.blocks():
            flat = _flat(block)
            flat *= self.scale[done : done + len(block), None]
            np.rint(flat, out=flat)
            whole[done : done + len(block)] = flat.reshape(block.shape)
            done += len(block)
        return whole

    def num_bytes(self) -> int:
        return int(np.prod(self.shape))

    def to_bytes(self) -> bytes:
        return self.numpy().tobytes()

    def _to(self, dtype: str) -> Variable:
        raise NotImplementedError(dtype)

    def _equal(self, other: Any) -> bool:
        return self is other


class Scale(Variable):  # type: ignore[misc]
    """The scales of quantized rows, known once they are read."""

    def __init__(self, of: Int8) -> None:
        self._of = of

    shape = property(lambda self: self._of.shape[:1])
    dtype = property(lambda self: "float32")

    def numpy(self) -> Floats:
        return self._of.scale

    def num_bytes(self) -> int:
        return 4 * int(self._of.shape[0])

    def to_bytes(self) -> bytes:
        return self._of.scale.tobytes()

    def _to(self, dtype: str) -> Variable:
        raise NotImplementedError(dtype)

    def _equal(self, other: Any) -> bool:
        return self is other


def quantize(spec: Any) -> None:
    """Say of each tensor of this specification that may be int8 that it shall be, when it is written."""

    def one(layer: Any, name: str, value: object) -> None:
        key = name.rpartition("/")[2]
        if isinstance(value, Stacked) and hasattr(layer, f"{key}_scale"):
            whole = Int8(value)
            setattr(layer, key, whole)
            setattr(layer, f"{key}_scale", Scale(whole))

    visit_spec(spec, one)


def _flat(block: Floats) -> Floats:
    return block.reshape(len(block), -1)
