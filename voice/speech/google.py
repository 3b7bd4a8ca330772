"""The standard voice: Google Translate's, through gTTS. The texts of the prompts go to Google; nothing a caller says does.

The service is free and without a contract: it limits how often it may be asked, and now and then answers with
something else than sound. gTTS does not verify the server's certificate, so what comes back is believed to be sound
only after a look, and it is only ever decoded as sound.
"""

import time
from collections.abc import Sequence

from gtts import gTTS, gTTSError
from gtts.lang import tts_langs

from voice.errors import SpeechError
from voice.speech import check_speakable
from voice.speech.sounds import VOICES

TIMEOUT = 10  # seconds to connect, and between two pieces of an answer; gTTS waits for ever unless told


class GoogleSynthesizer:
    """A Synthesizer. After a temporary fault it tries again, once for each of ``waits`` (seconds)."""

    voice = VOICES["gtts"]
    languages = tts_langs()

    def __init__(self, waits: Sequence[float] = (1, 5, 20)) -> None:
        self._waits = waits

    def synthesize(self, text: str, language: str) -> bytes:
        check_speakable(text, language, self)
        for wait in self._waits:
            try:
                return _fetch(text, language)
            except SpeechError as error:
                if error.permanent:
                    raise
            time.sleep(wait)
        return _fetch(text, language)


def _fetch(text: str, language: str) -> bytes:
    """Ask once. A long text is asked for in pieces of up to 100 characters; MP3 pieces joined are one MP3."""
    speech = gTTS(text, lang=language, timeout=TIMEOUT)
    try:
        pieces = list(speech.stream())
    except gTTSError as error:
        raise _explained(error) from error
    except ValueError as error:  # not UTF-8, not base64
        raise SpeechError("Google's voice gave an answer that cannot be read.") from error
    # gTTS passes over an answer without sound in silence: the middle of a prompt would be missing.
    if len(pieces) != len(speech.get_bodies()) or not all(map(_is_mp3, pieces)):
        raise SpeechError("Google's voice gave an answer that is not sound.")
    return b"".join(pieces)


def _explained(error: gTTSError) -> SpeechError:
    if error.rsp is None:
        return SpeechError("Google's voice could not be reached.")
    status = error.rsp.status_code
    if status == 200:  # the service understood, and declined
        return SpeechError("Google's voice cannot say this text.", permanent=True)
    return SpeechError(f"Google's voice answered with status {status}.", permanent=status != 429 and status < 500)


def _is_mp3(data: bytes) -> bool:
    """Whether it begins as MP3 does: with a tag, or with the 11 set bits of a frame."""
    return data[:3] == b"ID3" or (data[:1] == b"\xff" and data[1:2] >= b"\xe0")
