"""``samtaleklar model list`` and ``model check``: which recogniser for this machine, and what one is worth here."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import SHARED, must_run
from voice.__main__ import main
from voice.errors import ModelError
from voice.models import commands, measuring, noise
from voice.models.checking import invented, made_noise, read_clips, score
from voice.models.shapes import LARGE, SMALL, TURBO, Shape
from voice.models.table import TABLE, named
from voice.speech import Transcript
from voice.speech.apart import ApartTranscriber
from voice.speech.audio import decode, to_wav
from voice.speech.espeak import EspeakSynthesizer
from voice.speech.sounds import RATE

GB = 10**9


class Writes:
    """A Transcriber that writes what it is told for a sound."""

    def __init__(self, text: Callable[[bytes], str]) -> None:
        self._text = text

    def transcribe(self, sound: bytes, language: str) -> Transcript:
        return Transcript(self._text(sound), 1.0, unsure=False, language=language)


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Recordings of the offline voice, which stand for an operator's own: what matters here is which words are whose."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for name, words in {"one": "jeg har ondt i ryggen", "two": "det er for tungt at løfte"}.items():
        (folder / f"{name}.wav").write_bytes(to_wav(decode(EspeakSynthesizer().synthesize(words, "da"), RATE), name))
        (folder / f"{name}.txt").write_text(f"{words}\n", "utf-8")
    return folder


class TestTheList:
    def test_the_best_one_that_fits_and_keeps_up_is_advised(self) -> None:
        fast = {SMALL: 4.0, TURBO: 2.5, LARGE: 1.0}
        assert commands.advised(fast, 8 * GB) is named("edda-v0.2")
        assert commands.advised({}, 8 * GB) is named("edda-v0.2"), "without a measure it is taken to keep up"
        assert commands.advised(fast, 1 * GB) is named("whisper-small-danish")
        assert commands.advised(fast | {TURBO: 0.9}, 8 * GB) is named("whisper-small-danish")
        assert commands.advised(fast, GB // 2) is None

    def test_it_names_all_with_their_licence_and_the_one_that_is_here(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("DATA_DIR", str(tmp_path))
        monkeypatch.setattr(commands, "machine_memory", lambda: 8 * GB)
        assert main(["model", "list", "--no-measure"]) == 0
        told = capsys.readouterr().out
        for one in TABLE:
            [line] = [line for line in told.splitlines() if line.startswith(f"{one.name} ")]
            assert str(one.error) in line
            assert line.endswith(one.licence)
        assert "samtaleklar model fetch edda-v0.2" in told
        (tmp_path / "models" / "edda-v0.2").mkdir(parents=True)
        assert main(["model", "list", "--no-measure"]) == 0
        assert "set WHISPER_MODEL=edda-v0.2" in capsys.readouterr().out

    def test_speeds_are_measured_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        measured: list[Shape] = []
        monkeypatch.setattr(measuring, "_apart", lambda shape: measured.append(shape) or 12.0)
        for _ in range(2):
            commands.list_models(tmp_path)
        assert len(measured) == len(set(measured)) == 4
        assert " 2.5  Apache-2.0" in capsys.readouterr().out

    def test_a_model_of_the_shape_is_made_up_and_timed(self, tmp_path: Path) -> None:
        ticks = itertools.count()
        seconds = measuring.seconds_of_work(Shape(64, 1, 1, 1, 80, 51865), tmp_path / "model", lambda: float(next(ticks)), tried=10)
        assert seconds == 1 + 150 / 10, "one tick for the sound, one for ten of its 150 tokens"

    @pytest.mark.parametrize(("limit", "bytes_"), [("1000000\n", 1_000_000), ("max\n", None)])
    def test_a_container_s_limit_counts(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, bytes_: int | None) -> None:
        monkeypatch.setattr(commands, "_CGROUP", tmp_path / "none")
        whole = commands.machine_memory()
        (tmp_path / "limit").write_text(limit)
        monkeypatch.setattr(commands, "_CGROUP", tmp_path / "limit")
        assert commands.machine_memory() == (bytes_ or whole)


class TestRecordings:
    def test_a_folder_s_recordings_are_those_with_their_words_beside(self, clips: Path) -> None:
        (clips / "three.wav").write_bytes(b"without words")
        assert [(clip.name, clip.words) for clip in read_clips(clips)] == [
            ("one", "jeg har ondt i ryggen"),
            ("two", "det er for tungt at løfte"),
        ]

    def test_a_manifest_may_name_them_and_those_without_words(self, clips: Path) -> None:
        (clips / "MANIFEST.tsv").write_text("file\twhat\twords\none.wav\tsaid\tjeg har ondt\ntwo.wav\thum\t\n")
        assert [(clip.name, clip.words) for clip in read_clips(clips)] == [("one", "jeg har ondt"), ("two", "")]

    def test_a_folder_without_any_is_refused_with_the_mend(self, tmp_path: Path) -> None:
        for folder in (tmp_path, tmp_path / "none"):
            with pytest.raises(ModelError, match=r"NAME\.txt"):
                read_clips(folder)

    def test_errors_are_counted_over_all_that_was_said_and_speed_over_all_that_sounds(self, clips: Path) -> None:
        [one, two] = read_clips(clips)
        heard = {one.sound: "jeg har ondt i ryg", two.sound: "det er for tungt"}
        ticks = itertools.count(step=4)
        figures = score([one, two], Writes(heard.__getitem__), lambda: float(next(ticks)))
        assert figures.words == 3 / 11
        assert figures.clips == 2
        assert figures.speed == pytest.approx(figures.seconds / 4)


class TestNoise:
    def test_there_are_forty_sounds_and_no_two_are_the_same(self) -> None:
        found = list(noise.sounds())
        assert len(found) == len({name for name, _ in found}) == len({samples.tobytes() for _, samples in found}) == 40
        assert all(samples.dtype == np.float32 and np.abs(samples).max() < 1 for _, samples in found)

    def test_each_is_as_loud_as_its_name_says(self) -> None:
        for name, samples in noise.sounds():
            if name != "silence" and not name.startswith(("clicks", "crackle")):  # which are cut where they are loudest
                assert 10 * np.log10(np.mean(samples.astype(float) ** 2)) == pytest.approx(int(name.split()[-2]), abs=1.5), name

    def test_what_is_written_of_it_is_told(self) -> None:
        sounds = list(made_noise())
        assert list(invented(sounds[:3], Writes(lambda sound: "Tak." if sound is sounds[1].sound else ""))) == [(sounds[1].name, "Tak.")]


class TestACheck:
    def report(self, transcriber: Writes, clips: Path | None) -> None:
        commands.report("danish", transcriber, clips)

    def test_it_prints_errors_and_speed_and_passes_one_that_writes_what_was_said(
        self, clips: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        words = {clip.sound: clip.words for clip in read_clips(clips)}
        self.report(Writes(lambda sound: words.get(sound, "")), clips)
        told = capsys.readouterr().out
        assert "danish on 2 recordings" in told
        assert "wrong words        0.0 %" in told
        assert "in 0 of 40 sounds" in told

    def test_one_that_writes_words_where_nobody_speaks_is_refused(self, clips: Path) -> None:
        with pytest.raises(ModelError, match=r"danish writes words where nobody speaks \(silence: “Tak for i dag\.”"):
            self.report(Writes(lambda _: "Tak for i dag."), clips)

    def test_one_that_writes_more_wrong_words_than_were_said_is_refused(self, clips: Path) -> None:
        said = {clip.sound for clip in read_clips(clips)}
        with pytest.raises(ModelError, match="danish writes more wrong words than were said"):
            self.report(Writes(lambda sound: "tak for i dag " * 3 if sound in said else ""), clips)

    def test_a_recording_in_which_nobody_speaks_counts_too(self, clips: Path) -> None:
        [_, two] = read_clips(clips)
        (clips / "two.txt").write_text("")
        with pytest.raises(ModelError, match="two: “Ja”"):
            self.report(Writes(lambda sound: "Ja" if sound == two.sound else ""), clips)

    def test_without_recordings_it_says_so_and_listens_to_noise(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(commands, "REFERENCE", tmp_path / "none")
        self.report(Writes(lambda _: ""), None)
        told = capsys.readouterr()
        assert "--clips" in told.err
        assert "in 0 of 40 sounds" in told.out

    def test_the_memory_of_the_process_apart_is_known(self) -> None:
        transcriber = ApartTranscriber("tests.apart_recognisers:Recogniser", {}, 2 * GB)
        assert transcriber.peak_memory() == 0
        try:
            transcriber.transcribe(b"RIFF", "da")
            assert 10_000_000 < transcriber.peak_memory() < GB
        finally:
            transcriber.close()


@pytest.mark.faults
def test_the_trial_model_writes_nothing_of_forty_sounds_and_the_recorded_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not (SHARED / "audio").is_dir():
        must_run("the reference recordings are not beside the project")
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    assert main(["model", "check", "base"]) == 0
    told = capsys.readouterr().out
    assert "base on 7 recordings" in told
    assert "in 0 of 50 sounds" in told
