"""A host that vanishes, as one does that loses its power or its network: nobody waits for it for long, on whichever side it was."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from tests.postgres import Postgres
from tests.signing import a_web
from tests.test_queue import a_bench, wait_for
from tests.test_webhooks import Phone, phrase, recording, said
from tests.vanishing import Way
from voice import store
from voice.liveness import liveness
from voice.queue import LOST_LOCK_EXIT

PROVIDER_WAITS = 15.0  # seconds for our reply; then the caller hears English
GIVEN_UP = 30.0  # seconds after which others have what a vanished host held
SERVER = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "tcp_user_timeout")
LINUX = ("TCP_USER_TIMEOUT", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
OTHERS = """SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE :state"""


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.new_database().replace("postgresql://", "postgresql+psycopg://")


def connected(other: Engine, state: str = "%") -> int:
    """How many connections the server has besides."""
    with store.reading(other) as look:
        return int(look.execute(sa.text(OTHERS), {"state": state}).scalar_one())


@pytest.fixture
def other(url: str) -> Iterator[Engine]:
    """Another host's way to the database, which does not vanish."""
    engine = store.connect(url, wait=30)
    yield engine
    engine.dispose()


def limits(connection: Connection) -> tuple[list[str], list[int]]:
    """What the server was told, and what Linux was told on our side."""
    driver: Any = connection.connection.driver_connection
    with closing(socket.socket(fileno=socket.dup(driver.fileno()))) as ours:
        linux = [ours.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in LINUX]
    return [connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in SERVER], linux


def test_each_connection_to_postgresql_tells_when_it_is_given_up_on_both_sides(url: str, other: Engine) -> None:
    with a_web(DATABASE_URL=url) as web, web.app.extensions["sounds"].engine.connect() as callers_wait:
        assert limits(callers_wait) == (["5s", "8s", "15s", "22000"], [5000, 3, 1, 2])
    with other.connect() as nobody_waits:
        assert limits(nobody_waits) == (["30s", "0", "15s", "22000"], [15000, 5, 5, 2])
    locks: Any = liveness(url)
    locks.hold("this")
    with locks._held:
        assert limits(locks._held) == (["0", "0", "15s", "22000"], [15000, 5, 5, 2])


@pytest.mark.faults
@pytest.mark.row("a host vanishes")
def test_when_the_database_s_host_vanishes_the_caller_is_asked_to_ring_again_and_all_goes_on_when_it_is_back(url: str) -> None:
    with Way(url) as way, a_web(DATABASE_URL=way.url) as web:
        phone = Phone(web).at_question()
        answer = (phone.urls["action"].partition("#")[0], {"RecordingSid": recording(), "RecordingDuration": "9"})
        requests = [lambda: phone.again(answer), lambda: Phone(web).post("/calls"), lambda: web.app.test_client().get("/healthz")]
        with ThreadPoolExecutor(len(requests)) as threads, way.vanished():
            for _ in range(2):  # the second time there are no connections left
                end = time.monotonic() + PROVIDER_WAITS
                replies = [threads.submit(request) for request in requests]
                goes_on, begins, health = [reply.result(end - time.monotonic()) for reply in replies]
                assert said(goes_on) == said(begins) == phrase("busy")
                assert health.status_code == 503
        assert phone.answers == {}
        assert web.client.get("/healthz").status_code == 200
        assert phone.hears(phone.again(answer)).session.answered == ("hvad",)
        Phone(web).at_question()


@pytest.mark.faults
@pytest.mark.row("a host vanishes")
def test_a_row_that_a_vanished_host_had_locked_is_free_before_whoever_waits_for_it_gives_up(url: str, other: Engine) -> None:
    with store.writing(other) as tx:
        store.set_closed(tx, None)
    with Way(url) as way:
        engine = store.connect(way.url)
        with engine.connect() as cut_off:
            store.set_closed(cut_off, "for an hour")
            with way.vanished(), store.writing(other) as tx:
                store.set_closed(tx, "for a day")
            with pytest.raises(sa.exc.DBAPIError):
                cut_off.commit()
        engine.dispose()


@pytest.mark.faults
@pytest.mark.row("a host vanishes")
def test_a_worker_that_was_cut_off_gives_itself_up_before_its_lock_is_free_although_an_answer_was_on_its_way(
    url: str, other: Engine
) -> None:
    with Way(url) as way, ThreadPoolExecutor(1) as threads:
        cut_off: Any = liveness(way.url)
        cut_off.hold("worker")
        asking = threads.submit(cut_off._held.execute, sa.text("SELECT pg_sleep(1)"))
        wait_for(lambda: connected(other, "active"))
        with way.vanished():
            began = time.monotonic()
            while not liveness(url).is_dead("worker"):
                assert time.monotonic() - began < GIVEN_UP
                time.sleep(0.2)
            assert asking.done()
            assert isinstance(asking.exception(), sa.exc.OperationalError)
        cut_off._held.close()


@pytest.mark.faults
@pytest.mark.row("a host vanishes")
def test_of_a_worker_whose_host_vanished_the_server_keeps_no_connection(url: str, other: Engine, tmp_path: Path) -> None:
    with Way(url) as way, a_bench(way.url, tmp_path) as bench:
        worker = bench.start()
        bench.enqueue("run", "alive")
        wait_for(lambda: bench.lines("run", "alive"))
        assert connected(other) > 1
        with way.vanished():
            wait_for(lambda: not connected(other), seconds=2 * GIVEN_UP)
            assert worker.wait(60) == LOST_LOCK_EXIT
