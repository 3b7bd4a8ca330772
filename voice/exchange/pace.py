"""Real time, for handsets whose 20 ms last 20 ms."""

import time
from collections import deque

from voice.exchange.media import FRAME_BYTES, FRAMES_PER_SECOND, frames

HURRY = 1.0  # seconds that a held-up call may make good by hurrying; it keeps line and microphone together
BUFFERED = 5  # frames of the microphone that are waited for, so that a hiccup tears no hole


class Pace:
    """Lets one frame pass every 20 ms."""

    def __init__(self) -> None:
        self._due = time.monotonic()

    def wait(self) -> None:
        now = time.monotonic()
        self._due = max(self._due + 1 / FRAMES_PER_SECOND, now - HURRY)
        time.sleep(max(0.0, self._due - now))


class Microphone:
    """Sound that comes when it comes, from another thread, and goes frame by frame."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque(maxlen=round(HURRY * FRAMES_PER_SECOND))
        self._cut = b""  # the beginning of the next frame
        self._buffering = True

    def hear(self, pcm: bytes) -> None:
        """Telephone sound, in pieces of any length."""
        pcm = self._cut + pcm
        whole = len(pcm) - len(pcm) % FRAME_BYTES
        self._frames.extend(frames(pcm[:whole]))
        self._cut = pcm[whole:]

    def frame(self) -> bytes:
        """The next frame, or none at all while too few have come."""
        self._buffering = len(self._frames) < (BUFFERED if self._buffering else 1)
        return b"" if self._buffering else self._frames.popleft()
