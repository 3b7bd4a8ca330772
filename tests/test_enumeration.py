"""Whose number the line knows cannot be found out by ringing it or by writing on its pages: the same bytes come back for all.

How long they take is compared in ``bench/enumeration.py``, as no test may depend on a clock.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.mailbox_line import MailboxLine
from tests.test_mailbox import NUMBER, invited
from voice import calls

KNOWN, STRANGER = "lone@gmail.com", "ole0@gmail.com"
Make = Callable[[str], MailboxLine]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """A line, in a folder of that name."""
    made: list[MailboxLine] = []

    def one(name: str) -> MailboxLine:
        made.append(MailboxLine(tmp_path / name))
        return made[-1]

    yield one
    for line in made:
        line.close()


def replies(line: MailboxLine, keys: str, number: str = NUMBER) -> list[tuple[bytes, list[tuple[str, str]]]]:
    """What a call with these keys is answered, each with its headers. The call's id is the same at each line."""
    found, path, form = [], "/calls", {"CallSid": "CA" + "7" * 32, "From": number}
    for key in ["", *keys]:
        reply = line.web.post(path, {**form, **({"Digits": key} if key else {})})
        found.append((reply.data, sorted(reply.headers.items())))
        gather = ElementTree.fromstring(reply.data).find("Gather")
        path = gather.attrib["action"] if gather is not None else ""
    return found


def compare(make: Make, keys: str) -> tuple[object, object]:
    known, unknown = make("known"), make("unknown")
    known.knows(NUMBER, KNOWN)
    return replies(known, keys), replies(unknown, keys)


@pytest.mark.parametrize("keys", ["1", "12", "2", "9991", "0"], ids=["consent", "not my telephone", "no consent", "wrong keys", "help"])
def test_who_rings_from_a_number_hears_the_same_whether_it_is_known_or_not(make: Make, keys: str) -> None:
    known, unknown = compare(make, keys)
    assert known == unknown


def test_only_who_says_that_it_is_their_own_telephone_hears_the_domain_and_no_more(make: Make) -> None:
    known, unknown = compare(make, "11")
    assert known != unknown, "nothing differs, so that comparing says nothing"
    assert "lone" not in str(known)


def test_a_line_that_greets_whom_it_knows_is_found(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    right = calls.Calls._mailbox
    monkeypatch.setattr(
        calls.Calls,
        "_mailbox",
        lambda self, tx, number, keys: (box := right(self, tx, number, keys)) and (None if box.domain else box),
    )
    known, unknown = compare(make, "1")
    assert known != unknown


def test_a_page_answers_the_same_to_an_address_that_is_known_and_to_one_that_is_not(make: Make) -> None:
    pages = []
    for name in ("known", "unknown"):
        line = make(name)
        line.knows("+4530000000", KNOWN if name == "known" else "some@gmail.com")
        _call, path = invited(line)
        pages.append(re.sub(r"[0-9a-f]{64}", "…", line.write(path, KNOWN).get_data(as_text=True)))
    assert pages[0] == pages[1]
    assert KNOWN in pages[0] or "gmail.com" in pages[0]
