"""The worker's keys: where their private halves lie, when they are made, and when they are destroyed.

What is said in a call is sealed, by way of its preparation's key, to the ``answers`` key of the day. A worker looks after
the keys every hour (LOOK), while it trusts the clock. A key that has the age CHANGE then is retired: a newer one is made, and from that
transaction on everything is sealed to that. KEEP after it was retired it is destroyed, at the next look. So what was sealed to
a key can be opened for KEEP = 7 days, and by nobody after CHANGE + LOOK + KEEP + LOOK = 8 days, backups of the database
included. Where no worker runs for days, nobody makes a newer key: the last one lives on until a worker is back, and 7 days more.

``bindings`` are sealed to a key of their own. It lives until ``samtaleklar keys rotate`` retires it, and is destroyed as soon as
no address is sealed to it any more.

A private half is a file of 32 bytes in KEYS_DIR. With KEYS_SECRET it stands in the key's row instead, locked with that secret:
for hosts without a disk of their own, and workers on several. Then a key is destroyed by blanking its column, and whoever has both
the secret and an old backup of the database can still open what that backup holds.
"""

import logging
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection, Engine, Row

from voice import bindings, store, vault
from voice.config import Config
from voice.errors import ConfigError, VoiceError
from voice.keyfiles import KeyFiles

log = logging.getLogger(__name__)

PURPOSES = ("answers", "bindings")
DAY = 86400.0
LOOK = 3600.0  # seconds between two looks
CHANGE = DAY - 2 * LOOK  # seconds: the age at which the key of the answers is changed
KEEP = 7 * DAY  # seconds for which what is said can be opened at all


class KeyGone(VoiceError):
    """The key is destroyed, and with it all that was sealed to it. ``permanent``: trying again cannot help."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


class Keyring:
    """Opens private keys, for the worker alone. Nothing is remembered: a key that is destroyed opens nothing from then on."""

    def __init__(self, engine: Engine, folder: Path, secrets: Sequence[bytes] = (), clock: Callable[[], float] = time.time) -> None:
        """``secrets``: new private halves are locked with the first and opened with all; without any they are files."""
        self._engine = engine
        self._folder = folder
        self._files = KeyFiles(folder)
        self._wrapping = [vault.wrapping_key(secret) for secret in secrets]
        self._clock = clock

    @classmethod
    def of(cls, config: Config, engine: Engine) -> "Keyring":
        """As the settings say."""
        return cls(engine, config.keys_dir, config.keys_secrets)

    # ---- opening

    def private(self, public: bytes) -> bytes:
        """The private half. Raises KeyGone, and ConfigError if it lies elsewhere."""
        with store.reading(self._engine) as look:
            row = store.find_worker_key(look, public)
        if row is not None and row.destroyed_at is not None:
            # An address is sealed anew before its key goes: whoever read it just before that finds it opens when read again.
            raise KeyGone(f"The key {_short(public)} is destroyed.", permanent=row.purpose == "answers")
        private = self._find(row) if row is not None else None
        if private is None:
            raise ConfigError([self._lacking([public])])
        return private

    def preparation_key(self, preparation: str, row: Row[Any]) -> bytes:
        """The private half of a preparation's own key; ``row`` has ``worker_key`` and ``private_key_sealed``. Raises SealBroken too."""
        where = vault.place("preparations", "private_key", preparation)
        return vault.unseal(self.private(row.worker_key), row.private_key_sealed, where)

    def where(self, row: Row[Any]) -> str:
        """For the operator: where a key's private half is."""
        if row.destroyed_at is not None:
            return "destroyed"
        if self._find(row) is None:
            return "NOT HERE"
        return str(self._folder) if row.private_sealed is None else "in the database, locked"

    def _find(self, row: Row[Any]) -> bytes | None:
        found = [self._files.read(row.public_key)] if row.private_sealed is None else [self._unlock(row, key) for key in self._wrapping]
        return next((private for private in found if private and vault.is_pair(row.public_key, private)), None)

    # ---- looking after them

    def start(self) -> None:
        """Make what is not there yet; what is old waits for the regular look, as the clock may be wrong now.

        Raises ConfigError if there are keys that cannot be opened here.
        """
        self.check()
        for purpose in PURPOSES:
            self.make(purpose, only_after=math.inf)

    def check(self) -> None:
        """Raises ConfigError if there are keys that cannot be opened here: a second one beside them would hide that."""
        if lost := self.lost():
            raise ConfigError([self._lacking([row.public_key for row in lost])])

    def lost(self) -> list[Row[Any]]:
        """The keys that should open here and do not."""
        with store.reading(self._engine) as look:
            living = [row for row in store.all_worker_keys(look) if row.destroyed_at is None and not self._is_due(look, row)]
        return [row for row in living if self._find(row) is None]

    def unknown(self) -> list[bytes]:
        """The files of which the database knows nothing: it was restored, or somebody died while a key was made."""
        with store.reading(self._engine) as look:
            known = {row.public_key for row in store.all_worker_keys(look)}
        return [public for public in self._files.all() if public not in known]

    def look_after(self) -> int:
        """Regularly: change the key of the answers when it is time, and destroy what has outlived its use. Tells how many that were."""
        self.make("bindings", only_after=math.inf)
        self.make("answers", only_after=CHANGE)
        with store.reading(self._engine) as look:
            rows = store.all_worker_keys(look)
            due = [row for row in rows if row.destroyed_at is None and self._is_due(look, row)]
        gone = {row.public_key for row in rows if row.destroyed_at is not None}
        for public in gone.intersection(self._files.all()):  # another worker has destroyed its own copy
            self._files.destroy(public)
        self.destroy(due)
        return len(due)

    def make(self, purpose: str, *, only_after: float = -math.inf) -> None:
        """Make a new key, which retires the one there is; nothing if that is younger than ``only_after`` seconds.

        Harmless when several do so at once, also if one dies of it: then there is a file more, to which nothing was ever sealed.
        """
        with store.reading(self._engine) as look:
            if self._is_young(look, purpose, only_after):
                return
        with store.writing(self._engine) as tx:
            store.lock_worker_keys(tx)
            if self._is_young(tx, purpose, only_after):
                return
            public, private = vault.new_pair()
            locked = vault.lock(self._wrapping[0], private, _place(public)) if self._wrapping else None
            if locked is None:
                self._files.keep(public, private)  # before the row is there: nothing can be sealed to what nobody could open
            store.add_worker_key(tx, public, self._clock(), purpose, locked)

    def destroy(self, rows: Sequence[Row[Any]]) -> None:
        """Beyond recovery, as far as this machine goes. The row stays: it tells when. A kill in between is made good by the next look."""
        for row in rows:
            self._files.destroy(row.public_key)
            with store.writing(self._engine) as tx:
                store.save_worker_key(tx, row.public_key, destroyed_at=self._clock(), private_sealed=None)
        if rows:
            log.info("%(count)d keys are destroyed", {"count": len(rows)})

    def destroy_unknown(self) -> None:
        """Destroy the files of which the database knows nothing."""
        for public in self.unknown():
            self._files.destroy(public)

    def _is_young(self, look: Connection, purpose: str, seconds: float) -> bool:
        current = store.current_worker_key(look, purpose)
        return current is not None and abs(self._clock() - current.created_at) < seconds  # made by a clock that was ahead, it is not young

    def _is_due(self, look: Connection, row: Row[Any]) -> bool:
        if row.retired_at is None:
            return False
        if row.purpose == "bindings":
            return not bindings.are_sealed_to(look, row.public_key)
        return bool(self._clock() - row.retired_at >= KEEP)

    def _unlock(self, row: Row[Any], wrapping: bytes) -> bytes | None:
        try:
            return vault.unlock(wrapping, row.private_sealed, _place(row.public_key))
        except vault.SealBroken:
            return None

    def _lacking(self, publics: Sequence[bytes]) -> str:
        names = " and ".join(_short(public) for public in publics)
        return (
            f"KEYS_DIR ({self._folder}) and KEYS_SECRET do not give the private half of {names}: set both as they are where it was made, "
            "or, if it is lost, give up what is sealed to it with `samtaleklar keys shred --lost`."
        )


def _short(public: bytes) -> str:
    return f"{public.hex()[:12]}…"


def _place(public: bytes) -> str:
    return vault.place("worker_keys", "private", public.hex())
