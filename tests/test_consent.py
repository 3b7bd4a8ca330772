"""What a caller said yes to is known by its words and its time."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.conftest import TWO_LANGUAGES
from tests.mailbox_line import MailboxLine
from tests.test_sweep import LOST
from voice import schema, store
from voice.content import load_line
from voice.preparations import Placing, Preparations
from voice.prompts import Prompts
from voice.queue import Queue

NUMBER = "+4520123456"


@pytest.fixture
def line(tmp_path: Path) -> Iterator[MailboxLine]:
    line = MailboxLine(tmp_path)
    yield line
    line.close()


def rewritten(prompts: Prompts, name: str) -> Prompts:
    wording = tuple(replace(prompt, text=prompt.text + " Ja?") for prompt in prompts.phrases[name])
    return replace(prompts, phrases={**prompts.phrases, name: wording})


def test_another_wording_is_another_version_and_other_phrases_are_not(line: MailboxLine) -> None:
    prompts = line.prompts
    assert rewritten(prompts, "consent").consent_version != prompts.consent_version
    assert rewritten(prompts, "explain_consent").consent_version != prompts.consent_version
    assert rewritten(prompts, "goodbye").consent_version == prompts.consent_version


def test_each_language_has_its_own() -> None:
    versions = [content.consent_version for content in load_line(TWO_LANGUAGES).languages]
    assert len({*versions}) == len(versions) == 2


def test_each_preparation_has_the_version_and_the_time_also_what_came_too_late(line: MailboxLine) -> None:
    then = line.clock()
    call = line.call(NUMBER, "1")
    line.clock.now += 60
    for key in "1312":
        call.press(key)
    row = line.preparation(call)
    assert (row.consent_version, row.consent_at) == (line.prompts.consent_version, then)
    line.change(call, status="sent", sent_at=line.clock())
    with store.writing(line.web.engine) as tx:
        placing = Placing(call.sid, 9, row.id, "hvad", 1)
        Preparations(Queue(line.web.engine), line.clock).expect(tx, LOST, placing, complete=True)
        [late] = tx.execute(sa.select(schema.preparations).where(schema.preparations.c.late_of == row.id))
    assert (late.consent_version, late.consent_at) == (row.consent_version, row.consent_at)
