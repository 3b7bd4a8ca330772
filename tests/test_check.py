"""The editor's friend, on the content that callers hear: it is clean, and each rule is seen to fail where one place is broken."""

import re
import shutil
import wave
from pathlib import Path

import pytest

from tests.conftest import ROOT, TEST_PROMPTS
from tests.test_prompts import Change, alter, drop, set_to, swap
from voice.__main__ import main
from voice.check.command import write_table
from voice.check.readability import lix, sentences_of
from voice.check.report import in_words
from voice.content import load, read
from voice.errors import PromptError

REAL = ROOT / "prompts"


@pytest.fixture
def real(tmp_path: Path) -> Path:
    return Path(shutil.copytree(REAL, tmp_path / "real"))


def in_writing(content: Path) -> list[str]:
    """The problems of the one language in a folder that can be told without measuring seconds, which takes long."""
    prompts, problems = read(content / "da")
    return problems + in_words(prompts, content / "da")


def told(content: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The problems of a folder of languages."""
    code = main(["check", str(content)])
    out, err = capsys.readouterr()
    assert code == (1 if err else 0)
    assert not (out and err)
    return err.splitlines()


def ask(question: str, key: str, value: str) -> Change:
    """Give a key of one question another value."""

    def change(text: str) -> str:
        start = text.index(f'id = "{question}"')
        return text[:start] + set_to(key, value)(text[start:])

    return change


HEAVY = " ".join(["Arbejdspladsvurderinger forudsætter medarbejderinddragelse."] * 4)
LONG = "Sig bare lidt om det, der er svært for dig og for de andre på dit arbejde."
STEADY = " ".join(["Det er en god dag."] * 7)  # 35 words in short sentences
ILLNESS = 'asks for an illness: ask for what it does to the work, or say why it stays with waive = "reason"'

RULES: list[tuple[str, Change, str]] = [
    (
        "ondt.toml",
        lambda text: text.replace('[[read]]\nid = "tryg"', "\n".join(_heavy(n) for n in range(6)) + '\n[[read]]\nid = "tryg"'),
        r"\(text\): mean LIX \d\d\.\d is over 27; the heaviest is read tung0 with 103",
    ),
    ("ondt.toml", ask("gaar", "help", f'"{LONG}"'), rf"question gaar\.help: a sentence of 17 words; at most 15: '{LONG}'"),
    ("read.toml", ask("ring", "text", f'"{LONG}"'), rf"read ring\.text: a sentence of 17 words; at most 15: '{LONG}'"),
    ("phrases.toml", set_to("failed", f'"{LONG}"'), rf"mail\.failed: a sentence of 17 words; at most 15: '{LONG}'"),
    ("ondt.toml", ask("gaar", "help", f'"{STEADY}"'), r"question gaar\.help: 35 words in one prompt; at most 30"),
    ("ondt.toml", ask("gaar", "help", '"Sig, at du løfter 20 kasser."'), r"question gaar\.help: 20 is written with digits.*"),
    ("ondt.toml", ask("gaar", "help", '"Sig f.eks. lidt."'), r"question gaar\.help: f\.eks\. is an abbreviation: write it in full"),
    ("ondt.toml", ask("gaar", "help", '"Tal om jeres APV."'), r"question gaar\.help: APV is an abbreviation: write it in full"),
    ("ondt.toml", ask("gaar", "help", '"Det er en ☺ dag."'), r"question gaar\.help: ☺ is not among the characters of wording\.toml.*"),
    ("ondt.toml", set_to("title", '"Job & fritid"'), r"title: & is not among the characters of wording\.toml.*"),
    ("ondt.toml", ask("gaar", "ask", '"Hvad fejler du?"'), rf"question gaar\.ask: fejler {ILLNESS}"),
    ("ondt.toml", ask("gaar", "again", '["Har du en diagnose?"]'), rf"question gaar\.again: diagnose {ILLNESS}"),
    ("ondt.toml", ask("gaar", "help", '"Sig, hvilken medicin du får."'), rf"question gaar\.help: medicin {ILLNESS}"),
    ("tvivl.toml", drop("waive"), rf"question helbred\.ask: helbred {ILLNESS}"),
    ("tvivl.toml", ask("ondt", "covers", '["L3.3"]\nwaive = "no reason"'), r"question ondt\.waive: nothing here asks for an illness.*"),
    ("ondt.toml", ask("gaar", "help", '"Få feedback på det."'), r"question gaar\.help: feedback is a word that many do not know.*"),
    ("phrases.toml", set_to("two_keys", '"For hjælp, tryk nul, og hør igen."'), r"phrases\.two_keys: the key is said before its option.*"),
    ("phrases.toml", set_to("help_skip", '"Tryk to for at springe over."'), r"phrases\.help_skip: the key is said before its option.*"),
    ("phrases.toml", set_to("help_skip", '"Tryk to. Så springer vi over."'), r"phrases\.help_skip: the key is said before its option.*"),
    ("points.toml", swap('"L1.1", ', '"L1.1", "L99", '), r"heard: 'L99' is covered by nothing that is heard"),
    ("ondt.toml", ask("gaar", "covers", '["S2.1", "S99"]'), r"question gaar\.covers: 'S99' is not a point of points\.toml"),
    ("points.toml", swap(', "L12.2"', ""), r"read maa_spoerge\.covers: 'L12\.2' is not a point of points\.toml"),
    ("wording.toml", drop("press"), r"press: is missing"),
    ("points.toml", set_to("read", "3 #"), r"\(file\): not TOML.*"),
    # what holds in every language is told beside it
    ("phrases.toml", drop("saved ="), r"phrases\.saved: is missing"),
    ("ondt.toml", drop("important"), r"question\.important: exactly one question .*"),
    ("ondt.toml", ask("gaar", "id", '"kolleger"'), r"question\.id: 'kolleger' is used twice"),
]

SLOW: list[tuple[str, Change, str]] = [
    (
        "ondt.toml",
        ask("gaar", "help", '"' + " ".join(["Tilrettelæggelsesproblemerne fortsætter."] * 6) + '"'),
        r"question gaar\.help: \d\d\.\d seconds in one prompt; at most 14",
    ),
    (
        "ondt.toml",
        set_to("intro", '"' + " ".join(["Vi taler om arbejde, der gør ondt."] * 4) + '"'),
        r"intro: 2\d\.\d seconds without the caller's turn; at most 20: ondt/intro \+ how_to_talk/1 \+ two_keys/1 \+ .*",
    ),
    (
        "phrases.toml",
        swap("Er nogen i fare, så ring et et to.", "Er nogen i fare, så ring et et to. Bliv ved din telefon. Vent på hjælpen."),
        r"phrases\.crisis: 2\d\.\d seconds without the caller's turn; at most 20: person/1 \+ digits/3 .* \+ crisis/3",
    ),
]


def _heavy(number: int) -> str:
    return f'[[read]]\nid = "tung{number}"\ntitle = "Tung"\ntext = "{HEAVY}"\n'


@pytest.mark.parametrize(("name", "change", "problem"), RULES, ids=[f"{n}-{row[0]}" for n, row in enumerate(RULES)])
def test_one_broken_place_is_one_problem(real: Path, name: str, change: Change, problem: str) -> None:
    alter(real, name, change)
    (line,) = in_writing(real)
    where = "read.toml" if problem.startswith("read maa_spoerge") else name
    assert re.fullmatch(rf"da/{where}: {problem}", line), line


@pytest.mark.parametrize(("name", "change", "problem"), SLOW, ids=["prompt", "way to the first question", "whom to call"])
def test_what_takes_too_long_to_say_is_one_problem(
    real: Path, capsys: pytest.CaptureFixture[str], name: str, change: Change, problem: str
) -> None:
    alter(real, name, change)
    (line,) = told(real, capsys)
    assert re.fullmatch(rf"da/{name}: {problem}", line), line


def test_a_point_that_is_only_heard_where_it_must_be_read_is_told(real: Path) -> None:
    """The question of ``ondt`` still carries S6, and so does what the leader's mail tells."""
    alter(real, "leder.toml", swap('covers = ["S5.6", "S5.7", "S6"]', 'covers = ["S5.6", "S5.7"]'))
    assert in_writing(real) == []
    alter(real, "ondt.toml", swap('covers = ["S6"]', ""))
    assert in_writing(real) == ["da/points.toml: read: 'S6' is covered by nothing that is read"]


def test_what_is_broken_and_what_is_badly_put_are_told_together(real: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alter(real, "phrases.toml", drop("saved ="))
    alter(real, "ondt.toml", ask("gaar", "ask", '"Hvad fejler du?"'))
    alter(real, "ondt.toml", ask("kolleger", "help", '"Sig f.eks. lidt."'))
    alter(real, "leder.toml", set_to("order", '"6"'))
    assert sorted(line.split(": ")[1] for line in told(real, capsys)) == [
        "order",
        "phrases.saved",
        "question gaar.ask",
        "question kolleger.help",
    ]


def test_a_right_may_name_what_must_not_be_asked(real: Path) -> None:
    alter(real, "ondt.toml", ask("kolleger", "first", '"Din leder må normalt ikke spørge om din sygdom."'))
    assert in_writing(real) == []


def test_a_number_to_dial_is_written_with_digits_where_it_is_read(real: Path) -> None:
    alter(real, "read.toml", ask("ring", "text", '"Ring 112."'))
    assert in_writing(real) == []
    alter(real, "phrases.toml", swap("Er nogen i fare, så ring et et to.", "Er nogen i fare, så ring 112."))
    assert in_writing(real) == ["da/phrases.toml: phrases.crisis: 112 is written with digits: write it as it is said"]


def test_a_folder_that_says_nothing_of_its_language_is_not_judged_by_its_words(real: Path) -> None:
    alter(real, "ondt.toml", ask("gaar", "ask", '"Hvad fejler du f.eks. i 20 teams?"'))
    assert len(in_writing(real)) == 4
    (real / "da" / "wording.toml").unlink()
    (real / "da" / "points.toml").unlink()
    assert in_writing(real) == []


# ---- what is printed


@pytest.mark.parametrize("name", ["wording.toml", "points.toml"])
def test_what_a_language_is_not_judged_by_is_said(real: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    (real / "da" / name).unlink()
    assert main(["check", str(real)]) == 0
    assert f"  There is no {name}, so nothing is judged by it." in capsys.readouterr().out.splitlines()


def test_the_real_content_is_clean_and_stands_in_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    prompts = load(REAL / "da")
    rows = {row.split()[0]: row.split()[1:] for row in out.splitlines()[2:] if re.match(r"  \w+ +\d+ +\d", row)}
    assert list(rows) == [guide.id for guide in prompts.guides]
    for guide in prompts.guides:
        questions, minutes, mean, worst, longest, unit = rows[guide.id]
        assert int(questions) == len(guide.questions)
        assert 1 < float(minutes) < 5
        assert 5 < float(mean) <= 27
        assert float(mean) < float(worst)
        assert 5 < float(longest) <= 20
        assert unit == "s"


def test_prompts_that_no_human_voice_has_said_are_counted_and_named(real: Path, capsys: pytest.CaptureFixture[str]) -> None:
    count = len(list(load(REAL / "da")))
    assert main(["check", str(real)]) == 0
    assert f"  {count} of {count} prompts have no recording by a human voice." in capsys.readouterr().out.splitlines()
    recording = real / "da" / "recordings" / "ondt" / "gaar" / "ask" / "1.wav"
    recording.parent.mkdir(parents=True)
    with wave.open(str(recording), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    assert main(["check", str(real), "--recordings"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert f"  {count - 1} of {count} prompts have no recording by a human voice." in out
    named = [line.strip().split(": ")[0] for line in out if line.startswith("    ")]
    assert len(named) == count - 1
    assert "recordings/welcome/1.wav" in named
    assert "recordings/ondt/gaar/ask/1.wav" not in named


def test_a_guide_is_played_as_a_caller_meets_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--play", "ondt"]) == 0
    out = capsys.readouterr().out
    prompts = load(REAL / "da")
    guide = prompts.guide("ondt")
    heard = [prompts.phrase("welcome"), prompts.phrase("consent"), prompts.groups[0].menu, guide.menu, guide.intro]
    for question in guide.questions:
        heard += filter(None, [question.count, question.first, *question.ask, question.help])
    at = 0
    for prompt in [*heard, prompts.phrase("goodbye")]:
        at = out.index(prompt.text, at) + len(prompt.text)
    assert out.count("the caller speaks, until 6 seconds of silence]") == len(guide.questions)
    assert re.search(r"\[\d+\.\d seconds, then the line hangs up\]\n$", out)


def test_a_guide_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--play", "onde"]) == 1
    assert capsys.readouterr().err.startswith("There is no guide 'onde': name one of bagefter, ")


def test_a_guide_is_played_without_seconds_in_a_language_that_the_voice_does_not_speak(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(TEST_PROMPTS / "da", tmp_path / "xx")
    assert main(["check", str(tmp_path), "--play", "kort"]) == 0
    out = capsys.readouterr().out
    assert "Hvad er det eneste?" in out
    assert "seconds, then" not in out


def test_the_page_of_points_is_fresh(real: Path, tmp_path: Path) -> None:
    """Run ``samtaleklar check --table`` when it is not."""
    page = tmp_path / "content.md"
    write_table(real, page)
    assert page.read_text("utf-8") == (ROOT / "docs" / "content.md").read_text("utf-8")
    alter(real, "ondt.toml", ask("gaar", "covers", '["S2.1", "S6"]'))
    write_table(real, page)
    row = "| S6 | `leder.toml` question bedre_vaerre, `ondt.toml` question gaar, `ondt.toml` question hvornaar |"
    assert row in page.read_text("utf-8")


def test_no_page_is_written_where_no_language_says_what_it_carries(tmp_path: Path) -> None:
    with pytest.raises(PromptError) as wrong:
        write_table(TEST_PROMPTS, tmp_path / "content.md")
    assert wrong.value.problems == (f"{TEST_PROMPTS}: 0 languages have a points.toml; the table is made of one",)
    assert not (tmp_path / "content.md").exists()


# ---- the measure


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["Jeg har ondt i ryggen."], 5 + 100 * 0 / 5),
        (["Jeg arbejder meget. Det er hårdt."], 3 + 100 / 6),
        (["Sig for eksempel: Jeg er træt."], 3 + 100 / 6),  # a colon ends a sentence
        (["Arbejde."], 1 + 100),
        (["Jeg er her.", "Du er der."], 3),
        (["Jeg er på e-mail."], 4 + 0),  # a hyphen does not part a word
        ([], 0),
        (["…"], 0),
    ],
)
def test_lix_is_words_in_a_sentence_and_long_words_in_a_hundred(texts: list[str], expected: float) -> None:
    assert lix(texts) == pytest.approx(expected)


def test_a_sentence_ends_at_its_mark_and_not_at_a_comma() -> None:
    assert sentences_of("Hej. Er du der? Sig ja, hvis du er! Tak") == ["Hej.", "Er du der?", "Sig ja, hvis du er!", "Tak"]
