"""Telephone sound: what is decoded, what is silence, and what a WAV says of itself."""

import io
import wave

import av
import numpy as np
import pytest

from tests.exchange_line import captioned, voice
from voice.exchange import FetchError, media


def wav(samples: np.ndarray, rate: int, channels: int = 1) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(np.repeat(samples, channels).astype("<i2").tobytes())
    return file.getvalue()


def encoded(container: str, codec: str, pcm: bytes) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(codec, rate=media.RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.frombuffer(pcm, "<i2").reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = media.RATE
        for packet in (*stream.encode(frame), *stream.encode(None)):
            out.mux(packet)
    return file.getvalue()


def level(pcm: bytes) -> float:
    return float(np.sqrt(np.mean(np.square(np.frombuffer(pcm, "<i2").astype(float)))))


def test_telephone_sound_is_taken_as_it_is() -> None:
    sound = voice(0.5)
    assert media.decode(media.to_wav(sound), "audio/wav; charset=binary") == sound


@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (44100, 2), (8000, 2)])
def test_other_sound_is_brought_to_the_telephones_format(rate: int, channels: int) -> None:
    tone = 8000 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    pcm = media.decode(wav(tone, rate, channels), "audio/x-wav")
    assert media.seconds(pcm) == pytest.approx(1, abs=0.01)
    assert level(pcm) == pytest.approx(8000 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize(
    ("kind", "container", "codec"),
    [("audio/mpeg", "mp3", "libmp3lame"), ("audio/ulaw", "mulaw", "pcm_mulaw"), ("audio/x-aiff", "aiff", "pcm_s16be")],
)
def test_the_other_formats_that_twilio_takes_are_decoded(kind: str, container: str, codec: str) -> None:
    pcm = media.decode(encoded(container, codec, media.tone(1.0)), kind)
    assert media.seconds(pcm) == pytest.approx(1, abs=0.2)
    assert level(pcm) == pytest.approx(level(media.tone(1.0)), rel=0.2)


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        (b"", "", 12300),
        (b"", "audio/ogg", 12300),
        (b"", "audio/wav", 12400),
        (b"<html>", "audio/mpeg", 12400),
        (b"RIFF", "audio/wav", 12400),
    ],
)
def test_what_is_no_sound_is_refused_with_a_code(body: bytes, kind: str, code: int) -> None:
    with pytest.raises(FetchError) as caught:
        media.decode(body, kind)
    assert caught.value.code == code


@pytest.mark.parametrize(("dbfs", "speech"), [(-60, False), (-50, False), (-42, True), (-20, True)])
def test_speech_is_what_is_louder_than_a_lines_noise(dbfs: float, speech: bool) -> None:
    assert all(media.is_speech(frame) is speech for frame in media.frames(media.tone(1.0, 300.0, dbfs + 3)))


def test_neither_silence_nor_no_sound_at_all_is_speech() -> None:
    assert not media.is_speech(media.SILENCE)
    assert not media.is_speech(b"")


def test_sound_is_cut_into_frames_of_20_ms_and_the_last_is_filled_up() -> None:
    assert [len(frame) for frame in media.frames(b"\1" * 330)] == [320, 320]
    assert list(media.frames(b"\1" * 330))[1] == b"\1" * 10 + b"\0" * 310


@pytest.mark.parametrize("text", ["Velkommen på linjen", "ål", "x" * 301])
def test_the_caption_of_a_wav_is_read(text: str) -> None:
    body = captioned(voice(0.1), text)
    assert media.caption(body) == text
    assert media.decode(body, "audio/wav") == voice(0.1)


def test_the_caption_is_found_behind_other_fields_of_odd_length() -> None:
    fields = b"INFO" + b"IART\x03\0\0\0abc\0" + b"ICMT\x04\0\0\0hej\0"
    assert media.caption(b"RIFF\0\0\0\0WAVE" + b"LIST" + len(fields).to_bytes(4, "little") + fields) == "hej"


@pytest.mark.parametrize("body", [b"", b"ID3", media.to_wav(b""), b"RIFF\0\0\0\0WAVELIST\xff\xff\xff\xffINFOICM", b"RIFF\0\0\0\0WAVELIST"])
def test_a_sound_without_a_caption_has_none(body: bytes) -> None:
    assert media.caption(body) == ""
