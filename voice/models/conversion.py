"""A published Whisper model becomes one that CTranslate2 runs: int8, without PyTorch.

What CTranslate2's own converter does with PyTorch and transformers (ctranslate2/converters/transformers.py, WhisperLoader) is
done here with its specifications and numpy, to the same bytes.
"""

import itertools
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ctranslate2.specs import WhisperSpec
from tokenizers import Tokenizer

from voice.errors import ModelError
from voice.models.shapes import Shape
from voice.models.variables import Stacked, Zeros, quantize
from voice.models.weights import Tensor, read_table, read_weights

TOKENIZER = "tokenizer.json"
PREPROCESSOR = "preprocessor_config.json"
_LANGUAGE = re.compile(r"<\|[a-z]{2,3}\|>")


def convert(source: Path, target: Path) -> None:
    """Convert the model in the folder ``source`` (config.json, tokenizer.json, safetensors) into the new folder ``target``.

    Raises ModelError with the mend; then there is no ``target``.
    """
    config = read_table(source / "config.json")
    shape = _shape(config)
    weights = read_weights(source)
    if not (source / TOKENIZER).is_file():
        raise ModelError(f"{source} holds no {TOKENIZER}: get it from where the model was published.")
    spec = specify(weights, shape)
    _configure(spec.config, config, _table_or_empty(source / "generation_config.json"), read_table(source / TOKENIZER), shape)
    spec.register_vocabulary(_vocabulary(source / TOKENIZER, shape.vocabulary))
    try:
        write(spec, target)
        shutil.copyfile(source / TOKENIZER, target / TOKENIZER)
        if (source / PREPROCESSOR).is_file():
            shutil.copyfile(source / PREPROCESSOR, target / PREPROCESSOR)
        else:
            write_preprocessor(target, shape.mels)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


def specify(weights: Mapping[str, Tensor], shape: Shape) -> Any:
    """Where each tensor belongs in CTranslate2's specification. Raises ModelError for one that is missing or of another size."""
    spec = WhisperSpec(shape.encoder_layers, shape.heads, shape.decoder_layers, shape.heads)
    fill = _Filling(weights, shape)
    fill.linear(spec.encoder.conv1, "encoder.conv1")
    fill.linear(spec.encoder.conv2, "encoder.conv2")
    for side, half in (("encoder", spec.encoder), ("decoder", spec.decoder)):
        half.position_encodings.encodings = fill.tensor(f"{side}.embed_positions.weight")
        fill.norm(half.layer_norm, f"{side}.layer_norm")
        for number, layer in enumerate(half.layer):
            name = f"{side}.layers.{number}"
            fill.attention(layer.self_attention, f"{name}.self_attn", joined=3)
            if side == "decoder":
                fill.attention(layer.attention, f"{name}.encoder_attn", joined=2)
                fill.norm(layer.attention.layer_norm, f"{name}.encoder_attn_layer_norm")
            fill.norm(layer.self_attention.layer_norm, f"{name}.self_attn_layer_norm")
            fill.linear(layer.ffn.linear_0, f"{name}.fc1")
            fill.linear(layer.ffn.linear_1, f"{name}.fc2")
            fill.norm(layer.ffn.layer_norm, f"{name}.final_layer_norm")
    spec.decoder.embeddings.weight = fill.tensor("decoder.embed_tokens.weight")
    spec.decoder.projection.weight = fill.projection()
    if fill.missing:
        some = ", ".join(fill.missing[:3]) + (" and others" if len(fill.missing) > 3 else "")
        raise ModelError(f"The weights lack {some}: the model is not whole, or no Whisper model.")
    if spec.decoder.embeddings.weight.shape != (shape.vocabulary, shape.width):
        raise ModelError("The weights are of another size than config.json says: both must come from the same model.")
    return spec


def write(spec: Any, target: Path) -> None:
    """The model as CTranslate2 loads it: model.bin, config.json and its words."""
    spec.validate()
    spec.optimize()  # what is there twice is stored once
    quantize(spec)
    target.mkdir(parents=True)
    spec.save(str(target))


def write_preprocessor(target: Path, mels: int) -> None:
    """How sound becomes what the model hears; without this file 80 mel bands are assumed."""
    settings = {"chunk_length": 30, "feature_size": mels, "hop_length": 160, "n_fft": 400, "sampling_rate": 16000}
    (target / PREPROCESSOR).write_text(json.dumps(settings, indent=2) + "\n")


class _Filling:
    """Takes tensors by the names that transformers gives them, and keeps account of those that are missing."""

    def __init__(self, weights: Mapping[str, Tensor], shape: Shape) -> None:
        self._weights = weights
        # A model that was saved without its last layer, which repeats the first, has names without this.
        self._prefix = "model." if any(name.startswith("model.") for name in weights) else ""
        self._shape = shape
        self.missing: list[str] = []

    def tensor(self, *names: str) -> Stacked:
        return Stacked([self._one(name) for name in names])

    def linear(self, layer: Any, *names: str) -> None:
        layer.weight = self.tensor(*(f"{name}.weight" for name in names))
        biases = [self._weights.get(f"{self._prefix}{name}.bias") for name in names]
        if kinds := [bias.kind for bias in biases if bias is not None]:
            sizes = [self._one(f"{name}.weight").shape[0] for name in names]
            layer.bias = Stacked([bias or Zeros(size, kinds[0]) for bias, size in zip(biases, sizes, strict=True)])

    def norm(self, layer: Any, name: str) -> None:
        layer.gamma = self.tensor(f"{name}.weight")
        layer.beta = self.tensor(f"{name}.bias")

    def attention(self, layer: Any, name: str, joined: int) -> None:
        """The last ``joined`` of queries, keys and values are one layer; keys have no bias."""
        names = [f"{name}.{part}_proj" for part in "qkv"]
        if joined == 2:
            self.linear(layer.linear[0], names[0])
        self.linear(layer.linear[joined == 2], *names[-joined:])
        self.linear(layer.linear[-1], f"{name}.out_proj")

    def projection(self) -> Stacked:
        if "proj_out.weight" in self._weights:
            return Stacked([self._weights["proj_out.weight"]])
        return self.tensor("decoder.embed_tokens.weight")

    def _one(self, name: str) -> Tensor:
        found = self._weights.get(self._prefix + name)
        if found is None:
            self.missing.append(self._prefix + name)
            return Zeros(1, "float32")
        return found


def _shape(config: Mapping[str, Any]) -> Shape:
    if config.get("model_type") != "whisper":
        raise ModelError(f"This is a model of the kind {config.get('model_type')!r}, and only Whisper models are converted.")
    if config.get("activation_function", "gelu") != "gelu" or config.get("scale_embedding", False):
        raise ModelError("This Whisper model differs from the published ones (activation or embedding), and cannot be converted.")
    names = ("d_model", "encoder_layers", "decoder_layers", "encoder_attention_heads", "num_mel_bins", "vocab_size")
    try:
        shape = Shape(*(int(config[name]) for name in names))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"config.json does not say how large the model is ({error}): fetch it again.") from error
    if config.get("decoder_attention_heads") != shape.heads:
        raise ModelError("This Whisper model has halves with different numbers of heads, which none that is published has.")
    return shape


def _configure(found: Any, config: Mapping[str, Any], generation: Mapping[str, Any], tokenizer: Mapping[str, Any], shape: Shape) -> None:
    """What decoding must know: tokens that are never written, the languages, the heads that follow the sound."""
    says = {**config, **generation}
    found.suppress_ids = says.get("suppress_tokens")
    found.suppress_ids_begin = says.get("begin_suppress_tokens")
    languages = says.get("lang_to_id") or {
        token["content"]: token["id"] for token in tokenizer.get("added_tokens", ()) if _LANGUAGE.fullmatch(token["content"])
    }
    found.lang_ids = sorted(languages.values())
    layers = range(shape.decoder_layers // 2, shape.decoder_layers)  # the later half, where nobody says which
    found.alignment_heads = says.get("alignment_heads") or list(itertools.product(layers, range(shape.heads)))


def _vocabulary(tokenizer: Path, size: int) -> Sequence[str]:
    """All tokens in their order; those for times follow in steps of 20 ms where the tokenizer does not name them."""
    try:
        numbers = Tokenizer.from_file(str(tokenizer)).get_vocab()
    except Exception as error:  # the library raises nothing narrower
        raise ModelError(f"{tokenizer} cannot be read: copy or fetch it again.") from error
    words = sorted(numbers, key=numbers.__getitem__)
    if len(words) > size:
        raise ModelError(f"{tokenizer} has {len(words)} tokens and the model only {size}: both must come from the same model.")
    return [*words, *(f"<|{number * 0.02:.2f}|>" for number in range(size - len(words)))]


def _table_or_empty(file: Path) -> dict[str, Any]:
    return read_table(file) if file.is_file() else {}
