"""Real telephone calls: a softphone rings the whole line over SIP and RTP, and the mail comes with the words."""

import csv
import statistics
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest

from tests.beat import STEADY, Beat, wait_until_steady
from tests.conftest import SHARED, TEST_PROMPTS, must_run
from tests.softphone import INSTALLED, Softphone
from voice.exchange import CallRecord, Entry, Exchange, media
from voice.exchange.conversation import What
from voice.exchange.sip import SipGateway
from voice.local.line import LocalLine

CLIPS = SHARED / "audio"
SECONDS = 60.0  # for anything that the line does next
MAIL_SECONDS = 300.0
TRIES = 4  # for a call during which the machine stood still
WAIT = 60.0  # seconds for the machine to become steady before each
CUT_OFF = 4.0  # seconds into the answer


def clip(name: str) -> bytes:
    return media.decode((CLIPS / "human" / name).read_bytes(), "audio/wav")


def words(name: str) -> list[str]:
    """What the clip says."""
    with (CLIPS / "MANIFEST.tsv").open(encoding="utf-8") as file:
        return next(row["words"] for row in csv.DictReader(file, delimiter="\t") if row["file"] == f"human/{name}").split()


class Caller:
    """Somebody with a softphone who hears, from the exchange, how far the call is."""

    def __init__(self, phone: Softphone, exchange: Exchange, port: int) -> None:
        self.phone = phone
        phone.dial(f"sip:+4570123456@127.0.0.1:{port}")
        phone.wait_for("CALL_ESTABLISHED")
        self.call = next(call for call in exchange.calls if call.from_number == phone.number)
        self._noted = 0

    def wait_until(self, what: What, text: str = "") -> None:
        """The line does this, after all that was waited for already."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for number, entry in enumerate(self._entries[self._noted :], start=self._noted + 1):
                if entry.what == what and text in entry.text:
                    self._noted = number
                    return
            time.sleep(0.01)
        raise AssertionError(f"the line never {what} {text}:\n{self.call.conversation}")

    @property
    def _entries(self) -> list[Entry]:
        return self.call.conversation.entries

    def press(self, keys: str) -> None:
        """One key at each place where the line listens."""
        for key in keys:
            self.wait_until("listens")
            self.phone.press(key)

    def press_early(self, key: str, during: str) -> None:
        self.wait_until("says", during)
        self.phone.press(key)

    def stay_to_the_end(self) -> None:
        """Leave the time to say it again unused, and let the line hang up."""
        self.wait_until("says", "Gemt. Om igen er to.")
        self.wait_until("listens")
        self.wait_until("says", "Farvel og tak.")
        self.phone.wait_for("CALL_CLOSED")

    def speak(self, name: str) -> None:
        self.wait_until("records")
        self.phone.speak(clip(name))


def answers(caller: Caller) -> None:
    caller.press("12")
    caller.speak("u0042008.wav")
    caller.stay_to_the_end()


def says_nothing(caller: Caller) -> None:
    caller.press("12")
    caller.stay_to_the_end()


def hangs_up_mid_answer(caller: Caller) -> None:
    caller.press_early("1", "Velkommen")
    caller.press_early("2", "Vælg")
    caller.speak("u0042011.wav")
    time.sleep(CUT_OFF)
    caller.phone.hang_up()


def presses_wrong_keys(caller: Caller) -> None:
    caller.press_early("9", "Velkommen")
    caller.press_early("1", "Må jeg optage")
    caller.press_early("7", "Vælg")
    caller.press_early("2", "Vælg")
    caller.press_early("5", "Hvad er det eneste")
    caller.speak("u0042015.wav")
    caller.stay_to_the_end()


def hangs_up_at_once(caller: Caller) -> None:
    caller.wait_until("says", "Velkommen")
    caller.phone.hang_up()


CALLS = (answers, says_nothing, hangs_up_mid_answer, presses_wrong_keys, hangs_up_at_once)


@dataclass(frozen=True)
class Ring:
    """What is left of a call."""

    call: CallRecord
    heard: bytes
    late: float  # seconds that the machine stood still in it

    @property
    def torn(self) -> float:
        """Seconds by which its sound may have slipped: none on a machine that kept time."""
        return 0.0 if self.late < STEADY else 3 * self.late


@dataclass(frozen=True)
class Day:
    """What is left of the calls."""

    rings: dict[Callable[[Caller], None], Ring]
    mails: list[str]
    recorded: int  # calls in which anything was
    prompts: dict[str, bytes]  # what the line says, and its sound


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    """All the calls at the same time; then again, one by one, those in which the machine stood still."""
    if not INSTALLED:
        must_run("baresip is not installed")
    if not CLIPS.is_dir():
        must_run(f"there are no human voices in {CLIPS}")
    settings = {"PROMPTS_DIR": str(TEST_PROMPTS), "ANSWER_SILENCE": "2"}
    with LocalLine(tmp_path_factory.mktemp("line"), settings) as line, SipGateway(line.exchange) as gateway:

        def ring(who: Callable[[Caller], None]) -> Ring | None:
            beat = Beat()
            try:
                with beat, Softphone(tmp_path_factory.mktemp("phone"), f"+45201234{CALLS.index(who):02}") as phone:
                    caller = Caller(phone, line.exchange, gateway.port)
                    who(caller)
                    caller.wait_until("hangs up")
            except AssertionError:
                if beat.steady:
                    raise
                return None
            return Ring(caller.call, bytes(phone.heard), beat.late)

        rings: dict[Callable[[Caller], None], Ring] = {}
        waiting = list(CALLS)
        for number in range(TRIES):
            wait_until_steady(WAIT)
            with ThreadPoolExecutor(1 if number else len(CALLS)) as pool:
                for who, made in zip(waiting, pool.map(ring, waiting), strict=True):
                    if made and (who not in rings or made.late < rings[who].late):
                        rings[who] = made
            waiting = [who for who in CALLS if who not in rings or rings[who].torn]
        line.exchange.settle()
        recorded = sum(1 for call in line.exchange.calls if call.recordings)
        bodies = [mail.get_body(("plain",)) for mail in line.mailbox.wait(recorded, MAIL_SECONDS)]
        urls = {hook.request.url for call in line.exchange.calls for hook in call.webhooks if hook.request.method == "GET"}
        wavs = [urllib.request.urlopen(url).read() for url in urls]
    return Day(
        rings,
        [body.get_content() for body in bodies if body],
        recorded,
        {media.caption(wav): media.decode(wav, "audio/wav") for wav in wavs},
    )


def share_of(spoken: list[str], mail: str) -> float:
    """How many of the words came through."""
    return sum(word in mail.lower().split() for word in spoken) / len(spoken)


@pytest.mark.parametrize(("who", "name"), [(answers, "u0042008.wav"), (presses_wrong_keys, "u0042015.wav")])
def test_the_words_of_a_real_call_come_by_mail(day: Day, who: Callable[[Caller], None], name: str) -> None:
    ring = day.rings[who]
    assert ring.call.status == "completed"
    assert ring.call.conversation.texts("says")[-1] == "Farvel og tak."
    assert max(share_of(words(name), mail) for mail in day.mails) > (0.1 if ring.torn else 0.4)


def test_what_was_said_before_hanging_up_comes_by_mail(day: Day) -> None:
    ring = day.rings[hangs_up_mid_answer]
    [recording] = ring.call.recordings
    assert media.seconds(recording.pcm) == pytest.approx(CUT_OFF, abs=0.7 + ring.torn)
    assert [entry.who for entry in ring.call.conversation.entries if entry.what == "hangs up"] == ["caller"]
    assert max(share_of(words("u0042011.wav")[:5], mail) for mail in day.mails) > (0.1 if ring.torn else 0.5)


def test_silence_is_no_answer_and_no_error(day: Day) -> None:
    call = day.rings[says_nothing].call
    assert call.conversation.texts("says")[-1] == "Farvel og tak."
    assert all("silence only, ended by silence" in text for text in call.conversation.texts("recorded"))
    assert any("Her hørte maskinen ingen ord." in mail for mail in day.mails)


def test_every_key_arrives_once_and_a_wrong_one_does_no_harm(day: Day) -> None:
    call = day.rings[presses_wrong_keys].call
    assert call.conversation.texts("presses") == ["9", "1", "7", "2", "5"]
    assert call.conversation.texts("says").count("Forkert tast.") == 3
    assert len(call.recordings) == 1


def test_who_hangs_up_at_once_leaves_nothing_behind(day: Day) -> None:
    call = day.rings[hangs_up_at_once].call
    assert (call.status, call.recordings) == ("completed", [])
    assert len(day.mails) == day.recorded


@pytest.mark.parametrize("who", [answers, says_nothing])
def test_the_caller_hears_every_prompt_at_its_time(day: Day, who: Callable[[Caller], None]) -> None:
    ring = day.rings[who]
    *says, last = (entry for entry in ring.call.conversation.entries if entry.what == "says")
    assert last.text == "Farvel og tak."  # the hang-up cuts off what the telephone still has in its buffers
    if ring.torn:
        return  # where time stood still in every try, sound cannot be judged in time
    found = [find(day.prompts[entry.text], ring.heard, entry.at) for entry in says]
    likenesses = [likeness for _, likeness in found]
    assert statistics.median(likenesses) > 0.95
    assert min(likenesses) > 0.5  # on a busy machine one or the other is torn
    delays = [at - entry.at for (at, _), entry in zip(found, says, strict=True)]
    assert 0 < min(delays) <= max(delays) < min(delays) + 0.3


def find(sound: bytes, heard: bytes, near: float) -> tuple[float, float]:
    """Where in what was heard, in seconds, the sound is likeliest to be, and how like it is there: 1 is the sound itself."""
    since = round(max(0.0, near - 1) * media.RATE)
    wanted = np.frombuffer(sound, "<i2").astype(float)
    window = np.frombuffer(heard, "<i2").astype(float)[since : since + len(wanted) + 3 * media.RATE]
    spectrum = np.fft.rfft(window, len(window) + len(wanted))
    products = np.fft.irfft(spectrum * np.conj(np.fft.rfft(wanted, len(window) + len(wanted))))[: len(window) - len(wanted)]
    best = int(products.argmax())
    there = window[best : best + len(wanted)]
    return (since + best) / media.RATE, float(products[best] / np.linalg.norm(there) / np.linalg.norm(wanted))
