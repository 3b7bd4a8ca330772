"""The tables and their SQL. Everything that was said stands in ``*_sealed`` columns.

The same code runs on SQLite and on PostgreSQL. Writes take the lock at once (``BEGIN IMMEDIATE`` or a
row's ``FOR UPDATE``): a read that turns into a write would fail without waiting on SQLite.
"""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine, Row

metadata = sa.MetaData()

worker_keys = sa.Table(
    "worker_keys",
    metadata,
    sa.Column("public_key", sa.LargeBinary, primary_key=True),
    sa.Column("created_at", sa.Float, nullable=False),
)
preparations = sa.Table(
    "preparations",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("guide", sa.String(40), nullable=False),
    sa.Column("language", sa.String(10), nullable=False),
    # open -> closed (no call will add to it) -> sending (nothing more goes in) -> sent | undeliverable; or empty: nothing was said
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("late_of", sa.String(32), index=True),  # holds what came after that preparation was sent
    sa.Column("consent_at", sa.Float, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("closed_at", sa.Float),
    sa.Column("sent_at", sa.Float),
    sa.Column("public_key", sa.LargeBinary, nullable=False),
    sa.Column("worker_key", sa.LargeBinary, nullable=False),
    sa.Column("private_key_sealed", sa.LargeBinary, nullable=False),
)
calls = sa.Table(
    "calls",
    metadata,
    sa.Column("call_sid", sa.String(34), primary_key=True),
    sa.Column("preparation", sa.String(32), sa.ForeignKey("preparations.id"), index=True),
    sa.Column("session", sa.Text, nullable=False),
    sa.Column("reply", sa.Text, nullable=False),  # the last TwiML: said again when a webhook comes again
    sa.Column("started_at", sa.Float, nullable=False),
    sa.Column("heard_at", sa.Float, nullable=False),  # of the last webhook
    sa.Column("consent_at", sa.Float),
    sa.Column("ended_at", sa.Float),
)
utterances = sa.Table(
    "utterances",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),  # the RecordingSid, or CallSid:turn for a key
    sa.Column("preparation", sa.String(32), sa.ForeignKey("preparations.id"), nullable=False, index=True),
    sa.Column("call_sid", sa.String(34), sa.ForeignKey("calls.call_sid"), nullable=False),
    sa.Column("question", sa.String(40), nullable=False),
    sa.Column("take", sa.Integer, nullable=False),
    sa.Column("turn", sa.Integer, nullable=False),
    # expected -> fetched -> heard | silent; or failed; keyed for a yes/no answer
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("erased", sa.Boolean, nullable=False),  # at the provider
    sa.Column("sound_sealed", sa.LargeBinary),
    sa.Column("words_sealed", sa.LargeBinary),
)
sounds = sa.Table(
    "sounds",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("wav", sa.LargeBinary, nullable=False),
)
dead_jobs = sa.Table(
    "dead_jobs",
    metadata,
    sa.Column("id", sa.String(160), primary_key=True),
    sa.Column("name", sa.String(40), nullable=False),
    sa.Column("reason", sa.String(200), nullable=False),
    sa.Column("died_at", sa.Float, nullable=False),
)

SETTLED = ("heard", "silent", "failed", "keyed")


def connect(url: str, *, wait: float = 5.0, pool: int = 5) -> Engine:
    """An engine for either database. ``wait``: seconds to wait for a lock before giving up."""
    if url.startswith("sqlite"):
        engine = sa.create_engine(
            url, hide_parameters=True, pool_size=pool, max_overflow=pool, connect_args={"timeout": wait, "check_same_thread": False}
        )
        sa.event.listen(engine, "connect", _sqlite_settings)
        sa.event.listen(engine, "begin", _sqlite_begin)
        return engine
    return sa.create_engine(
        url,
        hide_parameters=True,
        pool_size=pool,
        max_overflow=pool,
        pool_pre_ping=True,
        pool_timeout=wait,
        connect_args={"options": f"-c lock_timeout={int(wait * 1000)}", "connect_timeout": 5},
    )


def _sqlite_settings(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, below
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("reading") else "BEGIN IMMEDIATE")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that may write: committed at the end, rolled back by an exception."""
    with engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent look; nothing is locked."""
    with engine.connect().execution_options(reading=True) as connection, connection.begin():
        yield connection


def _insert_new(connection: Connection, table: sa.Table, values: Mapping[str, Any]) -> bool:
    """Insert unless the primary key stands there already; tells whether it was inserted."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    insert = dialect.insert(table).values(values).on_conflict_do_nothing()
    return connection.execute(insert.returning(next(iter(table.primary_key)))).first() is not None


def _locked(connection: Connection, table: sa.Table, key: str) -> Row[Any] | None:
    column = next(iter(table.primary_key))
    return connection.execute(sa.select(table).where(column == key).with_for_update()).one_or_none()


# ---- keys


def add_worker_key(connection: Connection, public_key: bytes, now: float) -> None:
    _insert_new(connection, worker_keys, {"public_key": public_key, "created_at": now})


def worker_key(connection: Connection) -> bytes | None:
    """The newest public key, to which the web process seals."""
    newest = sa.select(worker_keys.c.public_key).order_by(worker_keys.c.created_at.desc()).limit(1)
    return connection.execute(newest).scalar_one_or_none()


# ---- calls


def begin_call(connection: Connection, call_sid: str, session: str, now: float) -> None:
    """Make the call's row unless it is there: the same webhook can come twice, and at once."""
    values = {"call_sid": call_sid, "session": session, "reply": "", "started_at": now, "heard_at": now}
    _insert_new(connection, calls, values)


def locked_call(connection: Connection, call_sid: str) -> Row[Any] | None:
    """The call's row, which nobody else changes until this transaction ends."""
    return _locked(connection, calls, call_sid)


def save_call(connection: Connection, call_sid: str, **values: Any) -> None:
    connection.execute(sa.update(calls).where(calls.c.call_sid == call_sid).values(values))


def silent_calls(connection: Connection, before: float) -> list[str]:
    """Calls that have not ended and of which nothing was heard since ``before``: their end was lost on the way."""
    gone = sa.select(calls.c.call_sid).where(calls.c.ended_at.is_(None), calls.c.heard_at < before)
    return list(connection.execute(gone).scalars())


# ---- preparations


def add_preparation(connection: Connection, preparation: str, **values: Any) -> None:
    connection.execute(sa.insert(preparations).values(id=preparation, status="open", **values))


def new_id() -> str:
    return secrets.token_hex(16)


def locked_preparation(connection: Connection, preparation: str) -> Row[Any] | None:
    """The preparation's row, locked: whoever counts its answers does so alone."""
    return _locked(connection, preparations, preparation)


def save_preparation(connection: Connection, preparation: str, **values: Any) -> None:
    connection.execute(sa.update(preparations).where(preparations.c.id == preparation).values(values))


def preparation_of(connection: Connection, call_sid: str) -> Row[Any] | None:
    """The preparation that a call adds to."""
    return connection.execute(sa.select(preparations).join(calls).where(calls.c.call_sid == call_sid)).one_or_none()


def locked_late_preparations(connection: Connection, first: str) -> list[Row[Any]]:
    """The preparations of what came too late for ``first``, locked."""
    late = sa.select(preparations).where(preparations.c.late_of == first).order_by(preparations.c.created_at)
    return list(connection.execute(late.with_for_update()))


def live_calls(connection: Connection, preparation: str) -> int:
    """How many calls may still add to it."""
    alive = sa.select(sa.func.count()).select_from(calls).where(calls.c.preparation == preparation, calls.c.ended_at.is_(None))
    return connection.execute(alive).scalar_one()


# ---- utterances


def add_utterance(connection: Connection, utterance: str, **values: Any) -> bool:
    """Tells whether it was new."""
    return _insert_new(connection, utterances, {"id": utterance, "erased": False, **values})


def utterance(connection: Connection, utterance_id: str) -> Row[Any] | None:
    """An utterance with its preparation's keys."""
    keys = (preparations.c.public_key, preparations.c.worker_key, preparations.c.private_key_sealed, preparations.c.language)
    joined = sa.select(utterances, *keys).join(preparations).where(utterances.c.id == utterance_id)
    return connection.execute(joined).one_or_none()


def save_utterance(connection: Connection, utterance_id: str, *, only_if: str | None = None, **values: Any) -> bool:
    """Change it; with ``only_if`` only while it has that status. Tells whether it was changed."""
    update = sa.update(utterances).where(utterances.c.id == utterance_id)
    if only_if is not None:
        update = update.where(utterances.c.status == only_if)
    return connection.execute(update.values(values)).rowcount == 1


def said(connection: Connection, preparation: str) -> list[Row[Any]]:
    """Everything that was said for it, in the order in which it was said; without the sound."""
    columns = [column for column in utterances.c if column.name != "sound_sealed"]
    ordered = sa.select(*columns).join(calls).where(utterances.c.preparation == preparation)
    return list(connection.execute(ordered.order_by(calls.c.started_at, utterances.c.turn, utterances.c.id)))


def unsettled(connection: Connection, preparation: str) -> list[str]:
    """The utterances that are still on their way into words."""
    waiting = sa.select(utterances.c.id).where(utterances.c.preparation == preparation, utterances.c.status.not_in(SETTLED))
    return list(connection.execute(waiting).scalars())


# ---- sounds of prompts


def sound_keys(connection: Connection) -> set[str]:
    return set(connection.execute(sa.select(sounds.c.key)).scalars())


def has_sounds(connection: Connection, keys: list[str]) -> set[str]:
    """Those of ``keys`` that are rendered."""
    return set(connection.execute(sa.select(sounds.c.key).where(sounds.c.key.in_(keys))).scalars())


def sound(connection: Connection, key: str) -> bytes | None:
    return connection.execute(sa.select(sounds.c.wav).where(sounds.c.key == key)).scalar_one_or_none()


def save_sound(connection: Connection, key: str, wav: bytes) -> None:
    _insert_new(connection, sounds, {"key": key, "wav": wav})


# ---- what failed for good


def add_dead_job(connection: Connection, job_id: str, name: str, reason: str, now: float) -> bool:
    """Tells whether it was new."""
    return _insert_new(connection, dead_jobs, {"id": job_id, "name": name, "reason": reason, "died_at": now})


def count_dead_jobs(connection: Connection) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(dead_jobs)).scalar_one()
