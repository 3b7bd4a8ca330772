"""``samtaleklar keys``: what an operator does with the worker's keys by hand. Run where a worker runs, with its settings."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy.engine import Engine

from voice import store
from voice.config import Config
from voice.directory import seal_anew
from voice.errors import VoiceError
from voice.keyring import PURPOSES, Keyring
from voice.migrations import migrate

_COLUMNS = "{:<12}  {:<8}  {:<16}  {:<16}  {:<16}  {}"


def print_list(config: Config) -> None:
    """Print every key that there ever was, the newest last, with its history in UTC."""
    with _keyring(config) as (engine, keyring):
        with store.reading(engine) as look:
            rows = store.all_worker_keys(look)
        print(_COLUMNS.format("public half", "purpose", "made", "retired", "destroyed", "private half"))
        for row in rows:
            times = (_told(row.created_at), _told(row.retired_at), _told(row.destroyed_at))
            print(_COLUMNS.format(row.public_key.hex()[:12], row.purpose, *times, keyring.where(row)))
        for public in keyring.unknown():
            print(f"{public.hex()[:12]} is a file in {config.keys_dir} of which the database knows nothing.")


def new(config: Config) -> None:
    """Make a new key for answers now."""
    with _keyring(config) as (_, keyring):
        keyring.check()
        keyring.make("answers")
    print("A new key was made: what is said from now on is sealed to it. The one before is destroyed in 7 days.")


def rotate(config: Config) -> None:
    """Make a new key for addresses, seal all of them to it, and destroy the one before."""
    with _keyring(config) as (engine, keyring):
        keyring.check()
        keyring.make("bindings")
        print(_sealed_anew(engine, keyring))


def shred(config: Config, which: str, *, sure: bool) -> None:
    """Destroy keys: those that are ``due``, those that are ``lost``, or ``all`` that can open answers. Raises VoiceError."""
    with _keyring(config) as (engine, keyring):
        if which == "due":
            keyring.check()
            print(f"{keyring.look_after()} keys were due and are destroyed.")
            return
        if which == "lost":
            doomed = keyring.lost()
            if not doomed:
                print("No key is lost.")
                return
            question = f"{len(doomed)} keys cannot be opened here. If no worker has them, what is sealed to them is lost anyway."
        else:
            with store.reading(engine) as look:
                doomed = [row for row in store.all_worker_keys(look) if row.purpose == "answers" and row.destroyed_at is None]
            question = (
                f"{len(doomed)} keys open all answers that wait here, and {len(keyring.unknown())} files in {config.keys_dir} are not of "
                "this database. All of them go: no mail can be made of those answers any more."
            )
        _ask(question, sure)
        for purpose in PURPOSES:
            if any(row.purpose == purpose and row.retired_at is None for row in doomed):
                keyring.make(purpose)  # first: callers who ring meanwhile are sealed to a key that stays
        keyring.destroy(doomed)
        if which == "all":
            keyring.destroy_unknown()
        print(f"{len(doomed)} keys are destroyed.")
        if any(row.purpose == "bindings" for row in doomed):
            print(_sealed_anew(engine, keyring))
        if config.keys_secrets and which == "all":
            print("Old backups of the database still open with KEYS_SECRET: delete them, or set KEYS_SECRET anew and forget the old one.")


def _sealed_anew(engine: Engine, keyring: Keyring) -> str:
    sealed, forgotten = seal_anew(engine, keyring)
    keyring.look_after()
    told = f"{sealed} addresses are sealed to a new key, and the one before is destroyed."
    return f"{told} {forgotten} could not be opened and are forgotten: their callers are asked for them again." if forgotten else told


def _ask(question: str, sure: bool) -> None:
    if sure:
        return
    if not sys.stdin.isatty():
        raise VoiceError(f"{question} Nothing was destroyed: say so with --yes.")
    if input(f"{question} Write yes to destroy them: ").strip() != "yes":
        raise VoiceError("Nothing was destroyed.")


def _told(moment: float | None) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M}" if moment is not None else "-"


@contextmanager
def _keyring(config: Config) -> Iterator[tuple[Engine, Keyring]]:
    migrate(config.database_url)
    engine = store.connect(config.database_url, wait=30)
    try:
        yield engine, Keyring.of(config, engine)
    finally:
        engine.dispose()
