"""The mail handed over to the operator's relay: verified and encrypted on the way, or not at all."""

import re
import smtplib
import socket
import ssl
import threading
from contextlib import closing, suppress
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from hashlib import sha256
from typing import Any

from voice.environment import Smtp
from voice.errors import DeliveryError
from voice.summary.mail import MailText

TIMEOUT = 30.0  # seconds, for the connection and for every reply
LIMIT = 300.0  # seconds for all of it
_LOGIN_WANTED = (530, 534, 535, 538)  # a relay may say so at any command: the operator's to mend, not the mail's fault
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS = re.compile(rf"{_ATOM}(\.{_ATOM})*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


def build_message(mail: MailText, *, to: str, sender: str, preparation_id: str, message_number: int, date: datetime) -> EmailMessage:
    """One mail to one recipient. The same arguments give the same bytes, and the same preparation and number the same Message-ID,
    so that a mail that is sent twice shows as one.

    ::

        mixed ── alternative ── text/plain
          │           └──────── related ── text/html
          │                        └────── the page's pictures
          └───── the attachments

    ``date`` knows its time zone. Raises a permanent DeliveryError when a field cannot stand in a mail.
    """
    fingerprint = sha256(f"{preparation_id}/{message_number}".encode()).hexdigest()[:32]
    message = EmailMessage(policy=SMTP)
    # The content first, as it would take Content-Language into its first part. Seven bits and short lines pass every relay.
    message.set_content(mail.text, cte="quoted-printable")
    message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    page = message.get_body(("html",))
    assert page is not None
    for picture in mail.pictures:
        page.add_related(picture.png, "image", "png", cid=f"<{picture.content_id}>", disposition="inline")
    for attachment in mail.attachments:
        kind, _, subtype = attachment.mimetype.partition("/")
        message.add_attachment(attachment.content, kind, subtype, filename=attachment.name)
    # No chance in the boundaries, and none begins as another does; "=_" cannot stand in quoted-printable or base64 text.
    for place, part in enumerate(part for part in message.walk() if part.is_multipart()):
        part.set_boundary(f"=_{place}_{fingerprint}")
    try:
        author = _address(sender, mail.sender_name)
        message["From"] = author
        message["To"] = _address(to)
        message["Subject"] = mail.subject
        message["Date"] = date
        message["Message-ID"] = f"<{fingerprint}@{author.domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message["X-Auto-Response-Suppress"] = "All"
        message["Content-Language"] = mail.language
    except ValueError:  # not one address, or a line break: what follows it would be read as a header of its own
        raise DeliveryError("a field that cannot stand in a mail", permanent=True) from None
    return message


def send(message: EmailMessage, smtp: Smtp, tls: ssl.SSLContext | None = None, *, timeout: float = TIMEOUT) -> None:
    """Hand the message over; returns once the relay has taken it. Raises DeliveryError, which names codes and types only.

    ``tls`` replaces the context that trusts this machine's authorities.
    """
    try:
        _hand_over(message, smtp, tls or tls_context(), timeout)
    except (OSError, ValueError) as error:  # ValueError: a host name or a password that cannot be encoded, a broken challenge
        raise DeliveryError(_name(error), permanent=_is_permanent(error), code=_reply_code(error)) from None


def tls_context() -> ssl.SSLContext:
    """Certificate and host name are checked, and nothing below TLS 1.2 is spoken. smtplib's own default checks nothing."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class _Client(smtplib.SMTP):
    """Hangs up after LIMIT: a relay that sends a byte now and then would keep within every time-out and hold us for hours."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        self._limit = threading.Timer(LIMIT, self._hang_up)
        self._limit.daemon = True
        self._limit.start()
        try:
            super().__init__(*arguments, **more)
        except BaseException:
            self._limit.cancel()
            raise

    def close(self) -> None:
        self._limit.cancel()
        super().close()

    def _hang_up(self) -> None:
        with suppress(OSError, AttributeError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)  # type: ignore[arg-type]


class _TlsClient(_Client, smtplib.SMTP_SSL):
    pass


def _hand_over(message: EmailMessage, smtp: Smtp, tls: ssl.SSLContext, timeout: float) -> None:
    client = (
        _TlsClient(smtp.host, smtp.port, timeout=timeout, context=tls)
        if smtp.security == "tls"
        else _Client(smtp.host, smtp.port, timeout=timeout)
    )
    with closing(client):
        if smtp.security == "starttls":
            client.starttls(context=tls)  # raises when it is not offered: there is no way on in clear text
        if smtp.user:
            if smtp.security == "none":
                raise DeliveryError("a password is not sent in clear text")
            client.login(smtp.user, smtp.password)
        client.send_message(message)
        with suppress(OSError):  # the relay has taken the mail: a poor goodbye must not make us send it twice
            client.quit()


def _name(error: Exception) -> str:
    """What went wrong, for a log: never what a relay said, as relays repeat addresses."""
    match error:
        case ssl.SSLCertVerificationError():
            detail: int | str | None = error.verify_code
        case ssl.SSLError():
            detail = error.reason
        case _:
            detail = _reply_code(error)
    return type(error).__name__ if detail is None else f"{type(error).__name__} {detail}"


def _is_permanent(error: Exception) -> bool:
    """Whether the relay refused this very mail. A connection, a login or a certificate can be mended while the mail waits."""
    refused = isinstance(error, smtplib.SMTPSenderRefused | smtplib.SMTPRecipientsRefused | smtplib.SMTPDataError)
    code = _reply_code(error)
    return refused and code is not None and 500 <= code <= 599 and code not in _LOGIN_WANTED


def _reply_code(error: Exception) -> int | None:
    match error:
        case smtplib.SMTPRecipientsRefused():
            return next(code for code, _ in error.recipients.values())
        case smtplib.SMTPResponseException():
            return error.smtp_code
    return None


def _address(text: str, name: str = "") -> Address:
    """Exactly one plain address, its domain in ASCII. Raises ValueError."""
    local, _, domain = text.rpartition("@")
    domain = domain.encode("idna").decode()
    if not _ADDRESS.fullmatch(f"{local}@{domain}"):
        raise ValueError
    return Address(name, local, domain)
