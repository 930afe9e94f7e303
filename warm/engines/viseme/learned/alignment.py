"""Alignment of the mouth's inside: the teeth drift a little with pose and opening."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.engines.viseme.anatomy import Floats, Floats32
from warm.engines.viseme.learned.atlas import Atlas

ROUNDS = 2
REACH_X_IOD, REACH_Y_IOD = 0.08, 0.05
"""Reach of the search for the shift of a frame."""
DISTANCE_COST = 0.15
"""Correlation that the farthest shift must gain."""
MIN_CORRELATION = 0.4
MIN_SIZE_PX = (10, 4)
"""A smaller opening shows too little to be aligned."""
RIDGE = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """Shift of the inside as a linear function of the scaled inputs."""

    weights: Floats32
    """(1 + d, 2) of a constant and the scaled inputs, atlas pixels."""

    def shift(self, inputs: Floats32) -> Floats32:
        """(d,) to (2,) pixels from the frame's place to the common one."""
        return np.asarray(self.weights[0] + inputs @ self.weights[1:])


def align(
    pictures: Floats32, seen: NDArray[np.bool_], inputs: Floats32, atlas: Atlas
) -> tuple[Floats32, NDArray[np.bool_], Alignment]:
    """Align (m, h, w, 3) pictures with each other where they are `seen` (m, h, w).

    Returns both, shifted, and the alignment.
    """
    alignment = Alignment(np.zeros((1 + inputs.shape[1], 2), np.float32))
    moved, moved_seen = pictures, seen
    grey = pictures.mean(axis=-1)
    for _ in range(ROUNDS):
        mean = seen_mean(moved.mean(axis=-1), moved_seen)
        found = [find_shift(g, s, mean, atlas) for g, s in zip(grey, seen, strict=True)]
        alignment = fit_alignment(inputs, np.array(found), seen.sum(axis=(1, 2)))
        shifts = [alignment.shift(row) for row in inputs]
        moved = np.stack([translate(p, s) for p, s in zip(pictures, shifts, strict=True)])
        moved_seen = np.stack(
            [translate(m.astype(np.float32), s) > 0.5 for m, s in zip(seen, shifts, strict=True)]
        )
    return moved, moved_seen, alignment


def seen_mean(grey: Floats32, seen: NDArray[np.bool_]) -> Floats32:
    """(h, w) mean of (m, h, w) where they are seen, 0 elsewhere."""
    count = np.maximum(seen.sum(axis=0), 1)
    return np.asarray(np.where(seen, grey, 0).sum(axis=0) / count, np.float32)


def find_shift(
    grey: Floats32, seen: NDArray[np.bool_], mean: Floats32, atlas: Atlas
) -> tuple[float, float, float]:
    """Return the shift (x, y) that moves a picture onto the mean, and its reliability, 0 or 1."""
    ys, xs = np.nonzero(seen)
    if not len(ys):
        return 0.0, 0.0, 0.0
    top, bottom, left, right = ys.min(), ys.max() + 1, xs.min(), xs.max() + 1
    if right - left < MIN_SIZE_PX[0] or bottom - top < MIN_SIZE_PX[1]:
        return 0.0, 0.0, 0.0
    reach_x, reach_y = (round(reach * atlas.scale) for reach in (REACH_X_IOD, REACH_Y_IOD))
    part = np.s_[top:bottom, left:right]
    padded = cv2.copyMakeBorder(mean, reach_y, reach_y, reach_x, reach_x, cv2.BORDER_REPLICATE)
    searched = padded[top : bottom + 2 * reach_y, left : right + 2 * reach_x]
    mask = seen[part].astype(np.float32)
    match = cv2.matchTemplate(searched, grey[part], cv2.TM_CCOEFF_NORMED, mask=mask)
    score = np.where(np.isfinite(match), match, -1.0)
    y, x = np.mgrid[-1 : 1 : score.shape[0] * 1j, -1 : 1 : score.shape[1] * 1j]
    row, column = np.unravel_index((score - DISTANCE_COST * (x * x + y * y)).argmax(), score.shape)
    reliable = float(score[row, column] > MIN_CORRELATION)
    return float(column - reach_x), float(row - reach_y), reliable


def fit_alignment(inputs: Floats32, found: Floats, area: NDArray[np.int_]) -> Alignment:
    """Fit the shifts (m, 2 + 1) by ridge regression, weighted by reliability and area."""
    terms = np.column_stack([np.ones(len(inputs)), inputs]).astype(np.float64)
    weight = found[:, 2] * area
    total = max(float(weight.sum()), 1.0)
    ridge = RIDGE * total * np.eye(terms.shape[1])
    ridge[0, 0] = 1e-6
    scaled = terms * weight[:, None]
    solved = np.linalg.solve(scaled.T @ terms + ridge, scaled.T @ found[:, :2])
    return Alignment(solved.astype(np.float32))


def translate(picture: Floats32, shift: Floats | Floats32) -> Floats32:
    """Move a picture by (x, y) pixels; its border continues."""
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float64)
    size = picture.shape[1::-1]
    moved = cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32)
