"""Requests to the line's own server, as Twilio sends them: signed, bounded in time, with cookies, redirects and retries."""

import http.cookiejar
import time
import urllib.request
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self
from urllib.parse import parse_qsl, urldefrag, urlencode, urljoin, urlsplit

import urllib3
from twilio.request_validator import RequestValidator

from voice.exchange.errors import FetchError
from voice.exchange.verbs import Method

MAX_REDIRECTS = 10
_Failure = Literal["ct", "rt", "4xx", "5xx"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Sent again, it is the same request: same parameters, same idempotency token."""

    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    method: Method = "POST"
    signed: bool = True
    token: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True, slots=True)
class Reply:
    url: str  # after redirects; what relative URLs are relative to
    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Overrides:
    """The connection overrides in a webhook URL's fragment. Times in milliseconds."""

    rc: int = 1  # retries
    rp: frozenset[str] = frozenset({"ct"})  # what is retried
    ct: int = 5000  # time to connect
    rt: int = 15000  # time to wait for the reply
    tt: int = 15000  # time for all of it

    @classmethod
    def of(cls, url: str) -> Self:
        """Read them. Raises FetchError 11100 on what Twilio does not know, so that a misspelt override cannot pass."""
        values: dict[str, Any] = {}
        bounds = {"rc": (0, 5), "ct": (100, 10000), "rt": (100, 15000), "tt": (100, 15000)}
        for name, value in parse_qsl(urlsplit(url).fragment, keep_blank_values=True):
            if name in bounds and value.isdigit() and bounds[name][0] <= int(value) <= bounds[name][1]:
                values[name] = int(value)
            elif name == "rp" and set(value.split(",")) <= {"ct", "rt", "4xx", "5xx", "all"}:
                values[name] = frozenset({"ct", "rt", "4xx", "5xx"} if "all" in value.split(",") else value.split(","))
            elif not (name == "e" or (name == "sni" and value in ("y", "n"))):  # of no meaning on one machine
                raise FetchError(11100, f"the connection override {name}={value} is not one of Twilio's", url)
        return cls(**values)


class _Failed(Exception):
    def __init__(self, failure: _Failure, error: FetchError) -> None:
        self.failure = failure
        self.error = error


class Web:
    """The web client of one call, or of the callbacks."""

    def __init__(self, auth_token: str) -> None:
        self._validator = RequestValidator(auth_token)
        self._cookies = http.cookiejar.CookieJar()
        self._pool = urllib3.PoolManager(retries=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.clear()

    def fetch(self, request: Request, limit: int) -> Reply:
        """Send a request and give the 2xx reply, of which at most ``limit`` bytes (and one) are read. Raises FetchError."""
        overrides = Overrides.of(request.url)
        deadline = time.monotonic() + min(overrides.tt, 15000) / 1000
        for attempt in range(overrides.rc + 1):
            try:
                return self._follow(request, overrides, deadline, limit)
            except _Failed as failed:
                if attempt == overrides.rc or failed.failure not in overrides.rp or time.monotonic() >= deadline:
                    raise failed.error from failed
        raise AssertionError("the last attempt returns or raises")

    def _follow(self, request: Request, overrides: Overrides, deadline: float, limit: int) -> Reply:
        url, method, params = urldefrag(request.url).url, request.method, request.params
        if method == "GET" and params:
            url, params = url + ("&" if "?" in url else "?") + urlencode(params), {}
        for _ in range(MAX_REDIRECTS + 1):
            response = self._send(url, method, params, request, overrides, deadline)
            location = response.get_redirect_location()
            if not location:
                body = _read(response, url, deadline, limit)
                if not 200 <= response.status < 300:
                    error = FetchError(11200, f"the answer was {response.status}", url)
                    raise _Failed("4xx" if response.status < 500 else "5xx", error)
                return Reply(url, response.status, response.headers.get("Content-Type", ""), body)
            response.drain_conn()
            url = urldefrag(urljoin(url, location)).url
            if response.status not in (307, 308):
                method, params = "GET", {}  # what was posted is lost, as in most clients
        raise FetchError(11215, f"more than {MAX_REDIRECTS} redirects", url)

    def _send(
        self, url: str, method: Method, params: Mapping[str, str], request: Request, overrides: Overrides, deadline: float
    ) -> urllib3.BaseHTTPResponse:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise FetchError(11100, "not a URL of http or https, or one with a password, which this exchange does not send", url)
        headers = {"User-Agent": "TwilioProxy/1.1", "Accept": "*/*", "I-Twilio-Idempotency-Token": request.token}
        if request.signed:
            headers["X-Twilio-Signature"] = self._validator.compute_signature(_as_signed(url), params)
        if method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
        cookies = urllib.request.Request(url)  # noqa: S310 - never opened: the form in which a cookie jar knows a request
        self._cookies.add_cookie_header(cookies)
        headers.update(cookies.unredirected_hdrs)
        left = max(deadline - time.monotonic(), 0.001)
        timeout = urllib3.Timeout(connect=min(overrides.ct / 1000, left), read=min(overrides.rt / 1000, left))
        body = urlencode(params) if method == "POST" else None
        try:
            response = self._pool.urlopen(
                method, url, body=body, headers=headers, timeout=timeout, redirect=False, preload_content=False, decode_content=True
            )
        except urllib3.exceptions.HTTPError as error:
            raise _failed(error, url) from error
        self._cookies.extract_cookies(response, cookies)  # type: ignore[arg-type]  # it asks for info().get_all(), which this has
        return response


def _as_signed(url: str) -> str:
    """Twilio leaves the port out of what it signs when the line is reached over https."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.hostname or "").geturl() if parts.scheme == "https" else url


def _read(response: urllib3.BaseHTTPResponse, url: str, deadline: float, limit: int) -> bytes:
    body = bytearray()
    try:
        for chunk in response.stream(16 * 1024):
            body += chunk
            if len(body) > limit:
                response.close()
                return bytes(body)
            if time.monotonic() > deadline:
                raise urllib3.exceptions.ReadTimeoutError(None, url, "the whole time for a request is over")  # type: ignore[arg-type]
    except urllib3.exceptions.HTTPError as error:
        response.close()
        raise _failed(error, url) from error
    return bytes(body)


def _failed(error: urllib3.exceptions.HTTPError, url: str) -> _Failed:
    match error:
        case urllib3.exceptions.NameResolutionError():
            return _Failed("ct", FetchError(11210, "the host is not known", url))
        case urllib3.exceptions.SSLError():
            return _Failed("ct", FetchError(11220, f"no secure connection: {error}", url))
        case urllib3.exceptions.NewConnectionError() | urllib3.exceptions.ConnectTimeoutError():
            return _Failed("ct", FetchError(11205, "no connection", url))
        case urllib3.exceptions.ReadTimeoutError():
            return _Failed("rt", FetchError(11205, "no answer in time", url))
    return _Failed("ct", FetchError(11206, f"the connection broke off: {error}", url))
