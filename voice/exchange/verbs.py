"""The verbs of TwiML that the exchange carries out, with Twilio's documented defaults."""

from dataclasses import dataclass
from typing import Literal

KEYS = "1234567890*#"

Method = Literal["GET", "POST"]


@dataclass(frozen=True, slots=True)
class Say:
    text: str
    breaks: float = 0.0  # seconds of <break> inside the text
    voice: str | None = None
    language: str | None = None
    loop: int = 1  # 0: until the caller hangs up


@dataclass(frozen=True, slots=True)
class Play:
    url: str
    loop: int = 1  # 0: until the caller hangs up


@dataclass(frozen=True, slots=True)
class Pause:
    length: int = 1


Prompt = Say | Play | Pause


@dataclass(frozen=True, slots=True)
class Gather:
    prompts: tuple[Prompt, ...] = ()
    input: str = "dtmf"
    action: str | None = None  # None: the document's own URL
    method: Method = "POST"
    timeout: int = 5
    num_digits: int | None = None
    finish_on_key: str = "#"
    action_on_empty_result: bool = False
    language: str = "en-US"
    speech_timeout: str | None = None
    speech_model: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    action: str | None = None  # None: the document's own URL
    method: Method = "POST"
    timeout: int = 5  # 0: silence does not end it
    finish_on_key: str = KEYS
    max_length: int = 3600
    play_beep: bool = True
    recording_status_callback: str | None = None
    recording_status_callback_method: Method = "POST"
    recording_status_callback_event: tuple[str, ...] = ("completed",)


@dataclass(frozen=True, slots=True)
class Redirect:
    url: str
    method: Method = "POST"


@dataclass(frozen=True, slots=True)
class Hangup:
    pass


@dataclass(frozen=True, slots=True)
class Reject:
    reason: Literal["rejected", "busy"] = "rejected"


Verb = Prompt | Gather | Record | Redirect | Hangup | Reject
