"""A caller who obeys the line, as a Hypothesis state machine. Steered by what the line waits for, never by hand-written URLs.

``Line`` is what is rung: the pure engine here, the whole web process in ``test_webhook_properties``. The caller keeps a
notebook of its own, made of what it heard and did, and the properties compare the line's memory with it.
"""

import itertools
from dataclasses import dataclass
from typing import Protocol

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from voice.dialogue import engine, moves
from voice.dialogue.events import HANGUP, SILENCE, CallStarted, Event, HungUp, KeysPressed, NoInput, UtteranceRecorded, WordsHeard
from voice.dialogue.session import Session
from voice.dialogue.turn import Hangup, Keyed, Menu, Record, Turn
from voice.prompts import Prompts
from voice.summary import Utterance, summarise

SILENCE_SECONDS = 6
RECORDINGS = itertools.count(1)  # ids are unique over all calls, as the provider's are
LET_GO = engine.TRIES * (moves.SKIPS + 2) + 1  # silences in a row after which even the most patient line has let go


@dataclass(frozen=True)
class Said:
    """A recording, and where the line said that it belongs."""

    preparation: str
    question: str
    take: int
    recording: str


class Line(Protocol):
    """Something that can be called."""

    session: Session
    preparation: str  # what is recorded now goes into this one

    def happens(self, event: Event) -> Turn:
        """The event reaches the line, once. Gives what the line does next."""

    def happens_again(self) -> Turn:
        """The last event reaches the line a second time."""


class Caller(RuleBasedStateMachine):
    """Mostly cooperates; is silent, presses wrong keys, repeats and hangs up now and then."""

    prompts: Prompts
    opening = ""  # keys that are pressed at once when the line answers: what lies behind them is seldom reached by chance

    def line(self) -> Line:
        raise NotImplementedError

    @initialize()
    def call(self) -> None:
        self.rung = self.line()
        self.recorded: list[tuple[str, str]] = []  # (question that was heard, recording)
        self.said = self.said_before()
        self.keyed: list[tuple[str, bool]] = []
        self.asked = ""  # the question that the last prompts asked
        self.silences = 0
        self.said_yes = False
        self.quiet_at: set[str] = set()
        self._do(self.starts())
        for key in self.opening:
            self._do(KeysPressed(key))

    def starts(self) -> CallStarted:
        return CallStarted(SILENCE_SECONDS)

    def said_before(self) -> list[Said]:
        """In a call that broke off."""
        return []

    # ---- what the caller does

    def waits_for(self, *kinds: type) -> bool:
        return isinstance(self.turn.then, kinds)

    @precondition(lambda self: self.waits_for(Menu))
    @rule(key=st.sampled_from("1111222*003345#"))
    def press(self, key: str) -> None:
        self._do(KeysPressed(key))

    @precondition(lambda self: self.waits_for(Menu) and self.turn.then.words)
    @rule(words=st.sampled_from(["Ja.", "ja", "nej", "hvad siger du", "", "efter", "om igen", "videre", "hjælp", "yes"]))
    def say_a_word(self, words: str) -> None:
        self._do(WordsHeard(words))

    @precondition(lambda self: self.waits_for(Menu, Record))
    @rule(keys=st.sampled_from(["041", "0432"]))
    def ask_for_the_question_before_or_another_guide(self, keys: str) -> None:
        for key in keys:
            if self.waits_for(Menu, Record):
                self._do(KeysPressed(key))

    @precondition(lambda self: self.waits_for(Record))
    @rule(key=st.sampled_from("**00#5"))
    def press_while_the_question_plays(self, key: str) -> None:
        self._do(KeysPressed(key))

    @precondition(lambda self: self.waits_for(Record))
    @rule(seconds=st.sampled_from([8, 9, 20, 119, 120]), ended_by=st.sampled_from([SILENCE, SILENCE, SILENCE, "#", "*", "0", "7"]))
    def answer(self, seconds: int, ended_by: str) -> None:
        self._speak(seconds, ended_by)

    @precondition(lambda self: self.waits_for(Record))
    @rule()
    def say_nothing_that_can_be_told_from_silence(self) -> None:
        self._speak(SILENCE_SECONDS, SILENCE)

    @precondition(lambda self: self.waits_for(Menu, Record))
    @rule()
    def stay_silent(self) -> None:
        before, question = self.rung.session, self.asked
        self._do(NoInput())
        self.silences += 1
        assert self.silences <= LET_GO, "a caller who is silent for ever is not let go"
        if before.consent and before.place == "question" and question not in self.quiet_at:
            self.quiet_at.add(question)
            assert self.asked == question, "one silence has cost a question"

    @precondition(lambda self: self.waits_for(Record))
    @rule(silences=st.integers(1, engine.TRIES - 1))
    def hesitate_and_then_answer(self, silences: int) -> None:
        for _ in range(silences):
            if self.waits_for(Record):
                self.stay_silent()
        if self.waits_for(Record):
            self._speak(20, SILENCE)

    @precondition(lambda self: self.waits_for(Menu, Record))
    @rule(really=st.integers(0, 9))
    def hang_up(self, really: int) -> None:
        if really:  # not assume: a call with one step that is not taken is a call all the same
            return
        if isinstance(self.turn.then, Record):
            self._speak(3, HANGUP)
        else:
            self._do(HungUp())
        assert self.rung.session.over, "the caller hung up and the call goes on"

    @precondition(lambda self: self.rung.session.turn > 0)
    @rule()
    def the_webhook_comes_twice(self) -> None:
        before, turn = self.rung.session, self.turn
        assert self.rung.happens_again() == turn, "the same webhook twice gave another reply"
        assert self.rung.session == before, "the same webhook twice moved the call"

    def _speak(self, seconds: int, ended_by: str) -> None:
        recording = f"RE{next(RECORDINGS):032x}"
        self.recorded.append((self.asked, recording))
        assert isinstance(self.turn.then, Record)
        self.said.append(Said(self.rung.preparation, self.turn.then.question, self.turn.then.take, recording))
        self._do(UtteranceRecorded(recording, seconds, ended_by))

    def _do(self, event: Event) -> None:
        if not isinstance(event, NoInput):
            self.silences = 0
        asked_before, place_before = self.asked, self.rung.session.place
        if isinstance(event, KeysPressed | WordsHeard) and place_before == "consent":
            said = event.keys if isinstance(event, KeysPressed) else event.words.strip(".").lower()
            self.said_yes = self.said_yes or said in ("1", *self.prompts.speaking(self.rung.session.language).words["yes"])
        self.turn = self.rung.happens(event)
        for prompt in self.turn.say:
            parts = prompt.id.split("/")
            if len(parts) == 4 and parts[2] == "ask":
                self.asked = parts[1]
        if isinstance(self.turn.keyed, Keyed):
            assert isinstance(event, KeysPressed)
            assert self.turn.keyed.yes == (event.keys == "1")
            self.keyed.append((asked_before, self.turn.keyed.yes))
            assert self.turn.keyed.question == asked_before, "a key answered another question"

    # ---- what must hold, always

    @invariant()
    def the_line_waits_for_one_thing_or_hangs_up(self) -> None:
        assert isinstance(self.turn.then, Menu | Record | Hangup)
        assert isinstance(self.turn.then, Hangup) == self.rung.session.over

    @invariant()
    def no_answer_is_lost_moved_or_doubled(self) -> None:
        remembered = [(answer.question, answer.recording_sid) for answer in self.rung.session.answers]
        deleted = self.rung.session.ended == "deleted"
        assert remembered == ([] if deleted else self.recorded), "an answer is lost, moved or doubled"

    @invariant()
    def what_is_said_now_stands_above_what_was_said_before(self) -> None:
        if isinstance(self.turn.then, Record):
            here = (self.rung.preparation, self.turn.then.question)
            takes = [said.take for said in self.said if (said.preparation, said.question) == here]
            assert self.turn.then.take >= max(takes, default=1), "what is said now would not stand in the mail"

    @invariant()
    def help_and_repeat_are_never_wrong_keys(self) -> None:
        assert self.rung.session.place != "help" or self.rung.session.back not in ("help", "more", "leave", "delete", "over")

    @invariant()
    def nothing_is_recorded_before_consent(self) -> None:
        if isinstance(self.turn.then, Record):
            assert self.said_yes
            assert self.turn.then.question == self.asked, "the recording would land on another question"

    @invariant()
    def no_other_language_is_heard(self) -> None:
        language = self.rung.session.language
        assert not language or {prompt.language for prompt in self.turn.say} <= {language}, "another language is heard"

    @invariant()
    def the_call_ends(self) -> None:
        assert self.rung.session.turn <= engine.MAX_TURNS

    @invariant()
    def the_session_survives_json(self) -> None:
        assert Session.from_json(self.rung.session.to_json()) == self.rung.session

    @invariant()
    def no_turn_is_dead_air(self) -> None:
        skipping_ahead = isinstance(self.turn.then, Record)  # "#": the tone alone says: now it is your turn
        assert self.turn.say or skipping_ahead or self.rung.session.over

    def teardown(self) -> None:
        if hasattr(self, "turn"):
            self.the_newest_of_each_answer_is_in_the_mail()

    def the_newest_of_each_answer_is_in_the_mail(self) -> None:
        for preparation in {said.preparation for said in self.said}:
            here = [said for said in self.said if said.preparation == preparation]
            heard = [Utterance(said.recording, said.question, said.take, order, "heard", "ord") for order, said in enumerate(here)]
            sections = summarise(self.prompts.guides[0], heard, self.prompts.vocabulary).sections
            stand = {one.question: one.recordings[-1] for one in sections if one.recordings}
            assert stand == {said.question: said.recording for said in here}, "the newest words are not those in the mail"
