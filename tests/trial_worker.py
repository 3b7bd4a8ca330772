"""A worker with jobs that do what a test needs: ``python -m tests.trial_worker DATABASE_URL LOG [tidy]``.

With ``tidy`` it forgets each second what is done.
Each job writes lines ``JOB SUBJECT PID TIME`` to the log, which outlives the process.
"""

import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from voice import queue, store
from voice.queue import Job, Queue, Worker
from voice.regular import Regular

WORDS = "words-that-were-said"
RECOVERIES = 1


class Permanent(Exception):
    permanent = True


class Trial:
    def __init__(self, url: str, log: Path) -> None:
        self.url = url
        self.log = log
        self.engine = store.connect(url, wait=1)

    def note(self, what: str, subject: str) -> None:
        file = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, f"{what} {subject} {os.getpid()} {time.time()}\n".encode())
        os.close(file)

    def run(self, subject: str) -> None:
        self.note("run", subject)

    def slow(self, subject: str) -> None:
        self.note("begin", subject)
        time.sleep(1)
        self.note("end", subject)

    def fail(self, subject: str) -> None:
        self.note("fail", subject)
        raise RuntimeError(WORDS)

    def refuse(self, subject: str) -> None:
        self.note("refuse", subject)
        raise Permanent(WORDS)

    def slowly_fail_once(self, subject: str) -> None:
        first = f"failing {subject}" not in self.log.read_text()
        self.note("failing" if first else "well", subject)
        time.sleep(1)
        if first:
            raise RuntimeError(WORDS)

    def kill(self, subject: str) -> None:
        self.note("kill", subject)
        os.kill(os.getpid(), signal.SIGKILL)

    def give_up(self, connection: sa.Connection, subject: str, reason: str) -> None:
        """Leaves a trace in the same transaction. Fails while a file "hold SUBJECT" lies beside the log."""
        self.note("giveup", subject)
        store.save_sound(connection, subject, reason.encode())
        if (self.log.parent / f"hold {subject}").exists():
            raise sa.exc.OperationalError("made up", None, Exception())

    def bury(self, connection: sa.Connection, job: str, name: str, reason: str) -> bool:
        return store.add_dead_job(connection, job, name, reason, time.time())

    def worker(self, tidy: bool) -> Worker:
        jobs = {
            "run": Job(self.run),
            "slow": Job(self.slow),
            "fail": Job(self.fail, attempts=4, base=0.5, cap=60, give_up=self.give_up),
            "refuse": Job(self.refuse, give_up=self.give_up),
            "slowly_fail_once": Job(self.slowly_fail_once, base=0.1),
            "transcribe": Job(self.slow),
            "send": Job(self.slow),
            "fetch": Job(self.run),
            "erase": Job(self.run),
            "kill": Job(self.kill, give_up=self.give_up),
        }
        queue = Queue(self.engine)
        tidying = {"tidying": Regular(lambda: queue.forget_done(datetime.now(UTC)), 0.5)} if tidy else {}
        return Worker(self.url, self.engine, queue, jobs, tidying, self.bury)


def main() -> None:
    queue.RECOVERIES = RECOVERIES
    worker = Trial(sys.argv[1], Path(sys.argv[2])).worker("tidy" in sys.argv[3:])
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    worker.run()


if __name__ == "__main__":
    main()
