"""The same properties through the web process: signed webhooks in, TwiML out, with the news of recordings in any order."""

import itertools
import tempfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from werkzeug.test import TestResponse

from tests.caller import RECORDINGS, Caller, Said
from tests.conftest import TEST_PROMPTS
from tests.web import Web
from voice import store
from voice.content import load
from voice.dialogue.events import HANGUP, SILENCE, CallStarted, Event, HungUp, KeysPressed, NoInput, UtteranceRecorded, WordsHeard
from voice.dialogue.session import Session
from voice.dialogue.turn import Hangup, Menu, Record, Turn, Wait
from voice.prompts import Prompt

PROMPTS = load(TEST_PROMPTS / "da")
QUESTIONS = {guide.id: {question.id for question in guide.questions} for guide in PROMPTS.guides}
BY_TEXT = {prompt.text: prompt for prompt in PROMPTS}


class WebLine:
    """Obeys the TwiML: every URL that it asks for was found in the reply before."""

    def __init__(self, web: Web, call: int, number: int) -> None:
        self.web = web
        self.call_sid = f"CA{call:032x}"
        self.number = f"+45{20_000_000 + number}"
        self.urls: dict[str, str] = {}
        self.preparation = ""
        self.base = "/calls"
        self.late: list[tuple[str, dict[str, str]]] = []
        self.recordings = 0
        self._session: Session | None = Session()

    @property
    def session(self) -> Session:
        """What the line's memory holds. It is looked up once after each request."""
        if self._session is None:
            with store.reading(self.web.engine) as look:
                self._session = Session.from_json(store.locked_call(look, self.call_sid).session)
        return self._session

    def happens(self, event: Event) -> Turn:
        match event:
            case CallStarted():
                self.last = ("/calls", {})
            case HungUp():
                self.last = ("/calls/status", {"CallStatus": "completed"})
            case KeysPressed(keys):
                self.last = (self.urls["gather"], {"Digits": keys})
            case WordsHeard(words):
                self.last = (self.urls["gather"], {"SpeechResult": words} if words else {})
            case NoInput():
                self.last = (self.urls["redirect"], {})
            case UtteranceRecorded(recording, seconds, ended_by):
                digits = {SILENCE: "", HANGUP: "hangup"}.get(ended_by, ended_by)
                action = (self.urls["action"], {"RecordingSid": recording, "RecordingDuration": str(seconds), "Digits": digits})
                return self._recorded(action, recording)
        return self._post(*self.last)

    def happens_again(self) -> Turn:
        return self._post(*self.last)

    def deliver_late_news(self) -> None:
        for path, form in reversed(self.late):
            assert self._request(path, form).status_code == 204

    def _recorded(self, action: tuple[str, dict[str, str]], recording: str) -> Turn:
        """The action and the status callback are separate requests: before, after, twice, or much later."""
        self.last = action
        self.recordings += 1
        news = (self.urls["news"], {"RecordingSid": recording, "RecordingStatus": "completed", "RecordingDuration": "3"})
        order = self.recordings % 4
        if order in (0, 1):
            self.late.append(news)
            self.deliver_late_news() if order else None
        turn = self._post(*action)
        if order in (2, 3):
            self.late.append(news)
        if order == 3:
            self.deliver_late_news()
        return turn

    def _post(self, path: str, form: dict[str, str]) -> Turn:
        response = self._request(path, form)
        if path == "/calls/status":
            assert response.status_code == 204
            return Turn((), Hangup())
        assert response.status_code == 200
        return self._read(response.text)

    def _request(self, path: str, form: dict[str, str]) -> TestResponse:
        self._session = None
        return self.web.post(path, {"CallSid": self.call_sid, "From": self.number, **form}, base=self.base)

    def _read(self, xml: str) -> Turn:
        """The Turn that the TwiML stands for, from nothing but the TwiML."""
        response = ElementTree.fromstring(xml)
        verbs = [verb.tag for verb in response]
        texts = ["".join(spoken.itertext()) for spoken in response.iter("Say")]
        say = tuple(BY_TEXT.get(text, Prompt("other", text)) for text in texts)
        then: Wait
        if "Hangup" in verbs:
            return Turn(say, Hangup())
        gather, record = response.find("Gather"), response.find("Record")
        assert verbs[-1] == "Redirect", "nothing follows when the caller does nothing"
        self.urls = {"gather": gather.attrib["action"], "redirect": response.find("Redirect").text}
        if record is None:
            then = Menu(int(gather.attrib["timeout"]), "speech" in gather.attrib["input"])
        else:
            assert verbs == ["Gather", "Record", "Redirect"]
            self.urls |= {"action": record.attrib["action"], "news": record.attrib["recordingStatusCallback"]}
            self.preparation, question, take = record.attrib["action"].partition("answer=")[2].split(".")
            then = Record(question, int(take), int(record.attrib["timeout"]), int(record.attrib["maxLength"]))
        return Turn(say, then)


class WebCaller(Caller):
    prompts = PROMPTS
    web: Web
    broke_off = False  # whether an earlier call from this number can be gone on with
    calls = itertools.count(1)

    def line(self) -> WebLine:
        number = next(self.calls)
        self.before: list[Said] = []
        if self.broke_off:
            self.before = self._break_off(WebLine(self.web, number, number))
        return WebLine(self.web, next(self.calls), number)

    @staticmethod
    def _break_off(line: WebLine) -> list[Said]:
        """A call that ends in the middle of an answer that is said again."""
        said: list[Said] = []
        line.happens(CallStarted())
        for keys, ended_by in (("12", "#"), ("2", HANGUP)):
            turn = [line.happens(KeysPressed(key)) for key in keys][-1]
            assert isinstance(turn.then, Record)
            said.append(Said(line.preparation, turn.then.question, turn.then.take, f"RE{next(RECORDINGS):032x}"))
            line.happens(UtteranceRecorded(said[-1].recording, 9, ended_by))
        return said

    def said_before(self) -> list[Said]:
        return list(self.before)

    def teardown(self) -> None:
        super().teardown()
        if not hasattr(self, "turn"):
            return
        self.rung.deliver_late_news()
        with store.reading(self.web.engine) as look:
            rows = look.execute(store.utterances.select().where(store.utterances.c.call_sid == self.rung.call_sid)).all()
            guides = [store.locked_preparation(look, row.preparation).guide for row in rows]
            waiting = look.exec_driver_sql("SELECT workflow_uuid FROM workflow_status").scalars().all()
        if self.rung.session.ended == "deleted":
            assert rows == [], "something is left of what was deleted"
            assert {f"erase:{recording}:1" for _, recording in self.recorded} <= set(waiting), "a recording is left at the provider"
            return
        strays = [(row.question, guide) for row, guide in zip(rows, guides, strict=True) if row.question not in QUESTIONS[guide]]
        assert strays == [], "an answer is in another guide's preparation"
        kept = Counter((row.question, row.id) for row in rows if row.status != "keyed")
        assert kept == Counter(self.recorded), "an answer is lost, doubled or on another question"
        assert {f"fetch:{recording}:1" for _, recording in self.recorded} <= set(waiting), "a recording is never fetched"


def run(examples: int, *, broke_off: bool = False, opening: str = "") -> None:
    """Call many times. The database lies in memory-backed storage where there is some: a disk's sync is not the matter here."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        web = Web(Path(folder), RESUME_WINDOW="30")
        try:
            chosen = type("Chosen", (WebCaller,), {"web": web, "broke_off": broke_off, "opening": opening})
            run_state_machine_as_test(chosen, settings=settings(max_examples=examples, stateful_step_count=40, phases=[Phase.generate]))
        finally:
            web.close()


@pytest.mark.parametrize(("broke_off", "opening", "part"), [(False, "", 8), (True, "", 16), (True, "111", 16)])
def test_a_caller_who_obeys_the_twiml_finds_every_property_kept(broke_off: bool, opening: str, part: int) -> None:
    run(settings().max_examples // part, broke_off=broke_off, opening=opening)
