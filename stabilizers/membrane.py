"""The smoothest surface through what is known around a hole: Laplace's equation, fast."""

import cv2
import numpy as np
from numpy.typing import NDArray

COARSEST = 4
"""Levels stop when a side would be shorter than this."""
SWEEPS = 6
"""Relaxations on each level."""
NEIGHBOURS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32) / 4


def membrane(values: NDArray[np.float32], hole: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Fill the hole of (h, w, c) float32 `values` harmonically from around it.

    `hole` is (h, w); the outermost ring of pixels always counts as known. Solved by nested
    iteration (Brandt, "Multi-level adaptive solutions", 1977): coarse first, each finer level
    starting from the coarser one and relaxed a few times.
    """
    known: NDArray[np.float32] = np.asarray(~hole, np.float32)
    known[[0, -1], :] = known[:, [0, -1]] = 1
    return solve(np.asarray(values * known[..., None], np.float32), known)


def solve(weighted: NDArray[np.float32], known: NDArray[np.float32]) -> NDArray[np.float32]:
    """One level: `weighted` is values times `known`, zero where nothing is known."""
    height, width = known.shape
    if min(height, width) < 2 * COARSEST:
        mean = weighted.sum((0, 1)) / known.sum()
        return relax(np.full_like(weighted, mean), weighted, known)
    half = ((width + 1) // 2, (height + 1) // 2)
    sums = cv2.resize(weighted, half, interpolation=cv2.INTER_AREA)
    share = cv2.resize(known, half, interpolation=cv2.INTER_AREA)
    some = (share > 0).astype(np.float32)
    means = np.asarray(sums / np.maximum(share, 1e-6)[..., None] * some[..., None], np.float32)
    rough = cv2.resize(solve(means, some), (width, height))
    return relax(np.asarray(rough, np.float32), weighted, known)


def relax(
    surface: NDArray[np.float32], weighted: NDArray[np.float32], known: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Pull each unknown pixel to the mean of its four neighbours, SWEEPS times."""
    free = (1 - known)[..., None]
    for _ in range(SWEEPS):
        surface = weighted + free * cv2.filter2D(surface, -1, NEIGHBOURS)
    return surface
