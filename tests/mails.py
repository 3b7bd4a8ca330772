"""A mail read back: which words stand under which question. Knows the mail's form, and no wording but the prompts' own."""

import re
from datetime import UTC, datetime
from email.message import EmailMessage

from voice import delivery
from voice.prompts import Prompts
from voice.summary import summarise
from voice.summary.mail import write
from voice.summary.words import tidy

NOTES = ("not_answered", "not_heard", "failed", "incomplete", "unsure", "foreign", "typed")


def body(mail: EmailMessage) -> str:
    """What a mail says without its form."""
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def link(text: str) -> str:
    """The first address in it."""
    found = re.search(r"http://\S+", text)
    assert found is not None
    return found[0]


def answers(mail: EmailMessage, prompts: Prompts) -> dict[str, str]:
    """By question: the words, the name of the key's answer, and the names of the notes. Questions are named by their ids."""
    title, opening, *passages, _automatic = body(mail).strip().split("\n\n")
    if not opening.startswith(prompts.mail["late"]):
        del passages[0]  # what to do with it
    guide = next(guide for guide in prompts.guides if guide.title == title)
    labels = {question.label: question.id for question in guide.questions}
    phrases = {prompts.mail[note]: note for note in NOTES} | {tidy(prompts.mail[choice]): choice for choice in ("yes", "no")}
    part = re.compile(re.escape(prompts.mail["part"]).replace(re.escape("{number}"), ".+"))

    def label(heading: str) -> str:
        return labels[heading.removeprefix("★ ").removeprefix(f"{prompts.mail['important']}: ")]

    found: dict[str, str] = {}
    for passage in passages:
        heading, *lines = (line for line in passage.split("\n") if not part.fullmatch(line))
        if heading == prompts.mail["good_to_know"]:
            break
        if heading == prompts.mail["open"]:
            answered = {label(line): "not_answered" for line in lines[1:]}
        else:
            answered = {label(heading): "; ".join(phrases.get(line, line.removesuffix(".")) for line in lines)}
        assert not found.keys() & answered.keys(), "a question stands twice in the mail"
        found |= answered
    return found


def message_id(preparation: str, sender: str, prompts: Prompts) -> str:
    """The Message-ID that this preparation's mail has, in every copy."""
    nothing = write(summarise(prompts.guides[0], [], prompts.vocabulary), prompts, {})
    date = datetime.now(UTC)
    mail = delivery.build_message(nothing, to=sender, sender=sender, preparation_id=preparation, message_number=1, date=date)
    return str(mail["Message-ID"])
