"""Named moments at which a process kills itself. For the processes under test: ``FAULTS="tests.faults.failpoints:install"``.

A step is a function of the product, and the first transaction that its thread commits after it was entered. So each has three
moments: ``before`` anything was done, ``between`` the doing and the commit, ``after`` the commit and before anybody was told.
The file that FAILPOINT names says what comes: a line ``process:step:moment`` for each death, taken away as it is died.
"""

import fcntl
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection

from tests.faults.callers import Callers, Plan

MOMENTS = ("before", "between", "after")


@dataclass(frozen=True)
class Step:
    """``done``: what is awaited is the commit that follows the function's end, which is another's. ``call``: the one that comes to it."""

    name: str
    process: str
    where: str
    done: bool = False
    call: Callable[[Callers], Plan] = Callers.golden
    first: str = ""  # a death that must come first


STEPS = (
    Step("a call comes in", "web", "voice.calls:Calls.started"),
    Step("a guide is chosen", "web", "voice.preparations:Preparations.open"),
    Step("an answer is recorded", "web", "voice.preparations:Preparations.expect"),
    Step("a key answers", "web", "voice.preparations:Preparations.key_pressed"),
    Step("a recording is complete", "web", "voice.calls:Calls.recording"),
    Step("the call ends", "web", "voice.preparations:Preparations.close"),
    Step("a recording is fetched", "worker", "voice.provider:Provider.recording"),
    Step("a recording is deleted there", "worker", "voice.provider:Provider.delete_recording"),
    Step("an answer is written down", "worker", "voice.jobs:Jobs.transcribe"),
    Step("nothing more goes in", "worker", "voice.preparations:Preparations.freeze"),
    Step("the mail is handed over", "worker", "voice.delivery:send"),
    Step("a failure is noted", "worker", "voice.queue:Worker._failed", call=lambda callers: callers.golden("media missing once")),
    Step("a job is done", "worker", "voice.queue:Worker._job", done=True),
    Step("a lost end is found", "worker", "voice.calls:Calls.hung_up", call=Callers.lost),
    Step(
        "a dead worker's jobs are taken over",
        "worker",
        "dbos:DBOS._recover_pending_workflows",
        first="worker:a recording is fetched:before",
    ),
)
_awaited = threading.local()  # the moment for which this thread waits


def install() -> None:
    """Make every step of this process a place to die."""
    file, role = Path(os.environ["FAILPOINT"]), os.environ["FAULTS_ROLE"]
    for step in STEPS:
        if step.process == role:
            _wrap(step, file)
    commit = Connection._commit_impl

    def committing(self: Connection) -> None:
        if self.get_execution_options().get("reading"):
            self._rollback_impl()  # the same, and seen from outside it is no storing
            return
        awaited = getattr(_awaited, "moment", "")
        if awaited.endswith(":between"):
            die(file, awaited)
        commit(self)
        if awaited.endswith(":after"):
            die(file, awaited)

    Connection._commit_impl = committing  # type: ignore[method-assign]


def _wrap(step: Step, file: Path) -> None:
    module, _, path = step.where.partition(":")
    owner: Any = import_module(module)
    *classes, name = path.split(".")
    for one in classes:
        owner = getattr(owner, one)
    plain: Callable[..., Any] = getattr(owner, name)

    def hit() -> None:
        moment = _next(file)
        if moment == f"{step.process}:{step.name}:before":
            die(file, moment)
        elif moment.startswith(f"{step.process}:{step.name}:"):  # else it may be that an outer step waits
            _awaited.moment = moment

    def wrapped(*arguments: Any, **named: Any) -> Any:
        if not step.done:
            hit()
        result = plain(*arguments, **named)
        if step.done:
            hit()
        return result

    setattr(owner, name, staticmethod(wrapped) if step.where.startswith("dbos:") else wrapped)


def _next(file: Path) -> str:
    return file.read_text().partition("\n")[0] if file.exists() else ""


def die(file: Path, moment: str) -> None:
    """As by ``kill -9``, with all of the group. Of several threads and processes that come here at once, one takes the line away."""
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the kernel lets go of it, whoever dies with it
        first, _, rest = file.read_text().partition("\n")
        if first != moment:
            return
        left = file.with_suffix(".left")
        left.write_text(rest)
        left.replace(file)
        os.killpg(0, signal.SIGKILL)
        signal.pause()
