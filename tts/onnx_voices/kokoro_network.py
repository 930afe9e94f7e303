"""Network of Kokoro-82M: numbers of symbols and a style to sound and durations."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tts.onnx_voices.bad_file import BadVoiceFile
from tts.onnx_voices.kokoro_symbols import PAD_ID
from tts.onnx_voices.kokoro_times import UNIT_SAMPLES
from tts.onnx_voices.onnx_graph import GraphError, OnnxGraph
from tts.onnx_voices.session import Array, Session

STYLE_ROWS, STYLE_NUMBERS = 510, 256

_IDS = ("tokens", "input_ids")
"""Names of the first input in different conversions of the model."""
_STYLE, _SPEED = "style", "speed"


class KokoroNetwork:
    """A loaded network, for all styles. Used by one thread."""

    def __init__(self, model: bytes) -> None:
        """Load an ONNX file; raises BadVoiceFile."""
        try:
            graph = OnnxGraph.parse(model)
            self._ids = _input_of(graph)
            outputs = [graph.outputs[0], _durations_of(graph)]
            self._session = Session(graph.part(list(graph.inputs), outputs))
        except GraphError as error:
            raise BadVoiceFile(str(error)) from error

    def speak(
        self, ids: Sequence[int], styles: NDArray[np.float32], speed: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the (n,) samples, and the durations of the ids and of the pads at both ends.

        `styles`: (STYLE_ROWS, STYLE_NUMBERS), one row per length of a sentence. Raises
        BadVoiceFile if the two do not fit together.
        """
        inputs: dict[str, Array] = {
            self._ids: np.array([[PAD_ID, *ids, PAD_ID]], np.int64),
            _STYLE: styles[len(ids) - 1 : len(ids)],
            _SPEED: np.array([speed], np.float32),
        }
        sound, durations = (each.reshape(-1) for each in self._session.run(inputs))
        total = float(durations.sum())
        if len(durations) != len(ids) + 2 or len(sound) != UNIT_SAMPLES * total:
            raise BadVoiceFile(
                f"computes {len(sound)} samples and {len(durations)} durations with the sum "
                f"{total:g}; expected are {len(ids) + 2}, and {UNIT_SAMPLES} samples for each"
            )
        if not np.isfinite(sound).all():
            raise BadVoiceFile("computes samples that are not numbers")
        return sound, durations


def _input_of(graph: OnnxGraph) -> str:
    """Return the name of the input for the symbols; raises GraphError."""
    found = [name for name in _IDS if name in graph.inputs]
    if len(found) != 1 or set(graph.inputs) != {*found, _STYLE, _SPEED} or not graph.outputs:
        raise GraphError(
            f"is not Kokoro-82M: it has the inputs {', '.join(graph.inputs) or 'none'}, expected "
            f"{' or '.join(_IDS)}, {_STYLE}, {_SPEED}"
        )
    return found[0]


def _durations_of(graph: OnnxGraph) -> str:
    """Return the tensor with the durations: rounded numbers that are limited from below."""
    rounded = {name for node in graph.nodes_of("Round") for name in node.outputs}
    for node in graph.nodes:
        if node.op in ("Clip", "Max") and node.inputs[0] in rounded:
            return node.outputs[0]
    raise GraphError("has no durations: no node of kind Clip that limits rounded numbers")
