"""One eye of a drawn frame laid over the same eye of a filmed frame."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.similarity import apply, compose, fit_similarity
from stabilizers.track import FACE_MESH
from warm.prepare.idle.blinks import EYES

Floats = NDArray[np.floating]

# Lengths are in eye widths.
CORE = ((-0.12, 1.12), (-0.20, 0.15))
"""The eye's region: along it, and from above the upper lid to below the lower one."""
CHEEK = ((-0.35, 1.35), (0.06, 0.70))
"""Skin below the eye that shows how the head moved; blinks do not move it."""
SHIFT, COARSE, FINE = 0.2, 1.0, 0.25
"""Largest shift between the frames in the search, and the steps of the search in pixels."""
MAX_RESIDUAL = 0.05
"""From this RMS difference of the cheek on, relative to 255, the head has turned too far."""


@dataclass(frozen=True, slots=True, eq=False)
class EyeComparison:
    """A filmed eye, and where it is in the open frame."""

    filmed: NDArray[np.float32]
    """(h, w, 3) the eye's surroundings in the filmed frame."""
    core: NDArray[np.bool_]
    """(h, w) the eye's region, in which pictures are compared."""
    to_filmed: NDArray[np.float64]
    """(2, 3) open frame to `filmed`."""
    residual: float
    """RMS difference of the cheeks, 0…1."""

    def view(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (h, w, 3) a picture of the open frame, moved onto the filmed eye."""
        return moved(picture, self.to_filmed, self.core.shape)

    def error(self, picture: NDArray[np.uint8]) -> float:
        """Return the mean squared error of a picture of the open frame in the eye's region."""
        return float(((self.view(picture) - self.filmed)[self.core] ** 2).mean())


def compare_eye(
    opened: NDArray[np.uint8],
    filmed: NDArray[np.uint8],
    landmarks: tuple[Floats, Floats],
    side: int,
) -> EyeComparison | None:
    """Lay an eye of the open frame over that of the filmed one; None if it is cut off.

    landmarks: (468, 3) of the open and of the filmed frame; side: 0 right eye, 1 left eye.
    """
    stable = list(FACE_MESH.points)
    before, after = (points[:, :2].astype(np.float64) for points in landmarks)
    rough = fit_similarity(before[stable], after[stable])
    eye = apply(rough, before[list(EYES[side][0] + EYES[side][1])])
    width = float(np.linalg.norm(eye[8] - eye[0]))
    low = np.floor(eye.min(axis=0) - width / 2).astype(int)
    high = np.ceil(eye.max(axis=0) + width * 0.8).astype(int)
    if (low < 0).any() or (high > [filmed.shape[1], filmed.shape[0]]).any():
        return None
    target = filmed[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    to_view = compose(np.array([[1.0, 0, -low[0]], [0, 1, -low[1]]]), rough)
    core, cheek = (box_mask(eye - low, target.shape, box) for box in (CORE, CHEEK))
    shift, residual = best_shift(opened, target, to_view, cheek & ~core, SHIFT * width)
    to_view[:, 2] += shift
    return EyeComparison(target, core_at(core, shift), to_view, residual)


def box_mask(
    eye: Floats, shape: tuple[int, ...], box: tuple[tuple[float, float], tuple[float, float]]
) -> NDArray[np.bool_]:
    """Return (h, w) True in a box around an eye (18, 2): its upper lid, then its lower lid."""
    axis = eye[8] - eye[0]
    width = np.hypot(*axis)
    axes = np.array([axis, [-axis[1], axis[0]]]) / width**2
    upper, lower = ((eye - eye[0]) @ axes.T)[:, 1].reshape(2, 9)
    pixels = np.stack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0])), -1)
    along, down = np.moveaxis((pixels - eye[0]) @ axes.T, -1, 0)
    (left, right), (above, below) = box
    top = (upper.min() if above < 0 else lower.max()) + above
    inside = (along > left) & (along < right) & (down > top) & (down < lower.max() + below)
    return np.asarray(inside)


def best_shift(
    opened: NDArray[np.uint8],
    target: NDArray[np.float32],
    to_view: NDArray[np.float64],
    cheek: NDArray[np.bool_],
    reach_px: float,
) -> tuple[NDArray[np.float64], float]:
    """Return the shift (x, y) that aligns the cheeks best, and their RMS difference, 0…1."""
    best, shift = np.inf, np.zeros(2)
    for reach, step in ((reach_px, COARSE), (COARSE, FINE)):
        middle = shift
        for offset in offsets(reach, step):
            matrix = to_view.copy()
            matrix[:, 2] += middle + offset
            error = float(((moved(opened, matrix, target.shape) - target)[cheek] ** 2).mean())
            if error < best:
                best, shift = error, middle + offset
    return shift, float(np.sqrt(best)) / 255


def offsets(reach: float, step: float) -> NDArray[np.float64]:
    """Return (k, 2) offsets on a grid, at most about `reach` in x and y; the smallest first."""
    count = max(1, round(reach / step))
    axis = step * np.arange(-count, count + 1)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    return np.asarray(grid[np.argsort(np.linalg.norm(grid, axis=-1), kind="stable")])


def core_at(core: NDArray[np.bool_], shift: Floats) -> NDArray[np.bool_]:
    """Return the eye's region, moved by a shift in pixels."""
    matrix = np.array([[1.0, 0, shift[0]], [0, 1, shift[1]]])
    size = core.shape[1], core.shape[0]
    return np.asarray(cv2.warpAffine(core.astype(np.float32), matrix, size) > 0.5)


def moved(
    picture: NDArray[np.uint8], matrix: NDArray[np.float64], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return (h, w, 3) a picture seen through a (2, 3) transform."""
    size = shape[1], shape[0]
    flags, border = cv2.INTER_CUBIC, cv2.BORDER_REPLICATE
    return cv2.warpAffine(picture, matrix, size, flags=flags, borderMode=border).astype(np.float32)
