"""A word for each turn of each call, which nobody can guess: it stands in the address that the turn's answer is sent to.

The provider's signature has no time in it and no mark between an address and its fields. With this word a request that somebody
saw is good for its own turn alone, whose second answer changes nothing.
"""

import hashlib
import hmac
from collections.abc import Sequence


def nonce(call_sid: str, turn: int, secrets: Sequence[str]) -> str:
    """128 bits as 32 hexadecimal digits, under the first secret. Nothing is stored: the same turn has the same nonce."""
    return _nonce(call_sid, turn, secrets[0])


def is_nonce(given: str, call_sid: str, turn: int, secrets: Sequence[str]) -> bool:
    """Whether it was made for that turn of that call, under any of the secrets: they may change during a call."""
    return any([hmac.compare_digest(_nonce(call_sid, turn, secret).encode(), given.encode()) for secret in secrets])  # noqa: C419 - all: the time tells nothing


def _nonce(call_sid: str, turn: int, secret: str) -> str:
    return hmac.new(secret.encode(), f"turn|{call_sid}|{turn}".encode(), hashlib.sha256).hexdigest()[:32]
