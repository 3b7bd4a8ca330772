"""Nothing that was said gets lost, moved or doubled on its way into the summary."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.prompts import Guide, Prompt, Question, Vocabulary
from voice.summary import Section, Summary, Utterance, summarise
from voice.summary.words import tidy

SAID = Prompt("x", "Hvad?")
GUIDE = Guide(
    id="guide",
    order=1,
    group="foer",
    leads_to="",
    title="Før samtalen",
    menu=SAID,
    intro=SAID,
    questions=tuple(
        Question(id=name, kind="spoken", label=name.title(), count=SAID, ask=(SAID,), help=SAID, important=name == "c", show=name != "b")
        for name in "abc"
    ),
)
WORDS = Vocabulary(fillers=("øh",), doubles=("jeg",), illness=("*gigt",))

# No digits: a personal number is masked, and that has tests of its own.
text = st.text(st.characters(exclude_categories=("Nd",)))
place = (st.sampled_from("abcz"), st.integers(0, 3), st.integers(0, 9))  # "z" is a question that the guide no longer has
utterance = st.one_of(
    st.builds(Utterance, st.just("u"), *place, st.just("heard"), text, unsure=st.booleans()),
    st.builds(Utterance, st.just("u"), *place, st.sampled_from(("silent", "failed"))),
    st.builds(Utterance, st.just("u"), *place, st.just("keyed"), st.sampled_from(("yes", "no"))),
)


def heard(text: str, take: int = 0, order: int = 0, *, question: str = "a", unsure: bool = False) -> Utterance:
    return Utterance("u", question, take, order, "heard", text, unsure)


def section_of(utterances: Iterable[Utterance]) -> Section:
    return summed(utterances).sections[0]


def summed(utterances: Iterable[Utterance], *, late: bool = False) -> Summary:
    return summarise(GUIDE, utterances, WORDS, late=late)


def test_every_question_has_its_section_in_the_guides_order() -> None:
    summary = summed([heard("sidst", question="c"), heard("først")])
    assert [(section.label, section.words, section.status) for section in summary.sections] == [
        ("A", "Først.", "answered"),
        ("B", "", "not_answered"),
        ("C", "Sidst.", "answered"),
    ]
    assert [section.important for section in summary.sections] == [False, False, True]
    assert summary.title == "Før samtalen"


def test_an_answer_is_its_utterances_in_order_each_tidied() -> None:
    assert section_of([heard("og mere", order=1), heard("først det")]).words == "Først det. Og mere."


def test_what_is_said_again_takes_the_place_of_what_was_said() -> None:
    assert section_of([heard("gammelt"), heard("nyt", take=1)]).words == "Nyt."


@pytest.mark.parametrize("again", [Utterance("u", "a", 1, 0, "silent"), heard(" \n", take=1)])
def test_the_old_answer_stands_until_the_new_one_holds_speech(again: Utterance) -> None:
    section = section_of([heard("gammelt"), again])
    assert (section.words, section.incomplete) == ("Gammelt.", False)


def test_a_new_answer_that_failed_leaves_the_old_one_and_is_told_of() -> None:
    section = section_of([heard("gammelt"), Utterance("u", "a", 1, 0, "failed")])
    assert (section.words, section.incomplete) == ("Gammelt.", True)


def test_a_failed_part_is_told_of_beside_the_words_that_stand() -> None:
    section = section_of([heard("resten"), Utterance("u", "a", 0, 1, "failed")])
    assert (section.words, section.status, section.incomplete) == ("Resten.", "answered", True)


def test_a_failed_part_of_an_answer_that_was_said_again_matters_no_more() -> None:
    assert not section_of([Utterance("u", "a", 0, 0, "failed"), heard("nyt", take=1)]).incomplete


@pytest.mark.parametrize(("statuses", "expected"), [(["silent"], "not_heard"), (["failed"], "failed"), (["silent", "failed"], "failed")])
def test_without_words_the_section_says_why(statuses, expected) -> None:
    section = section_of(Utterance("u", "a", 0, order, status) for order, status in enumerate(statuses))
    assert (section.status, section.words, section.incomplete) == (expected, "", False)


def test_one_uncertain_utterance_makes_the_answer_uncertain_unless_it_was_said_again() -> None:
    assert section_of([heard("sikkert"), heard("måske", order=1, unsure=True)]).unsure
    assert not section_of([heard("måske", unsure=True), heard("sikkert", take=1)]).unsure


def test_a_key_is_an_answer_and_the_last_key_stands() -> None:
    for take, order in ((0, 1), (1, 0)):
        section = section_of([Utterance("u", "a", take, order, "keyed", "no"), Utterance("u", "a", 0, 0, "keyed", "yes")])
        assert (section.choice, section.words, section.status) == ("no", "", "answered")


def test_a_keyed_answer_can_only_be_yes_or_no() -> None:
    with pytest.raises(ValueError, match="yes or no"):
        Utterance("u", "a", 0, 0, "keyed", "maybe")


def test_answers_to_questions_that_are_gone_stand_at_the_end() -> None:
    summary = summed([heard("bevaret", question="gone"), Utterance("u", "quiet", 0, 0, "silent"), Utterance("u", "lost", 0, 0, "failed")])
    assert [(section.label, section.words, section.status) for section in summary.sections[3:]] == [
        ("", "Bevaret.", "answered"),
        ("", "", "failed"),
    ]


def test_a_late_summary_holds_only_what_has_words_and_what_could_not_be_heard() -> None:
    said = [heard("sent", question="b"), *(Utterance("u", question, 0, 0, "failed") for question in "az")]
    summary = summed([*said, Utterance("u", "c", 0, 0, "silent")], late=True)
    assert [(section.words, section.status) for section in summary.sections] == [("", "failed"), ("Sent.", "answered"), ("", "failed")]
    assert summary.late


def test_an_answer_that_tells_an_illness_is_told_apart_and_its_question_keeps_its_place() -> None:
    def shown(words: str) -> list[tuple[bool, bool]]:
        return [(section.illness, section.show) for section in summed([heard(words)]).sections]

    assert shown("det er leddegigt") == [(True, True), (False, False), (False, True)]
    assert shown("det er tungt") == [(False, True), (False, False), (False, True)]


def test_a_masked_number_is_told_of() -> None:
    assert section_of([heard("010190-1234")]).masked
    assert not section_of([heard("20123456")]).masked


def test_a_new_take_of_nothing_but_fillers_leaves_the_old_answer() -> None:
    assert section_of([heard("jeg jeg kan løfte"), heard("øh, øh", take=1)]).words == "Jeg kan løfte."


@given(st.lists(utterance, max_size=12))
def test_every_word_of_the_last_take_that_holds_any_is_kept_in_order(utterances: list[Utterance]) -> None:
    sections = {section.label: section for section in summed(utterances).sections}
    for question in GUIDE.questions:
        speaking = [each for each in utterances if each.question == question.id and tidy(each.text)]
        last = max((each.take for each in speaking), default=None)
        standing = sorted((each for each in speaking if each.take == last and each.status == "heard"), key=lambda each: each.order)
        section = sections[question.label]
        assert (section.status == "answered") == bool(speaking)
        assert _letters(section.words) == "".join(_letters(each.text) for each in standing)


@given(st.lists(utterance, max_size=8).flatmap(lambda each: st.tuples(st.just(each), st.permutations(each))))
def test_the_order_in_which_transcripts_arrive_changes_nothing(both: tuple[list[Utterance], list[Utterance]]) -> None:
    arrived, later = ([each for each in some if each.question != "z"] for some in both)
    places = [(each.question, each.take, each.order) for each in arrived]
    if len(set(places)) == len(places):
        assert summed(arrived) == summed(later)


@given(st.lists(utterance, max_size=8))
def test_a_late_summary_is_the_whole_one_without_its_empty_sections(utterances: list[Utterance]) -> None:
    whole, late = summed(utterances), summed(utterances, late=True)
    assert late.sections == tuple(section for section in whole.sections if section.status in ("answered", "failed"))


def _letters(text: str) -> str:
    return "".join(character for character in text.upper() if character.isalpha())
