"""How large Whisper models are, and what tensors a published one of that size holds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a Whisper model."""

    width: int
    encoder_layers: int
    decoder_layers: int
    heads: int
    mels: int
    vocabulary: int


SMALL = Shape(768, 12, 12, 12, 80, 51865)
BASE = Shape(512, 6, 6, 8, 80, 51865)
LARGE = Shape(1280, 32, 32, 20, 128, 51866)
TURBO = Shape(1280, 32, 4, 20, 128, 51866)


def sizes(shape: Shape) -> dict[str, tuple[int, ...]]:
    """All tensors by the names that transformers gives them: keys have no bias, and the last layer is the first one again."""
    width = shape.width
    found: dict[str, tuple[int, ...]] = {
        "model.encoder.conv1.weight": (width, shape.mels, 3),
        "model.encoder.conv1.bias": (width,),
        "model.encoder.conv2.weight": (width, width, 3),
        "model.encoder.conv2.bias": (width,),
        "model.encoder.embed_positions.weight": (1500, width),
        "model.decoder.embed_positions.weight": (448, width),
        "model.decoder.embed_tokens.weight": (shape.vocabulary, width),
    }
    for side, layers, attentions in (("encoder", shape.encoder_layers, 1), ("decoder", shape.decoder_layers, 2)):
        norms = [f"model.{side}.layer_norm"]
        for name in (f"model.{side}.layers.{number}" for number in range(layers)):
            for attention in ("self_attn", "encoder_attn")[:attentions]:
                for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
                    found[f"{name}.{attention}.{part}.weight"] = (width, width)
                    if part != "k_proj":
                        found[f"{name}.{attention}.{part}.bias"] = (width,)
                norms.append(f"{name}.{attention}_layer_norm")
            found |= {f"{name}.fc1.weight": (4 * width, width), f"{name}.fc1.bias": (4 * width,)}
            found |= {f"{name}.fc2.weight": (width, 4 * width), f"{name}.fc2.bias": (width,)}
            norms.append(f"{name}.final_layer_norm")
        for norm in norms:
            found |= {f"{norm}.weight": (width,), f"{norm}.bias": (width,)}
    return found
