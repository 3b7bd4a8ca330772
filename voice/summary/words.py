"""The caller's words made fit to be read: tidied, never rewritten."""

import re
import unicodedata
from collections.abc import Iterable
from datetime import date
from functools import cache

from voice.prompts import Vocabulary, as_heard

MASK = "-xxxx"  # stands for the last four digits of a personal number

# A Danish personal number: a birthday (ddmmyy), then four digits. Said digit by digit or two by two it is written with spaces;
# then it must be ten digits and no more, as telephone numbers are said like that too.
_CPR = re.compile(r"(?<!\d)\d{6} ?[-\u2010-\u2015]? ?\d{4}(?!\d)|(?<!\d)(?<!\d[ .-])\d(?:[ .-]{0,3}\d){9}(?![ .-]?\d)", re.ASCII)
_END = tuple(".?!…؟。！？")
_CLOSING = "\"'”’“»«)]"
_MARKS = _CLOSING + "([“„.,;:?!…–-"
# Where a sentence surely begins: "kl. ni" and "f.eks. ni" must not.
_NEXT = re.compile(r"(?:[?!]|(?<=[^\W\d_]{4})\.) [^\W\d_]")


def tidy(text: str, vocabulary: Vocabulary | None = None) -> str:
    """White space folded, nothing invisible, fillers and stumbles left out, a capital first and a stop last.

    A personal number shows its birthday only.
    """
    words = " ".join("".join(map(_visible, text)).split())
    if vocabulary:
        words = " ".join(_fluent(words.split(" "), frozenset(vocabulary.fillers), frozenset(vocabulary.doubles)))
    words = _CPR.sub(_mask, words).rstrip(" ,;:-–")
    if not words:
        return ""
    words = _NEXT.sub(lambda found: found[0][:-1] + found[0][-1].title(), words)
    # The title case of one letter, as its capital may be two letters or of another script.
    words = words[0].title() + words[1:]
    return words if words.rstrip(_CLOSING).endswith(_END) else words + "."


def tells_illness(text: str, vocabulary: Vocabulary) -> bool:
    """Whether it holds a word of illness, whatever its ending and whatever it is compounded with."""
    if not vocabulary.illness:
        return False
    return _any_of(vocabulary.illness).search(as_heard(unicodedata.normalize("NFC", text))) is not None


def _fluent(words: Iterable[str], fillers: frozenset[str], doubles: frozenset[str]) -> list[str]:
    kept: list[str] = []
    for word in words:
        core = word.rstrip(_MARKS)
        if core.lstrip(_MARKS).casefold() in fillers:
            if kept and not kept[-1].endswith(_END) and word.endswith((".", "?", "!")):
                kept[-1] = kept[-1].rstrip(",;:") + word[-1]  # the sentence ends here all the same
        elif kept and core.casefold() in doubles and core.casefold() == kept[-1].casefold():
            kept[-1] += word[len(core) :]
        else:
            kept.append(word)
    return kept


@cache
def _any_of(words: tuple[str, ...]) -> re.Pattern[str]:
    any_of = "|".join(re.escape(word).replace(r"\*", r"\w*") for word in words)
    return re.compile(rf"\b(?:{any_of})\b")


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
    digits = re.sub(r"\D", "", number[0])
    day, month, year = (int(digits[place : place + 2]) for place in (0, 2, 4))
    try:
        date(2000 + year, month, day)  # leap years fall alike in every century that the two digits can mean, save in 1900
    except ValueError:
        return number[0]
    return digits[:6] + MASK
