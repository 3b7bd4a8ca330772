"""A transducer of random weights in the form in which NeMo's models (Parakeet, Ekko) reach sherpa-onnx: encoder, decoder, joiner, tokens.

What it writes has no sense, but it is always the same for the same sound.
"""

from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper, save

MELS, HIDDEN, STRIDE = 80, 16, 8
TOKENS = ("▁jeg", "▁er", "▁træt", "▁af", "▁støj", "en", "er", "▁og")
BLANK = 8.0  # how much likelier nothing is: so that words come seldom


def make(folder: Path) -> Path:
    """The model's folder, made."""
    random = np.random.default_rng(4711)
    folder.mkdir(parents=True, exist_ok=True)

    def weights(name: str, *shape: int, scale: float = 1.0) -> TensorProto:
        return numpy_helper.from_array((scale * random.standard_normal(shape)).astype(np.float32), name)

    def number(name: str, value: int) -> TensorProto:
        return numpy_helper.from_array(np.array([value], np.int64), name)

    floats, whole, short = TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32
    encoder = _model(
        [
            helper.make_node("Conv", ["audio_signal", "kernel"], ["outputs"], kernel_shape=[STRIDE], strides=[STRIDE]),
            helper.make_node("Div", ["length", "stride"], ["encoded_lengths"]),
        ],
        {"audio_signal": (floats, ["B", MELS, "T"]), "length": (whole, ["B"])},
        {"outputs": (floats, ["B", HIDDEN, "U"]), "encoded_lengths": (whole, ["B"])},
        [weights("kernel", HIDDEN, MELS, STRIDE, scale=(MELS * STRIDE) ** -0.5), number("stride", STRIDE)],
    )
    kept = {"model_type": "EncDecRNNTBPEModel", "vocab_size": len(TOKENS), "subsampling_factor": STRIDE}
    kept |= {"normalize_type": "per_feature", "pred_rnn_layers": 1, "pred_hidden": HIDDEN}
    helper.set_model_props(encoder, {name: str(value) for name, value in kept.items()})
    state = (floats, [1, "B", HIDDEN])
    decoder = _model(
        [
            helper.make_node("Gather", ["embedding", "targets"], ["embedded"]),
            helper.make_node("Transpose", ["embedded"], ["outputs"], perm=[0, 2, 1]),
            helper.make_node("Identity", ["target_length"], ["prednet_lengths"]),
            helper.make_node("Identity", ["states.1"], ["next.1"]),
            helper.make_node("Identity", ["states.2"], ["next.2"]),
        ],
        {"targets": (short, ["B", "N"]), "target_length": (short, ["B"]), "states.1": state, "states.2": state},
        {"outputs": (floats, ["B", HIDDEN, "N"]), "prednet_lengths": (short, ["B"]), "next.1": state, "next.2": state},
        [weights("embedding", len(TOKENS) + 1, HIDDEN)],
    )
    blank = np.zeros(len(TOKENS) + 1, np.float32)
    blank[-1] = BLANK
    joiner = _model(
        [
            helper.make_node("Add", ["encoder_outputs", "decoder_outputs"], ["sum"]),
            helper.make_node("Transpose", ["sum"], ["turned"], perm=[0, 2, 1]),
            helper.make_node("MatMul", ["turned", "out"], ["scored"]),
            helper.make_node("Add", ["scored", "blank"], ["logits"]),
            helper.make_node("Unsqueeze", ["logits", "axis"], ["outputs"]),
        ],
        {"encoder_outputs": (floats, ["B", HIDDEN, "T"]), "decoder_outputs": (floats, ["B", HIDDEN, "N"])},
        {"outputs": (floats, ["B", "T", "N", len(TOKENS) + 1])},
        [weights("out", HIDDEN, len(TOKENS) + 1), numpy_helper.from_array(blank, "blank"), number("axis", 2)],
    )
    for name, model in {"encoder": encoder, "decoder": decoder, "joiner": joiner}.items():
        save(model, folder / f"{name}.onnx")
    tokens = (*TOKENS, "<blk>")
    (folder / "tokens.txt").write_text("".join(f"{token} {number}\n" for number, token in enumerate(tokens)), "utf-8")
    return folder


def _model(nodes: list, inputs: dict, outputs: dict, weights: list[TensorProto]) -> ModelProto:
    def values(named: dict) -> list:
        return [helper.make_tensor_value_info(name, *form) for name, form in named.items()]

    graph = helper.make_graph(nodes, "random", values(inputs), values(outputs), weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
