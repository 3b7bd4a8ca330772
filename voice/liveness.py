"""Who is alive? A lock, not a time-out.

Each worker holds a lock that the system drops when it dies: on SQLite a ``flock``ed file beside the
database, on PostgreSQL a session advisory lock on a connection of its own. Whoever gets a worker's lock
knows that the worker is gone. A busy worker cannot be mistaken for a dead one, as with heartbeats.
"""

import fcntl
import hashlib
from pathlib import Path
from typing import IO, Protocol

import sqlalchemy as sa

from voice import postgres


class Liveness(Protocol):
    """Locks named by worker."""

    def hold(self, worker: str) -> None:
        """Take this worker's lock for as long as the process lives."""

    def lost(self) -> bool:
        """Whether our own lock is gone, so that others take us for dead."""

    def is_dead(self, worker: str) -> bool:
        """Whether nobody holds that worker's lock."""

    def forget(self, worker: str) -> None:
        """The dead worker's jobs are taken over; its traces may go."""


def liveness(database_url: str) -> Liveness:
    """The locks that belong to this database."""
    if database_url.startswith("sqlite"):
        return _FileLocks(Path(database_url.removeprefix("sqlite:///")).parent / "workers")
    return _AdvisoryLocks(database_url)


class _FileLocks:
    """Needs one disk that all workers share, as SQLite does; not over a network file system."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: IO[bytes] | None = None

    def hold(self, worker: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._held = (self._folder / worker).open("wb")
        fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def lost(self) -> bool:
        return False  # the kernel takes it from nobody who lives

    def is_dead(self, worker: str) -> bool:
        try:
            with (self._folder / worker).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except FileNotFoundError:
            return True
        return True

    def forget(self, worker: str) -> None:
        (self._folder / worker).unlink(missing_ok=True)


class _AdvisoryLocks:
    def __init__(self, database_url: str) -> None:
        self._engine = sa.create_engine(
            database_url,
            hide_parameters=True,
            poolclass=sa.pool.NullPool,
            connect_args=postgres.arguments(),  # a cut-off worker gives itself up before the server gives its lock away
            isolation_level="AUTOCOMMIT",
        )
        self._held: sa.Connection | None = None

    def hold(self, worker: str) -> None:
        self._held = self._engine.connect()
        if not self._try(self._held, worker):
            raise RuntimeError("another process holds this worker's lock")

    def lost(self) -> bool:
        try:
            assert self._held is not None
            self._held.execute(sa.text("SELECT 1"))
        except sa.exc.DBAPIError:
            return True
        return False

    def is_dead(self, worker: str) -> bool:
        with self._engine.connect() as connection:  # closing the connection gives the lock back
            return self._try(connection, worker)

    def forget(self, worker: str) -> None:
        pass  # the server keeps nothing of a lock that nobody holds

    @staticmethod
    def _try(connection: sa.Connection, worker: str) -> bool:
        number = int.from_bytes(hashlib.sha256(worker.encode()).digest()[:8], signed=True)
        return bool(connection.execute(sa.select(sa.func.pg_try_advisory_lock(number))).scalar_one())
