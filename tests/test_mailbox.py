"""From the call to the mail: whoever confirms an address gets the preparation there, and nobody else gets anything of it."""

import random
import re
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.mailbox_line import SETTINGS, Call, MailboxLine
from tests.web import environ
from voice import bindings, store
from voice.__main__ import main
from voice.errors import ProviderError
from voice.preparations import AGAIN, WAIT, Placing, Preparations
from voice.queue import Queue

NUMBER, OTHER = "+4520123456", "+4530123456"
LANDLINE = ProviderError("the text was answered with 400 21614", permanent=True)
DAY = 86400
TO_A_TEXT = "11"  # yes to consent; my own telephone
THROUGH = "312"  # a guide whose one question is answered by key; no further guide
Make = Callable[..., MailboxLine]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[MailboxLine] = []

    def one(**settings: str) -> MailboxLine:
        made.append(MailboxLine(tmp_path / str(len(made)), **settings))
        return made[-1]

    yield one
    for line in made:
        line.close()


@pytest.fixture
def line(make: Make) -> MailboxLine:
    return make()


def invited(line: MailboxLine, number: str = NUMBER) -> tuple[Call, str]:
    """A whole call from a number that nobody knows, and the path of the page in its text."""
    call = line.call(number, TO_A_TEXT + THROUGH)
    line.invitations.invite(line.preparation(call).id)
    return call, line.link()


def sends(line: MailboxLine, call: Call) -> list[str]:
    """Run the sending. Gives whom mails went to by it."""
    before = len(line.mails)
    line.jobs.send(line.preparation(call).id)
    return [mail["To"] for mail in line.mails[before:]]


def whole_way(line: MailboxLine, address: str = "lone@gmail.com", number: str = NUMBER) -> Call:
    call, page = invited(line, number)
    line.write(page, address)
    line.press(line.confirm_mail(call))
    assert sends(line, call) == [address]
    return call


# ---- the call


def test_a_caller_on_the_list_says_yes_and_gets_the_mail(line: MailboxLine) -> None:
    line.knows(NUMBER, "lone@gmail.com")
    call = line.call(NUMBER, "11")
    assert [word for word in call.said if word in ("gmail", "com")] == ["gmail", "com"]
    assert "lone" not in " ".join(call.said)
    for key in "1" + THROUGH:
        call.press(key)
    assert call.says("goodbye")
    assert sends(line, call) == ["lone@gmail.com"]
    assert line.telephones.texts == []


def test_a_caller_nobody_knows_gets_a_text_writes_an_address_confirms_it_and_gets_the_mail(line: MailboxLine) -> None:
    call, page = invited(line)
    [(number, text)] = line.telephones.texts
    assert number == NUMBER
    assert not re.search("syg|samtale|leder|arbejd|helbred|svar", text.replace("Samtaleklar", "").lower())
    assert len(text) <= 306, "more than two texts"
    assert sends(line, call) == []
    assert line.preparation(call).status == "waiting"
    assert "lone@gmail.com" in line.write(page, "lone@gmail.com").text
    button = line.confirm_mail(call)
    assert line.mails[-1]["To"] == "lone@gmail.com"
    assert line.get(button).status_code == 200
    assert sends(line, call) == [], "looking at the button's page is no yes: scanners look at every link"
    assert line.press(button).status_code == 200
    assert sends(line, call) == ["lone@gmail.com"]


def test_an_address_may_be_confirmed_before_the_last_answer_is_in_words(line: MailboxLine) -> None:
    call = line.call(NUMBER, TO_A_TEXT + "3")
    line.invitations.invite(line.preparation(call).id)
    line.write(line.link(), "lone@gmail.com")
    line.press(line.confirm_mail(call))
    for key in "12":
        call.press(key)
    assert sends(line, call) == ["lone@gmail.com"]


def test_an_address_that_is_confirmed_between_freezing_and_addressing_the_mail_gets_it(line: MailboxLine) -> None:
    call, page = invited(line)
    line.write(page, "lone@gmail.com")
    button = line.confirm_mail(call)
    with store.writing(line.web.engine) as tx:
        assert Preparations(Queue(line.web.engine), line.clock).freeze(tx, line.preparation(call).id) is not None
    assert line.press(button).status_code == 200
    assert sends(line, call) == ["lone@gmail.com"]


def test_a_confirmed_address_is_offered_for_half_a_year_after_its_last_use(line: MailboxLine) -> None:
    whole_way(line)
    for _ in range(2):
        line.clock.now += 179 * DAY
        call = line.call(NUMBER, "111" + THROUGH)
        assert sends(line, call) == ["lone@gmail.com"]
    assert len(line.telephones.texts) == 1
    line.clock.now += 179 * DAY
    assert "gmail" in line.call(NUMBER, "11").said, "to hear it is not to use it"
    line.clock.now += 2 * DAY
    assert "gmail" not in line.call(NUMBER, "11").said


def test_what_a_caller_confirmed_goes_before_the_list_and_another_address_before_both(line: MailboxLine) -> None:
    line.knows(NUMBER, "lone@firma.dk")
    whole_way_of = line.call(NUMBER, "112" + THROUGH)
    line.invitations.invite(line.preparation(whole_way_of).id)
    line.write(line.link(), "lone@gmail.com")
    line.press(line.confirm_mail(whole_way_of))
    assert sends(line, whole_way_of) == ["lone@gmail.com"]
    assert "gmail" in line.call(NUMBER, "11").said


def test_a_list_that_changes_between_question_and_mail_sends_nothing_to_an_address_that_was_not_said(line: MailboxLine) -> None:
    line.knows(NUMBER, "lone@gmail.com")
    call = line.call(NUMBER, "111" + THROUGH)
    with store.writing(line.web.engine) as tx:
        bindings.forget(tx, [line.preparation(call).caller], ("staff",))
    line.knows(NUMBER, "chef@hotmail.com")
    assert sends(line, call) == []
    line.invitations.invite(line.preparation(call).id)
    assert "/mail/" in line.link()


@pytest.mark.parametrize("number", ["", "anonymous", "+266696687", "+46701234567", "+4599999999"])
def test_who_cannot_be_texted_is_told_at_once_and_nothing_is_recorded(line: MailboxLine, number: str) -> None:
    call = line.call(number, "")
    assert call.says("cannot_text" if number[:1] == "+" and "266" not in number else "cannot_see")
    assert not call.says("consent")


def test_a_foreign_number_that_the_operator_allows_is_texted(make: Make) -> None:
    line = make(SMS_ALSO_TO="+46")
    invited(line, "+46701234567")
    assert line.telephones.texts[0][0] == "+46701234567"


def test_without_a_sender_nobody_is_texted(make: Make) -> None:
    assert make(SMS_FROM="").call(NUMBER, "").says("cannot_text")


def test_a_number_that_the_list_calls_shared_is_neither_bound_nor_texted(line: MailboxLine) -> None:
    line.knows(NUMBER, "lone@gmail.com")
    line.knows(NUMBER, "ole@gmail.com", kind="shared")
    assert line.call(NUMBER, "").says("cannot_text")


def test_on_a_borrowed_telephone_nothing_is_kept(line: MailboxLine) -> None:
    line.knows(NUMBER, "lone@gmail.com")
    call = line.call(NUMBER, "12" + "31")
    with store.reading(line.web.engine) as look:
        assert store.preparation_of(look, call.sid) is None


# ---- texts that do not arrive


def test_a_text_that_cannot_be_sent_is_told_in_the_call_and_what_was_said_is_deleted(line: MailboxLine) -> None:
    line.telephones.fails[NUMBER] = LANDLINE
    call = line.call(NUMBER, TO_A_TEXT + "3")
    preparation = line.preparation(call).id
    with pytest.raises(ProviderError):
        line.invitations.invite(preparation)
    with store.writing(line.web.engine) as tx:
        line.invitations.table()["invite"].give_up(tx, preparation, "ProviderError")
    call.press("*")
    assert call.says("text_failed")
    assert line.preparation(call).status == "deleted"
    assert line.call(NUMBER, "").says("cannot_text"), "the next call knows it from the start"
    line.clock.now += 31 * DAY
    assert not line.call(NUMBER, "").says("cannot_text")


def news_of_the_text(line: MailboxLine, status: str, **more: str) -> None:
    assert line.web.post(line.telephones.news, {"MessageStatus": status, **more}).status_code == 204


@pytest.mark.parametrize("status", ["undelivered", "failed"])
def test_a_text_that_the_carrier_gives_up_is_told_in_the_call_too(line: MailboxLine, status: str) -> None:
    call = line.call(NUMBER, TO_A_TEXT + "3")
    line.invitations.invite(line.preparation(call).id)
    news_of_the_text(line, "sent")
    news_of_the_text(line, status, ErrorCode="30003")
    news_of_the_text(line, "sent")
    call.press("*")
    assert call.says("text_failed")
    assert line.preparation(call).status == "deleted"
    assert not line.call(NUMBER, "").says("cannot_text"), "a telephone that was off may be on the next time"


def test_a_number_that_takes_no_texts_is_known_at_the_next_call(line: MailboxLine) -> None:
    invited(line)
    news_of_the_text(line, "undelivered", ErrorCode="30006")
    assert line.call(NUMBER, "").says("cannot_text")


def test_news_that_come_before_the_job_has_noted_its_text_are_not_lost(line: MailboxLine, monkeypatch: pytest.MonkeyPatch) -> None:
    call = line.call(NUMBER, TO_A_TEXT + "3")
    taken = line.telephones.send_text

    def given_up_at_once(to: str, body: str, news: str) -> None:
        taken(to, body, news)
        news_of_the_text(line, "undelivered", ErrorCode="30003")

    monkeypatch.setattr(line.telephones, "send_text", given_up_at_once)
    line.invitations.invite(line.preparation(call).id)
    call.press("*")
    assert call.says("text_failed")
    assert failed_texts(line) == 1


def test_a_text_whose_link_was_used_did_arrive_whatever_the_carrier_says(line: MailboxLine) -> None:
    call = line.call(NUMBER, TO_A_TEXT + "3")
    line.invitations.invite(line.preparation(call).id)
    line.write(line.link(), "lone@gmail.com")
    news_of_the_text(line, "undelivered", ErrorCode="30003")
    call.press("1")
    assert line.preparation(call).status != "deleted"


def test_news_of_a_text_that_was_never_sent_change_nothing(line: MailboxLine) -> None:
    line.telephones.news = "/texts/invite/" + "0" * 32
    news_of_the_text(line, "undelivered")
    assert failed_texts(line) == 0


def failed_texts(line: MailboxLine) -> int:
    with store.reading(line.web.engine) as look:
        return bindings.counts(look, 0)["failed texts"]


def test_a_number_gets_so_many_texts_a_day_and_no_more(make: Make) -> None:
    line = make(SMS_PER_NUMBER="2")
    invited(line)
    invited(line)
    assert line.call(NUMBER, "").says("cannot_text")
    assert not line.call(OTHER, "").says("cannot_text")
    line.clock.now += DAY + 1
    assert not line.call(NUMBER, "").says("cannot_text")


def test_the_line_sends_so_many_texts_a_day_and_no_more(make: Make) -> None:
    line = make(SMS_PER_DAY="1")
    invited(line)
    assert line.call(OTHER, "").says("cannot_text")


def test_a_text_is_sent_once_and_reminded_of_once_and_after_three_days_all_is_gone(line: MailboxLine) -> None:
    call, page = invited(line)
    preparation = line.preparation(call).id
    line.invitations.invite(preparation)
    assert len(line.telephones.texts) == 1
    sends(line, call)
    line.invitations.remind(preparation)
    assert line.link() == page, "the reminder has another link"
    line.clock.now += WAIT
    line.invitations.expire(preparation)
    row = line.preparation(call)
    assert (row.status, row.private_key_sealed, row.number_sealed) == ("expired", b"", None)
    assert line.get(page).status_code == 404
    line.invitations.remind(preparation)
    assert len(line.telephones.texts) == 2


def test_a_mail_that_nobody_takes_leads_by_a_text_to_another_address(line: MailboxLine) -> None:
    call = whole_way(line)
    preparation = line.preparation(call).id
    with store.writing(line.web.engine) as tx:
        line.jobs.table()["send"].give_up(tx, preparation, "DeliveryError")
    line.invitations.apologise(preparation)
    assert line.telephones.texts[-1][1].startswith("Hej fra Samtaleklar. Vi kunne ikke sende mailen.")
    line.clock.now += 1
    line.write(line.link(), "lone@hotmail.com")
    line.press(line.confirm_mail(call))
    first = line.mails[1]["Message-ID"]
    assert sends(line, call) == ["lone@hotmail.com"]
    assert line.mails[-1]["Message-ID"] != first


# ---- the page


def test_who_never_got_it_has_it_sent_again_to_the_same_address_a_few_times(line: MailboxLine) -> None:
    call = whole_way(line)
    page = line.link()
    ids = {line.mails[-1]["Message-ID"]}
    for _ in range(AGAIN):
        assert "Vi sender den igen" in line.press(page, "again").text
        assert sends(line, call) == ["lone@gmail.com"]
        ids.add(line.mails[-1]["Message-ID"])
    line.press(page, "again")
    assert sends(line, call) == []
    assert len(ids) == AGAIN + 1


def test_nobody_can_write_another_address_for_what_was_sent(line: MailboxLine) -> None:
    call = whole_way(line)
    line.write(line.link(), "chef@hotmail.com")
    assert len(line.written(call)) == 1


def test_it_is_not_me_deletes_all_after_one_more_question(line: MailboxLine) -> None:
    call, page = invited(line)
    line.write(page, "lone@gmail.com")
    button = line.confirm_mail(call)
    assert line.press(page, "not_me").status_code == 200
    assert line.preparation(call).status == "closed"
    line.press(page, "delete")
    assert line.preparation(call).status == "deleted"
    assert (line.get(page).status_code, line.press(button).status_code) == (404, 404)
    assert sends(line, call) == []


@pytest.mark.parametrize("listed", [True, False])
def test_whoever_gets_the_mail_has_all_of_it_deleted_by_its_link_after_one_more_question(line: MailboxLine, listed: bool) -> None:
    if listed:
        line.knows(NUMBER, "lone@gmail.com")
        call = line.call(NUMBER, "111" + THROUGH)
        assert sends(line, call) == ["lone@gmail.com"]
    else:
        call = whole_way(line)
    link = line.delete_link()
    assert "Skal vi slette alt?" in line.get(link).text
    assert line.preparation(call).private_key_sealed, "looking deletes nothing: scanners look at every link"
    assert "Alt er slettet" in line.press(link).text
    row = line.preparation(call)
    assert (row.status, row.private_key_sealed, row.number_sealed, row.page_hash) == ("deleted", b"", None, None)
    with store.reading(line.web.engine) as look:
        assert store.said(look, row.id) == []
    assert (line.get(link).status_code, line.press(link).status_code) == (404, 404)
    assert ("gmail" in line.call(NUMBER, "11").said) == listed, "what the caller confirmed is forgotten; the list is the operator's"


def test_a_mail_that_comes_after_the_mail_has_a_link_that_deletes_both(line: MailboxLine) -> None:
    call = whole_way(line)
    first = line.preparation(call)
    preparations = Preparations(Queue(line.web.engine), line.clock)
    for take in (7, 8):
        with store.writing(line.web.engine) as tx:
            late = preparations._taking_in(tx, store.locked_preparation(tx, first.id))
            preparations.key_pressed(tx, Placing(call.sid, 90 + take, late, store.said(tx, first.id)[0].question, take), yes=True)
            preparations.close(tx, late)
        line.jobs.send(late)
    line.press(line.delete_link())
    with store.reading(line.web.engine) as look:
        kept = [store.preparation(look, one).private_key_sealed for one in (first.id, late)]
    assert kept == [b"", b""]


def test_the_mail_s_link_deletes_and_can_do_nothing_else(line: MailboxLine) -> None:
    whole_way(line)
    page, link = line.link(), line.delete_link()
    for path in (link.replace("/slet/", "/mail/"), link.replace("/slet/", "/ja/"), page.replace("/mail/", "/slet/")):
        assert (line.get(path).status_code, line.press(path, "again").status_code, line.press(path, "delete").status_code) == (
            404,
            404,
            404,
        )
    assert "Vi har sendt mailen" in line.get(page).text


def test_a_sending_that_runs_twice_sends_the_same_bytes_and_the_link_in_them_works(line: MailboxLine) -> None:
    call = whole_way(line)
    line.change(call, status="sending")
    assert sends(line, call) == ["lone@gmail.com"]
    assert bytes(line.mails[-1]) == bytes(line.mails[-2])
    assert line.get(line.delete_link()).status_code == 200


def test_in_a_trial_the_mail_has_no_link_as_it_goes_to_the_operator(make: Make) -> None:
    line = make(TRIAL="1", SUMMARY_TO="operator@example.dk")
    call = line.call(NUMBER, "1" + THROUGH)
    assert sends(line, call) == ["operator@example.dk"]
    assert b"/slet/" not in bytes(line.mails[-1])


def test_an_address_is_forgotten_on_demand(line: MailboxLine) -> None:
    whole_way(line)
    line.press(line.link(), "forget")
    assert "gmail" not in line.call(NUMBER, "11").said


def test_a_slip_the_employer_s_domain_and_nonsense_are_noticed_before_a_mail_is_sent(line: MailboxLine) -> None:
    call, page = invited(line)
    assert "Mente du gmail.com?" in line.write(page, "lone@gmail.con").text
    assert "lone@gmail.com" in line.write(page, "lone@gmail.con").text
    assert "mailen fra dit arbejde" in line.write(page, "lone@firma.dk").text
    assert line.write(page, "lone").status_code == 422
    assert line.write(page, "lone@gmail.com\r\nBcc: chef@firma.dk").status_code == 422
    line.web.app.extensions["pages"]._exists = lambda _address: False
    assert "Vi kan ikke finde findes-ikke.dk" in line.write(page, "lone@findes-ikke.dk").text
    line.web.app.extensions["pages"]._exists = lambda _address: True
    assert line.written(call) == []
    line.write(page, "lone@firma.dk", "meant", "employer")
    line.write(page, "lone@gmail.con", "meant")
    assert len(line.written(call)) == 2


def test_one_page_is_no_way_to_send_mails_to_strangers(line: MailboxLine) -> None:
    call, page = invited(line)
    replies = [line.write(page, f"person{number}@gmail.com").status_code for number in range(7)]
    assert replies == [200] * 5 + [429] * 2
    assert len(line.written(call)) == 5


def test_only_the_pressed_button_s_address_gets_it_and_the_others_stop_working(line: MailboxLine) -> None:
    call, page = invited(line)
    line.write(page, "wrong@gmail.com")
    wrong = line.confirm_mail(call)
    line.clock.now += 1
    line.write(page, "lone@gmail.com")
    right = line.confirm_mail(call)
    line.press(right)
    assert line.press(wrong).status_code == 404
    assert sends(line, call) == ["lone@gmail.com"]


def test_a_page_keeps_nothing_and_tells_nobody_where_one_came_from(line: MailboxLine) -> None:
    _, page = invited(line)
    for reply in (line.get(page), line.write(page, "nonsense"), line.get("/mail/" + "0" * 64)):
        headers = reply.headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
        assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")
        assert headers["X-Robots-Tag"].startswith("noindex")
        assert "<script" not in reply.text
        assert "Set-Cookie" not in headers


# ---- tokens


def test_wrong_used_old_and_foreign_tokens_give_one_and_the_same_page(line: MailboxLine) -> None:
    whole_way(line, number=OTHER)
    used = line.button()
    call, page = invited(line)
    line.write(page, "lone@gmail.com")
    old = line.confirm_mail(call)
    line.clock.now += WAIT + 1
    paths = [used, old, "/ja/" + "0" * 64, "/mail/" + "0" * 64, page.replace("/mail/", "/ja/"), old.replace("/ja/", "/mail/")]
    paths += ["/slet/" + "0" * 64, page.replace("/mail/", "/slet/")]
    replies = {(reply.status_code, reply.text) for path in paths for reply in (line.get(path), line.press(path, "delete"))}
    assert len(replies) == 1
    assert next(iter(replies))[0] == 404


@pytest.mark.faults
def test_guessing_a_hundred_thousand_tokens_opens_nothing(line: MailboxLine) -> None:
    _, page = invited(line)
    guess = random.Random(7)
    for _ in range(34_000):
        for path in ("/mail/", "/ja/", "/slet/"):
            assert line.web.client.get(f"{path}{guess.getrandbits(256):064x}").status_code == 404
    assert line.get(page).status_code == 200


def test_a_token_s_length_is_that_of_256_bits_and_only_its_hash_is_stored(line: MailboxLine) -> None:
    call, page = invited(line)
    key = page.rpartition("/")[2]
    assert re.fullmatch("[0-9a-f]{64}", key)
    stored = b"".join(file.read_bytes() for file in line.web.config.data_dir.glob("samtaleklar.sqlite*"))
    assert line.preparation(call).page_hash.encode() in stored
    for secret in (key.encode(), b"20123456", b"gmail.com"):
        assert secret not in stored


@pytest.fixture(scope="module")
def open_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MailboxLine, str]]:
    line = MailboxLine(tmp_path_factory.mktemp("mailbox"))
    yield line, invited(line)[1]
    line.close()


@given(
    path=st.sampled_from(["", "x", "/../", "?a=b", "%00", "%2f"]),
    act=st.sampled_from(["write", "look", "again", "forget", "not_me", "", "x"]),
    email=st.text(max_size=300),
    sure=st.lists(st.sampled_from(["meant", "employer", "x"])),
)
def test_whatever_comes_to_a_page_is_answered_and_no_mail_is_asked_for_but_to_an_address(
    open_page: tuple[MailboxLine, str], path: str, act: str, email: str, sure: list[str]
) -> None:
    line, page = open_page
    reply = line.press(page + path, act, email=email.encode("utf-8", "replace").decode(), sure=sure)
    assert reply.status_code in (200, 403, 404, 422, 429)
    assert line.get(page).status_code == 200


# ---- status


def test_the_operator_sees_what_failed_and_no_personal_datum(
    line: MailboxLine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line.clock.now = time.time()
    call, _ = invited(line)
    sends(line, call)
    line.telephones.fails[OTHER] = LANDLINE
    other = line.call(OTHER, TO_A_TEXT + THROUGH)
    with pytest.raises(ProviderError):
        line.invitations.invite(line.preparation(other).id)
    third = line.call("+4540123456", TO_A_TEXT + THROUGH)
    line.invitations.invite(line.preparation(third).id)
    news_of_the_text(line, "undelivered", ErrorCode="30007")
    for name, value in environ(line.web.config.data_dir, **SETTINGS).items():
        monkeypatch.setenv(name, value)
    assert main(["status"]) == 0
    told = capsys.readouterr().out
    assert "failed texts: 2\n" in told
    assert "preparations that wait for an address: 1\n" in told
    assert not re.search(r"\d{8}|@", told)


# ---- many at once


def cross(line: MailboxLine, callers: int, seed: int) -> int:
    """So many callers interleaved, each with a mailbox of their own. Gives the number of mails that came to the wrong one."""
    chance = random.Random(seed)
    numbers = [f"+45{20_100_000 + n}" for n in range(callers)]
    known = {number for number in numbers if chance.random() < 0.3}
    for number in known:
        line.knows(number, f"person{number[3:]}@gmail.com")
    calls: dict[str, Call] = {}
    pages: dict[str, str] = {}
    buttons: dict[str, str] = {}

    def step(number: str) -> Iterator[None]:
        calls[number] = call = line.call(number, "")
        for key in ("111" if number in known else TO_A_TEXT) + THROUGH:
            yield
            call.press(key)
        if number not in known:
            yield
            line.invitations.invite(line.preparation(call).id)
            pages[number] = next(text.partition("https://line.example")[2].split()[0] for to, text in line.telephones.texts if to == number)
            yield
            line.write(pages[number], f"person{number[3:]}@gmail.com")
            yield
            buttons[number] = line.confirm_mail(call)
            assert line.mails[-1]["To"] == f"person{number[3:]}@gmail.com"
            yield
            line.jobs.send(line.preparation(call).id)
            line.press(buttons[number])
        yield
        line.jobs.send(line.preparation(call).id)

    running = [step(number) for number in numbers]
    while running:
        one = chance.choice(running)
        if next(one, "over") == "over":
            running.remove(one)
    by_id = {mail["Message-ID"]: mail["To"] for mail in line.mails}
    own = {
        f"<{sha256(f'{line.preparation(call).id}/1'.encode()).hexdigest()[:32]}@example.com>": f"person{number[3:]}@gmail.com"
        for number, call in calls.items()
    }
    assert set(own) <= set(by_id), "a mail is missing"
    return sum(by_id[one] != address for one, address in own.items())


def test_interleaved_callers_get_their_own_mails(make: Make) -> None:
    assert cross(make(SMS_PER_DAY="100000"), 15, seed=1) == 0


@pytest.mark.faults
def test_a_thousand_interleaved_callers_get_their_own_mails(make: Make) -> None:
    assert cross(make(SMS_PER_DAY="100000"), 1000, seed=2) == 0
