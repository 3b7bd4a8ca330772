"""Sounds as nobody records them: broken, lying, of every form and of none, made from a few real ones."""

import io
import random
import struct
from collections.abc import Iterator

import av
import numpy as np

from voice.exchange import media

SECONDS = 0.3
TONE = media.tone(SECONDS)


def encoded(codec: str, container: str = "wav", rate: int = 8000, layout: str = "mono") -> bytes:
    """The tone as FFmpeg writes it."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.frombuffer(TONE, "<i2").reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = 8000
        resampler = av.AudioResampler(stream.codec_context.format, layout, rate, frame_size=stream.codec_context.frame_size or None)
        for one in [*resampler.resample(frame), *resampler.resample(None), None]:
            for packet in stream.encode(one):
                out.mux(packet)
    return file.getvalue()


def wav(
    body: bytes, *, form: int = 1, channels: int = 1, rate: int = 8000, bits: int = 16, claimed: int | None = None, riff: int | None = None
) -> bytes:
    """A WAV that says of itself what it is told to say."""
    align = channels * max(bits // 8, 1)
    head = struct.pack("<HHIIHH", form, channels, rate, rate * align & 0xFFFFFFFF, align & 0xFFFF, bits)
    data = b"data" + struct.pack("<I", len(body) if claimed is None else claimed) + body
    rest = b"WAVEfmt " + struct.pack("<I", len(head)) + head + data
    return b"RIFF" + struct.pack("<I", len(rest) if riff is None else riff) + rest


def _floats(*values: float) -> bytes:
    return np.array(values * 800, "<f4").tobytes()


def corpus() -> dict[str, bytes]:
    """By what is wrong or odd about each."""
    plain = wav(TONE)
    chance = random.Random(1)
    found = {
        "nothing": b"",
        "one byte": b"R",
        "0 s": wav(b""),
        "0.1 s": wav(TONE[:1600]),
        "half a sample": wav(TONE[:801]),
        "one sample": wav(TONE[:2]),
        "a web page": b"<!doctype html><html><body>Not found</body></html>" * 20,
        "a playlist": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        "a list of files": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "a session": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
        "a picture": encoded_picture(),
        "zeros": bytes(5000),
        "ones": b"\xff" * 5000,
        "RIFF and no more": b"RIFF",
        "RIFF in RIFF": wav(plain),
        "another RIFF": plain.replace(b"WAVE", b"AVI "),
        "no data chunk": plain.replace(b"data", b"junk"),
        "no format chunk": plain.replace(b"fmt ", b"fmt2"),
        "two format chunks": plain[:36] + plain[12:36] + plain[36:],
        "a huge claimed length": wav(TONE, claimed=0xFFFFFFFF, riff=0xFFFFFFFF),
        "a claimed length of nothing": wav(TONE, claimed=0),
        "a claimed length of one less": wav(TONE, claimed=len(TONE) - 1),
        "a huge claimed chunk before": plain[:12] + b"LIST" + struct.pack("<I", 0x7FFFFFFF) + plain[12:],
        "a huge claimed format": plain[:16] + struct.pack("<I", 0x7FFFFFFF) + plain[20:],
        "no channels": wav(TONE, channels=0),
        "65535 channels": wav(TONE, channels=65535),
        "64 channels": wav(TONE, channels=64),
        "no rate": wav(TONE, rate=0),
        "1 sample a second": wav(TONE, rate=1),
        "4 billion samples a second": wav(TONE, rate=0xFFFFFFFF),
        "768 kHz": wav(TONE, rate=768_000),
        "0 bits": wav(TONE, bits=0),
        "7 bits": wav(TONE, bits=7),
        "65535 bits": wav(TONE, bits=65535),
        "24 bits": wav(TONE, bits=24),
        "32 bits": wav(TONE, bits=32),
        "64 bits": wav(TONE, bits=64),
        "8 bits": wav(TONE, bits=8),
        "an unknown form": wav(TONE, form=0x1234),
        "GSM that is none": wav(TONE, form=0x31),
        "MP3 that is none": wav(TONE, form=0x55),
        "ADPCM that is none": wav(TONE, form=0x11, bits=4),
        "G.723 that is none": wav(TONE, form=0x42),
        "not a number": wav(_floats(float("nan")), form=3, bits=32),
        "infinite": wav(_floats(float("inf"), float("-inf")), form=3, bits=32),
        "too loud by far": wav(_floats(1e38, -1e38), form=3, bits=32),
        "the smallest numbers": wav(_floats(1e-45, -1e-45), form=3, bits=32),
        "the loudest there is": wav(np.array([32767, -32768] * 2000, "<i2").tobytes()),
        "stereo": encoded("pcm_s16le", layout="stereo"),
        "48 kHz": encoded("pcm_s16le", rate=48_000),
        "really 24 bits": encoded("pcm_s24le"),
        "mu-law": encoded("pcm_mulaw"),
        "a-law": encoded("pcm_alaw"),
        "float": encoded("pcm_f32le"),
        "double": encoded("pcm_f64le", rate=44_100, layout="stereo"),
        "MP3 named WAV": encoded("libmp3lame", "mp3", 16_000),
        "MP3 in WAV": encoded("libmp3lame", "wav", 16_000),
        "FLAC": encoded("flac", "flac"),
        "AIFF": encoded("pcm_s16be", "aiff"),
        "AU": encoded("pcm_mulaw", "au"),
        "Ogg Opus": encoded("libopus", "ogg", 48_000),
        "two files": plain + plain,
        "noise after it": plain + chance.randbytes(5000),
        "noise in a header of sound": wav(chance.randbytes(5000)),
    }
    found |= {f"noise {number}": chance.randbytes(3000) for number in range(3)}
    found |= {
        f"cut after {cut} bytes": plain[:cut]
        for cut in (4, 8, 11, 12, 16, 20, 22, 24, 28, 34, 36, 40, 43, 44, 45, 46, 100, 1000, 2001, len(plain) - 1)
    }
    return found


def encoded_picture() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
        for one in (av.VideoFrame(16, 16, "yuv420p"), None):
            out.mux(stream.encode(one))
    return file.getvalue()


def mutated(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Files of the corpus with bytes changed, cut out, doubled and exchanged between them."""
    chance, files = random.Random(seed), corpus()
    names = [name for name in files if files[name]]
    for number in range(count):
        name, other = chance.choice(names), files[chance.choice(names)]
        sound = bytearray(files[name])
        for _ in range(chance.choice((1, 1, 2, 8))):
            at, length = chance.randrange(len(sound) + 1), chance.choice((1, 1, 2, 4, 100))
            match chance.randrange(5):
                case 0:
                    sound[at : at + length] = chance.randbytes(length)
                case 1:
                    del sound[at : at + length]
                case 2:
                    sound[at:at] = sound[at : at + length]
                case 3:
                    sound[at : at + length] = other[at : at + length]
                case 4 if len(sound) > 44:
                    head = chance.randrange(40)
                    sound[head : head + 4] = chance.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\1\0\0\0"))
        yield f"seed {seed}, number {number}, of {name!r}", bytes(sound)
