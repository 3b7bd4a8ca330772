"""Debian's Chromium, for the tests that look at pages as people see them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import must_run

CHROMIUM = Path("/usr/bin/chromium")
NEEDED = [] if CHROMIUM.exists() else [str(CHROMIUM)]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
TAGS = ["wcag2a", "wcag2aa", "wcag2aaa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SCROLLS_SIDEWAYS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"

try:
    import axe_playwright_python  # noqa: F401 - wanted beside it
    from playwright.sync_api import Browser, sync_playwright
except ImportError as error:
    NEEDED.append(str(error))


@pytest.fixture(scope="module", name="browser")
def chromium() -> "Iterator[Browser]":
    """Not longer than a module: its event loop would be in the way of other tests'."""
    if NEEDED:
        must_run(f"the pages need a browser; not here: {', '.join(NEEDED)}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()
