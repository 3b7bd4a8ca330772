"""A line that speaks two languages: what follows the caller's choice, and what a number or a broken-off call keeps."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from tests.conftest import TWO_LANGUAGES
from tests.dtmf_transcriber import dtmf_wav
from tests.mails import answers
from tests.web import CALL, RECORDING, Web, environ
from voice import store
from voice.app import create_transcriber
from voice.config import Config
from voice.content import load_all, load_line
from voice.errors import ConfigError, PromptError
from voice.jobs import Jobs
from voice.queue import Queue
from voice.serving import refuse_unknown_numbers
from voice.speech import Transcript

DANISH, ENGLISH = load_all(TWO_LANGUAGES)
OFFERS = ["Dansk,", "Tast et.", "English,", "Press two."]
WELCOMES = {"Velkommen til prøven.": "da", "Welcome to the trial.": "en"}


class Call:
    """One call to the line. ``said``: the texts of the last reply; ``tongues``: the languages and voices that said them."""

    def __init__(self, web: Web, sid: str = CALL, to: str = "+4570123456") -> None:
        self.web, self.sid, self.turn = web, sid, 0
        self.hear("/calls", To=to)

    def hear(self, path: str, **form: str) -> None:
        reply = self.web.post(path, {"CallSid": self.sid, **form})
        self.reply = ElementTree.fromstring(reply.text)
        self.said = ["".join(say.itertext()) for say in self.reply.iter("Say")]
        self.tongues = {(say.attrib["language"], say.attrib["voice"]) for say in self.reply.iter("Say")}
        self.turn += 1

    def keys(self, keys: str) -> "Call":
        for key in keys:
            self.hear(self.web.address(self.sid, self.turn), Digits=key)
        return self

    def answer(self, recording: str = RECORDING) -> str:
        """Gives the recording's address for the caller's answer."""
        action = self.reply.find("Record").attrib["action"]
        self.hear(action, RecordingSid=recording, RecordingDuration="9")
        return action

    def hang_up(self) -> None:
        self.web.post("/calls/status", {"CallSid": self.sid, "CallStatus": "completed"})

    @property
    def preparations(self) -> list[tuple[str, str]]:
        with store.reading(self.web.engine) as look:
            rows = look.execute(store.preparations.select().where(store.preparations.c.opened_by == self.sid))
            return [(row.language, row.guide) for row in rows]


Make = Callable[..., Web]


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Make]:
    webs: list[Web] = []

    def make(**more: str) -> Web:
        webs.append(Web(tmp_path, **{"PROMPTS_DIR": str(TWO_LANGUAGES), "RESUME_WINDOW": "30", **more}))
        return webs[-1]

    yield make
    for web in webs:
        web.close()


def test_each_language_offers_itself_in_its_own_voice(line: Make) -> None:
    call = Call(line())
    assert call.said == OFFERS
    assert call.tongues == {("da-DK", "Polly.Sofie-Neural"), ("en-GB", "Polly.Amy-Neural")}
    assert [gather.attrib["input"] for gather in call.reply.iter("Gather")] == ["dtmf"], "no recogniser knows what to listen for yet"


@pytest.mark.parametrize(("key", "tongue"), [("1", ("da-DK", "Polly.Sofie-Neural")), ("2", ("en-GB", "Polly.Amy-Neural"))])
def test_all_that_is_said_and_listened_for_after_the_choice_is_in_that_language(line: Make, key: str, tongue: tuple[str, str]) -> None:
    call = Call(line()).keys(key)
    assert call.tongues == {tongue}
    assert [gather.attrib["language"] for gather in call.reply.iter("Gather")] == [tongue[0]]


def test_the_answers_are_kept_as_being_in_that_language(line: Make) -> None:
    assert Call(line()).keys("21").preparations == [("en", "tiny")]


@pytest.mark.parametrize(("key", "gone_on_with"), [("2", True), ("1", False)])
def test_a_broken_off_call_is_gone_on_with_in_its_own_language_alone(line: Make, key: str, gone_on_with: bool) -> None:
    web = line()
    first = Call(web).keys("21")
    first.answer()
    first.hang_up()
    second = Call(web, "CA" + "9" * 32)
    assert second.said == OFFERS, "a number is not a person: who rings now may speak another language"
    second.keys(key + "1")
    assert ("Is it your own telephone? Yes is one, no is two." in second.said) == gone_on_with
    assert ("Vælg en prøve." in second.said) != gone_on_with


@pytest.mark.parametrize(
    ("settings", "heard"),
    [
        ({"LANGUAGE_NUMBERS": "+4570123456=en"}, "en"),
        ({"LANGUAGE_NUMBERS": "+4570123456=da"}, "da"),
        ({"LANGUAGE_NUMBERS": "+4570123457=en"}, ""),
        ({"LANGUAGE_NUMBERS": "+4570123456=sv"}, ""),
        ({"GUIDE_NUMBERS": "+4570123456=tiny"}, "en"),
        ({"GUIDE_NUMBERS": "+4570123456=kort"}, "da"),
        ({"GUIDE_NUMBERS": "+4570123456=gone"}, ""),
    ],
    ids=["English", "Danish", "another number", "no such language", "a guide in English", "a guide in Danish", "no such guide"],
)
def test_a_number_that_has_a_language_asks_for_none(line: Make, settings: dict[str, str], heard: str) -> None:
    call = Call(line(**settings))
    assert next((WELCOMES[text] for text in call.said if text in WELCOMES), "") == heard
    assert (call.said == OFFERS) == (heard == "")


def test_a_number_that_leads_to_a_language_that_is_not_there_is_told_at_the_start(line: Make) -> None:
    with pytest.raises(ConfigError, match=r"LANGUAGE_NUMBERS names sv: set it to languages that are there \(da, en\)"):
        refuse_unknown_numbers(line(LANGUAGE_NUMBERS="+4570123456=sv").config, [DANISH, ENGLISH])


def test_the_closed_line_says_so_in_the_first_language(line: Make) -> None:
    web = line()
    with store.writing(web.engine) as tx:
        store.set_closed(tx, "a test")
    assert Call(web).said == ["Lukket."]


def test_the_worker_writes_down_and_composes_in_the_language_of_the_preparation(line: Make) -> None:
    web, mails, asked = line(), [], []
    call = Call(web).keys("21")
    call.answer()
    recogniser = SimpleNamespace(transcribe=lambda _sound, language: asked.append(language) or Transcript("words", 3.0, False, language))
    work(web, call, recogniser, mails)
    assert asked == ["en"]
    assert mails[0]["Subject"] == "For your talk"
    assert mails[0]["Content-Language"] == "en"
    assert "Words." in body(mails[0])


def test_an_answer_in_a_foreign_language_stands_in_the_mail_as_one_to_listen_to(line: Make) -> None:
    web, mails = line(), []
    call = Call(web).keys("1121")
    call.answer()
    recogniser = SimpleNamespace(transcribe=lambda _sound, _language: Transcript("", 3.0, False, "pl", foreign=True))
    work(web, call, recogniser, mails)
    with store.reading(web.engine) as look:
        assert [row.status for row in look.execute(store.utterances.select())] == ["heard"]
    first, *others = answers(mails[0], DANISH).values()
    assert first.split("; ")[0] == "foreign"
    assert set(others) <= {"not_answered"}


def work(web: Web, call: Call, recogniser: object, mails: list[object]) -> None:
    """What the worker does after a hang-up."""
    provider = SimpleNamespace(recording=lambda _sid: dtmf_wav("123456789"), delete_recording=lambda _sid: None)
    line = load_line(TWO_LANGUAGES)
    jobs = Jobs(web.config, web.engine, Queue(web.engine), line, provider, recogniser, web.keyring, send=mails.append)
    call.hang_up()
    jobs.fetch(RECORDING)
    jobs.transcribe(RECORDING)
    with store.reading(web.engine) as look:
        [preparation] = look.execute(store.preparations.select()).scalars()
    jobs.table()["close"].run(preparation)
    jobs.send(preparation)


def body(mail: object) -> str:
    return str(mail.get_body(("plain",)).get_content()).replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda folder: (folder / "da").rename(folder / "dansk"), "dansk: the folder must be named by the language's code, such as da"),
        (lambda folder: rewrite(folder, 'locale = "da-DK"', 'locale = "da"'), "language.locale: must be the language with its country"),
        (lambda folder: rewrite(folder, "order = 1\n", ""), "da/phrases.toml: language.order: is missing"),
        (lambda folder: [shutil.copytree(folder / "da", folder / more) for more in ("sv", "de", "pl")], "5 languages make a menu of more"),
    ],
    ids=["name", "locale", "order", "too many"],
)
def test_a_language_that_the_line_could_not_offer_is_told(tmp_path: Path, change: Callable[[Path], object], problem: str) -> None:
    folder = Path(shutil.copytree(TWO_LANGUAGES, tmp_path / "prompts"))
    load_all(folder)
    change(folder)
    with pytest.raises(PromptError, match=problem):
        load_all(folder)


def rewrite(folder: Path, old: str, new: str) -> None:
    path = folder / "da" / "phrases.toml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_the_order_in_the_files_decides_which_language_is_the_first(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(TWO_LANGUAGES, tmp_path / "prompts"))
    rewrite(folder, "order = 1\n", "order = 3\n")
    assert [content.language for content in load_line(folder).languages] == ["en", "da"]


def test_every_prompt_knows_its_language() -> None:
    for content in (DANISH, ENGLISH):
        assert {prompt.language for prompt in content} == {content.language}


def test_a_worker_does_not_start_with_a_language_that_its_recogniser_does_not_know(tmp_path: Path) -> None:
    shutil.copytree(TWO_LANGUAGES / "en", tmp_path / "prompts" / "nb")
    config = Config.from_env(environ(tmp_path, PROMPTS_DIR=str(tmp_path / "prompts")))
    with pytest.raises(PromptError, match=r"prompts/nb: the recogniser does not know this language; it knows af, .* no,"):
        create_transcriber(config)
