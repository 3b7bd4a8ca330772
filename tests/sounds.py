"""The offline voice's sounds of the tests' content: made once in a run of the tests, and laid into every line that is started."""

import fcntl
import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.databases import make_ready
from voice import store
from voice.content import load_all
from voice.prompts import Prompts
from voice.speech.espeak import EspeakSynthesizer
from voice.speech.rendering import render


def sounds_in(folder: Path, content: Path) -> Path:
    """A database with the sounds of a folder of languages, which the first process that asks for it makes."""
    found = folder / "sounds.sqlite"
    with (folder / "sounds.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.exists():
            unfinished = folder / "unfinished.sqlite"
            unfinished.unlink(missing_ok=True)
            make_sounds(f"sqlite:///{unfinished}", load_all(content))
            unfinished.rename(found)
    return found


def make_sounds(url: str, content: Iterable[Prompts]) -> None:
    make_ready(url)
    engine = store.connect(url)
    with store.writing(engine) as tx:
        report = render(content, EspeakSynthesizer(), (), lambda key, wav: store.save_sound(tx, key, wav))
    engine.dispose()
    assert report.missing == ()


def lay_sounds(sounds: Path, url: str) -> None:
    """Into a line's database, which is made if it is not there. The URL as an operator would write it."""
    url = url.replace("postgresql://", "postgresql+psycopg://")
    if url.startswith("sqlite:///") and not (path := Path(url.removeprefix("sqlite:///"))).exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(sounds, path)
        return
    make_ready(url)
    made, line = store.connect(f"sqlite:///{sounds}"), store.connect(url)
    with store.reading(made) as look, store.writing(line) as tx:
        tx.execute(store.sounds.insert(), [row._asdict() for row in look.execute(store.sounds.select())])
    made.dispose()
    line.dispose()
