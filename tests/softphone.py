"""A softphone on this machine as a caller's telephone: Debian's baresip, with a file as its mouth and a pipe as its loudspeaker.

It needs no sound card. The mouth is silent until a file is given to speak. What the loudspeaker plays goes through a pipe that is
emptied at the pace of sound, for that is the loudspeaker's clock; ``heard`` is all of it.
"""

import contextlib
import fcntl
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO, Self

from voice.exchange import media
from voice.local.line import free_port

INSTALLED = shutil.which("baresip") is not None
MODULES = Path("/usr/lib/baresip/modules")
SECONDS = 60.0  # for anything that is waited for
BREATH = 60.0  # seconds of silence after what is spoken; when a file is at its end baresip sends no sound at all
PIPE_BYTES = 4096  # the least there is: a quarter of a second
LOUDSPEAKER = """
pcm.loudspeaker {{
  type file
  slave.pcm {{ type null }}
  file "{pipe}"
  format raw
}}
"""


class Softphone:
    """One telephone with a number, for one call."""

    def __init__(self, folder: Path, number: str) -> None:
        self.number = number
        self.heard = bytearray()
        self._folder = folder
        self._port = free_port()
        self._events: list[str] = []
        self._changed = threading.Condition()

    def __enter__(self) -> Self:
        pipe = self._configure()
        loudspeaker = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        fcntl.fcntl(loudspeaker, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        environ = {**os.environ, "ALSA_CONFIG_PATH": str(self._folder / "asound.conf")}
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(["baresip", "-f", self._folder], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ)
        try:
            self._control = self._connect()
        except AssertionError:
            self._process.kill()
            raise
        self._threads = [threading.Thread(target=self._hear, args=(loudspeaker,)), threading.Thread(target=self._listen)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join()
        self._control.close()

    def dial(self, uri: str) -> None:
        self._command("dial", uri)

    def press(self, key: str) -> None:
        self._command("sndcode", key)

    def speak(self, pcm: bytes) -> None:
        """Begin to speak."""
        self._command("ausrc", f"aufile,{self._sound('speech', pcm)}")

    def hang_up(self) -> None:
        """And again, until the call is closed: a telephone that is held up may lose the first."""
        end = time.monotonic() + SECONDS
        while "CALL_CLOSED" not in self._events and time.monotonic() < end:
            self._command("hangup")
            with self._changed:
                self._changed.wait_for(lambda: "CALL_CLOSED" in self._events, 5)

    def wait_for(self, event: str) -> None:
        """Wait for one of baresip's events, such as CALL_ESTABLISHED or CALL_CLOSED."""
        with self._changed:
            assert self._changed.wait_for(lambda: event in self._events, SECONDS), f"no {event}: {(self._folder / 'log').read_text()}"

    def _configure(self) -> Path:
        pipe = self._folder / "loudspeaker"
        os.mkfifo(pipe)
        mouth = self._sound("silence", b"")
        settings = {
            "net_interface": "127.0.0.1",
            "sip_listen": "127.0.0.1:0",  # its ports are those that are free
            "rtp_ports": "20000-29999",
            "ctrl_tcp_listen": f"127.0.0.1:{self._port}",
            "audio_source": f"aufile,{mouth}",
            "audio_player": "alsa,loudspeaker",
            "ausrc_srate": media.RATE,
            "auplay_srate": media.RATE,
            "audio_buffer": "20-1000",  # milliseconds: a busy machine tears no holes
            "audio_path": self._folder,  # where there is no ringing tone that would be heard
            "module_path": MODULES,
        }
        modules = ["module g711.so", "module aufile.so", "module alsa.so", "module_tmp account.so", "module_app menu.so"]
        lines = [f"{name} {value}" for name, value in settings.items()] + [*modules, "module_app ctrl_tcp.so"]
        self._write("config", "\n".join(lines) + "\n")
        self._write("accounts", f"<sip:{self.number}@127.0.0.1;transport=udp>;regint=0;audio_codecs=PCMU/8000/1\n")
        self._write("contacts", "")
        self._write("asound.conf", LOUDSPEAKER.format(pipe=pipe))
        return pipe

    def _write(self, name: str, text: str) -> None:
        (self._folder / name).write_text(text)

    def _sound(self, name: str, pcm: bytes) -> Path:
        file = self._folder / f"{name}.wav"
        file.write_bytes(media.to_wav(pcm + media.silence(BREATH)))
        return file

    # --- the loudspeaker ---

    def _hear(self, pipe: int) -> None:
        """Take sound out of the pipe, 20 ms every 20 ms, until baresip has ended."""
        due = time.monotonic()
        while self._process.poll() is None:
            due += 1 / media.FRAMES_PER_SECOND
            time.sleep(max(0.0, due - time.monotonic()))
            with contextlib.suppress(BlockingIOError):
                self.heard += os.read(pipe, media.FRAME_BYTES)
        os.close(pipe)

    # --- the control: JSON in netstrings ---

    def _connect(self) -> socket.socket:
        end = time.monotonic() + SECONDS
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self._port))
            except ConnectionRefusedError:
                assert time.monotonic() < end, (self._folder / "log").read_text()
                time.sleep(0.05)

    def _command(self, name: str, params: str = "") -> None:
        message = json.dumps({"command": name, "params": params}).encode()
        self._control.sendall(b"%d:%s," % (len(message), message))

    def _listen(self) -> None:
        with self._control.makefile("rb") as stream:
            while message := _netstring(stream):
                with self._changed:
                    self._events.append(message.get("type", ""))
                    self._changed.notify_all()


def _netstring(stream: BinaryIO) -> dict[str, Any] | None:
    length = b""
    while (byte := stream.read(1)).isdigit():
        length += byte
    return json.loads(stream.read(int(length) + 1)[:-1]) if length else None
