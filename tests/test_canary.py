"""The canary sweep finds what it is said to find: each shape is planted, and is not found once the sweep no longer knows it."""

import base64
import bz2
import gzip
import html
import io
import json
import lzma
import quopri
import unicodedata
import zlib
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import quote, urlencode

import av
import numpy as np
import pytest

from tests import canary
from tests.canary import COMPRESSED, ENCODINGS, FORMS, SOUND_ENCODINGS, Canaries, sweep
from tests.exchange_line import voice
from voice.exchange import media

SOUND = voice(1.0)
CANARIES = Canaries("Kanariefjerå", "kanarie.fjer@kanariegren.example", "Fjerdrægt Kanariesen", "+4542424242", SOUND)
WORD = CANARIES.spoken
LONG = "kanariefjervingenæb"
NOISE = np.random.default_rng(2).bytes(3000)


def found(folder: Path, data: bytes, canaries: Canaries = CANARIES) -> set[tuple[str, str]]:
    """What the sweep finds in a file with that in the middle."""
    (folder / "file").write_bytes(NOISE + data + NOISE)
    return {(one.what, one.how) for one in sweep([folder], canaries)}


def without(monkeypatch: pytest.MonkeyPatch, table: str, line: object) -> None:
    """A sweep that does not know this."""
    monkeypatch.setattr(canary, table, {key: value for key, value in getattr(canary, table).items() if key != line})


PLANTED: dict[str, bytes] = {
    "UTF-8": WORD.encode(),
    "Latin-1": WORD.encode("latin-1"),
    **{f"base64, {shift}": base64.b64encode(b"x" * (3 + shift) + WORD.encode() + b"yz") for shift in range(3)},
    "URL": quote("42 42 42 42").encode(),
    "URL, a form": urlencode({"From": "42 42 42 42"}).encode(),
    "quoted-printable": quopri.encodestring(WORD.encode()),
    "UTF-16 LE": WORD.encode("utf-16")[2:],
    "UTF-16 BE": WORD.encode("utf-16-be"),
    "UTF-16, shown": repr(WORD.encode("utf-16-le")).encode(),
    "UTF-8, shown": repr(WORD.encode()).encode(),
    "hex": WORD.encode().hex().encode(),
    "hex of UTF-16": WORD.encode("utf-16-le").hex().upper().encode(),
    "JSON": json.dumps({"words": WORD}).encode(),
    "JSON in JSON": json.dumps(json.dumps({"words": WORD})).encode(),
    "octal": WORD[:-1].encode() + rb"\303\245",
    "HTML": WORD.encode("ascii", "xmlcharrefreplace"),
    "HTML, hex": WORD[:-1].encode() + b"&#xE5;",
    "in fragments": b"\0kanar\0iefjervi\0ngen\0",  # as PostgreSQL's compression writes it: a byte of flags after each eight
}


@pytest.mark.parametrize("how", ENCODINGS)
def test_each_encoding_is_found_and_by_its_own_line_of_the_list(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canaries = Canaries(LONG if how == "in fragments" else WORD, CANARIES.address, CANARIES.name, CANARIES.number)
    assert {one for _, one in found(tmp_path, PLANTED[how], canaries)} == {how}
    without(monkeypatch, "ENCODINGS", how)
    assert not found(tmp_path, PLANTED[how], Canaries(canaries.spoken, canaries.address, canaries.name, canaries.number))


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_found_and_by_its_own_line_of_the_list(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    word = "kaNarieFjerå"
    case, _, apart = form.partition(", ")
    shapes = {"as it is": word, "lower": word.lower(), "upper": word.upper(), "title": word.capitalize()}
    plant = base64.b64encode(unicodedata.normalize("NFD" if apart else "NFC", shapes[case]).encode())
    canaries = Canaries(word, CANARIES.address, CANARIES.name, CANARIES.number)
    assert found(tmp_path, plant, canaries) == {("spoken", "base64, 0")}
    without(monkeypatch, "FORMS", form)
    assert not found(tmp_path, plant, Canaries(word, CANARIES.address, CANARIES.name, CANARIES.number))


def test_every_letter_may_be_large_or_small(tmp_path: Path) -> None:
    assert found(tmp_path, "kAnArIeFjErÅ".encode()) == {("spoken", "UTF-8")}


@pytest.mark.parametrize(
    ("planted", "what"),
    [
        (CANARIES.address, "address"),
        ("someone@kanariegren.example", "address"),
        (CANARIES.name, "name"),
        (CANARIES.number, "number"),
        ("call +45 42 42 42 42.", "number"),
        ("4542424242", "number"),
        ("tel:42424242", "number"),
        ("4 2 4 2 4 2 4 2", "number"),
    ],
)
def test_each_marker_is_found(planted: str, what: str, tmp_path: Path) -> None:
    assert {kind for kind, _ in found(tmp_path, f"-{planted}-".encode())} == {what}


@pytest.mark.parametrize("digits", ["1742424242", "424242421", "a42424242", "42424242f"])
def test_a_part_of_a_time_or_of_a_hash_is_no_number(digits: str, tmp_path: Path) -> None:
    assert found(tmp_path, f" {digits} ".encode()) == set()


@pytest.mark.parametrize("cte", ["quoted-printable", "base64"])
def test_a_mail_that_breaks_its_lines_in_the_middle_of_it_is_found(cte: str, tmp_path: Path) -> None:
    for before in range(60, 80):
        mail = EmailMessage()
        mail.set_content(f"{'x' * before} {WORD} {'y' * 90}", cte=cte)
        assert {what for what, _ in found(tmp_path, mail.as_bytes())} == {"spoken"}, before


@pytest.mark.parametrize("how", SOUND_ENCODINGS)
def test_the_caller_s_sound_is_found_and_by_its_own_line_of_the_list(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.frombuffer(SOUND, "<i2")
    planted = {
        "16 bits": media.to_wav(SOUND)[600:-600],
        "16 bits, big-endian": samples.byteswap().tobytes(),
        "mu-law": encoded(SOUND, "pcm_mulaw"),
        "32-bit float": (samples / np.float32(32768)).tobytes(),
        "hex": SOUND.hex().encode(),
        "base64": base64.b64encode(b"x" + SOUND),
    }[how]
    assert found(tmp_path, planted) == {("sound", how)}
    without(monkeypatch, "SOUND_ENCODINGS", how)
    assert not found(tmp_path, planted, Canaries(WORD, CANARIES.address, CANARIES.name, CANARIES.number, SOUND))


def encoded(pcm: bytes, codec: str) -> bytes:
    """By FFmpeg, whose mu-law is the one that everybody's is."""
    file = io.BytesIO()
    with av.open(file, "w", format="wav") as container:
        stream = container.add_stream(codec, rate=media.RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.frombuffer(pcm, "<i2").reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = media.RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return file.getvalue()


def test_another_s_sound_and_silence_are_not_taken_for_the_caller_s(tmp_path: Path) -> None:
    assert not found(tmp_path, voice(1.0, dbfs=-30) + bytes(16000) + media.tone(1.0))
    with pytest.raises(ValueError, match="told from silence"):
        sweep([tmp_path], Canaries(WORD, "kanarie@fjer.example", "kanarie", CANARIES.number, bytes(16000)))


COMPRESS: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b\x08": gzip.compress,
    b"x\x01": lambda data: zlib.compress(data, 1),
    b"x\x5e": lambda data: zlib.compress(data, 5),
    b"x\x9c": lambda data: zlib.compress(data, 6),
    b"x\xda": lambda data: zlib.compress(data, 9),
    b"BZh": bz2.compress,
    b"\xfd7zXZ\0": lzma.compress,
}


@pytest.mark.parametrize("magic", COMPRESSED)
def test_it_is_found_in_what_is_compressed_also_twice_and_cut_off(magic: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = html.escape(f"many lines\n{WORD}\n" * 100).encode() + NOISE * 10
    once = COMPRESS[magic](text)
    assert once.startswith(magic)
    assert WORD.encode() not in once
    cut = once if magic == b"BZh" else once[: len(once) - 2000]  # bzip2 gives nothing of a block that is cut
    assert found(tmp_path, once) == found(tmp_path, cut) == {("spoken", "UTF-8, compressed")}
    assert ("spoken", "UTF-8, compressed, compressed") in found(tmp_path, gzip.compress(once))
    without(monkeypatch, "COMPRESSED", magic)
    assert not found(tmp_path, once, Canaries(WORD, CANARIES.address, CANARIES.name, CANARIES.number))


@pytest.mark.parametrize("make", [lambda word: word, zlib.compress])
def test_it_is_found_over_the_border_of_two_reads(make: Callable[[bytes], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary, "CHUNK", 1000)
    monkeypatch.setattr(canary, "OVERLAP", 500)
    search, planted = CANARIES.search, make(WORD.encode())
    for before in range(-1, len(planted) + 2):
        for border in (1000, 2000, 3000):
            data = bytes(border - before) + planted + bytes(1000)
            assert list(canary._in_stream(io.BytesIO(data), search)), (border, before)


def test_it_is_found_in_names_of_files_in_links_targets_and_nowhere_that_is_allowed(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (below / "mail").write_text(WORD)
    (tmp_path / f"{WORD}.wav").touch()
    (tmp_path / "link").symlink_to(below)
    findings = sweep([tmp_path], CANARIES)
    assert [one.path.name for one in findings] == [f"{WORD}.wav", "mail"]
    assert str(findings[1]) == f"{below / 'mail'}: spoken (UTF-8) near byte 0"
    assert [one.path.name for one in sweep([tmp_path], CANARIES, allowed=[tmp_path / "a"])] == [f"{WORD}.wav"]
    with pytest.raises(FileNotFoundError):
        sweep([tmp_path / "nowhere"], CANARIES)


def test_new_canaries_are_unlike_any_other_s_and_what_chance_would_find_is_refused(tmp_path: Path) -> None:
    one, other = Canaries.fresh(), Canaries.fresh()
    (tmp_path / "file").write_text(f"{one.spoken} {one.address} {one.name} {one.number}")
    assert {finding.what for finding in sweep([tmp_path], one)} == {"spoken", "address", "name", "number"}
    assert sweep([tmp_path], other) == []
    for wrong in (
        ("jeg er", "a@b.c", "Ida", "112"),
        ("kanarie", "a@b.c", "kanarie", "+4542424242"),
        ("kanarie", "kanarie@b.c", "kanarie", "112"),
    ):
        with pytest.raises(ValueError, match=r"found by chance|shorter"):
            sweep([tmp_path], Canaries(*wrong))


def test_further_markers_are_found_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("the password of the relay is hunterhunter2")
    more = Canaries(WORD, CANARIES.address, CANARIES.name, CANARIES.number, more={"a secret": "hunterhunter2"})
    assert [one.what for one in sweep([tmp_path], more)] == ["a secret"]


def test_all_that_is_planted_here_is_what_the_sweep_knows() -> None:
    assert set(PLANTED) == set(ENCODINGS)
    assert set(COMPRESS) == set(COMPRESSED)
