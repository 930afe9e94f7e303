"""Smoothest surface over a hole: a fast approximate solver of Laplace's equation."""

import cv2
import numpy as np
from numpy.typing import NDArray

COARSEST = 6
"""Minimum side of a level."""
SWEEPS = 2
"""Relaxations on the finest level, doubled on each coarser level."""
COARSEST_SWEEPS = 30


def membrane(values: NDArray[np.float32], hole: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Fill the hole of (h, w, 3) float32 `values` harmonically from its surroundings.

    `hole` is (h, w); the outermost ring of pixels always counts as known. Cascadic iteration
    (Bornemann and Deuflhard, "The cascadic multigrid method for elliptic problems", 1996): the
    coarsest level is solved first; each finer level starts from it and is relaxed briefly.
    """
    known = _with_rim(~hole)
    return _solve(np.asarray(cv2.copyTo(values, known), np.float32), known, SWEEPS)


def _with_rim(known: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return (h, w) 0 or 1 with the rim set, so that every level has known pixels."""
    rimmed = known.astype(np.uint8)
    rimmed[[0, -1], :] = rimmed[:, [0, -1]] = 1
    return rimmed


def _solve(
    values: NDArray[np.float32], known: NDArray[np.uint8], sweeps: int
) -> NDArray[np.float32]:
    """Solve one level; `values` are zero where `known` is."""
    height, width = known.shape
    if min(height, width) < 2 * COARSEST:
        mean = values.sum((0, 1)) / known.sum()
        return _relax(np.full_like(values, mean), values, known, COARSEST_SWEEPS)
    half = ((width + 1) // 2, (height + 1) // 2)
    share = cv2.resize(known.astype(np.float32), half, interpolation=cv2.INTER_AREA)
    sums = cv2.resize(values, half, interpolation=cv2.INTER_AREA)
    means = np.asarray(sums / np.maximum(share, 1e-6)[..., None], np.float32)
    mostly = _with_rim(share > 0.5)
    coarse = _solve(np.asarray(cv2.copyTo(means, mostly), np.float32), mostly, 2 * sweeps)
    return _relax(np.asarray(cv2.resize(coarse, (width, height))), values, known, sweeps)


def _relax(
    surface: NDArray[np.float32],
    values: NDArray[np.float32],
    known: NDArray[np.uint8],
    sweeps: int,
) -> NDArray[np.float32]:
    """Replace each unknown pixel by the weighted mean of its neighbours, `sweeps` times."""
    for _ in range(sweeps):
        cv2.copyTo(values, known, surface)
        smooth = cv2.GaussianBlur(surface, (3, 3), 0.85, borderType=cv2.BORDER_REPLICATE)
        surface = np.asarray(smooth, np.float32)
    cv2.copyTo(values, known, surface)
    return surface
