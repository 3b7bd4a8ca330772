"""How steady the machine is: a clock that ticks in a process of its own and writes down when it came late.

Sound in real time can be judged only where time passes evenly. A host that shares its processors may stand still
for a second, and then a telephone call is torn through no fault of ours.
"""

import select
import subprocess
import sys
import time
from typing import Self

TICK = 0.02  # seconds: one frame of telephone sound
STEADY = 0.2  # seconds that a tick may come late: what the buffers of a call even out


class Beat:
    """Ticks while the block runs. Afterwards ``late`` is the longest that a tick was late, in seconds."""

    late = 0.0

    def __enter__(self) -> Self:
        self._clock = subprocess.Popen([sys.executable, "-S", "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._clock.stdout is not None
        self._clock.stdout.readline()
        return self

    def __exit__(self, *_: object) -> None:
        self.late = float(self._clock.communicate()[0])

    @property
    def steady(self) -> bool:
        return self.late < STEADY


def wait_until_steady(seconds: float) -> None:
    """Wait for a second of even time, but no longer than ``seconds``."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with Beat() as beat:
            time.sleep(1)
        if beat.steady:
            return


def tick_until_told() -> None:
    print("ticking", flush=True)
    late = 0.0
    due = time.monotonic() + TICK
    while not select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
        now = time.monotonic()
        late = max(late, now - due)
        due = now + TICK
    print(late)


if __name__ == "__main__":
    tick_until_told()
