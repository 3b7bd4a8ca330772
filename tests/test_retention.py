"""Everything goes in time and not before: a moved clock walks over a world with every kind of row. The table is the reader's, too."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tests.mailbox_line import Call, MailboxLine
from voice import gone, retention, schema, store
from voice.config import KEEP_HOURS
from voice.directory import REMEMBERED
from voice.preparations import KEEP, REGULARLY, WAIT, Preparations
from voice.queue import Queue
from voice.retention import DAY, DONE, HOUR, METADATA, RULES, Retention, Rule, table

NUMBER, OTHER, THIRD, LISTED = "+4520123456", "+4530123456", "+4540123456", "+4550123456"
TO_A_TEXT, THROUGH = "11", "312"
LATEST = 200 * DAY
Apply = Callable[[Retention], None]
PREPARATION, CALL = schema.preparations.c, schema.calls.c


class World(MailboxLine):
    """Three conversations: one sent to a confirmed address, one that waits for an address, one whose address was not confirmed."""

    def __init__(self, folder: Path, **more: str) -> None:
        super().__init__(folder, **more)
        self.queue = Queue(self.web.engine)
        self.retention = Retention(self.web.config, self.web.engine, self.queue, self.clock)
        self.began = self.clock.now
        self.knows(LISTED, "pia@gmail.com")
        self.sent, self.waits, self.unconfirmed = (self._conversation(number) for number in (NUMBER, OTHER, THIRD))
        for call in (self.sent, self.unconfirmed):
            self.invitations.invite(self.preparation(call).id)
            self.write(self.link(), "lone@gmail.com")
        self.press(self.confirm_mail(self.sent))
        for call in (self.sent, self.waits, self.unconfirmed):
            self.jobs.send(self.preparation(call).id)
        self.change(self.waits, status="waiting")
        preparations = Preparations(self.queue, self.clock)
        with store.writing(self.web.engine) as tx:
            for number, call in enumerate((self.sent, self.waits)):
                sid = f"RE{number:032x}"
                store.add_utterance(
                    tx,
                    sid,
                    preparation=self.preparation(call).id,
                    call_sid=call.sid,
                    question="hvad",
                    take=1,
                    turn=9,
                    status="fetched",
                    sound_sealed=b"sound",
                )
            preparations.close(tx, self.preparation(self.waits).id)
            store.add_dead_job(tx, "run:one:1", "run", "TypeError", self.clock())
            store.save_sound(tx, "a" * 64, b"RIFF")
            gone.note(tx, "2023-01", gone.FINISHED, 1)
            for subject in ("done", "failed", "hanging"):
                self.queue.enqueue(tx, "run", subject)
        self._age("done", "SUCCESS")
        self._age("failed", "ERROR")
        self._age("hanging", "PENDING")

    def _conversation(self, number: str) -> Call:
        call = self.call(number, TO_A_TEXT + THROUGH)
        call.ends()
        return call

    def _age(self, subject: str, status: str) -> None:
        """Put a job of the engine's at the world's beginning."""
        space = "dbos." if self.web.engine.dialect.name == "postgresql" else ""
        then = int(self.began * 1000)
        change = f"UPDATE {space}workflow_status SET status = :status, created_at = :then, updated_at = :then, completed_at = :then"
        with store.writing(self.web.engine) as tx:
            tx.execute(sa.text(f"{change} WHERE workflow_uuid = :id"), {"status": status, "then": then, "id": f"run:{subject}:1"})

    def at(self, seconds: float) -> None:
        self.clock.now = self.began + seconds

    def there(self) -> set[str]:
        """The names of the things that are there now."""
        jobs = {job.workflow_id for job in self.queue._client.list_workflows(workflow_id_prefix="run:")}
        with store.reading(self.web.engine) as look:
            found = {name for name, (_, _, is_there) in THINGS.items() if is_there and is_there(look)}
        return found | {name for name in THINGS if name.startswith("a job that") and f"run:{name.split()[-1]}:1" in jobs}


def some(table: sa.Table, *where: object) -> Callable[[Connection], bool]:
    return lambda look: look.execute(sa.select(sa.literal(1)).select_from(table).where(*where).limit(1)).first() is not None  # type: ignore[arg-type]


def words(*where: object) -> Callable[[Connection], bool]:
    """Whether something is there that was said, or that opens it, or leads to it or to whoever said it."""
    opens = sa.func.length(PREPARATION.private_key_sealed) > 0
    leads = PREPARATION.page_hash.is_not(None) | PREPARATION.number_sealed.is_not(None)
    said = sa.exists().where(schema.utterances.c.preparation == PREPARATION.id)
    return some(schema.preparations, opens | leads | said, *where)


def an_address(kind: str) -> Callable[[Connection], bool]:
    return some(schema.bindings, schema.bindings.c.kind == kind)


# Each thing: until when it stays, what makes it go, and whether it is there.
THINGS: dict[str, tuple[float, Apply | None, Callable[[Connection], bool] | None]] = {
    "what was said, and mailed": (KEEP_HOURS * HOUR, Retention._content, words(PREPARATION.sent_at.is_not(None))),
    "what was said, and not mailed": (KEEP - REGULARLY, Retention._content, words(PREPARATION.sent_at.is_(None))),
    "an address that was not confirmed": (WAIT, Retention._addresses, an_address("pending")),
    "an address that was confirmed": (REMEMBERED, Retention._addresses, an_address("confirmed")),
    "an address on the operator's list": (float("inf"), None, an_address("staff")),
    "a text": (METADATA, Retention._texts, some(schema.texts)),
    "a call": (METADATA, Retention._rows, some(schema.calls)),
    "a preparation": (METADATA, Retention._rows, some(schema.preparations)),
    "a dead job": (METADATA, Retention._dead_jobs, some(schema.dead_jobs)),
    "a job that is done": (DONE, Retention._done, None),
    "a job that has failed": (METADATA, Retention._jobs, None),
    "a job that is hanging": (METADATA, Retention._jobs, None),
    "the sound of a prompt": (float("inf"), None, some(schema.sounds)),
    "a count": (float("inf"), None, some(schema.counts)),
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


@pytest.mark.parametrize("days", [25, pytest.param(1, marks=pytest.mark.faults)])
def test_everything_goes_in_time_and_not_before_on_two_hundred_days(database_url: str, tmp_path: Path, days: int) -> None:
    world = World(tmp_path, DATABASE_URL=database_url)
    limits = {seconds for seconds, *_ in THINGS.values() if seconds < LATEST}
    moments = {day * DAY + 60.0 for day in range(0, 201, days)} | {limit - 5 for limit in limits} | {limit + 5 for limit in limits}
    assert world.there() == set(THINGS)
    for moment in sorted(moments):
        world.at(moment)
        world.retention.run()
        assert world.there() == {name for name, (seconds, *_) in THINGS.items() if moment < seconds}, f"after {moment / DAY:.2f} days"
    with store.reading(world.web.engine) as look:
        assert gone.monthly(look)["2023-11"] == {gone.FINISHED: 3, gone.SENT: 1, "guide tvivl": 3}
        days = look.execute(sa.select(schema.counts).where(schema.counts.c.what == gone.CALLS)).all()
        assert [(row.day, row.number) for row in days] == [("2023-11-14", 3)]
    world.close()


def test_a_world_that_nobody_looked_after_for_long_is_put_right_by_one_look(world: World) -> None:
    world.at(LATEST)
    world.retention.run()
    assert world.there() == {name for name, (seconds, *_) in THINGS.items() if seconds > LATEST}


def test_each_rule_is_needed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it is for stays without it: a rule that is left out is seen by the walk above."""
    world.at(LATEST)
    rules = [rule for rule in RULES if rule.apply]
    rules.sort(key=lambda rule: rule.apply is not Retention._addresses)  # with what was said, unconfirmed addresses go too
    for rule in rules:
        before = world.there()
        monkeypatch.setattr(retention, "RULES", (rule,))
        world.retention.run()
        assert before - world.there() == {name for name, (_, apply, _) in THINGS.items() if apply is rule.apply}, rule.what


def test_a_rule_that_fails_holds_up_no_other_and_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Retention) -> None:
        raise TypeError

    monkeypatch.setattr(retention, "RULES", (Rule("", "", "", apply=fail), *RULES))
    world.at(LATEST)
    with pytest.raises(TypeError):
        world.retention.run()
    assert "a call" not in world.there()


def test_the_operator_may_keep_what_was_said_for_a_shorter_time_after_the_mail(tmp_path: Path) -> None:
    world = World(tmp_path, KEEP_HOURS="1")
    for moment, left in ((HOUR - 5, True), (HOUR + 5, False)):
        world.at(moment)
        world.retention.run()
        assert ("what was said, and mailed" in world.there()) == left
        assert "what was said, and not mailed" in world.there()
    world.close()


def test_the_providers_copy_goes_with_what_was_said(world: World) -> None:
    world.at(KEEP)
    for _ in range(2):  # the second time there is nothing left to do
        world.retention.run()
    jobs = {job.workflow_id for job in world.queue._client.list_workflows(workflow_id_prefix="erase:")}
    assert jobs >= {f"erase:RE{number:032x}:shred:1" for number in range(2)}


def test_more_rows_than_fit_one_transaction_become_counts_as_well(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gone, "_BATCH", 2)
    world.at(METADATA + 5)
    world.retention.run()
    assert {"a call", "a preparation"}.isdisjoint(world.there())
    with store.reading(world.web.engine) as look:
        assert gone.monthly(look)["2023-11"] == {gone.FINISHED: 3, gone.SENT: 1, "guide tvivl": 3}


def test_a_call_that_added_to_an_older_preparation_keeps_it_until_both_are_old(world: World) -> None:
    world.at(29 * DAY)
    with store.writing(world.web.engine) as tx:
        store.begin_call(tx, "CA" + "9" * 32, '{"ended": ""}', world.clock(), preparation=world.preparation(world.sent).id)
    world.at(31 * DAY)
    world.retention.run()
    with store.reading(world.web.engine) as look:
        assert store.preparation_of(look, "CA" + "9" * 32) is not None
    world.at(60 * DAY)
    world.retention.run()
    assert {"a call", "a preparation"}.isdisjoint(world.there())


# ---- the table


def test_the_readers_table_is_the_one_that_is_run() -> None:
    assert retention.PAGE.read_text("utf-8") == table(), "run: python -m voice.retention"


def test_every_table_of_the_database_has_its_rule() -> None:
    told = " ".join(rule.where for rule in RULES)
    no_personal_datum = {"sounds", "line", "regulars"}
    assert {name for name in schema.metadata.tables if f"`{name}`" not in told} == no_personal_datum


def test_every_time_in_the_table_is_walked_over() -> None:
    walked = {seconds for seconds, *_ in THINGS.values()}
    assert {rule.seconds for rule in RULES if rule.seconds} <= walked
    assert {rule.apply for rule in RULES if rule.apply} == {apply for _, apply, _ in THINGS.values() if apply}
