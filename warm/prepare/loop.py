"""Whether a clip can run on from its end to its beginning, or has to turn back."""

import numpy as np
from numpy.typing import NDArray

from warm.avatars.avatar import Loop

STRIDE = 8
"""Every so many pixels a frame is looked at."""
SEAM_STEPS = 1.5
"""A seam may differ by this many ordinary steps between frames and still not be seen."""


def choose_loop(frames: NDArray[np.uint8]) -> Loop:
    """forward where the last of (n, h, w, 3) frames leads into the first, else pingpong."""
    small = frames[:, ::STRIDE, ::STRIDE].astype(np.float32)
    steps = np.abs(np.diff(small, axis=0)).mean(axis=(1, 2, 3))
    seam = float(np.abs(small[0] - small[-1]).mean())
    return "forward" if seam <= SEAM_STEPS * float(np.median(steps)) else "pingpong"
