"""What a caller can do at each place, and where it leads.

A move gives a Step: the session at its new place and what is said on the way; the place itself is asked by
``asking.py``. Keys mean the same everywhere: ``*`` again, ``0`` help, ``#`` I have finished, ``1`` yes, ``2`` no.
"""

from collections.abc import Mapping
from dataclasses import replace

from voice.dialogue.asking import can_go_back, choices_of, current, languages_of
from voice.dialogue.session import Place, Session
from voice.dialogue.step import Move, Step, end
from voice.dialogue.turn import Keyed
from voice.prompts import Guide, Prompt, Prompts

REPEAT, HELP, DONE = "*", "0", "#"
YES, NO = "1", "2"
SKIPS = 2  # questions left in silence, in a row, before the line offers to stop


def choices(prompts: Prompts, session: Session) -> Mapping[str, Move]:
    """What each key does here, besides ``*`` and ``0``. A key that is not in it is a wrong key."""
    match session.place:
        case "language":
            return {str(n): speak(one) for n, one in enumerate(languages_of(prompts, session), 1)}
        case "moment":
            return {str(n): _into(group.id) for n, group in enumerate(prompts.groups, 1)}
        case "guide":
            return {str(n): _with(guide) for n, guide in enumerate(choices_of(prompts, session), 1)}
        case "question":
            return _at_question(prompts, session)
        case "answered":
            return {**dict.fromkeys("13456789#", onward), NO: say_again}
        case "help":
            at_question = {YES: example, "2": skip} if session.back in ("question", "answered") else {YES: explain}
            return {**at_question, "3": slower, "4": _to("more")}
        case "more":
            before = {"1": question_before} if can_go_back(session) else {}
            return {**before, "2": _to("person"), "3": _to("leave"), "4": _to("delete")}
        case "person":
            return dict.fromkeys("123456789#", back_shortly)
        case "leave":
            other = {"2": other_guide} if session.guide else {}
            return {"1": stop, **other, "3": back}
        case place:
            return _MENUS.get(place, {})


def give_up(prompts: Prompts, session: Session) -> Step:
    """After the last silent try at a place: go on without punishing. Silence is never yes."""
    match session.place:
        case "language":
            return speak(languages_of(prompts, session)[0])(prompts, session)
        case "consent" | "moment" | "guide":
            return end(session, "silent", prompts.phrase("goodbye_no_answers"))
        case "own_phone":
            return borrowed(prompts, session)
        case "address":
            return by_text(prompts, session)
        case "resume":
            return choose(prompts, session)
        case "question":
            return _left_in_silence(prompts, session)
        case "stop":
            return end(session, "silent", prompts.phrase("goodbye_silent"))
        case "onward":
            return end(session, "complete", prompts.phrase("goodbye"))
        case _:
            return back(prompts, session)


# ---- the way to a guide


def speak(content: Prompts) -> Move:
    """From here on in this language. What broke off in another one is not offered: its answers are written down in that."""

    def move(_: Prompts, session: Session) -> Step:
        known = {guide.id for guide in content.guides}
        session = session.at("consent", language=content.language)
        if session.number_guide not in known:
            session = replace(session, number_guide="")
        if session.unfinished_guide not in known or session.unfinished_language != content.language:
            session = replace(session, unfinished_guide="", answered=())
        welcome = content.phrase("welcome")
        if session.trial:
            return Step(session, (content.phrase("trial"), welcome))
        if session.domain or session.text:
            return Step(session, (welcome,))
        step = nowhere(content, session, content.phrase("cannot_text" if session.seen else "cannot_see"))
        return replace(step, say=(welcome, *step.say))

    return move


def consented(prompts: Prompts, session: Session) -> Step:
    session = replace(session, consent=True)
    if session.unfinished_guide or not session.trial:
        return Step(session.at("own_phone"))
    return choose(prompts, session)


def own(prompts: Prompts, session: Session) -> Step:
    """It is the caller's own telephone: what is bound to its number is theirs."""
    if session.trial:
        return _with_mailbox(prompts, session)
    return Step(session.at("address")) if session.domain else by_text(prompts, session)


def borrowed(prompts: Prompts, session: Session) -> Step:
    """Somebody else's telephone: whoever has it next would get the text, and the link in it."""
    return choose(prompts, session) if session.trial else nowhere(prompts, session, prompts.phrase("cannot_borrowed"))


def to_known(prompts: Prompts, session: Session) -> Step:
    return _with_mailbox(prompts, replace(session, to="known"))


def by_text(prompts: Prompts, session: Session) -> Step:
    """Another address, or the first: a text asks for it."""
    if not session.text:
        return nowhere(prompts, session, prompts.phrase("cannot_text"))
    step = _with_mailbox(prompts, replace(session, to="text"))
    return replace(step, say=(prompts.phrase("text_comes"), *step.say))


def nowhere(prompts: Prompts, session: Session, why: Prompt) -> Step:
    """Nothing can be sent, so nothing is recorded: the caller may still listen."""
    step = choose(prompts, replace(session, consent=False))
    return replace(step, say=(why, *step.say))


def _with_mailbox(prompts: Prompts, session: Session) -> Step:
    return Step(session.at("resume")) if session.unfinished_guide else choose(prompts, session)


def refused(prompts: Prompts, session: Session) -> Step:
    step = choose(prompts, session)
    return replace(step, say=(prompts.phrase("no_consent"), *step.say))


def choose(prompts: Prompts, session: Session) -> Step:
    """To the choice of guide, past every choice that has one option only."""
    session = replace(session, unfinished_guide="", answered=())
    if session.number_guide:
        return begin(prompts, session, prompts.guide(session.number_guide))
    if len(prompts.groups) == 1:
        return _into(prompts.groups[0].id)(prompts, session)
    return Step(session.at("moment"))


def begin(prompts: Prompts, session: Session, guide: Guide) -> Step:
    """From its first question. The same guide once more goes on in the same preparation, where all is said again."""
    same = session.guide == guide.id
    session = session.anew(*(question.id for question in guide.questions)) if same else replace(session, takes=())
    session = session.at("question", guide=guide.id, question=0, skipped=0, answered=(), resumed=False)
    talking = session.consent and any(question.kind == "spoken" for question in guide.questions)
    how = (prompts.phrase("how_to_talk"),) if talking else ()
    return Step(session, (guide.intro, *how, prompts.phrase("two_keys")))


def resume(prompts: Prompts, session: Session) -> Step:
    """On with the first question that has no answer yet."""
    session = replace(session, guide=session.unfinished_guide, unfinished_guide="", resumed=True, question=-1)
    step = onward(prompts, session)
    return replace(step, say=(prompts.phrase("resumed"), *step.say))


def _into(group: str) -> Move:
    def move(prompts: Prompts, session: Session) -> Step:
        session = replace(session, group=group)
        guides = choices_of(prompts, session)
        return begin(prompts, session, guides[0]) if len(guides) == 1 else Step(session.at("guide"))

    return move


def _with(guide: Guide) -> Move:
    return lambda prompts, session: begin(prompts, session, guide)


# ---- questions


def _at_question(prompts: Prompts, session: Session) -> Mapping[str, Move]:
    if not session.consent:
        return dict.fromkeys((DONE, YES, NO), onward)
    if current(prompts, session).kind == "yes_no":
        return {YES: _keyed(True), NO: _keyed(False)}
    return {DONE: lambda prompts, session: Step(session, ask=False)}  # "I have heard it, let me talk"


def _keyed(yes: bool) -> Move:
    def move(prompts: Prompts, session: Session) -> Step:
        question = current(prompts, session)
        keyed = Keyed(question.id, session.take(question.id), yes)
        step = onward(prompts, _with_answer(session, question.id))
        return replace(step, say=(prompts.phrase("saved"), *step.say), keyed=keyed)

    return move


def answered(prompts: Prompts, session: Session) -> Step:
    """An utterance is kept: a moment to say it again, taught at the first answer alone."""
    first = not session.answered
    session = _with_answer(session, current(prompts, session).id)
    return Step(session.at("answered"), (prompts.phrase("saved_first" if first else "saved"),))


def _with_answer(session: Session, question: str) -> Session:
    return replace(session, skipped=0, answered=tuple(dict.fromkeys((*session.answered, question))))


def say_again(prompts: Prompts, session: Session) -> Step:
    return Step(session.anew(current(prompts, session).id).at("question"), (prompts.phrase("again"),))


def onward(prompts: Prompts, session: Session) -> Step:
    """The next question that has no answer yet, or the end."""
    guide = prompts.guide(session.guide)
    for index in range(session.question + 1, len(guide.questions)):
        if guide.questions[index].id not in session.answered:
            return Step(session.at("question", question=index))
    if not session.consent:
        return end(session, "refused", prompts.phrase("goodbye_listener"))
    if guide.leads_to:
        return Step(session.at("onward", group=guide.leads_to))
    return end(session, "complete", prompts.phrase("goodbye"))


def _left_in_silence(prompts: Prompts, session: Session) -> Step:
    if current(prompts, session).id in session.answered:
        return onward(prompts, replace(session, skipped=0))
    session = replace(session, skipped=session.skipped + 1)
    if session.skipped >= SKIPS:
        return Step(session.at("stop"))
    step = onward(prompts, session)
    return replace(step, say=(prompts.phrase("skipped"), *step.say))


# ---- help


def ask_help(prompts: Prompts, session: Session) -> Step:
    """From anywhere; from inside help to its beginning."""
    inside = session.place in ("help", "more", "person", "leave", "delete")
    return Step(session.at("help", back=session.back if inside else session.place))


def back(prompts: Prompts, session: Session) -> Step:
    """Back to where help was asked for; after an answer on to what comes next, as silence there would have."""
    return onward(prompts, session) if session.back == "answered" else Step(session.at(session.back))


def explain(prompts: Prompts, session: Session) -> Step:
    return replace(back(prompts, session), say=(prompts.phrase("explain_consent" if session.back == "consent" else "explain_menu"),))


def example(prompts: Prompts, session: Session) -> Step:
    question = current(prompts, session)
    return Step(session.at("question"), (question.help, question.ask[-1]), ask=False)


def skip(prompts: Prompts, session: Session) -> Step:
    step = onward(prompts, replace(session, skipped=0))
    return replace(step, say=(prompts.phrase("skipped"), *step.say))


def slower(prompts: Prompts, session: Session) -> Step:
    step = back(prompts, replace(session, slow=not session.slow))
    return replace(step, say=(prompts.phrase("faster" if session.slow else "slower"), *step.say))


def question_before(prompts: Prompts, session: Session) -> Step:
    """What is said there goes on with its answer."""
    index = session.question if session.back == "answered" else session.question - 1
    return Step(session.at("question", question=max(index, 0)))


def back_shortly(prompts: Prompts, session: Session) -> Step:
    """Back from whom to call; a question is then asked shortly, so that the numbers are still in the ear."""
    step = back(prompts, session)
    if step.session.place != "question":
        return step
    return replace(step, say=(*step.say, current(prompts, step.session).ask[-1]), ask=False)


def delete(prompts: Prompts, session: Session) -> Step:
    return end(replace(session, answers=(), answered=()), "deleted", prompts.phrase("deleted"))


def stop(prompts: Prompts, session: Session) -> Step:
    """Stop and keep what was said."""
    return end(session, "stopped", prompts.phrase("goodbye_stopped" if session.answered or session.answers else "goodbye_no_answers"))


def go_on(prompts: Prompts, session: Session) -> Step:
    return onward(prompts, replace(session, skipped=0))


def other_guide(prompts: Prompts, session: Session) -> Step:
    return choose(prompts, replace(session, number_guide=""))


def lead_on(prompts: Prompts, session: Session) -> Step:
    return _into(session.group)(prompts, session)


def finish(prompts: Prompts, session: Session) -> Step:
    return end(session, "complete", prompts.phrase("goodbye"))


def _to(place: Place) -> Move:
    return lambda prompts, session: Step(session.at(place))


_MENUS: Mapping[str, Mapping[str, Move]] = {
    "consent": {YES: consented, NO: refused},
    "own_phone": {YES: own, NO: borrowed},
    "address": {"1": to_known, "2": by_text},
    "resume": {"1": resume, "2": choose},
    "stop": {YES: stop, NO: go_on},
    "onward": {YES: lead_on, NO: finish},
    "delete": {YES: delete, NO: back},
}
