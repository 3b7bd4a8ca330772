"""``samtaleklar model``: what an operator sees."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from voice.config import ROOT
from voice.errors import ModelError
from voice.models import fetching
from voice.models.checking import Clip, invented, made_noise, read_clips, score
from voice.models.measuring import speed
from voice.models.shapes import Shape
from voice.models.table import TABLE, Recogniser, named
from voice.speech import Transcriber
from voice.speech.apart import ApartTranscriber
from voice.speech.engines import memory, recogniser
from voice.speech.models import TRIAL, find_model

REFERENCE = ROOT.parent / "shared" / "audio"
SETTING = "WHISPER_MODEL"
_ROOM = 1.5  # of what a recogniser needs, must be there: web, database and mails are beside it
_CGROUP = Path("/sys/fs/cgroup/memory.max")


def list_models(data_dir: Path, *, measured: bool = True) -> None:
    """Print the recognisers worth having, and which one is advised for this machine. Raises ModelError."""
    models = data_dir / "models"
    speeds: dict[Shape, float] = {}
    if measured:
        for shape in tqdm({one.shape: None for one in TABLE}, desc="measuring", unit=" sizes", disable=None, leave=False):
            speeds[shape] = speed(shape, models / "speed.json")
    print(f"{'':30}{'wrong words, %':>20}{'disk':>8}{'memory':>9}{'speed':>8}  licence")
    print(f"{'':30}{'mean':>9}{'talk':>11}{'MB':>8}{'MB':>9}{'x':>8}")
    best = advised(speeds, machine_memory())
    for one in TABLE:
        pace = f"{speeds[one.shape]:.1f}" if speeds else "?"
        marks = "".join(sign for sign, holds in (("*", one is best), ("+", (models / one.name).is_dir())) if holds)
        errors = f"{one.error:>9.1f}{one.conversation:>11.1f}"
        print(f"{one.name + ' ' + marks:30}{errors}{one.disk:>8}{one.memory:>9}{pace:>8}  {one.licence}")
    print("\nWrong words: published figures on Danish read aloud and in talk; on the telephone expect more.")
    if speeds:
        print("Speed: seconds of sound that this machine writes down in a second; above 1 it keeps up with a caller.")
        if os.getloadavg()[0] > (os.cpu_count() or 1):
            print(f"It is busy now, and would be faster: delete {models / 'speed.json'} to measure again.")
    if best is None:
        print("No Danish one fits into this machine: it needs more memory or faster processors.")
    elif (models / best.name).is_dir():
        print(f"* advised for this machine, + is here: set {SETTING}={best.name}")
    else:
        print(f"* advised for this machine, + is here: samtaleklar model fetch {best.name}")


def advised(speeds: dict[Shape, float], room: int) -> Recogniser | None:
    """The one with the fewest errors that fits into so many bytes and keeps up with a caller; never the trial model."""
    fitting = [one for one in TABLE if one.name != TRIAL and one.memory * 1_000_000 * _ROOM <= room and speeds.get(one.shape, 1) >= 1]
    return min(fitting, key=lambda one: one.error, default=None)


def machine_memory() -> int:
    """Bytes that this machine has, or that the container may take."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _CGROUP.read_text().strip() if _CGROUP.is_file() else ""
    return min(whole, int(limit)) if limit.isdigit() else whole


def fetch(name: str, data_dir: Path, folder: Path | None, revision: str, settings: Path | None) -> None:
    """Make a recogniser ready, and set it. Raises ModelError or ConfigError."""
    one = named(name)
    if one is None:
        raise ModelError(f"{name} is none of {', '.join(known.name for known in TABLE)}: see samtaleklar model list.")
    models = data_dir / "models"
    elsewhere = folder or revision
    if elsewhere and not one.repository:
        raise ModelError(f"{one.name} comes with the program: leave out --from and --revision.")
    if not one.repository or ((models / one.name).is_dir() and not elsewhere):
        target = find_model(one.name, models)
    elif folder:
        target = fetching.take(one, folder, models, print)
    else:
        target = fetching.fetch(one, models, print, revision)
    size = sum(file.stat().st_size for file in target.iterdir()) / 1e6
    print(f"{one.name} is ready: {target}, {size:.0f} MB. Try it: samtaleklar model check {one.name}")
    if settings:
        fetching.set_setting(settings, SETTING, one.name)
        print(f"{settings} says {SETTING}={one.name} now: start the workers anew.")
    else:
        print(f"Then set {SETTING}={one.name} and start the workers anew.")


def check(name: str, data_dir: Path, clips: Path | None) -> None:
    """Print how good a recogniser is here. Raises ModelError when it writes words that nobody said."""
    folder = find_model(name, data_dir / "models")
    settings: dict[str, str | int] = {"model_folder": str(folder.absolute()), "threads": os.cpu_count() or 1}
    transcriber = ApartTranscriber(recogniser(folder), settings, memory(folder))
    try:
        report(name, transcriber, clips)
        print(f"  memory             {transcriber.peak_memory() / 1e9:.1f} GB at most")
    finally:
        transcriber.close()
    print(f"{name} writes nothing where nobody speaks.")


def report(name: str, transcriber: Transcriber, folder: Path | None) -> None:
    """Print errors and speed on the clips of a folder, or on the reference clips. Raises ModelError as ``check`` does."""
    given: list[Clip] = []
    if folder or REFERENCE.is_dir():
        given = read_clips(folder or REFERENCE)
    else:
        print("The reference recordings are not here: name a folder of your own with --clips for errors and speed.", file=sys.stderr)
    if spoken := [clip for clip in given if clip.words]:
        figures = score(spoken, transcriber)
        published = named(name)
        print(f"{name} on {figures.clips} recordings, {figures.seconds:.0f} s:")
        beside = f"   (published: {published.error:.1f} %)" if published else ""
        print(f"  wrong words      {100 * figures.words:5.1f} %{beside}")
        print(f"  wrong characters {100 * figures.characters:5.1f} %")
        print(f"  speed            {figures.speed:5.1f} seconds of sound in a second")
        if figures.words > 1:
            raise ModelError(f"{name} writes more wrong words than were said: do not use it.")
    wordless = [clip for clip in given if not clip.words] + list(made_noise())
    _refuse(name, wordless, list(invented(tqdm(wordless, unit=" sounds", disable=None, leave=False), transcriber)))


def _refuse(name: str, wordless: Sequence[Clip], wrong: Sequence[tuple[str, str]]) -> None:
    print(f"  words where nobody speaks: in {len(wrong)} of {len(wordless)} sounds")
    if wrong:
        some = "; ".join(f"{sound}: “{text[:60]}”" for sound, text in wrong[:3])
        raise ModelError(f"{name} writes words where nobody speaks ({some}): do not use it, a mail would say what nobody said.")
