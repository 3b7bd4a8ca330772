"""The database, and its SQL; what is bound to numbers stands in bindings.py, what goes in gone.py.

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

from voice import postgres
from voice.schema import calls, dead_jobs, line, preparations, sounds, utterances, worker_keys

SETTLED = ("heard", "silent", "failed", "keyed")
_MAKING_KEYS = 5_108_733_220_982  # any number, the same in every process


def connect(url: str, *, wait: float = 5.0, statement: float | None = None, pool: int = 5, checkpoints: bool = True) -> Engine:
    """An engine for either database. ``wait``: seconds to wait for a lock before giving up, and for a server that has vanished (5 to 15);
    ``statement``: seconds that PostgreSQL may take for one. Without ``checkpoints`` another process moves SQLite's log to its place:
    whose commit does it waits many times as long for the disk."""
    if url.startswith("sqlite"):
        engine = sa.create_engine(
            url, hide_parameters=True, pool_size=pool, max_overflow=pool, connect_args={"timeout": wait, "check_same_thread": False}
        )
        sa.event.listen(engine, "connect", lambda connection, _record: _sqlite_settings(connection, checkpoints))
        sa.event.listen(engine, "begin", _sqlite_begin)
        return engine
    arguments = postgres.arguments(int(min(max(wait, 5), postgres.PATIENCE)), lock_timeout=wait, statement_timeout=statement)
    return sa.create_engine(
        url, hide_parameters=True, pool_size=pool, max_overflow=pool, pool_pre_ping=True, pool_timeout=wait, connect_args=arguments
    )


def _sqlite_settings(connection: Any, checkpoints: bool) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, below
    for pragma in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA secure_delete=ON", "PRAGMA foreign_keys=ON"):
        connection.execute(pragma)
    if not checkpoints:
        connection.execute("PRAGMA wal_autocheckpoint=20000")  # pages: the others, at a thousand, are always there before


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


def worker_key(connection: Connection, purpose: str = "answers") -> bytes | None:
    """The public key to which ``answers`` or ``bindings`` are sealed. It is not retired before this transaction ends."""
    current = sa.select(worker_keys.c.public_key).where(worker_keys.c.purpose == purpose, worker_keys.c.retired_at.is_(None))
    current = current.with_for_update(read=True)
    found: bytes | None = connection.execute(current).scalar_one_or_none()
    if found is None:  # on PostgreSQL we may have waited until it was retired: now the new one is seen
        found = connection.execute(current).scalar_one_or_none()
    return found


def add_worker_key(
    connection: Connection, public_key: bytes, now: float, purpose: str = "answers", private_sealed: bytes | None = None
) -> None:
    """It takes the place of the current one, which is retired."""
    current = sa.update(worker_keys).where(worker_keys.c.purpose == purpose, worker_keys.c.retired_at.is_(None))
    connection.execute(current.values(retired_at=now))
    row = {"public_key": public_key, "created_at": now, "purpose": purpose, "private_sealed": private_sealed}
    connection.execute(sa.insert(worker_keys).values(row))


def lock_worker_keys(connection: Connection) -> None:
    """Nobody else makes a key until this transaction ends; on SQLite whoever writes is alone anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MAKING_KEYS)))


def current_worker_key(connection: Connection, purpose: str) -> Row[Any] | None:
    current = sa.select(worker_keys).where(worker_keys.c.purpose == purpose, worker_keys.c.retired_at.is_(None))
    return connection.execute(current).one_or_none()


def find_worker_key(connection: Connection, public_key: bytes) -> Row[Any] | None:
    return connection.execute(sa.select(worker_keys).where(worker_keys.c.public_key == public_key)).one_or_none()


def all_worker_keys(connection: Connection) -> list[Row[Any]]:
    """Every key that there ever was, the oldest first."""
    return list(connection.execute(sa.select(worker_keys).order_by(worker_keys.c.created_at, worker_keys.c.public_key)))


def save_worker_key(connection: Connection, public_key: bytes, **values: Any) -> None:
    connection.execute(sa.update(worker_keys).where(worker_keys.c.public_key == public_key).values(values))


# ---- calls


def begin_call(connection: Connection, call_sid: str, session: str, now: float, **values: Any) -> bool:
    """Make the call's row unless it is there: the same webhook can come twice, and at once. Tells whether it was made."""
    values = {"call_sid": call_sid, "session": session, "reply": "", "started_at": now, "heard_at": now, **values}
    return _insert_new(connection, calls, values)


def locked_call(connection: Connection, call_sid: str) -> Row[Any] | None:
    """The call's row, which nobody else changes until this transaction ends."""
    return _locked(connection, calls, call_sid)


def call(connection: Connection, call_sid: str) -> Row[Any] | None:
    return connection.execute(sa.select(calls).where(calls.c.call_sid == call_sid)).one_or_none()


def save_call(connection: Connection, call_sid: str, **values: Any) -> None:
    connection.execute(sa.update(calls).where(calls.c.call_sid == call_sid).values(values))


def silent_calls(connection: Connection, before: float) -> list[str]:
    """Calls that have not ended and of which nothing was heard since ``before``: their end was lost on the way."""
    gone = sa.select(calls.c.call_sid).where(calls.c.ended_at.is_(None), calls.c.heard_at < before)
    return list(connection.execute(gone).scalars())


def unfinished_call(connection: Connection, callers: list[str]) -> Row[Any] | None:
    """The last call from one of these numbers that can be gone on with: it broke off, or the news that it did is not here yet."""
    broken_off = sa.select(calls).join(preparations, calls.c.preparation == preparations.c.id)
    broken_off = broken_off.where(calls.c.caller.in_(callers), preparations.c.status == "open")
    return connection.execute(broken_off.order_by(calls.c.heard_at.desc()).limit(1)).one_or_none()


def count_calls(connection: Connection, since: float, callers: list[str] | None = None) -> int:
    """Calls answered since then; of these callers, or for an empty list of all whose number is withheld."""
    counting = sa.select(sa.func.count()).select_from(calls).where(calls.c.started_at >= since)
    if callers is not None:
        counting = counting.where(calls.c.caller.in_(callers) if callers else calls.c.caller.is_(None))
    return connection.execute(counting).scalar_one()


def count_live_calls(connection: Connection, heard_since: float) -> int:
    """Calls that go on now."""
    alive = sa.select(sa.func.count()).select_from(calls).where(calls.c.ended_at.is_(None), calls.c.heard_at >= heard_since)
    return connection.execute(alive).scalar_one()


def call_seconds(connection: Connection, since: float) -> float:
    """How long all calls since then lasted together."""
    lasted = sa.func.coalesce(calls.c.ended_at, calls.c.heard_at) - calls.c.started_at
    return float(connection.execute(sa.select(sa.func.sum(lasted)).where(calls.c.started_at >= since)).scalar_one() or 0)


def closed_because(connection: Connection) -> str | None:
    """Why the line is closed, or None."""
    return connection.execute(sa.select(line.c.closed)).scalar_one_or_none()


def set_closed(connection: Connection, reason: str | None) -> None:
    _insert_new(connection, line, {"id": 1})
    connection.execute(sa.update(line).values(closed=reason))


# ---- preparations


def add_preparation(connection: Connection, preparation: str, **values: Any) -> None:
    connection.execute(sa.insert(preparations).values(id=preparation, status="open", **values))


def new_id() -> str:
    return secrets.token_hex(16)


def locked_preparation(connection: Connection, preparation: str) -> Row[Any] | None:
    """The preparation's row, locked: whoever counts its answers does so alone."""
    return _locked(connection, preparations, preparation)


def preparation(connection: Connection, preparation_id: str) -> Row[Any] | None:
    return connection.execute(sa.select(preparations).where(preparations.c.id == preparation_id)).one_or_none()


def save_preparation(connection: Connection, preparation: str, **values: Any) -> None:
    connection.execute(sa.update(preparations).where(preparations.c.id == preparation).values(values))


def preparation_of(connection: Connection, call_sid: str) -> Row[Any] | None:
    """The preparation that a call adds to."""
    return connection.execute(sa.select(preparations).join(calls).where(calls.c.call_sid == call_sid)).one_or_none()


def locked_late_preparations(connection: Connection, first: str) -> list[Row[Any]]:
    """The preparations of what came too late for ``first``, locked."""
    late = sa.select(preparations).where(preparations.c.late_of == first).order_by(preparations.c.created_at)
    return list(connection.execute(late.with_for_update()))


def live_calls(connection: Connection, preparation: str) -> list[str]:
    """The calls that may still add to it."""
    alive = sa.select(calls.c.call_sid).where(calls.c.preparation == preparation, calls.c.ended_at.is_(None))
    return list(connection.execute(alive.order_by(calls.c.call_sid)).scalars())


def preparations_of(connection: Connection, call_sid: str) -> list[str]:
    """The preparations that this call began or added to, in that order."""
    of_call = sa.select(preparations.c.id).join(calls, calls.c.call_sid == call_sid)
    of_call = of_call.where((preparations.c.opened_by == call_sid) | (preparations.c.id == calls.c.preparation))
    return list(connection.execute(of_call.order_by(preparations.c.created_at, preparations.c.id)).scalars())


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


def outlived(connection: Connection, *, sent_before: float, made_before: float) -> list[str]:
    """Preparations whose content has no business here any more."""
    old = (preparations.c.sent_at < sent_before) | (preparations.c.created_at < made_before)
    kept = sa.func.length(preparations.c.private_key_sealed) > 0
    return list(connection.execute(sa.select(preparations.c.id).where(old, kept).with_for_update()).scalars())


def delete_utterances(connection: Connection, preparation: str) -> None:
    connection.execute(sa.delete(utterances).where(utterances.c.preparation == preparation))


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


def count_not_erased(connection: Connection, *, heard_before: float) -> int:
    """Recordings that the provider may still have, of calls of which nothing was heard since then."""
    kept = sa.select(sa.func.count()).select_from(utterances.join(calls, utterances.c.call_sid == calls.c.call_sid))
    return connection.execute(
        kept.where(~utterances.c.erased, utterances.c.status != "keyed", calls.c.heard_at < heard_before)
    ).scalar_one()


def count_overdue(connection: Connection, *, closed_before: float) -> int:
    """Preparations that should have been sent without what is missing."""
    late = sa.select(sa.func.count()).select_from(preparations).where(preparations.c.status.in_(("closed", "sending")))
    return connection.execute(late.where(preparations.c.closed_at < closed_before)).scalar_one()
