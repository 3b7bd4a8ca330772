"""What can go wrong on a call, with the code that Twilio's debugger would show for it."""

from collections.abc import Sequence

from voice.errors import VoiceError


class CallError(VoiceError):
    """The call cannot go on. ``code`` is Twilio's, ``url`` the document or file at fault."""

    def __init__(self, code: int, message: str, url: str = "") -> None:
        super().__init__(f"{code}: {message}" + (f" ({url})" if url else ""))
        self.code = code
        self.message = message
        self.url = url


class TwimlError(CallError):
    """A document that Twilio would refuse, or would carry out otherwise than its author meant."""


class FetchError(CallError):
    """A document or sound that could not be fetched."""


class ScriptError(VoiceError):
    """A caller's script is wrong. ``problems`` are ``file:line: problem``, all of them at once."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)
