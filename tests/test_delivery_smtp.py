"""Real SMTP on this machine: what is sent, what is tried again, what is given up, and that nothing crosses in clear text."""

import asyncio
import base64
import socket
import ssl
import struct
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult

from voice import delivery
from voice.delivery import build_message, send, tls_context
from voice.environment import Security, Smtp
from voice.errors import DeliveryError
from voice.summary.mail import MailText

HOST = "127.0.0.1"
TO = "aase@example.dk"
DATE = datetime(2026, 11, 27, tzinfo=UTC)
MESSAGE = build_message(
    MailText("Til din samtale", "Samtaleklar", "hemmeligt\n.\n", "<p>hemmeligt</p>\n", "da"),
    to=TO,
    sender="line@samtaleklar.example",
    preparation_id="p1",
    message_number=1,
    date=DATE,
)
AUTHORITY = trustme.CA()


class Mailbox:
    """A relay's rules: it takes what it is not told to refuse, and notes every command and every mail."""

    def __init__(self, **replies: str) -> None:
        self.replies = replies
        self.commands: list[str] = []
        self.mails: list[tuple[list[str], bytes]] = []
        self.in_clear = False

    def _reply(self, command: str, server) -> str:
        self.commands.append(command)
        self.in_clear |= server.transport.get_extra_info("ssl_object") is None
        return self.replies.get(command, "250 OK")

    async def handle_MAIL(self, server, session, envelope, address, options) -> str:
        reply = self._reply("MAIL", server)
        if reply.startswith("250"):
            envelope.mail_from = address
        return reply

    async def handle_RCPT(self, server, session, envelope, address, options) -> str:
        reply = self._reply("RCPT", server)
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server, session, envelope) -> str:
        self.mails.append((envelope.rcpt_tos, envelope.content))
        return self._reply("DATA", server)

    def authenticate(self, server, session, envelope, mechanism, data) -> AuthResult:
        self.commands.append("AUTH")
        return AuthResult(success=data.password == b"right", handled=False)


def context_of(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


GOOD = context_of(AUTHORITY.issue_cert(HOST))


def trusting() -> ssl.SSLContext:
    context = tls_context()
    AUTHORITY.configure_trust(context)
    return context


@contextmanager
def relay(mailbox: Mailbox, *, security: Security = "starttls", context: ssl.SSLContext = GOOD, login: bool = False) -> Iterator[int]:
    """An SMTP server on a thread of its own. Gives its port."""
    loop = asyncio.new_event_loop()

    def conversation() -> SMTP:
        return SMTP(
            mailbox,
            loop=loop,
            hostname="relay.example",
            tls_context=context if security == "starttls" else None,
            require_starttls=security == "starttls",
            authenticator=mailbox.authenticate,
            auth_required=login,
            auth_require_tls=security == "starttls",
        )

    async def end() -> None:
        ended = asyncio.create_task(server.wait_closed())
        await asyncio.sleep(0)  # on Python 3.11 only who waits before the closing is told when the last connection is gone
        server.close()
        await ended
        loop.stop()

    server = loop.run_until_complete(loop.create_server(conversation, HOST, 0, ssl=context if security == "tls" else None))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop)
        thread.join(10)
        loop.close()


@contextmanager
def scripted(*replies: bytes, then: Literal["hang up", "silence", "reset"] = "hang up") -> Iterator[int]:
    """A server that says its lines one by one, each after a command or a whole mail. A later line that begins with 220 agrees to TLS.

    After the last line it hangs up, says nothing more for as long as one stays on the line, or breaks the connection at the next command.
    """
    left = threading.Event()

    def play() -> None:
        connection, _ = listener.accept()
        commands = connection.makefile("rb")
        with suppress(OSError):
            for number, reply in enumerate(replies):
                if number:
                    ends = b".\r\n" if replies[number - 1].startswith(b"354") else b""
                    while (line := commands.readline()) and ends and line != ends:
                        pass
                connection.sendall(reply)
                if number and reply.startswith(b"220"):
                    commands.close()
                    connection = GOOD.wrap_socket(connection, server_side=True)
                    commands = connection.makefile("rb")
            if then == "silence":
                left.wait(20)
            elif then == "reset":
                commands.readline()
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        commands.close()
        connection.close()

    with socket.create_server((HOST, 0)) as listener:
        thread = threading.Thread(target=play)
        thread.start()
        yield listener.getsockname()[1]
        left.set()
        thread.join()


def attempt(
    port: int,
    security: Security = "starttls",
    *,
    host: str = HOST,
    user: str = "",
    password: str = "",
    tls: ssl.SSLContext | None = None,
) -> str:
    """Send, and say what came of it: "sent", or whether it is worth another try and the code or type."""
    try:
        send(MESSAGE, Smtp(host, port, security, user, password), tls or trusting(), timeout=1)
    except DeliveryError as error:
        outcome = f"{'permanent' if error.permanent else 'temporary'}: {error}"
    else:
        return "sent"
    assert not any(told in outcome for told in ("@", host, "relay"))
    return outcome


@pytest.mark.parametrize("security", ["starttls", "tls", "none"])
def test_a_mail_is_handed_over_whole_to_its_one_recipient(security: Security) -> None:
    mailbox = Mailbox()
    with relay(mailbox, security=security) as port:
        assert attempt(port, security) == "sent"
    [(recipients, content)] = mailbox.mails
    assert recipients == [TO]
    assert content == bytes(MESSAGE)
    assert mailbox.in_clear == (security == "none")


def test_a_login_is_used_when_there_is_one() -> None:
    mailbox = Mailbox()
    with relay(mailbox, login=True) as port:
        assert attempt(port, user="line", password="right") == "sent"
    assert mailbox.commands == ["AUTH", "MAIL", "RCPT", "DATA"]


@pytest.mark.parametrize("password", ["wrong", "blåbær"])
def test_a_refused_login_can_be_mended(password: str) -> None:
    mailbox = Mailbox()
    with relay(mailbox, login=True) as port:
        assert attempt(port, user="line", password=password).startswith("temporary: ")
    assert not mailbox.mails


def test_a_relay_that_wants_a_login_can_be_mended() -> None:
    mailbox = Mailbox()
    with relay(mailbox, login=True) as port:
        assert attempt(port) == "temporary: SMTPSenderRefused 530"
    assert not mailbox.mails


def test_a_password_is_never_sent_in_clear_text() -> None:
    mailbox = Mailbox()
    with relay(mailbox, security="none") as port:  # it offers a login all the same
        assert attempt(port, "none", user="line", password="right").startswith("temporary: ")
    assert mailbox.commands == []


REFUSALS = {
    421: "temporary",
    450: "temporary",
    451: "temporary",
    452: "temporary",
    550: "permanent",
    552: "permanent",
    554: "permanent",
}
STAGES = {"MAIL": "SMTPSenderRefused", "RCPT": "SMTPRecipientsRefused", "DATA": "SMTPDataError"}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("code", REFUSALS)
def test_a_refusal_is_final_when_its_code_says_so(stage: str, code: int) -> None:
    mailbox = Mailbox(**{stage: f"{code} 5.0.0 <{TO}> is not for this relay"})
    with relay(mailbox) as port:
        assert attempt(port) == f"{REFUSALS[code]}: {STAGES[stage]} {code}"
    assert not mailbox.in_clear


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "cert.pem")
    authority.private_key_pem.write_to_path(tmp_path / "key.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    return context


@pytest.fixture
def unknown_authority() -> ssl.SSLContext:
    return context_of(trustme.CA().issue_cert(HOST))


@pytest.fixture
def expired() -> ssl.SSLContext:
    return context_of(AUTHORITY.issue_cert(HOST, not_after=datetime.now(UTC) - timedelta(days=1)))


@pytest.fixture
def wrong_host() -> ssl.SSLContext:
    return context_of(AUTHORITY.issue_cert("another.example"))


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize(
    ("certificate", "verify_code"), [("self_signed", 18), ("unknown_authority", 20), ("expired", 10), ("wrong_host", 64)]
)
def test_a_relay_that_cannot_prove_its_name_gets_nothing(request, certificate: str, verify_code: int, security: Security) -> None:
    mailbox = Mailbox()
    with relay(mailbox, security=security, context=request.getfixturevalue(certificate)) as port:
        assert attempt(port, security) == f"temporary: SSLCertVerificationError {verify_code}"
    assert mailbox.commands == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_tls_below_1_2_is_not_spoken(security: Security) -> None:
    old = context_of(AUTHORITY.issue_cert(HOST))
    willing = trusting()
    with warnings.catch_warnings(action="ignore"):  # Python calls TLS 1.1 deprecated, and so it is
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    for context in (old, willing):  # at this level OpenSSL itself would speak it: what refuses is our own bound
        context.set_ciphers("ALL:@SECLEVEL=0")
    mailbox = Mailbox()
    with relay(mailbox, security=security, context=old) as port:
        assert attempt(port, security, tls=willing).startswith("temporary: SSL")
        assert mailbox.commands == []
        with warnings.catch_warnings(action="ignore"):
            willing.minimum_version = ssl.TLSVersion.TLSv1_1
        assert attempt(port, security, tls=willing) == "sent"


def test_this_machines_authorities_are_the_ones_trusted_unless_told_otherwise() -> None:
    mailbox = Mailbox()
    with relay(mailbox) as port, pytest.raises(DeliveryError, match="SSLCertVerificationError 20"):
        send(MESSAGE, Smtp(HOST, port, "starttls"), timeout=1)
    assert mailbox.commands == []


HELLO = b"220 relay.example\r\n", b"250 relay.example\r\n"
TAKEN = *HELLO, b"250 OK\r\n", b"250 OK\r\n", b"354 go on\r\n", b"250 OK\r\n"


@pytest.mark.parametrize("replies", range(len(TAKEN)))
def test_a_relay_that_hangs_up_before_it_took_the_mail_is_tried_again(replies: int) -> None:
    with scripted(*TAKEN[:replies]) as port:
        assert attempt(port, "none") == "temporary: SMTPServerDisconnected"


@pytest.mark.parametrize("goodbye", [(), (b"500 what?\r\n",), (b"garbage\r\n",)])
def test_a_mail_that_the_relay_took_is_sent_whatever_follows(goodbye: tuple[bytes, ...]) -> None:
    with scripted(*TAKEN, *goodbye) as port:
        assert attempt(port, "none") == "sent"


@pytest.mark.parametrize(
    ("replies", "outcome"),
    [
        ((b"421 relay.example is busy\r\n",), "temporary: SMTPConnectError 421"),
        ((b"554 relay.example takes no mail\r\n",), "temporary: SMTPConnectError 554"),
        ((b"\x00\xff garbage\r\n",), "temporary: SMTPConnectError -1"),
        ((HELLO[0], b"550 no\r\n", b"550 no\r\n"), "temporary: SMTPHeloError 550"),
        ((*HELLO, b"250 OK\r\n", b"250 OK\r\n", b"554 no mail today\r\n"), "permanent: SMTPDataError 554"),
    ],
)
def test_odd_relays_do_no_harm(replies: tuple[bytes, ...], outcome: str) -> None:
    with scripted(*replies) as port:
        assert attempt(port, "none") == outcome


def test_a_long_banner_of_short_lines_is_read_to_its_end() -> None:
    with scripted(b"220-welcome\r\n" * 1000 + b"220 relay.example\r\n", *TAKEN[1:]) as port:
        assert attempt(port, "none") == "sent"


@pytest.mark.parametrize("security", ["starttls", "tls", "none"])
def test_a_relay_that_never_answers_is_left(security: Security) -> None:
    with socket.create_server((HOST, 0)) as listener, pytest.raises(DeliveryError) as caught:
        send(MESSAGE, Smtp(HOST, listener.getsockname()[1], security), timeout=0.1)
    assert not caught.value.permanent


@pytest.mark.parametrize("replies", range(1, len(TAKEN)))
def test_a_relay_that_falls_silent_before_it_took_the_mail_is_left_and_tried_again(replies: int) -> None:
    with scripted(*TAKEN[:replies], then="silence") as port:
        with pytest.raises(DeliveryError) as caught:
            send(MESSAGE, Smtp(HOST, port, "none"), timeout=0.1)
        assert not caught.value.permanent


@contextmanager
def byte_by_byte(security: Security = "starttls") -> Iterator[int]:
    """A server that never comes to the end of its greeting."""

    def play() -> None:
        connection, _ = listener.accept()
        with suppress(OSError), GOOD.wrap_socket(connection, server_side=True) if security == "tls" else connection as connection:
            while True:  # until the line is cut
                connection.sendall(b"2")
                time.sleep(0.05)

    with socket.create_server((HOST, 0)) as listener:
        thread = threading.Thread(target=play)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.mark.parametrize("security", ["none", "tls"])
def test_a_relay_that_says_a_byte_now_and_then_is_left(monkeypatch: pytest.MonkeyPatch, security: Security) -> None:
    monkeypatch.setattr(delivery, "LIMIT", 0.5)
    with byte_by_byte(security) as port:
        with pytest.raises(DeliveryError) as caught:
            send(MESSAGE, Smtp(HOST, port, security), trusting(), timeout=20)
        assert not caught.value.permanent


@pytest.mark.parametrize("host", ["relay.invalid", "relay..invalid", "x" * 64 + ".invalid"])
def test_a_host_that_cannot_be_found_is_tried_again(host: str) -> None:
    with pytest.raises(DeliveryError) as caught:
        send(MESSAGE, Smtp(host, 587, "starttls"), timeout=1)
    assert not caught.value.permanent
    assert host not in str(caught.value)


# ---- the table of faults


@contextmanager
def tapped(port: int, wire: bytearray) -> Iterator[int]:
    """The way to that port, with an ear on it: what the sender said, as it crossed."""

    def pump(source: socket.socket, target: socket.socket, heard: bytearray | None) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if heard is not None:
                    heard.extend(data)
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def play() -> None:
        with suppress(OSError), listener.accept()[0] as near, socket.create_connection((HOST, port)) as far:
            back = threading.Thread(target=pump, args=(far, near, None))
            back.start()
            pump(near, far, wire)
            back.join()

    with socket.create_server((HOST, 0)) as listener:
        thread = threading.Thread(target=play)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(20)


@contextmanager
def nobody() -> Iterator[int]:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
    yield port


@contextmanager
def never_taken() -> Iterator[int]:
    """The connection stands, and nobody ever speaks."""
    with socket.create_server((HOST, 0)) as listener:
        yield listener.getsockname()[1]


def refusing(stage: str, reply: str) -> AbstractContextManager[int]:
    return relay(Mailbox(**{stage: reply}))


def with_certificate(make: Callable[[], trustme.LeafCert]) -> AbstractContextManager[int]:
    return relay(Mailbox(), context=context_of(make()))


def self_signed_one() -> AbstractContextManager[int]:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with authority.cert_pem.tempfile() as certificate, authority.private_key_pem.tempfile() as key:
        context.load_cert_chain(certificate, key)
    return relay(Mailbox(), context=context)


def speaking_tls_1_0() -> AbstractContextManager[int]:
    old = context_of(AUTHORITY.issue_cert(HOST))
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1
    return relay(Mailbox(), context=old)


YESTERDAY = datetime.now(UTC) - timedelta(days=1)
STARTTLS = HELLO[0], b"250-relay.example\r\n250 STARTTLS\r\n", b"220 go on\r\n", HELLO[1], *TAKEN[2:]
Outcome = Literal["refused", "tried again", "permanent", "delivered"]
# What happens -> how it is made, and what is done about it. "Refused" is tried again too, and never in clear text.
FAULTS: dict[str, tuple[Callable[[], AbstractContextManager[int]], Outcome]] = {
    "connection refused": (nobody, "tried again"),
    "host not in the DNS": (nobody, "tried again"),
    "no word after the connection": (never_taken, "tried again"),
    "no word after EHLO": (lambda: scripted(*STARTTLS[:1], then="silence"), "tried again"),
    "no word after DATA": (lambda: scripted(*STARTTLS[:-1], then="silence"), "tried again"),
    "certificate: self-signed": (self_signed_one, "refused"),
    "certificate: unknown authority": (lambda: with_certificate(lambda: trustme.CA().issue_cert(HOST)), "refused"),
    "certificate: expired": (lambda: with_certificate(lambda: AUTHORITY.issue_cert(HOST, not_after=YESTERDAY)), "refused"),
    "certificate: another host's": (lambda: with_certificate(lambda: AUTHORITY.issue_cert("another.example")), "refused"),
    "TLS 1.0": (speaking_tls_1_0, "refused"),
    "no STARTTLS": (lambda: relay(Mailbox(), security="none"), "refused"),
    "login refused": (lambda: relay(Mailbox(), login=True), "tried again"),
    "421 at MAIL": (lambda: refusing("MAIL", "421 4.3.2 closing"), "tried again"),
    "450 at RCPT": (lambda: refusing("RCPT", "450 4.2.1 mailbox busy"), "tried again"),
    "451 at RCPT, grey list": (lambda: refusing("RCPT", "451 4.7.1 come back later"), "tried again"),
    "452 at MAIL, disk full": (lambda: refusing("MAIL", "452 4.3.1 no room"), "tried again"),
    "550 at RCPT, no such mailbox": (lambda: refusing("RCPT", "550 5.1.1 unknown"), "permanent"),
    "552 at DATA, too big": (lambda: refusing("DATA", "552 5.3.4 too big"), "permanent"),
    "554 at DATA, policy": (lambda: refusing("DATA", "554 5.7.1 not wanted"), "permanent"),
    "hangs up before the 250 of DATA": (lambda: scripted(*STARTTLS[:-1]), "tried again"),
    "hangs up after the 250 of DATA": (lambda: scripted(*STARTTLS), "delivered"),
    "250, then the connection breaks": (lambda: scripted(*STARTTLS, then="reset"), "delivered"),
    "greeting of 10 KB": (lambda: scripted(b"220 " + b"x" * 10_000 + b"\r\n"), "tried again"),
    "a byte now and then": (byte_by_byte, "tried again"),
}
SECRETS = [TO.encode(), b"hemmeligt", b"never-in-clear", base64.b64encode(b"\0line\0never-in-clear")]


@pytest.fixture(scope="module")
def table() -> Iterator[list[str]]:
    """The rows of the faults that were tried, printed at the end (``pytest -s``)."""
    rows: list[str] = []
    yield rows
    print("", f"{'fault':<33} {'outcome':<12} {'what the log says':<44} said in clear text", *rows, sep="\n")


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_of_a_relay_has_its_outcome_and_nothing_of_the_mail_goes_in_clear_text(
    fault: str, table: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, expected = FAULTS[fault]
    if fault == "a byte now and then":
        monkeypatch.setattr(delivery, "LIMIT", 0.5)
    user, password = ("line", "never-in-clear") if fault == "login refused" else ("", "")
    wire = bytearray()
    with server() as port, nullcontext(port) if server is nobody else tapped(port, wire) as way:
        said = attempt(way, host="relay.invalid" if "DNS" in fault else HOST, user=user, password=password)
    outcome: Outcome
    match said.split():
        case ["sent"]:
            outcome = "delivered"
        case ["permanent:", *_]:
            outcome = "permanent"
        case ["temporary:", why, *_] if why.startswith("SSL") or why == "SMTPNotSupportedError":
            outcome = "refused"
        case _:
            outcome = "tried again"
    clear, upgrade, sealed = bytes(wire).partition(b"STARTTLS\r\n")
    commands = [line.split()[0].decode().upper() for line in (clear + upgrade).splitlines()]
    table.append(f"{fault:<33} {outcome:<12} {said.partition(': ')[2] or '-':<44} {' '.join(commands) or '-'}")
    assert outcome == expected
    assert set(commands) <= {"EHLO", "STARTTLS"}
    assert sealed[:1] in (b"", b"\x16"), "what follows is a TLS handshake"
    assert not any(secret in wire for secret in SECRETS)


def test_the_table_of_faults_is_whole() -> None:
    assert len(FAULTS) == 24
