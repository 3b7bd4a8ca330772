"""A summary written as a mail: the same words twice, as plain text and as calm HTML in big type."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from css_inline import CSSInliner
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from voice.prompts import Prompts
from voice.summary import Section, Summary
from voice.summary.words import tidy


@dataclass(frozen=True, slots=True)
class MailText:
    """All that a mail says, before it has an address."""

    subject: str
    sender_name: str
    text: str
    html: str
    language: str  # BCP 47


@dataclass(frozen=True, slots=True)
class _Passage:
    """One section as it is read."""

    heading: str
    words: str
    notes: tuple[str, ...]
    important: bool


def write(summary: Summary, prompts: Prompts) -> MailText:
    """Write it in the prompts' language. The most important answer comes first, and no word of the caller's before the intro:
    a locked telephone shows how a mail begins."""
    phrases = prompts.mail
    opening = (phrases["late" if summary.late else "intro"], phrases["machine"])
    passages = [_passage(section, phrases) for section in sorted(summary.sections, key=lambda section: not section.important)]
    return MailText(
        subject=phrases["subject"],
        sender_name=phrases["sender"],
        text="\n\n".join((summary.title, "\n".join(opening), *map(_plain, passages), phrases["automatic"])) + "\n",
        html=_inliner().inline(
            _template().render(
                language=prompts.language,
                subject=phrases["subject"],
                sender=phrases["sender"],
                title=summary.title,
                opening=opening,
                passages=passages,
                closing=phrases["automatic"],
            )
        ),
        language=prompts.language,
    )


def _passage(section: Section, phrases: Mapping[str, str]) -> _Passage:
    label, mark = section.label or phrases["other"], phrases["important"]
    notes = {
        section.status: section.status != "answered",
        "incomplete": section.incomplete,
        "unsure": section.unsure,
        "foreign": section.foreign,
        "typed": section.typed,
    }
    return _Passage(
        heading=f"{mark}: {label}" if section.important and not label.startswith(mark) else label,
        words=" ".join(filter(None, (section.choice and tidy(phrases[section.choice]), section.words))),
        notes=tuple(phrases[name] for name, applies in notes.items() if applies),
        important=section.important,
    )


def _plain(passage: _Passage) -> str:
    return "\n".join(filter(None, ("★ " * passage.important + passage.heading, passage.words, *passage.notes)))


@cache
def _template() -> Template:
    folder = FileSystemLoader(Path(__file__).parent)
    return Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).get_template(
        "mail.html.jinja2"
    )


@cache
def _inliner() -> CSSInliner:
    # Many mail readers drop a style sheet, so every element carries its own style; only the rules for phones and print stay above.
    return CSSInliner(load_remote_stylesheets=False, keep_at_rules=True)
