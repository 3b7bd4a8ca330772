"""The one place where everything is put together: the web process and the worker."""

import gc
import os
import time
from functools import partial
from typing import TYPE_CHECKING

from flask import Flask, Response
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from voice import logs, pages, responses, store
from voice.calls import Calls
from voice.config import Config
from voice.content import load_all, load_line
from voice.errors import ConfigError, PromptError
from voice.prompts import Prompts
from voice.queue import Queue, Worker
from voice.regular import DAY, HOURLY, MINUTE, Regular
from voice.rehearsal import rehearse
from voice.speech import sounds as speech_sounds
from voice.speech.recordings import human_voices
from voice.stuck import stuck
from voice.telephony import signature, sounds, twiml, webhooks

if TYPE_CHECKING:
    from voice.speech import Transcriber

MAX_BODY = 16 * 1024  # bytes; a webhook has about one thousand


def create_app(config: Config | None = None) -> Flask:
    """The web process: answers webhooks and serves prompts. It can seal what is said and never open it."""
    served = config is None  # a server of its own, such as gunicorn, has asked for it
    if config is None:
        logs.configure()
        os.environ.pop("KEYS_SECRET", None)  # the worker's, should it stand here too: what we do not hold nobody can take from us
        config = Config.from_env()
    app = Flask(__name__, static_folder=None)
    if app.debug:
        raise ConfigError(["FLASK_DEBUG is set: leave it out, as the pages of debug mode show what callers said."])
    responses.finish(app, https=config.public_base_url.startswith("https:"), access_log=config.access_log)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    engine = store.connect(config.database_url, wait=5, statement=8, pool=8, checkpoints=False)
    prompts = load_line(config.prompts_dir, config.operator_phone)
    rendered = _sounds(config, engine, prompts)
    writer = twiml.TwimlWriter(prompts, rendered.url)
    app.extensions["sounds"] = rendered
    queue = Queue(engine)

    def calls(engine: Engine) -> Calls:
        return Calls(engine, queue, prompts, writer, config)

    app.extensions["line"] = webhooks.Line(calls(engine), writer)
    app.register_blueprint(webhooks.blueprint)
    app.register_blueprint(sounds.blueprint)
    pages.install(app, config, engine, queue, prompts)
    signature.guard(app, config.public_base_url, config.twilio_account_sid, config.twilio_auth_tokens, config.twilio_webhook_keys)

    @app.get("/healthz")
    def healthz() -> Response:
        """Whether the line works, for a watchdog: no personal datum."""
        try:
            with store.reading(engine) as look:
                figures = stuck(look, queue, time.time())
                closed = store.closed_because(look) is not None
        except SQLAlchemyError:
            return Response("database: not reachable\n", status=503, mimetype="text/plain")
        told = ["ok", f"line: {'closed' if closed else 'open'}", *(f"{name}: {count}" for name, count in figures.items())]
        return Response("\n".join(told) + "\n", mimetype="text/plain")

    if served:
        rehearse(engine, calls)
        gc.collect()
        gc.freeze()  # what is there stays: to look through all of it for garbage would hold a call up for a tenth of a second
    return app


def create_worker(config: Config | None = None, transcriber: "Transcriber | None" = None) -> Worker:
    """The worker process: fetches, writes down, composes and sends. Looks after its keys every hour."""
    from voice import delivery  # here, not above: the web process imports this file and stays light
    from voice.directory import seal_anew
    from voice.invitations import Invitations
    from voice.jobs import Jobs
    from voice.keyring import Keyring
    from voice.provider import Provider
    from voice.retention import Retention
    from voice.speech.apart import decoder
    from voice.sweep import Sweep

    config = config or Config.from_env()
    engine = store.connect(config.database_url, wait=30, pool=16)
    queue = Queue(engine)
    prompts = load_line(config.prompts_dir, config.operator_phone)
    keyring = Keyring.of(config, engine)
    keyring.start()
    provider, send = Provider(config), partial(delivery.send, smtp=config.smtp)
    invitations = Invitations(config, engine, queue, prompts, provider, keyring, send)
    jobs = Jobs(
        config,
        engine,
        queue,
        prompts,
        provider,
        transcriber or create_transcriber(config),
        keyring,
        send=send,
        recipient=invitations.recipient,
        decode=decoder().decode,
    )
    retention, sweep = Retention(config, engine, queue), Sweep(config, engine, queue, provider)
    rendered = _sounds(config, engine, prompts)
    calls = Calls(engine, queue, prompts, twiml.TwimlWriter(prompts, rendered.url), config)

    def look_after_keys() -> None:
        keyring.look_after()
        seal_anew(engine, keyring)  # what a killed `samtaleklar keys rotate` left undone

    regulars = {
        "lost_ends": Regular(calls.end_silent, MINUTE),
        "retention": Regular(retention.run, HOURLY),
        "traces": Regular(retention.leave_no_traces, 5 * MINUTE),
        "sweep": Regular(sweep.recordings, HOURLY),
        "call_records": Regular(sweep.calls, DAY),
        "keys": Regular(look_after_keys, HOURLY),
    }
    table = {**jobs.table(), **invitations.table(), "erase_call": sweep.job()}
    return Worker(config.database_url, engine, queue, table, regulars, _bury)


def _sounds(config: Config, engine: Engine, prompts: Prompts) -> sounds.Sounds:
    people = human_voices(config.prompts_dir, [prompts, *prompts.others])
    apologies = [prompts.phrase(name) for name in webhooks.APOLOGIES]
    return sounds.Sounds(engine, speech_sounds.VOICES[config.speech_voice], people, apologies)


def create_transcriber(config: Config) -> "Transcriber":
    """The recogniser that WHISPER_MODEL names, in a process of its own. Raises PromptError for a language that it does not know."""
    from voice.speech.apart import ApartTranscriber
    from voice.speech.engines import languages, memory, recogniser
    from voice.speech.flags import Flags
    from voice.speech.models import find_model

    folder = find_model(config.whisper_model, config.data_dir / "models")
    Flags.of(folder)  # a mistake in it is told at start, not with the first answer
    known = languages(folder)
    if unknown := {content.language for content in load_all(config.prompts_dir)} - known:
        names = ", ".join(sorted(known))
        raise PromptError([f"{config.prompts_dir / one}: the recogniser does not know this language; it knows {names}" for one in unknown])
    settings: dict[str, str | int] = {"model_folder": str(folder.absolute()), "threads": os.cpu_count() or 1}
    return ApartTranscriber(recogniser(folder), settings, memory(folder))


def _bury(tx: Connection, job: str, name: str, reason: str) -> bool:
    return store.add_dead_job(tx, job, name, reason, time.time())
