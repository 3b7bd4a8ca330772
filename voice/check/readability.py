"""LIX, the Scandinavian measure of how heavy a text is: 24 is very easy, 25 to 34 easy, 55 very hard.

It says little of a short text, where one long word weighs as much as a whole sentence. So what is measured is a part:
all that is said at one question, or one text of the mail. What counts is the mean over the parts of a file.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from voice.check.lines import Line

LONG = 7  # letters of a long word
MAX_MEAN_LIX = 27


@dataclass(frozen=True, slots=True)
class Lix:
    """Of one file."""

    mean: float
    worst: float
    heaviest: str  # the part with the worst


def words_of(text: str) -> list[str]:
    """The words of a text, without marks and digits."""
    return re.findall(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*", text)


def sentences_of(text: str) -> list[str]:
    """The sentences of a text. A colon ends one: what follows is said as a new one."""
    return [sentence for sentence in re.split(r"(?<=[.?!:])\s+", text.strip()) if words_of(sentence)]


def lix(texts: Iterable[str]) -> float:
    """Words in a sentence plus long words in a hundred, over all the texts together."""
    sentences = [words_of(sentence) for text in texts for sentence in sentences_of(text)]
    words = [word for sentence in sentences for word in sentence]
    return len(words) / len(sentences) + 100 * sum(len(word) >= LONG for word in words) / len(words) if words else 0.0


def lix_of(lines: Sequence[Line]) -> Lix:
    """Of the running text of one file: labels, titles and options are no sentences."""
    parts: dict[str, list[str]] = {}
    for line in lines:
        if line.role != "label" and not line.text.endswith(","):
            parts.setdefault(line.part, []).append(line.text)
    of_parts: Mapping[str, float] = {part: lix(texts) for part, texts in parts.items()}
    heaviest = max(of_parts, key=lambda part: of_parts[part], default="")
    return Lix(fmean(of_parts.values()), of_parts[heaviest], heaviest) if of_parts else Lix(0.0, 0.0, "")


def too_heavy(lines: Sequence[Line]) -> Iterator[str]:
    """Each file whose mean is too high, with what weighs most in it."""
    for file in dict.fromkeys(line.file for line in lines):
        of_file = lix_of([line for line in lines if line.file == file])
        if of_file.mean > MAX_MEAN_LIX:
            heaviest = f"the heaviest is {of_file.heaviest} with {of_file.worst:.0f}"
            yield f"{file}: (text): mean LIX {of_file.mean:.1f} is over {MAX_MEAN_LIX}; {heaviest}"
