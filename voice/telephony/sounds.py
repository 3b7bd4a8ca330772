"""The prompts' sounds, served under names that tell their content, so that they may be kept for ever."""

import logging
import threading
import time
from collections.abc import Collection, Mapping

from flask import Blueprint, Response, current_app, request
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from voice import store
from voice.prompts import Prompt
from voice.speech import VoiceId
from voice.speech.sounds import prompt_keys

log = logging.getLogger(__name__)

REFRESH = 10.0  # seconds between two looks for sounds that were rendered meanwhile

blueprint = Blueprint("sounds", __name__)


class Sounds:
    """Which prompts have a sound by now. What has none is read aloud by the provider."""

    def __init__(self, engine: Engine, voice: VoiceId, recordings: Mapping[Prompt, VoiceId], spare: Collection[Prompt] = ()) -> None:
        """``recordings``: the human voice of each prompt that has one. ``spare``: what must be heard when the database is away, too."""
        self.engine = engine
        self._voice = voice
        self._recordings = recordings
        self._known: set[str] = set()
        self._spare = {key for prompt in spare for key in prompt_keys(prompt, voice, recordings)}
        self._kept: dict[str, bytes] = {}  # also what was served: a call goes on although the database goes
        self._looked = float("-inf")
        self._lock = threading.Lock()

    def url(self, prompt: Prompt, slowly: bool = False) -> str | None:
        """Where its sound is served, relative to our address; None if it has none."""
        keys = prompt_keys(prompt, self._voice, self._recordings, slowly)
        if keys[0] not in self._known:
            self._look()
        return next((f"/audio/{key}.wav" for key in keys if key in self._known), None)

    def wav(self, key: str) -> bytes | None:
        """The sound of that name; None if there is none."""
        if kept := self._kept.get(key):
            return kept
        with store.reading(self.engine) as look:
            return self._read(look, key)

    def _read(self, look: Connection, key: str) -> bytes | None:
        wav = store.sound(look, key)
        if wav is not None:
            self._kept[key] = wav
        return wav

    def _look(self) -> None:
        with self._lock:
            if time.monotonic() - self._looked < REFRESH:
                return
            try:
                with store.reading(self.engine) as look:
                    known = store.sound_keys(look)
                    for key in known & self._spare - self._kept.keys():
                        self._read(look, key)
                    self._known = known
            except SQLAlchemyError as error:  # the caller must hear why nothing goes on, whatever voice says it
                log.warning("the sounds could not be looked for: %(error)s", {"error": error})
            self._looked = time.monotonic()


@blueprint.get("/audio/<string(length=64):key>.wav")
def sound(key: str) -> Response:
    """One prompt's sound. Not signed: the provider does not sign what it plays, and it holds nothing of anybody's."""
    sounds = current_app.extensions["sounds"]
    assert isinstance(sounds, Sounds)
    wav = sounds.wav(key)
    if wav is None:
        return Response("no such sound\n", status=404, mimetype="text/plain")
    response = Response(wav, mimetype="audio/wav")
    response.cache_control.public = True
    response.cache_control.max_age = 31536000
    response.cache_control.immutable = True
    response.set_etag(key)
    response.make_conditional(request)
    return response
