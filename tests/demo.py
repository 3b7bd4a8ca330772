"""Runs ``samtaleklar demo`` as a newcomer would, for the tests of its pages and of its end."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import TEST_PROMPTS
from voice.local.line import free_port

TO_THE_KORTE = ("1", "2")  # keys: yes to the consent, then the moment whose only guide has one question


@dataclass
class Demo:
    process: subprocess.Popen[str]
    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def interrupt(self) -> int:
        """Press Ctrl-C and give the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)


def start(temporary: Path, *program: str, **environ: str) -> subprocess.Popen[str]:
    """``program``: the module and arguments to run in the demo's place."""
    settings = {"NO_BROWSER": "1", "PROMPTS_DIR": str(TEST_PROMPTS), "SPEECH_VOICE": "espeak", "TMPDIR": str(temporary), **environ}
    return subprocess.Popen(
        [sys.executable, "-m", *(program or ("voice", "demo"))],
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if environ.get("PORT") else None,
        text=True,
        start_new_session=True,
    )


@contextmanager
def running(temporary: Path, sounds: Path) -> Iterator[Demo]:
    port = free_port()
    process = start(temporary, "tests.spoken_demo", str(sounds), PORT=str(port))
    try:
        assert any("http://" in line for line in process.stdout), process.stderr.read()
        yield Demo(process, port)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
