"""FFmpeg's filters on samples, through PyAV."""

import itertools
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np

from voice.speech.audio import Samples

_PLAIN = ("aformat", "sample_fmts=flt:channel_layouts=mono")


def filtered(samples: Samples, rate: int, *filters: tuple[str, str]) -> Samples:
    """The samples after these filters, each an FFmpeg filter's name and its options. A filter may change the rate."""
    return np.concatenate([np.zeros(0, np.float32), *(frame.to_ndarray()[0] for frame in frames(samples, rate, *filters, _PLAIN))])


def frames(samples: Samples, rate: int, *filters: tuple[str, str]) -> Iterator[av.AudioFrame]:
    """The same, frame by frame, with what a measuring filter notes in each frame's metadata."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=rate, format="flt", layout="mono", time_base=Fraction(1, rate))
    chain = [source, *(graph.add(name, options) for name, options in filters), graph.add("abuffersink")]
    for one, following in itertools.pairwise(chain):
        one.link_to(following)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout="mono")
    frame.sample_rate = rate
    frame.pts = 0
    source.push(frame)
    source.push(None)
    while True:
        try:
            pulled = chain[-1].pull()
        except (av.error.EOFError, av.error.BlockingIOError):
            return
        assert isinstance(pulled, av.AudioFrame)
        yield pulled
