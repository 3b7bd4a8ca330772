"""``samtaleklar staff``: the operator's list of whose number it is. A file is taken in whole, or not at all."""

import csv
import io
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import phonenumbers
from sqlalchemy.engine import Engine

from voice import bindings, gone, store
from voice.addresses import Address, is_of, meant, read
from voice.config import Config
from voice.directory import Entry, Hint, binding_id, caller_keys, new_binding, open_entry, read_hint
from voice.errors import VoiceError
from voice.keyring import Keyring
from voice.migrations import migrate
from voice.queue import Queue
from voice.stuck import stuck

COLUMNS = {  # as they may be called in the first line; without such a line they stand in this order
    "phone": ("phone", "telefon", "telefonnummer", "tlf", "mobil", "mobilnummer", "nummer", "number"),
    "name": ("name", "navn"),
    "e-mail": ("e-mail", "email", "mail", "e-mailadresse", "mailadresse"),
    "language": ("language", "sprog"),
}
STATUS_SECONDS = 7 * 86400.0
BATCH = 500  # keys that one statement names
MAX_BYTES = 50_000_000
COLUMN = dict[str, int]


@dataclass(frozen=True, slots=True)
class Person:
    """One good row."""

    number: str  # E.164
    name: str
    address: Address
    language: str


@dataclass(slots=True)
class StaffList:
    """What a file says. With any of ``problems`` nothing of it is taken in."""

    people: list[Person] = field(default_factory=list)
    shared: set[str] = field(default_factory=set)  # numbers that stand at several people: they bind nobody
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read_list(data: bytes, employer_domains: tuple[str, ...] = ()) -> StaffList:
    """Read a CSV file: UTF-8 or Windows-1252, with commas, semicolons or tabs. Every bad row is named with its reason."""
    found = StaffList()
    rows = csv.reader(io.StringIO(_text(data), newline=""), delimiter=_delimiter(_text(data)), strict=True)
    columns: COLUMN | None = None
    first_row: dict[str, int] = {}
    seen: dict[str, Person] = {}
    try:
        for cells in rows:
            cells = [cell.strip(" \t\u00a0\ufeff") for cell in cells]
            if not any(cells):
                continue
            if columns is None:
                columns = _heading(cells)
                if columns is not None:
                    continue
                columns = {name: n for n, name in enumerate(COLUMNS)}
            reasons: list[str] = []
            person = _person(cells, columns, reasons)
            if person is None:
                found.problems.append(f"row {rows.line_num}: {'; '.join(reasons)}.")
                continue
            before = seen.setdefault(person.number, person)
            if before is not person:
                same = before == person
                found.warnings.append(
                    f"row {rows.line_num}: the same as row {first_row[person.number]}."
                    if same
                    else f"row {rows.line_num}: the number stands in row {first_row[person.number]} too: it is shared and binds nobody."
                )
                if not same:
                    found.shared.add(person.number)
                continue
            first_row[person.number] = rows.line_num
            if is_of(person.address, employer_domains):
                found.warnings.append(f"row {rows.line_num}: the address is the employer's, whose IT may read it: a private one is better.")
            elif meant(person.address):
                found.warnings.append(f"row {rows.line_num}: {person.address.domain} is unusual: was it misspelt?")
    except csv.Error as error:
        found.problems.append(f"row {rows.line_num}: is not CSV ({error}): look for a quotation mark that is not closed.")
    found.people = [person for person in seen.values() if person.number not in found.shared]
    if not (seen or found.problems):
        found.problems.append("there is no row in the file.")
    return found


def import_file(config: Config, path: Path) -> int:
    """Take a list in. Gives the exit code: 1 if a row is bad, and then nothing is changed."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise VoiceError(f"The list {path} cannot be read: {error.strerror}.") from error
    if len(data) > MAX_BYTES:
        raise VoiceError(f"The list {path} has more than {MAX_BYTES // 1_000_000} MB: it cannot be a list of people.")
    found = read_list(data, config.employer_domains)
    for line in (*found.problems, *found.warnings):
        print(line, file=sys.stderr)
    if found.problems:
        print(f"{len(found.problems)} rows are bad: nothing was imported.", file=sys.stderr)
        return 1
    with database(config) as engine:
        take_in(engine, config, found)
    print(f"{len(found.people)} numbers are bound, {len(found.shared)} are shared and bind nobody.")
    return 0


def take_in(engine: Engine, config: Config, found: StaffList) -> None:
    """In one transaction: the numbers of the list are as the list says, all others as they were."""
    secret, now = config.secrets[0], time.time()
    with store.writing(engine) as tx:
        public_key = store.worker_key(tx, "bindings")
        assert public_key is not None
        entries = [
            (person.number, "staff", Entry(person.address.text, person.number, person.name), Hint(person.address.domain, person.language))
            for person in found.people
        ]
        entries += [(number, "shared", Entry("", number), Hint("")) for number in sorted(found.shared)]
        rows = [
            new_binding(
                binding_id(entry.address, number, secret),
                kind,
                caller_keys(number, [secret])[0],
                entry,
                hint,
                public_key=public_key,
                secret=secret,
                now=now,
            )
            for number, kind, entry, hint in entries
        ]
        keys = [key for number, *_ in entries for key in caller_keys(number, config.secrets)]
        for start in range(0, len(keys), BATCH):
            bindings.forget(tx, keys[start : start + BATCH], ("staff", "shared"))
        bindings.add(tx, rows)


def print_list(config: Config) -> None:
    """Print who is on the list, as CSV. Needs the worker's keys."""
    with database(config) as engine, store.reading(engine) as look:
        keyring = Keyring.of(config, engine)
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in bindings.staff(look):
            entry, hint = open_entry(row, keyring), read_hint(row, config.secrets)
            writer.writerow([entry.number, entry.name, entry.address or "(shared)", hint.language if hint else ""])


def print_status(config: Config) -> None:
    """Count what waits, what failed in the last week (texts, mails and jobs), and what the provider still has."""
    with database(config) as engine, store.reading(engine) as look:
        now = time.time()
        counts = {**bindings.counts(look, now - STATUS_SECONDS), **stuck(look, Queue(engine), now), **gone.at_the_provider(look, now)}
    for name, count in counts.items():
        print(f"{name}: {count}")


def remove(config: Config, number: str) -> int:
    """Forget all that is bound to a number, by whomever. Gives the exit code: 1 if nothing was."""
    e164 = read_number(number, [])
    if e164 is None:
        raise VoiceError(f"{number!r} is no telephone number: write it such as +4520123456.")
    with database(config) as engine, store.writing(engine) as tx:
        gone = bindings.forget(tx, caller_keys(e164, config.secrets), ("staff", "shared", "pending", "confirmed", "refused"))
    print("Nothing is bound to the number any more." if gone else "Nothing was bound to that number.")
    return 0 if gone else 1


@contextmanager
def database(config: Config) -> Iterator[Engine]:
    """The line's database, migrated, with the public keys that sealing needs."""
    migrate(config.database_url)
    engine = store.connect(config.database_url, wait=30)
    try:
        with store.reading(engine) as look:
            keyed = store.worker_key(look, "bindings") is not None
        if not keyed:  # sealing needs the public half alone, which any host finds in the database
            Keyring.of(config, engine).start()
        yield engine
    finally:
        engine.dispose()


def _text(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _delimiter(text: str) -> str:
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(";,\t", key=first.count)


def _heading(cells: list[str]) -> COLUMN | None:
    """Which column is which, if this is a line of names."""
    named = {name: n for n, cell in enumerate(cells) for name, names in COLUMNS.items() if cell.casefold() in names}
    return named if {"phone", "e-mail"} <= set(named) else None


def _person(cells: list[str], columns: COLUMN, reasons: list[str]) -> Person | None:
    values = {name: cells[columns[name]] if columns.get(name, len(cells)) < len(cells) else "" for name in COLUMNS}
    if len(cells) > max(len(columns), max(columns.values()) + 1) and any(cells[max(columns.values()) + 1 :]):
        reasons.append("has more cells than there are columns")
    for name in ("name", "e-mail", "language"):
        if values[name][:1] in ("=", "+", "-", "@"):
            reasons.append(f"{name}: holds a formula")
    number = read_number(values["phone"], reasons)
    address = read(values["e-mail"])
    if address is None:
        reasons.append(f"e-mail: {'is missing' if not values['e-mail'] else 'is not one e-mail address'}")
    language = values["language"].lower()
    if language and not re.fullmatch(r"[a-z]{2,3}", language):
        reasons.append("language: must be a code such as da")
    if not values["name"].isprintable() or len(values["name"]) > 200:
        reasons.append("name: is not a line of text")
    if reasons or number is None or address is None:
        return None
    return Person(number, values["name"], address, language)


def read_number(text: str, reasons: list[str]) -> str | None:
    """A telephone number in any usual form, in the international one; without a country it is Danish. None with a reason if it is none."""
    if not text:
        reasons.append("phone: is missing")
        return None
    if not re.fullmatch(r"[+0-9() ./\u00a0-]+", text):
        reasons.append("phone: holds a formula" if text[:1] in "=@-" else "phone: holds what is no digit")
        return None
    try:
        number = phonenumbers.parse(text, "DK")
    except phonenumbers.NumberParseException:
        number = None
    # Possible, not valid: which ranges are given out changes, and a list with one new number must not be refused.
    possible = number is not None and phonenumbers.is_possible_number(number)
    if number is None or not possible or (number.country_code == 45 and not 20_000_000 <= (number.national_number or 0) <= 99_999_999):
        reasons.append("phone: is not a telephone number")
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
