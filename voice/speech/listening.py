"""What all recognisers share: the voice gate before, the language that was spoken, and the doubt after."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np

from voice.speech import LEAST_SPEECH, Transcript
from voice.speech.audio import Samples, decode
from voice.speech.flags import Flags, Piece
from voice.speech.gate import RATE, Cut, chunks, speech_seconds

# An answer is in a foreign language when all of these hold: measured on Danish telephone speech, of which the model takes much
# for German or English, though seldom with confidence. Better a foreign answer in doubtful Danish words than a Danish one without any.
FOREIGN_PROBABILITY = 0.85  # another language has this much at least
EXPECTED_PROBABILITY = 0.01  # the one that is expected has this much at most
FOREIGN_SECONDS = 2  # there is so much speech


class Listener(ABC):
    """A Transcriber, but for what its engine does. One recording is transcribed at a time."""

    def __init__(self, cut: Cut, flags: Flags) -> None:
        self.cut = cut
        self._flags = flags
        self._one_at_a_time = threading.Lock()

    def transcribe(self, sound: bytes, language: str) -> Transcript:
        samples = decode(sound, RATE)
        with self._one_at_a_time:
            speech = speech_seconds(samples)
            if speech < LEAST_SPEECH:
                return Transcript("", speech, unsure=False, language=language)
            parts = chunks(samples, self.cut)
            foreign = foreign_language(self.languages(np.concatenate(parts)), language) if speech >= FOREIGN_SECONDS else ""
            if foreign:  # written down as if it were the expected one, it would read as sense that nobody said
                return Transcript("", speech, unsure=False, language=foreign, foreign=True)
            pieces = self.write(parts, language)
        text = " ".join(word.text for piece in pieces for word in piece)
        return Transcript(text, speech, unsure=self._flags.unsure(pieces, speech), language=language)

    @abstractmethod
    def write(self, parts: Sequence[Samples], language: str) -> list[Piece]:
        """The words of each of these chunks of speech."""

    @abstractmethod
    def languages(self, speech: Samples) -> Mapping[str, float]:
        """How probable each language is in the first half minute of this speech; nothing when the engine tells no languages apart."""


def foreign_language(probabilities: Mapping[str, float], expected: str) -> str:
    """The language that was spoken, if it surely was another one than expected; or ""."""
    likeliest = max(probabilities, key=probabilities.__getitem__, default=expected)
    sure = probabilities.get(likeliest, 0) >= FOREIGN_PROBABILITY and probabilities.get(expected, 0) <= EXPECTED_PROBABILITY
    return likeliest if sure else ""
