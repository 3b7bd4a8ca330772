"""A recogniser that hears telephone keys, and comes to harm by one recording: run apart, as the real one is."""

import time
from pathlib import Path

from tests.apart_recognisers import Harm
from tests.dtmf_transcriber import DtmfTranscriber
from voice.speech import Transcript

POISON = "9 9 9"  # how the recording begins that does it


class Ill(DtmfTranscriber, Harm):
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

    def nothing(self) -> str:
        return ""
