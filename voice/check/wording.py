"""The rules of plain speech, each on one text: what it says is wrong, or nothing."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from voice.check.knowledge import Language
from voice.check.lines import Line
from voice.check.readability import sentences_of, words_of

MAX_SENTENCE = 15  # words
MAX_PROMPT = 30  # words
MAX_SECONDS = 14  # of one prompt

Rule = Callable[[Line, Language], Iterator[str]]


def wrong(line: Line, language: Language) -> Iterator[str]:
    """Everything that is wrong with one text."""
    for rule in RULES:
        for what in rule(line, language):
            yield line.problem(what)


def long_sentence(line: Line, _language: Language) -> Iterator[str]:
    for sentence in sentences_of(line.text):
        if (count := len(words_of(sentence))) > MAX_SENTENCE:
            yield f"a sentence of {count} words; at most {MAX_SENTENCE}: {sentence!r}"


def long_prompt(line: Line, _language: Language) -> Iterator[str]:
    if line.heard and (count := len(words_of(line.text))) > MAX_PROMPT:
        yield f"{count} words in one prompt; at most {MAX_PROMPT}"


def digits(line: Line, _language: Language) -> Iterator[str]:
    if line.heard and (found := re.findall(r"\d+", line.text)):  # what is read may be dialled
        yield f"{', '.join(found)} is written with digits: write it as it is said"


def abbreviations(line: Line, language: Language) -> Iterator[str]:
    capitals = re.findall(r"(?<!\w)[^\W\d_a-z]{2,}(?!\w)", line.text)
    found = dict.fromkeys([*language.abbreviations.found_in(line.text), *(word for word in capitals if word.isupper())])
    if found:
        yield f"{', '.join(found)} is an abbreviation: write it in full"


def characters(line: Line, language: Language) -> Iterator[str]:
    unknown = {c for c in line.text if c not in language.characters and c.lower() not in language.characters and not c.isdigit()}
    if unknown:
        yield f"{' '.join(sorted(unknown))} is not among the characters of wording.toml, which a voice and a font have"


def jargon(line: Line, language: Language) -> Iterator[str]:
    if found := language.jargon.found_in(line.text):
        yield f"{', '.join(found)} is a word that many do not know: say it in everyday words"


def illness(line: Line, language: Language) -> Iterator[str]:
    if line.role in ("asked", "help") and not line.waived and (found := language.illness.found_in(line.text)):
        yield f'{", ".join(found)} asks for an illness: ask for what it does to the work, or say why it stays with waive = "reason"'


def key_first(line: Line, language: Language) -> Iterator[str]:
    """An option is said before its key, so the key ends the sentence. A key alone is the end of what another prompt began."""
    press, key = ("|".join(map(re.escape, words.listed)) for words in (language.press, language.keys))
    told = rf"\b(?:{press})\s+(?:{key})\b"
    for sentence in sentences_of(line.text):
        alone = re.fullmatch(rf"{told}\W*", sentence, re.IGNORECASE) and sentence != line.text
        if line.heard and (alone or re.search(rf"{told}(?=\W*\w)", sentence, re.IGNORECASE)):
            yield f"the key is said before its option, or two in one sentence: {sentence!r}; end the sentence with the key"


RULES: tuple[Rule, ...] = (long_sentence, long_prompt, digits, abbreviations, characters, jargon, illness, key_first)


def too_slow(line: Line, seconds: Mapping[str, float]) -> Iterator[str]:
    """A prompt that takes too long to say."""
    if (taken := seconds.get(line.prompt, 0.0)) > MAX_SECONDS:
        yield line.problem(f"{taken:.1f} seconds in one prompt; at most {MAX_SECONDS}")


def idle_waivers(lines: Sequence[Line], language: Language) -> Iterator[str]:
    """A waiver that waives nothing would waive what somebody writes there later."""
    waived: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        if line.waived:
            waived.setdefault((line.file, line.part), []).append(line)
    for (file, part), of_part in waived.items():
        if not any(language.illness.found_in(line.text) for line in of_part):
            yield f"{file}: {part}.waive: nothing here asks for an illness: take it away"
