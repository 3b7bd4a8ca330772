"""What callers hear and read is checked: every rule is seen to fail on broken copies, as ``file: key: problem``."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import fields, replace
from itertools import product
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from tests.conftest import ROOT, TEST_PROMPTS
from voice.__main__ import main
from voice.content import load, load_all
from voice.dialogue.asking import WORD_PLACES
from voice.dialogue.engine import respond
from voice.dialogue.events import WordsHeard
from voice.dialogue.session import Place, Session
from voice.errors import PromptError
from voice.prompts import Prompts, Reading, Sheet
from voice.required import MAIL, PHRASES, SHARED, WORDS
from voice.summary import Utterance, summarise
from voice.summary.mail import Form, write

Change = Callable[[str], str]
QUESTION = '\n[[question]]\nid = "{}"\nlabel = "Mere"\nask = "Mere?"\nagain = "Mere?"\nhelp = "Sig mere."\n'


def swap(old: str, new: str) -> Change:
    """Change one line of the text, which must be there."""

    def change(text: str) -> str:
        assert old in text, old
        return text.replace(old, new, 1)

    return change


def drop(start: str) -> Change:
    """Take away the first line that begins so."""

    def change(text: str) -> str:
        changed = re.sub(rf"(?m)^{re.escape(start)}.*\n", "", text, count=1)
        assert changed != text, start
        return changed

    return change


def add(more: str) -> Change:
    return lambda text: text + more


def first(line: str) -> Change:
    return lambda text: f"{line}\n{text}"


def set_to(name: str, value: str) -> Change:
    """Give the first key of that name another value."""

    def change(text: str) -> str:
        changed = re.sub(rf"(?m)^{name} = .*$", lambda _: f"{name} = {value}", text, count=1)
        assert changed != text, name
        return changed

    return change


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TEST_PROMPTS, tmp_path / "prompts"))


def alter(folder: Path, name: str, change: Change) -> None:
    path = folder / "da" / name
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")


def guides(folder: Path) -> list[Path]:
    return [path for path in sorted((folder / "da").glob("*.toml")) if path.name not in SHARED]


def problems(folder: Path) -> tuple[str, ...]:
    with pytest.raises(PromptError) as wrong:
        load_all(folder)
    return wrong.value.problems


# ---- every rule

NOT_A_TEXT = "must be a text in quotation marks that is not empty"
ONE_LINE = "must be one line of printable characters"
NOT_ENDED = "must end as a sentence, with . ? ! or , so that the voice pauses"
UNKNOWN = "is not a key that is known here"
EMPTY_LIST = "the list is empty"
NOT_TABLES = "must be written as [[question]] tables"
PLACEHOLDER = "holds a placeholder"
COUNT = "must hold {number} and {total}"
SMALL = "must be small letters a-z, digits and _"
WORDS_HEARD = "must be small letters, as they are compared with what was heard"
NO_NUMBER = "must be a whole number, without quotation marks"
ONE_IMPORTANT = "exactly one question of a guide that asks for speech must be marked important = true"

RULES: list[tuple[str, Change, str, str]] = [
    # what all guides share
    ("phrases.toml", drop("saved ="), "phrases.saved", "is missing"),
    ("phrases.toml", drop("subject"), "mail.subject", "is missing"),
    ("phrases.toml", drop("yes = ["), "words.yes", "is missing"),
    ("phrases.toml", set_to("saved", '""'), "phrases.saved", NOT_A_TEXT),
    ("phrases.toml", set_to("saved", '"  "'), "phrases.saved", NOT_A_TEXT),
    ("phrases.toml", set_to("saved", "8"), "phrases.saved", NOT_A_TEXT),
    ("phrases.toml", set_to("saved", '{ text = "Gemt." }'), "phrases.saved", NOT_A_TEXT),
    ("phrases.toml", set_to("no_input", '["Intet.", 2]'), "phrases.no_input", NOT_A_TEXT),
    ("phrases.toml", set_to("subject", '["Til", "dig"]'), "mail.subject", NOT_A_TEXT),
    ("phrases.toml", set_to("saved", '"""Gemt.\nOg mere."""'), "phrases.saved", ONE_LINE),
    ("phrases.toml", set_to("saved", '"Gemt\\t."'), "phrases.saved", ONE_LINE),
    ("phrases.toml", set_to("subject", '"Til\\u0000dig"'), "mail.subject", ONE_LINE),
    ("phrases.toml", set_to("saved", '"Gemt"'), "phrases.saved", NOT_ENDED),
    ("phrases.toml", set_to("no_input", '["Intet.", "Stadig"]'), "phrases.no_input", NOT_ENDED),
    ("phrases.toml", set_to("no_input", "[]"), "phrases.no_input", EMPTY_LIST),
    ("phrases.toml", set_to("no", "[]"), "words.no", EMPTY_LIST),
    ("phrases.toml", set_to("saved", '["Gemt.", "Gemt igen."]'), "phrases.saved", "has 2 wordings; at most 1 can be said"),
    ("phrases.toml", set_to("consent", '["1.", "2.", "3.", "4."]'), "phrases.consent", "has 4 wordings; at most 3 can be said"),
    ("phrases.toml", swap(', "Tast ni."', ""), "phrases.press", "needs 9 wordings"),
    ("phrases.toml", swap(', "Ni."', ""), "phrases.digits", "needs 10 wordings"),
    ("phrases.toml", set_to("count", '"Et nyt."'), "phrases.count", COUNT),
    ("phrases.toml", set_to("count", '"Nummer {number}."'), "phrases.count", COUNT),
    ("phrases.toml", set_to("count", '"Af {total}."'), "phrases.count", COUNT),
    ("phrases.toml", set_to("count", '"Nummer {number} af {total} i {guide}."'), "phrases.count", COUNT),
    ("phrases.toml", set_to("count", '"Nummer {number} af {total} {}."'), "phrases.count", COUNT),
    ("phrases.toml", set_to("count", '"Nummer {number} af {total} {."'), "phrases.count", COUNT),
    ("phrases.toml", set_to("count", '"Nummer {number:9999999999} {number} af {total}."'), "phrases.count", COUNT),
    ("phrases.toml", set_to("saved", '"Gemt {number} af {total}."'), "phrases.saved", PLACEHOLDER),
    ("phrases.toml", set_to("saved", '"Gemt {number}."'), "phrases.saved", PLACEHOLDER),
    ("phrases.toml", set_to("no_match", '["Nej.", "Nej, {name}."]'), "phrases.no_match", PLACEHOLDER),
    ("phrases.toml", swap(', "ni"]', "]"), "words.numbers", "needs the number words from one to 9"),
    ("phrases.toml", set_to("yes", '["Ja"]'), "words of yes", WORDS_HEARD),
    ("phrases.toml", set_to("no", '["nej", "nej tak!"]'), "words of no", WORDS_HEARD),
    ("phrases.toml", set_to("words", '["Før prøven"]'), "words of group foer", WORDS_HEARD),
    ("phrases.toml", set_to("no", '["nej", "ja"]'), "words", "'ja' stands for yes and no"),
    ("phrases.toml", set_to("words", '["før", "hjælp"]'), "words", "'hjælp' stands for help and group foer"),
    ("phrases.toml", set_to("words", '["før", "tvivl"]'), "words", "'tvivl' stands for group foer and group tvivl"),
    ("phrases.toml", set_to("words", '["før", "før"]'), "words", "'før' stands for group foer and group foer"),
    ("phrases.toml", swap("[phrases]", '[phrases]\nsaved_too = "Gemt."'), "phrases.saved_too", UNKNOWN),
    ("phrases.toml", swap("[mail]", '[mail]\nsubjekt = "Til dig"'), "mail.subjekt", UNKNOWN),
    # a group
    ("phrases.toml", set_to("id", '"Før"'), "group 1.id", f"'Før' {SMALL}"),
    ("phrases.toml", drop("illness = ["), "words.illness", "is missing"),
    ("phrases.toml", set_to("fillers", '["Øh"]'), "words.fillers", "'Øh' must be small letters"),
    ("phrases.toml", set_to("doubles", '["jeg*"]'), "words.doubles", "'jeg*' must be small letters"),
    ("phrases.toml", swap('"kræft"]', '"*"]'), "words.illness", "'*' must be small letters with * before or after"),
    ("phrases.toml", set_to("listen", '"Lyt."'), "mail.listen", "must hold {file}"),
    ("phrases.toml", set_to("part", '"Del {file}"'), "mail.part", "must hold {number}"),
    ("phrases.toml", set_to("subject", '"Til {navn}"'), "mail.subject", "holds a placeholder"),
    ("phrases.toml", set_to("file", '"../Til dig"'), "mail.file", "must be letters, digits, spaces and - only, as it names files"),
    ("phrases.toml", drop('id = "efter"'), "group 2.id", "is missing"),
    ("phrases.toml", drop("menu"), "group foer.menu", "is missing"),
    ("phrases.toml", set_to("menu", '"Før prøven"'), "group foer.menu", NOT_ENDED),
    ("phrases.toml", drop("words = "), "group foer.words", "is missing"),
    ("phrases.toml", add('word = "tvivl"\n'), "group tvivl.word", UNKNOWN),
    ("phrases.toml", first('colour = "blue"'), "colour", UNKNOWN),
    ("phrases.toml", add("\n[sounds]\nspeed = 1\n"), "sounds", UNKNOWN),
    # a guide
    ("kort.toml", drop("order"), "order", "is missing"),
    ("kort.toml", set_to("order", '"2"'), "order", NO_NUMBER),
    ("kort.toml", set_to("order", "2.5"), "order", NO_NUMBER),
    ("kort.toml", set_to("order", "true"), "order", NO_NUMBER),
    ("kort.toml", drop("title"), "title", "is missing"),
    ("kort.toml", set_to("title", '""'), "title", NOT_A_TEXT),
    ("kort.toml", drop("menu"), "menu", "is missing"),
    ("kort.toml", set_to("menu", '"Den korte"'), "menu", NOT_ENDED),
    ("kort.toml", drop("intro"), "intro", "is missing"),
    ("kort.toml", set_to("intro", '"Nu:"'), "intro", NOT_ENDED),
    ("kort.toml", first("speed = 2"), "speed", UNKNOWN),
    ("kort.toml", add('\n[[questions]]\nid = "mere"\n'), "questions", UNKNOWN),
    ("kort.toml", drop("group"), "group", "is missing"),
    ("kort.toml", set_to("group", '"senere"'), "group", "there is no group 'senere' in phrases.toml"),
    ("tvivl.toml", set_to("leads_to", '"senere"'), "leads_to", "there is no group 'senere' in phrases.toml"),
    # a question
    ("kort.toml", drop("id"), "question 1.id", "is missing"),
    ("lang.toml", swap('id = "hvem"', 'id = "Hvem er?"'), "question 3.id", f"'Hvem er?' {SMALL}"),
    ("lang.toml", swap('id = "hvem"', 'id = "hvør"'), "question 3.id", f"'hvør' {SMALL}"),
    ("lang.toml", swap('id = "hvem"', f'id = "{"h" * 41}"'), "question 3.id", f"'{'h' * 41}' {SMALL}"),
    ("lang.toml", swap('id = "hvem"', 'id = "hvad"'), "question.id", "'hvad' is used twice"),
    ("lang.toml", swap('kind = "yes_no"', 'kind = "number"'), "question er_det.kind", "is 'number'; it can be spoken or yes_no"),
    ("lang.toml", swap('kind = "yes_no"', "kind = []"), "question er_det.kind", "is []; it can be spoken or yes_no"),
    ("kort.toml", drop("label"), "question eneste.label", "is missing"),
    ("kort.toml", drop("ask"), "question eneste.ask", "is missing"),
    ("kort.toml", set_to("ask", '["Hvad?", "Hvad?"]'), "question eneste.ask", NOT_A_TEXT),
    ("kort.toml", set_to("ask", '"Hvad er det eneste"'), "question eneste.ask", NOT_ENDED),
    ("kort.toml", drop("again"), "question eneste.again", "is missing"),
    ("kort.toml", set_to("again", "[]"), "question eneste.again", EMPTY_LIST),
    ("kort.toml", set_to("again", '["Det eneste?", "Sig det"]'), "question eneste.again", NOT_ENDED),
    ("kort.toml", drop("help"), "question eneste.help", "is missing"),
    ("kort.toml", set_to("important", '"true"'), "question eneste.important", "must be true or false, without quotation marks"),
    ("kort.toml", add("importent = true\n"), "question eneste.importent", UNKNOWN),
    ("lang.toml", drop("important"), "question.important", ONE_IMPORTANT),
    ("lang.toml", swap('id = "hvad"', 'id = "hvad"\nimportant = true'), "question.important", ONE_IMPORTANT),
    ("tvivl.toml", add("important = true\n"), "question.important", ONE_IMPORTANT),
    ("kort.toml", swap('label = "Eneste"', 'label = "Eneste"\nfirst = "Vent lidt"'), "question eneste.first", NOT_ENDED),
    # what is only read
    ("kort.toml", add('\n[[read]]\nid = "a b"\ntitle = "A"\ntext = "A."\n'), "read 1.id", f"'a b' {SMALL}"),
    ("kort.toml", add('\n[[read]]\nid = "a"\ntext = "A."\n'), "read a.title", "is missing"),
    ("kort.toml", add('\n[[read]]\nid = "a"\ntitle = "A"\ntext = "A"\n'), "read a.text", NOT_ENDED),
    ("kort.toml", add('\n[[read]]\nid = "a"\ntitle = "A"\ntext = "A."\n' * 2), "read.id", "'a' is used twice"),
    ("kort.toml", add('\n[[read]]\nid = "a"\ntitle = "A"\ntext = "A."\nsay = "A."\n'), "read a.say", UNKNOWN),
    ("kort.toml", add("".join(QUESTION.format(f"q{n}") for n in range(9))), "question", "there are 10 questions; a guide has 1 to 9"),
]


@pytest.mark.parametrize(("name", "change", "key", "problem"), RULES, ids=[f"{n}-{row[2]}" for n, row in enumerate(RULES)])
def test_a_broken_rule_is_told_as_file_key_and_problem(folder: Path, name: str, change: Change, key: str, problem: str) -> None:
    alter(folder, name, change)
    told = problems(folder)
    assert f"da/{name}: {key}: {problem}" in told
    with_it = {"question.important"} if problem.startswith("must be true or false") else set()
    with_it |= {"group", "leads_to"} if key in ("group 1.id", "group 2.id") else set()  # there the guides name it
    assert {line.split(": ")[1] for line in told} - with_it == {key}, "one mistake is told as several"


@pytest.mark.parametrize("written", ["question = []", 'question = "eneste"', "question = [1]", "[question]\nid = 'eneste'"])
def test_a_guide_without_questions_is_told(folder: Path, written: str) -> None:
    alter(folder, "kort.toml", lambda text: text[: text.index("[[question]]")] + written + "\n")
    told = problems(folder)
    assert "da/kort.toml: question: there are 0 questions; a guide has 1 to 9" in told
    assert (f"da/kort.toml: question: {NOT_TABLES}" in told) == (written != "question = []")


def test_nine_questions_are_enough_and_not_too_many(folder: Path) -> None:
    alter(folder, "kort.toml", add("".join(QUESTION.format(f"q{n}") for n in range(8))))
    (prompts,) = load_all(folder)
    assert prompts.guide("kort").questions[8].count.text == "Nummer ni af ni."


@pytest.mark.parametrize("name", ["På vej.toml", "Kort.toml", "1.toml", "kort-2.toml", "a.b.toml"])
def test_a_guide_s_file_is_named_plainly(folder: Path, name: str) -> None:
    (folder / "da" / "kort.toml").rename(folder / "da" / name)
    assert problems(folder) == (f"da/{name}: (file name): {SMALL}",)


# ---- files

FILES: list[tuple[bytes, str]] = [
    (b"order = \n", "not TOML: "),
    (b'order = 1\ntitle = "Uden slut\n', "not TOML: "),
    (b"order = 1\norder = 2\n", "not TOML: "),
    ('title = "På vej"\n'.encode("latin-1"), "the file is not UTF-8 text: save it as UTF-8"),
    ('title = "På vej"\n'.encode("utf-16"), "the file is not UTF-8 text: save it as UTF-8"),
]


@pytest.mark.parametrize("name", ["phrases.toml", "kort.toml"])
@pytest.mark.parametrize(("data", "problem"), FILES)
def test_a_file_that_cannot_be_read_is_one_problem(folder: Path, name: str, data: bytes, problem: str) -> None:
    (folder / "da" / name).write_bytes(data)
    (told,) = problems(folder)  # what is missing because of it is not told
    assert told.startswith(f"da/{name}: (file): {problem}")


def test_missing_phrases_are_told(folder: Path) -> None:
    (folder / "da" / "phrases.toml").unlink()
    assert problems(folder) == ("da/phrases.toml: (file): the file is missing",)


def test_a_folder_in_a_file_s_place_is_told(folder: Path) -> None:
    (folder / "da" / "phrases.toml").unlink()
    (folder / "da" / "phrases.toml").mkdir()
    assert problems(folder) == ("da/phrases.toml: (file): the file cannot be read: Is a directory",)


def test_no_guide_is_told(folder: Path) -> None:
    for path in guides(folder):
        path.unlink()
    assert problems(folder) == (f"{folder / 'da'}: there is no guide: add a .toml file with questions",)


def test_four_guides_fit_the_menu_of_a_group_and_five_do_not(folder: Path) -> None:
    for n in (2, 3, 4):
        shutil.copy(folder / "da" / "kort.toml", folder / "da" / f"kort{n}.toml")
    assert sum(guide.group == "efter" for guide in load_all(folder)[0].guides) == 4
    shutil.copy(folder / "da" / "kort.toml", folder / "da" / "kort5.toml")
    assert problems(folder) == ("da/phrases.toml: group: 5 guides in the group 'efter' make a menu of more than 4 options",)


def test_four_groups_fit_the_menu_and_five_do_not(folder: Path) -> None:
    for number, one in enumerate(("fire", "fem"), 4):
        alter(folder, "phrases.toml", add(f'\n[[group]]\nid = "{one}"\nmenu = "Nummer {one},"\nwords = ["nummer {one}"]\n'))
        assert len(load_all(folder)[0].groups) == number - 1, "a group without a guide is offered"
        guide = (folder / "da" / "kort.toml").read_text("utf-8")
        (folder / "da" / f"{one}.toml").write_text(set_to("group", f'"{one}"')(guide), "utf-8")
        if number == 4:
            assert len(load_all(folder)[0].groups) == 4
    assert problems(folder) == ("da/phrases.toml: group: 5 groups make a menu of more than 4 options",)


READ = '[[read]]\nid = "{}"\ntitle = "Mere"\ntext = "Mere."\ngroups = ["{}"]\n'


def test_what_several_guides_tell_stands_after_what_each_tells_itself(folder: Path) -> None:
    (folder / "da" / "read.toml").write_text(READ.format("alle", "foer"))
    alter(folder, "lang.toml", add('\n[[read]]\nid = "egen"\ntitle = "Egen"\ntext = "Egen."\n'))
    (prompts,) = load_all(folder)
    read = {guide.id: [reading.id for reading in guide.readings] for guide in prompts.guides}
    assert read == {"lang": ["egen", "alle"], "mellem": ["alle"], "kort": [], "tvivl": []}


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        (READ.format("alle", "senere"), "read alle.groups: there is no group 'senere' in phrases.toml"),
        (READ.format("alle", "foer") * 2, "read.id: 'alle' is used twice"),
        (READ.format("alle", "foer") + 'say = "Mere."\n', f"read alle.say: {UNKNOWN}"),
        (READ.format("Alle", "foer"), f"read 1.id: 'Alle' {SMALL}"),
        (READ.format("alle", "foer").replace("Mere.", "Mere"), f"read alle.text: {NOT_ENDED}"),
        (READ.format("alle", "foer") + '\n[[reed]]\nid = "a"\n', f"reed: {UNKNOWN}"),
    ],
)
def test_a_mistake_in_what_several_guides_tell_is_told(folder: Path, written: str, problem: str) -> None:
    (folder / "da" / "read.toml").write_text(written)
    assert f"da/read.toml: {problem}" in problems(folder)


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_without_a_language_is_told(tmp_path: Path, there: bool) -> None:
    folder = tmp_path / "empty"
    if there:
        folder.mkdir()
    (problem,) = problems(folder)
    assert problem == f"{folder}: there is no language here: add a folder such as da with phrases.toml and guides"


# ---- the command


def test_the_command_tells_every_problem_of_every_file_and_language_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(folder / "da", folder / "sv")
    alter(folder, "phrases.toml", drop("saved ="))
    alter(folder, "kort.toml", set_to("order", '"2"'))
    alter(folder, "kort.toml", drop("help"))
    alter(folder, "lang.toml", lambda text: text + "x = [")
    (folder / "sv" / "phrases.toml").unlink()
    assert main(["check", str(folder)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    told = err.splitlines()
    assert [line.split(": ")[:2] for line in sorted(told)] == [
        ["da/kort.toml", "order"],
        ["da/kort.toml", "question eneste.help"],
        ["da/lang.toml", "(file)"],
        ["da/phrases.toml", "phrases.saved"],
        ["sv/phrases.toml", "(file)"],
    ]


def test_the_command_says_what_it_has_read_when_there_is_no_problem(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(folder)]) == 0
    out, err = capsys.readouterr()
    prompts = load(folder / "da")
    written = sum(path.read_text("utf-8").count("[[question]]") for path in guides(folder))
    counted = f"{len(guides(folder))} guides, {written} questions, {len(list(prompts))} prompts"
    assert (out.splitlines()[0], err) == (f"da: {counted}: no problems.", "")


def test_content_that_is_wrong_ends_the_program_with_1_and_settings_that_are_with_2(folder: Path) -> None:
    (folder / "da" / "phrases.toml").unlink()
    run = [sys.executable, "-m", "voice"]
    content = subprocess.run([*run, "check"], env={"PROMPTS_DIR": str(folder)}, cwd=ROOT, capture_output=True, text=True)
    assert (content.returncode, content.stdout) == (1, "")
    assert content.stderr == "da/phrases.toml: (file): the file is missing\n"
    settings = subprocess.run([*run, "migrate"], env={}, cwd=ROOT, capture_output=True, text=True)
    assert (settings.returncode, settings.stdout) == (2, "")
    assert "PUBLIC_BASE_URL is missing" in settings.stderr
    assert "Traceback" not in content.stderr + settings.stderr


# ---- what is asked for is used, and what is used is asked for


def test_every_phrase_that_is_asked_for_is_said_and_every_phrase_that_is_said_is_asked_for() -> None:
    said = set().union(*(_said(path) for path in (ROOT / "voice").rglob("*.py")))
    assert said == set(PHRASES)


def test_a_phrase_that_nobody_says_is_noticed(tmp_path: Path) -> None:
    """The check above is worth something: it follows each way in which a phrase is named, and no other."""
    code = tmp_path / "code.py"
    code.write_text(
        """
def asking(prompts, place, phrases, session):
    here = ("one", "two") if session else ("three",)
    not_said = ("nobody", "says")
    prompts.phrase("four" if session else "five", "not this")
    line.writer.say("twelve")
    verb.say("not this either")
    phrases["six"]
    prompts.phrases["seven"]
    tuple(map(prompts.phrase, (*here, "eight" if session else "nine")))
    match place:
        case "ten":
            return None
        case place:
            return prompts.phrase(place)
"""
    )
    places = {"eleven", "ten"}
    assert _said(code, places) == {"one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "eleven", "twelve"}


def _said(path: Path, places: Collection[str] = get_args(Place)) -> set[str]:
    """The phrases that a file names: as an argument of ``phrase``, through ``map``, looked up, or as the place that has its name."""
    tree = ast.parse(path.read_text())
    said: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name("map"), args=[ast.Attribute(attr="phrase"), names]):
                said |= _texts(names, tree)
            case ast.Call(
                func=ast.Attribute(attr="phrase") | ast.Attribute(ast.Attribute(attr="writer" | "_writer"), "say"), args=[name, *_]
            ):
                said |= _texts(name, tree)
            case ast.Subscript(value=ast.Attribute(attr="phrases"), slice=name):
                said |= _texts(name, tree)
            case ast.Subscript(value=ast.Name("phrases"), slice=name) if path.parent.name != "summary":  # there they are the mail's
                said |= _texts(name, tree)
            case ast.Match(cases=[*cases, ast.match_case(ast.MatchAs(pattern=None, name=str(rest)), None, body)]):
                if any(isinstance(use, ast.Name) and use.id == rest for call in _phrases(body) for use in call.args):
                    own = {value for case in cases for value in _values(case)}
                    said |= set(places) - own
    return said


def _phrases(body: list[ast.stmt]) -> Iterator[ast.Call]:
    for node in ast.walk(ast.Module(body, [])):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "phrase":
            yield node


def _values(case: ast.match_case) -> Iterator[str]:
    """The texts that a case without a condition takes."""
    for node in ast.walk(case.pattern) if case.guard is None else ():
        if isinstance(node, ast.MatchValue) and isinstance(node.value, ast.Constant):
            yield str(node.value.value)


def _texts(node: ast.expr, tree: ast.AST) -> set[str]:
    """The texts that it can be: itself, either side of an ``if``, each of a row, or what a name was given."""
    match node:
        case ast.Constant(str(text)):
            return {text}
        case ast.IfExp(_, body, orelse):
            return _texts(body, tree) | _texts(orelse, tree)
        case ast.Tuple(elements) | ast.List(elements):
            return set().union(*(_texts(element, tree) for element in elements))
        case ast.Starred(value):
            return _texts(value, tree)
        case ast.Name(name):
            given = [one.value for one in ast.walk(tree) if isinstance(one, ast.Assign) and _is_name(one.targets, name)]
            return set().union(*(_texts(value, tree) for value in given))
        case _:
            return set()


def _is_name(targets: list[ast.expr], name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def test_every_word_list_that_is_asked_for_is_compared_with() -> None:
    """Each of them changes what a word does in some menu."""
    prompts = load(TEST_PROMPTS / "da")
    for name in WORDS:
        without = replace(prompts, words={**prompts.words, name: ()})
        assert any(_led(prompts, name, place) != _led(without, name, place) for place in WORD_PLACES), name


def _led(prompts: Prompts, name: str, place: Place) -> Session:
    """Where the first word of that list leads from there."""
    there = Session(words=True, consent=place != "consent", place=place, guide="lang", answered=("hvad",) if place == "answered" else ())
    word = load(TEST_PROMPTS / "da").words[name][0]
    return respond(prompts, there, WordsHeard(word))[0]


class Observed(Mapping[str, str]):
    """Texts that remember which of them were read."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.read.add(name)
        return self.texts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.texts)

    def __len__(self) -> int:
        return len(self.texts)


def test_every_text_of_the_mail_that_is_asked_for_can_come_to_be_read() -> None:
    observed = Observed(load(TEST_PROMPTS / "da").mail)
    prompts = replace(load(TEST_PROMPTS / "da"), mail=observed)
    hints = get_type_hints(Utterance)
    marks = {field.name: True for field in fields(Utterance) if hints[field.name] is bool}
    heard = Utterance("u", "hvad", 1, 0, "heard", "jeg siger kræft og 010190-1234", **marks)
    said = [
        [
            heard,
            Utterance("u", "hvad", 1, 1, "failed"),
            Utterance("u", "er_det", 1, 2, "keyed", "yes"),
            Utterance("u", "hvem", 1, 3, "silent"),
        ],
        [Utterance("u", "hvad", 1, 0, "failed"), Utterance("u", "er_det", 1, 1, "keyed", "no"), replace(heard, question="ukendt")],
        [replace(heard, question="vigtigst")],
    ]
    readings = (Reading("r", "Læs", "Det her."),)
    forms: list[dict[Form, bytes | None]] = [{}, {"pages": b"%PDF", "sound": b"ID3"}, {"pages": None, "sound": None}]
    for utterances, late, sheet, attached in product([*said, []], (False, True), get_args(Sheet), forms):
        shown = tuple(replace(question, show=True) for question in prompts.guide("lang").questions)
        guide = replace(prompts.guide("lang"), sheet=sheet, questions=shown, readings=readings)
        write(summarise(guide, utterances, prompts.vocabulary, late=late), prompts, attached, "https://line.example/slet/0")
    assert sorted(observed.read) == sorted(MAIL)
