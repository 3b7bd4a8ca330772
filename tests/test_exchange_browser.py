"""The handset in the browser, without a browser: what goes to the page and what comes from the caller."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from voice.exchange import browser, media
from voice.exchange.browser import BrowserHandset, PageSound
from voice.exchange.conversation import Entry, What
from voice.exchange.pace import Pace

TONE = media.tone(0.2)


class Page:
    def __init__(self) -> None:
        self.shown: list[Entry] = []
        self.played: list[bytes] = []

    def begin(self, entries: Sequence[Entry]) -> None:
        self.shown = list(entries)

    def show(self, entry: Entry) -> None:
        self.shown.append(entry)

    def play(self, frame: bytes) -> None:
        self.played.append(frame)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pace, "wait", lambda self: None)


@pytest.fixture
def typed() -> list[tuple[bytes, str]]:
    return []


@pytest.fixture
def handset(typed: list[tuple[bytes, str]]) -> Iterator[BrowserHandset]:
    return BrowserHandset(lambda wav, text: typed.append((wav, text)))


def happens(handset: BrowserHandset, *whats: What) -> None:
    for what in whats:
        handset.notice(Entry(0.0, "line", what))


def heard(handset: BrowserHandset, frames: int) -> bytes:
    """So many frames, as the recording takes them in."""
    return b"".join(handset.swap(media.SILENCE).frame or media.SILENCE for _ in range(frames))


def test_a_page_hears_and_sees_the_line(handset: BrowserHandset) -> None:
    page = Page()
    handset.attach(page)
    handset.swap(b"a" * media.FRAME_BYTES)
    happens(handset, "answers", "says")
    assert page.played == [b"a" * media.FRAME_BYTES]
    assert [entry.what for entry in page.shown] == ["answers", "says"]


def test_the_next_page_is_shown_the_call_so_far_and_the_one_before_nothing_more(handset: BrowserHandset) -> None:
    first, second = Page(), Page()
    handset.attach(first)
    happens(handset, "answers")
    handset.attach(second)
    handset.detach(first)  # it goes late
    happens(handset, "says")
    assert [entry.what for entry in first.shown] == ["answers"]
    assert [entry.what for entry in second.shown] == ["answers", "says"]


def test_without_a_page_no_sound_arrives_and_the_call_goes_on(handset: BrowserHandset) -> None:
    happens(handset, "records")
    assert [handset.swap(media.SILENCE).frame for _ in range(500)] == [b""] * 500


def test_after_a_long_time_without_a_page_the_network_lets_the_call_go(handset: BrowserHandset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "AWAY_SECONDS", 0.1)
    handset.swap(media.SILENCE)
    page = Page()
    handset.attach(page)
    handset.swap(media.SILENCE)
    handset.detach(page)
    assert [handset.swap(media.SILENCE).hung_up for _ in range(6)] == [False] * 5 + [True]


def test_a_new_call_begins_with_nothing_left_over(handset: BrowserHandset) -> None:
    page = Page()
    handset.attach(page)
    happens(handset, "records")
    handset.press("1")
    handset.hear(TONE)
    handset.answer("tekst", TONE)
    handset.hang_up()
    handset.lift()
    happens(handset, "records")
    assert handset.swap(media.SILENCE) == browser.Heard(b"")
    assert [entry.what for entry in page.shown] == ["records"]


def test_keys_come_one_to_a_frame_in_their_order(handset: BrowserHandset) -> None:
    handset.press("1")
    handset.press("#")
    assert [handset.swap(media.SILENCE).key for _ in range(3)] == ["1", "#", None]


def test_the_microphone_goes_into_the_recording_and_to_nobody_else(handset: BrowserHandset, typed: list[tuple[bytes, str]]) -> None:
    happens(handset, "records")
    handset.hear(TONE)
    assert heard(handset, 10) == TONE
    happens(handset, "recorded")
    assert typed == []


def test_a_typed_answer_waits_for_the_tone_and_has_the_recording_to_itself(handset: BrowserHandset, typed: list[tuple[bytes, str]]) -> None:
    assert handset.answer("først", TONE)
    assert handset.answer("så", TONE)
    assert heard(handset, 5) == bytes(5 * media.FRAME_BYTES)
    happens(handset, "records")
    handset.hear(media.tone(1.0, hertz=500))
    recording = heard(handset, 30)
    assert recording == TONE + TONE + bytes(10 * media.FRAME_BYTES)
    happens(handset, "recorded")
    assert typed == [(media.to_wav(recording), "først så")]


def test_after_a_typed_answer_comes_silence_which_ends_the_recording(handset: BrowserHandset) -> None:
    happens(handset, "records")
    handset.answer("tekst", TONE)
    heard(handset, 10)
    assert handset.swap(media.SILENCE).frame == media.SILENCE
    happens(handset, "recorded")
    assert handset.swap(media.SILENCE).frame == b""


def test_who_has_begun_to_speak_cannot_type_in_the_same_recording(handset: BrowserHandset, typed: list[tuple[bytes, str]]) -> None:
    happens(handset, "records")
    handset.hear(TONE)
    heard(handset, 2)
    assert not handset.answer("tekst", TONE)
    happens(handset, "recorded")
    assert handset.answer("tekst", TONE)
    assert typed == []


def test_an_answer_that_is_cut_off_by_a_key_is_handed_over_all_the_same(handset: BrowserHandset, typed: list[tuple[bytes, str]]) -> None:
    happens(handset, "records")
    handset.answer("afbrudt", TONE)
    recording = heard(handset, 3)
    happens(handset, "recorded", "records")
    heard(handset, 3)
    happens(handset, "recorded")
    assert typed == [(media.to_wav(recording), "afbrudt")]


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_sound_keeps_its_pitch_and_loudness_on_its_way_over_the_page(rate: int) -> None:
    sound = PageSound(rate)
    at_page = b"".join(map(sound.to_page, media.frames(media.tone(1.0, hertz=440))))
    piece = rate // 50 * 4
    back = b"".join(sound.from_page(at_page[start : start + piece]) for start in range(0, len(at_page), piece))
    samples = np.frombuffer(back, np.int16).astype(float)
    assert abs(len(samples) - media.RATE) < 80
    assert int(np.abs(np.fft.rfft(samples[400:7600])).argmax() * media.RATE / 7200) == pytest.approx(440, abs=2)
    assert np.abs(samples).max() == pytest.approx(32767 * 10 ** (-15 / 20), rel=0.05)


def test_what_is_no_number_does_no_harm() -> None:
    assert PageSound(8000).from_page(np.full(160, np.nan, np.float32).tobytes()) == bytes(320)
