"""A tiny voice with the inputs, nodes and files of a Piper voice, and random weights.

Its durations are fixed per symbol, pauses are silent, and letters hum.
"""

import json
from pathlib import Path

import numpy as np

from tests.tts.onnx_voices.tiny_onnx import FLOAT, INT64, ModelWriter, random

LETTERS = "abdefhijklmnopstuvwzæðŋɐɑɔəɚɛɜɡɪɹɾʃʊʌʒθᵻ"
MARKS = "ˈˌː.,;:!? "
SYMBOLS = ("_", "^", "$", *MARKS, *LETTERS)
CHANNELS, STRIDE = 4, 16
HOP = STRIDE * STRIDE
RATE_HZ = 22_050
LETTER_FRAMES, MARK_FRAMES, PAD_FRAMES = 5, 3, 2

CONFIG: dict[str, object] = {
    "audio": {"sample_rate": RATE_HZ, "quality": "medium"},
    "espeak": {"voice": "en-us"},
    "inference": {"noise_scale": 0.667, "length_scale": 1, "noise_w": 0.8},
    "phoneme_type": "espeak",
    "phoneme_id_map": {symbol: [number] for number, symbol in enumerate(SYMBOLS)},
    "num_symbols": 64,
    "num_speakers": 1,
    "speaker_id_map": {},
    "language": {"code": "en_US"},
    "dataset": "tiny",
}


def write_voice(
    folder: Path, name: str = "en_US-tiny-medium", *, speakers: int = 1, **config: object
) -> Path:
    """Write both files of a voice and return the network's path; `config` replaces JSON keys."""
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / f"{name}.onnx"
    model.write_bytes(tiny_model(speakers))
    names = {f"s{number}": number for number in range(speakers)} if speakers > 1 else {}
    content = {**CONFIG, "num_speakers": speakers, "speaker_id_map": names, **config}
    kept = {key: value for key, value in content.items() if value is not None}
    (folder / f"{name}.onnx.json").write_text(json.dumps(kept), encoding="utf-8")
    return model


def tiny_model(speakers: int = 1, *, opset: int = 15, ir_version: int = 8) -> bytes:
    """Serialize the network."""
    model = ModelWriter()
    model.input("input", INT64, 2)
    model.input("input_lengths", INT64, 1)
    model.input("scales", FLOAT, 1)
    if speakers > 1:
        model.input("sid", INT64, 1)
    noise, length = (model.node("Gather", ["scales", number(model, i)]) for i in (0, 1))
    durations = add_durations(model, length)
    latent = add_latent(model, durations, noise)
    model.output(add_sound(model, latent, speakers))
    return model.serialized(opset=opset, ir_version=ir_version)


def number(model: ModelWriter, value: int) -> str:
    return model.weight(value, np.int64)


def add_durations(model: ModelWriter, length: str) -> str:
    frames = {**dict.fromkeys(LETTERS, LETTER_FRAMES), "_": PAD_FRAMES}
    table = model.weight([frames.get(symbol, MARK_FRAMES) for symbol in SYMBOLS])
    of_ids = model.node("Gather", [table, "input"])
    # Slightly less, so that Ceil has something to do.
    scaled = model.node("Sub", [model.node("Mul", [of_ids, length]), model.weight(0.25)])
    return model.node("Ceil", [scaled], "durations")


def add_latent(model: ModelWriter, durations: str, noise: str) -> str:
    """Repeat the embedding of each id as often as its duration says: (1, CHANNELS, frames)."""
    table = random(len(SYMBOLS), CHANNELS, seed=1)
    table[: 3 + len(MARKS)] = 0  # pauses are silent
    embedded = model.node("Gather", [model.weight(table), "input"])  # (1, ids, channels)
    flat = model.node("Squeeze", [embedded, model.weight([0], np.int64)])
    ends = model.node("CumSum", [model.node("Squeeze", [durations]), number(model, 0)])
    total = model.node("Cast", [model.node("ReduceSum", [durations], keepdims=0)], to=INT64)
    frames = model.node("Range", [number(model, 0), total, number(model, 1)])
    places = model.node("Unsqueeze", [frames, model.weight([1], np.int64)])
    is_after = model.node("GreaterOrEqual", [model.node("Cast", [places], to=FLOAT), ends])
    counted = model.node(
        "ReduceSum",
        [model.node("Cast", [is_after], to=INT64), model.weight([1], np.int64)],
        keepdims=0,
    )
    of_frames = model.node("Gather", [flat, counted])  # (frames, channels)
    turned = model.node("Transpose", [of_frames], perm=[1, 0])
    latent = model.node("Unsqueeze", [turned, model.weight([0], np.int64)])
    drawn = model.node("RandomNormalLike", [latent])
    loud = model.node("Mul", [model.node("Mul", [drawn, noise]), model.node("Abs", [latent])])
    return model.node("Add", [latent, loud], "latent")


def add_sound(model: ModelWriter, latent: str, speakers: int) -> str:
    """Upsample the latent to samples: (1, 1, HOP * frames)."""
    weights = model.weight(random(CHANNELS, CHANNELS, 7, seed=2, scale=0.2))
    x = model.node("Conv", [latent, weights], kernel_shape=[7], pads=[3, 3])
    if speakers > 1:
        table = model.weight(random(speakers, CHANNELS, seed=3))
        chosen = model.node("Gather", [table, "sid"])
        shaped = model.node("Unsqueeze", [chosen, model.weight([2], np.int64)])
        x = model.node("Mul", [x, model.node("Exp", [shaped])])
    for seed in (4, 5):
        x = model.node("LeakyRelu", [x], alpha=0.1)
        up = model.weight(random(CHANNELS, CHANNELS, 2 * STRIDE, seed=seed, scale=0.3))
        x = model.node(
            "ConvTranspose",
            [x, up],
            kernel_shape=[2 * STRIDE],
            strides=[STRIDE],
            pads=[STRIDE // 2, STRIDE // 2],
        )
    post = model.weight(random(1, CHANNELS, 7, seed=6, scale=0.02))
    return model.node(
        "Tanh", [model.node("Conv", [x, post], kernel_shape=[7], pads=[3, 3])], "output"
    )
