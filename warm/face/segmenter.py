"""Segmentation of a person: MediaPipe's selfie segmentation network (Apache-2.0)."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.face.models import SEGMENTER, open_model

SIDE = 256
"""Side of the network's input and output, pixels."""


class PersonSegmenter:
    """The network on the CPU. One thread at a time; 6 ms a picture."""

    def __init__(self, models: Path) -> None:
        """`models`: folder of the face models; raises FaceModelError."""
        self._network = open_model(models, SEGMENTER)
        self._input = self._network.get_input_details()[0]["index"]
        self._output = self._network.get_output_details()[0]["index"]

    def confidence(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (256, 256) probabilities that a place of a (h, w, 3) BGR picture is a person.

        The whole picture is squeezed into the square.
        """
        small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        pixels = small[None, :, :, ::-1].astype(np.float32) / 255
        self._network.set_tensor(self._input, pixels)
        self._network.invoke()
        return np.array(self._network.get_tensor(self._output)[0, :, :, 0], np.float32)
