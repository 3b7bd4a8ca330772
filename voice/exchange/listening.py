"""How <Gather> and <Record> listen, on the wire alone: no web, no store."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from voice.exchange import media
from voice.exchange.handset import Heard
from voice.exchange.verbs import Gather, Record
from voice.exchange.wire import CallerHungUp, Wire

BEEP = media.tone(0.2)


class _Ear:
    """What a <Gather> has heard so far. The first kind of input decides which kind it is."""

    def __init__(self, verb: Gather) -> None:
        self._verb = verb
        self._inputs = verb.input.split()
        self.digits = ""
        self.words: str | None = None
        self.finished_on = ""

    @property
    def done(self) -> bool:
        return self.words is not None or self.finished_on != "" or len(self.digits) == self._verb.num_digits

    def takes(self, heard: Heard) -> bool:
        """Whether this was input for the <Gather>."""
        if heard.key and "dtmf" in self._inputs:
            if heard.key == self._verb.finish_on_key:
                self.finished_on = heard.key
            else:
                self.digits += heard.key
            return True
        if heard.words and "speech" in self._inputs and not self.digits:
            self.words = heard.words
            return True
        return False


def gather(wire: Wire, verb: Gather, prompts: Iterable[bytes]) -> dict[str, str] | None:
    """Say the prompts, listen, and give the parameters for the action; None: no input, so the next verb is due."""
    ear = _Ear(verb)
    for frame in prompts:
        if ear.takes(wire.swap(frame)):
            break
    if not ear.done:
        wire.note("listens", verb.input)
    quiet = 0
    while not ear.done and quiet < verb.timeout * media.FRAMES_PER_SECOND:
        quiet = 0 if ear.takes(wire.swap()) else quiet + 1
    if ear.words is not None:
        return {"SpeechResult": ear.words, "Confidence": "0.9", "Language": verb.language, "msg": "Gather End"}
    if ear.digits:
        return {"Digits": ear.digits, "FinishedOnKey": ear.finished_on, "msg": "Gather End"}
    if verb.action_on_empty_result:
        return {"FinishedOnKey": ear.finished_on, "msg": "Gather End"}
    return None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a <Record> took in. ``digits`` is as Twilio tells it: the key, ``hangup``, or nothing."""

    pcm: bytes
    silent: bool
    ended_by: Literal["silence", "key", "length", "hang-up"]
    digits: str = ""


def record(wire: Wire, verb: Record) -> Recorded:
    """Record until silence, a key, the greatest length or a hang-up. What was said right before a key is kept."""
    if verb.play_beep:
        wire.note("beeps")
        wire.play(media.frames(BEEP))
    wire.note("records")
    recorded = _record(wire, verb)
    what = "silence only" if recorded.silent else "speech"
    wire.note("recorded", f"{media.seconds(recorded.pcm):.1f} s, {what}, ended by {recorded.ended_by}")
    return recorded


def _record(wire: Wire, verb: Record) -> Recorded:
    pcm = bytearray()
    quiet, silent = 0, True
    while True:
        try:
            heard = wire.swap()
        except CallerHungUp:
            return Recorded(bytes(pcm), silent, "hang-up", "hangup")
        pcm += heard.frame or media.SILENCE
        if media.is_speech(heard.frame):
            quiet, silent = 0, False
        elif heard.frame:  # when no sound arrives at all, Twilio does not count it as silence
            quiet += 1
        if heard.key and heard.key in verb.finish_on_key:
            return Recorded(bytes(pcm), silent, "key", heard.key)
        if verb.timeout and quiet >= verb.timeout * media.FRAMES_PER_SECOND:
            return Recorded(bytes(pcm), silent, "silence")
        if media.seconds(pcm) >= verb.max_length:
            return Recorded(bytes(pcm), silent, "length")
