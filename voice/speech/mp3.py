"""Samples written as an MP3 with chapter marks, through PyAV (FFmpeg and LAME)."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import av

from voice.errors import SpeechError
from voice.speech.audio import Samples

BITS_PER_SECOND = 24_000  # clear for speech from a telephone
# LAME's choices for telephone speech: less than half the time of its defaults, and measured no further from the original.
_LAME = {"compression_level": "7"}
# ID3v2.3, which every player reads; nothing of when or by what version it was made: the same sound gives the same bytes.
_CONTAINER = {"id3v2_version": "3", "fflags": "+bitexact"}


@dataclass(frozen=True, slots=True)
class Chapter:
    """A mark that players show and jump to. It lasts until the next one."""

    title: str
    start: int  # the sample at which it begins


def mp3(samples: Samples, rate: int, *, title: str, chapters: Sequence[Chapter]) -> bytes:
    """The mono samples as an MP3. Raises SpeechError(permanent=True) when it cannot be made."""
    if not samples.size:
        raise SpeechError("There is no sound to write as an MP3.", permanent=True)
    file = io.BytesIO()
    try:
        with av.open(file, "w", format="mp3", container_options=_CONTAINER) as output:
            output.metadata["title"] = title
            ends = [chapter.start for chapter in chapters[1:]] + [samples.size]
            output.set_chapters(
                [
                    {
                        "id": number,
                        "start": chapter.start * 1000 // rate,
                        "end": end * 1000 // rate,
                        "time_base": Fraction(1, 1000),
                        "metadata": {"title": chapter.title},
                    }
                    for number, (chapter, end) in enumerate(zip(chapters, ends, strict=True))
                ]
            )
            stream = output.add_stream("libmp3lame", rate=rate, layout="mono", bit_rate=BITS_PER_SECOND, options=_LAME)
            frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="fltp", layout="mono")
            frame.sample_rate = rate
            for one in (frame, None):
                output.mux(stream.encode(one))
    except (av.error.FFmpegError, ValueError) as error:
        raise SpeechError("The MP3 cannot be made.", permanent=True) from error
    return file.getvalue()
