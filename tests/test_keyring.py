"""The worker's keys: where they lie, who may read them, and what happens when one is not there or there twice."""

import base64
import os
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine, Row

from tests.databases import make_ready
from tests.dtmf_transcriber import DtmfTranscriber
from tests.mailbox_line import Clock
from tests.test_vault import HERE, PUBLIC
from tests.web import environ
from voice import store
from voice.app import create_worker
from voice.config import Config
from voice.errors import ConfigError
from voice.keyring import CHANGE, DAY, KEEP, LOOK, PURPOSES, KeyGone, Keyring
from voice.preparations import Preparations
from voice.queue import Queue, Worker
from voice.vault import new_pair, seal, unseal

SECRET, OTHER_SECRET = bytes(range(32)), bytes(range(32, 64))
CALL = "CA" + "1" * 32
NewEngine = Callable[[], Engine]


@pytest.fixture
def new_engine(database_url: str, tmp_path: Path) -> Iterator[NewEngine]:
    """Connects to the one database of the test."""
    url = Config.from_env(environ(tmp_path, DATABASE_URL=database_url)).database_url
    engines: list[Engine] = []

    def one() -> Engine:
        engines.append(store.connect(url, wait=30))
        return engines[-1]

    yield one
    for engine in engines:
        engine.dispose()


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Engine]:
    """On SQLite, where a test is not about the database."""
    make_ready(f"sqlite:///{tmp_path}/line.sqlite")
    engine = store.connect(f"sqlite:///{tmp_path}/line.sqlite")
    yield engine
    engine.dispose()


@pytest.fixture
def keyring(lite: Engine, tmp_path: Path) -> Keyring:
    return Keyring(lite, tmp_path / "keys", clock=Clock())


def keys(engine: Engine, purpose: str = "answers") -> list[Row[object]]:
    with store.reading(engine) as look:
        return [row for row in store.all_worker_keys(look) if row.purpose == purpose]


def files(folder: Path) -> set[str]:
    return {file.stem for file in folder.glob("*.key")}


def dies(*_: object, **__: object) -> None:
    raise OSError("killed")


def opens(keyring: Keyring, public: bytes) -> bool:
    try:
        return unseal(keyring.private(public), seal(public, b"ord", HERE), HERE) == b"ord"
    except (KeyGone, ConfigError):
        return False


# ---- where they lie


def test_a_key_is_a_file_that_only_its_owner_can_read_in_a_folder_of_its_own(lite: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "keys"
    before = os.umask(0)
    try:
        Keyring(lite, folder).make("answers")
    finally:
        os.umask(before)
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o400
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert file.name == f"{keys(lite)[0].public_key.hex()}.key"
    assert file.stat().st_size == 32


def test_with_a_secret_there_is_no_file_and_the_row_opens_with_that_secret_alone(lite: Engine, tmp_path: Path) -> None:
    keyring = Keyring(lite, tmp_path / "keys", [SECRET])
    keyring.start()
    (row,) = keys(lite)
    assert opens(keyring, row.public_key)
    assert not (tmp_path / "keys").exists()
    assert keyring.private(row.public_key) not in row.private_sealed
    for secrets in ([], [OTHER_SECRET]):
        assert not opens(Keyring(lite, tmp_path / "keys", secrets), row.public_key)


def test_a_secret_can_be_changed_while_the_old_one_stands_beside_it(lite: Engine, tmp_path: Path) -> None:
    Keyring(lite, tmp_path, [SECRET]).start()
    keyring = Keyring(lite, tmp_path, [OTHER_SECRET, SECRET])
    keyring.start()
    keyring.make("answers")
    old, new = keys(lite)
    assert [opens(keyring, old.public_key), opens(keyring, new.public_key)] == [True, True]
    assert [opens(Keyring(lite, tmp_path, [OTHER_SECRET]), row.public_key) for row in (old, new)] == [False, True]


def test_a_line_that_begins_to_use_a_secret_still_opens_what_is_sealed_to_its_files(lite: Engine, tmp_path: Path) -> None:
    Keyring(lite, tmp_path / "keys").start()
    keyring = Keyring(lite, tmp_path / "keys", [SECRET])
    keyring.start()
    keyring.make("answers")
    assert [opens(keyring, row.public_key) for row in keys(lite)] == [True, True]
    assert files(tmp_path / "keys") == {keys(lite)[0].public_key.hex(), keys(lite, "bindings")[0].public_key.hex()}


@pytest.mark.parametrize("wrong", ["abc", base64.b64encode(bytes(31)).decode(), base64.b64encode(bytes(33)).decode(), "%" * 44])
def test_a_secret_of_another_form_is_told_with_its_mend(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Config.from_env(environ(tmp_path, KEYS_SECRET=wrong))
    (problem,) = refused.value.problems
    assert problem == "KEYS_SECRET has the wrong form: set it to 32 random bytes in base64, as `openssl rand -base64 32` makes them."


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_secret_is_read_in_either_kind_of_base64_and_shown_nowhere(tmp_path: Path, encode: Callable[[bytes], bytes]) -> None:
    secret = b"\xff\xfe" * 16
    config = Config.from_env(environ(tmp_path, KEYS_SECRET=encode(secret).decode(), KEYS_DIR=str(tmp_path / "elsewhere")))
    assert config.keys_secrets == (secret,)
    assert config.keys_dir == tmp_path / "elsewhere"
    assert str(secret) not in repr(config)
    assert Config.from_env(environ(tmp_path)).keys_dir == tmp_path / "keys"


# ---- what is not there


def test_a_key_that_the_database_does_not_know_is_told(keyring: Keyring) -> None:
    with pytest.raises(ConfigError, match=f"private half of {PUBLIC.hex()[:12]}…"):
        keyring.private(PUBLIC)


@pytest.mark.parametrize("secrets", [[], [SECRET]], ids=["files", "locked"])
def test_a_worker_whose_database_has_keys_that_it_cannot_open_says_so_in_one_sentence(
    lite: Engine, tmp_path: Path, secrets: list[bytes]
) -> None:
    Keyring(lite, tmp_path / "keys", secrets).start()
    elsewhere = Keyring(lite, tmp_path / "other", [OTHER_SECRET] if secrets else [])
    with pytest.raises(ConfigError) as refused:
        elsewhere.start()
    (problem,) = refused.value.problems
    assert problem.startswith("KEYS_DIR (")
    assert problem.count(".") == 1
    for row in keys(lite) + keys(lite, "bindings"):
        assert row.public_key.hex()[:12] in problem
    assert "keys shred --lost" in problem
    assert not (tmp_path / "other").exists(), "a second key would hide what is missing"
    assert len(keys(lite)) == 1


@pytest.mark.parametrize("spoilt", [b"", bytes(31), bytes(33), new_pair()[1]], ids=["empty", "short", "long", "another"])
def test_a_key_that_is_not_whole_counts_as_not_there(lite: Engine, keyring: Keyring, tmp_path: Path, spoilt: bytes) -> None:
    keyring.start()
    file = tmp_path / "keys" / f"{keys(lite)[0].public_key.hex()}.key"
    file.chmod(0o600)
    file.write_bytes(spoilt)
    with pytest.raises(ConfigError, match="do not give the private half"):
        keyring.start()


# ---- making them


def test_the_first_worker_makes_a_key_for_each_purpose_and_the_next_ones_use_it(lite: Engine, keyring: Keyring, tmp_path: Path) -> None:
    keyring.start()
    Keyring(lite, tmp_path / "keys", clock=Clock()).start()
    (answers,), (addresses,) = keys(lite), keys(lite, "bindings")
    assert files(tmp_path / "keys") == {answers.public_key.hex(), addresses.public_key.hex()}
    assert answers.public_key != addresses.public_key


def test_the_times_add_up_to_eight_days() -> None:
    assert CHANGE + LOOK + KEEP + LOOK == 8 * DAY
    assert KEEP == 7 * DAY


@pytest.mark.parametrize("secrets", [[], pytest.param([SECRET], marks=pytest.mark.faults)], ids=["files", "locked"])
def test_workers_that_start_or_change_a_key_at_once_make_one(new_engine: NewEngine, tmp_path: Path, secrets: list[bytes]) -> None:
    clock = Clock()
    workers = [Keyring(new_engine(), tmp_path / "keys", secrets, clock) for _ in range(4)]
    engine = new_engine()
    for expected in (1, 2):
        barrier = threading.Barrier(len(workers))

        def starts(keyring: Keyring, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            keyring.start()
            keyring.look_after()

        with ThreadPoolExecutor(len(workers)) as threads:
            list(threads.map(starts, workers))
        found = keys(engine)
        assert len(found) == expected
        assert len(keys(engine, "bindings")) == 1
        assert [row.retired_at is None for row in found] == [False] * (expected - 1) + [True]
        assert all(opens(worker, row.public_key) for worker in workers for row in found)
        assert workers[0].unknown() == []
        clock.now += CHANGE


def test_the_database_itself_has_one_current_key_of_a_purpose(lite: Engine) -> None:
    with store.writing(lite) as tx:
        store.add_worker_key(tx, b"a" * 32, 1.0)
        store.add_worker_key(tx, b"b" * 32, 1.0, "bindings")
    second = {"public_key": b"c" * 32, "created_at": 2.0, "purpose": "answers"}
    with pytest.raises(sa.exc.IntegrityError), store.writing(lite) as tx:
        tx.execute(store.worker_keys.insert().values(second))


def test_a_key_is_not_retired_while_something_is_being_sealed_to_it(new_engine: NewEngine, tmp_path: Path) -> None:
    engine = new_engine()
    keyring = Keyring(new_engine(), tmp_path / "keys")
    keyring.start()
    with store.writing(engine) as tx:
        sealing_to = store.worker_key(tx)
        maker = threading.Thread(target=keyring.make, args=("answers",))
        maker.start()
        maker.join(timeout=0.5)
        assert maker.is_alive(), "it was retired under us"
    maker.join()
    assert [row.public_key == sealing_to for row in keys(engine)] == [True, False]


def test_who_asks_for_the_key_while_it_is_being_changed_gets_the_new_one(new_engine: NewEngine) -> None:
    engine, web = new_engine(), new_engine()
    with store.writing(engine) as tx:
        store.add_worker_key(tx, b"a" * 32, 1.0)
    got: list[bytes | None] = []

    def asks() -> None:
        with store.writing(web) as tx:
            got.append(store.worker_key(tx))

    with store.writing(engine) as tx:
        store.add_worker_key(tx, b"b" * 32, 2.0)
        asking = threading.Thread(target=asks)
        asking.start()
        asking.join(timeout=0.5)
        assert got == []
    asking.join()
    assert got == [b"b" * 32]


def test_who_dies_while_making_a_key_leaves_one_that_nothing_was_sealed_to(
    lite: Engine, keyring: Keyring, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keyring.start()
    with monkeypatch.context() as dying:
        dying.setattr(store, "add_worker_key", dies)
        with pytest.raises(OSError, match="killed"):
            keyring.make("answers")
    assert len(keys(lite)) == 1
    (left,) = keyring.unknown()
    assert left.hex() in files(tmp_path / "keys")
    keyring.start()
    keyring.destroy_unknown()
    assert keyring.unknown() == []
    assert len(files(tmp_path / "keys")) == 2


# ---- destroying them


@pytest.mark.parametrize("secrets", [[], [SECRET]], ids=["files", "locked"])
def test_a_key_that_is_destroyed_is_gone_and_its_row_tells_when(lite: Engine, tmp_path: Path, secrets: list[bytes]) -> None:
    clock = Clock()
    keyring = Keyring(lite, tmp_path / "keys", secrets, clock)
    keyring.start()
    (row,) = keys(lite)
    private = keyring.private(row.public_key)
    clock.now += 1
    keyring.make("answers")
    clock.now += KEEP
    keyring.look_after()
    gone = keys(lite)[0]
    assert (gone.public_key, gone.created_at, gone.destroyed_at) == (row.public_key, row.created_at, clock.now)
    with pytest.raises(KeyGone) as told:
        keyring.private(row.public_key)
    assert told.value.permanent
    with store.reading(lite) as look:
        assert not [value for row in store.all_worker_keys(look) for value in row if value == private]
    assert row.public_key.hex() not in files(tmp_path / "keys")


def test_a_key_s_file_is_overwritten_before_it_is_unlinked(lite: Engine, keyring: Keyring, tmp_path: Path) -> None:
    keyring.start()
    (row,) = keys(lite)
    private = keyring.private(row.public_key)
    other_name = tmp_path / "what the disk holds"
    os.link(tmp_path / "keys" / f"{row.public_key.hex()}.key", other_name)
    keyring.destroy([row])
    assert len(other_name.read_bytes()) == 32
    assert other_name.read_bytes() != private


def test_a_worker_that_dies_between_file_and_row_is_made_good_by_the_next_look(
    lite: Engine, keyring: Keyring, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keyring.start()
    keyring._clock.now += 1  # type: ignore[attr-defined]
    keyring.make("answers")
    keyring._clock.now += KEEP  # type: ignore[attr-defined]
    with monkeypatch.context() as dying:
        dying.setattr(store, "save_worker_key", dies)
        with pytest.raises(OSError, match="killed"):
            keyring.look_after()
    assert keys(lite)[0].destroyed_at is None
    keyring.look_after()
    assert keys(lite)[0].destroyed_at == keyring._clock()


@pytest.mark.parametrize("secrets", [[], [SECRET]], ids=["files", "locked"])
def test_a_worker_that_starts_destroys_and_retires_nothing_as_its_clock_may_be_wrong(
    lite: Engine, tmp_path: Path, secrets: list[bytes]
) -> None:
    clock = Clock()
    keyring = Keyring(lite, tmp_path / "keys", secrets, clock)
    keyring.start()
    keyring.make("answers")
    before = keys(lite), files(tmp_path / "keys") if not secrets else None
    clock.now += 3650 * DAY
    keyring.start()
    assert (keys(lite), files(tmp_path / "keys") if not secrets else None) == before
    assert all(opens(keyring, row.public_key) for row in keys(lite))


def test_a_key_that_was_made_while_the_clock_was_ahead_is_changed_once_it_is_right(lite: Engine, keyring: Keyring) -> None:
    keyring.start()
    keyring._clock.now -= 3650 * DAY  # type: ignore[attr-defined]
    keyring.look_after()
    assert len(keys(lite)) == 2


def test_a_worker_with_a_folder_of_its_own_destroys_its_copy_too(lite: Engine, keyring: Keyring, tmp_path: Path) -> None:
    keyring.start()
    (row,) = keys(lite)
    copies = tmp_path / "copies"
    copies.mkdir()
    for file in (tmp_path / "keys").iterdir():
        (copies / file.name).write_bytes(file.read_bytes())
    keyring.make("answers")
    keyring.destroy([row])
    assert row.public_key.hex() in files(copies)
    Keyring(lite, copies, clock=Clock()).look_after()
    assert row.public_key.hex() not in files(copies)


# ---- what a job meets


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    config = Config.from_env(environ(tmp_path))
    make_ready(config.database_url)
    one = create_worker(config, DtmfTranscriber())
    yield one
    one._engine.dispose()


def test_a_worker_changes_the_key_of_the_day_and_goes_on_with_a_rotation(worker: Worker) -> None:
    engine = worker._engine
    with store.writing(engine) as tx:
        (answers,), (addresses,) = ([row for row in store.all_worker_keys(tx) if row.purpose == purpose] for purpose in PURPOSES)
        store.save_worker_key(tx, answers.public_key, created_at=answers.created_at - DAY)
        store.save_worker_key(tx, addresses.public_key, created_at=addresses.created_at - 400 * DAY)
    for _ in range(2):
        worker._regulars._regulars["keys"].run()
    assert [row.retired_at is None for row in keys(engine)] == [False, True]
    assert [row.retired_at for row in keys(engine, "bindings")] == [None], "an operator changes it, nobody else"


def test_a_job_that_meets_a_destroyed_key_ends_at_once_and_is_counted(worker: Worker, tmp_path: Path) -> None:
    engine = worker._engine
    queue = Queue(engine)
    preparations = Preparations(queue)
    with store.writing(engine) as tx:
        store.begin_call(tx, CALL, "{}", 1.0)
        preparation = preparations.open(tx, "kort", "da", consent_at=1.0, opened_by=CALL)
        store.add_utterance(tx, "RE1", preparation=preparation, call_sid=CALL, turn=1, question="hvad", take=1, status="heard")
        store.save_preparation(tx, preparation, status="closed", closed_at=1.0)
    keyring = Keyring(engine, tmp_path / "keys")
    keyring.make("answers")
    keyring.destroy(keys(engine)[:1])
    worker._job("send", preparation, preparation, 1)
    with store.reading(engine) as look:
        assert store.count_dead_jobs(look) == 1
        assert look.execute(sa.select(store.dead_jobs.c.reason)).scalar_one().startswith("KeyGone")
        assert store.preparation(look, preparation).status == "undeliverable"
    assert f"send:{preparation}:2" not in {workflow.workflow_id for workflow in queue._client.list_workflows()}
