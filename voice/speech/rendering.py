"""Prompts are spoken ahead of the calls: every text that has no sound yet is rendered and saved."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from voice.errors import SpeechError
from voice.prompts import Prompt, Prompts
from voice.speech import Synthesizer
from voice.speech.recordings import Recording, recorded, strays
from voice.speech.sounds import SLOW, slow, sound_key
from voice.speech.telephone import slowed, telephone_wav

FAILURES_IN_A_ROW = 3  # then the voice is taken to be out of reach


@dataclass(frozen=True, slots=True)
class RenderReport:
    """What came of it. Several prompts with the same text share one sound."""

    rendered: int  # sounds made now
    kept: int  # sounds that were there already
    missing: tuple[tuple[str, str], ...]  # (the prompt's id, the reason)
    unusable: tuple[str, ...] = ()  # a sentence for each human recording that nobody will hear


@dataclass(frozen=True, slots=True)
class _Sound:
    by: Synthesizer
    text: str
    language: str
    prompt_ids: list[str] = field(default_factory=list)

    @property
    def keys(self) -> tuple[str, str]:
        """Of the ordinary and of the slow rendering."""
        ordinary, slowly = (sound_key(self.text, self.language, voice) for voice in (self.by.voice, slow(self.by.voice)))
        return ordinary, slowly


class _Wanted:
    """What there should be, each sound once; and what of it is still to be made."""

    def __init__(self, have: Collection[str]) -> None:
        self._have = have
        self._sounds: dict[str, _Sound] = {}
        self.waiting: deque[_Sound] = deque()
        self.kept = 0

    def add(self, by: Synthesizer, text: str, language: str, prompt_id: str) -> None:
        new = _Sound(by, text, language)
        sound = self._sounds.setdefault(new.keys[0], new)
        sound.prompt_ids.append(prompt_id)
        if sound is not new:
            return
        if all(key in self._have for key in new.keys):
            self.kept += 1
        else:
            self.waiting.append(new)


def render(
    prompts: Iterable[Prompts],
    synthesizer: Synthesizer,
    have: Collection[str],
    save: Callable[[str, bytes], None],
    progress: Callable[[int, int], None] = lambda done, total: None,
    folder: Path | None = None,
) -> RenderReport:
    """Render each prompt that is not in ``have`` at both tempos, and give it to ``save`` (key, WAV) at once: an interruption loses nothing.

    A human recording below ``folder``, that of the languages, is taken instead of the voice; one that cannot be used is
    named, and the voice says the prompt. One bad prompt never stops the rest. After three temporary faults in a row, each
    retried by the voice itself, it stops asking. ``progress`` is told (done, total), in sounds to be rendered.
    """
    wanted = _Wanted(have)
    said: list[tuple[Synthesizer, Prompt]] = []
    unusable: list[str] = []
    for content in prompts:
        people: Mapping[Prompt, Synthesizer] = recorded(folder / content.language, content) if folder else {}
        said += [(people.get(prompt, synthesizer), prompt) for prompt in content]
        lost = strays(folder / content.language, content) if folder else []
        unusable += [f"{path} is not used: no prompt has that name." for path in lost]
    for by, prompt in sorted(said, key=lambda one: one[0] is synthesizer):  # recordings first: they need no network
        wanted.add(by, prompt.text, prompt.language, prompt.id)
    rendered = done = failures = 0
    missing: list[tuple[str, str]] = []
    while wanted.waiting:
        sound = wanted.waiting.popleft()
        ordinary, slowly = sound.keys
        try:
            if failures == FAILURES_IN_A_ROW:
                raise SpeechError(f"Not asked for, since the voice failed {failures} times in a row.")
            wav = telephone_wav(sound.by.synthesize(sound.text, sound.language), caption=sound.text)
        except SpeechError as error:
            if isinstance(sound.by, Recording):
                unusable.append(f"{sound.by.path} is not used, the voice says it instead: {error} Record it anew as a WAV file.")
                for prompt_id in sound.prompt_ids:
                    wanted.add(synthesizer, sound.text, sound.language, prompt_id)
            else:
                missing += [(prompt_id, str(error)) for prompt_id in sound.prompt_ids]
                failures = failures if error.permanent else min(failures + 1, FAILURES_IN_A_ROW)
        else:
            save(ordinary, wav)
            save(slowly, slowed(wav, SLOW, caption=sound.text))
            rendered += 1
            failures = 0
        done += 1
        progress(done, done + len(wanted.waiting))
    return RenderReport(rendered, wanted.kept, tuple(missing), tuple(unusable))
