"""The pages on privacy: whatever they promise is shown by a test that exists, and the caller's page can be read."""

import ast
import re

import pytest

from tests.conftest import ROOT
from voice.check.readability import lix, sentences_of, words_of

PROMISES = (ROOT / "docs" / "privacy.md").read_text("utf-8")
FOR_CALLERS = (ROOT / "docs" / "privatliv.md").read_text("utf-8")


def missing(text: str) -> list[str]:
    """The tests that are named and do not exist."""
    found = re.findall(r"`(?:tests/)?(test_\w+\.py)::(\w+)`", text)
    return [f"{file}::{name}" for file, name in found if name not in _tests_of(file)]


def _tests_of(file: str) -> set[str]:
    path = ROOT / "tests" / file
    if not path.is_file():
        return set()
    return {node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef)}


def rows(text: str, heading: str) -> list[str]:
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("|")][2:]


def test_each_promise_names_tests_and_each_of_them_exists() -> None:
    promises = rows(PROMISES, "What is promised, and what shows it")
    assert len(promises) > 15
    assert [row for row in promises if "::test_" not in row] == []
    assert missing(PROMISES) == []


@pytest.mark.parametrize("named", ["`test_canary.py::test_nothing_of_the_kind`", "`test_never_written.py::test_x`"])
def test_a_test_that_does_not_exist_is_told(named: str) -> None:
    assert missing(named) == [named.strip("`")]


def test_the_caller_s_page_is_as_easy_as_the_line_itself() -> None:
    texts = [line.lstrip("-# ").replace("[", "").replace("]", "") for line in FOR_CALLERS.splitlines() if line.strip()]
    assert lix(texts) < 27
    assert [sentence for text in texts for sentence in sentences_of(text) if len(words_of(sentence)) > 15] == []
