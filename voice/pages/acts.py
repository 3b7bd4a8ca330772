"""What each page shows and what its buttons do. Each is one transaction."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy.engine import Connection, Engine, Row

from voice import bindings, store
from voice.addresses import Address, is_of, meant, read
from voice.config import Config
from voice.directory import REMEMBERED, entry_for, mail_token, new_binding, page_hash, read_hint, token_hash
from voice.preparations import WAIT, Preparations
from voice.prompts import Prompts
from voice.queue import Queue

Name = Literal[
    "write",
    "meant",  # a slip of the finger?
    "employer",  # a mailbox that the employer's IT may read
    "look",  # in your mailbox
    "confirm",
    "confirmed",
    "sent",
    "resent",
    "forgotten",
    "not_me",
    "delete",
    "deleted",
    "empty",
    "gone",
]
MAX_WRITTEN = 5  # addresses that one page takes: it must not be a way to send mails to strangers


@dataclass(frozen=True, slots=True)
class Page:
    """One page. ``wrong`` names the text that says what is wrong with what was written."""

    name: Name
    status: int = 200
    address: str = ""
    domain: str = ""
    suggested: str = ""
    wrong: str = ""
    sure: tuple[str, ...] = ()
    language: str = ""  # "" is the line's first


GONE = Page("gone", 404)


class Pages:
    """The pages of one line. ``exists`` tells whether an address's domain takes mail."""

    def __init__(
        self,
        config: Config,
        engine: Engine,
        queue: Queue,
        prompts: Prompts,
        exists: Callable[[Address], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.prompts = prompts
        self._config = config
        self._engine = engine
        self._queue = queue
        self._exists = exists
        self._clock = clock
        self._preparations = Preparations(queue, clock)

    def look(self, token: str) -> Page:
        """The page of the preparation whose text had this token."""
        with store.reading(self._engine) as tx:
            row = bindings.page(tx, page_hash(mail_token(token)))
            return GONE if row is None else replace(self._shown(tx, row), language=row.language)

    def act(self, token: str, act: str, written: str, sure: Collection[str]) -> Page:
        """A button was pressed there."""
        checked = self._check(written, sure) if act == "write" else None
        with store.writing(self._engine) as tx:
            row = bindings.page(tx, page_hash(mail_token(token)))
            if row is None:
                return GONE
            return replace(self._acted(tx, row, act, checked), language=row.language)

    def _acted(self, tx: Connection, row: Row[Any], act: str, checked: Address | Page | None) -> Page:
        match act:
            case "write" if self._can_write(row):
                return self._take(tx, row, checked) if isinstance(checked, Address) else checked or self._shown(tx, row)
            case "again" if self._preparations.again(tx, row):
                return Page("resent")
            case "forget" if self._own(tx, row) is not None:
                bindings.forget(tx, [row.caller], ("confirmed", "pending", "refused"))
                return Page("forgotten")
            case "not_me":
                return Page("not_me")
            case "delete":
                return self._delete(tx, row)
        return self._shown(tx, row)

    def asks(self, token: str) -> Page:
        """The page with the one button."""
        with store.reading(self._engine) as tx:
            written = bindings.pending(tx, token_hash(token), self._clock())
            return GONE if written is None else Page("confirm", language=self._language(written))

    def confirm(self, token: str) -> Page:
        """Its button: from now on the number is bound to that address, and what waits is sent there."""
        now = self._clock()
        with store.writing(self._engine) as tx:
            written = bindings.pending(tx, token_hash(token), now)
            if written is None:
                return GONE
            bindings.forget(tx, [written.caller], ("confirmed",))
            bindings.change(tx, written.id, kind="confirmed", token_hash=None, expires_at=now + REMEMBERED)
            bindings.forget_written(tx, written.preparation)
            self._preparations.bound(tx, written.preparation, written.id)
            return Page("confirmed", language=self._language(written))

    def asks_to_delete(self, token: str) -> Page:
        """The page with the one button, from the link in the mail with the preparation."""
        with store.reading(self._engine) as tx:
            row = bindings.page(tx, page_hash(token))
            return GONE if row is None else Page("delete", language=row.language)

    def delete(self, token: str) -> Page:
        """Its button."""
        with store.writing(self._engine) as tx:
            row = bindings.page(tx, page_hash(token))
            return GONE if row is None else replace(self._delete(tx, row), language=row.language)

    def _delete(self, tx: Connection, row: Row[Any]) -> Page:
        bindings.forget(tx, [row.caller], ("confirmed", "pending", "refused"))
        self._preparations.erase(tx, row)
        return Page("deleted")

    def _language(self, binding: Row[Any]) -> str:
        hint = read_hint(binding, self._config.secrets)
        return hint.language if hint else ""

    def _shown(self, tx: Connection, row: Row[Any]) -> Page:
        own = self._own(tx, row)
        if row.status == "empty":
            return Page("empty")
        if own is not None and row.status != "undeliverable":
            hint = read_hint(own, self._config.secrets)
            return Page("sent" if row.sent_at else "confirmed", domain=hint.domain if hint else "")
        return Page("write")

    def _can_write(self, row: Row[Any]) -> bool:
        return row.status == "undeliverable" or (row.binding is None and row.status in ("open", "closed", "sending", "waiting"))

    def _own(self, tx: Connection, row: Row[Any]) -> Row[Any] | None:
        return bindings.get(tx, row.binding) if row.binding else None

    def _check(self, written: str, sure: Collection[str]) -> Address | Page:
        address = read(written)
        if address is None:
            return Page("write", 422, address=written[:254], wrong="write_wrong")
        likely = meant(address)
        if likely is not None and "meant" not in sure:
            return Page("meant", address=address.text, domain=likely.domain, suggested=likely.text)
        if is_of(address, self._config.employer_domains) and "employer" not in sure:
            return Page("employer", address=address.text, sure=("meant",))
        if not self._exists(address):
            return Page("write", 422, address=address.text, domain=address.domain, wrong="write_nowhere")
        return address

    def _take(self, tx: Connection, row: Row[Any], address: Address) -> Page:
        if len(bindings.written(tx, row.id)) >= MAX_WRITTEN:
            return Page("write", 429, wrong="write_too_many")
        public_key = store.worker_key(tx, "bindings")
        assert public_key is not None
        binding, now = store.new_id(), self._clock()
        made = new_binding(
            binding,
            "pending",
            row.caller,
            *entry_for(address, row.language),
            public_key=public_key,
            secret=self._config.secrets[0],
            now=now,
            expires_at=now + WAIT,
            preparation=row.id,
        )
        bindings.add(tx, [made])
        self._queue.enqueue(tx, "confirm", binding)
        return Page("look", address=address.text)
