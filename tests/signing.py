"""Requests as the provider signs them, whole or tampered with, and a look at whether anything was stored."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from flask.testing import FlaskClient
from sqlalchemy.engine import Engine
from twilio.request_validator import RequestValidator
from werkzeug.test import TestResponse

from tests.conftest import ROOT
from tests.web import ACCOUNT, BASE, CALL, TOKEN, Web, environ
from voice import store

FORM_TYPE = "application/x-www-form-urlencoded"
FIELDS = {"AccountSid": ACCOUNT, "CallSid": CALL, "From": "+4520123456", "To": "+4570123456"}


def sign(path: str, form: Mapping[str, str], token: str = TOKEN) -> str:
    """The signature of a POST to that raw path and query."""
    return str(RequestValidator(token).compute_signature(BASE + path, form))


def send(client: FlaskClient, path: str, body: bytes | Mapping[str, str], headers: Mapping[str, str], method: str = "POST") -> TestResponse:
    data = body if isinstance(body, bytes) else urlencode(body).encode()
    kind = {"Content-Type": FORM_TYPE} if data else {}
    return client.open(path, method=method, base_url=BASE, data=data, headers={**kind, **headers})


def post(client: FlaskClient, path: str, form: Mapping[str, str], token: str = TOKEN, **headers: str) -> TestResponse:
    """One signed webhook."""
    return send(client, path, form, {"X-Twilio-Signature": sign(path, form, token), **headers})


def everything(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, the workflow engine's too."""
    with store.reading(engine) as look:
        names = look.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars().all()
        return {name: [tuple(row) for row in look.exec_driver_sql(f'SELECT * FROM "{name}"')] for name in names}


@contextmanager
def memory_folder() -> Iterator[Path]:
    """A folder in memory-backed storage where there is some: a disk's sync is not the matter here."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@contextmanager
def a_web(**more: str) -> Iterator[Web]:
    with memory_folder() as folder:
        web = Web(folder, **more)
        try:
            yield web
        finally:
            web.close()


@contextmanager
def gunicorn(data_dir: Path, **more: str) -> Iterator[int]:
    """The web process as it is run in earnest, over a database that is there already. Gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--threads", "8", "--log-level", "warning"]
    settings = {**os.environ, **environ(data_dir, **more)}
    process = subprocess.Popen([*command, "voice.app:create_app()"], env=settings, cwd=ROOT)
    try:
        _wait_for(f"http://127.0.0.1:{port}/healthz", process)
        yield port
    finally:
        process.terminate()
        process.wait(60)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            assert process.poll() is None, "the web process ended"
            assert time.monotonic() < end, "the web process does not answer"
            time.sleep(0.05)


def raw(port: int, request: bytes) -> bytes:
    """Send bytes as they are and give the whole answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


def http_request(path: bytes, body: bytes, headers: Mapping[str, str], method: str = "POST") -> bytes:
    lines = [f"{name}: {value}" for name, value in {"Host": "line.example", "Connection": "close", **headers}.items()]
    if "Transfer-Encoding" not in headers:
        lines.append(f"Content-Length: {len(body)}")
    return method.encode() + b" " + path + b" HTTP/1.1\r\n" + "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def status(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 "), answer[:100]
    return int(answer[9:12])
