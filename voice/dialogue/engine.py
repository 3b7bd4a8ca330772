"""The rules of a call: ``respond(prompts, session, event) -> (session, turn)``.

It is pure: the same session and event give the same turn, so that a webhook that comes twice cannot do harm.
A call goes through places (``session.py``); what each says and waits for stands in ``asking.py``, what the
caller can do there in ``moves.py``. Here stands what holds at every place::

    (language) ─> consent ─yes─> (own telephone? which mail? go on?) ─> moment ─> guide ─> question ⇄ answered ─> over
                     └─no: the questions are read aloud and nothing is recorded        help ⇄ from everywhere

A silence asks again, shorter and simpler each time, and after three tries goes on without punishing.
A wrong key asks again and costs nothing. ``*`` repeats, ``0`` helps, wherever the caller is.
"""

from dataclasses import replace
from typing import assert_never

from voice.dialogue.asking import MAX_SECONDS, asking, current, languages_of, waiting
from voice.dialogue.events import HANGUP, SILENCE, CallStarted, Event, HungUp, KeysPressed, NoInput, UtteranceRecorded, WordsHeard
from voice.dialogue.moves import DONE, HELP, NO, REPEAT, YES, answered, ask_help, back_shortly, choices, give_up, onward, speak
from voice.dialogue.session import Answer, Session
from voice.dialogue.step import Step, end
from voice.dialogue.turn import Hangup, Turn
from voice.prompts import Prompt, Prompts, as_heard

TRIES = 3  # askings at one place before the line goes on
MAX_TURNS = 150  # a call ends kindly here, whatever happens

Reply = tuple[Session, Turn]


def respond(prompts: Prompts, session: Session, event: Event) -> Reply:
    """What happens next. Every reply is one turn further on; after the call is over nothing changes.

    ``prompts``: the line's content, which is its first language and holds the others.
    """
    if session.over:
        return session, Turn((), Hangup())
    content = prompts
    prompts = content.speaking(session.language)
    told: tuple[Prompt, ...] = ()
    if session.to == "failed":  # nothing can be sent after all: what is left of the call is for listening
        session, told = replace(session, to="", consent=False), (prompts.phrase("text_failed"),)
    step = _step(prompts, replace(session, turn=session.turn + 1), event)
    prompts = content.speaking(step.session.language)
    if step.session.turn >= MAX_TURNS and not step.session.over:
        step = replace(end(step.session, "too_long", prompts.phrase("too_long")), keyed=step.keyed)
    if step.session.over and step.session.to == "text" and step.session.answered:  # who had all deleted has none
        told = (prompts.phrase("text_waits"),)
    say = (*told, *step.say, *(asking(prompts, step.session) if step.ask else ()))
    return step.session, Turn(say, waiting(prompts, step.session), step.session.slow, step.keyed, prompts.language)


def _step(prompts: Prompts, session: Session, event: Event) -> Step:
    match event:
        case CallStarted():
            return _started(prompts, session, event)
        case HungUp():
            return end(session, "hung_up")
        case UtteranceRecorded():
            return _recorded(prompts, session, event)
        case KeysPressed(keys):
            return _pressed(prompts, session, keys)
        case WordsHeard(words):
            return _heard(prompts, session, words)
        case NoInput():
            return _silent(prompts, session)
    assert_never(event)


def _started(prompts: Prompts, session: Session, event: CallStarted) -> Step:
    session = replace(session, final_silence=event.final_silence, words=event.words, number_guide=event.guide)
    if (here := event.mailbox) is not None:
        session = replace(session, trial=False, domain=here.domain, text=here.text, seen=here.seen)
    if event.unfinished:
        language = prompts.speaking(event.unfinished.language).language
        session = replace(
            session,
            unfinished_guide=event.unfinished.guide,
            unfinished_language=language,
            answered=event.unfinished.answered,
            takes=event.unfinished.takes,
        )
    spoken = tuple(one for one in prompts.languages if one.language == event.language) or languages_of(prompts, session)
    return Step(session.at("language")) if len(spoken) > 1 else speak(spoken[0])(prompts, session)


def _pressed(prompts: Prompts, session: Session, keys: str) -> Step:
    if keys == REPEAT:
        return Step(session.at("question" if session.place == "answered" else session.place))
    if keys == HELP:
        return ask_help(prompts, session)
    move = choices(prompts, session).get(keys)
    return move(prompts, session) if move else _no_match(prompts, session)


def _heard(prompts: Prompts, session: Session, words: str) -> Step:
    """A spoken word is the key that it stands for. After an answer other words are more of the answer: let it be recorded."""
    said = as_heard(words)
    named = next((name for name, wordings in prompts.words.items() if said in wordings), "")
    groups = [str(n) for n, group in enumerate(prompts.groups, 1) if said in group.words]
    if named == "help":
        return ask_help(prompts, session)
    if session.place == "consent" and named in ("yes", "no"):
        return _pressed(prompts, session, YES if named == "yes" else NO)
    if session.place == "moment" and groups:
        return _pressed(prompts, session, groups[0])
    if session.place == "answered" and named:
        return _pressed(prompts, session, NO if named == "again" else DONE)
    if session.place == "answered" and said:
        return Step(session.at("question"), (prompts.phrase("say_more"),), ask=False)
    return _no_match(prompts, session)


def _silent(prompts: Prompts, session: Session) -> Step:
    """Ask again, shorter and simpler; after the last try go on."""
    if session.place == "answered" or (session.place == "question" and not session.consent):
        return onward(prompts, session)  # silence is how one goes on
    if session.place == "person":
        return back_shortly(prompts, session)
    tries = session.attempts + 1
    if tries >= TRIES:
        return give_up(prompts, session)
    return Step(replace(session, attempts=tries), _remark(session, prompts.phrase("no_input", session.attempts)))


def _no_match(prompts: Prompts, session: Session) -> Step:
    wrong_keys = min(session.wrong_keys + 1, TRIES)
    if session.place == "language" and wrong_keys == TRIES:
        return give_up(prompts, session)
    return Step(replace(session, wrong_keys=wrong_keys), _remark(session, prompts.phrase("no_match", session.wrong_keys)))


def _remark(session: Session, prompt: Prompt) -> tuple[Prompt, ...]:
    """Nothing while the language is not known: the options are heard again at once, each in its own."""
    return (prompt,) if session.language else ()


def _recorded(prompts: Prompts, session: Session, event: UtteranceRecorded) -> Step:
    if session.place != "question" or not session.consent:  # nothing is recorded there; the event cannot be the caller's
        return Step(session)
    question = current(prompts, session)
    session = replace(session, answers=(*session.answers, Answer(question.id, session.take(question.id), event.recording_sid)))
    if event.ended_by == HANGUP:
        return end(session, "hung_up")
    if event.ended_by not in (SILENCE, DONE):  # what was said before the key is kept; the caller goes on in the same answer
        return _pressed(prompts, session, event.ended_by)
    if event.seconds >= MAX_SECONDS - 1:
        return Step(session, (prompts.phrase("go_on"),), ask=False)
    if event.ended_by == SILENCE and event.seconds <= session.final_silence + 1 and session.attempts == 0:
        return Step(replace(session, attempts=1), (prompts.phrase("still_there"),))  # perhaps nothing was said: kept, and asked once more
    return answered(prompts, session)
