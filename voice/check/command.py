"""``samtaleklar check``: prints what was found, and gives the exit code."""

from collections.abc import Iterator
from pathlib import Path

from voice.check.knowledge import POINTS
from voice.check.play import played
from voice.check.points import table
from voice.check.report import Report, examine
from voice.check.seconds import measured
from voice.content import load_all
from voice.errors import PromptError


def check(folder: Path, *, recordings: bool = False) -> None:
    """Print what was read, with a table of the guides. Raises PromptError with every problem of every language."""
    problems: list[str] = []
    try:
        load_all(folder)
    except PromptError as error:
        problems += error.problems
    reports = [examine(language) for language in sorted(folder.glob("*/"))]
    problems += (problem for report in reports for problem in report.problems)
    if problems:
        raise PromptError(problems)
    for report in reports:
        print(*_summary(report, recordings), sep="\n")


def play(folder: Path, guide_id: str) -> None:
    """Read a guide aloud on paper, in every language that has it. Raises PromptError."""
    languages = load_all(folder)
    having = [prompts for prompts in languages if any(guide.id == guide_id for guide in prompts.guides)]
    if not having:
        known = sorted({guide.id for prompts in languages for guide in prompts.guides})
        raise PromptError([f"There is no guide {guide_id!r}: name one of {', '.join(known)}."])
    for prompts in having:
        print(*played(prompts, prompts.guide(guide_id), measured(prompts)), sep="\n")


def write_table(folder: Path, page: Path) -> None:
    """Write where each point of the sources is, for the language that says which points it carries. Raises PromptError."""
    carrying = [prompts for prompts in load_all(folder) if (folder / prompts.language / POINTS).is_file()]
    if len(carrying) != 1:
        raise PromptError([f"{folder}: {len(carrying)} languages have a {POINTS}; the table is made of one"])
    page.write_text(table(carrying[0]), encoding="utf-8")
    print(f"{page} is written.")


def _summary(report: Report, recordings: bool) -> Iterator[str]:
    prompts = report.prompts
    questions = sum(len(guide.questions) for guide in prompts.guides)
    spoken = list(prompts)
    yield f"{prompts.language}: {len(prompts.guides)} guides, {questions} questions, {len(spoken)} prompts: no problems."
    yield from (f"  There is no {name}, so nothing is judged by it." for name in report.not_given)
    if report.figures:
        yield f"  {'guide':<16}{'questions':>9}{'minutes':>9}{'mean LIX':>10}{'worst':>7}{'longest stretch':>17}"
    for of in report.figures:
        yield (
            f"  {of.guide.id:<16}{len(of.guide.questions):>9}{of.seconds / 60:>9.1f}{of.lix.mean:>10.1f}{of.lix.worst:>7.1f}"
            f"{of.longest.seconds:>15.1f} s"
        )
    if report.figures:
        yield f"  The longest stretch before a guide is chosen: {max(of.before.seconds for of in report.figures):.1f} s."
    yield f"  {len(report.unrecorded)} of {len(spoken)} prompts have no recording by a human voice."
    if recordings:
        yield from (f"    recordings/{prompt.id}.wav: {prompt.text}" for prompt in report.unrecorded)
