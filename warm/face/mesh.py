"""The 468-point face mesh: dense landmarks of one face (Kartynnik et al., 2019)."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.face.detector import Detection
from warm.face.models import MESH, open_model

INPUT_SIZE = 192
POINTS = 468
CROP_MARGIN = 1.5
"""Side of the crop, relative to that of the face's box."""
RIGHT_EYE, LEFT_EYE = 33, 263
"""Landmarks at the outer corners of the person's right and left eye."""


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """Landmarks of one face in one picture."""

    points: NDArray[np.float32]
    """(468, 3): x, y in picture pixels; z in the same unit, smaller is closer to the camera."""
    logit: float
    """Evidence that the crop shows a face: 15 to 35 for a face, below 12 for one upside down."""

    @property
    def score(self) -> float:
        """0…1: confidence that the crop shows a face."""
        return float(1.0 / (1.0 + np.exp(-self.logit)))


class FaceMesh:
    """Locates the landmarks of one face. Not thread-safe."""

    def __init__(self, models: Path) -> None:
        self._net = open_model(models, MESH)
        self._input = self._net.get_input_details()[0]["index"]
        sizes = {int(np.prod(d["shape"])): d["index"] for d in self._net.get_output_details()}
        self._points, self._score = sizes[POINTS * 3], sizes[1]

    def at_detection(self, picture: NDArray[np.uint8], face: Detection) -> Mesh:
        """Return the landmarks of a detected face.

        Runs twice: the crop around the mesh of the first run is more accurate.
        """
        return self.track(picture, self._locate(picture, crop_of_detection(face)).points)

    def track(self, picture: NDArray[np.uint8], points: NDArray[np.float32]) -> Mesh:
        """Return the landmarks of a face whose landmarks in the previous frame are `points`."""
        return self._locate(picture, crop_of_points(points))

    def _locate(self, picture: NDArray[np.uint8], to_picture: NDArray[np.float64]) -> Mesh:
        self._net.set_tensor(self._input, crop_for_network(picture, to_picture))
        self._net.invoke()
        raw = self._net.get_tensor(self._points).reshape(POINTS, 3)
        logit = float(self._net.get_tensor(self._score).reshape(()))
        return Mesh(in_picture(raw, to_picture), logit)


def crop_for_network(
    picture: NDArray[np.uint8], to_picture: NDArray[np.float64]
) -> NDArray[np.float32]:
    """(1, INPUT_SIZE, INPUT_SIZE, 3) RGB 0…1: the square of a BGR picture that a network sees."""
    crop = cv2.warpAffine(
        picture,
        to_picture,
        (INPUT_SIZE, INPUT_SIZE),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(crop[None, ..., ::-1], np.float32) / np.float32(255.0)


def in_picture(points: NDArray[np.float32], to_picture: NDArray[np.float64]) -> NDArray[np.float32]:
    """Map (k, 2) or (k, 3) points of the crop to the picture; depth is scaled alike."""
    scale = float(np.hypot(to_picture[0, 0], to_picture[1, 0]))
    flat = points[:, :2].astype(np.float64) @ to_picture[:, :2].T + to_picture[:, 2]
    return np.column_stack([flat, points[:, 2:] * scale]).astype(np.float32)


def crop_of_detection(face: Detection) -> NDArray[np.float64]:
    """(2, 3) crop to picture: upright on the eyes, around the box."""
    centre = (face.xyxy[:2] + face.xyxy[2:]) / 2
    return square_crop(centre, face.side * CROP_MARGIN, face.keypoints[1] - face.keypoints[0])


def crop_of_points(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """(2, 3) crop to picture: upright on the eyes, around all landmarks."""
    flat = points[:, :2].astype(np.float64)
    across = flat[LEFT_EYE] - flat[RIGHT_EYE]
    unit = across / np.hypot(*across)
    turn = np.array([unit, [-unit[1], unit[0]]])
    upright = flat @ turn.T
    low, high = upright.min(axis=0), upright.max(axis=0)
    centre = (low + high) / 2 @ turn
    return square_crop(centre, float((high - low).max()) * CROP_MARGIN, across)


def square_crop(
    centre: NDArray[np.float64], side: float, across: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(2, 3) INPUT_SIZE crop to picture for a square whose x axis runs along `across`."""
    x_axis = across / np.hypot(*across) * side / INPUT_SIZE
    linear = np.array([[x_axis[0], -x_axis[1]], [x_axis[1], x_axis[0]]])
    half = (INPUT_SIZE - 1) / 2
    return np.column_stack([linear, centre - linear @ [half, half]])
