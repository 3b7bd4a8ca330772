"""``samtaleklar forget NUMBER`` leaves nothing that names a person, and nothing of what they said."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.mailbox_line import Call
from tests.test_sweep import LOST, Swept
from voice import schema, store
from voice.__main__ import main
from voice.directory import caller_keys
from voice.forgetting import LIVE, forget
from voice.preparations import Placing, Preparations
from voice.vault import seal

NUMBER, OTHER = "+4520123456", "+4530123456"
THROUGH = "11312"  # consent; my own telephone; the guide whose question is answered by a key; no further guide


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Swept]:
    line = Swept(tmp_path)
    yield line
    line.close()


def has_called(line: Swept, number: str, *, confirms: bool = True) -> Call:
    """Somebody who has a text, an address, an answer by key and a late one by voice, and whose call is over."""
    call = line.call(number, THROUGH)
    call.ends()
    preparation = line.preparation(call).id
    line.invitations.invite(preparation)
    line.write(line.link(), "lone@gmail.com")
    if confirms:
        line.press(line.confirm_mail(call))
    with store.writing(line.web.engine) as tx:
        placing = Placing(call.sid, 3, preparation, "hvad", 1)
        Preparations(line.queue, line.clock).expect(tx, f"RE{line.calls:032x}", placing, complete=True)
        store.save_utterance(tx, f"RE{line.calls:032x}", status="fetched", sound_sealed=seal(line.preparation(call).public_key, b"x", "x"))
    return call


def everything(line: Swept) -> str:
    """All rows of all our tables."""
    with store.reading(line.web.engine) as look:
        return "\n".join(str(row._mapping) for table in schema.metadata.sorted_tables for row in look.execute(sa.select(table)))


def jobs(line: Swept) -> set[str]:
    return {job.workflow_id for job in line.queue._client.list_workflows()}


@pytest.mark.parametrize("written", ["+4520123456", "20 12 34 56", "0045 20123456", "(+45) 2012-3456", "20.12.34.56"])
def test_all_of_a_number_is_gone_in_whatever_form_it_is_written(line: Swept, capsys: pytest.CaptureFixture[str], written: str) -> None:
    call, other = has_called(line, NUMBER), has_called(line, OTHER)
    line.knows(NUMBER, "lone@firma.dk")
    [key], [others] = (caller_keys(number, line.web.config.secrets) for number in (NUMBER, OTHER))
    preparation, kept = line.preparation(call), line.preparation(other)
    sealed = preparation.private_key_sealed
    forget(line.web.config, written)
    assert capsys.readouterr().out.splitlines() == [
        "Gone from here: 2 preparations, 1 calls, 2 addresses, 1 texts; what was said is beyond recovery, also from backups, "
        "in 8 days at the latest, an address in a backup once the addresses have a new key."
    ]
    left = everything(line)
    assert key not in left
    assert others in left
    row = line.preparation(call)
    assert (row.status, row.private_key_sealed, row.number_sealed, row.page_hash, row.caller, row.binding) == ("deleted", b"", *[None] * 4)
    assert line.preparation(other) == kept
    assert {f"erase:RE{1:032x}:forget:1", f"erase_call:{call.sid}:1"} <= jobs(line)
    assert not any(other.sid in job or f"{2:032x}:forget" in job for job in jobs(line))
    stored = b"".join(file.read_bytes() for file in Path(line.web.config.data_dir).glob("samtaleklar.sqlite*"))
    assert sealed not in stored


def test_a_number_that_nobody_knows_is_told_in_the_same_words(line: Swept, capsys: pytest.CaptureFixture[str]) -> None:
    forget(line.web.config, OTHER)
    nothing = capsys.readouterr().out
    has_called(line, NUMBER)
    forget(line.web.config, NUMBER)
    something = capsys.readouterr().out
    assert [word for word in nothing.split() if not word.isdigit()] == [word for word in something.split() if not word.isdigit()]
    forget(line.web.config, NUMBER)
    assert capsys.readouterr().out == nothing


def test_a_page_a_button_and_a_mails_link_lead_nowhere_afterwards(line: Swept) -> None:
    call = has_called(line, NUMBER, confirms=False)
    button, page = line.confirm_mail(call), line.link()
    forget(line.web.config, NUMBER)
    assert {line.get(path).status_code for path in (button, page)} == {404}
    mails = len(line.mails)
    line.jobs.send(line.preparation(call).id)
    assert len(line.mails) == mails


def test_what_was_sent_and_what_came_too_late_for_it_goes_too(line: Swept) -> None:
    call = has_called(line, NUMBER)
    line.change(call, status="sent", sent_at=line.clock())
    first = line.preparation(call).id
    with store.writing(line.web.engine) as tx:
        Preparations(line.queue, line.clock).expect(tx, LOST, Placing(call.sid, 4, first, "hvad", 2), complete=True)
    forget(line.web.config, NUMBER)
    with store.reading(line.web.engine) as look:
        rows = look.execute(sa.select(schema.preparations)).all()
        assert len(rows) == 2
        assert {(row.status, row.private_key_sealed) for row in rows} == {("deleted", b"")}
        assert look.execute(sa.select(schema.utterances)).all() == []
    assert f"erase:{LOST}:forget:1" in jobs(line)


def test_news_that_comes_afterwards_goes_the_same_way(line: Swept) -> None:
    call = has_called(line, NUMBER)
    forget(line.web.config, NUMBER)
    with store.writing(line.web.engine) as tx:
        Preparations(line.queue, line.clock).expect(tx, LOST, Placing(call.sid, 4, line.preparation(call).id, "hvad", 2), complete=True)
    assert line.utterance(LOST) is None
    assert f"erase:{LOST}:1" in jobs(line)


def test_a_call_that_goes_on_is_left_alone_and_told(
    line: Swept, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", line.clock)
    before, live = has_called(line, NUMBER), line.call(NUMBER, "111")
    live.press("3")
    forget(line.web.config, NUMBER)
    assert LIVE in capsys.readouterr().out.splitlines()
    assert line.preparation(before).status == "deleted"
    assert line.preparation(live).status == "open"
    for key in "12":
        live.press(key)
    assert live.says("goodbye")
    forget(line.web.config, NUMBER)
    assert LIVE not in capsys.readouterr().out
    assert line.preparation(live).status == "deleted"


def test_the_call_records_job_tells_the_provider_once(line: Swept) -> None:
    call = has_called(line, NUMBER)
    for _ in range(2):
        line.sweep.job().run(call.sid)
    assert line.archive.asked == [call.sid]


def test_what_is_no_number_is_told_and_nothing_is_done(
    line: Swept, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voice.config.Config.from_env", lambda: line.web.config)
    assert main(["forget", "hvem"]) == 1
    assert capsys.readouterr().err == "'hvem' is no telephone number: write it such as +4520123456.\n"
    assert main(["forget", NUMBER]) == 0
