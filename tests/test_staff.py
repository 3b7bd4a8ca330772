"""The operator's list of whose number it is: taken in whole or not at all, and every bad row told with its reason."""

import csv
import io
import time
from pathlib import Path

import pytest

from tests.web import TOKEN, environ
from voice import bindings, store
from voice.__main__ import main
from voice.config import Config
from voice.directory import caller_keys, open_entry, read_hint
from voice.keyring import Keyring
from voice.staff import read_list

HEAD = "phone,name,e-mail,language\n"
LONE = "20123456,Lone Hansen,lone@gmail.com,da\n"
SECRETS = [TOKEN]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    settings = environ(tmp_path, EMPLOYER_DOMAINS="firma.dk")
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return Config.from_env(settings)


def taken(config: Config, data: str | bytes) -> int:
    file = config.data_dir / "staff.csv"
    config.data_dir.mkdir(exist_ok=True)
    file.write_bytes(data.encode() if isinstance(data, str) else data)
    return main(["staff", "import", str(file)])


def bound(config: Config) -> dict[str, str]:
    """Every number on the list with its address, as the worker opens them."""
    engine = store.connect(config.database_url)
    keyring = Keyring.of(config, engine)
    with store.reading(engine) as look:
        entries = [open_entry(row, keyring) for row in bindings.staff(look)]
        for entry in entries:
            known = bindings.known(look, caller_keys(entry.number, SECRETS), time.time())
            assert (known is not None) == bool(entry.address)
            if known is not None:
                assert read_hint(known, SECRETS).domain == entry.address.partition("@")[2]
    engine.dispose()
    return {entry.number: entry.address for entry in entries}


ROWS = ["20 12 34 56", "Søren Åkær", "soren@gmail.com", "da"]


def written(delimiter: str, heading: bool = True) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    if heading:
        writer.writerow(["Telefon", "Navn", "E-mail", "Sprog"])
    writer.writerow(ROWS)
    return text.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("heading", [True, False])
def test_a_list_is_read_as_any_spreadsheet_writes_it(encoding: str, delimiter: str, heading: bool) -> None:
    found = read_list(written(delimiter, heading).encode(encoding))
    assert found.problems == []
    [person] = found.people
    assert (person.number, person.name, person.address.text, person.language) == ("+4520123456", "Søren Åkær", "soren@gmail.com", "da")


def test_columns_are_found_by_their_names_in_any_order_and_others_are_let_be() -> None:
    found = read_list(b"afdeling;E-mail;Mobil\nlager;lone@gmail.com;+45 20 12 34 56\n")
    assert [(person.number, person.address.text) for person in found.people] == [("+4520123456", "lone@gmail.com")]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",Lone,lone@gmail.com,da", "phone: is missing"),
        ("12345678,Lone,lone@gmail.com,da", "phone: is not a telephone number"),
        ("2012345,Lone,lone@gmail.com,da", "phone: is not a telephone number"),
        ("ring,Lone,lone@gmail.com,da", "phone: holds what is no digit"),
        ("=1+1,Lone,lone@gmail.com,da", "phone: holds a formula"),
        ("20123456,=HYPERLINK(1),lone@gmail.com,da", "name: holds a formula"),
        ("20123456,@SUM(A1),lone@gmail.com,da", "name: holds a formula"),
        ("20123456,Lone,=A1,da", "e-mail: holds a formula; e-mail: is not one e-mail address"),
        ("20123456,Lone,,da", "e-mail: is missing"),
        ("20123456,Lone,lone@gmail,da", "e-mail: is not one e-mail address"),
        ("20123456,Lone,lone@gmail.com;ole@gmail.com,da", "e-mail: is not one e-mail address"),
        ("20123456,Lone,lone@gmail.com,dansk", "language: must be a code such as da"),
        ("20123456,Lone,lone@gmail.com,da,chef@firma.dk", "has more cells than there are columns"),
        ('20123456,"Lone\nBcc: x",lone@gmail.com,da', "name: is not a line of text"),
        (",,lone,", "phone: is missing; e-mail: is not one e-mail address"),
    ],
)
def test_one_bad_row_is_named_with_its_reason_and_nothing_is_taken_in(
    config: Config, capsys: pytest.CaptureFixture[str], row: str, reason: str
) -> None:
    assert taken(config, HEAD + "30123456,Ole,ole@gmail.com,da\n" + row + "\n") == 1
    told = capsys.readouterr().err.splitlines()
    assert any(line.startswith("row ") and line.endswith(f": {reason}.") for line in told), told
    assert told[-1] == "1 rows are bad: nothing was imported."
    assert not Path(config.database_url.removeprefix("sqlite:///")).exists()


def test_every_bad_row_is_named_at_once() -> None:
    found = read_list((HEAD + "1,a,b,c\n" * 3 + LONE + "x,a,b,c\n").encode())
    assert [problem.split(":")[0] for problem in found.problems] == ["row 2", "row 3", "row 4", "row 6"]


@pytest.mark.parametrize(
    "data", [b"", b"\xef\xbb\xbf", b"\n\n", HEAD.encode(), b'"never closed', b"\x00\x01\x02\xff", b"PK\x03\x04" + bytes(range(256))]
)
def test_what_is_no_list_is_told_and_never_an_error_of_the_program(data: bytes) -> None:
    assert read_list(data).problems


def test_a_list_that_is_imported_again_updates_what_changed_and_moves_nothing_else(config: Config) -> None:
    assert taken(config, HEAD + LONE + "30123456,Ole,ole@gmail.com,da\n") == 0
    engine = store.connect(config.database_url)
    with store.reading(engine) as look:
        before = {row.caller: row.id for row in bindings.staff(look)}
    assert taken(config, HEAD + LONE + "30123456,Ole,ole@hotmail.com,da\n40123456,Pia,pia@gmail.com,da\n") == 0
    with store.reading(engine) as look:
        after = {row.caller: row.id for row in bindings.staff(look)}
    engine.dispose()
    assert bound(config) == {"+4520123456": "lone@gmail.com", "+4530123456": "ole@hotmail.com", "+4540123456": "pia@gmail.com"}
    assert [before[caller] == after[caller] for caller in before] == [True, False]


def test_a_number_on_two_rows_is_shared_and_binds_nobody_until_a_list_says_otherwise(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    assert taken(config, HEAD + LONE + "+45 2012 3456,Ole,ole@gmail.com,da\n40123456,Pia,pia@gmail.com,da\n") == 0
    assert "row 3: the number stands in row 2 too: it is shared and binds nobody." in capsys.readouterr().err
    assert bound(config) == {"+4520123456": "", "+4540123456": "pia@gmail.com"}
    assert taken(config, HEAD + LONE) == 0
    assert bound(config) == {"+4520123456": "lone@gmail.com", "+4540123456": "pia@gmail.com"}


def test_the_same_row_twice_is_one_person(config: Config) -> None:
    assert taken(config, HEAD + LONE + LONE) == 0
    assert bound(config) == {"+4520123456": "lone@gmail.com"}


def test_the_employer_s_own_addresses_and_likely_slips_are_warned_about(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    assert taken(config, HEAD + "20123456,Lone,lone@post.firma.dk,\n30123456,Ole,ole@gmail.con,\n") == 0
    told = capsys.readouterr().err
    assert "row 2: the address is the employer's, whose IT may read it: a private one is better." in told
    assert "row 3: gmail.con is unusual: was it misspelt?" in told


def test_the_list_can_be_printed_and_a_number_taken_off_it(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    taken(config, HEAD + LONE + "30123456,Ole,ole@gmail.com,\n")
    capsys.readouterr()
    assert main(["staff", "list"]) == 0
    assert (
        capsys.readouterr().out == "phone,name,e-mail,language\n+4520123456,Lone Hansen,lone@gmail.com,da\n+4530123456,Ole,ole@gmail.com,\n"
    )
    assert main(["staff", "remove", "20 12 34 56"]) == 0
    assert bound(config) == {"+4530123456": "ole@gmail.com"}
    assert main(["staff", "remove", "+4520123456"]) == 1
    assert main(["staff", "remove", "hvem"]) == 1


def test_neither_number_nor_name_nor_address_stands_in_the_database_in_clear(config: Config) -> None:
    taken(config, HEAD + LONE)
    stored = b"".join(file.read_bytes() for file in config.data_dir.glob("samtaleklar.sqlite*"))
    for secret in (b"20123456", b"Lone", b"lone@", b"gmail.com"):
        assert secret not in stored


@pytest.mark.faults
def test_a_list_of_a_hundred_thousand_rows_is_taken_in(config: Config) -> None:
    rows = "".join(f"+45{30_000_000 + number},Person {number},person.{number}@gmail.com,da\n" for number in range(100_000))
    began = time.monotonic()
    assert taken(config, HEAD + rows) == 0
    print(f"\n100,000 rows in {time.monotonic() - began:.0f} s")
    engine = store.connect(config.database_url)
    with store.reading(engine) as look:
        assert bindings.counts(look, 0)["numbers bound by import"] == 100_000
    engine.dispose()
