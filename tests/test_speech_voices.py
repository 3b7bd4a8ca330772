"""The voices: the offline one, and Google's against a server on this machine that speaks its protocol."""

import base64
import io
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import av
import pytest

from tests.speech_contract import SynthesizerContract
from voice.config import ROOT
from voice.errors import SpeechError
from voice.speech.audio import decode
from voice.speech.espeak import EspeakSynthesizer
from voice.speech.google import GoogleSynthesizer
from voice.speech.sounds import RATE

LONG = "Hvad gør dig træt, når du er på arbejde? " * 6  # over 200 characters, so three pieces


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


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
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


class TestEspeak(SynthesizerContract):
    @pytest.fixture
    def synthesizer(self) -> EspeakSynthesizer:
        return EspeakSynthesizer()

    def test_several_threads_do_not_mix_their_texts(self) -> None:
        texts = ["Et spørgsmål til. " * number for number in range(1, 9)]
        alone = list(map(self.seconds, texts))
        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(self.seconds, texts)) == pytest.approx(alone, rel=0.03)

    def test_numbers_are_read_as_a_dane_reads_them(self) -> None:
        assert self.seconds("5") == pytest.approx(self.seconds("fem"), rel=0.05)

    def seconds(self, text: str) -> float:
        """How long it takes to say; espeak varies its breath a little from one time to the next."""
        return decode(EspeakSynthesizer().synthesize(text, "da"), RATE).size / RATE

    def test_a_data_folder_with_a_long_path_is_an_error_and_not_the_end_of_the_process(self) -> None:
        program = """
import espeakng_loader
espeakng_loader.get_data_path = lambda: "/" + "x" * 200
from voice.errors import SpeechError
from voice.speech.espeak import EspeakSynthesizer
try:
    EspeakSynthesizer().synthesize("Goddag", "da")
except SpeechError as error:
    print(error.permanent, error)
"""
        run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
        assert re.match(r"True espeak cannot read its data .*/xxx", run.stdout)


@pytest.mark.usefixtures("google")
class TestGoogle(SynthesizerContract):
    @pytest.fixture
    def synthesizer(self) -> GoogleSynthesizer:
        return GoogleSynthesizer(waits=())


class TestGooglesProtocol:
    def test_danish_is_asked_for(self, google: Google) -> None:
        GoogleSynthesizer().synthesize("Goddag på øen.", "da")
        assert google.asked == [("Goddag på øen.", "da")]

    def test_a_long_text_is_asked_for_in_pieces_and_comes_back_whole(self, google: Google) -> None:
        sound = GoogleSynthesizer().synthesize(LONG, "da")
        pieces = [text for text, _ in google.asked]
        assert len(pieces) >= 3
        assert re.findall(r"\w+", " ".join(pieces)) == re.findall(r"\w+", LONG)
        assert decode(sound, RATE).size == pytest.approx(sum(decode(mp3(piece), RATE).size for piece in pieces), rel=0.02)


class TestGooglesFaults:
    @pytest.mark.parametrize("fault", [429, 500, 503, "cut", "html", "empty", "not mp3", "not base64", "not utf-8"])
    def test_a_temporary_fault_is_tried_again(self, google: Google, fault: str | int) -> None:
        google.faults = [fault, fault]
        sound = GoogleSynthesizer(waits=(0, 0)).synthesize("Goddag", "da")
        assert decode(sound, RATE).size
        assert len(google.asked) == 3

    @pytest.mark.parametrize("fault", [429, 500, "cut", "html", "empty", "not mp3"])
    def test_a_fault_that_lasts_is_an_error_that_is_not_permanent(self, google: Google, fault: str | int) -> None:
        google.faults = [fault] * 9
        with pytest.raises(SpeechError) as caught:
            GoogleSynthesizer(waits=(0, 0)).synthesize("Goddag", "da")
        assert not caught.value.permanent
        assert len(google.asked) == 3

    @pytest.mark.parametrize("fault", [400, 403, 404, "declined"])
    def test_a_refusal_is_permanent_and_not_asked_again(self, google: Google, fault: str | int) -> None:
        google.faults = [fault]
        with pytest.raises(SpeechError) as caught:
            GoogleSynthesizer(waits=(0, 0)).synthesize("Goddag", "da")
        assert caught.value.permanent
        assert len(google.asked) == 1

    @pytest.mark.parametrize("fault", ["html", "empty", "not mp3", 500, "cut"])
    def test_a_long_text_is_never_returned_without_its_middle(self, google: Google, fault: str | int) -> None:
        google.faults = ["sound", fault]
        with pytest.raises(SpeechError):
            GoogleSynthesizer(waits=()).synthesize(LONG, "da")

    def test_the_waits_grow(self, google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
        waited: list[float] = []
        monkeypatch.setattr("voice.speech.google.time.sleep", waited.append)
        google.faults = [429] * 9
        with pytest.raises(SpeechError, match="429"):
            GoogleSynthesizer().synthesize("Goddag", "da")
        assert len(waited) >= 2
        assert waited == sorted(set(waited))

    def test_a_server_that_hangs_is_given_up(self, google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("voice.speech.google.TIMEOUT", 0.1)
        google.faults = ["hangs"]
        with pytest.raises(SpeechError, match="could not be reached") as caught:
            GoogleSynthesizer(waits=()).synthesize("Goddag", "da")
        assert not caught.value.permanent

    def test_no_network_is_not_permanent(self, google: Google) -> None:
        google.url = "http://127.0.0.1:1"
        with pytest.raises(SpeechError, match="could not be reached") as caught:
            GoogleSynthesizer(waits=()).synthesize("Goddag", "da")
        assert not caught.value.permanent
