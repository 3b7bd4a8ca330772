"""What can be written on the page or in a list as an address: a mail gets there and nowhere else, or it is refused."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.address_table import BAD, GOOD, SLIPS
from voice.addresses import Address, is_of, meant, read
from voice.delivery import build_message
from voice.summary.mail import MailText


def mailed(address: str) -> list[str]:
    """The recipients and the names of the headers of a mail to it, as a relay reads them."""
    text = MailText("s", "S", "t", "<p>t</p>", "da")
    message = build_message(text, to=address, sender="line@example.com", preparation_id="p", message_number=1, date=datetime.now(UTC))
    assert message["Bcc"] is None
    assert "bcc:" not in message.as_string().lower()
    return [one.addr_spec for one in message["To"].addresses]


@pytest.mark.parametrize(("written", "carried"), GOOD.items())
def test_an_address_that_is_one_is_taken_and_a_mail_goes_to_it_alone(written: str, carried: str) -> None:
    address = read(written)
    assert address is not None
    assert address.text == carried
    assert mailed(address.text) == [carried]


@pytest.mark.parametrize("written", BAD, ids=range(len(BAD)))
def test_what_is_no_address_or_hides_something_is_refused(written: str) -> None:
    assert read(written) is None


@pytest.mark.parametrize(("domain", "likely"), SLIPS.items())
def test_a_slip_of_the_finger_is_noticed(domain: str, likely: str) -> None:
    address = read(f"lone.hansen@{domain}")
    assert address is not None
    assert meant(address) == Address(f"lone.hansen@{likely}", likely)


def test_what_many_have_and_what_is_one_s_own_is_not_taken_for_a_slip() -> None:
    asked = [written for written in GOOD if (address := read(written)) and meant(address)]
    assert asked == []


def test_the_table_is_as_long_as_was_promised() -> None:
    assert len(GOOD) + len(set(BAD)) + len(SLIPS) >= 300


@given(st.text(max_size=80) | st.from_regex(r"[a-z.\"<>\r\n@,;: æ]{1,30}@[a-z.æ\r\n-]{1,20}\.(dk|com)"))
def test_whatever_is_written_either_one_mail_can_go_to_it_or_it_is_refused(written: str) -> None:
    address = read(written)
    if address is not None:
        assert address.text.isascii()
        assert mailed(address.text) == [address.text]


def test_the_employer_s_addresses_are_known_with_all_that_stands_below_its_domain() -> None:
    own = ("firma.dk", "xn--sborg-vua.dk")
    for written in ("a@firma.dk", "a@FIRMA.dk", "a@post.firma.dk", "a@søborg.dk"):
        assert is_of(read(written), own), written
    for written in ("a@minfirma.dk", "a@firma.dk.com", "a@firma.com", "firma.dk@gmail.com"):
        assert not is_of(read(written), own), written
