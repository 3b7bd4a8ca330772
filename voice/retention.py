"""How long everything stays: one table, which is run by the hour, proven by ``tests/test_retention.py`` and printed for the reader.

``python -m voice.retention`` writes ``docs/retention.md``.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.engine import Engine

from voice import bindings, gone, store
from voice.config import KEEP_HOURS, ROOT, Config
from voice.directory import REMEMBERED
from voice.errors import VoiceError
from voice.preparations import KEEP, WAIT, Preparations
from voice.queue import KEEP_DAYS, Queue

HOUR, DAY = 3600, 86400
METADATA = 30 * DAY
DONE = KEEP_DAYS * DAY
PAGE = ROOT / "docs" / "retention.md"


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of thing. ``seconds``: after which it is gone, an hour later at the most; None if ``stays`` says it all.

    ``apply`` does it; None if something else does, which ``goes`` names.
    """

    what: str
    where: str
    goes: str
    seconds: float | None = None
    stays: str = ""
    apply: Callable[["Retention"], None] | None = None


class Retention:
    """Runs the table over one line's database."""

    def __init__(self, config: Config, engine: Engine, queue: Queue, clock: Callable[[], float] = time.time) -> None:
        self._config = config
        self._engine = engine
        self._queue = queue
        self._clock = clock
        self._preparations = Preparations(queue, clock)

    def run(self) -> None:
        """By the hour. One rule that fails holds up no other. Raises the last failure."""
        failed: Exception | None = None
        for rule in RULES:
            try:
                if rule.apply:
                    rule.apply(self)
            except Exception as error:
                failed = error
        if failed:
            raise failed

    def leave_no_traces(self) -> None:
        """Every few minutes. Whoever reads just now has it done the next time."""
        gone.leave_no_traces(self._engine)

    def _content(self) -> None:
        with store.writing(self._engine) as tx:
            self._preparations.shred_old(tx, self._config.keep_hours * HOUR)

    def _addresses(self) -> None:
        with store.writing(self._engine) as tx:
            bindings.forget_expired(tx, self._clock())

    def _texts(self) -> None:
        with store.writing(self._engine) as tx:
            gone.forget_old_texts(tx, self._clock() - METADATA)

    def _rows(self) -> None:
        more = True
        while more:
            with store.writing(self._engine) as tx:
                more = gone.forget_old_rows(tx, self._clock() - METADATA)

    def _dead_jobs(self) -> None:
        with store.writing(self._engine) as tx:
            gone.forget_dead_jobs(tx, self._clock() - METADATA)

    def _done(self) -> None:
        self._queue.forget_done(self._before(DONE))

    def _jobs(self) -> None:
        self._queue.forget_old(self._before(METADATA))

    def _before(self, seconds: float) -> datetime:
        return datetime.fromtimestamp(self._clock() - seconds, UTC)


RULES: tuple[Rule, ...] = (
    Rule(
        "the recording of an answer",
        "the provider",
        "a job deletes it as soon as it is sealed here; an hourly look at the provider's list deletes or takes in what was missed",
        stays="minutes; what cannot be fetched, half an hour after the end, or after the time to call again (`RESUME_WINDOW`); "
        "if the provider does not answer then, until it does",
    ),
    Rule(
        "the provider's record of a call: numbers and times",
        "the provider",
        "asked for in the night after the call, and each night again",
        stays="until Twilio lets it go: hours, 14 days at most",
    ),
    Rule(
        "what was said: sound, words, yes and no; the number that texts go to; the key of all that, and the links",
        "`utterances`, `preparations`, sealed",
        "hourly",
        KEEP_HOURS * HOUR,
        f"after its mail was taken (`KEEP_HOURS`), and never over {KEEP // DAY} days",
        Retention._content,
    ),
    Rule(
        "the worker's private key that all that is sealed to",
        "`KEYS_DIR`, or locked in `worker_keys`",
        "hourly, by the worker; its public half stays, as the record of it",
        stays="7 days after the next one was made, 8 days after anything was sealed to it at most",
    ),
    Rule(
        "an address that was written and not confirmed",
        "`bindings`, sealed",
        "hourly, or with what was said",
        WAIT,
    ),
    Rule(
        "an address that its owner confirmed",
        "`bindings`, sealed",
        "hourly; or at once by the page, the mail's link, or `forget`",
        REMEMBERED,
        "after it was last used",
        Retention._addresses,
    ),
    Rule(
        "the operator's list: number, name, address",
        "`bindings`, sealed",
        "`staff remove`, `forget`",
        stays="until the operator removes it",
    ),
    Rule("that a text went to a number (keyed hash)", "`texts`", "hourly", METADATA, apply=Retention._texts),
    Rule(
        "that somebody called: keyed hash of the number, times, guide, position; consent with its time and wording",
        "`calls`, `preparations`",
        "hourly; they become counts",
        METADATA,
        apply=Retention._rows,
    ),
    Rule("that a job was given up: its id and the kind of error", "`dead_jobs`", "hourly", METADATA, apply=Retention._dead_jobs),
    Rule("jobs that are done: ids", "the engine's tables", "hourly", DONE, apply=Retention._done),
    Rule("jobs that failed or hang: ids", "the engine's tables", "hourly", METADATA, apply=Retention._jobs),
    Rule(
        "how many calls a day; how many finished, how many of each guide a month",
        "`counts`",
        "never; shown by `statistics` where it is 10 or more",
        stays="for good",
    ),
    Rule(
        "pages of SQLite that held what was deleted",
        "the database file and its log",
        "overwritten when deleted; the log is emptied every five minutes",
        stays="minutes",
    ),
    Rule(
        "dead rows and the log of PostgreSQL",
        "the server and its archive",
        "autovacuum, and as the operator archives; what was said stands in them sealed",
        stays="until its key dies for what was said",
    ),
    Rule("lines of the log", "where the operator keeps them", "the operator", stays="they hold no personal datum"),
)


def table() -> str:
    """The page for the reader."""
    lines = [
        "# How long everything stays",
        "",
        "Made by `python -m voice.retention` from the table that the worker runs; `tests/test_retention.py` walks a moved clock over it.",
        "A time is kept to the hour, as long as a worker runs.",
        "",
        "| what | where | how long | how it goes |",
        "|---|---|---|---|",
    ]
    lines += [f"| {rule.what} | {rule.where} | {_stays(rule)} | {rule.goes} |" for rule in RULES]
    return "\n".join(lines) + "\n"


def _stays(rule: Rule) -> str:
    if rule.seconds is None:
        return rule.stays
    hours = round(rule.seconds / HOUR)
    return f"{hours // 24} days {rule.stays}".strip() if hours > 72 else f"{hours} hours {rule.stays}".strip()


def write_page(path: Path = PAGE) -> None:
    try:
        path.write_text(table(), encoding="utf-8")
    except OSError as error:
        raise VoiceError(f"{path} cannot be written: {error.strerror}.") from error


if __name__ == "__main__":
    write_page()
