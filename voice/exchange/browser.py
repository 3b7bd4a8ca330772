"""A handset in a browser: real time, a page's loudspeaker and microphone, keys pressed on the page.

The telephone stands here and the page only shows it. When the page goes away the call goes on, as a telephone network lets it,
and the next page takes it up. The call's own thread swaps frames; a page's threads do all the rest.
"""

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import av
import numpy as np
from numpy.typing import NDArray

from voice.exchange.conversation import Entry
from voice.exchange.handset import Heard
from voice.exchange.media import FRAMES_PER_SECOND, RATE, SILENCE, frames, is_speech, to_wav
from voice.exchange.pace import Microphone, Pace

AWAY_SECONDS = 600  # without a page: then the network lets the call go


class Page(Protocol):
    """What shows the telephone. Called from the call's thread too, so no method may wait."""

    def begin(self, entries: Sequence[Entry]) -> None:
        """Show a call from its beginning; this has happened so far."""

    def show(self, entry: Entry) -> None:
        """Show what happens now."""

    def play(self, frame: bytes) -> None:
        """Let 20 ms of the line's sound be heard."""


class BrowserHandset:
    """A Handset for one call after the other. ``typed`` is given each recording that holds a typed answer, and the answer."""

    def __init__(self, typed: Callable[[bytes, str], None]) -> None:
        self._typed = typed
        self._page: Page | None = None
        self._showing = threading.Lock()  # so that a page misses nothing that happens while it comes
        self.lift()

    def lift(self) -> None:
        """Begin a new call."""
        with self._showing:
            self._entries: list[Entry] = []
            if self._page:
                self._page.begin(self._entries)
        self._pace = Pace()
        self._away = 0
        self._hung_up = False
        self._keys: deque[str] = deque()
        self._microphone = Microphone()
        self._waiting: deque[tuple[str, bytes]] = deque()  # typed answers and their sound
        self._speaking: Iterator[bytes] = iter(())
        self._stop_recording()

    # --- the page's side ---

    def attach(self, page: Page) -> None:
        """Show the telephone on this page, and on no other."""
        with self._showing:
            self._page = page
            page.begin(self._entries)

    def detach(self, page: Page) -> None:
        with self._showing:
            if self._page is page:
                self._page = None

    def hear(self, pcm: bytes) -> None:
        """Telephone sound from the microphone, in pieces of any length."""
        self._microphone.hear(pcm)

    def press(self, key: str) -> None:
        self._keys.append(key)

    def answer(self, text: str, pcm: bytes) -> bool:
        """Speak a typed answer in this recording, or in the next one. False when the caller is already speaking in this one."""
        if self._voice_heard:
            return False
        self._waiting.append((text, pcm))
        return True

    def hang_up(self) -> None:
        self._hung_up = True

    # --- the call's side ---

    def notice(self, entry: Entry) -> None:
        with self._showing:
            self._entries.append(entry)
            if self._page:
                self._page.show(entry)
        if entry.what == "records":
            self._recording = True
        elif entry.what == "recorded":
            if self._answers:
                self._typed(to_wav(bytes(self._recorded)), " ".join(self._answers))
            self._stop_recording()

    def swap(self, frame: bytes) -> Heard:
        self._pace.wait()
        if page := self._page:
            page.play(frame)
        self._away = 0 if page else self._away + 1
        if self._hung_up or self._away > AWAY_SECONDS * FRAMES_PER_SECOND:
            return Heard(hung_up=True)
        heard = self._heard()
        if self._recording:
            self._recorded += heard.frame or SILENCE
        return heard

    def _heard(self) -> Heard:
        frame, note = self._microphone.frame(), ""
        key = self._keys.popleft() if self._keys else None
        if self._recording and self._waiting and not self._voice_heard:
            text, pcm = self._waiting.popleft()
            self._answers.append(text)
            self._speaking = itertools.chain(self._speaking, frames(pcm))
            note = f"“{text}”"
        if self._answers:  # a typed answer has its recording to itself
            return Heard(next(self._speaking, SILENCE), key, note=note)
        self._voice_heard |= self._recording and is_speech(frame)
        return Heard(frame, key)

    def _stop_recording(self) -> None:
        self._recording = False
        self._recorded = bytearray()
        self._answers: list[str] = []  # what was typed and is spoken in this recording
        self._voice_heard = False  # in this recording, from the microphone


class PageSound:
    """Translates between telephone sound and a page's, whose samples are 32-bit floats at a rate of its own."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._out = av.AudioResampler(format="flt", layout="mono", rate=rate)
        self._in = av.AudioResampler(format="s16", layout="mono", rate=RATE)

    def to_page(self, pcm: bytes) -> bytes:
        return _resampled(self._out, np.frombuffer(pcm, np.int16), "s16", RATE)

    def from_page(self, samples: bytes) -> bytes:
        return _resampled(self._in, np.nan_to_num(np.frombuffer(samples, np.float32)), "flt", self._rate)


def _resampled(resampler: av.AudioResampler, samples: NDArray[np.int16] | NDArray[np.float32], kind: str, rate: int) -> bytes:
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format=kind, layout="mono")
    frame.sample_rate = rate
    return b"".join(out.to_ndarray().tobytes() for out in resampler.resample(frame))
