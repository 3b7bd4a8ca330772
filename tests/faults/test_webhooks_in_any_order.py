"""Webhooks that come doubled, at once, late by an hour, again after the end, or by way of the fallback: each mail is the same as ever.

The caller of ``tests/caller.py`` rings a whole line, web and worker, whose clock the test moves. What everybody said has a mark.
"""

import itertools
import random
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test
from twilio.request_validator import RequestValidator

from tests.caller import RECORDINGS, Caller
from tests.dtmf_transcriber import spaced
from tests.faults.desk import Desk, a_desk
from tests.faults.report import Cases
from tests.signing import FIELDS
from tests.test_webhook_properties import PROMPTS, WebLine
from tests.web import BASE, TOKEN
from voice.dialogue.events import HungUp
from voice.dialogue.turn import Hangup, Record, Turn

HOUR = 3600.0
MARKS = itertools.count(1_000_000_000)
CALLS = itertools.count(1)
FALLBACK = {"ErrorCode": "11200", "ErrorUrl": f"{BASE}/calls/1"}  # what a request by way of the fallback URL has more


class StormyLine(WebLine):
    """Sends some requests several times at once, and remembers all of them so that they can come again."""

    def __init__(self, desk: Desk, chance: random.Random, pool: ThreadPoolExecutor) -> None:
        number = next(CALLS)
        super().__init__(desk.web, number, number)
        self.desk = desk
        self.chance = chance
        self.pool = pool
        self.sent: list[tuple[str, dict[str, str]]] = []
        self.said: dict[str, tuple[str, str, int]] = {}  # mark -> preparation, question and take

    def send(self, path: str, form: Mapping[str, str], token: str = "first") -> tuple[int, str]:
        """One request, from a client of its own, so that several can be sent at once."""
        self._session = None
        url = BASE + path.partition("#")[0]
        fields = {**FIELDS, "CallSid": self.call_sid, "From": self.number, **form}
        headers = {"X-Twilio-Signature": RequestValidator(TOKEN).compute_signature(url, fields), "I-Twilio-Idempotency-Token": token}
        reply = self.web.app.test_client().post(url.removeprefix(BASE), base_url=BASE, data=fields, headers=headers)
        return reply.status_code, reply.text

    def at_once(self, *requests: tuple[str, dict[str, str]]) -> list[tuple[int, str]]:
        return list(self.pool.map(lambda request: self.send(*request), requests))

    def happens(self, event: object) -> Turn:
        if isinstance(event, HungUp) and self.late and self.chance.random() < 0.5:  # the end and late news of a recording, at once
            path, form = self.chance.choice(self.late)
            self.sent.append((path, form))
            self.last = ("/calls/status", {"CallStatus": "completed"})
            assert {code for code, _ in self.at_once(self.last, (path, form))} == {204}
            self.sent.append(self.last)
            return Turn((), Hangup())
        return super().happens(event)  # type: ignore[arg-type]

    def deliver_late_news(self) -> None:
        self.chance.shuffle(self.late)
        for news in self.late:
            self.sent.append(news)
            assert {code for code, _ in self.at_once(*[news] * self.chance.choice((1, 1, 2, 4)))} == {204}

    def speaks_and_is_cut_off(self) -> None:
        """The request to the action never comes; of the recording there is news alone, much later."""
        recording = f"RE{next(RECORDINGS):032x}"
        self._speak(self.urls["action"], recording)
        self.late.append((self.urls["news"], {"RecordingSid": recording, "RecordingStatus": "completed", "RecordingDuration": "3"}))

    def _recorded(self, action: tuple[str, dict[str, str]], recording: str) -> Turn:
        self._speak(action[0], recording)
        return super()._recorded(action, recording)

    def _speak(self, action: str, recording: str) -> None:
        preparation, question, take = action.partition("answer=")[2].split(".")
        mark = str(next(MARKS))
        self.desk.provider.recordings[recording] = mark
        self.said[mark] = preparation, question, int(take)

    def _post(self, path: str, form: dict[str, str]) -> Turn:
        self.sent.append((path, form))
        first, *others = self.at_once(*[(path, form)] * self.chance.choice((1, 1, 1, 2, 3)))
        assert set(others) <= {first}, "the same webhook at the same time got another reply"
        if path == "/calls/status":
            assert first[0] == 204
            return Turn((), Hangup())
        assert first[0] == 200
        return self._read(first[1])

    def comes_again(self, which: int) -> None:
        """Any request from before, as it was or by way of the fallback."""
        path, form = self.sent[which % len(self.sent)]
        more = self.chance.choice(({}, {}, FALLBACK))
        code, _ = self.send(path, {**form, **more}, token=str(which))
        assert code in (200, 204)


class StormyCaller(Caller):
    prompts = PROMPTS
    desk: Desk
    pool: ThreadPoolExecutor

    def line(self) -> StormyLine:
        self.mails = len(self.desk.mails)
        return StormyLine(self.desk, random.Random(next(CALLS)), self.pool)

    @rule(which=st.integers(0, 200))
    def an_earlier_webhook_comes_again(self, which: int) -> None:
        before = self.rung.session
        if (self.rung.sent[which % len(self.rung.sent)][0]) == "/calls/status":
            return
        self.rung.comes_again(which)
        assert self.rung.session == before, "a webhook from before moved the call"

    @precondition(lambda self: self.rung.session.turn > 0)
    @rule(minutes=st.sampled_from([0, 0, 1, 5]))
    def time_goes_by_and_the_worker_works(self, minutes: int) -> None:
        self.desk.later(60 * minutes)
        self.desk.work(most=1000)

    def teardown(self) -> None:
        super().teardown()
        if not hasattr(self, "turn"):
            return
        line = self.rung
        if isinstance(self.turn.then, Record) and line.chance.random() < 0.7:
            line.speaks_and_is_cut_off()
        if not line.session.over:
            line.happens(HungUp())
        deleted, sent = line.session.ended == "deleted", len(self.desk.mails)
        self.desk.work_until(self.desk.now + HOUR)
        line.deliver_late_news()
        for which in line.chance.sample(range(len(line.sent)), min(10, len(line.sent))):
            line.comes_again(which)
        self.desk.work_until(self.desk.now + HOUR)
        came = self.desk.words()[self.mails :]
        if deleted:
            assert len(self.desk.mails) == sent, "what was deleted was sent"
            assert set(line.desk.provider.recordings) <= self.desk.provider.deleted, "a recording is left at the provider"
            return
        self.check(came)
        assert self.desk.waiting() == [], "a job is left over"
        assert self.desk.dead_jobs() == []
        assert set(line.desk.provider.recordings) <= self.desk.provider.deleted, "a recording is left at the provider"

    def check(self, came: list[dict[str, str]]) -> None:
        """Every answer stands in one mail, once, under its question; one that was said anew may give way to the newer."""
        said = self.rung.said
        places = {spaced(mark): (question, take) for mark, (_, question, take) in said.items()}
        found = [(mark, question) for mail in came for question, words in mail.items() for mark in words.split(". ") if mark in places]
        assert len(found) == len({mark for mark, _ in found}), "an answer came twice"
        assert all(places[mark][0] == question for mark, question in found), "an answer stands under another question"
        newest = {(preparation, question): take for preparation, question, take in said.values()}
        last = {spaced(mark) for mark, (preparation, question, take) in said.items() if newest[preparation, question] == take}
        assert last <= {mark for mark, _ in found}, "an answer is lost"
        for mail in came:
            assert not {"failed", "incomplete"} & set(mail.values()), "a mail says that something is missing"


def run(examples: int, steps: int) -> None:
    with a_desk(RESUME_WINDOW="30") as desk, ThreadPoolExecutor(4) as pool:
        chosen = type("Chosen", (StormyCaller,), {"desk": desk, "pool": pool})
        wanted = settings(max_examples=examples, stateful_step_count=steps, phases=[Phase.generate], deadline=None)
        run_state_machine_as_test(chosen, settings=wanted)


@pytest.mark.row("webhooks in any order")
@pytest.mark.parametrize(
    ("times", "examples", "steps"),
    [
        pytest.param(1, 6, 25, id="test"),
        pytest.param(3, 100, 50, id="sample", marks=pytest.mark.faults),
        pytest.param(50, 100, 100, id="full", marks=pytest.mark.faults_full),
    ],
)
def test_whatever_order_webhooks_come_in_each_mail_is_the_same_as_ever(cases: Cases, times: int, examples: int, steps: int) -> None:
    for case in cases.take([f"{examples} x {steps}, {n}" for n in range(1, times + 1)]):
        with cases.trying(case):
            run(examples, steps)
