"""The part of Twilio's REST API that a line needs: recordings, their sound, messages, and the erasing of calls."""

import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from email.utils import format_datetime
from urllib.parse import urlencode

from flask import Flask, Response, jsonify, redirect, request
from werkzeug.exceptions import HTTPException, default_exceptions
from werkzeug.wrappers import Response as BaseResponse

from voice.exchange.recordings import Message, Recording, Recordings, new_sid
from voice.exchange.web import Request

Answer = BaseResponse | tuple[BaseResponse, int] | tuple[str, int]


@dataclass(slots=True)
class Messages:
    """The text messages that were handed in, the numbers that cannot take any, and those that the carrier gives up, each with its error."""

    sent: list[Message] = field(default_factory=list)
    landlines: set[str] = field(default_factory=set)
    unreachable: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Elsewhere:
    """The other host to which sound may be redirected. ``leaks`` counts credentials that were sent there, which must not be."""

    key: str = field(default_factory=secrets.token_hex)
    leaks: int = 0


def error(status: int, code: int, message: str) -> tuple[Response, int]:
    """An error as Twilio's REST API tells it."""
    more = f"https://www.twilio.com/docs/errors/{code}"
    return jsonify({"code": code, "message": message, "more_info": more, "status": status}), status


def create_app(
    account_sid: str,
    auth_tokens: Sequence[str],
    recordings: Recordings,
    messages: Messages,
    elsewhere: Elsewhere,
    erased: set[str],
    going_on: Callable[[str], bool],
    call_back: Callable[[Iterable[Request]], None],
) -> Flask:
    """The API for one account. ``erased`` takes the sids of the calls whose record was deleted, ``going_on`` tells of which that is too
    early, ``call_back`` sends status callbacks."""
    app = Flask("voice.exchange.rest")
    root = f"/2010-04-01/Accounts/{account_sid}"

    def missing() -> Answer:
        return error(404, 20404, f"The requested resource {request.path} was not found")

    def as_json(recording: Recording) -> dict[str, object]:
        uri = f"{root}/Recordings/{recording.sid}"
        return {
            "sid": recording.sid,
            "account_sid": account_sid,
            "call_sid": recording.call_sid,
            "status": recording.conditions.recording_status,
            "duration": str(recording.seconds),
            "channels": 1,
            "source": "RecordVerb",
            "date_created": format_datetime(recording.started),
            "start_time": format_datetime(recording.started),
            "api_version": "2010-04-01",
            "uri": f"{uri}.json",
            "media_url": request.host_url.rstrip("/") + uri,
        }

    def news(message: Message) -> Iterator[Request]:
        """What is told of it, if anybody wants to hear: the carrier took it, and delivered it or gave it up."""
        error_code = messages.unreachable.get(message.to)
        for status in ("sent", "delivered" if error_code is None else "undelivered") if message.status_callback else ():
            params = {
                "AccountSid": account_sid,
                "ApiVersion": "2010-04-01",
                "MessageSid": message.sid,
                "MessageStatus": status,
                "SmsSid": message.sid,
                "SmsStatus": status,
                "To": message.to,
                "From": message.sender,
                **({"ErrorCode": str(error_code)} if status == "undelivered" else {}),
            }
            yield Request(message.status_callback, params)

    @app.before_request
    def authorize() -> Answer | None:
        if request.path.startswith("/elsewhere/"):
            return None
        given = request.authorization
        password = ((given and given.password) or "").encode()
        known = any(secrets.compare_digest(password, token.encode()) for token in auth_tokens)
        right = given is not None and given.username == account_sid and known
        return None if right else error(401, 20003, "Authenticate")

    @app.get(f"{root}/Recordings/<name>")
    def recording(name: str) -> Answer:
        sid, _, kind = name.partition(".")
        found = recordings.get(sid)
        if found is None or kind not in ("", "wav", "json"):
            return missing()
        return jsonify(as_json(found)) if kind == "json" else sound(found)

    def sound(found: Recording) -> Answer:
        match recordings.fetch(found):
            case "sound":
                return Response(found.wav, content_type="audio/x-wav")
            case "missing" | "deleted":
                return missing()
            case "empty":
                return Response(b"", content_type="audio/x-wav")
            case "html":
                return Response("<!doctype html><title>Sorry</title><p>Please try again later.", content_type="text/html")
            case "text":
                return Response("not a sound at all", content_type="audio/x-wav")
            case "truncated":
                return Response(found.wav[: len(found.wav) // 2], content_type="audio/x-wav")
            case "cut off":
                half = found.wav[: len(found.wav) // 2]
                return Response(iter([half]), content_type="audio/x-wav", headers={"Content-Length": str(len(found.wav))})
            case "unauthorized":
                return error(401, 20003, "Authenticate")
            case "forbidden":
                return error(403, 20403, "Forbidden")
            case "too many requests":
                later, status = error(429, 20429, "Too Many Requests")
                later.headers["Retry-After"] = "1"
                return later, status
            case "broken":
                return error(500, 20500, "Internal Server Error")
            case "huge":
                return Response(zeros(found.conditions.huge_bytes), content_type="audio/x-wav")
            case "elsewhere":
                host = request.host.replace("127.0.0.1", "localhost")
                return redirect(f"http://{host}/elsewhere/{elsewhere.key}/{found.sid}.wav", 307)

    @app.get("/elsewhere/<key>/<sid>.wav")
    def elsewhere_sound(key: str, sid: str) -> Answer:
        if request.authorization is not None:
            elsewhere.leaks += 1
            return error(400, 20001, "Credentials were sent to a host that must not have them")
        found = recordings.get(sid)
        return missing() if key != elsewhere.key or found is None else Response(found.wav, content_type="audio/x-wav")

    @app.get(f"{root}/Recordings.json")
    def listed() -> Answer:
        page, size = request.args.get("Page", 0, type=int), request.args.get("PageSize", 50, type=int)
        since = request.args.get("DateCreated>", "")
        made = [each for each in recordings.all() if f"{each.started:%Y-%m-%d}" >= since]
        end = (page + 1) * size
        following = None
        if made[end:]:
            asked = {"DateCreated>": since, "PageSize": size, "Page": page + 1, "PageToken": f"PA{made[end - 1].sid}"}
            following = f"{root}/Recordings.json?{urlencode(asked)}"
        return jsonify({"recordings": [as_json(each) for each in made[end - size : end]], "next_page_uri": following, "page": page})

    @app.delete(f"{root}/Recordings/<sid>.json")
    def delete_recording(sid: str) -> Answer:
        found = recordings.get(sid)
        if found is None:
            return missing()
        return ("", 204) if recordings.delete(found) else error(500, 20500, "Internal Server Error")

    @app.post(f"{root}/Messages.json")
    def send_message() -> Answer:
        to, sender, body = (request.form.get(name, "") for name in ("To", "From", "Body"))
        if not (to and sender and body):
            return error(400, 21602, "A message needs To, From and Body")
        if to in messages.landlines:
            return error(400, 21614, f"'To' number is not a valid mobile number: {to}")
        message = Message(new_sid("SM"), to, sender, body, request.form.get("StatusCallback", ""))
        messages.sent.append(message)
        call_back(news(message))
        return jsonify({"sid": message.sid, "account_sid": account_sid, "to": to, "from": sender, "body": body, "status": "queued"}), 201

    @app.delete(f"{root}/Calls/<sid>.json")
    def delete_call(sid: str) -> Answer:
        if not re.fullmatch("CA[0-9a-f]{32}", sid):
            return missing()
        if going_on(sid):
            return error(400, 20009, "Cannot delete this resource before it is complete")
        erased.add(sid)
        return "", 204

    @app.errorhandler(HTTPException)
    def other(problem: HTTPException) -> Answer:
        status = problem.code or 500
        return missing() if status == 404 else error(status, 20000 + status, default_exceptions[status].description or "")

    return app


def zeros(size: int) -> Iterator[bytes]:
    """So many bytes of a WAV that never ends, without keeping them."""
    yield b"RIFF" + (size - 8).to_bytes(4, "little") + b"WAVE"
    for start in range(12, size, 65536):
        yield bytes(min(65536, size - start))
