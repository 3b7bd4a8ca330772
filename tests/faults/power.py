"""In what order things are written, synced and told: read from strace's record of a line's processes.

What a power cut can do is lose whatever was not synced. So the promise is one of order: before anybody outside is told something that
rests on data of ours, these data are synced. Outside are the provider (a webhook's answer; the request to delete a recording) and the
relay (a mail that is handed over). On SQLite the thread that tells must have synced its log itself. On PostgreSQL the server must have
synced its log after the thread asked it to commit; so its processes are recorded as well.
"""

import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import must_run
from tests.faults.callers import Plan
from tests.faults.killing import place
from tests.faults.tracer import members
from tests.faults.world import World, check_world
from tests.postgres import Postgres
from voice.local.line import LocalLine

CALLS = "pwrite64,write,writev,sendto,sendmsg,recvfrom,recvmsg,read,fsync,fdatasync"
_LINE = re.compile(r"(?P<thread>\d+) +(?:(?P<call>\w+)\((?P<what>.*)|<\.\.\. (?P<resumed>\w+) resumed>(?P<rest>.*))")
_FILE = re.compile(r"\d+<(?P<file>[^>]*(?:->[^>]*)?)>")


@dataclass(frozen=True, slots=True)
class Event:
    """A system call: ``begun`` for what goes out, else when it is done."""

    thread: int
    call: str
    file: str  # or connection
    text: str  # the beginning of what was read or written


@contextmanager
def recorded(processes: list[int], file: Path) -> Iterator[list[Event]]:
    """Record these processes. Afterwards the list holds what they did, in its order."""
    command = [
        "strace",
        "-f",
        "-yy",
        "-qq",
        "-s",
        "200",
        "-e",
        f"trace={CALLS}",
        "-e",
        "signal=none",
        "-o",
        str(file),
        "-p",
        ",".join(map(str, processes)),
    ]
    events: list[Event] = []
    strace = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    _wait_until_attached(processes, strace)
    try:
        yield events
    finally:
        strace.terminate()  # it lets go of all of them
        _, said = strace.communicate()
        assert file.exists(), said
        events += read(file.read_text("utf-8", "replace"))


def _wait_until_attached(processes: list[int], strace: "subprocess.Popen[str]") -> None:
    end = time.monotonic() + 60
    threads = [task for process in processes for task in Path(f"/proc/{process}/task").glob("*/status")]
    while not all(f"TracerPid:\t{strace.pid}\n" in status.read_text() for status in threads if status.exists()):
        if strace.poll() is not None:
            must_run(f"strace may not trace: {strace.communicate()[1]}")
        assert time.monotonic() < end, "strace does not get hold of the processes"
        time.sleep(0.05)


def read(text: str) -> list[Event]:
    """strace's lines as events. What goes out counts from its beginning, what comes in and what is synced from its end."""
    events: list[Event] = []
    open_calls: dict[int, tuple[str, str]] = {}
    for line in text.splitlines():
        if not (found := _LINE.match(line)):
            continue
        thread, call, what = int(found["thread"]), found["call"], found["what"] or ""
        unfinished = what.endswith("<unfinished ...>")
        if call and unfinished:
            open_calls[thread] = (call, what)
            if _goes_out(call):
                events.append(_event(thread, call, what))
        elif call:
            events.append(_event(thread, call, what))
        elif thread in open_calls:
            call, what = open_calls.pop(thread)
            if not _goes_out(call):
                events.append(_event(thread, call, what + (found["rest"] or "")))
    return events


def _goes_out(call: str) -> bool:
    return call in ("pwrite64", "write", "writev", "sendto", "sendmsg")


def _event(thread: int, call: str, what: str) -> Event:
    file = _FILE.match(what)
    return Event(thread, call, file["file"] if file else "", what)


@dataclass
class Order:
    """What was told, and what of it was told too early."""

    answered: int = 0  # webhooks
    deleted: int = 0  # recordings, at the provider
    mailed: int = 0
    too_early: list[str] = field(default_factory=list)


def order(events: list[Event], database: str) -> Order:
    """Go through a record and see whether all that was told was synced before. ``database``: sqlite or postgresql."""
    found = Order()
    safe = _OnSqlite() if database == "sqlite" else _OnPostgresql()
    webhook: dict[str, str] = {}  # connection -> what it asked for
    kept: set[str] = set()  # what webhooks brought; what comes a second time is answered from that
    fetching: dict[str, tuple[int, int]] = {}  # recording -> its thread, and how much that had stored until then
    for event in events:
        safe.see(event)
        if event.call in ("recvfrom", "read") and (asked := re.search(r'"POST (/calls[^ ]*) HTTP', event.text)):
            webhook[event.file] = asked[1]
            safe.begin(event.thread)
        elif event.call == "sendto" and event.file in webhook and '"HTTP/1.1 2' in event.text:
            asked_for = webhook.pop(event.file)
            found.answered += 1
            stored = safe.stored(event.thread) or asked_for in kept or not re.search(r"/calls/\d", asked_for)
            if not stored or not safe.synced(event.thread):
                found.too_early.append(f"answered {asked_for.partition('?')[0]}")
            kept.add(asked_for)
        elif event.call == "sendto" and (asked := re.search(r'"GET [^ ]*/Recordings/(RE\w+)', event.text)):
            safe.begin(event.thread)
            fetching[asked[1]] = (event.thread, safe.commits(event.thread))
        elif event.call == "sendto" and (asked := re.search(r'"DELETE [^ ]*/Recordings/(RE\w+)', event.text)):
            found.deleted += 1
            thread, before = fetching.get(asked[1], (0, 0))
            if safe.commits(thread) <= before:
                found.too_early.append("asked to delete a recording")
        elif event.call == "sendto" and re.search(r'"data\\r\\n"', event.text):
            found.mailed += 1
            if not safe.stored(event.thread) or not safe.synced(event.thread):
                found.too_early.append("handed a mail over")
    return found


class _OnSqlite:
    """A commit is a sync of the log by the thread that wrote to it."""

    def __init__(self) -> None:
        self._wrote: set[int] = set()
        self._dirty: set[int] = set()
        self._commits: Counter[int] = Counter()

    def begin(self, thread: int) -> None:
        self._wrote.discard(thread)

    def see(self, event: Event) -> None:
        if not event.file.endswith("-wal"):
            return
        if event.call == "pwrite64":
            self._wrote.add(event.thread)
            self._dirty.add(event.thread)
        elif event.call in ("fsync", "fdatasync") and event.thread in self._dirty:
            self._dirty.discard(event.thread)
            self._commits[event.thread] += 1

    def stored(self, thread: int) -> bool:
        return thread in self._wrote

    def synced(self, thread: int) -> bool:
        return thread not in self._dirty

    def commits(self, thread: int) -> int:
        """How many synced transactions this thread has."""
        return self._commits[thread]


class _OnPostgresql:
    """A commit is asked for by a thread; before it is told, some process of the server has synced the log after that.

    What only read ends in ROLLBACK under ``failpoints``, so that each COMMIT is of something stored.
    """

    def __init__(self) -> None:
        self._asked: dict[int, int] = {}  # thread -> syncs when it last asked to commit since it began
        self._waiting: set[int] = set()  # threads whose last commit no sync has followed yet
        self._commits: Counter[int] = Counter()
        self._syncs = 0

    def begin(self, thread: int) -> None:
        self._asked.pop(thread, None)

    def see(self, event: Event) -> None:
        if event.call in ("fsync", "fdatasync") and "/pg_wal/" in event.file:
            self._syncs += 1
            self._commits.update(self._waiting)
            self._waiting.clear()
        elif event.call == "sendto" and r'"Q\0\0\0\vCOMMIT' in event.text:
            self._asked[event.thread] = self._syncs
            self._waiting.add(event.thread)

    def stored(self, thread: int) -> bool:
        return thread in self._asked

    def synced(self, thread: int) -> bool:
        return self._asked.get(thread, self._syncs) < self._syncs

    def commits(self, thread: int) -> int:
        return self._commits[thread]


def processes_of(line: LocalLine) -> list[int]:
    return [process for name in line.processes.names if (group := line.processes.pid(name)) for process in members(group)]


def with_children(process: int) -> list[int]:
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [process, *map(int, children)]


def recorded_call(world: World, server: Postgres | None, file: Path, plan: Plan) -> Order:
    """One call, and in what order its data went."""
    with recorded([*processes_of(world.line), *(with_children(server.pid) if server else [])], file) as events:
        place(world, plan)
        check_world(world)
    return order(events, "postgresql" if server else "sqlite")
