"""Forty sounds in which nobody speaks, as a telephone brings them. Made, not recorded, and the same each time."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from voice.speech.audio import Samples
from voice.speech.sounds import RATE

_SECONDS = 6
_DIALLED = {"1": (697, 1209), "5": (770, 1336), "9": (852, 1477), "0": (941, 1336), "#": (941, 1477)}
_TUNE = (262, 330, 392, 523, 392, 330)  # Hz
_LOUDEST = 0.9
_Wave = NDArray[np.float64]


def sounds() -> Iterator[tuple[str, Samples]]:
    """Each with its name, at RATE. Levels are of the mean power, in dB below full scale."""
    yield "silence", np.zeros(_SECONDS * RATE, np.float32)
    for level in (-20, -30, -40, -50, -60):
        for name, falls in (("white", 0.0), ("pink", 0.5), ("brown", 1.0)):
            yield _at(f"{name} noise", _noise(falls), level)
    for level in (-20, -30, -40, -50):
        yield _at("mains hum", sum((_tone(50 * number) / number for number in (1, 2, 3, 5, 7)), _tone(0)), level)
    for level in (-10, -20, -35):
        yield _at("keys", _keys(0.1 if level == -20 else 0.3), level)
        yield _at("dial tone", _tone(425), level)
    yield _at("busy tone", _tone(425) * _gate(0.25, 0.25), -20)
    yield _at("ringing tone", _tone(425) * _gate(1, 4), -20)
    for level in (-15, -30):
        yield _at("tune", _tune(), level)
        yield _at("chord", _tone(220) + _tone(277) + _tone(330), level)
        yield _at("siren", np.sin(2 * np.pi * np.cumsum(600 + 300 * np.sin(2 * np.pi * 0.3 * _time())) / RATE), level)
        yield _at("clicks", _clicks(2), level)
        yield _at("crackle", _clicks(40), level)
    yield _at("bursts of noise", _noise(0.5) * _gate(0.3, 0.5), -20)
    yield _at("engine", _noise(1.0) * (1 + np.sin(2 * np.pi * 12 * _time())) + _tone(85), -20)


def _at(name: str, wave: _Wave, level: int) -> tuple[str, Samples]:
    scaled = wave * 10 ** (level / 20) / max(float(np.sqrt(np.mean(wave**2))), 1e-9)
    return f"{name} at {level} dB", np.clip(scaled, -_LOUDEST, _LOUDEST).astype(np.float32)


def _time() -> _Wave:
    return np.arange(_SECONDS * RATE) / RATE


def _tone(frequency: float) -> _Wave:
    wave: _Wave = np.sin(2 * np.pi * frequency * _time())
    return wave


def _noise(falls: float) -> _Wave:
    """Whose amplitude falls with this power of the frequency."""
    spectrum = np.fft.rfft(np.random.default_rng(5).standard_normal(_SECONDS * RATE))
    spectrum /= np.maximum(np.fft.rfftfreq(_SECONDS * RATE, 1 / RATE), 20) ** falls
    wave: _Wave = np.fft.irfft(spectrum)
    return wave


def _gate(on: float, off: float) -> _Wave:
    return (_time() % (on + off) < on).astype(np.float64)


def _keys(each: float) -> _Wave:
    names = np.array(list(_DIALLED.values()), np.float64)[(_time() / (2 * each)).astype(int) % len(_DIALLED)]
    wave: _Wave = np.sin(2 * np.pi * names[:, 0] * _time()) + np.sin(2 * np.pi * names[:, 1] * _time())
    return wave * _gate(each, each)


def _tune() -> _Wave:
    notes = np.array(_TUNE, np.float64)[(_time() / 0.4).astype(int) % len(_TUNE)]
    return sum((np.sin(2 * np.pi * number * notes * _time()) / number for number in (1, 2, 3)), _tone(0)) * np.exp(-3 * (_time() % 0.4))


def _clicks(a_second: int) -> _Wave:
    wave = np.zeros(_SECONDS * RATE)
    places = np.random.default_rng(6).integers(0, wave.size - 40, a_second * _SECONDS)
    for place in places:
        wave[place : place + 40] += np.exp(-np.arange(40) / 8) * (-1) ** np.arange(40)
    return wave
