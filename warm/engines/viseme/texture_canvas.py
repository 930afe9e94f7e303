"""Coordinates of the textures of the mouth's interior."""

from dataclasses import dataclass

import cv2
import numpy as np

from warm.engines.viseme.anatomy import Floats, Floats32
from warm.engines.viseme.face_light import FaceLight

OVERSAMPLE = 4
"""Drawn pixels per side for each pixel of the finished texture."""
HALF_WIDTH, TOP, BOTTOM = 0.50, -0.20, 0.24
"""Rectangle of a texture around its own origin."""
SIDE_LIMIT = 0.25
"""Limit of the difference between the light at the side and in the middle, a logarithm."""
UPPER_TEETH_IOD = 0.042
"""Height of the origin of the upper teeth below the mouth's middle."""


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """Coordinates of one texture's pixels, finer than the frame's."""

    x: Floats
    y: Floats
    """(h, w) IOD around the texture's origin."""
    scale: float
    """Pixels of the finished texture per IOD."""

    @classmethod
    def of(cls, scale: float, sides: tuple[float, float]) -> "Canvas":
        """Create the canvas of a finished texture of `scale` pixels per IOD.

        `sides`: widths of its left and right half, relative to a face seen from the front.
        """
        fine = scale * OVERSAMPLE
        width, height = (OVERSAMPLE * side for side in texture_size(scale))
        x = (np.arange(width) + 0.5) / fine - HALF_WIDTH
        y = (np.arange(height) + 0.5) / fine + TOP
        across, down = np.meshgrid(np.where(x < 0, x / sides[0], x / sides[1]), y)
        return cls(across, down, scale)

    def side_light(self, light: FaceLight) -> Floats:
        """(h, w) light relative to that in the middle: more on the side that it comes from."""
        return np.asarray(np.exp(np.clip(light.slope * self.x, -SIDE_LIMIT, SIDE_LIMIT)))

    def finish(self, colour: Floats, opacity: Floats) -> Floats32:
        """(h, w, 4) float32 at the finished size; colours continue into the transparent parts."""
        stack = np.dstack([colour, opacity]).astype(np.float32)
        size = (stack.shape[1] // OVERSAMPLE, stack.shape[0] // OVERSAMPLE)
        return np.asarray(cv2.resize(stack, size, interpolation=cv2.INTER_AREA), np.float32)


def texture_size(scale: float) -> tuple[int, int]:
    """(width, height) of a finished texture of `scale` pixels per IOD."""
    return round(2 * HALF_WIDTH * scale), round((BOTTOM - TOP) * scale)


def reference_to_texture(scale: float) -> Floats:
    """(2, 3) IOD around a texture's origin to its pixels."""
    return np.array([[scale, 0.0, HALF_WIDTH * scale - 0.5], [0.0, scale, -TOP * scale - 0.5]])
