"""Where the mouth, chin and jaw lie: one reference layout an avatar, one affine a frame.

All lengths of the reference are in inter-ocular distances (IOD), with the origin in the middle of
the mouth, x to the right of the picture and y down the face.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from warm.avatars.avatar import CANONICAL_IOD, Loop

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Pixels = NDArray[np.uint8]

# fmt: off
UPPER_OUTER = np.array([61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291])
UPPER_INNER = np.array([78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308])
LOWER_INNER = np.array([78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308])
LOWER_OUTER = np.array([61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291])
JAW = np.array([93, 132, 58, 172, 136, 150, 149, 176, 148, 152,
                377, 400, 378, 379, 365, 397, 288, 361, 323])
CHIN_PAD = np.array([200, 199, 175, 201, 421, 208, 428, 171, 396, 32, 262, 140, 369,
                     211, 431, 204, 424, 194, 418])
CHEEKS = np.array([57, 287, 43, 273, 202, 422, 212, 432, 210, 430, 214, 434, 135, 364, 169, 394,
                   192, 416, 207, 427, 216, 436, 206, 426, 205, 425, 187, 411, 92, 322,
                   186, 410, 165, 391, 167, 393, 164, 203, 423, 36, 266, 147, 376, 213, 433])
STILL = np.array([2, 97, 326, 98, 327, 129, 358, 1, 4, 50, 280, 123, 352, 117, 346])
# fmt: on
"""Landmarks from the right of the person's mouth to the left, as the picture shows them."""

MOUTH_LINE = np.unique(np.concatenate([UPPER_OUTER, UPPER_INNER, LOWER_INNER, LOWER_OUTER]))
JAW_WEIGHT = 0.5
"""Of a jaw landmark against one of the lips when a frame's affine is fitted: jaws are noisy."""
SMOOTH_FRAMES = 2.0
"""Standard deviation of the low-pass on a frame's shape within its own face transform."""
SEAM_POINTS = 41


@dataclass(frozen=True, slots=True, eq=False)
class Anatomy:
    """The closed mouth of an avatar and where each frame shows it."""

    points: Floats
    """(468, 2) reference layout, IOD."""
    seam: Floats
    """(SEAM_POINTS, 2) line between the closed lips, from the left of the picture, IOD."""
    to_frame: Floats
    """(n, 2, 3) reference to frame pixels."""
    seams: Floats
    """(n, SEAM_POINTS, 2) the line in each frame, frame pixels."""

    @property
    def half_width(self) -> float:
        """Half the distance of the mouth's corners, IOD."""
        return float(self.seam[-1, 0] - self.seam[0, 0]) / 2

    @property
    def middle(self) -> float:
        """Where the face's own middle crosses the mouth, IOD; off 0 on a turned head."""
        return float(self.points[[0, 13, 14, 17], 0].mean())

    @property
    def sides(self) -> tuple[float, float]:
        """Widths of the mouth's left and right half against the mean of both."""
        left = (self.middle - float(self.seam[0, 0])) / self.half_width
        return left, 2 - left

    def across(self, points: Floats) -> Floats:
        """(k,) of (k, 2): -1 at the mouth's left corner, 0 in the face's middle, 1 at the right."""
        x = points[:, 0] - self.middle
        left, right = (half * self.half_width for half in self.sides)
        return np.asarray(x / np.where(x < 0, left, right))

    @property
    def chin(self) -> float:
        """How far the chin's lowest point lies below the mouth's middle, IOD."""
        return float(self.points[JAW, 1].max())


def study(landmarks: NDArray[np.float32], transforms: Floats, loop: Loop) -> Anatomy:
    """Read the anatomy from an avatar's landmarks (n, 468, 3) and face transforms (n, 2, 3)."""
    canonical = apply(invert(transforms), landmarks[..., :2].astype(np.float64))
    layout = np.median(canonical, axis=0)
    middle = layout[np.concatenate([UPPER_INNER, LOWER_INNER])].mean(axis=0)
    points = (layout - middle) / CANONICAL_IOD
    shape = smooth(fit_affine(points, canonical), loop)
    seams = smooth(seam_of(canonical), loop)
    return Anatomy(
        points=points,
        seam=seam_of(points[None])[0],
        to_frame=compose(transforms, shape),
        seams=apply(transforms, seams),
    )


def seam_of(points: Floats) -> Floats:
    """(n, 468, 2) to (n, SEAM_POINTS, 2): the middle line of the inner lips, corner to corner."""
    line = (points[:, UPPER_INNER] + points[:, LOWER_INNER]) / 2
    line[:, [0, -1]] = points[:, UPPER_OUTER[[0, -1]]]
    at = np.linspace(0, len(UPPER_INNER) - 1, SEAM_POINTS)
    low = np.minimum(at.astype(int), len(UPPER_INNER) - 2)
    part = (at - low)[None, :, None]
    return np.asarray(line[:, low] * (1 - part) + line[:, low + 1] * part)


def fit_affine(points: Floats, canonical: Floats) -> Floats:
    """(n, 2, 3) weighted least-squares affines from the reference to each frame's landmarks."""
    chosen = np.concatenate([MOUTH_LINE, CHIN_PAD, JAW])
    weight = np.where(np.isin(chosen, JAW), JAW_WEIGHT, 1.0)[:, None]
    source = np.column_stack([points[chosen], np.ones(len(chosen))])
    solve = np.linalg.pinv(source * weight)
    return np.asarray(np.swapaxes(solve @ (canonical[:, chosen] * weight), 1, 2))


def smooth(values: Floats, loop: Loop, frames: float = SMOOTH_FRAMES) -> Floats:
    """Low-pass along the first axis, across the loop's joint."""
    mode: Literal["wrap", "reflect"] = "wrap" if loop == "forward" else "reflect"
    return np.asarray(gaussian_filter1d(values, frames, axis=0, mode=mode), np.float64)


def apply(matrices: Floats, points: Floats) -> Floats:
    """(n, 2, 3) on (n, k, 2) or (k, 2)."""
    return np.asarray(points @ np.swapaxes(matrices[..., :2], -1, -2) + matrices[..., None, :, 2])


def invert(matrices: Floats) -> Floats:
    """(…, 2, 3) affine inverses."""
    linear = np.linalg.inv(matrices[..., :2])
    return np.concatenate([linear, -linear @ matrices[..., 2:]], axis=-1)


def compose(outer: Floats, inner: Floats) -> Floats:
    """(…, 2, 3) of `outer(inner(x))`."""
    linear = outer[..., :2] @ inner[..., :2]
    return np.concatenate([linear, outer[..., :2] @ inner[..., 2:] + outer[..., 2:]], axis=-1)
