"""What is done regularly: by whichever worker comes first, by one of them at a time, and however the clock is set.

What is done every so many seconds has a row that tells when it was last done. It is due when that is as long ago, or lies in the
future: then the clock was ahead. A worker takes it by writing its name into the row, so that the others leave it alone until it is
done or that worker is dead. A worker that fails or dies leaves it due. Times are compared, never waited for: no clock can stop it.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine, Row

from voice import store
from voice.clock import CLOCK_JUMP, Clock
from voice.liveness import Liveness
from voice.schema import calls, regulars

log = logging.getLogger(__name__)

MINUTE = 60.0  # seconds
HOURLY = 3540.0  # a minute less than an hour, as it begins a moment late: what is promised by the hour is kept to the hour
DAY = 86400.0
OVERDUE = 600.0  # seconds: so much later than it should be it is stuck


@dataclass(frozen=True, slots=True)
class Regular:
    """Something that every worker may do. ``every``: seconds between two times. It may be done again at any time: it is idempotent."""

    run: Callable[[], None]
    every: float


class Regulars:
    """One worker's part in them. ``steady``: seconds that only ever pass."""

    def __init__(
        self,
        engine: Engine,
        regulars: Mapping[str, Regular],
        worker: str,
        locks: Liveness,
        clock: Clock,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._regulars = regulars
        self._worker = worker
        self._locks = locks
        self._clock = clock
        self._steady = steady
        self._apart = False  # whether our clock and the database's tell different times
        self._not_before: dict[str, float] = {}  # so that one that fails, or clocks that differ, make us do nothing without end
        self._under_way: dict[str, threading.Thread] = {}
        self._looked = False

    def begin(self) -> None:
        """Compare the time with what is known of this line: a machine may start with any."""
        with store.reading(self._engine) as look:
            mark = _mark(look)
        if mark is not None and not -CLOCK_JUMP <= time.time() - mark < DAY:
            log.warning("the clock is not known to be right: nothing goes for its age in the next hour")
            self._clock.doubt()

    def look(self) -> None:
        """Call it often: begins what is due, each in a thread of its own, so that no two wait for each other and nobody for them."""
        try:
            for name, row in self._due().items():
                self._under_way[name] = threading.Thread(target=self._do, args=(row,), name=name, daemon=True)
                self._under_way[name].start()
        except Exception as error:  # the next look tries again, a second later
            log.warning("what is done regularly could not be looked at: %(error)s", {"error": error})

    def finish(self, seconds: float) -> None:
        """Wait so long for what is under way. What is broken off is due again."""
        end = self._steady() + seconds
        for thread in self._under_way.values():
            thread.join(max(0.0, end - self._steady()))

    def _due(self) -> dict[str, Row[Any]]:
        """What is to be done now, by name, with its row."""
        every = {name: regular.every for name, regular in self._regulars.items()}
        with store.reading(self._engine) as look:
            rows = {row.name: row for row in look.execute(sa.select(regulars))}
            self._compare(look)
        first, self._looked = not self._looked, True  # after that a program beside us may tell of other things
        if every.keys() - rows.keys() or (first and {name: row.every for name, row in rows.items()} != every):
            with store.writing(self._engine) as tx:
                _know(tx, every, alone=first)
            return {}
        if self._apart or not self._clock.trusted:
            return {}
        return {name: row for name, row in rows.items() if name in every and self._is_due(row)}

    def _compare(self, look: Connection) -> None:
        """With the database's server, which may be another machine."""
        off = _ahead(look)
        apart = abs(off) > CLOCK_JUMP
        if apart and not self._apart:
            log.warning(
                "set the clocks (NTP): ours is %(count)d s off the database server's, so nothing goes for its age",
                {"count": round(off)},
            )
        self._apart = apart

    def _is_due(self, row: Row[Any]) -> bool:
        thread = self._under_way.get(row.name)
        if (thread and thread.is_alive()) or self._steady() < self._not_before.get(row.name, -math.inf):
            return False
        if row.done_at is not None and abs(time.time() - row.done_at) < self._regulars[row.name].every:
            return False
        return row.worker in (None, self._worker) or self._locks.is_dead(row.worker)

    def _do(self, seen: Row[Any]) -> None:
        name, begun, done_at = seen.name, time.time(), seen.done_at
        try:
            with store.writing(self._engine) as tx:
                if not _take(tx, seen, self._worker):
                    return
            self._not_before[name] = self._steady() + min(self._regulars[name].every, HOURLY)
            try:
                self._regulars[name].run()
                done_at = begun
            finally:
                with store.writing(self._engine) as tx:
                    _leave(tx, name, self._worker, done_at)
        except Exception as error:  # it is tried again, within the hour
            log.warning("regular %(job)s failed: %(error)s", {"job": name, "error": error})


def minutes_overdue(look: Connection, now: float) -> int:
    """Of what is latest; 0 if all was done when it should be. It does not matter why: nobody is there, it fails, or a clock is wrong."""
    late = [abs(now - (row.known_at if row.done_at is None else row.done_at)) - row.every for row in look.execute(sa.select(regulars))]
    return int(max(0.0, max(late, default=0.0) - OVERDUE) / 60)


def _mark(look: Connection) -> float | None:
    """The last time that this line is known to have lived through; None if it is new."""
    for moment in (regulars.c.done_at, calls.c.heard_at):
        last: float | None = look.execute(sa.select(sa.func.max(moment))).scalar_one()
        if last is not None:
            return last
    return None


def _ahead(look: Connection) -> float:
    """Seconds by which our clock is ahead of the server's. SQLite has ours."""
    if look.dialect.name == "sqlite":
        return 0.0
    return time.time() - float(look.execute(sa.text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())


def _know(tx: Connection, every: Mapping[str, float], *, alone: bool) -> None:
    """These are done regularly; ``alone``: and nothing else."""
    if alone:
        tx.execute(sa.delete(regulars).where(regulars.c.name.not_in(every)))
    insert = (sqlite if tx.dialect.name == "sqlite" else postgresql).insert(regulars)
    upsert = insert.on_conflict_do_update(index_elements=["name"], set_={"every": insert.excluded.every})
    for name, seconds in sorted(every.items()):
        tx.execute(upsert.values(name=name, every=seconds, known_at=time.time()))


def _take(tx: Connection, seen: Row[Any], worker: str) -> bool:
    """Tells whether nobody was quicker."""
    unchanged = (regulars.c.worker.is_not_distinct_from(seen.worker), regulars.c.done_at.is_not_distinct_from(seen.done_at))
    return tx.execute(sa.update(regulars).where(regulars.c.name == seen.name, *unchanged).values(worker=worker)).rowcount == 1


def _leave(tx: Connection, name: str, worker: str, done_at: float | None) -> None:
    mine = sa.update(regulars).where(regulars.c.name == name, regulars.c.worker == worker)
    tx.execute(mine.values(worker=None, done_at=done_at))
