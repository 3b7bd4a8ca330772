"""What was tried and what came of it: a file of JSON lines that a run of hours goes on with, and a table of it.

A test belongs to a row by ``@pytest.mark.row("name")``. Its cases are either its own parametrised items, or what it goes through with
the fixture ``cases``::

    @sizes(test=1, sample=15, full=None)
    @pytest.mark.row("kill at every write")
    def test_...(cases, new_database, amount):
        for case in cases.take(["web 1", "web 2"], amount):
            with cases.trying(case):
                ...

``amount`` cases are spread evenly over all, None is all. The marks say when a test runs: unmarked in ``make test``, ``faults`` in
``make faults``, ``faults_full`` in ``make faults-full`` alone. With ``--record FILE`` each case is noted as soon as it is over, and one
that the file has as passed is not tried again. ``python -m tests.faults.report FILE`` prints the table of a file.
"""

import json
import os
import subprocess
import sys
import time
import traceback
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

NEITHER = "no database"  # in whose column a case stands that needs none
DATABASES = ("sqlite", "postgresql", NEITHER)
PASSED, FAILED, UNREACHED = "passed", "failed", "not reached"


def sizes(
    *, test: int | None = 0, sample: int | None = 0, full: int | None = 0, test_on: str = "sqlite", databases: Sequence[str] = DATABASES[:2]
) -> pytest.MarkDecorator:
    """How many cases (``amount``) are tried in make faults and make faults-full on each database, and in make test on one. None: all."""
    parameters = [pytest.param(test_on, test, id=f"{test_on}-test")] if test != 0 else []
    for database in databases:
        for kind, amount, mark in (("sample", sample, pytest.mark.faults), ("full", full, pytest.mark.faults_full)):
            if amount != 0:
                parameters.append(pytest.param(database, amount, id=f"{database}-{kind}", marks=mark))
    return pytest.mark.parametrize(("new_database", "amount"), parameters, indirect=["new_database"])


def spread(everything: Sequence[str], amount: int | None) -> list[str]:
    """So many of them, evenly spread, the same ones each time."""
    if amount is None or amount >= len(everything):
        return list(everything)
    return [everything[(2 * n + 1) * len(everything) // (2 * amount)] for n in range(amount)]


@dataclass(frozen=True, slots=True)
class Entry:
    """One case, as it stands in the file."""

    row: str
    database: str
    case: str
    outcome: str
    seconds: float = 0.0
    detail: str = ""
    commit: str = ""


@dataclass
class Report:
    """A file of cases; without a path it lives as long as the run."""

    path: Path | None = None
    entries: list[Entry] = field(default_factory=list)
    latest: dict[tuple[str, str, str], Entry] = field(init=False)  # each case as it went the last time

    def __post_init__(self) -> None:
        self.latest = {(entry.row, entry.database, entry.case): entry for entry in self.entries}

    @classmethod
    def load(cls, path: Path | None) -> "Report":
        lines = path.read_text("utf-8").splitlines() if path and path.exists() else []
        return cls(path, [Entry(**json.loads(line)) for line in lines if line.endswith("}")])  # one may be cut off

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.latest[entry.row, entry.database, entry.case] = entry
        if self.path:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                if file.tell() and not self.path.read_bytes().endswith(b"\n"):  # the last run was broken off in the middle of a line
                    file.write("\n")
                file.write(json.dumps(asdict(entry), ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())

    def is_done(self, row: str, database: str, case: str) -> bool:
        entry = self.latest.get((row, database, case))
        return entry is not None and entry.outcome != FAILED

    def table(self) -> str:
        """Markdown: for every row and database how many cases went how."""
        rows: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        seconds: Counter[str] = Counter()
        for entry in self.latest.values():
            rows[entry.row][entry.database][entry.outcome] += 1
            seconds[entry.row] += round(entry.seconds)
        used = [name for name in DATABASES if any(name in row for row in rows.values())]
        lines = [f"| fault | {' | '.join(used)} | time |", "|---" * (len(used) + 2) + "|"]
        for row, found in sorted(rows.items()):
            cells = [", ".join(f"{n} {what}" for what, n in sorted(found[name].items())) or "–" for name in used]
            lines.append(f"| {row} | {' | '.join(cells)} | {seconds[row] // 60} min {seconds[row] % 60} s |")
        commits = sorted({entry.commit for entry in self.latest.values()})
        return "\n".join([*lines, "", f"Of the program's versions {', '.join(commits)}.", *self._failures()])

    def _failures(self) -> list[str]:
        """Every one, also of a case that passed when it was tried again: what happens once in a hundred times is a fault all the same."""
        return [
            f"- {e.row}, {e.database}, {e.case}: {e.detail.partition(chr(10))[0]}"
            + ("" if self.latest[e.row, e.database, e.case].outcome == FAILED else " (passed when it was tried again)")
            for e in self.entries
            if e.outcome == FAILED
        ]


@dataclass(frozen=True, slots=True)
class Part:
    """Of several runs beside each other, which one this is: ``number`` of ``of``. A case belongs to one by its name."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """From "1/3"."""
        number, of = map(int, text.split("/"))
        return cls(number, of)

    def has(self, case: str) -> bool:
        return zlib.crc32(case.encode()) % self.of == self.number - 1


class Cases:
    """The cases of one test. A failed one is noted and the others go on; at the end the test fails with all of them."""

    def __init__(self, report: Report, row: str, database: str, part: Part = Part()) -> None:
        self._report = report
        self._part = part
        self.row = row
        self.database = database
        self.failures: list[str] = []
        self.tried = 0

    def take(self, everything: Iterable[str], amount: int | None = None) -> list[str]:
        """What of these is to be tried: so many, without those that the report has."""
        chosen = [case for case in spread(list(everything), amount) if self._part.has(case)]
        return [case for case in chosen if not self._report.is_done(self.row, self.database, case)]

    @contextmanager
    def trying(self, case: str) -> Iterator[None]:
        """Note how this case goes. Call ``not_reached`` inside if the fault did not happen, as there was no occasion."""
        self._outcome, self._detail = PASSED, ""
        begun = time.monotonic()
        self.tried += 1
        try:
            yield
        except Exception as error:
            self._outcome, self._detail = FAILED, detail(error)
            self.failures.append(f"{case}: {self._detail}")
        except BaseException:  # the run is broken off: this case was not tried
            self.tried -= 1
            raise
        self._report.add(Entry(self.row, self.database, case, self._outcome, round(time.monotonic() - begun, 2), self._detail, _commit()))

    def not_reached(self) -> None:
        self._outcome = UNREACHED

    def note(self, detail: str) -> None:
        """Figures of this case, for the file."""
        self._detail = detail

    def finish(self) -> None:
        mine = [e for e in self._report.latest.values() if (e.row, e.database) == (self.row, self.database)]
        unreached = sum(e.outcome == UNREACHED for e in mine)
        if unreached > 0.2 * len(mine):
            self.failures.append(f"of {len(mine)} cases {unreached} met no fault")
        assert not self.failures, f"{len(self.failures)} of {self.tried} cases failed:\n" + "\n".join(self.failures)


def detail(error: BaseException) -> str:
    """What it says, and where it came from."""
    return f"{type(error).__name__}: {error}"[:1000] + "\n" + "".join(traceback.format_exception(error))[-3000:]


def _commit() -> str:
    if not _version:
        found = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
        _version.append(found.stdout.strip() or "unknown")
    return _version[0]


_version: list[str] = []


# ---- pytest


def report_of(config: pytest.Config) -> Report:
    if not hasattr(config, "faults_report"):
        path = config.getoption("record")
        config.faults_report = Report.load(Path(path) if path else None)  # type: ignore[attr-defined]
    report = config.faults_report  # type: ignore[attr-defined]
    assert isinstance(report, Report)
    return report


@pytest.fixture
def cases(request: pytest.FixtureRequest) -> Cases:
    """The cases of this test's row: notes each, and leaves out what the report has already."""
    return Cases(report_of(request.config), _row(request.node), _database(request.node), request.config.getoption("part"))


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Any:
    """A test whose cases failed fails, when it has gone through all of them."""
    try:
        return (yield)
    finally:  # also if the rest was skipped
        if isinstance(found := pyfuncitem.funcargs.get("cases"), Cases):
            found.finish()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", metavar="FILE", help="note the cases of faults in this file, and go on where it ends")
    parser.addoption("--part", metavar="K/N", type=Part.parse, default=Part(), help="of the cases of faults, the K-th of N parts")


def _row(item: pytest.Item) -> str:
    mark = item.get_closest_marker("row")
    return str(mark.args[0]) if mark else item.nodeid.partition("[")[0]


def _database(item: Any) -> str:
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return str(parameters.get("new_database", NEITHER))


def _case(item: Any) -> str:
    """An item's own name within its row: the test, and its parameters but for the database."""
    parameters = item.callspec.id.split("-") if hasattr(item, "callspec") else []
    return " ".join([item.originalname, *(one for one in parameters if one not in DATABASES)])


def _is_one_case(item: Any) -> bool:
    return item.get_closest_marker("row") is not None and "cases" not in item.fixturenames


def leave_out_what_is_done(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What the report has is not tried again."""
    report = report_of(config)
    part = config.getoption("part")
    if left_out := [
        item
        for item in items
        if _is_one_case(item) and (not part.has(_case(item)) or report.is_done(_row(item), _database(item), _case(item)))
    ]:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    outcome = yield
    if _is_one_case(item) and (call.when == "call" or (call.when == "setup" and call.excinfo)) and not outcome.skipped:
        why = detail(call.excinfo.value) if call.excinfo else ""
        result = FAILED if call.excinfo else PASSED
        report_of(item.config).add(Entry(_row(item), _database(item), _case(item), result, round(call.duration, 2), why, _commit()))
    return outcome


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    report = Report.load(report_of(config).path)  # anew: with several processes, each has noted its own cases there
    if report.entries:
        terminalreporter.write_line("")
        terminalreporter.write_line(report.table())


if __name__ == "__main__":
    print(Report.load(Path(sys.argv[1])).table())
