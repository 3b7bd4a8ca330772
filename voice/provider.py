"""What we ask of the telephone provider, by REST, about recordings, calls and texts. For the worker only.

The media's address is built here from the configured host and the recording's id, never taken from a
webhook: a posted address could make us hand our credentials to anybody.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import urllib3
from urllib3.util import Timeout

from voice.config import Config
from voice.errors import ConfigError, ProviderError

MAX_BYTES = 8_000_000  # 120 s of 8 kHz 16-bit sound are 2 MB
_TIMEOUT = Timeout(connect=10, read=30)
_PAGE_SIZE = 1000  # the most that Twilio lists at once
_PAGE_BYTES = 8_000_000  # a listed recording has about one thousand
_PAGES = 200
_NOBODY = (401, 403, 408, 429)  # and 5xx. A token that is wrong is mended within the hour: no recording may go because of it


@dataclass(frozen=True, slots=True)
class Listed:
    """A recording that the provider has. ``made_at``: seconds since 1970."""

    sid: str
    call_sid: str
    complete: bool
    made_at: float


class Provider:
    """Twilio's REST calls that we use. Raises ProviderError; ``permanent`` when asking again cannot help."""

    def __init__(self, config: Config) -> None:
        if not config.twilio_auth_tokens:
            raise ConfigError(["TWILIO_AUTH_TOKEN is missing: a worker fetches recordings with it; only a web process can do without."])
        self._base = config.twilio_api_base_url
        self._account = config.twilio_account_sid
        self._headers = urllib3.make_headers(basic_auth=f"{config.twilio_account_sid}:{config.twilio_auth_tokens[0]}")
        self._sms_from = config.sms_from
        self._public_base = config.public_base_url
        self._http = urllib3.PoolManager(timeout=_TIMEOUT, retries=False, maxsize=8)

    def recording(self, recording_sid: str) -> bytes:
        """The recording's WAV file. A 404 is normal at first, so it is worth asking again."""
        response = self._ask("GET", self._recording_path(recording_sid, ".wav"))
        try:
            if response.status != 200:
                raise answered("the recording", response.status)
            if not response.headers.get("Content-Type", "").startswith("audio/"):
                raise ProviderError("the recording's answer was not a sound")
            body = response.read(MAX_BYTES + 1)
            if len(body) > MAX_BYTES:
                raise ProviderError("the recording is larger than any answer can be", permanent=True)
            return body
        except urllib3.exceptions.HTTPError as error:
            raise ProviderError(f"the recording broke off: {type(error).__name__}", outage=True) from error
        finally:
            response.close()

    def delete_recording(self, recording_sid: str) -> None:
        """Delete it there; one that is gone already counts as deleted."""
        response = self._ask("DELETE", self._recording_path(recording_sid, ".json"))
        response.close()
        if response.status not in (200, 204, 404):
            raise answered("deleting the recording", response.status)

    def recordings(self, since: datetime) -> Iterator[Listed]:
        """All of the account's that were made since that day; those of others who use the account, too."""
        path = f"/2010-04-01/Accounts/{self._account}/Recordings.json"
        asked: str | None = urlencode({"DateCreated>": f"{since:%Y-%m-%d}", "PageSize": _PAGE_SIZE})
        for _ in range(_PAGES):
            page = self._page(f"{path}?{asked}")
            yield from filter(None, map(_listed, page["recordings"]))
            following = page.get("next_page_uri")
            if not following:
                return
            # Only what is asked is taken from it: where to ask is ours to say.
            where, _, asked = following.partition("?") if isinstance(following, str) else ("", "", "")
            if where != path or not re.fullmatch(r"[!-~]+", asked):
                raise ProviderError("the list of recordings goes on at another address")
        raise ProviderError("the list of recordings does not end")

    def delete_call(self, call_sid: str) -> None:
        """Delete its record of a call that has ended; one that is gone already counts as deleted.

        Twilio refuses until its own books are closed, which may take days.
        """
        if not re.fullmatch(r"CA[0-9a-f]{32}", call_sid):
            raise ProviderError("this is not a call's id", permanent=True)
        response = self._ask("DELETE", f"/2010-04-01/Accounts/{self._account}/Calls/{call_sid}.json")
        response.close()
        if response.status not in (200, 204, 404):
            raise answered("deleting the call", response.status)

    def send_text(self, to: str, body: str, news: str) -> None:
        """Send an SMS from SMS_FROM. What the carrier makes of it is told to our path ``news``.

        What Twilio calls a bad request (400), such as a landline, stays one however often it is asked.
        """
        told_to = f"{self._public_base}{news}#rc=5&rp=all"
        fields = urlencode({"To": to, "From": self._sms_from, "Body": body, "StatusCallback": told_to})
        response = self._ask("POST", f"/2010-04-01/Accounts/{self._account}/Messages.json", fields)
        try:
            if response.status == 201:
                return
            told = json.loads(response.read(100_000))
            code = told.get("code") if isinstance(told, dict) else None
        except (urllib3.exceptions.HTTPError, ValueError):
            code = None
        finally:
            response.close()
        reason = f" {code}" if isinstance(code, int) else ""
        raise ProviderError(f"the text was answered with {response.status}{reason}", permanent=response.status == 400)

    def _page(self, path: str) -> dict[str, Any]:
        response = self._ask("GET", path)
        try:
            if response.status != 200:
                raise answered("the list of recordings", response.status)
            page = json.loads(response.read(_PAGE_BYTES))
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise ProviderError(f"the list of recordings broke off: {type(error).__name__}") from error
        finally:
            response.close()
        if not (isinstance(page, dict) and isinstance(page.get("recordings"), list)):
            raise ProviderError("the list of recordings is none")
        return page

    def _recording_path(self, recording_sid: str, ending: str) -> str:
        if not re.fullmatch(r"RE[0-9a-f]{32}", recording_sid):
            raise ProviderError("this is not a recording's id", permanent=True)
        return f"/2010-04-01/Accounts/{self._account}/Recordings/{recording_sid}{ending}"

    def _ask(self, method: str, path: str, fields: str | None = None) -> urllib3.BaseHTTPResponse:
        """One request to the configured host. A redirect is an error: our credentials go nowhere else."""
        headers = {**self._headers, **({"Content-Type": "application/x-www-form-urlencoded"} if fields else {})}
        try:
            return self._http.request(method, self._base + path, body=fields, headers=headers, redirect=False, preload_content=False)
        except urllib3.exceptions.HTTPError as error:
            raise ProviderError(f"the provider could not be reached: {type(error).__name__}", outage=True) from error


def answered(what: str, status: int) -> ProviderError:
    """The error for an answer that is not the one asked for."""
    return ProviderError(f"{what} was answered with {status}", code=status, outage=status in _NOBODY or status >= 500)


def _listed(entry: Any) -> Listed | None:
    """One entry of the list. None if it is not what a recording of a call looks like: then it is none of ours."""
    found = entry if isinstance(entry, dict) else {}
    sid, call_sid, status, made = (str(found.get(name)) for name in ("sid", "call_sid", "status", "date_created"))
    if not (re.fullmatch(r"RE[0-9a-f]{32}", sid) and re.fullmatch(r"CA[0-9a-f]{32}", call_sid)):
        return None
    try:
        return Listed(sid, call_sid, status == "completed", parsedate_to_datetime(made).timestamp())
    except ValueError:
        return None
