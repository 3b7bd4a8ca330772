"""``samtaleklar keys``: an operator lists, makes, changes and destroys keys by hand, and every mistake is one sentence."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine, Row

from tests.databases import make_ready
from tests.test_keyring import files, keys
from tests.test_vault import SECRET
from tests.web import environ
from voice import bindings, directory, store, vault
from voice.__main__ import main
from voice.config import Config
from voice.directory import Entry, Hint, new_binding, open_entry, read_hint, seal_anew
from voice.keyring import KEEP, KeyGone, Keyring

HINT_SECRET = "a secret of the line"


class Host:
    """Where a worker runs: its settings are the environment's."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, **more: str) -> None:
        for name, value in environ(folder, **more).items():
            patch.setenv(name, value)
        self.config = Config.from_env()
        make_ready(self.config.database_url)
        self.engine = store.connect(self.config.database_url, wait=30)
        self.keyring = Keyring.of(self.config, self.engine)
        self.keyring.start()

    def runs(self, *arguments: str) -> int:
        return main(["keys", *arguments])

    def knows(self, people: int) -> None:
        with store.writing(self.engine) as tx:
            public = store.worker_key(tx, "bindings")
            assert public is not None
            bindings.add(tx, [_binding(n, public) for n in range(people)])

    def addresses(self) -> list[str]:
        with store.reading(self.engine) as look:
            rows = sorted(bindings.staff(look), key=lambda row: row.id)
        assert all(read_hint(row, [HINT_SECRET]) == Hint("x.dk") for row in rows)
        return [open_entry(row, self.keyring).address for row in rows]

    def living(self, purpose: str) -> list[Row[object]]:
        return [row for row in keys(self.engine, purpose) if row.destroyed_at is None]


def _binding(n: int, public: bytes) -> dict[str, object]:
    entry, hint = Entry(f"{n:04}@x.dk", f"+45{20_000_000 + n}", "Lone"), Hint("x.dk")
    return new_binding(f"{n:032x}", "staff", f"caller {n}", entry, hint, public_key=public, secret=HINT_SECRET, now=1.0)


@pytest.fixture
def new_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Host]]:
    engines: list[Engine] = []

    def one(**more: str) -> Host:
        host = Host(tmp_path, monkeypatch, **more)
        engines.append(host.engine)
        return host

    yield one
    for engine in engines:
        engine.dispose()


@pytest.fixture
def host(new_host: Callable[..., Host]) -> Host:
    return new_host()


def test_the_list_tells_each_key_s_history_and_where_its_private_half_is(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    assert host.runs("new") == 0
    host.keyring.destroy(keys(host.engine)[:1])
    (host.config.keys_dir / f"{'ab' * 32}.key").write_bytes(bytes(32))
    capsys.readouterr()
    assert host.runs("list") == 0
    head, *rows, unknown = capsys.readouterr().out.splitlines()
    assert head.split("  ")[0] == "public half"
    moment = r"\d{4}-\d\d-\d\d \d\d:\d\d"
    folder = re.escape(str(host.config.keys_dir))
    assert sorted(rows) == sorted(row for row in rows if re.match(r"[0-9a-f]{12} ", row))
    assert [row for row in rows if re.search(rf" answers +{moment} +{moment} +{moment} +destroyed$", row)]
    assert [row for row in rows if re.search(rf" answers +{moment} +- +- +{folder}$", row)]
    assert [row for row in rows if re.search(rf" bindings +{moment} +- +- +{folder}$", row)]
    assert len(rows) == 3
    assert unknown.startswith("abababababab is a file")
    private = host.keyring.private(host.living("answers")[0].public_key)
    assert private.hex() not in "".join(rows)


def test_a_new_key_takes_the_place_of_the_one_of_the_day(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    assert host.runs("new") == 0
    old, new = keys(host.engine)
    assert (old.retired_at is not None, old.destroyed_at, new.retired_at) == (True, None, None)
    assert "destroyed in 7 days" in capsys.readouterr().out
    assert len(keys(host.engine, "bindings")) == 1


def test_where_the_keys_are_not_no_new_one_is_made(
    host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KEYS_DIR", str(tmp_path / "elsewhere"))
    for command in (["new"], ["rotate"], ["shred"]):
        assert host.runs(*command) == 2
        told = capsys.readouterr().err
        assert told.count("\n") == 1
        assert "KEYS_DIR" in told
    assert len(keys(host.engine)) == len(keys(host.engine, "bindings")) == 1
    assert not (tmp_path / "elsewhere").exists()


# ---- rotate


@pytest.mark.parametrize("secret", ["", pytest.param(SECRET, marks=pytest.mark.faults)], ids=["files", "locked"])
def test_addresses_are_sealed_to_a_new_key_and_the_old_one_is_destroyed(
    new_host: Callable[..., Host], database_url: str, secret: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(directory, "_BATCH", 3)
    host = new_host(DATABASE_URL=database_url, KEYS_SECRET=secret)
    host.knows(7)
    before = host.addresses()
    assert host.runs("rotate") == 0
    assert capsys.readouterr().out == "7 addresses are sealed to a new key, and the one before is destroyed.\n"
    assert host.addresses() == before
    old, new = keys(host.engine, "bindings")
    assert old.destroyed_at is not None
    with store.reading(host.engine) as look:
        assert {row.sealed_to for row in bindings.staff(look)} == {new.public_key}
    with pytest.raises(KeyGone) as told:
        host.keyring.private(old.public_key)
    assert not told.value.permanent, "whoever read an address just before reads it again"
    assert len(keys(host.engine)) == 1


def test_a_rotation_that_is_killed_loses_no_address_and_is_gone_on_with(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "_BATCH", 3)
    host.knows(10)
    before = host.addresses()
    right, done = vault.seal, []

    def killed(*arguments: bytes | str) -> bytes:
        done.append(1)
        if len(done) == 8:
            raise KeyboardInterrupt
        return right(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as dying:
        dying.setattr(vault, "seal", killed)
        with pytest.raises(KeyboardInterrupt):
            host.runs("rotate")
    old, new = keys(host.engine, "bindings")
    with store.reading(host.engine) as look:
        assert sorted(row.sealed_to == new.public_key for row in bindings.staff(look)) == [False] * 4 + [True] * 6
    assert host.addresses() == before
    host.keyring.look_after()
    assert keys(host.engine, "bindings")[0].destroyed_at is None, "addresses are still sealed to it"
    assert seal_anew(host.engine, host.keyring) == (4, 0)
    host.keyring.look_after()
    assert host.addresses() == before
    assert [row.public_key for row in host.living("bindings")] == [new.public_key]
    assert old.public_key.hex() not in files(host.config.keys_dir)


def test_an_address_that_opens_no_more_is_forgotten_and_does_not_hold_up_the_rest(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.knows(3)
    with store.writing(host.engine) as tx:
        bindings.change(tx, f"{1:032x}", entry_sealed=b"\x01changed")
    assert host.runs("rotate") == 0
    assert "2 addresses are sealed" in (told := capsys.readouterr().out)
    assert "1 could not be opened and are forgotten" in told
    assert host.addresses() == ["0000@x.dk", "0002@x.dk"]


# ---- shred


def test_what_is_due_is_destroyed_and_nothing_else(host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    host.runs("new")
    capsys.readouterr()
    assert host.runs("shred") == 0
    assert "0 keys were due" in capsys.readouterr().out
    old, new = keys(host.engine)
    with store.writing(host.engine) as tx:
        store.save_worker_key(tx, old.public_key, retired_at=old.retired_at - KEEP)
    assert host.runs("shred") == 0
    assert "1 keys were due and are destroyed" in capsys.readouterr().out
    assert [row.public_key for row in host.living("answers")] == [new.public_key]
    assert len(host.living("bindings")) == 1


@pytest.mark.parametrize("secret", ["", SECRET], ids=["files", "locked"])
def test_all_that_can_open_answers_is_destroyed_when_asked_for_and_the_line_goes_on(
    new_host: Callable[..., Host], secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    host = new_host(KEYS_SECRET=secret)
    host.runs("new")
    host.knows(2)
    before, had = host.addresses(), {row.public_key for row in keys(host.engine)}
    host.config.keys_dir.mkdir(exist_ok=True)
    (host.config.keys_dir / f"{'ab' * 32}.key").write_bytes(bytes(32))
    assert host.runs("shred", "--all", "--yes") == 0
    told = capsys.readouterr().out
    assert "2 keys are destroyed." in told
    assert ("Old backups of the database still open" in told) == bool(secret)
    (new,) = host.living("answers")
    assert new.public_key not in had
    assert new.retired_at is None
    assert host.addresses() == before
    assert not files(host.config.keys_dir) & {public.hex() for public in (*had, bytes.fromhex("ab" * 32))}


@pytest.mark.parametrize("answer", ["", "no", "y", None])
def test_without_a_plain_yes_nothing_is_destroyed(
    host: Host, answer: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: answer is not None, raising=False)
    monkeypatch.setattr("builtins.input", lambda _question: answer)
    assert host.runs("shred", "--all") == 1
    assert "Nothing was destroyed" in capsys.readouterr().err
    assert len(host.living("answers")) == 1


def test_on_a_terminal_yes_is_enough(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "yes")
    assert host.runs("shred", "--all") == 0
    assert len(asked) == 1
    assert "1 keys open all answers that wait here" in asked[0]


def test_what_is_lost_for_good_is_given_up_and_the_worker_starts_again(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.knows(2)
    assert host.runs("shred", "--lost") == 0
    assert capsys.readouterr().out == "No key is lost.\n"
    for file in host.config.keys_dir.iterdir():
        file.unlink()
    assert host.runs("shred", "--lost", "--yes") == 0
    assert "2 could not be opened and are forgotten" in capsys.readouterr().out
    host.keyring.start()
    assert len(host.living("answers")) == len(host.living("bindings")) == 1
    assert host.addresses() == []


def test_a_database_restored_from_a_backup_is_told_and_mended(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """The backup is of a time when today's dead keys still lived, and knows nothing of today's."""
    with store.reading(host.engine) as look:
        backup = [dict(row._mapping) for row in store.all_worker_keys(look)]
    host.runs("new")
    host.keyring.destroy(keys(host.engine)[:1])
    with store.writing(host.engine) as tx:
        tx.execute(store.worker_keys.delete())
        tx.execute(store.worker_keys.insert(), backup)
    assert host.runs("new") == 2
    assert "keys shred --lost" in capsys.readouterr().err
    assert host.runs("shred", "--lost", "--yes") == 0
    host.keyring.start()
    assert len(host.living("answers")) == 1
    assert len(host.keyring.unknown()) == 1, "the key of the days that the restored database does not know"
    assert host.runs("shred", "--all", "--yes") == 0
    assert host.keyring.unknown() == []
