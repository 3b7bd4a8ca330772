"""The demo's telephone: one call at a time, from this machine's own line."""

import threading
from typing import Protocol

from voice.exchange import Exchange, media
from voice.exchange.browser import BrowserHandset, Page
from voice.local.demo.typed import TypedAnswers
from voice.speech.espeak import EspeakSynthesizer
from voice.speech.telephone import telephone_wav

NUMBERS = ("+4520123456", "+4570123456")  # from, to


class Screen(Page, Protocol):
    """A page with the telephone on it."""

    def lifted(self, on_call: bool) -> None:
        """Whether a call is under way."""

    def leave(self) -> None:
        """Another page shows the telephone from now on."""


class Telephone:
    """Outlives every page. Its methods are called from the pages' threads."""

    def __init__(self, exchange: Exchange, typed: TypedAnswers) -> None:
        self._exchange = exchange
        self._handset = BrowserHandset(typed.lay)
        self._screen: Screen | None = None
        self._lock = threading.Lock()
        self._call: threading.Thread | None = None

    @property
    def call_sid(self) -> str | None:
        """The call that is under way, or was the last."""
        return self._exchange.calls[-1].sid if self._exchange.calls else None

    def attach(self, screen: Screen) -> None:
        with self._lock:
            if self._screen:
                self._screen.leave()
            self._screen = screen
            self._handset.attach(screen)
            self._tell()

    def detach(self, screen: Screen) -> None:
        with self._lock:
            self._handset.detach(screen)
            if self._screen is screen:
                self._screen = None

    def ring(self) -> None:
        with self._lock:
            if self._call is None:
                self._handset.lift()
                self._call = threading.Thread(target=self._talk, name="demo-call", daemon=True)
                self._call.start()
                self._tell()

    def stop(self, seconds: float = 5.0) -> None:
        """Hang up and wait for the call's end."""
        self._handset.hang_up()
        if call := self._call:
            call.join(seconds)

    def hear(self, pcm: bytes) -> None:
        self._handset.hear(pcm)

    def press(self, key: str) -> None:
        self._handset.press(key)

    def hang_up(self) -> None:
        self._handset.hang_up()

    def answer(self, text: str) -> bool:
        """Speak what was typed into the line. False while the caller is already speaking."""
        wav = telephone_wav(EspeakSynthesizer().synthesize(text, "da"), caption=text)
        return self._handset.answer(text, media.decode(wav, "audio/wav"))

    def _talk(self) -> None:
        try:
            self._exchange.call(self._handset, *NUMBERS)
        finally:
            with self._lock:
                self._call = None
                self._tell()

    def _tell(self) -> None:
        if self._screen:
            self._screen.lifted(self._call is not None)
