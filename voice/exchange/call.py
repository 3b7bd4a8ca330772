"""One call: TwiML is fetched by signed webhooks and carried out against a handset, verb by verb."""

import itertools
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import urljoin, urlsplit

from voice.exchange import media, twiml, verbs
from voice.exchange.callbacks import Callbacks
from voice.exchange.conditions import Conditions
from voice.exchange.errors import CallError, FetchError
from voice.exchange.handset import Handset
from voice.exchange.listening import Recorded, gather, record
from voice.exchange.record import CallRecord, Webhook
from voice.exchange.recordings import Recording, Recordings
from voice.exchange.verbs import Gather, Hangup, Pause, Play, Prompt, Record, Redirect, Reject, Say
from voice.exchange.web import Reply, Request, Web
from voice.exchange.wire import CallerHungUp, CallTooLong, Wire

SPEAKING_RATE = 14  # characters in a second, for a voice that is not there
MAX_SOUND_BYTES = 40_000_000
MAX_DOCUMENTS = 1000  # a line that only redirects would never end, for no time passes
TWIML_TYPES = ("text/xml", "application/xml", "text/html")
SORRY = "We are sorry, an application error has occurred. Goodbye."


@dataclass(frozen=True, slots=True)
class Line:
    """A telephone number's settings."""

    account_sid: str
    auth_token: str = field(repr=False)
    voice_url: str
    status_url: str | None
    fallback_url: str | None
    api_base_url: str


@dataclass(frozen=True, slots=True)
class _Document:
    url: str
    verbs: tuple[verbs.Verb, ...]

    def address(self, url: str | None) -> str:
        """A URL in this document: relative ones are relative to it, none at all is its own."""
        return self.url if url is None else urljoin(self.url, url)


@dataclass(frozen=True, slots=True)
class _Next:
    """The request that brings the next document."""

    url: str
    method: verbs.Method = "POST"
    params: Mapping[str, str] = field(default_factory=dict)
    is_action: bool = False


@dataclass(frozen=True, slots=True)
class _Sound:
    text: str
    pcm: bytes
    loop: int = 1


class Call:
    """Runs one call in the calling thread."""

    def __init__(
        self, line: Line, conditions: Conditions, recordings: Recordings, callbacks: Callbacks, handset: Handset, record: CallRecord
    ) -> None:
        self._line = line
        self._conditions = conditions
        self._recordings = recordings
        self._callbacks = callbacks
        self._record = record
        self._wire = Wire(handset, record.conversation)
        self._held: list[Request] = []  # callbacks that wait for the end of the call, because the conditions reverse them
        self._started = datetime.now(UTC)

    def run(self) -> CallRecord:
        with Web(self._line.auth_token) as self._web:
            try:
                self._converse()
            except CallerHungUp:
                self._record.status = "completed"
            except CallTooLong:
                self._record.status = "completed"
                self._wire.note("hangs up", "the call has reached its greatest length")
        self._record.seconds = self._wire.seconds
        self._report_end()
        return self._record

    def _converse(self) -> None:
        step: _Next | None = _Next(self._line.voice_url)
        for _ in range(MAX_DOCUMENTS):
            if step is None:
                break
            try:
                step = self._carry_out(self._document(step))
            except CallError as error:
                step = self._failed(error, step)
        else:
            self._failed(CallError(11200, f"more than {MAX_DOCUMENTS} documents in one call"), None)
        if self._record.status == "in-progress":
            self._record.status = "completed"
            self._wire.note("hangs up")

    def _failed(self, error: CallError, step: _Next | None) -> _Next | None:
        """What Twilio does when it cannot go on: ask the fallback URL once, else say so in English and hang up."""
        self._record.errors.append(error)
        self._wire.note("fails", str(error))
        fallback = self._line.fallback_url
        if step is not None and fallback is not None and step.url != fallback:
            return _Next(fallback, "POST", {"ErrorCode": str(error.code), "ErrorUrl": error.url or step.url})
        self._answer()
        self._wire.note("says", SORRY)
        self._wire.play(media.frames(_spoken(SORRY)))
        return None

    # --- documents ---

    def _document(self, step: _Next) -> _Document:
        reply = self._post(step)
        kind = reply.content_type.partition(";")[0].strip().lower()
        if kind not in TWIML_TYPES:
            raise FetchError(12300, f"the content type {kind or '(none)'} is not that of a TwiML document", step.url)
        try:
            return _Document(reply.url, twiml.parse(reply.body))
        except CallError as error:
            error.url = step.url
            raise

    def _post(self, step: _Next) -> Reply:
        request = Request(step.url, {**self._params(self._record.status), **step.params}, step.method)
        how = self._conditions.actions if step.is_action else "once"
        if how == "parallel":
            with ThreadPoolExecutor(2) as pool:
                first, _ = pool.map(self._fetch, (request, request))
            return first
        if how == "doubled":
            self._fetch(request)
        return self._fetch(request)

    def _fetch(self, request: Request, limit: int = twiml.MAX_BYTES) -> Reply:
        try:
            reply = self._web.fetch(request, limit)
        except FetchError as error:
            self._record.webhooks.append(Webhook(self._wire.seconds, request, str(error)))
            raise
        self._record.webhooks.append(Webhook(self._wire.seconds, request, reply.status, reply.body if request.signed else b""))
        return reply

    def _params(self, status: str) -> dict[str, str]:
        record = self._record
        return {
            "CallSid": record.sid,
            "AccountSid": self._line.account_sid,
            "From": record.from_number,
            "To": record.to_number,
            "Caller": record.from_number,
            "Called": record.to_number,
            "CallStatus": status,
            "ApiVersion": "2010-04-01",
            "Direction": "inbound",
        }

    # --- verbs ---

    def _carry_out(self, document: _Document) -> _Next | None:
        if not self._answered and document.verbs and isinstance(reject := document.verbs[0], Reject):
            self._record.status = "busy" if reject.reason == "busy" else "no-answer"
            self._wire.note("rejects", reject.reason)
            return None
        self._answer()
        for verb in document.verbs:
            match verb:
                case Say() | Play() | Pause():
                    self._wire.play(self._speak(self._sound(verb, document)))
                case Gather():
                    if following := self._gather(verb, document):
                        return following
                case Record():
                    if following := self._take_recording(verb, document):
                        return following
                case Redirect():
                    return _Next(document.address(verb.url), verb.method)
                case Hangup() | Reject():
                    return None
        return None

    @property
    def _answered(self) -> bool:
        return self._record.status != "ringing"

    def _answer(self) -> None:
        if not self._answered:
            self._record.status = "in-progress"
            self._wire.note("answers")

    def _sound(self, prompt: Prompt, document: _Document) -> _Sound:
        match prompt:
            case Say():
                return _Sound(prompt.text, _spoken(prompt.text) + media.silence(prompt.breaks), prompt.loop)
            case Pause():
                return _Sound("", media.silence(prompt.length))
            case Play():
                url = document.address(prompt.url)
                reply = self._fetch(Request(url, method="GET", signed=False), MAX_SOUND_BYTES)
                try:
                    pcm = media.decode(reply.body, reply.content_type)
                except FetchError as error:
                    error.url = url
                    raise
                return _Sound(media.caption(reply.body) or f"[{urlsplit(url).path.rpartition('/')[2]}]", pcm, prompt.loop)

    def _speak(self, sound: _Sound) -> Iterator[bytes]:
        if not sound.pcm:
            return
        for _ in range(sound.loop) if sound.loop else itertools.count():
            if sound.text:
                self._wire.note("says", sound.text)
            else:
                self._wire.note("pauses", f"{media.seconds(sound.pcm):.0f} s")
            yield from media.frames(sound.pcm)

    def _gather(self, verb: Gather, document: _Document) -> _Next | None:
        sounds = [self._sound(prompt, document) for prompt in verb.prompts]  # all are fetched before the first is heard
        params = gather(self._wire, verb, itertools.chain.from_iterable(map(self._speak, sounds)))
        return None if params is None else _Next(document.address(verb.action), verb.method, params, is_action=True)

    # --- recordings ---

    def _take_recording(self, verb: Record, document: _Document) -> _Next | None:
        recording = Recording(self._record.sid, b"", self._conditions, started=self._started + timedelta(seconds=self._wire.seconds))
        self._report_recording(verb, document, recording, "in-progress")
        recorded = record(self._wire, verb)
        recording.pcm = recorded.pcm
        reported = self._conditions.report_silent or not recorded.silent
        if reported:
            self._recordings.add(recording)
            self._record.recordings.append(recording)
            self._report_recording(verb, document, recording, self._conditions.recording_status)
        following = self._after_recording(verb, document, recording, recorded) if reported else None
        if recorded.ended_by == "hang-up":
            if following:
                self._record.status = "completed"
                self._report_hangup(following)
            raise CallerHungUp
        return following

    def _after_recording(self, verb: Record, document: _Document, recording: Recording, recorded: Recorded) -> _Next:
        params = {
            "RecordingUrl": self._recording_url(recording),
            "RecordingSid": recording.sid,
            "RecordingDuration": str(recording.seconds),
        }
        if recorded.digits:
            params["Digits"] = recorded.digits
        return _Next(document.address(verb.action), verb.method, params, is_action=True)

    def _report_hangup(self, following: _Next) -> None:
        """The action is requested although nobody is there any more: its answer is of no use, its failure is told."""
        try:
            self._post(following)
        except CallError as error:
            self._record.errors.append(error)

    def _recording_url(self, recording: Recording) -> str:
        return f"{self._line.api_base_url}/2010-04-01/Accounts/{self._line.account_sid}/Recordings/{recording.sid}"

    # --- callbacks ---

    def _report_recording(self, verb: Record, document: _Document, recording: Recording, status: str) -> None:
        event = "completed" if status == "failed" else status
        if verb.recording_status_callback is None or event not in verb.recording_status_callback_event:
            return
        params = {
            "AccountSid": self._line.account_sid,
            "CallSid": self._record.sid,
            "RecordingSid": recording.sid,
            "RecordingUrl": self._recording_url(recording),
            "RecordingStatus": status,
            "RecordingDuration": str(recording.seconds),
            "RecordingChannels": "1",
            "RecordingSource": "RecordVerb",
            "RecordingStartTime": format_datetime(recording.started),
        }
        self._call_back(Request(document.address(verb.recording_status_callback), params, verb.recording_status_callback_method))

    def _report_end(self) -> None:
        held = list(reversed(self._held))
        if self._line.status_url is not None:
            params = {
                **self._params(self._record.status),
                "CallDuration": str(int(self._record.seconds + 0.5)),
                "SequenceNumber": "0",
                "CallbackSource": "call-progress-events",
                "Timestamp": format_datetime(datetime.now(UTC)),
            }
            self._send([Request(self._line.status_url, params), *held])
        else:
            self._send(held)

    def _call_back(self, request: Request) -> None:
        if self._conditions.callbacks_reversed:
            self._held.append(request)
        else:
            self._send([request])

    def _send(self, requests: list[Request]) -> None:
        if not self._conditions.callbacks_dropped:
            copies = 2 if self._conditions.callbacks_doubled else 1
            self._callbacks.send([request for request in requests for _ in range(copies)], self._conditions.callback_delay)


def _spoken(text: str) -> bytes:
    """As much silence as a voice would need for the text."""
    return media.silence(len(text) / SPEAKING_RATE)
