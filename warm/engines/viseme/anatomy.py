"""Positions of mouth, chin and jaw: one reference layout per avatar, one affine per frame.

All lengths of the reference are in inter-ocular distances (IOD). Its origin is the middle of the
mouth; x points to the right of the picture, y down the face.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from stabilizers.similarity import apply, compose, invert
from warm.avatars.avatar import CANONICAL_IOD, Loop
from warm.engines.viseme.curvature import fit_curvatures

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
FIXED_POINTS = np.array([2, 97, 326, 98, 327, 129, 358, 1, 4, 50, 280, 123, 352, 117, 346])
# fmt: on
"""Landmarks, from the left to the right of the picture."""
OVAL = np.array(
    [10, 338, 297, 332, 284, 251, 389, 356, 454, *JAW[::-1], 234, 127, 162, 21, 54, 103, 67, 109]
)
"""Landmarks around the face."""

MOUTH_LANDMARKS = np.unique(np.concatenate([UPPER_OUTER, UPPER_INNER, LOWER_INNER, LOWER_OUTER]))
JAW_WEIGHT = 0.5
"""Weight of a jaw landmark in the fit of a frame's affine, 1 being a lip's: jaws are noisy."""
SMOOTH_FRAMES = 2.0
"""Standard deviation of the low-pass on a frame's shape within its own face transform."""
LIP_LINE_POINTS = 41
MAX_ACROSS = 1.3
"""Beyond this multiple of the mouth's half width, foreshortening no longer changes."""
MIN_WIDTH = 0.35
"""Lower limit of the foreshortening of a piece of the face."""


@dataclass(frozen=True, slots=True, eq=False)
class Anatomy:
    """The closed mouth of an avatar and its position in each frame."""

    points: Floats
    """(468, 2) reference layout, IOD."""
    lip_line: Floats
    """(LIP_LINE_POINTS, 2) line between the closed lips, from the left of the picture, IOD."""
    to_frame: Floats
    """(n, 2, 3) reference to frame pixels."""
    lip_lines: Floats
    """(n, LIP_LINE_POINTS, 2) the lip line of each frame, frame pixels."""
    landmarks: Floats
    """(n, 468, 2) the face in each frame, smoothed, frame pixels."""
    curvatures: Floats
    """(n, 4) residual of the affines, see `curvature.Curvature`."""

    @property
    def half_width(self) -> float:
        """Half the distance between the mouth's corners, IOD."""
        return float(self.lip_line[-1, 0] - self.lip_line[0, 0]) / 2

    @property
    def middle(self) -> float:
        """X of the face's midline at the mouth, IOD; not 0 on a turned head."""
        return float(self.points[[0, 13, 14, 17], 0].mean())

    @property
    def sides(self) -> tuple[float, float]:
        """Widths of the mouth's left and right half, relative to their mean."""
        left = (self.middle - float(self.lip_line[0, 0])) / self.half_width
        return left, 2 - left

    def across(self, points: Floats) -> Floats:
        """(k,) of (k, 2): -1 at the mouth's left corner, 0 on the midline, 1 at the right."""
        x = points[:, 0] - self.middle
        left, right = (half * self.half_width for half in self.sides)
        return np.asarray(x / np.where(x < 0, left, right))

    def foreshortening(self, points: Floats) -> Floats:
        """(k,) of (k, 2): width of a small piece of the face, relative to the mean of both halves.

        On a turned head the far corner of the mouth is seen more from the side than the near one.
        """
        left, right = self.sides
        local = 1 + (right - left) * np.clip(self.across(points), -MAX_ACROSS, MAX_ACROSS)
        return np.asarray(np.clip(local, MIN_WIDTH, 2 - MIN_WIDTH))

    @property
    def chin(self) -> float:
        """Distance of the chin's lowest point below the mouth's middle, IOD."""
        return float(self.points[JAW, 1].max())


def build_anatomy(landmarks: NDArray[np.float32], transforms: Floats, loop: Loop) -> Anatomy:
    """Derive the anatomy from an avatar's landmarks (n, 468, 3) and face transforms (n, 2, 3)."""
    canonical = apply(invert(transforms), landmarks[..., :2].astype(np.float64))
    layout = np.median(canonical, axis=0)
    middle = layout[np.concatenate([UPPER_INNER, LOWER_INNER])].mean(axis=0)
    points = (layout - middle) / CANONICAL_IOD
    return fitted(points, canonical, transforms, loop)


def further_frames(
    anatomy: Anatomy, landmarks: NDArray[np.float32], transforms: Floats, lip_offset: Floats
) -> Anatomy:
    """Return the same mouth in other frames of the person, with an offset of its lip line (k,).

    landmarks: (n, 468, 3), transforms: (n, 2, 3), as of `build_anatomy`.
    """
    canonical = apply(invert(transforms), landmarks[..., :2].astype(np.float64))
    found = fitted(anatomy.points, canonical, transforms, "pingpong")
    return with_lip_offset(found, lip_offset)


def with_lip_offset(anatomy: Anatomy, offset: Floats) -> Anatomy:
    """Return an anatomy with its lip line moved down by (LIP_LINE_POINTS,) IOD."""
    down = anatomy.to_frame[:, None, :, 1]
    return replace(
        anatomy,
        lip_line=anatomy.lip_line + offset[:, None] * (0.0, 1.0),
        lip_lines=anatomy.lip_lines + offset[:, None] * down,
    )


def fitted(points: Floats, canonical: Floats, transforms: Floats, loop: Loop) -> Anatomy:
    """Fit the reference layout (468, 2) to the landmarks (n, 468, 2) of frames in the crop."""
    affines = smooth_along_loop(fit_weighted_affines(points, canonical), loop)
    chosen, weights = weighted_points()
    curvatures = fit_curvatures(points[chosen], weights, canonical[:, chosen], affines)
    lip_lines = smooth_along_loop(lip_lines_of(canonical), loop)
    return Anatomy(
        points=points,
        lip_line=lip_lines_of(points[None])[0],
        to_frame=compose(transforms, affines),
        lip_lines=apply(transforms, lip_lines),
        landmarks=apply(transforms, smooth_along_loop(canonical, loop)),
        curvatures=smooth_along_loop(curvatures, loop),
    )


def lip_lines_of(points: Floats) -> Floats:
    """(n, 468, 2) to (n, LIP_LINE_POINTS, 2): middle of the inner lips, corner to corner."""
    line = (points[:, UPPER_INNER] + points[:, LOWER_INNER]) / 2
    line[:, [0, -1]] = points[:, UPPER_OUTER[[0, -1]]]
    at = np.linspace(0, len(UPPER_INNER) - 1, LIP_LINE_POINTS)
    low = np.minimum(at.astype(int), len(UPPER_INNER) - 2)
    fraction = (at - low)[None, :, None]
    return np.asarray(line[:, low] * (1 - fraction) + line[:, low + 1] * fraction)


def fit_weighted_affines(points: Floats, canonical: Floats) -> Floats:
    """(n, 2, 3) weighted least-squares affines from the reference to each frame's landmarks."""
    chosen, weights = weighted_points()
    weight = weights[:, None]
    source = np.column_stack([points[chosen], np.ones(len(chosen))])
    solve = np.linalg.pinv(source * weight)
    return np.asarray(np.swapaxes(solve @ (canonical[:, chosen] * weight), 1, 2))


def weighted_points() -> tuple[NDArray[np.int_], Floats]:
    """Return the (k,) landmarks that a frame is fitted to, and their weights."""
    chosen = np.concatenate([MOUTH_LANDMARKS, CHIN_PAD, JAW])
    return chosen, np.where(np.isin(chosen, JAW), JAW_WEIGHT, 1.0)


def smooth_along_loop(values: Floats, loop: Loop, frames: float = SMOOTH_FRAMES) -> Floats:
    """Low-pass along the first axis, across the joint of the loop; `frames`: standard deviation."""
    mode: Literal["wrap", "reflect"] = "wrap" if loop == "forward" else "reflect"
    return np.asarray(gaussian_filter1d(values, frames, axis=0, mode=mode), np.float64)
