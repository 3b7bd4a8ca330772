"""The report of faults: what is done is not done again, what failed is, and no row hides a failure."""

from pathlib import Path

import pytest

from tests.faults.report import Cases, Entry, Part, Report, spread


def cases(path: Path) -> Cases:
    return Cases(Report.load(path), "kills", "sqlite")


def test_a_run_that_is_broken_off_goes_on_where_it_was(tmp_path: Path) -> None:
    first = cases(tmp_path / "report")
    with first.trying("one"):
        pass
    with pytest.raises(KeyboardInterrupt), first.trying("two"):
        raise KeyboardInterrupt
    assert cases(tmp_path / "report").take(["one", "two", "three"]) == ["two", "three"]


def test_a_case_that_failed_is_tried_again_and_the_test_fails_after_the_others(tmp_path: Path) -> None:
    found = cases(tmp_path / "report")
    for case in found.take(["one", "two"]):
        with found.trying(case):
            assert case != "one", "lost"
    with pytest.raises(AssertionError, match=r"1 of 2 cases failed:\none: AssertionError: lost"):
        found.finish()
    assert cases(tmp_path / "report").take(["one", "two"]) == ["one"]


def test_a_line_that_was_cut_off_counts_as_not_tried(tmp_path: Path) -> None:
    with cases(tmp_path / "report").trying("one"):
        pass
    line = (tmp_path / "report").read_text()
    (tmp_path / "report").write_text(line + line[: len(line) // 2])
    assert len(Report.load(tmp_path / "report").entries) == 1


def test_what_is_noted_after_a_line_that_was_cut_off_is_kept(tmp_path: Path) -> None:
    (tmp_path / "report").write_text('{"row": "kil')
    with cases(tmp_path / "report").trying("one"):
        pass
    assert cases(tmp_path / "report").take(["one"]) == []


def test_the_table_counts_each_case_as_it_went_the_last_time() -> None:
    report = Report()
    for case, outcome in (("one", "failed"), ("one", "passed"), ("two", "failed"), ("three", "not reached")):
        report.add(Entry("kills", "sqlite", case, outcome, 40, "why"))
    assert "| kills | 1 failed, 1 not reached, 1 passed | 2 min 0 s |" in report.table()
    assert "- kills, sqlite, two: why" in report.table()
    assert "- kills, sqlite, one: why (passed when it was tried again)" in report.table()


def test_a_sample_is_spread_over_all_cases_and_is_the_same_each_time() -> None:
    everything = [str(n) for n in range(100)]
    assert spread(everything, 4) == ["12", "37", "62", "87"]
    assert spread(everything, None) == spread(everything, 200) == everything


def test_the_parts_of_several_runs_are_together_the_whole() -> None:
    everything = [str(n) for n in range(10)]
    parts = [Cases(Report(), "kills", "sqlite", Part.parse(f"{k}/3")) for k in (1, 2, 3)]
    assert sorted((case for part in parts for case in part.take(everything)), key=int) == everything
    assert parts[0].take(everything[1:]) == [case for case in parts[0].take(everything) if case != "0"], (
        "another list gives it another case"
    )


def test_a_row_whose_cases_mostly_met_no_fault_fails(tmp_path: Path) -> None:
    found = cases(tmp_path / "report")
    for case in ("one", "two", "three"):
        with found.trying(case):
            if case == "two":
                found.not_reached()
    with pytest.raises(AssertionError, match="of 3 cases 1 met no fault"):
        found.finish()
