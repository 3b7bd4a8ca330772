"""What is stuck, in figures that name nobody: for the operator's status, and for a watchdog."""

from sqlalchemy.engine import Connection

from voice import store
from voice.preparations import DEADLINE, OVERDUE
from voice.queue import Queue
from voice.regular import minutes_overdue

ERASED_WITHIN = 3600.0  # seconds after the last of a call in which its recordings should be gone at the provider


def stuck(look: Connection, queue: Queue, now: float) -> dict[str, int]:
    """Each figure by its name. When all is well all are 0, but for the age of a job that is just being done."""
    return {
        "jobs given up": store.count_dead_jobs(look),
        "oldest waiting job (seconds)": int(queue.oldest(look, now)),
        "recordings not erased for an hour": store.count_not_erased(look, heard_before=now - ERASED_WITHIN),
        "preparations past their deadline": store.count_overdue(look, closed_before=now - DEADLINE - OVERDUE),
        "regular work overdue (minutes)": minutes_overdue(look, now),
    }
