"""Pixel grids and pictures read at places between their pixels."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def pixel_grid(x0: int, y0: int, x1: int, y1: int) -> NDArray[np.float32]:
    """(y1 - y0, x1 - x0, 2) pixel centres (x, y)."""
    axes = np.arange(x0, x1, dtype=np.float32), np.arange(y0, y1, dtype=np.float32)
    return np.stack(np.meshgrid(*axes), -1)


def read_at(
    picture: NDArray[Any], places: NDArray[np.float32], interpolation: int = cv2.INTER_LINEAR
) -> NDArray[Any]:
    """(h, w, k) picture at (…, …, 2) places (x, y), its border pixels going on outside."""
    x, y = np.ascontiguousarray(places[..., 0]), np.ascontiguousarray(places[..., 1])
    return np.asarray(cv2.remap(picture, x, y, interpolation, borderMode=cv2.BORDER_REPLICATE))
