"""The routes that the provider calls. Every one is signed; duplicates and stragglers are harmless by design."""

import logging
import re
from dataclasses import dataclass

from flask import Blueprint, Response, current_app, request
from sqlalchemy.exc import OperationalError, TimeoutError
from werkzeug.exceptions import HTTPException

from voice.calls import Calls, Writer
from voice.dialogue.events import HANGUP, SILENCE, Event, KeysPressed, NoInput, UtteranceRecorded, WordsHeard
from voice.preparations import NoWorkerKey, Placing

log = logging.getLogger(__name__)

blueprint = Blueprint("calls", __name__)
ENDED = ("completed", "busy", "failed", "no-answer", "canceled")


@dataclass(frozen=True, slots=True)
class Line:
    """What the routes need: the calls, and a way to say what is wrong."""

    calls: Calls
    writer: Writer


def _line() -> Line:
    line = current_app.extensions["line"]
    assert isinstance(line, Line)
    return line


@blueprint.post("/calls")
def call_started() -> Response:
    """A call comes in."""
    return _twiml(_line().calls.started(_call_sid(), request.form.get("From", ""), request.form.get("To", "")))


@blueprint.post("/calls/<int(max=9999):turn>")
def call_goes_on(turn: int) -> Response:
    """The caller did something at that turn, or nothing."""
    call_sid = _call_sid()
    event = _event()
    placing = _placing(call_sid, turn) if isinstance(event, UtteranceRecorded) else None
    reply = _line().calls.happened(call_sid, turn, event, placing)
    return _twiml(reply if reply is not None else _line().writer.say("sorry"))


@blueprint.post("/calls/<int(max=9999):turn>/recording")
def recording_status(turn: int) -> Response:
    """News of a recording. It carries no caller, no key and no question: where it belongs stands in the URL."""
    status = request.form.get("RecordingStatus", "")
    recording_sid = _recording_sid()
    placing = _placing(_call_sid(), turn)
    if recording_sid is None or placing is None:
        return _refused("the recording's id or place has the wrong form")
    known = status not in ("completed", "absent", "failed") or _line().calls.recording(recording_sid, status, placing)
    return Response(status=204 if known else 404)


@blueprint.post("/calls/status")
def call_status() -> Response:
    """News of a call: only its end matters."""
    if request.form.get("CallStatus") in ENDED:
        _line().calls.hung_up(_call_sid())
    return Response(status=204)


@blueprint.errorhandler(Exception)
def sorry(error: Exception) -> Response:
    """The caller hears Danish, whatever went wrong; news that could not be stored is asked for again (5xx)."""
    if isinstance(error, HTTPException):
        return _refused(error.name, error.code or 400)
    log.error("webhook %s failed: %s", request.endpoint, type(error).__name__)
    if request.endpoint in ("calls.recording_status", "calls.call_status"):
        return Response(status=503)
    busy = isinstance(error, OperationalError | TimeoutError | NoWorkerKey)
    return _twiml(_line().writer.say("busy" if busy else "sorry"))


def _event() -> Event:
    form = request.form
    recording_sid = _recording_sid()
    if recording_sid is not None:
        digits = form.get("Digits", "")
        ended_by = HANGUP if digits == "hangup" else digits if re.fullmatch(r"[0-9*#]", digits) else SILENCE
        duration = form.get("RecordingDuration", "")
        return UtteranceRecorded(recording_sid, int(duration) if re.fullmatch(r"[0-9]{1,5}", duration) else 0, ended_by)
    if form.get("Digits"):
        return KeysPressed(form["Digits"][:20])
    if form.get("SpeechResult"):
        return WordsHeard(form["SpeechResult"][:200])
    return NoInput()


def _call_sid() -> str:
    call_sid = request.form.get("CallSid", "")
    if not re.fullmatch(r"CA[0-9a-f]{32}", call_sid):
        raise BadField
    return call_sid


def _recording_sid() -> str | None:
    """From its own field, or else from the end of RecordingUrl: the action's documentation names only the latter."""
    found = re.fullmatch(r"(?:.*/)?(RE[0-9a-f]{32})(?:\.wav)?", request.form.get("RecordingSid") or request.form.get("RecordingUrl", ""))
    return found[1] if found else None


def _placing(call_sid: str, turn: int) -> Placing | None:
    found = re.fullmatch(r"([0-9a-f]{32})\.([a-z][a-z0-9_]{0,39})\.([0-9]{1,3})", request.args.get("answer", ""))
    return Placing(call_sid, turn, found[1], found[2], int(found[3])) if found else None


class BadField(HTTPException):
    """A field of the webhook has a form that the provider never sends."""

    code = 400
    description = "a field has the wrong form"


def _refused(reason: str, code: int = 400) -> Response:
    return Response(reason + "\n", status=code, mimetype="text/plain")


def _twiml(text: str) -> Response:
    return Response(text, mimetype="text/xml")
