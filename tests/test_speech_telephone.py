"""What the telephone plays: whatever a voice gave, trimmed, with nothing that a line cannot carry, and as loud as every other prompt."""

import io
import wave

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import TEST_PROMPTS
from tests.speech_contract import silence_wav
from tests.test_speech_audio import encoded, strength, tone, wav
from voice.content import load
from voice.errors import SpeechError
from voice.speech.audio import Samples, decode
from voice.speech.espeak import EspeakSynthesizer
from voice.speech.loudness import PEAK, loudness
from voice.speech.sounds import LOUDNESS, RATE, SLOW
from voice.speech.telephone import slowed, telephone_wav, trimmed

SPOKEN = {text: decode(EspeakSynthesizer().synthesize(text, "da"), RATE) for text in ("Ja.", "Tast et.", "Hvad gør dig træt på arbejdet?")}


def played(samples: Samples, rate: int = RATE) -> Samples:
    """What the telephone plays of it."""
    return decode(telephone_wav(wav(samples, rate), caption=""), RATE)


def hiss(seconds: float, level: float) -> Samples:
    return np.random.default_rng(1).normal(0, level, int(seconds * RATE)).astype(np.float32)


def silence(seconds: float) -> Samples:
    return np.zeros(int(seconds * RATE), np.float32)


class TestTheFile:
    def test_it_is_8_khz_mono_16_bit_for_a_reader_that_knows_nothing_of_captions(self) -> None:
        with wave.open(io.BytesIO(telephone_wav(wav(tone(500, rate=24000), 24000), caption="Goddag"))) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / np.float32(32768)
        assert samples.size == pytest.approx(RATE, abs=20)
        assert strength(samples, 500) > 0.1

    @pytest.mark.parametrize("caption", ["Hvad gør dig træt på arbejdet?", "Ja.", "Nej", ""])
    def test_the_caption_can_be_read_from_the_file(self, caption: str) -> None:
        made = telephone_wav(wav(tone(500)), caption=caption)
        with av.open(io.BytesIO(made)) as file:
            assert file.metadata.get("comment", "") == caption
        assert int.from_bytes(made[4:8], "little") == len(made) - 8
        assert b"LIST" in made
        assert caption.encode() in made

    @pytest.mark.parametrize("sound", [silence_wav(2), silence_wav(0.005), wav(hiss(2, 0.0001))], ids=["silence", "an instant", "hiss"])
    def test_mere_silence_is_a_permanent_error(self, sound: bytes) -> None:
        with pytest.raises(SpeechError, match="only silence") as caught:
            telephone_wav(sound, caption="Goddag")
        assert caught.value.permanent


class TestTheBand:
    @pytest.mark.parametrize("rate", [22050, 24000, 44100, 48000])
    def test_nothing_that_a_telephone_line_cannot_carry_is_folded_down_into_what_is_heard(self, rate: int) -> None:
        """A tone rises from 4000 Hz to the highest that the file can hold, between two beeps that may be heard."""
        times = np.arange(4 * rate) / rate
        highest = rate / 2 - 300
        rising = 0.5 * np.sin(2 * np.pi * (4050 * times + (highest - 4050) * times**2 / 8))
        beep = tone(1000, seconds=0.5, rate=rate, level=0.5)
        samples = played(np.concatenate([beep, rising.astype(np.float32), beep]), rate)
        beeps, between = samples[: RATE // 2], samples[int(0.55 * RATE) : -int(0.65 * RATE)]
        assert np.sqrt(np.mean(between**2)) < 0.0003 * np.sqrt(np.mean(beeps**2))  # 70 dB

    @pytest.mark.parametrize("hertz", [200, 300, 1000, 3000, 3400, 3600])
    def test_all_that_it_carries_is_there_as_it_was(self, hertz: int) -> None:
        samples = played(tone(500, hertz, rate=24000, seconds=2, level=0.1), 24000)
        assert strength(samples, hertz) == pytest.approx(strength(samples, 500) if hertz != 500 else 0, rel=0.05)

    def test_the_mains_hum_behind_a_human_voice_is_turned_down(self) -> None:
        samples = played(tone(50, 500, rate=24000, seconds=2, level=0.1), 24000)
        assert strength(samples, 50) < 0.45 * strength(samples, 500)


class TestTrimming:
    def test_silence_around_is_cut_to_a_tenth_of_a_second(self) -> None:
        assert played(np.concatenate([silence(2), tone(500, seconds=0.5), silence(3)])).size / RATE == pytest.approx(0.7, abs=0.06)

    @pytest.mark.parametrize("level", [0.0001, 0.0005, 0.002])
    def test_the_noise_of_a_room_counts_as_silence(self, level: float) -> None:
        noise = hiss(5, level)
        noise[2 * RATE : 3 * RATE] += tone(500)
        assert played(noise).size / RATE == pytest.approx(1.2, abs=0.05)

    def test_pauses_inside_are_kept(self) -> None:
        assert played(np.concatenate([tone(500), silence(2), tone(500)])).size / RATE == pytest.approx(4, abs=0.04)

    @pytest.mark.parametrize("ending", ["s", "a vowel that dies away"])
    @pytest.mark.parametrize("below", [30, 40, 50])  # dB
    def test_the_soft_end_of_a_word_is_kept(self, ending: str, below: int) -> None:
        soft = hiss(0.25, 1) if ending == "s" else tone(300, seconds=0.25, level=1.4)
        soft *= np.float32(0.3 / np.sqrt(2) * 10 ** (-below / 20))
        kept = trimmed(np.concatenate([silence(1), tone(500, seconds=0.5), soft, silence(1)]))
        assert kept.size / RATE == pytest.approx(0.1 + 0.5 + 0.25 + 0.1, abs=0.04)

    @settings(deadline=None, max_examples=30)
    @given(text=st.sampled_from(sorted(SPOKEN)), before=st.floats(0, 3), after=st.floats(0, 3), room=st.floats(0, 0.002))
    def test_no_word_is_cut_however_it_lies_in_its_silence(self, text: str, before: float, after: float, room: float) -> None:
        spoken = SPOKEN[text]
        words = np.flatnonzero(np.abs(spoken) > 0.02 * np.abs(spoken).max())
        lying = np.concatenate([silence(before), spoken, silence(after)])
        kept = trimmed(lying + hiss(lying.size / RATE + 1, room)[: lying.size])
        assert words[-1] - words[0] <= kept.size <= spoken.size + 0.2 * RATE + 2 * RATE // 50
        there = np.correlate(kept, spoken[words[0] : words[-1] + 1], "valid").max()
        assert there == pytest.approx(np.sum(spoken[words[0] : words[-1] + 1] ** 2), rel=0.03)

    def test_it_begins_and_ends_without_a_click(self) -> None:
        samples = played(np.concatenate([hiss(2, 0.01), tone(500, level=0.9), hiss(2, 0.01)]))
        assert abs(samples[0]) < 0.001
        assert abs(samples[-1]) < 0.001


class TestLoudness:
    @settings(deadline=None, max_examples=30)
    @given(text=st.sampled_from(sorted(SPOKEN)), gain=st.floats(-30, 10), before=st.floats(0, 2), after=st.floats(0, 2))
    def test_every_prompt_is_as_loud_as_the_next_at_both_tempos(self, text: str, gain: float, before: float, after: float) -> None:
        loud = np.clip(SPOKEN[text] * np.float32(10 ** (gain / 20)), -1, 1)
        made = telephone_wav(wav(np.concatenate([silence(before), loud, silence(after)])), caption=text)
        for one in (made, slowed(made, SLOW, caption=text)):
            samples = decode(one, RATE)
            assert loudness(samples, RATE) == pytest.approx(LOUDNESS, abs=0.5)
            assert np.abs(samples).max() <= PEAK + 0.001

    def test_googles_and_the_offline_voice_are_equally_loud(self) -> None:
        sound = EspeakSynthesizer().synthesize("Hvad gør dig træt på arbejdet?", "da")
        google = encoded(decode(sound, 24000) * np.float32(0.2), 24000, "mp3", "libmp3lame")
        both = [loudness(decode(telephone_wav(one, caption=""), RATE), RATE) for one in (sound, google)]
        assert both == pytest.approx([LOUDNESS, LOUDNESS], abs=0.5)

    def test_all_that_the_content_says_is_within_one_lu(self) -> None:
        """The voice itself says one prompt many LU louder than another."""
        voice = EspeakSynthesizer()
        texts = sorted({prompt.text for prompt in load(TEST_PROMPTS / "da")})
        sounds = [voice.synthesize(text, "da") for text in texts[::2]]
        before = [loudness(decode(sound, RATE), RATE) for sound in sounds]
        after = [loudness(decode(telephone_wav(sound, caption=""), RATE), RATE) for sound in sounds]
        assert max(before) - min(before) > 4
        assert max(abs(one - LOUDNESS) for one in after) < 1
