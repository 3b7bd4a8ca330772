"""The product's processes with canaries in them: the recogniser writes them, and both break once with them in hand.

``python -m tests.canary_worker`` is the worker, ``create_app`` the web process. CANARY_SPOKEN is what the recogniser hears in any sound;
CANARY_BUGS names bugs of BUGS that are put in first.
"""

import logging
import os
import signal
import tempfile
from collections.abc import Callable
from typing import Any

from flask import Flask, has_request_context, request
from sqlalchemy.engine import Connection

from tests.hasty import hurry
from voice import app, calls, delivery, logs, provider, queue, vault
from voice.config import Config
from voice.dialogue.events import WordsHeard
from voice.speech import Transcript

SPOKEN = os.environ.get("CANARY_SPOKEN", "")


class Recogniser:
    """Hears the canary in every recording, at the second try."""

    def __init__(self) -> None:
        self._broke = False

    def transcribe(self, sound: bytes, language: str) -> Transcript:
        if not self._broke:
            self._broke = True
            raise RuntimeError(f"heard {SPOKEN}", sound)
        return Transcript(f"Jeg siger {SPOKEN} hver dag", 1.0, unsure=False, language=language)


def break_at_words() -> None:
    """A fault of the web process, with a whole request in its text, when a menu hears a word."""
    right = calls.respond

    def respond(prompts: Any, session: Any, event: Any) -> Any:
        if isinstance(event, WordsHeard):
            raise RuntimeError(repr(event), request.form, request.headers)
        return right(prompts, session, event)

    calls.respond = respond


# ---- bugs, each of which leaves something behind


def words_unsealed() -> None:
    """What is said stands as it is; what was sealed before can still be opened."""
    right = vault.unseal
    vault.seal = lambda _public, plain, _where: b"plain:" + plain  # type: ignore[assignment]
    vault.unseal = lambda private, sealed, where: (  # type: ignore[assignment]
        sealed.removeprefix(b"plain:") if sealed.startswith(b"plain:") else right(private, sealed, where)
    )


def texts_of_exceptions_logged() -> None:
    logs.reason = str  # type: ignore[assignment]
    queue.reason = str  # type: ignore[assignment]


def a_form_logged() -> None:
    right = calls.Calls.happened
    log = logging.getLogger("voice.calls")

    def happened(self: Any, *given: Any, **more: Any) -> Any:
        if has_request_context():  # a call is rehearsed without one
            log.info("heard %(words)s", {"words": dict(request.form)})
        return right(self, *given, **more)

    logs.FIELDS = {**logs.FIELDS, "words": str}
    logs._OURS = "/"
    calls.Calls.happened = happened  # type: ignore[method-assign]


def words_in_the_engine_s_arguments() -> None:
    right = queue.Queue.enqueue

    def enqueue(self: Any, tx: Connection, name: str, subject: str, **more: Any) -> None:
        if name == "transcribe":
            right(self, tx, "remember", SPOKEN)
        right(self, tx, name, subject, **more)

    queue.Queue.enqueue = enqueue  # type: ignore[method-assign]


def words_in_a_temporary_file() -> None:
    right = Recogniser.transcribe

    def transcribe(self: Recogniser, sound: bytes, language: str) -> Transcript:
        with tempfile.NamedTemporaryFile("wb", suffix=".wav", delete=False) as file:
            file.write(sound)
        return right(self, sound, language)

    Recogniser.transcribe = transcribe  # type: ignore[method-assign]


def replies_of_the_relay_logged() -> None:
    delivery._name = str  # type: ignore[assignment]
    logs._codes = lambda error: iter([str(error)])  # type: ignore[assignment]


def recordings_left_at_the_provider() -> None:
    provider.Provider.delete_recording = lambda _self, _sid: None  # type: ignore[method-assign]


BUGS: dict[str, Callable[[], None]] = {
    bug.__name__: bug
    for bug in (
        words_unsealed,
        texts_of_exceptions_logged,
        a_form_logged,
        words_in_the_engine_s_arguments,
        words_in_a_temporary_file,
        replies_of_the_relay_logged,
        recordings_left_at_the_provider,
    )
}


def prepare() -> None:
    hurry()
    break_at_words()
    for name in os.environ.get("CANARY_BUGS", "").split():
        BUGS[name]()


def create_app() -> Flask:
    prepare()
    return app.create_app()


def main() -> None:
    logs.configure()
    prepare()
    worker = app.create_worker(Config.from_env(), Recogniser())
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    worker.run()


if __name__ == "__main__":
    main()
