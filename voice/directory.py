"""Whose number is it? A number is not a person and not a proof: on it alone one may only start a call."""

import hashlib
import hmac
import re
from collections.abc import Sequence

# A withheld number comes as a word or as that word spelt on a keypad. ANONYMOUS looks like a number in Lesotho.
_WITHHELD = ("+266696687", "+7378742833", "+86282452253", "+2562533", "+8656696")


def is_number(text: str) -> bool:
    """Whether a caller can be told from others by it: E.164, and not one that stands for "withheld"."""
    return re.fullmatch(r"\+[1-9][0-9]{6,14}", text) is not None and text not in _WITHHELD


def caller_keys(number: str, secrets: Sequence[str]) -> list[str]:
    """The keyed hashes under which a number may be stored: one for each secret, the one to store first. None if it is withheld."""
    if not is_number(number):
        return []
    return [hmac.new(secret.encode(), b"caller|" + number.encode(), hashlib.sha256).hexdigest() for secret in secrets]
