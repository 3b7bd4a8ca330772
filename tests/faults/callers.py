"""Invented calls. Each answer is a mark that no other answer has, in real sound, so that it can be found again in the mail."""

import itertools
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from tests.canary import Canaries
from tests.conftest import TEST_PROMPTS
from tests.dtmf_transcriber import dtmf_wav
from voice.content import load
from voice.exchange import CallRecord, Script, media
from voice.local.line import LocalLine

PROMPTS = load(TEST_PROMPTS / "da")
KEYS_BEFORE = 3  # that lead to the guide with the yes/no question


@dataclass
class Plan:
    """What one caller will say: a mark for each question."""

    script: Script
    marks: dict[str, str]  # mark -> question, in the order of speaking
    key: str  # the answer to the yes/no question


@dataclass
class Fate:
    """A call and what the line acknowledged of it."""

    plan: Plan
    record: CallRecord
    acknowledged: dict[str, str] = field(default_factory=dict)  # recording -> mark
    key_acknowledged: bool = False  # the answer to the yes/no question


class Callers:
    """Invents calls."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        tail = str(self._random.randrange(10_000_000, 90_000_000))  # in which all marks end: by it all are looked for
        self._marks = (f"{number}{tail}" for number in itertools.count(100))
        self._lock = threading.Lock()
        self.canaries = Canaries.fresh(media.decode(dtmf_wav(tail), "audio/wav"))
        self.said = replace(Canaries.fresh(), number=tail)  # looked for as a number is: with blanks, as the recogniser writes it

    def anybody(self) -> Plan:
        """A call as it may come, on a day that may be bad."""
        with self._lock:
            choose = self._random.choice
            settings = [f"callbacks late {choose(('0', '0.1', '0.1', '1', '3'))}"]
            settings += [choose(("", "", "callbacks doubled", "callbacks reversed", "actions doubled", "actions parallel"))]
            if choose((True, False, False)):
                return self._one_question(settings, choose(([], ["hang up"], ["key #"])))
            return self._three_questions(settings, choose("12"), choose((5, 6, 9, 9, 9, 9)), choose(([], ["hang up"])))

    def golden(self, *settings: str) -> Plan:
        """The call that everything happens in: three answers, silences, a key, the end, on a good day unless ``settings`` say otherwise."""
        with self._lock:
            return self._three_questions(["callbacks late 0", *settings], "1", 9, [])

    def lost(self) -> Plan:
        """A call that breaks off after its first answer, and of which no news comes."""
        with self._lock:
            return self._three_questions(["callbacks dropped"], "1", 5, ["hang up"])

    def _one_question(self, settings: list[str], end: list[str]) -> Plan:
        mark = next(self._marks)
        return Plan(self._script([*settings, "key 1", "key 2", f'speak "{mark}"', *end]), {mark: "eneste"}, "")

    def _three_questions(self, settings: list[str], key: str, steps: int, end: list[str]) -> Plan:
        first, second, third = (next(self._marks) for _ in range(3))
        whole = ["key 1", "key 1", "key 1", f'speak "{first}"', "silence", "silence", f"key {key}"]
        whole += [f'speak "{second}"', f'speak "{third}"']
        marks = {first: "hvad", second: "hvem", third: "vigtigst"}
        return Plan(self._script([*settings, *whole[:steps], *end]), marks, {"1": "yes", "2": "no"}[key])

    def _script(self, lines: list[str]) -> Script:
        return Script.parse("\n".join([f"from {self.canaries.number}", *lines]), speak=dtmf_wav)


@contextmanager
def calling(line: LocalLine, callers: Callers, people: int = 3) -> Iterator[list[Fate]]:
    """So many people call, each one call after the other, as long as the block lasts. Afterwards the list holds what became of them."""
    fates: list[Fate] = []
    enough = threading.Event()
    with ThreadPoolExecutor(people) as pool:
        placed = [pool.submit(_place_calls, line, callers, enough) for _ in range(people)]
        try:
            yield fates
        finally:
            enough.set()
    fates += [fate for future in placed for fate in future.result()]


def _place_calls(line: LocalLine, callers: Callers, enough: threading.Event) -> list[Fate]:
    fates = []
    while not enough.is_set():
        plan = callers.anybody()
        record, _ = line.exchange.play(plan.script)
        fates.append(Fate(plan, record))
        if record.errors:
            time.sleep(0.2)
    return fates
