"""Atlases: pictures on a rectangle of the reference, whose lengths are in IOD (see `anatomy`)."""

from dataclasses import dataclass

import numpy as np

from warm.engines.viseme.anatomy import LOWER_OUTER, UPPER_OUTER, Anatomy, Floats, Floats32

MAX_SCALE = 112.0
"""Limit of an atlas' resolution, pixels per IOD: storage grows with its square."""
LIPS_SIDE_IOD, LIPS_ABOVE_IOD, LIPS_BELOW_IOD = 0.16, 0.13, 0.15
"""Reach of the atlas of the lips beyond the closed lips."""
INSIDE_ABOVE_IOD, INSIDE_BELOW_IOD, INSIDE_SIDE_IOD = 0.14, 0.40, 0.06
"""Reach of the atlas of the inside beyond the lip line."""


@dataclass(frozen=True, slots=True)
class Atlas:
    """A rectangle of the reference and its resolution."""

    left: float
    top: float
    """Middle of the first pixel, IOD."""
    scale: float
    """Pixels per IOD."""
    width: int
    height: int

    @classmethod
    def around(cls, low: Floats, high: Floats, scale: float) -> "Atlas":
        """Return the atlas of a rectangle from `low` to `high` (2,) IOD."""
        width, height = np.ceil((high - low) * scale).astype(int) + 1
        return cls(float(low[0]), float(low[1]), scale, int(width), int(height))

    @classmethod
    def of_array(cls, stored: Floats) -> "Atlas":
        """Return the atlas that `as_array` stored."""
        left, top, scale, width, height = (float(value) for value in stored)
        return cls(left, top, scale, int(width), int(height))

    def as_array(self) -> Floats:
        """(5,) the fields, for storage."""
        return np.array([self.left, self.top, self.scale, self.width, self.height])

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.width, self.height

    @property
    def to_reference(self) -> Floats:
        """(2, 3) pixels to IOD."""
        step = 1 / self.scale
        return np.array([[step, 0.0, self.left], [0.0, step, self.top]])

    @property
    def from_reference(self) -> Floats:
        """(2, 3) IOD to pixels."""
        scale = self.scale
        return np.array([[scale, 0.0, -self.left * scale], [0.0, scale, -self.top * scale]])

    def nodes(self) -> Floats32:
        """(height, width, 2) IOD of each pixel."""
        x = self.left + np.arange(self.width) / self.scale
        y = self.top + np.arange(self.height) / self.scale
        return np.stack(np.meshgrid(x, y), axis=-1).astype(np.float32)


def lips_atlas(anatomy: Anatomy, scale: float) -> Atlas:
    """Return the atlas of the closed lips and the skin next to them."""
    lips = anatomy.points[np.concatenate([UPPER_OUTER, LOWER_OUTER])]
    low = lips.min(axis=0) - np.array([LIPS_SIDE_IOD, LIPS_ABOVE_IOD])
    high = lips.max(axis=0) + np.array([LIPS_SIDE_IOD, LIPS_BELOW_IOD])
    return Atlas.around(low, high, min(scale, MAX_SCALE))


def inside_atlas(anatomy: Anatomy, scale: float) -> Atlas:
    """Return the atlas of everything that may show between the lips, fixed to the skull."""
    line = anatomy.lip_line
    low = np.array([line[0, 0] - INSIDE_SIDE_IOD, line[:, 1].min() - INSIDE_ABOVE_IOD])
    high = np.array([line[-1, 0] + INSIDE_SIDE_IOD, line[:, 1].max() + INSIDE_BELOW_IOD])
    return Atlas.around(low, high, min(scale, MAX_SCALE))
