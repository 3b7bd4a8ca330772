"""The mailbox: each mail as a mail program shows it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage

from flask import Blueprint, Response, abort, render_template, send_file, url_for
from werkzeug.wrappers import Response as BaseResponse

from voice.speech.models import is_poor

# What stands in a mail may look as it likes and show its own pictures; it may neither run, fetch nor send anything.
MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; frame-ancestors 'self'"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a mail."""

    name: str
    mimetype: str
    content: bytes

    @property
    def is_sound(self) -> bool:
        return self.mimetype.startswith("audio/")

    @property
    def size(self) -> str:
        return f"{max(1, round(len(self.content) / 1000))} kB"


def create_blueprint(mails: Sequence[EmailMessage], whisper_model: str) -> Blueprint:
    """The pages for a mailbox that fills while they are shown."""
    blueprint = Blueprint("mails", __name__, url_prefix="/mails")

    def mail(number: int) -> EmailMessage:
        if not 1 <= number <= len(mails):
            abort(404)
        return mails[number - 1]

    def page(number: int) -> str:
        return render_template(
            "mailbox.html",
            number=number,
            subjects=[message["Subject"] for message in mails],
            mail=_shown(mails[number - 1]) if number else None,
            poor=is_poor(whisper_model),
        )

    @blueprint.get("/")
    def newest() -> str:
        return page(len(mails))

    @blueprint.get("/<int:number>")
    def one(number: int) -> str:
        mail(number)
        return page(number)

    @blueprint.get("/<int:number>/html")
    def html(number: int) -> Response:
        body = _body(mail(number), "html")
        for place, picture in enumerate(_pictures(mail(number))):
            body = body.replace(f"cid:{picture['Content-ID'].strip('<>')}", url_for("mails.picture", number=number, place=place))
        return Response(body, mimetype="text/html", headers={"Content-Security-Policy": MAIL_POLICY})

    @blueprint.get("/<int:number>/pictures/<int:place>")
    def picture(number: int, place: int) -> Response:
        found = _pictures(mail(number))
        if place >= len(found):
            abort(404)
        return Response(found[place].get_content(), mimetype=found[place].get_content_type())

    @blueprint.get("/<int:number>/attachments/<int:place>")
    def attachment(number: int, place: int) -> BaseResponse:
        found = _attachments(mail(number))
        if not 1 <= place <= len(found):
            abort(404)
        chosen = found[place - 1]
        opened = chosen.is_sound or chosen.mimetype == "application/pdf"
        response = send_file(io.BytesIO(chosen.content), chosen.mimetype, as_attachment=not opened, download_name=chosen.name)
        response.headers["Content-Security-Policy"] = MAIL_POLICY
        return response

    return blueprint


def _shown(mail: EmailMessage) -> dict[str, object]:
    return {
        "sender": mail["From"],
        "to": mail["To"],
        "subject": mail["Subject"],
        "date": f"{mail['Date'].datetime.astimezone():%d.%m.%Y kl. %H.%M}",
        "text": _body(mail, "plain"),
        "attachments": _attachments(mail),
    }


def _body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    return part.get_content() if part else ""


def _pictures(mail: EmailMessage) -> list[EmailMessage]:
    """What the page shows by Content-ID."""
    return [part for part in mail.walk() if part.get_content_maintype() == "image" and part["Content-ID"]]


def _attachments(mail: EmailMessage) -> list[Attachment]:
    return [
        Attachment(part.get_filename() or "fil", part.get_content_type(), content)
        for part in mail.iter_attachments()
        if isinstance(content := part.get_payload(decode=True), bytes)
    ]
