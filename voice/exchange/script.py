"""A caller's part as a text file: one step on a line, to be read like a conversation.

::

    # Comments stand on lines of their own, or after two blanks, a # and a blank.
    from +4520123456
    callbacks late 2                # settings come first; see below

    expect Velkommen                # wait until the line has said this (part of it, in any case of letters)
    key 1                           # when the line waits for something; several keys are pressed one after the other
    key 1 early                     # while the line still speaks
    words ja tak                    # said to a line that listens for speech
    say clips/one.wav               # spoken in the next recording, after the beep; the path is relative to this file
    speak "Jeg kan godt stå op"     # the same, with a sound made of the text
    silence 8                       # stay silent for 8 seconds of being asked; then a "say" may go on in the same recording
    silence                         # stay silent until the line goes on by itself
    hang up                         # when the line waits for something
    hang up early                   # while the line still speaks
    hang up mid-answer after 2      # two seconds into the recording

A line of dashes stands before another call.

A ``key`` or ``hang up`` right after a ``say`` comes as soon as that is said. At its end the caller stays silent.

Settings: ``callbacks late SECONDS | doubled | reversed | dropped``, ``actions doubled | parallel``,
``media missing | 404 | empty | html | text | truncated | cut off | unauthorized | forbidden | too many requests | broken | elsewhere |
huge | deleted`` (always, or ``once``, ``twice``, ``3 times``), ``deletes fail twice``, ``recordings absent | failed``,
``silent recordings unreported``.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, get_args

from voice.exchange import media
from voice.exchange.conditions import Conditions, Media
from voice.exchange.errors import FetchError, ScriptError

ANOTHER_CALL = re.compile(r"^---+ *\n", re.MULTILINE)
Speak = Callable[[str], bytes]  # a text -> a WAV


@dataclass(frozen=True, slots=True)
class Expect:
    text: str


@dataclass(frozen=True, slots=True)
class Key:
    keys: str
    early: bool


@dataclass(frozen=True, slots=True)
class Words:
    text: str


@dataclass(frozen=True, slots=True)
class Speech:
    name: str
    pcm: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Silence:
    seconds: float | None  # None: until the line goes on


@dataclass(frozen=True, slots=True)
class HangUp:
    early: bool = False
    into_answer: float | None = None


Step = Expect | Key | Words | Speech | Silence | HangUp


@dataclass(frozen=True, slots=True)
class ScriptLine:
    """A step with its place in the file."""

    number: int
    text: str
    step: Step


@dataclass(frozen=True, slots=True)
class Script:
    name: str
    lines: tuple[ScriptLine, ...] = ()
    from_number: str = "+4520123456"
    to_number: str = "+4570123456"
    conditions: Conditions = field(default_factory=Conditions)

    @classmethod
    def load(cls, path: Path, speak: Speak | None = None) -> list[Self]:
        """Read a file's calls and every sound in them. Raises ScriptError with all problems of the first that has any."""
        return cls.parse_all(path.read_text("utf-8"), path.name, path.parent, speak)

    @classmethod
    def parse_all(cls, text: str, name: str = "script", folder: Path = Path(), speak: Speak | None = None) -> list[Self]:
        """Every call of a text; the lines of each are counted from the text's beginning."""
        calls, before = [], 0
        for part in ANOTHER_CALL.split(text):
            calls.append(cls.parse("\n" * before + part, name, folder, speak))
            before += part.count("\n") + 1
        return calls

    @classmethod
    def parse(cls, text: str, name: str = "script", folder: Path = Path(), speak: Speak | None = None) -> Self:
        reader = _Reader(folder, speak)
        problems = []
        for number, raw in enumerate(text.splitlines(), start=1):
            if line := _without_comment(raw):
                try:
                    reader.read(number, line)
                except ValueError as error:
                    problems.append(f"{name}:{number}: {error}")
        if problems:
            raise ScriptError(problems)
        numbers = {key: reader.settings.pop(key) for key in ("from_number", "to_number") if key in reader.settings}
        return cls(name, tuple(reader.lines), conditions=Conditions(**reader.settings), **numbers)


_TIMES = r"(?: (?:(?P<word>once|twice)|(?P<times>[0-9]+) times))?"
_SECONDS = r"(?P<seconds>[0-9]+(?:\.[0-9]+)?)"
_MEDIA = {"404": "missing", **{kind: kind for kind in get_args(Media) if kind != "sound"}}

# Each setting with the fields that it sets.
_SETTINGS: tuple[tuple[str, Callable[[re.Match[str]], dict[str, Any]]], ...] = (
    (r"from (?P<number>\S+)", lambda match: {"from_number": match["number"]}),
    (r"to (?P<number>\S+)", lambda match: {"to_number": match["number"]}),
    (rf"callbacks late {_SECONDS}", lambda match: {"callback_delay": float(match["seconds"])}),
    (r"callbacks (?P<how>doubled|reversed|dropped)", lambda match: {f"callbacks_{match['how']}": True}),
    (r"actions (?P<how>doubled|parallel)", lambda match: {"actions": match["how"]}),
    (rf"media (?P<kind>{'|'.join(_MEDIA)}){_TIMES}", lambda match: {"media": _MEDIA[match["kind"]], "media_times": _times(match)}),
    (rf"deletes fail{_TIMES}", lambda match: {"deletes_failing": _times(match) or 1_000_000}),
    (r"recordings (?P<status>absent|failed)", lambda match: {"recording_status": match["status"]}),
    (r"silent recordings unreported", lambda match: {"report_silent": False}),
)

_STEPS: tuple[tuple[str, Callable[["_Reader", re.Match[str]], Step]], ...] = (
    (r"expect (?P<text>.+)", lambda _, match: Expect(match["text"])),
    (r"key (?P<keys>[0-9*#]+)(?P<early> early)?", lambda _, match: Key(match["keys"], bool(match["early"]))),
    (r"words (?P<text>.+)", lambda _, match: Words(match["text"])),
    (r"say (?P<path>.+)", lambda reader, match: reader.clip(match["path"])),
    (r'speak "(?P<text>.+)"', lambda reader, match: reader.spoken(match["text"])),
    (rf"silence(?: {_SECONDS})?", lambda _, match: Silence(float(match["seconds"]) if match["seconds"] else None)),
    (r"hang up(?P<early> early)?", lambda _, match: HangUp(early=bool(match["early"]))),
    (rf"hang up mid-answer(?: after {_SECONDS})?", lambda _, match: HangUp(into_answer=float(match["seconds"] or 1))),
)


def _times(match: re.Match[str]) -> int | None:
    if match["word"]:
        return 1 if match["word"] == "once" else 2
    return int(match["times"]) if match["times"] else None


def _without_comment(line: str) -> str:
    """The finish key is a # too: a comment has the line for itself, or two blanks before and one after its #."""
    return "" if line.lstrip().startswith("#") else re.sub(r"\s\s+# .*", "", line).strip()


class _Reader:
    """Reads one line after the other."""

    def __init__(self, folder: Path, speak: Speak | None) -> None:
        self._folder = folder
        self._speak = speak
        self.lines: list[ScriptLine] = []
        self.settings: dict[str, Any] = {}

    def read(self, number: int, line: str) -> None:
        for pattern, setting in _SETTINGS:
            if match := re.fullmatch(pattern, line):
                if self.lines:
                    raise ValueError("settings stand before the first step")
                self.settings |= setting(match)
                return
        for pattern, step in _STEPS:
            if match := re.fullmatch(pattern, line):
                self.lines.append(ScriptLine(number, line, step(self, match)))
                return
        raise ValueError(f"not understood: {line}")

    def clip(self, path: str) -> Speech:
        file = self._folder / path
        if not file.is_file():
            raise ValueError(f"there is no file {file}")
        return _speech(path, file.read_bytes())

    def spoken(self, text: str) -> Speech:
        if self._speak is None:
            raise ValueError('"speak" needs a voice, and none was given: use "say" with a sound file, or read the script with a voice')
        return _speech(f"“{text}”", self._speak(text))


def _speech(name: str, body: bytes) -> Speech:
    try:
        pcm = media.decode(body, "audio/wav")
    except FetchError as error:
        raise ValueError(f"{name}: {error.message}") from error
    if not any(map(media.is_speech, media.frames(pcm))):
        raise ValueError(f"{name} holds only silence")
    return Speech(name, pcm)
