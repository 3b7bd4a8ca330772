"""``samtaleklar demo`` on a machine that has made its sounds already: ``python -m tests.spoken_demo SOUNDS``."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

from tests.sounds import lay_sounds
from voice.__main__ import main
from voice.local import line


def spoken(sounds: Path, render_all: Any, config: Any, *more: Any) -> Any:
    lay_sounds(sounds, config.database_url)
    return render_all(config, *more)


if __name__ == "__main__":
    line.render_all = partial(spoken, Path(sys.argv[1]), line.render_all)
    sys.exit(main(["demo"]))
