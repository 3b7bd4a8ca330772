"""A mail read back: which words stand under which question. Knows the mail's form, and no wording but the prompts' own."""

from datetime import UTC, datetime
from email.message import EmailMessage

from voice import delivery
from voice.prompts import Prompts
from voice.summary import Summary
from voice.summary.mail import write
from voice.summary.words import tidy

NOTES = ("not_answered", "not_heard", "failed", "incomplete", "unsure", "typed")


def answers(mail: EmailMessage, prompts: Prompts) -> dict[str, str]:
    """By question: the words, the name of the key's answer, and the names of the notes. Questions are named by their ids."""
    body = mail.get_body(("plain",))
    assert body is not None
    title, _opening, *passages, _automatic = body.get_content().replace("\r\n", "\n").strip().split("\n\n")
    guide = next(guide for guide in prompts.guides if guide.title == title)
    labels = {question.label: question.id for question in guide.questions}
    phrases = {prompts.mail[note]: note for note in NOTES} | {tidy(prompts.mail[choice]): choice for choice in ("yes", "no")}
    found = {}
    for passage in passages:
        heading, *lines = passage.split("\n")
        label = heading.removeprefix("★ ").removeprefix(f"{prompts.mail['important']}: ")
        assert labels[label] not in found, "a question stands twice in the mail"
        found[labels[label]] = "; ".join(phrases.get(line, line.removesuffix(".")) for line in lines)
    return found


def message_id(preparation: str, sender: str, prompts: Prompts) -> str:
    """The Message-ID that this preparation's mail has, in every copy."""
    nothing = write(Summary("", "", "talk", (), (), late=False), prompts)
    date = datetime.now(UTC)
    mail = delivery.build_message(nothing, to=sender, sender=sender, preparation_id=preparation, message_number=1, date=date)
    return str(mail["Message-ID"])
