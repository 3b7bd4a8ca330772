"""A caller's script reads like a conversation, and says where it could not be followed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Response

from tests.exchange_line import Line, ringing, serving, twiml, voice
from voice.exchange import CallRecord, Conditions, Script, ScriptError, media
from voice.exchange.script import Expect, HangUp, Key, Silence, Speech, Words

ASK = "<Gather numDigits='1' finishOnKey='' timeout='2' input='{input}' action='{action}'><Say>{text}</Say></Gather>"


def speak(text: str) -> bytes:
    """A voice that needs a tenth of a second for a character."""
    return media.to_wav(voice(len(text) / 10))


@pytest.fixture
def line() -> Iterator[Line]:
    """A line with a menu, one question and a farewell."""
    with serving() as line:
        line["/status"] = Response("", 204)
        line.says(ASK.format(input="dtmf speech", action="/question", text="Velkommen. Er du klar?"), "<Redirect>/voice</Redirect>")
        ask = ASK.format(input="dtmf", action="/voice", text="Hvad vil du sige?")
        line["/question"] = twiml(ask, "<Record timeout='3' action='/end'/><Redirect>/question</Redirect>")
        line["/end"] = twiml("<Say>Tak for i dag.</Say><Hangup/>")
        yield line


def play(line: Line, text: str) -> tuple[CallRecord, list[str]]:
    with ringing(line) as exchange:
        played = exchange.play(Script.parse(text, speak=speak))
        assert exchange.settle()
        return played


def told(line: Line, path: str, name: str) -> list[str | None]:
    return [asked.form.get(name) for asked in line.requests(path)]


def test_a_whole_call_reads_as_it_went(line: Line) -> None:
    record, problems = play(
        line,
        """
        from +4520304050
        to +4580203040

        expect er du klar
        key 1
        expect hvad vil du
        speak "Jeg kan stå op."  # fifteen characters
        expect tak for i dag
        """,
    )
    assert problems == []
    assert str(record.conversation).splitlines() == [
        " 0:00.0  line    answers",
        " 0:00.0  line    says Velkommen. Er du klar?",
        " 0:01.6  line    listens dtmf speech",
        " 0:01.6  caller  presses 1",
        " 0:01.6  line    says Hvad vil du sige?",
        " 0:02.8  line    listens dtmf",
        " 0:04.8  line    beeps",
        " 0:05.0  line    records",
        " 0:05.0  caller  speaks “Jeg kan stå op.” (1.5 s)",
        " 0:09.5  line    recorded 4.5 s, speech, ended by silence",
        " 0:09.5  line    says Tak for i dag.",
        " 0:10.5  line    hangs up",
    ]
    assert line.requests("/voice")[0].form["From"] == "+4520304050"
    assert line.requests("/voice")[0].form["To"] == "+4580203040"


def test_a_key_is_pressed_when_the_line_waits(line: Line) -> None:
    record, _ = play(line, "key 5\nhang up")
    (pressed,) = [entry for entry in record.conversation.entries if entry.what == "presses"]
    assert pressed.at == pytest.approx(1.58, abs=0.03)


def test_an_early_key_is_pressed_while_the_line_speaks(line: Line) -> None:
    record, _ = play(line, "key 5 early\nhang up")
    (pressed,) = [entry for entry in record.conversation.entries if entry.what == "presses"]
    assert pressed.at < 0.1


def test_several_keys_are_pressed_one_after_the_other(line: Line) -> None:
    line.says("<Gather numDigits='4' action='/end'><Say>Din kode?</Say></Gather>")
    _, problems = play(line, "key 1234")
    assert (told(line, "/end", "Digits"), problems) == (["1234"], [])


def test_words_are_said_to_a_line_that_listens_for_them(line: Line) -> None:
    _, problems = play(line, "words ja tak\nhang up")
    assert (told(line, "/question", "SpeechResult"), problems) == (["ja tak"], [])


def test_words_to_a_line_that_does_not_listen_for_them_are_noted(line: Line) -> None:
    record, problems = play(line, "key 1\nwords gå videre\nhang up")
    assert problems == []
    assert record.conversation.texts("does") == ["says “gå videre”, but the line does not listen for words"]


def test_a_key_right_after_speech_ends_the_recording(line: Line) -> None:
    record, _ = play(line, 'key 1\nspeak "tyve tegn i alt her!"\nkey #')
    assert told(line, "/end", "Digits") == ["#"]
    assert media.seconds(record.recordings[0].pcm) == pytest.approx(2, abs=0.05)


def test_a_clip_beside_the_script_is_spoken(line: Line, tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "one.wav").write_bytes(media.to_wav(voice(1)))
    path = tmp_path / "call.txt"
    path.write_text("key 1\nsay clips/one.wav\n", "utf-8")
    with ringing(line) as exchange:
        record, problems = exchange.play(Script.load(path)[0])
    assert problems == []
    assert record.recordings[0].pcm.startswith(voice(1))
    assert record.conversation.texts("does") == ["speaks clips/one.wav (1.0 s)"]


def test_after_a_silence_one_may_go_on_in_the_same_recording(line: Line) -> None:
    record, problems = play(line, 'key 1\nspeak "en"\nsilence 2\nspeak "to"')
    assert problems == []
    assert len(record.recordings) == 1
    assert media.seconds(record.recordings[0].pcm) == pytest.approx(0.2 + 2 + 0.2 + 3, abs=0.1)


def test_one_speech_after_the_other_takes_one_recording_each(line: Line) -> None:
    line["/end"] = [twiml("<Record timeout='3' action='/end'/>"), twiml("<Hangup/>")]
    record, problems = play(line, 'key 1\nspeak "en"\nspeak "og to"')
    assert problems == []
    assert [media.seconds(recording.pcm) for recording in record.recordings] == pytest.approx([0.2 + 3, 0.5 + 3], abs=0.1)


def test_silence_lasts_as_long_as_one_is_asked(line: Line) -> None:
    record, problems = play(line, "silence 5\nkey 1\nhang up")
    assert problems == []
    assert len(line.requests("/voice")) == 3  # it waited 2 s, 2 s and 1 s
    assert told(line, "/question", "Digits") == ["1"]
    assert record.status == "completed"


def test_silence_without_a_length_lasts_until_the_line_goes_on(line: Line) -> None:
    _, problems = play(line, "silence\nexpect velkommen\nkey 2\nhang up")
    assert problems == []
    assert len(line.requests("/voice")) == 2


@pytest.mark.parametrize(
    ("script", "digits", "seconds"),
    [
        ('key 1\nspeak "tyve tegn i alt her!"\nhang up', "hangup", 2.0),
        ("key 1\nhang up mid-answer after 2", "hangup", 2.0),
        ("key 1\nhang up mid-answer", "hangup", 1.0),
    ],
)
def test_one_can_hang_up_in_the_middle_of_an_answer(line: Line, script: str, digits: str, seconds: float) -> None:
    record, problems = play(line, script)
    assert (told(line, "/end", "Digits"), problems) == ([digits], [])
    assert media.seconds(record.recordings[0].pcm) == pytest.approx(seconds, abs=0.05)


def test_one_can_hang_up_while_the_line_speaks(line: Line) -> None:
    record, problems = play(line, "hang up early")
    assert problems == []
    assert record.seconds < 0.1


def test_after_its_end_the_caller_stays_silent_until_the_line_hangs_up(line: Line) -> None:
    line.says("<Say>Hej</Say><Pause length='30'/>")
    record, problems = play(line, "expect hej")
    assert (record.seconds > 30, problems) == (True, [])


def test_what_could_not_be_done_is_told_with_its_line(line: Line) -> None:
    line.says("<Say>Vi har lukket.</Say><Say>Farvel.</Say>")
    _, problems = play(line, "\nexpect Velkommen\n\nkey 1\nhang up")
    assert problems == [
        "script:2: the line did not say “Velkommen”. It said: Vi har lukket. / Farvel.",
        "script:4: not reached: key 1",
        "script:5: not reached: hang up",
    ]


def test_a_line_that_hangs_up_first_is_told(line: Line) -> None:
    _, problems = play(line, 'key 1\nspeak "hej"\nkey 1\nkey 2')
    assert problems == ["script:4: the call was over before this could be done: key 2"]


def test_what_was_said_before_the_caller_acted_is_not_expected_after(line: Line) -> None:
    _, problems = play(line, "expect velkommen\nexpect klar\nkey 1\nexpect velkommen")
    assert problems[0].startswith("script:4: the line did not say “velkommen”. It said: Hvad vil du sige?")


def test_steps_are_read() -> None:
    lines = ["expect a # b", "key #", "key 12* early", "words ja tak", 'speak "hej"', "silence", "silence 1.5"]
    lines += ["hang up", "hang up early", "hang up mid-answer after 3"]
    steps = [line.step for line in Script.parse("\n".join(lines), speak=speak).lines]
    assert steps == [
        Expect("a # b"),
        Key("#", early=False),
        Key("12*", early=True),
        Words("ja tak"),
        Speech("“hej”", voice(0.3)),
        Silence(None),
        Silence(1.5),
        HangUp(),
        HangUp(early=True),
        HangUp(into_answer=3),
    ]


def test_settings_are_read() -> None:
    text = """
        callbacks late 2
        callbacks doubled
        callbacks reversed
        callbacks dropped
        actions parallel
        media too many requests 3 times
        deletes fail twice
        recordings absent
        silent recordings unreported
    """
    assert Script.parse(text).conditions == Conditions(
        report_silent=False,
        recording_status="absent",
        callback_delay=2,
        callbacks_doubled=True,
        callbacks_reversed=True,
        callbacks_dropped=True,
        actions="parallel",
        media="too many requests",
        media_times=3,
        deletes_failing=2,
    )


@pytest.mark.parametrize(
    ("line", "kind", "times"), [("media 404 twice", "missing", 2), ("media 404 once", "missing", 1), ("media html", "html", None)]
)
def test_the_sounds_of_a_bad_day_are_read(line: str, kind: str, times: int | None) -> None:
    conditions = Script.parse(line).conditions
    assert (conditions.media, conditions.media_times) == (kind, times)


def test_the_settings_of_a_script_hold_for_its_call(line: Line) -> None:
    record, _ = play(line, "silent recordings unreported\nkey 1\nhang up mid-answer")
    assert record.recordings == []
    assert not line.requests("/end")


def test_every_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "wrong.txt"
    (tmp_path / "quiet.wav").write_bytes(media.to_wav(media.silence(1)))
    (tmp_path / "text.wav").write_text("no sound", "utf-8")
    lines = ["key one", "say missing.wav", 'speak "hej"', "callbacks late 2", "# fine", "expect Hej", "expect"]
    lines += ["from +4520123456", "say quiet.wav", "say text.wav"]
    path.write_text("\n".join(lines), "utf-8")
    with pytest.raises(ScriptError) as caught:
        Script.load(path)
    assert [problem.partition(": ")[0] for problem in caught.value.problems] == [f"wrong.txt:{number}" for number in (1, 2, 3, 7, 8, 9, 10)]
    assert "not understood: key one" in caught.value.problems[0]
    assert "there is no file" in caught.value.problems[1]
    assert "needs a voice" in caught.value.problems[2]
    assert "settings stand before the first step" in caught.value.problems[4]
    assert "holds only silence" in caught.value.problems[5]
    assert "cannot be read" in caught.value.problems[6]


def test_a_file_may_tell_of_several_calls_each_with_its_own_settings() -> None:
    first, second = Script.parse_all("from +4520000001\n\nkey 1\n----\n# again\nsilence\n")
    assert [line.number for line in first.lines + second.lines] == [3, 6]
    assert (first.from_number, second.from_number) == ("+4520000001", Script("").from_number)
    with pytest.raises(ScriptError) as caught:
        Script.parse_all("key 1\n---\nkey one\n", "wrong.txt")
    assert list(caught.value.problems) == ["wrong.txt:3: not understood: key one"]
