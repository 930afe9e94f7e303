"""Detection of voices in sound: Silero's network, frame by frame as the sound arrives."""

from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from stt.onnx_network import OnnxNetwork
from stt.recogniser import Samples

FRAME = 512
"""Samples of a frame: 32 ms."""
CONTEXT = 64
"""Samples before a frame that the network reads as well."""
STATE_SHAPE = (1, 1, 128)


class VoiceActivity:
    """The network; `begin` returns a detector for each recording."""

    def __init__(self, path: Path) -> None:
        self._network = OnnxNetwork(path)

    def begin(self) -> "VoiceDetector":
        """Return a detector at the beginning of a recording."""
        return VoiceDetector(self._network)


class VoiceDetector:
    """Detector of one recording."""

    def __init__(self, network: OnnxNetwork) -> None:
        self._network = network
        self._held: Samples = np.zeros(CONTEXT, np.float32)
        """The context of the next frame, and samples that do not fill it yet."""
        self._hidden = np.zeros(STATE_SHAPE, np.float32)
        self._cell = np.zeros(STATE_SHAPE, np.float32)

    def add(self, samples: Samples) -> NDArray[np.float32]:
        """Return the probability of a voice for each frame that the samples complete: (k,)."""
        self._held = np.concatenate([self._held, samples])
        count = (len(self._held) - CONTEXT) // FRAME
        if not count:
            return np.zeros(0, np.float32)
        windows = sliding_window_view(self._held, CONTEXT + FRAME)[: count * FRAME : FRAME]
        self._held = self._held[count * FRAME :].copy()
        inputs = {
            "input": np.ascontiguousarray(windows),
            "h": self._hidden,
            "c": self._cell,
        }
        probabilities, self._hidden, self._cell = self._network.run(inputs)
        return probabilities
