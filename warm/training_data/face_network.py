"""Embeddings of faces by a network of face recognition that the user supplies."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stt.onnx_network import OnnxNetwork
from warm.training_data.errors import BadPreprocessConfig

SIZE = 112
TEMPLATE = np.array(
    [
        *([38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366]),
        *([41.5493, 92.3655], [70.7299, 92.2041]),
    ]
)
"""Eyes, tip of the nose and corners of the mouth in a crop of 112x112 pixels, as most networks
expect them since Deng et al., "ArcFace" (2019)."""


class FaceNetwork:
    """Runs the network. Not thread-safe."""

    def __init__(self, path: Path) -> None:
        """Load an ONNX file; raises BadPreprocessConfig."""
        if not path.is_file():
            raise BadPreprocessConfig(
                f"speaker_model is {path}; there is no such file. Name an ONNX network, or null."
            )
        try:
            self._network = OnnxNetwork(path)
            rows = self._run(np.zeros((SIZE, SIZE, 3), np.uint8))
        except Exception as error:  # onnxruntime has many classes of errors
            raise BadPreprocessConfig(
                f"speaker_model is {path}, which does not turn 1x3x112x112 RGB values into an "
                f"embedding: {str(error)[:200]}"
            ) from error
        if rows.ndim != 1:
            raise BadPreprocessConfig(f"speaker_model is {path}; its output is not a single row.")

    def embedding(
        self, picture: NDArray[np.uint8], landmarks: NDArray[np.int32]
    ) -> NDArray[np.float64]:
        """(k,) of unit length, for a (h, w, 3) BGR picture and the (68, 2) landmarks."""
        crop = cv2.warpAffine(picture, to_template(landmarks), (SIZE, SIZE), flags=cv2.INTER_AREA)
        row = self._run(np.asarray(crop, np.uint8)).astype(np.float64)
        return row / max(float(np.linalg.norm(row)), 1e-9)

    def _run(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        rgb = crop[..., ::-1].transpose(2, 0, 1)[np.newaxis].astype(np.float32)
        inputs = {self._network.inputs[0]: np.ascontiguousarray((rgb - 127.5) / np.float32(127.5))}
        return np.asarray(self._network.run(inputs)[0][0])


def five_of_68(landmarks: NDArray[np.int32]) -> NDArray[np.float64]:
    """(68, 2) to (5, 2): eyes, tip of the nose, corners of the mouth."""
    points = landmarks.astype(np.float64)
    eyes = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    return np.stack([*eyes, points[30], points[48], points[54]])


def to_template(landmarks: NDArray[np.int32]) -> NDArray[np.float64]:
    """(2, 3) similarity from the picture to the crop, by least squares over five points."""
    points = five_of_68(landmarks)
    x, y = points.T
    rows = np.zeros((10, 4))
    rows[0::2] = np.stack([x, -y, np.ones(5), np.zeros(5)], axis=1)
    rows[1::2] = np.stack([y, x, np.zeros(5), np.ones(5)], axis=1)
    (a, b, left, top), *_ = np.linalg.lstsq(rows, TEMPLATE.ravel(), rcond=None)
    return np.array([[a, -b, left], [b, a, top]])
