"""What is sealed opens in its own place with its own key, and nowhere else; the web process cannot open anything."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.web import RECORDING, Web, environ
from voice import schema, store, vault
from voice.vault import SealBroken, lock, new_pair, place, seal, unlock, unseal

PUBLIC, PRIVATE = new_pair()
HERE = place("utterances", "words", "a")


@given(st.binary(max_size=2000), st.text(max_size=80))
def test_what_is_sealed_opens_again(plain: bytes, row: str) -> None:
    where = place("utterances", "sound", row)
    sealed = seal(PUBLIC, plain, where)
    assert unseal(PRIVATE, sealed, where) == plain
    assert len(sealed) == len(plain) + 109
    assert len(plain) < 8 or plain not in sealed


def test_a_long_sound_opens_again() -> None:
    sound = os.urandom(2_000_000)
    assert unseal(PRIVATE, seal(PUBLIC, sound, HERE), HERE) == sound


def test_the_same_words_are_never_sealed_to_the_same_bytes() -> None:
    sealed = [seal(PUBLIC, b"ja", HERE) for _ in range(50)]
    for part in (slice(1, 33), slice(33, 81), slice(81, 93), slice(93, None)):  # one-time key, its box, nonce, ciphertext
        assert len({one[part] for one in sealed}) == 50


def test_another_key_does_not_open_it() -> None:
    sealed = seal(PUBLIC, b"ord", HERE)
    for wrong in (new_pair()[1], PUBLIC, bytes(32), b"", PRIVATE[:31], PRIVATE + b"\0"):
        with pytest.raises(SealBroken):
            unseal(wrong, sealed, HERE)


def test_another_place_does_not_open_it() -> None:
    sealed = seal(PUBLIC, b"ord", place("utterances", "words", "a"))
    for table in ("utterances", "preparations"):
        for column in ("words", "sound"):
            for row in ("a", "b"):
                where = place(table, column, row)
                if where == HERE:
                    assert unseal(PRIVATE, sealed, where) == b"ord"
                else:
                    with pytest.raises(SealBroken):
                        unseal(PRIVATE, sealed, where)


COLUMNS = [(table.name, column.name.removesuffix("_sealed")) for table in schema.metadata.tables.values() for column in table.columns]


@given(st.sampled_from(COLUMNS), st.sampled_from(COLUMNS), *[st.from_regex(r"[A-Za-z0-9:]{1,64}", fullmatch=True)] * 2)
def test_no_two_cells_of_the_database_have_one_place(one: tuple[str, str], other: tuple[str, str], row: str, other_row: str) -> None:
    assert (place(*one, row) == place(*other, other_row)) == ((one, row) == (other, other_row))


def test_no_byte_can_be_changed() -> None:
    sealed = seal(PUBLIC, b"ord", HERE)
    for n in range(len(sealed)):
        for bit in (1, 128):
            changed = bytearray(sealed)
            changed[n] ^= bit
            with pytest.raises(SealBroken):
                unseal(PRIVATE, bytes(changed), HERE)


def test_no_byte_can_be_taken_away_or_added() -> None:
    sealed = seal(PUBLIC, b"ord", HERE)
    for n in range(len(sealed)):
        with pytest.raises(SealBroken):
            unseal(PRIVATE, sealed[:n], HERE)
    for more in (sealed + b"\0", b"\0" + sealed, sealed + sealed):
        with pytest.raises(SealBroken):
            unseal(PRIVATE, more, HERE)


@given(st.binary(max_size=200))
def test_whatever_bytes_stand_there_are_told_as_broken(garbage: bytes) -> None:
    for data in (garbage, b"\x01" + garbage):
        with pytest.raises(SealBroken):
            unseal(PRIVATE, data, HERE)


def test_two_halves_of_two_sealed_values_do_not_open_as_one() -> None:
    one, other = seal(PUBLIC, b"mine", HERE), seal(PUBLIC, b"your", HERE)
    with pytest.raises(SealBroken):
        unseal(PRIVATE, one[:81] + other[81:], HERE)


# ---- known answers


def _hex(text: str) -> bytes:
    return bytes.fromhex(text.replace(" ", ""))


# McGrew and Viega, "The Galois/Counter Mode of Operation", which NIST's validation has as its own: cases 13 to 16, the 256-bit
# keys with a nonce of 96 bits. (key, nonce, plain, associated data, ciphertext, tag)
_KEY_256 = "feffe9928665731c6d6a8f9467308308" * 2
_PLAIN = """d9313225f88406e5a55909c5aff5269a 86a7a9531534f7da2e4c303d8a318a72
            1c3c0c95956809532fcf0e2449a6b525 b16aedf5aa0de657ba637b391aafd255""".replace("\n", "")
_CIPHER = """522dc1f099567d07f47f37a32a84427d 643a8cdcbfe5c0c97598a2bd2555d1aa
             8cb08e48590dbb3da7b08b1056828838 c5f61e6393ba7a0abcc9f662898015ad""".replace("\n", "")
KNOWN = {
    "13": ("00" * 32, "00" * 12, "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
    "14": ("00" * 32, "00" * 12, "00" * 16, "", "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"),
    "15": (_KEY_256, "cafebabefacedbaddecaf888", _PLAIN, "", _CIPHER, "b094dac5d93471bdec1a502270e3cc6c"),
    "16": (
        _KEY_256,
        "cafebabefacedbaddecaf888",
        _PLAIN.replace(" ", "")[:120],
        "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        _CIPHER.replace(" ", "")[:120],
        "76fc6ece0f4e1768cddf8853bb2d551b",
    ),
}


def known_answers_differ(patch: pytest.MonkeyPatch) -> list[str]:
    """The cases in which our functions do not give what the standard gives, in either direction."""
    differ = []
    for case, texts in KNOWN.items():
        key, nonce, plain, where, cipher, tag = map(_hex, texts)
        sealed = nonce + cipher + tag
        with patch.context() as fixed:
            fixed.setattr(vault.secrets, "token_bytes", lambda _length, nonce=nonce: nonce)
            try:
                right = vault._encrypt(key, plain, where) == sealed and vault._decrypt(key, sealed, where) == plain
                if not where:  # a place is text, so that the case with bytes goes no further out
                    right &= lock(key, plain, "") == b"\x02" + sealed and unlock(key, b"\x02" + sealed, "") == plain
            except Exception:
                right = False
        if not right:
            differ.append(case)
    return differ


def test_the_known_answers_of_the_standard_come_out_of_the_functions_that_we_use(monkeypatch: pytest.MonkeyPatch) -> None:
    assert known_answers_differ(monkeypatch) == []


def without_the_place(patch: pytest.MonkeyPatch) -> None:
    def encrypt(key: bytes, plain: bytes, _where: bytes) -> bytes:
        nonce = vault.secrets.token_bytes(12)
        return nonce + AESGCM(key).encrypt(nonce, plain, None)

    patch.setattr(vault, "_encrypt", encrypt)
    patch.setattr(vault, "_decrypt", lambda key, sealed, _where: AESGCM(key).decrypt(sealed[:12], sealed[12:], None))


def half_the_key(patch: pytest.MonkeyPatch) -> None:
    encrypt, decrypt = vault._encrypt, vault._decrypt
    patch.setattr(vault, "_encrypt", lambda key, *more: encrypt(key[:16], *more))
    patch.setattr(vault, "_decrypt", lambda key, *more: decrypt(key[:16], *more))


@pytest.mark.parametrize(("bug", "caught"), [(without_the_place, ["16"]), (half_the_key, ["13", "14", "15", "16"])])
def test_the_known_answers_catch(monkeypatch: pytest.MonkeyPatch, bug: Callable[[Any], None], caught: list[str]) -> None:
    bug(monkeypatch)
    assert known_answers_differ(monkeypatch) == caught


# ---- nonces


def nonces_twice(seals: int, locks: int) -> int:
    """How many nonces came twice, over so many values sealed, each with a key of its own, and locked, all with the same key."""
    nonces = {seal(PUBLIC, b"ja", HERE)[81:93] for _ in range(seals)}
    nonces |= {lock(PRIVATE, b"ja", HERE)[1:13] for _ in range(locks)}
    return seals + locks - len(nonces)


def test_no_nonce_comes_twice() -> None:
    assert nonces_twice(seals=500, locks=20_000) == 0


@pytest.mark.faults
def test_no_nonce_comes_twice_in_a_million() -> None:
    assert nonces_twice(seals=50_000, locks=950_000) == 0


def test_a_nonce_of_too_few_bits_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    random = vault.secrets.token_bytes
    monkeypatch.setattr(vault.secrets, "token_bytes", lambda length: random(2) + bytes(10) if length == 12 else random(length))
    assert nonces_twice(seals=500, locks=20_000) > 100


# ---- the web process

WEB_PROCESS = """
import base64, gc, json, os, sys
from pathlib import Path
from xml.etree import ElementTree

from tests.signing import FIELDS, post
from voice import schema, store, vault
from voice.app import create_app

app = create_app()
recording = sys.argv[1]


def say(path, **form):
    reply = post(app.test_client(), path.partition("#")[0], {**FIELDS, **form})
    assert reply.status_code in (200, 204), path
    return ElementTree.fromstring(reply.text) if reply.text else None


def press(twiml, key):
    return say(twiml.find("Gather").attrib["action"], Digits=key)


asked = press(press(press(say("/calls"), "1"), "1"), "1")  # yes, the first group, the first guide
record = asked.find("Record").attrib
answered = say(record["action"], RecordingSid=recording, RecordingDuration="9", Digits="#")
say(record["recordingStatusCallback"], RecordingSid=recording, RecordingStatus="completed")
press(say(answered.find("Redirect").text), "1")  # a yes/no question

with store.reading(app.extensions["sounds"].engine) as look:
    rows = [(table.name, dict(row._mapping)) for table in schema.metadata.sorted_tables for row in look.execute(table.select())]
sealed = [
    (value, vault.place(table, column.removesuffix("_sealed"), next(iter(row.values()))))
    for table, row in rows
    for column, value in row.items()
    if column.endswith("_sealed") and value and table != "worker_keys"
]
workers = [row for table, row in rows if table == "worker_keys"]


def opened(keys):
    places = []
    for value, where in sealed:
        for key in keys:
            try:
                vault.unseal(key, value, where)
                places.append(where)
            except vault.SealBroken:
                pass
    return places


def unlocked(secrets):
    found = []
    for row in workers:
        for secret in secrets:
            try:
                where = vault.place("worker_keys", "private", row["public_key"].hex())
                found.append(vault.unlock(vault.wrapping_key(secret), row["private_sealed"], where))
            except vault.SealBroken:
                pass
    return found


def read_as_base64(value):
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        return b""


gc.unfreeze()  # what a served process sets aside would not be listed
texts = {value for holder in gc.get_objects() for value in gc.get_referents(holder) if type(value) in (str, bytes) and len(value) == 44}
texts |= set(os.environ.values())
held = {value for holder in gc.get_objects() for value in gc.get_referents(holder) if type(value) is bytes and len(value) >= 32}
held |= {value for _, row in rows for value in row.values() if type(value) is bytes}
held |= {secret for secret in map(read_as_base64, texts) if len(secret) == 32}
held = {part for value in held for part in (value[:32], value[-32:], value[1:33])}
if any(row["private_sealed"] for row in workers):
    held |= set(unlocked(held))
answer = {"sealed": [where for _, where in sealed], "tried": len(held), "opened": opened(held)}
worker_keys = sys.stdin.read()  # only now, so that it was not in what we hold
if any(row["private_sealed"] for row in workers):
    workers_own = unlocked([base64.b64decode(worker_keys)])
else:
    workers_own = [file.read_bytes() for file in Path(worker_keys).iterdir()]
if not len(workers_own) == len(workers) == 3:
    raise SystemExit("there is nothing to compare with")
answer["opened with the worker's key"] = opened(workers_own)
print(json.dumps(answer))
"""


SECRET = base64.b64encode(os.urandom(32)).decode()  # not 0, 1, 2 …: such a table stands in every interpreter
MODES = ["files", "locked, without the secret", "locked, the secret set for the web process too"]


@pytest.mark.parametrize("mode", [MODES[0], pytest.param(MODES[1], marks=pytest.mark.faults), MODES[2]])  # the last says more
def test_the_web_process_seals_and_cannot_open_with_anything_that_it_holds(tmp_path: Path, mode: str) -> None:
    web = Web(tmp_path / "data", KEYS_SECRET="" if mode == "files" else SECRET)
    web.keyring.make("answers")  # the day after: two keys for answers, one of which is retired, and one for addresses
    settings = environ(tmp_path / "data", KEYS_SECRET=SECRET if mode == MODES[2] else "")
    worker_keys = SECRET
    if mode == "files":
        worker_keys = str(tmp_path / "keys-of-the-worker")
        (tmp_path / "data" / "keys").rename(worker_keys)
    command = [sys.executable, "-c", WEB_PROCESS, RECORDING]
    done = subprocess.run(command, input=worker_keys, env={**os.environ, **settings}, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    with store.reading(web.engine) as look:
        row = look.execute(store.preparations.select()).one()
        yes = look.execute(store.utterances.select().where(store.utterances.c.status == "keyed")).one()
        assert row.worker_key == store.worker_key(look), "it seals to the newest"
    private_at = vault.place("preparations", "private_key", row.id)
    yes_at = vault.place("utterances", "words", yes.id)
    assert sorted(found["sealed"]) == sorted([private_at, yes_at])
    assert found["tried"] > 20
    assert found["opened"] == []
    assert found["opened with the worker's key"] == [private_at]
    assert not (tmp_path / "data" / "keys").exists(), "the web process made a key of its own"
    if mode == "files":
        (tmp_path / "keys-of-the-worker").rename(tmp_path / "data" / "keys")
    private = web.keyring.preparation_key(row.id, row)
    assert json.loads(unseal(private, yes.words_sealed, yes_at)) == {"yes": True}
    web.close()
