"""The product with its long waits shortened, in both processes: what takes minutes or an hour there takes seconds here.

Nothing else is changed, and no setting of the product can do this.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from flask import Flask

from voice import app, calls, preparations
from voice.jobs import Jobs
from voice.queue import Job
from voice.regular import MINUTE, Regular

ATTEMPTS = 5  # of a job that keeps failing
EACH_SECOND = 0.5  # seconds: at every look


def hurry(gone: float = 10) -> None:
    """``gone``: seconds without a webhook after which a call counts as over."""
    calls.CALLBACK_GRACE = 2
    calls.GONE = gone  # type: ignore[assignment]
    preparations.CALLBACK_LOST = 3
    preparations.LATE_WAIT = 3
    app.Regular = partial(_often, Regular)  # type: ignore[assignment,misc]
    table = Jobs.table
    Jobs.table = lambda self: _impatient(table(self))  # type: ignore[method-assign]


def create_app() -> Flask:
    hurry()
    return app.create_app()


def _often(regular: type[Regular], run: object, every: float) -> Regular:
    return regular(run, EACH_SECOND if every == MINUTE else every)  # type: ignore[arg-type]


def _impatient(jobs: Mapping[str, Job]) -> Mapping[str, Job]:
    few = {name: {"attempts": min(job.attempts, ATTEMPTS), "outages": min(job.outages, ATTEMPTS)} for name, job in jobs.items()}
    return {name: replace(job, **few[name], base=0.1, cap=0.5) for name, job in jobs.items()}
