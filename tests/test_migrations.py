"""The migrated schema is the one that the program works with, on both databases, however often and by however many it is made."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config as Alembic
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Engine

from tests.conftest import ROOT, NewDatabase
from tests.web import environ
from voice import gone, migrations, schema, store
from voice.clock import Clock
from voice.config import Config
from voice.liveness import liveness
from voice.migrations import migrate
from voice.regular import MINUTE, Regular, Regulars, minutes_overdue


@pytest.fixture
def url(new_database: NewDatabase, tmp_path: Path) -> str:
    """An empty database's URL as the program reads it."""
    return Config.from_env(environ(tmp_path, DATABASE_URL=new_database(empty=True))).database_url


def differences(engine: Engine, metadata: sa.MetaData) -> list[object]:
    """What of our own tables the database has otherwise. The workflow engine's tables are its own matter."""

    def ours(_object: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
        return kind != "table" or name in metadata.tables

    options = {"include_object": ours, "compare_type": True, "compare_server_default": True}
    with store.reading(engine) as look:
        return compare_metadata(MigrationContext.configure(look, opts=options), metadata)


def whole_schema(engine: Engine) -> dict[str, list[str]]:
    """Every table with its columns and indexes, the workflow engine's too."""
    inspector = sa.inspect(engine)
    found = {}
    for space in inspector.get_schema_names():
        for table in inspector.get_table_names(space) if space != "information_schema" else ():
            columns = [f"{column['name']} {column['type']}" for column in inspector.get_columns(table, space)]
            found[f"{space}.{table}"] = columns + sorted(str(index["name"]) for index in inspector.get_indexes(table, space))
    return found


def test_what_is_migrated_is_what_the_program_works_with(url: str) -> None:
    migrate(url)
    engine = store.connect(url)
    assert differences(engine, schema.metadata) == []
    assert any(name.endswith(".workflow_status") for name in whole_schema(engine)), "the workflow engine's tables are not there"
    engine.dispose()


def test_a_column_that_is_forgotten_would_be_seen(url: str) -> None:
    migrate(url)
    engine = store.connect(url)
    changed = sa.MetaData()
    for table in schema.metadata.sorted_tables:
        table.to_metadata(changed)
    changed.tables["calls"].append_column(sa.Column("forgotten", sa.Float))
    sa.Index("ix_forgotten", changed.tables["calls"].c.heard_at)
    changed.tables["sounds"].c.key.type = sa.String(65)
    changed.tables["calls"].c.ended_at.nullable = False
    found = str(differences(engine, changed))
    assert "'add_column'" in found
    assert "'add_index'" in found
    assert "'modify_nullable'" in found
    assert "'modify_type'" in found
    engine.dispose()


def test_migrating_again_changes_nothing_and_keeps_what_is_there(url: str) -> None:
    migrate(url)
    engine = store.connect(url)
    with store.writing(engine) as tx:
        store.add_worker_key(tx, b"k" * 32, 1.0)
        store.save_sound(tx, "a" * 64, b"RIFF")
    before = whole_schema(engine)
    migrate(url)
    migrate(url)
    assert whole_schema(engine) == before
    with store.reading(engine) as look:
        assert (store.worker_key(look), store.sound(look, "a" * 64)) == (b"k" * 32, b"RIFF")
    engine.dispose()


def test_several_processes_may_migrate_at_once(url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "voice", "migrate"]
    environment = {**os.environ, **environ(tmp_path, DATABASE_URL=url)}

    def run(_number: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120)

    with ThreadPoolExecutor(3) as threads:
        done = list(threads.map(run, range(3)))
    assert [(each.returncode, each.stderr) for each in done] == [(0, "")] * 3
    engine = store.connect(url)
    assert differences(engine, schema.metadata) == []
    engine.dispose()


def test_the_history_is_one_line_from_nothing_to_now() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1
    assert [script.down_revision for script in scripts.walk_revisions()][-1] is None


def test_sqlite_is_made_in_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    migrate(f"sqlite:///{tmp_path}/not/yet/line.sqlite")
    assert (tmp_path / "not" / "yet" / "line.sqlite").stat().st_size > 0


def as_released(url: str, revision: str) -> Engine:
    """A database as that revision left it."""
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = store.connect(url)
    alembic = Alembic()
    alembic.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with store.writing(engine) as tx:
        alembic.attributes["connection"] = tx
        command.upgrade(alembic, revision)
    return engine


def test_the_key_of_a_line_in_use_goes_on_living_until_it_is_replaced(url: str) -> None:
    engine = as_released(url, "0003")
    with store.writing(engine) as tx:  # the keys of two workers that had started at once
        was = sa.table("worker_keys", sa.column("public_key"), sa.column("created_at"), sa.column("purpose"))
        rows = [(b"a", 1.0, "answers"), (b"b", 2.0, "answers"), (b"c", 2.0, "bindings"), (b"d", 3.0, "answers")]
        tx.execute(was.insert(), [{"public_key": key * 32, "created_at": at, "purpose": purpose} for key, at, purpose in rows])
    migrate(url)
    assert differences(engine, schema.metadata) == []
    with store.reading(engine) as look:
        told = [(row.public_key[:1], row.retired_at, row.destroyed_at, row.private_sealed) for row in store.all_worker_keys(look)]
        assert sorted(told) == [(b"a", 2.0, None, None), (b"b", 3.0, None, None), (b"c", None, None, None), (b"d", None, None, None)]
        assert (store.worker_key(look), store.worker_key(look, "bindings")) == (b"d" * 32, b"c" * 32)
    engine.dispose()


def test_a_line_in_use_keeps_its_calls_and_gets_what_they_need_to_go(url: str) -> None:
    engine = as_released(url, "0003")
    names = ("call_sid", "session", "reply", "started_at", "heard_at", "ended_at")
    was = sa.table("calls", *map(sa.column, names))
    call = "CA" + "1" * 32
    with store.writing(engine) as tx:
        tx.execute(was.insert(), dict(zip(names, (call, '{"ended": "complete"}', "", 1.0, 1.0, 2.0), strict=True)))
    migrate(url)
    assert differences(engine, schema.metadata) == []
    with store.reading(engine) as look:
        assert gone.ended_calls(look, 3.0) == [call]
        assert gone.monthly(look) == {"1970-01": {gone.FINISHED: 1}}
    engine.dispose()


def test_a_worker_of_the_program_before_goes_on_beside_what_is_new_and_the_first_new_one_does_what_is_due(url: str) -> None:
    """A deploy: the schema is there first, and the line has calls that no worker has left a mark for."""
    engine = as_released(url, "0005")
    with store.writing(engine) as tx:
        store.begin_call(tx, "CA" + "1" * 32, "{}", time.time() - 60)
    migrate(url)
    assert differences(engine, schema.metadata) == []
    with store.reading(engine) as look:
        assert minutes_overdue(look, time.time()) == 0
    did: list[str] = []
    clock = Clock()
    worker = Regulars(engine, {"tidy": Regular(lambda: did.append("tidied"), MINUTE)}, "one", liveness(url), clock)
    worker.begin()
    assert clock.trusted
    for _ in range(2):
        worker.look()
        worker.finish(60)
    assert did == ["tidied"]
    engine.dispose()
