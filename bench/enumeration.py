"""Whether the time of an answer tells if a number is known: the medians of the first webhooks of calls from known and from unknown numbers.

Calls of either kind come in turns, so that a busy machine slows both. Beside the difference stands that between every other known
caller and the rest, which is what chance makes. Run: ``make bench``.

    python bench/enumeration.py [calls]
"""

import secrets
import statistics
import sys
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.mailbox_line import MailboxLine

CALLS = 500
STEPS = {"the line is called": "", "consent is given": "1"}


def main(calls: int = CALLS) -> None:
    """Place the calls and print the medians."""
    took: dict[tuple[str, str], list[float]] = {(step, kind): [] for step in STEPS for kind in ("known", "unknown")}
    with tempfile.TemporaryDirectory() as folder:
        line = MailboxLine(Path(folder))
        for number in range(calls // 2):
            line.knows(f"+4520{number:06}", f"one{number}@gmail.com")
        for place in range(calls):
            kind = ("known", "unknown")[place % 2]
            path, form = "/calls", {"CallSid": "CA" + secrets.token_hex(16), "From": f"+45{20 + place % 2}{place // 2:06}"}
            for step, key in STEPS.items():
                began = time.perf_counter()
                reply = line.web.post(path, {**form, **({"Digits": key} if key else {})})
                took[step, kind].append((time.perf_counter() - began) * 1000)
                gather = ElementTree.fromstring(reply.data).find("Gather")
                assert gather is not None, "the call has ended"
                path = gather.attrib["action"]
            line.web.post("/calls/status", {**form, "CallStatus": "completed"})
        line.close()
    print(f"| median of {calls} calls, ms | known | unknown | difference | by chance |\n|---|---|---|---|---|")
    for step in STEPS:
        known, unknown = took[step, "known"], took[step, "unknown"]
        apart = statistics.median(known) - statistics.median(unknown)
        chance = max(abs(statistics.median(one[::2]) - statistics.median(one[1::2])) for one in (known, unknown))
        print(f"| {step} | {statistics.median(known):.2f} | {statistics.median(unknown):.2f} | {apart:+.2f} | ±{chance:.2f} |")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
