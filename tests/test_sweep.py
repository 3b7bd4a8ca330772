"""Nothing of a call stays at the provider: what got lost on the way is taken in or deleted, and nobody else's is touched."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.dtmf_transcriber import DtmfTranscriber, dtmf_wav
from tests.exchange_line import ringing, serving, twiml
from tests.mailbox_line import Call, MailboxLine
from tests.test_provider import a_provider, refused, wire
from tests.web import Web
from voice import provider, store
from voice.app import create_worker
from voice.errors import ProviderError
from voice.exchange import Conditions, Exchange, Script
from voice.exchange.recordings import Recording
from voice.preparations import KEEP, Placing, Preparations
from voice.provider import Listed
from voice.queue import SWEEP_SECONDS, Queue
from voice.regular import DAY, HOURLY, MINUTE
from voice.staff import print_status
from voice.sweep import YOUNG, Sweep

NUMBER, LOST, FOREIGN = "+4520123456", "RE" + "e" * 32, "RE" + "f" * 32
STRANGER = "CA" + "f" * 32
HOUR = 3600
TO_A_QUESTION = "112"  # consent; my own telephone; the moment whose only guide has one question, which is recorded


@dataclass
class Archive:
    """In the provider's place: what it has, and what it was asked to delete."""

    has: list[Listed] = field(default_factory=list)
    calls_kept: set[str] = field(default_factory=set)
    fails: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def recordings(self, since: datetime) -> Iterator[Listed]:
        return (one for one in self.has if one.made_at >= since.timestamp())

    def delete_recording(self, sid: str) -> None:
        self._delete(sid)
        self.has = [one for one in self.has if one.sid != sid]

    def delete_call(self, sid: str) -> None:
        self._delete(sid)
        self.calls_kept.discard(sid)

    def recording(self, sid: str) -> bytes:
        return dtmf_wav("12345")

    def _delete(self, sid: str) -> None:
        self.asked.append(sid)
        if sid in self.fails:
            raise ProviderError("answered with 500", code=500)


class Swept(MailboxLine):
    """A line whose provider has an archive."""

    def __init__(self, folder: Path, **more: str) -> None:
        super().__init__(folder, **more)
        self.archive = Archive()
        self.queue = Queue(self.web.engine)
        self.sweep = Sweep(self.web.config, self.web.engine, self.queue, self.archive, self.clock)  # type: ignore[arg-type]
        self.jobs._provider = self.archive  # type: ignore[assignment]

    def made(self, sid: str, call_sid: str, *, ago: float = YOUNG + 1, complete: bool = True) -> None:
        self.archive.has.append(Listed(sid, call_sid, complete, self.clock() - ago))

    def left(self) -> set[str]:
        """What is at the provider after a look."""
        self.sweep.recordings()
        return {one.sid for one in self.archive.has}

    def utterance(self, sid: str) -> sa.Row[Any] | None:
        with store.reading(self.web.engine) as look:
            return store.utterance(look, sid)

    def expect(self, call: Call, sid: str, status: str = "expected") -> None:
        with store.writing(self.web.engine) as tx:
            placing = Placing(call.sid, 3, self.preparation(call).id, "hvad", 1)
            Preparations(self.queue, self.clock).expect(tx, sid, placing, complete=True)
            store.save_utterance(tx, sid, status=status)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Swept]:
    line = Swept(tmp_path)
    yield line
    line.close()


@pytest.fixture
def on_both(database_url: str, tmp_path: Path) -> Iterator[Swept]:
    line = Swept(tmp_path, DATABASE_URL=database_url)
    yield line
    line.close()


def asked(line: Swept) -> Call:
    """A call that has come to a question."""
    call = line.call(NUMBER, TO_A_QUESTION)
    line.clock.now += 60
    return call


def test_an_answer_of_which_no_news_ever_came_is_in_the_mail_as_said_besides(on_both: Swept) -> None:
    line = on_both
    line.knows(NUMBER, "lone@gmail.com")
    call = line.call(NUMBER, "1112")
    line.clock.now += 60
    line.made(LOST, call.sid, ago=30)
    call.ends()
    line.clock.now += YOUNG
    assert line.left() == {LOST}, "it must not be deleted before it is taken in"
    taken = line.utterance(LOST)
    assert taken is not None
    assert (taken.status, taken.question, taken.preparation) == ("expected", "", line.preparation(call).id)
    assert f"fetch:{LOST}:1" in {job.workflow_id for job in line.queue._client.list_workflows()}
    line.jobs.fetch(LOST)
    line.jobs.transcribe(LOST)
    with store.writing(line.web.engine) as tx:
        Preparations(line.queue, line.clock).close(tx, taken.preparation)
    line.jobs.send(taken.preparation)
    words = line.mails[-1].get_body(("plain",)).get_content().replace("\r\n", "\n")
    assert f"{line.prompts.mail['other']}\n1 2 3 4 5" in words
    assert line.left() == set()


def test_what_is_lost_after_the_mail_makes_a_late_mail(line: Swept) -> None:
    call = asked(line)
    first = line.preparation(call).id
    line.change(call, status="sent", sent_at=line.clock())
    line.made(LOST, call.sid)
    assert line.left() == {LOST}
    taken = line.utterance(LOST)
    assert taken is not None
    with store.reading(line.web.engine) as look:
        late = store.preparation(look, taken.preparation)
    assert late is not None
    assert late.late_of == first


def test_taking_in_is_done_once(line: Swept) -> None:
    call = asked(line)
    line.made(LOST, call.sid)
    for _ in range(3):
        assert line.left() == {LOST}
    assert len([job for job in line.queue._client.list_workflows(workflow_id_prefix="fetch:") if LOST in job.workflow_id]) == 1


@pytest.mark.parametrize("status", ["fetched", "heard", "silent", "failed"])
def test_what_is_sealed_here_or_given_up_is_deleted_there(line: Swept, status: str) -> None:
    call = asked(line)
    line.expect(call, LOST, status)
    line.made(LOST, call.sid)
    assert line.left() == set()
    row = line.utterance(LOST)
    assert row is not None
    assert row.erased


@pytest.mark.parametrize("status", ["deleted", "expired"])
def test_what_belongs_to_something_deleted_is_deleted(line: Swept, status: str) -> None:
    call = asked(line)
    line.change(call, status=status, private_key_sealed=b"")
    line.made(LOST, call.sid)
    assert line.left() == set()


def test_what_belongs_to_a_call_without_consent_is_deleted(line: Swept) -> None:
    call = line.call(NUMBER, "2")
    line.made(LOST, call.sid)
    assert line.left() == set()


def test_what_is_found_when_all_of_the_call_should_be_gone_is_deleted(line: Swept) -> None:
    call = asked(line)
    line.clock.now += KEEP + HOUR
    line.made(LOST, call.sid, ago=KEEP)
    assert line.left() == set()


def test_what_is_on_its_way_is_left(line: Swept) -> None:
    call = asked(line)
    line.expect(call, LOST)
    line.made(LOST, call.sid)
    line.made("RE" + "1" * 32, call.sid, ago=YOUNG - 1)
    line.made("RE" + "2" * 32, call.sid, complete=False)
    assert len(line.left()) == 3
    assert line.utterance("RE" + "1" * 32) is None, "a call may go on"


def test_of_two_guides_the_one_that_was_open_then_gets_it(line: Swept) -> None:
    call = asked(line)
    first = line.preparation(call).id
    line.made(LOST, call.sid, ago=0)
    line.clock.now += 60
    with store.writing(line.web.engine) as tx:
        second = Preparations(line.queue, line.clock).open(tx, "lang", "da", 1.0, opened_by=call.sid)
        store.save_call(tx, call.sid, preparation=second)
    line.made(FOREIGN, call.sid, ago=-30)
    line.clock.now += YOUNG + 31
    line.left()
    found = [line.utterance(sid) for sid in (LOST, FOREIGN)]
    assert [row and row.preparation for row in found] == [first, second]


def test_recordings_of_others_are_left_and_counted(line: Swept, capsys: pytest.CaptureFixture[str]) -> None:
    line.made(FOREIGN, STRANGER)
    line.made(LOST, STRANGER, ago=20 * DAY)
    assert line.left() == {FOREIGN, LOST}
    assert line.archive.asked == []
    print_status(line.web.config)
    assert "recordings of others in the account: 2" in capsys.readouterr().out.splitlines()


def test_in_an_account_of_its_own_the_line_deletes_whatever_it_does_not_know(tmp_path: Path) -> None:
    line = Swept(tmp_path, SWEEP_ACCOUNT="1")
    line.made(FOREIGN, STRANGER)
    assert line.left() == set()
    line.close()


def test_one_that_cannot_be_deleted_holds_up_no_other(line: Swept) -> None:
    call = asked(line)
    line.change(call, status="deleted")
    line.archive.fails = {LOST}
    line.made(LOST, call.sid)
    line.made(FOREIGN, call.sid)
    assert line.left() == {LOST}
    line.archive.fails = set()
    assert line.left() == set()


# ---- the records of calls


def test_the_records_of_calls_that_are_over_are_deleted_once(on_both: Swept) -> None:
    line = on_both
    over, on = line.call(NUMBER, "11"), line.call(NUMBER, "11")
    over.ends()
    line.sweep.calls()
    assert line.archive.asked == [], "the provider's own books are not closed yet"
    line.clock.now += HOUR + 1
    for _ in range(3):
        line.sweep.calls()
    assert line.archive.asked == [over.sid]
    on.ends()
    line.clock.now += HOUR + 1
    line.sweep.calls()
    assert line.archive.asked == [over.sid, on.sid]


def test_a_record_that_is_refused_is_asked_for_again_in_the_next_night_and_told(line: Swept, capsys: pytest.CaptureFixture[str]) -> None:
    calls = [line.call(f"+45200000{number:02}", "1") for number in range(3)]
    for call in calls:
        call.ends()
    line.archive.fails = {calls[0].sid}
    line.clock.now += HOUR + 1
    line.sweep.calls()
    assert sorted(line.archive.asked) == sorted(call.sid for call in calls)
    print_status(line.web.config)
    assert "call records that the provider does not delete: 1" in capsys.readouterr().out.splitlines()
    line.archive.fails = set()
    line.sweep.calls()
    line.sweep.calls()
    assert line.archive.asked[3:] == [calls[0].sid]


def test_a_provider_that_refuses_everything_is_not_asked_all_night(line: Swept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voice.sweep.REFUSALS", 2)
    calls = [line.call(f"+45200000{number:02}", "1") for number in range(4)]
    for call in calls:
        call.ends()
    line.archive.fails = {call.sid for call in calls}
    line.clock.now += HOUR + 1
    line.sweep.calls()
    assert len(line.archive.asked) == 2


def test_a_worker_does_all_of_it_regularly(tmp_path: Path) -> None:
    web = Web(tmp_path)
    worker = create_worker(web.config, DtmfTranscriber())
    regulars = worker._regulars._regulars
    by_the_hour = dict.fromkeys(("retention", "sweep", "keys"), HOURLY)
    assert {name: regular.every for name, regular in regulars.items()} == {
        **by_the_hour,
        "lost_ends": MINUTE,
        "traces": 5 * MINUTE,
        "call_records": DAY,
    }
    assert HOURLY + 2 * SWEEP_SECONDS < 3600
    assert "erase_call" in worker._jobs
    for name in ("retention", "traces"):
        regulars[name].run()
    worker._engine.dispose()
    web.close()


# ---- how the provider is asked


@pytest.fixture(scope="module")
def exchange() -> Iterator[Exchange]:
    with serving() as line:
        line["/status"] = ""
        line["/voice"] = twiml("<Hangup/>")
        with ringing(line, conditions=Conditions(callback_delay=0)) as exchange:
            yield exchange
            assert exchange.settle()


def test_the_list_is_read_page_by_page_to_its_end(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    made = [Recording(STRANGER, b"", started=now - timedelta(hours=hours)) for hours in range(7)]
    old = Recording(STRANGER, b"", started=now - timedelta(days=40))
    for one in (*made, old):
        exchange._recordings.add(one)
    monkeypatch.setattr(provider, "_PAGE_SIZE", 3)
    found = list(a_provider(exchange.api_base_url).recordings(now - timedelta(days=31)))
    assert [one.sid for one in found] == [one.sid for one in made]
    assert {one.call_sid for one in found} == {STRANGER}
    assert all(one.complete for one in found)
    assert [one.made_at for one in found] == pytest.approx([one.started.timestamp() for one in made], abs=1)
    monkeypatch.setattr(provider, "_PAGES", 2)
    assert "does not end" in str(refused(lambda: list(a_provider(exchange.api_base_url).recordings(now - timedelta(days=31)))))


def page(following: str, entries: str = "") -> bytes:
    body = f'{{"recordings": [{entries}], "next_page_uri": {following}}}'.encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body)


@pytest.mark.parametrize(
    "following",
    [
        '"http://evil.example/2010-04-01/Accounts/x/Recordings.json?Page=1"',
        '"//evil.example/?Page=1"',
        '"@evil.example/?Page=1"',
        '"/2010-04-01/Accounts/{account}/Recordings.json/../Calls.json?Page=1"',
        '"/2010-04-01/Accounts/{account}/Recordings.json?Page=1\\r\\nHost: evil.example"',
        '"/2010-04-01/Accounts/{account}/Recordings.json"',
        "17",
        '{"a": 1}',
    ],
)
def test_a_next_page_anywhere_else_is_not_followed(following: str) -> None:
    with wire(b"") as (server, asking):
        server._answer = page(following.replace("{account}", asking._account))
        refused(lambda: list(asking.recordings(datetime.now(UTC))))
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n",
        page("null").replace(b"[]", b"17"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
    ],
)
def test_a_list_that_is_none_is_told(answer: bytes) -> None:
    with wire(answer) as (_, asking):
        assert not refused(lambda: list(asking.recordings(datetime.now(UTC)))).permanent


def test_entries_that_are_no_recordings_of_calls_are_nobody_s() -> None:
    good = f'{{"sid": "{LOST}", "call_sid": "{STRANGER}", "status": "completed", "date_created": "Sun, 22 Nov 2026 04:00:00 +0000"}}'
    odd = [
        "17",
        "null",
        "{}",
        good.replace("RE", "XX"),
        good.replace("CA", "CF"),
        good.replace("Nov", "Hov"),
        good.replace(LOST, LOST + "/../x"),
    ]
    with wire(page("null", ", ".join([*odd, good]))) as (_, asking):
        assert [one.sid for one in asking.recordings(datetime.now(UTC))] == [LOST]


def test_the_record_of_a_call_goes_when_the_call_is_over(exchange: Exchange) -> None:
    record, _ = exchange.play(Script.parse("silence"))
    asking = a_provider(exchange.api_base_url)
    record.status = "in-progress"
    failed = refused(lambda: asking.delete_call(record.sid))
    assert (failed.code, failed.permanent) == (400, False)
    record.status = "completed"
    asking.delete_call(record.sid)
    assert record.sid in exchange.erased_calls
    for wrong in ("", "CA", record.sid + "\n", "RE" + "1" * 32, "../" + record.sid):
        assert refused(lambda wrong=wrong: asking.delete_call(wrong)).permanent


@pytest.mark.parametrize(("status", "fine"), [(204, True), (200, True), (404, True), (401, False), (409, False), (500, False)])
def test_a_call_record_that_is_gone_counts_as_deleted_and_what_is_refused_does_not(status: int, fine: bool) -> None:
    with wire(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode()) as (_, asking):
        if fine:
            asking.delete_call(STRANGER)
        else:
            assert refused(lambda: asking.delete_call(STRANGER)).code == status
