"""Statistics tell how the line is used, and nobody can be found in them: not by a small number, a difference, or two looks."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.web import Web
from voice import gone, store
from voice.__main__ import main
from voice.statistics import FEW, HIDDEN, UNDER, closed_months, shown

GUIDES = ("leder", "ord", "syg")
CELLS = (gone.FINISHED, gone.BROKEN_OFF, gone.SENT, *(gone.GUIDE + guide for guide in GUIDES))
NUMBERS = st.one_of(st.integers(0, 12), st.integers(0, 300))


@st.composite
def months(draw: st.DrawFn) -> dict[str, int]:
    """What can happen in a month: whatever was sent was said in some guide."""
    month = {what: draw(NUMBERS) for what in CELLS}
    said = said_in_guides(month)
    month[gone.SENT] = draw(st.one_of(st.integers(0, said), st.integers(max(0, said - FEW), said)))
    return month


def said_in_guides(month: dict[str, int]) -> int:
    return sum(number for what, number in month.items() if what.startswith(gone.GUIDE))


@given(months())
def test_no_number_under_ten_is_shown_and_no_larger_one_is_called_small(month: dict[str, int]) -> None:
    told = shown(month, GUIDES)
    assert set(told) == set(CELLS)
    for what, text in told.items():
        if month[what] < FEW:
            assert text in (UNDER, HIDDEN)
        else:
            assert text in (str(month[what]), HIDDEN)


@given(months(), st.sampled_from(CELLS), st.integers(0, FEW - 1))
def test_a_number_that_is_called_small_may_be_any_small_one(month: dict[str, int], what: str, other: int) -> None:
    """For each there is another month, as possible as this one, of which the same is shown."""
    told = shown(month, GUIDES)
    if told[what] != UNDER:
        return
    twin = {**month, what: other}
    for name, text in told.items():  # as far as it must, what is not told either makes it possible
        missing = max(0, twin[gone.SENT] - said_in_guides(twin))
        if name == what or text not in (UNDER, HIDDEN):
            continue
        if name == gone.SENT:
            twin[name] -= missing if text == HIDDEN else min(missing, twin[name])
        elif name.startswith(gone.GUIDE):
            twin[name] += missing if text == HIDDEN else min(missing, FEW - 1 - twin[name])
    assert twin[gone.SENT] <= said_in_guides(twin), "it can be reckoned from the number of mails"
    assert shown(twin, GUIDES) == told


def test_an_ordinary_month_is_told_in_full() -> None:
    month = dict.fromkeys(CELLS, 30)
    assert shown(month, GUIDES) == dict.fromkeys(CELLS, "30")


def test_a_guide_that_is_hidden_is_hidden_together_with_another() -> None:
    month = {**dict.fromkeys(CELLS, 40), gone.GUIDE + "syg": 3, gone.GUIDE + "ord": 12}
    told = shown(month, GUIDES)
    assert [told[gone.GUIDE + guide] for guide in GUIDES] == ["40", HIDDEN, UNDER]
    assert told[gone.SENT] == "40"


def test_where_every_guide_is_small_the_mails_are_not_told_either() -> None:
    month = {**dict.fromkeys(CELLS, 9), gone.SENT: 26}
    assert shown(month, GUIDES)[gone.SENT] == HIDDEN


@pytest.mark.parametrize(
    ("now", "last"),
    [
        ("2026-11-22", "2026-10"),
        ("2026-11-09", "2026-10"),
        ("2026-11-07", "2026-09"),
        ("2026-12-01", "2026-10"),
        ("2027-01-08T01", "2026-12"),
    ],
)
def test_a_month_is_told_when_it_can_change_no_more(now: str, last: str) -> None:
    then = datetime.fromisoformat(now).replace(tzinfo=UTC).timestamp()
    known = {f"2026-{month:02}": {gone.SENT: 1} for month in (8, 9, 10, 11, 12)} | {"2027-01": {gone.SENT: 1}}
    assert closed_months(known, then)[-1] == last


# ---- the command


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    web = Web(tmp_path)
    monkeypatch.setattr("voice.config.Config.from_env", lambda: web.config)
    yield web
    web.close()


def printed(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    assert main(["statistics"]) == 0
    return [line.split("  ") for line in capsys.readouterr().out.splitlines()]


def test_what_is_here_and_what_became_counts_is_told_together(web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    then = datetime(2024, 3, 5, tzinfo=UTC).timestamp()
    with store.writing(web.engine) as tx:
        for number in range(24):
            sid, more = f"CA{number:032x}", {"public_key": b"", "worker_key": b"", "private_key_sealed": b"", "language": "da"}
            ended = "complete" if number < 20 else "hung_up"
            store.begin_call(tx, sid, f'{{"ended": "{ended}"}}', then + number)
            guide = "lang" if number < 12 else "kort"
            sent_at = then if number < 20 else None
            store.add_preparation(tx, sid[2:], guide=guide, consent_at=then, created_at=then + number, sent_at=sent_at, **more)
        store.add_preparation(tx, "late", guide="lang", consent_at=then, created_at=then, sent_at=then, late_of="0", **more)
    before = printed(capsys)
    cells = dict(zip(*([cell.strip() for cell in row if cell.strip()] for row in before), strict=True))
    assert cells["month"] == "2024-03"
    assert [cells[what] for what in (gone.FINISHED, gone.BROKEN_OFF, gone.SENT)] == ["20", UNDER, "20"]
    assert sorted(cells[what] for what in cells if what.startswith(gone.GUIDE)) == ["12", HIDDEN, UNDER, UNDER]
    with store.writing(web.engine) as tx:
        gone.forget_old_rows(tx, then + 7)
    assert printed(capsys) == before
    with store.writing(web.engine) as tx:
        gone.forget_old_rows(tx, then + 100)
    assert printed(capsys) == before


def test_of_this_month_nothing_is_told(web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    web.post("/calls", {"CallSid": "CA" + "1" * 32})
    assert main(["statistics"]) == 0
    assert capsys.readouterr().out == "There is nothing to tell yet: a month is shown a week after its end.\n"
