"""Cuts between the shots of a film, from downscaled frames."""

import cv2
import numpy as np
from numpy.typing import NDArray

SMALL = (64, 36)
MIN_CHANGE = 14.0
"""Smallest mean change of the luma between frames, in levels, that may be a cut."""
CHANGE_FACTOR = 4.0
"""A cut changes the picture by at least this factor more than the preceding frames did."""
MEMORY = 0.8
"""Weight of the past in the running mean of those changes."""


class ShotDetector:
    """Finds cuts as the frames arrive. Not thread-safe."""

    def __init__(self) -> None:
        self.last: NDArray[np.float32] | None = None
        """Downscaled luma of the last frame."""
        self.usual = 0.0
        """Running mean of the changes."""

    def is_cut(self, luma: NDArray[np.uint8]) -> bool:
        """Return True if the next frame, (h, w) luma, begins a shot; True for the first frame."""
        small = cv2.resize(luma, SMALL, interpolation=cv2.INTER_AREA).astype(np.float32)
        last, self.last = self.last, small
        if last is None:
            return True
        change = float(np.abs(small - last).mean())
        if change > MIN_CHANGE and change > CHANGE_FACTOR * self.usual:
            return True
        self.usual = MEMORY * self.usual + (1 - MEMORY) * change
        return False
