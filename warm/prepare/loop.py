"""Whether a clip can run on from its end to its beginning, or has to turn back."""

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.avatar import Loop

SMALL_SIDE = 64
SEAM_STEPS = 1.5
"""A seam may differ by this many ordinary steps between frames and still not be seen."""


def choose_loop(frames: NDArray[np.uint8]) -> Loop:
    """forward where the last of (n, h, w, 3) frames leads into the first, else pingpong."""
    small = np.stack([thumbnail(frame) for frame in frames])
    steps = np.abs(np.diff(small, axis=0)).mean(axis=(1, 2, 3))
    seam = float(np.abs(small[0] - small[-1]).mean())
    return "forward" if seam <= SEAM_STEPS * float(np.median(steps)) else "pingpong"


def thumbnail(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(64, 64, 3) float32 of a frame, averaged over areas."""
    small = cv2.resize(frame, (SMALL_SIDE, SMALL_SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)
