"""A whole call with canaries in all of it, and what it leaves behind: in the middle, when it has broken off, and when its mail has come.

The caller stands on the operator's list with a canary address and name. A first call meets a fault of the web process; a second one breaks
off after an answer; the third goes on to the end. The recogniser fails once, the relay refuses twice with the address in its reply.
"""

import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from tests.canary import Canaries, Finding, sweep
from tests.conftest import TEST_PROMPTS
from tests.exchange_line import voice
from tests.postgres import Postgres
from voice import store, vault
from voice.config import Config
from voice.exchange import Script, media
from voice.keyring import Keyring
from voice.local import line as local
from voice.local.line import LocalLine
from voice.prompts import Prompts
from voice.serving import render_all
from voice.speech import Synthesizer
from voice.speech.rendering import RenderReport
from voice.staff import import_file

SECONDS = 60  # for what another process does
SOUND = voice(1.5)
FAULT = "words {spoken}"
BROKEN_OFF = 'key 1\nkey 1\nkey 1\nkey 1\nkey 1\nspeak "it"\nsilence\nsilence\nhang up'
GONE_ON_WITH = 'key 1\nkey 1\nkey 1\nkey 1\nkey 1\nspeak "it"\nspeak "it"'


@dataclass
class Left:
    """What a call left behind."""

    middle: list[Finding] = field(default_factory=list)
    end: list[Finding] = field(default_factory=list)
    opened: set[str] = field(default_factory=set)  # the words that the keys open, in the middle
    refused: int = 0  # mails that the relay did not take at first
    mail: str = ""
    mailed_to: str = ""
    recordings: int = 0  # at the provider
    log: str = ""

    @property
    def findings(self) -> list[Finding]:
        return self.middle + self.end


@dataclass
class Places:
    """Where anything could be left."""

    folder: Path
    database_url: str
    server: Postgres | None
    log: Callable[[], str]

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    def back_up(self, name: str) -> None:
        """As an operator does, without the keys."""
        folder = self.folder / "backups"
        folder.mkdir(exist_ok=True)
        if self.server is None:
            file = make_url(self.database_url).database
            with closing(sqlite3.connect(str(file))) as source, closing(sqlite3.connect(folder / f"{name}.sqlite")) as target:
                source.backup(target)
            return
        for form in ("plain", "custom"):
            command = [self.server.programs / "pg_dump", f"--format={form}", f"--file={folder / name}.{form}", self.database_url]
            subprocess.run(command, check=True, capture_output=True)

    def sweep(self, canaries: Canaries) -> list[Finding]:
        (self.folder / "logs").mkdir(exist_ok=True)
        with (self.folder / "logs" / "processes").open("a") as file:
            file.write(self.log())
        places, others = [self.data, self.temporary, self.folder / "logs", self.folder / "backups"], list[Path]()
        if self.server is None:
            places.append(Path(str(make_url(self.database_url).database)).parent)
        else:
            places.append(self.server.folder)
            own = str(self._ask("SELECT oid FROM pg_database WHERE datname = current_database()"))
            others = [path for path in (self.server.folder / "data" / "base").iterdir() if path.name != own]  # of other tests
            self._ask("CHECKPOINT")  # what stands in memory only is written
        return sweep(places, canaries, allowed=others)

    def log_every_statement(self) -> None:
        """As an operator may set it, with what each is given."""
        assert self._ask("SHOW log_statement") == "none", "by default PostgreSQL logs no statements"
        for setting in ("log_statement = 'all'", "log_parameter_max_length = -1", "log_parameter_max_length_on_error = -1"):
            self._ask(f"ALTER DATABASE {make_url(self.database_url).database} SET {setting}")

    def _ask(self, statement: str) -> Any:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            answer = connection.execute(statement)  # type: ignore[arg-type]
            return answer.fetchone()[0] if answer.description else None  # type: ignore[index]


class Relay:
    """Refuses a recipient twice, naming it, and then takes the mail."""

    def __init__(self) -> None:
        self.refused = 0

    async def take(self, _server: object, _session: object, envelope: Any, address: str, _options: object) -> str:
        if self.refused < 2:
            self.refused += 1
            return f"451 4.7.1 <{address}> is greylisted"
        envelope.rcpt_tos.append(address)
        return "250 OK"


def leave_behind(
    folder: Path, database_url: str, server: Postgres | None, canaries: Canaries, log: Callable[[], str], bugs: str = ""
) -> Left:
    """The three calls, on a line with these bugs. ``log`` gives what the processes have written since it was last asked."""
    places = Places(folder, database_url, server, log)
    places.temporary.mkdir()
    if server is not None:
        places.log_every_statement()
    settings = {
        "TRIAL": "0",
        "SUMMARY_TO": "",
        "SMS_FROM": "Samtaleklar",
        "RESUME_WINDOW": "60",
        "ACCESS_LOG": "1",
        **dict.fromkeys(("ATTACH_PDF", "ATTACH_SOUND"), "0" if server is None else "1"),  # once is enough: they take seconds
        "PROMPTS_DIR": str(TEST_PROMPTS),
        "DATABASE_URL": database_url,
        "TMPDIR": str(places.temporary),
        "CANARY_SPOKEN": canaries.spoken,
        "CANARY_BUGS": bugs,
    }
    left, relay = Left(), Relay()
    with _line(places.data, settings) as line:
        line.mailbox.handle_RCPT = relay.take  # type: ignore[attr-defined]
        staff = folder / "staff.csv"
        staff.write_text(f"phone;name;e-mail\n{canaries.number};{canaries.name};{canaries.address}\n")
        assert import_file(line.config, staff) == 0
        staff.unlink()
        engine = store.connect(database_url, wait=30)
        try:
            _call(line, canaries, FAULT.format(spoken=canaries.spoken))
            _call(line, canaries, BROKEN_OFF)
            _until(lambda: _settled(engine) == 1, "the first answer is not written down")
            places.back_up("middle")
            left.middle = places.sweep(canaries)
            left.opened = _opened(engine, line) if "words_unsealed" not in bugs else set()
            _call(line, canaries, GONE_ON_WITH)
            _until(lambda: bool(line.mailbox.mails), "no mail has come")
            if "recordings_left" not in bugs:
                _until(lambda: not line.exchange.recordings, "recordings are left at the provider")
        finally:
            engine.dispose()
        [mail] = line.mailbox.mails
        body = mail.get_body(("plain",))
        assert body is not None
        left.mail, left.mailed_to, left.refused = body.get_content(), mail["Delivered-To"], relay.refused
        left.recordings = len(line.exchange.recordings)
        places.back_up("end")
    left.end = places.sweep(canaries)
    left.log = (folder / "logs" / "processes").read_text()
    return left


@contextmanager
def _line(folder: Path, settings: dict[str, str]) -> Iterator[LocalLine]:
    """Only the voice of the mail's sound is rendered: rendering all takes longer than the calls, which do without."""

    def render_few(config: Config, engine: sa.Engine, prompts: Iterable[Prompts], synthesizer: Synthesizer) -> RenderReport:
        few = [
            replace(
                content, phrases={name: said for name, said in content.phrases.items() if name.startswith("sound_")}, guides=(), groups=()
            )
            for content in prompts
        ]
        return render_all(config, engine, few, synthesizer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "render_all", render_few)
        with LocalLine(folder, settings, ("tests.canary_worker",), "tests.canary_worker:create_app()") as line:
            yield line


def _call(line: LocalLine, canaries: Canaries, steps: str) -> None:
    script = Script.parse(f"from {canaries.number}\n{steps}", speak=lambda _text: media.to_wav(canaries.sound))
    _record, problems = line.exchange.play(script)
    assert problems == [], problems
    assert line.exchange.settle(SECONDS)


def _until(holds: Callable[[], bool], otherwise: str) -> None:
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, otherwise
        time.sleep(0.05)


def _settled(engine: sa.Engine) -> int:
    with store.reading(engine) as look:
        heard = sa.select(sa.func.count()).select_from(store.utterances).where(store.utterances.c.status == "heard")
        return look.execute(heard).scalar_one()


def _opened(engine: sa.Engine, line: LocalLine) -> set[str]:
    """What the keys of the worker open."""
    keyring, found = Keyring.of(line.config, engine), set()
    with store.reading(engine) as look:
        for row in look.execute(sa.select(store.utterances, store.preparations).join(store.preparations)):
            private = keyring.preparation_key(row.preparation, row)
            found.add(vault.unseal(private, row.words_sealed, vault.place("utterances", "words", row.id)).decode())
    return found
