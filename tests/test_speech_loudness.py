"""Loudness as an ear hears it, and bringing whatever sound to one loudness without distorting it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_speech_audio import strength, tone
from voice.speech.audio import Samples, decode
from voice.speech.espeak import EspeakSynthesizer
from voice.speech.loudness import PEAK, SILENCE, level, loudness
from voice.speech.sounds import RATE

TARGET = -20.0
SPOKEN = decode(EspeakSynthesizer().synthesize("Goddag. Hvad gør dig træt, når du er på arbejde?", "da"), RATE)
YES = decode(EspeakSynthesizer().synthesize("Ja.", "da"), RATE)


def decibels(factor: float) -> float:
    return float(20 * np.log10(factor))


class TestLoudness:
    @pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
    @pytest.mark.parametrize("below", [3, 20, 40])
    def test_the_standards_own_tone_measures_what_the_standard_says(self, rate: int, below: int) -> None:
        """BS.1770-4: a sine of 997 Hz at full scale in one channel is -3.01 LKFS."""
        sine = tone(997, seconds=3, rate=rate, level=10 ** (-below / 20))
        assert loudness(sine, rate) == pytest.approx(-3.01 - below, abs=0.1)

    def test_a_bass_that_an_ear_hardly_hears_counts_little(self) -> None:
        assert loudness(tone(30, seconds=3), RATE) < loudness(tone(997, seconds=3), RATE) - 8

    def test_long_pauses_do_not_make_a_sound_soft(self) -> None:
        """The standard's gate: silence between the words is not counted."""
        apart = np.concatenate([SPOKEN, np.zeros(5 * RATE, np.float32), SPOKEN])
        assert loudness(apart, RATE) == pytest.approx(loudness(SPOKEN, RATE), abs=0.5)

    @pytest.mark.parametrize("seconds", [0.02, 0.1, 0.39, 0.4, 0.41, 1.0])
    def test_a_short_sound_is_as_loud_as_a_long_one(self, seconds: float) -> None:
        assert loudness(tone(1000, seconds=seconds), RATE) == pytest.approx(loudness(tone(1000, seconds=5), RATE), abs=0.3)

    @pytest.mark.parametrize("samples", [0, 1, 100, 10000])
    def test_of_silence_there_is_nothing_to_hear(self, samples: int) -> None:
        assert loudness(np.zeros(samples, np.float32), RATE) == SILENCE


class TestLevel:
    @settings(deadline=None, max_examples=40)
    @given(
        gain=st.floats(-30, 12),
        before=st.floats(0, 3),
        after=st.floats(0, 3),
        target=st.sampled_from([-23.0, TARGET]),
        words=st.sampled_from([SPOKEN, YES]),
        noise=st.sampled_from([0.0, 0.0001, 0.001]),
    )
    def test_speech_at_any_level_and_in_any_silence_comes_out_at_the_target(
        self, gain: float, before: float, after: float, target: float, words: Samples, noise: float
    ) -> None:
        spoken = np.pad(words * np.float32(10 ** (gain / 20)), (int(before * RATE), int(after * RATE)))
        spoken = (spoken + np.random.default_rng(1).normal(0, noise, spoken.size)).astype(np.float32)
        levelled = level(spoken, RATE, target)
        assert levelled.size == spoken.size
        assert np.abs(levelled).max() <= PEAK + 1e-6
        assert loudness(levelled, RATE) == pytest.approx(target, abs=0.5)

    def test_a_sound_without_peaks_is_only_turned_up_or_down(self) -> None:
        soft = tone(1000, seconds=2, level=0.01)
        levelled = level(soft, RATE, TARGET)
        assert levelled == pytest.approx(soft * (levelled[100] / soft[100]), abs=1e-5)

    def test_peaks_are_held_down_and_not_cut_off(self) -> None:
        """Cutting off a sine's tops would add its third harmonic."""
        sine = np.concatenate([tone(500, seconds=4, level=0.15), tone(500, seconds=0.1, level=1.5)])
        levelled = level(sine, RATE, TARGET)
        assert np.abs(levelled).max() == pytest.approx(PEAK, abs=0.02)
        assert strength(levelled[-700:-100], 1500) < 0.02 * strength(levelled[-700:-100], 500)

    def test_the_target_is_reached_although_the_peaks_are_held_down(self) -> None:
        spoken = SPOKEN.copy()
        spoken[:: RATE // 2] = 1.0  # a click every half second
        assert decibels(np.abs(spoken).max()) - loudness(spoken, RATE) > 15
        assert loudness(level(spoken, RATE, -16.0), RATE) == pytest.approx(-16, abs=0.5)

    def test_silence_stays_silence_and_hiss_is_not_blown_up_to_a_roar(self) -> None:
        assert not level(np.zeros(RATE, np.float32), RATE, TARGET).any()
        hiss = np.random.default_rng(1).normal(0, 0.00005, RATE).astype(np.float32)
        assert loudness(level(hiss, RATE, TARGET), RATE) < -35
