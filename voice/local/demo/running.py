"""Starting the demo, and ending it without a trace."""

import os
import signal
import socket
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from voice.errors import SpeechError, VoiceError
from voice.local.demo.pages import create_app
from voice.local.demo.telephone import Telephone
from voice.local.demo.typed import TypedAnswers
from voice.local.line import LocalLine
from voice.speech.google import GoogleSynthesizer

HOST = "127.0.0.1"
PORT = "8080"
VOICE_SECONDS = 4.0  # in which Google's voice must have said a word to be used
INTERRUPTED = 130  # the exit code that a shell gives a program ended by Ctrl-C
SETTINGS = ("WHISPER_MODEL", "PROMPTS_DIR", "ANSWER_SILENCE", "SPEECH_VOICE")  # what one may change about the demo's line


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Say nothing: the terminal is for the address."""


def demo() -> int:
    """Run the demo until Ctrl-C. Gives the exit code."""
    told = threading.Event()

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        told.set()  # as the exception is lost when it is raised within a callback from C, such as the voice's
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT):  # until everything runs; then the processes' keeper listens
        signal.signal(number, interrupt)
    try:
        with ExitStack() as stack:
            door = stack.enter_context(_reserve(os.environ.get("PORT") or PORT))
            print("The line is being made ready.", file=sys.stderr)
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="samtaleklar-")))
            environ = {name: os.environ[name] for name in SETTINGS if name in os.environ}
            if "SPEECH_VOICE" not in environ:
                environ["SPEECH_VOICE"] = _voice()
            line = stack.enter_context(LocalLine(folder, environ, worker=("voice.local.demo.worker",)))
            telephone = Telephone(line.exchange, TypedAnswers(folder))
            stack.callback(telephone.stop)
            stack.enter_context(_served(create_app(line, telephone), door))
            if told.is_set():
                return INTERRUPTED
            address = f"http://{HOST}:{door.getsockname()[1]}/"
            print(f"\n    {address}\n\nOpen it and ring up. Ctrl-C ends the demo.", flush=True)
            if _has_display():
                webbrowser.open(address)
            line.processes.run_until_told()
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _reserve(port: str) -> socket.socket:
    """Take the pages' port before anything is started. Raises VoiceError."""
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise VoiceError(f"PORT is {port!r}: set it to a whole number from 1 to 65535.")
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((HOST, int(port)))
        door.listen()
    except OSError as error:
        door.close()
        raise VoiceError(f"Port {port} cannot be used ({error.strerror}): choose another one, for example PORT={int(port) + 1}.") from error
    return door


@contextmanager
def _served(app: Flask, door: socket.socket) -> Iterator[None]:
    server = make_server(HOST, 0, app, threaded=True, request_handler=_Quiet, fd=door.fileno())
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="demo-pages", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _voice() -> str:
    """Google's voice if it answers within a few seconds, else the offline one."""
    answered = threading.Event()

    def ask() -> None:
        try:
            GoogleSynthesizer(waits=()).synthesize("Hej.", "da")
            answered.set()
        except SpeechError:
            pass

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(VOICE_SECONDS)
    return "gtts" if answered.is_set() else "espeak"


def _has_display() -> bool:
    if os.environ.get("NO_BROWSER") == "1":
        return False
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
