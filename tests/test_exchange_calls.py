"""The exchange carries out every verb as Twilio documents it."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Response

from tests.exchange_line import Caller, Line, captioned, ringing, serving, twiml, voice
from voice.exchange import CallRecord, Conditions, Heard, call, media, wire
from voice.exchange.call import SORRY

SAY = "<Say>Tryk et eller to.</Say>"  # 17 characters
SAY_SECONDS = 1.22
END = twiml("<Hangup/>")


@pytest.fixture
def line() -> Iterator[Line]:
    with serving() as line:
        line["/status"] = Response("", 204)
        line["/end"] = END
        yield line


def ring(line: Line, caller: Caller | None = None, conditions: Conditions | None = None) -> CallRecord:
    with ringing(line, conditions=replace(conditions or Conditions(), callback_delay=0)) as exchange:
        record = exchange.call(caller or Caller(), "+4520123456", "+4570123456")
        assert exchange.settle()
        return record


def codes(record: CallRecord) -> list[int]:
    return [error.code for error in record.errors]


def speaking(at: float, seconds: float, then: dict[float, str | Heard] | None = None) -> Caller:
    """A caller who speaks at that time of the call, and does other things besides."""
    frames = enumerate(media.frames(voice(seconds)))
    return Caller({at + number / media.FRAMES_PER_SECOND: Heard(frame) for number, frame in frames} | (then or {}))


# --- say, play, pause, redirect, hang up, reject ---


def test_the_end_of_a_document_is_a_hang_up(line: Line) -> None:
    line.says("<Say>Farvel og tak</Say>")
    record = ring(line)
    assert record.status == "completed"
    assert record.conversation.texts("says") == ["Farvel og tak"]
    assert [entry.what for entry in record.conversation.entries] == ["answers", "says", "hangs up"]


def test_say_takes_the_time_that_a_voice_needs_and_is_silent(line: Line) -> None:
    line.says(f"<Say loop='2'>{'x' * 28}</Say>")
    caller = Caller()
    record = ring(line, caller)
    assert record.seconds == pytest.approx(4.0, abs=0.05)
    assert len(record.conversation.texts("says")) == 2
    assert not any(caller.sound)


def test_an_empty_say_is_skipped(line: Line) -> None:
    line.says("<Say/><Say loop='0'> </Say>")
    record = ring(line)
    assert (record.seconds, record.conversation.texts("says")) == (0, [])


def test_pause_is_silence_of_whole_seconds(line: Line) -> None:
    line.says("<Pause/><Pause length='3'/>")
    assert ring(line).seconds == 4


def test_what_stands_after_a_hang_up_is_never_reached(line: Line) -> None:
    line.says("<Hangup/><Say>never</Say>")
    assert ring(line).conversation.texts("says") == []


def test_play_sends_the_sound_as_it_is_and_shows_its_caption(line: Line) -> None:
    sound = voice(0.5)
    line.says("<Play loop='2'>sounds/hello.wav</Play>")
    line["/sounds/hello.wav"] = Response(captioned(sound, "Velkommen på linjen"), content_type="audio/wav")
    caller = Caller()
    record = ring(line, caller)
    assert bytes(caller.sound) == sound * 2
    assert record.conversation.texts("says") == ["Velkommen på linjen"] * 2
    (asked,) = line.requests("/sounds/hello.wav")
    assert (asked.method, asked.params) == ("GET", {})


def test_a_sound_without_a_caption_is_named_by_its_file(line: Line) -> None:
    line.says("<Play>/sounds/hello.wav?version=2</Play>")
    line["/sounds/hello.wav"] = Response(media.to_wav(voice(0.1)), content_type="audio/wav")
    assert ring(line).conversation.texts("says") == ["[hello.wav]"]


def test_play_for_ever_ends_with_the_hang_up(line: Line) -> None:
    line.says("<Play loop='0'>/a.wav</Play>")
    line["/a.wav"] = Response(media.to_wav(voice(1)), content_type="audio/wav")
    record = ring(line, Caller({10.0: Heard(hung_up=True)}))
    assert record.seconds == 10
    assert [entry.who for entry in record.conversation.entries if entry.what == "hangs up"] == ["caller"]


def test_no_call_lasts_longer_than_twilio_lets_it(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    assert wire.MAX_SECONDS == 4 * 60 * 60
    monkeypatch.setattr(wire, "MAX_SECONDS", 600)  # hours of frames would take seconds
    line.says("<Say loop='0'>Vent venligst.</Say>")
    assert ring(line).seconds == 600


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Response("gone", 404, content_type="audio/wav"), 11200),
        (Response(media.to_wav(voice(0.1)), content_type="video/mp4"), 12300),
        (Response("<html>", content_type="text/html"), 12300),
        (Response(b"RIFFnonsense", content_type="audio/wav"), 12400),
        (Response(b"", content_type="audio/mpeg"), 12400),
    ],
)
def test_a_sound_that_cannot_be_played_ends_the_call(line: Line, answer: Response, code: int) -> None:
    line.says("<Play>/a.wav</Play><Say>never</Say>")
    line["/a.wav"] = answer
    record = ring(line)
    assert codes(record) == [code]
    assert record.errors[0].url == f"{line.url}/a.wav"
    assert record.conversation.texts("says") == [SORRY]


def test_redirect_goes_on_with_another_document_relative_to_this_one(line: Line) -> None:
    line.says("<Redirect>menus/one?lang=da</Redirect><Say>never</Say>")
    line["/menus/one"] = twiml("<Redirect method='GET'>two</Redirect>")
    line["/menus/two"] = twiml("<Say>to</Say>")
    record = ring(line)
    assert record.conversation.texts("says") == ["to"]
    assert line.requests("/menus/one")[0].params["lang"] == "da"
    assert [asked.method for asked in line.requests("/menus/two")] == ["GET"]


def test_a_line_that_only_redirects_comes_to_an_end(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call, "MAX_DOCUMENTS", 20)
    line.says("<Redirect>/voice</Redirect>")
    assert codes(ring(line)) == [11200]


@pytest.mark.parametrize(
    ("verb", "status"), [("<Reject/>", "no-answer"), ("<Reject reason='rejected'/>", "no-answer"), ("<Reject reason='busy'/>", "busy")]
)
def test_a_call_that_is_rejected_at_once_is_not_answered(line: Line, verb: str, status: str) -> None:
    line.says(verb)
    record = ring(line)
    assert record.status == status
    assert [entry.what for entry in record.conversation.entries] == ["rejects"]
    assert [asked.form["CallStatus"] for asked in line.asked] == ["ringing", status]


def test_a_reject_that_comes_late_is_a_hang_up(line: Line) -> None:
    line.says("<Say>Hej</Say><Reject/>")
    assert ring(line).status == "completed"


# --- gather ---


def gathering(line: Line, attributes: str = "", inside: str = SAY) -> None:
    line.says(f"<Gather action='/end' {attributes}>{inside}</Gather><Redirect>/nothing</Redirect>")
    line["/nothing"] = END


def gathered(line: Line) -> dict[str, str] | None:
    """What the action was told, without what every request tells; None: the next verb was due."""
    if line.requests("/nothing"):
        assert not line.requests("/end")
        return None
    (asked,) = line.requests("/end")
    return {name: value for name, value in asked.form.items() if name not in line.requests("/voice")[0].form}


def test_a_gather_without_input_falls_through_five_seconds_after_its_prompts(line: Line) -> None:
    gathering(line)
    record = ring(line)
    assert gathered(line) is None
    assert record.seconds == pytest.approx(SAY_SECONDS + 5, abs=0.02)


def test_a_gather_with_action_on_empty_result_asks_its_action_without_digits(line: Line) -> None:
    gathering(line, "actionOnEmptyResult='true' timeout='2'")
    ring(line)
    assert gathered(line) == {"FinishedOnKey": "", "msg": "Gather End"}


def test_a_key_stops_the_prompts_at_once(line: Line) -> None:
    gathering(line, "numDigits='1'", inside="<Say>" + "x" * 1400 + "</Say>" + SAY)
    record = ring(line, Caller({0.5: "2"}))
    assert gathered(line) == {"Digits": "2", "FinishedOnKey": "", "msg": "Gather End"}
    assert record.seconds == pytest.approx(0.52)
    assert len(record.conversation.texts("says")) == 1


def test_digits_are_gathered_until_the_finish_key_which_is_not_one_of_them(line: Line) -> None:
    gathering(line)
    ring(line, Caller({2.0: "1", 3.0: "2", 4.0: "#"}))
    assert gathered(line) == {"Digits": "12", "FinishedOnKey": "#", "msg": "Gather End"}


def test_digits_are_gathered_until_five_seconds_after_the_last(line: Line) -> None:
    gathering(line)
    record = ring(line, Caller({2.0: "1", 6.0: "2"}))
    assert gathered(line) == {"Digits": "12", "FinishedOnKey": "", "msg": "Gather End"}
    assert record.seconds == pytest.approx(11.02)


def test_with_an_empty_finish_key_every_key_is_a_digit(line: Line) -> None:
    gathering(line, "numDigits='3' finishOnKey=''")
    ring(line, Caller({2.0: "*", 2.2: "#", 2.4: "0"}))
    assert gathered(line) == {"Digits": "*#0", "FinishedOnKey": "", "msg": "Gather End"}


def test_the_finish_key_alone_is_no_input(line: Line) -> None:
    gathering(line)
    record = ring(line, Caller({2.0: "#"}))
    assert gathered(line) is None
    assert record.seconds == pytest.approx(2.02)


def test_words_are_not_heard_by_a_gather_for_keys(line: Line) -> None:
    gathering(line)
    ring(line, Caller({2.0: Heard(words="ja")}))
    assert gathered(line) is None


def test_keys_are_not_heard_by_a_gather_for_speech(line: Line) -> None:
    gathering(line, "input='speech' language='da-DK'")
    ring(line, Caller({2.0: "1"}))
    assert gathered(line) is None


@pytest.mark.parametrize("at", [0.5, 3.0])
def test_words_are_told_with_their_language(line: Line, at: float) -> None:
    gathering(line, "input='dtmf speech' language='da-DK'")
    record = ring(line, Caller({at: Heard(words="ja tak")}))
    assert gathered(line) == {"SpeechResult": "ja tak", "Confidence": "0.9", "Language": "da-DK", "msg": "Gather End"}
    assert record.seconds == pytest.approx(at + 0.02)


def test_the_first_kind_of_input_wins(line: Line) -> None:
    gathering(line, "input='dtmf speech'")
    ring(line, Caller({2.0: "1", 2.5: Heard(words="to"), 3.0: "#"}))
    assert gathered(line) == {"Digits": "1", "FinishedOnKey": "#", "msg": "Gather End"}


def test_without_an_action_a_gather_asks_its_own_document(line: Line) -> None:
    line["/voice"] = [twiml("<Gather numDigits='1'/>"), END]
    ring(line, Caller({1.0: "7"}))
    assert [asked.form.get("Digits") for asked in line.requests("/voice")] == [None, "7"]


def test_all_sounds_of_a_gather_are_fetched_before_the_first_is_heard(line: Line) -> None:
    gathering(line, inside=SAY + "<Play>/missing.wav</Play>")
    record = ring(line)
    assert codes(record) == [11200]
    assert record.conversation.texts("says") == [SORRY]


def test_a_hang_up_while_gathering_asks_no_action(line: Line) -> None:
    gathering(line)
    record = ring(line, Caller({2.0: "1", 3.0: Heard(hung_up=True)}))
    assert not line.requests("/end")
    assert record.status == "completed"


# --- record ---

BEEP = 0.2


def recording(line: Line, attributes: str = "") -> None:
    line.says(f"<Record action='/end' recordingStatusCallback='/recorded' {attributes}/><Redirect>/nothing</Redirect>")
    line["/nothing"] = END
    line["/recorded"] = Response("", 204)


def test_five_seconds_of_silence_end_a_recording_which_is_not_trimmed(line: Line) -> None:
    recording(line)
    record = ring(line, speaking(BEEP + 1, 3))
    (asked,) = line.requests("/end")
    assert "Digits" not in asked.form
    assert asked.form["RecordingDuration"] == "9"
    assert media.seconds(record.recordings[0].pcm) == pytest.approx(9.0, abs=0.1)
    assert asked.form["RecordingUrl"].endswith(asked.form["RecordingSid"])
    assert asked.form["RecordingSid"] == record.recordings[0].sid


def test_what_is_recorded_is_what_was_said(line: Line) -> None:
    recording(line)
    record = ring(line, speaking(BEEP, 2))
    assert record.recordings[0].pcm.startswith(voice(2))


def test_a_pause_that_is_shorter_than_the_timeout_does_not_end_a_recording(line: Line) -> None:
    recording(line, "timeout='3'")
    frames = {BEEP + at + number * 0.02: Heard(frame) for at in (0, 3.5) for number, frame in enumerate(media.frames(voice(1)))}
    record = ring(line, Caller(frames))
    assert media.seconds(record.recordings[0].pcm) == pytest.approx(0 + 3.5 + 1 + 3, abs=0.1)


def test_a_beep_comes_before_the_recording_and_is_not_in_it(line: Line) -> None:
    recording(line)
    caller = speaking(BEEP, 1)
    record = ring(line, caller)
    first, rest = bytes(caller.sound[: 10 * media.FRAME_BYTES]), caller.sound[10 * media.FRAME_BYTES :]
    assert all(map(media.is_speech, media.frames(first)))
    assert not any(rest)
    assert [entry.what for entry in record.conversation.entries][:4] == ["answers", "beeps", "records", "recorded"]


def test_the_beep_can_be_left_out(line: Line) -> None:
    recording(line, "playBeep='false' timeout='1'")
    caller = Caller()
    ring(line, caller)
    assert not any(caller.sound)


@pytest.mark.parametrize("key", list("1234567890*#"))
def test_every_key_ends_a_recording_and_keeps_what_was_said_before_it(line: Line, key: str) -> None:
    recording(line)
    record = ring(line, speaking(BEEP, 2, {BEEP + 2: key}))
    assert line.requests("/end")[0].form["Digits"] == key
    assert media.seconds(record.recordings[0].pcm) == pytest.approx(2, abs=0.05)


def test_other_keys_than_the_finish_keys_do_not_end_a_recording(line: Line) -> None:
    recording(line, "finishOnKey='9#' timeout='2'")
    ring(line, speaking(BEEP, 1, {0.5: "1", 1.6: "9"}))
    assert line.requests("/end")[0].form["Digits"] == "9"


def test_without_finish_keys_only_silence_ends_a_recording(line: Line) -> None:
    recording(line, "finishOnKey='' timeout='2'")
    ring(line, speaking(BEEP, 1, {0.5: "#"}))
    assert "Digits" not in line.requests("/end")[0].form


def test_a_recording_ends_at_its_greatest_length(line: Line) -> None:
    recording(line, "maxLength='4'")
    record = ring(line, speaking(BEEP, 10))
    assert line.requests("/end")[0].form["RecordingDuration"] == "4"
    assert media.seconds(record.recordings[0].pcm) == 4


def test_a_timeout_of_nought_leaves_only_the_greatest_length(line: Line) -> None:
    recording(line, "maxLength='30' timeout='0'")
    assert ring(line, speaking(BEEP, 1)).seconds == pytest.approx(30 + BEEP)


def test_a_line_noise_is_silence_and_a_soft_voice_is_not(line: Line) -> None:
    recording(line, "maxLength='10' timeout='2'")
    hum, soft = (next(iter(media.frames(voice(1, dbfs)))) for dbfs in (-60, -35))
    assert ring(line, Caller(quiet=hum)).seconds == pytest.approx(2 + BEEP)
    assert ring(line, Caller(quiet=soft)).seconds == pytest.approx(10 + BEEP)


def test_when_no_sound_arrives_at_all_the_silence_is_not_counted(line: Line) -> None:
    recording(line, "maxLength='20' timeout='2'")
    record = ring(line, Caller(quiet=b""))
    assert media.seconds(record.recordings[0].pcm) == 20


def test_without_an_action_a_recording_asks_its_own_document(line: Line) -> None:
    line["/voice"] = [twiml("<Record/>"), END]
    ring(line)
    assert ["RecordingUrl" in asked.form for asked in line.requests("/voice")] == [False, True]


def test_a_silent_recording_is_reported_as_the_current_documentation_says(line: Line) -> None:
    recording(line)
    ring(line)
    assert line.requests("/end")[0].form["RecordingDuration"] == "5"
    assert line.requests("/recorded")[0].form["RecordingStatus"] == "completed"
    assert not line.requests("/nothing")


def test_a_silent_recording_is_never_heard_of_as_the_older_documentation_says(line: Line) -> None:
    recording(line)
    record = ring(line, conditions=Conditions(report_silent=False))
    assert not line.requests("/end")
    assert not line.requests("/recorded")
    assert line.requests("/nothing")
    assert record.recordings == []


def test_a_recording_with_speech_is_reported_by_both(line: Line) -> None:
    recording(line)
    ring(line, speaking(BEEP, 1), Conditions(report_silent=False))
    assert line.requests("/end")
    assert line.requests("/recorded")
    assert not line.requests("/nothing")


def test_a_hang_up_in_the_middle_of_a_recording_is_told_and_the_answer_ignored(line: Line) -> None:
    recording(line)
    line["/end"] = twiml("<Redirect>/nothing</Redirect>")
    record = ring(line, speaking(BEEP, 3, {BEEP + 2: Heard(hung_up=True)}))
    (asked,) = line.requests("/end")
    assert (asked.form["Digits"], asked.form["RecordingDuration"], asked.form["CallStatus"]) == ("hangup", "2", "completed")
    assert not line.requests("/nothing")
    assert line.requests("/recorded")
    assert record.status == "completed"


def test_a_hang_up_in_the_middle_of_silence_is_not_told_where_silence_is_not(line: Line) -> None:
    recording(line)
    ring(line, Caller({2.0: Heard(hung_up=True)}), Conditions(report_silent=False))
    assert [asked.path for asked in line.asked] == ["/voice", "/status"]


def test_an_action_that_fails_after_the_hang_up_is_on_record(line: Line) -> None:
    recording(line)
    line["/end"] = Response("", 500)
    record = ring(line, Caller({2.0: Heard(hung_up=True)}))
    assert codes(record) == [11200]


def test_a_call_of_five_minutes_takes_about_a_second(line: Line) -> None:
    recording(line, "maxLength='300' timeout='0'")
    started = time.monotonic()
    record = ring(line, Caller(quiet=next(iter(media.frames(voice(0.02))))))
    assert record.seconds > 300
    assert time.monotonic() - started < 3
