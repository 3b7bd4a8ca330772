"""Whose number is it? A number is not a person and not a proof: on it alone one may only start a call.

A binding says to which address a number's preparations go. The address is sealed to a key of the worker's own; its
domain and language, which the call may name, are locked with a secret that the database does not hold.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.engine import Connection, Engine, Row

from voice import bindings, store, vault
from voice.addresses import Address
from voice.config import Config
from voice.keyring import KeyGone, Keyring

# A withheld number comes as a word or as that word spelt on a keypad. ANONYMOUS looks like a number in Lesotho.
_WITHHELD = ("+266696687", "+7378742833", "+86282452253", "+2562533", "+8656696")
_HIDDEN = "hidden:"
DAY = 86400.0
REMEMBERED = 180 * DAY  # seconds after which a caller is asked for the address again
_BATCH = 200  # addresses sealed anew in one transaction
UNREACHABLE = 30 * DAY  # seconds for which a number that took no text is not tried again


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a preparation goes to, and the link by which they have all of it deleted; "" in a trial."""

    address: str
    delete_link: str = ""


def is_number(text: str) -> bool:
    """Whether a caller can be told from others by it: E.164, and not one that stands for "withheld"."""
    return re.fullmatch(r"\+[1-9][0-9]{6,14}", text) is not None and text not in _WITHHELD


def caller_keys(number: str, secrets: Sequence[str]) -> list[str]:
    """The keyed hashes under which a number may be stored: one for each secret, the one to store first. None if it is withheld."""
    if not is_number(number):
        return []
    return [_keyed(secret, "caller", number).hex() for secret in secrets]


@dataclass(frozen=True, slots=True)
class Entry:
    """What only the worker can open."""

    address: str
    number: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Hint:
    """What a call may know of the address that is bound to its number."""

    domain: str
    language: str = ""


def binding_id(address: str, number: str, secret: str) -> str:
    """The same for the same number and address, so that a list that is imported again moves nothing that did not change."""
    return _keyed(secret, "binding", f"{number}|{address}").hex()[:32]


def new_binding(
    binding: str, kind: str, caller: str, entry: Entry, hint: Hint, *, public_key: bytes, secret: str, now: float, **more: Any
) -> dict[str, Any]:
    """A row for ``bindings.add``."""
    return {
        "id": binding,
        "kind": kind,
        "caller": caller,
        "sealed_to": public_key,
        "entry_sealed": vault.seal(public_key, json.dumps(asdict(entry)).encode(), _entry(binding)),
        "hint_sealed": vault.lock(_hint_key(secret), json.dumps(asdict(hint)).encode(), _hint(binding)),
        "made_at": now,
        "expires_at": None,
        "preparation": None,
        "token_hash": None,
        **more,
    }


def open_entry(row: Row[Any], keyring: Keyring) -> Entry:
    """Raises ConfigError if the key is not here."""
    return Entry(**json.loads(_opened(row, keyring)))


def _opened(row: Row[Any], keyring: Keyring) -> bytes:
    return vault.unseal(keyring.private(row.sealed_to), row.entry_sealed, _entry(row.id))


def seal_anew(engine: Engine, keyring: Keyring) -> tuple[int, int]:
    """Seal all addresses to the current key; whoever goes on after a kill does what is left. One that opens no more is forgotten.

    Gives how many were sealed, and how many forgotten: their callers are asked for an address again.
    """
    sealed = forgotten = 0
    while True:
        with store.writing(engine) as tx:
            public = store.worker_key(tx, "bindings")
            rows = bindings.not_sealed_to(tx, public, _BATCH) if public is not None else []
            for row in rows:
                assert public is not None
                try:
                    entry = vault.seal(public, _opened(row, keyring), _entry(row.id))
                except (KeyGone, vault.SealBroken):
                    bindings.forget_one(tx, row.id)
                    forgotten += 1
                else:
                    bindings.change(tx, row.id, sealed_to=public, entry_sealed=entry)
                    sealed += 1
        if not rows:
            return sealed, forgotten


def read_hint(row: Row[Any], secrets: Sequence[str]) -> Hint | None:
    """None if none of the secrets is the one that it was locked with."""
    for secret in secrets:
        try:
            return Hint(**json.loads(vault.unlock(_hint_key(secret), row.hint_sealed, _hint(row.id))))
        except vault.SealBroken:
            continue
    return None


def hide(text: str, column: str, call_sid: str, secrets: Sequence[str]) -> str:
    """What a call remembers that names a domain, as it is stored: the database alone must not tell whose mailbox it is."""
    return _HIDDEN + base64.b64encode(vault.lock(_hint_key(secrets[0]), text.encode(), vault.place("calls", column, call_sid))).decode()


def show(stored: str, column: str, call_sid: str, secrets: Sequence[str]) -> str:
    """The text again; "" if none of the secrets is the one that it was hidden with. What an older version stored is as it is."""
    if not stored.startswith(_HIDDEN):
        return stored
    for secret in secrets:
        try:
            locked = base64.b64decode(stored.removeprefix(_HIDDEN))
            return vault.unlock(_hint_key(secret), locked, vault.place("calls", column, call_sid)).decode()
        except vault.SealBroken:
            continue
    return ""


def may_be_texted(tx: Connection, number: str, keys: Sequence[str], config: Config, now: float) -> bool:
    """Whether a text with a link may go to this number: Danish or allowed, one person's, reachable, and not too often."""
    allowed = re.fullmatch(r"\+45[2-9][0-9]{7}", number) or number.startswith(config.sms_also_to or ("-",))
    if not (config.sms_from and keys and allowed) or number in config.shared_numbers:
        return False
    if bindings.is_shared(tx, keys) or bindings.unreachable(tx, keys, now - UNREACHABLE):
        return False
    return not texts_used_up(tx, keys, config, now)


def texts_used_up(tx: Connection, keys: Sequence[str], config: Config, now: float) -> bool:
    """Whether this number, or the line, has had its texts of a day."""
    if bindings.count_texts(tx, now - DAY, keys) >= config.sms_per_number:
        return True
    return bindings.count_texts(tx, now - DAY) >= config.sms_per_day


def token(private_key: bytes, what: str) -> str:
    """The token of a link, of 256 bits: the same at every run of a job, and nothing that is stored here gives it away."""
    return hmac.new(private_key, f"link|{what}".encode(), hashlib.sha256).hexdigest()


def page_token(private_key: bytes) -> str:
    """Of the link in a text: it opens the preparation's page."""
    return token(private_key, "page")


def mail_token(page: str) -> str:
    """Of the link in the mail: it deletes, and no more, as the page's token cannot be found from it."""
    return token_hash(page)


def page_hash(mail: str) -> str:
    """What is stored, and tells both."""
    return token_hash(mail)


def token_hash(written: str) -> str:
    return hashlib.sha256(written.encode()).hexdigest()


def entry_for(address: Address, language: str) -> tuple[Entry, Hint]:
    return Entry(address.text), Hint(address.domain, language)


def _entry(binding: str) -> str:
    return vault.place("bindings", "entry", binding)


def _hint(binding: str) -> str:
    return vault.place("bindings", "hint", binding)


def _hint_key(secret: str) -> bytes:
    return _keyed(secret, "hint", "")


def _keyed(secret: str, use: str, text: str) -> bytes:
    return hmac.new(secret.encode(), f"{use}|{text}".encode(), hashlib.sha256).digest()
