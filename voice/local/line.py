"""A line of one's own, complete and ready to be rung: web, worker, exchange and mailbox, in a folder of its own."""

import http.client
import os
import secrets
import socket
import sys
import time
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from voice import store
from voice.config import Config
from voice.content import load_all
from voice.errors import VoiceError
from voice.exchange.exchange import Exchange
from voice.keyring import Keyring
from voice.local.mailbox import Mailbox
from voice.migrations import migrate
from voice.processes import Processes
from voice.serving import render_all, synthesizer

READY_SECONDS = 60.0
CAPS = ("CALLS_PER_HOUR", "CALLS_PER_DAY", "WITHHELD_PER_HOUR", "CALLS_AT_ONCE", "MINUTES_PER_DAY")


class LineNotReady(VoiceError):
    """The web process did not answer in time."""


class LocalLine:
    """Starts everything on free ports and ends it again. ``environ`` adds to or overrides the settings that it makes."""

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str] | None = None,
        worker: tuple[str, ...] = ("voice", "work"),
        web: str = "voice.app:create_app()",
    ) -> None:
        self._folder = folder
        self._worker = worker  # the module and arguments that the worker process runs
        self._web = web  # the app that the web process serves
        self._more = dict(environ or {})
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with self._stack:  # undone if anything below fails
            port = free_port()
            account, token = "AC" + secrets.token_hex(16), secrets.token_hex(16)
            base = f"http://127.0.0.1:{port}"
            self.mailbox = self._stack.enter_context(Mailbox(free_port()))
            self.exchange = self._stack.enter_context(Exchange(account, [token], f"{base}/calls", f"{base}/calls/status"))
            settings = {
                "PORT": str(port),
                "PUBLIC_BASE_URL": base,
                "TWILIO_ACCOUNT_SID": account,
                "TWILIO_AUTH_TOKEN": token,
                "TWILIO_API_BASE_URL": self.exchange.api_base_url,
                "DATA_DIR": str(self._folder),
                "DATABASE_URL": f"sqlite:///{self._folder.absolute() / 'samtaleklar.sqlite'}",  # never the one that our environment names
                "KEYS_DIR": str(self._folder / "keys"),
                "KEYS_SECRET": "",
                "SMTP_URL": self.mailbox.url,
                "MAIL_FROM": "samtaleklar@localhost",
                "TRIAL": "1",
                "SUMMARY_TO": "dig@localhost",
                "SPEECH_VOICE": "espeak",
                "RESUME_WINDOW": "0",
                **dict.fromkeys(CAPS, "100000"),  # whoever tries the line calls it again and again from one number
                **self._more,
            }
            self.config = Config.from_env(settings)
            migrate(self.config.database_url)
            engine = store.connect(self.config.database_url)
            Keyring.of(self.config, engine).start()
            prompts = load_all(self.config.prompts_dir)
            if render_all(self.config, engine, prompts, synthesizer(self.config)).missing:  # no network after all: one voice for everything
                settings["SPEECH_VOICE"] = "espeak"
                self.config = Config.from_env(settings)
                render_all(self.config, engine, prompts, synthesizer(self.config))
            engine.dispose()
            self.processes = self._stack.enter_context(Processes(self.commands(port), {**os.environ, **settings}))
            wait_until_ready(base)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def commands(self, port: int) -> dict[str, list[str]]:
        """The processes, by name."""
        web = ["gunicorn", "--bind", f"127.0.0.1:{port}", "--threads", "8", "--log-level", "warning", self._web]
        return {"web": [sys.executable, "-m", *web], "worker": [sys.executable, "-m", *self._worker]}


def wait_until_ready(base_url: str, seconds: float = READY_SECONDS) -> None:
    """Wait until the line answers. Raises LineNotReady."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answers(base_url):
            return
        time.sleep(0.1)
    raise LineNotReady(f"The line at {base_url} did not answer within {seconds:.0f} seconds.")


def answers(base_url: str) -> bool:
    """Whether a line is there and healthy."""
    try:
        with urllib.request.urlopen(f"{base_url}/healthz", timeout=5) as response:  # noqa: S310 - our own address # nosec B310
            return bool(response.status == 200)
    except (OSError, http.client.HTTPException):  # nobody there, or somebody who speaks another language
        return False


def free_port() -> int:
    """A port for one of our servers. For a minute nobody is given it, by us or another, who did not ask for its very number.

    It is left in the state TIME_WAIT, in which only a server that sets SO_REUSEADDR, as ours all do, may have it (tcp(7), RFC 9293 3.3.2).
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            server.accept()[0].close()  # whoever closes first keeps the state
    return port
