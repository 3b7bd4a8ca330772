"""Sound files in and out: every format, and every kind of broken file."""

import io
import struct
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.speech_contract import silence_wav
from voice.errors import SpeechError
from voice.speech.audio import MAX_BYTES, MAX_SECONDS, Samples, check_recording, decode
from voice.speech.sounds import RATE

HEADER = 44  # bytes before the samples of a plain WAV


def tone(*frequencies: int, seconds: float = 1.0, rate: int = RATE, level: float = 0.3) -> Samples:
    time = np.arange(int(seconds * rate)) / rate
    return np.sum([level * np.sin(2 * np.pi * frequency * time) for frequency in frequencies], axis=0).astype(np.float32)


def encoded(samples: Samples, rate: int, container: str = "wav", codec: str = "pcm_s16le", layout: str = "mono") -> bytes:
    """A sound file of any kind; in stereo the second channel is silent."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout)
        channels = np.zeros((len(stream.layout.channels), samples.size), np.float32)
        channels[0] = samples
        frame = av.AudioFrame.from_ndarray(channels, format="fltp", layout=layout)
        frame.sample_rate = rate
        for one in (frame, None):
            output.mux(stream.encode(one))
    return file.getvalue()


def wav(samples: Samples, rate: int = RATE) -> bytes:
    """A plain WAV with the shortest header."""
    plain = silence_wav(0)
    pcm = (samples * 32767).astype("<i2").tobytes()
    return plain[:24] + struct.pack("<II", rate, 2 * rate) + plain[32:40] + struct.pack("<I", len(pcm)) + pcm


def strength(samples: Samples, frequency: int, rate: int = RATE) -> float:
    """How strong one frequency is: 1.0 for a sine of full scale."""
    window = np.hanning(samples.size)
    return float(2 * abs(np.sum(samples * window * np.exp(-2j * np.pi * frequency * np.arange(samples.size) / rate))) / window.sum())


class TestDecode:
    @pytest.mark.parametrize(
        ("container", "codec", "rate"),
        [
            ("wav", "pcm_s16le", 8000),
            ("wav", "pcm_mulaw", 8000),
            ("wav", "pcm_f32le", 44100),
            ("mp3", "libmp3lame", 24000),
            ("ogg", "libopus", 48000),
            ("ipod", "aac", 44100),
            ("flac", "flac", 22050),
        ],
    )
    @pytest.mark.parametrize("asked", [8000, 16000])
    def test_any_common_format_is_read(self, container: str, codec: str, rate: int, asked: int) -> None:
        samples = decode(encoded(tone(1000, rate=rate), rate, container, codec), asked)
        assert samples.dtype == np.float32
        assert samples.ndim == 1
        assert samples.size / asked == pytest.approx(1.0, abs=0.08)  # codecs add a little silence
        assert strength(samples, 1000, asked) == pytest.approx(0.3, rel=0.1)

    def test_both_channels_of_stereo_are_heard(self) -> None:
        assert strength(decode(encoded(tone(1000), RATE, layout="stereo"), RATE), 1000) == pytest.approx(0.15, rel=0.05)

    def test_what_the_lower_rate_cannot_carry_is_filtered_out_and_not_folded_back(self) -> None:
        samples = decode(wav(tone(1000, 6000, rate=24000), 24000), 8000)
        assert strength(samples, 1000) == pytest.approx(0.3, rel=0.02)
        assert strength(samples, 2000) < 0.001  # where 6000 Hz would appear

    @pytest.mark.parametrize("rate", [11025, 16000, 24000, 44100])
    def test_another_rate_loses_nothing_at_the_end(self, rate: int) -> None:
        assert decode(wav(tone(1000, rate=rate), rate), RATE).size == RATE

    def test_a_file_that_changes_its_format_midway_is_refused(self) -> None:
        halves = (encoded(tone(1000, rate=rate), rate, "mp3", "libmp3lame") for rate in (24000, 44100))
        with pytest.raises(SpeechError, match="cannot be decoded"):
            decode(b"".join(halves), RATE)

    def test_of_a_file_that_is_cut_short_the_rest_is_read(self) -> None:
        whole = wav(tone(1000))
        assert decode(whole[: HEADER + 8000], RATE).size == pytest.approx(4000, abs=10)

    @pytest.mark.parametrize("claimed", [0, 0xFFFFFFFF, 0x7FFFFFFF, 100_000])
    def test_a_header_that_lies_about_the_length_is_not_believed(self, claimed: int) -> None:
        whole = wav(tone(1000))
        assert decode(whole[:40] + struct.pack("<I", claimed) + whole[HEADER:], RATE).size == RATE

    @pytest.mark.parametrize("claimed", [1, 10])
    def test_a_header_that_claims_hours_by_a_low_rate_is_refused(self, claimed: int) -> None:
        with pytest.raises(SpeechError, match="longer than 200 seconds"):
            decode(wav(tone(1000), claimed), RATE)

    def test_a_damaged_stretch_of_an_mp3_does_not_lose_what_follows(self) -> None:
        whole = bytearray(encoded(tone(1000, seconds=4), RATE, "mp3", "libmp3lame"))
        middle = len(whole) // 2
        whole[middle - 500 : middle + 500] = bytes(1000)
        assert decode(bytes(whole), RATE).size > 2.5 * RATE

    @pytest.mark.parametrize(
        ("sound", "reason"),
        [
            (b"", "is empty"),
            (b"RIFF" + bytes(MAX_BYTES), "larger than 8 MB"),
            (b"<html><body>Not found</body></html>", "cannot be decoded"),
            (silence_wav(0), "holds no sound"),
            (silence_wav(1)[:20], "cannot be decoded"),
            (silence_wav(MAX_SECONDS + 1), "longer than 200 seconds"),
        ],
        ids=["empty", "too large", "a web page", "no samples", "half a header", "too long"],
    )
    def test_what_cannot_be_used_is_a_permanent_error_that_says_why(self, sound: bytes, reason: str) -> None:
        with pytest.raises(SpeechError, match=reason) as caught:
            decode(sound, RATE)
        assert caught.value.permanent

    def test_a_video_without_sound_is_an_error_too(self) -> None:
        file = io.BytesIO()
        with av.open(file, "w", format="matroska") as output:
            stream = output.add_stream("mpeg4", rate=10)
            stream.width = stream.height = 16
            stream.pix_fmt = "yuv420p"
            for one in (av.VideoFrame(16, 16, "yuv420p"), None):
                output.mux(stream.encode(one))
        with pytest.raises(SpeechError, match="cannot be decoded"):
            decode(file.getvalue(), RATE)

    def test_the_longest_allowed_sound_is_read(self) -> None:
        assert decode(silence_wav(MAX_SECONDS), RATE).size == MAX_SECONDS * RATE

    def test_a_playlist_cannot_make_us_open_other_files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "secret.wav").write_bytes(wav(tone(1000)))
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SpeechError, match="cannot be decoded"):
            decode(b"ffconcat version 1.0\nfile secret.wav\n", RATE)

    @settings(deadline=None)
    @given(st.data())
    def test_no_damage_leads_to_anything_but_sound_or_a_speech_error(self, data: st.DataObject) -> None:
        sound = bytearray(data.draw(st.sampled_from(DAMAGED)))
        for place in data.draw(st.lists(st.integers(0, len(sound) - 1), max_size=8)):
            sound[place] = data.draw(st.integers(0, 255))
        del sound[data.draw(st.integers(1, len(sound))) :]
        try:
            samples = decode(bytes(sound), RATE)
        except SpeechError:
            return
        assert samples.size
        assert np.abs(samples).max() <= 1


DAMAGED = (
    wav(tone(1000, seconds=0.2)),
    encoded(tone(1000, seconds=0.2), RATE, "wav", "pcm_mulaw"),
    encoded(tone(1000, seconds=0.2), RATE, "wav", "pcm_f32le"),
    encoded(tone(1000, seconds=0.2), RATE, "mp3", "libmp3lame"),
)


class TestCheckRecording:
    def test_a_recording_passes_even_when_it_is_silent_or_cut_short(self) -> None:
        check_recording(silence_wav(2))
        check_recording(silence_wav(2)[:1000])

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"", "is empty"),
            (b"<html>Not found</html>", "not a WAV file"),
            (b"RIFF\0\0\0\0AVI LIST", "not a WAV file"),
            (silence_wav(1) + bytes(MAX_BYTES), "larger than 8 MB"),
        ],
        ids=["empty", "a web page", "another RIFF file", "too large"],
    )
    def test_anything_else_is_a_permanent_error_that_says_why(self, data: bytes, reason: str) -> None:
        with pytest.raises(SpeechError, match=reason) as caught:
            check_recording(data)
        assert caught.value.permanent
