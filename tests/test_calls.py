"""Whole calls, from the first tone to the mail. Each file in ``calls/`` is one: what the caller does, and what must come of it.

What must come of it stands in the file as comments that begin with "# then". Nothing there names the wording of a prompt.
"""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from tests.conftest import ROOT, TEST_PROMPTS
from tests.dtmf_transcriber import dtmf_wav
from tests.mails import answers, message_id
from voice import store
from voice.exchange import CallRecord, Script, media
from voice.local.line import LocalLine
from voice.prompts import load

SCRIPTS = sorted((ROOT / "tests" / "calls").glob("*.txt"))
PROMPTS = load(TEST_PROMPTS / "da")


@dataclass
class Outcome:
    """What came of a call, or must come of it."""

    hangs_up: str = ""
    recordings: int = -1
    mail: dict[str, str] = field(default_factory=dict)  # empty: there is none

    @classmethod
    def demanded(cls, script: Path) -> Self:
        """Read from a script's comments. Raises ValueError on one that is not understood."""
        outcome, none = cls(), False
        for line in re.findall(r"^# then (.*)$", script.read_text("utf-8"), re.MULTILINE):
            if found := re.fullmatch(r"the (line|caller) hangs up", line):
                outcome.hangs_up = found[1]
            elif found := re.fullmatch(r"(\d+) recordings? (?:is|are) made", line):
                outcome.recordings = int(found[1])
            elif found := re.fullmatch(r"the mail has (\w+): (.+)", line):
                outcome.mail[found[1]] = found[2]
            elif line == "there is no mail":
                none = True
            else:
                raise ValueError(f"{script.name}: not understood: {line}")
        if not outcome.hangs_up or outcome.recordings < 0 or none == bool(outcome.mail):
            raise ValueError(f"{script.name}: it must say who hangs up, how many recordings are made, and what is in the mail")
        return outcome


@dataclass
class Played:
    record: CallRecord
    problems: list[str]
    mails: list[dict[str, str]]

    @property
    def outcome(self) -> Outcome:
        (who,) = [entry.who for entry in self.record.conversation.entries if entry.what == "hangs up"]
        return Outcome(who, len(self.record.recordings), self.mails[0] if self.mails else {})


def speak(text: str) -> bytes:
    """A sound made of "1234": keys that the recogniser of the tests hears; "… and 10 seconds of humming" is speech without words."""
    found = re.fullmatch(r"([0-9]+)(?: and (\d+) seconds of humming)?", text)
    assert found, f"nobody can say {text!r}"
    keys = media.decode(dtmf_wav(found[1]), "audio/wav")
    return media.to_wav(keys + media.tone(float(found[2] or 0), hertz=300))


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    """All calls, rung on one line, four at a time."""
    scripts = [Script.load(path, speak) for path in SCRIPTS]
    settings = {"PROMPTS_DIR": str(TEST_PROMPTS)}
    with LocalLine(tmp_path_factory.mktemp("line"), settings, ("tests.dtmf_worker", "hasty"), "tests.hasty:create_app()") as line:
        with ThreadPoolExecutor(4) as pool:
            calls = dict(zip((script.name for script in scripts), pool.map(line.exchange.play, scripts), strict=True))
        assert line.exchange.settle()
        mails = line.mailbox.wait(sum(bool(Outcome.demanded(path).mail) for path in SCRIPTS), timeout=30)
        engine = store.connect(line.config.database_url)
        with store.reading(engine) as look:
            rows = {row.call_sid: row.preparation for row in look.execute(store.calls.select())}
            assert store.count_dead_jobs(look) == 0
        engine.dispose()
        assert line.exchange.recordings == [], "recordings are left at the provider"
    by_id = {name: message_id(rows[record.sid], line.config.mail_from, PROMPTS) for name, (record, _) in calls.items() if rows[record.sid]}
    return {
        name: Played(record, problems, [answers(mail, PROMPTS) for mail in mails if mail["Message-ID"] == by_id.get(name)])
        for name, (record, problems) in calls.items()
    }


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_call_ends_as_its_script_demands(path: Path, played: dict[str, Played]) -> None:
    call = played[path.name]
    assert call.problems == [], call.record.conversation
    assert call.record.errors == []
    assert call.outcome == Outcome.demanded(path), call.record.conversation
    assert len(call.mails) <= 1


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_nothing_is_recorded_before_the_caller_said_yes(path: Path, played: dict[str, Played]) -> None:
    entries = played[path.name].record.conversation.entries
    yes = next(
        (n for n, entry in enumerate(entries) if (entry.what, entry.text.strip(".").lower()) in (("presses", "1"), ("speaks", "ja"))), None
    )
    assert all(entry.what != "records" for entry in (entries if yes is None else entries[:yes]))


def test_every_script_is_different_and_there_are_many() -> None:
    """Eighteen at least; a file that was copied and not changed would prove nothing."""
    steps = {tuple(line.step for line in Script.load(path, speak).lines) for path in SCRIPTS}
    assert len(steps) == len(SCRIPTS) >= 18
