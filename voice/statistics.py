"""``samtaleklar statistics``: how the line is used, in such numbers that nobody can be found in them.

A number under ten is not shown, and nothing is shown from which it could be reckoned: there are no totals, a guide that is hidden
is hidden together with another, and a month is shown when it can change no more. Else two looks, one on each side of a call,
would tell what guide that caller chose.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from voice import gone, store
from voice.config import Config
from voice.content import load_line
from voice.migrations import migrate
from voice.preparations import KEEP

FEW = 10
UNDER = f"under {FEW}"
HIDDEN = "not shown"  # it is not small, but would give another away
_WHOLE = (gone.FINISHED, gone.BROKEN_OFF, gone.SENT)


def shown(month: Mapping[str, int], guides: tuple[str, ...]) -> dict[str, str]:
    """What may be told of one month."""
    numbers = {what: month.get(what, 0) for what in (*_WHOLE, *(gone.GUIDE + guide for guide in guides))}
    told = {what: str(number) if number >= FEW else UNDER for what, number in numbers.items()}
    of_guides = [what for what in numbers if what not in _WHOLE]
    if any(told[what] == UNDER for what in of_guides):
        # Whatever was sent was said in some guide: one that is large must be able to be any size, or that number goes, small or not.
        large = [what for what in of_guides if numbers[what] >= FEW]
        told[min(large, key=lambda what: (numbers[what], what)) if large else gone.SENT] = HIDDEN
    return told


def closed_months(months: Mapping[str, dict[str, int]], now: float) -> list[str]:
    """Those that can change no more, from the first one on."""
    last = datetime.fromtimestamp(now - KEEP, UTC).replace(day=1) - timedelta(days=1)
    return [month for month in sorted(months) if month <= f"{last:%Y-%m}"]


def print_statistics(config: Config) -> None:
    """Print each month that is over, as a table."""
    migrate(config.database_url)
    engine = store.connect(config.database_url, wait=30)
    with store.reading(engine) as look:
        months = gone.monthly(look)
    engine.dispose()
    content = load_line(config.prompts_dir)
    often = {what for month in months.values() for what, number in month.items() if number >= FEW}
    guides = {guide.id for one in content.languages for guide in one.guides}
    guides |= {what.removeprefix(gone.GUIDE) for what in often if what.startswith(gone.GUIDE)}
    told = {month: shown(months[month], tuple(sorted(guides))) for month in closed_months(months, time.time())}
    if not told:
        print("There is nothing to tell yet: a month is shown a week after its end.")
        return
    columns = ["month", *next(iter(told.values()))]
    rows = [columns, *([month, *cells.values()] for month, cells in told.items())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
