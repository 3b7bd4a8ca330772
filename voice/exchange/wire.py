"""The sound between the exchange and one handset, frame by frame. Its frames are the call's clock."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from voice.exchange.conversation import Conversation, Entry, What, Who
from voice.exchange.handset import Handset, Heard
from voice.exchange.media import FRAMES_PER_SECOND, SILENCE

MAX_SECONDS = 4 * 60 * 60  # Twilio's own bound of a call


class CallerHungUp(Exception):
    """The caller put the receiver down."""


class CallTooLong(Exception):
    """The provider ends a call that lasts this long."""


@dataclass(slots=True)
class Wire:
    handset: Handset
    conversation: Conversation = field(default_factory=Conversation)
    _frames: int = 0

    @property
    def seconds(self) -> float:
        return self._frames / FRAMES_PER_SECOND

    def note(self, what: What, text: str = "", who: Who = "line") -> None:
        entry = Entry(self.seconds, who, what, text)
        self.conversation.entries.append(entry)
        self.handset.notice(entry)

    def swap(self, frame: bytes = SILENCE) -> Heard:
        """Send one frame and give what was heard meanwhile. Raises CallerHungUp and CallTooLong."""
        heard = self.handset.swap(frame)
        if heard.note:
            self.note("does", heard.note, "caller")
        if heard.hung_up:
            self.note("hangs up", who="caller")
            raise CallerHungUp
        if heard.key:
            self.note("presses", heard.key, "caller")
        if heard.words:
            self.note("speaks", heard.words, "caller")
        self._frames += 1
        if self.seconds >= MAX_SECONDS:
            raise CallTooLong
        return heard

    def play(self, frames: Iterable[bytes]) -> None:
        """Send sound that nothing interrupts."""
        for frame in frames:
            self.swap(frame)
