"""A summary as one sound to listen to: each question by the line's voice, then the answer in the caller's own.

For who does not read. Every part is announced by its number, so that a mark in the text ("del tre") is found by ear alone.
"""

from collections.abc import Callable, Mapping

import numpy as np

from voice.errors import SpeechError, SummaryError
from voice.prompts import Prompt, Prompts
from voice.speech.answers import faded, spoken
from voice.speech.audio import Samples, decode
from voice.speech.gate import RATE
from voice.speech.loudness import level
from voice.speech.mp3 import Chapter, mp3
from voice.speech.sounds import LOUDNESS
from voice.summary import Section, Summary

Voice = Callable[[Prompt], bytes | None]
Decode = Callable[[bytes, int], Samples]

# Seconds of silence before each of these.
BEFORE_PART = 1.0
BEFORE_PROMPT = 0.3
BEFORE_ANSWER = 0.5


def write(summary: Summary, prompts: Prompts, voice: Voice, recordings: Mapping[str, bytes], opened: Decode = decode) -> bytes:
    """One MP3 of all that was said; of the questions alone, if nothing was.

    ``voice`` gives a prompt's rendered sound, or None: then it is left out. ``recordings`` holds the sound of each
    utterance, which anybody may have sent: ``opened`` is what may look into it. One that is not there or cannot be read is
    told of by the voice, and the rest is heard. The same arguments give the same bytes. Raises SummaryError when there is
    nothing at all to hear.
    """
    tape = _Tape(voice)
    answers = [(section, _answer(section, prompts, recordings, opened)) for section in summary.sections]
    heard = [(section, answer) for section, answer in answers if answer]
    tape.mark(prompts.mail["subject"])
    tape.say(prompts.phrase("sound_opening" if heard else "sound_questions"))
    for section, answer in heard or [(section, []) for section in summary.sections]:
        tape.pause(BEFORE_PART)
        tape.mark(f"{section.number}. {section.label or prompts.mail['other']}")
        for prompt in _announced(section, summary, prompts):
            tape.say(prompt)
        for part in answer:
            if isinstance(part, Prompt):
                tape.say(part)
            else:
                tape.play(part)
    tape.pause(BEFORE_PART)
    tape.say(prompts.phrase("sound_end"))
    tape.pause(BEFORE_PROMPT)  # some players cut off the very end
    return tape.mp3(prompts.mail["subject"])


def _announced(section: Section, summary: Summary, prompts: Prompts) -> list[Prompt]:
    """The part's number, as far as there is a word for it, and what was asked."""
    number = prompts.phrases["sound_part"][section.number - 1 : section.number]
    try:
        asked = prompts.guide(summary.guide).question(section.question).asking(0)
    except KeyError:  # the content has changed since
        asked = prompts.phrase("sound_other")
    return [*number, asked]


def _answer(section: Section, prompts: Prompts, recordings: Mapping[str, bytes], opened: Decode) -> list[Prompt | Samples]:
    """What there is to hear of an answer: by the voice, or the caller's own. Of recordings in which nobody speaks nothing."""
    parts: list[Prompt | Samples] = []
    if section.choice:
        parts.append(prompts.phrase("sound_yes" if section.choice == "yes" else "sound_no"))
    unheard = prompts.phrase("sound_unheard")
    for recording in section.recordings:
        try:
            said = spoken(opened(recordings[recording], RATE))
        except (KeyError, SpeechError):
            if not any(part is unheard for part in parts):
                parts.append(unheard)
        else:
            parts += [level(said, RATE, LOUDNESS)] if said.size else []
    return parts


class _Tape:
    """What is heard, put together from the beginning."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._pieces: list[Samples] = []
        self._chapters: list[Chapter] = []
        self._silent = True

    def mark(self, title: str) -> None:
        """A chapter begins here."""
        self._chapters.append(Chapter(title, sum(piece.size for piece in self._pieces)))

    def pause(self, seconds: float) -> None:
        self._pieces.append(np.zeros(int(seconds * RATE), np.float32))

    def say(self, prompt: Prompt) -> None:
        sound = self._voice(prompt)
        try:
            said = decode(sound, RATE) if sound else None
        except SpeechError:
            return  # the rest is worth hearing without it
        if said is not None:
            self.pause(BEFORE_PROMPT)
            self._add(level(said, RATE, LOUDNESS))

    def play(self, answer: Samples) -> None:
        self.pause(BEFORE_ANSWER)
        self._add(answer)

    def mp3(self, title: str) -> bytes:
        if self._silent:
            raise SummaryError("There is nothing to hear: no recordings, and no prompt has a sound. Run `samtaleklar render`.")
        try:
            return mp3(np.concatenate(self._pieces), RATE, title=title, chapters=self._chapters)
        except SpeechError as error:
            raise SummaryError(str(error)) from error

    def _add(self, samples: Samples) -> None:
        self._pieces.append(faded(samples))
        self._silent = False
