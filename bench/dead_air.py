"""Our share of the silence between the end of a caller's input and the first sound of the next prompt.

That is: the webhook's answer, and the first sound that it plays, fetched. Callers obey the TwiML and act every second or
two, which is five to ten times the pace of people. Prints p50, p99 and the slowest, for 1 caller and for 100 at once,
beside a request that is turned away and the disk alone (four kilobytes written and synced, as a webhook does once) in the
same run, as machines here are noisy.

    python bench/dead_air.py [seconds]
"""

import http.client
import os
import random
import re
import secrets
import statistics
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

from twilio.request_validator import RequestValidator

from voice.config import Config
from voice.exchange import media
from voice.local.line import LocalLine

MANY = "100000"
ROOMY = dict.fromkeys(("CALLS_PER_HOUR", "CALLS_PER_DAY", "CALLS_AT_ONCE", "MINUTES_PER_DAY"), MANY)


class Caller(threading.Thread):
    """Calls again and again: answers every question by voice, and is silent now and then."""

    def __init__(self, config: Config, seconds: float, pause: float) -> None:
        super().__init__(daemon=True)
        self.config = config
        self.until = time.monotonic() + seconds
        self.pause = pause
        self.signer = RequestValidator(config.twilio_auth_tokens[0])
        self.waits: list[float] = []
        self.idle: list[float] = []
        self.failures: list[str] = []
        self.connection = http.client.HTTPConnection(urlsplit(config.public_base_url).netloc, timeout=15)

    def run(self) -> None:
        time.sleep(random.uniform(0, self.pause * 2))
        while time.monotonic() < self.until:
            self.call()

    def call(self) -> None:
        call_sid = "CA" + secrets.token_hex(16)
        path, form = "/calls", {}
        while time.monotonic() < self.until:
            began = time.monotonic()
            document = self.post(path, {"CallSid": call_sid, "From": "+4520" + call_sid[2:8].translate(DIGITS), **form})
            if document is None:
                return
            sound = document.find(".//Play")
            if sound is not None:
                self.get(sound.text or "")
            self.waits.append(time.monotonic() - began)
            if document.find("Hangup") is not None:
                return
            began = time.monotonic()
            self.ask("GET", "/nothing")
            self.idle.append(time.monotonic() - began)
            time.sleep(random.uniform(0.5, 1.5) * self.pause)
            record, gather = document.find("Record"), document.find("Gather")
            if record is not None and random.random() < 0.9:
                path, form = record.attrib["action"], {"RecordingSid": "RE" + secrets.token_hex(16), "RecordingDuration": "20"}
            elif gather is not None and gather.attrib["timeout"] not in ("2", "5"):
                path, form = gather.attrib["action"], {"Digits": "1"}
            else:
                path, form = document.findtext("Redirect") or "/calls", {}

    def post(self, path: str, form: dict[str, str]) -> ElementTree.Element | None:
        form = {"AccountSid": self.config.twilio_account_sid, **form}
        signature = self.signer.compute_signature(self.config.public_base_url + path, form)
        headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
        status, body = self.ask("POST", path, urlencode(form), headers)
        if status != 200:
            self.failures.append(f"{status} {re.sub('[0-9a-f]{32}', '…', path)}")
            return None
        return ElementTree.fromstring(body)

    def get(self, path: str) -> None:
        status, _ = self.ask("GET", path)
        if status != 200:
            self.failures.append(f"{status} {path}")

    def ask(self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        self.connection.request(method, path, body, headers or {})
        response = self.connection.getresponse()
        try:
            return response.status, response.read()
        finally:
            self.connection.close()  # a caller's next request comes seconds later, when the server has hung up


DIGITS = str.maketrans("abcdef", "123456")


class Disk(threading.Thread):
    """Writes and syncs a page of its own ten times a second."""

    def __init__(self, folder: Path, seconds: float) -> None:
        super().__init__(daemon=True)
        self.file = folder / "disk"
        self.until = time.monotonic() + seconds
        self.waits: list[float] = []

    def run(self) -> None:
        with self.file.open("wb") as file:
            while time.monotonic() < self.until:
                began = time.monotonic()
                file.write(bytes(4096))
                file.flush()
                os.fdatasync(file.fileno())
                self.waits.append(time.monotonic() - began)
                time.sleep(0.1)


def measure(config: Config, callers: int, seconds: float, pause: float) -> None:
    threads = [Caller(config, seconds, pause) for _ in range(callers)]
    disk = Disk(config.data_dir, seconds)
    for thread in (disk, *threads):
        thread.start()
    for thread in (disk, *threads):
        thread.join()
    waits = sorted(wait for thread in threads for wait in thread.waits)
    idle = sorted(wait for thread in threads for wait in thread.idle)
    failures = [failure for thread in threads for failure in thread.failures]
    for name, times in (
        (f"{callers} callers: webhook and first sound", waits),
        ("  beside it: turned away", idle),
        ("  the disk alone", sorted(disk.waits)),
    ):
        p99 = times[int(len(times) * 0.99)]
        shown = f"{statistics.median(times) * 1000:8.1f} {p99 * 1000:8.1f} {times[-1] * 1000:8.1f}"
        print(f"{name:42} {len(times):7} {len(times) / seconds:8.1f} {shown}")
    print(f"{'  failures':42} {len(failures):7} {set(failures) or ''}")


class Silence(BaseHTTPRequestHandler):
    """A provider whose every recording is a second of silence."""

    wav = media.to_wav(media.silence(1.0))

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "audio/x-wav")
        self.send_header("Content-Length", str(len(self.wav)))
        self.end_headers()
        self.wfile.write(self.wav)

    def do_DELETE(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    provider = ThreadingHTTPServer(("127.0.0.1", 0), Silence)
    threading.Thread(target=provider.serve_forever, daemon=True).start()
    environ = {**ROOMY, "TWILIO_API_BASE_URL": f"http://127.0.0.1:{provider.server_port}"}
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    with tempfile.TemporaryDirectory() as folder, LocalLine(Path(folder), environ=environ) as line:
        print(f"{'':42} {'count':>7} {'per s':>8} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8}")
        measure(line.config, 1, seconds, 0.2)
        measure(line.config, 100, seconds, 2.0)


if __name__ == "__main__":
    main()
