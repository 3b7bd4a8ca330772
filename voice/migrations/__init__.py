"""The schema's history, forward from every released state, on both databases."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config as Alembic

from voice import queue, store

_LOCK = 5_108_733_220_981  # any number, the same in every process


def migrate(database_url: str) -> None:
    """Bring both schemas, ours and the workflow engine's, to this program's state. Safe when several processes do it at once."""
    if database_url.startswith("sqlite:///"):
        Path(database_url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    with _alone(database_url):
        engine = store.connect(database_url, wait=30)
        try:
            alembic = Alembic()
            alembic.set_main_option("script_location", str(Path(__file__).parent))
            with engine.begin() as connection:
                alembic.attributes["connection"] = connection
                command.upgrade(alembic, "head")
        finally:
            engine.dispose()
        queue.migrate(database_url)


@contextmanager
def _alone(database_url: str) -> Iterator[None]:
    if database_url.startswith("sqlite"):
        with Path(database_url.removeprefix("sqlite:///") + ".migrating").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        return
    engine = sa.create_engine(database_url, hide_parameters=True, poolclass=sa.pool.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        # Asked for again and again: who waits inside the database holds up the indexes that the other makes concurrently, for ever.
        while not connection.execute(sa.select(sa.func.pg_try_advisory_lock(_LOCK))).scalar_one():
            time.sleep(0.2)
        yield
