"""Danish recordings of people with their words, and sounds that hold none, out of two Debian packages: for bench/words.py.

    python bench/clips.py FOLDER

Fetches tuxpaint-stamps-default and ktuberling-data with apt-get (210 MB; free licences, not part of this project) and writes
FOLDER/said/*.ogg with *.txt, phrases of one to twenty words, and FOLDER/unsaid/*.ogg: animals, machines, music.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from voice.speech.audio import decode
from voice.speech.gate import RATE, speech_seconds

PACKAGES = ("tuxpaint-stamps-default", "ktuberling-data")
WORDLESS = ("animals", "household", "naturalforces", "vehicles", "hobbies/music", "seasonal/newyears")
FASTEST = 45  # characters in a second of speech
# Files of the second package are named by what is said in them, spelt without Danish letters.
SPELT = (
    *("øje", "øjenbryn", "øre", "ørering", "næse", "hår", "overskæg", "sløjfe"),
    *("græs", "æsel", "brønd", "søjle", "løg", "rumvæsen", "månefartøj"),
)
SPELLING = {word.replace("ø", "oe").replace("æ", "ae").replace("å", "aa"): word for word in SPELT}
SPELLING |= {"pebberoni": "pepperoni", "sfinx": "sfinks", "pebber": "peber"}


def unpack(folder: Path) -> None:
    subprocess.run(["apt-get", "download", "-q", *PACKAGES], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)


def stamps(source: Path, said: Path, unsaid: Path) -> None:
    texts = set()
    for sound in sorted(source.rglob("*_desc_da.ogg")):
        description = sound.with_name(sound.name.replace("_desc_da.ogg", ".txt"))
        found = re.search(r"^da\.utf8=(.+)$", description.read_text("utf-8", "replace"), re.MULTILINE) if description.is_file() else None
        if found and found[1] not in texts and sayable(found[1], sound):
            texts.add(found[1])
            write(said, sound.name.removesuffix("_desc_da.ogg").lower(), sound, found[1])
    for sound in sorted(sound for folder in WORDLESS for sound in (source / folder).rglob("*.ogg") if "_desc" not in sound.name):
        write(unsaid, sound.stem.lower(), sound)


def sayable(text: str, sound: Path) -> bool:
    """Some texts were changed after they had been spoken."""
    return len(text) < FASTEST * speech_seconds(decode(sound.read_bytes(), RATE))


def words(source: Path, said: Path) -> None:
    for sound in sorted(source.glob("*.ogg")):
        name = sound.stem.removeprefix("egypt_").removeprefix("moon_").removeprefix("pizza_")
        if "tux" not in name and "tv_" not in name:  # named in English
            write(said, name, sound, SPELLING.get(name, name))


def write(folder: Path, name: str, sound: Path, text: str | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.ogg").write_bytes(sound.read_bytes())
    if text is not None:
        (folder / f"{name}.txt").write_text(text + "\n", "utf-8")


def main(folder: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        unpack(Path(scratch))
        share = Path(scratch) / "usr/share"
        stamps(share / "tuxpaint/stamps", Path(folder) / "said", Path(folder) / "unsaid")
        words(share / "ktuberling/sounds/da", Path(folder) / "said")


if __name__ == "__main__":
    main(*sys.argv[1:])
