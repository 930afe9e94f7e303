"""Fusion of landmarks with the motion of the picture, which removes noise without drift."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from stabilizers.similarity import apply


def fuse(
    points: NDArray[np.floating], motions: NDArray[np.float64], weight: float
) -> NDArray[np.float64]:
    """Fuse a whole clip without lag: (n, k, 2) measured points in, (n, k, 2) float64 out.

    `motions` (n - 1, 2, 3) lead from each frame to the next. Minimises for every point
    sum(weight |x_t - point_t|²) + sum(|x_t+1 - motion_t(x_t)|²): a symmetric block-tridiagonal
    system, the same for all points. A NaN motion is unknown and links no frames.
    """
    known = np.asarray(np.isfinite(motions).all(axis=(1, 2)))
    linear = np.where(known[:, None, None], motions[..., :2], 0.0)
    shift = np.where(known[:, None], motions[..., 2], 0.0)
    count = len(points)
    diagonal = np.zeros((count, 2, 2)) + weight * np.eye(2)
    diagonal[1:] += known[:, None, None] * np.eye(2)
    diagonal[:-1] += np.swapaxes(linear, 1, 2) @ linear
    target = weight * np.asarray(points, np.float64)
    target[1:] += shift[:, None]
    target[:-1] -= shift[:, None] @ linear
    right = np.swapaxes(target, 1, 2).reshape(2 * count, -1)
    solved = solveh_banded(_banded(diagonal, -linear), right, lower=True)
    return np.swapaxes(solved.reshape(count, 2, -1), 1, 2)


def _banded(diagonal: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (4, 2n) lower bands of a symmetric matrix, (n, 2, 2) on and (n - 1, 2, 2) below."""
    bands = np.zeros((4, len(diagonal), 2))
    bands[0, :, 0], bands[0, :, 1] = diagonal[:, 0, 0], diagonal[:, 1, 1]
    bands[1, :, 0], bands[1, :-1, 1] = diagonal[:, 1, 0], below[:, 0, 1]
    bands[2, :-1, 0], bands[2, :-1, 1] = below[:, 0, 0], below[:, 1, 1]
    bands[3, :-1, 0] = below[:, 1, 0]
    return bands.reshape(4, -1)


class Fusion:
    """The causal form of `fuse`: uses no later frame. Not thread-safe."""

    def __init__(self, weight: float) -> None:
        self._weight = weight
        self._information = 0.0
        self._points: NDArray[np.float64] | None = None

    def __call__(
        self, points: NDArray[np.floating], motion: NDArray[np.float64] | None
    ) -> NDArray[np.float64]:
        """Return the fused (k, 2) points of the next frame; `motion` (2, 3) leads to it, or None.

        The recursion is the information form of the Kalman filter of the same objective.
        """
        measured = np.asarray(points, np.float64)
        if self._points is None or motion is None:
            self._points, self._information = measured.copy(), self._weight
            return self._points.copy()
        predicted = self._information / (self._information + 1)
        self._information = predicted + self._weight
        moved = apply(motion, self._points)
        self._points = moved + self._weight / self._information * (measured - moved)
        return self._points.copy()
