"""Upright pictures of stored frames for the face finder: rotated, square pixels, limited size."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from session.orientation import Orientation
from stabilizers.similarity import compose
from warm.enhance.film_reader import FilmFacts
from warm.enhance.planes import Planes

MAX_SIDE = 1280
"""Longest side of the pictures in which faces are searched, pixels."""


@dataclass(frozen=True, slots=True)
class UprightView:
    """The upright view of the frames of one film."""

    stored: tuple[int, int]
    """(width, height) of a stored frame."""
    size: tuple[int, int]
    """(width, height) to which it is scaled before it is rotated; even."""
    orientation: Orientation

    @classmethod
    def of(cls, facts: FilmFacts) -> "UprightView":
        """Return the view of a film's frames."""
        width, height = facts.width * float(facts.aspect), float(facts.height)
        scale = min(1.0, MAX_SIDE / max(width, height))
        size = even(width * scale), even(height * scale)
        return cls((facts.width, facts.height), size, facts.orientation)

    def picture(self, planes: Planes) -> NDArray[np.uint8]:
        """Return the (h, w, 3) BGR picture of a frame; its colours are approximate."""
        width, height = self.size
        luma = resized(planes.luma, (width, height))
        half = (width // 2, height // 2)
        chroma = [resized(plane, half).reshape(-1) for plane in (planes.cb, planes.cr)]
        packed = np.concatenate([luma.reshape(-1), *chroma]).reshape(height * 3 // 2, width)
        bgr = np.asarray(cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_I420), np.uint8)
        return np.ascontiguousarray(self.orientation.applied(bgr))

    def to_stored(self) -> NDArray[np.float64]:
        """Return the (2, 3) transform from pixels of the picture to those of the stored luma."""
        turn, (width, height) = self.orientation, self.orientation.swapped(self.size)
        x = (-1.0, 0.0, width - 1.0) if turn.flips_x else (1.0, 0.0, 0.0)
        y = (0.0, -1.0, height - 1.0) if turn.flips_y else (0.0, 1.0, 0.0)
        unturned = np.array([y, x] if turn.is_transposed else [x, y])
        scale = np.array(self.stored) / np.array(self.size)
        enlarge = np.column_stack([np.diag(scale), scale / 2 - 0.5])
        return compose(enlarge, unturned)

    @property
    def scale(self) -> float:
        """Pixels of the stored luma per pixel of the picture."""
        return float(np.sqrt(abs(np.linalg.det(self.to_stored()[:, :2]))))


def even(length: float) -> int:
    """Return the nearest even number of pixels, at least 2."""
    return max(2, 2 * round(length / 2))


def resized(plane: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Scale a plane to (width, height)."""
    if size == (plane.shape[1], plane.shape[0]):
        return plane
    method = cv2.INTER_AREA if size[0] < plane.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plane, size, interpolation=method), np.uint8)
