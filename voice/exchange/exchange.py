"""The exchange itself: one account with one line, its REST API on a local port, and its callbacks."""

import threading
from collections.abc import Sequence
from typing import Self

from werkzeug.serving import WSGIRequestHandler, make_server

from voice.exchange.call import Call, Line
from voice.exchange.callbacks import Callbacks, Delivery
from voice.exchange.conditions import Conditions
from voice.exchange.handset import Handset
from voice.exchange.record import CallRecord
from voice.exchange.recordings import Message, Recording, Recordings, new_sid
from voice.exchange.rest import Elsewhere, Messages, create_app
from voice.exchange.script import Script
from voice.exchange.scripted import ScriptedHandset


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: what was asked is told by the recordings and messages themselves."""


class Exchange:
    """A telephone exchange on this machine. Several calls may run at once, each in its own thread.

    The first of ``auth_tokens`` signs; all of them are accepted by the REST API.
    """

    def __init__(
        self,
        account_sid: str,
        auth_tokens: Sequence[str],
        voice_url: str,
        status_url: str | None = None,
        fallback_url: str | None = None,
        port: int = 0,
        conditions: Conditions | None = None,
    ) -> None:
        self._conditions = conditions or Conditions()
        self._recordings = Recordings()
        self._messages = Messages()
        self._elsewhere = Elsewhere()
        self.erased_calls: set[str] = set()
        self.calls: list[CallRecord] = []
        self._callbacks = Callbacks(auth_tokens[0])
        app = create_app(
            account_sid,
            auth_tokens,
            self._recordings,
            self._messages,
            self._elsewhere,
            self.erased_calls,
            lambda sid: any(call.sid == sid and call.status in ("ringing", "in-progress") for call in self.calls),
            lambda requests: self._callbacks.send(list(requests), self._conditions.callback_delay),
        )
        self._server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_Quiet)
        self.api_base_url = f"http://127.0.0.1:{self._server.server_port}"
        self._line = Line(account_sid, auth_tokens[0], voice_url, status_url, fallback_url, self.api_base_url)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="exchange-rest", daemon=True)

    def start(self) -> Self:
        self._thread.start()
        self._callbacks.start()
        return self

    def stop(self) -> None:
        self._callbacks.stop()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def call(self, handset: Handset, from_number: str, to_number: str, conditions: Conditions | None = None) -> CallRecord:
        """Ring the line from a handset. Returns when the call is over; callbacks may still be under way (``settle``)."""
        record = CallRecord(new_sid("CA"), from_number, to_number)
        self.calls.append(record)
        return Call(self._line, conditions or self._conditions, self._recordings, self._callbacks, handset, record).run()

    def play(self, script: Script) -> tuple[CallRecord, list[str]]:
        """Ring the line and follow a script. Gives the call, and what of the script could not be done."""
        handset = ScriptedHandset(script)
        record = self.call(handset, script.from_number, script.to_number, script.conditions)
        return record, handset.problems

    def settle(self, timeout: float = 10.0) -> bool:
        """Wait until all callbacks are sent. Whether that came about in time."""
        return self._callbacks.settle(timeout)

    @property
    def recordings(self) -> list[Recording]:
        """The recordings that exist at the provider."""
        return self._recordings.all()

    @property
    def deleted_recordings(self) -> list[Recording]:
        return [recording for recording in self._recordings.all(deleted=True) if recording.deleted]

    @property
    def messages(self) -> list[Message]:
        return self._messages.sent

    @property
    def landlines(self) -> set[str]:
        """Numbers that take no text messages. Add to it."""
        return self._messages.landlines

    @property
    def unreachable(self) -> dict[str, int]:
        """Numbers whose texts are taken and then given up, each with the error that is told. Add to it."""
        return self._messages.unreachable

    @property
    def deliveries(self) -> list[Delivery]:
        """The callbacks that were sent."""
        return self._callbacks.deliveries

    @property
    def leaks(self) -> int:
        """How often credentials were sent to the other host of ``media elsewhere``."""
        return self._elsewhere.leaks
