"""The time of day, which may be set while we run, beside a time that nobody sets."""

import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

CLOCK_JUMP = 60.0  # seconds within which a clock is kept right; more is a step of it, or a sleep of the machine
CLOCK_TRUSTED_AFTER = 3600.0  # seconds after a step: until then nothing goes because it seems old


class Clock:
    """Watches for steps. ``steady``: seconds that only ever pass."""

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self._steady = steady
        self._ahead = time.time() - steady()  # it changes when the clock is set
        self._untrusted_until = self._checked = steady()

    @property
    def trusted(self) -> bool:
        """Whether what seems old may go."""
        return self._steady() >= self._untrusted_until

    def doubt(self) -> None:
        """It may be wrong: nothing goes for its age until there was time to set it right."""
        self._untrusted_until = self._steady() + CLOCK_TRUSTED_AFTER

    def look(self) -> bool:
        """Call it often. Whether waits should be looked through, for one that a step has made endless.

        So it is after a step, and else now and then: another machine's clock may have been set, or ours while nobody ran.
        """
        now, ahead = self._steady(), time.time() - self._steady()
        if stepped := abs(ahead - self._ahead) > CLOCK_JUMP:
            log.warning("the clock was set: nothing goes for its age in the next hour")
            self._ahead = ahead
            self.doubt()
        if due := stepped or now - self._checked > CLOCK_JUMP:
            self._checked = now
        return due
