"""Which engine hears a model: what lies in its folder tells."""

import importlib.util
import json
import re
from pathlib import Path

TRANSDUCER = ("encoder", "decoder", "joiner")
_LANGUAGE = "da"  # a transducer's, unless its folder holds another list


def is_transducer(folder: Path) -> bool:
    return onnx_file(folder, "encoder") is not None


def recogniser(folder: Path) -> str:
    """The Transcriber for the model in this folder, as ``module:class``."""
    return "voice.speech.sherpa:TransducerTranscriber" if is_transducer(folder) else "voice.speech.whisper:WhisperTranscriber"


def memory(folder: Path) -> int:
    """Bytes that the recogniser may take with this model: three times what was measured, so that only what goes wrong meets it."""
    weights = [onnx_file(folder, name) for name in TRANSDUCER] if is_transducer(folder) else [folder / "model.bin"]
    return 2_000_000_000 + 4 * sum(file.stat().st_size for file in weights if file)


def languages(folder: Path) -> frozenset[str]:
    """What the model in this folder listens to: Whisper's tokenizer tells, or languages.txt beside a transducer; else it is Danish."""
    if is_transducer(folder):
        listed = folder / "languages.txt"
        return frozenset(listed.read_text("utf-8").split() if listed.is_file() else [_LANGUAGE])
    tokens = json.loads((folder / "tokenizer.json").read_text("utf-8"))["added_tokens"]
    named = (re.fullmatch(r"<\|([a-z]{2,3})\|>", token["content"]) for token in tokens)
    return frozenset(found[1] for found in named if found)


def transducer_problem(folder: Path) -> str:
    """What is wrong with a transducer's folder, and its mend; or ""."""
    missing = [f"{name}.onnx" for name in TRANSDUCER if onnx_file(folder, name) is None]
    missing += [] if (folder / "tokens.txt").is_file() else ["tokens.txt"]
    if missing:
        return f"the folder of a transducer holds no {' and no '.join(missing)}: export or copy the model again"
    if importlib.util.find_spec("sherpa_onnx") is None:
        return 'a transducer needs sherpa-onnx: install it with pip install "samtaleklar[transducer]"'
    return ""


def onnx_file(folder: Path, name: str) -> Path | None:
    """The file of one part of a transducer, the int8 one where there are both; None where there is none."""
    files = sorted(folder.glob(f"{name}*.onnx"))
    return next((file for file in files if ".int8." in file.name), files[0] if files else None)
