"""Guided filter: smoothing that keeps edges (He, Sun, Tang, "Guided image filtering", 2013)."""

import cv2
import numpy as np
from numpy.typing import NDArray


def guided_base(plane: NDArray[np.float32], radius: int, epsilon: float) -> NDArray[np.float32]:
    """Return the base layer of a (h, w) plane, guided by itself.

    Structure with a variance well above `epsilon` is kept; the rest is averaged over windows of
    2 * radius + 1 pixels.
    """
    window = (2 * radius + 1, 2 * radius + 1)
    mean = cv2.blur(plane, window)
    variance = cv2.blur(plane * plane, window) - mean * mean
    slope = np.maximum(variance, 0) / (np.maximum(variance, 0) + np.float32(epsilon))
    offset = mean - slope * mean
    return np.asarray(cv2.blur(slope, window) * plane + cv2.blur(offset, window), np.float32)
