"""Prompts are spoken ahead of the calls: every text that has no sound yet is rendered and saved."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from voice.errors import SpeechError
from voice.prompts import Prompts
from voice.speech import Synthesizer
from voice.speech.sounds import SLOW, slow, sound_key
from voice.speech.telephone import slowed, telephone_wav

FAILURES_IN_A_ROW = 3  # then the voice is taken to be out of reach


@dataclass(frozen=True, slots=True)
class RenderReport:
    """What came of it. Several prompts with the same text share one sound."""

    rendered: int  # sounds made now
    kept: int  # sounds that were there already
    missing: tuple[tuple[str, str], ...]  # (the prompt's id, the reason), in the content's order


@dataclass(frozen=True, slots=True)
class _Sound:
    text: str
    language: str
    slow_key: str
    prompt_ids: list[str] = field(default_factory=list)


def render(
    prompts: Iterable[Prompts],
    synthesizer: Synthesizer,
    have: Collection[str],
    save: Callable[[str, bytes], None],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> RenderReport:
    """Render each prompt that is not in ``have`` at both tempos, and give it to ``save`` (key, WAV) at once: an interruption loses nothing.

    One bad prompt never stops the rest. After three temporary faults in a row, each retried by the voice itself,
    it stops asking. ``progress`` is told (done, total), in sounds to be rendered.
    """
    sounds = _sounds(prompts, synthesizer)
    wanted = {key: sound for key, sound in sounds.items() if key not in have or sound.slow_key not in have}
    rendered = 0
    failures = 0
    missing: list[tuple[str, str]] = []
    for done, (key, sound) in enumerate(wanted.items(), 1):
        try:
            if failures == FAILURES_IN_A_ROW:
                raise SpeechError(f"Not asked for, since the voice failed {failures} times in a row.")
            wav = telephone_wav(synthesizer.synthesize(sound.text, sound.language), caption=sound.text)
        except SpeechError as error:
            missing += [(prompt_id, str(error)) for prompt_id in sound.prompt_ids]
            failures = failures if error.permanent else min(failures + 1, FAILURES_IN_A_ROW)
        else:
            save(key, wav)
            save(sound.slow_key, slowed(wav, SLOW, caption=sound.text))
            rendered += 1
            failures = 0
        progress(done, len(wanted))
    return RenderReport(rendered, len(sounds) - len(wanted), tuple(missing))


def _sounds(prompts: Iterable[Prompts], synthesizer: Synthesizer) -> dict[str, _Sound]:
    """Every sound there should be, by key."""
    sounds: dict[str, _Sound] = {}
    for content in prompts:
        for prompt in content:
            key = sound_key(prompt.text, content.language, synthesizer.voice)
            slow_key = sound_key(prompt.text, content.language, slow(synthesizer.voice))
            sounds.setdefault(key, _Sound(prompt.text, content.language, slow_key)).prompt_ids.append(prompt.id)
    return sounds
