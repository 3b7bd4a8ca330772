"""The routes that the provider calls. Every one is signed; duplicates and stragglers are harmless by design."""

import logging
from dataclasses import dataclass

from flask import Blueprint, Response, current_app, request
from sqlalchemy.exc import OperationalError, TimeoutError
from werkzeug.exceptions import HTTPException

from voice.calls import Calls, Writer
from voice.dialogue.events import UtteranceRecorded
from voice.preparations import NoWorkerKey
from voice.telephony import fields

log = logging.getLogger(__name__)

blueprint = Blueprint("calls", __name__)

APOLOGIES = ("sorry", "busy")  # the phrases that a caller hears when we can do no more


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
    return _twiml(_line().calls.started(fields.call_sid(), fields.caller(), fields.called()))


@blueprint.post("/calls/<int(max=9999):turn>")
def call_goes_on(turn: int) -> Response:
    """The caller did something at that turn, or nothing."""
    line, call_sid, event = _line(), fields.call_sid(), fields.event()
    placing = fields.placing(call_sid, turn) if isinstance(event, UtteranceRecorded) else None
    issued = line.calls.issued(call_sid, turn, fields.nonce())
    reply = line.calls.happened(call_sid, turn, event, placing, fields.caller()) if issued else None
    return _twiml(reply if reply is not None else line.writer.say("sorry"))


@blueprint.post("/calls/<int(max=9999):turn>/recording")
def recording_status(turn: int) -> Response:
    """News of a recording. It carries no caller, no key and no question: where it belongs stands in the URL."""
    calls, call_sid, recording_sid, status = _line().calls, fields.call_sid(), fields.recording_sid(), fields.recording_status()
    placing = fields.placing(call_sid, turn)
    if recording_sid is None or placing is None:
        return _refused("the recording's id or place has the wrong form")
    if not calls.issued(call_sid, turn, fields.nonce()):
        return Response(status=404)
    known = not status or calls.recording(recording_sid, status, placing)
    return Response(status=204 if known else 404)


@blueprint.post("/calls/status")
def call_status() -> Response:
    """News of a call: only its end matters."""
    if fields.call_has_ended():
        _line().calls.hung_up(fields.call_sid())
    return Response(status=204)


@blueprint.post("/texts/<any(invite, remind, undeliverable):which>/<string(length=32):preparation>")
def text_status(which: str, preparation: str) -> Response:
    """News of a text: only that it did not arrive matters."""
    if why := fields.why_not_delivered():
        _line().calls.text_not_delivered(which, preparation, why)
    return Response(status=204)


@blueprint.errorhandler(Exception)
def sorry(error: Exception) -> Response:
    """The caller hears Danish, whatever went wrong; news that could not be stored is asked for again (5xx)."""
    if isinstance(error, HTTPException):
        return _refused(error.name, error.code or 400)
    log.error("webhook %(endpoint)s failed: %(error)s", {"endpoint": request.endpoint, "error": error})
    if request.endpoint in ("calls.recording_status", "calls.call_status", "calls.text_status"):
        return Response(status=503)
    busy = isinstance(error, OperationalError | TimeoutError | NoWorkerKey)
    return _twiml(_line().writer.say("busy" if busy else "sorry"))


def _refused(reason: str, code: int = 400) -> Response:
    return Response(reason + "\n", status=code, mimetype="text/plain")


def _twiml(text: str) -> Response:
    return Response(text, mimetype="text/xml")
