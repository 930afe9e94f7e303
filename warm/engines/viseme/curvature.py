"""Curvature of a turning face: the residual of an affine between the layout and a frame.

Seen from the front, a face is roughly a cylinder of radius R. When it turns by an angle a, a point
at distance x from its midline moves sideways by a further x² sin(a) / 2R: the far half gets
narrower than the near one. When it nods, the ends of its horizontal lines move down or up by as
much. Both are one quadratic term across the face, see `bend`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stabilizers.similarity import apply, invert

MAX_BEND = 0.4
"""Limit of the quadratic terms, 1/IOD; the map is invertible up to it."""
NOISE = 0.02
"""Measured quadratic terms are moved towards 0 by this much; smaller ones become 0."""
MIN_ROOT = 0.1
"""Lower limit under the root of the inverse: beyond it the face would fold."""

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]


class Curvature(NamedTuple):
    """The quadratic part of the map of one frame; lengths in IOD."""

    across: float
    """Shift to the right per squared distance from the centre, 1/IOD."""
    down: float
    """The same downwards."""
    centre: float
    """X of the centre."""
    square: float
    """Squared distance at which nothing moves, so that the affine stays the best one."""

    @property
    def bends(self) -> bool:
        """False if the affine alone maps the frame."""
        return self.across != 0 or self.down != 0


FLAT = Curvature(0.0, 0.0, 0.0, 0.0)


def bend(points: NDArray[np.floating], curvature: Curvature) -> Floats:
    """Return (…, 2) points of the layout, moved to where the affine of a frame expects them."""
    square = (points[..., :1] - curvature.centre) ** 2 - curvature.square
    return np.asarray(points + square * [curvature.across, curvature.down])


def bent_offset(across: Floats32, offset: Floats32, curvature: Curvature) -> Floats32:
    """Return `bend(points + offset) - bend(points)`, without cancellation of large numbers.

    `across` (…): x of the points relative to the centre; `offset` (…, 2). Both in IOD.
    """
    dx = offset[..., 0]
    square = (dx * (2 * across + dx))[..., None]
    bent = offset + square * np.array([curvature.across, curvature.down], np.float32)
    return np.asarray(bent, np.float32)


def unbend(points: NDArray[np.floating], curvature: Curvature) -> Floats:
    """Return the inverse of `bend`."""
    across, down, centre, square = curvature
    x = points[..., 0] - centre + across * square
    x = 2 * x / (1 + np.sqrt(np.maximum(1 + 4 * across * x, MIN_ROOT)))
    return np.stack([x + centre, points[..., 1] - down * (x * x - square)], axis=-1)


def fit_curvatures(
    layout: Floats, weights: Floats, frames: NDArray[np.floating], affines: Floats
) -> Floats:
    """Return the (n, 4) `Curvature`s of frames whose best (n, 2, 3) affines are known.

    layout: (k, 2) points with (k,) weights; frames: (n, k, 2) the same points in each frame.
    """
    centre = float(np.average(layout[:, 0], weights=weights))
    squares = (layout[:, 0] - centre) ** 2
    mean = float(np.average(squares, weights=weights))
    basis = weights * (squares - mean)
    left = apply(invert(affines), frames) - layout
    terms = (basis[:, None] * left).sum(axis=1) / (basis @ (squares - mean))
    terms = np.sign(terms) * np.clip(np.abs(terms) - NOISE, 0, MAX_BEND)
    same = np.broadcast_to([centre, mean], terms.shape)
    return np.concatenate([terms, same], axis=1)
