"""Whatever dies at whatever moment: what the line has acknowledged arrives, once, where it belongs.

Calls are placed while the web process and the worker are killed (SIGKILL to the whole process group) at random moments. A call
whose webhook meets a dead process is over, as at the provider; what was acknowledged until then must still arrive.
"""

import itertools
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.conftest import TEST_PROMPTS
from tests.dtmf_transcriber import dtmf_wav
from tests.mails import answers, message_id
from tests.sounds import lay_sounds
from tests.web import CAPS, MANY
from voice import processes, store
from voice.content import load
from voice.exchange import CallRecord, Script
from voice.local.line import LocalLine
from voice.local.line import answers as healthy

PROMPTS = load(TEST_PROMPTS / "da")
SAID_WHEN_BROKEN = {PROMPTS.phrase(name).text for name in ("sorry", "busy")}
CALLERS = 3
SETTLED = ("sent", "empty")


@dataclass
class Plan:
    """What one caller will say: a mark in real sound for each question, of which no other caller has the same."""

    script: Script
    marks: dict[str, str]  # mark -> question
    key: str  # the answer to the yes/no question


@dataclass
class Fate:
    """A call and what the line acknowledged of it."""

    plan: Plan
    record: CallRecord
    acknowledged: dict[str, str] = field(default_factory=dict)  # recording -> mark


class Caller:
    """Invents calls."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._marks = itertools.count(1_000_000_000)
        self._lock = threading.Lock()

    def plan(self) -> Plan:
        with self._lock:
            choose = self._random.choice
            first, second, third = (str(next(self._marks)) for _ in range(3))
            settings = [f"callbacks late {choose(('0', '0.1', '0.1', '1', '3'))}"]
            settings += [choose(("", "", "callbacks doubled", "callbacks reversed", "actions doubled", "actions parallel"))]
            if choose((True, False, False)):
                steps, marks, key = ["key 1", "key 2", f'speak "{first}"'], {first: "eneste"}, ""
                steps += choose(([], ["hang up"], ["key #"]))
            else:
                key = choose("12")
                steps = ["key 1", "key 1", "key 1", f'speak "{first}"', "silence", "silence", f"key {key}"]
                steps += [f'speak "{second}"', f'speak "{third}"']
                steps = steps[: choose((5, 6, 9, 9, 9, 9))] + choose(([], ["hang up"]))
                marks = {first: "hvad", second: "hvem", third: "vigtigst"}
            return Plan(Script.parse("\n".join(settings + steps), speak=dtmf_wav), marks, {"1": "yes", "2": "no", "": ""}[key])


@contextmanager
def a_line_kept_alive(folder: Path, database_url: str) -> Iterator[LocalLine]:
    """A line whose processes are started again when they die."""
    settings = {"PROMPTS_DIR": str(TEST_PROMPTS), "DATABASE_URL": database_url, **dict.fromkeys(CAPS, MANY)}
    enough, over, looking = threading.Event(), threading.Event(), threading.Lock()

    def look_after() -> None:
        while True:
            with looking:
                if enough.is_set():
                    break
                line.processes.look_after()
            time.sleep(0.05)
        over.wait()  # the thread outlives what it started: on Linux, they would be told to end with it

    with LocalLine(folder, settings, ("tests.dtmf_worker", "hasty", "4"), "tests.hasty:create_app()") as line:
        keeper = threading.Thread(target=look_after)
        keeper.start()
        try:
            yield line
        finally:
            with looking:
                enough.set()
    over.set()
    keeper.join()


def kill(line: LocalLine, *names: str) -> int:
    """Kill these processes with all that belongs to them. How many there were to kill."""
    killed = 0
    for name in names:
        if pid := line.processes.pid(name):
            try:
                os.killpg(pid, signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                pass
    return killed


def wait_until_healthy(line: LocalLine) -> None:
    end = time.monotonic() + 60
    while not healthy(line.config.public_base_url):
        assert time.monotonic() < end, "the line does not come back"
        time.sleep(0.1)


def wait_until_nothing_is_under_way(line: LocalLine, seconds: float = 45) -> None:
    """Until every call has ended, every preparation is sent or empty, and everything fetched is erased at the provider.

    A backlog may take its time; what fails is that nothing of it has moved for so many seconds.
    """
    engine = store.connect(line.config.database_url, wait=30)
    end, before = time.monotonic() + seconds, {}
    while True:
        with store.reading(engine) as look:
            calls = store.calls.c.ended_at.is_(None)
            waiting = {
                "calls": look.execute(sa.select(store.calls.c.call_sid).where(calls)).all(),
                "preparations": look.execute(sa.select(store.preparations.c.id).where(store.preparations.c.status.not_in(SETTLED))).all(),
                "recordings": look.execute(
                    sa.select(store.utterances.c.id, store.utterances.c.status).where(
                        ~store.utterances.c.erased, store.utterances.c.status != "keyed"
                    )
                ).all(),
            }
        if not any(waiting.values()):
            break
        if waiting != before:
            end, before = time.monotonic() + seconds, waiting
        assert time.monotonic() < end, f"still under way: {waiting}"
        time.sleep(0.2)
    engine.dispose()


def place_calls(line: LocalLine, caller: Caller, enough: threading.Event) -> list[Fate]:
    fates = []
    while not enough.is_set():
        plan = caller.plan()
        record, _ = line.exchange.play(plan.script)
        fates.append(Fate(plan, record))
        if record.errors:
            time.sleep(0.2)
    return fates


def note_acknowledgements(line: LocalLine, fates: list[Fate]) -> None:
    told = {str(news.request.params.get("RecordingSid")) for news in line.exchange.deliveries if isinstance(news.result, int)}
    for fate in fates:
        told |= {str(hook.request.params.get("RecordingSid")) for hook in fate.record.webhooks if isinstance(hook.result, int)}
        spoken = list(fate.plan.marks)  # a mark is spoken once, in this order; each recording holds one
        for mark, recording in zip(spoken, (each for each in fate.record.recordings if _loud(each.pcm)), strict=False):
            if recording.sid in told:
                fate.acknowledged[recording.sid] = mark


def _loud(pcm: bytes) -> bool:
    return any(pcm)


def check(line: LocalLine, fates: list[Fate], worker_kills: int) -> str:
    """Everything that must hold when all is quiet. Gives the figures."""
    engine = store.connect(line.config.database_url, wait=30)
    with store.reading(engine) as look:
        assert store.count_dead_jobs(look) == 0
        preparation_of = {row.call_sid: row.preparation for row in look.execute(sa.select(store.calls))}
        preparations = {row.id: row for row in look.execute(sa.select(store.preparations))}
        known_recordings = set(look.execute(sa.select(store.utterances.c.id)).scalars())
    engine.dispose()
    id_of = {preparation: message_id(preparation, line.config.mail_from, PROMPTS) for preparation in preparations}
    mails: dict[str, dict[str, str]] = {}
    copies: Counter[str] = Counter()
    for mail in line.mailbox.mails:
        assert mails.setdefault(mail["Message-ID"], answers(mail, PROMPTS)) == answers(mail, PROMPTS), "two copies of a mail differ"
        copies[mail["Message-ID"]] += 1
    assert set(mails) == {id_of[one] for one, row in preparations.items() if row.status == "sent"}
    assert sum(copies.values()) - len(mails) <= worker_kills, "more copies than a kill can make"

    places = {spaced(mark): question for fate in fates for mark, question in fate.plan.marks.items()}
    found: Counter[str] = Counter()
    for mail in mails.values():
        for question, words in mail.items():
            assert "failed" not in words
            assert "incomplete" not in words
            for mark in words.split(". "):
                if mark not in ("yes", "no", "not_answered", "not_heard"):
                    assert places[mark] == question, "an answer stands under another question"
                    found[mark] += 1
    assert all(times == 1 for times in found.values()), "an answer came twice"

    acknowledged = 0
    for fate in fates:
        assert not SAID_WHEN_BROKEN & set(fate.record.conversation.texts("says"))
        family = {preparation_of.get(fate.record.sid)}
        family |= {one for one, row in preparations.items() if row.late_of in family and row.late_of}
        own = [mails[id_of[one]] for one in family if one and id_of[one] in mails]
        for recording, mark in fate.acknowledged.items():
            acknowledged += 1
            words = [mail.get(fate.plan.marks[mark], "") for mail in own]
            assert any(spaced(mark) in each for each in words), f"lost: {recording} {mark}\n{fate.record.conversation}\n{words}"
        if len(fate.acknowledged) > 1:  # the caller has come past the yes/no question
            assert any(mail.get("er_det") == fate.plan.key for mail in own), "a key's answer is lost"

    left = {recording.sid for recording in line.exchange.recordings}
    assert not left & known_recordings, "a recording that the line knew is left at the provider"
    unknown = {recording.sid for fate in fates for recording in fate.record.recordings} - known_recordings
    assert left <= unknown
    return (
        f"{len(fates)} calls ({sum(bool(fate.record.errors) for fate in fates)} of them cut off), {acknowledged} answers acknowledged, "
        f"{len(mails)} mails, {sum(copies.values()) - len(mails)} copies, {len(left)} recordings of which no news could be delivered"
    )


def spaced(mark: str) -> str:
    """As the recogniser writes it."""
    return " ".join(mark)


def die_right_after_an_acknowledgement(line: LocalLine, caller: Caller, done: Counter[str]) -> list[Fate]:
    """Kill everything as soon as the line has said yes to the news of a recording, and before it can do much about it."""
    plan = caller.plan()
    seen = len(line.exchange.deliveries)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(line.exchange.play, plan.script)
        end = time.monotonic() + 30
        while not any("RecordingSid" in news.request.params and news.result == 204 for news in line.exchange.deliveries[seen:]):
            assert time.monotonic() < end, "no recording was acknowledged"
            time.sleep(0.001)
        for name in ("web", "worker"):
            done[name] += kill(line, name)
        fate = Fate(plan, call.result()[0])
    wait_until_healthy(line)
    return [fate]


def run(folder: Path, database_url: str, kills: int, pause: tuple[float, float]) -> None:
    seed = random.SystemRandom().randrange(10**9)
    chance = random.Random(seed)
    caller, enough = Caller(seed), threading.Event()
    done: Counter[str] = Counter()
    with a_line_kept_alive(folder, database_url) as line:
        fates = die_right_after_an_acknowledgement(line, caller, done)
        with ThreadPoolExecutor(CALLERS) as pool:
            placed = [pool.submit(place_calls, line, caller, enough) for _ in range(CALLERS)]
            try:
                while sum(done.values()) < kills:
                    if chance.random() < 0.8:  # else perhaps while it still starts
                        wait_until_healthy(line)
                    time.sleep(chance.uniform(*pause))
                    for name in chance.choice((("web",), ("worker",), ("worker",), ("web", "worker"))):
                        done[name] += kill(line, name)
                wait_until_healthy(line)
                time.sleep(1)
            finally:
                enough.set()
        fates += [fate for future in placed for fate in future.result()]
        wait_until_healthy(line)
        assert line.exchange.settle(60)
        wait_until_nothing_is_under_way(line)
        note_acknowledgements(line, fates)
        assert fates[0].acknowledged
        figures = check(line, fates, done["worker"])
    kind = database_url.partition(":")[0]
    print(f"\n{kind}, seed {seed}: {sum(done.values())} kills ({done['web']} web, {done['worker']} worker), {figures}")
    assert sum(len(fate.acknowledged) for fate in fates) > kills, "too few answers to show anything"


@pytest.fixture(autouse=True)
def _no_long_waits_for_what_keeps_dying(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "RESTART_AT_MOST", processes.RESTART_AFTER)


def test_what_was_acknowledged_arrives_whatever_is_killed(tmp_path: Path, database_url: str, sounds: Path) -> None:
    lay_sounds(sounds, database_url)
    run(tmp_path, database_url, kills=4, pause=(0.3, 1.5))


@pytest.mark.faults
def test_what_was_acknowledged_arrives_through_thirty_kills(tmp_path: Path, database_url: str) -> None:
    run(tmp_path, database_url, kills=30, pause=(0.3, 3))
