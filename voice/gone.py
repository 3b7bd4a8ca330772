"""The SQL of what goes, and of the counts that stay."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, Row

from voice.schema import calls, counts, dead_jobs, preparations, texts, utterances

FINISHED, BROKEN_OFF, DELETED, SENT, GUIDE, CALLS = "finished", "broken off", "deleted", "sent", "guide ", "calls"
OTHERS = "recordings of others"  # at the provider
_ENDED = {"complete": FINISHED, "refused": FINISHED, "deleted": DELETED}  # else it broke off; "refused": to be recorded
_BATCH = 500  # rows deleted at once: on SQLite a call's webhook waits for them

Counted = tuple[str, str]  # day or month, and what


def leave_no_traces(engine: Engine) -> bool:
    """Empty SQLite's log, which keeps what was deleted. False if somebody reads in it just now: then try again later.

    Nobody waits for it and it waits for nobody. PostgreSQL keeps its log as its operator says; there is nothing to do here.
    """
    if engine.dialect.name != "sqlite":
        return True
    connection = engine.raw_connection()
    connection.detach()  # it is closed afterwards: the pool's own go on waiting for locks
    try:
        cursor: Any = connection.cursor()
        cursor.execute("PRAGMA busy_timeout=0")
        busy, in_log, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return (busy, in_log) == (0, 0)
    finally:
        connection.close()


# ---- whose it was


def locked_calls_of(tx: Connection, callers: list[str]) -> list[Row[Any]]:
    """All calls from these numbers, locked."""
    of_callers = sa.select(calls).where(calls.c.caller.in_(callers)).order_by(calls.c.call_sid)
    return list(tx.execute(of_callers.with_for_update()))


def preparations_of(tx: Connection, callers: list[str], call_sids: list[str]) -> list[str]:
    """The preparations of these numbers, those that these calls began or added to, and what came too late for any of them."""
    added_to = sa.select(calls.c.preparation).where(calls.c.call_sid.in_(call_sids))
    theirs = preparations.c.caller.in_(callers) | preparations.c.opened_by.in_(call_sids) | preparations.c.id.in_(added_to)
    first = set(tx.execute(sa.select(preparations.c.id).where(theirs)).scalars())
    late = set(tx.execute(sa.select(preparations.c.id).where(preparations.c.late_of.in_(first))).scalars())
    return sorted(first | late)


def forget_texts(tx: Connection, callers: list[str]) -> int:
    """Tells how many there were."""
    return tx.execute(sa.delete(texts).where(texts.c.caller.in_(callers))).rowcount


# ---- what is old


def ended_calls(tx: Connection, before: float) -> list[str]:
    """Calls that ended before then and of which the provider may keep a record."""
    kept = sa.select(calls.c.call_sid).where(calls.c.ended_at < before, calls.c.erased_at.is_(None))
    return list(tx.execute(kept.order_by(calls.c.ended_at)).scalars())


def forget_old_texts(tx: Connection, before: float) -> None:
    tx.execute(sa.delete(texts).where(texts.c.at < before))


def forget_dead_jobs(tx: Connection, before: float) -> None:
    tx.execute(sa.delete(dead_jobs).where(dead_jobs.c.died_at < before))


def forget_old_rows(tx: Connection, before: float) -> bool:
    """Calls and preparations from before then become counts. Tells whether there may be more of them."""
    old = sa.select(preparations.c.id).where(preparations.c.created_at < before)
    tx.execute(sa.delete(utterances).where(utterances.c.preparation.in_(old)))
    in_use = sa.exists().where(utterances.c.call_sid == calls.c.call_sid)
    old_calls = list(tx.execute(sa.select(calls).where(calls.c.started_at < before, ~in_use).limit(_BATCH).with_for_update()))
    tx.execute(sa.delete(calls).where(calls.c.call_sid.in_([row.call_sid for row in old_calls])))
    in_use = sa.exists().where(calls.c.preparation == preparations.c.id)
    free = sa.select(preparations).where(preparations.c.created_at < before, ~in_use)
    old_preparations = list(tx.execute(free.limit(_BATCH).with_for_update()))
    tx.execute(sa.delete(preparations).where(preparations.c.id.in_([row.id for row in old_preparations])))
    for (day, what), number in _counted(old_calls, old_preparations).items():
        note(tx, day, what, _number(tx, day, what) + number)
    return len(old_calls) == _BATCH or len(old_preparations) == _BATCH


# ---- counts


def note(tx: Connection, day: str, what: str, number: int) -> None:
    """This number of it is known for that day."""
    tx.execute(sa.delete(counts).where(counts.c.day == day, counts.c.what == what))
    tx.execute(sa.insert(counts).values(day=day, what=what, number=number))


def monthly(tx: Connection) -> dict[str, dict[str, int]]:
    """What happened in each month, the rows that are still here and the counts of those that are gone together."""
    together = _counted(list(tx.execute(sa.select(calls))), list(tx.execute(sa.select(preparations))))
    for row in tx.execute(sa.select(counts)):
        together[row.day, row.what] += row.number
    found: dict[str, dict[str, int]] = {}
    for (day, what), number in sorted(together.items()):
        if len(day) == len("YYYY-MM"):
            found.setdefault(day, {})[what] = number
    return found


def at_the_provider(tx: Connection, now: float) -> Mapping[str, int]:
    """What may still be there, for the operator."""
    others = sa.select(counts.c.number).where(counts.c.what == OTHERS).order_by(counts.c.day.desc()).limit(1)
    return {
        "call records that the provider does not delete": len(ended_calls(tx, now - 3 * 86400)),
        "recordings of others in the account": tx.execute(others).scalar_one_or_none() or 0,
    }


def _number(tx: Connection, day: str, what: str) -> int:
    known = sa.select(counts.c.number).where(counts.c.day == day, counts.c.what == what)
    return tx.execute(known.with_for_update()).scalar_one_or_none() or 0


def _counted(old_calls: list[Row[Any]], old_preparations: list[Row[Any]]) -> Counter[Counted]:
    """Calls are counted by day. What was done in them, and which guide was chosen, could tell of one person: that by month."""
    found: Counter[Counted] = Counter()
    for call in old_calls:
        day = datetime.fromtimestamp(call.started_at, UTC).date().isoformat()
        found[day, CALLS] += 1
        found[day[:7], _ENDED.get(json.loads(call.session).get("ended"), BROKEN_OFF)] += 1
    for one in old_preparations:
        month = datetime.fromtimestamp(one.created_at, UTC).date().isoformat()[:7]
        if not one.late_of:  # what came too late is of a conversation that is counted
            found[month, GUIDE + one.guide] += 1
            found[month, SENT] += one.sent_at is not None
    return found
