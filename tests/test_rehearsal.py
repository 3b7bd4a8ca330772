"""A fresh web process plays a call through and takes it back, so that its first caller waits no longer than the next."""

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.web import CALL, RECORDING, Web, environ
from voice import schema, store
from voice.app import create_app
from voice.queue import Queue


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    web = Web(tmp_path)
    yield web
    web.close()


def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **more: str) -> Flask:
    """The app as gunicorn asks for it."""
    for name, value in environ(tmp_path, **more).items():
        monkeypatch.setenv(name, value)
    try:
        return create_app()
    finally:
        gc.unfreeze()  # the process that is to live on with it is the server's, not the tests'


def everything(web: Web) -> dict[str, list[Any]]:
    with store.reading(web.engine) as look:
        return {table.name: list(look.execute(table.select())) for table in schema.metadata.sorted_tables}


def one_call(web: Web) -> None:
    web.post("/calls", {"CallSid": CALL})
    for turn in range(1, 4):
        web.post(web.address(CALL, turn), {"CallSid": CALL, "Digits": "1"})
    (preparation,) = everything(web)["preparations"]
    heard = {"CallSid": CALL, "RecordingSid": RECORDING}
    answer = f"&answer={preparation.id}.hvad.1"
    assert web.post(web.address(CALL, 4) + answer, {**heard, "RecordingDuration": "9"}).status_code == 200
    assert web.post(web.address(CALL, 4, "/recording") + answer, {**heard, "RecordingStatus": "completed"}).status_code == 204
    assert web.post("/calls/status", {"CallSid": CALL, "CallStatus": "completed"}).status_code == 204


def test_the_rehearsal_leaves_nothing_behind(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything(web)
    served(monkeypatch, tmp_path)
    assert everything(web) == before
    assert not Queue(web.engine)._client.list_workflows()


def test_the_first_caller_needs_no_statement_that_was_not_written_out_before(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.app = served(monkeypatch, tmp_path)
    web.client = web.app.test_client()
    statements = web.app.extensions["sounds"].engine._compiled_cache
    rehearsed = set(statements)
    assert rehearsed
    one_call(web)
    assert set(statements) == rehearsed


@pytest.mark.parametrize("missing", ["worker_keys", "calls"])
def test_a_database_that_is_not_ready_does_not_keep_the_process_from_starting(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    with store.writing(web.engine) as tx:
        tx.exec_driver_sql(f"DELETE FROM {missing}" if missing == "worker_keys" else "ALTER TABLE calls RENAME TO away")
    assert served(monkeypatch, tmp_path).test_client().get(f"/audio/{'0' * 64}.wav").status_code == 404
