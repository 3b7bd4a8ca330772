"""Our conversion against CTranslate2's own converter, which was run once: the same bytes, and so the same tokens for the same sound."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import random_models
from tests.conftest import ROOT
from tests.random_models import MICRO, SMALL, TINY, TURBO, make
from voice.errors import ModelError
from voice.models.conversion import convert
from voice.models.shapes import Shape, sizes
from voice.speech.engines import languages
from voice.speech.models import find_model

OFFICIAL = json.loads((ROOT / "tests" / "official_conversions.json").read_text())["models"]


def sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def converted(folder: Path, shape: Shape, kind: str = "float16", parts: int = 1) -> Path:
    convert(make(folder / "source", shape, kind, parts), folder / "model")
    return folder / "model"


def assert_as_official(model: Path, name: str) -> None:
    found = {
        part: sha256(model / file) for part, file in (("sha256", "model.bin"), ("config", "config.json"), ("vocabulary", "vocabulary.json"))
    }
    assert found == {part: OFFICIAL[name][part] for part in found}


def test_a_model_writes_the_tokens_that_the_official_conversion_of_it_writes(tmp_path: Path) -> None:
    model = converted(tmp_path, TINY)
    assert_as_official(model, "tiny-float16")
    tokens = random_models.tokens(model, TINY)
    assert tokens == OFFICIAL["tiny-float16"]["tokens"]
    assert len({tuple(written) for written in tokens}) == 3, "what is written depends on the sound"


@pytest.mark.parametrize(("kind", "parts"), [("bfloat16", 3), ("float32", 1)])
def test_it_is_the_official_conversion_whatever_the_weights_are_stored_as(tmp_path: Path, kind: str, parts: int) -> None:
    assert_as_official(converted(tmp_path, TINY, kind, parts), f"tiny-{kind}")


@pytest.mark.faults
@pytest.mark.parametrize(
    ("name", "shape", "kind"),
    [
        ("tiny-bfloat16", TINY, "bfloat16"),
        ("tiny-float32", TINY, "float32"),
        ("small-float16", SMALL, "float16"),
        ("turbo-float16", TURBO, "float16"),
    ],
)
def test_larger_models_write_the_official_tokens_too(tmp_path: Path, name: str, shape: Shape, kind: str) -> None:
    model = converted(tmp_path, shape, kind)
    assert_as_official(model, name)
    assert random_models.tokens(model, shape) == OFFICIAL[name]["tokens"]


@pytest.mark.faults
def test_a_large_model_is_converted_in_a_quarter_of_a_gigabyte_of_memory(tmp_path: Path) -> None:
    source = make(tmp_path / "source", TURBO)
    script = (
        "import resource, sys; from pathlib import Path; from voice.models.conversion import convert\n"
        "convert(Path(sys.argv[1]), Path(sys.argv[2])); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", script, source, tmp_path / "model"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 256_000  # kB; the official converter took 3.5 million


class TestWhatLiesBeside:
    def test_a_model_that_was_published_without_it_still_knows_what_it_hears(self, tmp_path: Path) -> None:
        wide = Shape(64, 1, 1, 1, 128, 200)
        model = converted(tmp_path, wide)
        assert json.loads((model / "preprocessor_config.json").read_text())["feature_size"] == 128
        assert find_model(str(model), tmp_path) == model
        assert "da" in languages(model)

    def test_what_was_published_beside_it_is_kept(self, tmp_path: Path) -> None:
        source = make(tmp_path / "source", MICRO)
        (source / "preprocessor_config.json").write_text('{"feature_size": 80, "said": "by its author"}')
        convert(source, tmp_path / "model")
        for name in ("tokenizer.json", "preprocessor_config.json"):
            assert (tmp_path / "model" / name).read_bytes() == (source / name).read_bytes()

    def test_a_model_without_settings_for_writing_knows_its_languages_by_its_tokenizer(self, tmp_path: Path) -> None:
        source = make(tmp_path / "source", MICRO)
        (source / "generation_config.json").unlink()
        convert(source, tmp_path / "model")
        config = json.loads((tmp_path / "model" / "config.json").read_text())
        assert config["lang_ids"] == [102, 103]
        assert config["alignment_heads"] == [[0, 0]]


def rename(source: Path, change: dict[str, str]) -> None:
    """Give tensors other names in the file, of the same length."""
    data = (source / "model.safetensors").read_bytes()
    for old, new in change.items():
        assert len(old) == len(new)
        assert old.encode() in data
        data = data.replace(old.encode(), new.encode())
    (source / "model.safetensors").write_bytes(data)


class TestOtherNames:
    def test_a_model_that_was_saved_without_its_last_layer_gives_the_same(self, tmp_path: Path) -> None:
        expected = sha256(converted(tmp_path / "usual", MICRO) / "model.bin")
        source = make(tmp_path / "other", MICRO)
        rename(source, {f'"{name}": ': f'"{name[6:]}":       ' for name in sizes(MICRO)})
        convert(source, tmp_path / "model")
        assert sha256(tmp_path / "model" / "model.bin") == expected


class TestWhatIsRefused:
    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        return make(tmp_path / "source", MICRO)

    def refused(self, source: Path) -> str:
        target = source.parent / "model"
        with pytest.raises(ModelError) as caught:
            convert(source, target)
        assert not target.exists()
        return str(caught.value)

    def test_weights_that_lack_a_layer(self, source: Path) -> None:
        rename(source, {"encoder.layers.0.fc1.weight": "encoder.layers.0.fc9.weight"})
        assert "lack model.encoder.layers.0.fc1.weight" in self.refused(source)

    def test_weights_that_are_cut_short(self, source: Path) -> None:
        whole = (source / "model.safetensors").read_bytes()
        (source / "model.safetensors").write_bytes(whole[:-1])
        assert "is no whole safetensors file" in self.refused(source)

    @pytest.mark.parametrize("data", [b"", b"version https://git-lfs", b"\xff" * 64, b"\2\0\0\0\0\0\0\0[]"])
    def test_a_file_that_holds_no_weights(self, source: Path, data: bytes) -> None:
        (source / "model.safetensors").write_bytes(data)
        assert "model.safetensors is no whole" in self.refused(source)

    def test_weights_that_could_run_code(self, source: Path) -> None:
        (source / "model.safetensors").rename(source / "pytorch_model.bin")
        assert "may run code" in self.refused(source)

    def test_a_folder_without_weights(self, source: Path) -> None:
        (source / "model.safetensors").unlink()
        assert "holds no model.safetensors" in self.refused(source)

    def test_an_index_that_names_files_elsewhere(self, source: Path) -> None:
        (source / "model.safetensors").unlink()
        (source / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../secret.safetensors"}}')
        assert "names no files of weights" in self.refused(source)

    def test_an_index_whose_files_are_not_all_there(self, tmp_path: Path) -> None:
        source = make(tmp_path / "parts", MICRO, parts=3)
        (source / "model-00002-of-00003.safetensors").unlink()
        assert "lacks model-00002-of-00003.safetensors" in self.refused(source)

    def test_a_model_without_tokenizer(self, source: Path) -> None:
        (source / "tokenizer.json").unlink()
        assert "no tokenizer.json" in self.refused(source)

    @pytest.mark.parametrize(
        ("setting", "value", "says"),
        [
            ("model_type", "wav2vec2", "kind 'wav2vec2'"),
            ("vocab_size", 201, "another size than config.json"),
            ("vocab_size", 199, "another size"),
            ("activation_function", "relu", "differs"),
            ("d_model", None, "does not say how large"),
            ("decoder_attention_heads", 2, "different numbers of heads"),
        ],
    )
    def test_a_config_of_another_model(self, source: Path, setting: str, value: object, says: str) -> None:
        config = json.loads((source / "config.json").read_text()) | {setting: value}
        (source / "config.json").write_text(json.dumps(config))
        assert says in self.refused(source)

    def test_a_config_that_is_none(self, source: Path) -> None:
        (source / "config.json").write_text("[")
        assert "config.json cannot be read as JSON" in self.refused(source)
