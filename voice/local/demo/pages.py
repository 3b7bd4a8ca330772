"""The demo's pages, and the connection over which a page shows the telephone."""

import json
import queue
import threading
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NoReturn

from flask import Flask, Response, abort, jsonify, redirect, render_template, request, url_for
from simple_websocket import ConnectionClosed, Server  # type: ignore[import-untyped]
from werkzeug.wrappers import Response as BaseResponse

from voice import store
from voice.content import load_line
from voice.exchange.browser import PageSound
from voice.exchange.conversation import Entry
from voice.exchange.verbs import KEYS
from voice.local.demo import mails
from voice.local.demo.progress import progress
from voice.local.demo.telephone import Telephone
from voice.local.line import LocalLine

POLICY = "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'"
HEADERS = {
    "Permissions-Policy": "microphone=(self)",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
RATES = range(8000, 192_001)
MAX_MESSAGE = 256 * 1024  # bytes
MAX_TYPED = 1000  # characters
MAX_BEHIND = 500  # messages that a page may be behind: ten seconds; it is then as good as gone


class ConnectedPage:
    """A page on a WebSocket. What it is to show goes through a queue, so that a sleeping page never holds up the call."""

    def __init__(self, socket: Server, rate: int) -> None:
        self._socket = socket
        self._sound = PageSound(rate)
        self._outgoing: queue.Queue[str | bytes | None] = queue.Queue()
        threading.Thread(target=self._send, name="demo-page", daemon=True).start()

    def begin(self, entries: Sequence[Entry]) -> None:
        self._tell(entries=[asdict(entry) for entry in entries])

    def show(self, entry: Entry) -> None:
        self._tell(entry=asdict(entry))

    def play(self, frame: bytes) -> None:
        if self._outgoing.qsize() < MAX_BEHIND:
            self._outgoing.put(self._sound.to_page(frame))

    def lifted(self, on_call: bool) -> None:
        self._tell(call=on_call)

    def refused(self) -> None:
        """What was typed cannot be spoken now."""
        self._tell(refused=True)

    def leave(self) -> None:
        self._tell(elsewhere=True)  # the page closes the connection

    def close(self) -> None:
        self._outgoing.put(None)

    def from_page(self, samples: bytes) -> bytes:
        return self._sound.from_page(samples)

    def _tell(self, **message: Any) -> None:
        self._outgoing.put(json.dumps(message))

    def _send(self) -> None:
        try:
            while (message := self._outgoing.get()) is not None:
                self._socket.send(message)
        except (ConnectionClosed, OSError):
            pass  # the page is gone, and its other thread sees it too


def create_app(line: LocalLine, telephone: Telephone) -> Flask:
    """The demo's web app, for this machine alone."""
    app = Flask(__name__)
    app.config["TRUSTED_HOSTS"] = ["127.0.0.1", "localhost"]  # another site's name that points here gets nothing
    app.register_blueprint(mails.create_blueprint(line.mailbox.mails, line.config.whisper_model))
    engine = store.connect(line.config.database_url)
    prompts = load_line(line.config.prompts_dir)

    @app.before_request
    def only_our_pages() -> None:
        if request.origin and request.origin != request.host_url.rstrip("/"):
            abort(403)

    @app.after_request
    def harden(response: Response) -> Response:
        for name, value in {"Content-Security-Policy": POLICY, **HEADERS}.items():
            response.headers.setdefault(name, value)
        return response

    @app.get("/")
    def handset() -> str:
        return render_template("handset.html", keys=("123", "456", "789", "*0#"))

    @app.get("/favicon.ico")
    def favicon() -> BaseResponse:
        return redirect(url_for("static", filename="icon.svg"))

    @app.get("/progress")
    def how_far() -> Response:
        steps = progress(engine, prompts, telephone.call_sid) if telephone.call_sid else []
        return jsonify([{"title": step.title, "status": step.status, "words": step.words, "done": step.done} for step in steps])

    @app.route("/line", websocket=True)
    def connection() -> Response:
        rate = request.args.get("rate", default=0, type=int)
        if rate not in RATES:
            abort(400)
        socket = Server(request.environ, ping_interval=10, max_message_size=MAX_MESSAGE)
        page = ConnectedPage(socket, rate)
        telephone.attach(page)
        try:
            _listen(socket, page, telephone)
        except ConnectionClosed:
            return _UsedUp()
        finally:
            telephone.detach(page)
            page.close()

    return app


class _UsedUp(Response):
    """The connection ended as a WebSocket, so there is nobody to answer."""

    def __call__(self, *_: object) -> NoReturn:
        raise ConnectionError


def _listen(socket: Server, page: ConnectedPage, telephone: Telephone) -> NoReturn:
    while True:
        message = socket.receive()
        if isinstance(message, bytes):
            telephone.hear(page.from_page(message))
        else:
            _do(telephone, page, json.loads(message))


def _do(telephone: Telephone, page: ConnectedPage, wish: dict[str, str]) -> None:
    """What the caller does on the page."""
    match wish:
        case {"do": "ring"}:
            telephone.ring()
        case {"do": "hang up"}:
            telephone.hang_up()
        case {"do": "press", "key": key} if key in KEYS:
            telephone.press(key)
        case {"do": "answer", "text": text} if text.strip():
            if not telephone.answer(text.strip()[:MAX_TYPED]):
                page.refused()
