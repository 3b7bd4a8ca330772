"""A handset whose caller follows a script. It never waits, so that a call takes as long as the machine needs for its frames."""

from collections.abc import Callable, Iterator

from voice.exchange import media
from voice.exchange.conversation import Entry
from voice.exchange.handset import Heard
from voice.exchange.script import Expect, HangUp, Key, Script, ScriptLine, Silence, Speech, Step, Words

_KEY_GAP = media.FRAMES_PER_SECOND // 5  # between two keys that are pressed one after the other


class ScriptedHandset:
    """Rings through one call. Afterwards ``problems`` says, with line numbers, what of the script could not be done."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._conduct = self._follow()
        self._done = 0  # how many lines of the script are done
        self._said: list[str] = []  # what the line has said
        self._since = 0  # what was said from here on can be expected
        self._speaking = False
        self._listening = ""  # the input that a Gather waits for
        self._recording = False
        self._spoken = False  # whether something was spoken in this recording already

    @property
    def problems(self) -> list[str]:
        left = self._script.lines[self._done :]
        return [self._problem(line) for line in left[:1]] + [f"{self._at(line)} not reached: {line.text}" for line in left[1:]]

    def _problem(self, line: ScriptLine) -> str:
        if isinstance(line.step, Expect):
            heard = " / ".join(self._said[self._since :]) or "nothing"
            return f"{self._at(line)} the line did not say “{line.step.text}”. It said: {heard}"
        return f"{self._at(line)} the call was over before this could be done: {line.text}"

    def _at(self, line: ScriptLine) -> str:
        return f"{self._script.name}:{line.number}:"

    def notice(self, entry: Entry) -> None:
        if entry.who == "caller":
            return
        self._speaking = entry.what == "says"
        self._listening = entry.text if entry.what == "listens" else ""
        self._recording = entry.what == "records"
        if entry.what == "says":
            self._said.append(entry.text)
        if entry.what == "records":
            self._spoken = False

    def swap(self, frame: bytes) -> Heard:
        return next(self._conduct)

    # Each step is a generator of frames. The line goes on between one frame and the next.

    def _follow(self) -> Iterator[Heard]:
        for number, line in enumerate(self._script.lines, start=1):
            yield from self._take(line.step)
            self._done = number
        while True:
            yield Heard()

    def _take(self, step: Step) -> Iterator[Heard]:
        match step:
            case Expect():
                yield from self._until(lambda: any(step.text.casefold() in said.casefold() for said in self._said[self._since :]))
            case Key():
                yield from self._until(self._is_speaking if step.early else self._is_waiting)
                yield from self._press(step.keys)
            case Words():
                yield from self._until(self._is_waiting)
                yield from self._utter(step.text)
            case Speech():
                yield from self._until(lambda: self._recording and not self._spoken)
                yield from self._speak(step)
            case Silence():
                yield from self._be_silent(step.seconds)
            case HangUp():
                yield from self._hang_up(step)

    def _until(self, condition: Callable[[], bool]) -> Iterator[Heard]:
        while not condition():
            yield Heard()

    def _is_waiting(self) -> bool:
        return bool(self._listening) or self._recording

    def _is_speaking(self) -> bool:
        return self._speaking or self._is_waiting()

    def _acts(self) -> None:
        """From here on, what the line says is said in answer to the caller."""
        self._since = len(self._said)

    def _press(self, keys: str) -> Iterator[Heard]:
        self._acts()
        self._speaking, self._listening = False, ""
        for number, key in enumerate(keys):
            if number:
                yield from (Heard() for _ in range(_KEY_GAP))
            yield Heard(key=key)

    def _utter(self, words: str) -> Iterator[Heard]:
        self._acts()
        if "speech" in self._listening:
            self._listening = ""
            yield Heard(words=words)
        else:
            yield Heard(note=f"says “{words}”, but the line does not listen for words")

    def _speak(self, speech: Speech) -> Iterator[Heard]:
        self._acts()
        self._spoken = True
        note = f"speaks {speech.name} ({media.seconds(speech.pcm):.1f} s)"
        for frame in media.frames(speech.pcm):
            yield Heard(frame, note=note)
            note = ""

    def _be_silent(self, seconds: float | None) -> Iterator[Heard]:
        self._acts()
        yield from self._until(self._is_waiting)
        if seconds is None:
            yield from self._until(lambda: not self._is_waiting())
            return
        left = round(seconds * media.FRAMES_PER_SECOND)
        while left:
            left -= self._is_waiting()
            yield Heard()
        self._spoken = False

    def _hang_up(self, step: HangUp) -> Iterator[Heard]:
        if step.into_answer is not None:
            yield from self._until(lambda: self._recording)
            yield from (Heard() for _ in range(round(step.into_answer * media.FRAMES_PER_SECOND)))
        else:
            yield from self._until(self._is_speaking if step.early else self._is_waiting)
        self._done = len(self._script.lines)
        yield Heard(hung_up=True)
