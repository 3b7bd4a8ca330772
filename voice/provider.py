"""What we ask of the telephone provider, by REST: fetch a recording, delete it, send a text. For the worker only.

The media's address is built here from the configured host and the recording's id, never taken from a
webhook: a posted address could make us hand our credentials to anybody.
"""

import json
import re
from urllib.parse import urlencode

import urllib3
from urllib3.util import Timeout

from voice.config import Config
from voice.errors import ConfigError, ProviderError

MAX_BYTES = 8_000_000  # 120 s of 8 kHz 16-bit sound are 2 MB
_TIMEOUT = Timeout(connect=10, read=30)


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
                raise ProviderError(f"the recording was answered with {response.status}", code=response.status)
            if not response.headers.get("Content-Type", "").startswith("audio/"):
                raise ProviderError("the recording's answer was not a sound")
            body = response.read(MAX_BYTES + 1)
            if len(body) > MAX_BYTES:
                raise ProviderError("the recording is larger than any answer can be", permanent=True)
            return body
        except urllib3.exceptions.HTTPError as error:
            raise ProviderError(f"the recording broke off: {type(error).__name__}") from error
        finally:
            response.close()

    def delete_recording(self, recording_sid: str) -> None:
        """Delete it there; one that is gone already counts as deleted."""
        response = self._ask("DELETE", self._recording_path(recording_sid, ".json"))
        response.close()
        if response.status not in (200, 204, 404):
            raise ProviderError(f"deleting the recording was answered with {response.status}", code=response.status)

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
            raise ProviderError(f"the provider could not be reached: {type(error).__name__}") from error
