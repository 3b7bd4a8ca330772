"""Status callbacks: requests beside the call, sent from a thread of their own when their time has come."""

import heapq
import itertools
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from voice.exchange.errors import FetchError
from voice.exchange.web import Request, Web

_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Delivery:
    """One callback as it was sent. ``result`` is the HTTP status, or the error's text."""

    request: Request
    result: int | str


@dataclass(slots=True)
class Callbacks:
    """Sends each callback when it is due, one after the other."""

    auth_token: str = field(repr=False)
    deliveries: list[Delivery] = field(default_factory=list)
    _due: list[tuple[float, int, Request]] = field(default_factory=list)
    _order: "itertools.count[int]" = field(default_factory=itertools.count)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _busy: bool = False
    _stopped: bool = False
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="exchange-callbacks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send nothing more. What is being sent is waited for."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread:
            self._thread.join()

    def send(self, requests: Sequence[Request], delay: float) -> None:
        """Send these in this order, ``delay`` seconds from now."""
        with self._changed:
            for request in requests:
                heapq.heappush(self._due, (time.monotonic() + delay, next(self._order), request))
            self._changed.notify_all()

    def settle(self, timeout: float) -> bool:
        """Wait until nothing is outstanding. Whether that came about in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._due and not self._busy, timeout)

    def _run(self) -> None:
        with Web(self.auth_token) as web:
            while (request := self._next()) is not None:
                try:
                    result: int | str = web.fetch(request, _LIMIT).status
                except FetchError as error:
                    result = str(error)
                with self._changed:
                    self.deliveries.append(Delivery(request, result))
                    self._busy = False
                    self._changed.notify_all()

    def _next(self) -> Request | None:
        with self._changed:
            while not self._stopped:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    self._busy = True
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait)
        return None
