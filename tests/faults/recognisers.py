"""A recogniser that hears telephone keys, and comes to harm by one recording: run apart, as the real one is."""

import ctypes
import os
import time
from pathlib import Path

from tests.dtmf_transcriber import DtmfTranscriber
from voice.speech import Transcript

POISON = "9 9 9"  # how the recording begins that does it


class Ill(DtmfTranscriber):
    """``fate`` names what happens at a poisonous recording; "slow" and "start" concern all of them."""

    def __init__(self, fate: str, until: str = "") -> None:
        if fate == "start" and not Path(until).exists():
            raise OSError("the model cannot be read")
        self._fate = fate

    def transcribe(self, sound: bytes, language: str) -> Transcript:
        heard = super().transcribe(sound, language)
        if self._fate == "slow":
            time.sleep(1)
        elif heard.text.startswith(POISON):
            return Transcript(str(getattr(self, self._fate)()), 1.0, unsure=False, language=language)
        return heard

    def crash(self) -> None:
        ctypes.string_at(0)

    def hang(self) -> None:
        time.sleep(3600)

    def swell(self) -> int:
        return len([bytearray(10_000_000) for _ in range(1_000)])

    def end(self) -> None:
        os._exit(0)

    def lie(self) -> None:
        for descriptor in range(3, 20):
            try:
                os.write(descriptor, b"\xff" * 64)
            except OSError:
                continue

    def fail(self) -> None:
        raise RuntimeError("a text with a word of the caller's")

    def nothing(self) -> str:
        return ""
