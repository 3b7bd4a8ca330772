"""A database that is full, locked, restarted, or takes no more connections: the caller hears Danish, and nothing acknowledged is lost."""

import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.conftest import NewDatabase, must_run
from tests.faults import lines
from tests.faults.callers import PROMPTS, Callers, calling
from tests.faults.killing import place
from tests.faults.lines import Lines, a_line_kept_alive
from tests.faults.report import Cases, sizes
from tests.faults.world import World, check_world, wait_until_healthy
from tests.postgres import Postgres
from voice import store
from voice.exchange.web import Reply, Request, Web
from voice.local.line import LocalLine

FULL_FOR = 2.0  # seconds beyond the end of a call that began to meet a full disk
BUSY = PROMPTS.phrase("busy").text
ROOM = 64  # megabytes of a disk of its own


class Moments:
    """Before the n-th request that the exchange sends, something happens, once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch

    @contextmanager
    def before_request(self, n: int, happens: Callable[[], None]) -> Iterator[list[str]]:
        """Gives the paths that were asked for."""
        fetch, counting = Web.fetch, threading.Lock()
        asked: list[str] = []

        def counted(web: Web, request: Request, limit: int) -> Reply:
            with counting:
                asked.append(request.url)
                if len(asked) == n:
                    happens()
            return fetch(web, request, limit)

        with self._patch.context() as patch:
            patch.setattr(Web, "fetch", counted)
            yield asked


@pytest.fixture
def moments(monkeypatch: pytest.MonkeyPatch) -> Moments:
    return Moments(monkeypatch)


# ---- a full disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own in memory."""
    if sys.platform != "linux" or os.getuid() != 0:
        must_run("only root may mount a disk, and only Linux has one in memory")
    mount = tmp_path / "disk"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}m", "tmpfs", str(mount)], check=True)
    try:
        yield mount
    finally:
        subprocess.run(["umount", "--lazy", str(mount)], check=True)


def fill(disk: Path) -> None:
    """Until not one byte more can be written."""
    with (disk / "filler").open("ab", buffering=0) as file:
        for size in (1_000_000, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def fill_for_sure(disk: Path, database_url: str) -> None:
    """The log begins anew, so that the next thing that is stored needs room."""
    with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"), timeout=30)) as other:
        [[busy, *_]] = other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert not busy
    fill(disk)


@sizes(test=1, sample=5, full=None, databases=["sqlite"])
@pytest.mark.usefixtures("new_database")
@pytest.mark.row("disk full")
def test_a_disk_that_is_full_from_some_moment_on_loses_nothing_and_all_recovers(
    tmp_path: Path, disk: Path, moments: Moments, cases: Cases, amount: int | None
) -> None:
    with Lines(disk, lambda: f"sqlite:///{disk / uuid4().hex}/samtaleklar.sqlite") as here:
        with here.world() as world:
            with moments.before_request(0, lambda: None) as asked:
                place(world, here.callers.golden())
                check_world(world)
            requests = len(asked)
        for case in cases.take([f"before request {n}" for n in range(1, requests + 1)], amount):
            with cases.trying(case), here.world() as world:
                world.may_be_busy, url = True, world.line.config.database_url
                try:
                    with moments.before_request(int(case.split()[-1]), lambda url=url: fill_for_sure(disk, url)):
                        place(world, here.callers.golden())
                        time.sleep(FULL_FOR)
                    if not (disk / "filler").exists():
                        cases.not_reached()
                finally:
                    (disk / "filler").unlink(missing_ok=True)
                assert world.fates[-1].record.errors == [], "the caller heard English"
                cases.note(check_world(world))
                place(world, here.callers.golden())
                check_world(world)
                world.may_be_busy = False


# ---- a lock that somebody else holds


@contextmanager
def locked(database_url: str) -> Iterator[None]:
    """Another connection holds all tables."""
    if database_url.startswith("sqlite"):
        other = sqlite3.connect(database_url.removeprefix("sqlite:///"), isolation_level=None, timeout=30)
        try:
            other.execute("BEGIN IMMEDIATE")
            yield
        finally:
            other.close()
        return
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        connection.execute("LOCK TABLE calls, preparations, utterances, dbos.workflow_status IN ACCESS EXCLUSIVE MODE")
        yield


def hold(other: ThreadPoolExecutor, database_url: str, seconds: float) -> None:
    """From now on, for so many seconds."""
    begun = threading.Event()

    def holding() -> None:
        with locked(database_url):
            begun.set()
            time.sleep(seconds)

    other.submit(holding)
    assert begun.wait(30)


@pytest.mark.row("database locked")
@pytest.mark.faults
@pytest.mark.parametrize("seconds", [1, 4, 9, 30])
def test_a_lock_is_waited_for_and_after_five_seconds_the_caller_is_asked_to_ring_again(
    tmp_path: Path, new_database: NewDatabase, moments: Moments, monkeypatch: pytest.MonkeyPatch, cases: Cases, seconds: int
) -> None:
    monkeypatch.setattr(lines, "WORKER", (*lines.WORKER[:-1], "20"))  # seconds: a call that waits for the lock is not over
    with Lines(tmp_path, new_database) as here:
        for case in cases.take([f"{seconds} s at request {n}" for n in (1, 5, 12)], None if seconds > 5 else 1):
            with cases.trying(case), here.world() as world, ThreadPoolExecutor(1) as other:
                world.may_be_busy = seconds > 5
                with moments.before_request(int(case.split()[-1]), lambda url=world.line.config.database_url: hold(other, url, seconds)):
                    place(world, here.callers.golden())
                other.shutdown()
                assert world.fates[-1].record.errors == [], "the caller heard English"
                assert (BUSY in world.fates[-1].record.conversation.texts("says")) == (seconds > 5)
                cases.note(check_world(world))
                assert seconds > 5 or len(world.fates[-1].acknowledged) == 3, "a call that was waited for did not come to its end"


# ---- a server that goes


def restart(server: Postgres, _url: str) -> None:
    server.stop(at_once=True)
    server.start()


def end_all_backends(server: Postgres, url: str) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL")


def take_all_connections(_server: Postgres, url: str) -> None:
    """The line loses its connections and gets none again for two seconds, as others have them all."""
    url = url.replace("+psycopg", "")
    with ExitStack() as taken, psycopg.connect(url, autocommit=True) as first:
        ours = [first.info.backend_pid]
        end = time.monotonic() + 2
        while time.monotonic() < end:
            try:
                ours.append(taken.enter_context(psycopg.connect(url, connect_timeout=5)).info.backend_pid)
            except psycopg.OperationalError:
                others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> ALL(%s) AND datname IS NOT NULL"
                first.execute(others, [ours])
                time.sleep(0.01)


TROUBLE = {"restarted": restart, "backends killed": end_all_backends, "no connection left": take_all_connections}


def trouble(folder: Path, server: Postgres, happens: Callable[[Postgres, str], None], times: int, seed: int) -> str:
    chance, callers = random.Random(seed), Callers(seed)
    with a_line_kept_alive(folder, server.new_database()) as line:
        world = World(line, may_be_busy=True, canaries=(callers.canaries, callers.said))
        hear_everything_once(line)
        with calling(line, callers) as world.fates:
            for _ in range(times):
                time.sleep(chance.uniform(0.5, 2))
                happens(server, line.config.database_url)
                world.note_break()
                wait_until_healthy(line)
            time.sleep(1)
        assert not [fate.record.errors for fate in world.fates if fate.record.errors], "a caller heard English"
        figures = check_world(world)
        assert sum(len(fate.acknowledged) for fate in world.fates) > 5 * times, "too few answers to show anything"
        return figures


def hear_everything_once(line: LocalLine) -> None:
    """As in a process that has served for a while: it keeps what was heard."""
    engine = store.connect(line.config.database_url)
    with store.reading(engine) as look:
        keys = store.sound_keys(look)
    engine.dispose()
    for key in keys:
        urllib.request.urlopen(f"{line.config.public_base_url}/audio/{key}.wav", timeout=30).close()


@sizes(sample=3, full=None, databases=["postgresql"])
@pytest.mark.usefixtures("new_database")
@pytest.mark.row("PostgreSQL in trouble")
def test_a_server_that_is_restarted_or_drops_or_refuses_us_loses_nothing(
    tmp_path: Path, postgres: Postgres, cases: Cases, amount: int | None
) -> None:
    times = 3 if amount else 10
    for number, case in enumerate(cases.take(TROUBLE, amount)):
        with cases.trying(case), Postgres(postgres.programs, connections=60) as server:
            cases.note(trouble(tmp_path / str(number), server, TROUBLE[case], times, seed=number))
