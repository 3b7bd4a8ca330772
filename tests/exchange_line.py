"""A line for the exchange's tests: a small Flask app that says the TwiML that a test gives it, and keeps what it was asked."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from flask import Flask, request
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from voice.exchange import Conditions, Exchange, Heard, media
from voice.exchange.conversation import Entry

ACCOUNT = "AC" + "0" * 31 + "1"
TOKEN = "12345"


@dataclass(frozen=True)
class Asked:
    """One request that came to the line."""

    method: str
    path: str
    query: str  # as it was written
    form: dict[str, str]
    headers: dict[str, str]
    params: dict[str, str]


Answer = str | bytes | Response | Callable[[], "Answer"]


@dataclass
class Line:
    """Answers each path with what the test has laid there. A list is answered one by one, the last for ever."""

    url: str = ""
    answers: dict[str, Answer | list[Answer]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def __setitem__(self, path: str, answer: Answer | list[Answer]) -> None:
        self.answers[path] = answer

    def says(self, *verbs: str, at: str = "/voice") -> None:
        self.answers[at] = twiml(*verbs)

    def requests(self, path: str) -> list[Asked]:
        return [each for each in self.asked if each.path == path]

    def answer(self) -> Response:
        form = request.form.to_dict()
        headers = dict(request.headers)
        self.asked.append(Asked(request.method, request.path, request.query_string.decode(), form, headers, request.values.to_dict()))
        answer = self.answers.get(request.path, Response("nothing here", 404))
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if callable(answer) and not isinstance(answer, Response):
            answer = answer()
        return answer if isinstance(answer, Response) else Response(answer, content_type="text/xml")


def twiml(*verbs: str) -> str:
    return '<?xml version="1.0" encoding="UTF-8"?><Response>' + "".join(verbs) + "</Response>"


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Line]:
    line = Line()
    app = Flask("line")
    app.add_url_rule("/<path:path>", view_func=lambda path: line.answer(), methods=["GET", "POST"])
    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=tls)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    line.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    try:
        yield line
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def ringing(line: Line, *, fragment: str = "", fallback: str | None = None, conditions: Conditions | None = None) -> Iterator[Exchange]:
    voice, status = f"{line.url}/voice{fragment}", f"{line.url}/status"
    with Exchange(ACCOUNT, (TOKEN, "older"), voice, status, fallback, conditions=conditions) as exchange:
        yield exchange


def voice(seconds: float, dbfs: float = -20.0) -> bytes:
    """Something like a voice: noise that swells and fades four times a second."""
    times = np.arange(round(seconds * media.RATE)) / media.RATE
    noise = np.random.default_rng(1).standard_normal(len(times))
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * 4 * times)
    return np.clip(32768 * 10 ** (dbfs / 20) * noise * swell, -32768, 32767).astype("<i2").tobytes()


def captioned(pcm: bytes, text: str) -> bytes:
    """A WAV that says what it says."""
    said = text.encode() + b"\0"
    comment = b"INFOICMT" + len(said).to_bytes(4, "little") + said + b"\0" * (len(said) % 2)
    wav = media.to_wav(pcm) + b"LIST" + len(comment).to_bytes(4, "little") + comment
    return wav[:4] + (len(wav) - 8).to_bytes(4, "little") + wav[8:]


class Caller:
    """A handset that does at given seconds what a test says: ``{2.0: "1"}`` presses 1; a Heard is given as it is."""

    def __init__(self, doing: dict[float, str | Heard] | None = None, *, quiet: bytes = media.SILENCE) -> None:
        self._doing = {round(at * media.FRAMES_PER_SECOND): what for at, what in (doing or {}).items()}
        self._quiet = quiet
        self._frames = 0
        self.sound = bytearray()
        self.noticed: list[Entry] = []

    def swap(self, frame: bytes) -> Heard:
        self.sound += frame
        what = self._doing.get(self._frames)
        self._frames += 1
        if isinstance(what, Heard):
            return what
        return Heard(self._quiet, key=what)

    def notice(self, entry: Entry) -> None:
        self.noticed.append(entry)
