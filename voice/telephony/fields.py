"""What the provider posts, each field in its strict form.

An id of the wrong form is refused, as the provider sends none. What comes from the caller's telephone is never refused: keys of
another form are a wrong key, a number of another form is withheld, a length of another form is no length.
"""

import re

from flask import request
from werkzeug.exceptions import HTTPException

from voice.bindings import REFUSED
from voice.dialogue.events import HANGUP, SILENCE, Event, KeysPressed, NoInput, UtteranceRecorded, WordsHeard
from voice.preparations import Placing

ENDED = ("completed", "busy", "failed", "no-answer", "canceled")
RECORDED = ("completed", "absent", "failed")
LANDLINE = "30006"  # or a network that takes no texts
WRONG_KEY = "?"
MOST_WORDS = 200  # characters of what the provider's recogniser made of a word
_RECORDING = r"RE[0-9a-f]{32}"
_MEDIA = rf"https?://[A-Za-z0-9.:-]+/(?:[A-Za-z0-9._-]+/)*({_RECORDING})(?:\.wav)?"


class BadField(HTTPException):
    """A field of the webhook has a form that the provider never sends."""

    code = 400
    description = "a field has the wrong form"


def call_sid() -> str:
    """Raises BadField."""
    if found := _field("CallSid", r"CA[0-9a-f]{32}"):
        return found
    raise BadField


def caller() -> str:
    """The caller's number, or "" if it is withheld."""
    return _field("From", r"\+[1-9][0-9]{6,14}")


def called() -> str:
    """The number of ours that was called, or ""."""
    return _field("To", r"\+[1-9][0-9]{6,14}")


def call_has_ended() -> bool:
    return request.form.get("CallStatus") in ENDED


def recording_status() -> str:
    """What became of the recording, or "" if that is not told yet."""
    status = request.form.get("RecordingStatus", "")
    return status if status in RECORDED else ""


def recording_sid() -> str | None:
    """From its own field, or else from the end of RecordingUrl: the action's documentation names only the latter. Raises BadField."""
    given, url = request.form.get("RecordingSid", ""), request.form.get("RecordingUrl", "")
    if not (given or url):
        return None
    found = re.fullmatch(rf"({_RECORDING})", given) if given else re.fullmatch(_MEDIA, url)
    if not found:
        raise BadField
    return found[1]


def why_not_delivered() -> str:
    """Why a text did not arrive, or "" if it did or is still on its way."""
    if request.form.get("MessageStatus") not in ("undelivered", "failed"):
        return ""
    return REFUSED if request.form.get("ErrorCode") == LANDLINE else "not delivered"


def event() -> Event:
    """What the caller did at a turn. Raises BadField."""
    digits = request.form.get("Digits", "")
    sid = recording_sid()
    if sid is not None:
        ended_by = HANGUP if digits == "hangup" else digits if re.fullmatch(r"[0-9*#]", digits) else SILENCE
        return UtteranceRecorded(sid, int(_field("RecordingDuration", r"[0-9]{1,5}") or 0), ended_by)
    if digits:
        return KeysPressed(_field("Digits", r"[0-9*#]{1,20}") or WRONG_KEY)
    if words := request.form.get("SpeechResult"):
        return WordsHeard("".join(c for c in words[:MOST_WORDS] if c.isprintable()))
    return NoInput()


def placing(call_sid: str, turn: int) -> Placing | None:
    """Where a recording belongs, by its address. None if that does not tell."""
    found = re.fullmatch(r"([0-9a-f]{32})\.([a-z][a-z0-9_]{0,39})\.([0-9]{1,3})", request.args.get("answer", ""))
    return Placing(call_sid, turn, found[1], found[2], int(found[3])) if found else None


def nonce() -> str:
    found = request.args.get("nonce", "")
    return found if re.fullmatch(r"[0-9a-f]{32}", found) else ""


def _field(name: str, form: str) -> str:
    value = request.form.get(name, "")
    return value if re.fullmatch(form, value) else ""
