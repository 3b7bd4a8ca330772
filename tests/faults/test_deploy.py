"""A deploy while people call: processes are asked to end and come again, and the schema is migrated, whenever it is broken off."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from dbos import DBOSClient

from tests.conftest import ROOT, NewDatabase
from tests.faults.callers import Callers, calling
from tests.faults.lines import a_line_kept_alive, wait_until_working
from tests.faults.report import Cases, sizes
from tests.faults.test_takeover import TwoOfEach
from tests.faults.tracer import members
from tests.faults.world import World, check_world
from tests.test_migrations import differences, whole_schema
from tests.web import environ
from voice import queue, schema, store
from voice.config import Config
from voice.jobs import Jobs
from voice.local.line import LocalLine
from voice.queue import APPLICATION

PROMISED = 15.0  # seconds in which a process that is asked to end has ended
DIES = """
import os, signal, sys
from sqlalchemy import event
from sqlalchemy.engine import Engine
from voice.migrations import migrate
count = 0
@event.listens_for(Engine, "before_cursor_execute")
def die(*_):
    global count
    count += 1
    if count == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
migrate(sys.argv[1])
print(count)
"""  # before that statement; with 0 it tells how many there are


class OldAndNew(TwoOfEach):
    """One of the workers is of the program before this one."""

    def commands(self, port: int) -> dict[str, list[str]]:
        both = super().commands(port)
        return {**both, "worker1": ["env", f"FAULTS={__name__}:be_the_old_program", *both["worker1"]]}


def be_the_old_program() -> None:
    """It did not know the job that sends the mail."""
    table = Jobs.table
    Jobs.table = lambda self: {name: job for name, job in table(self).items() if name != "send"}  # type: ignore[method-assign]
    queue._UNKNOWN = replace(queue._UNKNOWN, base=0.1, cap=0.5)  # it may draw one and the same again and again


def renew(line: LocalLine, name: str) -> float:
    """Ask a process to end, and wait until its heir works. How many seconds it took to end."""
    group = line.processes.pid(name)
    assert group
    asked = time.monotonic()
    os.kill(group, signal.SIGTERM)
    while members(group):
        assert time.monotonic() < asked + PROMISED, f"{name} does not end"
        time.sleep(0.02)
    took = time.monotonic() - asked
    while line.processes.pid(name) in (None, group):
        assert time.monotonic() < asked + 2 * PROMISED, f"{name} does not come again"
        time.sleep(0.02)
    wait_until_working(line)
    return took


def migrate(settings: Mapping[str, str]) -> None:
    subprocess.run([sys.executable, "-m", "voice", "migrate"], cwd=ROOT, env={**os.environ, **settings}, check=True, timeout=120)


def deploy(folder: Path, database_url: str, seed: int, *, migrating: bool) -> str:
    callers = Callers(seed)
    with a_line_kept_alive(folder, database_url, {}, TwoOfEach) as line:
        wait_until_working(line)
        world = World(line, canaries=(callers.canaries, callers.said))
        with calling(line, callers) as world.fates:
            time.sleep(0.5)
            if migrating:  # as at each release, most of which have nothing new
                migrate(environ(folder, DATABASE_URL=database_url))
            took = [renew(line, name) for name in ("web1", "worker1", "web2", "worker2")]
            time.sleep(1)
        failed = [str(hook.result) for fate in world.fates for hook in fate.record.webhooks if hook.result != 200]
        assert failed == [], "webhooks failed"
        figures = check_world(world)
        failed = [str(news.result) for news in line.exchange.deliveries if news.result not in (200, 204)]
        assert failed == [], "news was not taken"
    return f"{len(took)} processes ended in at most {max(took):.1f} s, {figures}"


@sizes(test=0, sample=3, full=20)
@pytest.mark.row("SIGTERM under calls")
def test_processes_that_are_asked_to_end_finish_what_they_do_and_no_webhook_fails(
    tmp_path: Path, new_database: NewDatabase, cases: Cases, amount: int
) -> None:
    for case in cases.take([f"round {n}" for n in range(1, amount + 1)]):
        with cases.trying(case):
            number = int(case.split()[1])
            cases.note(deploy(tmp_path / str(number), new_database(), number, migrating=number % 2 == 0))


@sizes(test=0, sample=3, full=20)
@pytest.mark.row("an old and a new program under calls")
def test_an_old_worker_beside_a_new_one_loses_nothing_and_leaves_what_it_does_not_know(
    tmp_path: Path, new_database: NewDatabase, cases: Cases, amount: int
) -> None:
    for case in cases.take([f"round {n}" for n in range(1, amount + 1)]):
        number, url = int(case.split()[1]), new_database()
        with cases.trying(case), a_line_kept_alive(tmp_path / str(number), url, {}, OldAndNew) as line:
            wait_until_working(line)
            callers = Callers(number)
            world = World(line, canaries=(callers.canaries, callers.said))
            with calling(line, callers) as world.fates:
                time.sleep(1)
                renew(line, "worker2")
                time.sleep(1)
            cases.note(check_world(world))
            assert sends_tried_again(line), "the old worker never drew what it does not know"


def sends_tried_again(line: LocalLine) -> list[str]:
    engine = store.connect(line.config.database_url)
    known = DBOSClient(system_database_engine=engine, application_name=APPLICATION, lazy=True).list_workflows(workflow_id_prefix="send:")
    engine.dispose()
    return [workflow.workflow_id for workflow in known if workflow.workflow_id.endswith(":2")]


def migrating(url: str, statement: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", DIES, url, str(statement)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@sizes(test=1, sample=3, full=None)
@pytest.mark.row("migration killed at each statement")
def test_a_migration_that_is_killed_at_any_statement_is_done_again(
    tmp_path: Path, new_database: NewDatabase, cases: Cases, amount: int | None
) -> None:
    def fresh() -> str:
        return Config.from_env(environ(tmp_path, DATABASE_URL=new_database(empty=True))).database_url

    whole = fresh()
    statements = int(migrating(whole, 0).stdout)
    assert statements > 100, "there is nothing to migrate"
    engine = store.connect(whole)
    wanted = whole_schema(engine)
    engine.dispose()
    for case in cases.take([f"before statement {n}" for n in range(1, statements + 1)], amount):
        with cases.trying(case):
            url = fresh()
            assert migrating(url, int(case.split()[-1])).returncode == -signal.SIGKILL
            again = migrating(url, 0)
            assert again.returncode == 0, again.stderr
            engine = store.connect(url)
            assert differences(engine, schema.metadata) == []
            assert whole_schema(engine) == wanted
            engine.dispose()
