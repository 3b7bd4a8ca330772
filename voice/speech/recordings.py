"""A human voice laid beside the text: ``recordings/<prompt id>.wav`` in a language's folder is heard instead of the machine's.

The web process names sounds too, so nothing here knows an audio library.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from voice.errors import SpeechError
from voice.prompts import Prompt, Prompts
from voice.speech import VoiceId

FOLDER = "recordings"


@dataclass(frozen=True, slots=True)
class Recording:
    """A Synthesizer that can say one prompt."""

    path: Path
    voice: VoiceId  # named by what the file holds: a changed recording is another sound
    languages: tuple[str]  # that of its prompt

    def synthesize(self, text: str, language: str) -> bytes:
        """What the file holds; it is believed to be the text. Raises SpeechError(permanent=True)."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise SpeechError("The file cannot be read.", permanent=True) from error


def recording_path(language_folder: Path, prompt_id: str) -> Path:
    """Where a prompt's recording lies, whether there is one or not: ``prompts/da/recordings/leder/intro.wav``."""
    return language_folder / FOLDER / f"{prompt_id}.wav"


def recorded(language_folder: Path, content: Prompts) -> dict[Prompt, Recording]:
    """The recordings that are there. Whether they hold any sound is seen when they are rendered."""
    paths = {prompt: recording_path(language_folder, prompt.id) for prompt in content}
    return {
        prompt: Recording(path, VoiceId("recording", _digest(path), "1"), (prompt.language,))
        for prompt, path in paths.items()
        if path.is_file()
    }


def human_voices(folder: Path, languages: Iterable[Prompts]) -> dict[Prompt, VoiceId]:
    """Who says each prompt that has a recording below this folder of languages: all that is needed to name its sound."""
    found = [recorded(folder / content.language, content) for content in languages]
    return {prompt: recording.voice for recordings in found for prompt, recording in recordings.items()}


def strays(language_folder: Path, content: Prompts) -> list[Path]:
    """The files among the recordings that belong to no prompt: nobody would ever hear them."""
    known = {recording_path(language_folder, prompt.id) for prompt in content}
    found = (path for path in (language_folder / FOLDER).rglob("*") if path.is_file() and not path.name.startswith("."))
    return sorted(set(found) - known)


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "unreadable"
