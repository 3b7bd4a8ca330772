"""The weather of the telephone network: everything that Twilio may do and seldom does."""

from dataclasses import dataclass
from typing import Literal

Media = Literal[
    "sound",
    "missing",  # 404, as right after the callback
    "empty",
    "html",  # a page of HTML with status 200
    "text",  # something else that is not sound
    "truncated",
    "cut off",  # the same, by a connection that ends before the length that was told
    "unauthorized",
    "forbidden",
    "too many requests",
    "broken",  # 500
    "elsewhere",  # a redirect to another host, where the credentials must not be sent
    "huge",
    "deleted",  # 404 for good, for deleting too: somebody else was faster
]


@dataclass(frozen=True, slots=True)
class Conditions:
    """How the exchange behaves for one call. The defaults are a good day."""

    report_silent: bool = True  # False: as in Twilio's older documentation, a silent recording is never heard of again
    recording_status: Literal["completed", "absent", "failed"] = "completed"

    callback_delay: float = 0.1  # seconds of real time until a status callback is sent
    callbacks_doubled: bool = False
    callbacks_reversed: bool = False  # all at the end of the call, its own status first, then the last recording, …
    callbacks_dropped: bool = False
    actions: Literal["once", "doubled", "parallel"] = "once"  # how the requests to the action of a Gather or Record are sent

    media: Media = "sound"  # what a request for a recording's sound gets
    media_times: int | None = None  # for so many requests, then the sound; None: always
    huge_bytes: int = 200_000_000
    deletes_failing: int = 0  # so many requests to delete a recording get a 500
