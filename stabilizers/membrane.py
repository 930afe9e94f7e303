"""The smoothest surface through what is known around a hole: Laplace's equation, fast."""

import cv2
import numpy as np
from numpy.typing import NDArray

COARSEST = 6
"""Levels stop when a side would be shorter than this."""
SWEEPS = 2
"""Relaxations on the finest level; each coarser level gets twice as many."""
COARSEST_SWEEPS = 30


def membrane(values: NDArray[np.float32], hole: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Fill the hole of (h, w, 3) float32 `values` harmonically from around it; (h, w, 3) float32.

    `hole` is (h, w); the outermost ring of pixels always counts as known. Solved by cascadic
    iteration (Bornemann and Deuflhard, "The cascadic multigrid method for elliptic problems",
    1996): coarse first, each finer level starting from the coarser and relaxed a little.
    """
    known = _with_rim(~hole)
    return _solve(np.asarray(cv2.copyTo(values, known), np.float32), known, SWEEPS)


def _with_rim(known: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(h, w) 0 or 1; the rim counts as known on every level, or nothing would hold the rest."""
    rimmed = known.astype(np.uint8)
    rimmed[[0, -1], :] = rimmed[:, [0, -1]] = 1
    return rimmed


def _solve(
    values: NDArray[np.float32], known: NDArray[np.uint8], sweeps: int
) -> NDArray[np.float32]:
    """One level; `values` are zero where `known` is."""
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
    """Pull each unknown pixel to the weighted mean of its neighbours, `sweeps` times."""
    for _ in range(sweeps):
        cv2.copyTo(values, known, surface)
        smooth = cv2.GaussianBlur(surface, (3, 3), 0.85, borderType=cv2.BORDER_REPLICATE)
        surface = np.asarray(smooth, np.float32)
    cv2.copyTo(values, known, surface)
    return surface
