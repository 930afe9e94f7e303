"""Networks in onnxruntime, without log lines."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

_FATAL_ONLY = 4


class OnnxNetwork:
    """A network, loaded from a file. Used by one thread."""

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = _FATAL_ONLY
        options.enable_mem_pattern = False  # every piece has another length
        # Threads that wait for work in a busy loop would take CPU time from the rendering.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self.inputs: list[str] = [each.name for each in self._session.get_inputs()]
        self.outputs: list[str] = [each.name for each in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        """Return all outputs."""
        outputs: list[NDArray[np.float32]] = self._session.run(None, dict(inputs))
        return outputs
