"""A tiny network with the inputs, durations and styles of Kokoro-82M, and random weights."""

from pathlib import Path

import numpy as np

from tests.tts.onnx_voices.tiny_onnx import FLOAT, INT64, ModelWriter, random
from tts.onnx_voices.kokoro_symbols import IDS

UNIT = 600
LETTER_UNITS, PAUSE_UNITS, END_UNITS = 4, 6, 10
PAUSES = ';:,.!?—…"()“” ˈˌː'


def write_kokoro(voices_dir: Path, *names: str) -> Path:
    """Write the network and styles of these voices; return the network's path."""
    folder = voices_dir / "kokoro"
    (folder / "voices").mkdir(parents=True, exist_ok=True)
    model = folder / "model.onnx"
    model.write_bytes(tiny_kokoro())
    for number, name in enumerate(names or ("af_bella",)):
        styles = np.full((510, 256), 1 + number, "<f4")
        (folder / "voices" / f"{name}.bin").write_bytes(styles.tobytes())
    return model


def tiny_kokoro(*, ids: str = "tokens", unit: int = UNIT) -> bytes:
    """Serialize the network; the sound hums at letters, in proportion to the style."""
    model = ModelWriter()
    model.input(ids, INT64, 2)
    model.input("style", FLOAT, 2)
    model.input("speed", FLOAT, 1)
    units, loudness = np.full(178, LETTER_UNITS), np.ones((178, 1))
    for symbol in PAUSES:
        units[IDS[symbol]], loudness[IDS[symbol]] = PAUSE_UNITS, 0
    units[0], loudness[0] = END_UNITS, 0
    wanted = model.node("Gather", [model.weight(units), ids])
    rounded = model.node("Round", [model.node("Div", [wanted, "speed"])])
    durations = model.node("Clip", [rounded, model.weight(1.0)])
    of_ids = model.node("Gather", [model.weight(loudness), ids])
    flat = model.node("Squeeze", [of_ids, model.weight([0], np.int64)])
    zero, one = model.weight(0, np.int64), model.weight(1, np.int64)
    ends = model.node("CumSum", [model.node("Squeeze", [durations]), zero])
    total = model.node("Cast", [model.node("ReduceSum", [durations], keepdims=0)], to=INT64)
    places = model.node("Range", [zero, total, one])
    column = model.node("Unsqueeze", [places, model.weight([1], np.int64)])
    is_after = model.node("GreaterOrEqual", [model.node("Cast", [column], to=FLOAT), ends])
    index = model.node(
        "ReduceSum",
        [model.node("Cast", [is_after], to=INT64), model.weight([1], np.int64)],
        keepdims=0,
    )
    frames = model.node("Gather", [flat, index])  # (units, 1)
    turned = model.node("Unsqueeze", [frames, model.weight([0], np.int64)])  # (1, units, 1)
    latent = model.node("Transpose", [turned], perm=[0, 2, 1])
    hum = model.weight(random(1, 1, unit, seed=1, scale=0.05))
    sound = model.node("ConvTranspose", [latent, hum], kernel_shape=[unit], strides=[unit])
    level = model.node("ReduceMean", ["style"], keepdims=0)
    model.output(model.node("Squeeze", [model.node("Mul", [sound, level])], "audio"))
    return model.serialized()
