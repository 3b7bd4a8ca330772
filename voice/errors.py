"""Everything that can go wrong and is ours to name.

::

    VoiceError
    ├── ConfigError      settings are wrong; all of them at once   -> refuses to start
    ├── PromptError      content is wrong; all problems at once    -> refuses to start
    ├── ProviderError    .permanent, .outage   the telephone provider's REST calls
    ├── SpeechError      .permanent   a voice that cannot speak, a sound that cannot be heard
    ├── ModelError       a recogniser that cannot be fetched, converted or trusted
    ├── SummaryError     a form of the summary that cannot be made -> the mail goes without it and says so
    └── DeliveryError    .permanent   a mail that cannot be sent

What a caller does (silence, a wrong key, a hang-up) is an event, never an exception.
"""

from collections.abc import Sequence


class VoiceError(Exception):
    """The root of them all."""


class _ManyProblems(VoiceError):
    """Holds every problem, so that all of them can be mended in one go."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class ConfigError(_ManyProblems):
    """Settings are missing or wrong. ``problems`` has one sentence each, with the mend."""


class PromptError(_ManyProblems):
    """Content is wrong. ``problems`` are ``file: key: problem``."""


class _Retryable(VoiceError):
    """``permanent``: trying again cannot help. ``code``: what the other side answered, for the log, which holds no message."""

    def __init__(self, message: str, *, permanent: bool = False, code: int | None = None) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.code = code


class ProviderError(_Retryable):
    """The telephone provider did not do what we asked. ``outage``: it does nothing for us now, which says nothing of what we asked for."""

    def __init__(self, message: str, *, permanent: bool = False, code: int | None = None, outage: bool = False) -> None:
        super().__init__(message, permanent=permanent, code=code)
        self.outage = outage


class SpeechError(_Retryable):
    """A voice could not speak, or a sound could not be read."""


class ModelError(VoiceError):
    """A recogniser cannot be fetched, converted or trusted. One sentence, with the mend."""


class SummaryError(VoiceError):
    """The pages or the sound could not be made. Names kinds and codes, never what was said."""


class DeliveryError(_Retryable):
    """A mail was not accepted."""
