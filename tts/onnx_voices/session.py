"""Sessions of onnxruntime for voices: one thread, no log lines."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from tts.onnx_voices.bad_file import BadVoiceFile

_FATAL_ONLY = 4
_MAX_REASON_CHARS = 200

Array = NDArray[Any]


class Session:
    """A network, or a part of one, loaded by onnxruntime. Used by one thread."""

    def __init__(self, model: bytes) -> None:
        """Load a serialized model; raises BadVoiceFile if onnxruntime refuses it."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _FATAL_ONLY
        options.enable_mem_pattern = False  # every sentence has another length
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime raises a class of its own per status
            raise BadVoiceFile(
                f"cannot be loaded by onnxruntime {onnxruntime.__version__}: {_reason(error)}"
            ) from error
        self.inputs = {each.name: each.type for each in self._session.get_inputs()}

    def run(self, inputs: Mapping[str, Array]) -> list[NDArray[np.float32]]:
        """Return all outputs; raises BadVoiceFile if the network fails."""
        try:
            outputs: list[NDArray[np.float32]] = self._session.run(None, dict(inputs))
        except Exception as error:  # see above
            raise BadVoiceFile(f"fails in onnxruntime: {_reason(error)}") from error
        return outputs


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:_MAX_REASON_CHARS]
