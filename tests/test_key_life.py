"""Two weeks of keys with a moved clock: what was said opens for seven days, and after eight with nothing that is anywhere."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import Engine, Row

from tests.databases import make_ready
from tests.mailbox_line import Clock
from tests.test_keyring import SECRET
from tests.web import environ
from voice import keyfiles, keyring, schema, store, vault
from voice.config import Config
from voice.keyring import DAY, KEEP, LOOK, KeyGone, Keyring
from voice.preparations import Placing, Preparations
from voice.queue import Queue

HOUR = 3600.0
CALL = "CA" + "1" * 32


@dataclass
class Answer:
    """One answer, and a backup of its rows."""

    said_at: float
    words: Row[Any]
    keys: Row[Any]


class Life:
    """A line over time: its worker looks after the keys, and callers answer now and then. ``disk`` is all that it writes to."""

    def __init__(self, engine: Engine, disk: Path, secrets: list[bytes]) -> None:
        self.engine, self.disk, self.secrets = engine, disk, secrets
        self.clock = Clock()
        self.keyring = Keyring(engine, disk / "keys", secrets, self.clock)
        self.preparations = Preparations(Queue(engine), self.clock)
        self.answers: list[Answer] = []
        with store.writing(engine) as tx:
            store.begin_call(tx, CALL, "{}", self.clock())
        self.keyring.start()

    def answer(self) -> None:
        turn = len(self.answers) + 1
        with store.writing(self.engine) as tx:
            preparation = self.preparations.open(tx, "kort", "da", self.clock(), opened_by=CALL)
            self.preparations.key_pressed(tx, Placing(CALL, turn, preparation, "er_det", 1), True)
            (words,) = store.said(tx, preparation)
            keys = store.preparation(tx, preparation)
        assert keys is not None
        self.answers.append(Answer(self.clock(), words, keys))

    def look(self) -> None:
        self.keyring.look_after()

    def opens(self, answer: Answer) -> bool:
        """For the program, with all its settings, from a backup of the answer's rows."""
        try:
            private = self.keyring.preparation_key(answer.keys.id, answer.keys)
        except KeyGone:
            return False
        return self._is_said(private, answer)

    def opens_with_something(self, answer: Answer) -> bool:
        """By whoever takes the answer's rows from a backup, and all that is here now: files, rows and secrets."""
        return any(self._opens_with(key, answer) for key in self._anything())

    def living(self) -> set[bytes]:
        """The public halves of the keys whose private halves are here."""
        with store.reading(self.engine) as look:
            locked = {row.public_key for row in store.all_worker_keys(look) if row.private_sealed is not None}
        return locked | {bytes.fromhex(file.stem) for file in (self.disk / "keys").glob("*.key")}

    def _anything(self) -> set[bytes]:
        with store.reading(self.engine) as look:
            rows = store.all_worker_keys(look)
            tables = [look.execute(table.select()).all() for table in (schema.worker_keys, schema.bindings, schema.line)]
        found = {value for table in tables for row in table for value in row if isinstance(value, bytes)}
        found |= {file.read_bytes() for file in self.disk.rglob("*.key") if file.is_file()}
        found |= {part for value in found for part in (value[:32], value[-32:])}
        for secret in self.secrets:
            for row in rows:
                if row.private_sealed:
                    place = vault.place("worker_keys", "private", row.public_key.hex())
                    found.add(vault.unlock(vault.wrapping_key(secret), row.private_sealed, place))
        return found

    def _opens_with(self, key: bytes, answer: Answer) -> bool:
        place = vault.place("preparations", "private_key", answer.keys.id)
        try:
            return self._is_said(vault.unseal(key, answer.keys.private_key_sealed, place), answer)
        except vault.SealBroken:
            return False

    def _is_said(self, private: bytes, answer: Answer) -> bool:
        place = vault.place("utterances", "words", answer.words.id)
        return vault.unseal(private, answer.words.words_sealed, place) == b'{"yes": true}'


def faults(life: Life, *, every: float, days: int) -> list[str]:
    """Live so many days, the worker looking every so many seconds. Gives what was not as promised."""
    found = []
    current: dict[bytes, float] = {}  # key -> when something could last be sealed to it
    sealing: dict[str, bytes] = {}
    begin = life.clock()
    hours = 0
    while life.clock() < begin + days * DAY:
        with store.reading(life.engine) as look:
            for purpose in keyring.PURPOSES:
                key = store.worker_key(look, purpose)
                if key is None:
                    return ["there is no key to seal to"]
                current.setdefault(key, 0)
                sealing[purpose] = key
        may_live = {key for key, last in current.items() if key in sealing.values() or life.clock() - last < KEEP}
        if life.living() != may_live:
            found.append(f"hour {hours}: {len(life.living())} keys are here, {len(may_live)} may be")
        if hours % 10 == 0:
            life.answer()
        for answer in life.answers:
            age = life.clock() - answer.said_at
            if age < KEEP and not hours % 24 and not life.opens(answer):
                found.append(f"what was said {age / DAY:.1f} days ago does not open")
            elif 8 * DAY <= age < 8 * DAY + every and (life.opens(answer) or life.opens_with_something(answer)):
                found.append(f"what was said {age / DAY:.1f} days ago opens")
        life.clock.now += every
        hours += int(every / HOUR)
        current.update(dict.fromkeys(sealing.values(), life.clock()))
        life.look()
    if not life.answers or not life.opens_with_something(life.answers[-1]):
        found.append("the attempts to open are no attempts")
    return found


NewLife = Callable[[list[bytes]], Life]


@pytest.fixture
def new_life(tmp_path: Path) -> Iterator[Callable[..., Life]]:
    lives: list[Life] = []

    def one(secrets: list[bytes], database_url: str = "") -> Life:
        url = Config.from_env(environ(tmp_path, **({"DATABASE_URL": database_url} if database_url else {}))).database_url
        if not database_url:
            make_ready(url)
        lives.append(Life(store.connect(url), tmp_path, secrets))
        return lives[-1]

    yield one
    for life in lives:
        life.engine.dispose()


@pytest.mark.parametrize("secrets", [[], [SECRET]], ids=["files", "locked"])
def test_for_two_weeks_exactly_the_keys_are_there_that_may_live(
    new_life: Callable[..., Life], database_url: str, secrets: list[bytes]
) -> None:
    assert faults(new_life(secrets, database_url), every=6 * HOUR, days=15) == []


def test_with_a_look_every_hour_as_in_life(new_life: NewLife) -> None:
    life = new_life([])
    assert faults(life, every=LOOK, days=15) == []
    with store.reading(life.engine) as look:
        rows = [row for row in store.all_worker_keys(look) if row.purpose == "answers"]
    assert len(rows) == 17, "changed at an age of 22 hours"
    gone = [row.destroyed_at - row.created_at for row in rows if row.destroyed_at]
    assert max(gone) <= 8 * DAY
    assert len(gone) == 8


def test_where_no_worker_runs_the_last_key_lives_on_and_dies_in_time_after_one_is_back(new_life: NewLife) -> None:
    life = new_life([])
    life.answer()
    life.clock.now += 20 * DAY
    assert life.opens(life.answers[0]), "nobody has destroyed it"
    life.answer()
    life.keyring.start()
    life.look()
    life.clock.now += KEEP - LOOK
    life.look()
    assert [life.opens(answer) for answer in life.answers] == [True, True]
    life.clock.now += LOOK
    life.look()
    assert [life.opens_with_something(answer) for answer in life.answers] == [False, False]


def test_an_old_backup_opens_with_the_secret_as_the_operator_is_told(new_life: NewLife) -> None:
    """What KEYS_SECRET weakens: its keys die in the database, and live on in the database's backups."""
    life = new_life([SECRET])
    life.answer()
    with store.reading(life.engine) as look:
        backup = next(row for row in store.all_worker_keys(look) if row.public_key == life.answers[0].keys.worker_key)
    for _ in range(10):
        life.clock.now += DAY
        life.look()
    assert not life.opens_with_something(life.answers[0])
    assert life._opens_with(life.keyring._unlock(backup, life.keyring._wrapping[0]) or b"", life.answers[0])


# ---- the walk is worth something


def _forgets_the_file(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(keyfiles.KeyFiles, "destroy", lambda *_: None)


def _never_destroys(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Keyring, "destroy", lambda *_: None)


def _never_changes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(keyring, "CHANGE", 1e12)


def _destroys_a_day_early(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(keyring, "KEEP", 6 * DAY)


def _destroys_two_days_late(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(keyring, "KEEP", 9 * DAY)


def _seals_to_the_oldest(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(store, "worker_key", lambda look, purpose="answers": _first(store.all_worker_keys(look), purpose))


def _first(rows: list[Row[Any]], purpose: str) -> bytes:
    return next(row.public_key for row in rows if row.purpose == purpose)


BUGS = [_forgets_the_file, _never_destroys, _never_changes, _destroys_a_day_early, _destroys_two_days_late, _seals_to_the_oldest]


@pytest.mark.parametrize("bug", [BUGS[0], *(pytest.param(bug, marks=pytest.mark.faults) for bug in BUGS[1:])])
def test_the_walk_catches(new_life: NewLife, monkeypatch: pytest.MonkeyPatch, bug: Callable[[pytest.MonkeyPatch], None]) -> None:
    life = new_life([])
    bug(monkeypatch)
    assert faults(life, every=12 * HOUR, days=11)


@pytest.mark.faults
def test_a_row_that_keeps_its_private_half_would_be_seen(new_life: NewLife, monkeypatch: pytest.MonkeyPatch) -> None:
    life = new_life([SECRET])
    right = store.save_worker_key

    def keeps(tx: Any, public: bytes, *, destroyed_at: float, private_sealed: None) -> None:
        right(tx, public, destroyed_at=destroyed_at)

    monkeypatch.setattr(store, "save_worker_key", keeps)
    assert faults(life, every=12 * HOUR, days=11)
