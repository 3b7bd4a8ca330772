"""What is sealed opens in its own place with its own key, and nowhere else; the web process cannot open anything."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.web import RECORDING, Web, environ
from voice import schema, store, vault
from voice.app import ensure_worker_key
from voice.errors import ConfigError
from voice.vault import Keyring, SealBroken, new_pair, place, seal, unseal

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


# ---- the worker's keys


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "data" / "keys")


def test_a_key_is_a_file_that_only_its_owner_can_read_in_a_folder_of_its_own(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        public = Keyring(tmp_path / "data" / "keys").make()
    finally:
        os.umask(before)
    (file,) = (tmp_path / "data" / "keys").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o400
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert file.name == f"{public.hex()}.key"
    assert file.stat().st_size == 32


def test_a_key_that_was_made_is_there_and_opens(keyring: Keyring) -> None:
    one, other = keyring.make(), keyring.make()
    assert one != other
    for public in (one, other):
        assert keyring.has(public)
        assert unseal(keyring.private(public), seal(public, b"ord", HERE), HERE) == b"ord"
    with pytest.raises(SealBroken):
        unseal(keyring.private(other), seal(one, b"ord", HERE), HERE)


def test_a_key_that_is_not_there_is_told_with_its_mend(keyring: Keyring) -> None:
    assert not keyring.has(PUBLIC)
    with pytest.raises(ConfigError) as missing:
        keyring.private(PUBLIC)
    (problem,) = missing.value.problems
    assert f"{PUBLIC.hex()[:12]}… is not in" in problem
    assert "copy it" in problem


def test_the_first_worker_makes_a_key_and_the_next_ones_use_it(tmp_path: Path) -> None:
    web = Web(tmp_path)
    with store.reading(web.engine) as look:
        public = store.worker_key(look)
    assert public is not None
    ensure_worker_key(web.engine, web.keyring)
    with store.reading(web.engine) as look:
        assert store.worker_key(look) == public
        addresses = store.worker_key(look, "bindings")
    assert addresses is not None
    assert {file.stem for file in (tmp_path / "keys").iterdir()} == {public.hex(), addresses.hex()}
    web.close()


def test_a_worker_without_the_key_that_the_database_names_does_not_start(tmp_path: Path) -> None:
    web = Web(tmp_path)
    elsewhere = Keyring(tmp_path / "other" / "keys")
    with pytest.raises(ConfigError, match="copy it from the worker that made it"):
        ensure_worker_key(web.engine, elsewhere)
    assert not (tmp_path / "other").exists(), "a second key would hide what is missing"
    web.close()


# ---- the web process

WEB_PROCESS = """
import gc, json, sys
from pathlib import Path
from xml.etree import ElementTree

from tests.signing import FIELDS, post
from voice import schema, store, vault
from voice.app import create_app

app = create_app()
recording, worker_keys = sys.argv[1:]


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
    if column.endswith("_sealed") and value
]


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


held = {value for holder in gc.get_objects() for value in gc.get_referents(holder) if type(value) is bytes and len(value) >= 32}
held |= {value for _, row in rows for value in row.values() if type(value) is bytes}
held = {part for value in held for part in (value[:32], value[-32:], value[1:33])}
answer = {"sealed": [where for _, where in sealed], "tried": len(held), "opened": opened(held)}
if not Path(worker_keys).exists():
    raise SystemExit("there is nothing to compare with")
answer["opened with the worker's key"] = opened([file.read_bytes() for file in Path(worker_keys).iterdir()])
print(json.dumps(answer))
"""


def test_the_web_process_seals_and_cannot_open_with_anything_that_it_holds(tmp_path: Path) -> None:
    web = Web(tmp_path / "data")
    (tmp_path / "data" / "keys").rename(tmp_path / "keys-of-the-worker")
    command = [sys.executable, "-c", WEB_PROCESS, RECORDING, str(tmp_path / "keys-of-the-worker")]
    done = subprocess.run(command, env={**os.environ, **environ(tmp_path / "data")}, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    with store.reading(web.engine) as look:
        row = look.execute(store.preparations.select()).one()
        yes = look.execute(store.utterances.select().where(store.utterances.c.status == "keyed")).one()
    private_at = vault.place("preparations", "private_key", row.id)
    yes_at = vault.place("utterances", "words", yes.id)
    assert sorted(found["sealed"]) == sorted([private_at, yes_at])
    assert found["tried"] > 20
    assert found["opened"] == []
    assert found["opened with the worker's key"] == [private_at]
    assert not (tmp_path / "data" / "keys").exists(), "the web process made a key of its own"
    worker = (tmp_path / "keys-of-the-worker" / f"{row.worker_key.hex()}.key").read_bytes()
    private = unseal(worker, row.private_key_sealed, private_at)
    assert json.loads(unseal(private, yes.words_sealed, yes_at)) == {"yes": True}
    web.close()
