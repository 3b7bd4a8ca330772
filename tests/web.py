"""A line's web process in this process, and a telephone company that signs what it sends."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urljoin

from flask.testing import FlaskClient
from twilio.request_validator import RequestValidator
from werkzeug.test import TestResponse

from tests.conftest import TEST_PROMPTS
from tests.databases import make_ready
from voice import store
from voice.app import create_app
from voice.config import Config
from voice.keyring import Keyring
from voice.nonces import nonce

ACCOUNT = "AC" + "0" * 32
TOKEN = "a-token-of-tests"
BASE = "https://line.example"
CALL = "CA" + "1" * 32
RECORDING = "RE" + "2" * 32
CAPS = ("CALLS_PER_HOUR", "CALLS_PER_DAY", "WITHHELD_PER_HOUR", "CALLS_AT_ONCE", "MINUTES_PER_DAY")
MANY = "100000"  # no cap is the matter of a test, unless it says so


def environ(data_dir: Path, **more: str) -> dict[str, str]:
    """Settings of a line in that folder."""
    return {
        "PUBLIC_BASE_URL": BASE,
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "SMTP_URL": "smtp://127.0.0.1:2525",
        "MAIL_FROM": "line@example.com",
        "TRIAL": "1",
        "SUMMARY_TO": "employee@example.com",
        "DATA_DIR": str(data_dir),
        "SPEECH_VOICE": "espeak",
        "RESUME_WINDOW": "0",
        "PROMPTS_DIR": str(TEST_PROMPTS),
        **dict.fromkeys(CAPS, MANY),
        **more,
    }


class Web:
    """The web process over its own database, with a signing client."""

    def __init__(self, data_dir: Path, **more: str) -> None:
        self.config = Config.from_env(environ(data_dir, **more))
        make_ready(self.config.database_url)
        self.engine = store.connect(self.config.database_url)
        self.keyring = Keyring.of(self.config, self.engine)
        self.keyring.start()
        self.app = create_app(self.config)
        self.client: FlaskClient = self.app.test_client()
        self._validator = RequestValidator(TOKEN)

    def post(self, path: str, form: Mapping[str, str], *, base: str = "/") -> TestResponse:
        """One signed webhook. ``path`` may be relative to ``base``, as in TwiML; what stands after # is not sent."""
        url = urljoin(BASE + base, path).partition("#")[0]
        fields = {"AccountSid": ACCOUNT, "From": "+4520123456", "To": "+4570123456", **form}
        signature = self._validator.compute_signature(url, fields)
        return self.client.post(url.removeprefix(BASE), base_url=BASE, data=fields, headers={"X-Twilio-Signature": signature})

    def address(self, call_sid: str, turn: int, news: str = "") -> str:
        """Where that turn of that call is answered, as its TwiML says; with ``news`` a recording's address."""
        return f"/calls/{turn}{news}?nonce={nonce(call_sid, turn, self.config.secrets)}"

    def close(self) -> None:
        self.engine.dispose()
        self.app.extensions["sounds"].engine.dispose()
