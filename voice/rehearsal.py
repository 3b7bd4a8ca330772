"""One call played through and taken back, so that no caller waits for what a process does only once.

At its first call a fresh web process writes out the SQL of every statement and loads what it had put off: twice the time that a
webhook takes later. The rehearsal is one transaction that is never committed.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from voice import store
from voice.calls import Calls
from voice.dialogue.events import KeysPressed
from voice.preparations import NoWorkerKey, Placing

log = logging.getLogger(__name__)

_CALL, _RECORDING, _CALLER = "CA" + "0" * 32, "RE" + "0" * 32, "+4520000000"
_TURNS = 6  # consent, whose telephone, the menus: in most lines that leads to a question


class _Stage:
    """An engine, as far as ``store`` uses one, whose transactions all are parts of one that is taken back."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        yield self._connection


def rehearse(engine: Engine, calls: Callable[[Engine], Calls]) -> None:
    """Play one call over that database with what ``calls`` makes. A database that is not ready is the first caller's matter."""
    try:
        with engine.connect() as connection, connection.begin() as transaction:
            _play(connection, calls(cast(Engine, _Stage(connection))))
            transaction.rollback()
    except (SQLAlchemyError, NoWorkerKey) as error:
        log.info("the rehearsal was broken off: %(error)s", {"error": error})


def _play(connection: Connection, calls: Calls) -> None:
    calls.started(_CALL, _CALLER)
    for turn in range(1, _TURNS):
        calls.happened(_CALL, turn, KeysPressed("1"), from_number=_CALLER)
    if preparation := store.preparation_of(connection, _CALL):
        calls.recording(_RECORDING, "completed", Placing(_CALL, _TURNS, preparation.id, "", 1))
    calls.hung_up(_CALL)
