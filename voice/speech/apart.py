"""Sound is hostile input: callers' recordings are decoded and written down in a process of their own.

That process has no secrets, no network where the system allows it, no file to write to, and limits of memory and
time. If a recording makes it crash, hang or swell, it ends with that recording, and the next one gets a fresh process.
What it replies is read as data of known form: JSON and samples, never objects.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from voice.config import ROOT
from voice.errors import SpeechError
from voice.speech import Transcript
from voice.speech.audio import MAX_BYTES, Samples
from voice.speech.confined import read, write

SECONDS_AT_LEAST = 120.0  # for any recording; the first of a process waits for the model too
SECONDS_PER_BYTE = 5 / 16000  # of telephone sound (8 kHz, 16 bit): five times as long as it lasts
DECODING = 1_000_000_000  # bytes of memory for looking into a recording
LOADING = 300.0  # seconds more for the first
_KEPT = ("PATH", "LANG", "LC_ALL", "OMP_NUM_THREADS")  # of the environment; all else may be a secret


class ApartTranscriber:
    """A Transcriber whose work is done apart. ``recogniser`` names the real one as ``module:class``, ``settings`` are its arguments.

    ``memory``: bytes that the process may take for data; what it then cannot get ends it.
    """

    def __init__(self, recogniser: str, settings: Mapping[str, str | int], memory: int, loading: float = LOADING) -> None:
        self._start_with = {"recogniser": recogniser, "settings": dict(settings), "memory": memory}
        self._loading = loading
        self._process: subprocess.Popen[bytes] | None = None
        self._one_at_a_time = threading.Lock()

    def transcribe(self, sound: bytes, language: str) -> Transcript:
        """Write down a sound file. Raises SpeechError: permanent when it cannot be read or takes too long."""
        reply, _ = self._ask({"do": "transcribe", "language": language}, sound)
        return Transcript(**reply)

    def decode(self, sound: bytes, rate: int) -> Samples:
        """The sound file as mono samples at ``rate`` per second, 16 bits deep. Raises SpeechError as ``transcribe`` does."""
        _, pcm = self._ask({"do": "decode", "rate": rate}, sound)
        samples: Samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)
        return samples

    def peak_memory(self) -> int:
        """Bytes of memory that the process has held at most, as far as Linux tells; 0 without one."""
        status = Path(f"/proc/{self._process.pid}/status") if self._process else None
        told = status.read_text() if status and status.is_file() else ""
        return next((int(line.split()[1]) * 1024 for line in told.splitlines() if line.startswith("VmHWM:")), 0)

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _ask(self, question: Mapping[str, Any], sound: bytes) -> tuple[dict[str, Any], bytes]:
        if len(sound) > MAX_BYTES:
            raise SpeechError("The sound file is too large.", permanent=True)
        with self._one_at_a_time:
            seconds = max(SECONDS_AT_LEAST, len(sound) * SECONDS_PER_BYTE)
            if self._process is None or self._process.poll() is not None:
                self.close()
                self._process = self._start()
                seconds += self._loading
            process = self._process
            too_late = threading.Event()

            def end() -> None:
                too_late.set()
                process.kill()

            clock = threading.Timer(seconds, end)
            clock.start()
            try:
                write(cast(IO[bytes], process.stdin), {**question, "seconds": seconds}, sound)
                reply, body = read(cast(IO[bytes], process.stdout))
            except (OSError, ValueError, EOFError) as error:
                self.close()
                if too_late.is_set():
                    raise SpeechError("The recogniser took too long.", permanent=True) from None
                raise SpeechError("The recogniser ended in the middle of it.") from error
            finally:
                clock.cancel()
        if "error" in reply:
            raise SpeechError(str(reply["error"]), permanent=bool(reply.get("permanent")))
        return reply, body

    def _start(self) -> "subprocess.Popen[bytes]":
        environ = {name: os.environ[name] for name in _KEPT if name in os.environ}
        environ |= {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        process = subprocess.Popen(  # our own command line # nosec B603
            [sys.executable, "-m", "voice.speech.confined"],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what a library complains about may hold words
            start_new_session=True,  # Ctrl-C is for us; it ends when its input ends
        )
        write(cast(IO[bytes], process.stdin), self._start_with)
        return process


def decoder() -> ApartTranscriber:
    """Only decodes, in a process of its own: who makes a mail's sound must not wait until another recording is written down."""
    return ApartTranscriber("", {}, DECODING)
