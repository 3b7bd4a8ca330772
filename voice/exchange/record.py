"""What is left of a call when it is over."""

from dataclasses import dataclass, field

from voice.exchange.conversation import Conversation
from voice.exchange.errors import CallError
from voice.exchange.recordings import Recording
from voice.exchange.web import Request


@dataclass(frozen=True, slots=True)
class Webhook:
    """A request that the call made, and what came of it: the HTTP status and the answer (not that of a sound), or the error's text."""

    at: float
    request: Request
    result: int | str
    answer: bytes = b""


@dataclass(slots=True)
class CallRecord:
    """All there is to know about a call when it is over."""

    sid: str
    from_number: str
    to_number: str
    status: str = "ringing"
    conversation: Conversation = field(default_factory=Conversation)
    errors: list[CallError] = field(default_factory=list)
    webhooks: list[Webhook] = field(default_factory=list)
    recordings: list[Recording] = field(default_factory=list)
    seconds: float = 0.0
