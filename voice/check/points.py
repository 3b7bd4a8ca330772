"""Which point of the sources is said or read where, and which is nowhere."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from voice.check.knowledge import Points
from voice.check.lines import file_of
from voice.prompts import Prompts

How = Literal["heard", "read"]
HEAD = """\
# Where each point of the sources is said or read

The ids are those of the two published texts that the content carries over: L, the pocket book for the employee; S, the guide for the leader
on pain at work. *Heard* names the question (its asking, the word before it, or its help), the intro or the phrase; *read* a text that is
read in the mail. Written by `samtaleklar check --table`.

| id | heard | read |
|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Carrier:
    """A piece of content that says which points it carries."""

    file: str
    part: str
    how: How
    covers: tuple[str, ...]


def carriers(prompts: Prompts) -> Iterator[Carrier]:
    """Every piece of content that carries points, each once."""
    for name, ids in prompts.covers.items():
        yield Carrier(file_of(prompts, "phrases"), f"phrases.{name}", "heard", ids)
    shared = {reading.id: reading for guide in prompts.guides for reading in guide.readings if reading.groups}
    for reading in shared.values():
        yield Carrier(file_of(prompts, "read"), f"read {reading.id}", "read", reading.covers)
    for guide in prompts.guides:
        file = file_of(prompts, guide.id)
        yield Carrier(file, "intro", "heard", guide.covers)
        for question in guide.questions:
            yield Carrier(file, f"question {question.id}", "heard", question.covers)
        for reading in guide.readings:
            if not reading.groups:
                yield Carrier(file, f"read {reading.id}", "read", reading.covers)


def amiss(prompts: Prompts, points: Points) -> Iterator[str]:
    """Points that nothing carries, and ids that name no point."""
    for how, wanted in (("heard", points.heard), ("read", points.read)):
        carried = {point for carrier in carriers(prompts) if carrier.how == how for point in carrier.covers}
        for point in wanted:
            if point not in carried:
                yield f"{points.file}: {how}: {point!r} is covered by nothing that is {how}"
    known = {*points.heard, *points.read}
    for carrier in carriers(prompts):
        for point in carrier.covers:
            if point not in known:
                yield f"{carrier.file}: {carrier.part}.covers: {point!r} is not a point of points.toml"


def table(prompts: Prompts) -> str:
    """Where each point is, as a page in Markdown."""
    where: dict[str, dict[How, list[str]]] = defaultdict(lambda: {"heard": [], "read": []})
    for carrier in sorted(carriers(prompts), key=lambda carrier: carrier.file):
        for point in carrier.covers:
            where[point][carrier.how].append(f"`{carrier.file.partition('/')[2]}` {carrier.part}")
    rows = (f"| {point} | {', '.join(where[point]['heard'])} | {', '.join(where[point]['read'])} |\n" for point in sorted(where, key=_rank))
    return HEAD + "".join(rows)


def _rank(point: str) -> tuple[str, list[int]]:
    """L2.1 before L10.1."""
    return point[:1], [int(number) for number in re.findall(r"\d+", point)]
