"""Fine detail of textures, taken from the frames of the footage that are nearest to the mouth.

A regression averages and is therefore blurred. Its result is used only below a spatial frequency,
and real frames above it. The weights of the frames change smoothly with the mouth, so that the
detail fades from frame to frame and never jumps. They do not depend on earlier frames.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.engines.viseme.anatomy import Floats32

BLUR_IOD = 0.022
"""Standard deviation of the low-pass that separates regression and detail."""
SOFTNESS = 0.35
"""Distance, in scaled inputs, over which the detail fades from one frame to the next."""
MAX_BOOST = 1.5
"""Limit of the gain that restores the contrast that a mean of several frames has lost."""
NEAREST = 4
"""Number of frames that are mixed."""


@dataclass(frozen=True, slots=True, eq=False)
class Detail:
    """The detail of some trained frames."""

    centres: Floats32
    """(m, d) scaled inputs of the frames."""
    pictures: NDArray[np.int8]
    """(m, h, w, 3) grey levels."""

    def picture(self, inputs: Floats32) -> Floats32:
        """(h, w, 3) for scaled inputs (d,)."""
        square = ((self.centres - inputs) ** 2).sum(axis=1)
        near = np.argpartition(square, min(NEAREST, len(square) - 1))[:NEAREST]
        least = square[near].min()
        # The farthest of the nearest has no weight, so that its change is never seen.
        weights = np.exp((least - square[near]) / (2 * SOFTNESS**2))
        weights -= weights.min()
        if not weights.any():
            weights[:] = 1
        weights /= weights.sum()
        boost = min(1 / np.sqrt((weights**2).sum()), MAX_BOOST)
        flat = self.pictures[near].reshape(len(near), -1)
        mixed = (boost * weights).astype(np.float32) @ flat.astype(np.float32)
        return np.asarray(mixed.reshape(self.pictures.shape[1:]), np.float32)


def low_pass(picture: Floats32, scale: float) -> Floats32:
    """Blur a (h, w, 3) picture of `scale` pixels per IOD."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), BLUR_IOD * scale), np.float32)
