"""Random numbers of a network as an input, so that the same seed gives the same sound.

onnxruntime draws other numbers in every run. Each node that draws some is replaced by nodes that
take as many as it needs from an input, and repeat that input if it is too short.
"""

import numpy as np
from numpy.typing import NDArray

from tts.onnx_voices.onnx_graph import FLOAT, INT64, Node, OnnxGraph, make_node, make_tensor

NOISE_INPUT = "warmtalk_noise"
NOISE_COUNT = 1 << 18
"""Normal random numbers of one sentence; a voice uses 16,500 per second of speech."""

_MIN_OPSET = 11
_ZERO, _ONE, _COUNT, _ALMOST = (f"{NOISE_INPUT}_{name}" for name in ("zero", "one", "n", "n_1"))


def with_noise_input(graph: OnnxGraph) -> OnnxGraph:
    """Return the graph with NOISE_INPUT, if it draws random numbers in the usual way."""
    random = graph.nodes_of("RandomNormalLike")
    if not random or any(not _is_standard(node) for node in random) or graph.opset < _MIN_OPSET:
        return graph
    constants = {
        name: make_tensor(name, INT64, [1], np.array([value], "<i8").tobytes())
        for name, value in (
            (_ZERO, 0),
            (_ONE, 1),
            (_COUNT, NOISE_COUNT),
            (_ALMOST, NOISE_COUNT - 1),
        )
    }
    return graph.with_nodes(_replacement).with_weights(constants).with_input(NOISE_INPUT, FLOAT, 1)


def noise(seed: int) -> NDArray[np.float32]:
    """Return the numbers for a seed: (NOISE_COUNT,)."""
    return np.random.default_rng(seed).standard_normal(NOISE_COUNT, dtype=np.float32)


def _is_standard(node: Node) -> bool:
    """Return True for mean 0 and deviation 1."""
    return not {"mean", "scale"} & set(node.attributes)


def _replacement(node: Node) -> list[Node]:
    """Return nodes with the output of a node that draws random numbers; others are unchanged."""
    if node.op != "RandomNormalLike":
        return [node]
    output = node.outputs[0]
    shape, size, more, times, tiled, cut = (
        f"{output}_{name}" for name in ("shape", "size", "more", "times", "tiled", "cut")
    )
    steps = (
        ("Shape", [node.inputs[0]], shape),
        ("ReduceProd", [shape], size),
        ("Add", [size, _ALMOST], more),
        ("Div", [more, _COUNT], times),
        ("Tile", [NOISE_INPUT, times], tiled),
        ("Slice", [tiled, _ZERO, size], cut),
        ("Reshape", [cut, shape], output),
    )
    return [make_node(op, inputs, [name], name) for op, inputs, name in steps]
