"""``samtaleklar render``, with Google's voice on this machine: what breaks midway costs nothing that was done."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import TEST_PROMPTS
from tests.google_voice import Google, google_voice  # noqa: F401 - a fixture
from tests.test_speech_recordings import human
from tests.test_speech_rendering import content
from tests.web import Web, environ
from voice import store
from voice.__main__ import main
from voice.app import create_app
from voice.content import load
from voice.speech.recordings import human_voices, recording_path
from voice.speech.sounds import VOICES, prompt_keys, slow, sound_key

TEXTS = ("Goddag.", "Hvordan har du det?", "Hvad er svært?", "Hvad kan du?", "Tak.", "Farvel.")
PROMPTS = content(*TEXTS)
ALL = ("Tast 1.", *TEXTS)  # each guide's line of the menu is the same


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The content's folder of a line with Google's voice, whose content is PROMPTS."""
    folder = tmp_path / "prompts"
    for name, value in environ(tmp_path / "data", SPEECH_VOICE="gtts", PROMPTS_DIR=str(folder)).items():
        monkeypatch.setenv(name, value)
    folder.mkdir()
    monkeypatch.setattr("voice.serving.load_all", lambda *_: (PROMPTS,))
    monkeypatch.setattr("voice.speech.google.time.sleep", lambda _: None)
    return folder


def asked(google: Google) -> list[str]:
    """The texts that were asked for since the last look, each once."""
    texts = list(dict.fromkeys(text for text, _ in google.asked))
    google.asked.clear()
    return texts


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("fault", [429, 503, "cut", "html", "empty"])
def test_a_fault_that_lasts_loses_nothing_and_the_next_run_makes_what_is_missing(
    google: Google, capsys: pytest.CaptureFixture[str], fault: str | int
) -> None:
    google.faults = ["sound", "sound", "sound", *[fault] * 99]
    assert main(["render"]) == 1
    said = capsys.readouterr()
    assert said.out == "3 sounds made, 0 were there, 4 prompts are missing.\n"
    assert [line.split(":")[0].strip() for line in said.err.splitlines()[:4]] == ["2/intro", "3/intro", "4/intro", "5/intro"]
    assert said.err.splitlines()[4].startswith("Run it again when the network is back")
    assert asked(google) == list(ALL[:6])  # after three in a row that failed it asks no more
    google.faults = []
    assert main(["render"]) == 0
    assert capsys.readouterr().out == "4 sounds made, 3 were there, 0 prompts are missing.\n"
    assert asked(google) == list(ALL[3:])
    assert main(["render"]) == 0
    assert asked(google) == []


@pytest.mark.usefixtures("folder")
def test_only_a_changed_text_is_made_anew(google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    main(["render"])
    asked(google)
    monkeypatch.setattr("voice.serving.load_all", lambda *_: (content(*TEXTS[:-1], "På gensyn."),))
    assert main(["render"]) == 0
    assert asked(google) == ["På gensyn."]


@pytest.mark.usefixtures("google")
def test_the_loudness_of_all_that_callers_hear_is_told_with_people_and_machine_alike(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recording_path(folder / "da", "0/intro")
    path.parent.mkdir(parents=True)
    path.write_bytes(human())
    assert main(["render", "--measure"]) == 0
    first, ordinary, slow = capsys.readouterr().out.splitlines()
    assert first == "7 sounds made, 0 were there, 0 prompts are missing."
    for line, tempo in ((ordinary, "ordinary"), (slow, "slow")):
        assert line.startswith(f"{tempo}: 7 sounds, 0 min ")
        mean, softest, loudest = (float(word.strip(".")) for word in line.replace(",", "").split() if word.startswith("-"))
        assert softest <= mean <= loudest
        assert (softest, loudest) == pytest.approx((-20, -20), abs=1)


@pytest.mark.usefixtures("google")
def test_a_recording_that_cannot_be_used_fails_the_render_and_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = recording_path(folder / "da", "0/intro")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a sound")
    assert main(["render"]) == 1
    said = capsys.readouterr()
    assert said.out == "7 sounds made, 0 were there, 0 prompts are missing.\n"
    assert said.err == f"{path} is not used, the voice says it instead: The sound cannot be decoded. Record it anew as a WAV file.\n"
    path.unlink()
    assert main(["render"]) == 0


@pytest.mark.usefixtures("folder", "google")
def test_the_sounds_are_in_the_lines_database_at_both_tempos(tmp_path: Path) -> None:
    main(["render"])
    engine = store.connect(f"sqlite:///{tmp_path / 'data' / 'samtaleklar.sqlite'}")
    with store.reading(engine) as look:
        assert len(store.sound_keys(look)) == 2 * len(ALL)
    engine.dispose()


@pytest.mark.parametrize("slowly", [False, True])
def test_a_caller_hears_a_recording_once_it_is_rendered_and_the_voice_until_then(tmp_path: Path, slowly: bool) -> None:
    prompts_dir = tmp_path / "prompts"
    shutil.copytree(TEST_PROMPTS, prompts_dir)
    prompts = load(prompts_dir / "da")
    welcome = prompts.phrase("welcome")
    path = recording_path(prompts_dir / "da", welcome.id)
    path.parent.mkdir(parents=True)
    path.write_bytes(human())
    web = Web(tmp_path / "data", PROMPTS_DIR=str(prompts_dir))
    persons, machines = prompt_keys(welcome, VOICES["espeak"], human_voices(prompts_dir, [prompts]), slowly)
    assert machines == sound_key(welcome.text, "da", slow(VOICES["espeak"]) if slowly else VOICES["espeak"])
    for rendered, heard in (([], None), ([machines], machines), ([machines, persons], persons)):
        with store.writing(web.engine) as tx:
            for key in rendered:
                store.save_sound(tx, key, b"RIFF")
        app = create_app(web.config)  # a new one looks at once
        url = app.extensions["sounds"].url(welcome, slowly)
        assert url == (heard and f"/audio/{heard}.wav")
        assert url is None or app.test_client().get(url).status_code == 200
        app.extensions["sounds"].engine.dispose()
    web.close()
