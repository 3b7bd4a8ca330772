"""The caller's words made fit to be read: tidied, never rewritten."""

import re
import unicodedata
from datetime import date

# A Danish personal number: a birthday (ddmmyy), then four digits.
_CPR = re.compile(r"(?<!\d)(\d{2})(\d{2})(\d{2}) ?[-\u2010-\u2015]? ?\d{4}(?!\d)")
_END = tuple(".?!…؟。！？")
_CLOSING = "\"'”’“»«)]"


def tidy(text: str) -> str:
    """White space folded, nothing invisible, a capital first and a stop last; a personal number shows its birthday only."""
    words = _CPR.sub(_mask, " ".join("".join(map(_visible, text)).split())).rstrip(" ,;:-–")
    if not words:
        return ""
    # The title case of one letter, as its capital may be two letters or of another script.
    words = words[0].title() + words[1:]
    return words if words.rstrip(_CLOSING).endswith(_END) else words + "."


def _visible(character: str) -> str:
    match unicodedata.category(character):
        case "Cc":  # line breaks, tabs, NUL
            return " "
        case "Cf":  # direction marks and zero-width characters: they can make a text read otherwise than it is written
            return ""
        case "Cs":  # half a character, which no encoding can carry
            return "\N{REPLACEMENT CHARACTER}"
    return character


def _mask(number: re.Match[str]) -> str:
    day, month, year = map(int, number.groups())
    try:
        date(2000 + year, month, day)  # leap years fall alike in every century that the two digits can mean, save in 1900
    except ValueError:
        return number[0]
    return "".join(number.groups()) + "-xxxx"
