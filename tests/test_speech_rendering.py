"""Prompts are rendered once, one bad prompt stops nothing, and a voice out of reach is not asked for ever."""

from collections.abc import Callable

import numpy as np
import pytest

from tests.dtmf_transcriber import DtmfTranscriber, dtmf_wav
from voice.errors import SpeechError
from voice.exchange import media
from voice.prompts import Guide, Prompt, Prompts
from voice.speech import VoiceId
from voice.speech.audio import Samples, decode
from voice.speech.rendering import RenderReport, render
from voice.speech.sounds import RATE, slow, sound_key

Save = Callable[[str, bytes], None]

TEMPORARY = SpeechError("The voice could not be reached.")
PERMANENT = SpeechError("The text cannot be said.", permanent=True)


class Voice:
    """Speaks in telephone keys; ``faults`` are texts that fail."""

    voice = VoiceId("keys", "da", "1")

    def __init__(self, faults: dict[str, SpeechError] | None = None) -> None:
        self.faults = faults or {}
        self.asked: list[str] = []

    def synthesize(self, text: str, language: str) -> bytes:
        self.asked.append(text)
        if text in self.faults:
            raise self.faults[text]
        return dtmf_wav("1")


def content(*texts: str, language: str = "da") -> Prompts:
    """Content with these texts as the introductions of as many guides; their ids are 0/intro, 1/intro, ..."""
    said = [(Prompt(f"{n}/menu", "Tast 1.", language), Prompt(f"{n}/intro", text, language)) for n, text in enumerate(texts)]
    guides = (Guide(str(n), n, "", "", "", menu, intro, ()) for n, (menu, intro) in enumerate(said))
    return Prompts(language, {}, {}, {}, (), tuple(guides))


def key(text: str, language: str = "da", voice: VoiceId = Voice.voice) -> str:
    return sound_key(text, language, voice)


def keys(*texts: str, language: str = "da") -> set[str]:
    """Of the sounds of these texts: each has an ordinary one and a slow one."""
    return {key(text, language, voice) for text in texts for voice in (Voice.voice, slow(Voice.voice))}


@pytest.fixture
def saved() -> dict[str, bytes]:
    return {}


@pytest.fixture
def save(saved: dict[str, bytes]) -> Save:
    return saved.__setitem__


def test_every_prompt_is_rendered_for_the_telephone_with_its_text_as_caption(saved: dict[str, bytes], save: Save) -> None:
    report = render([content("Goddag på øen.")], Voice(), (), save)
    assert report == RenderReport(rendered=2, kept=0, missing=())
    assert set(saved) == keys("Tast 1.", "Goddag på øen.")
    for sound in keys("Goddag på øen."):
        assert "Goddag på øen.".encode() in saved[sound]
        assert decode(saved[sound], RATE).size


@pytest.mark.parametrize("hertz", [110, 220, 700, 1500])
def test_the_slow_sound_is_a_quarter_longer_and_not_deeper(saved: dict[str, bytes], save: Save, hertz: int) -> None:
    class Humming(Voice):
        def synthesize(self, text: str, language: str) -> bytes:
            return media.to_wav(media.tone(2.0, hertz=hertz))

    render([content("Tast 1.")], Humming(), (), save)
    ordinary, slowly = (decode(saved[key("Tast 1.", voice=voice)], RATE) for voice in (Voice.voice, slow(Voice.voice)))
    assert len(slowly) / len(ordinary) == pytest.approx(1.25, rel=0.02)
    assert dominant(ordinary) == pytest.approx(hertz, rel=0.03)
    assert dominant(slowly) == pytest.approx(dominant(ordinary), rel=0.03)
    assert abs(slowly).max() == pytest.approx(abs(ordinary).max(), rel=0.2)


def test_slow_speech_holds_as_much_speech_as_before(saved: dict[str, bytes], save: Save) -> None:
    """Neither its beginning nor its end is lost: all keys of a melody are heard in the slow one too."""

    class Singing(Voice):
        def synthesize(self, text: str, language: str) -> bytes:
            return dtmf_wav("1234567890")

    render([content("Tast 1.")], Singing(), (), save)
    slowly = saved[key("Tast 1.", voice=slow(Voice.voice))]
    assert DtmfTranscriber().transcribe(slowly, "da").text == "1 2 3 4 5 6 7 8 9 0"


def dominant(samples: Samples) -> float:
    """The loudest frequency in Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 8 * len(samples)))
    return float(spectrum.argmax() * RATE / (8 * len(samples)))


def test_the_same_text_is_said_once_for_each_language(saved: dict[str, bytes], save: Save) -> None:
    voice = Voice()
    report = render([content("Goddag.", "Goddag."), content("Goddag.", language="nn")], voice, (), save)
    assert set(saved) == keys("Tast 1.", "Goddag.") | keys("Tast 1.", "Goddag.", language="nn")
    assert report.rendered == 4
    assert sorted(voice.asked) == ["Goddag.", "Goddag.", "Tast 1.", "Tast 1."]


def test_what_is_there_already_is_kept_and_not_asked_for(saved: dict[str, bytes], save: Save) -> None:
    voice = Voice()
    report = render([content("Goddag.")], voice, keys("Tast 1."), save)
    assert report == RenderReport(rendered=1, kept=1, missing=())
    assert voice.asked == ["Goddag."]


@pytest.mark.parametrize("there", [Voice.voice, slow(Voice.voice)])
def test_a_prompt_that_has_one_of_its_two_sounds_gets_the_other(saved: dict[str, bytes], save: Save, there: VoiceId) -> None:
    report = render([content("Goddag.")], Voice(), {key("Goddag.", voice=there), *keys("Tast 1.")}, save)
    assert report == RenderReport(rendered=1, kept=1, missing=())
    assert set(saved) == keys("Goddag.")


def test_a_second_run_has_nothing_to_do(saved: dict[str, bytes], save: Save) -> None:
    render([content("Goddag.")], Voice(), (), save)
    assert render([content("Goddag.")], Voice(), saved.keys(), save) == RenderReport(rendered=0, kept=2, missing=())


@pytest.mark.parametrize("fault", [TEMPORARY, PERMANENT])
def test_one_bad_prompt_does_not_stop_the_rest_and_is_named_with_its_reason(save: Save, fault: SpeechError) -> None:
    report = render([content("a.", "b.", "c.")], Voice({"b.": fault}), (), save)
    assert report == RenderReport(rendered=3, kept=0, missing=(("1/intro", str(fault)),))


def test_all_prompts_that_share_a_missing_text_are_named(save: Save) -> None:
    report = render([content("a.", "b.", "a.")], Voice({"a.": PERMANENT}), (), save)
    assert [prompt_id for prompt_id, _ in report.missing] == ["0/intro", "2/intro"]


def test_a_sound_that_cannot_be_decoded_is_a_missing_prompt_too(save: Save) -> None:
    class Mumbling(Voice):
        def synthesize(self, text: str, language: str) -> bytes:
            return b"mumble" if text == "a." else super().synthesize(text, language)

    report = render([content("a.", "b.")], Mumbling(), (), save)
    assert report == RenderReport(rendered=2, kept=0, missing=(("0/intro", "The sound cannot be decoded."),))


def test_after_three_temporary_faults_in_a_row_it_stops_asking_and_names_the_rest(save: Save) -> None:
    voice = Voice(dict.fromkeys("bcd", TEMPORARY))
    report = render([content(*"abcdef")], voice, (), save)
    assert voice.asked == ["Tast 1.", "a", "b", "c", "d"]
    assert report.rendered == 2
    assert [prompt_id for prompt_id, _ in report.missing] == ["1/intro", "2/intro", "3/intro", "4/intro", "5/intro"]
    assert "3 times in a row" in report.missing[-1][1]


def test_faults_that_are_not_in_a_row_do_not_stop_it(save: Save) -> None:
    voice = Voice(dict.fromkeys("abdeg", TEMPORARY))
    assert render([content(*"abcdefgh")], voice, (), save).rendered == 4
    assert len(voice.asked) == 9


def test_bad_texts_alone_never_stop_it(save: Save) -> None:
    voice = Voice(dict.fromkeys("abcde", PERMANENT))
    assert render([content(*"abcdef")], voice, (), save).rendered == 2
    assert len(voice.asked) == 7


def test_what_was_rendered_is_saved_before_the_next_is_asked_for(saved: dict[str, bytes], save: Save) -> None:
    class Interrupted(Voice):
        def synthesize(self, text: str, language: str) -> bytes:
            if text == "b.":
                raise KeyboardInterrupt
            return super().synthesize(text, language)

    with pytest.raises(KeyboardInterrupt):
        render([content("a.", "b.")], Interrupted(), (), save)
    assert set(saved) == keys("Tast 1.", "a.")


def test_progress_counts_the_sounds_that_are_wanted_up_to_the_end(save: Save) -> None:
    steps: list[tuple[int, int]] = []
    render([content("a.", "b.", "c.")], Voice({"b.": PERMANENT}), keys("a."), save, lambda done, total: steps.append((done, total)))
    assert steps == [(1, 3), (2, 3), (3, 3)]
