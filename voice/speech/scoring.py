"""How wrong a transcript is: errors in words and in characters against what was really said.

Both texts are first made alike, as published Danish figures are: small letters, no punctuation, numbers as words, no fillers.
"""

import re
import unicodedata
from functools import cache

from rapidfuzz.distance import Levenshtein
from unicode_rbnf import RbnfEngine

FILLERS = frozenset(("øh", "øhm", "øm", "æh", "æhm", "eh", "ehm", "hm", "hmm", "mm", "mmm", "mhm"))
_LONGEST_NUMBER = 9  # digits: what is longer is said digit by digit
_THOUSANDS = re.compile(r"(?<=\d)\.(?=\d{3}(?!\d))")
_DECIMALS = re.compile(r"(\d+),(\d+)")
_WORD = re.compile(r"\d+|[^\W\d_]+(?:'[^\W\d_]+)*")


def words(text: str) -> list[str]:
    """The words of a text as they are compared."""
    text = unicodedata.normalize("NFC", text).lower().replace("’", "'").replace("%", " procent ")
    text = _DECIMALS.sub(r"\1 komma \2", _THOUSANDS.sub("", text))
    spelt = (part for word in _WORD.findall(text) for part in (_number(word) if word.isdigit() else word).split())
    return [word for word in spelt if word not in FILLERS]


def word_errors(reference: str, heard: str) -> tuple[int, int]:
    """How many words are wrong, missing or too many, and how many words were said. Their ratio is the word error, which may exceed 1."""
    said = words(reference)
    return Levenshtein.distance(said, words(heard)), len(said)


def character_errors(reference: str, heard: str) -> tuple[int, int]:
    """The same in characters, with one space between words."""
    said = " ".join(words(reference))
    return Levenshtein.distance(said, " ".join(words(heard))), len(said)


def right_words(reference: str, heard: str) -> list[bool]:
    """For each of the heard words, as ``words`` gives them, whether it was said there."""
    said, written = words(reference), words(heard)
    right = [False] * len(written)
    for block in Levenshtein.opcodes(said, written):
        if block.tag == "equal":
            right[block.dest_start : block.dest_end] = [True] * (block.dest_end - block.dest_start)
    return right


@cache
def _number(digits: str) -> str:
    if len(digits) > _LONGEST_NUMBER or (len(digits) > 1 and digits[0] == "0"):
        return " ".join(_number(digit) for digit in digits)
    spelt = _danish().format_number(int(digits)).text_by_ruleset
    return spelt["spellout-cardinal-common"]


@cache
def _danish() -> RbnfEngine:
    return RbnfEngine.for_language("da")
