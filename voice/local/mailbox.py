"""A mailbox on this machine: takes every mail by SMTP and keeps it in memory."""

import email
import threading
import time
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope


class Mailbox:
    """An SMTP server on a loopback port. ``mails`` are in the order of their coming."""

    def __init__(self, port: int) -> None:
        self.mails: list[EmailMessage] = []
        self._came = threading.Condition()
        self._controller = Controller(self, hostname="127.0.0.1", port=port)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self._controller.port}"

    def start(self) -> Self:
        self._controller.start()
        return self

    def stop(self) -> None:
        self._controller.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:
        """aiosmtpd's hook. The envelope's recipients are kept as a header, as a mail server does for its mailbox."""
        assert isinstance(envelope.content, bytes)
        mail = email.message_from_bytes(envelope.content, policy=SMTP)
        assert isinstance(mail, EmailMessage)
        mail["Delivered-To"] = ", ".join(envelope.rcpt_tos)
        with self._came:
            self.mails.append(mail)
            self._came.notify_all()
        return "250 OK"

    def wait(self, count: int, timeout: float) -> list[EmailMessage]:
        """Wait until so many mails have come, or the time (seconds) is over. Gives what is there."""
        end = time.monotonic() + timeout
        with self._came:
            while len(self.mails) < count and (left := end - time.monotonic()) > 0:
                self._came.wait(left)
            return list(self.mails)
