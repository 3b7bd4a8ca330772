"""The few web pages: where a caller writes an address, confirms it, has the mail sent again, or has all of it deleted.

Whoever holds a link's token may act, and nobody else learns anything: a wrong, used or old token gives one and the same page.
Looking at a page changes nothing, as mail scanners look at every link; only its buttons do.
"""

import base64
import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, current_app, request
from sqlalchemy.engine import Engine

from voice.addresses import Address, takes_mail
from voice.config import Config
from voice.pages.acts import Page, Pages
from voice.prompts import Prompts
from voice.queue import Queue
from voice.templates import template

FOLDER = Path(__file__).parent
blueprint = Blueprint("pages", __name__)


def install(
    app: Flask, config: Config, engine: Engine, queue: Queue, prompts: Prompts, exists: Callable[[Address], bool] | None = None
) -> None:
    """Add the pages to the web process. ``exists`` tells whether a domain takes mail; on a line without a real provider all do."""
    exists = exists or ((lambda _address: True) if config.local else takes_mail)
    app.extensions["pages"] = Pages(config, engine, queue, prompts, exists)
    app.register_blueprint(blueprint)


@blueprint.get("/mail/<string(length=64):token>")
def mail(token: str) -> Response:
    """The page of one preparation, from the link in a text."""
    return _page(_pages().look(token))


@blueprint.post("/mail/<string(length=64):token>")
def mail_done(token: str) -> Response:
    """A button of that page."""
    form = request.form
    return _page(_pages().act(token, form.get("act", ""), form.get("email", ""), frozenset(form.getlist("sure"))))


@blueprint.get("/ja/<string(length=64):token>")
def yes(token: str) -> Response:
    """The page with the one button, from the link in a mail."""
    return _page(_pages().asks(token))


@blueprint.post("/ja/<string(length=64):token>")
def yes_done(token: str) -> Response:
    """Its button."""
    return _page(_pages().confirm(token))


@blueprint.get("/slet/<string(length=64):token>")
def delete(token: str) -> Response:
    """The page that asks whether to delete, from the link in the mail with the preparation."""
    return _page(_pages().asks_to_delete(token))


@blueprint.post("/slet/<string(length=64):token>")
def delete_done(token: str) -> Response:
    """Its button."""
    return _page(_pages().delete(token))


def _pages() -> Pages:
    pages = current_app.extensions["pages"]
    assert isinstance(pages, Pages)
    return pages


def _page(page: Page) -> Response:
    response = Response(template(FOLDER / "page.html.jinja2").render(style=_style(), **_words(page)), status=page.status)
    response.headers.update(_headers())
    return response


def _words(page: Page) -> dict[str, Any]:
    prompts = _pages().prompts.speaking(page.language)
    texts = {name: _filled(text, page) for name, text in prompts.pages.items()}
    phone = " ".join(prompts.operator_phone[n : n + 2] for n in range(0, len(prompts.operator_phone), 2))
    return {"page": page, "texts": texts, "language": prompts.language, "sender": prompts.mail["sender"], "phone": phone}


def _filled(text: str, page: Page) -> str:
    return text.replace("{address}", page.address).replace("{domain}", page.domain)


@cache
def _style() -> str:
    return (FOLDER / "page.css").read_text("utf-8")


@cache
def _headers() -> dict[str, str]:
    style = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return {
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Robots-Tag": "noindex, nofollow",
        "X-Content-Type-Options": "nosniff",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }
