"""What is deleted is not left over in the database's files."""

import sqlite3
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from voice import gone, queue, store
from voice.migrations import migrate

CANARY = b"canary-" + b"0123456789" * 500  # more than one page
CALL = "CA" + "1" * 32


def a_line(folder: Path) -> Engine:
    url = f"sqlite:///{folder}/line.sqlite"
    migrate(url)
    engine = store.connect(url, wait=1)
    with store.writing(engine) as tx:
        store.begin_call(tx, CALL, "{}", 1.0)
        store.add_preparation(
            tx,
            "1",
            guide="lang",
            language="da",
            consent_at=1.0,
            created_at=1.0,
            public_key=b"",
            worker_key=b"",
            private_key_sealed=CANARY,
        )
        utterance = {"preparation": "1", "call_sid": CALL, "question": "hvad", "take": 1, "turn": 1, "status": "fetched"}
        store.add_utterance(tx, "RE1", **utterance, sound_sealed=CANARY, words_sealed=CANARY)
    return engine


def shred(engine: Engine) -> None:
    with store.writing(engine) as tx:
        store.delete_utterances(tx, "1")
        store.save_preparation(tx, "1", private_key_sealed=b"")


def copies(folder: Path) -> int:
    return sum(file.read_bytes().count(b"canary-") for file in folder.glob("line.sqlite*"))


def test_what_is_shredded_is_in_no_file_of_sqlite_s(tmp_path: Path) -> None:
    engine = a_line(tmp_path)
    assert gone.leave_no_traces(engine)
    assert copies(tmp_path) == 3, "it lies in the database now, not in the log alone"
    shred(engine)
    assert copies(tmp_path) > 0, "the test could not see it"
    assert gone.leave_no_traces(engine)
    assert copies(tmp_path) == 0
    log = tmp_path / "line.sqlite-wal"
    assert not log.exists() or log.stat().st_size == 0
    engine.dispose()


def test_who_reads_just_now_is_not_disturbed_and_it_is_done_the_next_time(tmp_path: Path) -> None:
    engine = a_line(tmp_path)
    with store.reading(engine) as look:
        assert store.utterance(look, "RE1") is not None
        shred(engine)
        assert not gone.leave_no_traces(engine)
        assert store.utterance(look, "RE1") is not None
        assert copies(tmp_path) > 0
    assert gone.leave_no_traces(engine)
    assert copies(tmp_path) == 0
    engine.dispose()


def test_who_writes_just_now_is_not_waited_for_and_the_connection_waits_as_before(tmp_path: Path) -> None:
    engine = a_line(tmp_path)
    with store.writing(engine) as tx:
        store.save_call(tx, CALL, heard_at=2.0)
        assert not gone.leave_no_traces(engine)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 1000
    assert gone.leave_no_traces(engine)
    engine.dispose()


def test_postgresql_has_nothing_to_do(postgres: object) -> None:
    engine = sa.create_engine(postgres.new_database().replace("postgresql://", "postgresql+psycopg://"))  # type: ignore[attr-defined]
    assert gone.leave_no_traces(engine)
    engine.dispose()


def test_the_workflow_engine_s_own_connections_overwrite_what_they_delete(tmp_path: Path) -> None:
    """However SQLite was built: here as where it is off unless somebody asks for it."""

    class Careless(sqlite3.Connection):
        def __init__(self, *arguments: object, **more: object) -> None:
            super().__init__(*arguments, **more)  # type: ignore[arg-type]
            self.execute("PRAGMA secure_delete=OFF")

    assert queue  # whoever uses it has it
    engine = sa.create_engine(f"sqlite:///{tmp_path}/line.sqlite", connect_args={"factory": Careless})
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA secure_delete").scalar_one() == 1
    engine.dispose()
