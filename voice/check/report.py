"""One language looked at by every rule."""

from dataclasses import dataclass
from pathlib import Path

from voice.check.knowledge import POINTS, WORDING, language_of, points_of
from voice.check.lines import file_of, lines
from voice.check.points import amiss
from voice.check.readability import Lix, lix_of, too_heavy
from voice.check.seconds import Seconds, measured
from voice.check.stretches import Stretch, length, stretches, too_long, way_through
from voice.check.wording import idle_waivers, too_slow, wrong
from voice.content import read
from voice.prompts import Guide, Prompt, Prompts

A_PHONE = "20123456"  # an operator's number has eight digits: the longest that a caller can be told


@dataclass(frozen=True, slots=True)
class Figures:
    """One guide in numbers. Seconds are those of the offline voice."""

    guide: Guide
    seconds: float  # that the line speaks, from the welcome to the goodbye, for a caller who answers everything at once
    lix: Lix
    longest: Stretch  # in the guide itself
    before: Stretch  # the longest where no guide is chosen yet


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in the wording of one language."""

    prompts: Prompts
    problems: tuple[str, ...]
    figures: tuple[Figures, ...]  # none when the structure is broken, or the offline voice does not speak the language
    unrecorded: tuple[Prompt, ...]  # no human voice has said them
    not_given: tuple[str, ...]  # the files of knowledge that are not there, so that nothing is judged by them


def examine(folder: Path) -> Report:
    """Judge one language's folder. What is broken in its structure is ``load``'s to tell, and left out here."""
    prompts, broken = read(folder, A_PHONE)
    problems = in_words(prompts, folder)
    figures: tuple[Figures, ...] = ()
    if (folder / WORDING).is_file() and (seconds := measured(prompts)):
        told = list(lines(prompts))
        problems += (problem for line in told for problem in too_slow(line, seconds))
        if not broken:
            found = stretches(prompts, seconds)
            problems += too_long(found, told)
            figures = tuple(_figures(prompts, guide, found, seconds) for guide in prompts.guides)
    unrecorded = tuple(prompt for prompt in prompts if not (folder / "recordings" / f"{prompt.id}.wav").is_file())
    not_given = tuple(name for name in (WORDING, POINTS) if not (folder / name).is_file())
    return Report(prompts, tuple(problems), figures, unrecorded, not_given)


def in_words(prompts: Prompts, folder: Path) -> list[str]:
    """What is wrong in what is written, however long it takes to say."""
    problems: list[str] = []
    told = list(lines(prompts))
    if points := points_of(folder, problems):
        problems += amiss(prompts, points)
    if language := language_of(folder, problems):
        problems += (problem for line in told for problem in wrong(line, language))
        problems += idle_waivers(told, language)
        problems += too_heavy(told)
    return problems


def _figures(prompts: Prompts, guide: Guide, found: list[Stretch], seconds: Seconds) -> Figures:
    heard = sum(length(turn.say, seconds) for _, turn in way_through(prompts, guide))
    of_guide = [line for line in lines(prompts) if line.file == file_of(prompts, guide.id)]
    longest, before = (max((s for s in found if s.guide == of), key=lambda s: s.seconds) for of in (guide.id, ""))
    return Figures(guide, heard, lix_of(of_guide), longest, before)
