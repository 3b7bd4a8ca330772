"""Fifty callers at once, each webhook between those of others: nobody's words are in another's mail, or under another question."""

import itertools
import random
from collections.abc import Iterator

import pytest
from werkzeug.test import TestResponse

from tests.dtmf_transcriber import spaced
from tests.faults.desk import Desk, a_desk
from tests.faults.report import Cases
from tests.mailbox_line import SETTINGS
from tests.mails import answers
from tests.test_webhooks import Phone, recording
from voice import bindings, store
from voice.addresses import read
from voice.directory import Entry, Hint, caller_keys, new_binding

MARKS = itertools.count(1_000_000_000)
GUIDES = {"lang": "11", "mellem": "12", "kort": "2"}  # the keys that lead there


class Person:
    """Has a number and an address, and says at each question what nobody else ever says."""

    def __init__(self, desk: Desk, number: int, chance: random.Random) -> None:
        self.desk = desk
        self.number = f"+45{20_000_000 + number}"
        self.address = f"person{number}@gmail.com"
        self.chance = chance

    def is_known(self) -> None:
        [secret] = self.desk.web.config.twilio_auth_tokens
        address = read(self.address)
        assert address is not None
        entry, hint, key = Entry(address.text, self.number), Hint(address.domain), caller_keys(self.number, [secret])[0]
        with store.writing(self.desk.web.engine) as tx:
            public = store.worker_key(tx, "bindings")
            assert public is not None
            row = new_binding(store.new_id(), "staff", key, entry, hint, public_key=public, secret=secret, now=self.desk.now)
            bindings.add(tx, [row])

    def rings(self) -> Iterator[None]:
        """One call, with a rest after each webhook. Afterwards ``said`` tells which mark answers which question."""
        phone = Own(self.desk, self.number)
        self.said: dict[str, str] = {}
        self.guide = self.chance.choice(list(GUIDES))
        phone.start()
        yield
        for key in f"111{GUIDES[self.guide]}":  # yes, my own telephone, that address, this guide
            phone.key(key)
            yield
        late = []
        while "answer=" in phone.urls.get("action", "") or "key" in phone.urls:
            if "action" not in phone.urls:  # a yes or no, or whether there is more
                phone.key("1" if phone.asks_yes_or_no() else "#")
                yield
                continue
            mark, sid, news = str(next(MARKS)), recording(), phone.urls["news"]
            self.desk.provider.recordings[sid] = mark
            self.said[spaced(mark)] = phone.urls["action"].partition("answer=")[2].split(".")[1]
            phone.speaks(sid)
            late.append((sid, news))
            yield
            if self.chance.random() < 0.5:
                sid, news = late.pop(self.chance.randrange(len(late)))
                assert phone.news(sid, url=news) == 204
                yield
        assert phone.ends() == 204
        yield
        for sid, news in late:
            assert phone.news(sid, url=news) == 204
            yield


class Own(Phone):
    """A telephone with a number of its own."""

    def __init__(self, desk: Desk, number: str) -> None:
        super().__init__(desk.web)
        self.number = number

    def again(self, request: tuple[str, dict[str, str]]) -> TestResponse:  # type: ignore[override]
        path, form = request
        return super().again((path, {"From": self.number, **form}))

    def asks_yes_or_no(self) -> bool:
        return self.session.place == "question"


def rounds(desk: Desk, people: list[Person], chance: random.Random, count: int) -> int:
    """Everybody calls so many times, all at once. Gives how many answers were said."""
    answered = 0
    for _ in range(count):
        before = len(desk.mails)
        talking = {person: person.rings() for person in people}
        while talking:
            person = chance.choice(list(talking))
            if next(talking[person], person) is person:
                del talking[person]
            if chance.random() < 0.05:
                desk.work()
        desk.work_until(desk.now + 120)
        came = {str(mail["To"]): answers(mail, desk.prompts) for mail in desk.mails[before:]}
        assert len(came) == len(desk.mails) - before == len(people), "not everybody got one mail"
        for person in people:
            mail = came[person.address]
            found = {mark: question for question, words in mail.items() for mark in words.split(". ") if mark[:1].isdigit()}
            assert found == person.said, "somebody's words are in another mail, lost, or under another question"
            answered += len(found)
        assert set(desk.provider.recordings) == desk.provider.deleted, "a recording is left at the provider"
    return answered


@pytest.mark.row("many callers at once")
@pytest.mark.parametrize(
    ("callers", "seeds", "times"),
    [
        pytest.param(10, 1, 1, id="test"),
        pytest.param(50, 1, 10, id="sample", marks=pytest.mark.faults),
        pytest.param(50, 20, 10, id="full", marks=pytest.mark.faults_full),
    ],
)
def test_nobody_s_words_are_in_another_s_mail(cases: Cases, callers: int, seeds: int, times: int) -> None:
    for case in cases.take([f"{callers} callers, {times} rounds, seed {seed}" for seed in range(1, seeds + 1)]):
        chance = random.Random(case)
        with cases.trying(case), a_desk(chance=chance, **SETTINGS) as desk:
            people = [Person(desk, number, chance) for number in range(callers)]
            for person in people:
                person.is_known()
            answered = rounds(desk, people, chance, times)
            assert answered >= callers * times
            cases.note(f"{answered} answers")
