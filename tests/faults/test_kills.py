"""Whatever dies at whatever moment: what the line has acknowledged arrives, once, where it belongs.

Calls are placed while the web process and the worker are killed (SIGKILL to the whole process group) at random moments. A call
whose webhook meets a dead process is over, as at the provider; what was acknowledged until then must still arrive.
"""

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import NewDatabase
from tests.faults.callers import Callers, Fate, calling
from tests.faults.lines import a_line_kept_alive, kill
from tests.faults.report import Cases
from tests.faults.world import World, check_world, wait_until_healthy


def kill_and_note(world: World, done: Counter[str], *names: str) -> None:
    for name in names:
        killed = kill(world.line, name)
        done[name] += killed
        if killed and name == "worker":
            world.note_break()


def die_right_after_an_acknowledgement(world: World, callers: Callers, done: Counter[str]) -> Fate:
    """Kill everything as soon as the line has said yes to the news of a recording, and before it can do much about it."""
    line, plan = world.line, callers.anybody()
    seen = len(line.exchange.deliveries)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(line.exchange.play, plan.script)
        end = time.monotonic() + 30
        while not any("RecordingSid" in news.request.params and news.result == 204 for news in line.exchange.deliveries[seen:]):
            assert time.monotonic() < end, "no recording was acknowledged"
            time.sleep(0.001)
        kill_and_note(world, done, "web", "worker")
        fate = Fate(plan, call.result()[0])
    wait_until_healthy(line)
    return fate


def run(folder: Path, database_url: str, kills: int, pause: tuple[float, float], seed: int) -> str:
    chance = random.Random(seed)
    callers = Callers(seed)
    done: Counter[str] = Counter()
    with a_line_kept_alive(folder, database_url) as line:
        world = World(line, canaries=(callers.canaries, callers.said))
        world.fates.append(die_right_after_an_acknowledgement(world, callers, done))
        with calling(line, callers) as fates:
            while sum(done.values()) < kills:
                if chance.random() < 0.8:  # else perhaps while it still starts
                    wait_until_healthy(line)
                time.sleep(chance.uniform(*pause))
                kill_and_note(world, done, *chance.choice((("web",), ("worker",), ("worker",), ("web", "worker"))))
            wait_until_healthy(line)
            time.sleep(1)
        world.fates += fates
        figures = check_world(world)
    assert world.fates[0].acknowledged
    assert sum(len(fate.acknowledged) for fate in world.fates) > kills, "too few answers to show anything"
    return f"{sum(done.values())} kills ({done['web']} web, {done['worker']} worker), {figures}"


@pytest.mark.row("random kills under load")
@pytest.mark.parametrize(
    ("new_database", "times", "kills"),
    [
        pytest.param("postgresql", 1, 3, id="postgresql-test"),
        *(pytest.param(one, 1, 30, id=f"{one}-sample", marks=pytest.mark.faults) for one in ("sqlite", "postgresql")),
        *(pytest.param(one, 10, 50, id=f"{one}-full", marks=pytest.mark.faults_full) for one in ("sqlite", "postgresql")),
    ],
    indirect=["new_database"],
)
def test_what_was_acknowledged_arrives_whatever_is_killed(
    tmp_path: Path, new_database: NewDatabase, cases: Cases, times: int, kills: int
) -> None:
    for case in cases.take([f"{kills} kills, seed {n}" for n in range(1, times + 1)]):
        with cases.trying(case):
            seed = case.rpartition(" ")[2]
            figures = run(tmp_path / seed, new_database(), kills, (0.3, 1.5 if kills < 10 else 3), int(seed))
            cases.note(figures)
            print(f"\n{cases.database}, {figures}")
