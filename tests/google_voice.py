"""A stand-in for Google's voice on this machine. A test file gets the fixture ``google`` by importing ``google_voice``."""

import base64
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import av
import pytest

from voice.speech.audio import decode
from voice.speech.espeak import EspeakSynthesizer


def mp3(text: str) -> bytes:
    """The text in the offline voice, as Google sends it: 24 kHz mono MP3."""
    samples = decode(EspeakSynthesizer().synthesize(text, "da"), 24000)
    file = io.BytesIO()
    with av.open(file, "w", format="mp3", options={"write_xing": "0", "id3v2_version": "0"}) as output:
        stream = output.add_stream("libmp3lame", rate=24000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
        frame.sample_rate = 24000
        for one in (frame, None):
            output.mux(stream.encode(one))
    return file.getvalue()


class Google:
    """A stand-in for Google's voice. ``faults`` are played first, one for each request; then it speaks."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.faults: list[str | int] = []
        self.asked: list[tuple[str, str]] = []  # text, language
        self.patience = threading.Event()  # set at the end of a test, so that nothing waits for a request that hangs

    def answer(self, body: str) -> tuple[int, bytes]:
        [[[rpc, parameters, _, _]]] = json.loads(parse_qs(body)["f.req"][0])
        assert rpc == "jQ1olc"
        text, language, *_ = json.loads(parameters)
        self.asked.append((text, language))
        match self.faults.pop(0) if self.faults else "sound":
            case int(status):
                return status, b"<html>Our systems have detected unusual traffic</html>"
            case "sound":
                return 200, self.reply(base64.b64encode(mp3(text)).decode())
            case "html":
                return 200, b"<html><body>Before you continue</body></html>"
            case "empty":
                return 200, b""
            case "not mp3":
                return 200, self.reply(base64.b64encode(b"<html></html>").decode())
            case "not base64":
                return 200, self.reply("=a")
            case "not utf-8":
                return 200, b"\xff\xfe jQ1olc"
            case "declined":
                return 200, b")]}'\n\n" + json.dumps([["wrb.fr", "jQ1olc", None, None]], separators=(",", ":")).encode()
            case "hangs":
                self.patience.wait(10)
                return 200, b""
        raise ConnectionAbortedError

    def reply(self, sound: str) -> bytes:
        rpc = [["wrb.fr", "jQ1olc", json.dumps([sound]), None, None, None, "generic"]]
        return f")]}}'\n\n{json.dumps(rpc, separators=(',', ':'))}\n".encode()


@pytest.fixture(name="google")
def google_voice(monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            try:
                status, body = stand_in.answer(self.rfile.read(int(self.headers["Content-Length"])).decode())
            except ConnectionAbortedError:
                self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: 1000\r\n\r\n)]}'")
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        stand_in = Google(f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setattr("gtts.tts._translate_url", lambda tld="com", path="": f"{stand_in.url}/{path}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield stand_in
        stand_in.patience.set()
        server.shutdown()
        thread.join()
