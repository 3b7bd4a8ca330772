"""Webhooks that come twice, late, at once, in any order, broken, or never: the caller hears Danish, and no answer is lost."""

import itertools
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Row
from werkzeug.test import TestResponse

from tests.conftest import TEST_PROMPTS
from tests.postgres import Postgres
from tests.signing import FIELDS, a_web, everything, memory_folder, post
from tests.web import Web
from voice import calls as calls_module
from voice import directory, store
from voice.app import MAX_BODY
from voice.content import load
from voice.dialogue.session import Session
from voice.preparations import CALLBACK_LOST, Preparations
from voice.queue import Queue
from voice.speech.sounds import VOICES, prompt_keys

PROMPTS = load(TEST_PROMPTS / "da")
NUMBERS = itertools.count(1)
PLACE = f"{0:032x}.hvad.1"  # a recording's place in an address: preparation, question and take
NEWS = f"/calls/3/recording?answer={PLACE}"  # of a call that nobody knows


def recording() -> str:
    return f"RE{next(NUMBERS):032x}"


class Phone:
    """A call that does what it is told, at the addresses that the last TwiML gave."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.sid = f"CA{next(NUMBERS):032x}"
        self.sent: list[tuple[str, dict[str, str]]] = []
        self.urls: dict[str, str] = {}
        self.replies: list[str] = []

    def post(self, path: str, **form: str) -> TestResponse:
        path = path.partition("#")[0]
        self.sent.append((path, form))
        return self.again((path, form))

    def again(self, request: tuple[str, Mapping[str, str]]) -> TestResponse:
        """A client of its own each time, so that threads can share the call."""
        path, form = request
        return post(self.web.app.test_client(), path, {**FIELDS, "CallSid": self.sid, **form})

    def hears(self, reply: TestResponse) -> "Phone":
        response = danish(reply)
        self.replies.append(reply.text)
        self.urls = {"status": "/calls/status"}
        for verb in response:
            match verb.tag:
                case "Gather":
                    self.urls["key"] = verb.attrib["action"]
                case "Record":
                    self.urls |= {"action": verb.attrib["action"], "news": verb.attrib["recordingStatusCallback"]}
                case "Redirect":
                    self.urls["wait"] = str(verb.text)
        return self

    def start(self) -> "Phone":
        return self.hears(self.post("/calls"))

    def key(self, digits: str) -> "Phone":
        return self.hears(self.post(self.urls["key"], Digits=digits))

    def waits(self) -> "Phone":
        """Does nothing until the line goes on."""
        return self.hears(self.post(self.urls["wait"]))

    def at_question(self, guide: str = "lang") -> "Phone":
        """Says yes and chooses that guide."""
        return self.start().key("1").chooses(guide)

    def chooses(self, guide: str) -> "Phone":
        """Presses the keys that the guide's place in the menus gives it."""
        group = PROMPTS.guide(guide).group
        self.key(str([one.id for one in PROMPTS.groups].index(group) + 1))
        offered = [one.id for one in PROMPTS.guides if one.group == group]
        return self.key(str(offered.index(guide) + 1)) if len(offered) > 1 else self

    def speaks(self, sid: str, digits: str = "#", **more: str) -> "Phone":
        return self.hears(self.post(self.urls["action"], RecordingSid=sid, RecordingDuration="9", Digits=digits, **more))

    def news(self, sid: str, status: str = "completed", url: str | None = None) -> int:
        return self.post(url or self.urls["news"], RecordingSid=sid, RecordingStatus=status, RecordingDuration="9").status_code

    def ends(self) -> int:
        return self.post("/calls/status", CallStatus="completed").status_code

    # ---- what is stored

    @property
    def call(self) -> Row[Any]:
        with store.reading(self.web.engine) as look:
            return look.execute(store.calls.select().where(store.calls.c.call_sid == self.sid)).one()

    @property
    def session(self) -> Session:
        return Session.from_json(self.call.session)

    @property
    def utterances(self) -> dict[str, Row[Any]]:
        with store.reading(self.web.engine) as look:
            rows = look.execute(store.utterances.select().where(store.utterances.c.call_sid == self.sid)).all()
        return {row.id: row for row in rows}

    def preparation(self, preparation: str | None = None) -> Row[Any]:
        with store.reading(self.web.engine) as look:
            found = store.preparations.c.id == (preparation or self.call.preparation)
            return look.execute(store.preparations.select().where(found)).one()

    @property
    def answers(self) -> dict[str, str]:
        return {row.id: row.question for row in self.utterances.values()}


def danish(reply: TestResponse) -> ElementTree.Element:
    """It is TwiML that says Danish and then waits or hangs up."""
    assert (reply.status_code, reply.mimetype) == (200, "text/xml"), (reply.status_code, reply.data)
    response = ElementTree.fromstring(reply.text)
    assert response.tag == "Response"
    assert [verb.tag for verb in response] != ["Reject"], "the line does not take the call"
    assert response[-1].tag in ("Redirect", "Hangup")
    for said in response.iter("Say"):
        assert said.attrib["language"] == "da-DK"
        assert said.text
    return response


def said(reply: TestResponse) -> list[str]:
    return [str(verb.text) for verb in danish(reply).iter("Say")]


def phrase(name: str) -> list[str]:
    return [PROMPTS.phrase(name).text]


def jobs(web: Web) -> dict[str, Any]:
    """Every job by its id: None, or when it may begin, in milliseconds since 1970."""
    with store.reading(web.engine) as look:
        rows = look.exec_driver_sql("SELECT workflow_uuid, delay_until_epoch_ms FROM workflow_status").all()
    return {row[0]: row[1] for row in rows}


def at_once(*requests: Callable[[], Any]) -> list[Any]:
    with ThreadPoolExecutor(len(requests)) as threads:
        return [future.result() for future in [threads.submit(request) for request in requests]]


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with a_web() as web:
        yield web


@pytest.fixture
def phone(web: Web) -> Phone:
    return Phone(web)


# ---- twice, late, at once


def test_a_duplicate_of_any_webhook_gets_the_same_bytes_and_changes_nothing(web: Web, phone: Phone) -> None:
    first = recording()
    news = phone.at_question().urls["news"]
    phone.speaks(first).waits().key("1").speaks(recording(), "*")
    assert phone.news(first, url=news) == 204
    before, last = everything(web.engine), phone.replies[-1]
    for request in list(phone.sent):
        reply = phone.again(request)
        assert reply.status_code == 204 if "recording" in request[0] else reply.text == last, request
        assert everything(web.engine) == before, request


def test_an_immediate_retry_of_each_webhook_gets_its_own_reply_again(phone: Phone) -> None:
    for step in ("start", "key 1", "key 1", "key 1", "speak", "wait", "key 1", "wait"):
        match step.split():
            case ["start"]:
                phone.start()
            case ["key", digits]:
                phone.key(digits)
            case ["speak"]:
                phone.speaks(recording())
            case ["wait"]:
                phone.waits()
        turn = phone.session.turn
        assert phone.again(phone.sent[-1]).text == phone.replies[-1]
        assert phone.session.turn == turn
    assert len(set(phone.replies)) == 8


def test_a_late_webhook_of_an_earlier_turn_does_not_answer_the_question_that_is_asked_now(phone: Phone) -> None:
    phone.at_question()
    stale = dict(phone.urls)
    phone.speaks(recording()).waits().key("1")
    asked = phone.session
    for path, form in ((stale["key"], {"Digits": "#"}), (stale["wait"], {}), (stale["key"], {"SpeechResult": "ja"})):
        assert phone.post(path, **form).text == phone.replies[-1]
        assert phone.session == asked


def test_a_webhook_of_a_turn_that_has_not_come_yet_changes_nothing(phone: Phone) -> None:
    phone.at_question()
    asked = phone.session
    for turn in (asked.turn + 1, 50, 9999):
        assert phone.post(phone.web.address(phone.sid, turn), Digits="1").text == phone.replies[-1]
    assert phone.session == asked


def test_eight_copies_of_a_call_s_start_at_once_are_one_call(web: Web, phone: Phone) -> None:
    replies = at_once(*[lambda: phone.again(("/calls", {}))] * 8)
    assert len({reply.text for reply in replies}) == 1
    assert phone.hears(replies[0]).session.turn == 1


def test_eight_copies_of_an_answer_at_once_are_one_answer_on_the_right_question(web: Web, phone: Phone) -> None:
    sid = recording()
    action = (phone.at_question().urls["action"], {"RecordingSid": sid, "RecordingDuration": "9", "Digits": "#"})
    asked = phone.session
    news = (phone.urls["news"].partition("#")[0], {"RecordingSid": sid, "RecordingStatus": "completed"})
    replies = at_once(*[lambda: phone.again(action), lambda: phone.again(news)] * 4)
    assert len({reply.text for reply in replies[::2]}) == 1
    assert {reply.status_code for reply in replies[1::2]} == {204}
    assert phone.answers == {sid: "hvad"}
    assert (phone.session.turn, phone.session.place, phone.session.answered) == (asked.turn + 1, "answered", ("hvad",))
    assert [name for name in jobs(web) if name.startswith(f"fetch:{sid}:1")] == [f"fetch:{sid}:1"]


def test_two_different_keys_at_once_are_one_choice(phone: Phone) -> None:
    phone.start()
    url = phone.urls["key"]
    replies = at_once(*[lambda digit=digit: phone.again((url, {"Digits": digit})) for digit in "12121212"])
    assert len({reply.text for reply in replies}) == 1
    assert phone.session.turn == 2


def test_a_yes_that_comes_eight_times_at_once_is_kept_once(phone: Phone) -> None:
    phone.at_question().speaks(recording()).waits()
    url, turn = phone.urls["key"], phone.session.turn
    at_once(*[lambda: phone.again((url, {"Digits": "1"}))] * 8)
    assert [row.status for row in phone.utterances.values()].count("keyed") == 1
    assert phone.answers[f"{phone.sid}:{turn}"] == "er_det"


def test_many_calls_at_once_keep_apart(web: Web) -> None:
    phones = [Phone(web) for _ in range(6)]
    sids = [recording() for _ in phones]
    at_once(*[lambda phone=phone, sid=sid: phone.at_question().speaks(sid).ends() for phone, sid in zip(phones, sids, strict=True)])
    assert [list(phone.answers) for phone in phones] == [[sid] for sid in sids]
    assert len({phone.call.preparation for phone in phones}) == 6


# ---- the end


def test_after_the_end_nothing_changes_and_late_recordings_are_taken_in(web: Web, phone: Phone) -> None:
    sid = recording()
    phone.at_question()
    urls = dict(phone.urls)
    assert phone.ends() == 204
    over, ended_at = phone.session, phone.call.ended_at
    assert over.over
    for path, form in (
        (urls["key"], {"Digits": "1"}),
        (urls["wait"], {}),
        ("/calls", {}),
        (phone.web.address(phone.sid, over.turn), {"Digits": "1"}),
    ):
        assert "Hangup" in [verb.tag for verb in danish(phone.post(path, **form))]
    assert phone.ends() == 204
    assert (phone.session, phone.call.ended_at) == (over, ended_at)
    phone.urls = urls
    assert phone.news(sid) == 204
    assert phone.answers == {sid: "hvad"}
    assert f"fetch:{sid}:1" in jobs(web)
    assert (phone.session, phone.call.ended_at) == (over, ended_at)


def test_an_action_that_comes_after_the_end_is_taken_in(web: Web, phone: Phone) -> None:
    sid = recording()
    phone.at_question()
    phone.ends()
    phone.speaks(sid, "hangup")
    assert phone.answers == {sid: "hvad"}
    assert f"fetch:{sid}:unannounced:1" in jobs(web)


def test_the_end_may_be_told_before_the_last_recording_and_the_mail_waits_for_it(web: Web, phone: Phone) -> None:
    phone.at_question()
    phone.ends()
    delay = jobs(web)[f"close:{phone.call.preparation}:{phone.sid}:1"]
    assert delay - phone.call.ended_at * 1000 == pytest.approx(15_000, abs=1500)
    assert phone.preparation().status == "open"
    sid = recording()
    assert phone.news(sid) == 204
    assert phone.utterances[sid].preparation == phone.call.preparation


def test_progress_of_a_call_is_not_its_end(phone: Phone) -> None:
    phone.start()
    for status in ("queued", "initiated", "ringing", "in-progress", "answered", "", "COMPLETED", "½"):
        reply = phone.post("/calls/status", CallStatus=status)
        assert (reply.status_code, reply.data) == (204, b"")
        assert not phone.session.over
    for status in ("busy", "failed", "no-answer", "canceled"):
        ended = Phone(phone.web).start()
        assert ended.post("/calls/status", CallStatus=status).status_code == 204
        assert ended.session.over


def test_the_end_of_a_call_that_nobody_knows_is_taken_quietly(phone: Phone) -> None:
    assert phone.ends() == 204


# ---- recordings


def test_the_news_of_a_recording_may_come_before_its_action(web: Web, phone: Phone) -> None:
    sid = recording()
    phone.at_question()
    assert phone.news(sid) == 204
    assert phone.answers == {sid: "hvad"}
    phone.speaks(sid)
    assert phone.answers == {sid: "hvad"}
    assert (phone.session.answered, [answer.recording_sid for answer in phone.session.answers]) == (("hvad",), [sid])
    assert f"fetch:{sid}:unannounced:1" not in jobs(web)


def test_a_recording_whose_action_never_comes_is_fetched_all_the_same(web: Web, phone: Phone) -> None:
    sid = recording()
    phone.at_question()
    phone.news(sid)
    phone.ends()
    assert (phone.answers, jobs(web)[f"fetch:{sid}:1"]) == ({sid: "hvad"}, None)


def test_a_recording_whose_news_never_comes_is_fetched_a_little_later(web: Web, phone: Phone) -> None:
    sid = recording()
    phone.at_question().speaks(sid)
    delay = jobs(web)[f"fetch:{sid}:unannounced:1"]
    assert delay - phone.call.heard_at * 1000 == pytest.approx(CALLBACK_LOST * 1000, abs=1500)
    assert f"fetch:{sid}:1" not in jobs(web)


@pytest.mark.parametrize("first", ["action", "news"])
@pytest.mark.parametrize(("status", "kept"), [("absent", "silent"), ("failed", "failed")])
def test_a_recording_that_is_absent_or_failed_is_not_waited_for(phone: Phone, first: str, status: str, kept: str) -> None:
    sid = recording()
    phone.at_question()
    news = phone.urls["news"]
    if first == "action":
        phone.speaks(sid)
    assert phone.news(sid, status, news) == 204
    if first == "news":
        phone.speaks(sid)
    assert phone.utterances[sid].status == kept
    assert phone.news(sid, status, news) == 204
    assert phone.utterances[sid].status == kept


def test_news_that_a_recording_is_absent_does_not_undo_what_was_fetched(web: Web, phone: Phone) -> None:
    sid = recording()
    phone.at_question()
    news = phone.urls["news"]
    phone.speaks(sid)
    with store.writing(web.engine) as tx:
        store.save_utterance(tx, sid, status="fetched")
    for status in ("absent", "failed"):
        assert phone.news(sid, status, news) == 204
    assert phone.utterances[sid].status == "fetched"


@pytest.mark.parametrize("status", ["in-progress", "paused", "", "Completed", "½"])
def test_a_status_that_says_nothing_final_is_taken_quietly(web: Web, phone: Phone, status: str) -> None:
    phone.at_question()
    before = everything(web.engine)
    assert phone.news(recording(), status) == 204
    assert everything(web.engine) == before


def test_news_of_a_recording_of_a_call_that_nobody_knows_is_refused_so_that_it_shows_at_the_provider(phone: Phone) -> None:
    assert phone.news(recording(), url=NEWS) == 404


def test_the_last_part_of_the_address_names_the_recording_when_its_own_field_is_missing(phone: Phone) -> None:
    sid = recording()
    url = f"https://api.twilio.com/2010-04-01/Accounts/{FIELDS['AccountSid']}/Recordings/{sid}"
    phone.at_question()
    phone.hears(phone.post(phone.urls["action"], RecordingUrl=url, RecordingDuration="9", Digits="#"))
    assert phone.answers == {sid: "hvad"}


def finished(phone: Phone, status: str = "completed") -> str:
    """The short guide to its end, with one answer. Gives where news of a recording of that question is sent."""
    phone.at_question("kort")
    news = phone.urls["news"]
    sid = recording()
    phone.speaks(sid).waits()
    assert phone.session.over
    assert phone.news(sid, status, news) == 204
    return news


@pytest.mark.parametrize("state", ["sending", "sent", "undeliverable", "empty"])
def test_news_that_comes_after_the_preparation_was_sent_makes_a_late_one(web: Web, phone: Phone, state: str) -> None:
    news = finished(phone)
    first = phone.call.preparation
    with store.writing(web.engine) as tx:
        store.save_preparation(tx, first, status=state)
    late = [recording(), recording()]
    for sid in [*late, *late]:
        assert phone.news(sid, url=news) == 204
    assert len(phone.answers) == 3
    places = {phone.utterances[sid].preparation for sid in late}
    assert len(places) == 1
    assert first not in places
    preparation = phone.preparation(places.pop())
    assert (preparation.late_of, preparation.status, preparation.guide) == (first, "open", "kort")
    assert preparation.public_key != phone.preparation().public_key
    assert jobs(web)[f"close:{preparation.id}:1"] is not None
    assert phone.preparation().status == state


def test_a_preparation_that_is_about_to_be_sent_takes_nothing_more_in(web: Web, phone: Phone) -> None:
    """Its sending is enqueued already: what came in now would go as a failed answer, and its words would never be sent."""
    news = finished(phone, "absent")
    first = phone.call.preparation
    assert f"send:{first}:1" in jobs(web)
    sid, later = recording(), recording()
    assert phone.news(sid, url=news) == 204
    late = phone.preparation(phone.utterances[sid].preparation)
    assert (late.late_of, late.status) == (first, "open")
    with store.writing(web.engine) as tx:
        preparations = Preparations(Queue(web.engine))
        preparations.settle(tx, sid, "failed")
        preparations.close(tx, late.id)
    assert f"send:{late.id}:1" in jobs(web)
    assert phone.news(later, url=news) == 204
    assert phone.utterances[later].preparation not in (first, late.id)


def test_news_that_comes_while_a_late_preparation_is_closed_waits_and_then_makes_another(postgres: Postgres) -> None:
    """On SQLite there is one writer at a time; where there are many, the closing of the late one must not be overtaken."""
    with a_web(DATABASE_URL=postgres.new_database()) as web, ThreadPoolExecutor(1) as threads:
        phone = Phone(web)
        news, (sid, later) = finished(phone, "absent"), (recording(), recording())
        assert phone.news(sid, url=news) == 204
        late = phone.utterances[sid].preparation
        with store.writing(web.engine) as tx:
            preparations = Preparations(Queue(web.engine))
            preparations.settle(tx, sid, "failed")
            preparations.close(tx, late)
            coming = threads.submit(phone.news, later, url=news)
            with pytest.raises(TimeoutError):
                coming.result(0.5)
        assert coming.result(5) == 204
        assert phone.utterances[later].preparation not in (late, phone.call.preparation)


def test_a_closed_preparation_that_still_waits_takes_more_in(web: Web, phone: Phone) -> None:
    news = finished(phone)
    assert phone.preparation().status == "closed"
    sid = recording()
    assert phone.news(sid, url=news) == 204
    assert phone.utterances[sid].preparation == phone.call.preparation


# ---- odd fields


ODD = [
    "",
    "1" * 1000,
    "١",
    "１",
    "²",
    "😀",
    "\0",
    "a\0b",
    "-1",
    "NaN",
    "1e9",
    "9" * 5000,
    "hangup",
    "**",
    "<Say>",
    "' OR 1=1 --",
    "ø" * 900,
    "\r\n",
]


@pytest.mark.parametrize("value", ODD, ids=[repr(value)[:20] for value in ODD])
def test_odd_keys_lengths_and_words_get_danish(phone: Phone, value: str) -> None:
    phone.start()
    phone.hears(phone.post(phone.urls["key"], Digits=value))
    phone.hears(phone.post(phone.urls["wait"], SpeechResult=value, Confidence=value))
    phone = Phone(phone.web).at_question()
    phone.hears(phone.post(phone.urls["key"], Digits=value))
    url = phone.urls["action"]
    phone.hears(phone.post(url, RecordingSid=recording(), RecordingDuration=value, Digits=value))
    assert len(phone.answers) == 1
    assert phone.post("/calls/status", CallStatus=value, CallDuration=value).status_code == 204


@pytest.mark.parametrize(
    "caller", ["", "anonymous", "Anonymous", "sip:x@y", "+266696687", "client:x", "+4520123456, +4520123457", "😀", "\0"]
)
def test_whoever_calls_is_answered(phone: Phone, caller: str) -> None:
    reply = phone.post("/calls", From=caller, To=caller, CallerName=caller)
    assert PROMPTS.phrase("welcome").text in said(reply)


WRONG_SIDS = [
    "",
    "CA",
    "CA" + "1" * 31,
    "CA" + "1" * 33,
    "ca" + "1" * 32,
    "CA" + "G" * 32,
    "CA" + "١" * 32,
    "RE" + "1" * 32,
    "CA" + "1" * 32 + "\n",
]


@pytest.mark.parametrize("sid", WRONG_SIDS)
@pytest.mark.parametrize("path", ["/calls", "/calls/1", NEWS])
def test_a_call_id_of_the_wrong_form_is_refused_and_nothing_is_stored(web: Web, phone: Phone, path: str, sid: str) -> None:
    before = everything(web.engine)
    reply = phone.post(path, CallSid=sid, RecordingSid=recording(), RecordingStatus="completed")
    assert (reply.status_code, reply.mimetype) == (400, "text/plain")
    assert everything(web.engine) == before


@pytest.mark.parametrize("sid", ["", "RE", "RE" + "1" * 31, "re" + "1" * 32, "RE" + "1" * 32 + "/../x", "http://evil.example/RE", "\0"])
def test_a_recording_id_of_the_wrong_form_is_refused(web: Web, phone: Phone, sid: str) -> None:
    phone.at_question()
    before = everything(web.engine)
    assert phone.news(sid) == 400
    assert everything(web.engine) == before


WRONG_PLACES = ["", "P", "hvad.1", ".hvad.1", "P.", "P.hvad", "P.hvad.", "P..1", "P.hvad.1.2", "P.hvad.-1", "P.hvad.1000", "P.Hvad.1"]
WRONG_PLACES += ["P.hvad.%D9%A1", "P." + "a" * 41 + ".1", "P.%00.1", "0P.hvad.1", "G" * 32 + ".hvad.1", "P.hvad.1%0A"]


@pytest.mark.parametrize("answer", WRONG_PLACES)
def test_a_place_of_the_wrong_form_is_refused(phone: Phone, answer: str) -> None:
    phone.at_question()
    path = phone.urls["news"].partition("&")[0]
    assert phone.news(recording(), url=f"{path}&answer={answer.replace('P', phone.call.preparation)}") == 400
    assert phone.answers == {}


def test_a_recording_of_a_preparation_that_nobody_knows_is_refused_so_that_it_shows_at_the_provider(phone: Phone) -> None:
    phone.at_question()
    path = phone.urls["news"].partition("&")[0]
    assert phone.news(recording(), url=f"{path}&answer={PLACE}") == 404
    assert phone.answers == {}


def test_an_unknown_call_hears_that_we_are_sorry(phone: Phone) -> None:
    for form in ({}, {"Digits": "1"}, {"RecordingSid": recording(), "RecordingDuration": "3"}):
        reply = phone.post(f"/calls/3?answer={PLACE}", **form)
        assert said(reply) == phrase("sorry")
        assert danish(reply)[-1].tag == "Hangup"


TEXT = st.one_of(
    st.sampled_from([*ODD, "1", "2", "#", "*", "0", "completed", "absent", "failed", *WRONG_SIDS]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
)
NAMES = st.sampled_from(
    ["CallSid", "Digits", "SpeechResult", "RecordingSid", "RecordingUrl", "RecordingStatus", "RecordingDuration", "CallStatus", "From", "Æ"]
)
PATHS = st.one_of(
    st.sampled_from(["/calls", "/calls/status", "key", "wait", "action", "news"]),
    st.builds(
        "/calls/{}{}".format, st.integers(0, 12), st.sampled_from(["", f"?answer={PLACE}", f"/recording?answer={PLACE}", "/recording"])
    ),
)


@settings(max_examples=150)
@given(forms=st.lists(st.tuples(PATHS, st.dictionaries(NAMES, TEXT, max_size=4)), min_size=1, max_size=3), deep=st.booleans())
def test_whatever_is_posted_gets_danish_or_is_refused_and_never_fails(
    web: Web, forms: list[tuple[str, dict[str, str]]], deep: bool
) -> None:
    phone = Phone(web)
    phone.at_question() if deep else phone.start()
    for path, form in forms:
        url = path if path.startswith("/") else phone.urls.get(path, "/calls/1")
        if path in ("action", "news"):
            form = {"RecordingSid": recording(), **form}
        reply = phone.post(url, **form)
        if reply.status_code == 200:
            danish(reply)
        elif len(urlencode({**FIELDS, "CallSid": phone.sid, **form})) > MAX_BODY:  # no webhook of the provider's is so large
            assert reply.status_code == 413, (url, form)
        else:
            assert reply.status_code in (204, 400, 404), (url, form)
            assert (reply.status_code == 204) == (reply.data == b"")


# ---- when something is broken inside


def test_a_fault_inside_is_heard_as_a_danish_sorry(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    phone.at_question()
    stored, turn = everything(phone.web.engine), phone.session.turn

    def broken(*_: object) -> None:
        raise RuntimeError("the caller must not hear this")

    with monkeypatch.context() as patch:
        patch.setattr(calls_module, "respond", broken)
        for path, form in ((phone.urls["key"], {"Digits": "1"}), (phone.urls["action"], {"RecordingSid": recording(), "Digits": "#"})):
            reply = phone.post(path, **form)
            assert said(reply) == phrase("sorry")
            assert "must not" not in reply.text
        assert said(Phone(phone.web).post("/calls")) == phrase("sorry")
        reply = phone.post("/calls/status", CallStatus="completed")
        assert (reply.status_code, reply.data) == (503, b"")
    assert everything(phone.web.engine) == stored
    assert phone.again((phone.urls["key"], {"Digits": "#"})).status_code == 200
    assert phone.session.turn == turn + 1


def test_a_reply_that_no_secret_of_ours_opens_is_heard_as_a_danish_sorry(phone: Phone) -> None:
    phone.at_question()
    for secret, heard in ((phone.web.config.secrets[0], "goodbye"), ("of another line, or long retired", "sorry")):
        reply = directory.hide(phone.web.app.extensions["line"].writer.say("goodbye"), "reply", phone.sid, [secret])
        with store.writing(phone.web.engine) as tx:
            store.save_call(tx, phone.sid, reply=reply)
        assert said(phone.post("/calls")) == phrase(heard)


@contextmanager
def held(web: Web) -> Iterator[Callable[[], object]]:
    """Another connection holds the database's write lock. Gives what lets it go."""
    other = sqlite3.connect(web.config.database_url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    yield lambda: other.execute("ROLLBACK")
    other.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A line that waits for a locked database for 0.2 s instead of 5."""
    connect = store.connect
    monkeypatch.setattr(store, "connect", lambda url, *, wait=5.0, **more: connect(url, wait=min(wait, 0.2), **more))
    with a_web() as web:
        yield web


def test_a_database_that_is_locked_too_long_is_heard_as_ring_again_later_and_news_is_asked_for_again(impatient: Web) -> None:
    phone = Phone(impatient).at_question()
    with held(impatient):
        assert said(Phone(impatient).post("/calls")) == phrase("busy")
        assert said(phone.post(phone.urls["key"], Digits="#")) == phrase("busy")
        sid = recording()
        assert said(phone.post(phone.urls["action"], RecordingSid=sid, RecordingDuration="9")) == phrase("busy")
        assert phone.news(sid) == 503
        assert phone.ends() == 503
    assert phone.answers == {}
    assert phone.news(sid) == 204
    assert phone.answers == {sid: "hvad"}


def test_although_the_database_is_away_ring_again_is_heard_in_the_voice_of_the_line_and_what_was_heard_before(postgres: Postgres) -> None:
    busy, welcome = (prompt_keys(PROMPTS.phrase(name), VOICES["espeak"], {})[0] for name in ("busy", "welcome"))
    with Postgres(postgres.programs) as server, a_web(DATABASE_URL=server.new_database()) as web:
        with store.writing(web.engine) as tx:
            store.save_sound(tx, busy, b"the sound")
            store.save_sound(tx, welcome, b"another")
        phone = Phone(web).at_question()
        web.client.get(f"/audio/{welcome}.wav")
        server.stop(at_once=True)
        assert web.client.get(f"/audio/{welcome}.wav").data == b"another"
        [play] = ElementTree.fromstring(phone.post(phone.urls["key"], Digits="#").data).findall("Play")
        assert web.client.get(play.text or "").data == b"the sound"


def test_a_database_that_is_locked_for_a_moment_is_waited_for(web: Web, phone: Phone) -> None:
    with held(web) as release, ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(phone.start)
        with pytest.raises(TimeoutError):
            waiting.result(0.3)
        release()
        assert waiting.result(5).session.turn == 1


def test_a_database_that_is_gone_is_heard_as_ring_again_later() -> None:
    with memory_folder() as folder:
        web = Web(folder / "data")
        web.close()
        (folder / "data").rename(folder / "away")
        phone = Phone(web)
        assert said(phone.post("/calls")) == phrase("busy")
        assert said(phone.post(web.address(phone.sid, 1), Digits="1")) == phrase("busy")
        assert phone.news(recording(), url=f"{web.address(phone.sid, 1, '/recording')}&answer={PLACE}") == 503
        assert web.app.test_client().get("/healthz").status_code == 503
        (folder / "away").rename(folder / "data")
        phone.start()
        web.close()


def test_a_line_on_which_no_worker_ever_started_says_ring_again_later(web: Web) -> None:
    with a_web() as fresh:
        with store.writing(fresh.engine) as tx:
            tx.execute(store.worker_keys.delete())
        phone = Phone(fresh).start().key("1")
        efter = str([group.id for group in PROMPTS.groups].index("efter") + 1)
        assert said(phone.post(phone.urls["key"], Digits=efter)) == phrase("busy")


# ---- calls that go on


def broken_off(web: Web, guide: str) -> Phone:
    """A call that ended at the first question of that guide."""
    phone = Phone(web).at_question(guide)
    phone.ends()
    return phone


def test_with_a_window_of_no_minutes_nobody_is_asked_to_go_on(web: Web) -> None:
    broken_off(web, "lang")
    assert Phone(web).start().key("1").session.place == "moment"


def test_a_guide_that_a_resumed_one_leads_to_has_a_preparation_of_its_own() -> None:
    with a_web(RESUME_WINDOW="30") as web:
        first = broken_off(web, "tvivl").call.preparation
        phone = Phone(web).start().key("1").key("1").key("1")
        assert (phone.session.resumed, phone.session.guide, phone.call.preparation) == (True, "tvivl", first)
        phone.key("1").key("1").key("1").speaks(sid := recording())
        taken_in = phone.preparation(phone.utterances[sid].preparation)
        assert (taken_in.guide, taken_in.status) == ("lang", "open")
        assert phone.preparation(first).status == "closed"


def test_a_caller_who_is_back_before_the_news_of_the_hang_up_may_go_on() -> None:
    with a_web(RESUME_WINDOW="30") as web:
        dropped = Phone(web).at_question("lang")
        first = dropped.call.preparation
        phone = Phone(web).start().key("1").key("1")
        assert (phone.session.place, dropped.call.ended_at) == ("resume", None)
        phone.key("1")
        assert (phone.session.resumed, phone.call.preparation) == (True, first)
        assert dropped.call.ended_at is not None
        assert said(dropped.post(dropped.urls["key"], Digits="#")) == phrase("goodbye_stopped")
        dropped.speaks(sid := recording())  # the news of it comes as late
        assert dropped.utterances[sid].preparation == first
        assert dropped.ends() == 204
        phone.ends()
        assert phone.preparation(first).status == "open"


def test_a_second_call_at_the_same_time_that_does_not_go_on_leaves_the_first_alone() -> None:
    with a_web(RESUME_WINDOW="30") as web:
        first = Phone(web).at_question("lang")
        second = Phone(web).start().key("1").key("2")
        assert (second.session.place, second.session.resumed) == ("moment", False)
        first.speaks(sid := recording())
        assert first.utterances[sid].preparation == first.call.preparation != second.call.preparation
