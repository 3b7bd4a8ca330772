"""Whoever can write to the database cannot change what is sealed there, nor move it to another place: it does not open."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from tests.dtmf_transcriber import dtmf_wav
from tests.mailbox_line import Call, MailboxLine
from tests.test_mailbox import TO_A_TEXT
from tests.test_vault import SECRET
from voice import bindings, schema, store, vault
from voice.directory import open_entry, read_hint
from voice.errors import ConfigError

NUMBERS = ("+4520123456", "+4530123456")
RECORDINGS = ("RE" + "a" * 32, "RE" + "b" * 32)
Make = Callable[..., "Line"]


@dataclass(frozen=True)
class Cell:
    table: sa.Table
    column: str
    row: Any  # the primary key

    def __str__(self) -> str:
        return f"{self.table.name}.{self.column}"


class Line(MailboxLine):
    """Two callers have answered aloud and by key, and have got their mails; the private keys are locked in the database too."""

    def __init__(self, folder: Path, **more: str) -> None:
        super().__init__(folder, KEYS_SECRET=SECRET, ATTACH_PDF="0", ATTACH_SOUND="0", **more)
        self.jobs._provider = SimpleNamespace(recording=lambda _sid: dtmf_wav("123"))  # type: ignore[assignment]
        for number, recording in zip(NUMBERS, RECORDINGS, strict=True):
            self.finished(self.call(number, TO_A_TEXT), recording)

    def finished(self, call: Call, recording: str) -> None:
        """One question answered aloud, one by key, a hang-up; an address written and confirmed; the mail sent."""
        call.press("1")
        call.press("1")
        record = call.reply.find("Record")
        assert record is not None
        call._post(record.attrib["action"], RecordingSid=recording, RecordingDuration="9", Digits="#")
        news = {"CallSid": call.sid, "RecordingSid": recording, "RecordingStatus": "completed"}
        self.web.post(record.attrib["recordingStatusCallback"], news)
        call._post(call.reply.findtext("Redirect") or "")
        call.press("1")
        call.ends()
        preparation = self.preparation(call).id
        self.jobs.fetch(recording)
        self.jobs.transcribe(recording)
        self.jobs.table()["close"].run(preparation)
        self.invitations.invite(preparation)
        self.write(self.link(), f"lone{self.calls}@gmail{self.calls}.com", "meant")
        self.press(self.confirm_mail(call))
        mails = len(self.mails)
        self.jobs.send(preparation)
        assert len(self.mails) == mails + 1
        assert self.preparation(call).status == "sent"

    def cells(self) -> dict[Cell, bytes]:
        """Every sealed value that there is."""
        found = {}
        with store.reading(self.web.engine) as look:
            for table in schema.metadata.sorted_tables:
                key = next(iter(table.primary_key))
                for row in look.execute(table.select()):
                    for column in table.columns:
                        if column.name.endswith("_sealed") and row._mapping[column]:
                            found[Cell(table, column.name, row._mapping[key])] = row._mapping[column]
        return found

    def put(self, cell: Cell, value: bytes) -> None:
        key = next(iter(cell.table.primary_key))
        with store.writing(self.web.engine) as tx:
            tx.execute(sa.update(cell.table).where(key == cell.row).values({cell.column: value}))

    def opens(self, cell: Cell) -> bytes | None:
        """What the program reads there, in its own way; None if it is refused."""
        try:
            return OPENERS[str(cell)](self, cell.row)
        except (vault.SealBroken, ConfigError):
            return None
        except (ValueError, TypeError):
            return b"opened, and then not understood"


def _utterance(column: str) -> Callable[[Line, Any], bytes]:
    def opens(line: Line, row: Any) -> bytes:
        utterance = line.jobs._utterance(row)
        assert utterance is not None
        return line.jobs._open(utterance, utterance.preparation, column)

    return opens


def _private_key(line: Line, row: Any) -> bytes:
    with store.reading(line.web.engine) as look:
        preparation = store.preparation(look, row)
    assert preparation is not None
    return line.web.keyring.preparation_key(row, preparation)


def _number(line: Line, row: Any) -> bytes:
    with store.reading(line.web.engine) as look:
        preparation = store.preparation(look, row)
    line.telephones.texts.clear()
    line.invitations._text(preparation, "remind")  # type: ignore[arg-type]
    return line.telephones.texts[0][0].encode()


def _entry(line: Line, row: Any) -> bytes:
    with store.reading(line.web.engine) as look:
        return open_entry(bindings.get(look, row), line.web.keyring).address.encode()  # type: ignore[arg-type]


def _hint(line: Line, row: Any) -> bytes | None:
    with store.reading(line.web.engine) as look:
        hint = read_hint(bindings.get(look, row), line.web.config.secrets)  # type: ignore[arg-type]
    return hint.domain.encode() if hint else None


OPENERS: dict[str, Callable[[Line, Any], bytes | None]] = {
    "worker_keys.private_sealed": lambda line, row: line.web.keyring.private(row),
    "preparations.private_key_sealed": _private_key,
    "preparations.number_sealed": _number,
    "utterances.sound_sealed": _utterance("sound"),
    "utterances.words_sealed": _utterance("words"),
    "bindings.entry_sealed": _entry,
    "bindings.hint_sealed": _hint,
}


# ---- the attacks, each of which gives what was let through


def changed_bytes(line: Line, changes: int, seed: int = 1) -> list[str]:
    """Single bytes changed, spread over all sealed values, and each put into the database."""
    choose, accepted = random.Random(seed), []
    cells = line.cells()
    for cell, value in cells.items():
        assert line.opens(cell) is not None, f"{cell} does not open as it is"
        for at in choose.sample(range(len(value)), -(-changes // len(cells))):
            changed = bytearray(value)
            changed[at] ^= choose.randrange(1, 256)
            line.put(cell, bytes(changed))
            if line.opens(cell) is not None:
                accepted.append(f"{cell} byte {at}")
        line.put(cell, value)
    return accepted


def swapped(line: Line) -> list[str]:
    """Every sealed value in the place of every other one."""
    accepted = []
    cells = line.cells()
    for cell, value in cells.items():
        for other, moved in cells.items():
            if other != cell:
                line.put(cell, moved)
                if line.opens(cell) is not None:
                    accepted.append(f"{other} in {cell}")
        line.put(cell, value)
    return accepted


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Line] = []

    def one(**settings: str) -> Line:
        made.append(Line(tmp_path, **settings))
        return made[-1]

    yield one
    for line in made:
        line.close()


def test_no_changed_byte_and_no_value_moved_elsewhere_opens_in_any_table(make: Make, database_url: str) -> None:
    line = make(DATABASE_URL=database_url)
    cells = line.cells()
    assert {str(cell) for cell in cells} == set(OPENERS), "a kind of sealed value is not tried"
    assert len(cells) == 2 + 2 * 2 + 2 * 3 + 2 * 2
    assert changed_bytes(line, 200) == []
    assert swapped(line) == []
    assert all(line.opens(cell) is not None for cell in cells), "something was left changed"


def _no_place(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(vault, "place", lambda *_: "")


def _no_table_and_column(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(vault, "place", lambda _table, _column, row: row)


def _no_row(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(vault, "place", lambda table, column, _row: f"{table}|{column}")


def _associated_data_dropped(patch: pytest.MonkeyPatch) -> None:
    encrypt, decrypt = vault._encrypt, vault._decrypt
    patch.setattr(vault, "_encrypt", lambda key, plain, _where: encrypt(key, plain, b""))
    patch.setattr(vault, "_decrypt", lambda key, sealed, _where: decrypt(key, sealed, b""))


MORE = [pytest.param(bug, marks=pytest.mark.faults) for bug in (_no_place, _no_table_and_column, _no_row)]


@pytest.mark.parametrize("bug", [_associated_data_dropped, *MORE])
def test_the_swaps_catch(make: Make, monkeypatch: pytest.MonkeyPatch, bug: Callable[[pytest.MonkeyPatch], None]) -> None:
    bug(monkeypatch)
    assert swapped(make())


@pytest.mark.faults
def test_the_changed_bytes_catch_a_cipher_that_checks_nothing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def decrypt(key: bytes, sealed: bytes, _where: bytes) -> bytes:
        """What AES-GCM does without looking at its tag: counter mode."""
        block = sealed[:12] + (2).to_bytes(4, "big")
        return Cipher(AES(key), CTR(block)).decryptor().update(sealed[12:-16])

    monkeypatch.setattr(vault, "_decrypt", decrypt)
    assert changed_bytes(make(), 200)
