"""How far a call's answers have come on their way into the mail, in plain Danish."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.engine import Engine

from voice import store
from voice.prompts import Prompts

ANSWERS = {
    "expected": "optaget",
    "fetched": "hentet",
    "heard": "skrevet ned",
    "silent": "ingen ord",
    "failed": "gik tabt",
    "keyed": "gemt",
}
MAILS = {
    "open": "venter på svarene",
    "closed": "laves",
    "sending": "sendes",
    "sent": "sendt",
    "undeliverable": "kunne ikke sendes",
    "empty": "ingen svar at sende",
}
UNDER_WAY = ("", "expected", "fetched", "open", "closed", "sending")


@dataclass(frozen=True, slots=True)
class Step:
    """One answer, or the mail. ``status`` is the database's word, "" for nothing yet."""

    title: str
    status: str
    words: str

    @property
    def done(self) -> bool:
        return self.status not in UNDER_WAY


def progress(engine: Engine, prompts: Prompts, call_sid: str) -> list[Step]:
    """One step for each question of the guide and one for the mail; none before a guide is chosen and the first answer given."""
    with store.reading(engine) as look:
        preparation = store.preparation_of(look, call_sid)
        said = store.said(look, preparation.id) if preparation else []
    if preparation is None:
        return []
    questions = [question.id for question in prompts.speaking(preparation.language).guide(preparation.guide).questions]
    answers = [
        _answer(number, len(questions), [row.status for row in said if row.question == question])
        for number, question in enumerate(questions, start=1)
    ]
    return [*answers, Step("Mailen", preparation.status, MAILS[preparation.status])]


def _answer(number: int, total: int, statuses: Iterable[str]) -> Step:
    """What is furthest behind counts: an answer may be given in several stretches."""
    furthest_behind = min(statuses, key=list(ANSWERS).index, default="")
    return Step(f"Svar {number} af {total}", furthest_behind, ANSWERS.get(furthest_behind, "ikke endnu"))
