"""Sealing: what is said is never stored in clear.

Every preparation has a key pair of its own. The web process makes it, seals its private half to the
worker's public key, keeps the public half, and can from then on only seal. Each sealed value is bound
to its place (table, column, row), so that it cannot be moved to another person's row.

A sealed value: version byte, a one-time AES key in a sealed box (X25519, XSalsa20-Poly1305), nonce,
AES-256-GCM ciphertext with the place as associated data.
"""

import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

from voice.errors import ConfigError, VoiceError

_VERSION = b"\x01"
_LOCKED = b"\x02"
_KEY = 32
_BOX = _KEY + 48  # what a sealed box adds
_NONCE = 12


class SealBroken(VoiceError):
    """A sealed value does not open: another key, another place, or it was changed."""


def place(table: str, column: str, row: str) -> str:
    """The name of one cell, which a sealed value is bound to."""
    return f"{table}|{column}|{row}"


def new_pair() -> tuple[bytes, bytes]:
    """A key pair as (public, private), 32 bytes each."""
    private = PrivateKey.generate()
    return bytes(private.public_key), bytes(private)


def seal(public: bytes, plain: bytes, where: str) -> bytes:
    """Seal ``plain`` for the holder of the private half. Costs 0.1 ms and 109 bytes."""
    key = secrets.token_bytes(_KEY)
    nonce = secrets.token_bytes(_NONCE)
    box = SealedBox(PublicKey(public)).encrypt(key)
    return _VERSION + box + nonce + AESGCM(key).encrypt(nonce, plain, where.encode())


def unseal(private: bytes, sealed: bytes, where: str) -> bytes:
    """The plain bytes again. Raises SealBroken."""
    if sealed[:1] != _VERSION:
        raise SealBroken("a sealed value of an unknown version")
    box, rest = sealed[1 : 1 + _BOX], sealed[1 + _BOX :]
    try:
        key = SealedBox(PrivateKey(private)).decrypt(box)
        return AESGCM(key).decrypt(rest[:_NONCE], rest[_NONCE:], where.encode())
    except (CryptoError, InvalidTag, ValueError) as error:
        raise SealBroken("a sealed value does not open here") from error


def lock(secret: bytes, plain: bytes, where: str) -> bytes:
    """Seal ``plain`` for whoever holds the same 32 secret bytes."""
    nonce = secrets.token_bytes(_NONCE)
    return _LOCKED + nonce + AESGCM(secret).encrypt(nonce, plain, where.encode())


def unlock(secret: bytes, locked: bytes, where: str) -> bytes:
    """The plain bytes again. Raises SealBroken."""
    if locked[:1] != _LOCKED:
        raise SealBroken("a locked value of an unknown version")
    try:
        return AESGCM(secret).decrypt(locked[1 : 1 + _NONCE], locked[1 + _NONCE :], where.encode())
    except (InvalidTag, ValueError) as error:
        raise SealBroken("a locked value does not open here") from error


class Keyring:
    """The worker's private keys: one file each in a folder that no backup takes, named by the public half."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, public: bytes) -> bool:
        return self._file(public).exists()

    def make(self) -> bytes:
        """Make a new pair, keep the private half, give the public one."""
        public, private = new_pair()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(self._file(public), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
        with os.fdopen(file, "wb") as writer:
            writer.write(private)
            writer.flush()
            os.fsync(writer.fileno())
        return public

    def private(self, public: bytes) -> bytes:
        """Raises ConfigError: without the key nothing that was said can be opened."""
        try:
            return self._file(public).read_bytes()
        except OSError as error:
            raise ConfigError([f"The key {public.hex()[:12]}… is not in {self._folder}: copy it from the worker that made it."]) from error

    def _file(self, public: bytes) -> Path:
        return self._folder / f"{public.hex()}.key"
