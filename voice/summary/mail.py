"""A summary written as a mail: the same words twice, as plain text and as calm HTML in big type, with a picture to each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Literal

from css_inline import CSSInliner

from voice.prompts import Pictogram, Prompts, Reading
from voice.summary import Section, Summary
from voice.summary.words import tidy
from voice.templates import template

Form = Literal["pages", "sound"]
_FILES: Mapping[Form, tuple[str, str]] = {"pages": (".pdf", "application/pdf"), "sound": (".mp3", "audio/mpeg")}
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG that the page shows by its Content-ID, so that nothing is fetched from anywhere."""

    content_id: str  # without < and >
    png: bytes


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that comes with the mail."""

    name: str
    mimetype: str
    content: bytes


@dataclass(frozen=True, slots=True)
class MailText:
    """All that a mail says, before it has an address."""

    subject: str
    sender_name: str
    text: str
    html: str
    language: str  # BCP 47
    pictures: tuple[Picture, ...] = ()
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class _Passage:
    """A section, or something to know, as it is read."""

    heading: str
    pictogram: Pictogram
    part: str = ""
    words: str = ""
    notes: tuple[str, ...] = ()
    hear: str = ""  # where to listen instead of trusting the words
    important: bool = False


def write(summary: Summary, prompts: Prompts, forms: Mapping[Form, bytes | None], delete_link: str = "") -> MailText:
    """Write it in the prompts' language, with the other forms attached; a form that is None could not be made, and that is said.
    Whoever holds the mail has all of it deleted by ``delete_link``.

    The most important answer comes first, and what was not answered last: a mail must not begin with what is missing. No word
    of the caller's stands before the intro, as a locked telephone shows how a mail begins.
    """
    phrases = prompts.mail
    answered = [section for section in summary.sections if section.status != "not_answered"]
    answered.sort(key=lambda section: (section.status != "answered", not section.important))
    passages = [_passage(section, summary, prompts, forms) for section in answered]
    missing = [section for section in summary.sections if section.status == "not_answered"]
    unanswered = [_heading(section, phrases) for section in missing]
    readings = [_Passage(reading.title, reading.pictogram, words=reading.text) for reading in _readings(summary, forms)]
    use = list(_use(summary, phrases, forms))
    opening = _opening(summary, phrases)
    lost = [phrases[f"no_{form}"] for form, content in forms.items() if content is None]
    pictures = {one.pictogram: _picture(one.pictogram) for one in (*use, *passages, *unanswered, *readings)}
    if any(passage.hear for passage in passages):
        pictures["ear"] = _picture("ear")
    blocks = [
        [summary.title],
        opening,
        [one.words for one in use] + lost,
        *map(_lines, passages),
        [phrases["open"], phrases["not_answered"], *(line for one in unanswered for line in _lines(one))] if unanswered else [],
        [phrases["good_to_know"]] if readings else [],
        *map(_lines, readings),
        [phrases["automatic"], *([phrases["delete"], delete_link] if delete_link else [])],
    ]
    return MailText(
        subject=phrases["subject"],
        sender_name=phrases["sender"],
        text="\n\n".join("\n".join(block) for block in blocks if block) + "\n",
        html=_inliner().inline(
            template(_HERE / "mail.html.jinja2").render(
                language=prompts.language,
                phrases=phrases,
                title=summary.title,
                opening=opening,
                use=use,
                lost=lost,
                passages=passages,
                unanswered=unanswered,
                readings=readings,
                delete_link=delete_link,
                cid={name: picture.content_id for name, picture in pictures.items()},
            )
        ),
        language=prompts.language,
        pictures=tuple(pictures.values()),
        attachments=tuple(
            Attachment(phrases["file"] + ending, mimetype, content)
            for form, (ending, mimetype) in _FILES.items()
            if (content := forms.get(form)) is not None
        ),
    )


def _opening(summary: Summary, phrases: Mapping[str, str]) -> list[str]:
    written = [phrases["machine"]] if any(section.words for section in summary.sections) else []
    if summary.late:
        return [phrases["late"], *written]
    if not any(section.status == "answered" for section in summary.sections):
        return [phrases["empty"]]
    intro = phrases["intro" if summary.sheet == "talk" else f"intro_{summary.sheet}"]
    return [intro, *written]


def _readings(summary: Summary, forms: Mapping[Form, bytes | None]) -> Iterator[Reading]:
    """What is good to know. What only makes room to write, on the page to show, says nothing in a mail that brings that page."""
    on_paper = summary.sheet == "talk" and bool(forms.get("pages"))
    for reading in () if summary.late else summary.readings:
        if not (on_paper and reading.write):
            yield reading


def _use(summary: Summary, phrases: Mapping[str, str], forms: Mapping[Form, bytes | None]) -> Iterator[_Passage]:
    """What to do with it: listen, print, bring. Only what is there is named."""
    if forms.get("sound"):
        yield _Passage("", "ear", words=phrases["listen"].replace("{file}", phrases["file"]))
    if forms.get("pages"):
        yield _Passage("", "write", words=phrases["print"].replace("{file}", phrases["file"]))
    if summary.late:  # it belongs to what they bring already, and may have no page to show
        return
    if summary.sheet == "private":
        yield _Passage("", "private", words=phrases["keep"])
    elif forms.get("pages"):
        yield _Passage("", "talk", words=phrases["bring" if summary.sheet == "talk" else f"bring_{summary.sheet}"])
    else:
        yield _Passage("", "phone", words=phrases["bring_mail"])


def _passage(section: Section, summary: Summary, prompts: Prompts, forms: Mapping[Form, bytes | None]) -> _Passage:
    phrases, number = prompts.mail, prompts.vocabulary.number(section.number)
    agenda = summary.sheet == "agenda"  # made by a leader, of others
    notes = {
        section.status: section.status != "answered",
        "incomplete": section.incomplete,
        "typed": section.typed,
        "masked": section.masked,
        "illness_agenda": section.illness and agenda,
        "illness": section.illness and not agenda,
        "illness_show": section.illness and section.show and bool(forms.get("pages")),
        "unsure": section.unsure,  # the reasons to listen stand next to where
        "foreign": section.foreign,
    }
    heard = bool(forms.get("sound") and section.recordings)
    return replace(
        _heading(section, phrases),
        part=phrases["part"].replace("{number}", number) if forms.get("sound") else "",
        words=" ".join(filter(None, (section.choice and tidy(phrases[section.choice]), section.words))),
        notes=tuple(phrases[name] for name, applies in notes.items() if applies),
        hear=phrases["hear"].replace("{number}", number) if heard and (section.unsure or section.foreign) else "",
    )


def _heading(section: Section, phrases: Mapping[str, str]) -> _Passage:
    label, mark = section.label or phrases["other"], phrases["important"]
    heading = f"{mark}: {label}" if section.important and not label.startswith(mark) else label
    return _Passage(heading, section.pictogram, important=section.important)


def _lines(passage: _Passage) -> list[str]:
    heading = "★ " * passage.important + passage.heading
    return list(filter(None, (passage.part, heading, passage.words, *passage.notes, passage.hear)))


@cache
def _picture(name: Pictogram) -> Picture:
    png = (_HERE / "pictograms" / f"{name}.png").read_bytes()
    return Picture(f"{name}-{sha256(png).hexdigest()[:16]}@pictograms.samtaleklar", png)


@cache
def _inliner() -> CSSInliner:
    # Many mail readers drop a style sheet, so every element carries its own style; only the rules for phones and print stay above.
    return CSSInliner(load_remote_stylesheets=False, keep_at_rules=True)
