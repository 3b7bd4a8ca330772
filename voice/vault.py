"""Sealing: what is said is never stored in clear. Cryptography alone; where the worker's keys lie is ``keyring.py``.

Every preparation has a key pair of its own. The web process makes it, seals its private half to the
worker's public key, keeps the public half, and can from then on only seal. Each sealed value is bound
to its place (table, column, row), so that it cannot be moved to another person's row.

A sealed value: version byte, a one-time AES key in a sealed box (X25519, XSalsa20-Poly1305), nonce,
AES-256-GCM ciphertext with the place as associated data.
"""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

from voice.errors import VoiceError

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


def is_pair(public: bytes, private: bytes) -> bool:
    """Whether these are the halves of one pair."""
    return len(private) == _KEY and bytes(PrivateKey(private).public_key) == public


def wrapping_key(secret: bytes) -> bytes:
    """The key that private keys are locked with, made of 32 random bytes."""
    return HKDF(algorithm=SHA256(), length=_KEY, salt=None, info=b"samtaleklar worker keys").derive(secret)


def seal(public: bytes, plain: bytes, where: str) -> bytes:
    """Seal ``plain`` for the holder of the private half. Costs 0.1 ms and 109 bytes."""
    key = secrets.token_bytes(_KEY)
    return _VERSION + SealedBox(PublicKey(public)).encrypt(key) + _encrypt(key, plain, where.encode())


def unseal(private: bytes, sealed: bytes, where: str) -> bytes:
    """The plain bytes again. Raises SealBroken."""
    if sealed[:1] != _VERSION:
        raise SealBroken("a sealed value of an unknown version")
    box, rest = sealed[1 : 1 + _BOX], sealed[1 + _BOX :]
    try:
        return _decrypt(SealedBox(PrivateKey(private)).decrypt(box), rest, where.encode())
    except (CryptoError, InvalidTag, ValueError) as error:
        raise SealBroken("a sealed value does not open here") from error


def lock(secret: bytes, plain: bytes, where: str) -> bytes:
    """Seal ``plain`` for whoever holds the same 32 secret bytes."""
    return _LOCKED + _encrypt(secret, plain, where.encode())


def unlock(secret: bytes, locked: bytes, where: str) -> bytes:
    """The plain bytes again. Raises SealBroken."""
    if locked[:1] != _LOCKED:
        raise SealBroken("a locked value of an unknown version")
    try:
        return _decrypt(secret, locked[1:], where.encode())
    except (InvalidTag, ValueError) as error:
        raise SealBroken("a locked value does not open here") from error


def _encrypt(key: bytes, plain: bytes, where: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plain, where)


def _decrypt(key: bytes, sealed: bytes, where: bytes) -> bytes:
    return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], where)
