"""A recogniser made ready in the folder of models: fetched from the hub or taken from a folder, checked, converted.

Which commit and files it was made of is written beside it, as NAME.source.json. The hashes of a commit's files are believed the first
time that the hub tells them; a later fetch of that commit must get the same. Where the table names no commit, that file does.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from voice.errors import ModelError
from voice.models import hub
from voice.models.conversion import PREPROCESSOR, TOKENIZER, convert
from voice.models.table import NEWEST, Recogniser
from voice.models.weights import INDEX, WHOLE, files_of_weights, parts_in, read_table

_NEEDED = ("config.json", TOKENIZER)
_BESIDE = ("generation_config.json", PREPROCESSOR)
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Source:
    """What a converted model was made of."""

    repository: str
    revision: str  # a commit; "" for a folder carried by hand
    files: Mapping[str, str]  # name -> hash


def fetch(one: Recogniser, models: Path, say: Say, revision: str = "") -> Path:
    """Fetch from the hub and convert. ``revision``: another than the table's. Raises ModelError; what was fetched then stays."""
    target = _free(models, one.name)
    lock = models / f"{one.name}.source.json"
    before = _read_lock(lock)
    moving = one.revision == NEWEST and before.repository == one.repository
    published = hub.look_up(one.repository, revision or (before.revision if moving else one.revision))
    folder = models / f".{one.name}.download"
    folder.mkdir(parents=True, exist_ok=True)
    names = [name for name in (*_NEEDED, *_BESIDE) if name in published.files]
    if WHOLE in published.files:
        names.append(WHOLE)
    elif INDEX in published.files:
        hub.fetch(published, INDEX, folder)
        names += [INDEX, *parts_in(read_table(folder / INDEX))]
    else:
        raise ModelError(f"{one.repository} has no {WHOLE} at {published.commit}: choose another revision with --revision.")
    if missing := [name for name in (*_NEEDED, *names) if name not in published.files]:
        raise ModelError(f"{one.repository} has no {', '.join(missing)} at {published.commit}: choose another revision with --revision.")
    source = Source(one.repository, published.commit, {name: published.files[name].hash for name in names})
    if before.revision == source.revision and before.files != source.files:
        raise ModelError(f"The hub tells of other files than {lock.name} does, for the same revision: delete {lock} if you know why.")
    _check_room(models, sum(published.files[name].size for name in names) + one.disk * 1_000_000)
    say(f"Fetching {one.name} from {one.repository}, revision {published.commit[:12]}, {one.licence}.")
    for name in names:
        hub.fetch(published, name, folder)
    _make(folder, target, source, lock, say)
    shutil.rmtree(folder)
    return target


def take(one: Recogniser, folder: Path, models: Path, say: Say) -> Path:
    """Convert what lies in a folder, as its author published it. Raises ModelError."""
    target = _free(models, one.name)
    names = [name for name in (*_NEEDED, *_BESIDE) if (folder / name).is_file()]
    files = {path.name: _sha256(path) for path in (*(folder / name for name in names), *files_of_weights(folder))}
    lock = models / f"{one.name}.source.json"
    models.mkdir(parents=True, exist_ok=True)
    _check_room(models, one.disk * 1_000_000)
    _make(folder, target, Source("", "", files), lock, say)
    return target


def set_setting(file: Path, name: str, value: str) -> None:
    """Write ``name=value`` into a file of settings, in place of the line that is there."""
    lines = file.read_text("utf-8").splitlines() if file.is_file() else []
    kept = [line for line in lines if not re.match(rf"\s*(export\s+)?{re.escape(name)}\s*=", line)]
    place = next((number for number, (old, new) in enumerate(zip(lines, [*kept, None], strict=False)) if old != new), len(kept))
    with file.open("r+" if file.is_file() else "w", encoding="utf-8") as stream:  # in place: it may be somebody else's, or a link
        stream.write("\n".join([*kept[:place], f"{name}={value}", *kept[place:]]) + "\n")
        stream.truncate()


def _make(folder: Path, target: Path, source: Source, lock: Path, say: Say) -> None:
    say("Converting it to int8 ...")
    scratch = target.with_name(f".{target.name}.new")
    shutil.rmtree(scratch, ignore_errors=True)
    convert(folder, scratch)
    lock.write_text(json.dumps({"repository": source.repository, "revision": source.revision, "files": source.files}, indent=2) + "\n")
    scratch.rename(target)


def _free(models: Path, name: str) -> Path:
    target = models / name
    if target.exists():
        raise ModelError(f"{target} is there already: delete it to make it anew.")
    return target


def _check_room(models: Path, wanted: int) -> None:
    free = shutil.disk_usage(models).free
    if free < wanted:
        raise ModelError(f"{models} has room for {free / 1e9:.1f} GB, and {wanted / 1e9:.1f} GB are needed: make room, or set DATA_DIR.")


def _read_lock(lock: Path) -> Source:
    table = read_table(lock) if lock.is_file() else {}
    files = table.get("files", {})
    return Source(str(table.get("repository", "")), str(table.get("revision", "")), {str(name): str(files[name]) for name in files})


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
