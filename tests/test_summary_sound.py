"""The preparation's sound: what is heard of it, in which order and how loud, whatever became of the recordings."""

from collections.abc import Mapping
from functools import cache, lru_cache, partial
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import SHARED, TEST_PROMPTS, must_run
from tests.dtmf_transcriber import dtmf_wav
from tests.test_speech_audio import encoded
from voice.content import load
from voice.errors import SummaryError
from voice.prompts import Prompt
from voice.speech.audio import Samples, decode
from voice.speech.espeak import EspeakSynthesizer
from voice.speech.gate import RATE, speech_seconds
from voice.speech.loudness import loudness
from voice.speech.models import find_model
from voice.speech.sounds import LOUDNESS
from voice.speech.whisper import WhisperTranscriber
from voice.summary import Summary, Utterance, summarise
from voice.summary.sound import write

PROMPTS = load(TEST_PROMPTS / "da")
GUIDE = PROMPTS.guide("lang")  # hvad, er_det (yes or no), hvem, vigtigst
MB = 1_000_000


@cache
def said(text: str) -> Samples:
    """Somebody says it; no silence around."""
    samples = decode(EspeakSynthesizer().synthesize(text, "da"), RATE)
    heard = np.flatnonzero(np.abs(samples) > 0.01)
    return samples[heard[0] : heard[-1]]


FIRST = said("Jeg vil gerne arbejde hjemme om fredagen.")
SECOND = said("Og så skal vi mødes igen en anden gang.")
THIRD = said("Det vigtigste er en ny dato.")


def voice(prompt: Prompt) -> bytes | None:
    """As it is rendered ahead: at some loudness of its own."""
    return recorded(said(prompt.text))


def mute(_prompt: Prompt) -> None:
    """Nothing was rendered."""


def recorded(*samples: Samples, gain: float = 0.0, noise: float = 0.0001) -> bytes:
    """A recording from the telephone line; ``gain`` in dB."""
    whole = np.concatenate(samples) * np.float32(10 ** (gain / 20))
    whole = whole + np.random.default_rng(1).normal(0, noise, whole.size).astype(np.float32)
    return encoded(np.clip(whole, -1, 1), RATE)


def quiet(seconds: float) -> Samples:
    return np.zeros(int(seconds * RATE), np.float32)


def heard(recording: str, question: str = "hvad", order: int = 0) -> Utterance:
    return Utterance(recording, question, 0, order, "heard", "ord")


def summary(*utterances: Utterance) -> Summary:
    return summarise(GUIDE, utterances, PROMPTS.vocabulary)


def one_answer(recording: bytes, voice=mute) -> bytes:
    return write(summary(heard("a")), PROMPTS, voice, {"a": recording})


def place(piece: Samples, tape: Samples) -> float | None:
    """Where a piece is heard, in seconds; None if it is not. What counts is the shape of the wave, not how loud it is."""
    piece, tape = piece[::2].astype(float), tape[::2].astype(float)  # a telephone carries no more
    size = 1 << (tape.size + piece.size).bit_length()
    product = np.fft.irfft(np.fft.rfft(tape, size) * np.conj(np.fft.rfft(piece, size)), size)[: tape.size - piece.size + 1]
    energy = np.concatenate([[0.0], np.cumsum(tape**2)])
    local = np.maximum(energy[piece.size :] - energy[: -piece.size], 1e-3)[: product.size]
    likeness = product / np.sqrt(local * np.sum(piece**2))
    best = int(np.argmax(likeness))
    return 2 * best / RATE if likeness[best] > 0.8 else None


def order(mp3: bytes, *pieces: Samples | Prompt) -> list[float]:
    """Where each is heard. Fails if one is not."""
    tape = long_decode(mp3)
    places = [place(said(piece.text) if isinstance(piece, Prompt) else piece, tape) for piece in pieces]
    assert None not in places, places
    return [one for one in places if one is not None]


def is_heard(prompt: Prompt, mp3: bytes) -> bool:
    return place(said(prompt.text), long_decode(mp3)) is not None


@lru_cache(4)
def long_decode(mp3: bytes) -> Samples:
    with av.open(BytesIO(mp3)) as container:
        assert (container.streams.audio[0].rate, container.streams.audio[0].layout.name) == (RATE, "mono")
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


def chapters(mp3: bytes) -> list[tuple[str, float, float]]:
    with av.open(BytesIO(mp3)) as container:
        return [
            (one["metadata"]["title"], float(one["start"] * one["time_base"]), float(one["end"] * one["time_base"]))
            for one in container.chapters()
        ]


phrase = PROMPTS.phrase


def part(number: int) -> Prompt:
    return PROMPTS.phrases["sound_part"][number - 1]


def ask(question: str) -> Prompt:
    return GUIDE.question(question).asking(0)


class TestOrder:
    def test_each_part_is_announced_asked_and_answered_in_the_callers_own_voice(self) -> None:
        mp3 = write(
            summary(heard("c", "vigtigst"), heard("b", order=1), heard("a"), Utterance("k", "er_det", 0, 0, "keyed", "yes")),
            PROMPTS,
            voice,
            {"a": recorded(FIRST), "b": recorded(SECOND), "c": recorded(THIRD)},
        )
        spoken = order(
            mp3,
            *(phrase("sound_opening"), part(1), ask("hvad"), FIRST, SECOND),
            *(part(2), ask("er_det"), phrase("sound_yes")),
            *(part(4), ask("vigtigst"), THIRD),
            phrase("sound_end"),
        )
        assert spoken == sorted(spoken)

    def test_what_was_not_answered_is_not_read(self) -> None:
        mp3 = one_answer(recorded(FIRST), voice)
        assert is_heard(ask("hvad"), mp3)
        assert not any(is_heard(prompt, mp3) for prompt in (part(2), ask("er_det"), part(3), ask("hvem"), phrase("sound_unheard")))

    def test_no_by_key_is_said(self) -> None:
        mp3 = write(summary(Utterance("k", "er_det", 0, 0, "keyed", "no")), PROMPTS, voice, {})
        order(mp3, part(2), ask("er_det"), phrase("sound_no"))
        assert not is_heard(phrase("sound_yes"), mp3)

    def test_an_answer_to_a_question_that_is_gone_is_heard_at_the_end(self) -> None:
        mp3 = write(summary(heard("a", "gone")), PROMPTS, voice, {"a": recorded(FIRST)})
        spoken = order(mp3, part(5), phrase("sound_other"), FIRST)
        assert spoken == sorted(spoken)

    def test_a_part_whose_number_has_no_word_is_heard_all_the_same(self) -> None:
        strays = [heard(f"{n}", f"gone{n}") for n in range(6)]
        mp3 = write(summary(*strays), PROMPTS, voice, {"5": recorded(FIRST)})
        assert [title for title, _, _ in chapters(mp3)][-1] == f"10. {PROMPTS.mail['other']}"
        order(mp3, FIRST)

    def test_a_prompt_without_a_sound_is_left_out_and_one_that_is_broken_too(self) -> None:
        for sound in (None, b"junk"):
            mp3 = write(
                summary(heard("a")),
                PROMPTS,
                lambda prompt, sound=sound: sound if prompt == ask("hvad") else voice(prompt),
                {"a": recorded(FIRST)},
            )
            assert not is_heard(ask("hvad"), mp3)
            order(mp3, part(1), FIRST)


class TestEmptyPreparation:
    def test_the_questions_are_read_aloud_to_whom_cannot_read_them(self) -> None:
        mp3 = write(summary(), PROMPTS, voice, {})
        asked = [prompt for number, question in enumerate(GUIDE.questions, 1) for prompt in (part(number), question.asking(0))]
        spoken = order(mp3, phrase("sound_questions"), *asked, phrase("sound_end"))
        assert spoken == sorted(spoken)
        assert not is_heard(phrase("sound_opening"), mp3)

    def test_of_a_call_in_which_nobody_spoke_the_questions_are_read_and_the_noise_is_not_heard(self) -> None:
        silent = Utterance("a", "hvad", 0, 0, "silent")
        noise = {"a": recorded(quiet(10), noise=0.03)}
        assert write(summary(silent), PROMPTS, voice, noise) == write(summary(), PROMPTS, voice, {})

    def test_without_any_sound_there_is_an_error_that_says_what_to_do(self) -> None:
        with pytest.raises(SummaryError, match="Run `samtaleklar render`"):
            write(summary(), PROMPTS, mute, {})


class TestLoudness:
    @pytest.mark.parametrize("gain", [-35, -20, 0, 15])
    def test_whoever_speaks_softly_or_too_loudly_is_as_loud_as_the_voice(self, gain: float) -> None:
        tape = long_decode(one_answer(recorded(FIRST, SECOND, gain=gain, noise=0.00005)))
        assert loudness(tape, RATE) == pytest.approx(LOUDNESS, abs=1)
        assert np.abs(tape).max() < 1

    def test_the_voice_is_as_loud_whatever_it_was_rendered_at(self) -> None:
        for gain in (-12, 6):
            mp3 = write(summary(), PROMPTS, lambda prompt, gain=gain: recorded(said(prompt.text), gain=gain), {})
            for prompt in (phrase("sound_questions"), part(1), ask("hvad"), ask("er_det"), phrase("sound_end")):
                [start] = order(mp3, prompt)
                stretch = long_decode(mp3)[int(start * RATE) :][: said(prompt.text).size]
                assert loudness(stretch, RATE) == pytest.approx(LOUDNESS, abs=1)

    def test_noise_alone_is_not_blown_up(self) -> None:
        recordings = {"a": recorded(FIRST), "b": recorded(quiet(5), noise=0.01)}
        with_noise = write(summary(heard("a"), Utterance("b", "hvad", 0, 1, "silent")), PROMPTS, voice, recordings)
        assert with_noise == write(summary(heard("a")), PROMPTS, voice, recordings)


class TestSilence:
    def seconds(self, *samples: Samples, noise: float = 0.001) -> float:
        """How long a recording is heard, from its first to its last sound."""
        return long_decode(one_answer(recorded(*samples, noise=noise))).size / RATE

    def test_a_long_silence_is_shortened_and_a_short_one_is_not(self) -> None:
        without = self.seconds(FIRST, SECOND)
        assert self.seconds(FIRST, quiet(6), SECOND) - without == pytest.approx(0.8, abs=0.3)
        assert self.seconds(FIRST, quiet(1.5), SECOND) - without == pytest.approx(1.5, abs=0.1)

    def test_soft_speech_between_long_silences_is_kept(self) -> None:
        soft = SECOND * np.float32(0.05)
        mp3 = one_answer(recorded(FIRST, quiet(4), soft, quiet(4), FIRST))
        assert order(mp3, FIRST, SECOND)[1] > 0
        assert speech_seconds(long_decode(mp3)) > 0.9 * (2 * FIRST.size + SECOND.size) / RATE

    def test_the_ends_are_trimmed(self) -> None:
        assert self.seconds(quiet(5), FIRST, quiet(6)) - self.seconds(FIRST) < 1.0

    @pytest.mark.parametrize("gap", [0, 0.2])
    @pytest.mark.parametrize("key", "1590*#")
    def test_the_key_that_ended_the_recording_is_not_heard(self, key: str, gap: float) -> None:
        tone = decode(dtmf_wav(key), RATE)
        tone = tone[: RATE // 10]
        assert place(tone, decode(recorded(FIRST, quiet(gap), tone), RATE)) is not None
        mp3 = one_answer(recorded(FIRST, quiet(gap), tone))
        assert place(tone, long_decode(mp3)) is None
        order(mp3, FIRST)


class TestBadRecordings:
    @pytest.mark.parametrize(
        "bad", [None, b"", b"junk", b"RIFF\0\0\0\0WAVE", bytes(9 * MB)], ids=["missing", "empty", "junk", "header", "huge"]
    )
    def test_the_part_says_that_it_cannot_be_heard_and_the_rest_is_heard(self, bad: bytes | None) -> None:
        recordings: Mapping[str, bytes] = {"b": recorded(FIRST), "d": recorded(SECOND)} | ({} if bad is None else {"a": bad, "c": bad})
        mp3 = write(summary(heard("a"), heard("b", order=1), heard("c", "hvem"), heard("d", "vigtigst")), PROMPTS, voice, recordings)
        spoken = order(mp3, part(1), FIRST, part(3), part(4), SECOND)
        assert spoken == sorted(spoken)
        _, start, end = chapters(mp3)[2]
        assert place(said(phrase("sound_unheard").text), long_decode(mp3)[int(start * RATE) : int(end * RATE)]) is not None

    def test_it_is_said_once_in_a_part_however_many_there_are(self) -> None:
        mp3 = write(summary(heard("a"), heard("b", order=1)), PROMPTS, voice, {})
        [once] = order(mp3, phrase("sound_unheard"))
        tape, sentence = long_decode(mp3).copy(), said(phrase("sound_unheard").text)
        tape[int(once * RATE) :][: sentence.size] = 0
        assert place(sentence, tape) is None

    def test_of_a_recording_that_is_cut_short_the_rest_is_heard(self) -> None:
        whole = recorded(FIRST, SECOND)
        order(one_answer(whole[: 44 + 2 * (FIRST.size + 2000)]), FIRST)

    @settings(max_examples=8)
    @given(st.binary(min_size=2, max_size=20000), st.sampled_from([8000, 16000, 44100]), st.booleans())
    def test_whatever_a_recording_holds_the_sound_is_whole(self, noise: bytes, rate: int, speech: bool) -> None:
        bits = np.frombuffer(noise[: len(noise) // 2 * 2] * 20, "<i2").astype(np.float32) / 32768
        mp3 = one_answer(encoded(np.concatenate([bits, FIRST] if speech else [bits]), rate), voice)
        assert np.abs(long_decode(mp3)).max() <= 1.0
        order(mp3, phrase("sound_opening" if is_heard(phrase("sound_opening"), mp3) else "sound_questions"))


class TestFile:
    def test_chapters_carry_the_labels_and_begin_where_their_part_is_announced(self) -> None:
        mp3 = write(summary(heard("a"), heard("b", "vigtigst")), PROMPTS, voice, {"a": recorded(FIRST), "b": recorded(SECOND)})
        marks = chapters(mp3)
        assert [title for title, _, _ in marks] == [
            PROMPTS.mail["subject"],
            f"1. {GUIDE.question('hvad').label}",
            f"4. {GUIDE.question('vigtigst').label}",
        ]
        announced = order(mp3, phrase("sound_opening"), part(1), part(4))
        assert [start for _, start, _ in marks] == pytest.approx([place - 0.3 for place in announced], abs=0.05)
        assert [end for _, _, end in marks] == pytest.approx([marks[1][1], marks[2][1], long_decode(mp3).size / RATE], abs=0.002)

    def test_its_title_is_neutral_and_nothing_tells_when_or_by_what_it_was_made(self) -> None:
        mp3 = one_answer(recorded(FIRST))
        with av.open(BytesIO(mp3)) as container:
            assert container.metadata == {"title": PROMPTS.mail["subject"]}
        assert b"TSSE" not in mp3

    def test_the_same_preparation_gives_the_same_bytes(self) -> None:
        make = partial(write, summary(heard("a")), PROMPTS, voice, {"a": recorded(FIRST, quiet(3), SECOND, gain=-12)})
        assert make() == make()

    def test_eight_answers_of_a_minute_are_under_two_megabytes(self) -> None:
        """The size grows with the time alone, whatever is heard: so half a minute tells it."""
        mp3 = one_answer(recorded(*[FIRST, SECOND] * 5, noise=0.01))
        seconds = long_decode(mp3).size / RATE
        assert seconds > 20
        most_talk = 8 * (60 + 12) + 20  # a question takes less than 12 s, with its number and its pauses
        assert len(mp3) / seconds * most_talk < 2 * MB


def clip(name: str) -> bytes:
    path = Path(SHARED / "audio" / "human" / f"{name}.wav")
    if not path.exists():
        must_run(f"the reference recording {name} is not here")
    return path.read_bytes()


def test_what_people_said_is_understood_in_the_sound(tmp_path: Path) -> None:
    whisper = WhisperTranscriber(find_model("base", tmp_path), threads=2)
    mp3 = write(summary(heard("a"), heard("b", "vigtigst")), PROMPTS, mute, {"a": clip("u0013002"), "b": clip("u0042018")})
    text = whisper.transcribe(mp3, "da").text.lower()
    counted, found, _ = text.partition("det er også på ti")
    assert found
    words = counted.replace(",", " ").replace(".", " ").split()
    numbers = ("1 en", "2 to", "3 tre", "4 fire", "5 fem", "6 seks", "7 syv", "8 otte")
    assert sum(any(form in words for form in number.split()) for number in numbers) >= 5
