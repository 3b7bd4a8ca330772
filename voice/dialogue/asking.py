"""What is said at each place, and what is waited for there. The first asking is whole; each further one is shorter."""

from voice.dialogue.session import Session
from voice.dialogue.turn import Hangup, Menu, Record, Wait
from voice.prompts import Guide, Prompt, Prompts, Question

MAX_SECONDS = 120  # one utterance; the caller may go on in the same question after that
MENU_SECONDS = 8  # to find a key and press it
LISTEN_SECONDS = 4  # between two questions that are only read aloud, and after the numbers that one may call
AGAIN_SECONDS = 2  # after an answer, to say it again
AGAIN_SECONDS_AT_FIRST = 5  # when that was just taught, and the keypad is to be found
WORD_PLACES = ("consent", "moment", "answered")  # elsewhere a word could tell of health, and the provider would hear it


def asking(prompts: Prompts, session: Session) -> tuple[Prompt, ...]:
    """What is said at the place where the session stands."""
    attempt = session.attempts
    match session.place:
        case "language":
            offers = enumerate(languages_of(prompts, session))
            return tuple(said for n, one in offers for said in (one.phrase("language"), one.phrase("press", n)))
        case "moment":
            return (prompts.phrase("choose", attempt), *_options(prompts, [group.menu for group in prompts.groups]))
        case "guide":
            return (prompts.phrase("choose", attempt), *_options(prompts, [guide.menu for guide in choices_of(prompts, session)]))
        case "question":
            question = current(prompts, session)
            opening = [question.count, question.first] if attempt == 0 else []
            return (*filter(None, opening), question.asking(attempt))
        case "address":
            labels = [Prompt(f"domain/{n}", label, prompts.language) for n, label in enumerate(session.domain.split("."))]
            spelt = [one for label in labels for one in (prompts.phrase("dot"), label)][1:]
            return (prompts.phrase("address_known"), *spelt, prompts.phrase("address", attempt))
        case "help":
            at_question = ("help_example", "help_skip") if session.back in ("question", "answered") else ("help_explain",)
            return tuple(map(prompts.phrase, (*at_question, "help_faster" if session.slow else "help_slower", "help_more")))
        case "more":
            before = ("more_before",) if can_go_back(session) else ()
            return tuple(map(prompts.phrase, (*before, "more_person", "more_leave", "more_delete")))
        case "leave":
            other = ("leave_other",) if session.guide else ()
            return tuple(map(prompts.phrase, ("leave_stop", *other, "leave_back")))
        case "person":
            return prompts.person
        case "answered" | "over":
            return ()
        case place:
            return (prompts.phrase(place, attempt),)


def waiting(prompts: Prompts, session: Session) -> Wait:
    """What is waited for at the place where the session stands."""
    words = session.words and session.place in WORD_PLACES
    match session.place:
        case "over":
            return Hangup()
        case "answered":
            return Menu(AGAIN_SECONDS if len(session.answered) > 1 else AGAIN_SECONDS_AT_FIRST, words)
        case "person":
            return Menu(LISTEN_SECONDS)
        case "question" if not session.consent:
            return Menu(LISTEN_SECONDS)
        case "question" if (question := current(prompts, session)).kind == "spoken":
            return Record(question.id, session.take(question.id), session.final_silence, MAX_SECONDS)
        case _:
            return Menu(MENU_SECONDS, words)


def current(prompts: Prompts, session: Session) -> Question:
    """The question that the session stands at."""
    return prompts.guide(session.guide).questions[session.question]


def choices_of(prompts: Prompts, session: Session) -> tuple[Guide, ...]:
    """The guides in the group that was chosen."""
    return tuple(guide for guide in prompts.guides if guide.group == session.group)


def languages_of(prompts: Prompts, session: Session) -> tuple[Prompts, ...]:
    """The languages that are offered: those that have the guide of the called number, or all."""
    able = (one for one in prompts.languages if any(guide.id == session.number_guide for guide in one.guides))
    return tuple(able) or prompts.languages


def can_go_back(session: Session) -> bool:
    """Whether there is a question before this one."""
    return session.back in ("question", "answered") and (session.question > 0 or session.back == "answered")


def _options(prompts: Prompts, options: list[Prompt]) -> list[Prompt]:
    """Each option before its key."""
    return [prompt for n, option in enumerate(options) for prompt in (option, prompts.phrase("press", n))]
