"""The rules of a call: ``respond(prompts, session, event) -> (session, turn)``.

Everything that decides what a caller hears next lives in this file. It is pure: the same session and
event give the same turn, so that a webhook that comes twice cannot do harm.

A place is where the call waits::

    consent ──yes──> guide ──chosen──> question 1 … n ──> over
       └──no: the questions are read aloud and nothing is recorded

At every place a silence asks again, shorter and simpler each time, and after three tries goes on without
punishing: silence at consent is never yes, silence at a question skips it. A wrong key asks again and costs nothing.
"""

from dataclasses import replace
from typing import assert_never

from voice.dialogue.events import HANGUP, SILENCE, CallStarted, Event, HungUp, KeysPressed, NoInput, UtteranceRecorded, WordsHeard
from voice.dialogue.session import Answer, Ended, Session
from voice.dialogue.turn import Hangup, Keyed, Menu, Record, Turn, Wait
from voice.prompts import Guide, Prompt, Prompts, Question, as_heard

TRIES = 3  # askings at one place before the line goes on
SKIPS = 2  # questions left in silence, in a row, before the line lets the caller go
MAX_TURNS = 100  # a call ends kindly here, whatever happens
MAX_SECONDS = 120  # one utterance; the caller may go on in the same question after that
MENU_SECONDS = 8  # to find a key and press it
LISTEN_SECONDS = 4  # between two questions that are only read aloud

REPEAT, HELP, DONE = "*", "0", "#"
YES, NO = "1", "2"

Reply = tuple[Session, Turn]


def respond(prompts: Prompts, session: Session, event: Event) -> Reply:
    """What happens next. Every reply is one turn further on; after the call is over nothing changes."""
    if session.over:
        return session, Turn((), Hangup())
    session = replace(session, turn=session.turn + 1)
    match event:
        case CallStarted():
            return _consent(prompts, replace(session, final_silence=event.final_silence), prompts.phrase("welcome"))
        case HungUp():
            return _end(session, "hung_up")
        case UtteranceRecorded():
            return _capped(prompts, _recorded(prompts, session, event))
        case KeysPressed(keys):
            return _capped(prompts, _pressed(prompts, session, keys))
        case WordsHeard(words):
            return _capped(prompts, _pressed(prompts, session, _key_for(prompts, session, words)))
        case NoInput():
            return _capped(prompts, _silent(prompts, session))
    assert_never(event)


def _capped(prompts: Prompts, reply: Reply) -> Reply:
    session, turn = reply
    if session.turn < MAX_TURNS or session.over:
        return reply
    ended, goodbye = _end(session, "too_long", prompts.phrase("too_long"))
    return ended, replace(goodbye, keyed=turn.keyed)


# ---- places: what is said there, and what is waited for


def _consent(prompts: Prompts, session: Session, *first: Prompt) -> Reply:
    asking = prompts.phrase("consent", session.attempts)
    return session, Turn((*first, asking), Menu(MENU_SECONDS, words=True))


def _guide(prompts: Prompts, session: Session, *first: Prompt) -> Reply:
    if len(prompts.guides) == 1:
        return _begin(prompts, session, prompts.guides[0], *first)
    options = [prompt for n, guide in enumerate(prompts.guides) for prompt in (guide.menu, prompts.phrase("press", n))]
    asking = prompts.phrase("choose_guide", session.attempts)
    return replace(session, place="guide"), Turn((*first, asking, *options), Menu(MENU_SECONDS))


def _begin(prompts: Prompts, session: Session, guide: Guide, *first: Prompt) -> Reply:
    session = replace(session, place="question", guide=guide.id, question=0, attempts=0, wrong_keys=0)
    how = (prompts.phrase("how_to_talk"),) if session.consent else ()
    return _question(prompts, session, *first, guide.intro, *how)


def _question(prompts: Prompts, session: Session, *first: Prompt) -> Reply:
    question = _current(prompts, session)
    counted = (question.count,) if session.attempts == 0 else ()
    return _wait(session, question, *first, *counted, question.asking(session.attempts))


def _wait(session: Session, question: Question, *say: Prompt) -> Reply:
    """At a question: wait as its kind and the consent want it."""
    then: Wait
    if not session.consent:
        then = Menu(LISTEN_SECONDS)
    elif question.kind == "yes_no":
        then = Menu(MENU_SECONDS)  # by key alone: a yes can tell of health, and the provider hears words
    else:
        then = Record(question.id, session.take, session.final_silence, MAX_SECONDS)
    return session, Turn(say, then)


def _again(prompts: Prompts, session: Session, *first: Prompt) -> Reply:
    match session.place:
        case "consent":
            return _consent(prompts, session, *first)
        case "guide":
            return _guide(prompts, session, *first)
        case "question":
            return _question(prompts, session, *first)
        case "over":
            return session, Turn((), Hangup())
    assert_never(session.place)


def _current(prompts: Prompts, session: Session) -> Question:
    return prompts.guide(session.guide).questions[session.question]


# ---- what the caller does


def _pressed(prompts: Prompts, session: Session, keys: str) -> Reply:
    if keys == REPEAT:
        return _again(prompts, replace(session, attempts=0))
    if keys == HELP:
        return _help(prompts, session)
    match session.place:
        case "consent" if keys == YES:
            return _guide(prompts, replace(session, consent=True, attempts=0, wrong_keys=0))
        case "consent" if keys == NO:
            return _guide(prompts, replace(session, attempts=0), prompts.phrase("no_consent"))
        case "guide" if keys in _digits(len(prompts.guides)):
            return _begin(prompts, session, prompts.guides[int(keys) - 1])
        case "question":
            return _pressed_at_question(prompts, session, keys)
    return _no_match(prompts, session)


def _pressed_at_question(prompts: Prompts, session: Session, keys: str) -> Reply:
    question = _current(prompts, session)
    if not session.consent:
        return _next(prompts, session) if keys == DONE else _no_match(prompts, session)
    if question.kind == "spoken" and keys == DONE:  # while the question plays: "I have heard it, let me talk"
        return _wait(session, question)
    if question.kind == "yes_no" and keys in (YES, NO):
        reply, turn = _next(prompts, replace(session, skipped=0), prompts.phrase("saved"))
        return reply, replace(turn, keyed=Keyed(question.id, session.take, yes=keys == YES))
    return _no_match(prompts, session)


def _help(prompts: Prompts, session: Session) -> Reply:
    if session.place == "question":
        question = _current(prompts, session)
        return _wait(session, question, question.help, question.asking(len(question.ask) - 1))
    first = (prompts.phrase("consent_help"),) if session.place == "consent" else ()
    return _again(prompts, replace(session, attempts=0), *first)


def _recorded(prompts: Prompts, session: Session, event: UtteranceRecorded) -> Reply:
    if session.place != "question" or not session.consent:  # nothing is recorded there; the event cannot be the caller's
        return _again(prompts, session)
    question = _current(prompts, session)
    session = replace(session, answers=(*session.answers, Answer(question.id, session.take, event.recording_sid)))
    if event.ended_by == HANGUP:
        return _end(session, "hung_up")
    if event.ended_by in (REPEAT, HELP):  # what was said before the key is kept; the caller goes on in the same answer
        return _pressed(prompts, session, event.ended_by)
    if event.ended_by not in (SILENCE, DONE):
        return _no_match(prompts, session)
    if event.seconds >= MAX_SECONDS - 1:
        return _wait(session, question, prompts.phrase("go_on"))
    too_short = event.ended_by == SILENCE and event.seconds <= session.final_silence + 1
    if too_short and session.attempts == 0:  # perhaps nothing was said: kept, and asked once more
        return _question(prompts, replace(session, attempts=1), prompts.phrase("still_there"))
    return _next(prompts, replace(session, skipped=0), prompts.phrase("saved"))


def _silent(prompts: Prompts, session: Session) -> Reply:
    """Ask again, shorter and simpler; after the last try go on."""
    if session.place == "question" and not session.consent:
        return _next(prompts, session)  # they only listen: silence is how one goes on
    tries = session.attempts + 1
    if tries < TRIES:
        return _again(prompts, replace(session, attempts=tries), prompts.phrase("no_input", session.attempts))
    if session.place != "question":
        return _end(session, "silent", prompts.phrase("goodbye_no_answers"))
    if any(answer.question == _current(prompts, session).id for answer in session.answers):
        return _next(prompts, replace(session, skipped=0), prompts.phrase("saved"))
    if session.skipped + 1 >= SKIPS:
        return _end(session, "silent", prompts.phrase("goodbye_silent"))
    return _next(prompts, replace(session, skipped=session.skipped + 1), prompts.phrase("skipped"))


def _no_match(prompts: Prompts, session: Session) -> Reply:
    return _again(prompts, replace(session, wrong_keys=session.wrong_keys + 1), prompts.phrase("no_match", session.wrong_keys))


def _next(prompts: Prompts, session: Session, *first: Prompt) -> Reply:
    session = replace(session, question=session.question + 1, take=1, attempts=0, wrong_keys=0)
    if session.question < len(prompts.guide(session.guide).questions):
        return _question(prompts, session, *(first or (() if session.consent else (prompts.phrase("listen_next"),))))
    if session.consent:
        return _end(session, "complete", *first, prompts.phrase("goodbye"))
    return _end(session, "refused", prompts.phrase("goodbye_listener"))


def _end(session: Session, ended: Ended, *say: Prompt) -> Reply:
    return replace(session, place="over", ended=ended), Turn(say, Hangup())


def _key_for(prompts: Prompts, session: Session, words: str) -> str:
    """The key that a spoken word stands for; an unknown word is no key, and so a no-match."""
    said = as_heard(words)
    if session.place == "consent":
        for name, key in (("yes", YES), ("no", NO)):
            if said in prompts.words[name]:
                return key
    return ""


def _digits(count: int) -> tuple[str, ...]:
    return tuple(str(n) for n in range(1, count + 1))
