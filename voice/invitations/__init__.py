"""Asking for an address: the text with a link, the mail with a button, and what happens when neither gets through.

Every body can run again from its start, and then sends the same text or mail once more, with the same link.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection, Engine, Row

from voice import bindings, store, vault
from voice.config import Config
from voice.delivery import build_message
from voice.directory import Recipient, mail_token, open_entry, page_hash, page_token, texts_used_up, token, token_hash
from voice.errors import ProviderError
from voice.keyring import Keyring
from voice.preparations import REMIND, WAIT, Preparations
from voice.prompts import Prompts
from voice.provider import Provider
from voice.queue import Job, Queue
from voice.summary.mail import MailText
from voice.templates import template

_CONFIRM = Path(__file__).parent / "confirm.html.jinja2"


class Invitations:
    """The jobs that bring an address to a preparation. ``send_mail`` hands a mail over and raises DeliveryError."""

    def __init__(
        self,
        config: Config,
        engine: Engine,
        queue: Queue,
        prompts: Prompts,
        provider: Provider,
        keyring: Keyring,
        send_mail: Callable[[EmailMessage], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._engine = engine
        self._queue = queue
        self._prompts = prompts
        self._provider = provider
        self._keyring = keyring
        self._send_mail = send_mail
        self._clock = clock
        self._preparations = Preparations(queue, clock)

    def table(self) -> Mapping[str, Job]:
        """Every job by name."""
        return {
            "invite": Job(self.invite, attempts=12, base=1, cap=600, give_up=self._uninvited),
            "remind": Job(self.remind, attempts=5, base=60, cap=3600, give_up=self._failed("remind"), wait=REMIND),
            "apologise": Job(self.apologise, attempts=5, base=60, cap=3600, give_up=self._failed("undeliverable")),
            "expire": Job(self.expire, wait=WAIT),
            "confirm": Job(self.confirm, attempts=34, base=5, cap=3600, give_up=self._refused),
        }

    def recipient(self, preparation: Row[Any]) -> Recipient | None:
        """Whom it goes to. None while there is none: then it waits, and one is asked for."""
        if self._config.trial:
            return Recipient(self._config.summary_to)
        with store.writing(self._engine) as tx:
            row = store.locked_preparation(tx, preparation.id)
            assert row is not None
            binding = bindings.get(tx, row.binding) if row.binding else None
            if binding is None:
                store.save_preparation(tx, row.id, binding=None)
                self._preparations.wait_for_address(tx, row.id)
                return None
            key = mail_token(self._page(tx, row))
        return Recipient(open_entry(binding, self._keyring).address, f"{self._config.public_base_url}/slet/{key}")

    def invite(self, preparation: str) -> None:
        """Send the text with the link, while the call still goes on."""
        row = self._row(preparation)
        if row is not None and row.text is None and row.status not in ("empty", "deleted", "expired"):
            self._text(row, "invite")
            with store.writing(self._engine) as tx:
                self._preparations.texted(tx, preparation)

    def remind(self, preparation: str) -> None:
        """One more text, when an address has been waited for in vain."""
        row = self._row(preparation)
        if row is not None and row.status == "waiting":
            self._text(row, "remind")

    def apologise(self, preparation: str) -> None:
        """No mail gets to the address: a text leads to the page where another one can be written."""
        row = self._row(preparation)
        if row is not None and row.status == "undeliverable":
            self._text(row, "undeliverable")

    def expire(self, preparation: str) -> None:
        with store.writing(self._engine) as tx:
            self._preparations.expire(tx, preparation)

    def confirm(self, binding: str) -> None:
        """Send the mail with the button to an address that was written on a page."""
        with store.writing(self._engine) as tx:
            written = bindings.get(tx, binding)
            row = store.locked_preparation(tx, written.preparation) if written is not None and written.kind == "pending" else None
            if written is None or row is None or not row.private_key_sealed:
                return
            key = token(self._keyring.preparation_key(row.id, row), binding)
            bindings.change(tx, binding, token_hash=token_hash(key))
        prompts = self._prompts.speaking(row.language)
        texts = prompts.pages
        link = f"{self._config.public_base_url}/ja/{key}"
        words = {name: texts[f"mail_{name}"] for name in ("text", "button", "not_you", "delete")}
        mail = MailText(
            subject=texts["mail_subject"],
            sender_name=prompts.mail["sender"],
            text="\n\n".join((words["text"], f"{words['button']}:\n{link}", words["not_you"], words["delete"])) + "\n",
            html=template(_CONFIRM).render(words=words, link=link, title=texts["mail_subject"], language=prompts.language),
            language=prompts.language,
        )
        date = datetime.fromtimestamp(written.made_at, UTC)
        address = open_entry(written, self._keyring).address
        sender = self._config.mail_from
        self._send_mail(build_message(mail, to=address, sender=sender, preparation_id=binding, message_number=1, date=date))

    def _text(self, row: Row[Any], which: str) -> None:
        """Send one text with the link to the preparation's page, unless the number has had enough of them today."""
        if not row.number_sealed:
            return
        private = self._keyring.preparation_key(row.id, row)
        number = vault.unseal(private, row.number_sealed, vault.place("preparations", "number", row.id)).decode()
        with store.writing(self._engine) as tx:
            if texts_used_up(tx, [row.caller], self._config, self._clock()):
                raise ProviderError("this number has had its texts of the day", permanent=True)
            key = self._page(tx, row)
        link = f"{self._config.public_base_url}/mail/{key}"
        try:
            body = self._prompts.speaking(row.language).pages[which].replace("{link}", link)
            self._provider.send_text(number, body, f"/texts/{which}/{row.id}")
        except ProviderError as error:
            if error.permanent:
                self._note(row, which, bindings.REFUSED)
            raise
        self._note(row, which, None)

    def _page(self, tx: Connection, row: Row[Any]) -> str:
        """Open the preparation's page, and give its token."""
        key = page_token(self._keyring.preparation_key(row.id, row))
        store.save_preparation(tx, row.id, page_hash=page_hash(mail_token(key)))
        return key

    def _note(self, row: Row[Any], which: str, failed: str | None) -> None:
        with store.writing(self._engine) as tx:
            bindings.add_text(tx, f"{which}:{row.id}", row.caller, self._clock(), failed)

    def _row(self, preparation: str) -> Row[Any] | None:
        with store.reading(self._engine) as look:
            row = store.preparation(look, preparation)
        return row if row is not None and row.private_key_sealed and row.caller else None

    def _uninvited(self, tx: Connection, preparation: str, reason: str) -> None:
        store.save_preparation(tx, preparation, text="failed")
        self._failed("invite")(tx, preparation, reason)

    def _failed(self, which: str) -> Callable[[Connection, str, str], None]:
        def note(tx: Connection, preparation: str, _reason: str) -> None:
            row = store.locked_preparation(tx, preparation)
            if row is not None and row.caller:
                bindings.add_text(tx, f"{which}:{preparation}", row.caller, self._clock(), "given up")

        return note

    def _refused(self, tx: Connection, binding: str, _reason: str) -> None:
        bindings.change(tx, binding, kind="refused", token_hash=None)
