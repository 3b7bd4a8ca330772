"""Recognisers that do what no recogniser should, to be run apart."""

import ctypes
import os
import socket
import sys
import tempfile
import time

from voice.speech import Transcript


class Harm:
    """What a recording can do to the process that looks into it."""

    def hang(self) -> None:
        while True:
            time.sleep(60)

    def crash(self) -> None:
        ctypes.string_at(0)

    def end(self) -> None:
        os._exit(0)

    def swell(self) -> int:
        return len([bytearray(10_000_000) for _ in range(1_000)])

    def fail(self) -> None:
        raise RuntimeError("a text with a word of the caller's")

    def lie(self) -> None:
        for descriptor in range(3, 20):
            try:
                os.write(descriptor, b"\xff" * 64)
            except OSError:
                continue


class Recogniser(Harm):
    """Does what the language asks for, and writes down what came of it."""

    def transcribe(self, sound: bytes, language: str) -> Transcript:
        return Transcript(str(getattr(self, language)()), 1.0, unsure=False, language="da")

    def da(self) -> str:
        return "hej"

    def chatter(self) -> str:
        print("words that are no reply", flush=True)
        os.write(1, b"\0\0\0\1")
        return "quiet again"

    def secrets(self) -> list[str]:
        return sorted(os.environ)

    def network(self) -> str:
        try:
            socket.create_connection(("127.0.0.1", int(os.environ.get("PORT", "1"))), timeout=2)
        except OSError as error:
            return type(error).__name__
        return "connected"

    def interfaces(self) -> list[str]:
        with open("/proc/net/dev", encoding="ascii") as devices:  # noqa: PTH123
            return [line.split(":")[0].strip() for line in devices if ":" in line]

    def files(self) -> str:
        with tempfile.TemporaryFile() as file:
            file.write(b"what was said")
            file.flush()
        return "written"

    def process(self) -> int:
        return os.getpid()

    def path(self) -> str:
        return sys.executable
