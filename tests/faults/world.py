"""The world after a fault: whatever happened, this must hold. One function checks it after every case of every row.

::

    world = World(line)
    world.fates += [...]         # every call that was placed
    ... the fault ...
    print(check_world(world))    # waits for rest, then looks at everything

What a fault is allowed to do is said in the world's fields, as narrowly as it can be; without them it is allowed nothing.
"""

import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from tests.canary import Canaries, sweep
from tests.dtmf_transcriber import spaced
from tests.faults.callers import KEYS_BEFORE, PROMPTS, Fate
from tests.mails import answers, message_id
from voice import bindings, store
from voice.local.line import LocalLine
from voice.local.line import answers as healthy
from voice.speech.sounds import VOICES, prompt_keys
from voice.telephony.webhooks import APOLOGIES

SAID_WHEN_BROKEN = {PROMPTS.phrase(name).text for name in APOLOGIES}
WHEN_BROKEN = [
    each.encode()
    for name in APOLOGIES
    for each in (PROMPTS.phrase(name).text, *prompt_keys(PROMPTS.phrase(name), VOICES["espeak"], {}, slowly=False))
]
DONE = ("sent", "empty", "deleted", "expired")
SHOWN = {"undeliverable": "undeliverable mails", "waiting": "preparations that wait for an address"}  # stuck, by its name in the status
NOTES = ("yes", "no", "not_answered", "not_heard", "failed", "incomplete")
PATIENCE = 90.0  # seconds in which something must move


@dataclass
class World:
    """A line, what was said to it, and what the fault may have done to that."""

    line: LocalLine
    fates: list[Fate] = field(default_factory=list)
    canaries: tuple[Canaries, ...] = ()  # what may be found nowhere
    addresses: frozenset[str] = frozenset({"dig@localhost"})  # to which alone anything may be sent
    broken_off: Counter[str] = field(default_factory=Counter)  # preparations, by how often the fault met them while they were sent
    patience: float = PATIENCE
    may_be_busy: bool = False  # whether a caller may have been asked to ring again later

    def note_break(self) -> None:
        """Call it right after a worker was killed or lost its database: what was being sent then may come twice because of it."""
        self.broken_off.update(one for one, row in look(self.line).preparations.items() if row.status == "sending")

    @property
    def marks(self) -> dict[str, str]:
        """Every mark as it is written down, and the question that it answers."""
        return {spaced(mark): question for fate in self.fates for mark, question in fate.plan.marks.items()}


@dataclass(frozen=True)
class Mails:
    """What came: the words of each mail by its Message-ID, and how often it came."""

    words: dict[str, dict[str, str]]
    copies: Counter[str]


@dataclass(frozen=True)
class Stored:
    """What the database holds when all is quiet."""

    calls: list[Row[Any]]
    preparations: dict[str, Row[Any]]
    utterances: list[Row[Any]]
    dead: int
    status: Mapping[str, int]


def check_world(world: World) -> str:
    """Wait until all is quiet, and hold everything against what was promised. Gives the figures. Raises AssertionError."""
    wait_until_healthy(world.line)
    assert world.line.exchange.settle(60), "the exchange still has news to tell"
    wait_until_quiet(world)
    note_acknowledgements(world)
    mails, stored = read_mails(world), look(world.line)
    check_states(world, stored)
    check_nothing_is_stuck_unseen(world, stored)
    check_mails_went_where_they_may(world)
    check_each_mail_came_once(world, mails, stored)
    check_answers_stand_where_they_belong(world, mails)
    check_no_answer_is_lost(world, mails, stored)
    check_nothing_is_left_at_the_exchange(world, stored)
    check_nothing_is_left_in_clear(world)
    acknowledged = sum(len(fate.acknowledged) for fate in world.fates)
    return (
        f"{len(world.fates)} calls ({sum(bool(fate.record.errors) for fate in world.fates)} of them cut off), "
        f"{acknowledged} answers acknowledged, {len(mails.words)} mails, {mails.copies.total() - len(mails.words)} copies"
    )


# ---- coming to rest


def wait_until_healthy(line: LocalLine, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not healthy(line.config.public_base_url):
        assert time.monotonic() < end, "the line does not come back"
        time.sleep(0.1)


def wait_until_quiet(world: World) -> None:
    """Until every call has ended, every preparation is done or shows, and everything fetched is erased at the provider.

    A backlog may take its time; what fails is that nothing of it has moved for so many seconds.
    """
    end, before = time.monotonic() + world.patience, None
    while waiting := under_way(world):
        if waiting != before:
            end, before = time.monotonic() + world.patience, waiting
        assert time.monotonic() < end, f"still under way: {waiting}"
        time.sleep(0.2)


def under_way(world: World) -> dict[str, list[Any]]:
    """What is neither done nor shown to be stuck."""
    with _looking(world.line) as found:
        calls, preparations, utterances = store.calls.c, store.preparations.c, store.utterances.c
        kept = utterances.erased | (utterances.status == "keyed")
        waiting = {
            "calls": sa.select(calls.call_sid).where(calls.ended_at.is_(None)),
            "preparations": sa.select(preparations.id, preparations.status).where(preparations.status.not_in((*DONE, *SHOWN))),
            "recordings": sa.select(utterances.id, utterances.status).where(~kept),
            "jobs": _UNFINISHED_JOBS[found.dialect.name],  # the last one may still send something
        }
        return {what: rows for what, query in waiting.items() if (rows := list(map(tuple, found.execute(query))))}


def note_acknowledgements(world: World) -> None:
    """What the line has said yes to: from then on an answer may not be lost."""
    told = {str(news.request.params.get("RecordingSid")) for news in world.line.exchange.deliveries if _is_yes(news.result)}
    for fate in world.fates:
        hooks = [hook for hook in fate.record.webhooks if hook.request.params]  # without the sounds that were fetched
        hooks = [hook for hook in hooks if not any(each in hook.answer for each in WHEN_BROKEN)]  # a 200, but it says: ring again
        heard = told | {str(hook.request.params.get("RecordingSid")) for hook in hooks if _is_yes(hook.result)}
        loud = (recording for recording in fate.record.recordings if any(recording.pcm))
        for mark, recording in zip(fate.plan.marks, loud, strict=False):  # a mark is spoken once, each in a recording of its own
            if recording.sid in heard:
                fate.acknowledged[recording.sid] = mark
        keys = {hook.request.url for hook in hooks if _is_yes(hook.result) and _is_key(hook.request.params)}
        fate.key_acknowledged = bool(fate.plan.key) and len(keys) > KEYS_BEFORE


def _is_yes(result: int | str) -> bool:
    return isinstance(result, int) and 200 <= result < 300


def _is_key(params: Mapping[str, str]) -> bool:
    return "Digits" in params and "RecordingSid" not in params


def look(line: LocalLine) -> Stored:
    utterances = [column for column in store.utterances.c if not column.name.endswith("_sealed")]
    with _looking(line) as found:
        return Stored(
            list(found.execute(sa.select(store.calls))),
            {row.id: row for row in found.execute(sa.select(store.preparations))},
            list(found.execute(sa.select(*utterances))),
            store.count_dead_jobs(found),
            bindings.counts(found, 0),
        )


@contextmanager
def _looking(line: LocalLine) -> Iterator[Connection]:
    engine = store.connect(line.config.database_url, wait=30)
    try:
        with store.reading(engine) as found:
            yield found
    finally:
        engine.dispose()


_UNFINISHED = "SELECT workflow_uuid FROM {}workflow_status WHERE name = 'job' AND status IN ('PENDING', 'ENQUEUED')"
_UNFINISHED_JOBS = {"sqlite": sa.text(_UNFINISHED.format("")), "postgresql": sa.text(_UNFINISHED.format("dbos."))}


def read_mails(world: World) -> Mails:
    words: dict[str, dict[str, str]] = {}
    copies: Counter[str] = Counter()
    for mail in world.line.mailbox.mails:
        read = answers(mail, PROMPTS)
        assert words.setdefault(mail["Message-ID"], read) == read, "two copies of a mail differ"
        copies[mail["Message-ID"]] += 1
    return Mails(words, copies)


# ---- what must hold


def check_states(world: World, stored: Stored) -> None:
    """Only what the pictures in the modules draw."""
    for call in stored.calls:
        assert call.ended_at is not None, f"a call has not ended: {call.call_sid}"
        assert call.preparation is None or call.preparation in stored.preparations
        assert (call.consent_at is not None) or call.preparation is None, "something was recorded before consent"
    for one in stored.preparations.values():
        assert one.status in (*DONE, *SHOWN), f"a preparation is {one.status}"
        assert (one.sent_at is not None) == (one.status == "sent"), "sent or not sent?"
        assert one.closed_at is not None or one.status == "deleted", "sent without having been closed"
        assert one.late_of is None or one.late_of in stored.preparations
        assert bool(one.private_key_sealed) == (one.status not in ("deleted", "expired")), "a key was kept or is gone too early"
    for row in stored.utterances:
        assert row.status in store.SETTLED, f"an utterance is {row.status}"
        assert row.status != "failed", "a recording was given up although nothing kept it from us"
        assert stored.preparations[row.preparation].status not in ("deleted", "expired"), "what was deleted is here"


def check_nothing_is_stuck_unseen(world: World, stored: Stored) -> None:
    """Whatever is not done is counted where the operator looks, and a watchdog sees it too."""
    assert stored.dead == 0, f"{stored.dead} jobs were given up"
    health = urllib.request.urlopen(f"{world.line.config.public_base_url}/healthz", timeout=30).read().decode()
    assert "jobs given up: 0\n" in health
    for status, shown in SHOWN.items():
        stuck = sum(row.status == status for row in stored.preparations.values())
        assert stored.status[shown] >= stuck, f"{stuck} preparations are {status}, of which the status says {stored.status[shown]}"


def check_mails_went_where_they_may(world: World) -> None:
    for mail in world.line.mailbox.mails:
        recipients = _recipients(mail)
        assert len(recipients) == 1, "a mail has several recipients"
        assert recipients <= world.addresses, "a mail went to an address that nobody bound"


def _recipients(mail: EmailMessage) -> set[str]:
    return {str(one) for name in ("To", "Delivered-To", "Cc", "Bcc") for each in mail.get_all(name, []) for one in str(each).split(", ")}


def check_each_mail_came_once(world: World, mails: Mails, stored: Stored) -> None:
    sender = world.line.config.mail_from
    sent = {message_id(one, sender, PROMPTS) for one, row in stored.preparations.items() if row.status == "sent"}
    assert sent <= mails.words.keys(), "a preparation counts as sent whose mail never came"
    known = {message_id(one, sender, PROMPTS) for one in stored.preparations}
    assert mails.words.keys() <= known, "a mail belongs to no preparation"
    undecided = {message_id(one, sender, PROMPTS) for one, row in stored.preparations.items() if row.status == "undeliverable"}
    assert mails.words.keys() <= sent | undecided, "a mail came of which we know nothing"
    allowed = {message_id(one, sender, PROMPTS): times for one, times in world.broken_off.items()}
    extra = {one: more for one, copies in mails.copies.items() if (more := copies - 1 - allowed.get(one, 0)) > 0}
    assert not extra, f"copies of mails that no kill made: {extra}"


def check_answers_stand_where_they_belong(world: World, mails: Mails) -> None:
    marks, found = world.marks, Counter[str]()
    for mail in mails.words.values():
        for question, words in mail.items():
            for mark in words.replace("; ", ". ").split(". "):
                if mark not in NOTES:
                    assert marks[mark] == question, "an answer stands under another question"
                    found[mark] += 1
                assert mark not in ("failed", "incomplete"), "the mail says that an answer is missing"
    assert all(times == 1 for times in found.values()), "an answer came twice"


def check_no_answer_is_lost(world: World, mails: Mails, stored: Stored) -> None:
    sender = world.line.config.mail_from
    preparation_of = {row.call_sid: row.preparation for row in stored.calls}
    for fate in world.fates:
        assert world.may_be_busy or not SAID_WHEN_BROKEN & set(fate.record.conversation.texts("says")), "the line said sorry"
        family = {preparation_of.get(fate.record.sid)} - {None}
        family |= {one for one, row in stored.preparations.items() if row.late_of in family and row.late_of}
        own = [mail for one in family if one and (mail := mails.words.get(message_id(one, sender, PROMPTS)))]
        for recording, mark in fate.acknowledged.items():
            words = [mail.get(fate.plan.marks[mark], "") for mail in own]
            assert any(spaced(mark) in each for each in words), f"lost: {recording} {mark}\n{fate.record.conversation}\n{words}"
        if fate.key_acknowledged:
            assert any(mail.get("er_det") == fate.plan.key for mail in own), f"a key's answer is lost\n{fate.record.conversation}"


def check_nothing_is_left_at_the_exchange(world: World, stored: Stored) -> None:
    left = {recording.sid for recording in world.line.exchange.recordings}
    known = {row.id for row in stored.utterances}
    assert not left & known, "a recording that the line knew is left at the provider"
    assert left <= {recording.sid for fate in world.fates for recording in fate.record.recordings}, "a recording of no call"
    assert not left & {recording for fate in world.fates for recording in fate.acknowledged}, "an acknowledged recording is left"


def check_nothing_is_left_in_clear(world: World) -> None:
    """What was said, in words and in sound, and from which number, stands in no file of the line's."""
    url = world.line.config.database_url
    places = [world.line.config.data_dir, *([Path(url.removeprefix("sqlite:///")).parent] if url.startswith("sqlite") else [])]
    for canaries in world.canaries:
        found = sweep(places, canaries)
        assert not found, f"stands in clear: {[str(one) for one in found]}"
