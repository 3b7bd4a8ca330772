"""The canary sweep: markers that stand in everything a caller says and is, looked for in every byte that is left behind.

    canaries = Canaries.fresh()
    ... a call in which they are spoken, imported, sent ...
    assert sweep([data_folder, logs, postgres_folder], canaries, allowed=[mailbox]) == []

A marker is found in every form of FORMS and every encoding of ENCODINGS, inside compressed streams of COMPRESSED (not zstd, of which
this Python knows nothing), over the lines that a mail breaks, and over the border of two reads. ``test_canary.py`` plants each of them.
"""

import base64
import bz2
import io
import json
import lzma
import os
import quopri
import secrets
import stat
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Self
from urllib.parse import quote, quote_plus

import numpy as np
from ahocorasick_rs import BytesAhoCorasick, Implementation

CHUNK = 1 << 20
OVERLAP = 1 << 13  # bytes that two reads have in common: more than the longest marker, with the lines that a mail breaks it into
INFLATED = 1 << 26  # bytes of a compressed stream that are looked at
PIECE = 1 << 8  # bytes that are read and written of it at once: what a broken end makes us lose
SHORTEST = 6  # letters: a shorter word would be found by chance
FRAGMENT = 8  # letters: what PostgreSQL's own compression leaves together, and the end of a page or a chunk
RANDOM = 15  # letters: a word as long as this is made for being found, so that a fragment of it is no chance
WINDOW = 48  # samples of sound that are looked for as one
WINDOWS = 32


# ---- in what forms and encodings a text may stand

Encoding = Callable[[str], Iterable[bytes]]

FORMS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: unicodedata.normalize("NFC", text),
    "lower": lambda text: unicodedata.normalize("NFC", text.lower()),
    "upper": lambda text: unicodedata.normalize("NFC", text.upper()),
    "title": lambda text: unicodedata.normalize("NFC", text.capitalize()),
    "as it is, apart": lambda text: unicodedata.normalize("NFD", text),
    "lower, apart": lambda text: unicodedata.normalize("NFD", text.lower()),
    "upper, apart": lambda text: unicodedata.normalize("NFD", text.upper()),
    "title, apart": lambda text: unicodedata.normalize("NFD", text.capitalize()),
}


def _each(other: Callable[[str], str]) -> Encoding:
    """All that is not plain ASCII replaced, letter by letter."""
    return lambda text: ["".join(letter if letter.isascii() else other(letter) for letter in text).encode()]


def _base64(shift: int) -> Encoding:
    return lambda text: _in_base64(text.encode(), shift)


def _in_base64(data: bytes, shift: int) -> Iterable[bytes]:
    """As it stands in the base64 of something longer, ``shift`` bytes after a group of three began; and of addresses."""
    whole = bytes(shift) + data
    sure = base64.b64encode(whole)[(0, 2, 3)[shift] : len(whole) * 8 // 6]
    return {sure, sure.translate(bytes.maketrans(b"+/", b"-_"))}


def _shown(coding: str) -> Encoding:
    return lambda text: [repr(text.encode(coding))[2:-1].encode()]


ENCODINGS: dict[str, Encoding] = {
    "UTF-8": lambda text: [text.encode()],
    "Latin-1": lambda text: [text.encode("latin-1", "replace")],
    "base64, 0": _base64(0),
    "base64, 1": _base64(1),
    "base64, 2": _base64(2),
    "URL": lambda text: [quote(text, safe="").encode()],
    "URL, a form": lambda text: [quote_plus(text).encode()],
    "quoted-printable": lambda text: [quopri.encodestring(text.encode()).replace(b"=\n", b"")],
    "UTF-16 LE": lambda text: [text.encode("utf-16-le")],
    "UTF-16 BE": lambda text: [text.encode("utf-16-be")],
    "UTF-16, shown": _shown("utf-16-le"),
    "UTF-8, shown": _shown("utf-8"),
    "hex": lambda text: [text.encode().hex().encode()],
    "hex of UTF-16": lambda text: [text.encode("utf-16-le").hex().encode()],
    "JSON": lambda text: [json.dumps(text)[1:-1].encode()],
    "JSON in JSON": lambda text: [json.dumps(json.dumps(text))[3:-3].encode()],
    "octal": _each(lambda letter: "".join(rf"\{byte:03o}" for byte in letter.encode())),
    "HTML": _each(lambda letter: f"&#{ord(letter)};"),
    "HTML, hex": _each(lambda letter: f"&#x{ord(letter):x};"),
    "in fragments": lambda text: _fragments(text.encode()),
}


def _fragments(word: bytes) -> Iterable[bytes]:
    return [word[start : start + FRAGMENT] for start in range(len(word) - FRAGMENT + 1)] if len(word) >= RANDOM else []


# ---- and a sound

SoundEncoding = Callable[[np.ndarray[Any, np.dtype[np.int16]]], Iterable[bytes]]


def _mu_law(samples: np.ndarray[Any, np.dtype[np.int16]]) -> bytes:
    """G.711's, as telephones send it."""
    size = np.minimum(np.abs(samples.astype(np.int32)), 32635) + 132
    exponent = np.floor(np.log2(size)).astype(np.int32) - 7
    mantissa = size >> (exponent + 3) & 15
    return bytes((~(np.where(samples < 0, 128, 0) | exponent << 4 | mantissa) & 255).astype(np.uint8))


SOUND_ENCODINGS: dict[str, SoundEncoding] = {
    "16 bits": lambda samples: [samples.astype("<i2").tobytes()],
    "16 bits, big-endian": lambda samples: [samples.astype(">i2").tobytes()],
    "mu-law": lambda samples: [_mu_law(samples)],
    "32-bit float": lambda samples: [(samples.astype("<f4") / np.float32(32768)).tobytes()],
    "hex": lambda samples: [samples.astype("<i2").tobytes().hex().encode()],
    "base64": lambda samples: [one for shift in range(3) for one in _in_base64(samples.astype("<i2").tobytes(), shift)],
}

# What compresses, by the first bytes of its stream.
COMPRESSED: dict[bytes, Callable[[], Any]] = {
    b"\x1f\x8b\x08": lambda: zlib.decompressobj(31),
    **dict.fromkeys((b"x\x01", b"x\x5e", b"x\x9c", b"x\xda"), zlib.decompressobj),
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ\0": lzma.LZMADecompressor,
}
_LOWER = bytes(range(256)).lower()


def folded(data: bytes) -> bytes:
    """As it is searched: without lines (also quoted-printable's own), in lower case."""
    return data.replace(b"=\r\n", b"").replace(b"=\n", b"").translate(_LOWER, b"\r\n")


# ---- what is looked for


@dataclass(frozen=True)
class Canaries:
    """Markers that stand nowhere else. Of ``spoken``, ``name`` and what stands before and after the @ of ``address`` each word that is
    long enough is looked for; of ``number`` the national digits, however they are set. ``sound``: 16-bit samples of the caller's."""

    spoken: str
    address: str
    name: str
    number: str
    sound: bytes = b""
    more: Mapping[str, str] = field(default_factory=dict)  # any further markers by what they are

    @classmethod
    def fresh(cls, sound: bytes = b"") -> Self:
        """New ones, unlike any other's. With a Danish letter in each word, as those are what encodings differ in."""
        local = _word(18)
        return cls(
            f"{_word(18)}ø{_word(4)}",
            f"{local}@{_word(14)}.example",
            f"{_word(7)}æ {_word(9)}å",
            f"+45{20 + secrets.randbelow(10)}{_digits(6)}",
            sound,
        )

    @cached_property
    def search(self) -> "Search":
        return Search(self)

    def texts(self) -> Iterator[tuple[str, str]]:
        """Each text to look for, and what it is."""
        for what, text in {"spoken": self.spoken, "address": self.address, "name": self.name, **self.more}.items():
            words = [word for word in text.replace("@", " ").removesuffix(".example").split() if len(word) >= SHORTEST]
            if not words:
                raise ValueError(f"{what}: {text!r} has no word of {SHORTEST} letters, and would be found by chance")
            yield from ((what, word) for word in words)
        digits = "".join(filter(str.isdigit, self.number))[-8:]
        if len(digits) < 8:
            raise ValueError(f"number: {self.number!r} is shorter than a Danish number")
        yield from (("number", one) for one in (digits, " ".join(digits[at : at + 2] for at in range(0, 8, 2)), " ".join(digits)))


def _word(letters: int) -> str:
    return "".join(secrets.choice("bdfgklmnprstvz" if at % 2 == 0 else "aeiouy") for at in range(letters))


def _digits(count: int) -> str:
    return "".join(secrets.choice("0123456789") for _ in range(count))


class Search:
    """All markers in all their shapes, made ready to be found in one pass."""

    def __init__(self, canaries: Canaries) -> None:
        self.shapes: dict[bytes, tuple[str, str]] = {}  # folded -> what it is, and how it is encoded
        for what, text in canaries.texts():
            for how, encode in ENCODINGS.items():
                for shape in (shape for form in FORMS.values() for shape in encode(form(text))):
                    self.shapes.setdefault(folded(shape), (what, how))
        for window in _windows(canaries.sound):
            for how, encode_sound in SOUND_ENCODINGS.items():
                for shape in encode_sound(window):
                    self.shapes.setdefault(folded(shape), ("sound", how))
        self._order = list(self.shapes)
        longest = max(map(len, self._order))
        assert longest * 4 < OVERLAP, "a marker is too long for what two reads have in common"
        self._automaton = BytesAhoCorasick(self._order, implementation=Implementation.DFA)

    def find(self, data: bytes) -> Iterator[tuple[str, str]]:
        """What is found in it, and how it is encoded."""
        text = folded(data)
        for index, start, end in self._automaton.find_matches_as_indexes(text, overlapping=True):
            what, how = self.shapes[self._order[index]]
            if what != "number" or how != "UTF-8" or not _is_part_of_a_number(text, start, end):
                yield what, how


def _is_part_of_a_number(text: bytes, start: int, end: int) -> bool:
    """Digits within longer ones or within a hash are no telephone number; after the country's 45 they are."""
    if text[max(start - 2, 0) : start] == b"45":
        return False
    return any(beside in b"0123456789abcdef" for beside in (text[start - 1 : start] or b"-", text[end : end + 1] or b"-"))


def _windows(sound: bytes) -> Iterator[np.ndarray[Any, np.dtype[np.int16]]]:
    """Stretches from all of the sound which nothing else sounds like: no silence, and no steady hum."""
    samples = np.frombuffer(sound[: len(sound) // 2 * 2], "<i2")
    stretches = [samples[at : at + WINDOW] for at in range(0, len(samples) - WINDOW + 1, WINDOW)]
    distinct = [one for one in stretches if len(np.unique(one)) > WINDOW // 2]
    if sound and not distinct:
        raise ValueError("sound: nothing in it can be told from silence")
    yield from distinct[:: -(-len(distinct) // WINDOWS)] if distinct else []


# ---- the sweep


@dataclass(frozen=True, order=True)
class Finding:
    """A marker where none may be. ``where``: about how many bytes into the file, or into what is compressed in it."""

    path: Path
    what: str
    how: str
    where: int

    def __str__(self) -> str:
        return f"{self.path}: {self.what} ({self.how}) near byte {self.where}"


def sweep(places: Iterable[Path], canaries: Canaries, *, allowed: Iterable[Path] = ()) -> list[Finding]:
    """Look through every file below the places, but for what is allowed. One finding for each file, marker and encoding.

    Files may be written, cut and deleted meanwhile. A place that is not there is an error: it would be clean for no reason.
    """
    allowed = {path.resolve() for path in allowed}
    found: dict[tuple[Path, str, str], Finding] = {}
    for place in places:
        if not place.exists():
            raise FileNotFoundError(place)
        for path in _files(place, allowed):
            for finding in _in_file(path, canaries.search):
                found.setdefault((finding.path, finding.what, finding.how), finding)
    return sorted(found.values())


def _files(place: Path, allowed: set[Path]) -> Iterator[Path]:
    """Every ordinary file. Links are not followed: what they lead to has a place of its own."""
    if place.resolve() in allowed:
        return
    try:
        mode = place.lstat().st_mode
        below = sorted(place.iterdir()) if stat.S_ISDIR(mode) else []
    except FileNotFoundError:  # gone since its folder was listed
        return
    if stat.S_ISREG(mode):
        yield place
    for path in below:
        yield from _files(path, allowed)


def _in_file(path: Path, search: Search) -> Iterator[Finding]:
    for what, how in search.find(os.fsencode(path)):
        yield Finding(path, what, f"{how}, in its name", 0)
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for what, how, where in _in_stream(file, search):
            yield Finding(path, what, how, where)


def _in_stream(file: BinaryIO, search: Search, depth: int = 2) -> Iterator[tuple[str, str, int]]:
    """``depth``: how often something compressed may hold something compressed."""
    kept, start = b"", 0  # what was read before, and where it began
    while chunk := file.read(CHUNK):
        data = kept + chunk
        yield from ((what, how, start) for what, how in search.find(data))
        if depth:
            for at in _beginnings(data, len(kept)):
                after = file.tell()
                if inflated := _inflated(file, start + at, data[at : at + 6]):
                    yield from ((what, f"{how}, compressed", start + at) for what, how, _ in _in_stream(inflated, search, depth - 1))
                file.seek(after)
        kept = data[-OVERLAP:]
        start += len(data) - len(kept)


def _beginnings(data: bytes, seen: int) -> Iterator[int]:
    """Where something compressed may begin, in what was not yet seen."""
    for magic in COMPRESSED:
        at = data.find(magic, max(seen - len(magic) + 1, 0))
        while at >= 0:
            yield at
            at = data.find(magic, at + 1)


def _inflated(file: BinaryIO, at: int, beginning: bytes) -> BinaryIO | None:
    """What a stream there holds, as far as it can be read; None if there is none."""
    inflate = next(make for magic, make in COMPRESSED.items() if beginning.startswith(magic))()
    file.seek(at)
    out = bytearray()
    try:
        while not inflate.eof and len(out) < INFLATED:
            more = getattr(inflate, "unconsumed_tail", b"") or (file.read(PIECE) if getattr(inflate, "needs_input", True) else b"")
            part = inflate.decompress(more, PIECE)
            out += part
            if not more and not part:
                break
    except (zlib.error, OSError, lzma.LZMAError, EOFError):
        pass  # cut off, or never was one
    return io.BytesIO(out) if len(out) >= SHORTEST else None
