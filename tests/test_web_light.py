"""The web process stays light: no engine, no REST client, nothing in the background. Several of them run where one used to."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.web import Web, environ

HEAVY = {
    *("av", "numpy", "faster_whisper", "ctranslate2", "onnxruntime", "tokenizers", "gtts", "espeakng_loader", "typst"),
    *("requests", "urllib3", "twilio.rest", "aiosmtpd", "alembic", "voice.jobs", "voice.provider", "voice.exchange", "voice.local"),
    *(
        "voice.speech.whisper",
        "voice.speech.sherpa",
        "voice.speech.gate",
        "voice.speech.audio",
        "voice.delivery",
        "voice.summary",
        "smtplib",
    ),
}
STARTED = """
import gc, json, sys, threading
from voice.app import create_app

app = create_app()
assert app.test_client().get("/healthz").text.startswith("ok\\nline: open\\njobs given up: 0\\n")
if len(sys.argv) > 1:
    import numpy, requests
    waiting = threading.Event()
    threading.Thread(target=waiting.wait, name="background", daemon=True).start()
print(json.dumps([sorted(sys.modules), [thread.name for thread in threading.enumerate()]]))
"""


def started(data_dir: Path, *arguments: str) -> tuple[set[str], list[str]]:
    """The modules and threads of a web process that has answered once."""
    Web(data_dir).close()
    command = [sys.executable, "-W", "error", "-c", STARTED, *arguments]
    done = subprocess.run(command, env={**os.environ, **environ(data_dir)}, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    modules, threads = json.loads(done.stdout)
    return HEAVY & set(modules), threads


def test_the_web_process_loads_nothing_heavy_and_starts_no_thread(tmp_path: Path) -> None:
    assert started(tmp_path) == (set(), ["MainThread"])


def test_what_is_heavy_would_be_seen(tmp_path: Path) -> None:
    assert started(tmp_path, "heavy") == ({"numpy", "requests", "urllib3"}, ["MainThread", "background"])
