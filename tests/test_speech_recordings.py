"""A human recording beside the text is heard instead of the machine's voice: new, changed, removed, broken, misnamed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.speech_contract import silence_wav
from tests.test_speech_audio import encoded, strength, tone
from tests.test_speech_rendering import PERMANENT, TEMPORARY, Voice, content, keys
from voice.prompts import Prompts
from voice.speech.audio import Samples, decode
from voice.speech.loudness import loudness
from voice.speech.recordings import human_voices, recording_path, strays
from voice.speech.rendering import RenderReport, render
from voice.speech.sounds import LOUDNESS, RATE, prompt_keys

Lay = Callable[[str, bytes], Path]

HUMAN = 440  # Hz; the voice speaks in telephone keys, which hold no such tone


def human(hertz: int = HUMAN, level: float = 0.02) -> bytes:
    """A recording as a person would make it: 48 kHz stereo, soft, with silence around."""
    silence = np.zeros(48000, np.float32)
    samples = np.concatenate([silence, tone(hertz, rate=48000, level=level), silence])
    return encoded(samples, 48000, layout="stereo")


@pytest.fixture
def lay(tmp_path: Path) -> Lay:
    """Lay a recording beside the content's texts."""

    def lay(prompt_id: str, sound: bytes) -> Path:
        path = recording_path(tmp_path / "da", prompt_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sound)
        return path

    return lay


@pytest.fixture
def saved() -> dict[str, bytes]:
    return {}


@pytest.fixture
def again(tmp_path: Path, saved: dict[str, bytes]) -> Callable[..., RenderReport]:
    """Render what is new since the last time."""

    def again(prompts: Prompts, voice: Voice | None = None) -> RenderReport:
        return render([prompts], voice or Voice(), set(saved), saved.__setitem__, folder=tmp_path)

    return again


def heard(prompts: Prompts, prompt_id: str, folder: Path, saved: dict[str, bytes], slowly: bool = False) -> Samples:
    """What the web process finds for a prompt."""
    prompt = next(prompt for prompt in prompts if prompt.id == prompt_id)
    names = prompt_keys(prompt, Voice.voice, human_voices(folder, [prompts]), slowly)
    return decode(saved[next(name for name in names if name in saved)], RATE)


def is_human(samples: Samples, hertz: int = HUMAN) -> bool:
    return strength(samples, hertz) > 0.05


def test_a_recording_lies_where_its_prompts_id_says() -> None:
    assert recording_path(Path("prompts/da"), "sygemeldt/kan/ask/1") == Path("prompts/da/recordings/sygemeldt/kan/ask/1.wav")


def test_a_recording_is_heard_instead_of_the_voice_at_both_tempos_and_as_loud(
    lay: Lay, again: Callable[..., RenderReport], saved: dict[str, bytes], tmp_path: Path
) -> None:
    lay("0/intro", human())
    prompts, voice = content("Goddag."), Voice()
    assert again(prompts, voice) == RenderReport(rendered=2, kept=0, missing=())
    assert voice.asked == ["Tast 1."]
    ordinary, slowly = (heard(prompts, "0/intro", tmp_path, saved, tempo) for tempo in (False, True))
    for samples, seconds in ((ordinary, 1.2), (slowly, 1.5)):
        assert is_human(samples)
        assert samples.size / RATE == pytest.approx(seconds, abs=0.08)
        assert loudness(samples, RATE) == pytest.approx(LOUDNESS, abs=0.5)
    assert not is_human(heard(prompts, "0/menu", tmp_path, saved))


def test_of_two_prompts_with_one_text_only_the_recorded_one_is_said_by_a_person(
    lay: Lay, again: Callable[..., RenderReport], saved: dict[str, bytes], tmp_path: Path
) -> None:
    lay("0/intro", human())
    prompts = content("Goddag.", "Goddag.")
    again(prompts)
    assert [is_human(heard(prompts, one, tmp_path, saved)) for one in ("0/intro", "1/intro")] == [True, False]


def test_a_second_run_renders_no_recording_again(lay: Lay, again: Callable[..., RenderReport]) -> None:
    lay("0/intro", human())
    again(content("Goddag."))
    assert again(content("Goddag.")) == RenderReport(rendered=0, kept=2, missing=())


def test_a_changed_recording_is_rendered_anew(
    lay: Lay, again: Callable[..., RenderReport], saved: dict[str, bytes], tmp_path: Path
) -> None:
    prompts = content("Goddag.")
    lay("0/intro", human())
    again(prompts)
    lay("0/intro", human(660))
    assert again(prompts) == RenderReport(rendered=1, kept=1, missing=())
    assert is_human(heard(prompts, "0/intro", tmp_path, saved), 660)
    assert not is_human(heard(prompts, "0/intro", tmp_path, saved))


def test_without_its_recording_a_prompt_is_said_by_the_voice_again(
    lay: Lay, again: Callable[..., RenderReport], saved: dict[str, bytes], tmp_path: Path
) -> None:
    prompts, voice = content("Goddag."), Voice()
    path = lay("0/intro", human())
    again(prompts)
    path.unlink()
    assert again(prompts, voice) == RenderReport(rendered=1, kept=1, missing=())
    assert voice.asked == ["Goddag."]
    assert not is_human(heard(prompts, "0/intro", tmp_path, saved))


@pytest.mark.parametrize(
    ("sound", "reason"),
    [
        (b"", "The sound file is empty."),
        (b"not a sound", "The sound cannot be decoded."),
        (human()[:20], "The sound cannot be decoded."),
        (silence_wav(2), "The sound file holds only silence."),
        (silence_wav(300), "The sound is longer than 200 seconds."),
    ],
    ids=["empty", "text", "cut short", "silence", "minutes"],
)
def test_a_recording_that_cannot_be_used_is_named_each_time_and_the_voice_says_the_prompt(
    lay: Lay, again: Callable[..., RenderReport], saved: dict[str, bytes], tmp_path: Path, sound: bytes, reason: str
) -> None:
    prompts = content("Goddag.", "Farvel.")
    path = lay("0/intro", sound)
    lay("1/intro", human())
    named = (f"{path} is not used, the voice says it instead: {reason} Record it anew as a WAV file.",)
    assert again(prompts) == RenderReport(rendered=3, kept=0, missing=(), unusable=named)
    assert [is_human(heard(prompts, one, tmp_path, saved)) for one in ("0/intro", "1/intro")] == [False, True]
    assert again(prompts) == RenderReport(rendered=0, kept=3, missing=(), unusable=named)


def test_a_recording_that_may_not_be_read_is_named_too(
    lay: Lay, again: Callable[..., RenderReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lay("0/intro", human())
    readable = Path.read_bytes

    def read_bytes(self: Path) -> bytes:
        if self == path:
            raise PermissionError
        return readable(self)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    [problem] = again(content("Goddag.")).unusable
    assert problem.startswith(f"{path} is not used, the voice says it instead: The file cannot be read.")


def test_where_neither_the_recording_nor_the_voice_can_be_used_the_prompt_is_missing(lay: Lay, again: Callable[..., RenderReport]) -> None:
    lay("0/intro", b"not a sound")
    report = again(content("Goddag.", "Goddag."), Voice({"Goddag.": PERMANENT}))
    assert sorted(report.missing) == [("0/intro", str(PERMANENT)), ("1/intro", str(PERMANENT))]
    assert len(report.unusable) == 1


def test_recordings_are_rendered_although_the_voice_is_out_of_reach(lay: Lay, again: Callable[..., RenderReport]) -> None:
    lay("4/intro", human())
    report = again(content(*"abcde"), Voice(dict.fromkeys([*"abcd", "Tast 1."], TEMPORARY)))
    assert report.rendered == 1
    assert len(report.missing) == 9


def test_a_recording_that_is_not_rendered_yet_leaves_the_prompt_to_the_voice(
    lay: Lay, again: Callable[..., RenderReport], saved: dict[str, bytes], tmp_path: Path
) -> None:
    prompts = content("Goddag.")
    again(prompts)
    lay("0/intro", human())
    assert not is_human(heard(prompts, "0/intro", tmp_path, saved))


def test_a_misnamed_recording_is_named(lay: Lay, again: Callable[..., RenderReport], tmp_path: Path) -> None:
    lay("0/intro", human())
    lost = [lay("0/intro/1", human()), lay("welcom", human())]
    lay(".hidden", b"")
    assert strays(tmp_path / "da", content("Goddag.")) == lost
    assert again(content("Goddag.")).unusable == tuple(f"{path} is not used: no prompt has that name." for path in lost)


def test_without_any_recording_all_is_the_voices(again: Callable[..., RenderReport], saved: dict[str, bytes]) -> None:
    assert again(content("Goddag.")) == RenderReport(rendered=2, kept=0, missing=())
    assert set(saved) == keys("Tast 1.", "Goddag.")
