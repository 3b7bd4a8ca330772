"""Whole calls, from the first tone to the mail. Each file in ``calls/`` tells one caller's story: what they do, and what must come of it.

What must come of it stands in the file as comments that begin with "# then". Nothing there names the wording of a prompt: what is
said is named as the content names it. A line of dashes stands before each further call; "# on a line …" tells what is unusual there.
"""

import re
import shlex
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

import pytest
from sqlalchemy.engine import Engine, Row

from tests.conftest import ROOT, TEST_PROMPTS, TWO_LANGUAGES
from tests.dtmf_transcriber import dtmf_wav
from tests.mails import answers, message_id
from tests.sounds import lay_sounds
from voice import store
from voice.content import load_line
from voice.exchange import CallRecord, Script, media
from voice.exchange.script import ANOTHER_CALL
from voice.local.line import LocalLine
from voice.prompts import Prompt
from voice.required import PHRASES
from voice.speech.sounds import VOICES, slow, sound_key

FILES = sorted((ROOT / "tests" / "calls").glob("*.txt"))
SETTINGS = {"PROMPTS_DIR": str(TEST_PROMPTS), "OPERATOR_PHONE": "20123456", "GUIDE_NUMBERS": "+4570999999=mellem"}
PROMPTS = load_line(TWO_LANGUAGES, SETTINGS["OPERATOR_PHONE"])
EVERYTHING = [prompt for content in PROMPTS.languages for prompt in content]
DONE = ("sent", "empty", "deleted")  # what becomes of a preparation in the end
TEMPOS = {"slowly": slow(VOICES["espeak"]), "in the ordinary tempo": VOICES["espeak"]}


@dataclass
class Demand:
    """What must come of one call."""

    ends: str = ""
    recordings: int = 0
    says: list[tuple[tuple[str, ...], str]] = field(default_factory=list)  # names in their order, and a tempo or ""
    silent_on: list[str] = field(default_factory=list)


@dataclass
class Story:
    """One file."""

    path: Path
    line: str = ""  # what is unusual about the line
    calls: list[tuple[Script, Demand]] = field(default_factory=list)
    mails: dict[str, dict[str, str]] = field(default_factory=dict)  # by guide; "" is the only one
    no_mail: bool = False
    deleted: bool = False

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises ValueError on a demand that is not understood."""
        story = cls(path)
        for part in ANOTHER_CALL.split(path.read_text("utf-8")):
            demand, counted = Demand(), False
            for line in re.findall(r"^# ((?:then|on a line) .*)$", part, re.MULTILINE):
                if found := re.fullmatch(r"then the (line|caller) (hangs up|rejects)", line):
                    demand.ends = f"{found[1]} {found[2]}"
                elif found := re.fullmatch(r"then (\d+) recordings? (?:is|are) made", line):
                    demand.recordings, counted = int(found[1]), True
                elif found := re.fullmatch(r"then the mail (?:of (\w+) )?has (\w+): (.+)", line):
                    story.mails.setdefault(found[1] or "", {})[found[2]] = found[3]
                elif found := re.fullmatch(r"then the line says (.+?)(?: (slowly|in the ordinary tempo))?", line):
                    demand.says.append((tuple(found[1].split(", ")), found[2] or ""))
                elif found := re.fullmatch(r"then the line never says (.+)", line):
                    demand.silent_on += found[1].split(", ")
                elif found := re.fullmatch(r"on a line (that is closed|that speaks two languages|with .+)", line):
                    story.line = found[1]
                elif line == "then there is no mail":
                    story.no_mail = True
                elif line == "then all is deleted":
                    story.deleted = story.no_mail = True
                else:
                    raise ValueError(f"{path.name}: not understood: {line}")
            if not demand.ends or counted == (demand.ends == "line rejects"):
                raise ValueError(f"{path.name}: each call must say how it ends, and how many recordings are made")
            story.calls.append((Script.parse(part, path.name, path.parent, speak), demand))
        if story.no_mail == bool(story.mails):
            raise ValueError(f"{path.name}: it must say what is in the mail")
        return story


@dataclass
class Played:
    """What came of a story. ``left``: what the database still holds of what was said."""

    calls: list[tuple[CallRecord, list[str]]]
    mails: list[tuple[str, dict[str, str]]] = field(default_factory=list)  # guide, answers
    preparations: list[str] = field(default_factory=list)  # what became of each
    left: int = 0


def speak(text: str) -> bytes:
    """A sound made of "1234": keys that the recogniser of the tests hears; "… and 10 seconds of humming" is speech without words."""
    found = re.fullmatch(r"([0-9]+)(?: and (\d+) seconds of humming)?", text)
    assert found, f"nobody can say {text!r}"
    keys = media.decode(dtmf_wav(found[1]), "audio/wav")
    return media.to_wav(keys + media.tone(float(found[2] or 0), hertz=300))


STORIES = {path.name: Story.read(path) for path in FILES}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, sounds: Path) -> dict[str, Played]:
    """All stories, rung on as many lines as they need, four at a time."""
    by_line: dict[str, list[Story]] = defaultdict(list)
    for story in STORIES.values():
        by_line[story.line].append(story)
    found: dict[str, Played] = {}
    for unusual, stories in by_line.items():
        more = dict(pair.split("=", 1) for pair in shlex.split(unusual.removeprefix("with "))) if unusual.startswith("with ") else {}
        if unusual == "that speaks two languages":
            more = {"PROMPTS_DIR": str(TWO_LANGUAGES)}
        folder = tmp_path_factory.mktemp("line")
        lay_sounds(sounds, f"sqlite:///{folder}/samtaleklar.sqlite")
        with LocalLine(folder, {**SETTINGS, **more}, ("tests.dtmf_worker", "hasty"), "tests.hasty:create_app()") as line:
            found |= play(line, stories, closed=unusual == "that is closed")
    return found


def play(line: LocalLine, stories: list[Story], *, closed: bool) -> dict[str, Played]:
    engine = store.connect(line.config.database_url)
    if closed:
        with store.writing(engine) as tx:
            store.set_closed(tx, "a test")
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(partial(tell, line), stories))
    settled = {*DONE, "open"} if line.config.resume_window else {*DONE}
    until_it_is("settled", lambda: {row.status for row in preparations(engine)} <= settled)
    until_it_is("rid of all recordings at the provider", lambda: line.exchange.recordings == [])
    by_call = defaultdict(list)
    for row in preparations(engine):
        by_call[row.opened_by].append(row)
    mails = defaultdict(list)
    for mail in line.mailbox.mails:
        mails[mail["Message-ID"]].append(mail)
    for played in told:
        sids = [record.sid for record, _ in played.calls]
        for row in [row for sid in sids for row in by_call[sid]]:
            played.preparations.append(row.status)
            sent = mails[message_id(row.id, line.config.mail_from, PROMPTS)]
            played.mails += [(row.guide, answers(mail, PROMPTS.speaking(row.language))) for mail in sent]
        with store.reading(engine) as look:
            said = look.execute(store.utterances.select().where(store.utterances.c.call_sid.in_(sids)))
            played.left = len(said.all())
            assert store.count_dead_jobs(look) == 0
    engine.dispose()
    assert sum(len(played.mails) for played in told) == len(line.mailbox.mails), "a mail belongs to no call"
    return {story.path.name: played for story, played in zip(stories, told, strict=True)}


def tell(line: LocalLine, story: Story) -> Played:
    """Each call begins when the news of the one before has come: who rings again is not quicker than that."""
    calls = []
    for script, _ in story.calls:
        calls.append(line.exchange.play(script))
        assert line.exchange.settle()
    return Played(calls)


def preparations(engine: Engine) -> list[Row[Any]]:
    with store.reading(engine) as look:
        return list(look.execute(store.preparations.select().order_by(store.preparations.c.created_at)))


def until_it_is(how: str, settled: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not settled():
        assert time.monotonic() < end, f"the line does not come to be {how}"
        time.sleep(0.1)


def each_call(name: str, played: dict[str, Played]) -> Iterator[tuple[CallRecord, Demand]]:
    for (record, _), (_, demand) in zip(played[name].calls, STORIES[name].calls, strict=True):
        yield record, demand


names = pytest.mark.parametrize("name", STORIES, ids=lambda name: name.removesuffix(".txt"))


@names
def test_each_call_goes_as_the_caller_wants_it_and_ends_as_it_should(name: str, played: dict[str, Played]) -> None:
    for record, demand in each_call(name, played):
        ends = [f"{entry.who} {entry.what}" for entry in record.conversation.entries if entry.what in ("hangs up", "rejects")]
        assert ends == [demand.ends], record.conversation
        assert len(record.recordings) == demand.recordings, record.conversation
        assert record.errors == []
    for record, problems in played[name].calls:
        assert problems == [], record.conversation


@names
def test_the_mail_holds_what_was_said_and_nobody_gets_two_of_one(name: str, played: dict[str, Played]) -> None:
    story, told = STORIES[name], played[name]
    only = "" in story.mails
    wanted = [("" if only else guide, mail) for guide, mail in story.mails.items()]
    came = [("" if only else guide, mail) for guide, mail in told.mails]
    assert sorted(came, key=str) == sorted(wanted, key=str), [record.conversation for record, _ in told.calls]


@names
def test_the_line_says_what_it_should(name: str, played: dict[str, Played]) -> None:
    for record, demand in each_call(name, played):
        said = [_name(text) for text in record.conversation.texts("says")]
        assert "" not in said, "the line says what the content does not hold"
        for wanted, tempo in demand.says:
            place = 0
            for one in wanted:
                assert _there_is(one)
                place = next((n for n, ids in enumerate(said[place:], place + 1) if one in ids), 0)
                assert place, f"{one} is not said after what came before: {said}"
                assert not tempo or _fetched(record, one, tempo), f"{one} is not said {tempo}"
        for unwanted in demand.silent_on:
            assert _there_is(unwanted)
            assert not [ids for ids in said if unwanted in ids]


def _name(text: str) -> set[str]:
    """What may be meant by a text: its prompt's id, and the id without the wording's number. Danish goes without saying: "en:welcome"."""
    ids = {_id(prompt) for prompt in EVERYTHING if prompt.text == text}
    return ids | {one.rpartition("/")[0] for one in ids}


def _there_is(name: str) -> bool:
    return name in PHRASES or any(name in (_id(prompt), _id(prompt).rpartition("/")[0]) for prompt in EVERYTHING)


def _id(prompt: Prompt) -> str:
    return prompt.id if prompt.language == PROMPTS.language else f"{prompt.language}:{prompt.id}"


def _fetched(record: CallRecord, name: str, tempo: str) -> bool:
    texts = [prompt.text for prompt in PROMPTS if name in (prompt.id, prompt.id.rpartition("/")[0])]
    sounds = {f"/audio/{sound_key(text, PROMPTS.language, TEMPOS[tempo])}.wav" for text in texts}
    return any(webhook.request.url.endswith(tuple(sounds)) for webhook in record.webhooks)


@names
def test_nothing_is_recorded_before_the_caller_said_yes(name: str, played: dict[str, Played]) -> None:
    for record, _ in played[name].calls:
        entries = record.conversation.entries
        yes = next(
            (n for n, entry in enumerate(entries) if (entry.what, entry.text.strip(".").lower()) in (("presses", "1"), ("speaks", "ja"))),
            len(entries),
        )
        assert all(entry.what != "records" for entry in entries[:yes])


@pytest.mark.parametrize("name", [name for name, story in STORIES.items() if story.deleted])
def test_what_was_deleted_is_gone(name: str, played: dict[str, Played]) -> None:
    assert set(played[name].preparations) <= {"deleted"}
    assert played[name].left == 0


def test_every_story_is_different_and_there_are_many() -> None:
    """Fifty at least; a file that was copied and not changed would prove nothing."""
    steps = {
        (story.line, *((str(script.conditions), tuple(line.step for line in script.lines)) for script, _ in story.calls))
        for story in STORIES.values()
    }
    assert len(steps) == len(STORIES) >= 50


def test_the_stories_hear_every_phrase_of_the_line(played: dict[str, Played]) -> None:
    """What no story hears is never seen to be said in its place."""
    texts = {text for told in played.values() for record, _ in told.calls for text in record.conversation.texts("says")}
    unheard = {name for name in PHRASES if not texts & {prompt.text for prompt in PROMPTS.phrases[name]}}
    of_the_mail = {name for name in PHRASES if name.startswith("sound_")}  # never said in a call: test_summary_sound
    of_the_mailbox = {"address", "address_known", "dot", *(name for name in PHRASES if name.startswith(("text_", "cannot_")))}
    # The stories' lines are trials, which have one address for all: test_mailbox_in_call.
    # Besides them a template, and what is said when something is broken: test_webhooks.
    assert unheard <= {"count", "sorry", "busy"} | of_the_mail | of_the_mailbox
