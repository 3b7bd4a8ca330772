"""``samtaleklar ring``: a scripted call from the first tone to the mail in the mailbox."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

from voice.config import Config
from voice.errors import VoiceError
from voice.exchange.exchange import Exchange
from voice.exchange.script import Script
from voice.local.line import LineNotReady, LocalLine, answers
from voice.local.mailbox import Mailbox
from voice.speech.espeak import EspeakSynthesizer
from voice.speech.telephone import telephone_wav

MAIL_SECONDS = 180.0  # a good recogniser on a small machine takes as long for eight answers; the trial one about three seconds each


def ring(path: Path, config: Config | None) -> int:
    """Play the script's calls, print conversation and mail. Gives the exit code: 1 if the script could not be followed or no mail came.

    Without ``config`` on a line of its own; with it on the line that runs with those settings, whose telephone provider
    and mail server must be addresses on this machine, where the exchange and the mailbox are put.
    """
    try:
        scripts = Script.load(path, speak=_speak)
    except OSError as error:
        raise VoiceError(f"The script {path} cannot be read: {error.strerror}.") from error
    problems: list[str] = []
    with _surroundings(config, resume=len(scripts) > 1) as (exchange, mailbox):
        for number, script in enumerate(scripts):
            print("\nThe caller rings again.\n" if number else "", end="")
            record, unfollowed = exchange.play(script)
            problems += unfollowed
            ended = time.monotonic()
            print(record.conversation)
            exchange.settle()
        expects_mail = any(recording.seconds for recording in [*exchange.recordings, *exchange.deleted_recordings])
        mails = mailbox.wait(1, MAIL_SECONDS) if expects_mail else []
        if mails:
            print(f"\nThe mail came {time.monotonic() - ended:.1f} seconds after the call.\n")
            print(as_text(mails[0]))
        else:
            print("\nNo mail came." if expects_mail else "\nNothing was recorded, so there is no mail.")
    for problem in problems:
        print(problem)
    return 1 if problems or (expects_mail and not mails) else 0


def as_text(mail: EmailMessage) -> str:
    """The mail as one reads it."""
    head = "\n".join(f"{name}: {mail[name]}" for name in ("From", "To", "Subject", "Date", "Message-ID"))
    body = mail.get_body(("plain",))
    files = (f"{part.get_filename()} ({len(part.get_payload(decode=True)) // 1000} kB)" for part in mail.iter_attachments())
    return "\n".join((head, *(f"Attached: {file}" for file in files), "", body.get_content() if body else ""))


@contextmanager
def _surroundings(config: Config | None, resume: bool) -> Iterator[tuple[Exchange, Mailbox]]:
    if config is None:
        environ = {"RESUME_WINDOW": "30"} if resume else {}
        with tempfile.TemporaryDirectory(prefix="samtaleklar-") as folder, LocalLine(Path(folder), environ) as line:
            yield line.exchange, line.mailbox
        return
    base = config.public_base_url
    if not config.twilio_auth_tokens:
        raise VoiceError("To ring a running line, TWILIO_AUTH_TOKEN must be set: the exchange on this machine signs with it.")
    if not config.local or config.smtp.security != "none":
        raise VoiceError("To ring a running line, its TWILIO_API_BASE_URL and SMTP_URL must be http:// and smtp:// on this machine.")
    if not answers(base):
        raise LineNotReady(f"No line answers at {base}: start it with `samtaleklar serve` and the same settings.")
    port = urlsplit(config.twilio_api_base_url).port or 80
    exchange = Exchange(config.twilio_account_sid, config.twilio_auth_tokens, f"{base}/calls", f"{base}/calls/status", port=port)
    with exchange, Mailbox(config.smtp.port) as mailbox:
        yield exchange, mailbox


def _speak(text: str) -> bytes:
    return telephone_wav(EspeakSynthesizer().synthesize(text, "da"), caption=text)
