"""The pictograms drawn as PNG for the mail: ``python -m tests.pictograms`` after a change to any SVG."""

import io
from pathlib import Path

import resvg_py
from PIL import Image

from voice import summary

FOLDER = Path(summary.__file__).parent / "pictograms"
PIXELS = 144  # twice the size at which the mail shows them


def drawn(svg: Path) -> bytes:
    """The drawing on white, as many mail readers show mail on black and leave pictures as they are."""
    large = bytes(resvg_py.svg_to_bytes(svg_string=svg.read_text(), width=PIXELS, height=PIXELS, background="white"))
    small = io.BytesIO()
    Image.open(io.BytesIO(large)).convert("RGB").quantize(16).save(small, "PNG", optimize=True)
    return small.getvalue()


if __name__ == "__main__":
    for svg in sorted(FOLDER.glob("*.svg")):
        svg.with_suffix(".png").write_bytes(drawn(svg))
