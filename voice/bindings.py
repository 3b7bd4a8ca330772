"""The SQL of numbers bound to addresses, and of the texts that were sent."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from voice.schema import bindings, preparations, texts

REFUSED = "refused"  # why a text failed: this number takes none


def add(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Each has all columns of a binding but those that may be missing."""
    if rows:
        connection.execute(sa.insert(bindings), list(rows))


def known(connection: Connection, callers: Sequence[str], now: float) -> Row[Any] | None:
    """The binding of a number that holds: what its caller confirmed goes before what was imported. A shared number has none."""
    if is_shared(connection, callers):
        return None
    holds = sa.select(bindings).where(bindings.c.caller.in_(callers), bindings.c.kind.in_(("staff", "confirmed")))
    holds = holds.where(bindings.c.expires_at.is_(None) | (bindings.c.expires_at > now))
    return connection.execute(holds.order_by(bindings.c.kind, bindings.c.made_at.desc()).limit(1)).one_or_none()


def is_shared(connection: Connection, callers: Sequence[str]) -> bool:
    """Whether the operator's list has several people at this number."""
    shared = sa.select(bindings.c.id).where(bindings.c.caller.in_(callers), bindings.c.kind == "shared")
    return connection.execute(shared.limit(1)).first() is not None


def are_sealed_to(connection: Connection, key: bytes) -> bool:
    """Whether any address is sealed to that key of the worker's."""
    return connection.execute(sa.select(bindings.c.id).where(bindings.c.sealed_to == key).limit(1)).first() is not None


def not_sealed_to(connection: Connection, key: bytes, most: int) -> list[Row[Any]]:
    """Some of the addresses that are sealed to another key, locked."""
    others = sa.select(bindings).where(bindings.c.sealed_to != key).order_by(bindings.c.id).limit(most)
    return list(connection.execute(others.with_for_update()))


def get(connection: Connection, binding: str) -> Row[Any] | None:
    return connection.execute(sa.select(bindings).where(bindings.c.id == binding)).one_or_none()


def pending(connection: Connection, token_hash: str, now: float) -> Row[Any] | None:
    """The address that this token's button confirms, locked; None if the token is unknown, used or too old."""
    waits = sa.select(bindings).where(bindings.c.token_hash == token_hash, bindings.c.kind == "pending", bindings.c.expires_at > now)
    return connection.execute(waits.with_for_update()).one_or_none()


def written(connection: Connection, preparation: str) -> list[Row[Any]]:
    """The addresses that were written on a preparation's page, the newest first."""
    found = sa.select(bindings).where(bindings.c.preparation == preparation)
    return list(connection.execute(found.order_by(bindings.c.made_at.desc())))


def change(connection: Connection, binding: str, **values: Any) -> None:
    connection.execute(sa.update(bindings).where(bindings.c.id == binding).values(values))


def forget_one(connection: Connection, binding: str) -> None:
    connection.execute(sa.delete(bindings).where(bindings.c.id == binding))


def forget(connection: Connection, callers: Sequence[str], kinds: Sequence[str], *, but: str = "") -> int:
    """Tells how many there were."""
    gone = sa.delete(bindings).where(bindings.c.caller.in_(callers), bindings.c.kind.in_(kinds), bindings.c.id != but)
    return connection.execute(gone).rowcount


def forget_written(connection: Connection, preparation: str) -> None:
    """The addresses that were written on its page and never confirmed."""
    unconfirmed = bindings.c.kind.in_(("pending", "refused"))
    connection.execute(sa.delete(bindings).where(bindings.c.preparation == preparation, unconfirmed))


def forget_expired(connection: Connection, now: float) -> None:
    connection.execute(sa.delete(bindings).where(bindings.c.expires_at <= now))


def staff(connection: Connection) -> list[Row[Any]]:
    imported = sa.select(bindings).where(bindings.c.kind.in_(("staff", "shared")))
    return list(connection.execute(imported.order_by(bindings.c.made_at, bindings.c.id)))


# ---- a preparation's page


def page(connection: Connection, page_hash: str) -> Row[Any] | None:
    """The preparation whose page has this token, locked; what it came too late for is locked before it, as everywhere."""
    first = sa.select(sa.func.coalesce(preparations.c.late_of, preparations.c.id)).where(preparations.c.page_hash == page_hash)
    if (found_id := connection.execute(first).scalar_one_or_none()) is None:
        return None
    connection.execute(sa.select(preparations.c.id).where(preparations.c.id == found_id).with_for_update())
    found = sa.select(preparations).where(preparations.c.page_hash == page_hash, preparations.c.caller.is_not(None))
    return connection.execute(found.with_for_update()).one_or_none()


# ---- texts


def add_text(connection: Connection, text: str, caller: str, now: float, failed: str | None) -> None:
    """Note one text that went, or could not go, to that number. What failed first stays the reason."""
    if connection.execute(sa.select(texts.c.failed).where(texts.c.id == text)).scalar_one_or_none() is None:
        connection.execute(sa.delete(texts).where(texts.c.id == text))
        connection.execute(sa.insert(texts).values(id=text, caller=caller, at=now, failed=failed))


def count_texts(connection: Connection, since: float, callers: Sequence[str] | None = None) -> int:
    counting = sa.select(sa.func.count()).select_from(texts).where(texts.c.at >= since)
    return connection.execute(counting if callers is None else counting.where(texts.c.caller.in_(callers))).scalar_one()


def unreachable(connection: Connection, callers: Sequence[str], since: float) -> bool:
    """Whether the provider refused the last text to this number, as it does for a landline."""
    last = sa.select(texts.c.failed).where(texts.c.caller.in_(callers), texts.c.at >= since).order_by(texts.c.at.desc()).limit(1)
    return connection.execute(last).scalar_one_or_none() == REFUSED


# ---- for the operator: counts, no personal datum


def counts(connection: Connection, since: float) -> dict[str, int]:
    def count(query: sa.Select[Any]) -> int:
        return int(connection.execute(sa.select(sa.func.count()).select_from(query.subquery())).scalar_one())

    def with_status(status: str) -> sa.Select[Any]:
        return sa.select(preparations.c.id).where(preparations.c.status == status, preparations.c.created_at >= since)

    failed = sa.select(texts.c.id).where(texts.c.failed.is_not(None), texts.c.at >= since)
    refused = sa.select(bindings.c.id).where(bindings.c.kind == "refused", bindings.c.made_at >= since)
    return {
        "failed texts": count(failed),
        "undeliverable mails": count(with_status("undeliverable")) + count(refused),
        "preparations that wait for an address": count(with_status("waiting")),
        "preparations that nobody gave an address for": count(with_status("expired")),
        "numbers bound by import": count(sa.select(bindings.c.id).where(bindings.c.kind == "staff")),
        "numbers bound by their callers": count(sa.select(bindings.c.id).where(bindings.c.kind == "confirmed")),
    }
